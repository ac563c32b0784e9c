package config

import (
	"errors"
	"fmt"
	"math"
)

// Limits are how much people may use, in one day and at one moment.
type Limits struct {
	Budget
	// Prices is a price table in JSON, as bedrock.ParsePrices reads it.
	Prices               string `env:"PRICES"`
	UserConcurrency      int    `env:"USER_CONCURRENCY" envDefault:"3"`
	WorkspaceConcurrency int    `env:"WORKSPACE_CONCURRENCY"`
}

func (l *Limits) check() error {
	var priceless error
	if l.Money() && l.Prices == "" {
		priceless = errors.New("BUDGET_UNIT is money, which needs a price table in PRICES")
	}
	return errors.Join(
		l.Budget.check(), priceless,
		within("USER_CONCURRENCY", l.UserConcurrency, 0, 1000),
		within("WORKSPACE_CONCURRENCY", l.WorkspaceConcurrency, 0, 10_000),
	)
}

// Budget is what may be used in a day.
type Budget struct {
	BudgetUser      float64 `env:"BUDGET_USER"`
	BudgetChannel   float64 `env:"BUDGET_CHANNEL"`
	BudgetWorkspace float64 `env:"BUDGET_WORKSPACE"`
	BudgetUnit      string  `env:"BUDGET_UNIT" envDefault:"tokens"`
}

func (b *Budget) check() error {
	return errors.Join(
		b.amount("BUDGET_USER", b.BudgetUser), b.amount("BUDGET_CHANNEL", b.BudgetChannel), b.amount("BUDGET_WORKSPACE", b.BudgetWorkspace),
		oneOf("BUDGET_UNIT", b.BudgetUnit, "tokens", "money"),
	)
}

// Money reports whether budgets are in the price table's currency.
func (b *Budget) Money() bool { return b.BudgetUnit == "money" }

// Budgets are the limits as they are counted: whole tokens, or millionths of the
// currency.
func (b *Budget) Budgets() (user, channel, workspace int64) {
	factor := 1.0
	if b.Money() {
		factor = 1e6
	}
	count := func(v float64) int64 { return int64(math.Round(v * factor)) }
	return count(b.BudgetUser), count(b.BudgetChannel), count(b.BudgetWorkspace)
}

func (b *Budget) amount(name string, v float64) error {
	switch {
	case v < 0 || v > 1e12 || math.IsNaN(v):
		return fmt.Errorf("%s must be between 0, for none, and a million million", name)
	case !b.Money() && v != math.Trunc(v):
		return fmt.Errorf("%s is %v; tokens are a whole number (or set BUDGET_UNIT to money)", name, v)
	}
	return nil
}

package config

import (
	"errors"
	"fmt"
	"math"
)

// Limits are how much people may use, in one day and at one moment.
type Limits struct {
	BudgetUser      float64 `env:"BUDGET_USER"`
	BudgetChannel   float64 `env:"BUDGET_CHANNEL"`
	BudgetWorkspace float64 `env:"BUDGET_WORKSPACE"`
	BudgetUnit      string  `env:"BUDGET_UNIT" envDefault:"tokens"`
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
		l.amount("BUDGET_USER", l.BudgetUser), l.amount("BUDGET_CHANNEL", l.BudgetChannel), l.amount("BUDGET_WORKSPACE", l.BudgetWorkspace),
		oneOf("BUDGET_UNIT", l.BudgetUnit, "tokens", "money"), priceless,
		within("USER_CONCURRENCY", l.UserConcurrency, 0, 1000),
		within("WORKSPACE_CONCURRENCY", l.WorkspaceConcurrency, 0, 10_000),
	)
}

// Money reports whether budgets are in the price table's currency.
func (l *Limits) Money() bool { return l.BudgetUnit == "money" }

// Budgets are the limits as they are counted: whole tokens, or millionths of the
// currency.
func (l *Limits) Budgets() (user, channel, workspace int64) {
	factor := 1.0
	if l.Money() {
		factor = 1e6
	}
	count := func(v float64) int64 { return int64(math.Round(v * factor)) }
	return count(l.BudgetUser), count(l.BudgetChannel), count(l.BudgetWorkspace)
}

func (l *Limits) amount(name string, v float64) error {
	switch {
	case v < 0 || v > 1e12 || math.IsNaN(v):
		return fmt.Errorf("%s must be between 0, for none, and a million million", name)
	case !l.Money() && v != math.Trunc(v):
		return fmt.Errorf("%s is %v; tokens are a whole number (or set BUDGET_UNIT to money)", name, v)
	}
	return nil
}

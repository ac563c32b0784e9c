package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// Budget is what may be used in one day, from midnight to midnight UTC. A limit of
// zero is none. Limits are in tokens or, where Money is true, in millionths of the
// currency that Worker.Price counts in.
//
// What a question may cost at most is reserved before its model call and corrected
// to what it did cost afterwards, so a budget is never passed, however many
// questions run at once; it follows that a limit below what one question may cost
// answers nothing. The reservation is noted in the case ([Hold]): a retry after a
// crash takes it over, and a crashed attempt costs the person nothing. A process
// that dies, or a store that fails, between counting and noting leaves at most one
// estimate counted for the rest of the day, never one too few.
type Budget struct {
	User, Channel, Workspace int64
	Money                    bool
	// Account keeps the counters of a profile with limits of its own apart from the
	// deployment's, "": what is used in one is not used in the other.
	Account string
}

// warnAt is the part of a budget, in percent, from which people are told.
const warnAt = 80

// scope is one counter with its limit.
type scope struct {
	word  string // of phrases: user, channel, workspace
	name  string
	limit int64
}

// scopes are the counters that m's author, channel and installation have.
func (b Budget) scopes(m chat.Message) []scope {
	at := m.Conversation
	key := func(last string) string {
		return chat.Conversation{Platform: at.Platform, Tenant: at.Tenant, Channel: last}.Key()
	}
	account := ""
	if b.Account != "" {
		account = "profile:" + b.Account + ":"
	}
	return []scope{
		{"user", account + "user:" + key(m.Author.ID), b.User},
		{"channel", account + "channel:" + key(at.Channel), b.Channel},
		{"workspace", account + "workspace:" + key(""), b.Workspace},
	}
}

// limited are the scopes that have a limit.
func (b Budget) limited(m chat.Message) []scope {
	var out []scope
	for _, s := range b.scopes(m) {
		if s.limit > 0 {
			out = append(out, s)
		}
	}
	return out
}

func today(now time.Time) string { return now.UTC().Format("20060102") }

// amount is what u counts in b's unit.
func (w *Worker) amount(b Budget, model string, u chat.Usage) int64 {
	if !b.Money {
		return int64(u.Total())
	}
	cost, _ := w.cost(model, u)
	return int64(math.Ceil(cost * 1e6))
}

func (w *Worker) cost(model string, u chat.Usage) (float64, bool) {
	if w.Price == nil {
		return 0, false
	}
	return w.Price(model, u)
}

// reserve makes sure that p may be asked: what it may cost is within every budget,
// and counted until it is known what it did cost.
func (a *attempt) reserve(ctx context.Context, p Prompt) error {
	a.asked = chat.Usage{Input: p.EstimateTokens()}
	w := a.w
	budget := a.profile.Budget
	scopes := budget.limited(a.m)
	if w.Quotas == nil || len(scopes) == 0 || a.hold.Amount > 0 {
		return nil // no budget, or reserved by an attempt that crashed
	}
	most := chat.Usage{Input: a.asked.Input, Output: p.most()}
	h := Hold{Day: today(w.now()), Amount: w.amount(budget, p.Model, most), Scopes: names(scopes)}
	if h.Amount <= 0 {
		return nil
	}
	for i, s := range scopes {
		used, ok, err := w.Quotas.Reserve(ctx, s.name, h.Day, h.Amount, s.limit)
		if err == nil && ok {
			continue
		}
		w.settleAll(ctx, h.Scopes[:i], h.Day, -h.Amount)
		if err != nil {
			return Transient(ReasonStore, fmt.Errorf("reserve the budget of the %s: %w", s.word, err))
		}
		return Permanent(ReasonBudget, fmt.Errorf("the %s has used %d of %d today, and the question may cost %d", s.word, used, s.limit, h.Amount))
	}
	return a.note(ctx, h)
}

// note records in the case that h has been reserved.
func (a *attempt) note(ctx context.Context, h Hold) error {
	ctx = context.WithoutCancel(ctx) // to be sure whether it was recorded
	_, err := a.w.ledger().settleAt(ctx, a.m.ID, Effects{}, func(k Case) (Case, error) { return k.held(a.k.Fence, h) })
	switch {
	case err == nil:
		a.hold = h
	case !errors.Is(err, errUnsure): // else it may stand there, and whoever ends the case gives it back
		a.w.settleAll(ctx, h.Scopes, h.Day, -h.Amount)
	}
	return err
}

// spent is what the attempt has cost, as far as it can tell: what the service
// says, else what was sent to it and what came back.
func (a *attempt) spent(t Turn) int64 {
	if t.Usage.Total() > 0 {
		return a.w.amount(a.profile.Budget, t.Model, t.Usage)
	}
	if a.said == 0 {
		return 0
	}
	return a.w.amount(a.profile.Budget, a.profile.model(a.m.Model), chat.Usage{Input: a.asked.Input, Output: a.said})
}

// settleBudget corrects what the attempt reserved to what it cost. It is called
// after the case has let go of the reservation, by the one whose write did that.
func (a *attempt) settleBudget(ctx context.Context, amount int64) {
	w := a.w
	if w.Quotas == nil {
		return
	}
	h := a.hold
	if h.Amount == 0 {
		h.Day, h.Scopes = today(w.now()), nil
	}
	// What the asker used is counted without a limit, too: people ask for it.
	if own := names(a.profile.Budget.scopes(a.m)[:1]); amount > 0 && !slices.Contains(h.Scopes, own[0]) {
		w.settleAll(ctx, own, h.Day, amount)
	}
	w.settleAll(ctx, h.Scopes, h.Day, amount-h.Amount)
}

func names(scopes []scope) []string {
	var out []string
	for _, s := range scopes {
		out = append(out, s.name)
	}
	return out
}

func (w *Worker) settleAll(ctx context.Context, scopes []string, day string, delta int64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for _, s := range scopes {
		if err := w.Quotas.Settle(ctx, s, day, delta); err != nil {
			w.Log.WarnContext(ctx, "settle budget", "scope", s, "delta", delta, "err", err)
		}
	}
}

// release lets go of a reservation whose question came to its end elsewhere: its
// author deleted it. amount is what it has cost.
func (w *Worker) release(ctx context.Context, m chat.Message, hold Hold, amount int64) {
	if hold.Amount == 0 || w.Quotas == nil {
		return
	}
	var h Hold
	_, err := w.ledger().update(ctx, m.ID, func(k Case) (Case, Effects, error) {
		if h = k.Hold; h.Amount == 0 || k.State == CaseWorking {
			h = Hold{}
			return k, Effects{}, errUnchanged
		}
		k.Hold = Hold{}
		return k, Effects{}, nil
	})
	if err == nil && h.Amount > 0 {
		w.settleAll(ctx, h.Scopes, h.Day, amount-h.Amount)
	}
}

// warning is the line under an answer that says that a budget is nearly used up,
// "" while none is.
func (a *attempt) warning(ctx context.Context, language string) string {
	w := a.w
	if w.Quotas == nil {
		return ""
	}
	for _, s := range a.profile.Budget.limited(a.m) {
		used, err := w.meter().used(ctx, s)
		if err != nil {
			w.Log.WarnContext(ctx, "read budget", "scope", s.word, "err", err)
			continue
		}
		if percent := used * 100 / s.limit; percent >= warnAt {
			return "\n\n_" + phrase.In(language).Say("budget."+s.word, min(percent, 100)) + "_"
		}
	}
	return ""
}

// unit writes an amount as people read it.
func (b Budget) unit(n int64) string {
	if b.Money {
		return fmt.Sprintf("%.2f", float64(n)/1e6)
	}
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

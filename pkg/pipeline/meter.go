package pipeline

import (
	"context"
	"fmt"
	"slices"
	"time"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// Meter reads what was used today, and says it. It changes nothing. It is safe for
// concurrent use.
type Meter struct {
	Quotas Quotas           // nil: nothing is counted
	Now    func() time.Time // nil: time.Now
}

func (w *Worker) meter() Meter { return Meter{w.Quotas, w.Now} }

// used reads the counter of s: a reservation that cannot fit adds nothing and
// tells what stands there.
func (u Meter) used(ctx context.Context, s scope) (int64, error) {
	used, _, err := u.Quotas.Reserve(ctx, s.name, today(clock(u.Now)), 1, 0)
	return used, err
}

// today says what m's author, and those scopes of b that are named and have a
// limit, have used today, and of how much.
func (u Meter) today(ctx context.Context, b Budget, m chat.Message, language string, scopes ...string) (string, error) {
	say := phrase.In(language)
	if u.Quotas == nil {
		return say.Say("usage.off"), nil
	}
	text := say.Say(string(chat.KindUsage))
	if b.Money {
		text = say.Say("usage.money")
	}
	for _, s := range b.scopes(m) {
		if s.word != "user" && (s.limit == 0 || !slices.Contains(scopes, s.word)) {
			continue
		}
		used, err := u.used(ctx, s)
		if err != nil {
			return "", fmt.Errorf("read usage: %w", err)
		}
		line := b.unit(used)
		if s.limit > 0 {
			line = say.Say("usage.of", line, b.unit(s.limit), used*100/s.limit)
		}
		text += "\n- " + say.Say("usage."+s.word, line)
	}
	return text, nil
}

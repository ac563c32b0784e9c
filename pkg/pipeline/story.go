package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Event is one line of a message's story.
type Event struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

// Story tells what happened to the message of l, oldest event first, from its
// letter, case, turn and delivery. It contains no message text.
func (o *Operator) Story(ctx context.Context, l Letter) ([]Event, error) {
	var story []Event
	add := func(at time.Time, format string, args ...any) {
		if !at.IsZero() {
			story = append(story, Event{at, fmt.Sprintf(format, args...)})
		}
	}
	add(l.AskedAt(), "asked (%s)", l.MessageID)
	k, err := o.Cases.LoadCase(ctx, l.MessageID)
	if err != nil {
		return nil, err
	}
	add(k.FirstClaim, "first claimed")
	add(k.LastClaim, "last claimed, as try %d", k.Tries+1)
	if k.Rev > 0 {
		add(k.UpdatedAt, "case is %s%s", orNone(string(k.State)), because(string(k.Reason), k.Detail))
	}
	if k.State == CaseAnswered {
		t, ok, err := o.Memory.Turn(ctx, k.Turn)
		if err != nil {
			return nil, err
		}
		if ok {
			add(t.AnsweredAt, "answered by %s, %d tokens", t.Model, t.Usage.Total())
		}
	}
	placed, err := o.Deliveries.LoadDelivery(ctx, l.MessageID)
	if err != nil {
		return nil, err
	}
	if placed.Rev > 0 {
		add(placed.UpdatedAt, "shown: %s (posts: %d)", orNone(string(placed.Kind)), len(placed.At.Posts))
	}
	buried := l.LastTried
	if sent := l.delivery.SentAt; sent.After(buried) {
		buried = sent
	}
	add(buried, "buried in %s at attempt %d%s", l.Queue, l.Attempts, because(l.Reason, l.Error))
	slices.SortStableFunc(story, func(a, b Event) int { return a.At.Compare(b.At) })
	return story, nil
}

// because says why, once: an error's chain begins with its reason.
func because(reason, detail string) string {
	switch {
	case detail == "" && reason == "":
		return ""
	case strings.HasPrefix(detail, reason):
		return ": " + detail
	}
	return ": " + strings.TrimSuffix(reason+": "+detail, ": ")
}

func orNone(s string) string {
	if s == "" {
		return "pending"
	}
	return s
}

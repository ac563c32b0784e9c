package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"parley/pkg/chat"
)

// DeadQueue is one dead-letter queue and the queue its letters go back to.
type DeadQueue struct {
	Name   string // "requests", "control" or "replies"
	Dead   DeadLetters
	Source Outbox
}

// Operator inspects and replays dead letters.
type Operator struct {
	Cases      Cases
	Memory     Memory
	Deliveries Deliveries
	Queues     []DeadQueue
	Now        func() time.Time
}

// List returns the letters that match f, oldest question first. complete is false when a
// queue cannot show everything it holds.
func (o *Operator) List(ctx context.Context, f Filter) (letters []Letter, complete bool, err error) {
	complete = true
	for _, q := range o.Queues {
		found, all, err := q.Dead.Letters(ctx)
		if err != nil {
			return nil, false, fmt.Errorf("list dead letters of %s: %w", q.Name, err)
		}
		complete = complete && all
		for _, d := range found {
			if l := readLetter(q.Name, d); f.matches(l, clock(o.Now)) {
				letters = append(letters, l)
			}
		}
	}
	slices.SortStableFunc(letters, func(a, b Letter) int { return a.AskedAt().Compare(b.AskedAt()) })
	return letters, complete, nil
}

// ReplayResult is what became of a letter.
type ReplayResult struct {
	Replayed bool
	Removed  bool   // the letter is gone: it was sent back, or there is nothing left to do
	Why      string // of a letter that was not replayed
}

// Check says whether replaying l would do something, without doing it.
func (o *Operator) Check(ctx context.Context, l Letter, maxAge time.Duration) (ReplayResult, error) {
	if maxAge > 0 && clock(o.Now).Sub(l.AskedAt()) > maxAge {
		return ReplayResult{Why: "older than " + maxAge.String()}, nil
	}
	switch {
	case l.message != nil:
		return o.checkMessage(ctx, l)
	case l.reply != nil:
		placed, err := o.Deliveries.LoadDelivery(ctx, l.MessageID)
		if err != nil {
			return ReplayResult{}, err
		}
		if placed.Rev > 0 && !placed.Order.Before(l.reply.Order()) {
			return ReplayResult{Removed: true, Why: "shown since"}, nil
		}
		return ReplayResult{Replayed: true, Removed: true}, nil
	}
	return ReplayResult{Why: "cannot be read by this version"}, nil
}

func (o *Operator) checkMessage(ctx context.Context, l Letter) (ReplayResult, error) {
	k, err := o.Cases.LoadCase(ctx, l.MessageID)
	if err != nil {
		return ReplayResult{}, err
	}
	token := l.message.Token
	settled := ""
	switch {
	case k.State == CaseCancelled:
		settled = "withdrawn by its author"
	case k.State == CaseAnswered && !k.opens(token):
		settled = "answered since"
	}
	if settled != "" {
		// A letter that the queue moved may be all that is left to have the end
		// shown: then it is sent back, and costs no model call.
		shown, err := o.shown(ctx, k)
		if err != nil || !shown {
			return ReplayResult{Replayed: err == nil, Removed: err == nil}, err
		}
		return ReplayResult{Removed: true, Why: settled}, nil
	}
	switch {
	case k.State == CaseWorking && k.leased(clock(o.Now), lease):
		return ReplayResult{Why: "being answered now"}, nil
	case k.State == CaseDead && token != nil && !k.opens(token):
		return ReplayResult{Removed: true, Why: "failed again since; the newer letter replays it"}, nil
	}
	return ReplayResult{Replayed: true, Removed: true}, nil
}

// shown reports whether people see the end of k.
func (o *Operator) shown(ctx context.Context, k Case) (bool, error) {
	placed, err := o.Deliveries.LoadDelivery(ctx, k.MessageID)
	if err != nil {
		return false, err
	}
	return placed.Rev > 0 && !placed.Order.Before(chat.Order{Fence: k.Fence, Terminal: true}), nil
}

// Replay sends l back to its queue and removes it. A letter whose work is done
// already is removed only. Interrupted between the two steps, the letter is
// replayed again later, and its token sees to it that it is answered once.
func (o *Operator) Replay(ctx context.Context, l Letter, maxAge time.Duration) (ReplayResult, error) {
	result, err := o.Check(ctx, l, maxAge)
	if err != nil {
		return ReplayResult{}, fmt.Errorf("replay %s: %w", l.ID, err)
	}
	queue, err := o.queue(l)
	if err != nil {
		return ReplayResult{}, err
	}
	if result.Replayed {
		if err := o.sendBack(ctx, queue, l); err != nil {
			return ReplayResult{}, fmt.Errorf("replay %s: %w", l.ID, err)
		}
	}
	if result.Removed {
		if err := queue.Dead.Remove(ctx, l.delivery); err != nil {
			return result, fmt.Errorf("remove replayed letter %s: %w", l.ID, err)
		}
	}
	return result, nil
}

// sendBack sends the letter under an identity that no queue has seen before.
func (o *Operator) sendBack(ctx context.Context, queue DeadQueue, l Letter) error {
	if l.reply != nil {
		r := *l.reply
		r.Nonce, r.Again = rand.Text(), true
		return SendReply(ctx, queue.Source, r)
	}
	m := *l.message
	if m.Token == nil {
		k, err := o.Cases.LoadCase(ctx, m.ID)
		if err != nil {
			return err
		}
		// Opens nothing that is not dead, and has a post looked up whose record
		// is gone.
		m.Token = &chat.Token{}
		if k.State == CaseDead {
			m.Token = &chat.Token{Fence: k.Fence, Reason: string(k.Reason)}
		}
	}
	if m.Token.Fence > 0 { // the person was told it failed: what they stopped since was something else
		again := *m.Token
		again.At = clock(o.Now).UTC()
		m.Token = &again
	}
	return SendMessage(ctx, queue.Source, m, "replay:"+rand.Text())
}

// Drop removes l for good.
func (o *Operator) Drop(ctx context.Context, l Letter) error {
	queue, err := o.queue(l)
	if err != nil {
		return err
	}
	return queue.Dead.Remove(ctx, l.delivery)
}

func (o *Operator) queue(l Letter) (DeadQueue, error) {
	for _, q := range o.Queues {
		if q.Name == l.Queue {
			return q, nil
		}
	}
	return DeadQueue{}, errors.New("letter is from a queue this operator does not know: " + l.Queue)
}

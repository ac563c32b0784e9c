package pipeline

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// Seats are how many questions of one person, and of one installation, are
// answered at once; zero is any number. A question without a seat goes back to its
// queue for a moment: it holds up nobody else's, and that it waited is not counted
// against it.
//
// Seats are leases in the store of cases, so they hold across processes, and those
// of a process that died are free again when the lease is over. They are fairness,
// not safety: where the store fails, or a question has waited for as long as its
// queue can bear, it is answered without one.
type Seats struct {
	User, Workspace int
}

// taken is who has seats in a scope and until when, by short hashes of messages.
type taken map[string]time.Time

// seat takes m's seats. wait is zero if it has them, and leave gives them back.
func (w *Worker) seat(ctx context.Context, d Delivery, m chat.Message) (wait time.Duration, leave func()) {
	leave = func() {
		for _, s := range w.seats(m) {
			w.leave(context.WithoutCancel(ctx), s, m)
		}
	}
	if d.Receives > w.config().Policy.Receives*3/4 {
		return 0, leave
	}
	for _, s := range w.seats(m) {
		ok, err := w.sit(ctx, s, m)
		if err != nil {
			w.Log.WarnContext(ctx, "take a seat", "scope", s.word, "err", err)
			continue
		}
		if !ok {
			leave()
			return inLine(d), func() {}
		}
	}
	return 0, leave
}

// inLine is how long a question without a seat is put aside.
func inLine(d Delivery) time.Duration {
	wait := 2 * time.Second
	if d.Receives > 20 {
		wait = 15 * time.Second
	} else if d.Receives > 5 {
		wait = 5 * time.Second
	}
	return jitter(wait, d.spread())
}

// seats are the scopes in which m needs a seat.
func (w *Worker) seats(m chat.Message) []scope {
	limits := w.Config.Seats
	var out []scope
	for _, s := range (Budget{User: int64(limits.User), Workspace: int64(limits.Workspace)}).limited(m) {
		s.name = "seats:" + s.name
		out = append(out, s)
	}
	return out
}

func seatOf(m chat.Message) string { return chat.Hash(m.ID)[:16] }

// sit takes or renews m's seat in s, if one is free.
func (w *Worker) sit(ctx context.Context, s scope, m chat.Message) (ok bool, err error) {
	_, err = w.ledger().update(ctx, s.name, func(k Case) (Case, Effects, error) {
		now := w.now()
		others := k.taken(now)
		delete(others, seatOf(m))
		if ok = len(others) < int(s.limit); !ok {
			return k, Effects{}, errUnchanged
		}
		others[seatOf(m)] = now.Add(lease)
		next, err := k.seating(others)
		return next, Effects{}, err
	})
	return ok && err == nil, err
}

// leave gives m's seat in s back. One that is not given back is free after a lease.
func (w *Worker) leave(ctx context.Context, s scope, m chat.Message) {
	_, err := w.ledger().update(ctx, s.name, func(k Case) (Case, Effects, error) {
		others := k.taken(w.now())
		if _, mine := others[seatOf(m)]; !mine {
			return k, Effects{}, errUnchanged
		}
		delete(others, seatOf(m))
		next, err := k.seating(others)
		return next, Effects{}, err
	})
	if err != nil {
		w.Log.WarnContext(ctx, "leave a seat", "scope", s.word, "err", err)
	}
}

// taken reads a record of seats, without those whose lease is over.
func (k Case) taken(now time.Time) taken {
	all := taken{}
	if json.Unmarshal(k.Message, &all) != nil {
		return taken{} // an empty record
	}
	maps.DeleteFunc(all, func(_ string, until time.Time) bool {
		return !Case{LeaseUntil: until}.leased(now, lease)
	})
	return all
}

// seating writes a record of seats.
func (k Case) seating(t taken) (Case, error) {
	body, err := json.Marshal(t)
	if err != nil {
		return k, Permanent(ReasonStore, err)
	}
	k.Message = body
	return k, nil
}

// tellInLine tells a person whose question has waited for a while that it is in
// line. It is best effort, and older than whatever an attempt will say.
func (w *Worker) tellInLine(ctx context.Context, d Delivery, m chat.Message) {
	if d.Receives != tellAfter {
		return
	}
	r := replyTo(m, 1, chat.Working)
	r.Seq, r.Language = 1, w.language(m)
	r.Markdown = phrase.In(r.Language).Say("in_line")
	if err := SendReply(ctx, w.Replies, r); err != nil {
		w.Log.WarnContext(ctx, "publish snapshot", "kind", r.Kind, "err", err)
	}
}

// tellAfter is how many receives a question waits in silence.
const tellAfter = 3

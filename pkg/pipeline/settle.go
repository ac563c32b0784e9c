package pipeline

import (
	"context"
	"errors"
	"hash/fnv"
	"time"
)

// Action is what becomes of a delivery.
type Action int

// What becomes of a delivery. Bury is a stage's own business: by the time it
// answers its driver, a buried delivery is acknowledged.
const (
	Ack Action = iota
	Retry
	Bury
)

// Settlement is a stage's answer for one delivery: Ack deletes it, Retry shows it
// again after After.
type Settlement struct {
	Action Action
	After  time.Duration
}

// Handler settles a batch: one settlement per delivery, in order. It is driven by
// the Pump on one machine and by the batch adapter on Lambda, and it is safe for
// concurrent use.
type Handler func(ctx context.Context, batch []Delivery) []Settlement

// Policy bounds the tries of one message.
type Policy struct {
	Tries   int             // real attempts before giving up
	Age     time.Duration   // no new try so long after the first claim
	Backoff []time.Duration // waits after the first, second, ... try; the last repeats
	Crashes int             // claims in a row that never settled before giving up
	// Receives is how often the queue delivers a message before it gives it up
	// without a word. Waiting is not a try, but it is a receive.
	Receives int
}

// DefaultPolicy is the design's table of numbers: fast errors end in the apology
// after about 95 s, crash loops after three to four minutes.
func DefaultPolicy() Policy {
	return Policy{
		Tries:    4,
		Age:      5 * time.Minute,
		Backoff:  []time.Duration{5 * time.Second, 20 * time.Second, 60 * time.Second},
		Crashes:  3,
		Receives: 100,
	}
}

// Verdict is what settlement decides about a failed attempt.
type Verdict struct {
	Action  Action
	After   time.Duration
	Reason  Reason
	Counted bool // the attempt counts as a try
}

// errShutdown is the cause of contexts that a graceful stop cancels.
var errShutdown = errors.New("shutting down")

// busyError: another worker holds the lease until then.
type busyError struct{ until time.Time }

func (e *busyError) Error() string { return "another worker is on it" }

// Settle decides what becomes of a message whose attempt ended with err. It is
// pure: Lambda and the local Pump behave alike because both ask it. spread in
// [0, 1) is the jitter: waits are lengthened by up to a fifth.
func Settle(err error, c Case, p Policy, now time.Time, spread float64) Verdict {
	var busy *busyError
	switch {
	case err == nil:
		return Verdict{Action: Ack}
	case errors.Is(err, errShutdown):
		return Verdict{Action: Retry}
	case errors.As(err, &busy):
		return Verdict{Action: Retry, After: max(busy.until.Sub(now), time.Second)}
	}
	e := Classify(err)
	if e.Permanent {
		return Verdict{Action: Bury, Reason: e.Reason, Counted: true}
	}
	tries := c.Tries
	if !e.Throttled {
		tries++
	}
	after := jitter(p.wait(tries-1), spread)
	if e.After > 0 {
		after = jitter(max(e.After, time.Second), spread) // never before the hint, and not all at once
	}
	tooOld := !c.FirstClaim.IsZero() && now.Add(after).After(c.FirstClaim.Add(p.Age))
	if tries >= p.Tries || tooOld {
		return Verdict{Action: Bury, Reason: e.Reason, Counted: !e.Throttled}
	}
	return Verdict{Action: Retry, After: after, Reason: e.Reason, Counted: !e.Throttled}
}

func (p Policy) wait(i int) time.Duration {
	return p.Backoff[min(max(i, 0), len(p.Backoff)-1)]
}

// spread is the jitter of d's wait, in [0, 1): as good as drawn for different
// deliveries, and always the same for one, so that histories can be played again.
func (d Delivery) spread() float64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(d.ID))
	_, _ = h.Write([]byte{byte(d.Receives), byte(d.Receives >> 8)})
	return float64(h.Sum32()) / (1 << 32)
}

func jitter(d time.Duration, spread float64) time.Duration {
	return d + time.Duration(float64(d)*spread/5)
}

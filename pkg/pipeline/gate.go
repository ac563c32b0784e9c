package pipeline

import (
	"errors"
	"sync"
	"time"
)

// Gate keeps a process from calling a model before the time that the model itself
// asked for: what one question learnt of a throttle holds for all of them. It is
// shared by all that answer questions in one process, and knows nothing of others:
// each process of a deployment learns from its own first refusal. A nil Gate is
// always open. It is safe for concurrent use.
type Gate struct {
	mu       sync.Mutex
	until    map[string]time.Time // by model; guarded by mu
	reported time.Time            // when trouble was last noted; guarded by mu
}

// NewGate returns an open gate.
func NewGate() *Gate { return &Gate{until: map[string]time.Time{}} }

// The bounds of one closing: no hint keeps a gate shut for longer than maxShut.
const (
	minShut = time.Second
	maxShut = time.Minute
)

var errShut = errors.New("the model has asked for a pause")

// shut closes the gate to model for d.
func (g *Gate) shut(model string, now time.Time, d time.Duration) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := now.Add(min(max(d, minShut), maxShut)); until.After(g.until[model]) {
		g.until[model] = until
	}
}

// report reports whether trouble is to be noted now: seldom, because it comes in
// swarms.
func (g *Gate) report(now time.Time) bool {
	if g == nil {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if since := now.Sub(g.reported); since >= 0 && since < troubleEvery {
		return false
	}
	g.reported = now
	return true
}

// pass returns nil, or a throttle for as long as the gate to model is shut.
func (g *Gate) pass(model string, now time.Time) error {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	wait := g.until[model].Sub(now)
	if wait <= 0 || wait > maxShut { // longer than any: the clock was set back
		delete(g.until, model)
		return nil
	}
	return Throttled(ReasonThrottled, wait, errShut)
}

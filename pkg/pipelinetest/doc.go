// Package pipelinetest holds what every implementation of pipeline's interfaces
// is tested with: one suite per contract, and wrappers that make any
// implementation fail or die at a chosen call.
//
// It is imported by tests only. A suite is the contract's comments made to run;
// what a backend cannot witness is named in its Features, never left out by
// hand. A bug found in one backend becomes a case here, so that all are held to
// it. The suites say nothing about speed, and nothing about a crash of the
// machine below a backend: each backend tests its own durability.
package pipelinetest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Features say what the suites may expect of one backend.
type Features struct {
	// Bubble runs each case in a testing/synctest bubble, where waits take no
	// time. It is for backends without connections: a bubble cannot see that a
	// goroutine which waits for a socket is idle.
	Bubble bool
	// LongWaits allows cases in which minutes or days pass. Set it where time is
	// fake: in a bubble, or behind a Clock of the backend's own.
	LongWaits bool
	// Tick is the shortest time the backend tells from zero, 1 s when it is
	// zero. Cases wait for small multiples of it.
	Tick time.Duration
	// MaxReceives is the queue's maximum, after which a message moves to its
	// dead-letter queue. Zero skips the cases that need it.
	MaxReceives int
	// MovesSayWhy is true where a moved message carries AttrReason and AttrTold.
	// (SQS moves a message as it is.)
	MovesSayWhy bool
	// MemoryDays is how long turns live. Zero skips expiry.
	MemoryDays int
}

// Clock is how a backend under test lives through time. The zero value is the
// time package, which in a bubble is fake.
type Clock struct {
	Now func() time.Time
	// Advance lets d pass for the backend.
	Advance func(d time.Duration)
}

func (c Clock) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func (c Clock) advance(d time.Duration) {
	if c.Advance == nil {
		time.Sleep(d)
		return
	}
	c.Advance(d)
}

// run runs one case of a suite. Outside a bubble cases run beside each other,
// because they wait for real time.
func (f Features) run(t *testing.T, name string, body func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		if f.Bubble {
			synctest.Test(t, body)
			return
		}
		t.Parallel()
		body(t)
	})
}

func (f Features) tick() time.Duration {
	if f.Tick == 0 {
		return time.Second
	}
	return f.Tick
}

// deadline bounds one case in the backend's own time, so that a backend that
// hangs fails its case and not the whole run.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 400*24*time.Hour)
	t.Cleanup(cancel)
	return ctx
}

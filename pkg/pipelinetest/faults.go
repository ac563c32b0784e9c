package pipelinetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// Errors that the wrappers of Faults return.
var (
	// ErrInjected is the failure of a call that Fail chose.
	ErrInjected = errors.New("injected failure")
	// ErrDead is what every call returns once the process has died.
	ErrDead = errors.New("the process is dead")
)

// Mode is what becomes of a call that was chosen to fail.
type Mode string

// The ways a call ends badly.
const (
	// Clean: the caller sees ErrInjected and nothing changed.
	Clean Mode = "failed, nothing changed"
	// Persisted: the caller sees ErrInjected, and yet the call took effect.
	Persisted Mode = "reported failed but persisted"
	// DieBefore: the process dies on the way into the call, without effect.
	DieBefore Mode = "died before"
	// DieAfter: the call takes effect, and the process dies before it can see so.
	DieAfter Mode = "died after"
)

// Modes are all of them, for tests that go through every one.
var Modes = []Mode{Clean, Persisted, DieBefore, DieAfter}

// Point is the n-th call, from 1, of a method by the name its wrapper gives it,
// such as "replies.Send".
type Point struct {
	Method string
	N      int
}

func (p Point) String() string { return fmt.Sprintf("%s#%d", p.Method, p.N) }

// Faults is one life of a process under test: the calls its wrappers see pass
// through it, and it decides which of them fail and where the process dies. After
// death every call fails with ErrDead and has no effect, so the test can let
// goroutines of the dead process run out beside a new one on the same stores. A
// kill matrix runs once without a plan, takes Calls, and runs again for each point
// and mode. It is safe for concurrent use.
type Faults struct {
	mu    sync.Mutex
	plan  map[Point]Mode
	count map[string]int
	calls []Point
	hit   bool
	died  chan struct{}
	dead  bool
	// decide is asked about calls that nothing is planned for; nil lets them be.
	decide func(p Point) (Mode, time.Duration)
	parent *Faults // whose death is this one's too; nil for none
}

// NewFaults returns a process that is alive, with nothing planned.
func NewFaults() *Faults {
	return &Faults{plan: map[Point]Mode{}, count: map[string]int{}, died: make(chan struct{})}
}

// Plan makes the call at p end as mode says.
func (f *Faults) Plan(p Point, mode Mode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan[p] = mode
}

// Decide asks decide about each call that nothing is planned for: how it ends, ""
// for well, and how long it takes before anything else happens. It is called under
// a lock.
func (f *Faults) Decide(decide func(p Point) (Mode, time.Duration)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.decide = decide
}

// Child returns a life within f's, such as one invocation of a function: it meets
// what f has planned and decides, dies alone, and dies with f.
func (f *Faults) Child() *Faults {
	c := NewFaults()
	c.parent = f
	return c
}

// Kill ends the process now. It is idempotent.
func (f *Faults) Kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kill()
}

func (f *Faults) kill() {
	if !f.dead {
		f.dead = true
		close(f.died)
	}
}

// Died is closed when the process dies.
func (f *Faults) Died() <-chan struct{} { return f.died }

// Calls returns the calls so far in the order they began.
func (f *Faults) Calls() []Point {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Point(nil), f.calls...)
}

// MustHit fails the test if no planned point was reached: a matrix whose faults
// never happen proves nothing.
func (f *Faults) MustHit(t testing.TB) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.hit {
		t.Errorf("none of the planned faults %v was reached; calls: %v", f.plan, f.calls)
	}
}

// Call passes one call of a method through the process. The wrappers of this
// package are made of it; a test wraps its own stand-ins the same way.
func (f *Faults) Call(ctx context.Context, method string, do func(ctx context.Context) error) error {
	mode, delay, err := f.enter(method)
	if err != nil {
		return err
	}
	if delay > 0 {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-f.died:
		case <-time.After(delay):
		}
		if f.isDead() {
			return fmt.Errorf("%s: %w", method, ErrDead)
		}
	}
	err = do(ctx)
	return f.leave(method, mode, err)
}

// isDead reports whether f or its parent has died.
func (f *Faults) isDead() bool {
	if f.parent != nil && f.parent.isDead() {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

// fate decides what becomes of the next call of method.
func (f *Faults) fate(method string) (Point, Mode, time.Duration) {
	if f.parent != nil {
		return f.parent.fate(method)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count[method]++
	p := Point{method, f.count[method]}
	f.calls = append(f.calls, p)
	mode, planned := f.plan[p]
	f.hit = f.hit || planned
	if planned || f.decide == nil {
		return p, mode, 0
	}
	mode, delay := f.decide(p)
	return p, mode, delay
}

// enter decides the fate of a call. A non-nil error is the call's end.
func (f *Faults) enter(method string) (Mode, time.Duration, error) {
	if f.isDead() {
		return "", 0, fmt.Errorf("%s: %w", method, ErrDead)
	}
	p, mode, delay := f.fate(method)
	switch mode {
	case DieBefore:
		f.Kill()
		return mode, 0, fmt.Errorf("%s: %w", method, ErrDead)
	case Clean:
		return mode, 0, fmt.Errorf("%s: %w", p, ErrInjected)
	}
	return mode, delay, nil
}

// leave turns the outcome of a call into what the caller sees of it.
func (f *Faults) leave(method string, mode Mode, err error) error {
	if mode == DieAfter {
		f.Kill()
	}
	// Also when another call killed the process while this one was under way.
	if f.isDead() {
		return fmt.Errorf("%s: %w", method, ErrDead)
	}
	if mode == Persisted && err == nil {
		return fmt.Errorf("%s: %w", method, ErrInjected)
	}
	return err
}

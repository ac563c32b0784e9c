package pipeline

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestSettle(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	boom := errors.New("boom")
	fresh := Case{State: CaseWorking, FirstClaim: now}
	tried := func(n int) Case { return Case{State: CaseWorking, FirstClaim: now.Add(-time.Minute), Tries: n} }
	tests := []struct {
		name string
		err  error
		c    Case
		want Verdict
	}{
		{"done", nil, fresh, Verdict{Action: Ack}},
		{"first failure", Transient(ReasonModel, boom), fresh, Verdict{Retry, 5 * time.Second, ReasonModel, true}},
		{"second failure", Transient(ReasonModel, boom), tried(1), Verdict{Retry, 20 * time.Second, ReasonModel, true}},
		{"third failure", Transient(ReasonModel, boom), tried(2), Verdict{Retry, 60 * time.Second, ReasonModel, true}},
		{"fourth failure", Transient(ReasonModel, boom), tried(3), Verdict{Bury, 0, ReasonModel, true}},
		{"unclassified", boom, fresh, Verdict{Retry, 5 * time.Second, ReasonUnavailable, true}},
		{"wrapped", fmt.Errorf("answer: %w", Permanent(ReasonRefused, boom)), fresh, Verdict{Bury, 0, ReasonRefused, true}},
		{"throttled is not a try", Throttled(ReasonThrottled, 0, boom), tried(3), Verdict{Retry, 60 * time.Second, ReasonThrottled, false}},
		{"throttled with a hint", Throttled(ReasonThrottled, 42*time.Second, boom), fresh, Verdict{Retry, 42 * time.Second, ReasonThrottled, false}},
		{"hint beyond the age bound", Throttled(ReasonThrottled, 6*time.Minute, boom), fresh, Verdict{Bury, 0, ReasonThrottled, false}},
		{"too old for another try", Transient(ReasonModel, boom), Case{FirstClaim: now.Add(-4*time.Minute - 58*time.Second), Tries: 0}, Verdict{Bury, 0, ReasonModel, true}},
		{"somebody else is on it", &busyError{now.Add(30 * time.Second)}, fresh, Verdict{Action: Retry, After: 30 * time.Second}},
		{"lease about to end", &busyError{now}, fresh, Verdict{Action: Retry, After: time.Second}},
		{"shutting down", fmt.Errorf("x: %w", errShutdown), tried(3), Verdict{Action: Retry}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Settle(tt.err, tt.c, DefaultPolicy(), now, 0)
			if got.Action == Bury {
				got.After = 0
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestJitterOnlyLengthens(t *testing.T) {
	for _, spread := range []float64{0, 0.5, 0.999} {
		got := Settle(errors.New("x"), Case{}, DefaultPolicy(), time.Now(), spread).After
		if got < 5*time.Second || got > 6*time.Second {
			t.Errorf("spread %v: %v is not within 5 to 6 s", spread, got)
		}
	}
}

// A fast transient error ends in the apology after 85 to 102 s: the bound that
// docs/design.md promises for how long one question can block its conversation.
func TestBoundOfFastErrors(t *testing.T) {
	for _, spread := range []float64{0, 0.999} {
		now := time.Unix(1e9, 0)
		c := Case{State: CaseWorking, FirstClaim: now}
		for range 10 {
			v := Settle(errors.New("x"), c, DefaultPolicy(), now, spread)
			if v.Action == Bury {
				break
			}
			c.Tries++
			now = now.Add(v.After)
		}
		if took := now.Sub(c.FirstClaim); took < 85*time.Second || took > 102*time.Second {
			t.Errorf("spread %v: gave up after %v", spread, took)
		}
	}
}

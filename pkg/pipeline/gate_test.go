package pipeline

import (
	"testing"
	"time"
)

func TestGateHoldsBackAndIsBounded(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name       string
		hint, then time.Duration
		wait       time.Duration // 0: open
	}{
		{"at once", 10 * time.Second, 0, 10 * time.Second},
		{"half-way", 10 * time.Second, 6 * time.Second, 4 * time.Second},
		{"over", 10 * time.Second, 10 * time.Second, 0},
		{"hardly a hint", time.Millisecond, 0, time.Second},
		{"a hint without measure", time.Hour, 0, time.Minute},
		{"the clock is set back", time.Minute, -time.Hour, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := NewGate()
			g.shut("m", now, tt.hint)
			g.shut("m", now, tt.hint/2) // a shorter hint opens nothing
			err := g.pass("m", now.Add(tt.then))
			if tt.wait == 0 && err == nil {
				return
			}
			if e := Classify(err); err == nil || !e.Throttled || e.After != tt.wait {
				t.Errorf("%v later: %v, want a wait of %v", tt.then, err, tt.wait)
			}
			if g.pass("another", now) != nil {
				t.Error("another model is held back too")
			}
		})
	}
	var none *Gate
	none.shut("m", now, time.Hour)
	if none.pass("m", now) != nil {
		t.Error("no gate holds something back")
	}
}

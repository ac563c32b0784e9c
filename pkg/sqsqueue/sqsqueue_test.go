package sqsqueue_test

import (
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/sqsqueue"
	"parley/pkg/sqsqueue/sqstest"
)

// SQS counts in seconds, and what was asked for is the least.
func TestSecondsAreRoundedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sqstest.New()
		q := sqsqueue.New(s.Client(), create(t, s, sqstest.Config{Name: "q.fifo"}))
		if err := q.Send(t.Context(), envelope("g", 1)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		ds, err := q.Receive(t.Context(), 1, time.Millisecond, 1200*time.Millisecond)
		if err != nil || len(ds) != 1 {
			t.Fatal(err)
		}
		ds, err = q.Receive(t.Context(), 1, 20*time.Second, time.Minute)
		if took := time.Since(start); err != nil || len(ds) != 1 || took != 2*time.Second {
			t.Fatalf("hidden for 1.2s, it came back after %v: %v", took, err)
		}
		if err := q.Extend(t.Context(), ds[0], time.Millisecond); err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		ds, err = q.Receive(t.Context(), 1, 20*time.Second, time.Minute)
		if took := time.Since(start); err != nil || len(ds) != 1 || took != time.Second {
			t.Errorf("extended by 1ms, it came back after %v: %v", took, err)
		}
	})
}

func TestDepth(t *testing.T) {
	s := sqstest.New()
	q := sqsqueue.New(s.Client(), create(t, s, sqstest.Config{Name: "q.fifo"}))
	for i := range 3 {
		if err := q.Send(t.Context(), envelope("g", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.Receive(t.Context(), 1, 0, time.Minute); err != nil {
		t.Fatal(err)
	}
	if d, err := q.Depth(t.Context()); err != nil || d.Visible != 2 || d.InFlight != 1 {
		t.Errorf("Depth = %+v, %v; want 2 visible, 1 in flight", d, err)
	}
}

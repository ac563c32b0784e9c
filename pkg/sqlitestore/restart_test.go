package sqlitestore_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/pipeline"
	"parley/pkg/sqlitestore"
)

func send(t testing.TB, s *sqlitestore.Store, group, id string) {
	t.Helper()
	if err := s.Queue(sqlitestore.Requests).Send(t.Context(), envelope(group, id)); err != nil {
		t.Fatal(err)
	}
}

// next receives the one message that can be had now.
func next(t testing.TB, s *sqlitestore.Store, wait time.Duration) pipeline.Delivery {
	t.Helper()
	ds, err := s.Queue(sqlitestore.Requests).Receive(t.Context(), 1, wait, time.Hour)
	if err != nil || len(ds) != 1 {
		t.Fatalf("Receive: %d messages, %v; want 1", len(ds), err)
	}
	return ds[0]
}

// TestRestart: leases end with the process, counts do not.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := fresh(t)
		var before pipeline.Delivery
		for receives := 1; receives <= 3; receives++ {
			s := open(t, path, sqlitestore.Options{Serve: true, MaxReceives: map[string]int{sqlitestore.Requests: 3}})
			if receives == 1 {
				send(t, s, "g", "poison")
				send(t, s, "g", "good")
			}
			d := next(t, s, 0)
			if string(d.Body) != "poison" || d.Receives != receives {
				t.Fatalf("after %d starts: %s received %d times", receives, d.Body, d.Receives)
			}
			if receives > 1 {
				if !d.FirstSeen.Equal(before.FirstSeen) {
					t.Errorf("FirstSeen = %v, was %v", d.FirstSeen, before.FirstSeen)
				}
				q := s.Queue(sqlitestore.Requests)
				if err := q.Extend(t.Context(), before, 0); err == nil {
					t.Error("a receipt of the process before is current")
				}
				if err := q.Delete(t.Context(), before); err != nil {
					t.Error(err)
				}
			}
			before = d
			time.Sleep(time.Minute)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, path, sqlitestore.Options{Serve: true, MaxReceives: map[string]int{sqlitestore.Requests: 3}})
		if d := next(t, s, 0); string(d.Body) != "good" {
			t.Errorf("received %s in a crash loop's place, want good", d.Body)
		}
		letters, _, err := s.DeadLetters(sqlitestore.Requests).Letters(t.Context())
		if err != nil || len(letters) != 1 || letters[0].Receives != 3 {
			t.Errorf("Letters = %d, %v; want poison after 3 receives", len(letters), err)
		}
	})
}

// TestRestartDedup: a repeated send is still one after a restart.
func TestRestartDedup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := fresh(t)
		for range 2 {
			s := open(t, path, sqlitestore.Options{Serve: true})
			send(t, s, "g", "1")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, path, sqlitestore.Options{Serve: true})
		next(t, s, 0)
		if d, err := s.Queue(sqlitestore.Requests).Depth(t.Context()); err != nil || d.Visible != 0 || d.InFlight != 1 {
			t.Errorf("Depth = %+v, %v; want the one message in flight", d, err)
		}
	})
}

// TestTakeRole: whoever serves next need not wait for the leases of the dead.
func TestTakeRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := fresh(t)
		s := open(t, path, sqlitestore.Options{Serve: true})
		until := time.Now().Add(time.Minute)
		for _, c := range []pipeline.Case{
			{MessageID: "working", Rev: 1, Nonce: "n", State: pipeline.CaseWorking, LeaseUntil: until, Fence: 7},
			{MessageID: "answered", Rev: 1, Nonce: "n", State: pipeline.CaseAnswered, LeaseUntil: until},
		} {
			if err := s.SwapCase(t.Context(), c, pipeline.Effects{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		open(t, path, sqlitestore.Options{}).Close() // no role, nothing released
		s = open(t, path, sqlitestore.Options{Serve: true})
		c, err := s.LoadCase(t.Context(), "working")
		if err != nil || c.LeaseUntil.After(time.Now()) || c.Rev != 2 || c.Nonce == "n" || c.Fence != 7 {
			t.Errorf("a working case after taking over: %+v, %v; want its lease over, in a write of its own", c, err)
		}
		c, err = s.LoadCase(t.Context(), "answered")
		if err != nil || !c.LeaseUntil.Equal(until) || c.Rev != 1 {
			t.Errorf("an answered case after taking over: %+v, %v; want it untouched", c, err)
		}
	})
}

// TestOthersSend: what another process sends comes soon, and in its place.
func TestOthersSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := fresh(t)
		s := open(t, path, sqlitestore.Options{Serve: true})
		beside := open(t, path, sqlitestore.Options{})
		for i := range 3 {
			var done sync.WaitGroup // the message may come before the sender knows
			done.Go(func() {
				time.Sleep(777 * time.Millisecond)
				send(t, beside, "late", fmt.Sprint("late", i))
			})
			start := time.Now()
			d := next(t, s, time.Minute)
			done.Wait()
			if took := time.Since(start) - 777*time.Millisecond; took > 200*time.Millisecond {
				t.Errorf("another process's message came after %v", took)
			}
			if err := s.Queue(sqlitestore.Requests).Delete(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 10 {
			send(t, []*sqlitestore.Store{s, beside}[i%2], "g", fmt.Sprintf("%02d", i))
		}
		for i := range 10 {
			d := next(t, s, time.Second)
			if want := fmt.Sprintf("%02d", i); string(d.Body) != want {
				t.Fatalf("received %s, want %s: two processes' messages of a group are out of order", d.Body, want)
			}
			if err := s.Queue(sqlitestore.Requests).Delete(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestReplayBeside: an operator's process moves a letter back while the other serves.
func TestReplayBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := fresh(t)
		s := open(t, path, sqlitestore.Options{Serve: true})
		if err := s.DeadLetterOutbox(sqlitestore.Requests).Send(t.Context(), envelope("g", "1")); err != nil {
			t.Fatal(err)
		}
		operator := open(t, path, sqlitestore.Options{})
		dead := operator.DeadLetters(sqlitestore.Requests)
		letters, complete, err := dead.Letters(t.Context())
		if err != nil || !complete || len(letters) != 1 {
			t.Fatalf("Letters: %d, %v, %v", len(letters), complete, err)
		}
		// The dead letters' ids are their own: the same id is no repetition here.
		send(t, operator, "g", "1")
		if err := dead.Remove(t.Context(), letters[0]); err != nil {
			t.Fatal(err)
		}
		if d := next(t, s, time.Second); string(d.Body) != "1" || d.Receives != 1 {
			t.Errorf("received %s for the %d. time", d.Body, d.Receives)
		}
		if d, err := s.DeadLetters(sqlitestore.Requests).Depth(t.Context()); err != nil || d.Visible != 0 {
			t.Errorf("Depth of the dead letters = %+v, %v", d, err)
		}
	})
}

// TestWakes: within one process nobody waits for a poll, but for the end of a lease
// that began after the waiting did.
func TestWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, fresh(t), sqlitestore.Options{Serve: true})
		q := s.Queue(sqlitestore.Requests)
		step := func(what string, within time.Duration, do func(d pipeline.Delivery), d pipeline.Delivery) pipeline.Delivery {
			t.Helper()
			var done sync.WaitGroup // the message may come before do has returned
			defer done.Wait()
			done.Go(func() {
				time.Sleep(1234567 * time.Microsecond)
				do(d)
			})
			start := time.Now()
			d = next(t, s, time.Minute)
			if took := time.Since(start) - 1234567*time.Microsecond; took > within {
				t.Errorf("a receive noticed %s after %v", what, took)
			}
			return d
		}
		check := func(err error) {
			if err != nil {
				t.Error(err)
			}
		}
		d := step("a send", 0, func(pipeline.Delivery) { send(t, s, "g", "1") }, pipeline.Delivery{})
		send(t, s, "g", "2")
		d = step("a message given back", 0, func(d pipeline.Delivery) { check(q.Extend(t.Context(), d, 0)) }, d)
		d = step("the end of a visibility", 100*time.Millisecond, func(d pipeline.Delivery) { check(q.Extend(t.Context(), d, time.Nanosecond)) }, d)
		d = step("a deletion", 0, func(d pipeline.Delivery) { check(q.Delete(t.Context(), d)) }, d)
		if string(d.Body) != "2" {
			t.Errorf("received %s last, want 2", d.Body)
		}
	})
}

// TestHandedOutIsACopy: what a receiver does to a message does not show when it
// comes again.
func TestHandedOutIsACopy(t *testing.T) {
	s := open(t, fresh(t), sqlitestore.Options{Serve: true})
	q := s.Queue(sqlitestore.Requests)
	e := pipeline.Envelope{Group: "g", DedupID: "1", Body: []byte("body"), Attributes: map[string]string{"a": "b"}}
	if err := q.Send(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		e.Body[0], e.Attributes["a"] = 'x', "y"
		d := next(t, s, 0)
		if string(d.Body) != "body" || d.Attributes["a"] != "b" {
			t.Fatalf("received %s with %v", d.Body, d.Attributes)
		}
		d.Body[0], d.Attributes["a"] = 'x', "y"
		if err := q.Extend(t.Context(), d, 0); err != nil {
			t.Fatal(err)
		}
	}
}

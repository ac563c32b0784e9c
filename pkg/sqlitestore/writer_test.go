package sqlitestore

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/pipeline"
)

func openTest(t *testing.T, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "parley.db"), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// together runs writes so that they share one transaction, and returns how each
// ended.
func together(t *testing.T, s *Store, writes ...func() error) []error {
	t.Helper()
	errs := make([]error, len(writes))
	s.writes.turn <- struct{}{}
	done := make(chan struct{}, len(writes))
	for i, write := range writes {
		go func() {
			errs[i] = write()
			done <- struct{}{}
		}()
		synctest.Wait() // it is in the queue
	}
	<-s.writes.turn
	for range writes {
		<-done
	}
	return errs
}

func (s *Store) count(t *testing.T, table string) int {
	t.Helper()
	var n int
	if err := s.reads.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBatchFailsOneByOne: a write that fails, also after it changed something,
// leaves its company alone.
func TestBatchFailsOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTest(t, Options{Serve: true})
		swap := func(id string, rev int64) func() error {
			turn := pipeline.Turn{TurnKey: pipeline.TurnKey{Conversation: "c", MessageID: id}}
			return func() error {
				return s.SwapCase(t.Context(), pipeline.Case{MessageID: id, Rev: rev}, pipeline.Effects{Put: &turn})
			}
		}
		place := func(id string) func() error {
			p := pipeline.Placed{MessageID: id, Rev: 1, At: pipeline.Placement{Posts: []pipeline.Post{{ID: "own/" + id}, {ID: "shared"}}}}
			return func() error { return s.SwapDelivery(t.Context(), p) }
		}
		send := func(id string) func() error {
			return func() error {
				return s.Queue(Requests).Send(t.Context(), pipeline.Envelope{Group: "g", DedupID: id, Body: []byte(id)})
			}
		}
		errs := together(t, s, send("1"), swap("a", 1), swap("b", 9), place("a"), place("b"), send("1"), send("2"), swap("a", 2))
		want := []error{nil, nil, pipeline.ErrConflict, nil, pipeline.ErrClaimed, nil, nil, nil}
		for i := range errs {
			if !errors.Is(errs[i], want[i]) {
				t.Errorf("write %d: %v, want %v", i, errs[i], want[i])
			}
		}
		for table, want := range map[string]int{"messages": 2, "cases": 1, "turns": 1, "deliveries": 1, "posts": 2} {
			if got := s.count(t, table); got != want {
				t.Errorf("%d rows in %s, want %d", got, table, want)
			}
		}
	})
}

// TestBatchUndone: when SQLite gives up the whole transaction, no write of it is
// reported as made, and none is. A full disk does that; here the file may not grow.
func TestBatchUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTest(t, Options{Serve: true})
		limit := func(pages int) {
			if _, err := s.writes.conn.ExecContext(t.Context(), fmt.Sprint("PRAGMA max_page_count = ", pages)); err != nil {
				t.Fatal(err)
			}
		}
		send := func(id string, size int) func() error {
			return func() error {
				return s.Queue(Requests).Send(t.Context(), pipeline.Envelope{Group: "g", DedupID: id, Body: make([]byte, size)})
			}
		}
		limit(1) // SQLite takes the present size for the least
		for i, err := range together(t, s, send("1", 10), send("2", 50_000), send("3", 10)) {
			if err == nil {
				t.Errorf("write %d of a batch that did not fit was reported as made", i)
			} else if c := pipeline.Classify(err); c.Permanent || c.Reason != pipeline.ReasonStore {
				t.Errorf("write %d: %v is classified %+v, want a transient failure of the store", i, err, c)
			}
		}
		if err := send("4", 50_000)(); err == nil {
			t.Error("a write that did not fit was reported as made")
		}
		if n := s.count(t, "messages") + s.count(t, "dedup"); n != 0 {
			t.Errorf("%d rows are left of writes that failed", n)
		}
		limit(1 << 30)
		for _, id := range []string{"1", "2", "3"} {
			if err := send(id, 10)(); err != nil {
				t.Errorf("after the disk had room again: %v", err)
			}
		}
		ds, err := s.Queue(Requests).Receive(t.Context(), 10, 0, 1)
		if err != nil || len(ds) != 3 {
			t.Errorf("received %d messages, %v; want 3", len(ds), err)
		}
	})
}

// TestBatchShares: writes that wait together cost one transaction.
func TestBatchShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTest(t, Options{})
		var writes []func() error
		for i := range 50 {
			writes = append(writes, func() error {
				return s.Mark(t.Context(), fmt.Sprint(i), pipeline.Markers{})
			})
		}
		transactions := 0 // each asks for the time once
		s.writes.now = func() time.Time {
			transactions++
			return time.Now()
		}
		for _, err := range together(t, s, writes...) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := s.count(t, "conversations"); transactions != 1 || n != 50 {
			t.Errorf("%d transactions wrote %d rows of 50 writes that waited together, want 1", transactions, n)
		}
	})
}

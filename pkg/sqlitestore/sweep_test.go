package sqlitestore

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// fill writes n of everything that expires.
func fill(t *testing.T, s *Store, name string, n int) {
	t.Helper()
	for i := range n {
		id := fmt.Sprint(name, i)
		turn := pipeline.Turn{TurnKey: pipeline.TurnKey{Conversation: id, SentAt: time.Now(), MessageID: id}}
		_, _, quota := s.Reserve(t.Context(), "U1", id, 1, 1)
		for _, err := range []error{
			quota,
			s.Queue(Requests).Send(t.Context(), pipeline.Envelope{Group: id, DedupID: id, Body: []byte(id)}),
			s.SwapCase(t.Context(), pipeline.Case{MessageID: id, Rev: 1}, pipeline.Effects{Put: &turn}),
			s.SwapDelivery(t.Context(), pipeline.Placed{MessageID: id, Rev: 1, At: pipeline.Placement{Posts: []pipeline.Post{{ID: id}}}}),
			s.Mark(t.Context(), id, pipeline.Markers{ResetBefore: time.Now()}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestSweep: what has expired leaves the file, in more than one step, and what has
// not stays. Messages never expire.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const old, young = sweepStep + 1, 2 // old rows are written on day 0, young ones on day 19
		const both = old + young
		var elapsed atomic.Int64
		s := openTest(t, Options{Serve: true, MemoryDays: 20, Now: func() time.Time {
			return time.Unix(1_800_000_000, 0).Add(time.Duration(elapsed.Load()))
		}})
		fill(t, s, "old", old)
		elapsed.Store(int64(19 * day))
		fill(t, s, "young", young)
		for _, stage := range []struct {
			hours int
			left  map[string]int
		}{
			{19 * 24, map[string]int{"dedup": young, "turns": both, "conversations": both, "cases": both, "deliveries": both, "quotas": both}},
			{20*24 + 1, map[string]int{"dedup": 0, "turns": young, "conversations": both, "cases": both}},
			{30*24 - 1, map[string]int{"cases": both, "deliveries": both, "posts": both}},
			{30*24 + 1, map[string]int{"cases": young, "deliveries": young, "posts": young, "turns": young}},
			{40*24 - 1, map[string]int{"quotas": both, "turns": 0, "conversations": both}},
			{40*24 + 1, map[string]int{"quotas": young, "cases": young, "conversations": both}},
			{50*24 + 1, map[string]int{"conversations": young, "cases": 0, "posts": 0, "messages": both}},
		} {
			elapsed.Store(int64(time.Duration(stage.hours) * time.Hour))
			time.Sleep(sweepEvery)
			synctest.Wait()
			for table, want := range stage.left {
				if got := s.count(t, table); got != want {
					t.Errorf("after %d hours: %d rows in %s, want %d", stage.hours, got, table, want)
				}
			}
		}
	})
}

// TestForgottenStays: a turn that was reset away does not come back when the marker
// has expired, also if it was written again in between.
func TestForgottenStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var elapsed atomic.Int64
		s := openTest(t, Options{Serve: true, MemoryDays: 100, Now: func() time.Time {
			return time.Unix(1_800_000_000, 0).Add(time.Duration(elapsed.Load()))
		}})
		turn := pipeline.Turn{TurnKey: pipeline.TurnKey{Conversation: "c", SentAt: time.Unix(1_799_999_999, 0), MessageID: "m"}}
		put := func() {
			c, err := s.LoadCase(t.Context(), "m")
			c.Rev++
			if err == nil {
				err = s.SwapCase(t.Context(), c, pipeline.Effects{Put: &turn})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		put()
		if err := s.Mark(t.Context(), "c", pipeline.Markers{ResetBefore: turn.SentAt}); err != nil {
			t.Fatal(err)
		}
		for days := range 260 {
			elapsed.Store(int64(time.Duration(days) * day))
			if days == 95 {
				turn.Votes = []pipeline.Vote{{By: "U1", Verdict: chat.Up}}
				put()
			}
			time.Sleep(sweepEvery)
			synctest.Wait()
			m, err := s.Markers(t.Context(), "c")
			if err != nil {
				t.Fatal(err)
			}
			turns, err := s.Recent(t.Context(), "c", pipeline.Window{After: m.ResetBefore, Turns: 1, Tokens: 1000})
			if err != nil || len(turns) > 0 {
				t.Fatalf("after %d days the forgotten turn is back (%v)", days, err)
			}
		}
	})
}

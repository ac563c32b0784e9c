package sqlitestore

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/pkg/pipeline"
)

// TestRecentPlan: reading a window is a search of one index and nothing is sorted,
// which is what keeps its cost from growing with the conversation.
func TestRecentPlan(t *testing.T) {
	s := openTest(t, Options{})
	rows, err := s.reads.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+recentQuery, "c", 0, 1, 0, 20)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, step)
	}
	want := "SEARCH turns USING INDEX turns_key (conversation=? AND sent_at>? AND sent_at<?)"
	if got := strings.Join(plan, "; "); got != want {
		t.Errorf("the plan is %s\nwant        %s", got, want)
	}
}

// BenchmarkTurn is what memory costs one answer: read the window, commit the turn.
// It is to cost the same however old the conversation is.
func BenchmarkTurn(b *testing.B) {
	for _, age := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("%d turns", age), func(b *testing.B) {
			s, err := Open(b.Context(), filepath.Join(b.TempDir(), "parley.db"), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			start := time.Now().Add(-time.Hour)
			turn := func(i int) pipeline.Turn {
				return pipeline.Turn{
					TurnKey:  pipeline.TurnKey{Conversation: "slack/A012/C345/", SentAt: start.Add(time.Duration(i) * time.Millisecond), MessageID: fmt.Sprint(i)},
					Question: strings.Repeat("q", 200), Answer: strings.Repeat("a", 1500),
				}
			}
			if err := s.putTurns(b, age, turn); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			i := age
			for b.Loop() {
				next := turn(i)
				turns, err := s.Recent(b.Context(), next.Conversation, pipeline.Window{Before: next.SentAt, Turns: 10, Tokens: 8000})
				if err != nil || len(turns) != 10 {
					b.Fatalf("Recent: %d turns, %v", len(turns), err)
				}
				if err := s.SwapCase(b.Context(), pipeline.Case{MessageID: next.MessageID, Rev: 1}, pipeline.Effects{Put: &next, UnlessStopped: &next.TurnKey}); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// putTurns writes n turns in one transaction.
func (s *Store) putTurns(b *testing.B, n int, turn func(i int) pipeline.Turn) error {
	return s.write(b.Context(), func(t *tx) error {
		for i := range n {
			next := turn(i)
			record, err := encodeTurn(&next)
			if err != nil {
				return err
			}
			if err := t.putTurn(next, record); err != nil {
				return err
			}
		}
		return nil
	})
}

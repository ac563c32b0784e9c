package pipelinetest

import (
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// rated are the turns that were voted on since, oldest first.
func (c *storeCase) rated(since time.Time) []pipeline.Turn {
	c.Helper()
	store, ok := c.Memory.(pipeline.Ratings)
	if !ok {
		c.Fatalf("%T finds no votes", c.Memory)
	}
	var turns []pipeline.Turn
	for t, err := range store.Rated(deadline(c.T), since) {
		if err != nil {
			c.Fatalf("Rated: %v", err)
		}
		turns = append(turns, t)
	}
	slices.SortFunc(turns, func(a, b pipeline.Turn) int { return a.SentAt.Compare(b.SentAt) })
	return turns
}

// testRated also has turns voted on on several days, withdrawn, and left without a
// vote by a new answer.
func testRated(c *storeCase) {
	day := 24 * time.Hour
	old, both, fresh, dropped, again := c.turn(conversation, 1), c.turn(conversation, 2), c.turn(conversation+"/x", 3),
		c.turn(conversation, 4), c.turn(conversation, 5)
	vote := func(t *pipeline.Turn, by string, ago time.Duration) {
		t.Votes = append(slices.Clone(t.Votes), pipeline.Vote{By: by, Verdict: chat.Down, At: c.base.Add(-ago)})
		c.put(*t)
	}
	c.put(c.turn(conversation, 6)) // nobody votes on it
	vote(&old, "U1", 5*day)
	vote(&both, "U1", 5*day)
	vote(&both, "U2", 3*day)
	vote(&both, "U3", time.Hour)
	vote(&fresh, "U1", 2*day)
	vote(&dropped, "U1", day)
	k := c.loadCase(dropped.MessageID)
	k.Rev++
	c.swap(k, pipeline.Effects{Drop: &dropped.TurnKey})
	vote(&again, "U1", day)
	again.Votes = nil
	c.put(again)
	want := func(since time.Time, want ...pipeline.Turn) {
		c.Helper()
		if diff := cmp.Diff(want, c.rated(since), cmpopts.EquateEmpty()); diff != "" {
			c.Errorf("Rated(%v) (-want +got):\n%s", since, diff)
		}
	}
	want(c.base.Add(-10*day), old, both, fresh)
	want(c.base.Add(-4*day), both, fresh)
	want(c.base.Add(-2*day+time.Minute), both)
	want(c.base.Add(time.Hour))
}

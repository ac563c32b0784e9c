package pipelinetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// TestMemory holds a store to the contract of pipeline.Memory. Turns are written
// through its Cases.
func TestMemory(t *testing.T, newStores func(t *testing.T) StoresUnderTest, f Features) {
	runStore(t, newStores, f, []storeTest{
		{"a turn is read as it was written", testTurnRoundTrip},
		{"a turn that is not there", testTurnMissing},
		{"recent turns come oldest first", testRecentOrder},
		{"the window's times are exclusive", testRecentTimes},
		{"the window's turns are the newest", testRecentTurns},
		{"the window's tokens never split a turn", testRecentTokens},
		{"turns of the same moment are all kept", testRecentSameMoment},
		{"conversations do not see each other", testRecentApart},
		{"markers are zero at first", testMarkersZero},
		{"markers only move forward", testMarkersForward},
		{"markers of one moment race", testMarkersRace},
		{"an expired turn is absent", testTurnExpires},
		{"what was voted on is found", testRated},
	})
}

// all is a window without bounds that matter.
var all = pipeline.Window{Turns: 1000, Tokens: 1 << 20}

func (c *storeCase) recent(conversation string, w pipeline.Window) []pipeline.Turn {
	c.Helper()
	turns, err := c.Memory.Recent(deadline(c.T), conversation, w)
	if err != nil {
		c.Fatalf("Recent: %v", err)
	}
	return turns
}

// wantRecent checks which messages a window holds.
func (c *storeCase) wantRecent(w pipeline.Window, want ...int) {
	c.Helper()
	var got, wantIDs []string
	for _, t := range c.recent(conversation, w) {
		got = append(got, t.MessageID)
	}
	for _, i := range want {
		wantIDs = append(wantIDs, c.turn(conversation, i).MessageID)
	}
	if diff := cmp.Diff(wantIDs, got, cmpopts.EquateEmpty()); diff != "" {
		c.Errorf("Recent(%+v) (-want +got):\n%s", w, diff)
	}
}

func testTurnRoundTrip(c *storeCase) {
	want := c.turn(conversation, 7)
	want.Answer = strings.Repeat("答案 with `code` and\n\n| a table |\n", 4000)
	want.Citations = []chat.Citation{{Number: 1, Title: "手册", URL: "https://example.com/a?b=c", Page: 3, Heading: "H", Quote: "q", Score: 0.75}}
	want.Usage = chat.Usage{Input: 1, Output: 2, CacheRead: 3, CacheWrite: 4}
	want.Model, want.Profile, want.Stopped, want.Private, want.Attachments = "m", "terraform", true, true, "text of a file"
	want.Votes = []pipeline.Vote{
		{By: "U1", Verdict: chat.Down, Complaint: chat.ComplaintOther, Comment: "它是 <2019> 的", At: c.at(8)},
		{By: "U2", Verdict: chat.Up, At: c.at(9)},
	}
	c.put(want)
	got, ok, err := c.Memory.Turn(deadline(c.T), want.TurnKey)
	if err != nil || !ok {
		c.Fatalf("Turn: %v, %v", ok, err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		c.Errorf("Turn (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]pipeline.Turn{want}, c.recent(conversation, all), cmpopts.EquateEmpty()); diff != "" {
		c.Errorf("Recent (-want +got):\n%s", diff)
	}
	want.Votes = nil
	c.put(want)
	if diff := cmp.Diff([]pipeline.Turn{want}, c.recent(conversation, all), cmpopts.EquateEmpty()); diff != "" {
		c.Errorf("Recent after replacing (-want +got):\n%s", diff)
	}
}

func testTurnMissing(c *storeCase) {
	c.put(c.turn(conversation, 1))
	key := c.turn(conversation, 2).TurnKey
	if c.hasTurn(key) {
		c.Error("a turn that was never written was found")
	}
	if turns := c.recent("slack/A012/D9/", all); len(turns) != 0 {
		c.Errorf("an unknown conversation has %d turns", len(turns))
	}
}

func testRecentOrder(c *storeCase) {
	for _, i := range []int{3, 1, 5, 2, 4} { // also when they were answered out of order
		c.put(c.turn(conversation, i))
	}
	c.wantRecent(all, 1, 2, 3, 4, 5)
}

func testRecentTimes(c *storeCase) {
	for i := range 5 {
		c.put(c.turn(conversation, i))
	}
	w := all
	w.After, w.Before = c.at(1), c.at(4)
	c.wantRecent(w, 2, 3)
	w.After = time.Time{}
	c.wantRecent(w, 0, 1, 2, 3)
	w.After, w.Before = c.at(3), time.Time{}
	c.wantRecent(w, 4)
}

func testRecentTurns(c *storeCase) {
	for i := range 6 {
		c.put(c.turn(conversation, i))
	}
	w := all
	w.Turns = 2
	c.wantRecent(w, 4, 5)
	w.Before = c.at(4)
	c.wantRecent(w, 2, 3)
}

func testRecentTokens(c *storeCase) {
	for i := range 6 {
		turn := c.turn(conversation, i)
		turn.Question, turn.Answer = strings.Repeat("问", 100), strings.Repeat("答", 400) // about 500 tokens by any count
		if i == 1 {
			turn.Answer = "short"
		}
		c.put(turn)
	}
	if got := c.recent(conversation, all); len(got) != 6 {
		c.Fatalf("an ample window holds %d turns, want 6", len(got))
	}
	w := all
	w.Tokens = 1300
	c.wantRecent(w, 4, 5) // a third would not fit
	w.Tokens = 10
	c.wantRecent(w)
	// A smaller turn behind one that does not fit must not close the gap.
	w.Before, w.Tokens = c.at(3), 400
	c.wantRecent(w)
}

func testRecentSameMoment(c *storeCase) {
	a, b := c.turn(conversation, 1), c.turn(conversation, 2)
	b.SentAt = a.SentAt
	c.put(b, a)
	c.wantRecent(all, 1, 2)
	if !c.hasTurn(a.TurnKey) || !c.hasTurn(b.TurnKey) {
		c.Error("one of two turns of the same moment is lost")
	}
}

func testRecentApart(c *storeCase) {
	c.put(c.turn(conversation, 1), c.turn(conversation+"1", 2), c.turn("slack/A012/C345/", 3))
	c.wantRecent(all, 1)
}

func testMarkersZero(c *storeCase) {
	m, err := c.Memory.Markers(deadline(c.T), conversation)
	if err != nil || !m.ResetBefore.IsZero() || !m.StopBefore.IsZero() {
		c.Errorf("Markers = %+v, %v; want zero", m, err)
	}
}

func (c *storeCase) wantMarkers(want pipeline.Markers) {
	c.Helper()
	got, err := c.Memory.Markers(deadline(c.T), conversation)
	if err != nil {
		c.Fatalf("Markers: %v", err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		c.Errorf("Markers (-want +got):\n%s", diff)
	}
}

func testMarkersForward(c *storeCase) {
	c.mark(conversation, pipeline.Markers{ResetBefore: c.at(5)})
	c.wantMarkers(pipeline.Markers{ResetBefore: c.at(5)})
	c.mark(conversation, pipeline.Markers{StopBefore: c.at(3)})
	c.mark(conversation, pipeline.Markers{ResetBefore: c.at(4), StopBefore: c.at(4)})
	c.wantMarkers(pipeline.Markers{ResetBefore: c.at(5), StopBefore: c.at(4)})
	c.mark(conversation, pipeline.Markers{})
	c.mark(conversation+"x", pipeline.Markers{ResetBefore: c.at(9)})
	c.wantMarkers(pipeline.Markers{ResetBefore: c.at(5), StopBefore: c.at(4)})
}

func testMarkersRace(c *storeCase) {
	const n = 8
	errs := c.race(n, func(ctx context.Context, i int) error {
		m := pipeline.Markers{ResetBefore: c.at(i)}
		if i%2 == 0 {
			m = pipeline.Markers{StopBefore: c.at(i)}
		}
		return c.Memory.Mark(ctx, conversation, m)
	})
	for _, err := range errs {
		if err != nil {
			c.Fatalf("Mark: %v", err)
		}
	}
	c.wantMarkers(pipeline.Markers{ResetBefore: c.at(7), StopBefore: c.at(6)})
}

func testTurnExpires(c *storeCase) {
	if !c.f.LongWaits || c.f.MemoryDays == 0 {
		c.Skip("needs days")
	}
	turn := c.turn(conversation, 0)
	c.put(turn)
	life := time.Duration(c.f.MemoryDays) * 24 * time.Hour
	c.Clock.advance(life - time.Hour)
	c.wantRecent(all, 0)
	c.Clock.advance(2 * time.Hour)
	c.wantRecent(all)
	if c.hasTurn(turn.TurnKey) {
		c.Error("Turn finds an expired turn")
	}
}

package pipelinetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// StoresUnderTest is a fresh, empty database.
type StoresUnderTest struct {
	Cases      pipeline.Cases
	Memory     pipeline.Memory
	Deliveries pipeline.Deliveries
	People     pipeline.People
	Clock      Clock
}

// storeCase is one case of the suites over a database, with the steps they share.
type storeCase struct {
	*testing.T
	StoresUnderTest
	f Features
	// base is the backend's time at the start, at the platforms' precision.
	base time.Time
}

type storeTest struct {
	name string
	run  func(*storeCase)
}

func runStore(t *testing.T, newStores func(t *testing.T) StoresUnderTest, f Features, tests []storeTest) {
	for _, test := range tests {
		f.run(t, test.name, func(t *testing.T) {
			s := newStores(t)
			base := s.Clock.now().UTC().Truncate(time.Second).Add(123456 * time.Microsecond)
			test.run(&storeCase{T: t, StoresUnderTest: s, f: f, base: base})
		})
	}
}

const conversation = "slack/A012/C345/1712345678.000100"

// at is a moment of the platform's clock, i microseconds after the start.
func (c *storeCase) at(i int) time.Time { return c.base.Add(time.Duration(i) * time.Microsecond) }

// turn is the turn of message i in a conversation.
func (c *storeCase) turn(conversation string, i int) pipeline.Turn {
	id := fmt.Sprintf("slack:A012:C345:%06d", i)
	return pipeline.Turn{
		TurnKey:    pipeline.TurnKey{Conversation: conversation, SentAt: c.at(i), MessageID: id},
		Author:     chat.Author{ID: "U1", Name: "小明", Team: "T1", Locale: "zh-CN"},
		Question:   fmt.Sprintf("question %d", i),
		Answer:     fmt.Sprintf("answer %d", i),
		AnsweredAt: c.at(i + 1),
	}
}

// put stores a turn by the only way there is: with the case that it answers.
func (c *storeCase) put(turns ...pipeline.Turn) {
	c.Helper()
	for _, t := range turns {
		k := c.loadCase(t.MessageID)
		k.MessageID, k.Rev, k.State, k.Turn = t.MessageID, k.Rev+1, pipeline.CaseAnswered, t.TurnKey
		c.swap(k, pipeline.Effects{Put: &t})
	}
}

func (c *storeCase) loadCase(id string) pipeline.Case {
	c.Helper()
	k, err := c.Cases.LoadCase(deadline(c.T), id)
	if err != nil {
		c.Fatalf("LoadCase(%s): %v", id, err)
	}
	return k
}

func (c *storeCase) swap(k pipeline.Case, with pipeline.Effects) {
	c.Helper()
	if err := c.Cases.SwapCase(deadline(c.T), k, with); err != nil {
		c.Fatalf("SwapCase(%s, rev %d): %v", k.MessageID, k.Rev, err)
	}
}

// hasTurn reports whether the turn at key can be read.
func (c *storeCase) hasTurn(key pipeline.TurnKey) bool {
	c.Helper()
	_, ok, err := c.Memory.Turn(deadline(c.T), key)
	if err != nil {
		c.Fatalf("Turn(%s): %v", key.MessageID, err)
	}
	return ok
}

func (c *storeCase) mark(conversation string, m pipeline.Markers) {
	c.Helper()
	if err := c.Memory.Mark(deadline(c.T), conversation, m); err != nil {
		c.Fatalf("Mark: %v", err)
	}
}

// race runs write n times at once and returns the errors.
func (c *storeCase) race(n int, write func(ctx context.Context, i int) error) []error {
	ctx := deadline(c.T)
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- write(ctx, i) }()
	}
	out := make([]error, n)
	for i := range out {
		out[i] = <-errs
	}
	return out
}

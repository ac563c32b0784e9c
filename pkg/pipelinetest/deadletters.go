package pipelinetest

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"parley/pkg/pipeline"
)

// DeadLettersUnderTest is a fresh, empty dead-letter queue.
type DeadLettersUnderTest struct {
	Outbox  pipeline.Outbox // into the dead-letter queue
	Letters pipeline.DeadLetters
}

// TestDeadLetters holds a dead-letter queue to the contract of
// pipeline.DeadLetters.
func TestDeadLetters(t *testing.T, newLetters func(t *testing.T) DeadLettersUnderTest, f Features) {
	cases := []struct {
		name string
		run  func(*letterCase)
	}{
		{"an empty queue shows nothing", testLettersNone},
		{"letters are shown as they were buried", testLettersShown},
		{"showing hides nothing", testLettersShownAgain},
		{"removing takes one letter", testLettersRemove},
		{"a group's letters come one after the other", testLettersOneGroup},
	}
	for _, c := range cases {
		f.run(t, c.name, func(t *testing.T) {
			c.run(&letterCase{T: t, DeadLettersUnderTest: newLetters(t)})
		})
	}
}

type letterCase struct {
	*testing.T
	DeadLettersUnderTest
}

// bury sends a letter, as a stage that gives up does.
func (c *letterCase) bury(group, body string) {
	c.Helper()
	err := c.Outbox.Send(deadline(c.T), pipeline.Envelope{
		Group: group, DedupID: "letter-" + body, Body: []byte(body),
		Attributes: map[string]string{pipeline.AttrReason: "model", pipeline.AttrError: "stream: broke off — 中断", pipeline.AttrTold: "true"},
	})
	if err != nil {
		c.Fatalf("Send: %v", err)
	}
}

func (c *letterCase) letters() ([]pipeline.Delivery, bool) {
	c.Helper()
	ls, complete, err := c.Letters.Letters(deadline(c.T))
	if err != nil {
		c.Fatalf("Letters: %v", err)
	}
	if !slices.IsSortedFunc(ls, func(a, b pipeline.Delivery) int { return a.SentAt.Compare(b.SentAt) }) {
		c.Errorf("letters are not oldest first")
	}
	return ls, complete
}

func (c *letterCase) remove(l pipeline.Delivery) {
	c.Helper()
	if err := c.Letters.Remove(deadline(c.T), l); err != nil {
		c.Fatalf("Remove(%s): %v", l.Body, err)
	}
}

func testLettersNone(c *letterCase) {
	if ls, _ := c.letters(); len(ls) != 0 {
		c.Errorf("Letters = %s", bodies(ls))
	}
}

func testLettersShown(c *letterCase) {
	for i := range 14 { // more than one receive of SQS returns
		c.bury(fmt.Sprintf("g%d", i), fmt.Sprintf("letter %d", i))
	}
	ls, complete := c.letters()
	if len(ls) != 14 || !complete {
		c.Fatalf("Letters = %s, complete %v; want all 14", bodies(ls), complete)
	}
	want := map[string]string{pipeline.AttrReason: "model", pipeline.AttrError: "stream: broke off — 中断", pipeline.AttrTold: "true"}
	for _, l := range ls {
		if l.ID == "" || l.SentAt.IsZero() || !maps.Equal(l.Attributes, want) {
			c.Errorf("letter %q: ID %q, SentAt %v, attributes %v", l.Body, l.ID, l.SentAt, l.Attributes)
		}
	}
}

func testLettersShownAgain(c *letterCase) {
	c.bury("g", "a")
	c.bury("h", "b")
	for range 3 {
		if ls, _ := c.letters(); len(ls) != 2 {
			c.Fatalf("Letters = %s, want both each time", bodies(ls))
		}
	}
}

func testLettersRemove(c *letterCase) {
	for _, s := range []string{"a", "b", "c"} {
		c.bury(s, s)
	}
	ls, _ := c.letters()
	i := slices.IndexFunc(ls, func(l pipeline.Delivery) bool { return string(l.Body) == "b" })
	if i < 0 {
		c.Fatalf("Letters = %s", bodies(ls))
	}
	c.remove(ls[i])
	c.remove(ls[i])
	left, _ := c.letters()
	got := bodies(left)
	slices.Sort(got)
	if !slices.Equal(got, []string{"a/a", "c/c"}) {
		c.Errorf("after removing b: %s", got)
	}
}

// testLettersOneGroup reads a group to its end. A queue that shows only the head
// of a group must say so.
func testLettersOneGroup(c *letterCase) {
	want := []string{"1", "2", "3", "4", "5"}
	for _, s := range want {
		c.bury("g", s)
	}
	var got []string
	for range want {
		ls, complete := c.letters()
		if len(ls) == 0 {
			break
		}
		if left := len(want) - len(got); complete && len(ls) != left {
			c.Fatalf("Letters shows %d of %d and says that is complete", len(ls), left)
		}
		got = append(got, string(ls[0].Body))
		c.remove(ls[0])
	}
	if !slices.Equal(got, want) {
		c.Errorf("read %s, want %s", got, want)
	}
}

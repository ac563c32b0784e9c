package pipelinetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/pkg/pipeline"
)

// QueueUnderTest is a fresh, empty queue.
type QueueUnderTest struct {
	Queue pipeline.Queue
	// Dead is the queue's dead-letter queue, nil where a test cannot reach it.
	Dead  pipeline.DeadLetters
	Clock Clock
}

// TestQueue holds a queue to the contract of pipeline.Queue.
func TestQueue(t *testing.T, newQueue func(t *testing.T) QueueUnderTest, f Features) {
	cases := []struct {
		name string
		run  func(*queueCase)
	}{
		{"a message arrives as it was sent", testQueueRoundTrip},
		{"a group keeps its order", testQueueOrder},
		{"a hidden message holds back its group alone", testQueueGroupHeld},
		{"a receive returns at most max", testQueueMax},
		{"concurrent sends arrive once each", testQueueConcurrent},
		{"a waiting receive wakes for a send", testQueueWake},
		{"an empty receive waits", testQueueWait},
		{"an ended context ends a receive", testQueueCancel},
		{"deleting twice is no error", testQueueDeleteTwice},
		{"a message out of visibility comes again first", testQueueRedelivery},
		{"extending keeps a message hidden", testQueueExtend},
		{"extending by zero gives back at once", testQueueGiveBack},
		{"a stale receipt changes nothing", testQueueStale},
		{"a batch given back keeps its order", testQueueBatchBack},
		{"a repeated send adds nothing", testQueueDedup},
		{"deduplication outlives deletion", testQueueDedupDeleted},
		{"deduplication ends five minutes after the first send", testQueueDedupEnds},
		{"a message received too often moves", testQueueMoves},
	}
	for _, c := range cases {
		f.run(t, c.name, func(t *testing.T) {
			c.run(&queueCase{T: t, QueueUnderTest: newQueue(t), f: f})
		})
	}
}

// queueCase is one case of the suite at work, with the steps all cases share.
type queueCase struct {
	*testing.T
	QueueUnderTest
	f     Features
	sends int
}

// long is a visibility no case outlives.
const long = 10 * time.Minute

func (c *queueCase) send(group, body string) {
	c.Helper()
	c.sends++
	c.sendAs(group, fmt.Sprintf("dedup-%d", c.sends), body)
}

func (c *queueCase) sendAs(group, dedup, body string) {
	c.Helper()
	e := pipeline.Envelope{Group: group, DedupID: dedup, Body: []byte(body)}
	if err := c.Queue.Send(deadline(c.T), e); err != nil {
		c.Fatalf("Send(%s/%s): %v", group, body, err)
	}
}

// receive returns what can be had now, waiting up to one tick for the first.
func (c *queueCase) receive(max int, hidden time.Duration) []pipeline.Delivery {
	c.Helper()
	return c.receiveWait(max, c.f.tick(), hidden)
}

func (c *queueCase) receiveWait(max int, wait, hidden time.Duration) []pipeline.Delivery {
	c.Helper()
	ds, err := c.Queue.Receive(deadline(c.T), max, wait, hidden)
	if err != nil {
		c.Fatalf("Receive: %v", err)
	}
	if len(ds) > max {
		c.Fatalf("Receive returned %d messages, more than %d", len(ds), max)
	}
	return ds
}

// one receives exactly the message with the given body.
func (c *queueCase) one(body string, hidden time.Duration) pipeline.Delivery {
	c.Helper()
	ds := c.receive(1, hidden)
	if len(ds) != 1 || string(ds[0].Body) != body {
		c.Fatalf("received %s, want %q", bodies(ds), body)
	}
	return ds[0]
}

func (c *queueCase) none() {
	c.Helper()
	if ds := c.receiveWait(10, 0, long); len(ds) > 0 {
		c.Fatalf("received %s, want nothing", bodies(ds))
	}
}

func (c *queueCase) delete(ds ...pipeline.Delivery) {
	c.Helper()
	for _, d := range ds {
		if err := c.Queue.Delete(deadline(c.T), d); err != nil {
			c.Fatalf("Delete(%s): %v", d.Body, err)
		}
	}
}

func (c *queueCase) extend(d pipeline.Delivery, hidden time.Duration) {
	c.Helper()
	if err := c.Queue.Extend(deadline(c.T), d, hidden); err != nil {
		c.Fatalf("Extend(%s, %v): %v", d.Body, hidden, err)
	}
}

// drain receives and deletes until n messages came, and fails if more or fewer
// can be had. A queue may hand out fewer than it could at a time.
func (c *queueCase) drain(n int) []pipeline.Delivery {
	c.Helper()
	var all []pipeline.Delivery
	for empty := 0; len(all) < n && empty < 5; {
		ds := c.receive(10, long)
		if len(ds) == 0 {
			empty++
		}
		c.delete(ds...)
		all = append(all, ds...)
	}
	if len(all) != n {
		c.Fatalf("received %s, want %d messages", bodies(all), n)
	}
	c.none()
	return all
}

func bodies(ds []pipeline.Delivery) []string {
	out := make([]string, len(ds))
	for i, d := range ds {
		out[i] = d.Group + "/" + string(d.Body[:min(len(d.Body), 40)])
	}
	return out
}

func testQueueRoundTrip(c *queueCase) {
	before := c.Clock.now()
	e := pipeline.Envelope{
		Group:      strings.Repeat("a1", 32),
		DedupID:    strings.Repeat("b2", 32),
		Body:       []byte(`{"text":"天气 & <b>\"naïve\"</b>\n` + strings.Repeat("x", 59<<10) + `"}`),
		Attributes: map[string]string{"kind": "ask", "platform": "slack"},
	}
	if err := c.Queue.Send(deadline(c.T), e); err != nil {
		c.Fatal(err)
	}
	ds := c.receive(10, long)
	after := c.Clock.now()
	if len(ds) != 1 {
		c.Fatalf("received %d messages, want 1", len(ds))
	}
	d := ds[0]
	if d.Group != e.Group || d.DedupID != e.DedupID || string(d.Body) != string(e.Body) || !maps.Equal(d.Attributes, e.Attributes) {
		c.Errorf("the message changed on its way: group %q dedup %q attributes %v, %d bytes", d.Group, d.DedupID, d.Attributes, len(d.Body))
	}
	if d.ID == "" || d.Receipt == "" || d.Receives != 1 {
		c.Errorf("ID %q, Receipt %q, Receives %d; want ids and 1", d.ID, d.Receipt, d.Receives)
	}
	for name, at := range map[string]time.Time{"SentAt": d.SentAt, "FirstSeen": d.FirstSeen} {
		if at.Before(before.Add(-2*time.Second)) || at.After(after.Add(2*time.Second)) {
			c.Errorf("%s = %v, want between %v and %v", name, at, before, after)
		}
	}
}

func testQueueOrder(c *queueCase) {
	for i := range 12 {
		c.send("g", fmt.Sprintf("%02d", i))
	}
	all := c.drain(12)
	if !slices.IsSortedFunc(all, func(a, b pipeline.Delivery) int { return strings.Compare(string(a.Body), string(b.Body)) }) {
		c.Errorf("received out of order: %s", bodies(all))
	}
}

func testQueueGroupHeld(c *queueCase) {
	c.send("g", "first")
	held := c.one("first", long)
	c.send("g", "second")
	c.send("h", "other")
	other := c.receive(10, long)
	if len(other) != 1 || other[0].Group != "h" {
		c.Fatalf("received %s while g was held, want h/other", bodies(other))
	}
	c.none()
	c.delete(held)
	c.delete(c.one("second", long))
	c.none()
}

func testQueueMax(c *queueCase) {
	const n = 23
	for i := range n {
		c.send(fmt.Sprintf("g%d", i), "m")
	}
	seen := map[string]bool{}
	for range n * 2 {
		for _, d := range c.receiveWait(3, 0, long) {
			if seen[d.Group] {
				c.Fatalf("%s was received twice while hidden", d.Group)
			}
			seen[d.Group] = true
		}
	}
	if len(seen) != n {
		c.Errorf("received %d messages, want %d", len(seen), n)
	}
}

func testQueueConcurrent(c *queueCase) {
	const producers, each = 8, 6
	var wg sync.WaitGroup
	errs := make(chan error, producers*each)
	for p := range producers {
		wg.Go(func() {
			for i := range each {
				errs <- c.Queue.Send(deadline(c.T), pipeline.Envelope{
					Group: fmt.Sprint(p), DedupID: fmt.Sprintf("%d-%d", p, i), Body: fmt.Appendf(nil, "%d", i),
				})
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			c.Fatal(err)
		}
	}
	next := map[string]int{}
	for _, d := range c.drain(producers * each) {
		if want := fmt.Sprint(next[d.Group]); string(d.Body) != want {
			c.Errorf("group %s: received %s, want %s", d.Group, d.Body, want)
		}
		next[d.Group]++
	}
}

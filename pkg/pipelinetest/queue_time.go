package pipelinetest

import (
	"context"
	"errors"
	"testing/synctest"
	"time"

	"parley/pkg/pipeline"
)

func testQueueWake(c *queueCase) {
	type result struct {
		ds  []pipeline.Delivery
		err error
		at  time.Time
	}
	got := make(chan result, 1)
	go func() {
		ds, err := c.Queue.Receive(deadline(c.T), 10, 20*time.Second, long)
		got <- result{ds, err, time.Now()}
	}()
	if c.f.Bubble {
		synctest.Wait()
	}
	sent := time.Now()
	c.send("g", "hello")
	r := <-got
	if r.err != nil || len(r.ds) != 1 {
		c.Fatalf("Receive = %s, %v; want the message", bodies(r.ds), r.err)
	}
	if took := r.at.Sub(sent); took > 5*time.Second {
		c.Errorf("the waiting receive returned %v after the send", took)
	}
}

func testQueueWait(c *queueCase) {
	if !c.f.Bubble {
		c.Skip("real time shows only that it waits at least so long, at the price of waiting")
	}
	start := time.Now()
	if ds := c.receiveWait(10, 20*time.Second, long); len(ds) > 0 {
		c.Fatalf("received %s from an empty queue", bodies(ds))
	}
	if took := time.Since(start); took != 20*time.Second {
		c.Errorf("an empty receive took %v, want its wait of 20s", took)
	}
}

func testQueueCancel(c *queueCase) {
	ctx, cancel := context.WithCancel(deadline(c.T))
	done := make(chan error, 1)
	go func() {
		_, err := c.Queue.Receive(ctx, 1, 20*time.Second, long)
		done <- err
	}()
	if c.f.Bubble {
		synctest.Wait()
	}
	start := time.Now()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		c.Errorf("Receive after cancel: %v, want context.Canceled", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		c.Errorf("Receive returned %v after its context ended", took)
	}
	if err := c.Queue.Send(ctx, pipeline.Envelope{Group: "g", DedupID: "d", Body: []byte("m")}); err == nil {
		c.Error("Send with an ended context succeeded")
	}
}

func testQueueDeleteTwice(c *queueCase) {
	c.send("g", "m")
	d := c.one("m", long)
	c.delete(d, d)
	c.none()
}

func testQueueRedelivery(c *queueCase) {
	tick := c.f.tick()
	c.send("g", "first")
	c.send("g", "second")
	d := c.one("first", tick)
	c.Clock.advance(2 * tick)
	again := c.one("first", long)
	if again.ID != d.ID || again.Receipt == d.Receipt || again.Receives != 2 {
		c.Errorf("second receive has ID %q Receipt %q Receives %d; want ID %q, a new receipt, 2",
			again.ID, again.Receipt, again.Receives, d.ID)
	}
	if !again.FirstSeen.Equal(d.FirstSeen) || !again.SentAt.Equal(d.SentAt) {
		c.Errorf("FirstSeen %v, SentAt %v; want %v, %v", again.FirstSeen, again.SentAt, d.FirstSeen, d.SentAt)
	}
	c.none()
	c.delete(again)
	c.one("second", long)
}

func testQueueExtend(c *queueCase) {
	tick := c.f.tick()
	c.send("g", "m")
	d := c.one("m", 2*tick)
	c.extend(d, 6*tick)
	c.Clock.advance(3 * tick)
	c.none()
	c.Clock.advance(4 * tick)
	if again := c.one("m", long); again.Receives != 2 {
		c.Errorf("Receives = %d after the extension ran out, want 2", again.Receives)
	}
}

func testQueueGiveBack(c *queueCase) {
	c.send("g", "first")
	c.send("g", "second")
	d := c.one("first", long)
	c.extend(d, 0)
	if err := c.Queue.Extend(deadline(c.T), c.one("first", long), long); err != nil {
		c.Errorf("Extend with the current receipt: %v", err)
	}
}

func testQueueStale(c *queueCase) {
	tick := c.f.tick()
	c.send("g", "m")
	old := c.one("m", tick)
	c.Clock.advance(2 * tick)
	d := c.one("m", long)
	if err := c.Queue.Extend(deadline(c.T), old, 0); err == nil {
		c.Error("Extend with a stale receipt succeeded")
	}
	// Whether it reports an error is the backend's choice.
	_ = c.Queue.Delete(deadline(c.T), old)
	c.none()
	c.extend(d, 0)
	d = c.one("m", long)
	c.delete(d)
	if err := c.Queue.Extend(deadline(c.T), d, long); err == nil {
		c.Error("Extend of a deleted message succeeded")
	}
}

func testQueueBatchBack(c *queueCase) {
	for _, body := range []string{"1", "2", "3", "4"} {
		c.send("g", body)
	}
	batch := c.receive(3, long)
	for len(batch) < 2 { // a queue may hand out one at a time; then nothing is left to test
		c.none()
		return
	}
	c.delete(batch[0])
	c.none()
	for _, d := range batch[1:] {
		c.extend(d, 0)
	}
	want := []string{"2", "3", "4"}
	for i, d := range c.drain(3) {
		if string(d.Body) != want[i] {
			c.Errorf("message %d after giving back is %s, want %s", i, d.Body, want[i])
		}
	}
}

func testQueueDedup(c *queueCase) {
	c.sendAs("g", "same", "first")
	c.sendAs("g", "same", "again")
	c.sendAs("g", "other", "first") // the body does not count
	all := c.drain(2)
	if all[0].DedupID != "same" || string(all[0].Body) != "first" || all[1].DedupID != "other" {
		c.Errorf("received %s, want the first form of each id", bodies(all))
	}
}

func testQueueDedupDeleted(c *queueCase) {
	c.sendAs("g", "same", "first")
	d := c.one("first", long)
	c.sendAs("g", "same", "again while hidden")
	c.delete(d)
	c.sendAs("g", "same", "again after deletion")
	c.none()
}

func testQueueDedupEnds(c *queueCase) {
	if !c.f.LongWaits {
		c.Skip("needs five minutes")
	}
	c.sendAs("g", "same", "first")
	c.drain(1)
	c.Clock.advance(4*time.Minute + 50*time.Second)
	c.sendAs("g", "same", "too early")
	c.none()
	c.Clock.advance(20 * time.Second) // the repeat must not have renewed the window
	c.sendAs("g", "same", "late enough")
	c.one("late enough", long)
}

func testQueueMoves(c *queueCase) {
	if c.f.MaxReceives == 0 {
		c.Skip("the queue never gives up")
	}
	c.send("g", "poison")
	c.send("g", "next")
	for i := range c.f.MaxReceives {
		d := c.one("poison", long)
		if d.Receives != i+1 {
			c.Fatalf("Receives = %d on receive %d", d.Receives, i+1)
		}
		c.extend(d, 0)
	}
	c.delete(c.one("next", long))
	c.none()
	if c.Dead == nil {
		return
	}
	letters, _, err := c.Dead.Letters(deadline(c.T))
	if err != nil || len(letters) != 1 {
		c.Fatalf("Letters = %s, %v; want the moved message", bodies(letters), err)
	}
	if l := letters[0]; string(l.Body) != "poison" || l.Group != "g" {
		c.Errorf("letter is %s, want g/poison", bodies(letters))
	} else if c.f.MovesSayWhy && (l.Attributes[pipeline.AttrReason] != string(pipeline.ReasonMoved) || l.Attributes[pipeline.AttrTold] != "false") {
		c.Errorf("attributes of a moved letter are %v", l.Attributes)
	}
}

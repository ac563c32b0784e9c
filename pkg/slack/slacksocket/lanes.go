package slacksocket

import (
	"context"
	"hash/fnv"
	"sync"
)

// Envelopes of one conversation share a lane, and so keep their order; a slow
// enqueue holds up only its lane.
const (
	laneCount = 8
	laneDepth = 16
)

type lanes struct {
	queues [laneCount]chan envelope
	wg     sync.WaitGroup
}

// start runs do for each envelope put into a lane.
func (l *lanes) start(do func(envelope)) {
	for i := range l.queues {
		queue := make(chan envelope, laneDepth)
		l.queues[i] = queue
		l.wg.Go(func() {
			for e := range queue {
				do(e)
			}
		})
	}
}

// put hands e to the lane of key. It waits while the lane is full, which holds up
// the connection: Slack keeps what does not fit. It gives up when ctx ends.
func (l *lanes) put(ctx context.Context, key string, e envelope) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // never fails
	select {
	case l.queues[h.Sum32()%laneCount] <- e:
	case <-ctx.Done():
	}
}

// finish waits until the lanes are empty and idle, and reports whether they were
// before ctx ended. No put may follow.
func (l *lanes) finish(ctx context.Context) bool {
	for _, queue := range l.queues {
		close(queue)
	}
	idle := make(chan struct{})
	go func() {
		l.wg.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return true
	case <-ctx.Done():
		return false
	}
}

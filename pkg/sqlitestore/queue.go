package sqlitestore

import (
	"context"
	"maps"
	"strconv"
	"sync"
	"time"

	"parley/pkg/pipeline"
)

const (
	// dedupWindow is SQS's, which no setting changes.
	dedupWindow = 5 * time.Minute
	// pollEvery is how often a waiting receive looks for what other processes sent.
	pollEvery = 100 * time.Millisecond
)

// Queue is a FIFO-per-group queue of a store, with the semantics of
// pipeline.Queue. Sending works in every process, the rest in the serving one.
type Queue struct {
	s     *Store
	name  string
	limit int // receives before a message moves to the dead letters

	mu   sync.Mutex
	line *groups
	wake chan struct{} // closed when there may be something to receive; nil if nobody waits
}

func newQueue(s *Store, name string, limit int) *Queue {
	return &Queue{s: s, name: name, limit: limit, line: newGroups()}
}

// Send stores e. It is on the disk when Send returns nil.
func (q *Queue) Send(ctx context.Context, e pipeline.Envelope) error {
	if err := q.s.send(ctx, q, e, false); err != nil {
		return failed("send to "+q.name, err)
	}
	return nil
}

func (s *Store) send(ctx context.Context, q *Queue, e pipeline.Envelope, dead bool) error {
	attributes, err := encodeAttributes(e.Attributes)
	if err != nil {
		return pipeline.Permanent(pipeline.ReasonUnavailable, err)
	}
	line := q.name
	if dead {
		line += "/dead" // letters have ids of their own
	}
	// The write may outlive this call, if its context ends; and the driver takes a
	// nil body for NULL.
	e.Body, e.Attributes = append([]byte{}, e.Body...), maps.Clone(e.Attributes)
	var id, now int64
	return s.writes.write(&op{ctx: ctx, do: func(t *tx) error {
		now = t.now.UnixMicro()
		fresh, err := t.changed(`INSERT INTO dedup (queue, id, sent_at) VALUES (?, ?, ?)
			ON CONFLICT DO UPDATE SET sent_at = excluded.sent_at WHERE sent_at <= excluded.sent_at - ?`,
			line, e.DedupID, now, dedupWindow.Microseconds())
		if err != nil || !fresh {
			return err
		}
		res, err := t.exec(`INSERT INTO messages (queue, dead, grp, dedup_id, body, attributes, sent_at)
			VALUES (?, ?, ?, ?, ?, ?, ?)`, q.name, dead, e.Group, e.DedupID, e.Body, attributes, now)
		if err != nil {
			return err
		}
		id, err = res.LastInsertId()
		return err
	}, committed: func() {
		if id != 0 && s.known != nil {
			s.known.sent(id, q, dead, pipeline.Delivery{
				ID: strconv.FormatInt(id, 10), Group: e.Group, DedupID: e.DedupID,
				Body: e.Body, Attributes: e.Attributes, SentAt: moment(now),
			})
		}
	}})
}

// Receive returns what can be had, waiting for it up to wait.
func (q *Queue) Receive(ctx context.Context, max int, wait, hidden time.Duration) ([]pipeline.Delivery, error) {
	ds, err := q.receive(ctx, max, wait, hidden)
	if err != nil {
		return nil, failed("receive from "+q.name, err)
	}
	return ds, nil
}

func (q *Queue) receive(ctx context.Context, max int, wait, hidden time.Duration) ([]pipeline.Delivery, error) {
	if q.s.known == nil {
		return nil, pipeline.Permanent(pipeline.ReasonConfig, ErrNotServing)
	}
	until := q.s.opts.Now().Add(wait)
	for {
		if err := q.s.over(ctx); err != nil {
			return nil, err
		}
		if err := q.s.known.poll(ctx); err != nil {
			return nil, err
		}
		found := q.take(max)
		if len(found.messages) > 0 {
			ds, err := q.deliver(found.messages, hidden)
			if len(ds) > 0 || err != nil {
				return ds, err
			}
			continue // all of them moved: what is behind them may come now
		}
		pause := until.Sub(q.s.opts.Now())
		if pause <= 0 {
			return nil, nil
		}
		q.s.pause(ctx, min(pause, found.next, pollEvery), found.wake)
	}
}

// over returns why a call should not go on, nil if it should.
func (s *Store) over(ctx context.Context) error {
	select {
	case <-s.closed:
		return transient(ErrClosed)
	default:
		return context.Cause(ctx)
	}
}

// pause waits for d, for wake, or for the end.
func (s *Store) pause(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-wake:
	case <-timer.C:
	case <-ctx.Done():
	case <-s.closed:
	}
}

// taken is what take found: messages, or how to wait for some.
type taken struct {
	messages []*entry
	next     time.Duration // until the first lease ends
	wake     <-chan struct{}
}

func (q *Queue) take(max int) taken {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.s.opts.Now()
	next, ok := q.line.expire(now)
	found := taken{messages: q.line.take(max), next: pollEvery}
	if len(found.messages) > 0 {
		return found
	}
	if ok {
		found.next = next.Sub(now)
	}
	if q.wake == nil {
		q.wake = make(chan struct{})
	}
	found.wake = q.wake
	return found
}

// stir wakes the receives that wait. The caller holds q.mu.
func (q *Queue) stir() {
	if q.wake != nil && len(q.line.ready) > 0 {
		close(q.wake)
		q.wake = nil
	}
}

// arrive adds a committed message.
func (q *Queue) arrive(e *entry, group string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.line.add(e, group)
	q.stir()
}

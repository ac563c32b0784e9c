package sqlitestore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	if e.Body == nil {
		e.Body = []byte{} // the driver takes nil for NULL
	}
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
				Body: bytes.Clone(e.Body), Attributes: maps.Clone(e.Attributes), SentAt: moment(now),
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
		if err := context.Cause(ctx); err != nil {
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
		if err := q.s.pause(ctx, min(pause, found.next, pollEvery), found.wake); err != nil {
			return nil, err
		}
	}
}

// pause waits for d, for wake, or for the end.
func (s *Store) pause(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-wake:
	case <-timer.C:
	case <-ctx.Done():
	case <-s.closed:
		return pipeline.Transient(pipeline.ReasonStore, ErrClosed)
	}
	return nil
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

// Extend changes how long d stays hidden, counted from now.
func (q *Queue) Extend(ctx context.Context, d pipeline.Delivery, hidden time.Duration) error {
	if err := context.Cause(ctx); err != nil {
		return failed("extend in "+q.name, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.s.opts.Now()
	q.line.expire(now)
	e := q.current(d)
	if e == nil || e.place < 0 {
		q.stir()
		return failed("extend in "+q.name, transient(errors.New("the receipt is no longer current")))
	}
	if hidden > 0 {
		q.line.lease(e, now.Add(hidden))
	} else {
		q.line.giveBack(e)
	}
	q.stir()
	return nil
}

// current returns the message that d is the last receive of, nil if there is none.
// The caller holds q.mu.
func (q *Queue) current(d pipeline.Delivery) *entry {
	id, err := strconv.ParseInt(d.ID, 10, 64)
	if err != nil {
		return nil
	}
	e := q.line.entries[id]
	if e == nil || d.Receipt == "" || e.receipt != d.Receipt {
		return nil
	}
	return e
}

// Delete acknowledges d. It is gone from the disk when Delete returns nil. A
// receipt whose visibility ran out still deletes until the message is received
// again: its work was done.
func (q *Queue) Delete(ctx context.Context, d pipeline.Delivery) error {
	q.mu.Lock()
	e := q.current(d)
	if e == nil {
		q.mu.Unlock()
		return nil
	}
	q.line.hold(e)
	q.mu.Unlock()

	err := q.s.writes.write(&op{ctx: ctx, single: true, deletes: e.id, do: func(t *tx) error {
		_, err := t.exec("DELETE FROM messages WHERE id = ?", e.id)
		return err
	}, committed: func() { q.remove(e) }})
	if err != nil {
		q.giveBack(e)
		return failed("delete from "+q.name, err)
	}
	return nil
}

func (q *Queue) remove(es ...*entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range es {
		q.line.remove(e)
	}
	q.stir()
}

func (q *Queue) giveBack(es ...*entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range es {
		q.line.giveBack(e)
	}
	q.stir()
}

// Depth returns how much the queue holds. Another process than the serving one
// cannot tell what is in flight, and counts all as visible.
func (q *Queue) Depth(ctx context.Context) (pipeline.Depth, error) {
	d, err := q.s.depth(ctx, q.name, false)
	if err != nil {
		return d, failed("depth of "+q.name, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.line.expire(q.s.opts.Now())
	d.InFlight = len(q.line.leases)
	d.Visible = max(d.Visible-d.InFlight, 0)
	return d, nil
}

func (s *Store) depth(ctx context.Context, queue string, dead bool) (pipeline.Depth, error) {
	var d pipeline.Depth
	var oldest int64
	err := s.reads.QueryRowContext(ctx, "SELECT count(*), coalesce(min(sent_at), 0) FROM messages WHERE queue = ? AND dead = ?", queue, dead).
		Scan(&d.Visible, &oldest)
	if err != nil {
		return d, transient(err)
	}
	d.Oldest = moment(oldest)
	return d, nil
}

func encodeAttributes(a map[string]string) (string, error) {
	if len(a) == 0 {
		return "", nil
	}
	data, err := json.Marshal(a)
	return string(data), err
}

// columns of a message, as scanMessage reads them.
const columns = "id, grp, dedup_id, body, attributes, receives, sent_at, first_seen"

func scanMessage(row interface{ Scan(...any) error }) (pipeline.Delivery, error) {
	var d pipeline.Delivery
	var text string
	var sent, seen int64
	err := row.Scan(&d.ID, &d.Group, &d.DedupID, &d.Body, &text, &d.Receives, &sent, &seen)
	if err != nil {
		return d, err
	}
	d.SentAt, d.FirstSeen = moment(sent), moment(seen)
	if text == "" {
		return d, nil
	}
	if err := json.Unmarshal([]byte(text), &d.Attributes); err != nil {
		return d, fmt.Errorf("attributes of message %s: %w", d.ID, err)
	}
	return d, nil
}

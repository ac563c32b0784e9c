package sqlitestore

import (
	"context"
	"errors"
	"strconv"
	"time"

	"parley/pkg/pipeline"
)

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

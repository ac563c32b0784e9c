package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"parley/pkg/pipeline"
)

// deliver turns held messages into deliveries. Those received too often move to
// the dead letters instead. If it fails, all are given back.
func (q *Queue) deliver(held []*entry, hidden time.Duration) ([]pipeline.Delivery, error) {
	var good, spent []*entry
	for _, e := range held {
		if e.receives >= q.limit {
			spent = append(spent, e)
		} else {
			good = append(good, e)
		}
	}
	if err := q.move(spent); err != nil {
		q.giveBack(held...)
		return nil, err
	}
	ds, err := q.count(good)
	if err != nil {
		q.giveBack(good...)
		return nil, err
	}
	return q.leaseAll(good, ds, hidden), nil
}

// move makes dead letters of messages.
func (q *Queue) move(spent []*entry) error {
	if len(spent) == 0 {
		return nil
	}
	return q.s.writes.write(&op{ctx: context.Background(), do: func(t *tx) error {
		for _, e := range spent {
			_, err := t.exec(`UPDATE messages SET dead = 1, attributes = json_set(CASE attributes WHEN '' THEN '{}' ELSE attributes END,
				'$.`+pipeline.AttrReason+`', ?, '$.`+pipeline.AttrTold+`', 'false') WHERE id = ?`, pipeline.ReasonMoved, e.id)
			if err != nil {
				return fmt.Errorf("move message %d to the dead letters: %w", e.id, err)
			}
		}
		return nil
	}, committed: func() { q.remove(spent...) }})
}

// count records one more receive of each message and reads them. The record must
// be there before the caller can act on the message, or a crash loop would look
// like a first receive each time; but it needs no sync of its own, because what
// the caller makes durable in this store comes after it in the same log. The zero
// Delivery stands for a message that is gone.
func (q *Queue) count(good []*entry) ([]pipeline.Delivery, error) {
	if len(good) == 0 {
		return nil, nil
	}
	ds := make([]pipeline.Delivery, len(good))
	err := q.s.writes.write(&op{ctx: context.Background(), relaxed: true, single: len(good) == 1, do: func(t *tx) error {
		receive, err := t.stmt(`UPDATE messages SET receives = receives + 1, first_seen = CASE receives WHEN 0 THEN ? ELSE first_seen END
			WHERE id = ? AND dead = 0 RETURNING ` + columns)
		if err != nil {
			return err
		}
		for i, e := range good {
			ds[i], err = scanMessage(receive.QueryRow(t.now.UnixMicro(), e.id))
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		return nil
	}})
	return ds, err
}

// leaseAll starts the leases of messages that were counted.
func (q *Queue) leaseAll(good []*entry, ds []pipeline.Delivery, hidden time.Duration) []pipeline.Delivery {
	q.mu.Lock()
	defer q.mu.Unlock()
	until := q.s.opts.Now().Add(hidden)
	out := ds[:0]
	for i, e := range good {
		d := ds[i]
		if d.ID == "" {
			q.line.remove(e)
			continue
		}
		e.receives = d.Receives
		// A receipt of an earlier process names another instance, and is stale.
		e.receipt = fmt.Sprintf("%s.%s.%d", q.s.known.instance, d.ID, d.Receives)
		d.Receipt = e.receipt
		q.line.lease(e, until)
		out = append(out, d)
	}
	q.stir()
	return out
}

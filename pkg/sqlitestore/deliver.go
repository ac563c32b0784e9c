package sqlitestore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
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
	ds, err := q.read(good)
	if err == nil {
		err = q.count(good, ds)
	}
	if err != nil {
		q.giveBack(good...)
		return nil, transient(err)
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

// read returns the messages' contents, from memory where this process sent them.
// The zero Delivery stands for a message that is gone.
func (q *Queue) read(good []*entry) ([]pipeline.Delivery, error) {
	ds := make([]pipeline.Delivery, len(good))
	for i, e := range good {
		if e.content != nil {
			ds[i] = *e.content // what is kept must not change with what is handed out
			ds[i].Body, ds[i].Attributes = bytes.Clone(e.content.Body), maps.Clone(e.content.Attributes)
			continue
		}
		row := q.s.reads.QueryRowContext(context.Background(), "SELECT "+columns+" FROM messages WHERE id = ? AND dead = 0", e.id)
		d, err := scanMessage(row)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("read message %d: %w", e.id, err)
		}
		ds[i] = d
	}
	return ds, nil
}

// count puts one more receive of each message on record, and into its delivery.
// The entries are held, so nobody else changes them.
func (q *Queue) count(good []*entry, ds []pipeline.Delivery) error {
	now := q.s.opts.Now().UnixMicro()
	seen := make([]tallied, 0, len(good))
	for i, e := range good {
		if ds[i].ID == "" {
			continue
		}
		s := tallied{e.id, e.receives + 1, e.firstSeen}
		if e.receives == 0 {
			s.firstSeen = now
		}
		ds[i].Receives, ds[i].FirstSeen = s.receives, moment(s.firstSeen)
		seen = append(seen, s)
	}
	if err := q.s.known.tally.add(seen); err != nil {
		return fmt.Errorf("record receives: %w", err)
	}
	return nil
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
		e.receives, e.firstSeen = d.Receives, micros(d.FirstSeen)
		// A receipt of an earlier process names another instance, and is stale.
		e.receipt = fmt.Sprintf("%s.%s.%d", q.s.known.instance, d.ID, d.Receives)
		d.Receipt = e.receipt
		q.line.lease(e, until)
		out = append(out, d)
	}
	q.stir()
	return out
}

package sqlitestore

import (
	"context"
	"fmt"

	"parley/pkg/pipeline"
)

// DeadLetters is the dead letters of a queue. It works in every process that has
// the file open.
type DeadLetters struct{ q *Queue }

// Letters returns all letters, oldest first; complete is always true.
func (d *DeadLetters) Letters(ctx context.Context) (letters []pipeline.Delivery, complete bool, err error) {
	letters, err = d.read(ctx)
	if err != nil {
		return nil, false, failed("letters of "+d.q.name, transient(err))
	}
	return letters, true, nil
}

func (d *DeadLetters) read(ctx context.Context) ([]pipeline.Delivery, error) {
	rows, err := d.q.s.reads.QueryContext(ctx, "SELECT "+columns+" FROM messages WHERE queue = ? AND dead = 1 ORDER BY sent_at, id", d.q.name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var letters []pipeline.Delivery
	for rows.Next() {
		l, err := scanMessage(rows)
		if err != nil {
			return nil, err
		}
		letters = append(letters, l)
	}
	return letters, rows.Err()
}

// Remove deletes a letter by its ID.
func (d *DeadLetters) Remove(ctx context.Context, letter pipeline.Delivery) error {
	err := d.q.s.writes.write(&op{ctx: ctx, single: true, do: func(t *tx) error {
		_, err := t.exec("DELETE FROM messages WHERE id = CAST(? AS INTEGER) AND queue = ? AND dead = 1", letter.ID, d.q.name)
		return err
	}})
	if err != nil {
		return failed(fmt.Sprintf("remove letter %s of %s", letter.ID, d.q.name), err)
	}
	return nil
}

// Depth returns how many letters there are.
func (d *DeadLetters) Depth(ctx context.Context) (pipeline.Depth, error) {
	depth, err := d.q.s.depth(ctx, d.q.name, true)
	if err != nil {
		return depth, failed("depth of the dead letters of "+d.q.name, err)
	}
	return depth, nil
}

// burial sends into the dead letters of a queue.
type burial struct{ q *Queue }

func (b burial) Send(ctx context.Context, e pipeline.Envelope) error {
	if err := b.q.s.send(ctx, b.q, e, true); err != nil {
		return failed("send to the dead letters of "+b.q.name, err)
	}
	return nil
}

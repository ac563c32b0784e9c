package sqlitestore

import (
	"context"
	"crypto/rand"
	"sync/atomic"
)

// inbox keeps what the serving process knows of its queues in step with the file:
// what it sends itself is added as it is committed, what other processes send is
// looked for while somebody waits.
type inbox struct {
	s        *Store
	instance string // of the serving role, part of every receipt

	// The writer's goroutine alone uses these.
	newest  int64 // id up to which all messages are known
	version int64 // SQLite's data_version when that was so
	stale   bool  // a look failed

	polled atomic.Int64 // time of the last poll, ns
}

// serve takes over from the process that served before: it reads what is queued,
// and releases the leases of cases, whose owner is dead. It runs before the writer
// starts, on its connection.
func (s *Store) serve(ctx context.Context) (*inbox, error) {
	in := &inbox{s: s, instance: rand.Text(), stale: true}
	now := s.opts.Now()
	_, err := s.writes.conn.ExecContext(ctx, `UPDATE cases SET rev = rev + 1, nonce = hex(randomblob(16)), lease_until = ?1, written_at = ?1
		WHERE state = 'working' AND lease_until > ?1`, now.UnixMicro())
	if err != nil {
		return nil, err
	}
	if in.version, err = in.dataVersion(ctx); err != nil {
		return nil, err
	}
	s.writes.sweep = s.sweep
	s.writes.warn = func(err error) { s.opts.Logger.Warn("sweep failed", "error", err) }
	return in, in.look(ctx)
}

// dataVersion changes when a connection other than the writer's commits.
func (in *inbox) dataVersion(ctx context.Context) (v int64, err error) {
	err = in.s.writes.conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&v)
	return v, err
}

// poll finds what other processes sent. Calls within pollEvery of one that looked
// return at once.
func (in *inbox) poll(ctx context.Context) error {
	now := in.s.opts.Now().UnixNano()
	last := in.polled.Load()
	if now-last < int64(pollEvery) && now >= last || !in.polled.CompareAndSwap(last, now) {
		return nil
	}
	return in.s.writes.write(&op{ctx: ctx, relaxed: true, single: true,
		do: func(t *tx) error {
			var v int64
			if err := t.get("PRAGMA data_version", nil, &v); err != nil {
				return err
			}
			in.stale = in.stale || v != in.version
			in.version = v
			return nil
		},
		// Not before the commit: what a failed one takes back would seem known.
		committed: func() {
			if in.stale {
				in.lookOrWarn()
			}
		}})
}

func (in *inbox) lookOrWarn() {
	if err := in.look(context.Background()); err != nil {
		in.s.opts.Logger.Warn("look for messages of other processes failed", "error", err)
	}
}

// sent adds a message that this process sent. It runs on the writer's goroutine
// right after the commit.
func (in *inbox) sent(id int64, q *Queue, group string, dead bool) {
	switch {
	case id <= in.newest: // a look found it already
	case id == in.newest+1:
		in.newest = id
		if !dead {
			q.arrive(id, group, 0)
		}
	default: // others sent in between, and come first
		in.lookOrWarn()
	}
}

// look adds what is newer than what is known.
func (in *inbox) look(ctx context.Context) error {
	in.stale = true
	rows, err := in.s.writes.conn.QueryContext(ctx, "SELECT id, queue, grp, receives, dead FROM messages WHERE id > ? ORDER BY id", in.newest)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var queue, group string
		var receives int
		var dead bool
		if err := rows.Scan(&id, &queue, &group, &receives, &dead); err != nil {
			return err
		}
		in.newest = id
		if q, ok := in.s.queues[queue]; ok && !dead {
			q.arrive(id, group, receives)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	in.stale = false
	return nil
}

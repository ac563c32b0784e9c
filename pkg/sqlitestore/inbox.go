package sqlitestore

import (
	"context"
	"crypto/rand"
	"sync/atomic"

	"parley/pkg/pipeline"
)

// inbox keeps what the serving process knows of its queues in step with the file:
// what it sends itself is added as it is committed, what other processes send is
// looked for while somebody waits.
type inbox struct {
	s        *Store
	instance string // of the serving role, part of every receipt
	tally    *tally

	// Whoever has the writer's turn uses these.
	newest  int64 // id up to which all messages are known
	version int64 // SQLite's data_version when that was so
	stale   bool  // a look failed

	polled atomic.Int64 // time of the last poll, ns
}

// serve takes over from the process that served before: it releases the leases of
// cases, whose owner is dead, records what that process received last, and reads
// what is queued.
func (s *Store) serve(ctx context.Context, path string) error {
	tally, err := openTally(path)
	if err != nil {
		return err
	}
	s.known = &inbox{s: s, instance: rand.Text(), tally: tally}
	if err := tally.recover(); err != nil {
		return err
	}
	s.writes.tally = tally
	err = s.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE cases SET rev = rev + 1, nonce = hex(randomblob(16)), lease_until = ?1, written_at = ?1
			WHERE state = ?2 AND lease_until > ?1`, t.now.UnixMicro(), pipeline.CaseWorking)
		return err
	})
	if err != nil {
		return err
	}
	if err := tally.clear(); err != nil {
		return err
	}
	if s.known.version, err = s.known.dataVersion(ctx); err != nil {
		return err
	}
	return s.known.look(ctx)
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
	return in.s.writes.between(ctx, func() error {
		v, err := in.dataVersion(context.Background())
		if err == nil && (v != in.version || in.stale) {
			in.version = v
			err = in.look(context.Background())
		}
		return err
	})
}

func (in *inbox) lookOrWarn() {
	if err := in.look(context.Background()); err != nil {
		in.s.opts.Logger.Warn("look for messages of other processes failed", "error", err)
	}
}

// sent adds a message that this process sent. It runs right after the commit.
func (in *inbox) sent(id int64, q *Queue, dead bool, d pipeline.Delivery) {
	switch {
	case id <= in.newest: // a look found it already
	case id == in.newest+1:
		in.newest = id
		if !dead {
			q.arrive(&entry{id: id, content: &d}, d.Group)
		}
	default: // others sent in between, and come first
		in.lookOrWarn()
	}
}

// look adds what is newer than what is known.
func (in *inbox) look(ctx context.Context) error {
	in.stale = true
	rows, err := in.s.writes.conn.QueryContext(ctx, "SELECT id, receives, first_seen, queue, grp, dead FROM messages WHERE id > ? ORDER BY id", in.newest)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var e entry
		var queue, group string
		var dead bool
		if err := rows.Scan(&e.id, &e.receives, &e.firstSeen, &queue, &group, &dead); err != nil {
			return err
		}
		in.newest = e.id
		if q, ok := in.s.queues[queue]; ok && !dead {
			q.arrive(&e, group)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	in.stale = false
	return nil
}

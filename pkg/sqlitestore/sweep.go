package sqlitestore

import (
	"context"
	"fmt"
	"time"
)

const (
	day = 24 * time.Hour
	// recordLife is how long cases and deliveries live after their last write:
	// longer than a question can wait in a queue and then in its dead letters.
	recordLife = 30 * day
	quotaLife  = 40 * day
	// sweepStep is how many rows of a table one step removes: a few milliseconds.
	sweepStep = 200
	// sweepEvery is how often the serving process looks for what has expired.
	sweepEvery = 10 * time.Minute
)

// sweeps removes what has expired until the store is closed, in small steps with
// room for other writes between them.
func (s *Store) sweeps() {
	defer close(s.swept)
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-s.closed:
			return
		case <-ticker.C:
		}
		for more := true; more; {
			err := s.writes.write(&op{ctx: context.Background(), do: func(t *tx) (err error) {
				more, err = s.sweep(t)
				return err
			}})
			if err != nil {
				more = false
				s.opts.Logger.Warn("sweep failed", "error", err)
			}
		}
	}
}

// sweep removes up to a step's worth of expired rows of each table, and reports
// whether there may be more.
func (s *Store) sweep(t *tx) (more bool, err error) {
	memory := time.Duration(s.opts.MemoryDays) * day
	for _, table := range []struct {
		name, key, age string
		life           time.Duration
	}{
		{"dedup", "queue, id", "sent_at", dedupWindow},
		{"turns", "rowid", "written_at", memory},
		// A question from before a reset may be answered as long as its case lives.
		{"conversations", "key", "written_at", memory + recordLife},
		{"cases", "message_id", "written_at", recordLife},
		{"deliveries", "message_id", "written_at", recordLife},
		{"quotas", "scope, day", "written_at", quotaLife},
	} {
		res, err := t.exec(fmt.Sprintf("DELETE FROM %[1]s WHERE (%[2]s) IN (SELECT %[2]s FROM %[1]s WHERE %[3]s <= ? LIMIT %[4]d)",
			table.name, table.key, table.age, sweepStep), t.now.Add(-table.life).UnixMicro())
		if err != nil {
			return false, fmt.Errorf("sweep %s: %w", table.name, err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return false, err
		}
		more = more || n == sweepStep
	}
	return more, nil
}

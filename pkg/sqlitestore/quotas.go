package sqlitestore

import "context"

// Reserve adds amount to the counter of scope on day if the sum stays within limit.
func (s *Store) Reserve(ctx context.Context, scope, day string, amount, limit int64) (used int64, ok bool, err error) {
	var after int64
	var within bool
	err = s.write(ctx, func(t *tx) error {
		// A counter is there from its first question on, so that a refused amount
		// has something to be told.
		_, err := t.exec("INSERT INTO quotas (scope, day, used, written_at) VALUES (?, ?, 0, ?) ON CONFLICT DO NOTHING", scope, day, t.now.UnixMicro())
		if err != nil {
			return err
		}
		within, err = t.changed("UPDATE quotas SET used = used + ?1, written_at = ?2 WHERE scope = ?3 AND day = ?4 AND used + ?1 <= ?5",
			amount, t.now.UnixMicro(), scope, day, limit)
		if err != nil {
			return err
		}
		return t.get("SELECT used FROM quotas WHERE scope = ? AND day = ?", []any{scope, day}, &after)
	})
	if err != nil {
		return 0, false, failed("reserve quota", err)
	}
	return after, within, nil
}

// Settle adds delta to the counter of scope on day, whatever its limit.
func (s *Store) Settle(ctx context.Context, scope, day string, delta int64) error {
	err := s.writes.write(&op{ctx: ctx, single: true, do: func(t *tx) error {
		_, err := t.exec(`INSERT INTO quotas (scope, day, used, written_at) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET used = used + excluded.used, written_at = excluded.written_at`, scope, day, delta, t.now.UnixMicro())
		return err
	}})
	if err != nil {
		return failed("settle quota", err)
	}
	return nil
}

package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"parley/pkg/pipeline"
)

// tx is the writer's transaction as one write sees it. Its statements are prepared
// once and run without a context: a write that has begun is over in microseconds,
// and one that is broken off would take its whole batch along.
type tx struct {
	w     *writer
	now   time.Time // of the batch
	alone bool      // there is one write in it
}

func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if s, ok := t.w.stmts[query]; ok {
		return s, nil
	}
	s, err := t.w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	t.w.stmts[query] = s
	return s, nil
}

func (t *tx) exec(query string, args ...any) (sql.Result, error) {
	s, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.Exec(args...)
}

// changed runs a statement and reports whether it changed a row.
func (t *tx) changed(query string, args ...any) (bool, error) {
	res, err := t.exec(query, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// get scans the first row of a query; sql.ErrNoRows if there is none.
func (t *tx) get(query string, args []any, into ...any) error {
	s, err := t.stmt(query)
	if err != nil {
		return err
	}
	return s.QueryRow(args...).Scan(into...)
}

// run runs o so that it leaves nothing behind when it fails. intact is false when
// SQLite has undone the whole transaction, as it does when the disk is full.
func (t *tx) run(o *op) (err error, intact bool) {
	switch {
	case t.alone: // a savepoint would cost more than the write; undo everything
		if err = o.do(t); err != nil {
			t.rollback()
			_, again := t.exec("BEGIN")
			return err, again == nil
		}
		return nil, true
	case o.single:
		err = o.do(t)
		return err, err == nil || t.open()
	}
	if _, err := t.exec("SAVEPOINT op"); err != nil {
		return err, false
	}
	if err = o.do(t); err == nil {
		_, err = t.exec("RELEASE op")
		return err, err == nil
	}
	if _, undo := t.exec("ROLLBACK TO op"); undo != nil {
		return err, false
	}
	if _, undo := t.exec("RELEASE op"); undo != nil {
		return err, false
	}
	return err, true
}

// open reports whether the transaction still is. A savepoint outside one would
// begin a new one, and its release commit it.
func (t *tx) open() bool {
	_, err := t.w.conn.ExecContext(context.Background(), "BEGIN")
	if err == nil {
		t.rollback()
	}
	return err != nil
}

// rollback ends the transaction if it is still open.
func (t *tx) rollback() {
	_, _ = t.w.conn.ExecContext(context.Background(), "ROLLBACK") // fails if SQLite did it already
}

// write is a write that must be on the disk before it returns.
func (s *Store) write(ctx context.Context, do func(t *tx) error) error {
	return s.writes.write(&op{ctx: ctx, do: do})
}

// transient classifies a failure that left nothing behind.
func transient(err error) error {
	return pipeline.Transient(pipeline.ReasonStore, err)
}

// classify marks SQLite's own errors as transient, and leaves pipeline's alone.
func classify(err error) error {
	if code(err) != 0 {
		return transient(err)
	}
	return err
}

// failed says what failed.
func failed(operation string, err error) error {
	return fmt.Errorf("%s: %w", operation, err)
}

// micros is t in the file; zero is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment is a time of the file.
func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

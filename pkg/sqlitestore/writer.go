package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"parley/pkg/pipeline"
)

// maxBatch bounds how many writes share a transaction, and with that how long one
// of them can wait for the others.
const maxBatch = 256

// op is one write on its way through the writer.
type op struct {
	ctx context.Context
	// do makes the write. If it fails, nothing of it remains.
	do func(t *tx) error
	// committed, if set, runs after the commit, in the order of the writes and
	// never beside another write.
	committed func()
	// single marks a do of one statement, which SQLite undoes by itself.
	single bool
	// deletes is the id of the message that do deletes, 0 if none.
	deletes int64
	done    chan error
}

// writer owns the connection that writes. It has no goroutine: whoever gets the
// turn commits for all who wait, so that a write without company is made by its
// own caller, and the writes that gather behind a sync share the next one.
type writer struct {
	db    *sql.DB
	conn  *sql.Conn
	now   func() time.Time
	stmts map[string]*sql.Stmt
	turn  chan struct{} // holds one token while somebody has the turn
	ended chan struct{} // closed when writing has ended
	tally *tally        // nil without the serving role

	mu     sync.Mutex
	queue  []*op
	closed bool
}

func openWriter(ctx context.Context, path string, now func() time.Time) (*writer, error) {
	db, err := openWrites(path)
	if err != nil {
		return nil, err
	}
	w := &writer{db: db, now: now, stmts: make(map[string]*sql.Stmt), turn: make(chan struct{}, 1), ended: make(chan struct{})}
	if err := w.connect(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *writer) connect(ctx context.Context) (err error) {
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return err
	}
	if err := checkSettings(ctx, w.conn); err != nil {
		return err
	}
	return migrate(ctx, w.conn)
}

// close refuses further writes, makes those it accepted, and closes the file.
func (w *writer) close() error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.turn <- struct{}{} // for good
	for w.commitNext() {
	}
	close(w.ended)
	var errs []error
	if w.conn != nil {
		for _, s := range w.stmts {
			errs = append(errs, s.Close())
		}
		errs = append(errs, w.conn.Close())
	}
	return errors.Join(append(errs, w.db.Close())...)
}

// write waits until o is committed. When o's context ends first, the outcome is
// unknown.
func (w *writer) write(o *op) error {
	o.done = make(chan error, 1)
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return transient(ErrClosed)
	}
	w.queue = append(w.queue, o)
	w.mu.Unlock()
	for {
		select {
		case err := <-o.done:
			return err
		case w.turn <- struct{}{}:
			w.commitNext()
			<-w.turn
		case <-o.ctx.Done():
			return pipeline.OutcomeUnknown(pipeline.ReasonStore, context.Cause(o.ctx))
		}
	}
}

// commitNext makes the writes at the head of the queue in one transaction and
// tells each how it ended. It reports whether there were any. The caller has the
// turn.
func (w *writer) commitNext() bool {
	w.mu.Lock()
	batch := w.queue
	if len(batch) > maxBatch {
		batch, w.queue = batch[:maxBatch:maxBatch], batch[maxBatch:]
	} else {
		w.queue = nil
	}
	w.mu.Unlock()
	if len(batch) == 0 {
		return false
	}
	errs := make([]error, len(batch))
	if err := w.transact(batch, errs); err != nil {
		for i := range errs {
			if errs[i] == nil {
				errs[i] = err
			}
		}
	}
	for i, o := range batch {
		if errs[i] == nil && o.committed != nil {
			o.committed()
		}
		o.done <- classify(errs[i])
	}
	return true
}

// between runs do on the connection between transactions.
func (w *writer) between(ctx context.Context, do func() error) error {
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
		return do()
	case <-w.ended:
		return transient(ErrClosed)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// transact returns an error if the transaction as a whole failed.
func (w *writer) transact(batch []*op, errs []error) error {
	t := &tx{w: w, now: w.now(), alone: len(batch) == 1}
	if o := batch[0]; t.alone && o.single && (w.tally == nil || w.tally.only(o.deletes)) {
		return w.transactOne(t, o)
	}
	if _, err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return transient(err)
	}
	deleted := make(map[int64]bool)
	for i, o := range batch {
		if errs[i] = context.Cause(o.ctx); errs[i] != nil {
			continue
		}
		var intact bool
		if errs[i], intact = t.run(o); !intact {
			t.rollback()
			return transient(fmt.Errorf("transaction undone: %w", errs[i]))
		}
		if errs[i] == nil && o.deletes != 0 {
			deleted[o.deletes] = true
		}
	}
	var taken []tallied
	if w.tally != nil {
		var err error
		if taken, err = w.tally.takeAlong(t, deleted); err != nil {
			t.rollback()
			return transient(err)
		}
	}
	if _, err := t.exec("COMMIT"); err != nil {
		t.rollback()
		return pipeline.OutcomeUnknown(pipeline.ReasonStore, fmt.Errorf("commit: %w", err))
	}
	if w.tally != nil {
		w.tally.settle(taken, deleted)
	}
	return nil
}

// transactOne makes a write of one statement that has no company, which needs no
// BEGIN and COMMIT around it.
func (w *writer) transactOne(t *tx, o *op) error {
	if err := context.Cause(o.ctx); err != nil {
		return err
	}
	if err := o.do(t); err != nil {
		return pipeline.OutcomeUnknown(pipeline.ReasonStore, err)
	}
	if w.tally != nil {
		w.tally.settle(nil, map[int64]bool{o.deletes: true})
	}
	return nil
}

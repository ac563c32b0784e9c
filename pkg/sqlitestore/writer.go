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

const (
	// maxBatch bounds how many writes share a transaction, and with that how long
	// one of them can wait for the others.
	maxBatch = 256
	// sweepEvery is how often the serving process looks for what has expired.
	sweepEvery = 10 * time.Minute
)

// op is one write on its way through the writer.
type op struct {
	ctx context.Context
	// do makes the write. If it fails, nothing of it remains.
	do func(t *tx) error
	// committed, if set, runs on the writer's goroutine after the commit, in the
	// order of the writes.
	committed func()
	// relaxed writes are not worth a sync of their own: they survive the end of
	// the process at once, and a loss of power when the next write is synced.
	relaxed bool
	// single marks a do of one statement, which SQLite undoes by itself.
	single bool
	done   chan error
}

// writer owns the connection that writes and the goroutine that uses it.
type writer struct {
	db    *sql.DB
	conn  *sql.Conn
	now   func() time.Time
	stmts map[string]*sql.Stmt
	full  bool // synchronous is FULL, else NORMAL
	ops   chan *op
	sweep func(t *tx) (more bool, err error) // nil without the serving role
	warn  func(err error)                    // of sweeping

	mu      sync.RWMutex // closed, against a send into ops after the last receive
	closed  bool
	started bool
	stopped chan struct{}
}

func openWriter(ctx context.Context, path string, now func() time.Time) (*writer, error) {
	db, err := openWrites(path)
	if err != nil {
		return nil, err
	}
	w := &writer{
		db: db, now: now, stmts: make(map[string]*sql.Stmt), full: true,
		ops: make(chan *op, maxBatch), stopped: make(chan struct{}),
	}
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

func (w *writer) start() {
	w.started = true
	go w.run()
}

// close refuses further writes, waits for those it accepted, and closes the file.
func (w *writer) close() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.ops)
	}
	w.mu.Unlock()
	if w.started {
		<-w.stopped
	}
	var errs []error
	if w.conn != nil {
		for _, s := range w.stmts {
			errs = append(errs, s.Close())
		}
		errs = append(errs, w.conn.Close())
	}
	return errors.Join(append(errs, w.db.Close())...)
}

// write hands o to the writer and waits until it is committed. When ctx ends
// first, the outcome is unknown.
func (w *writer) write(o *op) error {
	o.done = make(chan error, 1)
	w.mu.RLock()
	if w.closed {
		w.mu.RUnlock()
		return pipeline.Transient(pipeline.ReasonStore, ErrClosed)
	}
	select {
	case w.ops <- o:
		w.mu.RUnlock()
	case <-o.ctx.Done():
		w.mu.RUnlock()
		return pipeline.Transient(pipeline.ReasonStore, context.Cause(o.ctx))
	}
	select {
	case err := <-o.done:
		return err
	case <-o.ctx.Done():
		return pipeline.OutcomeUnknown(pipeline.ReasonStore, context.Cause(o.ctx))
	}
}

func (w *writer) run() {
	defer close(w.stopped)
	var due <-chan time.Time
	if w.sweep != nil {
		ticker := time.NewTicker(sweepEvery)
		defer ticker.Stop()
		due = ticker.C
	}
	batch := make([]*op, 0, maxBatch)
	for {
		select {
		case o, ok := <-w.ops:
			if !ok {
				return
			}
			batch = w.gather(append(batch[:0], o))
			w.commit(batch)
			clear(batch)
		case <-due:
			w.sweepAll()
		}
	}
}

// gather adds what waits already. It never waits for more: the next batch gathers
// by itself while this one is synced.
func (w *writer) gather(batch []*op) []*op {
	for len(batch) < maxBatch {
		select {
		case o, ok := <-w.ops:
			if !ok {
				return batch
			}
			batch = append(batch, o)
		default:
			return batch
		}
	}
	return batch
}

// commit runs a batch in one transaction and tells each op how it ended.
func (w *writer) commit(batch []*op) {
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
}

// transact returns an error if the transaction as a whole failed.
func (w *writer) transact(batch []*op, errs []error) error {
	durable := false
	for _, o := range batch {
		durable = durable || !o.relaxed
	}
	if err := w.setSync(durable); err != nil {
		return transient(err)
	}
	t := &tx{w: w, now: w.now()}
	if _, err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return transient(err)
	}
	for i, o := range batch {
		if errs[i] = context.Cause(o.ctx); errs[i] != nil {
			continue
		}
		var intact bool
		if errs[i], intact = t.run(o); !intact {
			t.rollback()
			return transient(fmt.Errorf("transaction undone: %w", errs[i]))
		}
	}
	if _, err := t.exec("COMMIT"); err != nil {
		t.rollback()
		return pipeline.OutcomeUnknown(pipeline.ReasonStore, fmt.Errorf("commit: %w", err))
	}
	return nil
}

// setSync chooses whether the next commit waits for the disk.
func (w *writer) setSync(full bool) error {
	if w.full == full {
		return nil
	}
	pragma := "PRAGMA synchronous = NORMAL"
	if full {
		pragma = "PRAGMA synchronous = FULL"
	}
	if _, err := w.conn.ExecContext(context.Background(), pragma); err != nil {
		return fmt.Errorf("set synchronous: %w", err)
	}
	w.full = full
	return nil
}

// sweepAll removes what has expired in small steps, between which writes go on.
func (w *writer) sweepAll() {
	for more := true; more; {
		step := &op{ctx: context.Background(), relaxed: true, done: make(chan error, 1), do: func(t *tx) (err error) {
			more, err = w.sweep(t)
			return err
		}}
		w.commit([]*op{step})
		if err := <-step.done; err != nil {
			w.warn(err)
			return
		}
		if batch := w.gather(nil); len(batch) > 0 {
			w.commit(batch)
		}
	}
}

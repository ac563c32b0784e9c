package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"parley/pkg/pipeline"
)

// The queues of a store.
const (
	Requests = "requests"
	Control  = "control"
	Replies  = "replies"
)

// Options say how a store is opened. The zero value opens it beside a serving
// process, with the defaults.
type Options struct {
	// Serve takes the role of the one process that receives. Open fails with
	// ErrServed while another process has it.
	Serve bool
	// MaxReceives is how often a message of a queue is delivered before it moves
	// to the queue's dead letters. Queues that are not named have the default:
	// requests and replies 100, control 10. It is a backstop: waiting is a receive.
	MaxReceives map[string]int
	// MemoryDays is how long turns live after they were first written, 90 when it
	// is zero.
	MemoryDays int
	// Logger is told about background work that fails; nil discards it.
	Logger *slog.Logger
	// Now is the clock, time.Now when it is nil.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	limits := map[string]int{Requests: 100, Control: 10, Replies: 100}
	for name, n := range o.MaxReceives {
		limits[name] = n
	}
	o.MaxReceives = limits
	if o.MemoryDays == 0 {
		o.MemoryDays = 90
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func (o Options) validate() error {
	for _, name := range []string{Requests, Control, Replies} {
		if n := o.MaxReceives[name]; n < 1 {
			return fmt.Errorf("max receives of %s is %d, and must be at least 1", name, n)
		}
	}
	if len(o.MaxReceives) > 3 {
		return fmt.Errorf("max receives name a queue that is none of %s, %s, %s", Requests, Control, Replies)
	}
	if o.MemoryDays < 1 {
		return fmt.Errorf("memory days are %d, and must be at least 1", o.MemoryDays)
	}
	return nil
}

// Errors of Open and of calls that come too late.
var (
	// ErrServed: another process serves the file.
	ErrServed = errors.New("another process is serving this file; stop it first")
	// ErrNotServing: a store that was opened without Serve cannot receive.
	ErrNotServing = errors.New("only the serving process receives")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store is closed")
)

// Store is an open file. It implements pipeline.Cases, pipeline.Memory,
// pipeline.Deliveries, pipeline.Quotas and pipeline.People. It is safe for concurrent use.
type Store struct {
	opts   Options
	reads  *sql.DB
	writes *writer
	queues map[string]*Queue
	lock   *sql.DB // of the serving role, nil without it
	known  *inbox  // what the serving process knows of the queues, nil without the role

	swept   chan struct{} // closed when sweeping ended, nil if it never began
	closed  chan struct{}
	closing sync.Once
	err     error // of closing
}

// Open opens the file at path, creating it readable by its owner alone, and brings
// it to this version's form. It refuses files of a newer Parley and of anything
// else. The caller closes the store.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	opts = opts.withDefaults()
	s := &Store{opts: opts, closed: make(chan struct{})}
	if err := s.open(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.release())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, path string) error {
	if err := s.opts.validate(); err != nil {
		return err
	}
	if err := create(path); err != nil {
		return err
	}
	if err := inspect(ctx, path); err != nil {
		return err
	}
	if s.opts.Serve {
		lock, err := takeRole(ctx, path)
		if err != nil {
			return err
		}
		s.lock = lock
	}
	w, err := openWriter(ctx, path, s.opts.Now)
	if err != nil {
		return err
	}
	s.writes = w
	if s.reads, err = openReads(ctx, path); err != nil {
		return err
	}
	s.queues = make(map[string]*Queue)
	for name, limit := range s.opts.MaxReceives {
		s.queues[name] = newQueue(s, name, limit)
	}
	if s.opts.Serve {
		if err := s.serve(ctx, path); err != nil {
			return err
		}
		s.swept = make(chan struct{})
		go s.sweeps()
	}
	return nil
}

// Queue returns the queue of that name. A name that is none of the constants is a
// mistake in the program, and panics.
func (s *Store) Queue(name string) *Queue {
	q, ok := s.queues[name]
	if !ok {
		panic(fmt.Sprintf("sqlitestore: no queue is called %q", name))
	}
	return q
}

// DeadLetters returns the dead letters of the queue of that name.
func (s *Store) DeadLetters(name string) *DeadLetters { return &DeadLetters{s.Queue(name)} }

// DeadLetterOutbox returns the way into the dead letters of the queue of that name.
func (s *Store) DeadLetterOutbox(name string) pipeline.Outbox { return burial{s.Queue(name)} }

// Close ends all calls under way, waits for what was handed to the writer, and
// gives up the serving role. It may be called more than once.
func (s *Store) Close() error {
	s.closing.Do(func() {
		close(s.closed)
		if s.swept != nil {
			<-s.swept
		}
		s.err = s.release()
	})
	return s.err
}

// release closes what is open, the role last: a successor must find the file at
// rest.
func (s *Store) release() error {
	var errs []error
	if s.reads != nil {
		errs = append(errs, s.reads.Close())
	}
	if s.writes != nil {
		errs = append(errs, s.writes.close())
	}
	if s.known != nil {
		errs = append(errs, s.known.tally.close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

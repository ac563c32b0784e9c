package sqlitestore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/sqlitestore"
)

// BenchmarkQueue compares the store with what one would write first: a table, and
// a transaction for each send, receive and delete. Both sync each of them but for
// the store's receive. One op is one message on its whole way; the number is how
// many producers send at once, each its own conversation, with as many consumers.
func BenchmarkQueue(b *testing.B) {
	for _, producers := range []int{1, 16} {
		b.Run(fmt.Sprintf("naive/%d", producers), func(b *testing.B) {
			benchmarkQueue(b, producers, openNaive(b))
		})
		b.Run(fmt.Sprintf("grouped/%d", producers), func(b *testing.B) {
			s := open(b, fresh(b), sqlitestore.Options{Serve: true})
			benchmarkQueue(b, producers, s.Queue(sqlitestore.Requests))
		})
	}
}

type benched interface {
	Send(ctx context.Context, e pipeline.Envelope) error
	Receive(ctx context.Context, max int, wait, hidden time.Duration) ([]pipeline.Delivery, error)
	Delete(ctx context.Context, d pipeline.Delivery) error
}

func benchmarkQueue(b *testing.B, producers int, q benched) {
	b.ReportAllocs()
	b.ResetTimer()
	pass(b, producers, b.N, q, "")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}

// BenchmarkQueueSpeedup lets both take turns in one benchmark, so that a disk or a
// processor that others use too is as busy for the one as for the other. The
// number is how many times as many messages a second the store passes.
func BenchmarkQueueSpeedup(b *testing.B) {
	for _, producers := range []int{1, 16} {
		b.Run(fmt.Sprint(producers), func(b *testing.B) {
			s := open(b, fresh(b), sqlitestore.Options{Serve: true})
			grouped, naive := s.Queue(sqlitestore.Requests), openNaive(b)
			var spent [2]time.Duration
			round := 0
			for b.Loop() {
				for i, q := range []benched{naive, grouped} {
					start := time.Now()
					pass(b, producers, 4*producers, q, fmt.Sprint(round))
					spent[i] += time.Since(start)
				}
				round++
			}
			b.ReportMetric(spent[0].Seconds()/spent[1].Seconds(), "times")
		})
	}
}

// pass sends, receives and deletes n messages.
func pass(b *testing.B, producers, n int, q benched, prefix string) {
	body := []byte(strings.Repeat("x", 1500))
	var sent atomic.Int64
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			group := fmt.Sprintf("%064d", p)
			for {
				i := sent.Add(1)
				if i > int64(n) {
					return
				}
				// Ids as they are in use: hashes, in no order.
				e := pipeline.Envelope{Group: group, DedupID: chat.Hash(prefix, fmt.Sprint(i)), Body: body}
				if err := passOne(b.Context(), q, e); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func passOne(ctx context.Context, q benched, e pipeline.Envelope) error {
	if err := q.Send(ctx, e); err != nil {
		return err
	}
	ds, err := q.Receive(ctx, 1, 20*time.Second, time.Minute)
	if err != nil || len(ds) != 1 {
		return fmt.Errorf("received %d messages: %w", len(ds), err)
	}
	return q.Delete(ctx, ds[0])
}

// naive is the queue one would write first: prepared statements on a pool of one
// connection, which waits for its turn in Go rather than in SQLite.
type naive struct {
	send, dedup, receive, remove *sql.Stmt
	db                           *sql.DB
}

func openNaive(b *testing.B) *naive {
	db, err := sql.Open("sqlite", "file:"+fresh(b)+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE dedup (id TEXT PRIMARY KEY, sent_at INTEGER NOT NULL) WITHOUT ROWID;
		CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, grp TEXT NOT NULL, body BLOB NOT NULL,
			receives INTEGER NOT NULL DEFAULT 0, hidden_until INTEGER NOT NULL DEFAULT 0);
		CREATE INDEX messages_group ON messages (grp, id);`); err != nil {
		b.Fatal(err)
	}
	q := &naive{db: db}
	for query, into := range map[string]**sql.Stmt{
		"INSERT INTO dedup (id, sent_at) VALUES (?, ?) ON CONFLICT DO NOTHING": &q.dedup,
		"INSERT INTO messages (grp, body) VALUES (?, ?)":                       &q.send,
		`UPDATE messages SET receives = receives + 1, hidden_until = ?1 + ?2 WHERE id = (
			SELECT m.id FROM messages m WHERE NOT EXISTS (
				SELECT 1 FROM messages o WHERE o.grp = m.grp AND (o.hidden_until > ?1 OR o.id < m.id))
			ORDER BY m.id LIMIT 1) RETURNING id, grp, body, receives`: &q.receive,
		"DELETE FROM messages WHERE id = ?": &q.remove,
	} {
		if *into, err = db.Prepare(query); err != nil {
			b.Fatal(err)
		}
	}
	return q
}

func (q *naive) Send(ctx context.Context, e pipeline.Envelope) error {
	tx, err := q.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Stmt(q.dedup).Exec(e.DedupID, time.Now().UnixMicro()); err != nil {
		return err
	}
	if _, err := tx.Stmt(q.send).Exec(e.Group, e.Body); err != nil {
		return err
	}
	return tx.Commit()
}

func (q *naive) Receive(ctx context.Context, _ int, _, hidden time.Duration) ([]pipeline.Delivery, error) {
	for {
		var d pipeline.Delivery
		err := q.receive.QueryRowContext(ctx, time.Now().UnixMicro(), hidden.Microseconds()).Scan(&d.ID, &d.Group, &d.Body, &d.Receives)
		if !errors.Is(err, sql.ErrNoRows) { // every group is held by another consumer
			return []pipeline.Delivery{d}, err
		}
	}
}

func (q *naive) Delete(ctx context.Context, d pipeline.Delivery) error {
	_, err := q.remove.ExecContext(ctx, d.ID)
	return err
}

package sqlitestore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/pkg/pipeline"
	"parley/pkg/sqlitestore"
)

// childWork sends, receives, answers and deletes until it is killed. Each line says
// what it was promised or is about to try, before it goes on.
func childWork(ctx context.Context, path string) error {
	s, err := sqlitestore.Open(ctx, path, sqlitestore.Options{Serve: true, MaxReceives: map[string]int{sqlitestore.Requests: 1000}})
	if err != nil {
		return err
	}
	q := s.Queue(sqlitestore.Requests)
	failed := make(chan error)
	for p := range 4 {
		go func() { // a producer, with a conversation of its own
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%04d", os.Getpid(), p, i)
				if err := q.Send(ctx, envelope(fmt.Sprint("group", p), id)); err != nil {
					failed <- err
					return
				}
				fmt.Println("sent", id)
			}
		}()
		go func() { // a consumer
			for {
				if err := childAnswer(ctx, s, q); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

func childAnswer(ctx context.Context, s *sqlitestore.Store, q *sqlitestore.Queue) error {
	ds, err := q.Receive(ctx, 2, time.Minute, time.Minute)
	if err != nil {
		return err
	}
	for _, d := range ds {
		id := string(d.Body)
		fmt.Println("received", id, d.Receives)
		c, err := s.LoadCase(ctx, id)
		if err != nil {
			return err
		}
		turn := pipeline.Turn{TurnKey: pipeline.TurnKey{Conversation: d.Group, SentAt: d.SentAt, MessageID: id}, Answer: "answer"}
		c.Rev++
		if err := s.SwapCase(ctx, c, pipeline.Effects{Put: &turn}); err != nil {
			return err
		}
		fmt.Println("answered", id, c.Rev, d.SentAt.UnixMicro(), d.Group)
		fmt.Println("deleting", id)
		if err := q.Delete(ctx, d); err != nil {
			return err
		}
		fmt.Println("deleted", id)
	}
	return nil
}

// promises is what killed processes have printed.
type promises struct {
	sent, deleting, deleted map[string]bool
	receives                map[string]int
	answered                map[string]answer
}

type answer struct {
	rev int64
	key pipeline.TurnKey
}

func (p *promises) read(t *testing.T, line string) {
	t.Helper()
	f := strings.Fields(line)
	switch f[0] {
	case "sent":
		p.sent[f[1]] = true
	case "deleting":
		p.deleting[f[1]] = true
	case "deleted":
		p.deleted[f[1]] = true
	case "received":
		var n int
		if _, err := fmt.Sscan(f[2], &n); err != nil || n <= p.receives[f[1]] {
			t.Errorf("%s after %d receives (%v)", line, p.receives[f[1]], err)
		}
		p.receives[f[1]] = n
	case "answered":
		var rev, sent int64
		if _, err := fmt.Sscan(f[2], &rev); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(f[3], &sent); err != nil {
			t.Fatal(err)
		}
		p.answered[f[1]] = answer{rev, pipeline.TurnKey{Conversation: f[4], SentAt: time.UnixMicro(sent), MessageID: f[1]}}
	}
}

// TestCrash kills a working process at random moments, again and again on the same
// file, and holds the file to everything the processes were promised.
func TestCrash(t *testing.T) {
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	path := fresh(t)
	p := &promises{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]int{}, map[string]answer{}}
	for range rounds {
		c := startChild(t, "work", path)
		for range 1 + rand.IntN(600) {
			p.read(t, c.line(t))
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		var last string // a line may be cut short by the end
		for c.out.Scan() {
			if last != "" {
				p.read(t, last)
			}
			last = c.out.Text()
		}
		_ = c.Wait()
		p.check(t, path)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d sent, %d deleted, %d answered over %d crashes", len(p.sent), len(p.deleted), len(p.answered), rounds)
}

// check compares the file with the promises.
func (p *promises) check(t *testing.T, path string) {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), path, sqlitestore.Options{Serve: true, MaxReceives: map[string]int{sqlitestore.Requests: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	kept := p.present(t, path)
	for id := range p.sent {
		if !kept[id] && !p.deleting[id] {
			t.Errorf("%s was sent, and is lost", id)
		}
	}
	for id := range p.deleted {
		if kept[id] {
			t.Errorf("%s was deleted, and is back", id)
		}
	}
	p.checkAnswers(t, s)
	// The head of each group comes at once, and remembers its receives.
	for {
		ds, err := s.Queue(sqlitestore.Requests).Receive(t.Context(), 1, 0, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if len(ds) == 0 {
			return
		}
		id := string(ds[0].Body)
		if ds[0].Receives <= p.receives[id] {
			t.Errorf("%s is received for the %d. time, and was before", id, ds[0].Receives)
		}
		p.receives[id] = ds[0].Receives
	}
}

func (p *promises) checkAnswers(t *testing.T, s *sqlitestore.Store) {
	t.Helper()
	for id, a := range p.answered {
		c, err := s.LoadCase(t.Context(), id)
		if err != nil || c.Rev < a.rev {
			t.Errorf("%s has revision %d (%v) after %d was written", id, c.Rev, err, a.rev)
		}
		if _, ok, err := s.Turn(t.Context(), a.key); err != nil || !ok {
			t.Errorf("the turn of %s is lost (%v)", id, err)
		}
	}
}

// present returns the bodies in the file, and checks that SQLite finds it sound.
func (p *promises) present(t *testing.T, path string) map[string]bool {
	t.Helper()
	db := raw(t, path)
	defer db.Close()
	var verdict string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("integrity check: %s, %v", verdict, err)
	}
	rows, err := db.Query("SELECT grp, CAST(body AS TEXT) FROM messages ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	kept := map[string]bool{}
	order := map[string][]string{}
	for rows.Next() {
		var group, id string
		if err := rows.Scan(&group, &id); err != nil {
			t.Fatal(err)
		}
		kept[id] = true
		pid, _, _ := strings.Cut(id, "-")
		order[group+pid] = append(order[group+pid], id)
	}
	for group, ids := range order {
		if !slices.IsSorted(ids) {
			t.Errorf("group %s is out of order: %v", group, ids)
		}
	}
	return kept
}

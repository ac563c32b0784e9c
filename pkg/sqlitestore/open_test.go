package sqlitestore_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/pkg/pipeline"
	"parley/pkg/sqlitestore"
)

// raw opens the file past the store.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func run(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	if _, err := db.Exec(query); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, test := range []struct {
		name  string
		write func(t *testing.T, path string)
		want  string
	}{
		{"a file of a newer version", func(t *testing.T, path string) {
			s := open(t, path, sqlitestore.Options{})
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			run(t, raw(t, path), "PRAGMA user_version = 99")
		}, "the file has version 99, and this Parley knows versions up to 2; use the newer Parley that wrote it"},
		{"somebody else's database", func(t *testing.T, path string) {
			run(t, raw(t, path), "CREATE TABLE theirs (a)")
		}, "this SQLite database is not Parley's"},
		{"a file that is no database", func(t *testing.T, path string) {
			if err := os.WriteFile(path, bytes.Repeat([]byte("dear diary "), 100), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "this is not an SQLite database"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := fresh(t)
			test.write(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, serve := range []bool{false, true} {
				s, err := sqlitestore.Open(t.Context(), path, sqlitestore.Options{Serve: serve})
				if err == nil {
					s.Close()
					t.Fatal("Open accepted it")
				}
				if want := "open " + path + ": " + test.want; err.Error() != want {
					t.Errorf("Open: %v\nwant: %s", err, want)
				}
			}
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(before, after) {
				t.Errorf("the refused file was changed (%v)", err)
			}
		})
	}
}

func TestOpenOptions(t *testing.T) {
	for _, opts := range []sqlitestore.Options{
		{MaxReceives: map[string]int{sqlitestore.Requests: -1}},
		{MaxReceives: map[string]int{"answers": 3}},
		{MemoryDays: -1},
	} {
		if s, err := sqlitestore.Open(t.Context(), fresh(t), opts); err == nil {
			s.Close()
			t.Errorf("Open accepted %+v", opts)
		}
	}
	if _, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "no", "such", "folder"), sqlitestore.Options{}); err == nil {
		t.Error("Open made a folder")
	}
}

// TestOpenPath: a path is a path, whatever is in it.
func TestOpenPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "50% of #1? (数据) & more.db")
	s := open(t, path, sqlitestore.Options{Serve: true})
	if err := s.Queue(sqlitestore.Requests).Send(t.Context(), envelope("g", "1")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), filepath.Base(path)) {
			t.Errorf("the store wrote %s", e.Name())
		}
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v", e.Name(), info.Mode())
		}
	}
}

// TestOpenAtOnce: of processes that open a new file together, each gets a whole one.
func TestOpenAtOnce(t *testing.T) {
	path := fresh(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := sqlitestore.Open(t.Context(), path, sqlitestore.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if err := s.Mark(t.Context(), "c", pipeline.Markers{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestOneServes(t *testing.T) {
	path := fresh(t)
	first := open(t, path, sqlitestore.Options{Serve: true})
	_, err := sqlitestore.Open(t.Context(), path, sqlitestore.Options{Serve: true})
	if !errors.Is(err, sqlitestore.ErrServed) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("a second serving store: %v, want ErrServed in one line", err)
	}
	beside := open(t, path, sqlitestore.Options{})
	if _, err := beside.Queue(sqlitestore.Requests).Receive(t.Context(), 1, 0, time.Minute); !errors.Is(err, sqlitestore.ErrNotServing) {
		t.Errorf("Receive beside the serving store: %v, want ErrNotServing", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path, sqlitestore.Options{Serve: true})
}

func TestClosed(t *testing.T) {
	s := open(t, fresh(t), sqlitestore.Options{Serve: true})
	q := s.Queue(sqlitestore.Requests)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	waiting := make(chan error)
	go func() {
		_, err := q.Receive(ctx, 1, time.Hour, time.Minute)
		waiting <- err
	}()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	if err := <-waiting; !errors.Is(err, sqlitestore.ErrClosed) {
		t.Errorf("Receive across Close: %v, want ErrClosed", err)
	}
	if err := q.Send(ctx, envelope("g", "1")); !errors.Is(err, sqlitestore.ErrClosed) {
		t.Errorf("Send after Close: %v, want ErrClosed", err)
	}
	if _, err := q.Receive(ctx, 1, 0, time.Minute); !errors.Is(err, sqlitestore.ErrClosed) {
		t.Errorf("Receive after Close: %v, want ErrClosed", err)
	}
	if _, err := s.LoadCase(ctx, "m"); err == nil {
		t.Error("LoadCase after Close succeeded")
	}
}

// envelope is a message of a group with its id for a body.
func envelope(group, id string) pipeline.Envelope {
	return pipeline.Envelope{Group: group, DedupID: group + "/" + id, Body: []byte(id)}
}

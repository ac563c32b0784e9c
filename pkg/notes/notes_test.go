package notes_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/notes"
	"parley/pkg/pipeline"
)

// A note replaces the one of its ID, is forgotten, and goes when its time comes.
func TestNotes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "remembered")
	changes := 0
	folder := notes.New(dir, nil)
	now := time.Date(2026, 5, 28, 12, 0, 0, 0, time.UTC)
	read := func() string {
		t.Helper()
		var all strings.Builder
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			all.Write(data)
			changes++
		}
		return all.String()
	}
	for _, text := range []string{"first", "second"} {
		d := pipeline.Document{ID: "../thread:1", Title: "A\ntitle", URL: "https://example.com/p1", Text: text, Expires: now.Add(time.Hour)}
		if err := folder.Ingest(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(); strings.Contains(got, "first") || !strings.Contains(got, "second") || !strings.Contains(got, "url: https://example.com/p1") || changes != 1 {
		t.Errorf("%d files hold %q", changes, got)
	}
	if n, err := folder.Expire(t.Context(), now); n != 0 || err != nil {
		t.Errorf("%d expired early, %v", n, err)
	}
	if n, err := folder.Expire(t.Context(), now.Add(time.Hour)); n != 1 || err != nil || read() != "" {
		t.Errorf("%d expired, %v", n, err)
	}
	if err := folder.Ingest(t.Context(), pipeline.Document{ID: "2", Text: "x"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := folder.Forget(t.Context(), "2"); err != nil || read() != "" {
			t.Errorf("forgotten: %v, %q", err, read())
		}
	}
	if err := folder.Ingest(t.Context(), pipeline.Document{ID: "3"}); !pipeline.Classify(err).Permanent {
		t.Errorf("an empty note: %v", err)
	}
}

// A note goes when its time comes, while others stay; an hour of it is not lost.
func TestWatchExpires(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		folder := notes.New(dir, nil)
		for id, lives := range map[string]time.Duration{"brief": time.Hour, "long": 24 * time.Hour, "ever": 0} {
			d := pipeline.Document{ID: id, Text: id}
			if lives > 0 {
				d.Expires = time.Now().Add(lives)
			}
			if err := folder.Ingest(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go folder.Watch(ctx, time.Minute, slog.New(slog.DiscardHandler))
		for _, step := range []struct {
			after time.Duration
			left  int
		}{{59 * time.Minute, 3}, {2 * time.Minute, 2}, {24 * time.Hour, 1}, {48 * time.Hour, 1}} {
			time.Sleep(step.after)
			synctest.Wait()
			files, err := os.ReadDir(dir)
			if err != nil || len(files) != step.left {
				t.Errorf("%d notes are left, want %d: %v", len(files), step.left, err)
			}
		}
	})
}

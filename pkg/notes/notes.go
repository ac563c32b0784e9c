// Package notes keeps remembered threads as Markdown files in a folder, where a
// local index finds them and people can read, change and delete them.
//
// It is no index and finds nothing itself. A file is whole or not there, also when
// the process is killed. It is safe for concurrent use.
package notes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// Folder implements pipeline.Knowledge.
type Folder struct {
	dir     string
	changed func(ctx context.Context) error
}

var _ pipeline.Knowledge = (*Folder)(nil)

// New keeps notes in dir, which it creates with the first note. changed is called
// after each change, for an index to be refreshed; nil is nobody.
func New(dir string, changed func(ctx context.Context) error) *Folder {
	return &Folder{dir, changed}
}

// Ingest implements pipeline.Knowledge: it writes the note, in place of an earlier
// one of the same ID.
func (f *Folder) Ingest(ctx context.Context, d pipeline.Document) error {
	if d.ID == "" || d.Text == "" {
		return pipeline.Permanent(pipeline.ReasonUnreadable, errors.New("keep a note: it needs an id and a text"))
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return pipeline.Transient(pipeline.ReasonStore, fmt.Errorf("keep a note: %w", err))
	}
	draft, err := os.CreateTemp(f.dir, ".note-*")
	if err == nil {
		_, err = draft.WriteString(render(d))
		err = errors.Join(err, draft.Sync(), draft.Close())
		if err == nil {
			err = os.Rename(draft.Name(), f.path(d.ID))
		}
		if err != nil {
			err = errors.Join(err, os.Remove(draft.Name()))
		}
	}
	if err != nil {
		return pipeline.Transient(pipeline.ReasonStore, fmt.Errorf("keep a note: %w", err))
	}
	return f.tell(ctx)
}

// Forget implements pipeline.Knowledge.
func (f *Folder) Forget(ctx context.Context, id string) error {
	if err := os.Remove(f.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return pipeline.Transient(pipeline.ReasonStore, fmt.Errorf("forget a note: %w", err))
	}
	return f.tell(ctx)
}

// Expire removes the notes whose time has come, and returns how many.
func (f *Folder) Expire(ctx context.Context, now time.Time) (int, error) {
	names, err := filepath.Glob(filepath.Join(f.dir, "*.md"))
	if err != nil {
		return 0, err
	}
	gone := 0
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // removed meanwhile
		}
		if until, ok := expiry(string(text)); ok && !now.Before(until) {
			if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return gone, fmt.Errorf("expire a note: %w", err)
			}
			gone++
		}
	}
	if gone == 0 {
		return 0, nil
	}
	return gone, f.tell(ctx)
}

// Watch removes what has expired every so often, until ctx ends. What fails is logged
// and tried again.
func (f *Folder) Watch(ctx context.Context, every time.Duration, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			switch gone, err := f.Expire(ctx, now); {
			case err != nil && ctx.Err() == nil:
				log.WarnContext(ctx, "expire what was remembered", "err", err)
			case gone > 0:
				log.InfoContext(ctx, "forgot threads whose time had come", "count", gone)
			}
		}
	}
}

func (f *Folder) tell(ctx context.Context) error {
	if f.changed == nil {
		return nil
	}
	return f.changed(ctx)
}

// path is where a note lies: ids are links, so the name is a hash.
func (f *Folder) path(id string) string { return filepath.Join(f.dir, chat.Hash(id)[:32]+".md") }

const expires = "expires: "

func render(d pipeline.Document) string {
	var b strings.Builder
	fmt.Fprintf(&b, "---\ntitle: %q\n", line(d.Title))
	if d.URL != "" {
		fmt.Fprintf(&b, "url: %s\n", line(d.URL))
	}
	if !d.Expires.IsZero() {
		fmt.Fprintf(&b, "%s%s\n", expires, d.Expires.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(&b, "---\n%s\n", strings.TrimSpace(d.Text))
	return b.String()
}

func line(s string) string { return strings.Join(strings.Fields(s), " ") }

func expiry(text string) (time.Time, bool) {
	head, _, ok := strings.Cut(strings.TrimPrefix(text, "---\n"), "\n---\n")
	if !ok {
		return time.Time{}, false
	}
	for l := range strings.Lines(head) {
		if v, ok := strings.CutPrefix(l, expires); ok {
			until, err := time.Parse(time.RFC3339, strings.TrimSpace(v))
			return until, err == nil
		}
	}
	return time.Time{}, false
}

package docindex

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// maxFiles bounds a folder: more is probably not the folder that was meant.
const maxFiles = 20_000

// Problem is a file that could not be read.
type Problem struct {
	Path string
	Why  string
}

// Report is what a refresh did.
type Report struct {
	Files    int // in the folder, of a kind that is read
	Read     int // new or changed
	Removed  int
	Problems []Problem // of all files that are not in the index
}

// Refresh brings the index up to date: it reads new and changed files, and drops
// deleted ones. A file is read again when its time or size changed, or its time is
// so young that another change may share it. Concurrent calls take turns.
func (x *Index) Refresh(ctx context.Context) (Report, error) {
	x.turn.Lock()
	defer x.turn.Unlock()
	known, err := x.known(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("refresh index: %w", err)
	}
	found, err := x.list()
	if err != nil {
		return Report{}, fmt.Errorf("refresh index: %w", err)
	}
	report := Report{Files: len(found)}
	var due []entry
	for _, e := range found {
		if k, ok := known[e.path]; !ok || !k.current(e) {
			due = append(due, e)
		}
	}
	for i, e := range due {
		k := known[e.path]
		read, err := x.readFile(ctx, e, k)
		if err != nil {
			return report, fmt.Errorf("refresh index: %s: %w", e.path, err)
		}
		if read.hash != k.hash {
			report.Read++
		}
		known[e.path] = read
		if x.config.Progress != nil {
			x.config.Progress(i+1, len(due))
		}
	}
	return report, x.settle(ctx, known, found, &report)
}

// settle removes what is gone and collects the problems of what is there.
func (x *Index) settle(ctx context.Context, known map[string]file, found []entry, report *Report) error {
	there := make(map[string]bool, len(found))
	for _, e := range found {
		there[e.path] = true
		if why := known[e.path].problem; why != "" {
			report.Problems = append(report.Problems, Problem{e.path, why})
		}
	}
	for path := range known {
		if there[path] {
			continue
		}
		if _, err := x.db.ExecContext(ctx, "DELETE FROM files WHERE path = ?", path); err != nil {
			return fmt.Errorf("refresh index: remove %s: %w", path, err)
		}
		report.Removed++
	}
	return nil
}

// Watch refreshes the index every so often until ctx ends. A refresh that fails is
// logged and tried again.
func (x *Index) Watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch report, err := x.Refresh(ctx); {
		case err != nil && ctx.Err() == nil:
			x.config.Log.WarnContext(ctx, "documents", "err", err)
		case report.Read+report.Removed > 0:
			x.config.Log.InfoContext(ctx, "documents changed", "read", report.Read, "removed", report.Removed, "files", report.Files)
		}
	}
}

// entry is a file of the folder.
type entry struct {
	path  string
	mtime int64
	size  int64
}

// file is what the index knows of a file.
type file struct {
	entry
	seenAt  int64
	hash    [sha256.Size]byte
	problem string
}

// racy is how close to its reading a file may have changed for its time not to
// tell: clocks of file systems tick slowly.
const racy = int64(2 * time.Second)

func (f file) current(e entry) bool {
	return f.entry == e && f.mtime < f.seenAt-racy
}

func (x *Index) known(ctx context.Context) (map[string]file, error) {
	rows, err := x.db.QueryContext(ctx, "SELECT path, mtime, size, seen_at, hash, problem FROM files")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := make(map[string]file)
	for rows.Next() {
		var f file
		var hash []byte
		if err := rows.Scan(&f.path, &f.mtime, &f.size, &f.seenAt, &hash, &f.problem); err != nil {
			return nil, err
		}
		copy(f.hash[:], hash)
		all[f.path] = f
	}
	return all, rows.Err()
}

// list walks the folder. A part of it that cannot be listed is passed over, the
// folder itself must be there: its files would otherwise be taken for deleted.
func (x *Index) list() ([]entry, error) {
	var all []entry
	err := fs.WalkDir(x.root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch hidden := path != "." && strings.HasPrefix(d.Name(), "."); {
		case err != nil && path == ".":
			return err
		case err != nil:
			x.config.Log.Warn("documents", "path", path, "err", err)
			return nil
		case hidden && d.IsDir():
			return fs.SkipDir
		case hidden || !d.Type().IsRegular() || !readable(path):
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil // deleted in this moment
		}
		if all = append(all, entry{path, info.ModTime().UnixNano(), info.Size()}); len(all) > maxFiles {
			return fmt.Errorf("%s holds more than %d documents; name a smaller folder", x.config.Dir, maxFiles)
		}
		return nil
	})
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	return all, err
}

// readFile puts a file into the index. Its own faults are recorded with it and are
// no error.
func (x *Index) readFile(ctx context.Context, e entry, before file) (file, error) {
	now := file{entry: e, seenAt: time.Now().UnixNano()}
	data, err := x.load(e)
	if err == nil {
		now.hash = sha256.Sum256(data)
		if now.hash == before.hash && before.path != "" {
			now.problem = before.problem
			_, err := x.db.ExecContext(ctx, "UPDATE files SET mtime = ?, size = ?, seen_at = ? WHERE path = ?", e.mtime, e.size, now.seenAt, e.path)
			return now, err
		}
	}
	var d document
	if err == nil {
		d, err = read(e.path, data)
	}
	if err != nil {
		now.problem = err.Error()
		if now.problem != before.problem {
			x.config.Log.WarnContext(ctx, "document left out", "path", e.path, "why", now.problem)
		}
	}
	return now, x.write(ctx, now, d)
}

func (x *Index) load(e entry) ([]byte, error) {
	if e.size > x.config.MaxFile {
		return nil, fmt.Errorf("it has %d bytes and the limit is %d", e.size, x.config.MaxFile)
	}
	f, err := x.root.Open(e.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(io.LimitReader(f, x.config.MaxFile+1)); err != nil {
		return nil, err
	}
	if int64(b.Len()) > x.config.MaxFile {
		return nil, fmt.Errorf("it has more than the limit of %d bytes", x.config.MaxFile)
	}
	return b.Bytes(), nil
}

// write replaces a file's part of the index in one transaction.
func (x *Index) write(ctx context.Context, f file, d document) error {
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if _, err := tx.ExecContext(ctx, "DELETE FROM files WHERE path = ?", f.path); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		f.path, f.mtime, f.size, f.seenAt, f.hash[:], d.title, d.url, f.problem); err != nil {
		return err
	}
	for _, p := range chunk(d) {
		var id int64
		if err := tx.QueryRowContext(ctx, "INSERT INTO parents (path, text, heading) VALUES (?, ?, ?) RETURNING id", f.path, p.text, p.heading).Scan(&id); err != nil {
			return err
		}
		for _, c := range p.children {
			var rowid int64
			if err := tx.QueryRowContext(ctx, "INSERT INTO children (parent, heading, page, text) VALUES (?, ?, ?, ?) RETURNING id", id, c.heading, c.page, c.text).Scan(&rowid); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO terms (rowid, text, headings) VALUES (?, ?, ?)", rowid, words(c.text), words(d.title+" "+c.heading)); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}

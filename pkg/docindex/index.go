package docindex

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // the driver
)

//go:embed schema.sql
var schema string

// form is raised whenever the schema or what is put into it changes. An index of
// another form is thrown away.
const form = 2

// Config says what to index. Dir and File are required.
type Config struct {
	Dir string // the folder of documents
	// File is the index; it is created, readable by its owner alone.
	File string
	// BaseURL is where the folder can be read by people: citations lead to
	// BaseURL/path. Without it their URL is the path alone.
	BaseURL string
	// MaxFile is the size in bytes above which a file is not read; 20 MiB if zero.
	MaxFile int64
	// Progress is told how many of the files to read are done, from the goroutine
	// that refreshes; nil is nobody.
	Progress func(done, total int)
	// Log is told about files that cannot be read; nil discards it.
	Log *slog.Logger
}

// Index is an open index. It is safe for concurrent use.
type Index struct {
	config Config
	root   *os.Root
	db     *sql.DB
	turn   sync.Mutex // held while refreshing
}

// Open opens the index of a folder. It reads no documents; see Refresh. The caller
// closes it.
func Open(ctx context.Context, c Config) (*Index, error) {
	c.MaxFile = cmp.Or(c.MaxFile, 20<<20)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if u, err := url.Parse(c.BaseURL); c.BaseURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return nil, fmt.Errorf("open index: base URL %q is not an http or https URL", c.BaseURL)
	}
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder of documents: %w", err)
	}
	db, err := openFile(ctx, c.File)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open index %s: %w", c.File, err), root.Close())
	}
	return &Index{config: c, root: root, db: db}, nil
}

// Close closes the index. No call may be under way.
func (x *Index) Close() error { return errors.Join(x.db.Close(), x.root.Close()) }

// openFile opens the database at path and makes it one of this form.
func openFile(ctx context.Context, path string) (*sql.DB, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	source, err := sourceName(path)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", source)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	if err := prepare(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func sourceName(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if abs = filepath.ToSlash(abs); !strings.HasPrefix(abs, "/") { // C:/...
		abs = "/" + abs
	}
	query := url.Values{
		"_txlock":       {"immediate"},
		"_busy_timeout": {"5000"},
		"_pragma":       {"journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(ON)", "recursive_triggers(ON)"},
	}
	return (&url.URL{Scheme: "file", Path: abs, RawQuery: query.Encode()}).String(), nil
}

// prepare makes an empty file, or one of another form, an index of this form.
func prepare(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	var have, foreign int
	err = tx.QueryRowContext(ctx, `SELECT (SELECT user_version FROM pragma_user_version),
		(SELECT count(*) FROM sqlite_schema WHERE name IN ('messages', 'turns'))`).Scan(&have, &foreign)
	switch {
	case err != nil:
		return err
	case foreign > 0:
		return errors.New("this is a data file, not an index")
	case have == form:
		return nil
	}
	drop := `DROP TABLE IF EXISTS terms; DROP TABLE IF EXISTS children; DROP TABLE IF EXISTS parents; DROP TABLE IF EXISTS files;`
	for _, text := range []string{drop, schema, fmt.Sprintf("PRAGMA user_version = %d", form)} {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return tx.Commit()
}

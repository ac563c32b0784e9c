package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// busyWait is how long a write waits for another process's transaction. Those take
// milliseconds; a process that stops in the middle of one is broken.
const busyWait = "5000" // ms

// create makes an empty file where there is none. SQLite would create one that
// others can read, and gives its companions (-wal, -shm) the mode of the file.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// source is the data source name of the file at path. PRAGMAs hold for one
// connection, so they belong here, where every connection of a pool gets them.
func source(path string, params url.Values) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	abs = filepath.ToSlash(abs)
	if !strings.HasPrefix(abs, "/") { // C:/...
		abs = "/" + abs
	}
	u := url.URL{Scheme: "file", Path: abs, RawQuery: params.Encode()}
	return u.String(), nil
}

// openWrites opens the one connection that writes.
func openWrites(path string) (*sql.DB, error) {
	return openPool(path, 1, url.Values{
		"_txlock":       {"immediate"},
		"_busy_timeout": {busyWait},
		"_pragma": {
			"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "journal_size_limit(67108864)",
			"fullfsync(ON)", "checkpoint_fullfsync(ON)", // on a Mac a plain sync stops at the drive's cache
		},
	})
}

// openReads opens the connections that read. They can change nothing.
func openReads(ctx context.Context, path string) (*sql.DB, error) {
	db, err := openPool(path, 4, url.Values{
		"mode":          {"ro"},
		"_busy_timeout": {busyWait},
		"_pragma":       {"query_only(ON)"},
	})
	if err != nil {
		return nil, err
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func openPool(path string, size int, params url.Values) (*sql.DB, error) {
	dsn, err := source(path, params)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// settings are what durability rests on. A data source name that is spelled wrong
// is ignored without a word, so they are read back.
var settings = []struct{ pragma, want string }{
	{"journal_mode", "wal"},
	{"synchronous", "2"}, // FULL
	{"busy_timeout", busyWait},
	{"foreign_keys", "1"},
	{"fullfsync", "1"},
}

func checkSettings(ctx context.Context, c *sql.Conn) error {
	for _, s := range settings {
		var got string
		if err := c.QueryRowContext(ctx, "PRAGMA "+s.pragma).Scan(&got); err != nil {
			return fmt.Errorf("read %s: %w", s.pragma, err)
		}
		if got != s.want {
			return fmt.Errorf("%s is %s where %s is needed; is the file on a local disk?", s.pragma, got, s.want)
		}
	}
	return nil
}

// takeRole holds an exclusive transaction on a file beside path for as long as the
// returned pool is open. SQLite's own locks work wherever the store does, and end
// with the process however it ends.
func takeRole(ctx context.Context, path string) (*sql.DB, error) {
	path += "-lock"
	if err := create(path); err != nil {
		return nil, err
	}
	db, err := openPool(path, 1, url.Values{"_busy_timeout": {"0"}, "_pragma": {"journal_mode(MEMORY)"}})
	if err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, "BEGIN EXCLUSIVE"); err != nil {
		if code(err) == lib.SQLITE_BUSY {
			err = ErrServed
		}
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// code is SQLite's primary result code of err, 0 if it is not SQLite's.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

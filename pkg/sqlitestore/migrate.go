package sqlitestore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strconv"

	lib "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// applicationID marks a file as Parley's: "Prly" in ASCII.
const applicationID = 0x50726c79

// migrations are the files' SQL in order: the n-th leads to version n.
var migrations = mustLoadMigrations()

func mustLoadMigrations() []string {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		panic(err)
	}
	out := make([]string, len(names))
	for i, name := range names { // sorted by name
		if n, err := strconv.Atoi(path.Base(name)[:4]); err != nil || n != i+1 {
			panic(fmt.Sprintf("migration %s is out of order", name))
		}
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			panic(err)
		}
		out[i] = string(text)
	}
	return out
}

// inspect fails if the file at path is not for this version of Parley. It touches
// nothing: a file that is somebody else's stays as it is.
func inspect(ctx context.Context, path string) (err error) {
	db, err := openPool(path, 1, url.Values{"mode": {"ro"}, "_busy_timeout": {busyWait}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	_, err = identify(ctx, c)
	return errors.Join(err, c.Close())
}

// migrate brings the file to the newest version, one transaction for each. It looks
// again inside each transaction, because another process may do the same now.
func migrate(ctx context.Context, c *sql.Conn) error {
	for {
		version, err := identify(ctx, c)
		if err != nil {
			return err
		}
		if version == len(migrations) {
			return nil
		}
		if err := migrateOnce(ctx, c); err != nil {
			return fmt.Errorf("migrate from version %d: %w", version, err)
		}
	}
}

// identify returns the file's version, 0 if it is empty.
func identify(ctx context.Context, c *sql.Conn) (int, error) {
	var id, version, tables int
	err := c.QueryRowContext(ctx, "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)").
		Scan(&id, &version, &tables)
	switch {
	case code(err) == lib.SQLITE_NOTADB:
		return 0, errors.New("this is not an SQLite database")
	case err != nil:
		return 0, err
	case id == 0 && version == 0 && tables == 0:
		return 0, nil
	case id != applicationID:
		return 0, errors.New("this SQLite database is not Parley's")
	case version > len(migrations):
		return 0, fmt.Errorf("the file has version %d, and this Parley knows versions up to %d; use the newer Parley that wrote it", version, len(migrations))
	}
	return version, nil
}

func migrateOnce(ctx context.Context, c *sql.Conn) (err error) {
	tx, err := c.BeginTx(ctx, nil) // immediate: see openWrites
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	version, err := identify(ctx, c)
	if err != nil {
		return err
	}
	if version < len(migrations) {
		stamp := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version+1)
		for _, text := range []string{migrations[version], stamp} {
			if _, err := tx.ExecContext(ctx, text); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}

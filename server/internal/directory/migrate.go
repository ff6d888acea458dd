package directory

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// applicationID stands in the header of our files: "RMDU", and nothing that
// file(1) knows.
const applicationID = 0x524D4455

// patience is how long a start waits for other starts.
const patience = 10 * time.Second

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations are the steps of the schema; the n-th leads to user_version n.
func migrations() ([]string, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	steps := make([]string, len(names))
	for i, name := range names {
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		steps[i] = string(text)
	}
	return steps, nil
}

// prepareFile sees to it that the file is ours, has the newest schema and is in
// WAL mode. Any number of processes may do so at once.
func prepareFile(ctx context.Context, path string) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	if err := ensureFile(path); err != nil {
		return err
	}
	if err := probe(ctx, path, len(steps)); err != nil {
		return err
	}
	// The schema comes before WAL mode: so the main file carries our id from
	// its first page on, where probe can see it.
	return onConn(ctx, dsn(path, "mode=rw"), func(c *sql.Conn) error {
		if err := patiently(ctx, func() error { return migrate(ctx, c, steps) }); err != nil {
			return err
		}
		return patiently(ctx, func() error { return walMode(ctx, c) })
	})
}

// probe looks at the header as it lies on the disk: immutable means without a
// lock, a journal's recovery or a file beside it, so that a foreign database
// stays as it is, to the byte. Failures other than a refusal decide nothing
// (another process may be writing); migrate looks again under a lock.
func probe(ctx context.Context, path string, newest int) error {
	err := onConn(ctx, dsn(path, "mode=ro&immutable=1"), func(c *sql.Conn) error {
		_, err := schemaVersion(ctx, c, newest)
		return err
	})
	if err = inOurWords(err); errors.Is(err, ErrForeign) || errors.Is(err, ErrNewer) {
		return err
	}
	return nil
}

// schemaVersion returns the version of our schema, 0 for an empty database, or
// why the file is refused.
func schemaVersion(ctx context.Context, c *sql.Conn, newest int) (int, error) {
	var id, version, objects int
	err := c.QueryRowContext(ctx, `SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`).Scan(&id, &version, &objects)
	switch {
	case err != nil:
		return 0, err
	case id == 0 && version == 0 && objects == 0:
		return 0, nil
	case id != applicationID || version < 1:
		return 0, fmt.Errorf("%w: application_id %#x, user_version %d, %d tables and indexes", ErrForeign, id, version, objects)
	case version > newest:
		return 0, fmt.Errorf("%w: schema %d, this one knows %d", ErrNewer, version, newest)
	}
	return version, nil
}

// inOurWords says ErrForeign where SQLite says that the file is no database.
func inOurWords(err error) error {
	if code(err) == sqlite3.SQLITE_NOTADB {
		return fmt.Errorf("%w: %w", ErrForeign, err)
	}
	return err
}

// migrate checks and changes in one transaction, under the lock that every
// other starter waits for.
func migrate(ctx context.Context, c *sql.Conn, steps []string) (err error) {
	if _, err := c.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return inOurWords(err)
	}
	defer func() {
		if err != nil {
			_, undo := c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			_ = undo // fails where SQLite has rolled back by itself
		}
	}()
	version, err := schemaVersion(ctx, c, len(steps))
	if err != nil {
		return inOurWords(err)
	}
	for _, step := range steps[version:] {
		if _, err := c.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	if version < len(steps) {
		mark := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(steps))
		if _, err := c.ExecContext(ctx, mark); err != nil {
			return err
		}
	}
	_, err = c.ExecContext(ctx, "COMMIT")
	return err
}

// walMode switches to WAL, once for the file.
func walMode(ctx context.Context, c *sql.Conn) error {
	var mode string
	if err := c.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the file system does not allow WAL mode: journal_mode is %s", mode)
	}
	return nil
}

// patiently repeats do while another process is in the way: SQLite answers BUSY
// without waiting if two switch to WAL at once.
func patiently(ctx context.Context, do func() error) error {
	give := time.Now().Add(patience)
	for {
		err := do()
		if c := code(err); (c != sqlite3.SQLITE_BUSY && c != sqlite3.SQLITE_LOCKED) || time.Now().After(give) {
			return err
		}
		select {
		case <-time.After(time.Duration(1+rand.IntN(10)) * time.Millisecond): //nolint:gosec // jitter
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// code is SQLite's primary result code, or 0 if err is not SQLite's.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

package sqlitestore

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

// applicationID stands in the header of our files: "RMDS", and nothing that
// file(1) knows.
const applicationID = 0x524D4453

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

// prepareFile sees to it that the file is ours, has the newest schema, can be
// written and is in WAL mode. Any number of processes may do so at once.
func prepareFile(ctx context.Context, cfg Config) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	// First without writing: a foreign file must stay as it is, to the byte. A
	// failure here decides nothing (a crash may have left a journal
	// that only a writer can roll back); migrate looks again.
	err = onConn(ctx, dsn(cfg.Path, probing(cfg.Path), cfg.BusyTimeout), func(c *sql.Conn) error {
		return probe(ctx, c, len(steps))
	})
	if err := refusal(err); err != nil {
		return err
	}
	return onConn(ctx, dsn(cfg.Path, writing, cfg.BusyTimeout), func(c *sql.Conn) error {
		if err := patiently(ctx, cfg.BusyTimeout, func() error { return migrate(ctx, c, steps) }); err != nil {
			return err
		}
		// SQLite answers BUSY here without waiting if two processes switch at
		// once, hence the patience.
		return patiently(ctx, cfg.BusyTimeout, func() error { return durable(ctx, c) })
	})
}

// probe looks at the file in one transaction. Without it, another process that
// makes the schema between two reads looks like a stranger.
func probe(ctx context.Context, c *sql.Conn, newest int) error {
	if _, err := c.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	_, err := schemaVersion(ctx, c, newest)
	_, undo := c.ExecContext(ctx, "ROLLBACK")
	return errors.Join(err, undo)
}

// onConn opens one connection for do and closes it.
func onConn(ctx context.Context, name string, do func(c *sql.Conn) error) (err error) {
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return do(c)
}

// schemaVersion returns the version of our schema, 0 for an empty database, or
// why the file is refused.
func schemaVersion(ctx context.Context, c *sql.Conn, newest int) (int, error) {
	var id, version, objects int
	if err := c.QueryRowContext(ctx, "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version").Scan(&id, &version); err != nil {
		return 0, err
	}
	if err := c.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&objects); err != nil {
		return 0, err
	}
	switch {
	case id == 0 && version == 0 && objects == 0:
		return 0, nil
	case id != applicationID || version < 1:
		return 0, fmt.Errorf("%w: application_id %#x, user_version %d, %d tables and indexes", ErrForeign, id, version, objects)
	case version > newest:
		return 0, fmt.Errorf("%w: schema %d, this one knows %d", ErrNewer, version, newest)
	}
	return version, nil
}

// refusal returns err if it says that the file is not ours to open.
func refusal(err error) error {
	switch {
	case code(err) == sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", ErrForeign, err)
	case errors.Is(err, ErrForeign), errors.Is(err, ErrNewer):
		return err
	}
	return nil
}

// migrate checks and changes in one transaction, under the lock that every
// other starter waits for. It writes even if there is nothing to do, so that a
// file that cannot be written is noticed now.
func migrate(ctx context.Context, c *sql.Conn, steps []string) (err error) {
	if _, err := c.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return refusalOr(err)
	}
	defer func() {
		if err != nil {
			_, undo := c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			_ = undo // fails where SQLite has rolled back by itself
		}
	}()
	version, err := schemaVersion(ctx, c, len(steps))
	if err != nil {
		return refusalOr(err)
	}
	for _, step := range steps[version:] {
		if _, err := c.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	mark := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(steps))
	if _, err := c.ExecContext(ctx, mark); err != nil {
		return err
	}
	_, err = c.ExecContext(ctx, "COMMIT")
	return err
}

// refusalOr puts a refusal in our words and leaves other errors alone.
func refusalOr(err error) error {
	if r := refusal(err); r != nil {
		return r
	}
	return err
}

// durable switches to WAL, once for the file, and checks that what is
// acknowledged will be synced.
func durable(ctx context.Context, c *sql.Conn) error {
	var mode string
	if err := c.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return err
	}
	var synchronous int
	if err := c.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&synchronous); err != nil {
		return err
	}
	if mode != "wal" || synchronous < 2 {
		return fmt.Errorf("not durable: journal_mode is %s, synchronous is %d", mode, synchronous)
	}
	return nil
}

// patiently repeats do while another process is in the way, for as long as a
// write would wait and at least long enough for a crowd to start.
func patiently(ctx context.Context, busy time.Duration, do func() error) error {
	give := time.Now().Add(max(busy, time.Second))
	for {
		err := do()
		if !isBusy(err) || time.Now().After(give) {
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

func isBusy(err error) bool {
	c := code(err)
	return c == sqlite3.SQLITE_BUSY || c == sqlite3.SQLITE_LOCKED
}

package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/remuda-go/remuda/store"
	_ "modernc.org/sqlite" // the database/sql driver "sqlite"
)

const (
	defaultBusy    = 5 * time.Second
	defaultReaders = 4
)

// The reasons for which Open refuses a file, wrapped. The file is left as it
// was.
var (
	// ErrForeign says that what is at the path was not made by this package: a
	// directory, a file of another kind, another program's database.
	ErrForeign = errors.New("not a Remuda session database")
	// ErrNewer says that a newer version of this package has changed the
	// schema.
	ErrNewer = errors.New("the session database was made by a newer version of Remuda")
)

var (
	_ store.Store = (*Store)(nil)
	_ store.Items = (*Store)(nil)
	_ store.Log   = (*Store)(nil)

	_ store.Eraser = (*Store)(nil)
)

// Config says which file to use, and how. The zero value of every field but
// Path is the default.
type Config struct {
	// Path of the database file; required. The file is made if it is missing,
	// with mode 0600, its directory is not. SQLite keeps two more files beside
	// it, named with -wal and -shm: the three belong together.
	Path string
	// BusyTimeout is how long a write waits for another process to finish its
	// own before it fails; 0 means five seconds.
	BusyTimeout time.Duration
	// Readers is the number of connections that read; 0 means four.
	Readers int
	// PollOnly makes those who follow the log look every 10 ms whether there is
	// news, instead of being told by the system that somebody writes, which costs
	// less. It is for tests in a bubble of testing/synctest, whose clock stands
	// while a goroutine waits for the system.
	PollOnly bool
}

// Store is a [store.Store], [store.Items] and [store.Log] in a SQLite file. Make
// one with [Open]. It is safe for concurrent use, beside other processes that have the
// same file open, and must not be copied.
//
// A full disk, a file locked for longer than the busy timeout and an I/O error
// are returned as plain errors; the store works again once the cause is gone.
// The call that meets one may find the change made afterwards only where the
// commit itself failed. Once the file is deleted, or another is put in its place,
// every call fails until the store is opened anew.
type Store struct {
	path      string
	file      os.FileInfo
	readers   *sql.DB
	writes    *sql.DB
	query     queries
	writer    *writer
	following *followers
	close     func() error
}

// Open opens the file, makes it if it is missing, and brings its schema up to
// date, which any number of processes may do at once. It fails on a file that
// it cannot write, and refuses with [ErrForeign] or [ErrNewer] what it does not
// know. ctx bounds the opening only. The caller closes the store.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s, err := open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: open %q: %w", cfg.Path, err)
	}
	return s, nil
}

func open(ctx context.Context, cfg Config) (_ *Store, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	file, err := ensureFile(cfg.Path)
	if err != nil {
		return nil, err
	}
	if err := prepareFile(ctx, cfg); err != nil {
		return nil, err
	}
	s := &Store{path: cfg.Path, file: file}
	s.close = sync.OnceValue(s.release)
	defer func() {
		if err != nil {
			_ = s.close()
		}
	}()
	if s.writes, err = sql.Open("sqlite", dsn(cfg.Path, writing, cfg.BusyTimeout)); err != nil {
		return nil, err
	}
	if s.writer, err = startWriter(ctx, s.writes); err != nil {
		return nil, err
	}
	if s.readers, err = sql.Open("sqlite", dsn(cfg.Path, reading, cfg.BusyTimeout)); err != nil {
		return nil, err
	}
	s.readers.SetMaxOpenConns(cfg.Readers)
	s.readers.SetMaxIdleConns(cfg.Readers)
	// A follower must be heard of every heartbeat, so it never waits longer.
	if s.following, err = newFollowers(dsn(cfg.Path, reading, min(cfg.BusyTimeout, store.Heartbeat/2)), cfg); err != nil {
		return nil, err
	}
	return s, s.query.prepare(ctx, s.readers)
}

func (c Config) withDefaults() (Config, error) {
	if c.Path == "" {
		return c, errors.New("no path")
	}
	if c.BusyTimeout < 0 || c.Readers < 0 {
		return c, errors.New("BusyTimeout and Readers must not be negative")
	}
	if c.BusyTimeout == 0 {
		c.BusyTimeout = defaultBusy
	}
	if c.Readers == 0 {
		c.Readers = defaultReaders
	}
	var err error
	c.Path, err = filepath.Abs(c.Path) // later changes of directory do not matter
	return c, err
}

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) error {
	var found bool
	if err := s.current(s.query.ping.QueryRowContext(ctx).Scan(&found)); err != nil {
		return failed(ctx, "ping", err)
	}
	return nil
}

// inPlace returns an error unless the file is still at its path.
func (s *Store) inPlace() error {
	now, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	if !os.SameFile(s.file, now) {
		return errors.New("the file was replaced after it was opened")
	}
	return nil
}

// Close implements [store.Store]. It lets the transaction that runs finish,
// fails the writes that wait and those who follow the log, and returns when all
// connections are closed. Closing again does nothing and returns what the first Close did.
func (s *Store) Close() error { return s.close() }

// release closes the writing connection last, since the last one to leave
// folds the WAL into the file.
func (s *Store) release() error {
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.following != nil {
		errs = append(errs, s.following.close())
	}
	if s.writer != nil {
		s.writer.stop()
	}
	if s.writes != nil {
		errs = append(errs, s.writes.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sqlitestore: close: %w", err)
	}
	return nil
}

// failed wraps an error of the database. If the context has ended, that is the
// reason, however the driver puts it.
func failed(ctx context.Context, what string, err error) error {
	if ended := ctx.Err(); ended != nil {
		err = ended
	}
	return fmt.Errorf("sqlitestore: %s: %w", what, err)
}

package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/remuda-go/remuda/store"
)

// followers are those who follow the log through one [Store].
type followers struct {
	db    *sql.DB // keeps no connection of its own
	watch *watch

	mu      sync.Mutex
	closed  bool
	all     map[*follower]struct{}
	changed chan struct{} // closed at the next append
}

func newFollowers(name string, cfg Config) (*followers, error) {
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	db.SetMaxIdleConns(-1)
	fs := &followers{db: db, all: map[*follower]struct{}{}, changed: make(chan struct{})}
	fs.watch = startWatch(cfg, fs.announce)
	return fs, nil
}

// news returns what is closed at the next append to this store, or when somebody
// begins to write to the file.
func (fs *followers) news() <-chan struct{} {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.changed
}

// announce wakes all followers.
func (fs *followers) announce() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	close(fs.changed)
	fs.changed = make(chan struct{})
}

// open returns a follower that stands behind the entry with the number at.
func (fs *followers) open(ctx context.Context, at int64) (*follower, error) {
	f := &follower{at: at, more: true, leave: fs.leave}
	if err := f.connect(ctx, fs.db); err != nil {
		return nil, err
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.closed {
		return nil, errors.Join(errClosed, f.disconnect())
	}
	fs.all[f] = struct{}{}
	return f, nil
}

func (fs *followers) leave(f *follower) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.all, f)
}

// close fails all followers. It waits for their queries, not for what their
// callers do with the answers: one of them may be the caller.
func (fs *followers) close() error {
	fs.watch.close()
	fs.announce()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.closed = true
	var errs []error
	for f := range fs.all {
		errs = append(errs, f.disconnect())
	}
	return errors.Join(append(errs, fs.db.Close())...)
}

// follower reads the log, on a connection of its own.
type follower struct {
	leave func(f *follower)
	at    int64 // the number of the last entry that was read
	seen  int64 // the data version when the log was last read
	more  bool  // there may be entries that were not read then

	mu      sync.Mutex // held while the connection is used
	conn    *sql.Conn  // nil once it is closed
	changes *sql.Stmt
	newest  *sql.Stmt
	entries *sql.Stmt
}

// connect opens the connection.
func (f *follower) connect(ctx context.Context, db *sql.DB) (err error) {
	if f.conn, err = db.Conn(ctx); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.disconnect())
		}
	}()
	err = prepareAll(ctx, f.conn, map[**sql.Stmt]string{&f.changes: changesSQL, &f.newest: newestSQL, &f.entries: followSQL})
	if err != nil {
		return err
	}
	return f.check(ctx)
}

// check fails if the place lies ahead of the log: it is one of another file, or of
// this one before an older copy was put back.
func (f *follower) check(ctx context.Context) error {
	var newest int64
	if err := f.newest.QueryRowContext(ctx).Scan(&newest); err != nil {
		return err
	}
	if f.at > newest {
		return fmt.Errorf("%w: the cursor %d lies ahead of the log, which ends at %d", store.ErrCursor, f.at, newest)
	}
	return nil
}

// disconnect closes the connection, once the query that runs is over. Its
// statements go first, as in discard.
func (f *follower) disconnect() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conn == nil {
		return nil
	}
	var errs []error
	for _, stmt := range []*sql.Stmt{f.changes, f.newest, f.entries} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	errs = append(errs, f.conn.Close())
	f.conn = nil
	return errors.Join(errs...)
}

func (f *follower) close() {
	f.leave(f)
	_ = f.disconnect() // it has only read
}

// next returns the entries that come next, at most a page of them; none, without
// looking, if nobody has committed since it last found no more.
func (f *follower) next(ctx context.Context) ([]store.Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conn == nil {
		return nil, errClosed
	}
	var version int64 // asked first: a commit before the reading shows in both, or later in this
	if err := f.changes.QueryRowContext(ctx).Scan(&version); err != nil {
		return nil, err
	}
	if version == f.seen && !f.more {
		return nil, nil
	}
	if err := f.check(ctx); err != nil {
		return nil, err
	}
	page, err := f.read(ctx)
	if err != nil {
		return nil, err
	}
	f.seen, f.more = version, len(page) == logPage
	return page, nil
}

func (f *follower) read(ctx context.Context) (page []store.Entry, err error) {
	rows, err := f.entries.QueryContext(ctx, f.at, logPage)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	at := f.at
	for rows.Next() {
		var e store.Entry
		if at, e, err = scanEntry(rows); err != nil {
			return nil, err
		}
		page = append(page, e)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	f.at = at
	return page, nil
}

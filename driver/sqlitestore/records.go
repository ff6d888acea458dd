package sqlitestore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/remuda-go/remuda/store"
)

// pageSize is how many records List reads at a time.
const pageSize = 64

// Create implements [store.Store].
func (s *Store) Create(ctx context.Context, r store.Record) error {
	values := columns(r)
	return s.write(ctx, "create session", func(ctx context.Context, c *writeConn) error {
		n, err := affected(c.create.ExecContext(ctx, values...))
		if err == nil && n == 0 {
			return store.ErrExists
		}
		return err
	})
}

// Get implements [store.Store].
func (s *Store) Get(ctx context.Context, id store.ID) (store.Record, error) {
	r, err := scanRecord(s.query.get.QueryRowContext(ctx, id[:]))
	switch err = s.current(err); {
	case errors.Is(err, sql.ErrNoRows):
		return store.Record{}, fmt.Errorf("sqlitestore: get session: %w", store.ErrNotFound)
	case err != nil:
		return store.Record{}, failed(ctx, "get session", err)
	}
	return r, nil
}

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, r store.Record, was store.Version) error {
	if r.Version == was {
		return errors.New("sqlitestore: update session: the new version is the old one")
	}
	values := append(columns(r), was[:])
	return s.write(ctx, "update session", func(ctx context.Context, c *writeConn) error {
		n, err := affected(c.update.ExecContext(ctx, values...))
		if err != nil || n > 0 {
			return err
		}
		return verdict(c.exists.QueryRowContext(ctx, r.ID[:]))
	})
}

// List implements [store.Store].
func (s *Store) List(ctx context.Context, o store.Owner, after store.ID) iter.Seq2[store.Record, error] {
	return s.pages(ctx, "list sessions", after, func(from store.ID) (*sql.Rows, error) {
		return s.query.list.QueryContext(ctx, o.Tenant, o.Subject, from[:], pageSize)
	})
}

// Scan implements [store.Store].
func (s *Store) Scan(ctx context.Context, after store.ID) iter.Seq2[store.Record, error] {
	return s.pages(ctx, "scan sessions", after, func(from store.ID) (*sql.Rows, error) {
		return s.query.scan.QueryContext(ctx, from[:], pageSize)
	})
}

// pages yields records page by page; query asks for those after an id.
func (s *Store) pages(ctx context.Context, what string, after store.ID, query func(from store.ID) (*sql.Rows, error)) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		from := after
		for {
			page, err := readPage(ctx, func() (*sql.Rows, error) { return query(from) })
			if err = s.current(err); err != nil {
				yield(store.Record{}, failed(ctx, what, err))
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			from = page[len(page)-1].ID
		}
	}
}

// readPage reads all rows of a query, and gives the connection back before
// anyone looks at them.
func readPage(ctx context.Context, query func() (*sql.Rows, error)) (page []store.Record, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rows, err := query()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		r, err := scanRecord(rows)
		if err != nil {
			return nil, err
		}
		page = append(page, r)
	}
	return page, rows.Err()
}

// Touch implements [store.Store].
func (s *Store) Touch(ctx context.Context, batch []store.Touch) error {
	if len(batch) == 0 {
		return s.alive(ctx, "touch sessions")
	}
	batch = slices.Clone(batch)
	return s.write(ctx, "touch sessions", func(ctx context.Context, c *writeConn) error {
		for _, t := range batch {
			_, err := c.touch.ExecContext(ctx, t.ID[:], t.Gen, micros(t.At), micros(t.IdleExpires), t.Version[:])
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Sweep implements [store.Store].
func (s *Store) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.remove(ctx, "sweep", limit, func(ctx context.Context, c *writeConn) (int64, error) {
		n, err := affected(c.sweep.ExecContext(ctx, micros(before), limit))
		if err != nil {
			return 0, err
		}
		_, err = c.sweepItems.ExecContext(ctx, micros(before), limit)
		return n, err
	})
}

// Erase implements [store.Eraser]. What is removed is overwritten in the file; then
// the WAL, which has it still, is folded into the file and cut. It fails where
// another process reads an old state for longer than the busy timeout.
func (s *Store) Erase(ctx context.Context, o store.Owner) (int, error) {
	n, err := s.remove(ctx, "erase", 1, func(ctx context.Context, c *writeConn) (int64, error) {
		return affected(c.erase.ExecContext(ctx, o.Tenant, o.Subject))
	})
	if err != nil {
		return 0, err
	}
	var busy, pages, done int
	err = s.writes.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &done)
	if err == nil && busy != 0 {
		err = errors.New("somebody reads the file: the WAL could not be cut")
	}
	if err != nil {
		return n, failed(ctx, "erase", err)
	}
	return n, nil
}

// remove hands a change that removes at most limit rows to the writer, and
// returns how many they were.
func (s *Store) remove(ctx context.Context, what string, limit int, do func(ctx context.Context, c *writeConn) (int64, error)) (int, error) {
	if limit <= 0 {
		return 0, s.alive(ctx, what) // SQLite takes a negative limit for none
	}
	removed := make(chan int64, 2) // not a variable: the caller may leave first
	err := s.write(ctx, what, func(ctx context.Context, c *writeConn) error {
		n, err := do(ctx, c)
		if err == nil {
			removed <- n
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	n := <-removed
	for len(removed) > 0 { // a second run, of which the first was undone
		n = <-removed
	}
	return int(n), nil
}

// write hands a change to the writer and names what failed.
func (s *Store) write(ctx context.Context, what string, do func(ctx context.Context, c *writeConn) error) error {
	if err := s.current(s.writer.write(ctx, do)); err != nil {
		return fmt.Errorf("sqlitestore: %s: %w", what, err)
	}
	return nil
}

// current returns why the outcome of a call is not to be believed: err, or before it
// that the file is no longer at the path. What was read may have ended since, and
// what was written nobody finds.
func (s *Store) current(err error) error {
	if lost := s.inPlace(); lost != nil {
		return lost
	}
	return err
}

// alive is the answer of a call that has nothing to do.
func (s *Store) alive(ctx context.Context, what string) error {
	return s.write(ctx, what, func(context.Context, *writeConn) error { return nil })
}

// verdict says why a conditional statement has changed nothing, from within the
// same transaction.
func verdict(row *sql.Row) error {
	var exists bool
	if err := row.Scan(&exists); err != nil {
		return err
	}
	if exists {
		return store.ErrConflict
	}
	return store.ErrNotFound
}

// columns are the values of recordColumns, in that order, as the database keeps
// them. They share nothing with r that its owner might change.
func columns(r store.Record) []any {
	return []any{
		bytes.Clone(r.ID[:]), r.Tenant, r.Subject, r.Profile, r.Gen, r.GenSeen, micros(r.WindowAt), micros(r.LastSeen),
		micros(r.IdleExpires), micros(r.Expires), micros(r.EndedAt), r.EndReason, bytes.Clone(r.Version[:]), owned(r.Blob),
	}
}

type scanner interface{ Scan(dest ...any) error }

func scanRecord(row scanner) (r store.Record, err error) {
	var id, version []byte
	var windowAt, lastSeen, idleExpires, expires, endedAt int64
	err = row.Scan(&id, &r.Tenant, &r.Subject, &r.Profile, &r.Gen, &r.GenSeen, &windowAt, &lastSeen,
		&idleExpires, &expires, &endedAt, &r.EndReason, &version, &r.Blob)
	if err != nil {
		return store.Record{}, err
	}
	if len(id) != len(r.ID) || len(version) != len(r.Version) {
		return store.Record{}, errors.New("a row has an id or a version of another size")
	}
	copy(r.ID[:], id)
	copy(r.Version[:], version)
	r.WindowAt, r.LastSeen = instant(windowAt), instant(lastSeen)
	r.IdleExpires, r.Expires, r.EndedAt = instant(idleExpires), instant(expires), instant(endedAt)
	return r, nil
}

// affected is the number of rows that a statement has changed.
func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// owned is a copy that is never nil, since nil would be NULL.
func owned(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }

// micros is an instant as the database keeps it.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant undoes micros.
func instant(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

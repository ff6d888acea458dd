package sqlitestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/remuda-go/remuda/store"
)

const (
	// quietFor is how long a follower that finds nothing says nothing.
	quietFor = 5*pollEvery - pollEvery/2
	// logPage is how many entries a follower reads at a time.
	logPage = 1000
)

// Append implements [store.Log].
func (s *Store) Append(ctx context.Context, entries ...store.Entry) error {
	rows := make([]logRow, len(entries))
	for i := range entries {
		if err := entries[i].Check(); err != nil {
			return fmt.Errorf("sqlitestore: append: %w", err)
		}
		rows[i] = newLogRow(entries[i])
	}
	err := s.write(ctx, "append", func(ctx context.Context, c *writeConn) error {
		for _, row := range rows {
			if err := appendRow(ctx, c, row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.following.announce()
	return nil
}

// appendRow adds one entry and, if it settles others, shortens their lives.
func appendRow(ctx context.Context, c *writeConn, row logRow) error {
	for id := range slices.Chunk(row.settles, len(store.ID{})) {
		if _, err := c.settle.ExecContext(ctx, id, row.until); err != nil {
			return err
		}
	}
	_, err := c.append.ExecContext(ctx, row.values...)
	return err
}

// Truncate implements [store.Log].
func (s *Store) Truncate(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.remove(ctx, "truncate", limit, func(ctx context.Context, c *writeConn) (int64, error) {
		return affected(c.truncate.ExecContext(ctx, micros(before), limit))
	})
}

// Follow implements [store.Log]. It asks PRAGMA data_version, which notices every
// commit to the file by any process, on a connection of its own (it compares what
// that connection has seen), and reads when the answer changes. How often it asks
// depends on whether somebody writes (see watch); an append to this Store wakes it
// at once.
//
// The entries are in order of their numbers, and that is the order of the
// commits: a number is given within the transaction that took the write lock
// with BEGIN IMMEDIATE, so that by the time the next one is given the last is
// visible or undone. Nobody can commit a number lower than one that was read, so
// whoever reads on from the highest misses nothing.
//
// A mark is given only while the file is at its path; else another process may
// already append to another file.
func (s *Store) Follow(ctx context.Context, after store.Cursor, now func() time.Time) iter.Seq2[store.Batch, error] {
	return func(yield func(store.Batch, error) bool) {
		if err := s.follow(ctx, after, now, func(b store.Batch) bool { return yield(b, nil) }); err != nil {
			yield(store.Batch{}, failed(ctx, "follow", err))
		}
	}
}

// follow yields until it is told to stop, then it returns nil, or until it
// fails.
func (s *Store) follow(ctx context.Context, after store.Cursor, now func() time.Time, yield func(store.Batch) bool) error {
	at, err := parseCursor(after)
	if err != nil {
		return err
	}
	f, err := s.following.open(ctx, at)
	if err != nil {
		return err
	}
	defer f.close()
	sleep := time.NewTimer(0)
	defer sleep.Stop()
	woken := true
	// Without an end to watch for, database/sql starts no goroutine a query.
	unending := context.WithoutCancel(ctx)
	var marked, said time.Time
	for ctx.Err() == nil {
		news := s.following.news() // before reading: an append from here on shows
		asOf := now()
		entries, err := f.next(unending)
		if err != nil {
			return err
		}
		if len(entries) > 0 && !woken {
			s.following.watch.found()
		}
		if len(entries) > 0 || time.Since(said) >= quietFor {
			b := store.Batch{Entries: entries, Next: store.Cursor(strconv.FormatInt(f.at, 10))}
			if err := s.inPlace(); err != nil {
				return err
			}
			if !f.more && !asOf.Before(marked) { // a clock that was set back says nothing until it has caught up
				b.AsOf, marked = asOf, asOf
			}
			if !yield(b) {
				return nil
			}
			said = time.Now()
		}
		if f.more {
			continue
		}
		sleep.Reset(s.following.watch.every())
		select {
		case <-news:
			woken = true
		case <-sleep.C:
			woken = false
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// parseCursor reads what Follow has written, and nothing else.
func parseCursor(c store.Cursor) (int64, error) {
	if c == "" {
		return 0, nil
	}
	at, err := strconv.ParseInt(string(c), 10, 64)
	if err != nil || at < 0 || strconv.FormatInt(at, 10) != string(c) {
		return 0, fmt.Errorf("%w: %q", store.ErrCursor, string(c))
	}
	return at, nil
}

// logRow is an entry on its way into the file.
type logRow struct {
	values  []any  // in the order of logColumns
	settles []byte // the ids that it settles, one after the other
	until   int64
}

func newLogRow(e store.Entry) logRow {
	row := logRow{until: micros(e.Until)}
	if e.Scope == store.ScopeSettled {
		row.settles = []byte(e.Target)
	}
	row.values = []any{
		bytes.Clone(e.ID[:]), uint8(e.Scope), []byte(e.Target), e.Tenant, micros(e.From), micros(e.Before),
		bytes.Clone(e.Except[:]), row.until, micros(e.At), e.Reason,
	}
	return row
}

// scanEntry reads a row of followSQL; its first column is the number.
func scanEntry(row scanner) (seq int64, e store.Entry, err error) {
	var id, target, except []byte
	var from, before, until, at int64
	if err := row.Scan(&seq, &id, &e.Scope, &target, &e.Tenant, &from, &before, &except, &until, &at, &e.Reason); err != nil {
		return 0, store.Entry{}, err
	}
	if len(id) != len(e.ID) || len(except) != len(e.Except) {
		return 0, store.Entry{}, errors.New("a row of the log has an id of another size")
	}
	e.ID, e.Except, e.Target = store.ID(id), store.ID(except), string(target)
	e.From, e.Before, e.Until, e.At = instant(from), instant(before), instant(until), instant(at)
	return seq, e, nil
}

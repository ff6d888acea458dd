package memstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/remuda-go/remuda/store"
)

// pageSize is how many records [Store.List] copies under one hold of the lock.
const pageSize = 64

var (
	_ store.Store = (*Store)(nil)
	_ store.Items = (*Store)(nil)
	_ store.Log   = (*Store)(nil)
)

// errClosed is what every call after Close returns.
var errClosed = errors.New("memstore: closed")

// Store is a [store.Store], [store.Items] and [store.Log] in memory. Make one with [New]; it
// is safe for concurrent use and must not be copied.
type Store struct {
	mu      sync.RWMutex
	closed  bool
	records map[store.ID]store.Record
	owners  map[store.Owner]map[store.ID]struct{}
	items   map[itemKey]store.Item
	log     revocations
}

// New returns an empty store. Close it to make later calls fail; there is
// nothing to release.
func New() *Store {
	return &Store{
		records: make(map[store.ID]store.Record),
		owners:  make(map[store.Owner]map[store.ID]struct{}),
		items:   make(map[itemKey]store.Item),
		log:     newRevocations(),
	}
}

// Create implements [store.Store].
func (s *Store) Create(ctx context.Context, r store.Record) error {
	return s.write(ctx, func() error {
		if _, taken := s.records[r.ID]; taken {
			return fmt.Errorf("memstore: create %v: %w", r.ID, store.ErrExists)
		}
		s.put(kept(r))
		return nil
	})
}

// Get implements [store.Store].
func (s *Store) Get(ctx context.Context, id store.ID) (store.Record, error) {
	var r store.Record
	err := s.read(ctx, func() error {
		found, ok := s.records[id]
		if !ok {
			return fmt.Errorf("memstore: get %v: %w", id, store.ErrNotFound)
		}
		r = copied(found)
		return nil
	})
	return r, err
}

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, r store.Record, was store.Version) error {
	if r.Version == was {
		return errors.New("memstore: update: the new version is the old one")
	}
	return s.write(ctx, func() error {
		old, ok := s.records[r.ID]
		switch {
		case !ok:
			return fmt.Errorf("memstore: update %v: %w", r.ID, store.ErrNotFound)
		case old.Version != was || old.Ended():
			return fmt.Errorf("memstore: update %v: %w", r.ID, store.ErrConflict)
		}
		s.remove(old)
		s.put(kept(r))
		return nil
	})
}

// List implements [store.Store].
func (s *Store) List(ctx context.Context, o store.Owner, after store.ID) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		from := after
		for {
			page, err := s.page(ctx, o, from)
			if err != nil {
				yield(store.Record{}, err)
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

// Scan implements [store.Store]. It notes the ids once and copies the records
// page by page.
func (s *Store) Scan(ctx context.Context, after store.ID) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		var ids []store.ID
		err := s.read(ctx, func() error {
			for id := range s.records {
				if compareIDs(id, after) > 0 {
					ids = append(ids, id)
				}
			}
			return nil
		})
		slices.SortFunc(ids, compareIDs)
		for part := range slices.Chunk(ids, pageSize) {
			var page []store.Record
			if err == nil {
				page, err = s.copies(ctx, part)
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
		}
		if err != nil {
			yield(store.Record{}, err)
		}
	}
}

// copies returns those of the records that are still there.
func (s *Store) copies(ctx context.Context, ids []store.ID) ([]store.Record, error) {
	var page []store.Record
	err := s.read(ctx, func() error {
		for _, id := range ids {
			if r, ok := s.records[id]; ok {
				page = append(page, copied(r))
			}
		}
		return nil
	})
	return page, err
}

// page copies the owner's next records after an id, in order.
func (s *Store) page(ctx context.Context, o store.Owner, after store.ID) ([]store.Record, error) {
	var page []store.Record
	err := s.read(ctx, func() error {
		ids := make([]store.ID, 0, len(s.owners[o]))
		for id := range s.owners[o] {
			if compareIDs(id, after) > 0 {
				ids = append(ids, id)
			}
		}
		slices.SortFunc(ids, compareIDs)
		for _, id := range ids[:min(len(ids), pageSize)] {
			page = append(page, copied(s.records[id]))
		}
		return nil
	})
	return page, err
}

// Touch implements [store.Store]. The whole batch is one step here.
func (s *Store) Touch(ctx context.Context, batch []store.Touch) error {
	return s.write(ctx, func() error {
		for _, t := range batch {
			if r, ok := s.records[t.ID]; ok && touch(&r, t) {
				s.records[r.ID] = r // the owner is the same
			}
		}
		return nil
	})
}

// touch applies t to r and reports whether anything changed.
func touch(r *store.Record, t store.Touch) bool {
	at, idle := micro(t.At), micro(t.IdleExpires)
	if r.Ended() || !at.Before(r.IdleExpires) || !at.Before(r.Expires) {
		return false
	}
	changed := false
	if t.Gen != 0 && t.Gen == r.Gen && !r.GenSeen {
		r.GenSeen, r.WindowAt, changed = true, later(r.WindowAt, at), true
	}
	if !idle.IsZero() {
		seen, deadline := later(r.LastSeen, at), later(r.IdleExpires, earlier(idle, r.Expires))
		changed = changed || !seen.Equal(r.LastSeen) || !deadline.Equal(r.IdleExpires)
		r.LastSeen, r.IdleExpires = seen, deadline
	}
	if changed {
		r.Version = t.Version
	}
	return changed
}

// Sweep implements [store.Store]. It looks at every record under the lock, in
// no order, until it has found limit of them.
func (s *Store) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	n, before := 0, micro(before)
	err := s.write(ctx, func() error {
		for _, r := range s.records {
			if n >= limit {
				break
			}
			if due(r).Before(before) {
				s.remove(r)
				n++
			}
		}
		s.sweepItems(before, limit)
		return nil
	})
	return n, err
}

// Erase implements [store.Eraser].
func (s *Store) Erase(ctx context.Context, o store.Owner) (int, error) {
	n := 0
	err := s.write(ctx, func() error {
		for _, r := range s.records {
			if r.Subject == o.Subject && r.Tenant == o.Tenant && r.Ended() {
				s.remove(r)
				n++
			}
		}
		return nil
	})
	return n, err
}

// due is the instant from which a record's retention counts.
func due(r store.Record) time.Time {
	if r.Ended() {
		return r.EndedAt
	}
	return earlier(r.Expires, r.IdleExpires)
}

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) error {
	return s.read(ctx, func() error { return nil })
}

// Close implements [store.Store]. It drops what the store holds, and followers
// of the log fail; closing again does nothing and returns nil.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.log.announce()
	s.closed, s.records, s.owners, s.items, s.log = true, nil, nil, nil, revocations{}
	return nil
}

// write runs do alone, unless the context or the store has ended.
func (s *Store) write(ctx context.Context, do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unlessOver(ctx, do)
}

// read runs do beside other readers, unless the context or the store has ended.
func (s *Store) read(ctx context.Context, do func() error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.unlessOver(ctx, do)
}

func (s *Store) unlessOver(ctx context.Context, do func() error) error {
	if s.closed {
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memstore: %w", err)
	}
	return do()
}

// put files a record under its id and its owner.
func (s *Store) put(r store.Record) {
	s.records[r.ID] = r
	o := store.Owner{Tenant: r.Tenant, Subject: r.Subject}
	if s.owners[o] == nil {
		s.owners[o] = make(map[store.ID]struct{})
	}
	s.owners[o][r.ID] = struct{}{}
}

// remove undoes put, and leaves no empty owner behind.
func (s *Store) remove(r store.Record) {
	delete(s.records, r.ID)
	o := store.Owner{Tenant: r.Tenant, Subject: r.Subject}
	delete(s.owners[o], r.ID)
	if len(s.owners[o]) == 0 {
		delete(s.owners, o)
	}
}

// kept is the store's own copy of a record, in the precision of the contract.
func kept(r store.Record) store.Record {
	for _, t := range []*time.Time{&r.WindowAt, &r.LastSeen, &r.IdleExpires, &r.Expires, &r.EndedAt} {
		*t = micro(*t)
	}
	return copied(r)
}

// copied is a record that shares no bytes with r.
func copied(r store.Record) store.Record {
	r.Blob = bytes.Clone(r.Blob)
	return r
}

// micro cuts an instant to the microsecond, in UTC and without the monotonic
// reading, so that what comes back is what a database would return.
func micro(t time.Time) time.Time { return t.Truncate(time.Microsecond).UTC() }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func compareIDs(a, b store.ID) int { return bytes.Compare(a[:], b[:]) }

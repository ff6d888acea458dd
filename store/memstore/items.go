package memstore

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/remuda-go/remuda/store"
)

type itemKey struct{ kind, key string }

// CreateItem implements [store.Items].
func (s *Store) CreateItem(ctx context.Context, kind, key string, it store.Item, now time.Time) error {
	k := itemKey{kind, key}
	return s.write(ctx, func() error {
		if _, taken := s.live(k, now); taken {
			return fmt.Errorf("memstore: create item of kind %q: %w", kind, store.ErrExists)
		}
		s.items[k] = keptItem(it)
		return nil
	})
}

// GetItem implements [store.Items].
func (s *Store) GetItem(ctx context.Context, kind, key string, now time.Time) (store.Item, error) {
	var it store.Item
	err := s.read(ctx, func() error {
		found, ok := s.live(itemKey{kind, key}, now)
		if !ok {
			return fmt.Errorf("memstore: get item of kind %q: %w", kind, store.ErrNotFound)
		}
		it = copiedItem(found)
		return nil
	})
	return it, err
}

// SwapItem implements [store.Items].
func (s *Store) SwapItem(ctx context.Context, kind, key string, it store.Item, was store.Version, now time.Time) error {
	k := itemKey{kind, key}
	if it.Version == was {
		return fmt.Errorf("memstore: swap item of kind %q: the new version is the old one", kind)
	}
	return s.write(ctx, func() error {
		if err := s.match(k, was, now); err != nil {
			return fmt.Errorf("memstore: swap item of kind %q: %w", kind, err)
		}
		s.items[k] = keptItem(it)
		return nil
	})
}

// DeleteItem implements [store.Items].
func (s *Store) DeleteItem(ctx context.Context, kind, key string, was store.Version, now time.Time) error {
	k := itemKey{kind, key}
	return s.write(ctx, func() error {
		if err := s.match(k, was, now); err != nil {
			return fmt.Errorf("memstore: delete item of kind %q: %w", kind, err)
		}
		delete(s.items, k)
		return nil
	})
}

// match says why the item cannot be changed by someone who knows the version
// was, or nil.
func (s *Store) match(k itemKey, was store.Version, now time.Time) error {
	it, ok := s.live(k, now)
	switch {
	case !ok:
		return store.ErrNotFound
	case it.Version != was:
		return store.ErrConflict
	}
	return nil
}

// live returns the item, unless it is absent or expired at now.
func (s *Store) live(k itemKey, now time.Time) (store.Item, bool) {
	it, ok := s.items[k]
	if !ok || !it.Expires.IsZero() && !it.Expires.After(micro(now)) {
		return store.Item{}, false
	}
	return it, true
}

func (s *Store) sweepItems(before time.Time, limit int) {
	n := 0
	for k, it := range s.items {
		if n >= limit {
			return
		}
		if !it.Expires.IsZero() && it.Expires.Before(before) {
			delete(s.items, k)
			n++
		}
	}
}

func keptItem(it store.Item) store.Item {
	it.Expires = micro(it.Expires)
	return copiedItem(it)
}

func copiedItem(it store.Item) store.Item {
	it.Value = bytes.Clone(it.Value)
	return it
}

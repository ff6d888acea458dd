package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/remuda-go/remuda/store"
)

// CreateItem implements [store.Items].
func (s *Store) CreateItem(ctx context.Context, kind, key string, it store.Item, now time.Time) error {
	value := owned(it.Value)
	return s.write(ctx, "create item", func(ctx context.Context, c *writeConn) error {
		n, err := affected(c.createItem.ExecContext(ctx, kind, key, micros(it.Expires), it.Version[:], value, micros(now)))
		if err == nil && n == 0 {
			return store.ErrExists
		}
		return err
	})
}

// GetItem implements [store.Items].
func (s *Store) GetItem(ctx context.Context, kind, key string, now time.Time) (store.Item, error) {
	it, err := scanItem(s.query.getItem.QueryRowContext(ctx, kind, key, micros(now)))
	switch err = s.current(err); {
	case errors.Is(err, sql.ErrNoRows):
		return store.Item{}, fmt.Errorf("sqlitestore: get item: %w", store.ErrNotFound)
	case err != nil:
		return store.Item{}, failed(ctx, "get item", err)
	}
	return it, nil
}

// SwapItem implements [store.Items].
func (s *Store) SwapItem(ctx context.Context, kind, key string, it store.Item, was store.Version, now time.Time) error {
	if it.Version == was {
		return errors.New("sqlitestore: swap item: the new version is the old one")
	}
	value := owned(it.Value)
	return s.write(ctx, "swap item", func(ctx context.Context, c *writeConn) error {
		n, err := affected(c.swapItem.ExecContext(ctx, kind, key, micros(now), was[:], micros(it.Expires), it.Version[:], value))
		if err != nil || n > 0 {
			return err
		}
		return verdict(c.existsItem.QueryRowContext(ctx, kind, key, micros(now)))
	})
}

// DeleteItem implements [store.Items].
func (s *Store) DeleteItem(ctx context.Context, kind, key string, was store.Version, now time.Time) error {
	return s.write(ctx, "delete item", func(ctx context.Context, c *writeConn) error {
		n, err := affected(c.deleteItem.ExecContext(ctx, kind, key, micros(now), was[:]))
		if err != nil || n > 0 {
			return err
		}
		return verdict(c.existsItem.QueryRowContext(ctx, kind, key, micros(now)))
	})
}

func scanItem(row scanner) (it store.Item, err error) {
	var expires int64
	var version []byte
	if err := row.Scan(&expires, &version, &it.Value); err != nil {
		return store.Item{}, err
	}
	if len(version) != len(it.Version) {
		return store.Item{}, errors.New("a row has a version of another size")
	}
	copy(it.Version[:], version)
	it.Expires = instant(expires)
	return it, nil
}

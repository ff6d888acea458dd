package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/server/internal/config"
	"github.com/remuda-go/remuda/store"
)

// ringPatience is for how long a server stays ready that cannot read its keys:
// shorter than a key is published before it signs.
const ringPatience = 5 * time.Minute

// openRing returns the key ring, followed until ctx ends; wait returns when that
// is over. Where the ring is gone and the database has sessions made with it, a
// new one would sign everybody out: that is refused, and nothing is left behind.
func openRing(ctx context.Context, cfg *config.Config, s store.Store) (ring *keyring.Ring, wait func(), err error) {
	_, bound, err := remuda.BoundRing(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	ring, err = readRing(ctx, cfg, s, !bound || cfg.DiscardSessionsOfLostRing)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w: there are no keys in %s, and %s holds sessions made with some: put them back, "+
			"or set discard_sessions_of_lost_ring to sign everybody out", remuda.ErrRing, whereKeys(cfg), cfg.Database)
	}
	if err != nil {
		return nil, nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = ring.Run(ctx) // a fixed ring does not run; another until ctx ends
	}()
	return ring, func() { <-done }, nil
}

// readRing returns the key ring as it is now, or an error that wraps
// [fs.ErrNotExist] where there is none and none is to be made.
func readRing(ctx context.Context, cfg *config.Config, s store.Store, create bool) (*keyring.Ring, error) {
	if !cfg.Keys.IsZero() {
		ring, err := keyring.Parse([]byte(cfg.Keys.Reveal()))
		if err != nil {
			return nil, fmt.Errorf("keys: %w", err)
		}
		return ring, nil
	}
	source, err := ringSource(cfg, s)
	if err != nil {
		return nil, err
	}
	every := cfg.KeysRotate
	if every == 0 {
		every = keyring.Never
	}
	ring, err := keyring.Open(ctx, keyring.Config{
		Source: source, Create: create, Every: every,
		Overlap: remuda.Overlap(30*time.Second, cfg.Sessions()...),
	})
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return ring, nil
}

func ringSource(cfg *config.Config, s store.Store) (keyring.Source, error) {
	var master keyring.Master
	if !cfg.KeysMaster.IsZero() {
		var err error
		if master, err = keyring.ParseMaster(cfg.KeysMaster.Reveal()); err != nil {
			return nil, fmt.Errorf("keys_master: %w", err)
		}
	}
	if cfg.KeysIn == config.KeysInDatabase {
		items, ok := s.(store.Items)
		if !ok {
			return nil, errors.New("keys_in: this database cannot hold the keys")
		}
		return keyring.StoreSource(items, master, nil)
	}
	if err := ensureFolder(cfg.KeysFile); err != nil {
		return nil, fmt.Errorf("keys_file: %w", err)
	}
	return keyring.FileSource(cfg.KeysFile, master), nil
}

// whereKeys says where the keys are, for people.
func whereKeys(cfg *config.Config) string {
	switch {
	case !cfg.Keys.IsZero():
		return "the setting keys"
	case cfg.KeysIn == config.KeysInDatabase:
		return "the database"
	default:
		return cfg.KeysFile
	}
}

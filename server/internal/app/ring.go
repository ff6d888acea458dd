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

// openRing returns the key ring: the one given inline, the one in the file, or,
// at the very first start, a new one that it puts there. Where the ring is gone
// and the database has sessions made with it, a new one would sign everybody
// out: that is refused, and no file is left behind.
func openRing(ctx context.Context, cfg *config.Config, s store.Store) (*keyring.Ring, error) {
	ring, err := loadRing(cfg)
	if !errors.Is(err, fs.ErrNotExist) {
		return ring, err
	}
	_, bound, err := remuda.BoundRing(ctx, s)
	if err != nil {
		return nil, err
	}
	if !bound || cfg.DiscardSessionsOfLostRing {
		return keyring.LoadOrCreate(cfg.KeysFile, time.Now())
	}
	// Another process may have made both in between, the file first.
	ring, err = loadRing(cfg)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there are no keys at %s, and %s holds sessions made with some: put the file back, "+
			"or set discard_sessions_of_lost_ring to sign everybody out", remuda.ErrRing, cfg.KeysFile, cfg.Database)
	}
	return ring, err
}

// loadRing returns the ring that is there, or an error that wraps
// [fs.ErrNotExist].
func loadRing(cfg *config.Config) (*keyring.Ring, error) {
	if !cfg.Keys.IsZero() {
		ring, err := keyring.Parse([]byte(cfg.Keys.Reveal()))
		if err != nil {
			return nil, fmt.Errorf("keys: %w", err)
		}
		return ring, nil
	}
	ring, err := keyring.Load(cfg.KeysFile)
	if err != nil {
		return nil, fmt.Errorf("keys_file: %w", err)
	}
	return ring, nil
}

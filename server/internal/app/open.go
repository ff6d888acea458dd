package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/driver/sqlitestore"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/server/internal/config"
	"github.com/remuda-go/remuda/server/internal/directory"
	"github.com/remuda-go/remuda/store"
)

// OpenUsers opens the user directory, and makes it if it is missing. The caller
// closes it.
func OpenUsers(ctx context.Context, cfg *config.Config) (*directory.Directory, error) {
	if err := ensureFolder(cfg.Users); err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	d, err := directory.Open(ctx, cfg.Users)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	return d, nil
}

// ensureFolder makes the folder of a file, for its owner alone.
func ensureFolder(path string) error { return os.MkdirAll(filepath.Dir(path), 0o700) }

// Sessions is a manager over the database without a server: for a command that
// looks at sessions, or ends some, beside servers that run.
type Sessions struct {
	*remuda.Manager
	Ring  *keyring.Ring // as it was read
	store store.Store
}

// OpenSessions opens an installation that has been started before. It makes no
// database and no key ring; where there is no database the error wraps
// [fs.ErrNotExist]. Events go to the log.
func OpenSessions(ctx context.Context, cfg *config.Config, log *slog.Logger) (*Sessions, error) {
	_, err := os.Stat(cfg.Database)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is none at %s; the first start of a server makes it, and --config or --data say where: %w", cfg.Database, err)
	}
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	s, err := openStore(ctx, cfg)
	if err != nil {
		return nil, err
	}
	ring, err := readRing(ctx, cfg, s, false)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("keys: there are none in %s", whereKeys(cfg)) // not the database's absence
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	own := *cfg
	own.DiscardSessionsOfLostRing = false // that is a server's to do
	if own.Issuer == "" {
		own.Issuer = "offline" // no token is made or read
	}
	m, err := newManager(ctx, &own, s, ring, event.NewSlog(log))
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &Sessions{Manager: m, Ring: ring, store: s}, nil
}

// Close closes the manager and the database.
func (s *Sessions) Close(ctx context.Context) error {
	s.Manager.Close(ctx)
	return s.store.Close()
}

func openStore(ctx context.Context, cfg *config.Config) (store.Store, error) {
	if err := ensureFolder(cfg.Database); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	s, err := OpenStore(ctx, cfg.Database)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return s, nil
}

// OpenStore opens a database of sessions, and makes the file if it is missing. The
// caller closes it.
func OpenStore(ctx context.Context, path string) (store.Store, error) {
	s, err := sqlitestore.Open(ctx, sqlitestore.Config{Path: path})
	if err != nil {
		return nil, err // not a nil that is not nil
	}
	return s, nil
}

func newManager(ctx context.Context, cfg *config.Config, s store.Store, ring *keyring.Ring, sink event.Sink) (*remuda.Manager, error) {
	m, err := remuda.New(ctx, remuda.Config{
		Store: s, Keys: ring, Issuer: cfg.Issuer, Profiles: cfg.Sessions(),
		MaxStaleness: cfg.MaxStaleness,
		Events:       sink, DiscardSessionsOfLostRing: cfg.DiscardSessionsOfLostRing,
	})
	if errors.Is(err, remuda.ErrRing) {
		return nil, fmt.Errorf("%w: the database is %s, the keys are %s", err, cfg.Database, whereKeys(cfg))
	}
	return m, err
}

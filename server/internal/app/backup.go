package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/server/internal/backup"
	"github.com/remuda-go/remuda/server/internal/config"
)

// The names of the files in a backup.
const (
	backupDatabase = "sessions.db"
	backupUsers    = "users.db"
	backupKeys     = "keys.json"
)

// Backup copies the sessions, the users and the key ring, whether servers run or not,
// into a new folder. The keys come last: so they are at least as new as whatever was
// made with them.
func Backup(ctx context.Context, cfg *config.Config, dir string) (backup.Manifest, error) {
	sources := []backup.Source{{Name: backupDatabase, Path: cfg.Database, Database: true}}
	if _, err := os.Stat(cfg.Users); !errors.Is(err, fs.ErrNotExist) {
		sources = append(sources, backup.Source{Name: backupUsers, Path: cfg.Users, Database: true})
	}
	if keysInFile(cfg) {
		sources = append(sources, backup.Source{Name: backupKeys, Path: cfg.KeysFile})
	}
	m, err := backup.Make(ctx, dir, time.Now(), sources)
	if err != nil {
		return m, fmt.Errorf("backup: %w", err)
	}
	return m, nil
}

// keysInFile reports whether the ring is a file of its own.
func keysInFile(cfg *config.Config) bool { return cfg.Keys.IsZero() && cfg.KeysIn == config.KeysInFile }

// RestoreOptions say what a restore may do.
type RestoreOptions struct {
	// Replace moves what is there out of the way, instead of refusing. Files get
	// ".before-restore" behind their names.
	Replace bool
	// KeepSessions lets the sessions of the backup live, also those that were ended
	// after it was made.
	KeepSessions bool
}

// Restore puts a backup where the configuration has its files. No server may run. All
// is checked before anything is put in its place: every byte, and that the keys open
// the sessions. It returns how many sessions it ended.
func Restore(ctx context.Context, cfg *config.Config, dir string, o RestoreOptions, log *slog.Logger) (ended int, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("restore: %w", err)
		}
	}()
	m, err := backup.Open(dir)
	if err != nil {
		return 0, err
	}
	places, err := restorePlaces(cfg, &m)
	if err != nil {
		return 0, err
	}
	if !o.Replace {
		for _, p := range places {
			if _, err := os.Stat(p.path); !errors.Is(err, fs.ErrNotExist) {
				return 0, fmt.Errorf("%s is there already", p.path)
			}
		}
	}
	own := *cfg
	defer func() {
		for _, p := range places {
			_ = removeDatabase(p.partial()) // nothing where all went well
		}
	}()
	for _, p := range places {
		if err := errors.Join(ensureFolder(p.path), removeDatabase(p.partial())); err != nil {
			return 0, err
		}
		if err := backup.Copy(dir, p.name, p.partial()); err != nil {
			return 0, err
		}
		*p.setting(&own) = p.partial()
	}
	if ended, err = checkRestored(ctx, &own, o, log); err != nil {
		return 0, err
	}
	return ended, putInPlace(places)
}

// place is where a file of a backup belongs.
type place struct {
	name, path string
	setting    func(*config.Config) *string
}

func (p *place) partial() string { return p.path + ".restoring" }

// restorePlaces lists the files, the database last: where it is, all is.
func restorePlaces(cfg *config.Config, m *backup.Manifest) ([]place, error) {
	var list []place
	for _, p := range []place{
		{backupKeys, cfg.KeysFile, func(c *config.Config) *string { return &c.KeysFile }},
		{backupUsers, cfg.Users, func(c *config.Config) *string { return &c.Users }},
		{backupDatabase, cfg.Database, func(c *config.Config) *string { return &c.Database }},
	} {
		if m.Has(p.name) {
			list = append(list, p)
		}
	}
	switch {
	case !m.Has(backupDatabase):
		return nil, fmt.Errorf("%w: it has no %s", backup.ErrDamaged, backupDatabase)
	case m.Has(backupKeys) && !keysInFile(cfg):
		return nil, errors.New("the backup has a key ring in a file, and the configuration has it elsewhere: see keys_in and keys")
	case !m.Has(backupKeys) && keysInFile(cfg):
		return nil, errors.New("the backup has no key ring in a file, and the configuration wants one: see keys_in and keys")
	}
	return list, nil
}

// checkRestored opens what was copied as a server would, and ends its sessions: of
// those that were ended after the backup was made it knows nothing.
func checkRestored(ctx context.Context, cfg *config.Config, o RestoreOptions, log *slog.Logger) (ended int, err error) {
	s, err := OpenSessions(ctx, cfg, log)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close(context.WithoutCancel(ctx))) }()
	if o.KeepSessions {
		return 0, nil
	}
	e, err := s.EndSelected(ctx, remuda.EndSelectedRequest{Selection: remuda.Selection{Everything: true}, Reason: remuda.EndAdmin})
	if err != nil {
		return 0, err
	}
	return e.Wait(ctx)
}

// putInPlace gives the files their names, and what is there others.
func putInPlace(places []place) error {
	for _, p := range places {
		if info, err := os.Stat(p.partial() + "-wal"); err == nil && info.Size() > 0 {
			return fmt.Errorf("%s is still in use", p.partial())
		}
	}
	for _, p := range places {
		if err := p.putInPlace(); err != nil {
			return err
		}
	}
	return nil
}

// putInPlace moves one file. Of a crash between two of them a server is told by keys
// that do not fit the sessions, and does not start.
func (p *place) putInPlace() error {
	for _, part := range []string{"", "-wal", "-shm"} {
		err := os.Rename(p.path+part, p.path+".before-restore"+part)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(p.partial(), p.path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(p.path))
}

func removeDatabase(path string) error {
	var errs []error
	for _, part := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + part); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// syncFolder makes new names durable, where the system can sync a folder.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil //nolint:nilerr // a folder may be writable and not readable
	}
	_ = d.Sync()
	return d.Close()
}

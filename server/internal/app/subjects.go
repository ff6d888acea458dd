package app

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/remuda-go/remuda/server/internal/config"
	"github.com/remuda-go/remuda/server/internal/directory"
	"github.com/remuda-go/remuda/server/internal/refusals"
)

// RefusalsOf returns what this server keeps of refused requests of a subject.
func RefusalsOf(ctx context.Context, cfg *config.Config, subject string) ([]refusals.Entry, error) {
	list, err := refusals.Of(ctx, cfg.Refusals, subject)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return list, err
}

// EraseRefusalsOf removes it, and returns how many there were.
func EraseRefusalsOf(ctx context.Context, cfg *config.Config, subject string) (int, error) {
	n, err := refusals.Erase(ctx, cfg.Refusals, subject)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return n, err
}

// PersonalUser is everything that the directory has of a user, but for the hash.
type PersonalUser struct {
	directory.User

	Addresses, Devices []string
}

// User returns what the directory has of a user; nil if there is none.
func User(ctx context.Context, cfg *config.Config, name string) (u *PersonalUser, err error) {
	err = withUsers(ctx, cfg, func(d *directory.Directory) error {
		found, err := d.User(ctx, name)
		if err != nil {
			return err
		}
		u = &PersonalUser{User: found}
		if u.Addresses, err = d.Addresses(ctx, name); err != nil {
			return err
		}
		u.Devices, err = d.Devices(ctx, name)
		return err
	})
	return u, err
}

// RemoveUser removes a user from the directory, and reports whether there was one.
func RemoveUser(ctx context.Context, cfg *config.Config, name string) (removed bool, err error) {
	err = withUsers(ctx, cfg, func(d *directory.Directory) error {
		err := d.Remove(ctx, name)
		removed = err == nil
		return err
	})
	return removed, err
}

// withUsers opens the directory, if there is one. That there is no user is no error.
func withUsers(ctx context.Context, cfg *config.Config, do func(*directory.Directory) error) (err error) {
	if _, err := os.Stat(cfg.Users); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	d, err := OpenUsers(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := do(d); !errors.Is(err, directory.ErrNotFound) {
		return err
	}
	return nil
}

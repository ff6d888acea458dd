package app

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/server/internal/directory"
	"github.com/remuda-go/remuda/web"
)

// support lets some users act for others.
type support struct {
	users            *directory.Directory
	staff, protected []string
}

// impersonators decides who may act for whom; nil if nobody may.
func (a *App) impersonators() web.Impersonators {
	if len(a.cfg.Support) == 0 {
		return nil
	}
	return &support{users: a.users, staff: lower(a.cfg.Support), protected: lower(a.cfg.Protected)}
}

// lower are names as the directory keeps them.
func lower(names []string) []string {
	list := make([]string, 0, len(names))
	for _, name := range names {
		list = append(list, strings.ToLower(name))
	}
	return list
}

// MayImpersonate implements [web.Impersonators].
func (s *support) MayImpersonate(ctx context.Context, actor *remuda.Session, subject, tenant string) (web.Identity, error) {
	if tenant != "" || actor.Tenant != "" || !slices.Contains(s.staff, actor.Subject) ||
		slices.Contains(s.staff, subject) || slices.Contains(s.protected, subject) {
		return web.Identity{}, web.ErrImpersonationRefused
	}
	u, err := s.users.User(ctx, subject)
	switch {
	case errors.Is(err, directory.ErrNotFound) || err == nil && u.Username != subject:
		return web.Identity{}, web.ErrImpersonationRefused
	case err != nil:
		return web.Identity{}, err
	}
	return web.Identity{Subject: u.Username, Claims: map[string]any{"name": u.Username}}, nil
}

package remuda

import (
	"context"
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/remuda-go/remuda/store"
)

const (
	defaultUsers   = 10_000
	defaultUserAge = time.Minute
	maxUserAge     = time.Hour
	userStripes    = 4096
	userAttempts   = 3
)

// UserCacheConfig is what a [UserCache] is made of.
type UserCacheConfig[U any] struct {
	Manager *Manager // required
	// Load reads a user from where the application keeps them. Required. Of many
	// requests for one user at once one loads. Errors are not kept.
	Load func(ctx context.Context, tenant, subject string) (U, error)
	Size int // users at most; 0 means 10,000
	// MaxAge is how old what is kept of a user may be, if nobody says that the
	// user changed; 0 means a minute, at most an hour.
	MaxAge time.Duration
}

// UserCache keeps users in the memory of a node, for sessions that hold no more
// than a subject. Nodes share nothing: what was changed on one reaches the others
// through the revocation log (see [Manager.UserChanged]), as does every ending
// that is wider than a session. While the log is not heard, nothing older than
// Config.MaxStaleness is used. It is safe for concurrent use.
type UserCache[U any] struct {
	m      *Manager
	load   func(ctx context.Context, tenant, subject string) (U, error)
	maxAge time.Duration
	users  *otter.Cache[store.Owner, cachedUser[U]]
	stop   func()

	// epochs tell what was loaded before a change from what was loaded after it,
	// also if the loading had begun before: one for many users, so that nothing
	// has to be kept for each.
	seed   maphash.Seed
	epochs [userStripes]atomic.Uint64
	all    atomic.Uint64
}

type cachedUser[U any] struct {
	user       U
	loaded     time.Time
	epoch, all uint64
}

// NewUserCache returns a cache. It returns a [*ConfigError].
func NewUserCache[U any](cfg UserCacheConfig[U]) (*UserCache[U], error) {
	var p problems
	p.check(cfg.Manager != nil, "Manager", "is required")
	p.check(cfg.Load != nil, "Load", "is required")
	p.check(cfg.Size >= 0, "Size", "is %d; it must not be negative", cfg.Size)
	p.check(cfg.MaxAge >= 0 && cfg.MaxAge <= maxUserAge, "MaxAge", "is %v; it must lie between 0 and %v", cfg.MaxAge, maxUserAge)
	if len(p.list) > 0 {
		return nil, &ConfigError{Problems: p.list}
	}
	if cfg.Size == 0 {
		cfg.Size = defaultUsers
	}
	if cfg.MaxAge == 0 {
		cfg.MaxAge = defaultUserAge
	}
	c := &UserCache[U]{
		m: cfg.Manager, load: cfg.Load, maxAge: cfg.MaxAge, seed: maphash.MakeSeed(), stop: func() {},
		users: otter.Must(&otter.Options[store.Owner, cachedUser[U]]{
			MaximumSize: cfg.Size, ExpiryCalculator: otter.ExpiryWriting[store.Owner, cachedUser[U]](cfg.MaxAge),
		}),
	}
	if v := cfg.Manager.revoked; v != nil {
		c.stop = v.listeners.add(c.hear)
	}
	return c, nil
}

// Close stops listening for changes. The cache must not be used afterwards.
func (c *UserCache[U]) Close() {
	c.stop()
	c.users.StopAllGoroutines()
}

// Get returns a user, from the cache if what is there is not out of date. Errors
// are those of Load.
func (c *UserCache[U]) Get(ctx context.Context, tenant, subject string) (U, error) {
	owner := store.Owner{Tenant: tenant, Subject: subject}
	begun := c.m.clock.own()
	loader := otter.LoaderFunc[store.Owner, cachedUser[U]](func(ctx context.Context, o store.Owner) (cachedUser[U], error) { return c.fetch(ctx, o) })
	for range userAttempts {
		got, err := c.users.Get(ctx, owner, loader)
		if err != nil {
			return got.user, err
		}
		if c.good(owner, &got, begun) {
			return got.user, nil
		}
		// It was loaded before a change, perhaps by somebody who had begun to
		// load and for whom this request has waited.
		c.users.ComputeIfPresent(owner, func(kept cachedUser[U]) (cachedUser[U], otter.ComputeOp) {
			if c.good(owner, &kept, begun) {
				return kept, otter.CancelOp // somebody has loaded it anew
			}
			return kept, otter.InvalidateOp
		})
	}
	got, err := c.fetch(ctx, owner)
	return got.user, err
}

// Len returns how many users are kept.
func (c *UserCache[U]) Len() int {
	c.users.CleanUp()
	return c.users.EstimatedSize()
}

func (c *UserCache[U]) fetch(ctx context.Context, o store.Owner) (cachedUser[U], error) {
	got := cachedUser[U]{loaded: c.m.clock.own(), epoch: c.epoch(o).Load(), all: c.all.Load()}
	var err error
	got.user, err = c.load(ctx, o.Tenant, o.Subject)
	return got, err
}

// good reports whether what was loaded may be used by a request that began at an
// instant. While the log is not heard it must be young; loaded since then is as
// young as can be, however long that took.
func (c *UserCache[U]) good(o store.Owner, got *cachedUser[U], begun time.Time) bool {
	now := c.m.clock.own()
	age := max(now.Sub(got.loaded), now.Round(0).Sub(got.loaded.Round(0)))
	if v := c.m.revoked; v != nil && age > v.staleness && got.loaded.Before(begun) && !v.horizon.Fresh(now) {
		return false
	}
	return age <= c.maxAge && got.epoch == c.epoch(o).Load() && got.all == c.all.Load()
}

func (c *UserCache[U]) epoch(o store.Owner) *atomic.Uint64 {
	return &c.epochs[maphash.Comparable(c.seed, o)%userStripes]
}

// hear puts what is kept out of date.
func (c *UserCache[U]) hear(e *store.Entry) {
	switch e.Scope {
	case store.ScopeSubject, store.ScopeChanged:
		c.epoch(store.Owner{Tenant: e.Tenant, Subject: e.Target}).Add(1)
	case store.ScopeTenant, store.ScopeEverything:
		c.all.Add(1)
	case store.ScopeSession, store.ScopeProfile, store.ScopeKey, store.ScopeSettled:
	}
}

// UserChanged tells all nodes that what they keep of a user is out of date: the
// user was changed, disabled or deleted. It ends no session; see
// [Manager.EndAll]. It returns [ErrUnavailable] if it cannot say so, and
// [ErrRequest] where no profile has liveness LiveLog.
func (m *Manager) UserChanged(ctx context.Context, tenant, subject string) error {
	if m.revoked == nil || subject == "" || !identifier(subject) || !identifier(tenant) {
		return ErrRequest
	}
	now := m.clock.now()
	return m.revoked.announce(ctx, store.Entry{
		ID: newEntryID(), Scope: store.ScopeChanged, Target: subject, Tenant: tenant,
		Until: now.Add(maxUserAge), At: now,
	})
}

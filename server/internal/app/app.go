package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/server/internal/config"
	"github.com/remuda-go/remuda/server/internal/directory"
	"github.com/remuda-go/remuda/server/internal/places"
	"github.com/remuda-go/remuda/server/internal/refusals"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/web"
	"github.com/remuda-go/remuda/web/limit"
)

// Options are what a configuration does not say.
type Options struct {
	Config config.Config
	Log    *slog.Logger
	// Mount makes the handler for everything that is not the server's own, or
	// is nil: then it is not found.
	Mount func(Parts) (http.Handler, error)
}

// Parts are what a handler besides the server's own is made of.
type Parts struct {
	Web      *web.Handler
	Sessions *remuda.Manager
	// Stopping is closed when the server begins to stop: what would go on for as
	// long as its client likes, such as a stream, ends then.
	Stopping <-chan struct{}
}

// App is a server that is put together. Make one with [New], run it with
// [App.Serve], and close it.
type App struct {
	cfg      config.Config
	log      *slog.Logger
	users    *directory.Directory
	store    store.Store
	ring     *keyring.Ring
	manager  *remuda.Manager
	web      *web.Handler
	handler  http.Handler
	tls      *tls.Config // nil: plain HTTP
	events   *events
	refusals *refusals.Keeper // nil: none are kept
	metrics  *metrics         // nil: none are served
	requests sync.WaitGroup
	stopping chan struct{}

	closers []func(context.Context) error // in the order of opening
}

// New opens the files and puts everything together. What it has opened it closes
// again if it fails.
func New(ctx context.Context, o Options) (*App, error) {
	a := &App{cfg: o.Config, log: o.Log, stopping: make(chan struct{})}
	for _, step := range []func(context.Context) error{
		a.loadTLS, a.openUsers, a.openEvents, a.openRefusals, a.openManager, a.openNotices, a.openMetrics,
		func(context.Context) error { return a.mount(o.Mount) },
		a.catchUp,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, a.Close(context.WithoutCancel(ctx)))
		}
	}
	return a, nil
}

// Close takes everything down in the opposite order: what is pending is written
// first, the files are closed last. The context bounds the writing. Closing again
// does nothing.
func (a *App) Close(ctx context.Context) error {
	var errs []error
	for len(a.closers) > 0 {
		last := len(a.closers) - 1
		errs = append(errs, a.closers[last](ctx))
		a.closers = a.closers[:last]
	}
	return errors.Join(errs...)
}

func (a *App) onClose(f func(context.Context) error) { a.closers = append(a.closers, f) }

// Users is the user directory. It is closed with the app.
func (a *App) Users() *directory.Directory { return a.users }

func (a *App) loadTLS(context.Context) error {
	if !a.cfg.HasTLS() {
		return nil
	}
	cert, err := tls.LoadX509KeyPair(a.cfg.TLS.Cert, a.cfg.TLS.Key)
	if err != nil {
		return fmt.Errorf("tls.cert, tls.key: %w", err)
	}
	a.tls = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	return nil
}

func (a *App) openUsers(ctx context.Context) (err error) {
	if a.users, err = OpenUsers(ctx, &a.cfg); err != nil {
		return err
	}
	a.onClose(func(context.Context) error { return a.users.Close() })
	return nil
}

func (a *App) openEvents(ctx context.Context) error {
	a.events = followEvents(context.WithoutCancel(ctx), event.NewSlog(a.log), a.log)
	a.onClose(func(context.Context) error { a.events.close(); return nil })
	return nil
}

func (a *App) openManager(ctx context.Context) (err error) {
	if a.store, err = openStore(ctx, &a.cfg); err != nil {
		return err
	}
	a.onClose(func(context.Context) error { return a.store.Close() })
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	ring, wait, err := openRing(following, &a.cfg, a.store)
	if err != nil {
		stop()
		return err
	}
	a.onClose(func(context.Context) error { stop(); wait(); return nil })
	a.ring = ring
	if a.manager, err = newManager(ctx, &a.cfg, a.store, ring, a.events.queue); err != nil {
		return err
	}
	a.onClose(func(ctx context.Context) error { a.manager.Close(ctx); return nil })
	return a.openWeb()
}

func (a *App) openWeb() error {
	throttled, err := limit.New(a.users, a.cfg.Login)
	if err != nil {
		return fmt.Errorf("login: %w", err)
	}
	place, err := openPlaces(a.cfg.Places)
	if err != nil {
		return fmt.Errorf("places: %w", err)
	}
	a.web, err = web.New(web.Config{
		Manager: a.manager, Keys: a.ring, Authenticator: throttled, Passwords: a.users, Disowner: a.disowner(), Emails: a.emails(), Impersonators: a.impersonators(),
		Origins: a.cfg.Origins, WebProfiles: a.cfg.WebProfiles, TokenProfiles: a.cfg.TokenProfiles, HandOff: a.cfg.HandOff,
		TrustedProxies: a.cfg.TrustedProxies, Place: place, Events: a.events.queue, Refused: a.refused, Log: a.log,
	})
	return err
}

// openPlaces reads the file of places, if there is one.
func openPlaces(path string) (func(netip.Addr) string, error) {
	if path == "" {
		return nil, nil
	}
	t, err := places.Open(path)
	if err != nil {
		return nil, err
	}
	return t.Place, nil
}

// The wait for the revocation log at the start.
const (
	catchUpTimeout = 10 * time.Second
	catchUpEvery   = 5 * time.Millisecond
)

// catchUp waits until the manager has read the revocation log, so that a server
// that says it listens knows who has signed out. A log that is too long for that
// holds nothing up: until it is read, /readyz says no and each request asks the
// store.
func (a *App) catchUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	tick := time.NewTicker(catchUpEvery)
	defer tick.Stop()
	for {
		err := a.manager.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			a.log.WarnContext(ctx, "not ready yet", "error", err)
			return nil
		case <-tick.C:
		}
	}
}

// sweepEvery is how often ended sessions past retention are removed, and the wide
// endings finished that a process has left, by a crash, without ending all records.
const sweepEvery = 30 * time.Second

// sweep does so until the context ends, for the first time at once.
func (a *App) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		n, err := a.manager.Sweep(ctx, a.cfg.Retention)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.log.WarnContext(ctx, "sweep failed", "error", err)
		case n > 0:
			a.log.InfoContext(ctx, "swept", "sessions", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

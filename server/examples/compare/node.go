package compare

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/server/examples/ponies"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/web"
)

// password is everybody's: the nodes can be reached by nobody but our clients.
const password = "correct horse"

// people are the users of both nodes, in the one place where an application keeps
// them.
type people struct {
	mu    sync.Mutex
	names map[string]string // by subject
	loads atomic.Int64
}

func newPeople() *people { return &people{names: map[string]string{"alice": "Alice", "bob": "Bob"}} }

// claims are what tokens and records hold of a user.
type claims struct {
	Name string `json:"name"`
}

// Authenticate implements [web.Authenticator].
func (p *people) Authenticate(_ context.Context, c web.Credentials) (web.Identity, error) {
	name := p.name(c.Username)
	if name == "" || c.Password != password {
		return web.Identity{}, web.ErrLoginFailed
	}
	return web.Identity{Subject: c.Username, AMR: []string{"pwd"}, Claims: claims{name}}, nil
}

// Claims implements [remuda.ClaimsSource].
func (p *people) Claims(_ context.Context, s remuda.Session, _ *remuda.Data) (any, error) {
	return claims{p.name(s.Subject)}, nil
}

// load is what a node does that has to look a user up.
func (p *people) load(_ context.Context, _, subject string) (string, error) {
	p.loads.Add(1)
	return p.name(subject), nil
}

func (p *people) name(subject string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.names[subject]
}

func (p *people) rename(subject, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names[subject] = name
}

// node is one of two servers.
type node struct {
	meter   *meter
	manager *remuda.Manager
	users   *remuda.UserCache[string] // nil where the token or the record says who it is
	web     *web.Handler
	handler http.Handler
}

// site is two nodes over one database, and their clock.
type site struct {
	profile remuda.Profile
	people  *people
	ring    *keyring.Ring
	ahead   atomic.Int64 // how far the clock runs ahead of ours
	a, b    *node

	closers []func(context.Context)
}

// now is the time on both nodes.
func (s *site) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// newSite makes a database and starts both nodes. Each opens the file for itself,
// as two processes would. Close it, also after an error.
func newSite(ctx context.Context, cfg *Config, p remuda.Profile) (*site, error) {
	s := &site{profile: p, people: newPeople()}
	dir, err := os.MkdirTemp(cfg.Folder, "compare-*")
	if err != nil {
		return s, err
	}
	s.closers = append(s.closers, func(context.Context) { _ = os.RemoveAll(dir) }) // in a folder that is removed, or that the system cleans
	if s.ring, err = keyring.New(s.now()); err != nil {
		return s, err
	}
	for _, n := range []**node{&s.a, &s.b} {
		if *n, err = s.start(ctx, cfg, filepath.Join(dir, "sessions.db")); err != nil {
			return s, err
		}
	}
	return s, s.heard(ctx)
}

func (s *site) start(ctx context.Context, cfg *Config, path string) (*node, error) {
	opened, err := cfg.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func(context.Context) { _ = opened.Close() }) // all that is in it is thrown away
	b, ok := opened.(backend)
	if !ok {
		return nil, errors.New("compare: the store keeps no items or no log")
	}
	n := &node{meter: &meter{backend: b}}
	n.manager, err = remuda.New(ctx, remuda.Config{
		Store: n.meter, Keys: s.ring, Issuer: origin, Profiles: []remuda.Profile{s.profile}, Now: s.now, ClaimsSource: s.people,
	})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, n.manager.Close)
	if s.profile.Recordless && s.profile.Liveness == remuda.LiveLog {
		// The token says whose it is and nothing else; who that is a node
		// remembers for itself, until it hears that it is out of date.
		if n.users, err = remuda.NewUserCache(remuda.UserCacheConfig[string]{Manager: n.manager, Load: s.people.load}); err != nil {
			return nil, err
		}
		s.closers = append(s.closers, func(context.Context) { n.users.Close() })
	}
	return n, n.mount(s)
}

// mount makes the node's handler: the endpoints, the ponies, and a greeting.
func (n *node) mount(s *site) error {
	cfg := web.Config{Manager: n.manager, Keys: s.ring, Authenticator: s.people, Origins: []string{origin}}
	if s.profile.Transport == remuda.Cookie {
		cfg.WebProfiles = []string{s.profile.Name}
	} else {
		cfg.TokenProfiles = []string{s.profile.Name}
	}
	var err error
	if n.web, err = web.New(cfg); err != nil {
		return err
	}
	herds, err := ponies.New(ponies.Config{Web: n.web, Sessions: n.manager, Origins: []string{origin}})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", n.web)
	mux.Handle("/greeting", n.web.Require(http.HandlerFunc(n.greet)))
	mux.Handle("/", herds)
	n.handler = mux
	return nil
}

// greet answers with the name of whoever is signed in, from wherever the profile
// has it.
func (n *node) greet(w http.ResponseWriter, r *http.Request) {
	s, _ := remuda.FromContext(r.Context()) // there is one behind Require
	c, err := n.known(r.Context(), s)
	if err != nil {
		n.web.WriteProblem(w, r, err)
		return
	}
	_ = json.NewEncoder(w).Encode(c) // into memory
}

func (n *node) known(ctx context.Context, s *remuda.Session) (claims, error) {
	if n.users == nil {
		return remuda.Claims[claims](s)
	}
	name, err := n.users.Get(ctx, s.Tenant, s.Subject)
	return claims{name}, err
}

// close takes both nodes down, and removes the database.
func (s *site) close(ctx context.Context) {
	for _, c := range slices.Backward(s.closers) {
		c(ctx)
	}
}

// advance lets time pass on both nodes, and waits until they have heard the log
// since.
func (s *site) advance(ctx context.Context, d time.Duration) error {
	s.ahead.Add(int64(d))
	return s.heard(ctx)
}

// heard waits until both nodes have read the log, and trust what they know.
func (s *site) heard(ctx context.Context) error {
	return until(ctx, func() bool { return s.a.hears(ctx) && s.b.hears(ctx) })
}

func (n *node) hears(ctx context.Context) bool {
	log := n.manager.Stats().Log
	return n.manager.Ready(ctx) == nil && (log == nil || !log.Degraded)
}

// until waits for a condition, and looks often.
func until(ctx context.Context, cond func() bool) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

var _ store.Store = (*meter)(nil)

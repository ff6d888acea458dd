package webtest

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/web"
)

// Origin is where the pages of a site are, and its issuer.
const Origin = "https://app.example"

// Stores makes the stores to play over. They have a revocation log and items.
type Stores struct {
	// New makes an empty store, which it closes with the test. It is called in a
	// bubble of [testing/synctest]. Required.
	New func(tb testing.TB) store.Store
	// Second opens for a second node what New made. Nil means that nodes share
	// the store itself.
	Second func(tb testing.TB, first store.Store) store.Store
	// Profiles are those to play. Nil means all of [Profiles].
	Profiles []remuda.Profile
}

// Site is an installation of one or two nodes over one store and ring, in a
// bubble of [testing/synctest]. It serves the endpoints under /auth and, to who
// has a session, /hello, /important (as recent as the profile says), /poll
// (passive), and /basket (anonymous too).
type Site struct {
	Ring    *keyring.Ring
	Profile remuda.Profile
	Events  Recorder
	Touches atomic.Int64 // sessions whose use was written

	tb     testing.TB
	second func(testing.TB, store.Store) store.Store
	stores []store.Store // of each node; nil while it was never started
	nodes  []*node
	leapt  atomic.Int64
	log    logBuffer
}

// node is one process.
type node struct {
	manager *remuda.Manager
	handler http.Handler
}

// Other is the name of the profile with the other transport that each site has
// besides its own.
const Other = "other"

// NewSite makes a site with one node, and another profile of the other transport.
func NewSite(tb testing.TB, stores Stores, p remuda.Profile) *Site {
	tb.Helper()
	s := &Site{tb: tb, Profile: p, second: stores.Second, stores: []store.Store{stores.New(tb), nil}}
	var err error
	if s.Ring, err = keyring.New(s.Now()); err != nil {
		tb.Fatal(err)
	}
	if err := s.Ring.Ensure(tb.Context(), codec.HS256, codec.EdDSA, codec.ES256, codec.V4Local, codec.V4Public, codec.Opaque); err != nil {
		tb.Fatal(err)
	}
	s.nodes = []*node{s.start(0), nil}
	tb.Cleanup(s.stop)
	return s
}

// Now is the time on all nodes.
func (s *Site) Now() time.Time { return time.Now().Add(time.Duration(s.leapt.Load())) }

// Nodes write what they know within a minute, and hear from the log within a
// second: so much of any time passes for real, before and after a leap.
const (
	beforeLeap = 61 * time.Second
	afterLeap  = time.Second
)

// Advance lets time pass.
func (s *Site) Advance(d time.Duration) {
	if leap := d - beforeLeap - afterLeap; leap > 0 {
		time.Sleep(beforeLeap)
		s.leapt.Add(int64(leap))
		time.Sleep(afterLeap)
	} else {
		time.Sleep(d)
	}
	synctest.Wait()
}

// Manager returns the manager of a node, and starts the node if need be.
func (s *Site) Manager(i int) *remuda.Manager { return s.node(i).manager }

// ServeHTTP is node 0.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.node(0).handler.ServeHTTP(w, r) }

func (s *Site) node(i int) *node {
	if s.nodes[i] == nil {
		s.nodes[i] = s.start(i)
	}
	return s.nodes[i]
}

// Restart ends all processes and starts them anew over the same store and ring.
func (s *Site) Restart() {
	s.stop()
	s.nodes[0] = s.start(0)
}

func (s *Site) stop() {
	for i, n := range s.nodes {
		if n != nil {
			n.manager.Close(context.WithoutCancel(s.tb.Context()))
		}
		s.nodes[i] = nil
	}
}

func (s *Site) start(i int) *node {
	s.tb.Helper()
	if s.stores[i] == nil {
		s.stores[i] = s.stores[0]
		if s.second != nil {
			s.stores[i] = s.second(s.tb, s.stores[0])
		}
	}
	m, err := remuda.New(s.tb.Context(), remuda.Config{
		Store: s.counted(s.stores[i]), Keys: s.Ring, Issuer: Origin, Now: s.Now, Events: &s.Events,
		Profiles: []remuda.Profile{s.Profile, other(s.Profile)},
	})
	if err != nil {
		s.tb.Fatal(err)
	}
	for m.Ready(s.tb.Context()) != nil {
		time.Sleep(time.Millisecond)
	}
	return &node{manager: m, handler: s.handler(m)}
}

// other is a profile with the other transport.
func other(p remuda.Profile) remuda.Profile {
	o := remuda.API()
	if p.Transport == remuda.Bearer {
		o = remuda.Web()
	}
	o.Name = Other
	return o
}

func (s *Site) handler(m *remuda.Manager) http.Handler {
	names := map[remuda.Transport]string{s.Profile.Transport: s.Profile.Name, other(s.Profile).Transport: Other}
	h, err := web.New(web.Config{
		Manager: m, Keys: s.Ring, Authenticator: passwords{}, Origins: []string{Origin}, Events: &s.Events,
		WebProfiles: []string{names[remuda.Cookie]}, TokenProfiles: []string{names[remuda.Bearer]},
		Log: slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		s.tb.Fatal(err)
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := remuda.FromContext(r.Context())
		_, _ = io.WriteString(w, "hello "+session.Subject)
	})
	mux := http.NewServeMux()
	mux.Handle(h.Prefix()+"/", h)
	mux.Handle("/hello", h.Require(hello))
	mux.Handle("/important", h.RequireRecent(s.Profile.StepUp, hello))
	mux.Handle("/poll", h.Guard(web.Rule{Passive: true}, hello))
	mux.Handle("/basket", h.Anonymous(names[remuda.Cookie], hello))
	return h.CleanPaths(mux)
}

// passwords is the Authenticator: everybody's password is their name and a word.
type passwords struct{}

func password(name string) string { return name + " sesame" }

func (passwords) Authenticate(_ context.Context, c web.Credentials) (web.Identity, error) {
	name := c.Username + c.Subject
	if c.Password != password(name) {
		return web.Identity{}, web.ErrLoginFailed
	}
	return web.Identity{Subject: name, ACR: "pwd-" + name, AMR: []string{"pwd"}, Claims: map[string]any{"name": name}}, nil
}

// full is what a store must be able to do here.
type full interface {
	store.Store
	store.Log
	store.Items
}

// counter counts touches.
type counter struct {
	full

	touches *atomic.Int64
}

func (s *Site) counted(of store.Store) store.Store {
	f, ok := of.(full)
	if !ok {
		s.tb.Fatalf("webtest: %T has no revocation log or no items", of)
	}
	return &counter{full: f, touches: &s.Touches}
}

// Touch implements [store.Store].
func (c *counter) Touch(ctx context.Context, batch []store.Touch) error {
	c.touches.Add(int64(len(batch)))
	return c.full.Touch(ctx, batch)
}

// Recorder keeps events.
type Recorder struct {
	mu   sync.Mutex
	list []event.Event
	all  []event.Event
}

// Emit implements [event.Sink].
func (r *Recorder) Emit(e event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list, r.all = append(r.list, e), append(r.all, e)
}

// Take returns what was emitted since the last call: the kinds, each with its
// reason or class, as "session.started session.ended:logout".
func (r *Recorder) Take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := make([]string, 0, len(r.list))
	for _, e := range r.list {
		name := string(e.Kind)
		if why := e.Reason + e.Class; why != "" {
			name += ":" + why
		}
		names = append(names, name)
	}
	r.list = nil
	return strings.Join(names, " ")
}

// logBuffer keeps what is logged.
type logBuffer struct {
	mu   sync.Mutex
	text []byte
}

// Write implements [io.Writer].
func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	return len(p), nil
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(slices.Clone(b.text))
}

package ponies_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/driver/sqlitestore"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/server/examples/ponies"
	"github.com/remuda-go/remuda/web"
)

const password = "correct horse"

// users knows alice and bob, who share a password.
type users struct{}

func (users) Authenticate(_ context.Context, c web.Credentials) (web.Identity, error) {
	name := c.Username + c.Subject
	if name != "alice" && name != "bob" || c.Password != password {
		return web.Identity{}, web.ErrLoginFailed
	}
	return web.Identity{Subject: name, AMR: []string{"pwd"}}, nil
}

// MayImpersonate lets bob act for alice.
func (users) MayImpersonate(_ context.Context, actor *remuda.Session, subject, _ string) (web.Identity, error) {
	if actor.Subject != "bob" || subject != "alice" {
		return web.Identity{}, web.ErrImpersonationRefused
	}
	return web.Identity{Subject: subject}, nil
}

// stack is the whole demo over a database file: store, manager, endpoints, page.
type stack struct {
	url      string
	sessions *remuda.Manager
	stop     func()       // ends streams as a server does that stops
	ahead    atomic.Int64 // how far the manager's clock runs ahead
	mu       sync.Mutex
	seen     []seen
	lose     int           // how many answers to refreshes to lose
	meet     int           // how many refreshes wait for each other
	met      chan struct{} // closed once they have met
	waited   int
	cuts     []context.CancelFunc // of streams
}

// seen is a request that was answered.
type seen struct {
	method, path, key string
	status            int
}

// brief is the profile for tests in real time: an access token lives a second or
// two. Its page refreshes every second.
func brief(p *remuda.Profile) {
	p.Access, p.Jitter = 2*time.Second, 0
	p.Rotation = remuda.Rotation{Grace: 500 * time.Millisecond, Floor: time.Second}
}

// newStack starts a server. Where every is zero pages refresh when they are
// refused only, since no test takes minutes.
func newStack(t *testing.T, every time.Duration, change func(*remuda.Profile)) *stack {
	t.Helper()
	return newStackOn(t, httptest.NewUnstartedServer(nil), every, change)
}

func newStackOn(t *testing.T, server *httptest.Server, every time.Duration, change func(*remuda.Profile)) *stack {
	t.Helper()
	s := &stack{met: make(chan struct{})}
	s.url = "http://" + server.Listener.Addr().String()
	w := s.newWeb(t, change)
	stopping := make(chan struct{})
	s.stop = sync.OnceFunc(func() { close(stopping) })
	l, err := ponies.New(ponies.Config{
		Web: w, Sessions: s.sessions, Origins: []string{s.url}, Stopping: stopping, RefreshEvery: every,
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(w.Prefix()+"/", w)
	mux.Handle("/", l)
	server.Config.Handler = s.watch(w.CleanPaths(mux))
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(s.stop) // before Close, which waits for requests
	return s
}

func (s *stack) newWeb(t *testing.T, change func(*remuda.Profile)) *web.Handler {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: filepath.Join(t.TempDir(), "sessions.db")})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	profile := remuda.Web()
	change(&profile)
	s.sessions, err = remuda.New(t.Context(), remuda.Config{
		Store: store, Keys: ring, Issuer: s.url, Profiles: []remuda.Profile{profile, remuda.API()},
		Now: func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.sessions.Close(context.WithoutCancel(t.Context()))
		store.Close()
	})
	w, err := web.New(web.Config{Manager: s.sessions, Keys: ring, Authenticator: users{}, Impersonators: users{}, Origins: []string{s.url}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// advance lets the manager's time pass.
func (s *stack) advance(d time.Duration) { s.ahead.Add(int64(d)) }

const refreshPath = "/auth/web/refresh"

// watch notes what was answered, and does to refreshes what a test asks for.
func (s *stack) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case refreshPath:
			s.together(r.Context())
		case "/ponies/events", "/ponies/live":
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			s.mu.Lock()
			s.cuts = append(s.cuts, cancel)
			s.mu.Unlock()
			s.note(r, 0) // there is no answer to wait for
			next.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		lost := s.note(r, rec.Code)
		if lost {
			// The work is done and the answer is lost: cut off where a
			// browser does not ask again by itself.
			w.Header().Set("Content-Length", "99")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
}

func (s *stack) note(r *http.Request, status int) (lose bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, seen{r.Method, r.URL.RequestURI(), r.Header.Get("Idempotency-Key"), status})
	if r.URL.Path == refreshPath && s.lose > 0 {
		s.lose--
		return true
	}
	return false
}

// together holds a refresh until as many are there as should meet.
func (s *stack) together(ctx context.Context) {
	s.mu.Lock()
	s.waited++
	if s.waited == s.meet {
		close(s.met)
	}
	hold := s.waited <= s.meet
	s.mu.Unlock()
	if hold {
		select {
		case <-s.met:
		case <-ctx.Done():
		}
	}
}

// cut ends all streams as a bad network would.
func (s *stack) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cut := range s.cuts {
		cut()
	}
}

// set changes what happens to refreshes from now on.
func (s *stack) set(lose, meet int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose, s.meet, s.waited = lose, meet, 0
}

// answered returns the requests of a path that were answered so far.
func (s *stack) answered(method, path string) []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []seen
	for _, a := range s.seen {
		if a.method == method && strings.HasPrefix(a.path, path) {
			list = append(list, a)
		}
	}
	return list
}

// count returns how many of them were answered so.
func (s *stack) count(method, path string, status int) int {
	n := 0
	for _, a := range s.answered(method, path) {
		if a.status == status {
			n++
		}
	}
	return n
}

package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
	"github.com/remuda-go/remuda/web"
)

const origin = "https://app.example"

// site is a whole installation in memory, with a clock that tests set.
type site struct {
	t       *testing.T
	now     atomic.Int64
	store   *brokenStore
	ring    *keyring.Ring
	manager *remuda.Manager
	web     *web.Handler
	handler http.Handler
	events  recorder
}

func newSite(t *testing.T, change ...func(*remuda.Config, *web.Config)) *site {
	t.Helper()
	s := &site{t: t, store: &brokenStore{Store: memstore.New()}}
	s.now.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())
	var err error
	if s.ring, err = keyring.New(s.time()); err != nil {
		t.Fatal(err)
	}
	cfg := remuda.Config{
		Store: s.store, Keys: s.ring, Issuer: origin, Now: s.time, Events: &s.events,
		Profiles: []remuda.Profile{remuda.Web(), remuda.API()},
	}
	wcfg := web.Config{Keys: s.ring, Authenticator: passwords{"alice": "sesame open", "bob": "bobs secret"}, Origins: []string{origin, "https://other.example"}, Events: &s.events}
	for _, c := range change {
		c(&cfg, &wcfg)
	}
	if s.manager, err = remuda.New(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.manager.Close(context.WithoutCancel(t.Context())) })
	wcfg.Manager = s.manager
	if s.web, err = web.New(wcfg); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(s.web.Prefix()+"/", s.web)
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := remuda.FromContext(r.Context())
		_, _ = io.WriteString(w, "hello "+session.Subject)
	})
	mux.HandleFunc("/", s.web.NotFound)
	mux.Handle("/hello", s.web.Require(echo))
	mux.Handle("/important", s.web.RequireRecent(time.Minute, echo))
	mux.Handle("/confirmed", s.web.Guard(web.Rule{Each: true}, echo))
	mux.Handle("/level", s.web.RequireLevel("high", echo))
	mux.Handle("/basket", s.web.Anonymous("web", echo))
	s.handler = s.web.CleanPaths(mux)
	return s
}

func (s *site) time() time.Time            { return time.Unix(0, s.now.Load()).UTC() }
func (s *site) advance(d time.Duration)    { s.now.Add(int64(d)) }
func (s *site) gen(id string) (gen uint32) { return s.record(id).Gen }

func (s *site) record(id string) store.Record {
	s.t.Helper()
	sid, err := store.ParseID(id)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := s.store.Store.Get(s.t.Context(), sid)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// passwords is an Authenticator for tests.
type passwords map[string]string

func (p passwords) Authenticate(_ context.Context, c web.Credentials) (web.Identity, error) {
	name := c.Username + c.Subject
	if name == "broken" {
		return web.Identity{}, errors.New("the disk is gone")
	}
	if name == "busy" {
		return web.Identity{}, &web.ThrottledError{After: 90 * time.Second}
	}
	if want, ok := p[name]; !ok || want != c.Password {
		return web.Identity{}, web.ErrLoginFailed
	}
	return web.Identity{Subject: name, AMR: []string{"pwd"}}, nil
}

// brokenStore fails while broken is set.
type brokenStore struct {
	*memstore.Store

	broken atomic.Bool
}

var errBroken = errors.New("no space left on device")

func (b *brokenStore) Get(ctx context.Context, id store.ID) (store.Record, error) {
	if b.broken.Load() {
		return store.Record{}, errBroken
	}
	return b.Store.Get(ctx, id)
}

func (b *brokenStore) Create(ctx context.Context, r store.Record) error {
	if b.broken.Load() {
		return errBroken
	}
	return b.Store.Create(ctx, r)
}

type recorder struct {
	mu   sync.Mutex
	list []event.Event
}

func (r *recorder) Emit(e event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, e)
}

// kinds returns the kinds emitted since the last call.
func (r *recorder) kinds() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for _, e := range r.list {
		names = append(names, string(e.Kind))
	}
	r.list = nil
	return strings.Join(names, " ")
}

// request is one request in a test. Headers are "Name: value".
type request struct {
	method, path string
	headers      []string
	body         string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

func (a *answer) code() string   { s, _ := a.json["code"].(string); return s }
func (a *answer) action() string { s, _ := a.json["action"].(string); return s }
func (a *answer) text(names ...string) string {
	v := any(a.json)
	for _, n := range names {
		m, _ := v.(map[string]any)
		v = m[n]
	}
	s, _ := v.(string)
	return s
}

// cookie returns what the answer sets a cookie to; ok is false if it does not.
func (a *answer) cookie(name string) (value string, ok bool) {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name {
			return c.Value, true
		}
	}
	return "", false
}

func (s *site) do(r request) *answer {
	s.t.Helper()
	req := httptest.NewRequestWithContext(s.t.Context(), r.method, r.path, strings.NewReader(r.body))
	req.Host = "app.example"
	for _, h := range r.headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	if r.body != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	rec := httptest.NewRecorder()
	s.handler.ServeHTTP(rec, req)
	a := &answer{status: rec.Code, header: rec.Header(), body: rec.Body.String()}
	_ = json.Unmarshal(rec.Body.Bytes(), &a.json)
	return a
}

// browser is a client with a cookie jar and the CSRF token it was given last.
type browser struct {
	s       *site
	cookies map[string]string
	csrf    string
	session string
}

func (s *site) browser() *browser { return &browser{s: s, cookies: map[string]string{}} }

func (b *browser) headers() []string {
	h := []string{"Origin: " + origin, "Sec-Fetch-Site: same-origin", "User-Agent: Mozilla/5.0 (X11; Linux) Firefox/140.0"}
	for name, value := range b.cookies {
		h = append(h, "Cookie: "+name+"="+value)
	}
	if b.csrf != "" {
		h = append(h, "X-CSRF-Token: "+b.csrf)
	}
	return h
}

func (b *browser) do(method, path, body string, more ...string) *answer {
	b.s.t.Helper()
	a := b.s.do(request{method, path, append(b.headers(), more...), body})
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	if t := a.text("csrf_token"); t != "" {
		b.csrf = t
	}
	if id := a.text("session", "id"); id != "" {
		b.session = id
	}
	return a
}

// signedIn returns a browser in which alice has signed in.
func (s *site) signedIn() *browser {
	s.t.Helper()
	b := s.browser()
	if a := b.do("POST", "/auth/web/login", `{"username":"alice","password":"sesame open"}`); a.status != http.StatusOK {
		s.t.Fatalf("login: %d %s", a.status, a.body)
	}
	s.events.kinds()
	return b
}

// tokens signs alice in by token.
func (s *site) tokens() (access, refresh, id string) {
	s.t.Helper()
	a := s.do(request{"POST", "/auth/token/login", nil, `{"username":"alice","password":"sesame open"}`})
	if a.status != http.StatusOK {
		s.t.Fatalf("login: %d %s", a.status, a.body)
	}
	s.events.kinds()
	return a.text("access_token"), a.text("refresh_token"), a.text("session", "id")
}

// expect checks an answer: a status, and for problems code and action.
func expect(t *testing.T, a *answer, status int, code, action string) {
	t.Helper()
	if a.status != status || a.code() != code || a.action() != action {
		t.Errorf("got %d %q %q, want %d %q %q; body %s", a.status, a.code(), a.action(), status, code, action, a.body)
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control = %q", a.header.Get("Cache-Control"))
	}
	if code == "" {
		return
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type = %q", got)
	}
	if a.text("request_id") == "" || a.text("type") == "" || a.text("title") == "" {
		t.Errorf("incomplete problem: %s", a.body)
	}
	if len(a.header.Values("Set-Cookie")) > 0 {
		t.Errorf("a refusal sets cookies: %v", a.header.Values("Set-Cookie"))
	}
	if status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") == "" {
		t.Error("401 without WWW-Authenticate")
	}
}

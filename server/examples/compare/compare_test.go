package compare_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/driver/sqlitestore"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/server/examples/compare"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
	"github.com/remuda-go/remuda/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openFile(ctx context.Context, path string) (store.Store, error) {
	return sqlitestore.Open(ctx, sqlitestore.Config{Path: path})
}

// kind is what a result says, without its figures.
type kind struct {
	parts         int
	readable      bool
	login, logout compare.Written // without bytes
	lookups       int64
	loads         int64
	renewal       compare.RenewalKind
	brings        bool // a renewal brings a new credential
	onA, onB      string
	everywhere    string
	others        string
	oneGoesOn     bool
	change        string
	storeCut      string
	logCut        string
	bothCut       string
}

func kindOf(r *compare.Result) kind {
	k := kind{
		parts: r.Parts, readable: r.Readable, login: r.Login, logout: r.Logout, lookups: r.Lookups, loads: r.Loads,
		renewal: r.Renewal.How, brings: r.Renewal.Bytes > 0,
		onA: ending(r.OnA), onB: ending(r.OnB), everywhere: ending(r.Everywhere), others: ending(r.Others), oneGoesOn: r.OneGoesOn,
		change: "never", storeCut: outage(r.StoreCut), logCut: outage(r.LogCut), bothCut: outage(r.BothCut),
	}
	k.login.Bytes, k.logout.Bytes = 0, 0
	if r.Change.Seen {
		k.change = "soon"
	} else if r.Change.Refresh {
		k.change = "refreshed"
	}
	return k
}

func ending(e compare.Ending) string {
	switch {
	case e.Denied:
		return "denied"
	case !e.Refused:
		return "never"
	case e.After > 2*time.Second:
		return "late"
	default:
		return "refused"
	}
}

func outage(o compare.Outage) string {
	switch {
	case o.Status == http.StatusOK && o.Lookups == 0:
		return "served"
	case o.Status == http.StatusOK:
		return "asked"
	default:
		return http.StatusText(o.Status)
	}
}

const cannot = "Service Unavailable"

// rotated is what Web and API have in common.
func rotated(k kind) kind {
	k.parts, k.readable = 2, true
	k.login, k.logout = compare.Written{Rows: 1}, compare.Written{Rows: 1, Entries: 1}
	k.renewal, k.brings = compare.RenewByRefresh, true
	k.onA, k.onB, k.everywhere, k.others, k.oneGoesOn = "refused", "refused", "refused", "refused", true
	k.change = "refreshed"
	k.storeCut, k.logCut, k.bothCut = "served", "asked", cannot
	return k
}

// kinds are what is true of the profiles.
var kinds = map[string]kind{
	"web": rotated(kind{}),
	"api": rotated(kind{}),
	"classic": {
		parts: 1, login: compare.Written{Rows: 1}, logout: compare.Written{Rows: 1}, lookups: 300, renewal: compare.RenewByUse,
		onA: "refused", onB: "refused", everywhere: "refused", others: "refused", oneGoesOn: true, change: "soon",
		storeCut: cannot, logCut: "asked", bothCut: cannot,
	},
	"stateless": {
		parts: 1, readable: true, renewal: compare.RenewNot,
		onA: "never", onB: "never", everywhere: "denied", others: "denied", oneGoesOn: true, change: "never",
		storeCut: "served", logCut: "served", bothCut: "served",
	},
	"local": {
		parts: 1, logout: compare.Written{Entries: 1}, loads: 1, renewal: compare.RenewByRequest, brings: true,
		onA: "refused", onB: "refused", everywhere: "refused", others: "refused", oneGoesOn: true, change: "soon",
		storeCut: "served", logCut: cannot, bothCut: cannot,
	},
}

func profiles() []remuda.Profile {
	return []remuda.Profile{remuda.Web(), remuda.API(), remuda.Classic(), remuda.Stateless(), remuda.Local()}
}

func TestEachProfile(t *testing.T) {
	t.Parallel()
	for _, p := range profiles() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r, err := compare.Measure(t.Context(), compare.Config{Open: openFile, Folder: dir}, p)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := kindOf(r), kinds[p.Name]; got != want {
				t.Errorf("it is measured as\n%+v; it is\n%+v", got, want)
			}
			if r.OnA.Refused == (p.Liveness == remuda.LiveExpiry) || r.OnA.Refused && !r.OnA.AtOnce {
				t.Errorf("on the node of the logout: %v", r.OnA)
			}
			if p.Liveness == remuda.LiveStore && !r.OnB.AtOnce {
				t.Errorf("a node that asks the store: %v", r.OnB)
			}
			if p.Liveness == remuda.LiveExpiry && (r.OnB.Left > 15*time.Minute || r.OnB.Left < 14*time.Minute) {
				t.Errorf("what nobody ends ends by itself in %v", r.OnB.Left)
			}
			if r.Median <= 0 || r.Sent < 90 || r.Received <= r.Sent-100 {
				t.Errorf("these are no figures: %+v", r)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// broken is a store with a mistake.
type broken struct {
	*memstore.Store
	deaf     bool // entries of the log are lost
	immortal bool // ends are lost
	still    bool // changes are lost that end nothing
}

func (b broken) Append(ctx context.Context, entries ...store.Entry) error {
	if b.deaf {
		return nil
	}
	return b.Store.Append(ctx, entries...)
}

func (b broken) Update(ctx context.Context, r store.Record, was store.Version) error {
	if r.Ended() && b.immortal || !r.Ended() && b.still {
		return nil
	}
	return b.Store.Update(ctx, r, was)
}

// Close does nothing: two nodes share the store.
func (broken) Close() error { return nil }

// What is wrong shows: a store or a profile with a mistake is not measured as what
// it should be.
func TestMistakesShow(t *testing.T) {
	t.Parallel()
	asking, forgetting, ending, fixed := remuda.Web(), remuda.Local(), remuda.Stateless(), remuda.Local()
	asking.Liveness = remuda.LiveStore
	forgetting.Outage = remuda.OutageServe
	ending.Liveness = remuda.LiveLog
	fixed.Renewal, fixed.Idle = remuda.Fixed, 0
	for _, c := range []struct {
		name    string
		profile remuda.Profile
		store   broken
		wrong   func(got *kind) bool
	}{
		{"a log that loses entries", remuda.Web(), broken{deaf: true}, func(got *kind) bool { return got.onA == "refused" && got.onB == "never" && got.others == "never" }},
		{"the same without records", remuda.Local(), broken{deaf: true}, func(got *kind) bool { return got.onB == "never" && got.change == "never" }},
		{"a store that loses ends", remuda.Classic(), broken{immortal: true}, func(got *kind) bool { return got.onA == "never" && got.others == "never" }},
		{"a store that loses changes", remuda.Classic(), broken{still: true}, func(got *kind) bool { return got.change == "never" }},
		{"a lookup a request", asking, broken{}, func(got *kind) bool { return got.lookups == 300 && got.storeCut == cannot }},
		{"served whatever happens", forgetting, broken{}, func(got *kind) bool { return got.logCut == "served" }},
		{"a log where there should be none", ending, broken{}, func(got *kind) bool { return got.onB == "refused" }},
		{"no renewal", fixed, broken{}, func(got *kind) bool { return !got.brings }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.store.Store = memstore.New()
			r, err := compare.Measure(t.Context(), compare.Config{
				Folder: t.TempDir(), Open: func(context.Context, string) (store.Store, error) { return c.store, nil },
			}, c.profile)
			if err != nil {
				t.Fatal(err)
			}
			got := kindOf(r)
			if got == kinds[c.profile.Name] || !c.wrong(&got) {
				t.Errorf("nobody sees what is wrong: %+v", got)
			}
		})
	}
}

// server is the page's server.
type server struct {
	*httptest.Server
	handler http.Handler
}

func newServer(t *testing.T, open func(context.Context, string) (store.Store, error)) *server {
	t.Helper()
	ring, err := keyring.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m, err := remuda.New(t.Context(), remuda.Config{Store: memstore.New(), Keys: ring, Issuer: "urn:test", Profiles: []remuda.Profile{remuda.Web()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(context.WithoutCancel(t.Context())) })
	s := &server{Server: httptest.NewUnstartedServer(nil)}
	s.URL = "http://" + s.Listener.Addr().String()
	w, err := web.New(web.Config{Manager: m, Keys: ring, Authenticator: nobody{}, Origins: []string{s.URL}})
	if err != nil {
		t.Fatal(err)
	}
	s.handler, err = compare.New(compare.Config{Web: w, Origins: []string{s.URL}, Open: open, Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s.Config.Handler = s.handler
	return s
}

type nobody struct{}

func (nobody) Authenticate(context.Context, web.Credentials) (web.Identity, error) {
	return web.Identity{}, web.ErrLoginFailed
}

// ask asks the handler, with header lines.
func (s *server) ask(ctx context.Context, method, path string, lines ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, s.URL+path, http.NoBody)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	rec := httptest.NewRecorder()
	s.handler.ServeHTTP(rec, r)
	return rec
}

func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(context.Context, string) (store.Store, error) {
		t.Error("something is measured")
		return nil, errors.New("no")
	})
	for _, c := range []struct {
		name, method, path string
		lines              []string
		status             int
	}{
		{"another site", "POST", "/compare/web", []string{"Origin: https://evil.example"}, 403},
		{"another site's form, by our origin", "POST", "/compare/web", []string{"Origin: " + s.URL, "Sec-Fetch-Site: cross-site"}, 403},
		{"no origin", "POST", "/compare/web", nil, 403},
		{"two origins", "POST", "/compare/web", []string{"Origin: " + s.URL, "Origin: " + s.URL}, 403},
		{"a link", "GET", "/compare/web", nil, 405},
		{"a profile that is none", "POST", "/compare/worse", []string{"Origin: " + s.URL}, 404},
		{"the page, posted to", "POST", "/compare", []string{"Origin: " + s.URL}, 405},
		{"a longer name", "GET", "/compared", nil, 404},
		{"the page", "GET", "/compare", nil, 200},
		{"its script", "GET", "/compare/assets/compare.js", nil, 200},
	} {
		if got := s.ask(t.Context(), c.method, c.path, c.lines...); got.Code != c.status {
			t.Errorf("%s: %d %s", c.name, got.Code, got.Body)
		}
	}
	page := s.ask(t.Context(), "GET", "/compare")
	if policy := page.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %q", policy)
	}
}

// One is measured at a time; who goes away ends it; afterwards the next may.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	s := newServer(t, func(ctx context.Context, _ string) (store.Store, error) {
		entered <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	own := "Origin: " + s.URL
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan *httptest.ResponseRecorder, 1)
		go func() { done <- s.ask(ctx, "POST", "/compare/web", own) }()
		select {
		case <-entered:
		case got := <-done:
			t.Fatalf("nobody measures, and yet: %d %s", got.Code, got.Body)
		}
		if got := s.ask(t.Context(), "POST", "/compare/local", own); got.Code != 429 || got.Header().Get("Retry-After") == "" {
			t.Errorf("a second one: %d %v", got.Code, got.Header())
		}
		cancel()
		if got := <-done; got.Code == 200 {
			t.Error("what was given up is measured")
		}
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	s := newServer(t, openFile)
	got := s.ask(t.Context(), "POST", "/compare/classic", "Origin: "+s.URL, "Sec-Fetch-Site: same-origin")
	var answer struct {
		Profile string            `json:"profile"`
		Cells   map[string]string `json:"cells"`
	}
	if err := json.Unmarshal(got.Body.Bytes(), &answer); err != nil || got.Code != 200 {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	if c := answer.Cells; answer.Profile != "classic" || len(c) != 17 || c["lookups"] != "300 lookups in 300 requests" ||
		c["on-a"] != "at once" || c["store-cut"] != "503, come again" || slices.Contains(cells(c), "") {
		t.Errorf("%+v", answer)
	}
}

func cells(m map[string]string) []string {
	var list []string
	for _, text := range m {
		list = append(list, text)
	}
	return list
}

// Who gives up gets no answer, and leaves nothing running (see TestMain) and no
// file.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, 20 * time.Millisecond, 300 * time.Millisecond} {
		dir := t.TempDir()
		ctx, cancel := context.WithTimeout(t.Context(), after)
		_, err := compare.Measure(ctx, compare.Config{Open: openFile, Folder: dir}, remuda.Web())
		cancel()
		if err == nil {
			t.Errorf("after %v it is measured", after)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("after %v left behind: %v, %v", after, left, err)
		}
	}
}

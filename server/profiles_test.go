package server_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// siteOrigin is what the servers of these tests take for their pages' origin,
// whatever port they are on.
const siteOrigin = "http://localhost:1"

// browser is a client that keeps cookies, or tokens where a login gives it some.
type browser struct {
	t       testing.TB
	cookies map[string]string
	csrf    string
	access  string
	subject string // of the session that was last asked for
}

func newBrowser(t testing.TB) *browser {
	t.Helper()
	return &browser{t: t, cookies: map[string]string{}}
}

// copy is somebody else who has what it holds.
func (b *browser) copy() *browser {
	other := *b
	other.cookies = maps.Clone(b.cookies)
	return &other
}

// do sends a request, keeps what comes, and returns the status.
func (b *browser) do(p *process, method, path, body string) int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, p.base+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if b.access != "" {
		req.Header.Set("Authorization", "Bearer "+b.access)
	} else {
		req.Header.Set("Origin", siteOrigin)
		req.Header.Set("X-CSRF-Token", b.csrf)
		for name, value := range b.cookies {
			req.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range resp.Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	var got struct {
		CSRF    string `json:"csrf_token"`
		Access  string `json:"access_token"`
		Subject string `json:"subject"`
	}
	if json.Unmarshal(text, &got) == nil && resp.StatusCode == http.StatusOK {
		if got.CSRF != "" {
			b.csrf = got.CSRF
		}
		if got.Access != "" {
			b.access = got.Access
		}
		if got.Subject != "" {
			b.subject = got.Subject
		}
	}
	return resp.StatusCode
}

// want fails the test unless a request is answered with a status.
func (b *browser) want(p *process, method, path, body string, status int) {
	b.t.Helper()
	if got := b.do(p, method, path, body); got != status {
		b.t.Errorf("%s %s: %d, want %d", method, path, got, status)
	}
}

// login signs alice in: at token/login if it is for that.
func (b *browser) login(p *process, path, profile string, status int) {
	b.t.Helper()
	b.want(p, http.MethodPost, path, `{"username":"alice","password":"a long password","profile":"`+profile+`"}`, status)
}

// site is a configuration with alice in its directory.
type site struct {
	t    testing.TB
	file string
}

func newSite(t testing.TB, text string) *site {
	t.Helper()
	s := &site{t: t, file: filepath.Join(t.TempDir(), "remuda.yaml")}
	if err := os.WriteFile(s.file, []byte("listen: 127.0.0.1:0\norigins: ["+siteOrigin+"]\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run("a long password\n", "users", "add", "alice", "--password-stdin")
	return s
}

// run runs a command on the site.
func (s *site) run(input string, args ...string) {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), path, append(args, "--config", s.file)...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// serve starts one more server of the site, with more environment, and returns when
// it is ready.
func (s *site) serve(environ ...string) *process {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	p := start(s.t, "env", append(environ, path, "serve", "--config", s.file)...)
	newBrowser(s.t).want(p, http.MethodGet, "/readyz", "", http.StatusOK)
	return p
}

// keys returns the key ring that a server of the site has made.
func (s *site) keys() string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(s.file), "remuda-data", "keys.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// Every configuration in docs/choosing.md does what that page says.
func TestConfiguredRecipes(t *testing.T) {
	t.Parallel()
	list := blocks(t, "../docs/choosing.md", "yaml")
	if len(list) != 6 {
		t.Fatalf("%d recipes", len(list))
	}
	for _, text := range list {
		t.Run(strings.Fields(text)[1], func(t *testing.T) {
			t.Parallel()
			p := newSite(t, text).serve()
			b, path := newBrowser(t), "/auth/web"
			if strings.Contains(text, "api:") {
				path = "/auth/token"
			}
			b.login(p, path+"/login", "", http.StatusOK)
			b.want(p, http.MethodGet, "/auth/session", "", http.StatusOK)
			thief, copied := b.copy(), http.StatusUnauthorized
			if strings.Contains(text, "stateless:") {
				copied = http.StatusOK
			}
			b.want(p, http.MethodPost, path+"/logout", "", http.StatusNoContent)
			thief.want(p, http.MethodGet, "/auth/session", "", copied)
		})
	}
}

// A client picks among the profiles that the operator offers.
func TestOfferedProfiles(t *testing.T) {
	t.Parallel()
	p := newSite(t, `
web_profiles: [staff, web]
profiles:
  staff: {like: classic, absolute: 8h}
  kiosk: {like: local, transport: bearer}
`).serve()
	for _, c := range []struct {
		path, profile string
		status        int
		cookies       int
	}{
		{"/auth/web/login", "", http.StatusOK, 1},
		{"/auth/web/login", "staff", http.StatusOK, 1},
		{"/auth/web/login", "web", http.StatusOK, 2},
		{"/auth/web/login", "classic", http.StatusBadRequest, 0},
		{"/auth/web/login", "kiosk", http.StatusBadRequest, 0},
		{"/auth/token/login", "kiosk", http.StatusOK, 0},
		{"/auth/token/login", "", http.StatusOK, 0},
		{"/auth/token/login", "web", http.StatusBadRequest, 0},
	} {
		b := newBrowser(t)
		b.login(p, c.path, c.profile, c.status)
		if len(b.cookies) != c.cookies {
			t.Errorf("%s with %q: %d cookies, want %d", c.path, c.profile, len(b.cookies), c.cookies)
		}
	}
}

// Two processes share no session, and still one hears of a logout on the other, of
// a logout everywhere, and of a new password.
func TestLocalOnTwoProcesses(t *testing.T) {
	t.Parallel()
	s := newSite(t, "web_profiles: [local]\nprofiles: {local: {idle: 1h}}\n")
	a, b := s.serve(), s.serve()
	both := []*process{a, b}
	user, other := newBrowser(t), newBrowser(t)
	user.login(a, "/auth/web/login", "", http.StatusOK)
	other.login(b, "/auth/web/login", "", http.StatusOK)
	for _, p := range both {
		token := user.cookies["session"]
		user.want(p, http.MethodGet, "/auth/session", "", http.StatusOK)
		if user.subject != "alice" {
			t.Errorf("the session is of %q", user.subject)
		}
		user.want(p, http.MethodPost, "/auth/web/refresh", "", http.StatusOK)
		if user.cookies["session"] == token {
			t.Error("it was not issued anew")
		}
	}
	thief := user.copy()
	user.want(a, http.MethodPost, "/auth/web/logout", "", http.StatusNoContent)
	thief.refused(both...)
	other.want(a, http.MethodGet, "/auth/session", "", http.StatusOK)

	s.run("", "sessions", "end", "--all", "--user", "alice")
	other.refused(both...)

	user.login(b, "/auth/web/login", "", http.StatusOK)
	user.want(a, http.MethodGet, "/auth/session", "", http.StatusOK)
	s.run("another password\n", "users", "passwd", "alice", "--password-stdin")
	user.refused(both...)
	newBrowser(t).login(a, "/auth/web/login", "", http.StatusUnauthorized)
}

// refused waits until all these servers refuse what it holds, and sees that they
// go on refusing.
func (b *browser) refused(all ...*process) {
	b.t.Helper()
	begin := time.Now()
	for _, p := range all {
		for b.do(p, http.MethodGet, "/auth/session", "") != http.StatusUnauthorized {
			if time.Since(begin) > maxStaleness+patience {
				b.t.Fatal("never refused")
			}
		}
		b.want(p, http.MethodGet, "/auth/session", "", http.StatusUnauthorized)
	}
}

// What nobody keeps nobody can take back: a logout deletes the cookie, and a copy is
// good on all servers until it expires.
func TestStatelessOnTwoProcesses(t *testing.T) {
	t.Parallel()
	s := newSite(t, "web_profiles: [stateless]\ntoken_profiles: []\nprofiles: {stateless: {absolute: 8s}}\n")
	a, b := s.serve(), s.serve()
	user := newBrowser(t)
	user.login(a, "/auth/web/login", "", http.StatusOK)
	user.want(b, http.MethodGet, "/auth/session", "", http.StatusOK)
	thief := user.copy()
	user.want(a, http.MethodPost, "/auth/web/logout", "", http.StatusNoContent)
	if len(user.cookies) != 0 {
		t.Errorf("%v is left", user.cookies)
	}
	user.want(a, http.MethodGet, "/auth/session", "", http.StatusUnauthorized)
	s.run("", "sessions", "end", "--all", "--user", "alice")
	thief.want(b, http.MethodGet, "/auth/session", "", http.StatusOK)
	thief.want(a, http.MethodGet, "/auth/session", "", http.StatusOK)
	thief.refused(a, b)
}

// Two servers with databases and users of their own, that have nothing in common but
// the keys, take each other's tokens.
func TestStatelessSharesTheKeysAlone(t *testing.T) {
	t.Parallel()
	const text = "web_profiles: [stateless]\ntoken_profiles: []\n"
	first := newSite(t, text)
	if err := first.serve().stop(); err != nil {
		t.Fatal(err)
	}
	keys := "REMUDA_KEYS=" + first.keys()
	a, b := newSite(t, text).serve(keys), newSite(t, text).serve(keys)
	user := newBrowser(t)
	user.login(a, "/auth/web/login", "", http.StatusOK)
	user.want(b, http.MethodGet, "/auth/session", "", http.StatusOK)
	if user.subject != "alice" {
		t.Errorf("the session is of %q", user.subject)
	}
	stranger := newSite(t, text).serve()
	user.want(stranger, http.MethodGet, "/auth/session", "", http.StatusUnauthorized)
}

// A user changes the password, and everybody else is out.
func TestPasswordChange(t *testing.T) {
	t.Parallel()
	p := newSite(t, "").serve()
	b, other := newBrowser(t), newBrowser(t)
	b.login(p, "/auth/web/login", "", http.StatusOK)
	other.login(p, "/auth/web/login", "", http.StatusOK)
	b.want(p, http.MethodPost, "/auth/password", `{"password":"a long password","new_password":"short"}`, http.StatusBadRequest)
	b.want(p, http.MethodPost, "/auth/password", `{"password":"not this one","new_password":"another password"}`, http.StatusUnauthorized)
	b.want(p, http.MethodPost, "/auth/password", `{"password":"a long password","new_password":"another password"}`, http.StatusOK)
	b.want(p, http.MethodGet, "/auth/session", "", http.StatusOK)
	other.want(p, http.MethodGet, "/auth/session", "", http.StatusUnauthorized)
	newBrowser(t).login(p, "/auth/web/login", "", http.StatusUnauthorized)
	newBrowser(t).want(p, http.MethodPost, "/auth/web/login", `{"username":"alice","password":"another password"}`, http.StatusOK)
}

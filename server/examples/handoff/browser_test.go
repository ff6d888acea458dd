package handoff_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/remuda-go/remuda/driver/sqlitestore"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/server/examples/handoff"
	"github.com/remuda-go/remuda/web"
)

// patience is how long a condition may take on a busy machine.
const patience = 30 * time.Second

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

// accessLog collects what a server writes down.
type accessLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *accessLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *accessLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newDemo serves both sites over one database file.
func newDemo(t *testing.T) (*handoff.Demo, *accessLog) {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: t.TempDir() + "/sessions.db"})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var listen net.ListenConfig
	var listeners [2]net.Listener
	for i := range listeners {
		if listeners[i], err = listen.Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	log := &accessLog{}
	d, err := handoff.Start(t.Context(), handoff.Config{
		Store: s, Keys: ring, Authenticator: users{}, App: listeners[0], Shop: listeners[1],
		AccessLog: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		s.Close()
	})
	return d, log
}

// chromium is a running browser.
type chromium struct{ ctx context.Context }

// newBrowser starts Chromium once for the tests below t.
func newBrowser(t *testing.T) chromium {
	t.Helper()
	if testing.Short() {
		t.Skip("drives a browser")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is not installed; scripts/deps test installs it")
		}
		t.Skip("chromium is not installed; scripts/deps test installs it")
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU}
	for _, name := range []string{"disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync"} {
		options = append(options, chromedp.Flag(name, true))
	}
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(options...))
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return chromium{ctx}
}

// tab is one tab of a browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// person opens a browser profile of their own.
func person(t *testing.T, browser chromium) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // no time-out: it would be the tab's
		t.Fatal(err)
	}
	return &tab{t: t, ctx: ctx}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v\nthe page: %s", err, b.shown())
	}
}

func (b *tab) open(address string)   { b.t.Helper(); b.do(chromedp.Navigate(address)) }
func (b *tab) click(selector string) { b.t.Helper(); b.do(chromedp.Click(chromedp.CSS(selector))) }

// eval returns what an expression is in the page.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// shown is where the tab is, and the text that people see.
func (b *tab) shown() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// waitFor waits until an expression is true in the page.
func (b *tab) waitFor(expression string) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!!(`+expression+`)`))
		cancel()
		if err == nil && ok { // a navigation under way is an error
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("never: %s\nthe page: %s", expression, b.shown())
		}
	}
}

// at waits until somebody, or nobody, is signed in at an address.
func (b *tab) at(address, who string) {
	b.t.Helper()
	state := fmt.Sprintf(`document.getElementById("who")?.textContent === %q`, who)
	if who == "" {
		state = `document.getElementById("signed-out")?.hidden === false`
	}
	b.waitFor(fmt.Sprintf(`location.href === %q && %s`, address, state))
}

func (b *tab) login(name string) {
	b.t.Helper()
	b.waitFor(`document.getElementById("signed-out")?.hidden === false`)
	b.do(chromedp.SendKeys(chromedp.ID("username"), name), chromedp.SendKeys(chromedp.ID("password"), password))
	b.click("#login button")
}

// sees waits until one section of a hand-off's page is shown.
func (b *tab) sees(section string) {
	b.t.Helper()
	b.waitFor(fmt.Sprintf(`document.getElementById(%q)?.hidden === false`, section))
}

// entries are the addresses in the tab's history.
func (b *tab) entries() []string {
	b.t.Helper()
	var list []string
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		h, err := chromedp.Call(ctx, page.GetNavigationHistory, cdp.Empty{})
		for _, e := range h.Entries {
			list = append(list, e.URL)
		}
		return err
	}))
	return list
}

// stranger is a browser that is none of Chromium's, which has begun at the shop.
type stranger struct {
	t      *testing.T
	client *http.Client
	demo   *handoff.Demo
	asked  url.Values
}

func newStranger(t *testing.T, d *handoff.Demo) *stranger {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &stranger{t: t, demo: d, client: &http.Client{
		Jar: jar, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	_, header := s.do(http.MethodGet, "/auth/hand-off/start?return=/basket", "")
	u, err := url.Parse(header.Get("Location"))
	if err != nil || !strings.HasPrefix(u.String(), d.App+"/auth/hand-off?") {
		t.Fatalf("start: %v %v", header, err)
	}
	s.asked = u.Query()
	return s
}

func (s *stranger) do(method, path, body string) (int, http.Header) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.demo.Shop+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Origin", s.demo.Shop)
	req.Header.Set("Content-Type", "application/json")
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, errClosed(res)
}

func errClosed(res *http.Response) http.Header {
	_ = res.Body.Close()
	return res.Header
}

// mint asks the app, in a tab that is signed in there, for a token that is the
// stranger's, and returns where to take it.
func (s *stranger) mint(b *tab) string {
	s.t.Helper()
	return eval[string](b, fmt.Sprintf(`(async () => {
		const held = await (await fetch("/auth/web/csrf")).json();
		const answer = await fetch("/auth/hand-off", {
			method: "POST", headers: { "Content-Type": "application/json", "X-CSRF-Token": held.csrf_token },
			body: JSON.stringify({ target: %q, state: %q }),
		});
		return (await answer.json()).url ?? "";
	})()`, s.asked.Get("target"), s.asked.Get("state")))
}

// redeem does what the landing page does.
func (s *stranger) redeem(landing string) int {
	s.t.Helper()
	u, err := url.Parse(landing)
	if err != nil {
		s.t.Fatal(err)
	}
	handed, err := url.ParseQuery(u.Fragment)
	if err != nil {
		s.t.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{"token": handed.Get("ho"), "attempt": handed.Get("at")})
	if err != nil {
		s.t.Fatal(err)
	}
	status, _ := s.do(http.MethodPost, "/auth/hand-off/redeem", string(body))
	return status
}

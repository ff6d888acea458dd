package handoff_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/remuda-go/remuda/server/examples/internal/browsertest"
)

const password = "correct horse"

// demo is the program's own demo, which runs.
type demo struct {
	App, Shop string // origins
	log       *lines
}

// lines collects what the demo says.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(line + "\n")
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// The lines of the welcome from which a newcomer learns the addresses.
var (
	saysApp  = regexp.MustCompile(`^Now open (http://\S+) in a browser`)
	saysShop = regexp.MustCompile(`^ +(http://localhost:[0-9]+) +is the shop`)
)

// newDemo builds the program and runs its demo, as a newcomer does.
func newDemo(t *testing.T) *demo {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "remuda")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/remuda").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary,
		"demo", "--listen", "127.0.0.1:0", "--password", password, "--log-level", "debug")
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := &demo{log: &lines{}}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait(); _ = w.Close() }()
	said := make(chan struct{})
	go d.read(r, said)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		if err := <-ended; err != nil {
			t.Errorf("%v\n%s", err, d.log)
		}
	})
	<-said
	if d.App == "" || d.Shop == "" {
		t.Fatalf("the demo does not say where it is:\n%s", d.log)
	}
	return d
}

// read notes what the demo says, and closes said after the last line of its
// welcome.
func (d *demo) read(r io.Reader, said chan<- struct{}) {
	tell := sync.OnceFunc(func() { close(said) })
	defer tell()
	for s := bufio.NewScanner(r); s.Scan(); {
		d.log.add(s.Text())
		if m := saysShop.FindStringSubmatch(s.Text()); m != nil {
			d.Shop = m[1]
		}
		if m := saysApp.FindStringSubmatch(s.Text()); m != nil {
			d.App = m[1]
			tell()
		}
	}
}

// tab is one tab of a browser.
type tab struct {
	*browsertest.Tab
	t *testing.T
}

// person opens a page in a browser profile of their own.
func person(t *testing.T, browser *browsertest.Browser, address string) *tab {
	t.Helper()
	return &tab{browser.Person(t, address), t}
}

// eval returns what an expression is in the page.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	return browsertest.Eval[T](b.Tab, expression)
}

// at waits until somebody, or nobody, is signed in at an address.
func (b *tab) at(address, who string) {
	b.t.Helper()
	state := fmt.Sprintf(`document.getElementById("signed-in")?.hidden === false && document.getElementById("who").textContent === %q`, who)
	if who == "" {
		state = `document.getElementById("signed-out")?.hidden === false`
	}
	b.WaitFor(fmt.Sprintf(`location.href === %q && %s`, address, state))
}

func (b *tab) login(name string) {
	b.t.Helper()
	b.WaitFor(`document.getElementById("signed-out")?.hidden === false`)
	b.Fill("username", name)
	b.Fill("password", password)
	b.Click("#login button")
}

// sees waits until one section of a hand-off's page is shown.
func (b *tab) sees(section string) {
	b.t.Helper()
	b.WaitFor(fmt.Sprintf(`document.getElementById(%q)?.hidden === false`, section))
}

// entries are the addresses in the tab's history.
func (b *tab) entries() []string {
	b.t.Helper()
	var list []string
	b.Do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
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
	demo   *demo
	asked  url.Values
}

func newStranger(t *testing.T, d *demo) *stranger {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &stranger{t: t, demo: d, client: &http.Client{
		Jar: jar, Timeout: browsertest.Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
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

package ponies_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience is how long a condition may take on a busy machine.
const patience = 30 * time.Second

// tab is one tab of a browser, on the demo's page.
type tab struct {
	t     *testing.T
	ctx   context.Context
	stack *stack

	mu     sync.Mutex
	faults []string
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

// person opens the page in a browser profile of its own.
func (s *stack) person(t *testing.T, browser chromium, scripts ...string) *tab {
	t.Helper()
	return s.open(browser.ctx, t, scripts, chromedp.WithNewBrowserContext())
}

// another opens the page in another tab of the same profile.
func (b *tab) another(scripts ...string) *tab {
	b.t.Helper()
	return b.stack.open(b.ctx, b.t, scripts)
}

// Scripts that take an ability away from a page.
const (
	withoutLocks    = `Object.defineProperty(Navigator.prototype, "locks", { get: () => undefined })`
	withoutChannels = `delete window.BroadcastChannel`
	withoutEvents   = `delete window.EventSource`
	tellViolations  = `addEventListener("securitypolicyviolation", (e) => console.error("violation of " + e.violatedDirective + ": " + e.blockedURI))`
)

func (s *stack) open(parent context.Context, t *testing.T, scripts []string, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, options...)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx, stack: s}
	if err := chromedp.Do(ctx); err != nil { // no time-out: it would be the tab's
		t.Fatal(err)
	}
	b.listen()
	for _, script := range append(scripts, tellViolations) {
		b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
			return err
		}))
	}
	b.do(chromedp.Navigate(s.url))
	t.Cleanup(b.check)
	return b
}

// listen collects what a page should never say. A refused request is no fault:
// the browser notes each one.
func (b *tab) listen() {
	messages := chromedp.Console(b.ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			bad := m.IsException() || m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning
			if bad && m.Source != "network" {
				b.mu.Lock()
				b.faults = append(b.faults, m.String())
				b.mu.Unlock()
			}
		}
	}()
}

// check fails the test if the page had faults.
func (b *tab) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.faults) > 0 {
		b.t.Errorf("the page says:\n%s", strings.Join(b.faults, "\n"))
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v\nthe page: %s", err, b.shown())
	}
}

// eval returns what an expression is in the page.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// shown is the text that people see.
func (b *tab) shown() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// waitFor waits until an expression is true in the page.
func (b *tab) waitFor(expression string) {
	b.t.Helper()
	b.until(expression, func() bool {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		defer cancel()
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!!(`+expression+`)`))
		return err == nil && ok // a navigation under way is an error
	})
}

// until waits for a condition, and looks often.
func (b *tab) until(what string, cond func() bool) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !cond(); <-tick.C {
		if time.Now().After(deadline) {
			b.t.Fatalf("never: %s\nthe page: %s\nrequests: %v", what, b.shown(), b.stack.answered("", ""))
		}
	}
}

func (b *tab) waitText(text string) {
	b.t.Helper()
	b.waitFor(fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
}

func (b *tab) fill(id, text string) {
	b.t.Helper()
	eval[string](b, fmt.Sprintf(`document.getElementById(%q).value = ""`, id))
	b.do(chromedp.SendKeys(chromedp.ID(id), text))
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

const (
	signedIn  = `!document.getElementById("signed-in").hidden`
	signedOut = `!document.getElementById("signed-out").hidden`
)

// login signs in and waits until everything is loaded.
func (b *tab) login(name string) {
	b.t.Helper()
	b.waitFor(signedOut)
	b.fill("username", name)
	b.fill("password", password)
	b.click("#login button")
	b.ready()
}

// ready waits until everything of a session is shown.
func (b *tab) ready() {
	b.t.Helper()
	b.waitFor(signedIn + ` && document.querySelector("#devices li") && (document.querySelector("#ponies li") || !document.getElementById("no-ponies").hidden)`)
}

func (b *tab) addPony(name string) {
	b.t.Helper()
	b.fill("name", name)
	b.fill("breed", "Connemara")
	b.click("#add button")
}

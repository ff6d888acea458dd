// Package browsertest drives pages in Chromium, for the tests of the demos.
package browsertest

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

// Patience is how long a condition may take on a busy machine.
const Patience = 30 * time.Second

// Browser is a running Chromium.
type Browser struct{ ctx context.Context }

// Start starts Chromium once for the tests below t. Where it is not installed
// they are skipped; in CI they fail.
func Start(t *testing.T) *Browser {
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
	return &Browser{ctx}
}

// Tab is one tab of a browser. The test fails if a page in it throws, warns, or
// breaks its own policy.
type Tab struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	faults []string
}

// Person opens a page in a browser profile of its own. The scripts run in every
// document before its own.
func (b *Browser) Person(t *testing.T, address string, scripts ...string) *Tab {
	t.Helper()
	return open(b.ctx, t, address, scripts, chromedp.WithNewBrowserContext())
}

// Another opens a page in another tab of the same profile.
func (b *Tab) Another(address string, scripts ...string) *Tab {
	b.t.Helper()
	return open(b.ctx, b.t, address, scripts)
}

// Scripts that take an ability away from a page.
const (
	WithoutLocks    = `Object.defineProperty(Navigator.prototype, "locks", { get: () => undefined })`
	WithoutChannels = `delete window.BroadcastChannel`
	WithoutEvents   = `delete window.EventSource`
)

const tellViolations = `addEventListener("securitypolicyviolation", (e) => console.error("violation of " + e.violatedDirective + ": " + e.blockedURI))`

func open(parent context.Context, t *testing.T, address string, scripts []string, options ...chromedp.ContextOption) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, options...)
	t.Cleanup(cancel)
	b := &Tab{t: t, ctx: ctx}
	if err := chromedp.Do(ctx); err != nil { // no time-out: it would be the tab's
		t.Fatal(err)
	}
	b.listen()
	for _, script := range append(scripts, tellViolations) {
		b.Do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error { //nolint:contextcheck // a tab has its own context
			_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
			return err
		}))
	}
	b.Open(address) //nolint:contextcheck // a tab has its own context
	t.Cleanup(b.check)
	return b
}

// listen collects what a page should never say. A refused request is no fault:
// the browser notes each one.
func (b *Tab) listen() {
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

func (b *Tab) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.faults) > 0 {
		b.t.Errorf("the page says:\n%s", strings.Join(b.faults, "\n"))
	}
}

// Do does what has to succeed.
func (b *Tab) Do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v\nthe page: %s", err, b.Shown())
	}
}

// Open goes to an address.
func (b *Tab) Open(address string) { b.t.Helper(); b.Do(chromedp.Navigate(address)) }

// Click clicks what a CSS selector selects.
func (b *Tab) Click(selector string) { b.t.Helper(); b.Do(chromedp.Click(chromedp.CSS(selector))) }

// Fill types a text into the field with an id, in place of what is there.
func (b *Tab) Fill(id, text string) {
	b.t.Helper()
	Eval[string](b, fmt.Sprintf(`document.getElementById(%q).value = ""`, id))
	b.Do(chromedp.SendKeys(chromedp.ID(id), text))
}

// Eval returns what an expression, or the promise that it is, is in the page.
func Eval[T any](b *Tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Shown is where the tab is, and the text that people see.
func (b *Tab) Shown() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// WaitFor waits until an expression is true in the page.
func (b *Tab) WaitFor(expression string) {
	b.t.Helper()
	b.Until(expression, func() bool {
		ctx, cancel := context.WithTimeout(b.ctx, Patience)
		defer cancel()
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!!(`+expression+`)`))
		return err == nil && ok // a navigation under way is an error
	})
}

// WaitText waits until people see a text.
func (b *Tab) WaitText(text string) {
	b.t.Helper()
	b.WaitFor(fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
}

// Until waits for a condition, and looks often.
func (b *Tab) Until(what string, cond func() bool) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(Patience); !cond(); <-tick.C {
		if time.Now().After(deadline) {
			b.t.Fatalf("never: %s\nthe page: %s", what, b.Shown())
		}
	}
}

package ponies_test

import (
	"testing"

	"github.com/remuda-go/remuda/server/examples/internal/browsertest"
)

// tab is one tab of a browser, on the demo's page.
type tab struct {
	*browsertest.Tab
	t     *testing.T
	stack *stack
}

const (
	withoutLocks    = browsertest.WithoutLocks
	withoutChannels = browsertest.WithoutChannels
	withoutEvents   = browsertest.WithoutEvents
)

// person opens the page in a browser profile of its own.
func (s *stack) person(t *testing.T, browser *browsertest.Browser, scripts ...string) *tab {
	t.Helper()
	return &tab{browser.Person(t, s.url, scripts...), t, s}
}

// another opens the page in another tab of the same profile.
func (b *tab) another(scripts ...string) *tab {
	b.t.Helper()
	return &tab{b.Another(b.stack.url, scripts...), b.t, b.stack}
}

// eval returns what an expression is in the page.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	return browsertest.Eval[T](b.Tab, expression)
}

const (
	signedIn  = `!document.getElementById("signed-in").hidden`
	signedOut = `!document.getElementById("signed-out").hidden`
)

// login signs in and waits until everything is loaded.
func (b *tab) login(name string) {
	b.t.Helper()
	b.WaitFor(signedOut)
	b.Fill("username", name)
	b.Fill("password", password)
	b.Click("#login button")
	b.ready()
}

// ready waits until everything of a session is shown.
func (b *tab) ready() {
	b.t.Helper()
	b.WaitFor(signedIn + ` && document.querySelector("#devices li") && (document.querySelector("#ponies li") || !document.getElementById("no-ponies").hidden)`)
}

func (b *tab) addPony(name string) {
	b.t.Helper()
	b.Fill("name", name)
	b.Fill("breed", "Connemara")
	b.Click("#add button")
}

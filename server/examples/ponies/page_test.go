package ponies_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/remuda-go/remuda"
)

// TestBrowser drives the page in Chromium: one process, a profile of its own for
// each person.
func TestBrowser(t *testing.T) {
	t.Parallel()
	browser := newBrowser(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, chromium)
	}{
		{"login and a pony", testLogin},
		{"silent refresh", testSilentRefresh},
		{"an idle tab idles out", testIdle},
		{"a second tab", testSecondTab},
		{"two tabs refresh at once", testTwoTabs},
		{"two tabs without locks refresh at once", testTwoTabsWithoutLocks},
		{"a lost answer", testLostAnswer},
		{"step-up to end a device", testStepUp},
		{"log out other devices", testLogoutOthers},
		{"logout reaches the other tabs", testLogoutElsewhere},
		{"another device ends this one", testEndedLive},
		{"another device ends all others", testOthersLive},
		{"logout everywhere", testEverywhereLive},
		{"another window logs out", testLogoutLive},
		{"a pony joins in another window", testPonyLive},
		{"the stream comes back", testStreamAgain},
		{"a WebSocket from the page", testSocketLive},
		{"another user in another tab", testSwitch},
		{"back after logout", testBack},
		{"a page kept in the history", testFrozen},
		{"a narrow screen", testNarrow},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, browser)
		})
	}
}

// slow is for tests in which nothing runs out by itself.
func slow(*remuda.Profile) {}

func testLogin(t *testing.T, browser chromium) {
	b := newStack(t, 0, slow).person(t, browser)
	b.waitFor(signedOut)
	b.fill("username", "alice")
	b.fill("password", "wrong")
	b.click("#login button")
	b.waitText("Wrong name or password")
	b.waitText("login_failed · ") // and the request's id
	if v := eval[string](b, `document.getElementById("password").value`); v != "" {
		t.Errorf("the wrong password is still there: %q", v)
	}
	b.login("alice")
	b.waitFor(`document.activeElement.id === "who-title"`)
	b.waitFor(`document.getElementById("problem").hidden`)
	b.waitText("Signed in as alice")
	b.waitText("this one")
	b.waitFor(`document.getElementById("idle").textContent && document.getElementById("absolute").dateTime`)
	b.addPony("<b>Misty</b>")
	b.waitText("<b>Misty</b> has joined your herd.")
	b.waitFor(`document.querySelectorAll("#ponies li").length === 1 && document.activeElement.id === "name"`)
	b.addPony("Star")
	b.waitFor(`document.querySelectorAll("#ponies li").length === 2`)
	stored := `JSON.stringify([localStorage.length, sessionStorage.length, document.cookie])`
	if v := eval[string](b, stored); v != `[0,0,""]` {
		t.Errorf("scripts can read %s", v)
	}
	b.do(chromedp.Reload())
	b.ready()
	b.waitFor(`document.querySelectorAll("#ponies li").length === 2`)
	b.click("#logout")
	b.waitText("You are signed out.")
	if text := eval[string](b, `document.body.textContent`); strings.Contains(text, "Misty") || strings.Contains(text, "alice") {
		t.Error("logout leaves something private in the page")
	}
}

func testSilentRefresh(t *testing.T, browser chromium) {
	s := newStack(t, time.Second, brief)
	b := s.person(t, browser)
	b.login("alice")
	b.until("three refreshes", func() bool {
		b.do(chromedp.KeyEvent("x")) // somebody is there
		return s.count("POST", refreshPath, 200) >= 3
	})
	b.fill("breed", "Dales")
	b.fill("name", "Misty")
	b.click("#add button")
	b.waitText("Misty has joined your herd.")
	if !eval[bool](b, signedIn) {
		t.Error("signed out")
	}
	for _, a := range s.answered("POST", refreshPath) {
		if a.status != 200 || len(a.key) < 22 {
			t.Errorf("refresh: %+v", a)
		}
	}
}

func testIdle(t *testing.T, browser chromium) {
	s := newStack(t, time.Second, func(p *remuda.Profile) {
		brief(p)
		p.Idle = 4 * time.Second
	})
	b := s.person(t, browser)
	b.login("alice")
	b.waitText("The session has expired")
	b.waitText("session_expired · ")
	b.waitFor(signedOut)
	if n := len(s.answered("POST", refreshPath)); n != 0 {
		t.Errorf("%d refreshes although nobody was there", n)
	}
}

func testSecondTab(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser)
	one.login("alice")
	two := one.another()
	two.ready()
	two.addPony("Misty")
	two.waitText("Misty has joined your herd.")
	if n := s.count("GET", "/auth/web/csrf", 200); n == 0 {
		t.Error("the second tab did not ask for a CSRF token")
	}
	one.addPony("Star")
	one.waitText("Star has joined your herd.")
	// A tab that is opened late refreshes first.
	s.advance(11 * time.Minute)
	three := one.another()
	three.ready()
	three.waitFor(`document.querySelectorAll("#ponies li").length === 2`)
}

func testTwoTabs(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser)
	one.login("alice")
	two := one.another()
	two.ready()
	s.advance(11 * time.Minute)
	addInBoth(one, two)
}

func testTwoTabsWithoutLocks(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser, withoutLocks, withoutChannels)
	one.login("alice")
	two := one.another(withoutLocks, withoutChannels)
	two.ready()
	s.advance(11 * time.Minute)
	s.set(0, 2)
	addInBoth(one, two)
	if n := s.count("POST", refreshPath, 200); n < 2 {
		t.Errorf("%d refreshes; both tabs should have", n)
	}
}

// addInBoth adds a pony in each of two tabs at once, and goes on in both.
func addInBoth(one, two *tab) {
	one.t.Helper()
	var both sync.WaitGroup
	for _, b := range []*tab{one, two} {
		b.fill("name", "Misty")
		b.fill("breed", "Connemara")
	}
	for _, b := range []*tab{one, two} {
		both.Go(func() { b.click("#add button") })
	}
	both.Wait()
	for _, b := range []*tab{one, two} {
		b.waitText("Misty has joined your herd.")
		b.addPony("Star")
		b.waitText("Star has joined your herd.")
	}
}

func testLostAnswer(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	b := s.person(t, browser)
	b.login("alice")
	s.advance(11 * time.Minute)
	s.set(2, 0)
	b.addPony("Misty")
	b.waitText("Misty has joined your herd.")
	tries := s.answered("POST", refreshPath)
	if len(tries) < 3 {
		t.Fatalf("tries: %+v", tries)
	}
	for _, a := range tries[:3] {
		if a.key != tries[0].key || a.status != 200 {
			t.Errorf("a retry is not the same refresh: %+v", tries)
		}
	}
	s.advance(11 * time.Minute)
	b.addPony("Star")
	b.waitText("Star has joined your herd.")
	if again := s.answered("POST", refreshPath); again[len(again)-1].key == tries[0].key {
		t.Error("a key was used for two refreshes")
	}
}

func testStepUp(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	phone, desk := s.person(t, browser, withoutEvents), s.person(t, browser)
	phone.login("alice")
	desk.login("alice")
	desk.waitFor(`document.querySelectorAll("#devices li").length === 2`)
	s.advance(6 * time.Minute) // past the age for a step-up
	desk.click("#devices button")
	desk.waitFor(`document.getElementById("step-up").open && document.activeElement.id === "step-up-password"`)
	desk.click("#step-up-cancel")
	desk.waitFor(`!document.getElementById("step-up").open && document.querySelectorAll("#devices li").length === 2`)
	desk.click("#devices button")
	desk.fill("step-up-password", "wrong")
	desk.click("#step-up-form .primary")
	desk.waitFor(`document.getElementById("step-up-problem").textContent.includes("login_failed")`)
	desk.fill("step-up-password", password)
	desk.click("#step-up-form .primary")
	desk.waitText("That device is signed out.")
	desk.waitFor(`document.querySelectorAll("#devices li").length === 1 && !document.getElementById("step-up").open`)

	phone.addPony("Misty")
	phone.waitText("The session has ended")
	phone.waitFor(signedOut)
	desk.addPony("Star")
	desk.waitText("Star has joined your herd.")
}

func testLogoutOthers(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	phone, desk := s.person(t, browser, withoutEvents), s.person(t, browser)
	phone.login("alice")
	desk.login("alice")
	desk.click("#others")
	desk.waitText("Your other devices are signed out.")
	desk.waitFor(`document.querySelectorAll("#devices li").length === 1`)
	phone.click("#reload")
	phone.waitText("session_ended · ")
	phone.waitFor(signedOut)
}

func testLogoutElsewhere(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser)
	one.login("alice")
	told, untold := one.another(withoutEvents), one.another(withoutChannels, withoutEvents)
	told.ready()
	untold.ready()
	one.click("#logout")
	one.waitText("You are signed out.")
	told.waitText("You were signed out in another tab.")
	told.waitFor(signedOut)
	untold.waitFor(signedIn) // it cannot know yet
	untold.addPony("Misty")
	untold.waitText("You were signed out in another tab or window.")
	untold.waitText("token_missing · ")
	untold.waitFor(signedOut)
	if n := s.count("POST", "/ponies", 201); n != 0 {
		t.Error("a pony was added after logout")
	}
}

func testSwitch(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser)
	one.login("alice")
	one.addPony("Star")
	one.waitText("Star has joined your herd.")
	untold := one.another(withoutChannels, withoutEvents)
	untold.ready()
	untold.waitText("Star")
	one.click("#logout")
	one.login("bob")
	untold.addPony("Misty")
	untold.waitText("Signed in as bob")
	untold.ready()
	untold.waitFor(`!document.getElementById("problem").hidden`)
	if n := s.count("POST", "/ponies", 201); n != 1 {
		t.Error("what alice typed was done as bob")
	}
	if strings.Contains(untold.shown(), "Star") {
		t.Error("bob sees alice's ponies")
	}
}

func testBack(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser)
	one.login("alice")
	one.addPony("Misty")
	one.waitText("Misty has joined your herd.")
	two := one.another()
	two.ready()
	one.do(chromedp.Navigate("about:blank"))
	two.click("#logout")
	two.waitText("You are signed out.")
	two.do(chromedp.Navigate("about:blank"))
	for _, b := range []*tab{one, two} {
		b.do(chromedp.NavigateBack())
		if text := eval[string](b, `document.body.textContent`); strings.Contains(text, "Misty") || strings.Contains(text, "alice") {
			t.Error("the history shows something private")
		}
		b.waitFor(signedOut)
		if eval[bool](b, signedIn) {
			t.Error("the history says that somebody is signed in")
		}
	}
}

// testFrozen plays what a browser does that keeps whole pages in its history,
// which Chromium may or may not do for a page that says no-store.
func testFrozen(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser, withoutChannels)
	one.login("alice")
	one.addPony("Misty")
	one.waitText("Misty has joined your herd.")
	two := one.another()
	two.ready()
	eval[bool](one, `dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }))`)
	if text := eval[string](one, `document.body.textContent`); strings.Contains(text, "Misty") || strings.Contains(text, "alice") {
		t.Error("a page in the history keeps something private")
	}
	show := `dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))`
	eval[bool](one, show)
	one.ready() // still signed in, and loaded anew
	one.waitText("Misty")
	eval[bool](one, `dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }))`)
	two.click("#logout")
	two.waitText("You are signed out.")
	eval[bool](one, show)
	one.waitFor(signedOut)
}

func testNarrow(t *testing.T, browser chromium) {
	b := newStack(t, 0, slow).person(t, browser)
	b.do(chromedp.EmulateViewport(360, 740))
	fits := func() {
		t.Helper()
		if w := eval[int](b, `document.documentElement.scrollWidth`); w > 360 {
			t.Errorf("the page is %d px wide", w)
		}
	}
	b.waitFor(signedOut)
	fits()
	b.login("alice")
	b.addPony(strings.Repeat("W", 64))
	b.waitText("has joined your herd.")
	fits()
}

// subscribed waits until the page hears what happens.
func (b *tab) subscribed() {
	b.t.Helper()
	b.ready()
	b.waitFor(`!document.getElementById("live").hidden`)
}

// Two browsers, signed in apart. One ends the other's session in its list of
// devices; the other says so at once, without being touched.
func testEndedLive(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	phone, desk := s.person(t, browser), s.person(t, browser)
	phone.login("alice")
	desk.login("alice")
	phone.subscribed()
	desk.click("#devices button")
	phone.waitText("You were signed out: it was ended in another window or on another device.")
	phone.waitFor(signedOut)
	desk.waitText("That device is signed out.")
	if text := eval[string](phone, `document.body.textContent`); strings.Contains(text, "alice") {
		t.Error("something private is left in the page")
	}
	desk.waitFor(signedIn)
	phone.login("alice") // and may come back
	phone.subscribed()
}

func testOthersLive(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	phone, desk := s.person(t, browser), s.person(t, browser)
	phone.login("alice")
	desk.login("alice")
	phone.subscribed()
	desk.click("#others")
	phone.waitText("You were signed out: another device has logged out all others.")
	phone.waitFor(signedOut)
	desk.waitText("Your other devices are signed out.")
	desk.waitFor(signedIn)
}

// Whoever logs out everywhere is told by the server as everybody else is.
func testEverywhereLive(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	phone, desk := s.person(t, browser), s.person(t, browser)
	phone.login("alice")
	desk.login("alice")
	app := s.bearer(t, "alice")
	phone.subscribed()
	desk.subscribed()
	if a := app.do("POST", "/auth/token/logout?all=1", ""); a.status != 204 {
		t.Fatalf("logout everywhere: %d %s", a.status, a.body)
	}
	for _, b := range []*tab{phone, desk} {
		b.waitText("You were signed out: it was ended in another window or on another device.")
		b.waitFor(signedOut)
	}
}

// Two windows of one session, which do not hear each other but by the server.
func testLogoutLive(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser, withoutChannels)
	one.login("alice")
	two := one.another(withoutChannels)
	two.subscribed()
	one.click("#logout")
	one.waitText("You are signed out.")
	two.waitText("You were signed out: it was ended in another window or on another device.")
	two.waitFor(signedOut)
	if text := eval[string](one, `document.getElementById("status").textContent`); text != "You are signed out." {
		t.Errorf("whoever logs out is told %q", text)
	}
}

func testPonyLive(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	phone, desk := s.person(t, browser), s.person(t, browser)
	phone.login("alice")
	desk.login("alice")
	phone.subscribed()
	desk.subscribed()
	desk.addPony("Misty")
	desk.waitText("Misty has joined your herd.")
	phone.waitText("Misty")
	phone.addPony("Star")
	for _, b := range []*tab{phone, desk} {
		b.waitText("Star")
		b.waitFor(`document.querySelectorAll("#ponies li").length === 2`) // each once
	}
}

// A stream that was cut comes back, and what was missed is there.
func testStreamAgain(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser)
	one.login("alice")
	one.subscribed()
	cut := len(s.answered("GET", "/ponies/events"))
	s.cut()
	if a := s.bearer(t, "alice").do("POST", "/ponies", `{"name":"Misty","breed":"Dales"}`); a.status != 201 {
		t.Fatalf("a pony: %d", a.status)
	}
	one.until("another stream", func() bool { return len(s.answered("GET", "/ponies/events")) > cut })
	one.waitText("Misty")
	one.waitFor(signedIn)
}

// The page's policy allows a WebSocket to its own server, which closes it with the
// session; a page elsewhere may not open one.
func testSocketLive(t *testing.T, browser chromium) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser)
	one.login("alice")
	eval[string](one, `window.heard = []; window.socket = new WebSocket("/ponies/live");
		socket.onopen = () => heard.push("open");
		socket.onmessage = (e) => heard.push(JSON.parse(e.data));
		socket.onclose = (e) => heard.push(e.code + " " + e.reason); ""`)
	one.waitFor(`heard[0] === "open"`)
	one.addPony("Misty")
	one.waitFor(`heard[1]?.pony?.name === "Misty"`)
	one.click("#logout")
	one.waitFor(`heard[3] === "4401 logout" && heard[2].reason === "logout"`)
}

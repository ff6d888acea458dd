package ponies_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/server/examples/internal/browsertest"
)

// TestBrowser drives the page in Chromium: one process, a profile of its own for
// each person.
func TestBrowser(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-3.2.2")
	t.Attr("requirement", "ASVS-7.4.4")
	t.Attr("requirement", "ASVS-14.3.1")
	t.Attr("requirement", "ASVS-14.3.3")
	browser := browsertest.Start(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *browsertest.Browser)
	}{
		{"login and a pony", testLogin},
		{"silent refresh", testSilentRefresh},
		{"an idle tab idles out", testIdle},
		{"a second tab", testSecondTab},
		{"two tabs refresh at once", testTwoTabs},
		{"two tabs without locks refresh at once", testTwoTabsWithoutLocks},
		{"a lost answer", testLostAnswer},
		{"step-up to end a device", testStepUp},
		{"a password for each pony that is sold", testSell},
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
		{"two accounts, switched", testAccounts},
		{"support acts for a user", testActing},
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

func testLogin(t *testing.T, browser *browsertest.Browser) {
	b := newStack(t, 0, slow).person(t, browser)
	b.WaitFor(signedOut)
	b.Fill("username", "alice")
	b.Fill("password", "wrong")
	b.Click("#login button")
	b.WaitText("Wrong name or password")
	b.WaitText("login_failed · ") // and the request's id
	if v := eval[string](b, `document.getElementById("password").value`); v != "" {
		t.Errorf("the wrong password is still there: %q", v)
	}
	b.login("alice")
	b.WaitFor(`document.activeElement.id === "who-title"`)
	b.WaitFor(`document.getElementById("problem").hidden`)
	b.WaitText("Signed in as alice")
	b.WaitText("this one")
	b.WaitFor(`document.getElementById("idle").textContent && document.getElementById("absolute").dateTime`)
	b.addPony("<b>Misty</b>")
	b.WaitText("<b>Misty</b> has joined your herd.")
	b.WaitFor(`document.querySelectorAll("#ponies li").length === 1 && document.activeElement.id === "name"`)
	b.addPony("Star")
	b.WaitFor(`document.querySelectorAll("#ponies li").length === 2`)
	stored := `JSON.stringify([localStorage.length, sessionStorage.length, document.cookie])`
	if v := eval[string](b, stored); v != `[0,0,""]` {
		t.Errorf("scripts can read %s", v)
	}
	b.Do(chromedp.Reload())
	b.ready()
	b.WaitFor(`document.querySelectorAll("#ponies li").length === 2`)
	b.Click("#logout")
	b.WaitText("You are signed out.")
	if text := eval[string](b, `document.body.textContent`); strings.Contains(text, "Misty") || strings.Contains(text, "alice") {
		t.Error("logout leaves something private in the page")
	}
}

func testSilentRefresh(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, time.Second, brief)
	b := s.person(t, browser)
	b.login("alice")
	b.Until("three refreshes", func() bool {
		b.Do(chromedp.KeyEvent("x")) // somebody is there
		return s.count("POST", refreshPath, 200) >= 3
	})
	b.Fill("breed", "Dales")
	b.Fill("name", "Misty")
	b.Click("#add button")
	b.WaitText("Misty has joined your herd.")
	if !eval[bool](b, signedIn) {
		t.Error("signed out")
	}
	for _, a := range s.answered("POST", refreshPath) {
		if a.status != 200 || len(a.key) < 22 {
			t.Errorf("refresh: %+v", a)
		}
	}
}

func testIdle(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, time.Second, func(p *remuda.Profile) {
		brief(p)
		p.Idle = 4 * time.Second
	})
	b := s.person(t, browser)
	b.login("alice")
	b.WaitText("The session has expired")
	b.WaitText("session_expired · ")
	b.WaitFor(signedOut)
	if n := len(s.answered("POST", refreshPath)); n != 0 {
		t.Errorf("%d refreshes although nobody was there", n)
	}
}

func testSecondTab(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser)
	one.login("alice")
	two := one.another()
	two.ready()
	two.addPony("Misty")
	two.WaitText("Misty has joined your herd.")
	if n := s.count("GET", "/auth/web/csrf", 200); n == 0 {
		t.Error("the second tab did not ask for a CSRF token")
	}
	one.addPony("Star")
	one.WaitText("Star has joined your herd.")
	// A tab that is opened late refreshes first.
	s.advance(11 * time.Minute)
	three := one.another()
	three.ready()
	three.WaitFor(`document.querySelectorAll("#ponies li").length === 2`)
}

func testTwoTabs(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser)
	one.login("alice")
	two := one.another()
	two.ready()
	s.advance(11 * time.Minute)
	addInBoth(one, two)
}

func testTwoTabsWithoutLocks(t *testing.T, browser *browsertest.Browser) {
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
		b.Fill("name", "Misty")
		b.Fill("breed", "Connemara")
	}
	for _, b := range []*tab{one, two} {
		both.Go(func() { b.Click("#add button") })
	}
	both.Wait()
	for _, b := range []*tab{one, two} {
		b.WaitText("Misty has joined your herd.")
		b.addPony("Star")
		b.WaitText("Star has joined your herd.")
	}
}

func testLostAnswer(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	b := s.person(t, browser)
	b.login("alice")
	s.advance(11 * time.Minute)
	s.set(2, 0)
	b.addPony("Misty")
	b.WaitText("Misty has joined your herd.")
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
	b.WaitText("Star has joined your herd.")
	if again := s.answered("POST", refreshPath); again[len(again)-1].key == tries[0].key {
		t.Error("a key was used for two refreshes")
	}
}

func testStepUp(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	phone, desk := s.person(t, browser, withoutEvents), s.person(t, browser)
	phone.login("alice")
	desk.login("alice")
	desk.WaitFor(`document.querySelectorAll("#devices li").length === 2`)
	s.advance(6 * time.Minute) // past the age for a step-up
	desk.Click("#devices button")
	desk.WaitFor(`document.getElementById("step-up").open && document.activeElement.id === "step-up-password"`)
	desk.Click("#step-up-cancel")
	desk.WaitFor(`!document.getElementById("step-up").open && document.querySelectorAll("#devices li").length === 2`)
	desk.Click("#devices button")
	desk.Fill("step-up-password", "wrong")
	desk.Click("#step-up-form .primary")
	desk.WaitFor(`document.getElementById("step-up-problem").textContent.includes("login_failed")`)
	desk.Fill("step-up-password", password)
	desk.Click("#step-up-form .primary")
	desk.WaitText("That device is signed out.")
	desk.WaitFor(`document.querySelectorAll("#devices li").length === 1 && !document.getElementById("step-up").open`)

	phone.addPony("Misty")
	phone.WaitText("The session has ended")
	phone.WaitFor(signedOut)
	desk.addPony("Star")
	desk.WaitText("Star has joined your herd.")
}

func testSell(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser)
	one.login("alice")
	for _, name := range []string{"Misty", "Star"} {
		one.addPony(name)
		one.WaitText(name + " has joined your herd.")
	}
	two := one.another()
	two.subscribed()
	one.Click("#ponies button")
	one.WaitFor(`document.getElementById("step-up").open`)
	one.Click("#step-up-cancel")
	one.WaitFor(`!document.getElementById("step-up").open && document.querySelectorAll("#ponies li").length === 2`)
	for i, name := range []string{"Misty", "Star"} {
		one.Click("#ponies button")
		one.WaitFor(`document.getElementById("step-up").open`)
		one.Fill("step-up-password", password)
		one.Click("#step-up-form .primary")
		one.WaitText(name + " is sold.")
		two.WaitFor(fmt.Sprintf(`document.querySelectorAll("#ponies li").length === %d`, 1-i))
	}
	one.WaitText("None yet.")
}

func testLogoutOthers(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	phone, desk := s.person(t, browser, withoutEvents), s.person(t, browser)
	phone.login("alice")
	desk.login("alice")
	desk.Click("#others")
	desk.WaitText("Your other devices are signed out.")
	desk.WaitFor(`document.querySelectorAll("#devices li").length === 1`)
	phone.Click("#reload")
	phone.WaitText("session_ended · ")
	phone.WaitFor(signedOut)
}

func testLogoutElsewhere(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser)
	one.login("alice")
	told, untold := one.another(withoutEvents), one.another(withoutChannels, withoutEvents)
	told.ready()
	untold.ready()
	one.Click("#logout")
	one.WaitText("You are signed out.")
	told.WaitText("You were signed out in another tab.")
	told.WaitFor(signedOut)
	untold.WaitFor(signedIn) // it cannot know yet
	untold.addPony("Misty")
	untold.WaitText("You were signed out in another tab or window.")
	untold.WaitText("token_missing · ")
	untold.WaitFor(signedOut)
	if n := s.count("POST", "/ponies", 201); n != 0 {
		t.Error("a pony was added after logout")
	}
}

func testSwitch(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser)
	one.login("alice")
	one.addPony("Star")
	one.WaitText("Star has joined your herd.")
	untold := one.another(withoutChannels, withoutEvents)
	untold.ready()
	untold.WaitText("Star")
	one.Click("#logout")
	one.login("bob")
	untold.addPony("Misty")
	untold.WaitText("Signed in as bob")
	untold.ready()
	untold.WaitFor(`!document.getElementById("problem").hidden`)
	if n := s.count("POST", "/ponies", 201); n != 1 {
		t.Error("what alice typed was done as bob")
	}
	if strings.Contains(untold.Shown(), "Star") {
		t.Error("bob sees alice's ponies")
	}
}

// testAccounts: two accounts in one browser; what one tab switches, the others show,
// also one that is not told.
func testAccounts(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser)
	one.login("alice")
	one.addPony("Misty")
	one.WaitText("Misty has joined your herd.")
	two := one.another()
	two.ready()
	untold := one.another(withoutChannels)
	untold.ready()
	one.Click("#add-account")
	one.WaitFor(`!document.getElementById("signed-out").hidden`)
	one.Click("#cancel-add")
	one.WaitFor(`document.getElementById("signed-out").hidden`)
	one.Click("#add-account")
	one.login("bob")
	one.WaitText("Signed in as bob")
	one.WaitText("Switch to alice")
	two.WaitText("Signed in as bob")
	// This one shows alice's page still, and nothing of it becomes bob's.
	untold.addPony("Star")
	untold.WaitText("Another session is in use now")
	untold.WaitText("Signed in as bob")
	two.Click("#accounts button")
	two.WaitText("You are alice now.")
	two.WaitText("Misty")
	one.WaitText("Signed in as alice")
	// The browser opens the stream of bob's page again, and hears nothing of alice's.
	s.cut()
	if len(s.answered("GET", "/ponies/events")) != len(s.answered("GET", "/ponies/events?session=")) {
		t.Error("a page does not say whose stream it opens")
	}
	untold.WaitText("Signed in as alice")
	one.Click("#logout")
	one.WaitText("You are signed out.")
	one.WaitText("Switch to bob")
	two.WaitFor(signedOut)
	one.Click("#accounts button")
	one.WaitText("You are bob now.")
	one.WaitFor(`document.getElementById("others-here").hidden`)
	if n := s.count("POST", "/ponies", 201); n != 1 {
		t.Errorf("%d ponies were added", n)
	}
}

// testActing: bob sees alice's page, marked as such, may not do what only she may, and
// goes back to his own.
func testActing(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	alice, bob := s.person(t, browser), s.person(t, browser)
	alice.login("alice")
	alice.addPony("Misty")
	alice.WaitText("Misty has joined your herd.")
	bob.login("bob")
	bob.Fill("act-for", "bob")
	bob.Click("#act button")
	bob.WaitText("You may not act for this user")
	s.advance(6 * time.Minute) // past the age for a step-up
	bob.Fill("act-for", "alice")
	bob.Click("#act button")
	bob.WaitFor(`document.getElementById("step-up").open`)
	bob.Fill("step-up-password", password)
	bob.Click("#step-up-form .primary")
	bob.WaitText("You act for alice.")
	bob.WaitText("bob acts for this user.")
	bob.WaitText("Misty")
	bob.Click("#others") // only alice may
	bob.WaitText("Not while somebody acts for the user")
	bob.Click("#stop-acting")
	bob.WaitText("You are bob again.")
	bob.WaitFor(`document.getElementById("acting").hidden && document.getElementById("who").textContent === "bob"`)
}

func testBack(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser)
	one.login("alice")
	one.addPony("Misty")
	one.WaitText("Misty has joined your herd.")
	two := one.another()
	two.ready()
	one.Do(chromedp.Navigate("about:blank"))
	two.Click("#logout")
	two.WaitText("You are signed out.")
	two.Do(chromedp.Navigate("about:blank"))
	for _, b := range []*tab{one, two} {
		b.Do(chromedp.NavigateBack())
		if text := eval[string](b, `document.body.textContent`); strings.Contains(text, "Misty") || strings.Contains(text, "alice") {
			t.Error("the history shows something private")
		}
		b.WaitFor(signedOut)
		if eval[bool](b, signedIn) {
			t.Error("the history says that somebody is signed in")
		}
	}
}

// testFrozen plays what a browser does that keeps whole pages in its history,
// which Chromium may or may not do for a page that says no-store.
func testFrozen(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser, withoutChannels)
	one.login("alice")
	one.addPony("Misty")
	one.WaitText("Misty has joined your herd.")
	two := one.another()
	two.ready()
	eval[bool](one, `dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }))`)
	if text := eval[string](one, `document.body.textContent`); strings.Contains(text, "Misty") || strings.Contains(text, "alice") {
		t.Error("a page in the history keeps something private")
	}
	show := `dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))`
	eval[bool](one, show)
	one.ready() // still signed in, and loaded anew
	one.WaitText("Misty")
	eval[bool](one, `dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }))`)
	two.Click("#logout")
	two.WaitText("You are signed out.")
	eval[bool](one, show)
	one.WaitFor(signedOut)
}

func testNarrow(t *testing.T, browser *browsertest.Browser) {
	b := newStack(t, 0, slow).person(t, browser)
	b.Do(chromedp.EmulateViewport(360, 740))
	fits := func() {
		t.Helper()
		if w := eval[int](b, `document.documentElement.scrollWidth`); w > 360 {
			t.Errorf("the page is %d px wide", w)
		}
	}
	b.WaitFor(signedOut)
	fits()
	b.login("alice")
	b.addPony(strings.Repeat("W", 64))
	b.WaitText("has joined your herd.")
	fits()
}

// subscribed waits until the page hears what happens.
func (b *tab) subscribed() {
	b.t.Helper()
	b.ready()
	b.WaitFor(`!document.getElementById("live").hidden`)
}

// Two browsers, signed in apart. One ends the other's session in its list of
// devices; the other says so at once, without being touched.
func testEndedLive(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	phone, desk := s.person(t, browser), s.person(t, browser)
	phone.login("alice")
	desk.login("alice")
	phone.subscribed()
	desk.Click("#devices button")
	phone.WaitText("You were signed out: it was ended in another window or on another device.")
	phone.WaitFor(signedOut)
	desk.WaitText("That device is signed out.")
	if text := eval[string](phone, `document.body.textContent`); strings.Contains(text, "alice") {
		t.Error("something private is left in the page")
	}
	desk.WaitFor(signedIn)
	phone.login("alice") // and may come back
	phone.subscribed()
}

func testOthersLive(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	phone, desk := s.person(t, browser), s.person(t, browser)
	phone.login("alice")
	desk.login("alice")
	phone.subscribed()
	desk.Click("#others")
	phone.WaitText("You were signed out: another device has logged out all others.")
	phone.WaitFor(signedOut)
	desk.WaitText("Your other devices are signed out.")
	desk.WaitFor(signedIn)
}

// Whoever logs out everywhere is told by the server as everybody else is.
func testEverywhereLive(t *testing.T, browser *browsertest.Browser) {
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
		b.WaitText("You were signed out: it was ended in another window or on another device.")
		b.WaitFor(signedOut)
	}
}

// Two windows of one session, which do not hear each other but by the server.
func testLogoutLive(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser, withoutChannels)
	one.login("alice")
	two := one.another(withoutChannels)
	two.subscribed()
	one.Click("#logout")
	one.WaitText("You are signed out.")
	two.WaitText("You were signed out: it was ended in another window or on another device.")
	two.WaitFor(signedOut)
	if text := eval[string](one, `document.getElementById("status").textContent`); text != "You are signed out." {
		t.Errorf("whoever logs out is told %q", text)
	}
}

func testPonyLive(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	phone, desk := s.person(t, browser), s.person(t, browser)
	phone.login("alice")
	desk.login("alice")
	phone.subscribed()
	desk.subscribed()
	desk.addPony("Misty")
	desk.WaitText("Misty has joined your herd.")
	phone.WaitText("Misty")
	phone.addPony("Star")
	for _, b := range []*tab{phone, desk} {
		b.WaitText("Star")
		b.WaitFor(`document.querySelectorAll("#ponies li").length === 2`) // each once
	}
}

// A stream that was cut comes back, and what was missed is there.
func testStreamAgain(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser)
	one.login("alice")
	one.subscribed()
	cut := len(s.answered("GET", "/ponies/events"))
	s.cut()
	if a := s.bearer(t, "alice").do("POST", "/ponies", `{"name":"Misty","breed":"Dales"}`); a.status != 201 {
		t.Fatalf("a pony: %d", a.status)
	}
	one.Until("another stream", func() bool { return len(s.answered("GET", "/ponies/events")) > cut })
	one.WaitText("Misty")
	one.WaitFor(signedIn)
}

// The page's policy allows a WebSocket to its own server, which closes it with the
// session; a page elsewhere may not open one.
func testSocketLive(t *testing.T, browser *browsertest.Browser) {
	s := newStack(t, 0, slow)
	one := s.person(t, browser)
	one.login("alice")
	eval[string](one, `window.heard = []; window.socket = new WebSocket("/ponies/live");
		socket.onopen = () => heard.push("open");
		socket.onmessage = (e) => heard.push(JSON.parse(e.data));
		socket.onclose = (e) => heard.push(e.code + " " + e.reason); ""`)
	one.WaitFor(`heard[0] === "open"`)
	one.addPony("Misty")
	one.WaitFor(`heard[1]?.pony?.name === "Misty"`)
	one.Click("#logout")
	one.WaitFor(`heard[3] === "4401 logout" && heard[2].reason === "logout"`)
}

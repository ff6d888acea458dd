package web_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

// add signs a user of the town in beside the others.
func add(b *browser, name string) *answer {
	return b.do("POST", "/auth/web/login", `{"username":"`+name+`","password":"of `+name+`","add":true}`)
}

// townSite is a site whose users are those of the town.
func townSite(t *testing.T, change ...func(*remuda.Config, *web.Config)) *site {
	t.Helper()
	return newSite(t, append(change, func(_ *remuda.Config, w *web.Config) { w.Authenticator = town{} })...)
}

// listed is an account as a page sees it.
type listed struct {
	n             float64
	subject, csrf string
	session       string
	current       bool
}

func accounts(b *browser) map[string]listed {
	b.s.t.Helper()
	a := b.do("GET", "/auth/accounts", "")
	expect(b.s.t, a, 200, "", "")
	list := map[string]listed{}
	for _, item := range a.json["accounts"].([]any) { //nolint:forcetypeassert // a test
		m := item.(map[string]any)                                                                                                                                //nolint:forcetypeassert // likewise
		s := m["session"].(map[string]any)                                                                                                                        //nolint:forcetypeassert // likewise
		l := listed{csrf: m["csrf_token"].(string), n: m["n"].(float64), subject: s["subject"].(string), session: s["id"].(string), current: s["current"].(bool)} //nolint:forcetypeassert // likewise
		list[l.subject] = l
	}
	return list
}

func switchTo(b *browser, l listed) *answer {
	return b.do("POST", fmt.Sprintf("/auth/accounts/%v/switch", l.n), "", "X-CSRF-Token: "+l.csrf)
}

// do sends the browser's own CSRF token too; another in its place is meant.
func withoutCSRF(b *browser) *browser {
	other := *b
	other.csrf = ""
	return &other
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	s := townSite(t)
	b := s.browser()
	for _, name := range []string{"alice", "bob", "carol"} {
		expect(t, add(b, name), 200, "", "")
		if a := b.do("GET", "/hello", ""); a.body != "hello "+name {
			t.Errorf("after signing %s in: %s", name, a.body)
		}
	}
	list := accounts(b)
	if len(list) != 3 || !list["carol"].current || list["alice"].current {
		t.Fatalf("accounts: %+v", list)
	}
	p := withoutCSRF(b)
	expect(t, switchTo(p, listed{n: 0, csrf: list["bob"].csrf}), 403, "csrf_failed", "none")
	expect(t, switchTo(p, listed{n: 0}), 403, "csrf_failed", "none")
	expect(t, p.do("POST", "/auth/accounts/0/switch", "", "X-CSRF-Token: "+list["alice"].csrf, "Origin: https://evil.example"), 403, "csrf_failed", "none")
	for _, path := range []string{"/auth/accounts/3/switch", "/auth/accounts/5/switch", "/auth/accounts/-1/switch", "/auth/accounts/00/switch", "/auth/accounts//switch", "/auth/accounts/x/switch", "/auth/accounts/0/else"} {
		if a := p.do("POST", path, "", "X-CSRF-Token: "+list["alice"].csrf); a.status != 404 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	a := switchTo(p, list["alice"])
	expect(t, a, 200, "", "")
	if a.text("session", "subject") != "alice" {
		t.Errorf("switched: %s", a.body)
	}
	if a := p.do("POST", "/hello", ""); a.body != "hello alice" {
		t.Errorf("after the switch: %s", a.body)
	}
	s.advance(2 * time.Minute)
	expect(t, p.do("POST", "/auth/web/refresh", ""), 200, "", "")
	expect(t, p.do("POST", "/auth/step-up", `{"password":"of alice"}`), 200, "", "")
	if a := p.do("GET", "/hello", ""); a.body != "hello alice" {
		t.Errorf("refreshed: %s", a.body)
	}
	// A page that shows bob is told so, whatever it asks for.
	for _, path := range []string{"GET /hello", "GET /auth/session", "GET /auth/sessions", "GET /auth/web/csrf", "POST /auth/web/refresh", "POST /auth/step-up"} {
		method, path, _ := strings.Cut(path, " ")
		a := withoutCSRF(p).do(method, path, "", "Remuda-Session: "+list["bob"].session, "X-CSRF-Token: "+list["bob"].csrf)
		expect(t, a, 409, "session_switched", "none")
	}
	// Nothing of it was another's.
	list = accounts(p)
	if len(list) != 3 {
		t.Fatalf("accounts: %+v", list)
	}
	for _, name := range []string{"carol", "bob"} {
		expect(t, switchTo(withoutCSRF(p), list[name]), 200, "", "")
		if a := p.do("GET", "/hello", ""); a.body != "hello "+name {
			t.Errorf("%s", a.body)
		}
	}
	if n := len(strings.Join(p.headers(), "\n")); n > 4096 {
		t.Errorf("the headers have %d bytes", n)
	}
}

// TestSigningOutOfOneAccount: no other comes into use by itself.
func TestSigningOutOfOneAccount(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"alice", "bob"} { // in the first cookie, and in another
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := townSite(t)
			b := s.browser()
			expect(t, add(b, "alice"), 200, "", "")
			expect(t, add(b, "bob"), 200, "", "")
			b.csrf = ""
			expect(t, switchTo(b, accounts(b)[name]), 200, "", "")
			expect(t, b.do("POST", "/auth/web/logout", ""), 204, "", "")
			b.csrf = ""
			for _, r := range []request{{method: "GET", path: "/hello"}, {method: "GET", path: "/auth/session"}, {method: "GET", path: "/auth/web/csrf"}, {method: "POST", path: "/auth/web/refresh"}} {
				expect(t, b.do(r.method, r.path, ""), 401, "token_missing", "login")
			}
			list := accounts(b)
			if len(list) != 1 || list[name].csrf != "" {
				t.Fatalf("accounts: %+v", list)
			}
			for _, other := range list {
				expect(t, switchTo(b, other), 200, "", "")
				if a := b.do("GET", "/hello", ""); a.body != "hello "+other.subject {
					t.Errorf("%s", a.body)
				}
			}
			// A visitor's session takes no account's place either.
			expect(t, b.do("POST", "/auth/web/logout", ""), 204, "", "")
			if len(b.cookies) != 0 {
				t.Errorf("cookies: %v", b.cookies)
			}
		})
	}
}

func TestLeaveAccount(t *testing.T) {
	t.Parallel()
	s := townSite(t)
	b := s.browser()
	for _, name := range []string{"alice", "bob", "carol"} {
		expect(t, add(b, name), 200, "", "")
	}
	list := accounts(b)
	b.csrf = ""
	leave := func(l listed) *answer {
		return b.do("DELETE", fmt.Sprintf("/auth/accounts/%v", l.n), "", "X-CSRF-Token: "+l.csrf)
	}
	expect(t, leave(listed{n: list["alice"].n, csrf: list["bob"].csrf}), 403, "csrf_failed", "none")
	expect(t, leave(list["alice"]), 204, "", "") // not in use
	if s.record(list["alice"].session).EndReason != "logout" {
		t.Error("alice's session lives")
	}
	if a := b.do("GET", "/hello", ""); a.body != "hello carol" {
		t.Errorf("%s", a.body)
	}
	expect(t, leave(list["alice"]), 404, "not_found", "none")
	expect(t, leave(list["carol"]), 204, "", "") // in use
	expect(t, b.do("GET", "/hello", ""), 401, "token_missing", "login")
	expect(t, switchTo(b, list["bob"]), 200, "", "")
	// Dave takes the free place.
	expect(t, add(b, "dave"), 200, "", "")
	if list := accounts(b); len(list) != 2 || list["dave"].n != list["alice"].n {
		t.Errorf("accounts: %+v", list)
	}
	expect(t, b.do("POST", "/auth/web/logout?accounts=1", ""), 204, "", "")
	if len(b.cookies) != 0 {
		t.Errorf("cookies: %v", b.cookies)
	}
	if s.record(list["bob"].session).EndReason != "logout" {
		t.Error("bob's session lives")
	}
}

func TestAccountPlaces(t *testing.T) {
	t.Parallel()
	s := townSite(t)
	b := s.browser()
	names := []string{"alice", "bob", "carol", "dave", "eve"}
	for _, name := range names {
		expect(t, add(b, name), 200, "", "")
	}
	expect(t, add(b, "frank"), 403, "accounts_full", "none")
	// Who is here already takes their own place, and the session before ends.
	before := accounts(b)
	expect(t, add(b, "bob"), 200, "", "")
	after := accounts(b)
	if len(after) != 5 || after["bob"].n != before["bob"].n || s.record(before["bob"].session).EndReason != "replaced" {
		t.Errorf("accounts: %+v", after)
	}
	// Without add the account in use is left, and no other.
	expect(t, b.do("POST", "/auth/web/login", `{"username":"frank","password":"of frank"}`), 200, "", "")
	after = accounts(b)
	if len(after) != 5 || after["frank"].n != before["bob"].n || !after["frank"].current {
		t.Errorf("accounts: %+v", after)
	}
	// One that was ended elsewhere leaves its place free.
	id, err := remuda.ParseSessionID(after["carol"].session)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.manager.End(t.Context(), remuda.EndRequest{Session: id}); err != nil {
		t.Fatal(err)
	}
	expect(t, add(b, "grace"), 200, "", "")
	if list := accounts(b); len(list) != 5 || list["grace"].n != before["carol"].n {
		t.Errorf("accounts: %+v", list)
	}
	// All were signed out here one after the other, and somebody comes without add.
	for _, l := range accounts(b) {
		b.csrf = ""
		if !l.current {
			continue
		}
		expect(t, b.do("DELETE", fmt.Sprintf("/auth/accounts/%v", l.n), "", "X-CSRF-Token: "+l.csrf), 204, "", "")
	}
	expect(t, b.do("POST", "/auth/web/login", `{"username":"heidi","password":"of heidi"}`), 200, "", "")
	if list := accounts(b); len(list) != 5 || !list["heidi"].current {
		t.Errorf("accounts: %+v", list)
	}
}

// TestAccountsOfOtherKinds: a session of one token is alone in a browser, and is not
// lost to an account that is added.
func TestAccountsOfOtherKinds(t *testing.T) {
	t.Parallel()
	s := townSite(t, func(c *remuda.Config, w *web.Config) {
		c.Profiles = append(c.Profiles, remuda.Classic())
		w.WebProfiles = []string{"web", "classic"}
	})
	b := s.browser()
	expect(t, b.do("POST", "/auth/web/login", `{"username":"alice","password":"of alice","profile":"classic"}`), 200, "", "")
	expect(t, add(b, "bob"), 400, "request_invalid", "none")
	expect(t, b.do("POST", "/auth/web/login", `{"username":"bob","password":"of bob","profile":"classic","add":true}`), 400, "request_invalid", "none")
	if a := b.do("GET", "/hello", ""); a.body != "hello alice" {
		t.Errorf("%s", a.body)
	}
	a := s.do(request{"POST", "/auth/token/login", nil, `{"username":"bob","password":"of bob","add":true}`})
	expect(t, a, 400, "request_invalid", "none")
}

// TestDeadAccountsTakeNoRoom: cookies of sessions that are over, or of keys that are
// gone, keep nobody from signing in.
func TestDeadAccountsTakeNoRoom(t *testing.T) {
	t.Parallel()
	for name, login := range map[string]func(*browser) *answer{
		"add": func(b *browser) *answer { return add(b, "alice") },
		"without add": func(b *browser) *answer {
			return b.do("POST", "/auth/web/login", `{"username":"alice","password":"of alice"}`)
		},
		"a visit": func(b *browser) *answer { return b.do("GET", "/basket", "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := townSite(t).browser()
			for _, c := range []string{"session", "refresh", "refresh-1", "refresh-2", "refresh-3", "refresh-4"} {
				b.cookies["__Host-"+c] = "of a key that is gone"
			}
			if a := login(b); a.status != http.StatusOK {
				t.Errorf("%d %s", a.status, a.body)
			}
			if a := b.do("GET", "/basket", ""); !strings.HasPrefix(a.body, "hello ") {
				t.Errorf("afterwards: %d %s", a.status, a.body)
			}
		})
	}
}

// TestVisitorIsNoAccount: a visitor who adds an account becomes that user.
func TestVisitorIsNoAccount(t *testing.T) {
	t.Parallel()
	s := townSite(t)
	b := s.browser()
	expect(t, add(b, "bob"), 200, "", "")
	expect(t, b.do("POST", "/auth/web/logout", ""), 204, "", "")
	b.csrf = ""
	if a := b.do("GET", "/basket", ""); a.body != "hello " {
		t.Fatalf("visit: %d %s", a.status, a.body)
	}
	expect(t, b.do("GET", "/auth/web/csrf", ""), 200, "", "")
	expect(t, b.do("PATCH", "/auth/data", `{"basket":"hay"}`), 200, "", "")
	if list := accounts(b); len(list) != 0 {
		t.Errorf("accounts: %+v", list)
	}
	b.csrf = ""
	expect(t, add(b, "alice"), 200, "", "")
	if list := accounts(b); len(list) != 1 || len(b.cookies) != 2 {
		t.Errorf("accounts: %+v, cookies: %v", list, b.cookies)
	}
	if a := b.do("GET", "/auth/data", ""); a.text("basket") != "hay" {
		t.Errorf("data: %s", a.body)
	}
}

// TestAccountsWhileActing: what is kept of whoever acts for another is given back, and
// ended with nobody else's session.
func TestAccountsWhileActing(t *testing.T) {
	t.Parallel()
	s, b := desk(t)
	bob := b.session
	signIn := `{"username":"alice","password":"sesame open","add":true}`
	expect(t, b.do("POST", "/auth/web/login", signIn), 200, "", "")
	b.csrf = ""
	expect(t, switchTo(b, accounts(b)["bob"]), 200, "", "")
	alice, p := accounts(b)["alice"], withoutCSRF(b)
	late := s.do(request{"POST", "/auth/accounts/1/switch", append(p.headers(), "X-CSRF-Token: "+alice.csrf), ""})
	expect(t, late, 200, "", "")

	expect(t, b.do("POST", "/auth/impersonate", actFor), 200, "", "")
	expect(t, b.do("POST", "/auth/web/login", signIn), 403, "impersonating", "none")
	expect(t, switchTo(p, alice), 403, "impersonating", "none")

	// What another tab switched before that arrives now: nobody acts any longer.
	for _, c := range (&http.Response{Header: late.header}).Cookies() {
		b.cookies[c.Name] = c.Value
	}
	expect(t, p.do("POST", "/auth/web/logout", "", "X-CSRF-Token: "+late.text("csrf_token")), 204, "", "")
	if r := s.record(alice.session); r.EndReason != "logout" {
		t.Errorf("alice's session: %q", r.EndReason)
	}
	if r := s.record(bob); r.EndReason != "" {
		t.Errorf("bob's session: %q", r.EndReason)
	}
	expect(t, b.do("GET", "/auth/impersonate", ""), 200, "", "")
	expect(t, b.do("DELETE", "/auth/impersonate", ""), 200, "", "")
	if a := b.do("GET", "/hello", ""); a.body != "hello bob" {
		t.Errorf("back: %s", a.body)
	}
}

// TestPageOfAnotherIsNotSignedOut: that the session in use is over is told to no page
// that shows another account.
func TestPageOfAnotherIsNotSignedOut(t *testing.T) {
	t.Parallel()
	s := townSite(t)
	b := s.browser()
	expect(t, add(b, "alice"), 200, "", "")
	alice := b.session
	expect(t, add(b, "bob"), 200, "", "")
	bob, err := remuda.ParseSessionID(b.session)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.manager.End(t.Context(), remuda.EndRequest{Session: bob}); err != nil {
		t.Fatal(err)
	}
	expect(t, b.do("GET", "/hello", "", "Remuda-Session: "+alice), 409, "session_switched", "none")
	expect(t, b.do("GET", "/hello", "", "Remuda-Session: "+bob.String()), 401, "session_ended", "login")
}

// TestAccountsKeepHeadersShort: too many long names are refused, and nothing is lost.
func TestAccountsKeepHeadersShort(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-3.3.5")
	t.Attr("requirement", "ASVS-4.2.5")
	s := townSite(t)
	b := s.browser()
	long := func(i int) string { return strings.Repeat("n", 240) + fmt.Sprint(i) }
	signedIn := 0
	for i := range 5 {
		a := add(b, long(i))
		if a.status == http.StatusOK {
			signedIn++
			continue
		}
		expect(t, a, 403, "accounts_full", "none")
	}
	if list := accounts(b); len(list) != signedIn || signedIn < 2 || signedIn > 4 {
		t.Errorf("%d are signed in, %d are listed", signedIn, len(list))
	}
	size := 0
	for name, value := range b.cookies {
		size += len(name) + len(value) + 3
	}
	if size > 4096 {
		t.Errorf("%d bytes of cookies", size)
	}
	n := 0
	for _, err := range s.manager.Sessions(t.Context(), remuda.SessionsRequest{Subject: long(4)}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 0 {
		t.Error("the session that was refused goes on")
	}
}

// tab is a page: it shows one account, and takes itself to be in that session.
type tab struct {
	subject, session, csrf string
}

// TestAccountsInterleaved: tabs of several accounts are busy while others switch and sign
// out, and answers come late, in any order, or never; whoever is out comes in again. No
// request is answered for another than the tab shows, and nobody is signed out who did
// not ask for it.
func TestAccountsInterleaved(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			playTabs(t, rand.New(rand.NewPCG(seed, 1)))
		})
	}
}

// late is an answer on its way.
type late struct {
	*answer

	since int // step
}

// game is one browser with its tabs.
type game struct {
	*browser

	t    *testing.T
	rng  *rand.Rand
	tabs []*tab
	in   map[string]string // the session of each who is signed in
	late []late
	now  int // step
}

func playTabs(t *testing.T, rng *rand.Rand) {
	t.Helper()
	s := townSite(t)
	s.t = t
	g := &game{browser: s.browser(), t: t, rng: rng, in: map[string]string{}}
	for _, name := range []string{"alice", "bob", "carol"} {
		a := add(g.browser, name)
		expect(t, a, 200, "", "")
		g.in[name] = a.text("session", "id")
		for range 2 {
			g.tabs = append(g.tabs, g.loaded(a))
		}
	}
	g.csrf = ""
	for range 120 {
		g.step()
	}
	g.arrive(0)
	list := accounts(g.browser)
	if got, want := slices.Sorted(maps.Keys(list)), slices.Sorted(maps.Keys(g.in)); !slices.Equal(got, want) {
		t.Errorf("signed in: %v, want %v", got, want)
	}
	for name, l := range list {
		expect(t, switchTo(g.browser, l), 200, "", "")
		g.csrf = ""
		if a := g.do("GET", "/hello", ""); a.body != "hello "+name {
			t.Errorf("in the end: %s for %s", a.body, name)
		}
	}
}

func (g *game) loaded(a *answer) *tab {
	return &tab{subject: a.text("session", "subject"), session: a.text("session", "id"), csrf: a.text("csrf_token")}
}

// send sends what a tab wants with the cookies of now. Whether and when the cookies
// of the answer arrive is open.
func (g *game) send(tb *tab, method, path, body, csrf string) *answer {
	headers := g.headers()
	if tb.session != "" {
		headers = append(headers, "Remuda-Session: "+tb.session)
	}
	if csrf != "" {
		headers = append(headers, "X-CSRF-Token: "+csrf)
	}
	a := g.s.do(request{method, path, headers, body})
	if len(a.header.Values("Set-Cookie")) > 0 {
		g.late = append(g.late, late{a, g.now})
	}
	return a
}

// arrive lets answers arrive, in any order, until no more than so many are left.
func (g *game) arrive(left int) {
	for len(g.late) > left {
		i := g.rng.IntN(len(g.late))
		for _, c := range (&http.Response{Header: g.late[i].header}).Cookies() {
			if c.MaxAge < 0 {
				delete(g.cookies, c.Name)
			} else {
				g.cookies[c.Name] = c.Value
			}
		}
		g.late = slices.Delete(g.late, i, i+1)
	}
}

func (g *game) step() {
	g.now++
	g.s.advance(time.Duration(g.rng.IntN(5)) * time.Second)
	if len(g.late) > 0 && g.now-g.late[0].since > 5 { // nothing is on its way for longer than the grace
		g.arrive(0)
	}
	tb := g.tabs[g.rng.IntN(len(g.tabs))]
	switch g.rng.IntN(8) {
	case 0, 1:
		method, csrf := "GET", ""
		if g.rng.IntN(2) == 0 {
			method, csrf = "POST", tb.csrf
		}
		g.check(tb, g.send(tb, method, "/hello", "", csrf), "hello "+tb.subject)
	case 2:
		page := *tb
		if g.rng.IntN(2) == 0 {
			page.session = "" // one that says nothing is told apart by its CSRF token
		}
		a := g.send(&page, "POST", "/auth/web/refresh", "", tb.csrf)
		if page.session == "" && a.code() == "csrf_failed" {
			return
		}
		g.check(tb, a, a.body)
		if a.status == http.StatusOK && a.text("session", "id") != tb.session {
			g.t.Errorf("a tab of %s refreshes %s", tb.subject, a.text("session", "subject"))
		}
	case 3: // a tab switches, and shows the other account from then on
		list := accounts(g.browser)
		names := slices.Sorted(maps.Keys(list))
		if len(names) == 0 {
			return
		}
		to := list[names[g.rng.IntN(len(names))]]
		a := g.send(tb, "POST", fmt.Sprintf("/auth/accounts/%v/switch", to.n), "", to.csrf)
		if a.status != http.StatusOK || a.text("session", "subject") != to.subject {
			g.t.Errorf("switch to %s: %d %s", to.subject, a.status, a.body)
			return
		}
		*tb = *g.loaded(a)
	case 4: // a lost answer: its cookies never come
		if len(g.late) > 0 && g.rng.IntN(4) == 0 {
			g.late = g.late[1:]
		}
	case 5:
		g.arrive(g.rng.IntN(3))
	case 6: // a tab signs an account out
		list := accounts(g.browser)
		if l, ok := list[g.anybody()]; ok && g.rng.IntN(3) == 0 {
			a := g.send(tb, "DELETE", fmt.Sprintf("/auth/accounts/%v", l.n), "", l.csrf)
			expect(g.t, a, 204, "", "")
			delete(g.in, l.subject)
		}
	case 7: // somebody signs in again, and nothing else is on its way then
		if name := g.anybody(); g.in[name] == "" {
			g.arrive(0)
			a := add(g.browser, name)
			expect(g.t, a, 200, "", "")
			*tb, g.in[name], g.csrf = *g.loaded(a), a.text("session", "id"), ""
		}
	}
}

func (g *game) anybody() string { return []string{"alice", "bob", "carol"}[g.rng.IntN(3)] }

// check checks what a tab is answered: what it wants, of its own account, or that this
// is not in use; that it is signed out only if it is.
func (g *game) check(tb *tab, a *answer, want string) {
	switch {
	case a.status == http.StatusOK && a.body == want:
	case a.status != http.StatusOK && (a.code() == "session_switched" || a.action() == "refresh" || a.action() == "retry"):
	case a.code() == "token_missing": // none is in use
	case (a.code() == "session_ended" || a.code() == "csrf_failed") && g.in[tb.subject] != tb.session:
	default:
		g.t.Errorf("a tab of %s: %d %s", tb.subject, a.status, a.body)
	}
}

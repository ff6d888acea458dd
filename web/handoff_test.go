package web_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

const shop = "https://shop.example"

// twoSites returns the site that alice is signed in on, and one to which she can
// be handed, over one store and one ring.
func twoSites(t *testing.T, change ...func(*remuda.Config, *web.Config)) (from, to *site) {
	t.Helper()
	from = newSite(t, func(_ *remuda.Config, w *web.Config) {
		w.HandOff = web.HandOff{Targets: []string{shop + "/auth/hand-off/landing"}, SignIn: "/login"}
	})
	to = newSite(t, func(c0 *remuda.Config, w *web.Config) {
		c0.Store, c0.Keys, c0.Issuer, c0.Now, c0.Events = from.store, from.ring, shop, from.time, &from.events
		w.Keys, w.Origins, w.Events = from.ring, []string{shop, "https://www.shop.example"}, &from.events
		w.HandOff = web.HandOff{Source: origin + "/auth/hand-off"}
		for _, c := range change {
			c(c0, w)
		}
	})
	return from, to
}

// guest is a browser on the second site.
type guest struct {
	t       *testing.T
	site    *site
	cookies map[string]string
}

func (s *site) guest(t *testing.T) *guest { return &guest{t: t, site: s, cookies: map[string]string{}} }

// opens are the headers of somebody who opens a page, and fetches those of a page
// that calls its own site.
var (
	opens   = []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: cross-site"}
	fetches = []string{"Origin: " + shop, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}
)

func (g *guest) do(method, path, body string, headers []string) *answer {
	g.t.Helper()
	req := httptest.NewRequestWithContext(g.t.Context(), method, path, strings.NewReader(body))
	req.Host = "shop.example"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range g.cookies {
		req.Header.Add("Cookie", name+"="+value)
	}
	rec := httptest.NewRecorder()
	g.site.handler.ServeHTTP(rec, req)
	a := &answer{status: rec.Code, header: rec.Header(), body: rec.Body.String()}
	_ = json.Unmarshal(rec.Body.Bytes(), &a.json)
	for _, c := range rec.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(g.cookies, c.Name)
		} else {
			g.cookies[c.Name] = c.Value
		}
	}
	return a
}

// start begins an attempt and returns what the source is asked.
func (g *guest) start(back string) (target, state string) {
	g.t.Helper()
	a := g.do("GET", "/auth/hand-off/start?return="+url.QueryEscape(back), "", opens)
	u, err := url.Parse(a.header.Get("Location"))
	if a.status != http.StatusSeeOther || err != nil || u.Host != "app.example" || u.Path != "/auth/hand-off" || u.Fragment != "" {
		g.t.Fatalf("start: %d %s %v", a.status, a.header.Get("Location"), err)
	}
	return u.Query().Get("target"), u.Query().Get("state")
}

// mint asks the source, and returns the body with which the landing page redeems.
func (b *browser) mint(target, state string) string {
	b.s.t.Helper()
	a := b.do("POST", "/auth/hand-off", fmt.Sprintf(`{"target":%q,"state":%q}`, target, state))
	page, fragment, _ := strings.Cut(a.text("url"), "#")
	q, err := url.ParseQuery(fragment)
	if a.status != http.StatusOK || page != shop+"/auth/hand-off/landing" || err != nil {
		b.s.t.Fatalf("mint: %d %s", a.status, a.body)
	}
	return fmt.Sprintf(`{"token":%q,"attempt":%q}`, q.Get("ho"), q.Get("at"))
}

// handed is a token on its way to a browser that has begun.
func handed(t *testing.T, from, to *site) (*browser, *guest, string) {
	t.Helper()
	b, g := from.signedIn(), to.guest(t)
	body := b.mint(g.start("/basket?x=1"))
	from.events.kinds()
	return b, g, body
}

const redeemPath = "/auth/hand-off/redeem"

func TestHandOff(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "SEED-4")
	from, to := twoSites(t)
	b, g, body := handed(t, from, to)
	state := g.cookies
	if len(state) != 1 {
		t.Fatalf("cookies after the start: %v", state)
	}
	for _, method := range []string{"GET", "HEAD"} {
		a := g.do(method, "/auth/hand-off/landing", "", opens)
		if a.status != http.StatusOK || len(a.header.Values("Set-Cookie")) > 0 {
			t.Errorf("%s landing: %d %v", method, a.status, a.header)
		}
	}
	a := g.do("POST", redeemPath, body, fetches)
	if a.status != http.StatusOK || a.text("return") != "/basket?x=1" || a.text("session", "subject") != "alice" || a.text("csrf_token") == "" {
		t.Fatalf("redeem: %d %s", a.status, a.body)
	}
	if len(g.cookies) != 2 || g.cookies["__Host-session"] == "" || g.cookies["__Host-refresh"] == "" {
		t.Errorf("cookies: %v", g.cookies)
	}
	if a := g.do("GET", "/hello", "", nil); a.body != "hello alice" {
		t.Errorf("at the target: %d %s", a.status, a.body)
	}
	if a := b.do("GET", "/hello", ""); a.body != "hello alice" {
		t.Errorf("at the source: %d %s", a.status, a.body)
	}
	if got := from.events.kinds(); got != "session.started handoff.redeemed" {
		t.Errorf("events: %s", got)
	}
	expect(t, g.do("POST", redeemPath, body, fetches), http.StatusUnauthorized, "token_invalid", "login")
}

// TestHandOffPages: nobody may frame, keep, or look into the pages, and nothing
// but their own script runs.
func TestHandOffPages(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "FM-2")
	t.Attr("requirement", "ASVS-3.4.3")
	t.Attr("requirement", "ASVS-3.4.5")
	t.Attr("requirement", "ASVS-3.4.6")
	t.Attr("requirement", "ASVS-3.4.8")
	from, to := twoSites(t)
	for path, a := range map[string]*answer{
		"the source's page": from.do(request{"GET", "/auth/hand-off?target=x&state=y", opens, ""}),
		"the landing page":  to.guest(t).do("GET", "/auth/hand-off/landing", "", opens),
	} {
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
			"Content-Type": "text/html; charset=utf-8", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		policy := a.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "script-src 'sha256-"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: no %q in %q", path, want, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(a.body, "{{") {
			t.Errorf("%s: %s\n%s", path, policy, a.body)
		}
	}
}

// TestHandOffIsOpened: what nobody has opened begins nothing and ends nothing.
func TestHandOffIsOpened(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-7.6.2")
	t.Attr("requirement", "ASVS-10.6.2")
	from, to := twoSites(t)
	_, g, body := handed(t, from, to)
	had := len(g.cookies)
	for name, headers := range map[string][]string{
		"prefetch":     append(slices.Clone(opens), "Sec-Purpose: prefetch"),
		"prerender":    append(slices.Clone(opens), "Sec-Purpose: prefetch;prerender"),
		"old prefetch": {"Purpose: prefetch"},
		"Firefox's":    {"X-Moz: prefetch"},
		"preview":      {"X-Purpose: preview"},
		"a frame":      {"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"},
		"an object":    {"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: object"},
		"an image":     {"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"},
		"a fetch":      {"Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"},
	} {
		for _, path := range []string{"start?return=/a", "landing"} {
			a := g.do("GET", "/auth/hand-off/"+path, "", headers)
			if a.status != http.StatusBadRequest || len(a.header.Values("Set-Cookie")) > 0 {
				t.Errorf("%s of %s: %d %v", name, path, a.status, a.header)
			}
		}
	}
	if a := g.do("HEAD", "/auth/hand-off/start", "", nil); a.status != http.StatusBadRequest || len(a.header.Values("Set-Cookie")) > 0 {
		t.Errorf("HEAD of start: %d %v", a.status, a.header)
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		expect(t, g.do(method, redeemPath, "", opens), http.StatusMethodNotAllowed, "method_not_allowed", "none")
	}
	if len(g.cookies) != had {
		t.Errorf("cookies: %v", g.cookies)
	}
	if a := g.do("POST", redeemPath, body, fetches); a.status != http.StatusOK {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
}

// TestHandOffRedeemRefused: whoever else posts the token gets nothing, and uses
// nothing up.
func TestHandOffRedeemRefused(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-10.2.1")
	t.Attr("requirement", "BCP-4.7")
	from, to := twoSites(t)
	_, g, body := handed(t, from, to)
	own := g.cookies
	without := func(name string) []string {
		return slices.DeleteFunc(slices.Clone(fetches), func(h string) bool { return strings.HasPrefix(h, name) })
	}
	with := func(h string) []string {
		name, _, _ := strings.Cut(h, ":")
		return append(without(name), h)
	}
	var name, value string
	for name, value = range own {
	}
	other := to.guest(t)
	other.start("/basket?x=1")
	var otherValue string
	for _, otherValue = range other.cookies {
	}
	for _, c := range []struct {
		what    string
		cookies map[string]string
		headers []string
		body    string
		code    string
	}{
		{"a scanner", nil, nil, body, "csrf_failed"},
		{"a scanner with a script engine", nil, fetches, body, "token_invalid"},
		{"another browser", map[string]string{name: otherValue}, fetches, body, "token_invalid"},
		{"another attempt", other.cookies, fetches, body, "token_invalid"},
		{"another site", own, with("Sec-Fetch-Site: cross-site"), body, "csrf_failed"},
		{"a sibling", own, with("Sec-Fetch-Site: same-site"), body, "csrf_failed"},
		{"an origin that is not listed", own, with("Origin: https://evil.example"), body, "csrf_failed"},
		{"an opaque origin", own, with("Origin: null"), body, "csrf_failed"},
		{"another origin that is listed", own, append(without("Sec-Fetch-Site"), "Origin: https://www.shop.example")[1:], body, "csrf_failed"},
		{"another origin that is listed, as browsers say it", own, append(without("Origin"), "Origin: https://www.shop.example", "Sec-Fetch-Site: cross-site")[1:], body, "csrf_failed"},
		{"no origin", own, without("Origin"), body, "csrf_failed"},
		{"a state without a path", map[string]string{name: strings.Split(value, ".")[0]}, fetches, body, "token_invalid"},
		{"a path that leaves", map[string]string{name: strings.Split(value, ".")[0] + "." + base64.RawURLEncoding.EncodeToString([]byte("//evil.example"))}, fetches, body, "token_invalid"},
		{"no attempt", own, fetches, strings.Replace(body, `"attempt":"`, `"attempt":"x`, 1), "token_invalid"},
		{"a form", own, append(slices.Clone(fetches), "Content-Type: text/plain"), "", "request_invalid"},
		{"a path of its own", own, fetches, strings.Replace(body, "}", `,"return":"//evil.example"}`, 1), "request_invalid"},
	} {
		g := to.guest(t)
		if c.cookies != nil {
			g.cookies = c.cookies
		}
		a := g.do("POST", redeemPath, c.body, c.headers)
		if a.code() != c.code || len(a.header.Values("Set-Cookie")) > 0 {
			t.Errorf("%s: %d %s, want %s", c.what, a.status, a.body, c.code)
		}
	}
	g.cookies = own
	if a := g.do("POST", redeemPath, body, fetches); a.status != http.StatusOK {
		t.Errorf("the right browser, afterwards: %d %s", a.status, a.body)
	}
}

// TestHandOffPlanted: a link that somebody mints for a browser which has begun
// nothing signs nobody in.
func TestHandOffPlanted(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-10.1.2")
	from, to := twoSites(t)
	target, _ := to.guest(t).start("/")
	body := from.signedIn().mint(target, remuda.HandOffStateHash(""))
	name, _, _ := strings.Cut(body[strings.Index(body, `"attempt":"`)+len(`"attempt":"`):], `"`)
	for what, cookies := range map[string]map[string]string{
		"a browser without cookies":   {},
		"a cookie without a state":    {"__Host-handoff-" + name: "." + base64.RawURLEncoding.EncodeToString([]byte("/"))},
		"a cookie that holds nothing": {"__Host-handoff-" + name: ""},
	} {
		g := to.guest(t)
		g.cookies = cookies
		a := g.do("POST", redeemPath, body, fetches)
		if a.code() != "token_invalid" || len(a.header.Values("Set-Cookie")) > 0 {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
}

func TestHandOffLate(t *testing.T) {
	t.Parallel()
	from, to := twoSites(t)
	_, g, body := handed(t, from, to)
	from.advance(remuda.HandOffLife)
	expect(t, g.do("POST", redeemPath, body, fetches), http.StatusUnauthorized, "token_invalid", "login")
}

func TestHandOffEndsWithLogout(t *testing.T) {
	t.Parallel()
	from, to := twoSites(t, func(_ *remuda.Config, w *web.Config) { w.HandOff.EndsWithParent = true })
	b, g, body := handed(t, from, to)
	if a := g.do("POST", redeemPath, body, fetches); a.status != http.StatusOK {
		t.Fatalf("redeem: %d %s", a.status, a.body)
	}
	late := b.mint(g.start("/"))
	if a := b.do("POST", "/auth/web/logout", ""); a.status != http.StatusNoContent {
		t.Fatalf("logout: %d %s", a.status, a.body)
	}
	expect(t, g.do("POST", redeemPath, late, fetches), http.StatusUnauthorized, "token_invalid", "login")
	a := g.do("GET", "/auth/web/csrf", "", nil)
	expect(t, a, http.StatusUnauthorized, "session_ended", "login")
}

func TestHandOffMintRefused(t *testing.T) {
	t.Parallel()
	from, to := twoSites(t)
	b, g := from.signedIn(), to.guest(t)
	target, state := g.start("/")
	if target != shop {
		t.Errorf("target = %q", target)
	}
	for _, other := range []string{
		"", shop + "/", shop + ":443", "http://shop.example", "https://SHOP.example", "https://shop.example.", "https://x@shop.example",
		"https://evil.example", "https://shop.example.evil.example", "//shop.example", "shop.example", "null", origin,
	} {
		a := b.do("POST", "/auth/hand-off", fmt.Sprintf(`{"target":%q,"state":%q}`, other, state))
		expect(t, a, http.StatusBadRequest, "request_invalid", "none")
	}
	expect(t, b.do("POST", "/auth/hand-off", fmt.Sprintf(`{"target":%q,"state":"short"}`, target)), http.StatusBadRequest, "request_invalid", "none")
	good := fmt.Sprintf(`{"target":%q,"state":%q}`, target, state)
	csrf := b.csrf
	b.csrf = ""
	expect(t, b.do("POST", "/auth/hand-off", good), http.StatusForbidden, "csrf_failed", "none")
	expect(t, from.browser().do("POST", "/auth/hand-off", good), http.StatusUnauthorized, "token_missing", "login")
	access, _, _ := from.tokens()
	expect(t, from.do(request{"POST", "/auth/hand-off", []string{"Authorization: Bearer " + access}, good}), http.StatusUnauthorized, "token_invalid", "login")
	b.csrf = csrf
	if a := b.do("POST", "/auth/web/logout", ""); a.status != http.StatusNoContent {
		t.Fatal(a.body)
	}
	expect(t, b.do("POST", "/auth/hand-off", good), http.StatusUnauthorized, "token_missing", "login")
}

// TestHandOffSignedIn: whoever is signed in at the target stays so until they say
// otherwise.
func TestHandOffSignedIn(t *testing.T) {
	t.Parallel()
	from, to := twoSites(t)
	_, g, body := handed(t, from, to)
	a := g.do("POST", "/auth/web/login", `{"username":"bob","password":"bobs secret"}`, fetches)
	if a.status != http.StatusOK {
		t.Fatal(a.body)
	}
	expect(t, g.do("POST", redeemPath, body, fetches), http.StatusConflict, "already_signed_in", "none")
	if a := g.do("GET", "/hello", "", nil); a.body != "hello bob" {
		t.Fatalf("after a refusal: %s", a.body)
	}
	bobs := g.cookies["__Host-session"]
	a = g.do("POST", redeemPath, strings.Replace(body, "}", `,"switch":true}`, 1), fetches)
	if a.status != http.StatusOK || a.text("session", "subject") != "alice" {
		t.Fatalf("switched: %d %s", a.status, a.body)
	}
	alices := g.cookies["__Host-session"]
	g.cookies["__Host-session"] = bobs
	expect(t, g.do("GET", "/hello", "", nil), http.StatusUnauthorized, "session_ended", "login")
	// The same user again: the session stays.
	g.cookies["__Host-session"] = alices
	a = g.do("POST", redeemPath, from.signedIn().mint(g.start("/again")), fetches)
	if a.status != http.StatusOK || a.text("return") != "/again" || g.cookies["__Host-session"] != alices || len(g.cookies) != 2 {
		t.Errorf("kept: %d %s %v", a.status, a.body, g.cookies)
	}
}

// TestHandOffSignedInWithoutRecord: a session that only its token tells of counts.
func TestHandOffSignedInWithoutRecord(t *testing.T) {
	t.Parallel()
	from, to := twoSites(t, func(c *remuda.Config, w *web.Config) {
		p := remuda.Local()
		p.Credential, p.Liveness = remuda.JWT, remuda.LiveExpiry
		c.Profiles = append(c.Profiles, p)
		w.WebProfiles, w.HandOff.Profile = []string{p.Name}, "web"
	})
	_, g, body := handed(t, from, to)
	if a := g.do("POST", "/auth/web/login", `{"username":"bob","password":"bobs secret"}`, fetches); a.status != http.StatusOK {
		t.Fatal(a.body)
	}
	expect(t, g.do("POST", redeemPath, body, fetches), http.StatusConflict, "already_signed_in", "none")
}

// TestHandOffUnavailable: an outage uses nothing up, and takes no cookie.
func TestHandOffUnavailable(t *testing.T) {
	t.Parallel()
	from, to := twoSites(t)
	_, g, body := handed(t, from, to)
	from.store.broken.Store(true)
	expect(t, g.do("POST", redeemPath, body, fetches), http.StatusServiceUnavailable, "unavailable", "retry")
	from.store.broken.Store(false)
	if a := g.do("POST", redeemPath, body, fetches); a.status != http.StatusOK {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
}

// TestHandOffTabs: several tabs do not disturb each other, and what is never
// finished does not pile up.
func TestHandOffTabs(t *testing.T) {
	t.Parallel()
	from, to := twoSites(t)
	b, g := from.signedIn(), to.guest(t)
	var bodies []string
	for i := range 8 {
		bodies = append(bodies, b.mint(g.start(fmt.Sprintf("/tab/%d", i))))
	}
	for i, body := range bodies {
		a := g.do("POST", redeemPath, body, fetches)
		if a.status != http.StatusOK || a.text("return") != fmt.Sprintf("/tab/%d", i) {
			t.Errorf("tab %d: %d %s", i, a.status, a.body)
		}
	}
	if n := len(g.cookies); n != 2 {
		t.Errorf("%d cookies remain: %v", n, g.cookies)
	}
	for range 30 {
		g.start("/")
	}
	if n := len(g.cookies); n > 2+8 {
		t.Errorf("%d cookies remain", n)
	}
}

func TestHandOffStartReturns(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-3.7.2")
	t.Attr("requirement", "ASVS-10.4.1")
	t.Attr("requirement", "BCP-4.1")
	_, to := twoSites(t)
	g := to.guest(t)
	for _, back := range append(badReturns, "/auth/hand-off/start", "/auth/hand-off/landing?x", "/auth/%68and-off/start") {
		a := g.do("GET", "/auth/hand-off/start?return="+url.QueryEscape(back), "", opens)
		if a.status != http.StatusBadRequest || len(a.header.Values("Set-Cookie")) > 0 {
			t.Errorf("%q: %d %v", back, a.status, a.header)
		}
	}
	for _, query := range []string{"return=/a&return=/b", "return=/a&x=1", "next=/a", "return=/a;b", "return=%zz"} {
		if a := g.do("GET", "/auth/hand-off/start?"+query, "", opens); a.status != http.StatusBadRequest {
			t.Errorf("?%s: %d", query, a.status)
		}
	}
	a := g.do("GET", "/auth/hand-off/start", "", opens)
	cookie := a.header.Get("Set-Cookie")
	for _, want := range []string{"__Host-handoff-", "Path=/", "Max-Age=600", "HttpOnly", "Secure", "SameSite=Lax"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("no %s in %q", want, cookie)
		}
	}
	if strings.Contains(cookie, "Domain") || a.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%v", a.header)
	}
	name, _, _ := strings.Cut(cookie, "=")
	state, _, _ := strings.Cut(g.cookies[name], ".")
	if len(state) < 26 || strings.Contains(a.header.Get("Location"), state) {
		t.Errorf("the state %q, and the address %q", state, a.header.Get("Location"))
	}
}

func TestHandOffConfig(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for want, change := range map[string]func(*web.HandOff){
		"HandOff.Targets":              func(o *web.HandOff) { o.Targets = []string{"https://shop.example"} },
		"HandOff.Targets: \"https://u": func(o *web.HandOff) { o.Targets = []string{"https://u@shop.example/auth/hand-off/landing"} },
		"with nothing after it":        func(o *web.HandOff) { o.Targets = []string{"https://shop.example/landing#x"} },
		"plain HTTP":                   func(o *web.HandOff) { o.Targets = []string{"http://shop.example/landing"} },
		"the same origin": func(o *web.HandOff) {
			o.Targets = []string{"https://shop.example/a", "https://shop.example/b"}
		},
		"HandOff.Source":             func(o *web.HandOff) { o.Source = "app.example" },
		"HandOff.SignIn":             func(o *web.HandOff) { o.Source, o.SignIn = origin+"/auth/hand-off", "//evil.example" },
		`there is no profile "none"`: func(o *web.HandOff) { o.Source, o.Profile = origin+"/auth/hand-off", "none" },
		"has transport bearer":       func(o *web.HandOff) { o.Source, o.Profile = origin+"/auth/hand-off", "api" },
	} {
		cfg := web.Config{Manager: s.manager, Keys: s.ring, Authenticator: passwords{}, Origins: []string{origin}}
		change(&cfg.HandOff)
		if _, err := web.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	// Without it there are no routes.
	for _, path := range []string{"/auth/hand-off", "/auth/hand-off/start", "/auth/hand-off/landing", redeemPath} {
		expect(t, s.do(request{"GET", path, nil, ""}), http.StatusNotFound, "not_found", "none")
	}
}

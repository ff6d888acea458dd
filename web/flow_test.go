package web_test

import (
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

func TestWebSession(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-10.1.1")
	t.Attr("requirement", "SEED-1")
	t.Attr("requirement", "ASVS-3.3.1")
	t.Attr("requirement", "ASVS-3.3.2")
	t.Attr("requirement", "ASVS-3.3.3")
	t.Attr("requirement", "ASVS-3.3.4")
	t.Attr("requirement", "NIST-1")
	t.Attr("requirement", "NIST-7")
	t.Attr("requirement", "CK-lax")
	t.Attr("requirement", "CK-split")
	s := newSite(t)
	b := s.browser()
	a := b.do("POST", "/auth/web/login", `{"username":"alice","password":"sesame open"}`)
	expect(t, a, 200, "", "")
	if got := s.events.kinds(); got != "session.started" {
		t.Errorf("events: %s", got)
	}
	for _, line := range a.header.Values("Set-Cookie") {
		for _, want := range []string{"__Host-", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
			if !strings.Contains(line, want) {
				t.Errorf("Set-Cookie lacks %q: %s", want, line)
			}
		}
		if strings.Contains(line, "Max-Age") || strings.Contains(line, "Expires") {
			t.Errorf("not remembered, but the cookie outlives the browser: %s", line)
		}
	}
	if strings.Contains(a.body, b.cookies["__Host-session"]) || strings.Contains(a.body, b.cookies["__Host-refresh"]) {
		t.Error("the body shows a token")
	}
	expect(t, b.do("GET", "/auth/session", ""), 200, "", "")
	if a := b.do("POST", "/hello", ""); a.body != "hello alice" {
		t.Errorf("POST /hello: %d %s", a.status, a.body)
	}

	s.advance(5 * time.Minute)
	old := b.cookies["__Host-refresh"]
	expect(t, b.do("POST", "/auth/web/refresh", ""), 200, "", "")
	if b.cookies["__Host-refresh"] == old {
		t.Error("no rotation")
	}
	if got := s.events.kinds(); got != "session.refreshed" {
		t.Errorf("events: %s", got)
	}
	// Within the floor: a fresh access token, and the refresh cookie is left alone.
	a = b.do("POST", "/auth/web/refresh", "")
	expect(t, a, 200, "", "")
	if _, ok := a.cookie("__Host-refresh"); ok {
		t.Error("Current sends a refresh cookie")
	}
	if _, ok := a.cookie("__Host-session"); !ok {
		t.Error("Current sends no access cookie")
	}

	expect(t, b.do("POST", "/auth/web/logout", ""), 204, "", "")
	if len(b.cookies) != 0 {
		t.Errorf("cookies after logout: %v", b.cookies)
	}
	expect(t, b.do("GET", "/auth/session", ""), 401, "token_missing", "login")
}

func TestTokenSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	access, refresh, id := s.tokens()
	bearer := "Authorization: Bearer " + access
	if a := s.do(request{"POST", "/hello", []string{bearer}, ""}); a.body != "hello alice" {
		t.Fatalf("POST /hello: %d %s", a.status, a.body)
	}
	s.advance(11 * time.Minute)
	expect(t, s.do(request{"GET", "/hello", []string{bearer}, ""}), 401, "token_expired", "refresh")
	a := s.do(request{"POST", "/auth/token/refresh", nil, `{"refresh_token":"` + refresh + `"}`})
	expect(t, a, 200, "", "")
	if a.text("refresh_token") == refresh || a.text("token_type") != "Bearer" || a.json["expires_in"].(float64) < 500 {
		t.Errorf("refresh: %s", a.body)
	}
	if len(a.header.Values("Set-Cookie")) > 0 {
		t.Error("a token client is sent cookies")
	}
	// The header will do as well, and an expired access token logs out.
	s.advance(2 * time.Minute)
	a = s.do(request{"POST", "/auth/token/refresh", []string{"Authorization: Bearer " + a.text("refresh_token")}, ""})
	expect(t, a, 200, "", "")
	expect(t, s.do(request{"POST", "/auth/token/logout", []string{bearer}, ""}), 204, "", "")
	expect(t, s.do(request{"POST", "/auth/token/logout", []string{bearer}, ""}), 204, "", "")
	expect(t, s.do(request{"GET", "/hello", []string{"Authorization: Bearer " + a.text("access_token")}, ""}), 401, "session_ended", "login")
	if r := s.record(id); r.EndReason != "logout" {
		t.Errorf("reason %q", r.EndReason)
	}
}

func TestRememberedCookiesOutliveTheBrowser(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.browser().do("POST", "/auth/web/login", `{"username":"alice","password":"sesame open","remember":true}`)
	for _, line := range a.header.Values("Set-Cookie") {
		if !strings.Contains(line, "; Max-Age=2592000") {
			t.Errorf("Set-Cookie: %s", line)
		}
	}
}

func TestLogoutInOneTabEndsTheOther(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "NIST-3")
	t.Attr("requirement", "BUG CVE-2026-30224, CVE-2025-53826")
	s := newSite(t)
	one := s.signedIn()
	other := s.browser()
	maps.Copy(other.cookies, one.cookies)
	expect(t, other.do("GET", "/auth/web/csrf", ""), 200, "", "")
	if a := other.do("POST", "/hello", ""); a.status != 200 {
		t.Fatalf("second tab: %d %s", a.status, a.body)
	}
	expect(t, one.do("POST", "/auth/web/logout", ""), 204, "", "")
	expect(t, other.do("POST", "/hello", ""), 401, "session_ended", "login")
	expect(t, other.do("POST", "/auth/web/refresh", ""), 401, "session_ended", "login")
	if len(other.cookies) != 2 {
		t.Error("a refusal deleted cookies")
	}
}

// A record that is gone leaves nothing to get a CSRF token for.
func TestNoCSRFTokenWithoutASession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn()
	s.advance(13 * time.Hour)
	if _, err := s.manager.Sweep(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	expect(t, b.do("GET", "/auth/web/csrf", ""), 401, "session_expired", "login")
	old := b.cookies["__Host-session"]
	delete(b.cookies, "__Host-session")
	expect(t, b.do("GET", "/auth/web/csrf", ""), 401, "token_invalid", "login")
	// Nor does the cookie of somebody else's.
	b.cookies["__Host-session"] = old + "; __Host-session=" + s.signedIn().cookies["__Host-session"]
	expect(t, b.do("GET", "/auth/web/csrf", ""), 401, "session_expired", "login")
}

func TestLoginOverASessionEndsIt(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-7.2.4")
	s := newSite(t)
	b := s.signedIn()
	first := b.session
	expect(t, b.do("POST", "/auth/web/login", `{"username":"bob","password":"bobs secret"}`), 200, "", "")
	if b.session == first {
		t.Error("the session id was kept")
	}
	if r := s.record(first); r.EndReason != "replaced" {
		t.Errorf("first session: %q", r.EndReason)
	}
	if a := b.do("GET", "/hello", ""); a.body != "hello bob" {
		t.Errorf("GET /hello: %s", a.body)
	}
}

func TestStepUp(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-7.5.1")
	t.Attr("requirement", "NIST-11")
	s := newSite(t)
	b, device := s.signedIn(), s.signedIn()
	s.advance(6 * time.Minute)
	expect(t, b.do("GET", "/auth/sessions", ""), 200, "", "")
	a := b.do("POST", "/important", "")
	expect(t, a, 401, "step_up_required", "reauthenticate")
	if got := a.header.Get("WWW-Authenticate"); got != `Bearer error="insufficient_user_authentication", max_age="60"` {
		t.Errorf("WWW-Authenticate: %s", got)
	}
	expect(t, b.do("DELETE", "/auth/sessions/"+device.session, ""), 401, "step_up_required", "reauthenticate")
	expect(t, b.do("POST", "/auth/web/logout?others=1", ""), 401, "step_up_required", "reauthenticate")
	// A refresh makes no authentication younger.
	expect(t, b.do("POST", "/auth/web/refresh", ""), 200, "", "")
	expect(t, b.do("POST", "/important", ""), 401, "step_up_required", "reauthenticate")

	expect(t, b.do("POST", "/auth/step-up", `{"password":"wrong"}`), 401, "login_failed", "login")
	gen := s.gen(b.session)
	refreshed := b.cookies["__Host-refresh"]
	expect(t, b.do("POST", "/auth/step-up", `{"password":"sesame open"}`), 200, "", "")
	if s.gen(b.session) != gen+1 || b.cookies["__Host-refresh"] == refreshed {
		t.Error("a step-up did not issue a new credential")
	}
	if a := b.do("POST", "/important", ""); a.body != "hello alice" {
		t.Errorf("after step-up: %d %s", a.status, a.body)
	}
	expect(t, b.do("DELETE", "/auth/sessions/"+device.session, ""), 204, "", "")
	expect(t, device.do("GET", "/hello", ""), 401, "session_ended", "login")
}

func TestSessionsOfOthersAreNotFound(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-8.2.2")
	s := newSite(t)
	b := s.signedIn()
	bob := s.browser()
	expect(t, bob.do("POST", "/auth/web/login", `{"username":"bob","password":"bobs secret"}`), 200, "", "")
	for _, id := range []string{bob.session, "AAAAAAAAAAAAAAAAAAAAAA", "nonsense", b.session + "A"} {
		expect(t, b.do("DELETE", "/auth/sessions/"+id, ""), 404, "not_found", "none")
	}
	if a := bob.do("GET", "/hello", ""); a.status != 200 {
		t.Errorf("bob: %d", a.status)
	}
	if a := b.do("GET", "/auth/sessions", ""); strings.Contains(a.body, bob.session) || strings.Contains(a.body, "token") {
		t.Errorf("list: %s", a.body)
	}
}

func TestLogoutWide(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-10.4.9")
	s := newSite(t)
	b, second := s.signedIn(), s.signedIn()
	access, _, _ := s.tokens()
	expect(t, b.do("POST", "/auth/web/logout?others=1", ""), 204, "", "")
	expect(t, second.do("GET", "/hello", ""), 401, "session_ended", "login")
	expect(t, s.do(request{"GET", "/hello", []string{"Authorization: Bearer " + access}, ""}), 401, "session_ended", "login")
	if a := b.do("GET", "/hello", ""); a.status != 200 {
		t.Errorf("this session: %d", a.status)
	}
	expect(t, b.do("POST", "/auth/web/logout?all=1", ""), 204, "", "")
	if len(b.cookies) != 0 {
		t.Error("cookies after a logout everywhere")
	}
}

// A store that fails signs nobody out: 503 with Retry-After, and cookies stay.
func TestStoreFailure(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-16.5.2")
	t.Attr("requirement", "BUG CVE-2020-15223")
	s := newSite(t)
	b := s.signedIn()
	s.advance(5 * time.Minute)
	s.store.broken.Store(true)
	for _, r := range []struct{ method, path, body string }{
		{"GET", "/hello", ""},
		{"GET", "/auth/session", ""},
		{"POST", "/auth/web/refresh", ""},
		{"POST", "/auth/web/logout", ""},
		{"POST", "/auth/web/login", `{"username":"alice","password":"sesame open"}`},
		{"POST", "/auth/web/login", `{"username":"broken","password":"x"}`},
	} {
		a := b.do(r.method, r.path, r.body)
		expect(t, a, 503, "unavailable", "retry")
		if a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		if strings.Contains(a.body, "space") || strings.Contains(a.body, "disk") {
			t.Errorf("the answer tells too much: %s", a.body)
		}
	}
	s.store.broken.Store(false)
	expect(t, b.do("POST", "/auth/web/refresh", ""), 200, "", "")
}

func TestSessionLimit(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-7.1.2")
	s := newSite(t, func(c *remuda.Config, _ *web.Config) {
		c.Profiles[0].MaxSessions, c.Profiles[0].AtLimit = 1, remuda.LimitRefuse
	})
	b := s.signedIn()
	expect(t, s.browser().do("POST", "/auth/web/login", `{"username":"alice","password":"sesame open"}`), 403, "session_limit", "none")
	if a := b.do("GET", "/hello", ""); a.status != 200 {
		t.Errorf("the first session: %d", a.status)
	}
}

func TestThrottledLogin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.browser().do("POST", "/auth/web/login", `{"username":"busy","password":"x"}`)
	expect(t, a, 429, "rate_limited", "retry")
	if a.header.Get("Retry-After") != "90" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	if got := s.events.kinds(); got != "login.throttled" {
		t.Errorf("events: %s", got)
	}
}

func TestPlainLoopbackCookies(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(_ *remuda.Config, w *web.Config) {
		w.Origins = []string{"http://127.0.0.1:8080", "http://localhost:8080"}
	})
	a := s.do(request{"POST", "/auth/web/login", []string{"Origin: http://localhost:8080"}, `{"username":"alice","password":"sesame open"}`})
	expect(t, a, 200, "", "")
	if _, ok := a.cookie("session"); !ok || strings.Contains(strings.Join(a.header.Values("Set-Cookie"), ""), "Secure") {
		t.Errorf("cookies: %v", a.header.Values("Set-Cookie"))
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "FM-3")
	t.Attr("requirement", "ASVS-3.4.2")
	s := newSite(t)
	a := s.do(request{"OPTIONS", "/auth/token/login", []string{"Origin: https://other.example", "Access-Control-Request-Method: POST"}, ""})
	if a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Origin") != "https://other.example" {
		t.Errorf("preflight of a listed origin: %d %v", a.status, a.header)
	}
	a = s.do(request{"OPTIONS", "/auth/token/login", []string{"Origin: https://evil.example", "Access-Control-Request-Method: POST"}, ""})
	expect(t, a, 405, "method_not_allowed", "none")
	if a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a foreign origin is allowed")
	}
	for _, from := range []string{"https://other.example", "https://evil.example"} {
		if a := s.do(request{"GET", "/auth/session", []string{"Origin: " + from}, ""}); a.header.Get("Vary") != "Origin" {
			t.Errorf("%s: Vary is %q", from, a.header.Get("Vary"))
		}
	}
}

// What a client sends as a member name is in no answer and no log.
func TestMemberNamesAreNotShown(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-16.4.1")
	var log strings.Builder
	s := newSite(t, func(_ *remuda.Config, w *web.Config) {
		w.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	a := s.do(request{"POST", "/auth/token/login", nil, `{"SECRETNAME":"x"}`})
	expect(t, a, 400, "request_invalid", "none")
	if strings.Contains(a.body+log.String(), "SECRETNAME") {
		t.Errorf("%s\n%s", a.body, log.String())
	}
}

// TestDevices: a user's list names devices and places as they were at login, marks the
// present one, and holds nothing that works as a token.
func TestDevices(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-14.2.6")
	t.Attr("requirement", "ASVS-15.3.1")
	t.Attr("requirement", "ASVS-15.3.4")
	asked := 0
	s := newSite(t, func(_ *remuda.Config, w *web.Config) {
		w.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // what tests come from
		w.Place = func(a netip.Addr) string {
			asked++
			return map[string]string{"198.51.100.7": "Lisbon", "198.51.100.8": strings.Repeat("x", 65)}[a.String()]
		}
	})
	b := s.browser()
	hints := []string{`Sec-CH-UA: "Chromium";v="142", "Brave";v="142"`, `Sec-CH-UA-Platform: "Linux"`, "X-Forwarded-For: 198.51.100.7"}
	expect(t, b.do("POST", "/auth/web/login", `{"username":"alice","password":"sesame open"}`, hints...), 200, "", "")
	other := s.browser()
	expect(t, other.do("POST", "/auth/web/login", `{"username":"alice","password":"sesame open"}`, "X-Forwarded-For: 198.51.100.8"), 200, "", "")
	s.advance(2 * time.Minute)
	expect(t, b.do("POST", "/auth/web/refresh", "", "X-Forwarded-For: 198.51.100.8"), 200, "", "")
	if a := b.do("GET", "/hello", ""); a.body != "hello alice" {
		t.Fatal(a.body)
	}
	a := b.do("GET", "/auth/sessions", "")
	expect(t, a, 200, "", "")
	list, _ := a.json["sessions"].([]any)
	if len(list) != 2 || asked != 2 {
		t.Fatalf("asked %d times: %s", asked, a.body)
	}
	may := []string{"id", "subject", "profile", "started_at", "last_seen_at", "authenticated_at", "expires_at", "idle_expires_at", "device", "place", "current"}
	for _, item := range list {
		session, _ := item.(map[string]any)
		for name, value := range session {
			if !slices.Contains(may, name) {
				t.Errorf("the list has %q", name)
			}
			if text, ok := value.(string); ok {
				if _, err := s.manager.Identify(text, remuda.Cookie); err == nil {
					t.Errorf("%q is a token", name)
				}
			}
		}
		mine := session["id"] == b.session
		if mine != (session["current"] == true) || mine != (session["place"] == "Lisbon") || mine != (session["device"] == "Brave on Linux") {
			t.Errorf("session %v", session)
		}
		if !mine && (session["device"] != "Firefox on Linux" || session["place"] != nil) {
			t.Errorf("the other: %v", session)
		}
		if mine && session["last_seen_at"] != s.time().Format(time.RFC3339) {
			t.Errorf("last seen at %v", session["last_seen_at"])
		}
	}
}

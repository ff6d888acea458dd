package web_test

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store/memstore"
	"github.com/remuda-go/remuda/web"
)

const goodLogin = `{"username":"alice","password":"sesame open"}`

// Every bad request has its status, code and action, and changes nothing.
func TestRefusals(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-15.3.7")
	t.Attr("requirement", "ASVS-2.2.1")
	t.Attr("requirement", "ASVS-2.2.2")
	t.Attr("requirement", "ASVS-1.5.2")
	t.Attr("requirement", "ASVS-15.3.3")
	t.Attr("requirement", "ASVS-15.3.5")
	t.Attr("requirement", "ASVS-3.5.1")
	t.Attr("requirement", "ASVS-3.5.2")
	t.Attr("requirement", "ASVS-3.5.3")
	t.Attr("requirement", "NIST-6")
	t.Attr("requirement", "GO-1")
	t.Attr("requirement", "GO-2")
	t.Attr("requirement", "GO-3")
	t.Attr("requirement", "CS-7")
	t.Attr("requirement", "CS-8")
	t.Attr("requirement", "FM-1")
	t.Attr("requirement", "BBA-csrf")
	t.Attr("requirement", "BUG CVE-2025-24358, GO-2025-3884, CVE-2025-46721")
	s := newSite(t)
	b := s.signedIn()
	access, refresh, tokenID := s.tokens()
	foreign := newSite(t)
	foreignAccess, foreignRefresh, _ := foreign.tokens()
	foreignBrowser := foreign.signedIn()
	second := s.signedIn()
	s.advance(2 * time.Minute)

	own := []string{"Origin: " + origin, "Sec-Fetch-Site: same-origin"}
	cookie := "Cookie: __Host-session=" + b.cookies["__Host-session"]
	refreshCookie := "Cookie: __Host-refresh=" + b.cookies["__Host-refresh"]
	csrf := "X-CSRF-Token: " + b.csrf
	bearer := "Authorization: Bearer "
	with := func(h ...string) []string { return append(append([]string{}, own...), h...) }
	big := `{"username":"` + strings.Repeat("a", 10<<20) + `"}`
	flipped := access[:len(access)-5] + strings.Map(func(r rune) rune { return map[bool]rune{true: 'B', false: 'A'}[r == 'A'] }, access[len(access)-5:len(access)-4]) + access[len(access)-4:]

	for _, c := range []struct {
		name   string
		r      request
		status int
		code   string
		action string
	}{
		// Bodies.
		{"no body", request{"POST", "/auth/token/login", []string{"Content-Type: application/json"}, ""}, 400, "request_invalid", "none"},
		{"10 MB", request{"POST", "/auth/token/login", nil, big}, 413, "request_too_large", "none"},
		{"form", request{"POST", "/auth/token/login", []string{"Content-Type: application/x-www-form-urlencoded"}, "username=alice"}, 415, "unsupported_media_type", "none"},
		{"text", request{"POST", "/auth/token/login", []string{"Content-Type: text/plain"}, goodLogin}, 415, "unsupported_media_type", "none"},
		{"other charset", request{"POST", "/auth/token/login", []string{"Content-Type: application/json; charset=utf-16"}, goodLogin}, 415, "unsupported_media_type", "none"},
		{"two types", request{"POST", "/auth/token/login", []string{"Content-Type: application/json", "Content-Type: text/plain"}, goodLogin}, 415, "unsupported_media_type", "none"},
		{"unknown member", request{"POST", "/auth/token/login", nil, `{"username":"alice","password":"sesame open","admin":true}`}, 400, "request_invalid", "none"},
		{"duplicate member", request{"POST", "/auth/token/login", nil, `{"username":"bob","username":"alice","password":"sesame open"}`}, 400, "request_invalid", "none"},
		{"other case", request{"POST", "/auth/token/login", nil, `{"Username":"alice","password":"sesame open"}`}, 400, "request_invalid", "none"},
		{"trailing data", request{"POST", "/auth/token/login", nil, goodLogin + `{}`}, 400, "request_invalid", "none"},
		{"bad UTF-8", request{"POST", "/auth/token/login", nil, "{\"username\":\"al\xffice\",\"password\":\"x\"}"}, 400, "request_invalid", "none"},
		{"wrong type", request{"POST", "/auth/token/login", nil, `{"username":7,"password":"x"}`}, 400, "request_invalid", "none"},
		{"array", request{"POST", "/auth/token/login", nil, `[]`}, 400, "request_invalid", "none"},
		{"null", request{"POST", "/auth/token/login", nil, `null`}, 400, "request_invalid", "none"},
		{"profile of the other kind", request{"POST", "/auth/token/login", nil, `{"username":"alice","password":"sesame open","profile":"web"}`}, 400, "request_invalid", "none"},
		{"wrong password", request{"POST", "/auth/token/login", nil, `{"username":"alice","password":"wrong"}`}, 401, "login_failed", "login"},
		{"unknown user", request{"POST", "/auth/token/login", nil, `{"username":"mallory","password":"wrong"}`}, 401, "login_failed", "login"},

		// Origins at login.
		{"login with neither", request{"POST", "/auth/web/login", nil, goodLogin}, 403, "csrf_failed", "none"},
		{"login cross-site", request{"POST", "/auth/web/login", []string{"Sec-Fetch-Site: cross-site"}, goodLogin}, 403, "csrf_failed", "none"},
		{"login same-site", request{"POST", "/auth/web/login", []string{"Sec-Fetch-Site: same-site", "Origin: https://evil.app.example"}, goodLogin}, 403, "csrf_failed", "none"},
		{"login foreign origin", request{"POST", "/auth/web/login", []string{"Sec-Fetch-Site: same-origin", "Origin: https://evil.example"}, goodLogin}, 403, "csrf_failed", "none"},
		{"login null origin", request{"POST", "/auth/web/login", []string{"Origin: null"}, goodLogin}, 403, "csrf_failed", "none"},
		{"login other port", request{"POST", "/auth/web/login", []string{"Origin: https://app.example:8443"}, goodLogin}, 403, "csrf_failed", "none"},
		{"login http origin", request{"POST", "/auth/web/login", []string{"Origin: http://app.example"}, goodLogin}, 403, "csrf_failed", "none"},
		{"login upper-case origin", request{"POST", "/auth/web/login", []string{"Origin: https://APP.example"}, goodLogin}, 403, "csrf_failed", "none"},
		{"login own origin, cross-site", request{"POST", "/auth/web/login", []string{"Origin: " + origin, "Sec-Fetch-Site: cross-site"}, goodLogin}, 403, "csrf_failed", "none"},
		{"login from a listed origin, but user-initiated", request{"POST", "/auth/web/login", []string{"Origin: https://other.example", "Sec-Fetch-Site: none"}, goodLogin}, 403, "csrf_failed", "none"},
		{"login from a listed origin, odd site", request{"POST", "/auth/web/login", []string{"Origin: https://other.example", "Sec-Fetch-Site: SAME-ORIGIN"}, goodLogin}, 403, "csrf_failed", "none"},
		{"login two origins", request{"POST", "/auth/web/login", []string{"Origin: " + origin, "Origin: " + origin}, goodLogin}, 403, "csrf_failed", "none"},

		// Credentials.
		{"none", request{"GET", "/hello", nil, ""}, 401, "token_missing", "login"},
		{"only a refresh cookie", request{"GET", "/hello", []string{refreshCookie}, ""}, 401, "token_missing", "refresh"},
		{"empty bearer", request{"GET", "/hello", []string{"Authorization: Bearer"}, ""}, 401, "token_invalid", "login"},
		{"bearer with a tab", request{"GET", "/hello", []string{"Authorization: Bearer\t" + access, cookie}, ""}, 401, "token_invalid", "login"},
		{"bearer with a comma", request{"GET", "/hello", []string{"Authorization: Bearer,x", cookie}, ""}, 401, "token_invalid", "login"},
		{"bearer with a parameter", request{"GET", "/hello", []string{`Authorization: Bearer="x"`, cookie}, ""}, 401, "token_invalid", "login"},
		{"DPoP", request{"GET", "/hello", []string{"Authorization: DPoP " + access, cookie}, ""}, 401, "token_invalid", "login"},
		{"bad bearer beside a good cookie", request{"GET", "/hello", []string{bearer + "junk", cookie}, ""}, 401, "token_invalid", "login"},
		{"two bearers", request{"GET", "/hello", []string{bearer + access, bearer + access}, ""}, 401, "token_invalid", "login"},
		{"basic beside a cookie skips no CSRF", request{"POST", "/hello", with("Authorization: Basic YTpi", cookie), ""}, 403, "csrf_failed", "none"},
		{"tampered", request{"GET", "/hello", []string{bearer + flipped}, ""}, 401, "token_invalid", "login"},
		{"truncated", request{"GET", "/hello", []string{bearer + access[:len(access)-10]}, ""}, 401, "token_invalid", "login"},
		{"oversized", request{"GET", "/hello", []string{bearer + access + strings.Repeat("A", 9<<10)}, ""}, 401, "token_invalid", "login"},
		{"trailing space", request{"GET", "/hello", []string{bearer + " " + access}, ""}, 401, "token_invalid", "login"},
		{"refresh as access", request{"GET", "/hello", []string{bearer + refresh}, ""}, 401, "token_invalid", "login"},
		{"access as refresh", request{"POST", "/auth/token/refresh", []string{bearer + access}, ""}, 401, "token_invalid", "login"},
		{"cookie token in a header", request{"GET", "/hello", []string{bearer + b.cookies["__Host-session"]}, ""}, 401, "token_invalid", "login"},
		{"header token in a cookie", request{"GET", "/hello", []string{"Cookie: __Host-session=" + access}, ""}, 401, "token_invalid", "login"},
		{"web refresh token in a header", request{"POST", "/auth/token/refresh", []string{bearer + b.cookies["__Host-refresh"]}, ""}, 401, "token_invalid", "login"},
		{"token of other keys", request{"GET", "/hello", []string{bearer + foreignAccess}, ""}, 401, "token_invalid", "login"},
		{"refresh token of other keys", request{"POST", "/auth/token/refresh", []string{bearer + foreignRefresh}, ""}, 401, "token_invalid", "login"},
		{"quoted cookie", request{"GET", "/hello", []string{`Cookie: __Host-session="` + b.cookies["__Host-session"] + `"`}, ""}, 401, "token_invalid", "login"},
		{"cookie name of the other scheme", request{"GET", "/hello", []string{"Cookie: session=" + b.cookies["__Host-session"]}, ""}, 401, "token_missing", "login"},
		{"two good cookies of one name", request{"GET", "/hello", []string{cookie + "; __Host-session=" + second.cookies["__Host-session"]}, ""}, 401, "token_invalid", "login"},
		{"two refresh cookies", request{"POST", "/auth/web/refresh", with(csrf, refreshCookie+"; __Host-refresh="+second.cookies["__Host-refresh"]), ""}, 401, "token_invalid", "login"},
		{"five values of one name", request{"GET", "/hello", []string{cookie + "; __Host-session=1; __Host-session=2; __Host-session=3; __Host-session=4"}, ""}, 401, "token_invalid", "login"},

		// CSRF.
		{"no CSRF token", request{"POST", "/hello", with(cookie), ""}, 403, "csrf_failed", "none"},
		{"altered CSRF token", request{"POST", "/hello", with(cookie, csrf[:len(csrf)-2]+"AA"), ""}, 403, "csrf_failed", "none"},
		{"another session's CSRF token", request{"POST", "/hello", with(cookie, "X-CSRF-Token: "+second.csrf), ""}, 403, "csrf_failed", "none"},
		{"CSRF token of other keys", request{"POST", "/hello", with(cookie, "X-CSRF-Token: "+foreignBrowser.csrf), ""}, 403, "csrf_failed", "none"},
		{"two CSRF tokens", request{"POST", "/hello", with(cookie, csrf, csrf), ""}, 403, "csrf_failed", "none"},
		{"CSRF token but cross-site", request{"POST", "/hello", []string{"Sec-Fetch-Site: cross-site", cookie, csrf}, ""}, 403, "csrf_failed", "none"},
		{"CSRF token but same-site cross-origin", request{"POST", "/hello", []string{"Sec-Fetch-Site: same-site", "Origin: https://sub.app.example", cookie, csrf}, ""}, 403, "csrf_failed", "none"},
		{"CSRF token but neither header", request{"POST", "/hello", []string{cookie, csrf}, ""}, 403, "csrf_failed", "none"},
		{"foreign origin with credentials", request{"POST", "/hello", []string{"Origin: https://evil.example", cookie, csrf}, ""}, 403, "csrf_failed", "none"},
		{"refresh without CSRF", request{"POST", "/auth/web/refresh", with(refreshCookie), ""}, 403, "csrf_failed", "none"},
		{"logout without CSRF", request{"POST", "/auth/web/logout", with(refreshCookie), ""}, 403, "csrf_failed", "none"},
		{"logout cross-site", request{"POST", "/auth/web/logout", []string{"Sec-Fetch-Site: cross-site", cookie, csrf}, ""}, 403, "csrf_failed", "none"},

		// Refresh.
		{"no refresh token", request{"POST", "/auth/token/refresh", nil, ""}, 401, "token_missing", "login"},
		{"no refresh cookie", request{"POST", "/auth/web/refresh", with(cookie, csrf), ""}, 401, "token_missing", "login"},
		{"header and body", request{"POST", "/auth/token/refresh", []string{bearer + refresh}, `{"refresh_token":"` + refresh + `"}`}, 400, "request_invalid", "none"},
		{"cookie and header", request{"POST", "/auth/web/refresh", with(refreshCookie, csrf, bearer+refresh), ""}, 400, "request_invalid", "none"},
		{"cookie and body", request{"POST", "/auth/web/refresh", with(refreshCookie, csrf), `{"refresh_token":"x"}`}, 400, "request_invalid", "none"},
		{"short retry key", request{"POST", "/auth/token/refresh", []string{bearer + refresh, "Idempotency-Key: short"}, ""}, 400, "request_invalid", "none"},
		{"long retry key", request{"POST", "/auth/token/refresh", []string{bearer + refresh, "Idempotency-Key: " + strings.Repeat("k", 256)}, ""}, 400, "request_invalid", "none"},
		{"two retry keys", request{"POST", "/auth/token/refresh", []string{bearer + refresh, "Idempotency-Key: 0123456789abcdef", "Idempotency-Key: 0123456789abcdef"}, ""}, 400, "request_invalid", "none"},
		{"odd logout", request{"POST", "/auth/token/logout?all=yes", []string{bearer + access}, ""}, 400, "request_invalid", "none"},

		// Methods and paths.
		{"wrong method", request{"GET", "/auth/web/login", nil, ""}, 405, "method_not_allowed", "none"},
		{"TRACE", request{"TRACE", "/auth/session", nil, ""}, 405, "method_not_allowed", "none"},
		{"unknown path", request{"GET", "/auth/nothing", nil, ""}, 404, "not_found", "none"},
		{"trailing slash", request{"GET", "/auth/session/", nil, ""}, 404, "not_found", "none"},
		{"dots", request{"GET", "/auth/../hello", []string{bearer + access}, ""}, 404, "not_found", "none"},
		{"encoded dots", request{"GET", "/auth/%2e%2e/hello", []string{bearer + access}, ""}, 404, "not_found", "none"},
		{"double slash", request{"GET", "//hello", []string{bearer + access}, ""}, 404, "not_found", "none"},
		{"encoded slash", request{"GET", "/auth%2fsession", []string{bearer + access}, ""}, 404, "not_found", "none"},
		{"upper case", request{"GET", "/AUTH/session", []string{bearer + access}, ""}, 404, "not_found", "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, tokenBefore := s.record(b.session), s.record(tokenID)
			s.events.kinds()
			a := s.do(c.r)
			expect(t, a, c.status, c.code, c.action)
			after, tokenAfter := s.record(b.session), s.record(tokenID)
			if after.Gen != before.Gen || after.Ended() || tokenAfter.Gen != tokenBefore.Gen || tokenAfter.Ended() {
				t.Error("a session changed")
			}
			if kinds := s.events.kinds(); kinds != "" && kinds != "login.failed" {
				t.Errorf("events: %s", kinds)
			}
			if c.code == "method_not_allowed" && a.header.Get("Allow") == "" {
				t.Error("no Allow")
			}
			if c.code == "token_invalid" && a.header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
				t.Errorf("WWW-Authenticate %q", a.header.Get("WWW-Authenticate"))
			}
		})
	}
	// After all that, both sessions go on.
	expect(t, b.do("POST", "/auth/web/refresh", ""), 200, "", "")
	expect(t, s.do(request{"POST", "/auth/token/refresh", []string{bearer + refresh}, ""}), 200, "", "")
}

// A jar that another page has filled finds the session all the same.
func TestManyCookies(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "GO-5")
	t.Attr("requirement", "BUG CVE-2025-58186, CVE-2026-40303, CVE-2026-25899")
	s := newSite(t)
	b := s.signedIn()
	var jar strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&jar, "c%d=x; ", i)
	}
	for _, h := range []string{jar.String() + "__Host-session=" + b.cookies["__Host-session"], "__Host-session=" + b.cookies["__Host-session"] + "; " + jar.String()} {
		if a := s.do(request{"GET", "/hello", []string{"Cookie: " + h}, ""}); a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// One good cookie among planted ones is found.
func TestPlantedCookie(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "CK-order")
	t.Attr("requirement", "CS-3")
	s := newSite(t)
	b := s.signedIn()
	for _, jar := range []string{"__Host-session=planted; __Host-session=%s", "__Host-session=%s; __Host-session=", "__Host-session=%[1]s; __Host-session=%[1]s"} {
		if a := s.do(request{"GET", "/hello", []string{"Cookie: " + fmt.Sprintf(jar, b.cookies["__Host-session"])}, ""}); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", jar, a.status, a.body)
		}
	}
}

// Unknown user and wrong password are answered alike, but for the request id.
func TestLoginTellsNothing(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-16.3.1")
	t.Attr("requirement", "ASVS-6.3.8")
	t.Attr("requirement", "ASVS-16.5.1")
	s := newSite(t)
	answerFor := func(name string) string {
		a := s.do(request{"POST", "/auth/token/login", nil, `{"username":"` + name + `","password":"wrong"}`})
		return strings.ReplaceAll(a.body, a.text("request_id"), "")
	}
	if a, b := answerFor("alice"), answerFor("nobody"); a != b {
		t.Errorf("%s\n%s", a, b)
	}
	if kinds := s.events.kinds(); kinds != "login.failed login.failed" {
		t.Errorf("events: %s", kinds)
	}
	expect(t, s.do(request{"POST", "/auth/token/login", nil, `{"username":"alice","password":"sesame open"}`}), 200, "", "")
	if kinds := s.events.kinds(); kinds != "session.started" {
		t.Errorf("events: %s", kinds)
	}
}

func TestExpiredSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn()
	s.advance(31 * time.Minute)
	expect(t, b.do("GET", "/hello", ""), 401, "token_expired", "refresh")
	expect(t, b.do("POST", "/auth/web/refresh", ""), 401, "session_expired", "login")
	if got := s.events.kinds(); got != "session.ended" {
		t.Errorf("events: %s", got)
	}
	if r := s.record(b.session); r.EndReason != "idle" {
		t.Errorf("reason %q", r.EndReason)
	}
	expect(t, b.do("GET", "/auth/web/csrf", ""), 401, "session_expired", "login")
	expect(t, b.do("POST", "/auth/web/logout", ""), 204, "", "")
}

func TestReuse(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-16.3.3")
	t.Attr("requirement", "ASVS-10.4.5")
	t.Attr("requirement", "BCP-4.14.a")
	t.Attr("requirement", "OA21-family")
	s := newSite(t)
	owner := s.signedIn()
	thief := s.browser()
	maps.Copy(thief.cookies, owner.cookies)
	thief.csrf = owner.csrf
	s.advance(2 * time.Minute)
	expect(t, thief.do("POST", "/auth/web/refresh", ""), 200, "", "")
	expect(t, thief.do("GET", "/auth/session", ""), 200, "", "")
	s.advance(2 * time.Minute)
	expect(t, thief.do("POST", "/auth/web/refresh", ""), 200, "", "")
	s.events.kinds()
	expect(t, owner.do("POST", "/auth/web/refresh", ""), 401, "refresh_reused", "login")
	if got := s.events.kinds(); got != "refresh.reused session.ended" {
		t.Errorf("events: %s", got)
	}
	expect(t, thief.do("POST", "/auth/web/refresh", ""), 401, "session_ended", "login")
}

// HTTP/1.0 without a Host header is answered like everything else.
func TestHTTP10(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprint(conn, "GET /auth/session HTTP/1.0\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

func TestConfigListsEveryProblem(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "NIST-4")
	t.Attr("requirement", "BUG CVE-2026-54762, CVE-2026-27586")
	_, err := web.New(web.Config{Prefix: "auth/", Origins: []string{"https://app.example/", "http://app.example", "HTTPS://x.example", "https://y.example:443"}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"Manager", "Keys", "Authenticator", "Prefix", `"https://app.example/"`, `"http://app.example"`, `"HTTPS://x.example"`, `"https://y.example:443"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named: %v", want, err)
		}
	}
	ring, err := keyring.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m, err := remuda.New(t.Context(), remuda.Config{Store: memstore.New(), Keys: ring, Issuer: "x", Profiles: []remuda.Profile{remuda.Web()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(t.Context()) })
	_, err = web.New(web.Config{
		Manager: m, Keys: ring, Authenticator: passwords{}, Origins: []string{"https://a.example", "http://localhost"},
		TokenProfiles: []string{"api"},
	})
	if err == nil || !strings.Contains(err.Error(), `no profile "api"`) || !strings.Contains(err.Error(), "mixed") {
		t.Errorf("%v", err)
	}
	m, err = remuda.New(t.Context(), remuda.Config{Store: memstore.New(), Keys: ring, Issuer: "x", Profiles: []remuda.Profile{remuda.Classic()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(t.Context()) })
	_, err = web.New(web.Config{Manager: m, Keys: ring, Authenticator: passwords{}, Origins: []string{"https://a.example"}})
	if err == nil || !strings.Contains(err.Error(), "no profile is offered") {
		t.Errorf("%v", err)
	}
}

// A login for which no profile is offered is not there.
func TestLoginWithoutProfile(t *testing.T) {
	t.Parallel()
	ring, err := keyring.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m, err := remuda.New(t.Context(), remuda.Config{Store: memstore.New(), Keys: ring, Issuer: "x", Profiles: []remuda.Profile{remuda.Classic()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(t.Context()) })
	h, err := web.New(web.Config{
		Manager: m, Keys: ring, Authenticator: passwords{}, Origins: []string{"https://a.example"},
		WebProfiles: []string{"classic"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/auth/web/login": http.StatusForbidden, "/auth/token/login": http.StatusNotFound} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader("{}")))
		if w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

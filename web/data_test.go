package web_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

func TestDataByCookie(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn()
	for _, c := range []struct{ method, body, want string }{
		{"GET", "", `{}`},
		{"PATCH", `{"cart": [1, 2], "theme": {"dark": true, "size": null}}`, `{"cart":[1,2],"theme":{"dark":true,"size":null}}`},
		{"PATCH", `{}`, `{"cart":[1,2],"theme":{"dark":true,"size":null}}`},
		{"PATCH", `{"theme": {"dark": false}, "sub": "<b>"}`, `{"cart":[1,2],"sub":"\u003cb\u003e","theme":{"dark":false}}`},
		{"PATCH", `{"cart": null, "none": null}`, `{"sub":"\u003cb\u003e","theme":{"dark":false}}`},
		{"GET", "", `{"sub":"\u003cb\u003e","theme":{"dark":false}}`},
	} {
		a := b.do(c.method, "/auth/data", c.body)
		expect(t, a, 200, "", "")
		if strings.TrimSpace(a.body) != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.body, a.body, c.want)
		}
	}
	if got := s.events.kinds(); got != "" {
		t.Errorf("events: %s", got)
	}
	s.advance(5 * time.Minute)
	expect(t, b.do("POST", "/auth/web/refresh", ""), 200, "", "")
	expect(t, b.do("POST", "/auth/step-up", `{"password":"sesame open"}`), 200, "", "")
	if a := b.do("GET", "/auth/data", ""); !strings.Contains(a.body, "theme") {
		t.Errorf("after a refresh and a step-up: %s", a.body)
	}
	left := append(b.headers(), "Content-Type: application/json")
	expect(t, b.do("POST", "/auth/web/logout", ""), 204, "", "")
	expect(t, s.do(request{"GET", "/auth/data", left, ""}), 401, "session_ended", "login")
	expect(t, s.do(request{"PATCH", "/auth/data", left, `{"late":1}`}), 401, "session_ended", "login")
	if _, err := s.store.GetItem(t.Context(), "data", b.session, s.time()); err == nil {
		t.Error("the data is still there")
	}
}

func TestDataByToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	access, _, _ := s.tokens()
	other, _, _ := s.tokens()
	headers := []string{"Authorization: Bearer " + access, "Content-Type: application/merge-patch+json"}
	a := s.do(request{"PATCH", "/auth/data", headers, `{"draft":"hello"}`})
	expect(t, a, 200, "", "")
	if a := s.do(request{"GET", "/auth/data", headers, ""}); strings.TrimSpace(a.body) != `{"draft":"hello"}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.do(request{"GET", "/auth/data", []string{"Authorization: Bearer " + other}, ""}); strings.TrimSpace(a.body) != `{}` {
		t.Errorf("another session of the same user: %d %s", a.status, a.body)
	}
	s.advance(11 * time.Minute)
	expect(t, s.do(request{"PATCH", "/auth/data", headers, `{"draft":"late"}`}), 401, "token_expired", "refresh")
}

// What the application keeps for itself a client neither sees nor writes.
func TestDataOfTheApplication(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-8.2.3")
	s := newSite(t)
	b := s.signedIn()
	id, err := remuda.ParseSessionID(b.session)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.manager.PatchData(t.Context(), id, remuda.DataPatch{"_plan": "gold"}); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`{"_plan":"platinum"}`, `{"_plan":null}`, `{"a":1,"_new":1}`} {
		expect(t, b.do("PATCH", "/auth/data", body), 400, "request_invalid", "none")
	}
	if a := b.do("PATCH", "/auth/data", `{"b":2}`); strings.TrimSpace(a.body) != `{"b":2}` {
		t.Errorf("shown: %s", a.body)
	}
	d, err := s.manager.Data(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if plan, ok, err := remuda.DataValue[string](d, "_plan"); plan != "gold" || !ok || err != nil {
		t.Errorf("%q, %v, %v", plan, ok, err)
	}
}

func TestDataRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn()
	access, refresh, _ := s.tokens()
	full := fmt.Sprintf(`{"k":%q}`, strings.Repeat("x", remuda.MaxData-len(`{"k":""}`)))
	var many strings.Builder
	for i := range remuda.MaxDataKeys + 1 {
		fmt.Fprintf(&many, `,"k%d":1`, i)
	}
	with := func(h ...string) []string {
		return append([]string{"Origin: " + origin, "Sec-Fetch-Site: same-origin"}, h...)
	}
	cookie, csrf, token := "Cookie: __Host-session="+b.cookies["__Host-session"], "X-CSRF-Token: "+b.csrf, "Authorization: Bearer "+access
	for _, c := range []struct {
		name   string
		r      request
		status int
		code   string
		action string
	}{
		{name: "no CSRF token", r: request{"PATCH", "/auth/data", with(cookie), `{"a":1}`}, status: 403, code: "csrf_failed", action: "none"},
		{name: "cross-site", r: request{"PATCH", "/auth/data", []string{"Sec-Fetch-Site: cross-site", cookie, csrf}, `{"a":1}`}, status: 403, code: "csrf_failed", action: "none"},
		{name: "no credential", r: request{"GET", "/auth/data", nil, ""}, status: 401, code: "token_missing", action: "login"},
		{name: "a refresh token", r: request{"GET", "/auth/data", []string{"Authorization: Bearer " + refresh}, ""}, status: 401, code: "token_invalid", action: "login"},
		{name: "wrong method", r: request{"PUT", "/auth/data", []string{token}, `{}`}, status: 405, code: "method_not_allowed", action: "none"},
		{name: "no body", r: request{"PATCH", "/auth/data", []string{token, "Content-Type: application/json"}, ""}, status: 400, code: "request_invalid", action: "none"},
		{name: "no merge patch", r: request{"PATCH", "/auth/data", []string{token, "Content-Type: application/merge-patch+json"}, ""}, status: 400, code: "request_invalid", action: "none"},
		{name: "form", r: request{"PATCH", "/auth/data", []string{token, "Content-Type: text/plain"}, `{"a":1}`}, status: 415, code: "unsupported_media_type", action: "none"},
		{name: "merge patch with a parameter", r: request{"PATCH", "/auth/data", []string{token, "Content-Type: application/merge-patch+json; q=1"}, `{"a":1}`}, status: 415, code: "unsupported_media_type", action: "none"},
		{name: "two types", r: request{"PATCH", "/auth/data", []string{token, "Content-Type: application/json", "Content-Type: application/merge-patch+json"}, `{"a":1}`}, status: 415, code: "unsupported_media_type", action: "none"},
		{name: "malformed", r: request{"PATCH", "/auth/data", []string{token}, `{"a":1`}, status: 400, code: "request_invalid", action: "none"},
		{name: "malformed merge patch", r: request{"PATCH", "/auth/data", []string{token, "Content-Type: application/merge-patch+json"}, `{"a":1}}`}, status: 400, code: "request_invalid", action: "none"},
		{name: "null", r: request{"PATCH", "/auth/data", []string{token}, `null`}, status: 400, code: "request_invalid", action: "none"},
		{name: "an array", r: request{"PATCH", "/auth/data", []string{token}, `[1]`}, status: 400, code: "request_invalid", action: "none"},
		{name: "a key twice", r: request{"PATCH", "/auth/data", []string{token}, `{"a":1,"a":2}`}, status: 400, code: "request_invalid", action: "none"},
		{name: "a key twice in a merge patch", r: request{"PATCH", "/auth/data", []string{token, "Content-Type: application/merge-patch+json"}, `{"a":1,"\u0061":2}`}, status: 400, code: "request_invalid", action: "none"},
		{name: "a name twice in a value", r: request{"PATCH", "/auth/data", []string{token}, `{"a":{"b":1,"b":2}}`}, status: 400, code: "request_invalid", action: "none"},
		{name: "not UTF-8", r: request{"PATCH", "/auth/data", []string{token}, "{\"a\":\"\xff\"}"}, status: 400, code: "request_invalid", action: "none"},
		{name: "empty key", r: request{"PATCH", "/auth/data", []string{token}, `{"":1}`}, status: 400, code: "request_invalid", action: "none"},
		{name: "key with a space", r: request{"PATCH", "/auth/data", []string{token}, `{"a b":1}`}, status: 400, code: "request_invalid", action: "none"},
		{name: "long key", r: request{"PATCH", "/auth/data", []string{token}, `{"` + strings.Repeat("k", 65) + `":1}`}, status: 400, code: "request_invalid", action: "none"},
		{name: "too many keys", r: request{"PATCH", "/auth/data", []string{token}, "{" + many.String()[1:] + "}"}, status: 400, code: "request_invalid", action: "none"},
		{name: "too much", r: request{"PATCH", "/auth/data", []string{token}, strings.Replace(full, "x", "xx", 1)}, status: 400, code: "request_invalid", action: "none"},
		{name: "far too much", r: request{"PATCH", "/auth/data", []string{token}, `{"k":"` + strings.Repeat("x", 64<<10) + `"}`}, status: 413, code: "request_too_large", action: "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.do(c.r)
			expect(t, a, c.status, c.code, c.action)
			if c.code == "method_not_allowed" && a.header.Get("Allow") != "GET, HEAD, PATCH" {
				t.Errorf("Allow: %q", a.header.Get("Allow"))
			}
		})
	}
	for _, headers := range [][]string{{token}, with(cookie, csrf)} {
		if a := s.do(request{"GET", "/auth/data", headers, ""}); strings.TrimSpace(a.body) != "{}" {
			t.Errorf("after refusals: %s", a.body)
		}
	}
	// What just fits is accepted.
	expect(t, s.do(request{"PATCH", "/auth/data", []string{token}, full}), 200, "", "")
}

func TestDataWithoutARecord(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *remuda.Config, w *web.Config) {
		c.Profiles = append(c.Profiles, remuda.Stateless())
		w.WebProfiles = []string{"stateless"}
	})
	b := s.signedIn()
	expect(t, b.do("GET", "/auth/data", ""), 400, "request_invalid", "none")
	expect(t, b.do("PATCH", "/auth/data", `{"a":1}`), 400, "request_invalid", "none")
}

func TestReissueSetsTheCookie(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *remuda.Config, _ *web.Config) { c.ClaimsSource = remuda.ClaimsFromData("_plan") })
	claims := func(w http.ResponseWriter, r *http.Request) {
		session, _ := remuda.FromContext(r.Context())
		_, _ = io.WriteString(w, session.Claims)
	}
	change := func(w http.ResponseWriter, r *http.Request) {
		session, _ := remuda.FromContext(r.Context())
		if _, err := s.manager.PatchData(r.Context(), session.ID, remuda.DataPatch{"_plan": "gold"}); err != nil {
			s.web.WriteProblem(w, r, err)
			return
		}
		g, err := s.web.Reissue(w, r, session)
		if err != nil {
			s.web.WriteProblem(w, r, err)
			return
		}
		if !g.Refresh.IsZero() {
			t.Error("there is a refresh token in the grant")
		}
		_, _ = io.WriteString(w, g.Access.Reveal())
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", s.web)
	mux.Handle("/claims", s.web.Require(http.HandlerFunc(claims)))
	mux.Handle("/change", s.web.Require(http.HandlerFunc(change)))
	s.handler = mux

	b := s.signedIn()
	refreshCookie := b.cookies["__Host-refresh"]
	old := b.headers()
	a := b.do("POST", "/change", "")
	if _, ok := a.cookie("__Host-session"); !ok || a.status != 200 || b.cookies["__Host-refresh"] != refreshCookie {
		t.Fatalf("%d %v", a.status, a.header)
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Error("the answer with the cookie may be cached")
	}
	if a := b.do("GET", "/claims", ""); a.body != `{"_plan":"gold"}` {
		t.Errorf("at once: %s", a.body)
	}
	if a := s.do(request{"GET", "/claims", old, ""}); a.status != 200 || a.body != "" {
		t.Errorf("the old token: %d %s", a.status, a.body)
	}

	access, _, _ := s.tokens()
	a = s.do(request{"POST", "/change", []string{"Authorization: Bearer " + access}, ""})
	if a.status != 200 || len(a.header.Values("Set-Cookie")) > 0 {
		t.Fatalf("by token: %d %v", a.status, a.header)
	}
	if a := s.do(request{"GET", "/claims", []string{"Authorization: Bearer " + a.body}, ""}); a.body != `{"_plan":"gold"}` {
		t.Errorf("by token, at once: %d %s", a.status, a.body)
	}
}

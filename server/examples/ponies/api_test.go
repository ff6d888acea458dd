package ponies_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"testing"

	"github.com/remuda-go/remuda/server/examples/ponies"
)

// client is somebody who talks to the demo without a browser.
type client struct {
	t      *testing.T
	stack  *stack
	http   http.Client
	header map[string]string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

func (a answer) text(name string) string {
	s, _ := a.json[name].(string)
	return s
}

// do sends a request; lines are header lines, "Name: value". A header without a
// value is not sent.
func (c *client) do(method, path, body string, lines ...string) answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.stack.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.header {
		req.Header.Set(name, value)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		req.Header.Del(name)
		if value = strings.TrimSpace(value); value != "" {
			req.Header.Set(name, value)
		}
	}
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, body: string(text)}
	_ = json.Unmarshal(text, &a.json)
	return a
}

// anybody is a client without credentials.
func (s *stack) anybody(t *testing.T) *client {
	return &client{t: t, stack: s, header: map[string]string{}, http: http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// cookie signs in as a browser's script does.
func (s *stack) cookie(t *testing.T, name string) *client {
	t.Helper()
	c := s.anybody(t)
	c.http.Jar, _ = cookiejar.New(nil)
	c.header["Origin"], c.header["Sec-Fetch-Site"] = s.url, "same-origin"
	c.header["X-CSRF-Token"] = c.login("web", name).text("csrf_token")
	return c
}

// bearer signs in as an app does.
func (s *stack) bearer(t *testing.T, name string) *client {
	t.Helper()
	c := s.anybody(t)
	c.header["Authorization"] = "Bearer " + c.login("token", name).text("access_token")
	return c
}

func (c *client) login(kind, name string) answer {
	c.t.Helper()
	a := c.do("POST", "/auth/"+kind+"/login", `{"username":"`+name+`","password":"`+password+`"}`)
	if a.status != http.StatusOK {
		c.t.Fatalf("login: %d %s", a.status, a.body)
	}
	return a
}

func expect(t *testing.T, a answer, status int, code string) {
	t.Helper()
	if a.status != status || a.text("code") != code {
		t.Errorf("%d %s; want %d %q", a.status, a.body, status, code)
	}
	if code != "" && (a.header.Get("Content-Type") != "application/problem+json" || a.text("request_id") == "") {
		t.Errorf("no problem document: %v %s", a.header, a.body)
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the answer may be kept: %v", a.header)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := ponies.New(ponies.Config{}); err == nil || !strings.Contains(err.Error(), "Web is required") {
		t.Errorf("without Web: %v", err)
	}
	s := &stack{url: "http://127.0.0.1:1"}
	w := s.newWeb(t, slow)
	good := ponies.Config{Web: w, Sessions: s.sessions, Origins: []string{s.url}}
	for want, change := range map[string]func(*ponies.Config){
		"Sessions is required": func(c *ponies.Config) { c.Sessions = nil },
		"Origins is required":  func(c *ponies.Config) { c.Origins = nil },
	} {
		bad := good
		change(&bad)
		if _, err := ponies.New(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	good.RefreshEvery = 1
	if _, err := ponies.New(good); err == nil || !strings.Contains(err.Error(), "RefreshEvery") {
		t.Errorf("with a nanosecond: %v", err)
	}
}

func TestPonies(t *testing.T) {
	t.Parallel()
	s := newStack(t, 0, slow)
	for kind, c := range map[string]*client{"cookie": s.cookie(t, "alice"), "bearer": s.bearer(t, "bob")} {
		a := c.do("GET", "/ponies", "")
		expect(t, a, 200, "")
		if a.body != `{"ponies":[]}`+"\n" {
			t.Errorf("%s: nobody's herd is %s", kind, a.body)
		}
		a = c.do("POST", "/ponies", `{"name":"Mißty 🐎","breed":"Connemara"}`)
		expect(t, a, 201, "")
		if a.text("name") != "Mißty 🐎" || a.text("breed") != "Connemara" || a.text("id") == "" || !strings.HasSuffix(a.text("added_at"), "Z") {
			t.Errorf("%s: %s", kind, a.body)
		}
		if a.header.Get("Location") != "" {
			t.Errorf("%s: Location %q", kind, a.header.Get("Location"))
		}
		a = c.do("GET", "/ponies", "")
		if list, _ := a.json["ponies"].([]any); len(list) != 1 {
			t.Errorf("%s: %s", kind, a.body) // one: the other's pony is not there
		}
		a = c.do("HEAD", "/ponies", "")
		if a.status != 200 || a.body != "" || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: HEAD: %d %v", kind, a.status, a.header)
		}
	}
	// Two sessions of one subject share a herd.
	if a := s.bearer(t, "alice").do("GET", "/ponies", ""); strings.Count(a.body, `"id"`) != 1 {
		t.Errorf("alice's herd by bearer: %s", a.body)
	}
}

func TestPoniesValidate(t *testing.T) {
	t.Parallel()
	c := newStack(t, 0, slow).bearer(t, "alice")
	long := strings.Repeat("ß", 64)
	for _, test := range []struct {
		name, body string
		lines      []string
		status     int
		code, says string
	}{
		{"longest", `{"name":"` + long + `","breed":"` + long + `"}`, nil, 201, "", ""},
		{"with a charset", `{"name":"a","breed":"b"}`, []string{"Content-Type: application/json; charset=utf-8"}, 201, "", ""},
		{"too long", `{"name":"` + long + `x","breed":"b"}`, nil, 400, "request_invalid", "name must be"},
		{"breed too long", `{"name":"a","breed":"` + long + `x"}`, nil, 400, "request_invalid", "breed must be"},
		{"empty", `{"name":"","breed":"b"}`, nil, 400, "request_invalid", "name must be"},
		{"missing", `{"name":"a"}`, nil, 400, "request_invalid", "breed must be"},
		{"blank", `{"name":"a","breed":"  "}`, nil, 400, "request_invalid", "breed must be"},
		{"control character", `{"name":"a\u0007","breed":"b"}`, nil, 400, "request_invalid", "name must be"},
		{"C1 control character", `{"name":"a\u0085b","breed":"b"}`, nil, 400, "request_invalid", "name must be"},
		{"two lines", `{"name":"a\nb","breed":"b"}`, nil, 400, "request_invalid", "name must be"},
		{"line separator", `{"name":"a\u2028b","breed":"b"}`, nil, 400, "request_invalid", "name must be"},
		{"bad UTF-8", "{\"name\":\"a\xff\",\"breed\":\"b\"}", nil, 400, "request_invalid", ""},
		{"half a character", `{"name":"a\ud83d","breed":"b"}`, nil, 400, "request_invalid", ""},
		{"unknown member", `{"name":"a","breed":"b","id":"1"}`, nil, 400, "request_invalid", "unknown"},
		{"other case", `{"Name":"a","breed":"b"}`, nil, 400, "request_invalid", "unknown"},
		{"duplicate", `{"name":"a","name":"c","breed":"b"}`, nil, 400, "request_invalid", "twice"},
		{"wrong type", `{"name":1,"breed":"b"}`, nil, 400, "request_invalid", "wrong type"},
		{"list", `[]`, nil, 400, "request_invalid", ""},
		{"no JSON", `name=a`, nil, 400, "request_invalid", ""},
		{"two documents", `{"name":"a","breed":"b"}{}`, nil, 400, "request_invalid", ""},
		{"no body", ``, []string{"Content-Type: application/json"}, 400, "request_invalid", "missing"},
		{"a form", `name=a&breed=b`, []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "unsupported_media_type", ""},
		{"text", `{"name":"a","breed":"b"}`, []string{"Content-Type: text/plain"}, 415, "unsupported_media_type", ""},
		{"no type", `{"name":"a","breed":"b"}`, []string{"Content-Type:"}, 415, "unsupported_media_type", ""},
		{"too big", `{"name":"` + strings.Repeat("x", 64<<10) + `"}`, nil, 413, "request_too_large", ""},
	} {
		a := c.do("POST", "/ponies", test.body, test.lines...)
		t.Run(test.name, func(t *testing.T) {
			expect(t, a, test.status, test.code)
			if !strings.Contains(a.text("detail"), test.says) {
				t.Errorf("detail %q does not say %q", a.text("detail"), test.says)
			}
		})
	}
	if a := c.do("GET", "/ponies", ""); strings.Count(a.body, `"id"`) != 2 {
		t.Errorf("the herd: %s", a.body)
	}
}

func TestHerdIsBounded(t *testing.T) {
	t.Parallel()
	s := newStack(t, 0, slow)
	c := s.bearer(t, "alice")
	var ids []string
	for range 100 {
		a := c.do("POST", "/ponies", `{"name":"a","breed":"b"}`)
		expect(t, a, 201, "")
		ids = append(ids, a.text("id"))
	}
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != 100 {
		t.Errorf("%d different ids", n)
	}
	a := c.do("POST", "/ponies", `{"name":"a","breed":"b"}`)
	expect(t, a, 400, "request_invalid")
	if a.text("detail") != "A herd has at most 100 ponies." {
		t.Errorf("detail %q", a.text("detail"))
	}
	expect(t, s.bearer(t, "bob").do("POST", "/ponies", `{"name":"a","breed":"b"}`), 201, "")
}

func TestPoniesNeedASession(t *testing.T) {
	t.Parallel()
	s := newStack(t, 0, slow)
	const body = `{"name":"a","breed":"b"}`
	nobody, alice := s.anybody(t), s.cookie(t, "alice")
	expect(t, nobody.do("GET", "/ponies", ""), 401, "token_missing")
	expect(t, nobody.do("POST", "/ponies", body), 401, "token_missing")
	expect(t, nobody.do("GET", "/ponies", "", "Authorization: Bearer x"), 401, "token_invalid")
	expect(t, alice.do("POST", "/ponies", body, "X-CSRF-Token:"), 403, "csrf_failed")
	expect(t, alice.do("POST", "/ponies", body, "X-CSRF-Token: "+s.cookie(t, "alice").header["X-CSRF-Token"]), 403, "csrf_failed")
	expect(t, alice.do("POST", "/ponies", body, "Sec-Fetch-Site: cross-site"), 403, "csrf_failed")
	expect(t, alice.do("POST", "/ponies", body, "Origin: https://evil.example"), 403, "csrf_failed")
	expect(t, alice.do("POST", "/ponies", body, "Origin:", "Sec-Fetch-Site:"), 403, "csrf_failed")
	expect(t, alice.do("POST", "/ponies", body, "Authorization: Bearer x"), 401, "token_invalid")
	expect(t, alice.do("POST", "/ponies", body), 201, "")
	expect(t, alice.do("POST", "/auth/web/logout", ""), 204, "")
	expect(t, alice.do("GET", "/ponies", ""), 401, "token_missing")
}

// TestSell: a pony is sold once, by its owner, who has said so with a password.
func TestSell(t *testing.T) {
	t.Parallel()
	s := newStack(t, 0, slow)
	alice, bob := s.cookie(t, "alice"), s.cookie(t, "bob")
	pony := alice.do("POST", "/ponies", `{"name":"Misty","breed":"Exmoor"}`)
	path := "/ponies/" + pony.text("id")
	sell := func(c *client, code string, status int) {
		t.Helper()
		a := c.do("DELETE", path, "")
		expect(t, a, 401, "step_up_required")
		with := a.text("continuation")
		up := c.do("POST", "/auth/step-up", `{"password":"`+password+`","continuation":"`+with+`"}`)
		expect(t, up, 200, "")
		c.header["X-CSRF-Token"] = up.text("csrf_token")
		expect(t, c.do("DELETE", path, ""), 401, "step_up_required")
		expect(t, c.do("DELETE", path, "", "Remuda-Continuation: "+with), status, code)
		expect(t, c.do("DELETE", path, "", "Remuda-Continuation: "+with), 409, "continuation_used")
	}
	sell(bob, "not_found", 404)
	sell(alice, "", 204)
	sell(alice, "not_found", 404)
	expect(t, s.anybody(t).do("DELETE", path, ""), 401, "token_missing")
}

func TestPathsAndMethods(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-4.1.4")
	c := newStack(t, 0, slow).anybody(t)
	for _, path := range []string{"/x", "/ponies/", "/ponies/1", "/index.html", "/assets", "/assets/", "/assets/page.html", "/assets/x.js", "//ponies", "/./ponies", "/assets/../ponies", "/%70onies%2f", "/Ponies"} {
		expect(t, c.do("GET", path, ""), 404, "not_found")
	}
	for _, test := range []struct{ method, path, allow string }{
		{"DELETE", "/ponies", "GET, HEAD, POST"},
		{"GET", "/ponies/ABCDEFGHIJKLMNOPQRSTUVWXYZ", "DELETE"},
		{"OPTIONS", "/ponies", "GET, HEAD, POST"},
		{"POST", "/", "GET, HEAD"},
		{"PUT", "/assets/app.js", "GET, HEAD"},
	} {
		a := c.do(test.method, test.path, "")
		expect(t, a, 405, "method_not_allowed")
		if got := a.header.Get("Allow"); got != test.allow {
			t.Errorf("%s %s: Allow %q", test.method, test.path, got)
		}
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-3.5.7")
	t.Attr("requirement", "ASVS-3.6.1")
	s := newStack(t, 0, slow)
	for _, method := range []string{"GET", "HEAD"} {
		a := s.anybody(t).do(method, "/", "")
		if a.status != 200 || (a.body == "") != (method == "HEAD") {
			t.Errorf("%s: %d", method, a.status)
		}
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s is %q", method, name, got)
			}
		}
	}
	out, in := s.anybody(t).do("GET", "/", ""), s.cookie(t, "alice").do("GET", "/", "")
	if !strings.Contains(out.body, `data-auth="/auth" data-refresh-ms="240000" data-ask="false"`) {
		t.Errorf("the page: %s", out.body)
	}
	if strings.Replace(in.body, `data-ask="true"`, `data-ask="false"`, 1) != out.body {
		t.Error("the page of somebody signed in differs in more than the hint")
	}
	for _, inline := range []string{"<style", " style=", "<script>", " onclick="} {
		if strings.Contains(out.body, inline) {
			t.Errorf("the page has %s", inline)
		}
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	c := newStack(t, 0, slow).anybody(t)
	for path, media := range map[string]string{
		"/assets/app.js":    "text/javascript; charset=utf-8",
		"/assets/style.css": "text/css; charset=utf-8",
		"/assets/icon.svg":  "image/svg+xml",
	} {
		a := c.do("GET", path, "")
		etag := a.header.Get("ETag")
		if a.status != 200 || a.header.Get("Content-Type") != media || a.header.Get("Cache-Control") != "no-cache" || etag == "" || a.body == "" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
		if a := c.do("GET", path, "", "If-None-Match: "+etag); a.status != 304 || a.body != "" {
			t.Errorf("%s again: %d", path, a.status)
		}
		if a := c.do("GET", path, "", `If-None-Match: "old"`); a.status != 200 {
			t.Errorf("%s after a change: %d", path, a.status)
		}
		if a := c.do("HEAD", path, ""); a.status != 200 || a.body != "" || a.header.Get("ETag") != etag {
			t.Errorf("HEAD %s: %d", path, a.status)
		}
	}
}

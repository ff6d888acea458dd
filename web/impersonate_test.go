package web_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

// helpDesk stands in docs/impersonation.md as it is.
type helpDesk struct {
	support   map[string]bool
	customers map[string]map[string]string
}

// MayImpersonate implements [web.Impersonators].
func (d helpDesk) MayImpersonate(_ context.Context, actor *remuda.Session, subject, tenant string) (web.Identity, error) {
	customer, ok := d.customers[subject]
	if !d.support[actor.Subject] || !ok || tenant != "" {
		return web.Identity{}, web.ErrImpersonationRefused // one answer for all
	}
	return web.Identity{Subject: subject, Claims: customer}, nil
}

// newHelpDesk lets bob act for alice.
func newHelpDesk() helpDesk {
	return helpDesk{support: map[string]bool{"bob": true}, customers: map[string]map[string]string{"alice": {"name": "Alice"}}}
}

// brokenDesk cannot find out.
type brokenDesk struct{}

func (brokenDesk) MayImpersonate(context.Context, *remuda.Session, string, string) (web.Identity, error) {
	return web.Identity{}, errors.New("the directory is gone")
}

// desk is a site with support, and bob's browser.
func desk(t *testing.T, profiles ...remuda.Profile) (*site, *browser) {
	t.Helper()
	s := newSite(t, func(c *remuda.Config, w *web.Config) {
		users := &changeable{passwords: passwords{"alice": "sesame open", "bob": "bobs secret"}}
		w.Impersonators, w.Authenticator, w.Passwords = newHelpDesk(), users, users
		if profiles != nil {
			c.Profiles, w.WebProfiles = profiles, []string{profiles[0].Name}
		}
	})
	b := s.browser()
	expect(t, b.do("POST", "/auth/web/login", `{"username":"bob","password":"bobs secret"}`), 200, "", "")
	return s, b
}

const actFor = `{"subject":"alice"}`

func TestImpersonate(t *testing.T) {
	t.Parallel()
	for _, p := range []remuda.Profile{remuda.Web(), remuda.Classic()} {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			s, b := desk(t, p)
			own, ownCSRF := b.session, b.csrf
			a := b.do("POST", "/auth/impersonate", actFor)
			expect(t, a, 200, "", "")
			if a.text("session", "subject") != "alice" || a.text("session", "actor") != "bob" {
				t.Errorf("answer: %s", a.body)
			}
			if a := b.do("GET", "/hello", ""); a.body != "hello alice" {
				t.Errorf("GET /hello: %s", a.body)
			}
			if a := b.do("GET", "/auth/session", ""); a.text("actor") != "bob" || a.text("subject") != "alice" {
				t.Errorf("who am I: %s", a.body)
			}
			if n := len(strings.Join(b.headers(), "\n")); n > 4096 {
				t.Errorf("the headers have %d bytes", n)
			}
			acting := b.session
			// What only alice may do.
			for _, r := range []request{
				{method: "POST", path: "/important"},
				{method: "POST", path: "/auth/step-up", body: `{"password":"sesame open"}`},
				{method: "POST", path: "/auth/password", body: change("sesame open", "another sesame")},
				{method: "POST", path: "/auth/impersonate", body: actFor},
				{method: "POST", path: "/auth/web/logout?others=1"},
				{method: "POST", path: "/auth/web/logout?all=1"},
				{method: "DELETE", path: "/auth/sessions/" + acting},
			} {
				expect(t, b.do(r.method, r.path, r.body), 403, "impersonating", "none")
			}
			s.signedIn() // alice's password is what it was
			// Back again, with the CSRF token of bob's own session.
			expect(t, b.do("DELETE", "/auth/impersonate", ""), 403, "csrf_failed", "none")
			a = b.do("GET", "/auth/impersonate", "")
			expect(t, a, 200, "", "")
			if a.text("session", "subject") != "bob" || a.text("session", "id") != own {
				t.Errorf("bob's own: %s", a.body)
			}
			b.csrf = ownCSRF
			a = b.do("DELETE", "/auth/impersonate", "")
			expect(t, a, 200, "", "")
			if r := s.record(acting); r.EndReason != "logout" {
				t.Errorf("the session in which bob acted: %q", r.EndReason)
			}
			if a := b.do("POST", "/hello", ""); a.body != "hello bob" {
				t.Errorf("back: %s", a.body)
			}
			if len(b.cookies) > 2 {
				t.Errorf("cookies: %v", b.cookies)
			}
			expect(t, b.do("POST", "/auth/web/refresh", ""), 200, "", "")
			expect(t, b.do("DELETE", "/auth/impersonate", ""), 404, "not_found", "none")
			expect(t, b.do("GET", "/auth/impersonate", ""), 404, "not_found", "none")
		})
	}
}

func TestImpersonateRefused(t *testing.T) {
	t.Parallel()
	s, b := desk(t)
	for body, want := range map[string]string{
		`{"subject":"carol"}`:                    "403 impersonation_refused",
		`{"subject":"nobody at all"}`:            "403 impersonation_refused",
		`{"subject":"alice","tenant":"acme"}`:    "403 impersonation_refused",
		`{"subject":""}`:                         "400 request_invalid",
		`{"subject":"alice","expires_in":3601}`:  "400 request_invalid",
		`{"subject":"alice","expires_in":-1}`:    "400 request_invalid",
		`{"subject":"alice","expires_in":1}`:     "400 request_invalid",
		`{"subject":"alice","expires_in":1e300}`: "400 request_invalid",
		`{"subject":"alice","as":"admin"}`:       "400 request_invalid",
	} {
		status, code, _ := strings.Cut(want, " ")
		a := b.do("POST", "/auth/impersonate", body)
		if a.code() != code || status == "403" && a.status != 403 || status == "400" && a.status != 400 {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	alice := s.signedIn()
	expect(t, alice.do("POST", "/auth/impersonate", `{"subject":"bob"}`), 403, "impersonation_refused", "none")
	expect(t, b.do("POST", "/auth/impersonate", actFor, "X-CSRF-Token: x"), 403, "csrf_failed", "none")
	expect(t, s.browser().do("POST", "/auth/impersonate", actFor), 401, "token_missing", "login")
	s.advance(6 * time.Minute)
	expect(t, b.do("POST", "/auth/impersonate", actFor), 401, "step_up_required", "reauthenticate")
	if a := b.do("GET", "/hello", ""); a.body != "hello bob" {
		t.Errorf("afterwards: %s", a.body)
	}

	broken := newSite(t, func(_ *remuda.Config, w *web.Config) { w.Impersonators = brokenDesk{} })
	expect(t, broken.signedIn().do("POST", "/auth/impersonate", actFor), 503, "unavailable", "retry")
	none := newSite(t)
	expect(t, none.signedIn().do("POST", "/auth/impersonate", actFor), 404, "not_found", "none")
}

// TestImpersonationEnds: its time is over, or the customer ends it; the way back is
// there all the same, and a lost answer on it does no harm.
func TestImpersonationEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *site, b *browser){
		"time": func(s *site, b *browser) {
			s.advance(5 * time.Minute)
			expect(s.t, b.do("GET", "/hello", ""), 401, "token_expired", "refresh")
			expect(s.t, b.do("POST", "/auth/web/refresh", ""), 401, "session_expired", "login")
		},
		"the customer": func(s *site, b *browser) {
			alice := s.signedIn()
			a := alice.do("GET", "/auth/sessions", "")
			if !strings.Contains(a.body, `"actor":"bob"`) {
				s.t.Errorf("alice's list: %s", a.body)
			}
			expect(s.t, alice.do("DELETE", "/auth/sessions/"+b.session, ""), 204, "", "")
			expect(s.t, b.do("GET", "/hello", ""), 401, "session_ended", "login")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, b := desk(t)
			s.t = t
			csrf := b.csrf
			expect(t, b.do("POST", "/auth/impersonate", `{"subject":"alice","expires_in":300}`), 200, "", "")
			end(s, b)
			b.csrf = csrf
			lost := s.do(request{"DELETE", "/auth/impersonate", b.headers(), ""})
			expect(t, lost, 200, "", "")
			expect(t, b.do("DELETE", "/auth/impersonate", ""), 200, "", "")
			if a := b.do("GET", "/hello", ""); a.body != "hello bob" {
				t.Errorf("back: %d %s", a.status, a.body)
			}
		})
	}
}

// TestSigningOutWhileActing: of both, in this browser; and so does signing in.
func TestSigningOutWhileActing(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(t *testing.T, b *browser){
		"logout": func(t *testing.T, b *browser) {
			t.Helper()
			expect(t, b.do("POST", "/auth/web/logout", ""), 204, "", "")
			if len(b.cookies) != 0 {
				t.Errorf("cookies: %v", b.cookies)
			}
		},
		"logout without the session in which bob acts": func(t *testing.T, b *browser) {
			t.Helper()
			delete(b.cookies, "__Host-session")
			delete(b.cookies, "__Host-refresh")
			expect(t, b.do("POST", "/auth/web/logout", ""), 403, "csrf_failed", "none")
			a := b.do("GET", "/auth/impersonate", "")
			expect(t, a, 200, "", "")
			expect(t, b.do("POST", "/auth/web/logout", ""), 204, "", "")
		},
		"login": func(t *testing.T, b *browser) {
			t.Helper()
			expect(t, b.do("POST", "/auth/web/login", `{"username":"alice","password":"sesame open"}`), 200, "", "")
			if a := b.do("GET", "/auth/session", ""); a.text("actor") != "" || len(b.cookies) != 2 {
				t.Errorf("%v: %s", b.cookies, a.body)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, b := desk(t)
			own := b.session
			expect(t, b.do("POST", "/auth/impersonate", actFor), 200, "", "")
			acting := b.session
			leave(t, b)
			for _, id := range []string{own, acting} {
				if s.record(id).EndReason == "" {
					t.Errorf("a session goes on")
				}
			}
		})
	}
}

// TestStopImpersonatingForAnother: somebody has signed in meanwhile, by other
// means; their session is not taken away.
func TestStopImpersonatingForAnother(t *testing.T) {
	t.Parallel()
	s, b := desk(t)
	csrf := b.csrf
	expect(t, b.do("POST", "/auth/impersonate", actFor), 200, "", "")
	alice := s.signedIn()
	for _, name := range []string{"__Host-session", "__Host-refresh"} {
		b.cookies[name] = alice.cookies[name]
	}
	b.csrf = csrf
	expect(t, b.do("DELETE", "/auth/impersonate", ""), 409, "already_signed_in", "none")
	if a := b.do("GET", "/hello", ""); a.body != "hello alice" {
		t.Errorf("afterwards: %s", a.body)
	}
}

func TestImpersonateByToken(t *testing.T) {
	t.Parallel()
	s, _ := desk(t)
	a := s.do(request{"POST", "/auth/token/login", nil, `{"username":"bob","password":"bobs secret"}`})
	own := "Authorization: Bearer " + a.text("access_token")
	a = s.do(request{"POST", "/auth/impersonate", []string{own}, actFor})
	expect(t, a, 200, "", "")
	if len(a.header.Values("Set-Cookie")) > 0 || a.text("session", "actor") != "bob" {
		t.Errorf("%v %s", a.header, a.body)
	}
	acting := "Authorization: Bearer " + a.text("access_token")
	expect(t, s.do(request{"DELETE", "/auth/impersonate", []string{own}, ""}), 404, "not_found", "none")
	expect(t, s.do(request{"DELETE", "/auth/impersonate", []string{acting}, ""}), 204, "", "")
	expect(t, s.do(request{"DELETE", "/auth/impersonate", []string{acting}, ""}), 401, "session_ended", "login")
	if a := s.do(request{"GET", "/hello", []string{own}, ""}); a.body != "hello bob" {
		t.Errorf("bob's own: %s", a.body)
	}
}

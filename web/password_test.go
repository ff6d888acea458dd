package web_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

// changeable are passwords that can be changed.
type changeable struct {
	passwords

	broken bool
}

// ChangePassword implements [web.PasswordChanger].
func (c *changeable) ChangePassword(_ context.Context, subject, _, password string) error {
	if c.broken {
		return errors.New("the disk is full")
	}
	if len(password) < 8 {
		return &web.PasswordError{Reason: "new_password: a password has at least 8 characters."}
	}
	c.passwords[subject] = password
	return nil
}

func change(old, next string) string {
	return `{"password":"` + old + `","new_password":"` + next + `"}`
}

// A change of password ends the other sessions, and gives this one tokens that
// nobody has a copy of.
func TestPassword(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-7.4.3")
	t.Attr("requirement", "BCP-4.14.e")
	for _, p := range []remuda.Profile{remuda.Web(), remuda.Classic(), remuda.Local()} {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				users := &changeable{passwords: passwords{"alice": "sesame open", "bob": "bobs secret"}}
				s := newSite(t, func(c *remuda.Config, w *web.Config) {
					c.Profiles, c.Now = []remuda.Profile{p}, time.Now // what ends others waits for time to pass
					w.Authenticator, w.Passwords, w.WebProfiles = users, users, []string{p.Name}
				})
				synctest.Wait() // until the log has been read
				b, other := s.signedIn(), s.signedIn()
				for body, code := range map[string]string{
					change("wrong", "new sesame"):      "login_failed",
					change("", "new sesame"):           "request_invalid",
					change("sesame open", ""):          "request_invalid",
					change("sesame open", "short"):     "request_invalid",
					`{"password":"sesame open"}`:       "request_invalid",
					`{"new_password":"new sesame"}`:    "request_invalid",
					`{"password":1,"new_password":""}`: "request_invalid",
				} {
					if a := b.do("POST", "/auth/password", body); a.code() != code {
						t.Errorf("%s: %d %s", body, a.status, a.body)
					}
				}
				if users.passwords["alice"] != "sesame open" {
					t.Fatal("a refused change was made")
				}
				s.events.kinds()
				former := b.cookies["__Host-session"]
				a := b.do("POST", "/auth/password", change("sesame open", "new sesame"))
				expect(t, a, http.StatusOK, "", "")
				synctest.Wait()
				if got := s.events.kinds(); !strings.Contains(got, "password.changed") {
					t.Errorf("events %v", got)
				}
				expect(t, b.do("GET", "/auth/session", ""), http.StatusOK, "", "")
				expect(t, other.do("GET", "/hello", ""), http.StatusUnauthorized, "session_ended", "login")
				expect(t, s.browser().do("POST", "/auth/web/login", `{"username":"alice","password":"sesame open"}`), http.StatusUnauthorized, "login_failed", "login")
				expect(t, s.browser().do("POST", "/auth/web/login", `{"username":"alice","password":"new sesame"}`), http.StatusOK, "", "")
				if b.cookies["__Host-session"] == former {
					t.Error("the session's token is the old one")
				}
				// An answer that was lost is asked for again with what is true now.
				expect(t, b.do("POST", "/auth/password", change("new sesame", "new sesame")), http.StatusOK, "", "")
				expect(t, b.do("GET", "/auth/session", ""), http.StatusOK, "", "")

				users.broken = true
				expect(t, b.do("POST", "/auth/password", change("new sesame", "newer sesame")), http.StatusServiceUnavailable, "unavailable", "retry")
			})
		})
	}
}

// slowly checks a password, and says so before it answers.
type slowly struct {
	web.Authenticator

	checked func()
}

// Authenticate implements [web.Authenticator].
func (a slowly) Authenticate(ctx context.Context, c web.Credentials) (web.Identity, error) {
	who, err := a.Authenticator.Authenticate(ctx, c)
	a.checked()
	return who, err
}

// Whoever was just being let in with the old password, or proved it again, is out.
func TestPasswordChangedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, p := range []remuda.Profile{remuda.Web(), remuda.Classic(), remuda.Local()} {
		for _, path := range []string{"/auth/web/login", "/auth/step-up"} {
			t.Run(p.Name+path, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					checked := func() {}
					s := newSite(t, func(c *remuda.Config, w *web.Config) {
						c.Profiles, c.Now = []remuda.Profile{p}, time.Now
						w.Authenticator, w.WebProfiles = slowly{w.Authenticator, func() { checked() }}, []string{p.Name}
					})
					synctest.Wait()
					b := s.signedIn()
					checked = func() {
						time.Sleep(time.Second)
						if _, err := s.manager.EndAll(t.Context(), remuda.EndAllRequest{Subject: "alice", Reason: remuda.EndPasswordChanged}); err != nil {
							t.Error(err)
						}
						time.Sleep(time.Second)
					}
					a := b.do("POST", path, `{"username":"alice","password":"sesame open"}`)
					if path == "/auth/step-up" {
						a = b.do("POST", path, `{"password":"sesame open"}`)
					}
					expect(t, a, http.StatusUnauthorized, "session_ended", "login")
					expect(t, b.do("GET", "/hello", ""), http.StatusUnauthorized, "session_ended", "login")
				})
			})
		}
	}
}

// Nobody changes a password who is not signed in, from another site, or where
// there is nothing to change it with.
func TestPasswordRefused(t *testing.T) {
	t.Parallel()
	users := &changeable{passwords: passwords{"alice": "sesame open"}}
	s := newSite(t, func(_ *remuda.Config, w *web.Config) { w.Authenticator, w.Passwords = users, users })
	body := change("sesame open", "new sesame")
	expect(t, s.browser().do("POST", "/auth/password", body), http.StatusUnauthorized, "token_missing", "login")
	b := s.signedIn()
	csrf := b.csrf
	b.csrf = ""
	expect(t, b.do("POST", "/auth/password", body), http.StatusForbidden, "csrf_failed", "none")
	b.csrf = csrf
	expect(t, b.do("GET", "/auth/password", ""), http.StatusMethodNotAllowed, "method_not_allowed", "none")
	without := newSite(t)
	expect(t, without.signedIn().do("POST", "/auth/password", body), http.StatusNotFound, "not_found", "none")
	if users.passwords["alice"] != "sesame open" {
		t.Error("it was changed")
	}
}

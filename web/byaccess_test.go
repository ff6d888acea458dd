package web_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/web"
	"github.com/remuda-go/remuda/web/webtest"
)

// oneToken is a profile for browsers whose access token refreshes.
func oneToken(name string) remuda.Profile {
	p := remuda.Web()
	p.Name, p.Jitter, p.Rotation.Early, p.Rotation.ByAccess = name, 0, remuda.EarlyRefuse, true
	return p
}

// Who signs in to a session of one token leaves the refresh token of before
// behind: it would be shown in its place.
func TestOneTokenAfterTwo(t *testing.T) {
	t.Parallel()
	one := oneToken("one")
	s := newSite(t, func(c *remuda.Config, w *web.Config) {
		c.Profiles = append(c.Profiles, one, remuda.Classic())
		w.WebProfiles = []string{"web", "one", "classic"}
		if err := c.Keys.Ensure(t.Context(), codec.Opaque); err != nil {
			t.Fatal(err)
		}
	})
	for _, name := range []string{"one", "classic"} {
		b := s.signedIn()
		a := b.do("POST", "/auth/web/login", `{"username":"alice","password":"sesame open","profile":"`+name+`"}`)
		if a.status != 200 || len(b.cookies) != 1 || b.cookies["__Host-session"] == "" {
			t.Errorf("%s: %d %s, the jar has %d cookies", name, a.status, a.body, len(b.cookies))
		}
		s.advance(one.Access)
		if a := b.do("POST", "/auth/web/refresh", ""); a.status != 200 {
			t.Errorf("%s: refresh: %d %s", name, a.status, a.body)
		}
		// And the other way round there are two again.
		if a := b.do("POST", "/auth/web/login", `{"username":"alice","password":"sesame open"}`); a.status != 200 || len(b.cookies) != 2 {
			t.Errorf("%s: login: %d %s, the jar has %d cookies", name, a.status, a.body, len(b.cookies))
		}
	}
	// Nobody's refresh cookie is nobody's business.
	if a := s.browser().do("POST", "/auth/web/login", `{"username":"bob","password":"bobs secret","profile":"one"}`); len(a.header.Values("Set-Cookie")) != 1 {
		t.Errorf("cookies %v", a.header.Values("Set-Cookie"))
	}
}

// The same where a session begins in another way than by a login.
func TestOneTokenBegunElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		visitor := webtest.NewSite(t, webtest.Stores{New: newMemstore}, oneToken("one")).NewClient()
		visitor.Tokens[webtest.RefreshCookie] = "of before"
		if a := visitor.Do(webtest.Request{Method: http.MethodGet, Path: "/basket"}); a.Status != http.StatusOK || len(visitor.Tokens) != 1 {
			t.Errorf("a visit: %d %s, the jar has %d cookies", a.Status, a.Body, len(visitor.Tokens))
		}
	})
	from, to := twoSites(t, func(c *remuda.Config, _ *web.Config) { c.Profiles = []remuda.Profile{oneToken("web"), remuda.API()} })
	_, g, body := handed(t, from, to)
	g.cookies["__Host-refresh"] = "of before"
	if a := g.do("POST", redeemPath, body, fetches); a.status != http.StatusOK || len(g.cookies) != 1 || g.cookies["__Host-session"] == "" {
		t.Errorf("a hand-off: %d %s, the jar has %d cookies", a.status, a.body, len(g.cookies))
	}
}

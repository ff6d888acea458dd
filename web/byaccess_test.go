package web_test

import (
	"testing"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/web"
)

// Who signs in to a session of one token leaves the refresh token of before
// behind: it would be shown in its place.
func TestOneTokenAfterTwo(t *testing.T) {
	t.Parallel()
	one := remuda.Web()
	one.Name, one.Jitter, one.Rotation.Early, one.Rotation.ByAccess = "one", 0, remuda.EarlyRefuse, true
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

package web_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/web"
	"github.com/remuda-go/remuda/web/webtest"
)

// eachProfile runs a test of every profile, on a site of its own.
func eachProfile(t *testing.T, test func(t *testing.T, s *webtest.Site, p remuda.Profile)) {
	t.Helper()
	for _, p := range webtest.Profiles() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				test(t, webtest.NewSite(t, webtest.Stores{New: newMemstore}, p), p)
			})
		})
	}
}

func signedIn(t *testing.T, s *webtest.Site, name string) *webtest.Client {
	t.Helper()
	c := s.NewClient()
	if a := c.Login(name); a.Status != http.StatusOK {
		t.Fatalf("login of %s: %d %s", name, a.Status, a.Body)
	}
	synctest.Wait()
	time.Sleep(time.Second) // the next token is another one
	return c
}

// is reports whose session a client's credentials are: "" for nobody's.
func is(c *webtest.Client) string {
	a := c.Copy().Send(webtest.Request{Method: http.MethodGet, Path: "/auth/session"})
	return a.Text("subject")
}

// A session id or a token that somebody has chosen is never adopted.
func TestChosenIDsAreNotAdopted(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-7.2.2")
	t.Attr("requirement", "CS-1")
	eachProfile(t, func(t *testing.T, s *webtest.Site, p remuda.Profile) {
		attacker := signedIn(t, s, "mallory")
		chosen := map[string]string{
			"an id": "AQIDBAUGBwgJCgsMDQ4PEA", "a word": "fixed", "the attacker's id": attacker.Session,
			"the attacker's token": attacker.Tokens[webtest.SessionCookie], "the attacker's refresh token": attacker.Tokens[webtest.RefreshCookie],
		}
		names := []string{"sid", "session", "session_id", "id", "access_token", "refresh_token", "JSESSIONID", webtest.SessionCookie, webtest.RefreshCookie}
		fresh := map[string]bool{}
		for what, value := range chosen {
			if value == "" {
				continue // this profile has no refresh tokens
			}
			for _, name := range names {
				for where, plant := range map[string]func(*http.Request){
					"cookie": func(r *http.Request) { r.Header.Add("Cookie", name+"="+value) },
					"header": func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+value); r.Header.Set("X-"+name, value) },
					"query":  func(r *http.Request) { r.URL.RawQuery = name + "=" + value },
				} {
					victim := s.NewClient()
					a := victim.Do(webtest.Request{Method: http.MethodPost, Path: "/auth/{way}/login", Body: `{"username":"alice","password":"alice sesame"}`, Plant: plant})
					if a.Status != http.StatusOK {
						t.Fatalf("%s as %s %s: %d %s", what, where, name, a.Status, a.Body)
					}
					id, token := victim.Session, victim.Tokens[webtest.SessionCookie]
					if fresh[id] || id == attacker.Session || token == value || victim.Tokens[webtest.RefreshCookie] == value || strings.Contains(a.Body, value) && what != "a word" {
						t.Errorf("%s as %s %s was adopted: %s", what, where, name, a.Body)
					}
					fresh[id] = true
					if is(victim) != "alice" || is(attacker) == "alice" {
						t.Errorf("%s as %s %s: the victim is %q, the attacker %q", what, where, name, is(victim), is(attacker))
					}
				}
				a := s.NewClient().Do(webtest.Request{Method: http.MethodPost, Path: "/auth/{way}/login", Body: `{"username":"alice","password":"alice sesame","` + name + `":"` + value + `"}`})
				if a.Status != http.StatusBadRequest || a.Text("code") != "request_invalid" {
					t.Errorf("%s as member %s: %d %s", what, name, a.Status, a.Body)
				}
			}
		}
	})
}

// An attacker's own session, planted in the victim's browser, ends when the victim
// signs in, and the two users are never one.
func TestPlantedSessionIsReplaced(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "BUG CVE-2024-38513, CVE-2023-22479, CVE-2024-28197")
	t.Attr("requirement", "BUG CVE-2026-34454")
	eachProfile(t, func(t *testing.T, s *webtest.Site, p remuda.Profile) {
		attacker := signedIn(t, s, "mallory")
		victim := attacker.Copy()
		if a := victim.Login("alice"); a.Status != http.StatusOK {
			t.Fatalf("login: %d %s", a.Status, a.Body)
		}
		if victim.Session == attacker.Session || is(victim) != "alice" {
			t.Errorf("the victim is %q in the session %s, the attacker's is %s", is(victim), victim.Session, attacker.Session)
		}
		want := "mallory" // an app's login replaces nothing, and a stateless session cannot be ended
		if p.Transport == remuda.Cookie && p.Liveness != remuda.LiveExpiry {
			want = ""
		}
		if got := is(attacker); got != want {
			t.Errorf("the attacker is %q, want %q", got, want)
		}
		for _, path := range []string{"/auth/{way}/refresh", "/hello", "/basket"} {
			a := attacker.Send(webtest.Request{Method: http.MethodPost, Path: path})
			if strings.Contains(a.Body, "alice") || strings.Contains(a.Body, victim.Session) {
				t.Errorf("POST %s: %s", path, a.Body)
			}
		}
		// Nor do the attacker's CSRF token and the victim's cookies make a request.
		a := victim.Send(webtest.Request{Method: http.MethodPost, Path: "/hello", CSRF: attacker.CSRF})
		if want := map[remuda.Transport]int{remuda.Cookie: 403, remuda.Bearer: 200}[p.Transport]; a.Status != want {
			t.Errorf("with the attacker's CSRF token: %d, want %d", a.Status, want)
		}
	})
}

// An anonymous session, planted in the victim's browser, is worth nothing once the
// victim has signed in.
func TestPlantedAnonymousSession(t *testing.T) {
	t.Parallel()
	eachProfile(t, func(t *testing.T, s *webtest.Site, p remuda.Profile) {
		if p.Transport != remuda.Cookie {
			return // apps are given no anonymous sessions
		}
		attacker := s.NewClient()
		attacker.Do(webtest.Request{Method: http.MethodGet, Path: "/basket"})
		attacker.Do(webtest.Request{Method: http.MethodGet, Path: "/auth/web/csrf"})
		if attacker.CSRF == "" || len(attacker.Tokens) == 0 {
			t.Fatal("no anonymous session")
		}
		planted := attacker.Tokens[webtest.SessionCookie]
		victim := attacker.Copy()
		time.Sleep(time.Second)
		if a := victim.Login("alice"); a.Status != http.StatusOK || victim.Tokens[webtest.SessionCookie] == planted {
			t.Fatalf("login: %d %s", a.Status, a.Body)
		}
		synctest.Wait()
		for _, r := range []webtest.Request{
			{Method: http.MethodGet, Path: "/hello"},
			{Method: http.MethodPost, Path: "/hello"},
			{Method: http.MethodPost, Path: "/basket"},
			{Method: http.MethodGet, Path: "/auth/session"},
			{Method: http.MethodGet, Path: "/auth/sessions"},
			{Method: http.MethodPost, Path: "/auth/web/refresh"},
			{Method: http.MethodPost, Path: "/auth/step-up", Body: `{"password":"alice sesame"}`},
		} {
			a := attacker.Send(r)
			if strings.Contains(a.Body, "alice") || strings.Contains(a.Body, victim.Session) || p.Liveness != remuda.LiveExpiry && a.Status != http.StatusUnauthorized {
				t.Errorf("%s %s: %d %s", r.Method, r.Path, a.Status, a.Body)
			}
		}
		if is(victim) != "alice" {
			t.Errorf("the victim is %q", is(victim))
		}
	})
}

// Of two cookies of one name that are both good, somebody has planted one: neither
// counts. One that is bad does not do harm.
func TestTossedCookies(t *testing.T) {
	t.Parallel()
	eachProfile(t, func(t *testing.T, s *webtest.Site, p remuda.Profile) {
		if p.Transport != remuda.Cookie {
			return // apps send no cookies
		}
		attacker, victim := signedIn(t, s, "mallory"), signedIn(t, s, "alice")
		for value, want := range map[string]string{
			attacker.Tokens[webtest.SessionCookie]: "", "nonsense": "alice", `"` + victim.Tokens[webtest.SessionCookie] + `"`: "alice", "": "alice",
		} {
			a := victim.Send(webtest.Request{Method: http.MethodGet, Path: "/auth/session", Plant: func(r *http.Request) {
				r.Header["Cookie"] = append([]string{webtest.SessionCookie + "=" + value}, r.Header["Cookie"]...)
			}})
			if got := a.Text("subject"); got != want || want == "" && a.Text("code") != "token_invalid" {
				t.Errorf("beside %.12q: %q, %s", value, got, a.Body)
			}
		}
	})
}

// A credential is good in its own place alone: all of all profiles of one site,
// of another issuer with the same keys, and of another ring, in all places.
func TestCredentialsInOtherPlaces(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "BCP-4.3")
	t.Attr("requirement", "ASVS-14.2.1")
	t.Attr("requirement", "BUG CVE-2026-44883")
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(c *remuda.Config, _ *web.Config) {
			c.Profiles = webtest.Profiles()
			if err := c.Keys.Ensure(t.Context(), codec.HS256, codec.EdDSA, codec.ES256, codec.V4Local, codec.V4Public, codec.Opaque); err != nil {
				t.Fatal(err)
			}
		})
		synctest.Wait() // until the log has been read
		for _, p := range webtest.Profiles() {
			g, err := s.manager.Start(t.Context(), remuda.StartRequest{Profile: p.Name, Subject: "alice"})
			if err != nil {
				t.Fatal(err)
			}
			access, refresh := g.Access.Reveal(), g.Refresh.Reveal()
			// The only token of a session is also what renews it.
			only := p.Renewal == remuda.Extend || p.Rotation.ByAccess
			fixed := p.Renewal == remuda.Fixed
			s.places(p.Name, access, g.Session.ID, map[string]bool{
				"session cookie": p.Transport == remuda.Cookie, "header": p.Transport == remuda.Bearer,
				"refresh cookie": p.Transport == remuda.Cookie && only,
				"refresh header": p.Transport == remuda.Bearer && only,
				"refresh body":   p.Transport == remuda.Bearer && only,

				"refresh cookie, fixed": p.Transport == remuda.Cookie && fixed,
				"refresh header, fixed": p.Transport == remuda.Bearer && fixed,
				"refresh body, fixed":   p.Transport == remuda.Bearer && fixed,
			})
			if refresh != "" {
				s.places(p.Name+", refresh", refresh, g.Session.ID, map[string]bool{
					"refresh cookie": p.Transport == remuda.Cookie,
					"refresh header": p.Transport == remuda.Bearer, "refresh body": p.Transport == remuda.Bearer,
				})
			}
		}
		for name, cfg := range map[string]remuda.Config{
			"another issuer": {Keys: s.ring, Issuer: "https://other.example", Store: newMemstore(t)},
			"another ring":   {Keys: newRing(t), Issuer: origin, Store: newMemstore(t)},
		} {
			cfg.Profiles, cfg.Now = webtest.Profiles(), s.time
			m, err := remuda.New(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close(t.Context())
			for _, p := range webtest.Profiles() {
				g, err := m.Start(t.Context(), remuda.StartRequest{Profile: p.Name, Subject: "alice"})
				if err != nil {
					t.Fatal(err)
				}
				s.places(name+", "+p.Name, g.Access.Reveal(), g.Session.ID, nil)
				if !g.Refresh.IsZero() {
					s.places(name+", "+p.Name+", refresh", g.Refresh.Reveal(), g.Session.ID, nil)
				}
			}
		}
	})
}

func newRing(t *testing.T) *keyring.Ring {
	t.Helper()
	ring, err := keyring.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Ensure(t.Context(), codec.HS256, codec.EdDSA, codec.ES256, codec.V4Local, codec.V4Public, codec.Opaque); err != nil {
		t.Fatal(err)
	}
	return ring
}

// places shows a token everywhere, and checks where it is taken.
func (s *site) places(name, token string, id remuda.SessionID, good map[string]bool) {
	s.t.Helper()
	for place, r := range s.everywhere(token, id) {
		a := s.do(r)
		taken := a.status == http.StatusOK || a.code() == "refresh_too_early" // which is told to its holder alone
		if taken != good[place] {
			s.t.Errorf("%s as %s: %d %s", name, place, a.status, a.body)
		}
		// That there is nothing to renew is told to its holder alone, too.
		fixed := good[place+", fixed"] && a.code() == "request_invalid"
		if !taken && !fixed && a.code() != "token_invalid" {
			s.t.Errorf("%s as %s: %s", name, place, a.body)
		}
	}
}

// everywhere returns the requests that show a token in every place that takes one.
func (s *site) everywhere(token string, id remuda.SessionID) map[string]request {
	csrf, err := s.ring.NewCSRF(id)
	if err != nil {
		s.t.Fatal(err)
	}
	page := []string{"Origin: " + origin, "X-CSRF-Token: " + csrf}
	body, _ := json.Marshal(map[string]string{"refresh_token": token})
	with := func(header string) []string { return append(slices.Clip(page), header) }
	return map[string]request{
		"session cookie": {"POST", "/hello", with("Cookie: __Host-session=" + token), ""},
		"header":         {"POST", "/hello", []string{"Authorization: Bearer " + token}, ""},
		"refresh cookie": {"POST", "/auth/web/refresh", with("Cookie: __Host-refresh=" + token), ""},
		"refresh header": {"POST", "/auth/token/refresh", []string{"Authorization: Bearer " + token}, ""},
		"refresh body":   {"POST", "/auth/token/refresh", nil, string(body)},
	}
}

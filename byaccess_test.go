package remuda_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/jwt"
	"github.com/remuda-go/remuda/keyring"
)

// showAccess refreshes with the access token.
func showAccess(t testing.TB, m *remuda.Manager, token string) (remuda.Grant, error) {
	t.Helper()
	return m.Refresh(t.Context(), remuda.RefreshRequest{Token: token, Transport: remuda.Bearer})
}

// An access token refreshes where the profile says so, and it takes the ring and
// the store to make one that does.
func TestByAccess(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "SEED-2")
	synctest.Test(t, func(t *testing.T) {
		var ring *keyring.Ring
		m, s := nodes(t, 1, func(_ int, cfg *remuda.Config) {
			ring = cfg.Keys
			one := remuda.API()
			one.Name, one.Jitter, one.Rotation.Early, one.Rotation.ByAccess = "one", 0, remuda.EarlyRefuse, true
			cfg.Profiles = append(cfg.Profiles, one)
		})
		settle()
		g := start(t, m[0], "one")
		if !g.Refresh.IsZero() {
			t.Error("there is a refresh token")
		}
		time.Sleep(10 * time.Minute)
		codecs := jwt.New(ring)
		forge := func(change func(c *codec.Claims)) string {
			var c codec.Claims
			if err := codecs.Verify(&c, codec.Access, g.Access.Reveal()); err != nil {
				t.Fatal(err)
			}
			change(&c)
			token, err := codecs.Sign(nil, &c)
			if err != nil {
				t.Fatal(err)
			}
			return string(token)
		}
		api := start(t, m[0], "api")
		var ofAPI codec.Claims
		if err := codecs.Verify(&ofAPI, codec.Access, api.Access.Reveal()); err != nil || ofAPI.JTI != [16]byte{} {
			t.Fatalf("an access token that does not refresh has the id %x, %v", ofAPI.JTI, err)
		}
		if err := codecs.Verify(&ofAPI, codec.Refresh, api.Refresh.Reveal()); err != nil {
			t.Fatal(err)
		}
		refuse := func(refreshable bool, tokens map[string]string) {
			for what, token := range tokens {
				_, err := showAccess(t, m[0], token)
				wantErr(t, what, err, remuda.ErrTokenInvalid)
				if m[0].Refreshable(token, remuda.Cookie) || m[0].Refreshable(token, remuda.Bearer) != refreshable {
					t.Errorf("%s is refreshable, or is not", what)
				}
			}
		}
		refuse(true, map[string]string{ // by the record
			"one with another id":                    forge(func(c *codec.Claims) { c.JTI[3] ^= 1 }),
			"the next generation":                    forge(func(c *codec.Claims) { c.Gen++ }),
			"another session":                        forge(func(c *codec.Claims) { c.Session[0] ^= 1 }),
			"in another's name":                      forge(func(c *codec.Claims) { c.Subject = c.Add("mallory") }),
			"one of another profile's refresh token": forge(func(c *codec.Claims) { c.Session, c.JTI = ofAPI.Session, ofAPI.JTI }),
		})
		asked := s[0].gets.Load()
		refuse(false, map[string]string{ // by what it says
			"another profile's":        api.Access.Reveal(),
			"one without an id":        forge(func(c *codec.Claims) { c.JTI = [16]byte{} }),
			"as if of another profile": forge(func(c *codec.Claims) { c.Profile = c.Add("api") }),
			"of an unknown profile":    forge(func(c *codec.Claims) { c.Profile = c.Add("two") }),
			"as of another server":     forge(func(c *codec.Claims) { c.Issuer = c.Add("https://evil.example") }),
			"for somebody else":        forge(func(c *codec.Claims) { c.Audience = c.Add("https://app.example/token/refresh") }),
			"one that is yet to be":    forge(func(c *codec.Claims) { c.IssuedAt = time.Now().Add(time.Hour).Unix() }),
			"somebody's who is nobody": forge(func(c *codec.Claims) { c.Anon = true }),
		})
		if n := s[0].gets.Load() - asked; n != 0 {
			t.Errorf("the store was asked %d times about tokens that cannot refresh", n)
		}
		// What it says of the user and of time is not believed, even well signed.
		next, err := showAccess(t, m[0], forge(func(c *codec.Claims) {
			c.Expires, c.Started, c.AuthTime = c.Expires+1e6, c.Started+1e6, c.AuthTime+1e6
			c.ACR, c.Tenant, c.App = c.Add("high"), c.Add("evil"), c.Add(`{"name":"Mallory"}`)
		}))
		if err != nil || next.Session.Gen != 2 || !next.Refresh.IsZero() {
			t.Fatalf("%+v, %v", next.Session, err)
		}
		was, is := g.Session, next.Session
		if is.ACR != was.ACR || is.Tenant != was.Tenant || is.Claims != was.Claims || !is.StartedAt.Equal(was.StartedAt) ||
			!is.AuthenticatedAt.Equal(was.AuthenticatedAt) || !is.Expires.Equal(was.Expires) {
			t.Errorf("believed: %+v", is)
		}
		if _, err := authenticate(t, m[0], next); err != nil {
			t.Error(err)
		}
		time.Sleep(remuda.API().Rotation.Grace + time.Minute)
		_, err = showAccess(t, m[0], g.Access.Reveal())
		wantErr(t, "again, late", err, remuda.ErrRefreshReused)
	})
}

// A token that a step-up has left behind goes on without its level, and only until
// the new one has been used.
func TestExtendLeftBehind(t *testing.T) {
	t.Parallel()
	kept, opaque := local(), classic()
	kept.Recordless = false
	opaque.Rotation.Grace = 0
	for name, c := range map[string]struct {
		profile remuda.Profile
		source  remuda.ClaimsSource
	}{"PASETO": {kept, nil}, "with a source of claims": {kept, named{}}, "opaque": {opaque, nil}} {
		for _, handedOver := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, handed over: %v", name, handedOver), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { leftBehind(t, c.profile, c.source, handedOver) })
			})
		}
	}
}

// named is a source that gives everybody a name.
type named struct{}

func (named) Claims(context.Context, remuda.Session, *remuda.Data) (any, error) {
	return map[string]string{"name": "Alice"}, nil
}

func leftBehind(t *testing.T, kept remuda.Profile, source remuda.ClaimsSource, handedOver bool) {
	t.Helper()
	m, _ := nodes(t, 1, func(_ int, cfg *remuda.Config) {
		cfg.ClaimsSource = source
		kept.Name = "kept"
		cfg.Profiles = append(cfg.Profiles, kept)
	})
	settle()
	old := start(t, m[0], "kept")
	login := old.Session.StartedAt
	if handedOver { // from one whose user signed in earlier
		time.Sleep(10 * time.Minute)
		var err error
		if old, err = redeem(t, m[0], mint(t, m[0], old), func(r *remuda.RedeemHandOffRequest) { r.Profile = "kept" }); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(10 * time.Minute)
	up, err := m[0].StepUp(t.Context(), remuda.StepUpRequest{Session: old.Session.ID, ACR: "high", AMR: []string{"otp"}})
	if err != nil {
		t.Fatal(err)
	}
	next, err := extend(t, m[0], old)
	if err != nil {
		t.Fatal(err)
	}
	s, err := authenticate(t, m[0], next)
	if err != nil || s.Gen != 1 || s.ACR != "" || s.AMR != nil || s.AuthenticatedAt.Sub(login).Abs() > time.Second {
		t.Errorf("what the old one became: %+v, %v", s, err)
	}
	if s, err := authenticate(t, m[0], up); err != nil || s.ACR != "high" {
		t.Errorf("the new one: %+v, %v", s, err)
	}
	for what, g := range map[string]remuda.Grant{"the old one": old, "what it became": next} {
		_, err := extend(t, m[0], g)
		wantErr(t, what, err, remuda.ErrTokenInvalid)
	}
	if up, err = extend(t, m[0], up); err != nil || up.Session.ACR != "high" {
		t.Errorf("the new one: %+v, %v", up.Session, err)
	}
}

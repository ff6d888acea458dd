package remuda_test

import (
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
		for what, token := range map[string]string{
			"another profile's":    start(t, m[0], "api").Access.Reveal(),
			"one without an id":    forge(func(c *codec.Claims) { c.JTI = [16]byte{} }),
			"one with another id":  forge(func(c *codec.Claims) { c.JTI[3] ^= 1 }),
			"the next generation":  forge(func(c *codec.Claims) { c.Gen++ }),
			"another session":      forge(func(c *codec.Claims) { c.Session[0] ^= 1 }),
			"in another's name":    forge(func(c *codec.Claims) { c.Subject = c.Add("mallory") }),
			"as of another server": forge(func(c *codec.Claims) { c.Issuer = c.Add("https://evil.example") }),
		} {
			_, err := showAccess(t, m[0], token)
			wantErr(t, what, err, remuda.ErrTokenInvalid)
		}
		asked := s[0].gets.Load()
		_, err := showAccess(t, m[0], forge(func(c *codec.Claims) { c.JTI = [16]byte{} }))
		wantErr(t, "without an id", err, remuda.ErrTokenInvalid)
		if s[0].gets.Load() != asked {
			t.Error("the store was asked about a token that cannot refresh")
		}
		next, err := showAccess(t, m[0], g.Access.Reveal())
		if err != nil || next.Session.Gen != 2 || !next.Refresh.IsZero() {
			t.Fatalf("%+v, %v", next.Session, err)
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
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 1, func(_ int, cfg *remuda.Config) {
			kept := local()
			kept.Name, kept.Recordless = "kept", false
			cfg.Profiles = append(cfg.Profiles, kept)
		})
		settle()
		old := start(t, m[0], "kept")
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
		if err != nil || s.Gen != 1 || s.ACR != "" || s.AMR != nil || s.AuthenticatedAt.Sub(old.Session.StartedAt).Abs() > time.Second {
			t.Errorf("what the old one became: %+v, %v", s, err)
		}
		if s, err := authenticate(t, m[0], up); err != nil || s.ACR != "high" {
			t.Errorf("the new one: %+v, %v", s, err)
		}
		time.Sleep(10 * time.Second) // until its use is written
		for what, g := range map[string]remuda.Grant{"the old one": old, "what it became": next} {
			_, err := extend(t, m[0], g)
			wantErr(t, what, err, remuda.ErrTokenInvalid)
		}
		if up, err = extend(t, m[0], up); err != nil || up.Session.ACR != "high" {
			t.Errorf("the new one: %+v, %v", up.Session, err)
		}
	})
}

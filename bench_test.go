package remuda_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/jwt"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
)

// benchProfile asks nobody on verifying, and rotates on every refresh.
func benchProfile(c *remuda.Config) {
	p := remuda.API()
	p.Liveness, p.MaxSessions = remuda.LiveExpiry, 0
	p.Rotation = remuda.Rotation{}
	c.Profiles = []remuda.Profile{p}
}

func plain(t testing.TB, m *remuda.Manager) remuda.Grant {
	t.Helper()
	g, err := m.Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestAuthenticateAllocations(t *testing.T) {
	for _, live := range []remuda.Liveness{remuda.LiveExpiry, remuda.LiveLog} {
		m := newManager(t, benchProfile, func(c *remuda.Config) { c.Profiles[0].Liveness = live })
		for live == remuda.LiveLog && m.Stats().Log.Degraded {
			time.Sleep(time.Millisecond) // until the log has been heard
		}
		req := remuda.AuthenticateRequest{Token: plain(t, m).Access.Reveal(), Transport: remuda.Bearer}
		// The session, and its texts.
		if n := testing.AllocsPerRun(1000, func() {
			if _, err := m.Authenticate(t.Context(), req); err != nil {
				t.Fatal(err)
			}
		}); n > 2 && !raceEnabled {
			t.Errorf("%v: %v allocations, want at most 2", live, n)
		}
	}
}

// BenchmarkLiveness is what asking the revocation log costs, beside asking nobody,
// in one run: with so many sessions that have ended and whose tokens have not
// expired.
func BenchmarkLiveness(b *testing.B) {
	run := func(name string, live remuda.Liveness, ended int) {
		b.Run(name, func(b *testing.B) {
			m := newManager(b, benchProfile, func(c *remuda.Config) {
				c.Profiles[0].Liveness = live
				fillLog(b, c.Store.(store.Log), ended)
			})
			for live == remuda.LiveLog && m.Ready(b.Context()) != nil {
				time.Sleep(10 * time.Millisecond)
			}
			req := remuda.AuthenticateRequest{Token: plain(b, m).Access.Reveal(), Transport: remuda.Bearer}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Authenticate(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("expiry", remuda.LiveExpiry, 0)
	run("log/0", remuda.LiveLog, 0)
	run("log/1000", remuda.LiveLog, 1000)
	run("log/1000000", remuda.LiveLog, 1_000_000)
}

// fillLog appends entries of sessions that ended a moment ago.
func fillLog(b *testing.B, log store.Log, n int) {
	b.Helper()
	now := time.Now()
	for n > 0 {
		batch := make([]store.Entry, min(n, 10_000))
		for i := range batch {
			var id store.ID
			_, _ = rand.Read(id[:])
			batch[i] = store.Entry{ID: id, Scope: store.ScopeSession, Target: string(id[:]), At: now, Until: now.Add(time.Hour), Reason: "logout"}
		}
		if err := log.Append(b.Context(), batch...); err != nil {
			b.Fatal(err)
		}
		n -= len(batch)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	m := newManager(b, benchProfile)
	for name, g := range map[string]remuda.Grant{"plain": plain(b, m), "claims": start(b, m, "api")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			req := remuda.AuthenticateRequest{Token: g.Access.Reveal(), Transport: remuda.Bearer}
			for b.Loop() {
				if _, err := m.Authenticate(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRefresh rotates one session over and over, on one core.
func BenchmarkRefresh(b *testing.B) {
	m := newManager(b, benchProfile)
	g := plain(b, m)
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if g, err = refresh(b, m, g); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refreshes/s")
}

func BenchmarkStart(b *testing.B) {
	m := newManager(b, benchProfile)
	b.ReportAllocs()
	for b.Loop() {
		plain(b, m)
	}
}

// BenchmarkRefreshSignatures is the part of BenchmarkRefresh that signs and
// checks tokens: subtract it for the cost of rotation itself.
func BenchmarkRefreshSignatures(b *testing.B) {
	ring, err := keyring.New(time.Now())
	if err != nil {
		b.Fatal(err)
	}
	c := jwt.New(ring)
	claims := func(typ codec.Type) *codec.Claims {
		cl := &codec.Claims{Type: typ, Session: [16]byte{1}, Gen: 7, IssuedAt: 1764000000, Expires: 1764000600}
		cl.Issuer, cl.Audience, cl.Subject = cl.Add("https://app.example"), cl.Add("https://app.example/token/refresh"), cl.Add("alice")
		if typ == codec.Access {
			cl.Profile, cl.AuthTime, cl.Started = cl.Add("api"), 1764000000, 1764000000000
		}
		return cl
	}
	access, refresh := claims(codec.Access), claims(codec.Refresh)
	token, err := c.Sign(nil, refresh)
	if err != nil {
		b.Fatal(err)
	}
	var shown codec.Claims
	b.ReportAllocs()
	for b.Loop() {
		if c.Verify(&shown, codec.Refresh, string(token)) != nil {
			b.Fatal("refused")
		}
		_, _ = c.Sign(nil, access)
		_, _ = c.Sign(nil, refresh)
	}
}

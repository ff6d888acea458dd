package remuda_test

import (
	"testing"

	"github.com/remuda-go/remuda"
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
	m := newManager(t, benchProfile)
	req := remuda.AuthenticateRequest{Token: plain(t, m).Access.Reveal(), Transport: remuda.Bearer}
	// The session, and its texts.
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := m.Authenticate(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}); n > 2 && !raceEnabled {
		t.Errorf("%v allocations, want at most 2", n)
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

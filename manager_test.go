package remuda_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store/memstore"
)

// newManager returns a manager over a fresh memstore, closed with the test.
func newManager(t testing.TB, change ...func(*remuda.Config)) *remuda.Manager {
	t.Helper()
	ring, err := keyring.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cfg := remuda.Config{
		Store: memstore.New(), Keys: ring, Issuer: "https://app.example",
		Profiles: []remuda.Profile{remuda.Web(), remuda.API()},
	}
	for _, c := range change {
		c(&cfg)
	}
	m, err := remuda.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(t.Context()) })
	return m
}

func start(t testing.TB, m *remuda.Manager, profile string) remuda.Grant {
	t.Helper()
	g, err := m.Start(t.Context(), remuda.StartRequest{Profile: profile, Subject: "alice", AMR: []string{"pwd"}, Claims: map[string]any{"name": "Alice"}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func authenticate(t testing.TB, m *remuda.Manager, g remuda.Grant) (*remuda.Session, error) {
	t.Helper()
	return m.Authenticate(t.Context(), remuda.AuthenticateRequest{Token: g.Access.Reveal(), Transport: remuda.Bearer})
}

func refresh(t testing.TB, m *remuda.Manager, g remuda.Grant) (remuda.Grant, error) {
	t.Helper()
	return m.Refresh(t.Context(), remuda.RefreshRequest{Token: g.Refresh.Reveal(), Transport: remuda.Bearer})
}

func TestSessionLife(t *testing.T) {
	t.Attr("requirement", "SEED-5")
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t)
		g1 := start(t, m, "api")
		s, err := authenticate(t, m, g1)
		if err != nil {
			t.Fatal(err)
		}
		if s.Subject != "alice" || s.Claims != `{"name":"Alice"}` || s.AMR[0] != "pwd" || s.ID != g1.Session.ID {
			t.Errorf("session = %+v", s)
		}

		time.Sleep(11 * time.Minute)
		if _, err := authenticate(t, m, g1); !errors.Is(err, remuda.ErrTokenExpired) {
			t.Errorf("expired access token: %v", err)
		}
		g2, err := refresh(t, m, g1)
		if err != nil {
			t.Fatal(err)
		}
		if g2.Session.Gen != 2 || g2.Refresh.IsZero() {
			t.Fatalf("refresh = %+v", g2)
		}
		again, err := refresh(t, m, g1) // the answer was lost
		if err != nil || again.Refresh.Reveal() != g2.Refresh.Reveal() {
			t.Fatalf("replay = %v, %v", again, err)
		}
		if _, err := authenticate(t, m, g2); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if _, err := refresh(t, m, g1); !errors.Is(err, remuda.ErrRefreshReused) {
			t.Errorf("reuse: %v", err)
		}
		if _, err := authenticate(t, m, g2); !errors.Is(err, remuda.ErrSessionEnded) {
			t.Errorf("after reuse: %v", err)
		}
	})
}

package remuda_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
)

// bind authenticates and binds; stop is called at the end of the test.
func bind(t testing.TB, m *remuda.Manager, g remuda.Grant) context.Context {
	t.Helper()
	s, err := authenticate(t, m, g)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop, err := m.Bind(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return ctx
}

func wantCause(ctx context.Context, t testing.TB, what string, want error) {
	t.Helper()
	if err := context.Cause(ctx); !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Errorf("%s: cause %v, want %v", what, err, want)
	}
}

func TestBindEnds(t *testing.T) {
	everybody := func(t *testing.T, m *remuda.Manager, _ remuda.SessionID) {
		t.Helper()
		if _, err := m.EndAll(t.Context(), remuda.EndAllRequest{Subject: "alice", Reason: remuda.EndPasswordChanged}); err != nil {
			t.Error(err)
		}
	}
	one := func(t *testing.T, m *remuda.Manager, id remuda.SessionID) {
		t.Helper()
		if err := m.End(t.Context(), remuda.EndRequest{Session: id, Reason: remuda.EndAdmin}); err != nil {
			t.Error(err)
		}
	}
	for _, tt := range []struct {
		name, profile string
		end           func(*testing.T, *remuda.Manager, remuda.SessionID)
		reason        remuda.EndReason
	}{
		{"one", "api", one, remuda.EndAdmin},
		{"all", "api", everybody, remuda.EndPasswordChanged},
		{"one without a record", "local", one, remuda.EndAdmin},
		{"all without a record", "local", everybody, remuda.EndPasswordChanged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, _ := nodes(t, 2)
				settle()
				g := start(t, m[0], tt.profile)
				here, there := bind(t, m[0], g), bind(t, m[1], g)
				other := bind(t, m[1], func() remuda.Grant {
					g, err := m[0].Start(t.Context(), remuda.StartRequest{Profile: tt.profile, Subject: "bob"})
					if err != nil {
						t.Fatal(err)
					}
					return g
				}())
				// Between two looks at what is bound: a look in the same instant may
				// see that it has ended before it hears why.
				time.Sleep(10*time.Second + 500*time.Millisecond)
				tt.end(t, m[0], g.Session.ID)
				settle()
				for _, ctx := range []context.Context{here, there} {
					wantCause(ctx, t, "ended", remuda.ErrSessionEnded)
					if ended, ok := errors.AsType[*remuda.EndedError](context.Cause(ctx)); !ok || ended.Reason != tt.reason {
						t.Errorf("cause %v", context.Cause(ctx))
					}
				}
				wantCause(other, t, "another user's", nil)
				s := g.Session
				if _, _, err := m[1].Bind(t.Context(), &s); !errors.Is(err, remuda.ErrSessionEnded) {
					t.Errorf("Bind afterwards: %v", err)
				}
			})
		})
	}
}

// TestBindOutlivesTokens: rotation does not end it, idling does.
func TestBindOutlivesTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 2, func(_ int, cfg *remuda.Config) {
			cfg.Profiles[1].Idle, cfg.Profiles[1].Absolute = 30*time.Minute, 2*time.Hour
		})
		settle()
		g := start(t, m[0], "api")
		ctx := bind(t, m[1], g)
		for range 4 {
			time.Sleep(20 * time.Minute)
			var err error
			if g, err = refresh(t, m[0], g); err != nil {
				t.Fatal(err)
			}
			wantCause(ctx, t, "in use", nil)
		}
		time.Sleep(29 * time.Minute)
		wantCause(ctx, t, "idle for 29 minutes", nil)
		time.Sleep(2 * time.Minute)
		wantCause(ctx, t, "idle", remuda.ErrSessionExpired)
	})
}

// TestBindWhileCut: each outage policy.
func TestBindWhileCut(t *testing.T) {
	for policy, want := range map[remuda.OutagePolicy]error{
		remuda.OutageCheck: remuda.ErrSessionEnded,
		remuda.OutageDeny:  remuda.ErrUnavailable,
		remuda.OutageServe: nil,
	} {
		t.Run(policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, s := nodes(t, 2, func(_ int, cfg *remuda.Config) { cfg.Profiles[1].Outage = policy })
				settle()
				g := start(t, m[0], "api")
				ctx := bind(t, m[1], g)
				s[1].cut.Store(true)
				if err := m[0].End(t.Context(), remuda.EndRequest{Session: g.Session.ID}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				wantCause(ctx, t, "within the bound", nil)
				time.Sleep(2*time.Second + 500*time.Millisecond)
				wantCause(ctx, t, "after the bound", want)
			})
		})
	}
}

// TestBindStore: nothing tells of the end but the record.
func TestBindStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 2, func(_ int, cfg *remuda.Config) {
			cfg.Profiles = cfg.Profiles[:2]
			for i := range cfg.Profiles {
				cfg.Profiles[i].Liveness = remuda.LiveStore
			}
		})
		g := start(t, m[0], "api")
		ctx := bind(t, m[1], g)
		if err := m[0].End(t.Context(), remuda.EndRequest{Session: g.Session.ID}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second + time.Millisecond)
		wantCause(ctx, t, "a second later", remuda.ErrSessionEnded)
	})
}

func TestBindStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 1)
		g := start(t, m[0], "api")
		s, err := authenticate(t, m[0], g)
		if err != nil {
			t.Fatal(err)
		}
		parent, cancel := context.WithCancel(t.Context())
		ctx, stop, err := m[0].Bind(parent, s)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		wantCause(ctx, t, "the connection is gone", context.Canceled)
		stop()
		stop()
	})
}

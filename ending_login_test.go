package remuda_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/store"
)

// TestEndMeetsLogin: a login that began before a wide ending does not survive it,
// wherever it was when the ending came: its password was just being checked, or its
// session was on the way to the store.
func TestEndMeetsLogin(t *testing.T) {
	t.Parallel()
	mixed := []remuda.Profile{classic(), remuda.API(), local()}
	for _, c := range []struct {
		name     string
		profiles []remuda.Profile
		use      string
		sel      remuda.Selection
		within   time.Duration // zero: at once
	}{
		{"all of a user", []remuda.Profile{remuda.API()}, "api", remuda.Selection{Subject: "alice"}, 0},
		{"all of a user, without a log", []remuda.Profile{classic()}, "classic", remuda.Selection{Subject: "alice"}, 0},
		{"all of a user, looked up", mixed, "classic", remuda.Selection{Subject: "alice"}, 0},
		{"all of a user, without records", mixed, "local", remuda.Selection{Subject: "alice"}, 0},
		{"everybody, without a log", []remuda.Profile{classic()}, "classic", remuda.Selection{Everything: true}, 0},
		{"a profile, without a log", []remuda.Profile{classic()}, "classic", remuda.Selection{Profile: "classic"}, 0},
		{"a user's of a profile", mixed, "api", remuda.Selection{Subject: "alice", Profile: "api"}, 20 * time.Second},
		{"a user's of a profile, looked up", mixed, "classic", remuda.Selection{Subject: "alice", Profile: "classic"}, 20 * time.Second},
		{"a user's of a profile, without a log", []remuda.Profile{classic()}, "classic", remuda.Selection{Subject: "alice", Profile: "classic"}, 20 * time.Second},
	} {
		for name, login := range map[string]func(*testing.T, *remuda.Manager, *spy, func()) (remuda.Grant, error){
			"while the password is checked": func(t *testing.T, m *remuda.Manager, _ *spy, end func()) (remuda.Grant, error) {
				t.Helper()
				began := m.Now()
				time.Sleep(time.Second)
				end()
				time.Sleep(time.Second)
				return m.Start(t.Context(), remuda.StartRequest{Profile: c.use, Subject: "alice", Began: began})
			},
			"while it is stored": func(t *testing.T, m *remuda.Manager, spy *spy, end func()) (remuda.Grant, error) {
				t.Helper()
				spy.before = func(store.ID) error { spy.before = nil; end(); return nil }
				return m.Start(t.Context(), remuda.StartRequest{Profile: c.use, Subject: "alice"})
			},
		} {
			if c.use == "local" && name == "while it is stored" {
				continue // nothing is
			}
			t.Run(c.name+", "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					m, spy := watched(t, func(_ int, cfg *remuda.Config) { cfg.Profiles = c.profiles })
					settle()
					ended := false
					g, err := login(t, m[1], spy, func() {
						ended = true
						if _, err := m[0].EndSelected(t.Context(), remuda.EndSelectedRequest{Selection: c.sel}); err != nil {
							t.Error(err)
						}
					})
					if !ended {
						t.Fatal("nothing was ended")
					}
					if errors.Is(err, remuda.ErrSessionEnded) {
						if n := len(live(t, m[0], "alice")); n != 0 {
							t.Errorf("%d sessions live", n)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					settle()
					time.Sleep(c.within)
					for i := range m {
						_, err := authenticate(t, m[i], g)
						wantErr(t, "afterwards", err, remuda.ErrSessionEnded)
					}
					if g, err := login(t, m[1], spy, func() {}); err != nil {
						t.Errorf("the next login: %v", err)
					} else if _, err := authenticate(t, m[0], g); err != nil {
						t.Errorf("the next login: %v", err)
					}
				})
			})
		}
	}
}

// TestDeadLoginEvictsNobody: a login that does not survive a wide ending makes no
// room for itself at the cost of the session that was spared.
func TestDeadLoginEvictsNobody(t *testing.T) {
	t.Parallel()
	one, log := classic(), remuda.API()
	one.MaxSessions, log.MaxSessions = 1, 1
	for _, p := range []remuda.Profile{one, log} {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, _ := nodes(t, 1, func(_ int, cfg *remuda.Config) { cfg.Profiles = []remuda.Profile{p} })
				settle()
				own := start(t, m[0], p.Name)
				time.Sleep(time.Second)
				began := m[0].Now()
				time.Sleep(time.Second)
				if _, err := m[0].EndAll(t.Context(), remuda.EndAllRequest{Subject: "alice", Except: own.Session.ID}); err != nil {
					t.Fatal(err)
				}
				_, err := m[0].Start(t.Context(), remuda.StartRequest{Profile: p.Name, Subject: "alice", Began: began})
				wantErr(t, "the login", err, remuda.ErrSessionEnded)
				_, err = authenticate(t, m[0], own)
				wantErr(t, "the one that was spared", err, nil)
			})
		})
	}
}

// TestLoginTakesTooLong: whoever takes longer to be checked than wide endings are
// kept for comes in only by another try.
func TestLoginTakesTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 1)
		began := m[0].Now()
		time.Sleep(11 * time.Second)
		_, err := m[0].Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: "alice", Began: began})
		wantErr(t, "too late", err, remuda.ErrUnavailable)
		// A clock that has been set back is no reason to refuse.
		g, err := m[0].Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: "alice", Began: m[0].Now().Add(time.Hour)})
		if err != nil || g.Session.StartedAt.After(m[0].Now()) {
			t.Errorf("%v, began at %v", err, g.Session.StartedAt)
		}
	})
}

package remuda_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
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

// keyed returns two managers, with a ring each of one source that is kept in a
// store of its own, and the id of the active key of an algorithm.
func keyed(t *testing.T, at store.Items, alg codec.Algorithm, profiles ...remuda.Profile) ([]*remuda.Manager, []*keyring.Ring, string) {
	t.Helper()
	m, _, rings, key := keyedNodes(t, at, alg, profiles...)
	return m, rings, key
}

// keyedNodes returns their stores too.
func keyedNodes(t *testing.T, at store.Items, alg codec.Algorithm, profiles ...remuda.Profile) ([]*remuda.Manager, []*node, []*keyring.Ring, string) {
	t.Helper()
	master, err := keyring.NewMaster()
	if err != nil {
		t.Fatal(err)
	}
	source, err := keyring.StoreSource(at, master, nil)
	if err != nil {
		t.Fatal(err)
	}
	var rings []*keyring.Ring
	m, s := nodes(t, 2, func(_ int, cfg *remuda.Config) {
		ring, err := keyring.Open(t.Context(), keyring.Config{Source: source, Create: true})
		if err != nil {
			t.Fatal(err)
		}
		rings = append(rings, ring)
		cfg.Keys, cfg.Profiles = ring, profiles
	})
	reload(t, rings)
	for _, key := range rings[0].List() {
		if key.Algorithm == alg && key.State == keyring.Active {
			return m, s, rings, key.ID
		}
	}
	t.Fatalf("no key for %s", alg)
	return nil, nil, nil, ""
}

// reload does what a running ring does now and then.
func reload(t *testing.T, rings []*keyring.Ring) {
	t.Helper()
	for _, r := range rings {
		if err := r.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBindKeyCompromised: whoever came in with a token of a key that others may
// have does not stay, wherever a node learns of it, and others do.
func TestBindKeyCompromised(t *testing.T) {
	t.Parallel()
	looked, short := remuda.API(), remuda.API()
	looked.Liveness = remuda.LiveStore
	short.Liveness = remuda.LiveExpiry
	for name, c := range map[string]struct {
		profile remuda.Profile
		alg     codec.Algorithm
	}{
		"by the log":       {remuda.API(), codec.HS256},
		"looked up":        {looked, codec.HS256},
		"until it expires": {short, codec.HS256},
		"opaque":           {classic(), keyring.Root},
		"without a record": {local(), codec.V4Local},
		"a sealed record":  {looked, keyring.Root},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				other := remuda.API()
				other.Name, other.Algorithm, other.Liveness = "other", codec.ES256, c.profile.Liveness
				m, rings, key := keyed(t, memstore.New(), c.alg, c.profile, other)
				settle()
				bound := bind(t, m[1], start(t, m[0], c.profile.Name))
				free := bind(t, m[1], start(t, m[0], "other"))
				time.Sleep(500 * time.Millisecond)
				if err := m[0].CompromiseKey(t.Context(), key); err != nil {
					t.Fatal(err)
				}
				if c.profile.Liveness != remuda.LiveLog { // nobody tells
					reload(t, rings)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				wantCause(bound, t, "with a token of the key", remuda.ErrSessionEnded)
				if c.alg != keyring.Root { // under which all records are sealed
					wantCause(free, t, "with another", nil)
				}
			})
		})
	}
}

// TestCompromiseKeySourceFails: the log tells of a key that the ring's source could
// not be told of.
func TestCompromiseKeySourceFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &spy{Store: memstore.New()}
		m, _, key := keyed(t, source, codec.HS256, remuda.API())
		settle()
		g := start(t, m[0], "api")
		full := errors.New("disk full")
		source.before = func(store.ID) error { return full }
		wantErr(t, "compromise", m[0].CompromiseKey(t.Context(), key), full)
		source.before = nil
		settle()
		_, err := authenticate(t, m[1], g)
		wantErr(t, "on another node", err, remuda.ErrTokenInvalid)
		wantErr(t, "a key that there is not", m[0].CompromiseKey(t.Context(), "AAAAAAAA"), keyring.ErrUnknownKey)
	})
}

// hung is a store in which one record cannot be read any more.
type hung struct {
	*memstore.Store

	id atomic.Pointer[remuda.SessionID]
}

func (h *hung) Get(ctx context.Context, id store.ID) (store.Record, error) {
	if at := h.id.Load(); at != nil && *at == id {
		<-ctx.Done()
		return store.Record{}, ctx.Err()
	}
	return h.Store.Get(ctx, id)
}

// TestBindHungStore: a record that cannot be read keeps the others waiting for no
// longer than usual, and itself for as long as is promised.
func TestBindHungStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var h *hung
		m, _ := nodes(t, 1, func(_ int, cfg *remuda.Config) {
			h = &hung{Store: cfg.Store.(*node).Store}
			cfg.Profiles, cfg.Store = []remuda.Profile{classic()}, h
		})
		sick := start(t, m[0], "classic")
		well := make([]remuda.Grant, 40)
		bound := make([]context.Context, len(well))
		stuck := bind(t, m[0], sick)
		for i := range well {
			g, err := m[0].Start(t.Context(), remuda.StartRequest{Profile: "classic", Subject: fmt.Sprint("user ", i)})
			if err != nil {
				t.Fatal(err)
			}
			well[i], bound[i] = g, bind(t, m[0], g)
		}
		time.Sleep(500 * time.Millisecond)
		h.id.Store(&sick.Session.ID)
		for _, g := range well[:20] {
			row, err := h.Store.Get(t.Context(), g.Session.ID)
			if err != nil {
				t.Fatal(err)
			}
			was := row.Version
			row.EndedAt, row.EndReason, row.Version = time.Now(), "admin", store.Version{1} // by another node
			if err := h.Update(t.Context(), row, was); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for i, ctx := range bound[:20] {
			wantCause(ctx, t, fmt.Sprint("ended ", i), remuda.ErrSessionEnded)
		}
		wantCause(stuck, t, "the one that hangs", nil)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		wantCause(stuck, t, "the one that hangs", remuda.ErrUnavailable)
		for i, ctx := range bound[20:] {
			wantCause(ctx, t, fmt.Sprint("alive ", i), nil)
		}
	})
}

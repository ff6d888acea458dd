package remuda_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
)

func extend(t testing.TB, m *remuda.Manager, g remuda.Grant) (remuda.Grant, error) {
	t.Helper()
	return m.Extend(t.Context(), remuda.ExtendRequest{Token: g.Access.Reveal(), Transport: remuda.Bearer})
}

// TestExtend: a session without a record goes on while it is used, to its
// absolute end.
func TestExtend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const absolute = 3 * time.Hour
		m, s := nodes(t, 2, func(_ int, cfg *remuda.Config) { cfg.Profiles[2].Absolute = absolute })
		settle()
		g := start(t, m[0], "local")
		if !g.Refresh.IsZero() || time.Until(g.AccessExpires) > 30*time.Minute {
			t.Errorf("grant %+v", g)
		}
		began := g.Session.StartedAt
		for g.AccessExpires.Before(began.Add(absolute - time.Second)) {
			time.Sleep(14 * time.Minute)
			if s, err := authenticate(t, m[1], g); err != nil || s.Renew {
				t.Fatalf("after 14 minutes: %+v, %v", s, err)
			}
			time.Sleep(2 * time.Minute)
			s, err := authenticate(t, m[1], g)
			if err != nil || !s.Renew {
				t.Fatalf("after 16 minutes: %+v, %v", s, err)
			}
			next, err := extend(t, m[1], g)
			if err != nil {
				t.Fatal(err)
			}
			if next.Session.ID != g.Session.ID || next.Session.Claims != `{"name":"Alice"}` || !next.Session.StartedAt.Equal(began) || next.Session.AuthenticatedAt.Unix() != began.Unix() {
				t.Fatalf("%+v\nwas %+v", next.Session, g.Session)
			}
			if _, err := authenticate(t, m[0], g); err != nil {
				t.Errorf("the one before: %v", err)
			}
			g = next
		}
		if d := g.AccessExpires.Sub(began); d > absolute || d < absolute-time.Second {
			t.Errorf("the last token ends after %v", d)
		}
		time.Sleep(time.Until(g.AccessExpires) - time.Second)
		if s, err := authenticate(t, m[1], g); err != nil || s.Renew {
			t.Errorf("the last one cannot be renewed: %+v, %v", s, err)
		}
		time.Sleep(time.Second)
		_, err := authenticate(t, m[0], g)
		wantErr(t, "at the end", err, remuda.ErrTokenExpired)
		_, err = extend(t, m[0], g)
		wantErr(t, "extend at the end", err, remuda.ErrTokenExpired)
		if s[0].gets.Load()+s[1].gets.Load() != 0 {
			t.Error("a record was asked for")
		}
	})
}

func TestExtendRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 2, func(_ int, cfg *remuda.Config) {
			fixed := remuda.Stateless()
			fixed.Transport = remuda.Bearer
			cfg.Profiles = append(cfg.Profiles, fixed)
		})
		settle()
		g := start(t, m[0], "local")
		_, err := extend(t, m[0], start(t, m[0], "api"))
		wantErr(t, "with a record", err, remuda.ErrTokenInvalid)
		_, err = extend(t, m[0], start(t, m[0], "stateless"))
		wantErr(t, "fixed", err, remuda.ErrRequest)
		_, err = m[0].Extend(t.Context(), remuda.ExtendRequest{Token: g.Access.Reveal(), Transport: remuda.Cookie})
		wantErr(t, "by another way", err, remuda.ErrTokenInvalid)
		if err := m[0].End(t.Context(), remuda.EndRequest{Session: g.Session.ID}); err != nil {
			t.Fatal(err)
		}
		settle()
		for i := range m {
			_, err := extend(t, m[i], g)
			wantErr(t, fmt.Sprintf("ended, node %d", i), err, remuda.ErrSessionEnded)
		}
		// The stateless session is not to be ended; its token runs out.
		f := start(t, m[0], "stateless")
		if err := m[0].End(t.Context(), remuda.EndRequest{Session: f.Session.ID}); err != nil {
			t.Fatal(err)
		}
		if _, err := authenticate(t, m[1], f); err != nil {
			t.Errorf("stateless: %v", err)
		}
		time.Sleep(15 * time.Minute)
		_, err = authenticate(t, m[1], f)
		wantErr(t, "stateless, later", err, remuda.ErrSessionExpired)
	})
}

// userTable is where the users of the tests are kept.
type userTable struct {
	mu    sync.Mutex
	names map[string]string
	loads atomic.Int64
	slow  chan struct{} // if not nil, loading waits for it
	takes time.Duration // how long loading takes
}

var errNoUser = errors.New("no such user")

func (u *userTable) load(_ context.Context, tenant, subject string) (string, error) {
	u.loads.Add(1)
	u.mu.Lock()
	name, ok := u.names[tenant+"/"+subject]
	slow := u.slow
	u.mu.Unlock()
	if slow != nil {
		<-slow
	}
	time.Sleep(u.takes)
	if !ok {
		return "", errNoUser
	}
	return name, nil
}

func (u *userTable) set(key, name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.names[key] = name
}

func newCache(t testing.TB, m *remuda.Manager, u *userTable, size int) *remuda.UserCache[string] {
	t.Helper()
	c, err := remuda.NewUserCache(remuda.UserCacheConfig[string]{Manager: m, Load: u.load, Size: size})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestUserCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := nodes(t, 2)
		settle()
		u := &userTable{names: map[string]string{"/alice": "Alice", "acme/alice": "Other"}}
		caches := []*remuda.UserCache[string]{newCache(t, m[0], u, 0), newCache(t, m[1], u, 0)}
		want := func(i int, tenant, name string, loads int64) {
			t.Helper()
			before := u.loads.Load()
			got, err := caches[i].Get(t.Context(), tenant, "alice")
			if got != name || err != nil || u.loads.Load()-before != loads {
				t.Errorf("node %d: %q, %v, %d loads; want %q, %d loads", i, got, err, u.loads.Load()-before, name, loads)
			}
		}
		want(0, "", "Alice", 1)
		want(0, "", "Alice", 0)
		want(0, "acme", "Other", 1)
		want(1, "", "Alice", 1)

		u.set("/alice", "Alice Liddell")
		want(1, "", "Alice", 0)
		changed := func() {
			t.Helper()
			if err := m[0].UserChanged(t.Context(), "", "alice"); err != nil {
				t.Fatal(err)
			}
		}
		changed()
		if got, err := caches[0].Get(t.Context(), "", "alice"); got != "Alice Liddell" || err != nil {
			t.Errorf("right after the change: %q, %v", got, err)
		}
		// The node hears the change from the log as well, which costs another load
		// if it comes in the middle of one: loads are counted once it has.
		changed()
		synctest.Wait()
		want(0, "", "Alice Liddell", 1)
		settle()
		want(1, "", "Alice Liddell", 1)
		want(1, "", "Alice Liddell", 0)

		if _, err := m[0].EndAll(t.Context(), remuda.EndAllRequest{Subject: "alice"}); err != nil {
			t.Fatal(err)
		}
		settle()
		want(1, "", "Alice Liddell", 1)
		if _, err := caches[0].Get(t.Context(), "", "nobody"); !errors.Is(err, errNoUser) {
			t.Errorf("nobody: %v", err)
		}

		time.Sleep(61 * time.Second)
		want(1, "", "Alice Liddell", 1) // too old

		// With the log cut nothing older than the bound is used.
		s[1].cut.Store(true)
		time.Sleep(10 * time.Second)
		want(1, "", "Alice Liddell", 1)
		want(1, "", "Alice Liddell", 0)
		time.Sleep(2*time.Second + time.Millisecond)
		want(1, "", "Alice Liddell", 1)
	})
}

// TestUserCacheStampede: one load for many requests, and what was loaded before a
// change is not used after it.
func TestUserCacheStampede(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 1)
		settle()
		u := &userTable{names: map[string]string{"/alice": "old"}, slow: make(chan struct{})}
		c := newCache(t, m[0], u, 0)
		var wg sync.WaitGroup
		get := func(want string) {
			wg.Go(func() {
				if name, err := c.Get(t.Context(), "", "alice"); name != want || err != nil {
					t.Errorf("%q, %v; want %q", name, err, want)
				}
			})
		}
		// All wait for one that reads the old name.
		for range 1000 {
			get("new")
		}
		synctest.Wait()
		if n := u.loads.Load(); n != 1 {
			t.Errorf("%d loads", n)
		}
		u.set("/alice", "new")
		if err := m[0].UserChanged(t.Context(), "", "alice"); err != nil {
			t.Fatal(err)
		}
		close(u.slow)
		wg.Wait()
		if n := u.loads.Load(); n > 5 {
			t.Errorf("%d loads for one change", n)
		}
	})
}

// TestUserCacheCutOff: with the log cut, a load that takes longer than what may be
// kept is still one for all who wait for it.
func TestUserCacheCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := nodes(t, 1)
		settle()
		s[0].cut.Store(true)
		time.Sleep(10 * time.Second)
		u := &userTable{names: map[string]string{"/alice": "Alice"}, takes: 3 * time.Second}
		c := newCache(t, m[0], u, 0)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if name, err := c.Get(t.Context(), "", "alice"); name != "Alice" || err != nil {
					t.Errorf("%q, %v", name, err)
				}
			})
			time.Sleep(20 * time.Millisecond)
		}
		wg.Wait()
		if n := u.loads.Load(); n > 2 {
			t.Errorf("%d loads", n)
		}
	})
}

func TestUserCacheSize(t *testing.T) {
	t.Parallel()
	m, _ := nodes(t, 1)
	u := &userTable{names: map[string]string{}}
	for i := range 10_000 {
		u.names[fmt.Sprintf("/u%d", i)] = "x"
	}
	c := newCache(t, m[0], u, 1000)
	for i := range 10_000 {
		if _, err := c.Get(t.Context(), "", fmt.Sprintf("u%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.Len(); n > 1000 {
		t.Errorf("%d users are kept", n)
	}
}

// TestClassic: an opaque token that rolls, changes at a step-up, and keeps what a
// visitor had put into the basket.
func TestClassic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 2, func(_ int, cfg *remuda.Config) {
			cfg.Profiles = append(cfg.Profiles, classic())
		})
		visitor, err := m[0].Start(t.Context(), remuda.StartRequest{Profile: "classic", Anonymous: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m[0].PatchData(t.Context(), visitor.Session.ID, remuda.DataPatch{"basket": []string{"oats"}}); err != nil {
			t.Fatal(err)
		}
		if s, err := authenticate(t, m[1], visitor); err != nil || !s.Anonymous() {
			t.Fatalf("visitor: %+v, %v", s, err)
		}
		g, err := m[1].Start(t.Context(), remuda.StartRequest{Profile: "classic", Subject: "alice", Replaces: visitor.Session.ID})
		if err != nil {
			t.Fatal(err)
		}
		if g.Session.ID == visitor.Session.ID || !strings.HasPrefix(g.Access.Reveal(), "rmd_at_") || !g.Refresh.IsZero() {
			t.Errorf("grant %+v", g)
		}
		d, err := m[0].Data(t.Context(), g.Session.ID)
		if err != nil {
			t.Fatal(err)
		}
		if basket, ok, err := remuda.DataValue[[]string](d, "basket"); !ok || err != nil || len(basket) != 1 {
			t.Errorf("basket %v, %v, %v", basket, ok, err)
		}
		_, err = authenticate(t, m[0], visitor)
		wantErr(t, "the visitor's token", err, remuda.ErrSessionEnded)

		// It rolls: 20 minutes and again 20 are longer than Idle.
		for range 4 {
			time.Sleep(20 * time.Minute)
			if _, err := authenticate(t, m[0], g); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute) // until the note is written
		}
		next, err := m[0].StepUp(t.Context(), remuda.StepUpRequest{Session: g.Session.ID, AMR: []string{"pwd"}})
		if err != nil || next.Access.Reveal() == g.Access.Reveal() {
			t.Fatalf("step-up: %v, %v", next, err)
		}
		if _, err := authenticate(t, m[1], next); err != nil {
			t.Fatal(err)
		}
		if _, err := authenticate(t, m[1], g); err != nil {
			t.Errorf("a request on its way: %v", err)
		}
		time.Sleep(11 * time.Second)
		_, err = authenticate(t, m[1], g)
		wantErr(t, "the former token", err, remuda.ErrTokenInvalid)
		if err := m[1].End(t.Context(), remuda.EndRequest{Session: g.Session.ID}); err != nil {
			t.Fatal(err)
		}
		_, err = authenticate(t, m[0], next)
		wantErr(t, "after logout, on the other node", err, remuda.ErrSessionEnded)
	})
}

package remuda_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// known is a refresh by a client that can be recognised.
func known(ctx context.Context, m *remuda.Manager, token, key string) (remuda.Grant, error) {
	return m.Refresh(ctx, remuda.RefreshRequest{
		Token: token, Transport: remuda.Bearer, RetryKey: key, Client: remuda.Client{UserAgent: firefox},
	})
}

func startKnown(t *testing.T, m *remuda.Manager) remuda.Grant {
	t.Helper()
	g, err := m.Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: "alice", Client: remuda.Client{UserAgent: firefox}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// together calls do n times at once and returns what came of each.
func together[T any](n int, do func() T) []T {
	out := make([]T, n)
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() { out[i] = do() })
	}
	wg.Wait()
	return out
}

type answer struct {
	grant remuda.Grant
	err   error
}

func TestParallelRefreshes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ n, most int }{{100, 100}, {10_000, 129}} {
		synctest.Test(t, func(t *testing.T) {
			m := newManager(t)
			g := startKnown(t, m)
			time.Sleep(2 * time.Minute)
			served, successor := 0, ""
			for _, a := range together(c.n, func() answer {
				g, err := known(t.Context(), m, g.Refresh.Reveal(), "")
				return answer{g, err}
			}) {
				switch {
				case errors.Is(a.err, remuda.ErrThrottled):
				case a.err != nil:
					t.Fatal(a.err)
				case a.grant.Session.Gen != 2 || successor != "" && successor != a.grant.Refresh.Reveal():
					t.Fatalf("generation %d, or a second successor", a.grant.Session.Gen)
				default:
					served, successor = served+1, a.grant.Refresh.Reveal()
				}
			}
			if served != c.most {
				t.Errorf("%d of %d were served, want %d", served, c.n, c.most)
			}
		})
	}
}

func TestEndAgainstRefreshes(t *testing.T) {
	t.Parallel()
	for range 30 {
		synctest.Test(t, func(t *testing.T) {
			s := memstore.New()
			m := newManager(t, func(c *remuda.Config) { c.Store = s })
			g := startKnown(t, m)
			time.Sleep(2 * time.Minute)
			var over atomic.Bool
			var wg sync.WaitGroup
			for range 40 {
				wg.Go(func() {
					after := over.Load()
					_, err := known(t.Context(), m, g.Refresh.Reveal(), "")
					if after && !errors.Is(err, remuda.ErrSessionEnded) {
						t.Errorf("a refresh after the end: %v", err)
					}
				})
			}
			wg.Go(func() {
				if err := m.End(t.Context(), remuda.EndRequest{Session: g.Session.ID}); err != nil {
					t.Error(err)
				}
				over.Store(true)
				row, err := s.Get(t.Context(), g.Session.ID)
				if err != nil || !row.Ended() {
					t.Errorf("after the end: %+v, %v", row, err)
				}
			})
			wg.Wait()
			if _, err := known(t.Context(), m, g.Refresh.Reveal(), ""); !errors.Is(err, remuda.ErrSessionEnded) {
				t.Errorf("refresh: %v", err)
			}
			if _, err := authenticate(t, m, g); err == nil {
				t.Error("the access token is still good")
			}
			time.Sleep(2 * time.Minute) // every note of a use is written
			row, err := s.Get(t.Context(), g.Session.ID)
			if err != nil || !row.Ended() || row.EndReason != string(remuda.EndLogout) {
				t.Errorf("later: %+v, %v", row, err)
			}
			if _, err := m.Sweep(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			_, _ = known(t.Context(), m, g.Refresh.Reveal(), "")
			if _, err := s.Get(t.Context(), g.Session.ID); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("swept, and back: %v", err)
			}
		})
	}
}

func TestLostAnswer(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "0123456789abcdef"} {
		for _, used := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				m := newManager(t)
				g1 := startKnown(t, m)
				time.Sleep(2 * time.Minute)
				g2, err := known(t.Context(), m, g1.Refresh.Reveal(), key)
				if err != nil {
					t.Fatal(err)
				}
				if used {
					if _, err := authenticate(t, m, g2); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Hour)
				again, err := known(t.Context(), m, g1.Refresh.Reveal(), key)
				if used && key == "" {
					if !errors.Is(err, remuda.ErrRefreshReused) {
						t.Errorf("an old token, its successor used: %v", err)
					}
					return
				}
				if err != nil || again.Refresh.Reveal() != g2.Refresh.Reveal() {
					t.Errorf("key %q, used %v: %v", key, used, err)
				}
			})
		}
	}
}

func TestCurrentHasNoRefreshToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t)
		g := startKnown(t, m)
		for range 5 {
			time.Sleep(time.Second)
			now, err := known(t.Context(), m, g.Refresh.Reveal(), "")
			if err != nil || !now.Refresh.IsZero() || now.Access.IsZero() || now.Session.Gen != 1 {
				t.Fatalf("%+v, %v", now, err)
			}
		}
	})
}

func TestStepUpBesideRefresh(t *testing.T) {
	t.Parallel()
	for range 30 {
		synctest.Test(t, func(t *testing.T) {
			m := newManager(t)
			g := startKnown(t, m)
			time.Sleep(2 * time.Minute)
			var wg sync.WaitGroup
			var up answer
			wg.Go(func() { _, _ = known(t.Context(), m, g.Refresh.Reveal(), "") })
			wg.Go(func() {
				up.grant, up.err = m.StepUp(t.Context(), remuda.StepUpRequest{Session: g.Session.ID, ACR: "high", Client: remuda.Client{UserAgent: firefox}})
			})
			wg.Wait()
			if up.err != nil {
				t.Fatal(up.err)
			}
			// Whichever came first, the newest generation is one and good.
			s, err := m.Session(t.Context(), g.Session.ID)
			if err != nil || s.ACR != "high" || s.Gen < 2 || s.Gen > 3 {
				t.Fatalf("%+v, %v", s, err)
			}
			time.Sleep(2 * time.Minute)
			if _, err := known(t.Context(), m, up.grant.Refresh.Reveal(), ""); err != nil {
				t.Errorf("the stepped-up credential: %v", err)
			}
		})
	}
}

func TestSessionCap(t *testing.T) {
	t.Parallel()
	count := func(t *testing.T, m *remuda.Manager) (ids []remuda.SessionID) {
		t.Helper()
		for s, err := range m.Sessions(t.Context(), remuda.SessionsRequest{Subject: "alice"}) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, s.ID)
		}
		return ids
	}
	for _, limit := range []remuda.LimitPolicy{remuda.LimitOldestOut, remuda.LimitRefuse} {
		synctest.Test(t, func(t *testing.T) {
			m := newManager(t, func(c *remuda.Config) {
				p := remuda.API()
				p.MaxSessions, p.AtLimit = 3, limit
				c.Profiles = []remuda.Profile{p}
			})
			login := func() answer {
				g, err := m.Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: "alice"})
				return answer{g, err}
			}
			var ids []remuda.SessionID
			for range 3 {
				a := login()
				if a.err != nil {
					t.Fatal(a.err)
				}
				ids = append(ids, a.grant.Session.ID)
				time.Sleep(time.Second)
			}
			fourth := login()
			if refused := limit == remuda.LimitRefuse; refused != errors.Is(fourth.err, remuda.ErrSessionLimit) || refused != slices.Contains(count(t, m), ids[0]) {
				t.Errorf("limit %v: %v", limit, fourth.err)
			}
			together(50, login)
			if n := len(count(t, m)); n > 3 {
				t.Errorf("limit %v: %d sessions", limit, n)
			}
		})
	}
}

func TestLifetimesAndJitter(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-7.3.2")
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t)
		web := remuda.Web()
		differ := map[time.Duration]bool{}
		for i := range 200 {
			remember := i%2 == 0
			g, err := m.Start(t.Context(), remuda.StartRequest{Profile: "web", Subject: "bob", Remember: remember})
			if err != nil {
				t.Fatal(err)
			}
			now, idle, absolute := time.Now(), web.Idle, web.Absolute
			if remember {
				idle, absolute = web.RememberIdle, web.RememberAbsolute
			}
			s := g.Session
			if s.IdleExpires.Sub(now) != idle || s.Expires.Sub(now) != absolute || s.Remembered != remember {
				t.Fatalf("remember %v: %v, %v", remember, s.IdleExpires.Sub(now), s.Expires.Sub(now))
			}
			life := g.AccessExpires.Sub(now)
			differ[life] = true
			if life > web.Access || life < web.Access-web.Access/20-time.Second {
				t.Fatalf("an access token lives %v", life)
			}
		}
		if len(differ) < 5 {
			t.Errorf("only %d lifetimes", len(differ))
		}
	})
}

// spied is a memstore with a clock, and with touches that are seen and can fail.
type spied struct {
	*memstore.Store
	skew atomic.Int64
	fail atomic.Bool

	mu      sync.Mutex
	touches []store.Touch
}

func (s *spied) Time(context.Context) (time.Time, error) {
	return time.Now().Add(time.Duration(s.skew.Load())), nil
}

func (s *spied) Touch(ctx context.Context, batch []store.Touch) error {
	if s.fail.Load() {
		return errors.New("no")
	}
	s.mu.Lock()
	s.touches = append(s.touches, batch...)
	s.mu.Unlock()
	return s.Store.Touch(ctx, batch)
}

func (s *spied) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.touches)
}

func newSpied(t *testing.T) (*spied, *remuda.Manager) {
	t.Helper()
	s := &spied{Store: memstore.New()}
	return s, newManager(t, func(c *remuda.Config) { c.Store = s })
}

func TestStoreTime(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-16.2.2")
	for _, sign := range []time.Duration{1, -1} {
		synctest.Test(t, func(t *testing.T) {
			s, m := newSpied(t)
			skew := func(d time.Duration) {
				s.skew.Store(int64(sign * d))
				time.Sleep(6 * time.Second) // until it is measured again
			}
			skew(20 * time.Second)
			g := startKnown(t, m)
			if off := time.Until(g.Session.StartedAt); off != sign*20*time.Second {
				t.Errorf("decided %v off this node's clock", off)
			}
			skew(30 * time.Second)
			if _, err := known(t.Context(), m, g.Refresh.Reveal(), ""); err != nil || m.Ready(t.Context()) != nil {
				t.Errorf("at the leeway: %v", err)
			}
			skew(30*time.Second + time.Microsecond)
			_, refreshed := known(t.Context(), m, g.Refresh.Reveal(), "")
			_, started := m.Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: "alice"})
			_, stepped := m.StepUp(t.Context(), remuda.StepUpRequest{Session: g.Session.ID})
			for _, err := range []error{refreshed, started, stepped, m.Ready(t.Context())} {
				if !errors.Is(err, remuda.ErrUnavailable) {
					t.Errorf("beyond the leeway: %v", err)
				}
			}
		})
	}
}

func TestToucher(t *testing.T) {
	t.Parallel()
	use := func(t *testing.T, m *remuda.Manager, g remuda.Grant, passive, relay bool) {
		t.Helper()
		if _, err := m.Authenticate(t.Context(), remuda.AuthenticateRequest{Token: g.Access.Reveal(), Transport: remuda.Bearer, Passive: passive, Relay: relay}); err != nil {
			t.Fatal(err)
		}
	}
	get := func(t *testing.T, s *spied, g remuda.Grant) store.Record {
		t.Helper()
		row, err := s.Get(t.Context(), g.Session.ID)
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
	for name, do := range map[string]func(t *testing.T, s *spied, m *remuda.Manager, g remuda.Grant){
		"first sight within a second": func(t *testing.T, s *spied, m *remuda.Manager, g remuda.Grant) {
			at := time.Now()
			use(t, m, g, false, false)
			time.Sleep(time.Second)
			row := get(t, s, g)
			if !row.GenSeen || !row.WindowAt.Equal(at) || !row.LastSeen.Equal(at) || !row.IdleExpires.Equal(at.Add(remuda.API().Idle)) {
				t.Errorf("%+v", row)
			}
		},
		"activity about once a minute": func(t *testing.T, s *spied, m *remuda.Manager, g remuda.Grant) {
			for range 9 * 60 {
				use(t, m, g, false, false)
				time.Sleep(time.Second)
			}
			if n := s.count(); n < 9 || n > 10 { // the first sight besides
				t.Errorf("%d touches in nine minutes", n)
			}
		},
		"a passive use is seen and is no activity": func(t *testing.T, s *spied, m *remuda.Manager, g remuda.Grant) {
			was := get(t, s, g)
			use(t, m, g, true, false)
			time.Sleep(2 * time.Minute)
			if row := get(t, s, g); !row.GenSeen || !row.IdleExpires.Equal(was.IdleExpires) || !row.LastSeen.Equal(was.LastSeen) {
				t.Errorf("%+v", row)
			}
		},
		"a relayed use is activity and is not seen": func(t *testing.T, s *spied, m *remuda.Manager, g remuda.Grant) {
			was := get(t, s, g)
			use(t, m, g, false, true)
			time.Sleep(2 * time.Minute)
			if row := get(t, s, g); row.GenSeen || !row.IdleExpires.After(was.IdleExpires) {
				t.Errorf("%+v", row)
			}
		},
		"what failed is written later": func(t *testing.T, s *spied, m *remuda.Manager, g remuda.Grant) {
			at := time.Now()
			s.fail.Store(true)
			use(t, m, g, false, false)
			time.Sleep(2 * time.Second)
			s.fail.Store(false)
			time.Sleep(time.Minute)
			if row := get(t, s, g); !row.GenSeen || !row.WindowAt.Equal(at) {
				t.Errorf("%+v", row)
			}
		},
		"a crash loses what was not written, and no more": func(t *testing.T, s *spied, m *remuda.Manager, g remuda.Grant) {
			use(t, m, g, false, false)
			time.Sleep(time.Second)
			written := get(t, s, g)
			use(t, m, g, false, false)
			if row := get(t, s, g); !row.GenSeen || row.Version != written.Version {
				t.Errorf("%+v", row)
			}
		},
		"a refresh sees what its node knows": func(t *testing.T, s *spied, m *remuda.Manager, g remuda.Grant) {
			time.Sleep(2 * time.Minute)
			g2, err := known(t.Context(), m, g.Refresh.Reveal(), "")
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			use(t, m, g2, false, false)
			time.Sleep(30*time.Second + time.Microsecond)
			if _, err := known(t.Context(), m, g.Refresh.Reveal(), ""); !errors.Is(err, remuda.ErrRefreshReused) {
				t.Error(err)
			}
		},
		"a use is noted before it is written": func(t *testing.T, s *spied, m *remuda.Manager, g remuda.Grant) {
			use(t, m, g, false, false)
			if _, err := known(t.Context(), m, g.Refresh.Reveal(), ""); err != nil {
				t.Fatal(err)
			}
			if row := get(t, s, g); !row.GenSeen || s.count() != 1 {
				t.Errorf("%+v after %d touches", row, s.count())
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, m := newSpied(t)
				g := startKnown(t, m)
				time.Sleep(time.Second)
				do(t, s, m, g)
			})
		})
	}
}

// TestSessionSchedules plays random schedules of one honest client, of two tokens
// or of one, with a step-up or an end at any point, on a real manager.
func TestSessionSchedules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ops := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 25).Draw(rt, "ops")
		waits := rapid.SliceOfN(rapid.SampledFrom([]time.Duration{0, time.Second, 20 * time.Second, 61 * time.Second, 8 * time.Minute, 11 * time.Minute}), len(ops), len(ops)).Draw(rt, "waits")
		byAccess := rapid.Bool().Draw(rt, "by access")
		wrong := ""
		synctest.Test(t, func(t *testing.T) { wrong = play(t, ops, waits, byAccess) })
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

// play returns what went wrong, or "".
func play(t *testing.T, ops []int, waits []time.Duration, byAccess bool) string {
	m := newManager(t, func(c *remuda.Config) {
		if byAccess {
			c.Profiles[1].Rotation.Early, c.Profiles[1].Rotation.ByAccess = remuda.EarlyRefuse, true
		}
	})
	held := startKnown(t, m)
	shown := func() string { // what refreshes
		if byAccess {
			return held.Access.Reveal()
		}
		return held.Refresh.Reveal()
	}
	gen, over := uint32(1), false
	late := 0 // answers lost in a row: the eighth is taken for a thief's
	for i, op := range ops {
		time.Sleep(waits[i])
		var answers []answer
		refreshes := func(n int) {
			answers = together(n, func() answer {
				g, err := known(t.Context(), m, shown(), "")
				return answer{g, err}
			})
		}
		lost := false
		switch op {
		case 0, 1:
			refreshes(1)
		case 2:
			refreshes(1)
			lost, late = true, late+1
		case 3:
			refreshes(10)
		case 4:
			_, _ = authenticate(t, m, held)
		case 5:
			answers = []answer{stepUp(t, m, held)}
		case 7: // its answer is lost
			answers = []answer{stepUp(t, m, held)}
			lost = true
		case 8: // beside refreshes
			var up answer
			var wg sync.WaitGroup
			wg.Go(func() { up = stepUp(t, m, held) })
			refreshes(3)
			wg.Wait()
			answers = append(answers, up)
		case 6:
			if i < len(ops)/2 {
				continue // most schedules go on for a while
			}
			refreshes(0)
			var wg sync.WaitGroup
			wg.Go(func() { refreshes(5) })
			if err := m.End(t.Context(), remuda.EndRequest{Session: held.Session.ID}); err != nil {
				return err.Error()
			}
			wg.Wait()
			answers, over = nil, true
			refreshes(2)
		}
		for _, a := range answers {
			switch {
			case errors.Is(a.err, remuda.ErrRefreshReused) && late < 8:
				return "an honest client was taken for a thief"
			case over && !errors.Is(a.err, remuda.ErrSessionEnded):
				return "an ended session answers"
			case a.err == nil && (a.grant.Session.Gen < gen || a.grant.Session.Gen > gen+2):
				return "generations do not rise by one"
			}
		}
		for _, a := range answers {
			if a.err == nil && byAccess && !a.grant.Refresh.IsZero() {
				return "there is a second token"
			}
			newer := a.grant.Session.Gen > held.Session.Gen && !a.grant.Refresh.IsZero() ||
				byAccess && a.grant.Session.Gen >= held.Session.Gen
			if a.err == nil && !lost && newer {
				held = a.grant
			}
			if a.err == nil {
				gen = max(gen, a.grant.Session.Gen)
			}
		}
	}
	return ""
}

func stepUp(t *testing.T, m *remuda.Manager, held remuda.Grant) answer {
	g, err := m.StepUp(t.Context(), remuda.StepUpRequest{Session: held.Session.ID, Client: remuda.Client{UserAgent: firefox}})
	return answer{g, err}
}

// TestStaleSwap: what was decided on one version is not written over another,
// and never over an end.
func TestStaleSwap(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	m := newManager(t, func(c *remuda.Config) { c.Store = s })
	g := startKnown(t, m)
	old, err := s.Get(t.Context(), g.Session.ID)
	if err != nil {
		t.Fatal(err)
	}
	swap := func(was store.Version) error {
		r := old
		r.Version[0]++
		return s.Update(t.Context(), r, was)
	}
	if _, err := m.StepUp(t.Context(), remuda.StepUpRequest{Session: g.Session.ID}); err != nil {
		t.Fatal(err)
	}
	if err := swap(old.Version); !errors.Is(err, store.ErrConflict) {
		t.Errorf("over a newer version: %v", err)
	}
	if err := m.End(t.Context(), remuda.EndRequest{Session: g.Session.ID}); err != nil {
		t.Fatal(err)
	}
	end, err := s.Get(t.Context(), g.Session.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := swap(end.Version); !errors.Is(err, store.ErrConflict) {
		t.Errorf("over an end: %v", err)
	}
}

// TestOldGenerationTouch: a use of the old access token does not say that the
// new generation has arrived.
func TestOldGenerationTouch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := newSpied(t)
		g := startKnown(t, m)
		time.Sleep(2 * time.Minute)
		if _, err := known(t.Context(), m, g.Refresh.Reveal(), ""); err != nil {
			t.Fatal(err)
		}
		if _, err := authenticate(t, m, g); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		row, err := s.Get(t.Context(), g.Session.ID)
		if err != nil || row.GenSeen || row.Gen != 2 {
			t.Errorf("%+v, %v", row, err)
		}
	})
}

// TestThiefOnTwoNodes: the owner rotates on one node and uses the successor; a
// copy of the old token on another node ends the session on both.
func TestThiefOnTwoNodes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &spied{Store: memstore.New()}
		ring, err := keyring.New(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		share := func(c *remuda.Config) { c.Store, c.Keys = s, ring }
		a, b := newManager(t, share), newManager(t, share)
		g1 := startKnown(t, a)
		time.Sleep(2 * time.Minute)
		g2, err := known(t.Context(), a, g1.Refresh.Reveal(), "")
		if err != nil || g2.Session.Gen != 2 {
			t.Fatal(err)
		}
		if _, err := authenticate(t, a, g2); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		g3, err := known(t.Context(), b, g2.Refresh.Reveal(), "")
		if err != nil || g3.Session.Gen != 3 {
			t.Fatalf("generation %d, %v", g3.Session.Gen, err)
		}
		if _, err := known(t.Context(), b, g1.Refresh.Reveal(), ""); !errors.Is(err, remuda.ErrRefreshReused) {
			t.Errorf("the thief: %v", err)
		}
		if row, err := s.Get(t.Context(), g1.Session.ID); err != nil || !row.Ended() {
			t.Errorf("%+v, %v", row, err)
		}
	})
}

// TestVersionsAreNew: no change of a session brings back a version.
func TestVersionsAreNew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := newSpied(t)
		g := startKnown(t, m)
		seen := map[store.Version]bool{}
		for range 20 {
			row, err := s.Get(t.Context(), g.Session.ID)
			if err != nil || seen[row.Version] {
				t.Fatalf("a version came back: %v", err)
			}
			seen[row.Version] = true
			time.Sleep(2 * time.Minute)
			if g, err = known(t.Context(), m, g.Refresh.Reveal(), ""); err != nil {
				t.Fatal(err)
			}
		}
	})
}

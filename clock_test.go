package remuda_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/internal/steady/steadytest"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

const leeway = 30 * time.Second

// clocked is a node on a machine whose clock can be set.
type clocked struct {
	*remuda.Manager
	machine *steadytest.Machine
	events  clockEvents
}

type clockEvents struct{ set atomic.Int32 }

func (c *clockEvents) Emit(e event.Event) {
	if e.Kind == event.ClockSet {
		c.set.Add(1)
	}
}

// newClocked starts it in a bubble. The machine has been up for a day.
func newClocked(t *testing.T, s store.Store, zone *time.Location) *clocked {
	t.Helper()
	begun := time.Now()
	c := &clocked{machine: steadytest.Passing(begun, func() time.Duration { return time.Since(begun) })}
	c.machine.Booted(24 * time.Hour)
	c.machine.Zone(zone)
	p := remuda.API()
	p.Access, p.Idle, p.Absolute, p.Jitter = 10*time.Minute, 2*time.Hour, 3*time.Hour, 0
	c.Manager = newManager(t, func(cfg *remuda.Config) {
		cfg.Store, cfg.Now, cfg.Events, cfg.Profiles = s, c.machine.Now, &c.events, []remuda.Profile{p}
		cfg.SetUptime(c.machine.Uptime)
	})
	return c
}

// storeClock is a store with a clock of its own.
type storeClock struct {
	*memstore.Store
	ahead atomic.Int64
}

func (s *storeClock) Time(context.Context) (time.Time, error) {
	return time.Now().Add(time.Duration(s.ahead.Load())), nil
}

// TestClockSet: whoever sets a clock while a node runs, and wherever it is, nothing
// lives longer or shorter by more than the leeway, and nobody is signed out.
func TestClockSet(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "NIST-13")
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	machine := func(d time.Duration) func(*clocked, *storeClock) {
		return func(c *clocked, _ *storeClock) { c.machine.Step(d) }
	}
	theirs := func(d time.Duration) func(*clocked, *storeClock) {
		return func(_ *clocked, s *storeClock) { s.ahead.Store(int64(d)) }
	}
	for name, c := range map[string]struct {
		set  func(*clocked, *storeClock)
		tell bool // it is told
	}{
		"not at all":              {func(*clocked, *storeClock) {}, false},
		"an hour ahead":           {machine(time.Hour), true},
		"an hour back":            {machine(-time.Hour), true},
		"a year ahead":            {machine(365 * 24 * time.Hour), true},
		"a year back":             {machine(-365 * 24 * time.Hour), true},
		"a leap second":           {machine(-time.Second), false},
		"a leap second left out":  {machine(time.Second), false},
		"ahead by the leeway":     {machine(leeway), false},
		"back by the leeway":      {machine(-leeway), false},
		"another zone":            {func(c *clocked, _ *storeClock) { c.machine.Zone(berlin) }, false},
		"the store an hour ahead": {theirs(time.Hour), true},
		"the store an hour back":  {theirs(-time.Hour), true},
	} {
		for _, kind := range []string{"own", "store"} {
			if kind == "own" && (name == "the store an hour ahead" || name == "the store an hour back") {
				continue
			}
			t.Run(name+", "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					// Summer time begins in Berlin in the second hour.
					time.Sleep(time.Until(time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC)))
					s := &storeClock{Store: memstore.New()}
					var on store.Store = s
					if kind == "own" {
						on = s.Store
					}
					n := newClocked(t, on, berlin)
					n.keepsTime(t, func() { c.set(n, s) })
					if told := n.events.set.Load() > 0; told != c.tell {
						t.Errorf("told %v, want %v", told, c.tell)
					}
				})
			})
		}
	}
}

// keepsTime sets a clock a minute after a login, and looks at everything that ends.
func (c *clocked) keepsTime(t *testing.T, set func()) {
	t.Helper()
	g := start(t, c.Manager, "api")
	begun := time.Now()
	at := func(d time.Duration) { time.Sleep(time.Until(begun.Add(d))); settle() }
	lives := func(what string, want bool) {
		t.Helper()
		n, err := c.Count(t.Context(), remuda.Selection{Subject: "alice"})
		if err != nil || n == 1 != want {
			t.Errorf("%s: %d sessions, %v", what, n, err)
		}
	}
	at(time.Minute)
	set()
	at(time.Minute + 6*time.Second)
	s, err := authenticate(t, c.Manager, g)
	if err != nil {
		t.Fatal(err)
	}
	at(5*time.Minute - leeway - time.Second)
	if !s.Recent(c.Now(), 5*time.Minute) {
		t.Error("the proof is too old too soon")
	}
	at(5*time.Minute + leeway + time.Second)
	if s.Recent(c.Now(), 5*time.Minute) {
		t.Error("the proof is too old too late")
	}
	at(10*time.Minute - leeway - time.Second)
	_, err = authenticate(t, c.Manager, g)
	wantErr(t, "an access token", err, nil)
	at(10*time.Minute + leeway + time.Second)
	_, err = authenticate(t, c.Manager, g)
	wantErr(t, "an access token", err, remuda.ErrTokenExpired)
	at(2*time.Hour - leeway - 2*time.Minute) // an activity is written once a minute
	lives("idle", true)
	at(2*time.Hour + leeway + 2*time.Minute + 10*time.Minute)
	lives("idle for too long", false)
}

// TestClockSetRotation: an honest client goes on through steps of the clock, and its
// session ends when it should.
func TestClockSetRotation(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{time.Hour, -time.Hour, time.Second, -time.Second, leeway, -leeway} {
		synctest.Test(t, func(t *testing.T) {
			c := newClocked(t, memstore.New(), time.UTC)
			g := start(t, c.Manager, "api")
			begun, end := time.Now(), g.RefreshExpires
			sign := time.Duration(1)
			for time.Since(begun) < 3*time.Hour-leeway-7*time.Minute {
				time.Sleep(6 * time.Minute)
				c.machine.Step(sign * step)
				sign = -sign
				next, err := refresh(t, c.Manager, g)
				if err != nil {
					t.Fatalf("after %v, step %v: %v", time.Since(begun), step, err)
				}
				if g.Access = next.Access; next.Refresh.Reveal() != "" {
					g = next
				}
				if !next.RefreshExpires.Equal(end) {
					t.Fatalf("the end moved to %v", next.RefreshExpires)
				}
			}
			time.Sleep(time.Until(begun.Add(3*time.Hour + leeway + time.Second)))
			if _, err := refresh(t, c.Manager, g); err == nil {
				t.Error("it outlives its end")
			}
		})
	}
}

// TestClockSetBackEndAll: a logout everywhere also ends the sessions that began before
// the clock was put back, by however much.
func TestClockSetBackEndAll(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ahead time.Duration
		again bool // the process starts again, and takes the machine's clock for right
	}{
		"by a second":             {ahead: time.Second},
		"by the leeway":           {ahead: leeway},
		"by an hour, and a start": {time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memstore.New()
				ring, err := keyring.New(time.Now())
				if err != nil {
					t.Fatal(err)
				}
				run := func(now func() time.Time, up func() (time.Duration, bool)) *remuda.Manager {
					return newManager(t, func(cfg *remuda.Config) {
						cfg.Store, cfg.Keys, cfg.Now = s, ring, now
						cfg.SetUptime(up)
					})
				}
				begun := time.Now()
				machine := steadytest.Passing(begun.Add(c.ahead), func() time.Duration { return time.Since(begun) })
				machine.Booted(24 * time.Hour)
				m := run(machine.Now, machine.Uptime)
				time.Sleep(time.Minute)
				g := start(t, m, "api")
				machine.Step(-c.ahead)
				if c.again {
					m = run(machine.Now, machine.Uptime)
				}
				time.Sleep(6 * time.Second)
				e, err := m.EndAll(t.Context(), remuda.EndAllRequest{Subject: "alice"})
				if err != nil {
					t.Fatal(err)
				}
				if n, err := e.Wait(t.Context()); n != 1 || err != nil {
					t.Errorf("ended %d, %v", n, err)
				}
				after := start(t, m, "api")
				time.Sleep(c.ahead)
				settle()
				if _, err := authenticate(t, m, g); err == nil {
					t.Error("it survives")
				}
				if _, err := refresh(t, m, g); err == nil {
					t.Error("it goes on")
				}
				if _, err := refresh(t, m, after); err != nil {
					t.Errorf("who signed in afterwards: %v", err)
				}
			})
		})
	}
}

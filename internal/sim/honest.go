package sim

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// jar is what all tabs of a browser share: the last answer wins.
type jar struct {
	refresh string
	access  string
	until   time.Duration
}

// owner is the honest client of one session.
type owner struct {
	w    *World
	srv  Server
	rng  *rand.Rand
	c    *Case
	id   int
	jar  jar
	tabs []*tab
	keys KeyMode

	awake time.Duration // when the lid opens
	round int
	out   bool // was told to sign in

	conflicts int           // answers that another client has refreshed
	refreshes int           // by anyone, as the server saw them
	reused    bool          // somebody's refresh has ended the session as stolen
	reusedAt  time.Duration // when
	thief     *thief
}

// tab is one page that refreshes on its own.
type tab struct {
	o       *owner
	busy    bool
	flight  int // the number of the newest flight
	tries   int
	token   string // of the logical refresh
	key     string
	ordinal int
}

// maxTries is after how many a tab leaves it for the next round.
const maxTries = 16

func newOwner(w *World, srv Server, c *Case, id int, rng *rand.Rand) *owner {
	o := &owner{w: w, srv: srv, rng: rng, c: c, id: id, keys: c.Keys}
	if c.Keys == KeyMixed && chance(rng, 0.5) {
		o.keys = KeyNone
	}
	if c.Tabs[1] > 0 {
		for range c.Tabs[0] + rng.IntN(c.Tabs[1]-c.Tabs[0]+1) {
			o.tabs = append(o.tabs, &tab{o: o, ordinal: len(o.tabs)})
		}
	}
	return o
}

// login begins the session; the first round comes when its access expires.
func (o *owner) login() {
	o.keep(o.srv.Start(o.id, o.c.Agent))
	o.use()
	o.next(o.gap())
}

// gap is the time until the owner is back.
func (o *owner) gap() time.Duration {
	switch long := chance(o.rng, 0.15); {
	case long:
		return between(o.rng, time.Hour, 10*time.Hour)
	case o.c.Eager:
		return between(o.rng, 2*time.Second, 2*time.Minute)
	default:
		return accessLife + between(o.rng, 5*time.Second, 5*time.Minute)
	}
}

// next schedules the next round.
func (o *owner) next(gap time.Duration) {
	if o.round >= o.c.Rounds {
		return
	}
	o.w.after(gap, o.visit)
	if o.thief != nil {
		o.thief.foresee(gap)
	}
}

// visit is one round: everything that is open refreshes at once.
func (o *owner) visit() {
	if o.out {
		return
	}
	o.round++
	for _, t := range o.tabs {
		o.w.after(between(o.rng, 0, 1500*time.Millisecond), t.begin)
	}
	if o.c.Burst > 0 {
		o.w.after(between(o.rng, 0, 1500*time.Millisecond), o.page)
	}
	gap := o.gap()
	if chance(o.rng, o.c.Sleep) {
		nap := between(o.rng, time.Hour, 12*time.Hour)
		o.w.after(between(o.rng, 0, 2*time.Second), func() { o.awake = o.w.now + nap })
		gap += nap
	}
	o.next(gap)
}

// later is a timer of the device: it does not run down while the lid is shut.
func (o *owner) later(d time.Duration, do func()) {
	o.w.after(d, func() {
		if rest := o.awake - o.w.now; rest > 0 {
			o.w.after(rest+between(o.rng, 0, time.Second), do)
			return
		}
		do()
	})
}

// keep puts an answer into the jar, whatever is in it.
func (o *owner) keep(a Answer) {
	o.jar.access, o.jar.until = a.Access, a.Until
	if a.Refresh == "" {
		return
	}
	fresh := a.Refresh != o.jar.refresh
	o.jar.refresh = a.Refresh
	if fresh && o.thief != nil {
		o.thief.follow()
	}
}

// use presents the access token of the jar, a little later or at once.
func (o *owner) use() {
	o.later(between(o.rng, 50*time.Millisecond, 2*time.Second), func() {
		if o.jar.access != "" {
			o.srv.Use(o.node(), o.jar.access, false)
		}
	})
}

func (o *owner) node() int { return o.rng.IntN(1 << 16) }

// serve is one refresh at the server, with what may happen to the server then.
// It reports whether there is an answer.
func (o *owner) serve(req Request) (Answer, bool) {
	o.refreshes++
	a := o.srv.Refresh(req)
	if a.Status == StatusConflict {
		o.conflicts++
	}
	if a.Reused && !o.reused && o.ended(req) {
		o.reused, o.reusedAt = true, o.w.now
		if o.c.lostEnd() {
			o.w.after(between(o.rng, 0, rollback), func() { o.srv.Failover(o.id) })
		}
	}
	if a.Status == StatusOK && chance(o.rng, o.c.Failover) {
		o.w.after(between(o.rng, 0, rollback), func() { o.srv.Failover(o.id) })
	}
	if chance(o.rng, o.c.Crash) {
		o.srv.Crash(req.Node)
		return Answer{}, false
	}
	return a, true
}

// ended reports whether a session that was said to have been ended has been: the
// same request once more must meet a session that is over, and no new theft.
func (o *owner) ended(req Request) bool {
	again := o.srv.Refresh(req)
	return again.Status == StatusOut && !again.Reused
}

// begin starts a logical refresh, unless one is running.
func (t *tab) begin() {
	if t.busy || t.o.out {
		return
	}
	t.busy, t.tries = true, 0
	t.send()
}

// again is a retry: first the tab looks whether a neighbour was luckier.
func (t *tab) again() {
	switch {
	case t.o.out:
	case t.o.jar.until > t.o.w.now+accessLife/2:
		t.busy = false
		t.o.use()
	case t.tries >= maxTries:
		t.busy = false
	default:
		t.send()
	}
}

// send sends the token of the jar, as often as the network delivers it.
func (t *tab) send() {
	o := t.o
	t.tries++
	t.flight++
	if t.token != o.jar.refresh {
		t.token = o.jar.refresh
		t.key = o.newKey(t.token)
	}
	if o.thief != nil {
		o.thief.overhear(t.token, t.key)
	}
	n := t.flight
	up, down := o.trip()
	t.deliver(n, up, down)
	if chance(o.rng, o.c.Dup) {
		t.deliver(n, between(o.rng, up, o.c.Flight), 0)
	}
	o.later(o.c.Wait, func() {
		if t.busy && t.flight == n {
			t.again()
		}
	})
}

// trip draws how long a request and its answer take: never more than Flight.
func (o *owner) trip() (up, down time.Duration) {
	if chance(o.rng, o.c.Late) {
		whole := between(o.rng, time.Second, o.c.Flight)
		up = between(o.rng, 0, whole)
		return up, whole - up
	}
	return between(o.rng, 20*time.Millisecond, 300*time.Millisecond), between(o.rng, 20*time.Millisecond, 300*time.Millisecond)
}

// deliver carries one request to a node and its answer back, or loses either.
func (t *tab) deliver(n int, up, down time.Duration) {
	o := t.o
	req := Request{Session: o.id, Node: o.node(), Token: t.token, Key: t.key, Agent: o.c.Agent}
	if chance(o.rng, o.c.Loss/3) {
		return
	}
	o.w.after(up, func() {
		a, answered := o.serve(req)
		if !answered || chance(o.rng, o.c.Loss) {
			return
		}
		o.w.after(down, func() { t.arrive(n, a) })
	})
}

// arrive is an answer at the device. One that comes while it sleeps is lost.
func (t *tab) arrive(n int, a Answer) {
	o := t.o
	if o.out || o.awake > o.w.now {
		return
	}
	current := t.busy && t.flight == n
	switch a.Status {
	case StatusOK:
		o.keep(a)
		if current {
			t.busy = false
			o.use()
		}
	case StatusConflict, StatusLater:
		if current {
			t.flight++ // the timer of this flight is off
			o.later(between(o.rng, time.Second, 4*time.Second), t.again)
		}
	case StatusOut:
		o.out = true
	}
}

// newKey is the Idempotency-Key for a refresh with this token.
func (o *owner) newKey(token string) string {
	switch o.keys {
	case KeyRandom, KeyMixed:
		return randomKey(o.rng)
	case KeyConstant:
		return constantKey(o.id)
	case KeyDerived:
		return derivedKey(token)
	default:
		return ""
	}
}

func randomKey(r *rand.Rand) string { return fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64()) }

func constantKey(session int) string { return fmt.Sprintf("constant-of-session-%d", session) }

// derivedKey is what a client computes that has no good random source: here the
// end of the token, which anybody who holds the token can compute as well.
func derivedKey(token string) string { return "derived-from-" + token[max(0, len(token)-40):] }

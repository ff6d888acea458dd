package sim

import (
	"math/rand/v2"
	"time"
)

// Move is what a thief does with the jar that he has copied.
type Move uint8

// The moves.
const (
	MoveAlternate Move = iota // he goes on by himself, as the owner does
	MoveBehind                // he presents after each of the owner's refreshes
	MoveAhead                 // he presents before each of them
	MoveCopy                  // he copies the jar again and again, and presents the copy
	MoveOverhear              // he has copied a request with its key, and repeats it
)

// Plan is a thief.
type Plan struct {
	Move     Move
	From, To time.Duration // how long after or before
	Silent   bool          // he never uses an access token
	Other    bool          // his client facts differ from the owner's
	Keys     KeyMode       // KeyNone, KeyConstant or KeyDerived
	Every    int           // with MoveCopy: in every so many rounds
	Lag      int           // with MoveBehind: so many generations later than the next
	Repeat   bool          // with MoveOverhear: he sends that very request again and again
	LostEnd  bool          // a failover loses the end of the session
}

// thief is a plan at work on one session.
type thief struct {
	o    *owner
	rng  *rand.Rand
	plan *Plan
	held string
	at   int // the round of the theft

	began   bool
	beganAt time.Duration // his first presentation
	gained  bool          // he has received a refresh token
	refused bool          // his last presentation got nothing
	stopped bool          // he was told to sign in
	heard   bool
	lagged  int // generations that he has let pass
}

func newThief(o *owner, rng *rand.Rand) *thief {
	return &thief{o: o, rng: rng, plan: o.c.Thief, at: 2 + rng.IntN(5)}
}

// foresee is called when the owner's next round is gap away.
func (t *thief) foresee(gap time.Duration) {
	switch {
	case t.stopped || t.o.round < t.at:
	case t.plan.Move == MoveAlternate && t.held == "":
		t.o.w.after(between(t.rng, time.Minute, 9*time.Minute), t.alternate)
	case t.plan.Move == MoveAhead:
		t.o.w.after(gap-between(t.rng, t.plan.From, t.plan.To), func() {
			t.steal()
			t.present()
		})
	}
}

// follow is called when the owner's jar has got a new refresh token.
func (t *thief) follow() {
	if t.stopped || t.o.round < t.at {
		return
	}
	switch t.plan.Move {
	case MoveBehind:
		if t.held == "" {
			t.held = t.o.jar.refresh // he comes with it after the next one
			return
		}
		if t.lagged++; t.lagged > t.plan.Lag {
			t.o.w.after(between(t.rng, t.plan.From, t.plan.To), t.present)
		}
	case MoveCopy:
		if t.o.round%max(1, t.plan.Every) == 0 {
			t.o.w.after(between(t.rng, t.plan.From, t.plan.To), func() {
				t.held = t.o.jar.refresh
				t.present()
			})
		}
	default:
	}
}

// overhear is called when the owner sends a refresh.
func (t *thief) overhear(token, key string) {
	if t.plan.Move != MoveOverhear || t.heard || t.o.round < t.at {
		return
	}
	t.heard = true
	t.held = token
	t.o.w.after(between(t.rng, t.plan.From, t.plan.To), func() { t.repeat(token, key) })
}

// steal copies the jar, once.
func (t *thief) steal() {
	if t.held == "" {
		t.held = t.o.jar.refresh
	}
}

// alternate presents now, and from then on at times of his own.
func (t *thief) alternate() {
	t.steal()
	t.present()
	if !t.over() {
		t.o.w.after(between(t.rng, accessLife, 2*time.Hour), t.alternate)
	}
}

// thiefLife is how long a thief goes on.
const thiefLife = 14 * 24 * time.Hour

func (t *thief) over() bool {
	return t.stopped || t.o.round >= t.o.c.Rounds || t.o.w.now-t.beganAt > thiefLife
}

// repeat presents one request with its key, and goes on from what it yields.
func (t *thief) repeat(token, key string) {
	t.held = token
	t.exchange(key)
	switch {
	case t.over():
	case t.plan.Repeat:
		t.o.w.after(between(t.rng, time.Minute, 5*time.Minute), func() { t.repeat(token, key) })
	default:
		t.o.w.after(between(t.rng, accessLife, time.Hour), t.alternate)
	}
}

// present sends what he holds.
func (t *thief) present() {
	key := ""
	switch t.plan.Keys {
	case KeyConstant:
		key = constantKey(t.o.id)
	case KeyDerived:
		key = derivedKey(t.held)
	default:
	}
	t.exchange(key)
}

func (t *thief) exchange(key string) {
	if t.stopped {
		return
	}
	if !t.began {
		t.began, t.beganAt = true, t.o.w.now
	}
	agent := t.o.c.Agent
	if t.plan.Other {
		agent = curl
	}
	a, answered := t.o.serve(Request{Session: t.o.id, Node: t.o.node(), Token: t.held, Key: key, Agent: agent})
	t.refused = answered && a.Status != StatusOK
	t.stopped = a.Status == StatusOut
	if !answered || a.Status != StatusOK {
		return
	}
	if a.Refresh != "" {
		t.held, t.gained = a.Refresh, true
	}
	if !t.plan.Silent {
		t.o.w.after(between(t.rng, 100*time.Millisecond, time.Second), func() { t.o.srv.Use(t.o.node(), a.Access, false) })
	}
}

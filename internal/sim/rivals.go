package sim

import (
	"slices"
	"strconv"
	"time"
)

// token is one refresh token of a rival's session.
type token struct {
	id, parent int
	used       bool
	usedAt     time.Duration
	dead       bool
}

// family is a rival's session. Tokens are in the order of their making.
type family struct {
	tokens []token
	ended  bool
	minted int // never set back, as if drawn at random
}

func (f *family) find(id int) *token {
	for i := len(f.tokens) - 1; i >= 0; i-- {
		if f.tokens[i].id == id {
			return &f.tokens[i]
		}
	}
	return nil
}

func (f *family) mint(parent int) int {
	f.minted++
	f.tokens = append(f.tokens, token{id: f.minted, parent: parent})
	return f.minted
}

// spend is the first use of a token, the same under most rules.
func (f *family) spend(t *token, now time.Duration) int {
	t.used, t.usedAt = true, now
	return f.mint(t.id)
}

// rule answers a known token of a live session: with the id of a token, or 0 if
// it is taken for stolen.
type rule func(f *family, t *token, now time.Duration) int

// strict is single use: a second use ends the session.
func strict(f *family, t *token, now time.Duration) int {
	if t.used {
		return 0
	}
	return f.spend(t, now)
}

// newChild answers a second use within 30 seconds with a new child, and kills
// the children displaced by it.
func newChild(f *family, t *token, now time.Duration) int {
	switch {
	case t.dead, t.used && now-t.usedAt > 30*time.Second:
		return 0
	case !t.used:
		return f.spend(t, now)
	}
	for i := range f.tokens {
		if f.tokens[i].parent == t.id {
			f.tokens[i].dead = true
		}
	}
	return f.mint(t.id)
}

// fork answers a second use within 60 seconds with another child; all live.
func fork(f *family, t *token, now time.Duration) int {
	switch {
	case !t.used:
		return f.spend(t, now)
	case now-t.usedAt <= time.Minute:
		return f.mint(t.id)
	default:
		return 0
	}
}

// oneBehind answers the token before the newest with the newest, always.
func oneBehind(f *family, t *token, now time.Duration) int {
	newest := f.tokens[len(f.tokens)-1]
	switch t.id {
	case newest.id:
		return f.spend(t, now)
	case newest.parent:
		return newest.id
	default:
		return 0
	}
}

// rival is a server that follows one of the rules.
type rival struct {
	world    *World
	rule     rule
	keep     bool // the past, for failovers
	families map[int]*family
	past     map[int][]familyThen
}

type familyThen struct {
	until time.Duration
	f     family
}

func newRival(w *World, r rule, keep bool) *rival {
	return &rival{world: w, rule: r, keep: keep, families: map[int]*family{}, past: map[int][]familyThen{}}
}

// Start implements [Server].
func (r *rival) Start(session int, _ string) Answer {
	f := &family{}
	r.families[session] = f
	return r.answer(f.mint(0))
}

// Refresh implements [Server].
func (r *rival) Refresh(req Request) Answer {
	f := r.families[req.Session]
	id, _ := strconv.Atoi(req.Token)
	t := f.find(id)
	if f.ended || t == nil {
		return Answer{Status: StatusOut}
	}
	r.remember(req.Session, f)
	next := r.rule(f, t, r.world.now)
	if next == 0 {
		f.ended = true
		return Answer{Status: StatusOut, Reused: true}
	}
	return r.answer(next)
}

func (r *rival) answer(id int) Answer {
	return Answer{Access: "access", Refresh: strconv.Itoa(id), Until: r.world.now + accessLife}
}

// Use implements [Server]: none of these rules looks at it.
func (r *rival) Use(int, string, bool) {}

func (r *rival) remember(session int, f *family) {
	if !r.keep {
		return
	}
	past := r.past[session]
	for len(past) > 0 && r.world.now-past[0].until > rollback {
		past = past[1:]
	}
	then := *f
	then.tokens = slices.Clone(f.tokens)
	r.past[session] = append(past, familyThen{r.world.now, then})
}

// Failover implements [Server].
func (r *rival) Failover(session int) {
	for _, p := range r.past[session] {
		if r.world.now-p.until <= rollback {
			p.f.minted = r.families[session].minted
			*r.families[session] = p.f
			break
		}
	}
	delete(r.past, session)
}

// Crash implements [Server]: they hold nothing in memory.
func (r *rival) Crash(int) {}

// Close implements [Server].
func (r *rival) Close() {}

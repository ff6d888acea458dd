package remuda

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// step decides, and checks what holds whatever was shown, by whom and when.
func step(t *rapid.T, s state, p presentation, now time.Time, pol policy) (decision, state) {
	d, next := decide(s, p, now, pol)
	genuine := s.Seed.refreshID(p.gen).is(p.jti)
	accepted := d.verdict == verdictCurrent || d.verdict == verdictRotate || d.verdict == verdictReplay
	check := func(ok bool, invariant string) {
		if !ok {
			t.Fatalf("%s\nshown %+v at %v\npolicy %+v\ndecision %+v\n from %+v\n   to %+v", invariant, p, now, pol, d, s, next)
		}
	}
	check(d.write || next == s, "the state changed and is not stored")
	check(genuine || d == decision{verdict: verdictInvalid, forged: true} && next == s, "8: a forged token changed something")
	check(s.EndedAt.IsZero() || next == s && !accepted, "4: ended is absorbing")
	check(!accepted || now.Before(s.Expires) && now.Before(s.IdleExpires), "7: accepted after a deadline")
	check(next.Expires.Equal(s.Expires) && !next.IdleExpires.After(later(s.Expires, s.IdleExpires)), "7: a deadline was widened")
	check(!next.IdleExpires.Before(s.IdleExpires), "7: the idle deadline moved back")
	check(d.verdict == verdictRotate || next.IdleExpires.Equal(s.IdleExpires), "7: only Rotate moves the idle deadline")
	check(!accepted || pol.Reuse == ReuseReport || p.gen >= s.Gen || p.gen+1 == s.Gen, "1: an older generation was accepted")
	from := s.Gen
	if d.rolledBack && next.EndedAt.IsZero() {
		from = p.gen
	}
	if d.verdict == verdictRotate {
		from++
	}
	check(next.Gen == from, "1: generations rise by one, and only by Rotate")
	check(next.Seed == s.Seed, "the seed changed")
	check(d.verdict == verdictReuse == (next.EndReason == EndReuse && s.EndReason != EndReuse), "8: theft decided and not stored")
	return d, next
}

func genPolicy(t *rapid.T, now time.Time) policy {
	pol := testPolicy(now)
	pol.Grace = time.Duration(rapid.IntRange(0, 60).Draw(t, "grace")) * time.Second
	pol.Floor = 2*pol.Grace + time.Duration(rapid.IntRange(0, 60).Draw(t, "floor"))*time.Second
	pol.Reuse = ReusePolicy(rapid.IntRange(0, 1).Draw(t, "reuse"))
	pol.Suspect = SuspectPolicy(rapid.IntRange(0, 1).Draw(t, "suspect"))
	pol.Unseen = UnseenPolicy(rapid.IntRange(0, 1).Draw(t, "unseen"))
	pol.Early = EarlyPolicy(rapid.IntRange(0, 2).Draw(t, "early"))
	pol.Ahead = AheadPolicy(rapid.IntRange(0, 1).Draw(t, "ahead"))
	return pol
}

// TestRotationInvariants shows anything to any session under any policy.
func TestRotationInvariants(t *testing.T) {
	t.Parallel()
	keys := rapid.SampledFrom([]string{"", someKey, otherKey})
	hints := rapid.SampledFrom([]string{"", chrome, curl})
	rapid.Check(t, func(t *rapid.T) {
		s, now := testState(), t0
		base := genPolicy(t, now)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 1, 4, 6, 29, 31, 59, 61, 600, 1700, -2}).Draw(t, "wait")) * time.Second)
			pol := base
			pol.access = now.Add(9 * time.Minute)
			back := rapid.IntRange(-2, 3).Draw(t, "behind")
			p := presentation{gen: uint32(int(s.Gen) - back), retryKey: keys.Draw(t, "key"), hint: hints.Draw(t, "hint")}
			p.jti = s.Seed.refreshID(p.gen)
			if rapid.IntRange(0, 9).Draw(t, "forge") == 0 {
				p.jti[0] ^= 1
			}
			if rapid.Bool().Draw(t, "use") {
				s.see(s.Gen, now)
			}
			_, s = step(t, s, p, now, pol)
		}
	})
}

// see is what a store's Touch does to a state.
func (s *state) see(gen uint32, at time.Time) {
	if gen == s.Gen && !s.GenSeen && s.EndedAt.IsZero() {
		s.GenSeen, s.WindowAt = true, later(s.WindowAt, at)
	}
}

// browser is an honest client: tabs on one jar, which keeps what was written to
// it last. Requests and answers are lost, doubled and reordered; what is in
// flight stays so for at most Grace.
type browser struct {
	s      state
	pol    policy
	now    time.Time
	jar    uint32
	flying []flight
	uses   []use
}

type flight struct {
	gen      uint32
	key      string
	sent     time.Time
	answered bool
	answer   uint32 // 0: no refresh token in it
}

type use struct {
	gen uint32
	at  time.Time
}

func (b *browser) send(t *rapid.T) {
	f := flight{gen: b.jar, sent: b.now}
	if rapid.Bool().Draw(t, "keyed") {
		f.key = rapid.StringN(16, 16, -1).Draw(t, "key")
	}
	b.flying = append(b.flying, f)
}

// arrive lets the server decide one request; it may come twice.
func (b *browser) arrive(t *rapid.T, i int) {
	f := &b.flying[i]
	pol := b.pol
	pol.access = b.now.Add(9 * time.Minute)
	var d decision
	d, b.s = step(t, b.s, presentation{gen: f.gen, jti: b.s.Seed.refreshID(f.gen), retryKey: f.key, hint: chrome}, b.now, pol)
	if d.verdict == verdictReuse || d.class == classPrevious || d.class == classStale {
		t.Fatalf("2: an honest client was taken for a thief\nflight %+v at %v\ndecision %+v\nstate %+v", *f, b.now, d, b.s)
	}
	f.answered = true
	f.answer = 0
	if d.verdict == verdictRotate || d.verdict == verdictReplay {
		f.answer = b.s.Gen
	}
}

// land ends one flight: the answer reaches the jar, or is lost.
func (b *browser) land(i int, lost bool) {
	f := b.flying[i]
	b.flying = slices.Delete(b.flying, i, i+1)
	if f.answered && !lost && f.answer != 0 {
		b.jar = f.answer
	}
}

// wait lets time pass; what would be in flight for too long is lost first.
func (b *browser) wait(d time.Duration) {
	b.now = b.now.Add(d)
	b.flying = slices.DeleteFunc(b.flying, func(f flight) bool { return b.now.Sub(f.sent) > b.pol.Grace })
}

func TestHonestBrowser(t *testing.T) {
	t.Parallel()
	waits := rapid.SampledFrom([]time.Duration{0, us, time.Second, 6 * time.Second, 29 * time.Second, 30 * time.Second, 31 * time.Second, time.Minute, 10 * time.Minute})
	rapid.Check(t, func(t *rapid.T) {
		b := &browser{s: testState(), pol: testPolicy(t0), now: t0, jar: 5}
		b.s.Expires, b.s.IdleExpires = t0.Add(1000*day), t0.Add(1000*day)
		b.pol.Suspect = SuspectReport // any schedule may lose nine answers in a row
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			pick := func() int { return rapid.IntRange(0, len(b.flying)-1).Draw(t, "flight") }
			switch do := rapid.IntRange(0, 9).Draw(t, "do"); {
			case do <= 1:
				b.send(t)
			case do <= 4 && len(b.flying) > 0:
				b.arrive(t, pick())
			case do <= 6 && len(b.flying) > 0:
				b.land(pick(), rapid.IntRange(0, 3).Draw(t, "lost") == 0)
			case do == 7:
				b.uses = append(b.uses, use{b.jar, b.now})
			case do == 8 && len(b.uses) > 0: // a node writes its notes, or has lost them
				u := b.uses[0]
				b.uses = b.uses[1:]
				if rapid.IntRange(0, 4).Draw(t, "lost") > 0 {
					b.s.see(u.gen, u.at)
				}
			default:
				b.wait(waits.Draw(t, "wait"))
			}
		}
	})
}

// TestThiefAlternating: thief and owner hold one token. Once the successor of
// either has been used and the window is over, the other's token ends the session.
func TestThiefAlternating(t *testing.T) {
	t.Parallel()
	hints := rapid.SampledFrom([]string{chrome, curl, ""})
	rapid.Check(t, func(t *rapid.T) {
		s, pol, now := testState(), testPolicy(t0), t0
		shown := func(gen uint32, hint string) presentation {
			return presentation{gen: gen, jti: s.Seed.refreshID(gen), hint: hint}
		}
		first, second := s.Gen, s.Gen
		now = now.Add(time.Minute + time.Duration(rapid.IntRange(0, 600).Draw(t, "idle"))*time.Second)
		var d decision
		for range rapid.IntRange(1, 3).Draw(t, "rotations") {
			d, s = step(t, s, shown(first, hints.Draw(t, "hint")), now, pol)
			if d.verdict != verdictRotate {
				t.Fatalf("the first party: %+v", d)
			}
			first = s.Gen
			now = now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "use after")) * time.Second)
			s.see(first, now)
			now = now.Add(time.Minute)
		}
		now = now.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "later")) * time.Second)
		if d, s = step(t, s, shown(second, hints.Draw(t, "hint")), now, pol); d.verdict != verdictReuse {
			t.Fatalf("3: the second party was not noticed: %+v", d)
		}
		if d, s = step(t, s, shown(first, chrome), now, pol); d.verdict != verdictEnded {
			t.Fatalf("4: the first party goes on: %+v", d)
		}
	})
}

// TestThiefSilentAhead: the thief always rotates first and uses nothing; the
// owner recovers each generation late. The eighth time in a row ends it.
func TestThiefSilentAhead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, pol, now := testState(), testPolicy(t0), t0
		s.Expires, s.IdleExpires = t0.Add(day), t0.Add(day)
		suspects := 0
		for round := 0; ; round++ {
			now = now.Add(time.Minute + time.Duration(rapid.IntRange(0, 300).Draw(t, "thief after"))*time.Second)
			held := s.Gen
			d, next := step(t, s, presentation{gen: held, jti: s.Seed.refreshID(held), hint: chrome}, now, pol)
			s = next
			if d.suspect {
				suspects++
			}
			if d.verdict == verdictReuse {
				if d.class != classShadowed || round != 8 || suspects != 1 {
					t.Fatalf("ended in round %d as %q with %d suspicions", round, d.class, suspects)
				}
				return
			}
			if d.verdict != verdictRotate || round > 8 {
				t.Fatalf("3: round %d: %+v", round, d)
			}
			now = now.Add(6*time.Second + time.Duration(rapid.IntRange(0, 600).Draw(t, "owner after"))*time.Second)
			if d, s = step(t, s, presentation{gen: held, jti: s.Seed.refreshID(held), hint: chrome}, now, pol); d.verdict != verdictReplay {
				t.Fatalf("the owner was not let back: %+v", d)
			}
			s.see(s.Gen, now)
		}
	})
}

package remuda

import (
	"math"
	"testing"
	"time"
)

// The session that the tables below begin with: its newest generation is 5,
// issued at t0 and used; its access token ends ten minutes later.
var (
	t0       = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	testSeed = seed{1, 2, 3}
	chrome   = "Chrome\x00Linux"
	curl     = "curl\x00"
	someKey  = "a-retry-key-of-one-refresh"
	otherKey = "a-retry-key-of-another-one"
)

const us = time.Microsecond

func testState() state {
	return state{
		Seed: testSeed, Gen: 5, Behind: 1, GenAt: t0, GenSeen: true, WindowAt: t0,
		Hint: testSeed.hash("hint", chrome), Retry: testSeed.hash("retry", someKey),
		AccessExpires: t0.Add(10 * time.Minute), Expires: t0.Add(12 * time.Hour),
		IdleExpires: t0.Add(30 * time.Minute), LastSeen: t0,
	}
}

func testPolicy(now time.Time) policy {
	return policy{
		Rotation: Rotation{Grace: 30 * time.Second, Floor: time.Minute},
		idle:     30 * time.Minute, access: now.Add(9 * time.Minute), leeway: 30 * time.Second,
	}
}

// decideCase is one row: what differs from testState, a refresh with generation
// gen at t0+at, and what must come of it. after changes the state that the case
// began with into the one expected; nil means that nothing changes.
type decideCase struct {
	name   string
	state  func(*state)
	policy func(*policy)
	shown  func(*presentation)
	gen    uint32
	at     time.Duration
	want   decision
	after  func(s *state, now time.Time, pol policy)
}

func (c decideCase) run(t *testing.T) {
	t.Helper()
	t.Parallel()
	s, now := testState(), t0.Add(c.at)
	pol := testPolicy(now)
	if c.state != nil {
		c.state(&s)
	}
	if c.policy != nil {
		c.policy(&pol)
	}
	p := presentation{gen: c.gen, jti: s.Seed.refreshID(c.gen), hint: chrome}
	if c.shown != nil {
		c.shown(&p)
	}
	want := s
	if c.after != nil {
		c.after(&want, now, pol)
	}
	d, got := decide(s, p, now, pol)
	if d != c.want {
		t.Errorf("decision\n got %+v\nwant %+v", d, c.want)
	}
	if got != want {
		t.Errorf("state\n got %+v\nwant %+v", got, want)
	}
}

func runCases(t *testing.T, cases []decideCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, c.run)
	}
}

// What the verdicts do to a state, written out anew.

func rotated(s *state, now time.Time, pol policy) {
	s.Gen, s.Behind, s.GenAt, s.WindowAt = s.Gen+1, 1, now, now
	s.GenSeen, s.Recovered, s.Replays, s.Streak, s.Retry = false, false, 0, 0, mark{}
	s.Hint = s.Seed.hash("hint", chrome)
	s.AccessExpires = pol.access
	s.IdleExpires = now.Add(pol.idle)
	s.LastSeen = now
}

func replayed(s *state, _ time.Time, pol policy) {
	s.Replays++
	s.AccessExpires = pol.access
}

func firstReplay(s *state, _ time.Time, pol policy) {
	s.Replays, s.AccessExpires = 1, pol.access
}

func ended(reason EndReason) func(*state, time.Time, policy) {
	return func(s *state, now time.Time, _ policy) { s.EndedAt, s.EndReason = now, reason }
}

func forwarded(s *state, now time.Time, _ policy) {
	s.Gen, s.GenAt, s.WindowAt, s.GenSeen = 7, now, now, true
	s.Replays, s.Retry, s.Recovered, s.Behind = 0, mark{}, false, 1
	s.Hint = s.Seed.hash("hint", chrome)
}

func both(fs ...func(*state, time.Time, policy)) func(*state, time.Time, policy) {
	return func(s *state, now time.Time, pol policy) {
		for _, f := range fs {
			f(s, now, pol)
		}
	}
}

func strict(p *policy)          { p.Grace, p.Floor = 0, 0 }
func unseen(s *state)           { s.GenSeen = false }
func noHint(s *state)           { s.Hint = mark{} }
func withKey(p *presentation)   { p.retryKey = someKey }
func otherHint(p *presentation) { p.hint = curl }
func wantOnly(v verdict) decision {
	return decision{verdict: v, write: true}
}

var (
	wantReplay  = wantOnly(verdictReplay)
	wantRotate  = wantOnly(verdictRotate)
	wantCurrent = decision{verdict: verdictCurrent}
	wantReuse   = decision{verdict: verdictReuse, class: classPrevious, write: true}
	wantStale   = decision{verdict: verdictReuse, class: classStale, write: true}
)

func TestDecideBeforeTheGeneration(t *testing.T) {
	t.Parallel()
	forged := decision{verdict: verdictInvalid, forged: true}
	wrongJTI := func(p *presentation) { p.jti[3] ^= 1 }
	runCases(t, []decideCase{
		{name: "3: forged", gen: 5, at: time.Hour, shown: wrongJTI, want: forged},
		{name: "3: forged of an older generation", gen: 3, shown: wrongJTI, want: forged},
		{name: "3: forged of a coming generation", gen: 9, shown: wrongJTI, want: forged},
		{name: "3: the jti of another generation", gen: 5, shown: func(p *presentation) { p.jti = testSeed.refreshID(4) }, want: forged},
		{name: "3: the jti of another label", gen: 5, shown: func(p *presentation) { p.jti = testSeed.derive("access", []byte{0, 0, 0, 5}) }, want: forged},
		{name: "3: no jti", gen: 5, shown: func(p *presentation) { p.jti = mark{} }, want: forged},
		{name: "3: before 4", gen: 5, shown: wrongJTI, state: func(s *state) { s.EndedAt, s.EndReason = t0, EndLogout }, want: forged},
		{name: "3: before 5", gen: 5, at: 24 * time.Hour, shown: wrongJTI, want: forged},
		{name: "4: ended", gen: 5, at: time.Minute, state: func(s *state) { s.EndedAt, s.EndReason = t0, EndLogout }, want: decision{verdict: verdictEnded}},
		{name: "4: no second theft", gen: 2, at: time.Minute, state: func(s *state) { s.EndedAt, s.EndReason = t0, EndReuse }, want: decision{verdict: verdictEnded}},
		{name: "4: before 5", gen: 5, at: 24 * time.Hour, state: func(s *state) { s.EndedAt, s.EndReason = t0, EndReuse }, want: decision{verdict: verdictEnded}},
		{name: "4: ended by the log", gen: 5, at: time.Minute, shown: func(p *presentation) { p.revoked = true }, want: wantOnly(verdictEnded), after: ended(EndRevoked)},
		{name: "4: ended by the log, before theft", gen: 2, at: time.Minute, shown: func(p *presentation) { p.revoked = true }, want: wantOnly(verdictEnded), after: ended(EndRevoked)},
		{name: "5: idle", gen: 5, at: 30 * time.Minute, want: wantOnly(verdictExpired), after: ended(EndIdle)},
		{name: "5: not yet idle", gen: 5, at: 30*time.Minute - us, want: wantRotate, after: rotated},
		{name: "5: absolute", gen: 5, at: 12 * time.Hour, state: func(s *state) { s.IdleExpires = s.Expires }, want: wantOnly(verdictExpired), after: ended(EndExpired)},
		{
			name: "5: not yet absolute", gen: 5, at: 12*time.Hour - us, state: func(s *state) { s.IdleExpires = s.Expires }, want: wantRotate,
			after: both(rotated, func(s *state, _ time.Time, _ policy) { s.IdleExpires = s.Expires }),
		},
		{name: "5: absolute alone", gen: 5, at: time.Minute, state: func(s *state) { s.Expires = t0.Add(time.Minute) }, want: wantOnly(verdictExpired), after: ended(EndExpired)},
		{name: "5: before theft", gen: 2, at: 30 * time.Minute, want: wantOnly(verdictExpired), after: ended(EndIdle)},
		{name: "5: before 7", gen: 7, at: 30 * time.Minute, want: wantOnly(verdictExpired), after: ended(EndIdle)},
	})
}

func TestDecideAhead(t *testing.T) {
	t.Parallel()
	back := func(v verdict) decision { return decision{verdict: v, write: true, rolledBack: true} }
	used := func(s *state) { s.GenSeen, s.Replays, s.Recovered, s.Streak, s.Behind = false, 9, true, 3, 3 }
	runCases(t, []decideCase{
		{name: "forward", gen: 7, at: time.Hour / 4, state: used, want: back(verdictCurrent), after: forwarded},
		{name: "forward within the floor", gen: 7, at: time.Second, want: back(verdictCurrent), after: forwarded},
		{
			name: "forward by one", gen: 6, at: time.Second, want: back(verdictCurrent),
			after: both(forwarded, func(s *state, _ time.Time, _ policy) { s.Gen = 6 }),
		},
		{
			name: "forward, other client", gen: 7, at: time.Second, shown: otherHint, want: back(verdictCurrent),
			after: both(forwarded, func(s *state, _ time.Time, _ policy) { s.Hint = s.Seed.hash("hint", curl) }),
		},
		{name: "end", gen: 7, at: time.Minute, policy: func(p *policy) { p.Ahead = AheadEnd }, want: back(verdictEnded), after: ended(EndRolledBack)},
		{name: "end is not for the newest", gen: 5, at: time.Second, policy: func(p *policy) { p.Ahead = AheadEnd }, want: wantCurrent},
		{name: "strict: current all the same", gen: 7, at: time.Minute, policy: strict, state: used, want: back(verdictCurrent), after: forwarded},
	})
}

func TestDecideNewest(t *testing.T) {
	t.Parallel()
	early := func(e EarlyPolicy) func(*policy) { return func(p *policy) { p.Early = e } }
	due := 10*time.Minute - 30*time.Second
	seen := func(s *state, now time.Time, _ policy) { s.GenSeen, s.WindowAt = true, now }
	streak := func(n uint8) func(*state) { return func(s *state) { s.Recovered, s.Streak = true, n } }
	streakIs := func(n uint8) func(*state, time.Time, policy) {
		return both(rotated, func(s *state, _ time.Time, _ policy) { s.Streak = n })
	}
	suspect := wantRotate
	suspect.suspect = true
	shadowed := decision{verdict: verdictReuse, class: classShadowed, write: true}
	reported := decision{verdict: verdictRotate, class: classShadowed, write: true, reported: true}
	isEarly := wantRotate
	isEarly.early = true
	runCases(t, []decideCase{
		{name: "8: at once", gen: 5, want: wantCurrent},
		{name: "8: last instant", gen: 5, at: time.Minute - us, want: wantCurrent},
		{name: "10: first instant", gen: 5, at: time.Minute, want: wantRotate, after: rotated},
		{name: "8: clock behind", gen: 5, at: -time.Minute, want: wantCurrent},
		{name: "8: first sight", gen: 5, at: time.Second, state: unseen, want: wantOnly(verdictCurrent), after: seen},
		{name: "10: first sight late", gen: 5, at: time.Minute, state: unseen, want: wantRotate, after: rotated},
		{name: "8: other client", gen: 5, at: time.Second, shown: otherHint, want: wantCurrent},
		{name: "8: the window counts, not the issue", gen: 5, at: 90 * time.Second, state: func(s *state) { s.WindowAt = t0.Add(31 * time.Second) }, want: wantCurrent},
		{name: "8: blind, last instant", gen: 5, at: 20*time.Second - us, state: noHint, want: wantCurrent},
		{name: "10: blind, first instant", gen: 5, at: 20 * time.Second, state: noHint, want: wantRotate, after: rotated},
		{name: "8: blind, shorter floor, last instant", gen: 5, at: 15*time.Second - us, state: noHint, policy: func(p *policy) { p.Floor = 15 * time.Second }, want: wantCurrent},
		{name: "10: blind, shorter floor", gen: 5, at: 15 * time.Second, state: noHint, policy: func(p *policy) { p.Floor = 15 * time.Second }, want: wantRotate, after: rotated},
		{
			name: "10: no floor, clock behind", gen: 5, at: -us, policy: strict, want: wantRotate,
			after: both(rotated, func(s *state, _ time.Time, _ policy) { s.IdleExpires, s.LastSeen = t0.Add(30*time.Minute), t0 }),
		},
		{name: "10: no floor, at once", gen: 5, policy: strict, want: wantRotate, after: rotated},
		{name: "8: report, the deadline stays", gen: 5, at: time.Second, policy: early(EarlyReport), want: decision{verdict: verdictCurrent}},
		{name: "8: refuse, the deadline stays", gen: 5, at: time.Second, policy: early(EarlyRefuse), want: decision{verdict: verdictCurrent}},
		{
			name: "8: by access, the deadline moves", gen: 5, at: time.Second, shown: func(p *presentation) { p.byAccess = true }, policy: early(EarlyRefuse),
			want: wantOnly(verdictCurrent), after: func(s *state, _ time.Time, pol policy) { s.AccessExpires = pol.access },
		},
		{name: "9: early allowed", gen: 5, at: due - us, policy: early(EarlyAllow), want: wantRotate, after: rotated},
		{name: "9: early reported", gen: 5, at: due - us, policy: early(EarlyReport), want: isEarly, after: rotated},
		{name: "9: early refused", gen: 5, at: due - us, policy: early(EarlyRefuse), want: decision{verdict: verdictEarly, after: us}},
		{name: "9: early refused, first instant", gen: 5, at: time.Minute, policy: early(EarlyRefuse), want: decision{verdict: verdictEarly, after: due - time.Minute}},
		{name: "9: due, reported", gen: 5, at: due, policy: early(EarlyReport), want: wantRotate, after: rotated},
		{name: "9: due, refused", gen: 5, at: due, policy: early(EarlyRefuse), want: wantRotate, after: rotated},
		{name: "9: before the streak", gen: 5, at: time.Minute, state: streak(7), policy: early(EarlyRefuse), want: decision{verdict: verdictEarly, after: due - time.Minute}},
		{name: "10: a step-up is forgotten", gen: 5, at: time.Minute, state: func(s *state) { s.Behind = 3 }, want: wantRotate, after: rotated},
		{name: "10: streak begins", gen: 5, at: time.Minute, state: streak(0), want: wantRotate, after: streakIs(1)},
		{name: "10: streak 4", gen: 5, at: time.Minute, state: streak(3), want: wantRotate, after: streakIs(4)},
		{name: "10: streak 5", gen: 5, at: time.Minute, state: streak(4), want: suspect, after: streakIs(5)},
		{name: "10: streak 6", gen: 5, at: time.Minute, state: streak(5), want: wantRotate, after: streakIs(6)},
		{name: "10: streak 7", gen: 5, at: time.Minute, state: streak(6), want: wantRotate, after: streakIs(7)},
		{name: "10: streak 8", gen: 5, at: time.Minute, state: streak(7), want: shadowed, after: ended(EndReuse)},
		{name: "10: streak past 8", gen: 5, at: time.Minute, state: streak(200), want: shadowed, after: ended(EndReuse)},
		{name: "10: streak 8, suspect reported", gen: 5, at: time.Minute, state: streak(7), policy: func(p *policy) { p.Suspect = SuspectReport }, want: reported, after: streakIs(8)},
		{name: "10: streak 9, suspect reported", gen: 5, at: time.Minute, state: streak(8), policy: func(p *policy) { p.Suspect = SuspectReport }, want: reported, after: streakIs(8)},
		{name: "10: streak 8, reuse reported", gen: 5, at: time.Minute, state: streak(7), policy: func(p *policy) { p.Reuse = ReuseReport }, want: reported, after: streakIs(8)},
		{name: "10: streak broken", gen: 5, at: time.Minute, state: func(s *state) { s.Streak = 7 }, want: wantRotate, after: rotated},
		{name: "10: everything anew", gen: 5, at: time.Minute, state: func(s *state) { s.Replays, s.Recovered = 50, true }, want: wantRotate, after: streakIs(1)},
		{
			name: "10: a key is kept", gen: 5, at: time.Minute, shown: func(p *presentation) { p.retryKey = otherKey }, want: wantRotate,
			after: both(rotated, func(s *state, _ time.Time, _ policy) { s.Retry = testSeed.hash("retry", otherKey) }),
		},
		{
			name: "10: a repeated key", gen: 5, at: time.Minute, shown: withKey, want: wantRotate,
			after: both(rotated, func(s *state, _ time.Time, _ policy) { s.KeyOff = true }),
		},
		{name: "10: keys stay off", gen: 5, at: time.Minute, state: func(s *state) { s.KeyOff = true }, shown: func(p *presentation) { p.retryKey = otherKey }, want: wantRotate, after: rotated},
		{name: "10: no key equals no key in nothing", gen: 5, at: time.Minute, state: func(s *state) { s.Retry = mark{} }, want: wantRotate, after: rotated},
		{
			name: "10: other client", gen: 5, at: time.Minute, shown: otherHint, want: wantRotate,
			after: both(rotated, func(s *state, _ time.Time, _ policy) { s.Hint = testSeed.hash("hint", curl) }),
		},
		{
			name: "10: unknown client", gen: 5, at: time.Minute, shown: func(p *presentation) { p.hint = "" }, want: wantRotate,
			after: both(rotated, func(s *state, _ time.Time, _ policy) { s.Hint = mark{} }),
		},
		{
			name: "10: idle never past the end", gen: 5, at: time.Minute, state: func(s *state) { s.Expires = t0.Add(31*time.Minute - us) }, want: wantRotate,
			after: both(rotated, func(s *state, _ time.Time, _ policy) { s.IdleExpires = s.Expires }),
		},
		{
			name: "10: idle and last seen never back", gen: 5, at: time.Minute, state: func(s *state) { s.IdleExpires, s.LastSeen = t0.Add(5*time.Hour), t0.Add(time.Hour) }, want: wantRotate,
			after: both(rotated, func(s *state, _ time.Time, _ policy) {
				s.IdleExpires, s.LastSeen = t0.Add(5*time.Hour), t0.Add(time.Hour)
			}),
		},
	})
}

func TestDecidePrevious(t *testing.T) {
	t.Parallel()
	window := func(s *state, now time.Time, _ policy) { s.WindowAt = now }
	recovered := func(s *state, _ time.Time, _ policy) { s.Recovered = true }
	grace := func(p *policy) { p.Unseen = UnseenGrace }
	keyOff := func(s *state) { s.KeyOff = true }
	noKey := func(s *state) { s.Retry = mark{} }
	superseded := decision{verdict: verdictSuperseded}
	all := func(fs ...func(*state)) func(*state) {
		return func(s *state) {
			for _, f := range fs {
				f(s)
			}
		}
	}
	runCases(t, []decideCase{
		{name: "11: at once", gen: 4, state: unseen, want: wantReplay, after: replayed},
		{name: "11: 5 s", gen: 4, at: 5 * time.Second, state: unseen, want: wantReplay, after: both(replayed, window)},
		{name: "11: past 5 s", gen: 4, at: 5*time.Second + us, state: unseen, want: wantReplay, after: both(replayed, window, recovered)},
		{name: "11: stays recovered", gen: 4, at: time.Second, state: all(unseen, func(s *state) { s.Recovered = true }), want: wantReplay, after: both(replayed, window)},
		{name: "11: much later", gen: 4, at: 29 * time.Minute, state: unseen, want: wantReplay, after: both(firstReplay, window, recovered)},
		{name: "11: clock behind", gen: 4, at: -time.Second, state: unseen, want: wantReplay, after: both(replayed, window)},
		{name: "11: before 12", gen: 4, at: 20 * time.Minute, state: unseen, shown: withKey, want: wantReplay, after: both(replayed, window, recovered)},
		{name: "11: keyed, not suspect within the grace", gen: 4, at: 30 * time.Second, state: unseen, shown: withKey, want: wantReplay, after: both(replayed, window)},
		{name: "11: keyed, past the grace", gen: 4, at: 30*time.Second + us, state: unseen, shown: withKey, want: wantReplay, after: both(firstReplay, window, recovered)},
		{name: "11: keyed, keys not believed", gen: 4, at: 30 * time.Second, state: all(unseen, keyOff), shown: withKey, want: wantReplay, after: both(replayed, window, recovered)},
		{name: "11: before 14", gen: 4, at: time.Second, state: unseen, shown: otherHint, want: wantReplay, after: both(replayed, window)},
		{name: "11: strict, unseen", gen: 4, at: time.Minute, state: unseen, policy: strict, want: wantReplay, after: both(firstReplay, window, recovered)},
		{name: "11: unseen grace, last instant", gen: 4, at: 30 * time.Second, state: unseen, policy: grace, want: wantReplay, after: both(replayed, window, recovered)},
		{name: "16: unseen grace, late", gen: 4, at: 30*time.Second + us, state: unseen, policy: grace, want: wantReuse, after: ended(EndReuse)},
		{name: "12: unseen grace, late, with the key", gen: 4, at: 30*time.Second + us, state: unseen, policy: grace, shown: withKey, want: wantReplay, after: both(firstReplay, recovered)},
		{name: "16: unseen grace, strict, at once", gen: 4, state: unseen, policy: func(p *policy) { grace(p); strict(p) }, want: wantReuse, after: ended(EndReuse)},
		{name: "11: unseen grace in time, other client", gen: 4, at: time.Second, state: unseen, policy: grace, shown: otherHint, want: wantReplay, after: both(replayed, window)},

		{name: "12: in the window", gen: 4, at: 30 * time.Second, shown: withKey, want: wantReplay, after: replayed},
		{name: "12: late", gen: 4, at: 30*time.Second + us, shown: withKey, want: wantReplay, after: both(firstReplay, recovered)},
		{name: "12: much later", gen: 4, at: 29 * time.Minute, shown: withKey, want: wantReplay, after: both(firstReplay, recovered)},
		{name: "12: before 14", gen: 4, at: time.Second, shown: func(p *presentation) { withKey(p); otherHint(p) }, want: wantReplay, after: replayed},
		{name: "12: strict, same instant", gen: 4, policy: strict, shown: withKey, want: wantReplay, after: replayed},
		{name: "12: strict, later", gen: 4, at: us, policy: strict, shown: withKey, want: wantReplay, after: both(firstReplay, recovered)},
		{name: "12: blind, in the window", gen: 4, at: 10 * time.Second, state: noHint, shown: withKey, want: wantReplay, after: replayed},
		{name: "12: blind, late", gen: 4, at: 10*time.Second + us, state: noHint, shown: withKey, want: wantReplay, after: both(firstReplay, recovered)},
		{name: "16: keys off", gen: 4, at: time.Minute, state: keyOff, shown: withKey, want: wantReuse, after: ended(EndReuse)},
		{name: "16: other key", gen: 4, at: time.Minute, shown: func(p *presentation) { p.retryKey = otherKey }, want: wantReuse, after: ended(EndReuse)},
		{name: "16: no key came", gen: 4, at: time.Minute, want: wantReuse, after: ended(EndReuse)},
		{name: "16: no key is kept", gen: 4, at: time.Minute, state: noKey, shown: withKey, want: wantReuse, after: ended(EndReuse)},
		{name: "16: no key on either side", gen: 4, at: time.Minute, state: noKey, want: wantReuse, after: ended(EndReuse)},

		{name: "13: at once", gen: 4, want: wantReplay, after: replayed},
		{name: "13: past 5 s is no recovery", gen: 4, at: 20 * time.Second, want: wantReplay, after: replayed},
		{name: "13: last instant", gen: 4, at: 30 * time.Second, want: wantReplay, after: replayed},
		{name: "16: too late", gen: 4, at: 30*time.Second + us, want: wantReuse, after: ended(EndReuse)},
		{name: "13: clock behind", gen: 4, at: -time.Minute, want: wantReplay, after: replayed},
		{name: "13: blind, last instant", gen: 4, at: 10 * time.Second, state: noHint, want: wantReplay, after: replayed},
		{name: "16: blind, too late", gen: 4, at: 10*time.Second + us, state: noHint, want: wantReuse, after: ended(EndReuse)},
		{name: "13: blind, shorter grace", gen: 4, at: 7 * time.Second, state: noHint, policy: func(p *policy) { p.Grace = 7 * time.Second }, want: wantReplay, after: replayed},
		{name: "16: blind, shorter grace, too late", gen: 4, at: 7*time.Second + us, state: noHint, policy: func(p *policy) { p.Grace = 7 * time.Second }, want: wantReuse, after: ended(EndReuse)},
		{name: "16: strict, same instant", gen: 4, policy: strict, want: wantReuse, after: ended(EndReuse)},
		{name: "13: the shortest grace", gen: 4, policy: func(p *policy) { p.Grace = 1 }, want: wantReplay, after: replayed},

		{name: "14: other client", gen: 4, at: time.Second, shown: otherHint, want: superseded},
		{name: "14: last instant", gen: 4, at: 30 * time.Second, shown: otherHint, want: superseded},
		{name: "16: other client, too late", gen: 4, at: 30*time.Second + us, shown: otherHint, want: wantReuse, after: ended(EndReuse)},
		{name: "14: unknown client", gen: 4, at: time.Second, shown: func(p *presentation) { p.hint = "" }, want: superseded},
		{name: "16: strict, other client", gen: 4, policy: strict, shown: otherHint, want: wantReuse, after: ended(EndReuse)},
	})
}

func TestDecideReplayCap(t *testing.T) {
	t.Parallel()
	count := func(n uint16) func(*state) { return func(s *state) { s.Replays = n } }
	countUnseen := func(n uint16) func(*state) { return func(s *state) { s.Replays, s.GenSeen = n, false } }
	throttled := func(after time.Duration) decision { return decision{verdict: verdictThrottled, after: after} }
	window := func(s *state, now time.Time, _ policy) { s.WindowAt, s.Recovered = now, true }
	recovered := func(s *state, _ time.Time, _ policy) { s.Recovered = true }
	runCases(t, []decideCase{
		{name: "the last", gen: 4, at: 20 * time.Second, state: count(127), want: wantReplay, after: replayed},
		{name: "one too many", gen: 4, at: 20 * time.Second, state: count(128), want: throttled(10 * time.Second)},
		{name: "many too many", gen: 4, at: 20 * time.Second, state: count(math.MaxUint16), want: throttled(10 * time.Second)},
		{name: "last instant", gen: 4, at: 30 * time.Second, state: count(128), want: throttled(time.Second)},
		{name: "keyed", gen: 4, at: 20 * time.Second, state: count(128), shown: withKey, want: throttled(10 * time.Second)},
		{name: "keyed, anew", gen: 4, at: 30*time.Second + us, state: count(128), shown: withKey, want: wantReplay, after: both(firstReplay, recovered)},
		{name: "unseen", gen: 4, at: 20 * time.Second, state: countUnseen(128), want: throttled(10 * time.Second)},
		{name: "unseen, anew", gen: 4, at: 30*time.Second + us, state: countUnseen(128), want: wantReplay, after: both(firstReplay, window)},
		{name: "blind", gen: 4, at: 9 * time.Second, state: func(s *state) { s.Replays, s.Hint = 128, mark{} }, want: throttled(time.Second)},
		{name: "not for other clients", gen: 4, at: 20 * time.Second, state: count(128), shown: otherHint, want: decision{verdict: verdictSuperseded}},
		{
			name: "shadow mode", gen: 3, at: 20 * time.Second, state: count(128), policy: func(p *policy) { p.Reuse = ReuseReport },
			want: decision{verdict: verdictThrottled, after: 10 * time.Second, class: classStale, reported: true},
		},
	})
}

func TestDecideReuse(t *testing.T) {
	t.Parallel()
	report := func(p *policy) { p.Reuse = ReuseReport }
	behind := func(n uint8) func(*state) { return func(s *state) { s.Behind = n } }
	reported := func(class string) decision {
		return decision{verdict: verdictReplay, class: class, write: true, reported: true}
	}
	runCases(t, []decideCase{
		{name: "two behind", gen: 3, want: wantStale, after: ended(EndReuse)},
		{name: "two behind, overtaken by a step-up", gen: 3, at: time.Second, state: behind(2), want: wantReplay, after: replayed},
		{name: "two behind, overtaken by a step-up, unseen", gen: 3, at: time.Second, state: func(s *state) { behind(2)(s); unseen(s) }, want: wantReplay, after: both(replayed, func(s *state, now time.Time, _ policy) { s.WindowAt = now })},
		{name: "two behind, overtaken by a step-up, late", gen: 3, at: time.Minute, state: behind(2), want: wantReuse, after: ended(EndReuse)},
		{name: "three behind, overtaken by a step-up", gen: 2, at: time.Second, state: behind(2), want: wantStale, after: ended(EndReuse)},
		{name: "two behind, unseen, with the key", gen: 3, state: unseen, shown: withKey, want: wantStale, after: ended(EndReuse)},
		{name: "four behind", gen: 1, at: 10 * time.Minute, want: wantStale, after: ended(EndReuse)},
		{name: "the one before, with suspect reported", gen: 4, at: time.Minute, policy: func(p *policy) { p.Suspect = SuspectReport }, want: wantReuse, after: ended(EndReuse)},
		{name: "reported, two behind", gen: 3, at: time.Second, policy: report, want: reported(classStale), after: replayed},
		{name: "reported, late", gen: 4, at: time.Minute, policy: report, want: reported(classPrevious), after: firstReplay},
		{name: "reported, unseen, two behind", gen: 3, at: 10 * time.Second, policy: report, state: unseen, want: reported(classStale), after: replayed},
	})
}

// TestAdvance is for step-up, which advances without a presentation: nothing of
// the generation before may hold for the new one.
func TestAdvance(t *testing.T) {
	t.Parallel()
	s, now := testState(), t0.Add(time.Minute)
	s.Replays, s.Recovered, s.Streak = 9, true, 3
	want := s
	rotated(&want, now, testPolicy(now))
	want.Streak = 3
	if got := s.advance(now, testPolicy(now)); got != want {
		t.Errorf("advance\n got %+v\nwant %+v", got, want)
	}
}

// A step-up keeps tolerating what was tolerated, where the window is open.
func TestStepUpState(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		at     time.Duration
		change func(*state)
		behind uint8
	}{
		{"seen, window over", 30*time.Second + us, func(*state) {}, 1},
		{"seen, last instant of the window", 30 * time.Second, func(*state) {}, 2},
		{"unseen, however late", time.Hour, unseen, 2},
		{"again", 30 * time.Second, func(s *state) { s.Behind = 2 }, 3},
		{"again, window over", 31 * time.Second, func(s *state) { s.Behind = 2 }, 1},
		{"at most eight", time.Second, func(s *state) { s.Behind = 8 }, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, now := testState(), t0.Add(c.at)
			c.change(&s)
			want := s
			rotated(&want, now, testPolicy(now))
			want.Behind, want.Streak, want.Hint = c.behind, s.Streak, s.Seed.hash("hint", "other")
			want.IdleExpires = later(s.IdleExpires, want.IdleExpires)
			if got := s.stepUp("other", now, testPolicy(now)); got != want {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestMarks(t *testing.T) {
	t.Parallel()
	if len(seed{}) != 32 || len(mark{}) != 16 {
		t.Error("a seed has 32 bytes and a mark 16")
	}
	a, b := testSeed.hash("retry", "x"), testSeed.hash("retry", "y")
	if (mark{}).is(mark{}) || a.is(mark{}) || (mark{}).is(a) {
		t.Error("the zero mark equals something")
	}
	if a.is(b) || !a.is(a) || testSeed.hash("hint", "x").is(a) {
		t.Error("marks of different texts or labels must differ, and of one be the same")
	}
	other := seed{9}
	if other.hash("retry", "x").is(a) || other.refreshID(1).is(testSeed.refreshID(1)) {
		t.Error("marks of different seeds must differ")
	}
	if testSeed.hash("retry", "") != (mark{}) {
		t.Error("an absent text has a mark")
	}
	if testSeed.derive("a", []byte("bc")).is(testSeed.derive("ab", []byte("c"))) {
		t.Error("label and data run into each other")
	}
	// HMAC-SHA-256 of "refresh" 00 00000005 under the seed 010203 00…, computed
	// apart: a change of the derivation would end every session.
	want := mark{0x3a, 0x49, 0x48, 0x0b, 0x2d, 0x4c, 0x6d, 0x4c, 0xd9, 0xb0, 0x99, 0x10, 0x9d, 0xed, 0x2b, 0x03}
	if got := testSeed.refreshID(5); got != want {
		t.Errorf("refreshID = %x, want %x", got, want)
	}
}

func TestAccessible(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "CS-2")
	for _, c := range []struct {
		name string
		gen  uint32
		seen bool
		at   time.Duration
		want bool
	}{
		{"the newest", 5, true, time.Hour, true},
		{"ahead, after a failover", 6, true, time.Hour, true},
		{"the one before, unseen", 4, false, time.Hour, true},
		{"the one before, young", 4, true, 30*time.Second - us, true},
		{"the one before, old", 4, true, 30 * time.Second, false},
		{"two before, unseen and young", 3, false, 0, false},
		{"the greatest", math.MaxUint32, true, time.Hour, true},
	} {
		s := testState()
		s.GenSeen = c.seen
		if got := s.accessible(c.gen, t0.Add(c.at), testPolicy(t0)); got != c.want {
			t.Errorf("%s: accessible = %v", c.name, got)
		}
	}
}

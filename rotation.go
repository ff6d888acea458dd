package remuda

import (
	"crypto/hmac"
	"encoding/binary"
	"slices"
	"time"

	"github.com/remuda-go/remuda/internal/mac"
)

// This file is the state machine of refresh token rotation, whole: no clock, no
// store, no HTTP. It keeps two promises that are usually traded against each
// other:
//
//   - No honest client is signed out by its own retries: parallel tabs, lost or
//     late answers, a sleeping laptop, a crash of ours between the write and
//     the answer.
//   - No stolen refresh token survives: once thief and owner have both gone on
//     from one token, or a thief keeps running ahead in silence, the session
//     ends.
//
// The manager reads a record, calls decide, and writes the result by
// compare-and-swap; on a conflict it reads and decides afresh.
//
// A refresh token is derived from the session's seed and its generation, not
// drawn: in whatever order answers arrive the successor is the same, the store
// holds nothing that works as a token, and a retry needs no remembered
// plaintext.

// mark is a truncated HMAC under a session's seed. The zero mark means none and
// equals nothing, itself included.
type mark [16]byte

func (m mark) is(other mark) bool {
	return m != mark{} && hmac.Equal(m[:], other[:])
}

// seed is a session's secret, made at login. It is stored sealed.
type seed [32]byte

// derive is HMAC-SHA-256(seed, label ‖ 0 ‖ data), truncated to 128 bits.
func (s *seed) derive(label string, data []byte) mark {
	sum := mac.Once(s[:], slices.Concat([]byte(label), []byte{0}, data))
	return mark(sum[:16])
}

// refreshID is the jti of the refresh token of one generation.
func (s *seed) refreshID(gen uint32) mark {
	return s.derive("refresh", binary.BigEndian.AppendUint32(nil, gen))
}

// hash hides a text that need only be recognised: a retry key, client facts. An
// absent text has no mark.
func (s *seed) hash(label, text string) mark {
	if text == "" {
		return mark{}
	}
	return s.derive(label, []byte(text))
}

// state is what a record holds for rotation.
type state struct {
	Seed     seed
	Gen      uint32    // the newest generation issued; login issues 1
	GenAt    time.Time // when it was issued: the iat of its refresh token
	GenSeen  bool      // a credential of Gen has been presented
	WindowAt time.Time // when its tolerance window began: at issue, first use, or a late recovery
	Replays  uint16    // answers given again in this window

	Retry  mark // the retry key of the refresh that produced Gen
	KeyOff bool // this session's retry keys are not to be believed
	Hint   mark // the client facts of the refresh that produced Gen

	// Behind is how many generations before Gen are still tolerated while its
	// window is open: 1, and more after a step-up that came into an open window.
	Behind uint8

	Recovered bool  // Gen was handed out again late, unused
	Streak    uint8 // for how many generations in a row that was so

	// AccessExpires is when the access token expires that came with Gen. Others of
	// the same generation do not move it, since their answer may have been lost,
	// unless each of them could refresh.
	AccessExpires time.Time
	Expires       time.Time // the absolute deadline
	IdleExpires   time.Time // never later than Expires
	LastSeen      time.Time

	EndedAt   time.Time // zero while the session lives
	EndReason EndReason
}

// presentation is a refresh token whose signature has been checked, and what came
// with it. With Rotation.ByAccess it is an access token, and no rule differs: all
// access tokens of one generation carry its one id, and are one token here.
type presentation struct {
	gen      uint32
	jti      mark
	byAccess bool
	retryKey string // the Idempotency-Key, or empty
	hint     string // coarse client facts, or empty
	revoked  bool   // the revocation log has ended the session
}

// policy is a profile's policy with what the manager adds.
type policy struct {
	Rotation
	idle   time.Duration // what a rotation earns
	access time.Time     // when an access token issued now would expire
	leeway time.Duration // before AccessExpires a refresh is early, less this
}

// verdict is what becomes of a refresh.
type verdict uint8

const (
	verdictInvalid    verdict = iota // not a token of this session; nothing changes
	verdictEnded                     // the session has ended
	verdictExpired                   // a deadline has passed; the session is ended
	verdictCurrent                   // a fresh access token, no refresh token
	verdictEarly                     // refused for now; nothing changes
	verdictRotate                    // the next generation
	verdictReplay                    // the newest generation again
	verdictSuperseded                // another client has just refreshed; nothing changes
	verdictThrottled                 // too many replays in this window; nothing changes
	verdictReuse                     // two parties hold one token; the session is ended
)

// The classes of reuse.
const (
	classPrevious = "previous" // the generation before the newest, late
	classStale    = "stale"    // an older one
	classShadowed = "shadowed" // the newest was recovered late too often in a row
)

// decision is the verdict and what events should tell besides.
type decision struct {
	verdict    verdict
	class      string        // of reuse
	after      time.Duration // verdictEarly, verdictThrottled: when to try again
	write      bool          // the state has changed and must be stored
	forged     bool          // verdictInvalid: well signed, but not derived from the seed
	rolledBack bool          // the client was ahead of the store
	suspect    bool          // the streak has reached suspectAt
	early      bool          // a rotation came before the access token expired
	reported   bool          // the policy is to report the reuse only
}

const (
	replayCap  = 128              // replays in one window
	lostAfter  = 5 * time.Second  // a replay later than this counts as a recovery
	maxBehind  = 8                // generations tolerated at most
	suspectAt  = 5                // late recoveries in a row: an event
	shadowedAt = 8                // late recoveries in a row: reuse
	blindGrace = 10 * time.Second // the longest grace where no client facts are kept
	blindFloor = 20 * time.Second // the longest floor there
)

// decide says what becomes of the refresh p at the instant now, and what the
// record then holds. It is pure. The order of its rules matters.
func decide(s state, p presentation, now time.Time, pol policy) (decision, state) {
	if !s.Seed.refreshID(p.gen).is(p.jti) {
		// Not theft: whoever holds the ring but not the seed ends up here.
		return decision{verdict: verdictInvalid, forged: true}, s
	}
	if !s.EndedAt.IsZero() {
		return decision{verdict: verdictEnded}, s
	}
	if p.revoked {
		return decision{verdict: verdictEnded, write: true}, s.end(now, EndRevoked)
	}
	if reason, over := s.expired(now); over {
		return decision{verdict: verdictExpired, write: true}, s.end(now, reason)
	}
	var d decision
	if p.gen > s.Gen {
		// The jti proves that we issued it, so the store has lost
		// acknowledged writes: a failover.
		d.rolledBack = true
		if pol.Ahead == AheadEnd {
			d.verdict, d.write = verdictEnded, true
			return d, s.end(now, EndRolledBack)
		}
		// Everything from now: keeping the old times would let the next
		// request rotate at once, while others still hold what was lost.
		s.Gen, s.GenAt, s.WindowAt = p.gen, now, now
		s.Replays, s.Retry, s.Recovered, s.Behind = 0, mark{}, false, 1
		s.Hint = s.Seed.hash("hint", p.hint)
		d.write = true
	}
	switch behind := s.Gen - p.gen; {
	case behind == 0:
		return decideNewest(s, d, p, now, pol)
	case behind <= uint32(s.Behind):
		return decidePrevious(s, d, p, now, pol)
	default:
		return reuse(s, d, classStale, now, pol)
	}
}

// decideNewest is for a client that holds the newest generation.
func decideNewest(s state, d decision, p presentation, now time.Time, pol policy) (decision, state) {
	if s.age(now) < s.floor(pol) || d.rolledBack {
		// No rotation, and no refresh token in the answer: a cookie jar is
		// last-writer-wins, and a slow answer would put an old token back.
		d.verdict = verdictCurrent
		if !s.GenSeen {
			s.GenSeen, s.WindowAt, d.write = true, now, true
		}
		if p.byAccess {
			// What this answer carries is what refreshes, and may come late: the
			// next generation waits until it is of no use.
			s.AccessExpires, d.write = pol.access, true
		}
		return d, s
	}
	if due := s.AccessExpires.Add(-pol.leeway); now.Before(due) {
		if pol.Early == EarlyRefuse {
			d.verdict, d.after = verdictEarly, due.Sub(now)
			return d, s
		}
		d.early = pol.Early == EarlyReport
	}
	// A thief who always refreshes first and uses nothing lets the owner
	// recover each generation late. One such step cannot be told from a lost
	// answer; the repetition can.
	streak := uint8(0)
	if s.Recovered {
		streak = min(s.Streak+1, shadowedAt)
	}
	if streak == shadowedAt {
		if pol.Suspect == SuspectEnd && pol.Reuse == ReuseEnd {
			return reuse(s, d, classShadowed, now, pol)
		}
		d.class, d.reported = classShadowed, true
	}
	retry := s.Seed.hash("retry", p.retryKey)
	if s.Retry.is(retry) {
		// This client sends one key for many refreshes; believed, any token
		// of any age would be a retry.
		s.KeyOff = true
	}
	if s.KeyOff {
		retry = mark{}
	}
	d.verdict, d.write, d.suspect = verdictRotate, true, streak == suspectAt
	s = s.advance(now, pol)
	s.Streak, s.Retry, s.Hint = streak, retry, s.Seed.hash("hint", p.hint)
	return d, s
}

// stepUp issues the next generation because the user has authenticated again,
// not because a client presented the newest one. Parallel refreshes may still be
// under way then, with what was tolerated until now: it stays so. A tab that
// refreshed beside the step-up is no thief.
func (s state) stepUp(hint string, now time.Time, pol policy) state {
	behind := uint8(1)
	if !s.GenSeen || s.age(now) <= s.grace(pol) {
		behind = min(s.Behind+1, maxBehind)
	}
	s = s.advance(now, pol)
	s.Behind, s.Hint = behind, s.Seed.hash("hint", hint)
	return s
}

// advance issues the next generation.
func (s state) advance(now time.Time, pol policy) state {
	s.Gen++
	s.Behind = 1
	s.GenAt, s.WindowAt = now, now
	s.GenSeen, s.Recovered = false, false
	s.Replays, s.Retry = 0, mark{}
	s.AccessExpires = pol.access
	s.IdleExpires = later(s.IdleExpires, earlier(now.Add(pol.idle), s.Expires))
	s.LastSeen = later(s.LastSeen, now)
	return s
}

// decidePrevious is for a client that holds the generation before the newest, or
// one that a step-up has overtaken.
func decidePrevious(s state, d decision, p presentation, now time.Time, pol policy) (decision, state) {
	age := s.age(now)
	inGrace := s.grace(pol) > 0 && age <= s.grace(pol)
	sameKey := !s.KeyOff && s.Retry.is(s.Seed.hash("retry", p.retryKey))
	sameHint := s.Hint == (mark{}) || s.Hint.is(s.Seed.hash("hint", p.hint))
	switch {
	case !s.GenSeen && (pol.Unseen == UnseenReplay || inGrace):
		// The answer was lost: nobody has used the newest generation, however
		// late it is. First, so that a late retry opens the window for its
		// neighbours too. A thief who runs ahead has drawn another key than
		// the owner, so a retry with the key is suspect only after the grace.
		late := age > lostAfter
		if sameKey {
			late = age > s.grace(pol)
		}
		return replay(s, d, late, now, now, pol)
	case sameKey:
		return replay(s, d, age > s.grace(pol), s.WindowAt, now, pol)
	case inGrace && sameHint:
		return replay(s, d, false, s.WindowAt, now, pol)
	case inGrace:
		// A browser and a server that share a jar, or a thief: nobody is
		// ended, and nothing is given.
		d.verdict = verdictSuperseded
		return d, s
	default:
		return reuse(s, d, classPrevious, now, pol)
	}
}

// replay hands out the newest generation again. Late says that this recovers it;
// the tolerance window begins at window from now on.
func replay(s state, d decision, late bool, window, now time.Time, pol policy) (decision, state) {
	grace := s.grace(pol)
	if s.age(now) > grace {
		s.Replays = 0
	} else if s.Replays >= replayCap {
		d.verdict, d.after = verdictThrottled, max(time.Second, s.WindowAt.Add(grace).Sub(now))
		return d, s
	}
	d.verdict, d.write = verdictReplay, true
	s.Replays++
	s.WindowAt = window
	s.Recovered = s.Recovered || late
	s.AccessExpires = pol.access
	return d, s
}

// reuse ends this session, and never the whole account. In shadow mode it only
// says so, and answers as a replay.
func reuse(s state, d decision, class string, now time.Time, pol policy) (decision, state) {
	d.class = class
	if pol.Reuse == ReuseReport {
		d.reported = true
		return replay(s, d, false, s.WindowAt, now, pol)
	}
	d.verdict, d.write = verdictReuse, true
	return d, s.end(now, EndReuse)
}

// end makes the state a tombstone.
func (s state) end(now time.Time, reason EndReason) state {
	s.EndedAt, s.EndReason = now, reason
	return s
}

// expired reports whether a deadline has passed, and which.
func (s *state) expired(now time.Time) (EndReason, bool) {
	switch {
	case !now.Before(s.Expires):
		return EndExpired, true
	case !now.Before(s.IdleExpires):
		return EndIdle, true
	default:
		return "", false
	}
}

// age is how long ago the tolerance window of the newest generation began.
func (s *state) age(now time.Time) time.Duration { return max(0, now.Sub(s.WindowAt)) }

// grace is the profile's, or a shorter one where clients cannot be told apart.
func (s *state) grace(pol policy) time.Duration {
	if s.Hint == (mark{}) {
		return min(pol.Grace, blindGrace)
	}
	return pol.Grace
}

// floor is the profile's, or a shorter one where clients cannot be told apart.
func (s *state) floor(pol policy) time.Duration {
	if s.Hint == (mark{}) {
		return min(pol.Floor, blindFloor)
	}
	return pol.Floor
}

// accessible reports whether an access token of the generation gen is good where
// each generation ends the access tokens before it: the newest, or the one
// before while the newest is unseen or young.
func (s *state) accessible(gen uint32, now time.Time, pol policy) bool {
	return gen >= s.Gen || gen+1 == s.Gen && (!s.GenSeen || s.age(now) < pol.Grace)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

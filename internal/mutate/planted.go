package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// bug is a mistake that somebody could make, and the tests that must notice.
type bug struct {
	name     string
	file     string
	old, new string
	tests    string // as for -run; at least one of them must fail
}

const memory = "store/memstore/memstore.go"

// bugs are those that the design names.
var bugs = []bug{
	{"no compare-and-swap", memory, `old.Version != was || old.Ended()`, `old.Ended()`, "TestStaleSwap"},
	{"a fork on replay", machine, "	s.Replays++\n", "	s.Replays++\n	s.Gen++\n", "TestParallelRefreshes|TestLostAnswer|TestRotationInvariants|TestDecidePrevious"},
	{"grace for any older generation", machine, "case behind <= uint32(s.Behind):", "case behind <= 3:", "TestRotationInvariants|TestThiefAlternating|TestDecideReuse"},
	{"a step-up that forgets what was tolerated", machine, "behind = min(s.Behind+1, maxBehind)", "behind = 1", "TestStepUpState|TestSessionSchedules"},
	{"a blind write over an end", memory, `old.Version != was || old.Ended()`, `false`, "TestEndAgainstRefreshes|TestStaleSwap"},
	{"a parallel replay that moves the window", machine, "	case inGrace && sameHint:\n		return replay(s, d, false, s.WindowAt, now, pol)", "	case inGrace && sameHint:\n		return replay(s, d, false, now, now, pol)", "TestDecidePrevious"},
	{"a forged token taken as theft", machine, "		return decision{verdict: verdictInvalid, forged: true}, s", "		return reuse(s, decision{}, classStale, now, pol)", "TestDecideBeforeTheGeneration|TestRotationInvariants"},
	{"theft reported for a session that has ended", machine, "		return decision{verdict: verdictEnded}, s", "		return reuse(s, decision{}, classStale, now, pol)", "TestDecideBeforeTheGeneration|TestRotationInvariants|TestEndAgainstRefreshes"},
	{"GenSeen ignored", machine, "case !s.GenSeen && (pol", "case (pol", "TestThiefAlternating|TestLostAnswer|TestDecidePrevious"},
	{"a touch of any generation sets GenSeen", memory, "t.Gen != 0 && t.Gen == r.Gen && !r.GenSeen", "!r.GenSeen", "TestToucher|TestOldGenerationTouch"},
	{"an absent key equals an absent hash", machine, "return m != mark{} && hmac.Equal(m[:], other[:])", "return hmac.Equal(m[:], other[:])", "TestMarks|TestThiefAlternating|TestLostAnswer"},
	{"an unbounded predecessor", machine, "inGrace := s.grace(pol) > 0 && age <= s.grace(pol)", "inGrace := s.grace(pol) > 0", "TestThiefAlternating|TestLostAnswer|TestDecidePrevious"},
	{"a decision from a stale replica", "manager.go", "row, err := m.store.Get(ctx, id)", "row, err := m.stale(ctx, id)", "TestThiefOnTwoNodes"},
	{"a version that comes back", "touch.go", "	_, _ = rand.Read(v[:])", "	_, _ = rand.Read(nil)", "TestVersionsAreNew"},
	{"one node's clock is wrong", "clock.go", "c.steady.At(own).Add(time.Duration(c.offset.Load()))", "own", "TestStoreTime"},
	{"a wrong clock is trusted", "clock.go", "Abs() <= c.leeway", "Abs() >= 0", "TestStoreTime"},
	{"Current hands out a refresh token", "refresh.go", "d.verdict != verdictCurrent && !shown.byAccess)", "true)", "TestCurrentHasNoRefreshToken"},
	{"a relayed use counts as the client's", "authenticate.go", "		gen = 0\n", "		gen = s.Gen\n", "TestToucher"},
}

// stale is what a stale replica returns: the first answer, for ever.
const stale = `
var replica sync.Map

func (m *Manager) stale(ctx context.Context, id SessionID) (store.Record, error) {
	if row, ok := replica.Load(id); ok {
		return row.(store.Record), nil
	}
	row, err := m.store.Get(ctx, id)
	if err == nil {
		replica.Store(id, row)
	}
	return row, err
}
`

// plantedBugs returns the mutants of the hand-written bugs.
func plantedBugs(root string) ([]mutant, error) {
	mutants := make([]mutant, 0, len(bugs))
	for _, b := range bugs {
		text, err := os.ReadFile(filepath.Join(root, b.file))
		if err != nil {
			return nil, err
		}
		if n := strings.Count(string(text), b.old); n != 1 {
			return nil, fmt.Errorf("%s: the text to break stands %d times in %s", b.name, n, b.file)
		}
		broken := strings.Replace(string(text), b.old, b.new, 1)
		if strings.Contains(b.new, "m.stale(") {
			broken += stale
		}
		mutants = append(mutants, mutant{name: b.name, files: map[string]string{b.file: broken}, run: "^(" + b.tests + ")$", property: true})
	}
	return mutants, nil
}

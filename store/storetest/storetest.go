package storetest

import (
	"os"
	"testing"
	"time"

	"github.com/remuda-go/remuda/store"
)

// SoakEnv names the environment variable that lengthens the history tier: a
// [time.Duration] for each store, in place of [Harness.History].
const SoakEnv = "REMUDA_STORETEST_HISTORY"

// defaultHistory keeps the history tier short in ordinary runs.
const defaultHistory = 2 * time.Second

// Harness says how to come by the store under test.
type Harness struct {
	// New returns an empty store that nobody else uses. It registers its own
	// cleanup with tb. It may be called from several tests at once.
	New func(tb testing.TB) store.Store
	// Reopen closes s and returns a store on the same data, as a process would
	// after a restart. Nil for stores that forget; the checks of durability are
	// then left out.
	Reopen func(tb testing.TB, s store.Store) store.Store
	// Second returns another handle on the data of s, as another process would
	// have it, and registers its cleanup with tb. Nil for stores that cannot be
	// shared.
	Second func(tb testing.TB, s store.Store) store.Store
	// Features says what the store must offer besides [store.Store].
	Features Features
	// History is how long the history tier records; 0 means two seconds. The
	// environment variable named by [SoakEnv] overrides it.
	History time.Duration

	patience time.Duration // shorter in the package's own tests; 0 means the constant
}

// Features are the optional interfaces a driver claims. They are stated, not
// discovered, so that a driver cannot lose one unnoticed.
type Features struct {
	Items bool // the store implements [store.Items]
	Erase bool // the store implements [store.Eraser]
	Clock bool // the store implements [store.Clock]
	Log   bool // the store implements [store.Log]
	// Settles says that the log shortens Until of what an entry of
	// [store.ScopeSettled] is about.
	Settles bool
}

// check is one promise and the test of it.
type check struct {
	name string
	run  func(e *env)
}

// tier is a named group of checks.
type tier struct {
	name   string
	checks []check
}

// Run plays all tiers as subtests. Each check gets a store of its own, and they
// run in parallel.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, tier := range tiers(h) {
		t.Run(tier.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range tier.checks {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					runCheck(t, h, c)
				})
			}
		})
	}
}

// runCheck is apart from Run so that the package's own tests can run a check
// under a recorder, against a store that is broken on purpose.
func runCheck(tb testing.TB, h Harness, c check) {
	tb.Helper()
	c.run(&env{TB: tb, h: h, s: h.New(tb)})
}

// tiers lists the checks that apply to a harness.
func tiers(h Harness) []tier {
	basic := concat(recordChecks(), touchChecks(), listChecks(), scanChecks(), sweepChecks(), failureChecks())
	concurrent := concurrentChecks()
	if h.Features.Items {
		basic = concat(basic, itemChecks())
		concurrent = concat(concurrent, concurrentItemChecks())
	}
	if h.Features.Erase {
		basic = concat(basic, eraseChecks())
	}
	if h.Features.Clock {
		basic = concat(basic, clockChecks())
	}
	if h.Reopen != nil {
		basic = concat(basic, reopenChecks(h.Features.Items))
	}
	all := []tier{{"basic", basic}, {"concurrent", concurrent}, {"history", historyChecks()}}
	if h.Features.Log {
		all = append(all, tier{"log", logTier(h)})
	}
	return all
}

// logTier lists the checks of the log that apply to a harness.
func logTier(h Harness) []check {
	checks := concat(logChecks(), truncateChecks(), settledChecks(h.Features.Settles), logConcurrentChecks())
	if h.Reopen != nil {
		checks = concat(checks, logReopenChecks())
	}
	if h.Second != nil {
		checks = concat(checks, logSecondChecks())
	}
	return checks
}

func concat(groups ...[]check) []check {
	var all []check
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

// historyTime is how long the history tier records.
func (h Harness) historyTime(tb testing.TB) time.Duration {
	tb.Helper()
	if s := os.Getenv(SoakEnv); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			tb.Fatalf("%s: %v", SoakEnv, err)
		}
		return d
	}
	if h.History > 0 {
		return h.History
	}
	return defaultHistory
}

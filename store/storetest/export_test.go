package storetest

import (
	"testing"
	"time"
)

// Check is a check as the package's own tests see it.
type Check struct {
	Tier, Name string
	Run        func(tb testing.TB)
}

// Checks lists what Run would run, for a harness whose store is broken on
// purpose and may block.
func Checks(h Harness) []Check {
	h.patience = 2 * time.Second
	var all []Check
	for _, tier := range tiers(h) {
		for _, c := range tier.checks {
			all = append(all, Check{tier.name, c.name, func(tb testing.TB) {
				tb.Helper()
				runCheck(tb, h, c)
			}})
		}
	}
	return all
}

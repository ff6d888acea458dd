//go:build !race

package opaque_test

// raceEnabled says that pools drop at random, so that allocations do not count.
const raceEnabled = false

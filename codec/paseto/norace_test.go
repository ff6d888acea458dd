//go:build !race

package paseto_test

// raceEnabled says that pools drop at random, so that allocations do not count.
const raceEnabled = false

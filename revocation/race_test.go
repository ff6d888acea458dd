//go:build race

package revocation_test

// raceEnabled says that the race detector is on, so that allocations, memory and
// times do not count.
const raceEnabled = true

//go:build race

package revocation_test

// raceEnabled says that the race detector is on, so that allocations and memory
// do not count.
const raceEnabled = true

// million is fewer where everything takes ten times as long.
const million = 100_000

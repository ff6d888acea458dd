//go:build race

package remuda_test

// raceEnabled says that allocations are not as in production.
const raceEnabled = true

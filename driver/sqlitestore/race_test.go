//go:build race

package sqlitestore_test

// raceEnabled says that the race detector makes everything slow.
const raceEnabled = true

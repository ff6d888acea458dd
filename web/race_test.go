//go:build race

package web_test

// raceEnabled says that the race detector makes everything slow.
const raceEnabled = true

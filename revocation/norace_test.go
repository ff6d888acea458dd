//go:build !race

package revocation_test

const raceEnabled = false

const million = 1_000_000

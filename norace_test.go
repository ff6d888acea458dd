//go:build !race

package remuda_test

const raceEnabled = false

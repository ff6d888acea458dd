//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package keyring

import (
	"errors"
	"fmt"
	"os"
)

// lock says that there are no locks: without one, two rotations at once could lose
// a key.
func lock(*os.File) (bool, error) {
	return false, fmt.Errorf("a key file cannot be changed on this system: it has no flock: %w", errors.ErrUnsupported)
}

func keepOwner(*os.File, *os.File) error { return nil }

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package keyring

import (
	"errors"
	"os"
	"syscall"
)

// lock tries to lock an open file, and reports whether it did.
func lock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return false, nil
	}
	return err == nil, err
}

// keepOwner gives a new file the owner of the one that it is to replace: an
// administrator who rotates keys must not lock the server out of its ring.
func keepOwner(to, from *os.File) error {
	info, err := from.Stat()
	if err != nil {
		return err
	}
	own, err := to.Stat()
	if err != nil {
		return err
	}
	was, ok := info.Sys().(*syscall.Stat_t)
	is, ok2 := own.Sys().(*syscall.Stat_t)
	if !ok || !ok2 || was.Uid == is.Uid && was.Gid == is.Gid {
		return nil
	}
	return to.Chown(int(was.Uid), int(was.Gid))
}

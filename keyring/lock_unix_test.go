//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package keyring_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/keyring"
)

// TestFileOwner: an administrator who rotates leaves the file to its owner.
func TestFileOwner(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	r := open(t, keyring.Config{Source: keyring.FileSource(path, keyring.Master{})})
	const somebody = 12345
	if err := os.Chown(path, somebody, somebody); err != nil {
		t.Skip("only root can give files away: ", err)
	}
	rotate(t, r, codec.HS256)
	if uid, gid := owner(t, path); uid != somebody || gid != somebody {
		t.Errorf("the file belongs to %d:%d", uid, gid)
	}
}

// TestLockedFile: whoever holds the lock is waited for, and not for longer than the
// context says.
func TestLockedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	r := open(t, keyring.Config{Source: keyring.FileSource(path, keyring.Master{})})
	release := flock(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.Rotate(ctx, codec.HS256); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Rotate = %v", err)
	}
	done := make(chan error)
	go func() {
		_, err := r.Rotate(t.Context(), codec.HS256)
		done <- err
	}()
	release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	onlyFile(t, path)
}

// waiting is a context that tells when somebody waits for it.
type waiting struct {
	context.Context
	asked chan struct{}
	once  sync.Once
}

func (w *waiting) Done() <-chan struct{} {
	w.once.Do(func() { close(w.asked) })
	return w.Context.Done()
}

// TestLockOfTheFormerFile: whoever waited for the lock of a file that was replaced
// meanwhile does not take it for the present one.
func TestLockOfTheFormerFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	src := keyring.FileSource(path, keyring.Master{})
	open(t, keyring.Config{Source: src})
	mine, _, err := src.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	theirs := []byte(marshal(t, newRing(t)))
	_, was, err := src.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	release := flock(t, path)
	ctx := &waiting{Context: t.Context(), asked: make(chan struct{})}
	done := make(chan error)
	go func() {
		_, err := src.Save(ctx, append(mine, '\n'), was)
		done <- err
	}()
	<-ctx.asked
	writeFile(t, path+".other", theirs, 0o600)
	if err := os.Rename(path+".other", path); err != nil {
		t.Fatal(err)
	}
	release()
	if err := <-done; !errors.Is(err, keyring.ErrConflict) {
		t.Errorf("Save = %v", err)
	}
	if text, _, err := src.Load(t.Context()); err != nil || !bytes.Equal(text, theirs) {
		t.Errorf("what another has saved is lost: %v", err)
	}
}

func owner(t *testing.T, path string) (uid, gid uint32) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	return stat.Uid, stat.Gid
}

// flock locks a file.
func flock(t *testing.T, path string) (release func()) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { _ = f.Close() }
}

package keyring

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// filePlace is a file.
type filePlace struct{ path string }

// FileSource keeps a ring in a file, mode 0600, for the processes of one machine.
// With a master key it is sealed. A file that others than its owner may read or
// write is refused. Symbolic links are followed.
//
// The file is replaced as a whole: a crash leaves the old one or the new one. Who
// replaces it holds a lock on it (flock); where the system has none, a ring can be
// made and read, but not changed.
func FileSource(path string, master Master) Source { return sealed{filePlace{path}, master} }

func (p filePlace) name() string { return p.path }

// Load implements [Source].
func (p filePlace) Load(context.Context) ([]byte, string, error) {
	text, err := readFile(p.path)
	if err != nil {
		return nil, "", err
	}
	return text, fileVersion(text), nil
}

// fileVersion is the version of a file: a hash of what stands in it.
func fileVersion(text []byte) string {
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Save implements [Source].
func (p filePlace) Save(ctx context.Context, text []byte, was string) (string, error) {
	var err error
	if was == "" {
		err = createFile(p.path, text)
	} else {
		err = replaceFile(ctx, p.path, text, was)
	}
	switch {
	case err == nil:
		return fileVersion(text), nil
	case errors.Is(err, ErrConflict):
		return "", err
	}
	return "", fmt.Errorf("keyring: %w", err)
}

// readFile reads a ring's file. It refuses one that others than its owner may read
// or write.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("keyring: %s is not a regular file", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("keyring: %s has mode %04o: others can read or write the keys; run chmod 600", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return text, nil
}

// Load reads the unsealed ring in a file, with the same checks as [FileSource]. The
// ring is fixed: its keys stay what they are now, by time.Now. A file that is not
// there is an error that wraps [fs.ErrNotExist].
func Load(path string) (*Ring, error) { return loadFile(path, time.Now) }

func loadFile(path string, now func() time.Time) (*Ring, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	doc, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, path)
	}
	return fixedRing(doc, now), nil
}

// LoadOrCreate reads the unsealed ring in a file, or makes one and writes it there,
// before it returns. Of several processes that start at once one makes the ring and
// all return the same. The ring is fixed: its keys stay what they are now.
func LoadOrCreate(path string, now time.Time) (*Ring, error) {
	clock := func() time.Time { return now }
	r, err := loadFile(path, clock)
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	if r, err = New(now); err != nil {
		return nil, err
	}
	text, err := r.Marshal()
	if err != nil {
		return nil, err
	}
	if err := createFile(path, text); err != nil && !errors.Is(err, ErrConflict) {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return loadFile(path, clock)
}

// createFile writes a new file whole or not at all: a hard link from a synced
// temporary file appears at once, and fails if another process was first.
func createFile(path string, text []byte) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".keyring-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if err := writeAll(tmp, text); err != nil {
		return err
	}
	err = os.Link(tmp.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return ErrConflict
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// writeAll writes, syncs and closes.
func writeAll(f *os.File, text []byte) error {
	_, err := f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// replaceFile puts a text in the place of one that has the version was. The lock is
// on the file that is replaced, so that nothing is left beside it: who waited for
// it finds that the path leads to another file, and starts over.
func replaceFile(ctx context.Context, path string, text []byte, was string) error {
	path, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrConflict
	}
	if err != nil {
		return err
	}
	held, err := lockPresent(ctx, path)
	if err != nil {
		return err
	}
	defer func() { _ = held.Close() }() // and with it the lock
	present, err := io.ReadAll(held)
	if err != nil {
		return err
	}
	if fileVersion(present) != was {
		return ErrConflict
	}
	// Only who holds the lock writes here; what a crash has left is overwritten.
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = keepOwner(f, held)
	if err := errors.Join(err, writeAll(f, text)); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	if err := os.Rename(next, path); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return syncDir(filepath.Dir(path))
}

const lockPause = 2 * time.Millisecond

// lockPresent opens the file that the path leads to, and locks it. The lock ends
// when the file is closed.
func lockPresent(ctx context.Context, path string) (*os.File, error) {
	for {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrConflict
		}
		if err != nil {
			return nil, err
		}
		if err := waitLock(ctx, f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if leadsTo(path, f) {
			return f, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

// waitLock locks an open file.
func waitLock(ctx context.Context, f *os.File) error {
	for {
		if held, err := lock(f); held || err != nil {
			return err
		}
		if err := wait(ctx, lockPause); err != nil {
			return err
		}
	}
}

// leadsTo reports whether a path leads to an open file.
func leadsTo(path string, f *os.File) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(mine, now)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

package sqlitestore

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// creating keeps two Opens of one process apart while a new file is made.
// Closing any descriptor of a file drops all POSIX locks that this process has
// on it, also SQLite's: so an existing file is never opened here, and no SQLite
// connection of this process comes to a new one before its descriptor is closed.
var creating sync.Mutex

// ensureFile makes an empty file that only its owner may read, unless there is
// one already.
func ensureFile(path string) (os.FileInfo, error) {
	creating.Lock()
	defer creating.Unlock()
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createFile(path); err != nil {
			return nil, err
		}
		info, err = os.Stat(path)
	}
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrForeign, path)
	}
	return info, nil
}

func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // another process was faster
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the new name durable. Not every system can sync a directory;
// where it cannot, there is nothing more to do.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil //nolint:nilerr // a directory may be writable and not readable
	}
	_ = d.Sync()
	return d.Close()
}

// access is how a connection may use the file.
type access string

const (
	writing access = "mode=rw"
	reading access = "mode=rw&_query_only=1" // rw, so that it can rebuild the WAL's index
)

// probing is how to look at a file that may not be ours without a trace. Where
// there is no WAL, a connection with the right to write removes the one that it
// makes for reading, and one without would leave it. Where there is one, a
// connection with the right to write would fold it into the file when it leaves.
func probing(path string) access {
	if _, err := os.Stat(path + "-wal"); err != nil {
		return reading
	}
	return "mode=ro"
}

// dsn is the name by which the driver opens the file; the path is escaped, so
// that no character in it is taken for a parameter.
func dsn(path string, a access, busy time.Duration) string {
	name := filepath.ToSlash(path)
	if !strings.HasPrefix(name, "/") {
		name = "/" + name // a drive letter
	}
	query := strings.Join([]string{
		string(a),
		"_busy_timeout=" + strconv.FormatInt(busy.Milliseconds(), 10),
		"_synchronous=FULL",
		"_txlock=immediate",
		"_dqs=0",
		"_defensive=1",
		"_pragma=trusted_schema(0)",
		"_pragma=fullfsync(1)", // where fsync alone does not reach the disk
		"_pragma=journal_size_limit(67108864)",
		"_pragma=secure_delete(1)", // what is removed or changed is overwritten: see Erase
	}, "&")
	return (&url.URL{Scheme: "file", Path: name, RawQuery: query}).String()
}

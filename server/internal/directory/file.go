package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// The reasons for which Open refuses a file, wrapped. The file is left as it
// was.
var (
	// ErrForeign says that what is at the path was not made by this package.
	ErrForeign = errors.New("not a Remuda user directory")
	// ErrNewer says that a newer version of this package changed the schema.
	ErrNewer = errors.New("the user directory was made by a newer version of Remuda")
	// ErrExposed says that others than the owner may read or write the file.
	ErrExposed = errors.New("others than its owner may use the file: chmod 600")
)

const maxConns = 4

// creating keeps two Opens of one process apart while a new file is made.
// Closing any descriptor of a file drops all POSIX locks that this process has
// on it, also SQLite's: so an existing file is never opened here, and no SQLite
// connection of this process comes to a new one before its descriptor is closed.
var creating sync.Mutex

// ensureFile makes an empty file that only its owner may use, unless there is
// one, and refuses what is not such a file.
func ensureFile(path string) error {
	creating.Lock()
	defer creating.Unlock()
	if err := createFile(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: not a regular file", ErrForeign)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%w (its mode is %#o)", ErrExposed, info.Mode().Perm())
	}
	return nil
}

func createFile(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil // another process was faster
	case err != nil:
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a new name durable, where the system can sync a directory.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil //nolint:nilerr // a folder may be writable and not readable
	}
	_ = d.Sync()
	return d.Close()
}

// dsn is the name by which the driver opens the file; the path is escaped, so
// that no character in it is taken for a parameter.
func dsn(path, access string) string {
	name := filepath.ToSlash(path)
	if !strings.HasPrefix(name, "/") {
		name = "/" + name // a drive letter
	}
	query := access + "&_busy_timeout=10000&_synchronous=FULL&_txlock=immediate&_dqs=0&_defensive=1" +
		"&_pragma=trusted_schema(0)&_pragma=secure_delete(1)&_pragma=fullfsync(1)" // where fsync alone does not reach the disk
	return (&url.URL{Scheme: "file", Path: name, RawQuery: query}).String()
}

// onConn opens one connection for do and closes it.
func onConn(ctx context.Context, name string, do func(c *sql.Conn) error) (err error) {
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return do(c)
}

package backup

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"
)

// ErrDamaged says that a backup is not whole, or that this version cannot read it; the
// message around it says what is wrong.
var ErrDamaged = errors.New("not a whole backup")

// Source is a file to copy.
type Source struct {
	Name     string // in the backup
	Path     string
	Database bool // of SQLite: copied as of one instant, whoever writes meanwhile
}

// manifestName is written last: a folder without it is no backup.
const manifestName = "backup.json"

// format is the version of the layout.
const format = 1

// Manifest says what is in a backup.
type Manifest struct {
	Format int       `json:"format"`
	MadeAt time.Time `json:"made_at"` // when the first file was begun
	Files  []File    `json:"files"`
}

// File is one file of a backup.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Has reports whether there is a file of that name.
func (m *Manifest) Has(name string) bool {
	for _, f := range m.Files {
		if f.Name == name {
			return true
		}
	}
	return false
}

// Make copies the sources, in their order, into a new folder that only its owner may
// read. The folder has its name when all is in it and on the disk, and not before: what
// a crash leaves behind has another one, which ends in ".partial", and the next Make
// removes it.
func Make(ctx context.Context, dir string, now time.Time, sources []Source) (m Manifest, err error) {
	dir = filepath.Clean(dir)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fmt.Errorf("%s is there already", dir)
		}
		return m, err
	}
	partial := dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return m, err
	}
	if err := os.Mkdir(partial, 0o700); err != nil {
		return m, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(partial) // what went wrong before is told
		}
	}()
	m = Manifest{Format: format, MadeAt: now.UTC().Truncate(time.Second)}
	for _, s := range sources {
		to := filepath.Join(partial, s.Name)
		if err := s.copyTo(ctx, to); err != nil {
			return m, fmt.Errorf("%s: %w", s.Path, err)
		}
		f, err := inspect(to)
		if err != nil {
			return m, err
		}
		m.Files = append(m.Files, f)
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, err
	}
	if err := writeFile(filepath.Join(partial, manifestName), append(text, '\n')); err != nil {
		return m, err
	}
	if err := syncDir(partial); err != nil {
		return m, err
	}
	if err := os.Rename(partial, dir); err != nil {
		return m, err
	}
	return m, syncDir(filepath.Dir(dir))
}

func (s *Source) copyTo(ctx context.Context, to string) error {
	if !s.Database {
		text, err := os.ReadFile(s.Path)
		if err != nil {
			return err
		}
		return writeFile(to, text)
	}
	if _, err := os.Stat(s.Path); err != nil {
		return err // SQLite would make it
	}
	// For its owner from the first byte on. SQLite takes an empty file for a new one.
	if err := writeFile(to, nil); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", dsn(s.Path))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return syncFile(to)
}

func dsn(path string) string {
	name, err := filepath.Abs(path)
	if err != nil {
		name = path
	}
	name = filepath.ToSlash(name)
	if !strings.HasPrefix(name, "/") {
		name = "/" + name // a drive letter
	}
	return (&url.URL{Scheme: "file", Path: name, RawQuery: "mode=rw&_busy_timeout=10000&_dqs=0&_defensive=1&_pragma=trusted_schema(0)"}).String()
}

// Open reads what is in a backup, and checks every byte of it. It returns
// [ErrDamaged], wrapped, or the error of a file that could not be read.
func Open(dir string) (Manifest, error) {
	var m Manifest
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%w: %s has no %s", ErrDamaged, dir, manifestName)
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%w: %s: %w", ErrDamaged, manifestName, err)
	}
	if m.Format != format {
		return m, fmt.Errorf("%w: its format is %d, and this version reads %d", ErrDamaged, m.Format, format)
	}
	for _, want := range m.Files {
		if want.Name != filepath.Base(want.Name) || want.Name == "." || want.Name == ".." {
			return m, fmt.Errorf("%w: it names the file %q", ErrDamaged, want.Name)
		}
		got, err := inspect(filepath.Join(dir, want.Name))
		if errors.Is(err, fs.ErrNotExist) {
			return m, fmt.Errorf("%w: %s is missing", ErrDamaged, want.Name)
		}
		if err != nil {
			return m, err
		}
		if got != want {
			return m, fmt.Errorf("%w: %s was changed", ErrDamaged, want.Name)
		}
	}
	return m, nil
}

// Copy copies a file of a backup to a new path, for its owner alone, and has it on the
// disk when it returns.
func Copy(dir, name, to string) error {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	return writeFile(to, text)
}

// inspect is what a manifest says of a file.
func inspect(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	hash := sha256.New()
	n, err := io.Copy(hash, f)
	return File{Name: filepath.Base(path), Size: n, SHA256: hex.EncodeToString(hash.Sum(nil))}, err
}

// writeFile makes a file that is not there, for its owner alone, and syncs it.
func writeFile(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncDir makes new names durable, where the system can sync a folder.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil //nolint:nilerr // a folder may be writable and not readable
	}
	_ = d.Sync()
	return d.Close()
}

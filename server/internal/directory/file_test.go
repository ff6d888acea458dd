package directory_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/remuda-go/remuda/server/internal/directory"
	"github.com/remuda-go/remuda/web"
)

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "odd ?name=#1%20.db")
	d := open(t, path)
	if err := d.Add(t.Context(), "alice", password); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%q: %v, %v; want mode 0600", suffix, info.Mode(), err)
		}
	}
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "application_id": "1380795477", "user_version": "3",
	} {
		if got, err := d.Ask(t.Context(), "PRAGMA "+pragma); err != nil || got != want {
			t.Errorf("%s is %s (%v), want %s", pragma, got, err, want)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := login(t, open(t, path), "alice", password); err != nil {
		t.Errorf("login after reopening: %v", err)
	}
	raw, err := os.ReadFile(path)
	if err != nil || bytes.Contains(raw, []byte(password)) {
		t.Errorf("the file shows the password (%v)", err)
	}
}

// TestRefused: what is not ours stays as it was, to the byte, and gets no file
// beside it.
func TestRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		make func(t *testing.T, path string)
		want error
	}{
		"text": {func(t *testing.T, path string) {
			t.Helper()
			write(t, path, []byte(strings.Repeat("dear diary\n", 1000)))
		}, directory.ErrForeign},
		"short text": {func(t *testing.T, path string) { t.Helper(); write(t, path, []byte("x\n")) }, directory.ErrForeign},
		"another database": {func(t *testing.T, path string) {
			t.Helper()
			execSQL(t, path, "CREATE TABLE users (username TEXT, hash TEXT)")
		}, directory.ErrForeign},
		"another database in WAL mode": {func(t *testing.T, path string) {
			t.Helper()
			execSQL(t, path, "PRAGMA journal_mode = WAL; CREATE TABLE t (x)")
		}, directory.ErrForeign},
		"another application": {func(t *testing.T, path string) {
			t.Helper()
			execSQL(t, path, "PRAGMA application_id = 42; PRAGMA user_version = 1")
		}, directory.ErrForeign},
		"newer": {func(t *testing.T, path string) {
			t.Helper()
			d := open(t, path)
			if err := errors.Join(d.Exec(t.Context(), "PRAGMA user_version = 99"), d.Close()); err != nil {
				t.Fatal(err)
			}
		}, directory.ErrNewer},
		"folder": {func(t *testing.T, path string) {
			t.Helper()
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, directory.ErrForeign},
		"readable by the group": {func(t *testing.T, path string) {
			t.Helper()
			d := open(t, path)
			if err := errors.Join(d.Close(), os.Chmod(path, 0o640)); err != nil {
				t.Fatal(err)
			}
		}, directory.ErrExposed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			test.make(t, path)
			before := snapshot(t, filepath.Dir(path))
			d, err := directory.Open(t.Context(), path)
			if !errors.Is(err, test.want) || d != nil {
				t.Errorf("Open = %v, want %v", err, test.want)
			}
			if after := snapshot(t, filepath.Dir(path)); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

// TestLiveForeign: another program's database, with a log that is not yet in
// the main file.
func TestLiveForeign(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	write(t, path, nil)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, q := range []string{"CREATE TABLE t (x)", "PRAGMA journal_mode = WAL", "INSERT INTO t VALUES (1)"} {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	before := snapshot(t, filepath.Dir(path))
	if _, err := directory.Open(t.Context(), path); !errors.Is(err, directory.ErrForeign) {
		t.Errorf("Open = %v", err)
	}
	if after := snapshot(t, filepath.Dir(path)); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	if _, err := directory.Open(t.Context(), ""); err == nil {
		t.Error("opened nothing")
	}
	path := filepath.Join(t.TempDir(), "missing", "users.db")
	if _, err := directory.Open(t.Context(), path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open in a missing folder = %v", err)
	}
}

// TestSimultaneousStarts starts processes, and within this one too.
func TestSimultaneousStarts(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const processes, here = 10, 6
	path := newPath(t)
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), exe)
			cmd.Env = append(os.Environ(), childEnv+"="+path)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	for range here {
		wg.Go(func() {
			d, err := directory.OpenDangerouslyCheap(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			if err := login(t, d, "nobody", password); !errors.Is(err, web.ErrLoginFailed) {
				t.Error(err)
			}
			_ = d.Close()
		})
	}
	wg.Wait()
	d := open(t, path)
	if users, err := d.List(t.Context()); err != nil || len(users) != processes+1 {
		t.Errorf("%d users (%v), want %d", len(users), err, processes+1)
	}
	if check, err := d.Ask(t.Context(), "PRAGMA integrity_check"); err != nil || check != "ok" {
		t.Errorf("integrity: %s, %v", check, err)
	}
}

// TestCrowd: new files, each opened by many at the same moment.
func TestCrowd(t *testing.T) {
	t.Parallel()
	for range 20 {
		path := newPath(t)
		begin := make(chan struct{})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				<-begin
				d, err := directory.OpenDangerouslyCheap(t.Context(), path)
				if err != nil {
					t.Error(err)
					return
				}
				_ = d.Close()
			})
		}
		close(begin)
		wg.Wait()
	}
}

// TestOneNameOnce: of many that add the same user, one does.
func TestOneNameOnce(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		d := open(t, path)
		wg.Go(func() { errs[i] = d.Add(t.Context(), "alice", password) })
	}
	wg.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
		} else if !errors.Is(err, directory.ErrExists) {
			t.Error(err)
		}
	}
	if made != 1 {
		t.Errorf("%d calls made the user, want 1", made)
	}
}

func write(tb testing.TB, path string, content []byte) {
	tb.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// execSQL makes a database as another program would.
func execSQL(tb testing.TB, path, query string) {
	tb.Helper()
	write(tb, path, nil)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := db.ExecContext(tb.Context(), query); err != nil {
		tb.Fatal(err)
	}
	if err := db.Close(); err != nil {
		tb.Fatal(err)
	}
}

// snapshot describes all files in a folder.
func snapshot(tb testing.TB, dir string) string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var out strings.Builder
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			tb.Fatal(err)
		}
		content, _ := os.ReadFile(filepath.Join(dir, e.Name())) // a folder has none
		fmt.Fprintln(&out, info.Mode(), e.Name(), len(content), info.ModTime(), sha256.Sum256(content))
	}
	return out.String()
}

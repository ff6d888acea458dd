package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/remuda-go/remuda/driver/sqlitestore"
	"github.com/remuda-go/remuda/server/internal/backup"
	"github.com/remuda-go/remuda/store"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestUnderLoad: whatever was acknowledged before a backup began is in it, whoever
// writes meanwhile.
func TestUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "sessions.db")
	s, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ctx, stop := context.WithCancel(t.Context())
	var (
		mu   sync.Mutex
		done []store.ID
		wg   sync.WaitGroup
	)
	for writer := range 4 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				r := record(fmt.Sprint(writer, "/", n))
				if err := s.Create(ctx, r); err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				done = append(done, r.ID)
				mu.Unlock()
			}
		})
	}
	for n := range 5 {
		mu.Lock()
		before := append([]store.ID{}, done...)
		mu.Unlock()
		to := filepath.Join(dir, fmt.Sprint("saved", n))
		if _, err := backup.Make(ctx, to, time.Now(), []backup.Source{{Name: "sessions.db", Path: path, Database: true}}); err != nil {
			t.Fatal(err)
		}
		if _, err := backup.Open(to); err != nil {
			t.Fatal(err)
		}
		checkHolds(t, filepath.Join(to, "sessions.db"), before)
	}
	stop()
	wg.Wait()
}

func record(name string) store.Record {
	now := time.Now().UTC().Truncate(time.Microsecond)
	r := store.Record{Subject: name, Profile: "web", Gen: 1, WindowAt: now, LastSeen: now, IdleExpires: now.Add(time.Hour), Expires: now.Add(time.Hour)}
	copy(r.ID[:], name)
	r.Version[0] = 1
	return r
}

func checkHolds(t *testing.T, path string, ids []store.ID) {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, id := range ids {
		if _, err := s.Get(t.Context(), id); err != nil {
			t.Fatalf("%d were there before, and of one the backup says: %v", len(ids), err)
		}
	}
}

// TestInterrupted: what a crash leaves does not look whole, and is in nobody's way.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "keys.json"), "keys")
	to := filepath.Join(dir, "saved")
	sources := []backup.Source{{Name: "keys.json", Path: filepath.Join(dir, "keys.json")}, {Name: "users.db", Path: filepath.Join(dir, "missing"), Database: true}}
	if _, err := backup.Make(t.Context(), to, time.Now(), sources); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a source that is missing: %v", err)
	}
	for _, name := range []string{to, to + ".partial"} {
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there: %v", name, err)
		}
	}
	if err := os.Mkdir(to+".partial", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(to+".partial", "keys.json"), "half")
	if _, err := backup.Open(to + ".partial"); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("what a crash left: %v", err)
	}
	if _, err := backup.Make(t.Context(), to, time.Now(), sources[:1]); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Make(t.Context(), to, time.Now(), sources[:1]); err == nil {
		t.Error("a backup was overwritten")
	}
	if text, err := os.ReadFile(filepath.Join(to, "keys.json")); err != nil || string(text) != "keys" {
		t.Errorf("%q, %v", text, err)
	}
	for _, name := range []string{to, filepath.Join(to, "keys.json"), filepath.Join(to, "backup.json")} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source := filepath.Join(dir, "keys.json")
	write(t, source, "keys of a ring")
	for what, damage := range map[string]func(to string) error{
		"a changed byte": func(to string) error {
			return os.WriteFile(filepath.Join(to, "keys.json"), []byte("Keys of a ring"), 0o600)
		},
		"cut short":   func(to string) error { return os.Truncate(filepath.Join(to, "keys.json"), 3) },
		"missing":     func(to string) error { return os.Remove(filepath.Join(to, "keys.json")) },
		"no manifest": func(to string) error { return os.Remove(filepath.Join(to, "backup.json")) },
		"half a manifest": func(to string) error {
			return os.Truncate(filepath.Join(to, "backup.json"), 20)
		},
		"another format": func(to string) error {
			return edit(filepath.Join(to, "backup.json"), `"format": 1`, `"format": 2`)
		},
		"a path": func(to string) error {
			return edit(filepath.Join(to, "backup.json"), `"keys.json"`, `"../keys.json"`)
		},
	} {
		to := filepath.Join(dir, what)
		if _, err := backup.Make(t.Context(), to, time.Now(), []backup.Source{{Name: "keys.json", Path: source}}); err != nil {
			t.Fatal(err)
		}
		if _, err := backup.Open(to); err != nil {
			t.Fatalf("whole: %v", err)
		}
		if err := damage(to); err != nil {
			t.Fatal(err)
		}
		if _, err := backup.Open(to); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func edit(path, old, text string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, bytes.ReplaceAll(b, []byte(old), []byte(text)), 0o600)
}

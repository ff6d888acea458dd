package sqlitestore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/remuda-go/remuda/driver/sqlitestore"
	"github.com/remuda-go/remuda/store"
)

// systemRoles are the roles of a child that need this system's calls.
var systemRoles = map[string]role{"no-room": childNoRoom, "open": childOpen}

// childNoRoom plays a disk on which no file can grow: the system refuses every
// write past the limit, for as long as it stands.
func childNoRoom(ctx context.Context, path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	s, err := sqlitestore.Open(ctx, sqlitestore.Config{Path: path})
	if err != nil {
		return err
	}
	kept := newRecord()
	if err := s.Create(ctx, kept); err != nil {
		return err
	}
	if err := limitFiles(64 << 10); err != nil {
		return err
	}
	err = noRoom(ctx, s, kept)
	return errors.Join(err, limitFiles(1<<40), roomAgain(ctx, s, kept), s.Close())
}

// limitFiles sets how large a file of this process may be, in bytes.
func limitFiles(size uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	limit.Cur = min(size, limit.Max)
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
}

// noRoom writes from several goroutines until each has met several failures.
func noRoom(ctx context.Context, s *sqlitestore.Store, kept store.Record) error {
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			for tries, failures := 0, 0; failures < 10; tries++ {
				r := newRecord()
				r.Blob = make([]byte, 1<<14)
				err := s.Create(ctx, r)
				_, found := s.Get(ctx, r.ID)
				switch {
				case err == nil && found != nil:
					errs[i] = fmt.Errorf("acknowledged, but: %w", found)
				case isSentinel(err):
					errs[i] = fmt.Errorf("a verdict: %w", err)
				case tries > 1000:
					errs[i] = errors.New("there is still room")
				}
				if errs[i] != nil {
					return
				}
				if err != nil {
					failures++
				}
			}
		})
	}
	wg.Wait()
	_, err := s.Get(ctx, kept.ID)
	return errors.Join(append(errs, err, s.Ping(ctx))...)
}

func roomAgain(ctx context.Context, s *sqlitestore.Store, kept store.Record) error {
	r := newRecord()
	r.Blob = make([]byte, 1<<16)
	if err := s.Create(ctx, r); err != nil {
		return err
	}
	if err := s.Update(ctx, next(kept), kept.Version); err != nil {
		return err
	}
	if text, err := s.Ask(ctx, "PRAGMA integrity_check"); err != nil || text != "ok" {
		return fmt.Errorf("integrity_check: %s, %w", text, err)
	}
	return nil
}

func TestNoRoom(t *testing.T) {
	t.Parallel()
	startChild(t, "no-room", newPath(t)).wait()
}

// childOpen says whether it could open the file and write.
func childOpen(ctx context.Context, path string) error {
	s, err := sqlitestore.Open(ctx, sqlitestore.Config{Path: path})
	switch {
	case err == nil:
		fmt.Println("opened")
		return errors.Join(s.Create(ctx, newRecord()), s.Close())
	case isSentinel(err), errors.Is(err, sqlitestore.ErrForeign):
		return fmt.Errorf("want a failure: %w", err)
	}
	fmt.Println("failed:", err)
	return nil
}

// openAsNobody has a child open the file with the rights of a user who owns
// nothing, also where the tests run as root, whom permissions do not bind. It
// returns what the child said.
func openAsNobody(t *testing.T, exe, path string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"=open", childPathEnv+"="+path)
	cmd.Dir, cmd.Stderr = "/", os.Stderr
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("child: %v", err)
	}
	return string(out)
}

// publicDir is a directory of the test that others can pass through.
func publicDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// publicExe is a copy of the test binary that others can run.
func publicExe(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	public := filepath.Join(publicDir(t), "child")
	if err := os.WriteFile(public, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return public
}

// TestReadOnly opens files and directories that cannot be written.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	exe := publicExe(t)
	for name, c := range map[string]struct {
		dir, file os.FileMode
		says      string
	}{
		"file":          {0o777, 0o444, "failed"},
		"directory":     {0o555, 0o666, "failed"},
		"both":          {0o555, 0o444, "failed"},
		"not even read": {0o777, 0o000, "failed"},
		"neither":       {0o777, 0o666, "opened"}, // so it is the modes that the others fail for
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(publicDir(t), "dir")
			path := filepath.Join(dir, "sessions.db")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			s := open(t, sqlitestore.Config{Path: path})
			r := create(t, s, newRecord())
			if err := errors.Join(s.Close(), os.Chmod(path, c.file), os.Chmod(dir, c.dir)); err != nil {
				t.Fatal(err)
			}
			if said := openAsNobody(t, exe, path); !strings.HasPrefix(said, c.says) {
				t.Errorf("the child %s, want it to say %s", said, c.says)
			} else {
				t.Log(said)
			}
			if err := errors.Join(os.Chmod(dir, 0o700), os.Chmod(path, 0o600)); err != nil {
				t.Fatal(err)
			}
			get(t, open(t, sqlitestore.Config{Path: path}), r.ID)
		})
	}
}

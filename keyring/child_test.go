package keyring_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/keyring"
)

// The environment makes the test binary a child of a test: what it does, and its
// file.
const (
	childEnv     = "REMUDA_KEYRING_CHILD"
	childPathEnv = "REMUDA_KEYRING_PATH"
)

func TestMain(m *testing.M) {
	role := os.Getenv(childEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	do := map[string]func(ctx context.Context, path string) error{"save": childSave, "rotate": childRotate}[role]
	if err := do(context.Background(), os.Getenv(childPathEnv)); err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		os.Exit(1)
	}
}

func child(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+role, childPathEnv+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// childSave saves one ring after another, without end, and says the version of each
// that was acknowledged.
func childSave(ctx context.Context, path string) error {
	src := keyring.FileSource(path, keyring.Master{})
	text, was, err := src.Load(ctx)
	if err != nil {
		return err
	}
	for n := 2; ; n++ {
		next := strings.Replace(string(text), `"revision": 1,`, fmt.Sprintf(`"revision": %d,`, n), 1)
		if was, err = src.Save(ctx, []byte(next), was); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// TestKilledWhileSaving: a crash leaves the old ring or the new one, and what was
// acknowledged; and the next one saves over what is left.
func TestKilledWhileSaving(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	src := keyring.FileSource(path, keyring.Master{})
	r := open(t, keyring.Config{Source: src})
	for round := range 25 {
		cmd := child(t, "save", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() {
			t.Fatalf("the child said nothing: %v", cmd.Wait())
		}
		time.AfterFunc(time.Duration(round)*time.Millisecond, func() { _ = cmd.Process.Kill() })
		var acknowledged int
		for ok := true; ok; ok = lines.Scan() {
			if _, err := fmt.Sscan(lines.Text(), &acknowledged); err != nil {
				t.Fatal(err)
			}
		}
		_ = cmd.Wait()
		text, version, err := src.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		again := parsed(t, string(text)) // it is whole
		revision := revisionOf(t, text)
		if again.ID() != r.ID() || revision < acknowledged || revision > acknowledged+1 {
			t.Fatalf("round %d: revision %d is there, and %d was acknowledged", round, revision, acknowledged)
		}
		first := strings.Replace(string(text), fmt.Sprintf(`"revision": %d,`, revision), `"revision": 1,`, 1)
		if _, err := src.Save(t.Context(), []byte(first), version); err != nil {
			t.Fatal(err)
		}
		onlyFile(t, path)
	}
}

// childRotate rotates, as an administrator does beside others.
func childRotate(ctx context.Context, path string) error {
	r, err := keyring.Open(ctx, keyring.Config{Source: keyring.FileSource(path, keyring.Master{}), Create: true, Every: keyring.Never})
	if err != nil {
		return err
	}
	if err := r.Ensure(ctx, codec.EdDSA); err != nil {
		return err
	}
	for range 20 {
		_, err1 := r.Rotate(ctx, codec.HS256)
		_, err2 := r.Rotate(ctx, keyring.Root)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
	}
	return nil
}

// TestProcessesAtOnce: of rotations by many processes one happens, and no key is
// lost.
func TestProcessesAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if err := child(t, "rotate", path).Run(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	r, err := keyring.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for alg, want := range map[codec.Algorithm]int{codec.HS256: 3, keyring.Root: 3, codec.EdDSA: 2} {
		if n := len(states(r, alg)); n != want {
			t.Errorf("%d keys of %s, want %d: %v", n, alg, want, states(r, alg))
		}
	}
	onlyFile(t, path)
}

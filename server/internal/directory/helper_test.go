package directory_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/remuda-go/remuda/server/internal/directory"
	"github.com/remuda-go/remuda/web"
)

const (
	password = "correct horse battery staple"
	childEnv = "REMUDA_DIRECTORY_CHILD" // a path makes the test binary a starter
)

func TestMain(m *testing.M) {
	path := os.Getenv(childEnv)
	if path == "" {
		os.Exit(m.Run())
	}
	if err := start(context.Background(), path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// start is what one of many processes does that start at once.
func start(ctx context.Context, path string) error {
	d, err := directory.OpenDangerouslyCheap(ctx, path)
	if err != nil {
		return err
	}
	if err := d.Add(ctx, fmt.Sprintf("user%d", os.Getpid()), password); err != nil {
		return err
	}
	if err := d.Add(ctx, "shared", password); err != nil && !errors.Is(err, directory.ErrExists) {
		return err
	}
	return d.Close()
}

func newPath(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "users.db")
}

// open opens a cheap directory that is closed with the test.
func open(tb testing.TB, path string) *directory.Directory {
	tb.Helper()
	d, err := directory.OpenDangerouslyCheap(tb.Context(), path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = d.Close() })
	return d
}

// withAlice opens a cheap directory that has one user.
func withAlice(tb testing.TB) *directory.Directory {
	tb.Helper()
	d := open(tb, newPath(tb))
	if err := d.Add(tb.Context(), "alice", password); err != nil {
		tb.Fatal(err)
	}
	return d
}

func login(tb testing.TB, d *directory.Directory, username, password string) error {
	tb.Helper()
	_, err := d.Authenticate(tb.Context(), web.Credentials{Username: username, Password: password})
	return err
}

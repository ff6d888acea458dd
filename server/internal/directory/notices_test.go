package directory_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/server/internal/directory"
)

// owned is a directory in which alice is written to at home.
func owned(t *testing.T) *directory.Directory {
	t.Helper()
	d := open(t, filepath.Join(t.TempDir(), "users.db"))
	if err := errors.Join(d.Add(t.Context(), "alice", password), d.SetEmail(t.Context(), "alice", "home@example.com")); err != nil {
		t.Fatal(err)
	}
	return d
}

func wantAddresses(t *testing.T, d *directory.Directory, want ...string) {
	t.Helper()
	got, err := d.Addresses(t.Context(), "alice")
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("addresses: %q, %v; want %q", got, err, want)
	}
}

func change(t *testing.T, d *directory.Directory, to ...string) {
	t.Helper()
	for _, email := range to {
		if err := d.ChangeEmail(t.Context(), "alice", email); err != nil {
			t.Fatal(err)
		}
	}
}

func from(email string) remuda.Notice { return remuda.Notice{Subject: "alice", Extra: email} }

// TestTakenBack: however often a thief changes the address, the owner's link puts it
// back, and none that the thief was sent does anything from then on.
func TestTakenBack(t *testing.T) {
	t.Parallel()
	t.Run("the thief is first", func(t *testing.T) { takenBack(t, true) })
	t.Run("the owner is first", func(t *testing.T) { takenBack(t, false) })
}

func takenBack(t *testing.T, thiefFirst bool) {
	t.Helper()
	d := owned(t)
	change(t, d, "thief@example.com", "thief2@example.com", "thief2@example.com", "home@example.com", "thief@example.com")
	wantAddresses(t, d, "home@example.com", "thief2@example.com", "thief@example.com")
	if thiefFirst {
		if err := d.Disown(t.Context(), from("thief2@example.com")); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Disown(t.Context(), from("home@example.com")); err != nil {
		t.Fatal(err)
	}
	wantAddresses(t, d, "home@example.com")
	for _, email := range []string{"thief@example.com", "thief2@example.com", "", "HOME@example.com"} {
		if err := d.Disown(t.Context(), from(email)); !errors.Is(err, remuda.ErrTokenInvalid) {
			t.Errorf("%q disowns: %v", email, err)
		}
		if err := d.ResetPassword(t.Context(), from(email), "a thief's password"); !errors.Is(err, remuda.ErrTokenInvalid) {
			t.Errorf("%q sets a password: %v", email, err)
		}
	}
	if err := login(t, d, "alice", password); err == nil {
		t.Error("the old password is good still")
	}
	if err := d.ResetPassword(t.Context(), from("home@example.com"), "another long password"); err != nil {
		t.Error(err)
	}
	if err := login(t, d, "alice", "another long password"); err != nil {
		t.Error(err)
	}
}

// TestOldAddress: it is forgotten after three days, or as soon as an operator says
// where somebody is written to.
func TestOldAddress(t *testing.T) {
	t.Parallel()
	d := owned(t)
	change(t, d, "work@example.com")
	if err := d.Exec(t.Context(), "UPDATE addresses SET until = until - 3 * 86400000"); err != nil {
		t.Fatal(err)
	}
	wantAddresses(t, d, "work@example.com")
	if err := d.Disown(t.Context(), from("home@example.com")); !errors.Is(err, remuda.ErrTokenInvalid) {
		t.Errorf("too late: %v", err)
	}
	change(t, d, "home@example.com")
	wantAddresses(t, d, "home@example.com", "work@example.com")
	if err := d.SetEmail(t.Context(), "Alice", "desk@example.com"); err != nil {
		t.Fatal(err)
	}
	wantAddresses(t, d, "desk@example.com")
	if err := errors.Join(d.Remove(t.Context(), "alice"), d.Disown(t.Context(), from("desk@example.com"))); err != nil {
		t.Errorf("after the user has gone: %v", err)
	}
	wantAddresses(t, d)
	if err := d.ChangeEmail(t.Context(), "alice", "home@example.com"); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
}

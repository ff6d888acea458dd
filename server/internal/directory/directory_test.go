package directory_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remuda-go/remuda/server/internal/directory"
	"github.com/remuda-go/remuda/web"
)

// TestAuthenticate also counts: whatever the credentials, one Argon2 run.
func TestAuthenticate(t *testing.T) {
	t.Parallel()
	d := withAlice(t)
	long := strings.Repeat("x", 1025)
	tests := map[string]struct {
		in   web.Credentials
		want bool
	}{
		"right":                   {web.Credentials{Username: "alice", Password: password}, true},
		"other case":              {web.Credentials{Username: "ALICE", Password: password}, true},
		"step-up":                 {web.Credentials{Subject: "alice", Password: password}, true},
		"wrong password":          {web.Credentials{Username: "alice", Password: password + " "}, false},
		"no password":             {web.Credentials{Username: "alice"}, false},
		"too long a password":     {web.Credentials{Username: "alice", Password: long}, false},
		"unknown user":            {web.Credentials{Username: "bob", Password: password}, false},
		"unknown, no password":    {web.Credentials{Username: "bob"}, false},
		"unknown, too long":       {web.Credentials{Username: "bob", Password: long}, false},
		"no name":                 {web.Credentials{Password: password}, false},
		"impossible name":         {web.Credentials{Username: "alice\x00", Password: password}, false},
		"name with space":         {web.Credentials{Username: " alice", Password: password}, false},
		"too long a name":         {web.Credentials{Username: strings.Repeat("a", 65), Password: password}, false},
		"name of another script":  {web.Credentials{Username: "аlice", Password: password}, false},
		"step-up, wrong password": {web.Credentials{Subject: "alice", Password: "wrong"}, false},
		"step-up, unknown":        {web.Credentials{Subject: "bob", Password: password}, false},
		"step-up, other case":     {web.Credentials{Subject: "Alice", Password: password}, false},
		"step-up, impossible":     {web.Credentials{Subject: "\xff", Password: password}, false},
		"name and subject":        {web.Credentials{Username: "alice", Subject: "alice", Password: password}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := d.Argon2Runs()
			id, err := d.Authenticate(t.Context(), test.in)
			if runs := d.Argon2Runs() - before; runs != 1 {
				t.Errorf("%d Argon2 runs, want 1", runs)
			}
			if !test.want {
				if err != web.ErrLoginFailed { //nolint:errorlint // the very same: nothing may be told
					t.Errorf("error %v, want exactly ErrLoginFailed", err)
				}
				if id.Subject != "" || id.Claims != nil {
					t.Errorf("identity %+v beside an error", id)
				}
				return
			}
			if err != nil || id.Subject != "alice" || len(id.AMR) != 1 || id.AMR[0] != "pwd" || id.Claims.(map[string]any)["name"] != "alice" {
				t.Errorf("Authenticate = %+v, %v", id, err)
			}
		})
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	d := withAlice(t)
	const good = "long enough"
	tests := map[string]struct {
		username, password string
		want               error
	}{
		"exists":             {"alice", good, directory.ErrExists},
		"exists, other case": {"Alice", good, directory.ErrExists},
		"empty":              {"", good, directory.ErrInvalid},
		"option":             {"-rf", good, directory.ErrInvalid},
		"hidden":             {".alice", good, directory.ErrInvalid},
		"slash":              {"a/b", good, directory.ErrInvalid},
		"line feed":          {"alice\n", good, directory.ErrInvalid},
		"umlaut":             {"jürgen", good, directory.ErrInvalid},
		"Kelvin sign":        {"\u212aate", good, directory.ErrInvalid},
		"65 bytes":           {strings.Repeat("a", 65), good, directory.ErrInvalid},
		"7 characters":       {"bob", "ääääääñ", directory.ErrInvalid},
		"8 only decomposed":  {"bob", "e\u0301bcdefg", directory.ErrInvalid},
		"1025 bytes":         {"bob", strings.Repeat("p", 1025), directory.ErrInvalid},
		"not UTF-8":          {"bob", "long enough\xff", directory.ErrInvalid},
		"longest":            {strings.Repeat("a", 64), strings.Repeat("p", 1024), nil},
		"shortest":           {"b", "12345678", nil},
		"all characters":     {"a.b_c@d+e-f", "\x00 \t\n 🐎 x", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := d.Add(t.Context(), test.username, test.password)
			if !errors.Is(err, test.want) {
				t.Fatalf("Add = %v, want %v", err, test.want)
			}
			if err != nil && test.password != "" && strings.Contains(err.Error(), test.password) {
				t.Errorf("the error shows the password: %v", err)
			}
			if err == nil {
				if err := login(t, d, test.username, test.password); err != nil {
					t.Errorf("login after Add: %v", err)
				}
			}
		})
	}
	if err := login(t, d, "alice", password); err != nil {
		t.Errorf("a refused Add changed the password: %v", err)
	}
}

// TestBeyondLongest: what is cut off counts.
func TestBeyondLongest(t *testing.T) {
	t.Parallel()
	d := open(t, newPath(t))
	longest := strings.Repeat("p", 1024)
	if err := d.Add(t.Context(), "alice", longest); err != nil {
		t.Fatal(err)
	}
	if err := login(t, d, "alice", longest); err != nil {
		t.Errorf("the longest password: %v", err)
	}
	if err := login(t, d, "alice", longest+"p"); !errors.Is(err, web.ErrLoginFailed) {
		t.Errorf("one byte more: %v", err)
	}
}

// TestComposition: the same password, as two keyboards send it.
func TestComposition(t *testing.T) {
	t.Parallel()
	d := open(t, newPath(t))
	if err := d.Add(t.Context(), "rene", "caf\u00e9 cr\u00e8me"); err != nil {
		t.Fatal(err)
	}
	if err := login(t, d, "rene", "cafe\u0301 cre\u0300me"); err != nil {
		t.Errorf("decomposed: %v", err)
	}
}

func TestSetPassword(t *testing.T) {
	t.Parallel()
	d := withAlice(t)
	if err := d.SetPassword(t.Context(), "Alice", "another one"); err != nil {
		t.Fatal(err)
	}
	if err := login(t, d, "alice", password); !errors.Is(err, web.ErrLoginFailed) {
		t.Errorf("the old password: %v", err)
	}
	if err := login(t, d, "alice", "another one"); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if err := d.SetPassword(t.Context(), "bob", "another one"); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("SetPassword of nobody = %v", err)
	}
	if err := d.SetPassword(t.Context(), "alice", "short"); !errors.Is(err, directory.ErrInvalid) {
		t.Errorf("SetPassword too short = %v", err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-6.3.2")
	d := open(t, newPath(t))
	if users, err := d.List(t.Context()); err != nil || len(users) != 0 {
		t.Fatalf("List of none = %v, %v", users, err)
	}
	from := time.Now().Truncate(time.Millisecond)
	for _, name := range []string{"carol", "alice", "Bob"} {
		if err := d.Add(t.Context(), name, password); err != nil {
			t.Fatal(err)
		}
	}
	// As if bob had been there for an hour.
	if err := d.Exec(t.Context(), "UPDATE users SET created_at = created_at - 3600000, password_changed_at = password_changed_at - 3600000 WHERE username = 'bob'"); err != nil {
		t.Fatal(err)
	}
	if err := d.SetPassword(t.Context(), "bob", "another one"); err != nil {
		t.Fatal(err)
	}
	users, err := d.List(t.Context())
	if err != nil || len(users) != 3 {
		t.Fatalf("List = %v, %v", users, err)
	}
	for i, name := range []string{"alice", "bob", "carol"} {
		if users[i].Username != name {
			t.Errorf("user %d is %s, want %s", i, users[i].Username, name)
		}
	}
	alice, bob := users[0], users[1]
	if alice.CreatedAt.Before(from) || alice.CreatedAt.After(time.Now()) || !alice.PasswordChangedAt.Equal(alice.CreatedAt) {
		t.Errorf("alice: %+v", alice)
	}
	if !bob.CreatedAt.Before(from) || bob.PasswordChangedAt.Before(from) {
		t.Errorf("bob: %+v", bob)
	}
}

// TestRehash: a login replaces a hash of lower parameters, once, and changes
// nothing that is shown.
func TestRehash(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	old := open(t, path)
	if err := old.Add(t.Context(), "alice", password); err != nil {
		t.Fatal(err)
	}
	before, _ := old.List(t.Context())
	d, err := directory.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := login(t, d, "alice", "wrong password"); !errors.Is(err, web.ErrLoginFailed) {
		t.Fatal(err)
	}
	if hash := stored(t, d); !strings.Contains(hash, "$m=64,t=1,p=1$") {
		t.Fatalf("a failed login changed the hash to %s", hash)
	}
	if err := login(t, d, "alice", password); err != nil {
		t.Fatal(err)
	}
	hash := stored(t, d)
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("after the login the hash is %s", hash)
	}
	for _, again := range []*directory.Directory{d, old} { // old: nobody goes back
		if err := login(t, again, "alice", password); err != nil {
			t.Error(err)
		}
	}
	if stored(t, d) != hash {
		t.Error("hashed anew without need")
	}
	if after, _ := d.List(t.Context()); after[0] != before[0] {
		t.Errorf("List shows %+v, before it was %+v", after[0], before[0])
	}
}

func stored(tb testing.TB, d *directory.Directory) string {
	tb.Helper()
	hash, err := d.Ask(tb.Context(), "SELECT hash FROM users WHERE username = 'alice'")
	if err != nil {
		tb.Fatal(err)
	}
	return hash
}

// TestFailure: what could not be found out is no verdict.
func TestFailure(t *testing.T) {
	t.Parallel()
	d := withAlice(t)
	check := func(what string, err error) {
		t.Helper()
		if err == nil || errors.Is(err, web.ErrLoginFailed) || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", what, err)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Authenticate(canceled, web.Credentials{Username: "alice", Password: password})
	check("canceled", err)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v does not say so", err)
	}
	hash := stored(t, d)
	if err := d.Exec(t.Context(), "UPDATE users SET hash = ?", strings.Replace(hash, "m=64", "m=4294967295", 1)); err != nil {
		t.Fatal(err)
	}
	err = login(t, d, "alice", password)
	check("hash out of bounds", err)
	if strings.Contains(err.Error(), "argon2id$") {
		t.Errorf("the error shows the hash: %v", err)
	}
	_ = d.Close()
	check("closed", login(t, d, "alice", password))
	check("closed, unknown", login(t, d, "bob", password))
	if err := d.Add(t.Context(), "bob", password); err == nil || errors.Is(err, directory.ErrExists) {
		t.Errorf("Add when closed = %v", err)
	}
	if err := d.SetPassword(t.Context(), "bob", password); err == nil || errors.Is(err, directory.ErrNotFound) {
		t.Errorf("SetPassword when closed = %v", err)
	}
}

// TestSlots: no more hashes at once than there are slots; who waits can leave.
func TestSlots(t *testing.T) {
	t.Parallel()
	d := withAlice(t)
	var releases []func()
	for range d.Slots() {
		releases = append(releases, d.Occupy())
	}
	before := d.Argon2Runs()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := d.Authenticate(ctx, web.Credentials{Username: "alice", Password: password})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Authenticate with all slots taken = %v", err)
	}
	if d.Argon2Runs() != before {
		t.Error("hashed without a slot")
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := login(t, d, "alice", password); err != nil {
				t.Error(err)
			}
		})
	}
	for _, release := range releases {
		release()
	}
	wg.Wait()
	if got := d.Argon2Runs() - before; got != 8 {
		t.Errorf("%d runs, want 8", got)
	}
	for range d.Slots() { // all have been given back
		d.Occupy()
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	d, err := directory.Open(b.Context(), newPath(b))
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if err := d.Add(b.Context(), "alice", password); err != nil {
		b.Fatal(err)
	}
	for name, user := range map[string]string{"known": "alice", "unknown": "bob"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = login(b, d, user, "a wrong password")
			}
		})
	}
}

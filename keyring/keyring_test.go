package keyring_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remuda-go/remuda/keyring"
)

var created = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newRing(t testing.TB) *keyring.Ring {
	t.Helper()
	r, err := keyring.New(created)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func marshal(t testing.TB, r *keyring.Ring) string {
	t.Helper()
	text, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var secretForm = regexp.MustCompile(`"secret": "([^"]*)"`)

// secrets returns the secrets in the text of a ring.
func secrets(text string) (list []string) {
	for _, m := range secretForm.FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	return list
}

func TestMarshalParse(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	text := marshal(t, r)
	again, err := keyring.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := marshal(t, again); got != text {
		t.Errorf("after the round trip:\n%s\nbefore:\n%s", got, text)
	}
	if again.ID() != r.ID() {
		t.Errorf("ID = %q, want %q", again.ID(), r.ID())
	}
	a, b := r.KeySet().Keys, again.KeySet().Keys
	if len(a) != 1 || len(b) != 1 || a[0].ID != b[0].ID || !bytes.Equal(a[0].Secret, b[0].Secret) || !b[0].Sign {
		t.Error("the token keys differ after the round trip")
	}
	if list := secrets(text); len(list) != 2 || list[0] == list[1] {
		t.Errorf("the text has %d secrets, want 2 that differ", len(list))
	}
	raw, err := base64.RawURLEncoding.DecodeString(secrets(text)[0])
	if err != nil || bytes.Equal(raw, a[0].Secret) {
		t.Error("tokens are signed with the ring's secret itself, not with what is derived from it")
	}
}

// TestParseRefuses changes the text of a good ring.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := marshal(t, newRing(t))
	list := secrets(good)
	first, second := list[0], list[1]
	id := regexp.MustCompile(`"id": "([^"]*)"`).FindAllStringSubmatch(good, -1)
	// A second ring's keys, to put beside the first's.
	other := marshal(t, newRing(t))
	keysOf := func(text string) string {
		return strings.TrimSpace(text[strings.Index(text, "[")+1 : strings.LastIndex(text, "]")])
	}
	swap := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the text has no %q", old)
		}
		return strings.Replace(good, old, with, 1)
	}
	tests := []struct{ name, text, place string }{
		{"empty", "", ""},
		{"garbage", "not json " + first, ""},
		{"an array", "[" + good + "]", ""},
		{"trailing data", good + "x", "column "},
		{"two rings", good + good, "column "},
		{"a BOM", "\ufeff" + good, "column "},
		{"a comment", "// mine\n" + good, "column "},
		{"version missing", swap(`"version": 1,`, ``), "version 0"},
		{"version 2", swap(`"version": 1`, `"version": 2`), "version 2"},
		{"version as text", swap(`"version": 1`, `"version": "1"`), "line 2, column "},
		{"secret as version", swap(`"version": 1`, `"version": "`+first+`"`), "line 2, column "},
		{"unknown member", swap(`"version": 1`, `"version": 1, "note": "`+first+`"`), "column "},
		{"unknown member of a key", swap(`"use": "token"`, `"use": "token", "note": 1`), "line "},
		{"secret as a member's name", swap(`"secret": "`, `"`+first+`": "`), "line "},
		{"member in capitals", swap(`"secret"`, `"SECRET"`), "line "},
		{"member with a long s", swap(`"secret"`, `"ſecret"`), "line "},
		{"member twice", swap(`"version": 1`, `"version": 1, "version": 1`), "column "},
		{"secret twice", swap(`"secret": "`+first+`"`, `"secret": "`+second+`", "secret": "`+first+`"`), "line "},
		{"ring missing", swap(`"ring"`, `"version"`), ""},
		{"ring id too short", regexp.MustCompile(`"ring": ".`).ReplaceAllString(good, `"ring": "`), "the ring has no proper id"},
		{"ring id with a slash", regexp.MustCompile(`"ring": ".`).ReplaceAllString(good, `"ring": "/`), "the ring has no proper id"},
		{"no keys", good[:strings.Index(good, "[")+1] + "]}", "exactly one active key"},
		{"no active token key", swap(`"active": true`, `"active": false`), "exactly one active key"},
		{"two active keys", good[:strings.LastIndex(good, "}\n  ]")] + "}," + keysOf(other) + "]}", "exactly one active key"},
		{"one id twice", strings.ReplaceAll(good, id[1][1], id[0][1]), "is there twice"},
		{"id too short", swap(id[1][1], id[1][1][:6]), "key 2: the id"},
		{"id with stray characters", swap(id[0][1], "a.b.c.d."), "key 1: the id"},
		{"unknown use", swap(`"use": "token"`, `"use": "sign"`), "unknown use"},
		{"secret as a use", swap(`"use": "token"`, `"use": "`+first+`"`), "unknown use"},
		{"unknown algorithm", swap(`"HS256"`, `"none"`), "key 1: the algorithm"},
		{"no algorithm", swap(`"algorithm": "HS256",`, ``), "key 1: the algorithm"},
		{"algorithm of a derivation key", swap(`"use": "derive",`, `"use": "derive", "algorithm": "HS256",`), "key 2: a key for derivation"},
		{"secret empty", swap(second, ``), "key 2: the secret"},
		{"secret too short", swap(second, second[:42]), "key 2: the secret"},
		{"secret too long", swap(second, second+"AAAA"), "key 2: the secret"},
		{"secret padded", swap(second, second+"="), "key 2: the secret"},
		{"secret with a line feed", swap(second, `\n`+second), "key 2: the secret"},
		{"secret with other alphabet", swap(second, "+"+second[1:]), "key 2: the secret"},
		{"secret with stray bits", swap(first, first[:42]+"B"), "key 1: the secret"},
		{"secret as a number", swap(`"`+first+`"`, `17`), "at line 11, column 17"},
		{"secret unquoted", swap(`"`+first+`"`, first), "line "},
		{"secret null", swap(`"`+first+`"`, `null`), "key 1: the secret"},
		{"secret with a bad escape", swap(first, `\q`+first), "line "},
		{"secret as a time", swap(`"created": "`, `"created": "`+first), "line "},
		{"active as text", swap(`"active": true`, `"active": "`+first+`"`), "line "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			refused(t, tt.text, tt.place, list)
		})
	}
	for n := range len(good) - 2 { // all but the final brace and line feed
		refused(t, good[:n], "", list)
	}
}

// refused reports an error unless Parse refuses text, naming the place and no
// secret.
func refused(t *testing.T, text, place string, secrets []string) {
	t.Helper()
	_, err := keyring.Parse([]byte(text))
	if err == nil {
		t.Fatalf("accepted:\n%s", text)
	}
	if !strings.HasPrefix(err.Error(), "keyring: ") || !strings.Contains(err.Error(), place) {
		t.Errorf("error %q does not name %q", err, place)
	}
	for _, s := range secrets {
		if strings.Contains(err.Error(), s[:8]) {
			t.Errorf("error %q shows a secret", err)
		}
	}
}

func TestOldKeysStayGood(t *testing.T) {
	t.Parallel()
	before := newRing(t)
	blob, csrf := seal(t, before, "text"), newCSRF(t, before, session)
	text := marshal(t, before)
	text = strings.ReplaceAll(text, `"active": true`, `"active": false`)
	fresh := marshal(t, newRing(t))
	keys := fresh[strings.Index(fresh, "[")+1 : strings.LastIndex(fresh, "]")]
	after, err := keyring.Parse([]byte(strings.Replace(text, `"keys": [`, `"keys": [`+keys+`,`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := after.Open(nil, blob, "session", session); err != nil || string(got) != "text" {
		t.Errorf("Open = %q, %v", got, err)
	}
	if !after.CheckCSRF(session, csrf) {
		t.Error("the CSRF token of an old key is refused")
	}
	if before.CheckCSRF(session, newCSRF(t, after, session)) {
		t.Error("the new token was made with the old key")
	}
	set := after.KeySet().Keys
	if len(set) != 2 || !set[0].Sign || set[1].Sign {
		t.Errorf("keys %v, want the new one to sign and the old one to verify", set)
	}
}

func TestLoadOrCreate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	r, err := keyring.LoadOrCreate(path, created)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	again, err := keyring.LoadOrCreate(path, created.Add(time.Hour))
	if err != nil || again.ID() != r.ID() {
		t.Errorf("the second start has another ring: %v", err)
	}
	onlyFile(t, path)
}

// onlyFile checks that nothing but path is in its directory.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(list) != 1 {
		t.Errorf("the directory holds %v (%v), want the ring alone", list, err)
	}
}

func TestLoadOrCreateGoroutines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	ids := make([]string, 32)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			r, err := keyring.LoadOrCreate(path, created)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = r.ID()
		})
	}
	wg.Wait()
	if ids = slices.Compact(ids); len(ids) != 1 {
		t.Errorf("%d starts at once have the rings %v", 32, ids)
	}
	onlyFile(t, path)
}

// TestLoadOrCreateProcesses starts this test program several times at once.
func TestLoadOrCreateProcesses(t *testing.T) {
	const variable = "REMUDA_TEST_KEYRING"
	if path := os.Getenv(variable); path != "" {
		r, err := keyring.LoadOrCreate(path, created)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("ring=%s\n", r.ID())
		return
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	outs := make([]string, 6)
	var wg sync.WaitGroup
	for i := range outs {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLoadOrCreateProcesses$")
			cmd.Env = append(os.Environ(), variable+"="+path)
			out, err := cmd.Output()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			outs[i], _, _ = strings.Cut(string(out), "\n")
		})
	}
	wg.Wait()
	if ids := slices.Compact(outs); len(ids) != 1 || !strings.HasPrefix(ids[0], "ring=") {
		t.Errorf("processes have the rings %v", ids)
	}
	onlyFile(t, path)
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	text := []byte(marshal(t, newRing(t)))
	for _, mode := range []fs.FileMode{0o604, 0o602, 0o601, 0o640, 0o620, 0o610, 0o644, 0o666, 0o777} {
		path := filepath.Join(t.TempDir(), "keys.json")
		writeFile(t, path, text, mode)
		for name, load := range map[string]func() (*keyring.Ring, error){
			"Load":         func() (*keyring.Ring, error) { return keyring.Load(path) },
			"LoadOrCreate": func() (*keyring.Ring, error) { return keyring.LoadOrCreate(path, created) },
		} {
			if _, err := load(); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "chmod 600") {
				t.Errorf("%s of mode %04o: %v", name, mode, err)
			}
		}
	}
	for _, mode := range []fs.FileMode{0o600, 0o400, 0o700} {
		path := filepath.Join(t.TempDir(), "keys.json")
		writeFile(t, path, text, mode)
		if _, err := keyring.Load(path); err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	dir := t.TempDir()
	if _, err := keyring.Load(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("Load of a directory: %v", err)
	}
	if _, err := keyring.Load(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of no file: %v", err)
	}
	if _, err := keyring.LoadOrCreate(filepath.Join(dir, "none", "keys"), created); err == nil {
		t.Error("a directory that is not there was made")
	}
	broken := filepath.Join(dir, "broken")
	writeFile(t, broken, text[:100], 0o600)
	if _, err := keyring.LoadOrCreate(broken, created); err == nil || !strings.Contains(err.Error(), broken) {
		t.Errorf("LoadOrCreate of a truncated file: %v", err)
	}
	if after, err := os.ReadFile(broken); err != nil || !bytes.Equal(after, text[:100]) {
		t.Error("a file that cannot be read was changed")
	}
}

// TestSymlinks: links are followed, since that is how orchestrators mount
// secrets; the mode that counts is the target's. One that leads nowhere is not
// replaced.
func TestSymlinks(t *testing.T) {
	t.Parallel()
	text := []byte(marshal(t, newRing(t)))
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	if _, err := keyring.LoadOrCreate(link, created); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link to nowhere: %v", err)
	}
	writeFile(t, target, text, 0o600)
	if _, err := keyring.Load(link); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(target, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.Load(link); err == nil || !strings.Contains(err.Error(), "0644") {
		t.Errorf("a link to a file with mode 0644: %v", err)
	}
}

func writeFile(t *testing.T, path string, text []byte, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

func TestRingHidesItsKeys(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	var shown []string
	for _, secret := range secrets(marshal(t, r)) {
		raw, err := base64.RawURLEncoding.DecodeString(secret)
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, spellings(raw)...)
	}
	shown = append(shown, spellings(r.KeySet().Keys[0].Secret)...)
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("ring", "ring", r, "set", r.KeySet(), "key", r.KeySet().Keys[0])
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U", "%t"} {
		for _, v := range []any{r, *r, r.KeySet(), *r.KeySet(), r.KeySet().Keys} {
			fmt.Fprintf(&log, verb+"\n", v)
		}
	}
	for _, s := range shown {
		if strings.Contains(log.String(), s) {
			t.Fatalf("a secret is shown in:\n%s", log.String())
		}
	}
	if !strings.Contains(log.String(), r.ID()) {
		t.Error("the id of the ring is not shown")
	}
}

// spellings are the ways in which fmt and encoders write the beginning of raw.
func spellings(raw []byte) []string {
	raw = raw[:6]
	bare := func(format string) string { return strings.Trim(fmt.Sprintf(format, raw), "[]") }
	return []string{
		base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
		bare("%v"), bare("%x"), bare("%X"), fmt.Sprintf("%#v", raw)[len("[]byte{") : len(fmt.Sprintf("%#v", raw))-1],
	}
}

func TestHashAddress(t *testing.T) {
	t.Parallel()
	r, other := newRing(t), newRing(t)
	a := netip.MustParseAddr("192.0.2.1")
	if r.HashAddress(a) != r.HashAddress(netip.MustParseAddr("::ffff:192.0.2.1")) {
		t.Error("one address in two spellings has two hashes")
	}
	if r.HashAddress(a) == r.HashAddress(netip.MustParseAddr("192.0.2.2")) {
		t.Error("two addresses have one hash")
	}
	if r.HashAddress(a) == other.HashAddress(a) {
		t.Error("two rings give one hash")
	}
}

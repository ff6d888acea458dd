package keyring_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
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

	"github.com/remuda-go/remuda/codec"
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
	same := func(a, b codec.Key) bool {
		return a.ID == b.ID && a.Algorithm == b.Algorithm && a.Sign == b.Sign && bytes.Equal(a.Secret, b.Secret)
	}
	if len(a) != 4 || !slices.EqualFunc(a, b, same) {
		t.Errorf("the keys differ after the round trip: %v and %v", a, b)
	}
	list := secrets(text)
	for _, k := range a {
		list = append(list, base64.RawURLEncoding.EncodeToString(k.Secret))
	}
	slices.Sort(list)
	if list = slices.Compact(list); len(list) != 8 {
		t.Errorf("%d secrets, want 4 in the ring and 4 derived from them that all differ", len(list))
	}
}

// firstVersion is a ring in the first version of the format.
const firstVersion = `{
  "version": 1,
  "ring": "PYq1gCPGzdyXBTCmjwrJOQ",
  "keys": [
    {
      "id": "1vDhxWgs",
      "use": "token",
      "algorithm": "HS256",
      "active": true,
      "created": "2026-01-02T03:04:05Z",
      "secret": "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA"
    },
    {
      "id": "kv0a6TFE",
      "use": "derive",
      "active": true,
      "created": "2026-01-02T03:04:05Z",
      "secret": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"
    }
  ]
}
`

// TestFirstVersion: a ring of the first version is read, and what was made with it
// stays good.
func TestFirstVersion(t *testing.T) {
	t.Parallel()
	r, err := keyring.Parse([]byte(firstVersion))
	if err != nil {
		t.Fatal(err)
	}
	if r.ID() != "PYq1gCPGzdyXBTCmjwrJOQ" {
		t.Errorf("ID = %q", r.ID())
	}
	// Made by the release that wrote such files.
	const csrf = "kv0a6TFEs0QW6usq1iMAyV1bL7dRxCoAh6IK3nRI9oBz1kDHoRg"
	blob := mustHex(t, "0192fd1ae9314481bd135408d2fc0a586b5e5c7e2a400637ae45e879d68b118de8e779608de91d27d01df221933f8260b433db4b")
	if got, err := r.Open(nil, blob, "session", session); err != nil || string(got) != "the text of a row" {
		t.Errorf("Open = %q, %v", got, err)
	}
	if r.Stale(blob) || !r.CheckCSRF(session, csrf) {
		t.Error("what the ring made is stale or refused")
	}
	k := r.KeySet().Keys[0]
	if k.ID != "1vDhxWgs" || k.Algorithm != codec.HS256 || !k.Sign || hex.EncodeToString(k.Secret) != "1443a192917c52c6e5ad5edc95ec819bcfb5a1c33d37e2fbb603c08f6ac7ac3d" {
		t.Errorf("the key of tokens is another one: %x", k.Secret)
	}
	// Written and read again it is the same, in the present form.
	text := marshal(t, r)
	again, err := keyring.Parse([]byte(text))
	if err != nil || marshal(t, again) != text || !strings.Contains(text, `"version": 2`) {
		t.Errorf("%v in:\n%s", err, text)
	}
	if got, err := again.Open(nil, blob, "session", session); err != nil || string(got) != "the text of a row" {
		t.Errorf("Open = %q, %v", got, err)
	}
}

func mustHex(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestParseRefuses changes the texts of good rings.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	r, err := keyring.New(created)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Ensure(t.Context(), codec.ES256); err != nil {
		t.Fatal(err)
	}
	good := marshal(t, r)
	list := secrets(good)
	first, second := list[0], list[1]
	id := regexp.MustCompile(`"id": "([^"]*)"`).FindAllStringSubmatch(good, -1)
	swap := func(old, with string) string { return replace(t, good, old, with) }
	tests := []struct{ name, text, place string }{
		{"empty", "", ""},
		{"garbage", "not json " + first, ""},
		{"an array", "[" + good + "]", ""},
		{"trailing data", good + "x", "column "},
		{"two rings", good + good, "column "},
		{"a BOM", "\ufeff" + good, "column "},
		{"a comment", "// mine\n" + good, "column "},
		{"version missing", swap(`"version": 2,`, ``), "version 0"},
		{"version 3", swap(`"version": 2`, `"version": 3`), "version 3"},
		{"version 1", swap(`"version": 2`, `"version": 1`), "column "},
		{"version as text", swap(`"version": 2`, `"version": "2"`), "line 2, column "},
		{"secret as version", swap(`"version": 2`, `"version": "`+first+`"`), "line 2, column "},
		{"unknown member", swap(`"version": 2`, `"version": 2, "note": "`+first+`"`), "column "},
		{"unknown member of a key", swap(`"algorithm": "HS256"`, `"algorithm": "HS256", "note": 1`), "line "},
		{"secret as a member's name", swap(`"secret": "`, `"`+first+`": "`), "line "},
		{"member in capitals", swap(`"secret"`, `"SECRET"`), "line "},
		{"member with a long s", swap(`"secret"`, `"ſecret"`), "line "},
		{"member twice", swap(`"version": 2`, `"version": 2, "version": 2`), "column "},
		{"secret twice", swap(`"secret": "`+first+`"`, `"secret": "`+second+`", "secret": "`+first+`"`), "line "},
		{"ring missing", swap(`"ring"`, `"version"`), ""},
		{"ring id too short", regexp.MustCompile(`"ring": ".`).ReplaceAllString(good, `"ring": "`), "the ring has no proper id"},
		{"ring id with a slash", regexp.MustCompile(`"ring": ".`).ReplaceAllString(good, `"ring": "/`), "the ring has no proper id"},
		{"revision missing", swap(`"revision": 1,`, ``), "no revision"},
		{"no keys", good[:strings.Index(good, "[")+1] + "]}", "no root"},
		{"no root", strings.ReplaceAll(good, `"root"`, `"HS256"`), "no root"},
		{"all roots compromised", strings.ReplaceAll(good, `"root"`, `"root", "compromised": "2026-01-02T03:04:05Z"`), "no root"},
		{"one id twice", strings.ReplaceAll(good, id[1][1], id[0][1]), "is there twice"},
		{"id too short", swap(id[1][1], id[1][1][:6]), "key 2: the id"},
		{"id with stray characters", swap(id[0][1], "a.b.c.d."), "key 1: the id"},
		{"unknown algorithm", swap(`"root"`, `"none"`), "key 1: the algorithm"},
		{"opaque", swap(`"root"`, `"opaque"`), "key 1: the algorithm"},
		{"secret as an algorithm", swap(`"root"`, `"`+first+`"`), "key 1: the algorithm"},
		{"no algorithm", swap(`"algorithm": "root",`, ``), "key 1: the algorithm"},
		{"secret unquoted", swap(`"`+first+`"`, first), "line "},
		{"secret null", swap(`"`+first+`"`, `null`), "key 1: the secret"},
		{"secret empty", swap(`"`+first+`"`, `""`), "key 1: the secret"},
		{"secret of zeros", swap(first, strings.Repeat("A", 43)), "key 1: the secret"},
		{"secret too long", swap(first, first+"AAAA"), "key 1: the secret"},
		{"secret with stray bits", swap(first, strings.Repeat("_", 43)), "key 1: the secret"},
		{"scalar of P-256 too large", swap(list[4], strings.Repeat("_", 42)+"8"), "P-256"},
		{"secret with a bad escape", swap(first, `\q`+first), "line "},
		{"secret as a time", swap(`"created": "`, `"created": "`+first), "line "},
		{"time without a zone", swap(`"created": "2026-01-02T03:04:05Z"`, `"created": "2026-01-02T03:04:05"`), "line "},
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

// TestParseRefusesFirstVersion changes the text of a good ring of the first version.
func TestParseRefusesFirstVersion(t *testing.T) {
	t.Parallel()
	swap := func(old, with string) string { return replace(t, firstVersion, old, with) }
	list := secrets(firstVersion)
	more := strings.NewReplacer("1vDhxWgs", "AAAAAAAA", "kv0a6TFE", "BBBBBBBB").Replace(firstVersion)
	keys := more[strings.Index(more, "[")+1 : strings.LastIndex(more, "]")]
	tests := []struct{ name, text, place string }{
		{"version 2", swap(`"version": 1`, `"version": 2`), "column "},
		{"a revision", swap(`"version": 1`, `"version": 1, "revision": 1`), "column "},
		{"no active key", swap(`"active": true`, `"active": false`), "exactly one active key"},
		{"two active keys", swap(`"keys": [`, `"keys": [`+keys+`,`), "exactly one active key"},
		{"unknown use", swap(`"use": "token"`, `"use": "sign"`), "unknown use"},
		{"secret as a use", swap(`"use": "token"`, `"use": "`+list[0]+`"`), "unknown use"},
		{"unknown algorithm", swap(`"HS256"`, `"none"`), "key 1: the algorithm"},
		{"an algorithm of today", swap(`"HS256"`, `"ES256"`), "key 1: the algorithm"},
		{"no algorithm", swap(`"algorithm": "HS256",`, ``), "key 1: the algorithm"},
		{"root with an algorithm", swap(`"use": "derive"`, `"use": "derive", "algorithm": "HS256"`), "key 2: a key for derivation"},
		{"active as text", swap(`"active": true`, `"active": "`+list[0]+`"`), "line "},
		{"one id twice", strings.ReplaceAll(firstVersion, "1vDhxWgs", "kv0a6TFE"), "is there twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			refused(t, tt.text, tt.place, list)
		})
	}
}

// replace replaces what is there once or more.
func replace(t *testing.T, text, old, with string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("the text has no %q", old)
	}
	return strings.Replace(text, old, with, 1)
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

// TestFirstVersionOldKeys: keys of the first version that were not active verify,
// and sign nothing.
func TestFirstVersionOldKeys(t *testing.T) {
	t.Parallel()
	before, err := keyring.Parse([]byte(firstVersion))
	if err != nil {
		t.Fatal(err)
	}
	blob, csrf := seal(t, before, "text"), newCSRF(t, before, session)
	old := strings.ReplaceAll(firstVersion, `"active": true`, `"active": false`)
	fresh := strings.NewReplacer("1vDhxWgs", "AAAAAAAA", "kv0a6TFE", "BBBBBBBB", `"secret": "A`, `"secret": "B`, `"secret": "I`, `"secret": "J`).Replace(firstVersion)
	keys := fresh[strings.Index(fresh, "[")+1 : strings.LastIndex(fresh, "]")]
	after, err := keyring.Parse([]byte(replace(t, old, `"keys": [`, `"keys": [`+keys+`,`)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := after.Open(nil, blob, "session", session); err != nil || string(got) != "text" {
		t.Errorf("Open = %q, %v", got, err)
	}
	if !after.Stale(blob) || after.Stale(seal(t, after, "text")) {
		t.Error("the old blob is not stale, or the new one is")
	}
	if !after.CheckCSRF(session, csrf) {
		t.Error("the CSRF token of an old key is refused")
	}
	if before.CheckCSRF(session, newCSRF(t, after, session)) {
		t.Error("the new token was made with the old key")
	}
	signs := map[string]bool{}
	for _, k := range after.KeySet().Keys {
		signs[k.ID] = k.Sign
	}
	if want := map[string]bool{"AAAAAAAA": true, "BBBBBBBB": true, "1vDhxWgs": false, "kv0a6TFE": false}; !maps.Equal(signs, want) {
		t.Errorf("keys that sign: %v, want the new ones to and the old ones to verify", signs)
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

package keyring_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

// sources are fresh ones of each kind.
func sources(t testing.TB) map[string]keyring.Source {
	t.Helper()
	dir := t.TempDir()
	return map[string]keyring.Source{
		"file":        keyring.FileSource(filepath.Join(dir, "keys.json"), keyring.Master{}),
		"sealed file": keyring.FileSource(filepath.Join(dir, "keys.sealed"), newMaster(t)),
		"store":       storeSource(t, nil),
	}
}

// TestSource is the contract of a source.
func TestSource(t *testing.T) {
	t.Parallel()
	one, two, three := []byte(marshal(t, newRing(t))), []byte(marshal(t, newRing(t))), []byte(marshal(t, newRing(t)))
	for name, src := range sources(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			if _, _, err := src.Load(ctx); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Load of nothing: %v", err)
			}
			if _, err := src.Save(ctx, two, "AAAAAAAAAAAAAAAAAAAAAA"); !errors.Is(err, keyring.ErrConflict) {
				t.Errorf("Save over nothing: %v", err)
			}
			v1, err := src.Save(ctx, one, "")
			if err != nil || v1 == "" {
				t.Fatalf("Save = %q, %v", v1, err)
			}
			holds := func(want []byte, version string) {
				t.Helper()
				if got, v, err := src.Load(ctx); err != nil || v != version || !bytes.Equal(got, want) {
					t.Errorf("Load = %q, %v:\n%s", v, err, got)
				}
			}
			holds(one, v1)
			for _, was := range []string{"", "AAAAAAAAAAAAAAAAAAAAAA", "x", v1 + "A"} {
				if _, err := src.Save(ctx, two, was); !errors.Is(err, keyring.ErrConflict) {
					t.Errorf("Save over %q: %v", was, err)
				}
			}
			holds(one, v1)
			v2, err := src.Save(ctx, two, v1)
			if err != nil || v2 == v1 {
				t.Fatalf("Save = %q, %v", v2, err)
			}
			if _, err := src.Save(ctx, three, v1); !errors.Is(err, keyring.ErrConflict) {
				t.Errorf("Save over the version before: %v", err)
			}
			holds(two, v2)
		})
	}
}

// TestSavesAtOnce: of many who save over one version one does, so that none of what
// they count is lost.
func TestSavesAtOnce(t *testing.T) {
	t.Parallel()
	const savers, each = 8, 50
	text := marshal(t, newRing(t))
	revision := func(n int) []byte {
		return []byte(strings.Replace(text, `"revision": 1,`, fmt.Sprintf(`"revision": %d,`, n), 1))
	}
	for name, src := range sources(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := src.Save(t.Context(), revision(1), ""); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range savers {
				wg.Go(func() {
					for done := 0; done < each; {
						text, was, err := src.Load(t.Context())
						if err == nil {
							_, err = src.Save(t.Context(), revision(revisionOf(t, text)+1), was)
						}
						switch {
						case err == nil:
							done++
						case !errors.Is(err, keyring.ErrConflict):
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			if text, _, err := src.Load(t.Context()); err != nil || revisionOf(t, text) != 1+savers*each {
				t.Errorf("%d saves are left of %d: %v", revisionOf(t, text)-1, savers*each, err)
			}
		})
	}
}

func revisionOf(t testing.TB, text []byte) (n int) {
	t.Helper()
	_, rest, _ := strings.Cut(string(text), `"revision": `)
	if _, err := fmt.Sscanf(rest, "%d,", &n); err != nil {
		t.Error(err)
	}
	return n
}

// TestRotationsAtOnce: of many rotations of what all see, one happens, and of many
// changes none is lost.
func TestRotationsAtOnce(t *testing.T) {
	t.Parallel()
	const nodes = 12
	for name, src := range sources(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			cfg := keyring.Config{Source: src, Now: c.Now, Every: keyring.Never}
			var rings [nodes]*keyring.Ring
			var wg sync.WaitGroup
			for i := range rings {
				wg.Go(func() { rings[i] = open(t, cfg) })
			}
			wg.Wait()
			algs := []codec.Algorithm{codec.HS256, codec.EdDSA, codec.V4Local, codec.V4Public, keyring.Root}
			for i, r := range rings {
				wg.Go(func() {
					if err := r.Ensure(t.Context(), algs[i%4]); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			for _, alg := range algs {
				poll(t, rings[:]...)
				c.add(time.Hour) // the reserve may take over at once
				for _, r := range rings {
					wg.Go(func() {
						if _, err := r.Rotate(t.Context(), alg); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
			}
			poll(t, rings[:]...)
			for _, r := range rings[1:] {
				if marshal(t, r) != marshal(t, rings[0]) {
					t.Fatal("the nodes have different rings")
				}
			}
			for _, alg := range algs {
				if n := len(states(rings[0], alg)); n != 3 || len(inState(rings[0], alg, keyring.Retiring)) != 1 {
					t.Errorf("%d keys of %s: %v", n, alg, states(rings[0], alg))
				}
			}
		})
	}
}

// TestFileRotation: a change keeps the file private, a link a link, and leaves
// nothing beside it.
func TestFileRotation(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	path, link := filepath.Join(dir, "keys.json"), filepath.Join(elsewhere, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	open(t, keyring.Config{Source: keyring.FileSource(path, keyring.Master{})})
	r := open(t, keyring.Config{Source: keyring.FileSource(link, keyring.Master{})})
	// What a crash has left.
	writeFile(t, path+".new", []byte("torn"), 0o666)
	rotate(t, r, codec.HS256)
	onlyFile(t, path)
	onlyFile(t, link)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if target, err := os.Readlink(link); err != nil || target != path {
		t.Errorf("the link leads to %q, %v", target, err)
	}
	// Others may read it: nothing is read or written any more.
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	before := marshal(t, r)
	if _, err := r.Rotate(t.Context(), keyring.Root); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("Rotate = %v", err)
	}
	if err := r.Reload(t.Context()); err == nil || r.Err() == nil || marshal(t, r) != before {
		t.Errorf("Reload = %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(t.Context()); !errors.Is(err, fs.ErrNotExist) || marshal(t, r) != before {
		t.Errorf("Reload of nothing = %v", err)
	}
}

// TestSealedRing: whoever has the place without the master key, or the master key
// without the place, has nothing.
func TestSealedRing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.sealed")
	master := newMaster(t)
	r := open(t, keyring.Config{Source: keyring.FileSource(path, master)})
	sealedText, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets(marshal(t, r)) {
		raw, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, spelling := range append(spellings(raw), s[:8], string(raw[:8])) {
			if bytes.Contains(sealedText, []byte(spelling)) {
				t.Fatal("a secret is shown")
			}
		}
	}
	if _, err := keyring.Load(path); !errors.Is(err, keyring.ErrMaster) {
		t.Errorf("Load: %v", err)
	}
	if _, err := keyring.Parse(sealedText); !errors.Is(err, keyring.ErrMaster) {
		t.Errorf("Parse: %v", err)
	}
	refuse := func(what string, text []byte, m keyring.Master) {
		t.Helper()
		writeFile(t, path, text, 0o600)
		if _, err := keyring.Open(t.Context(), keyring.Config{Source: keyring.FileSource(path, m), Create: true}); err == nil {
			t.Fatalf("%s: opened", what)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, text) {
			t.Fatalf("%s: the file was changed", what)
		}
	}
	refuse("another master key", sealedText, newMaster(t))
	refuse("no master key", sealedText, keyring.Master{})
	refuse("an unsealed ring", []byte(marshal(t, r)), master)
	if _, err := master.Open(sealedText); err != nil {
		t.Fatal(err)
	}
	for i := range sealedText {
		changed := bytes.Clone(sealedText)
		for bit := range 8 {
			changed[i] = sealedText[i] ^ 1<<bit
			if _, err := master.Open(changed); !errors.Is(err, keyring.ErrMaster) {
				t.Fatalf("bit %d of byte %d flipped: %v", bit, i, err)
			}
		}
		if _, err := master.Open(sealedText[:i]); !errors.Is(err, keyring.ErrMaster) {
			t.Fatalf("truncated to %d bytes: %v", i, err)
		}
	}
	refuse("truncated", sealedText[:len(sealedText)-1], master)
	refuse("prolonged", append(bytes.Clone(sealedText), '\n'), master)
	// The header of one ring on another's body.
	other := filepath.Join(t.TempDir(), "other")
	open(t, keyring.Config{Source: keyring.FileSource(other, master)})
	otherText, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	n := bytes.IndexByte(sealedText, '\n')
	refuse("another's header", append(bytes.Clone(otherText[:n]), sealedText[n:]...), master)
	writeFile(t, path, sealedText, 0o600)
	if again := open(t, keyring.Config{Source: keyring.FileSource(path, master)}); marshal(t, again) != marshal(t, r) {
		t.Error("the sealed ring itself is another one")
	}
}

// TestStoreSource: a ring in the store is sealed, or it is not there.
func TestStoreSource(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	if _, err := keyring.StoreSource(s, keyring.Master{}, nil); err == nil {
		t.Error("a ring in a store without a master key")
	}
	master := newMaster(t)
	src, err := keyring.StoreSource(s, master, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := open(t, keyring.Config{Source: src})
	it, err := s.GetItem(t.Context(), "keyring", "ring", time.Now())
	if err != nil || !it.Expires.IsZero() {
		t.Fatalf("%+v, %v", it, err)
	}
	for _, s := range secrets(marshal(t, r)) {
		if bytes.Contains(it.Value, []byte(s[:8])) {
			t.Fatal("the store shows a secret")
		}
	}
	another, err := keyring.StoreSource(s, newMaster(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.Open(t.Context(), keyring.Config{Source: another, Create: true}); !errors.Is(err, keyring.ErrMaster) {
		t.Errorf("another master key: %v", err)
	}
	// Whoever can write the store plants a ring of his own.
	planted := store.Item{Value: []byte(marshal(t, newRing(t))), Version: store.Version{1}}
	if err := s.SwapItem(t.Context(), "keyring", "ring", planted, it.Version, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(t.Context()); !errors.Is(err, keyring.ErrMaster) {
		t.Errorf("a planted ring: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(t.Context()); err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, keyring.ErrConflict) {
		t.Errorf("a store that fails: %v", err)
	}
}

// TestCopy moves a ring from a file into a store and changes its master key.
func TestCopy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	bare := keyring.FileSource(path, keyring.Master{})
	r := open(t, keyring.Config{Source: bare})
	rotate(t, r, codec.HS256)
	one, two := keyring.FileSource(path, newMaster(t)), keyring.FileSource(path, newMaster(t))
	s := storeSource(t, nil)
	for _, step := range [][2]keyring.Source{{bare, one}, {one, two}, {two, s}} {
		if err := keyring.Copy(t.Context(), step[0], step[1]); err != nil {
			t.Fatal(err)
		}
		again, err := keyring.Open(t.Context(), keyring.Config{Source: step[1]})
		if err != nil || marshal(t, again) != marshal(t, r) {
			t.Fatalf("the copy differs: %v", err)
		}
	}
	if err := keyring.Copy(t.Context(), one, s); !errors.Is(err, keyring.ErrMaster) {
		t.Errorf("Copy with the former master key: %v", err)
	}
	if err := keyring.Copy(t.Context(), two, s); !errors.Is(err, keyring.ErrConflict) {
		t.Errorf("Copy over a ring: %v", err)
	}
	if err := keyring.Copy(t.Context(), bare, storeSource(t, nil)); err == nil {
		t.Error("Copy takes the sealed text for the ring's")
	}
	if err := keyring.Copy(t.Context(), storeSource(t, nil), s); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Copy of nothing: %v", err)
	}
}

func TestMaster(t *testing.T) {
	t.Parallel()
	m := newMaster(t)
	text := m.Reveal()
	for _, spelling := range []string{text, text + "\n", " " + text + "\r\n"} {
		if again, err := keyring.ParseMaster(spelling); err != nil || again.Reveal() != text {
			t.Errorf("%q: %v", spelling, err)
		}
	}
	for _, bad := range []string{
		"", "x", text[1:], text + "A", text + "=", text[:20] + "\n" + text[20:], strings.Repeat("A", 43),
		strings.Repeat("_", 43), strings.Repeat("+", 43), base64.StdEncoding.EncodeToString(make([]byte, 32)),
	} {
		_, err := keyring.ParseMaster(bad)
		if err == nil {
			t.Errorf("%q is a master key", bad)
		} else if len(bad) > 8 && strings.Contains(err.Error(), bad[:8]) {
			t.Errorf("error %q shows the key", err)
		}
	}
	if (keyring.Master{}).Reveal() != "" || !(keyring.Master{}).IsZero() || m.IsZero() {
		t.Error("the zero value is a key, or a key is none")
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("master", "m", m, "p", &m, "s", struct{ M keyring.Master }{m})
	slog.New(slog.NewJSONHandler(&log, nil)).Info("master", "m", m, "p", &m, "s", struct{ M keyring.Master }{m})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U", "%t"} {
		for _, v := range []any{m, &m, []keyring.Master{m}, struct{ m keyring.Master }{m}, keyring.FileSource("x", m)} {
			fmt.Fprintf(&log, verb+"\n", v)
		}
	}
	if i := slices.IndexFunc(append(spellings(raw), text[:8]), func(s string) bool { return strings.Contains(log.String(), s) }); i >= 0 {
		t.Errorf("the key is shown in:\n%s", log.String())
	}
}

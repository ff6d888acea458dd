package keyring_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/internal/steady/steadytest"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store/memstore"
)

// clock is a virtual one.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: created} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newMaster(t testing.TB) keyring.Master {
	t.Helper()
	m, err := keyring.NewMaster()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func storeSource(t testing.TB, now func() time.Time) keyring.Source {
	t.Helper()
	s, err := keyring.StoreSource(memstore.New(), newMaster(t), now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t testing.TB, cfg keyring.Config) *keyring.Ring {
	t.Helper()
	cfg.Create = true
	r, err := keyring.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// states maps the ids of an algorithm's keys to their states.
func states(r *keyring.Ring, alg codec.Algorithm) map[string]keyring.State {
	out := map[string]keyring.State{}
	for _, info := range r.List() {
		if info.Algorithm == alg {
			out[info.ID] = info.State
		}
	}
	return out
}

// inState returns the keys of an algorithm that are in a state.
func inState(r *keyring.Ring, alg codec.Algorithm, s keyring.State) (list []keyring.Info) {
	for _, info := range r.List() {
		if info.Algorithm == alg && info.State == s {
			list = append(list, info)
		}
	}
	return list
}

// only returns the one key of an algorithm that is in a state.
func only(t testing.TB, r *keyring.Ring, alg codec.Algorithm, s keyring.State) keyring.Info {
	t.Helper()
	list := inState(r, alg, s)
	if len(list) != 1 {
		t.Fatalf("%d keys of %s are %s: %v", len(list), alg, s, states(r, alg))
	}
	return list[0]
}

// signs reports whether a key of that id is in the set, and whether it signs.
func signs(r *keyring.Ring, id string) (verifies, sign bool) {
	for _, k := range r.KeySet().Keys {
		if k.ID == id {
			return true, k.Sign
		}
	}
	return false, false
}

func rotate(t testing.TB, r *keyring.Ring, alg codec.Algorithm) keyring.Info {
	t.Helper()
	info, err := r.Rotate(t.Context(), alg)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func poll(t testing.TB, rings ...*keyring.Ring) {
	t.Helper()
	for _, r := range rings {
		if err := r.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

var everyAlgorithm = []codec.Algorithm{codec.HS256, codec.ES256, codec.EdDSA, codec.V4Local, codec.V4Public, codec.Opaque}

// TestLife follows the keys of each algorithm, and the root's, through their
// states.
func TestLife(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-11.1.1")
	for _, alg := range []codec.Algorithm{codec.HS256, codec.ES256, codec.EdDSA, codec.V4Local, codec.V4Public, keyring.Root} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			c := newClock()
			src := storeSource(t, c.Now)
			r := open(t, keyring.Config{
				Source: src, Now: c.Now, Algorithms: everyAlgorithm,
				Overlap: time.Hour, Settle: time.Minute, Every: keyring.Never,
			})
			first, second := only(t, r, alg, keyring.Active), only(t, r, alg, keyring.Pending)
			if v, sign := signs(r, second.ID); !v || sign {
				t.Errorf("the key in reserve verifies: %v, signs: %v", v, sign)
			}
			before := r.KeySet()
			// Too young to take over: it is promised, and nothing changes yet.
			if info := rotate(t, r, alg); info.ID != second.ID || !info.Activates.Equal(created.Add(time.Minute)) {
				t.Errorf("Rotate = %+v", info)
			}
			if again := rotate(t, r, alg); again.ID != second.ID || len(inState(r, alg, keyring.Pending)) != 2 {
				t.Errorf("a second rotation did something: %v", states(r, alg))
			}
			c.add(time.Minute - time.Millisecond)
			poll(t, r)
			if only(t, r, alg, keyring.Active).ID != first.ID {
				t.Error("the next key is active before its time")
			}
			c.add(time.Millisecond)
			poll(t, r)
			if only(t, r, alg, keyring.Active).ID != second.ID || r.KeySet() == before {
				t.Errorf("the next key is not active in its time: %v", states(r, alg))
			}
			if v, sign := signs(r, first.ID); !v || sign || states(r, alg)[first.ID] != keyring.Retiring {
				t.Errorf("the former key verifies: %v, signs: %v", v, sign)
			}
			if err := r.Retire(t.Context(), second.ID); !errors.Is(err, keyring.ErrInUse) {
				t.Errorf("Retire of the active key: %v", err)
			}
			if err := r.Retire(t.Context(), only(t, r, alg, keyring.Pending).ID); !errors.Is(err, keyring.ErrInUse) {
				t.Errorf("Retire of the key in reserve: %v", err)
			}
			// It is in the source until it expires, and then no more.
			text, _, err := src.Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			secret := secretOf(t, text, first.ID)
			c.add(time.Hour - time.Millisecond)
			poll(t, r)
			if v, _ := signs(r, first.ID); !v {
				t.Error("the former key died before its time")
			}
			c.add(time.Millisecond)
			poll(t, r)
			if v, _ := signs(r, first.ID); v || states(r, alg)[first.ID] != keyring.Retired {
				t.Errorf("the former key lives on: %v", states(r, alg))
			}
			text, _, err = src.Load(t.Context())
			if err != nil || strings.Contains(string(text), secret) || strings.Contains(marshal(t, r), secret) {
				t.Errorf("the secret of a retired key is not erased: %v", err)
			}
			c.add(200 * 24 * time.Hour)
			poll(t, r)
			if _, there := states(r, alg)[first.ID]; there {
				t.Error("the key is listed for ever")
			}
		})
	}
}

// secretOf returns the secret of a key in the text of a ring.
func secretOf(t testing.TB, text []byte, id string) string {
	t.Helper()
	secret, ok := trySecretOf(string(text), id)
	if !ok {
		t.Fatalf("there is no secret of key %s", id)
	}
	return secret
}

// TestKeySetPointer: the set is another one when a key is usable that was not, or
// no longer, or when another key signs, and only then.
func TestKeySetPointer(t *testing.T) {
	t.Parallel()
	c := newClock()
	cfg := keyring.Config{Source: storeSource(t, c.Now), Now: c.Now, Overlap: time.Hour, Settle: time.Minute, Every: keyring.Never}
	a := open(t, cfg)
	b := open(t, cfg)
	was := b.KeySet()
	same := func(what string, want bool) {
		t.Helper()
		poll(t, b)
		if got := b.KeySet() == was; got != want {
			t.Errorf("%s: the same set is %v, want %v", what, got, want)
		}
		was = b.KeySet()
	}
	same("nothing", true)
	c.add(time.Minute)
	same("time", true)
	rotate(t, a, keyring.Root)
	same("another root seals", false)
	if err := a.Ensure(t.Context(), codec.HS256, codec.Opaque); err != nil {
		t.Fatal(err)
	}
	same("nothing was missing", true)
	if err := a.Ensure(t.Context(), codec.EdDSA); err != nil {
		t.Fatal(err)
	}
	same("an algorithm more", false)
	c.add(time.Hour - time.Millisecond)
	same("time", true)
	c.add(time.Millisecond)
	same("a key has expired", false)
	same("its secret is erased", true)
	b.Refuse("a key that is not ours")
	same("a foreign key refused", true)
	if err := b.Ensure(t.Context(), "none"); err == nil {
		t.Error("Ensure makes keys for none")
	}
}

// TestCompromise: whatever is compromised, and in whichever order, there is a key
// to go on with, and the dead one does nothing.
func TestCompromise(t *testing.T) {
	t.Parallel()
	for _, alg := range []codec.Algorithm{codec.HS256, codec.ES256, keyring.Root} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			c := newClock()
			src := storeSource(t, c.Now)
			cfg := keyring.Config{Source: src, Now: c.Now, Algorithms: everyAlgorithm, Overlap: time.Hour, Settle: time.Minute}
			r, other := open(t, cfg), open(t, cfg)
			kill := func(id string) {
				t.Helper()
				text, _, err := src.Load(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				secret := secretOf(t, text, id)
				if err := r.Compromise(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				poll(t, other)
				for _, r := range []*keyring.Ring{r, other} {
					if v, _ := signs(r, id); v || states(r, alg)[id] != keyring.Compromised {
						t.Errorf("the dead key verifies: %v, %v", v, states(r, alg))
					}
					if v, sign := signs(r, only(t, r, alg, keyring.Active).ID); !v || !sign {
						t.Error("the active key does not sign")
					}
					if strings.Contains(marshal(t, r), secret) {
						t.Error("the dead key's secret is in the ring")
					}
				}
				if only(t, r, alg, keyring.Active).ID != only(t, other, alg, keyring.Active).ID {
					t.Error("two nodes have two active keys")
				}
				if text, _, err := src.Load(t.Context()); err != nil || strings.Contains(string(text), secret) {
					t.Errorf("the dead key's secret is in the source (%v)", err)
				}
			}
			first, second := only(t, r, alg, keyring.Active).ID, only(t, r, alg, keyring.Pending).ID
			kill(first)
			if only(t, r, alg, keyring.Active).ID != second {
				t.Error("the key that takes over is not the one that all nodes know")
			}
			kill(second) // its reserve is young, and takes over all the same
			third := only(t, r, alg, keyring.Active).ID
			rotate(t, r, alg) // promised only
			promised := inState(r, alg, keyring.Pending)
			if len(promised) != 2 {
				t.Fatalf("%v", states(r, alg))
			}
			for _, p := range promised {
				kill(p.ID) // the rotation is called off
			}
			c.add(2 * time.Minute)
			poll(t, r, other)
			if only(t, r, alg, keyring.Active).ID != third || len(inState(r, alg, keyring.Retiring)) != 0 {
				t.Errorf("the promise outlived the key: %v", states(r, alg))
			}
			rotate(t, r, alg)
			kill(third) // retiring
			if err := r.Compromise(t.Context(), third); err != nil {
				t.Errorf("a second time: %v", err)
			}
			if err := r.Compromise(t.Context(), "AAAAAAAA"); !errors.Is(err, keyring.ErrUnknownKey) {
				t.Errorf("a foreign key: %v", err)
			}
			if err := r.Retire(t.Context(), third); err != nil || states(r, alg)[third] != keyring.Compromised {
				t.Errorf("Retire of a dead key: %v", err)
			}
		})
	}
}

// TestRootRotation: what was made under an old root is good until that retires,
// and is told apart; under a compromised one nothing is.
func TestRootRotation(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-13.3.4")
	c := newClock()
	r := open(t, keyring.Config{Source: storeSource(t, c.Now), Now: c.Now, Overlap: time.Hour, Settle: time.Minute})
	old := only(t, r, keyring.Root, keyring.Active).ID
	blob, csrf, box := seal(t, r, "text"), newCSRF(t, r, session), r.Box(session)
	cursor, err := r.SignCursor("sessions of alice", []byte("here"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Stale(blob) {
		t.Error("a new blob is stale")
	}
	c.add(time.Minute)
	rotate(t, r, keyring.Root)
	good := func(want bool) {
		t.Helper()
		text, err := r.Open(nil, blob, "session", session)
		if (err == nil) != want || want && string(text) != "text" || !want && (!errors.Is(err, keyring.ErrDead) || !errors.Is(err, keyring.ErrSealed)) {
			t.Errorf("Open = %q, %v", text, err)
		}
		if r.CheckCSRF(session, csrf) != want {
			t.Errorf("CheckCSRF is %v", !want)
		}
		if got, ok := r.OpenCursor("sessions of alice", cursor); ok != want || want && string(got) != "here" {
			t.Errorf("OpenCursor = %q, %v", got, ok)
		}
	}
	good(true)
	if !r.Stale(blob) || r.Stale(seal(t, r, "text")) || r.Stale(nil) || r.Stale(blob[:3]) {
		t.Error("only what is under the old root is stale")
	}
	// A box is the ring as it was.
	late, err := box.Seal(nil, []byte("text"), "session")
	if err != nil || !r.Stale(late) {
		t.Errorf("the box seals under another root than it was made with: %v", err)
	}
	c.add(time.Hour - time.Millisecond)
	poll(t, r)
	good(true)
	c.add(time.Millisecond)
	poll(t, r)
	good(false)
	if states(r, keyring.Root)[old] != keyring.Retired {
		t.Error("the old root is not retired")
	}
	blob, csrf = seal(t, r, "text"), newCSRF(t, r, session)
	if cursor, err = r.SignCursor("sessions of alice", []byte("here")); err != nil {
		t.Fatal(err)
	}
	good(true)
	if err := r.Compromise(t.Context(), only(t, r, keyring.Root, keyring.Active).ID); err != nil {
		t.Fatal(err)
	}
	good(false)
}

// TestCursor: a place in a listing is good for that listing alone, and unchanged.
func TestCursor(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "BUG CVE-2026-33503")
	r, other := newRing(t), newRing(t)
	text, err := r.SignCursor("sessions of alice", []byte("here"))
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := r.OpenCursor("sessions of alice", text); !ok || string(got) != "here" {
		t.Errorf("OpenCursor = %q, %v", got, ok)
	}
	for _, purpose := range []string{"sessions of bob", "sessions of alic", "sessions of aliceh", ""} {
		if _, ok := r.OpenCursor(purpose, text); ok {
			t.Errorf("accepted for %q", purpose)
		}
	}
	if _, ok := other.OpenCursor("sessions of alice", text); ok {
		t.Error("another ring accepts it")
	}
	for i := range len(text) {
		for _, ch := range []byte("AZaz09-_\n=") {
			if changed := text[:i] + string(ch) + text[i+1:]; changed != text {
				if got, ok := r.OpenCursor("sessions of alice", changed); ok || got != nil {
					t.Errorf("%q is accepted, or shown", changed)
				}
			}
		}
		if _, ok := r.OpenCursor("sessions of alice", text[:i]); ok {
			t.Errorf("%q is accepted", text[:i])
		}
	}
	if a, b := r.HashLog("x"), r.HashLog("y"); len(a) != 11 || a == b || a != r.HashLog("x") || a == other.HashLog("x") {
		t.Errorf("HashLog = %q, %q", a, b)
	}
}

// TestRefuse: what the revocation log says needs no source, and no source takes it
// back.
func TestRefuse(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := open(t, keyring.Config{Source: storeSource(t, c.Now), Now: c.Now, Settle: time.Minute})
	for _, alg := range []codec.Algorithm{codec.HS256, keyring.Root} {
		first, second := only(t, r, alg, keyring.Active).ID, only(t, r, alg, keyring.Pending).ID
		blob := seal(t, r, "text")
		r.Refuse(first)
		for range 3 {
			if v, _ := signs(r, first); v {
				t.Error("a refused key verifies")
			}
			if _, sign := signs(r, second); !sign || only(t, r, alg, keyring.Active).ID != second {
				t.Error("the reserve has not taken over")
			}
			poll(t, r)
		}
		if _, err := r.Open(nil, blob, "session", session); alg == keyring.Root != errors.Is(err, keyring.ErrDead) {
			t.Errorf("Open: %v", err)
		}
	}
	// Without any reserve: nothing can be made, and nothing breaks.
	for _, info := range r.List() {
		r.Refuse(info.ID)
	}
	if len(r.KeySet().Keys) != 0 {
		t.Errorf("keys are left: %v", r.KeySet().Keys)
	}
	if _, err := r.Seal(nil, []byte("text"), "session", session); !errors.Is(err, keyring.ErrNoKey) {
		t.Errorf("Seal: %v", err)
	}
	if _, err := r.NewCSRF(session); !errors.Is(err, keyring.ErrNoKey) {
		t.Errorf("NewCSRF: %v", err)
	}
	if _, err := r.SignCursor("", nil); !errors.Is(err, keyring.ErrNoKey) {
		t.Errorf("SignCursor: %v", err)
	}
	if r.HashLog("x") != "" || r.CheckCSRF(session, strings.Repeat("A", keyring.CSRFTokenLen)) {
		t.Error("something works without a root")
	}
}

// TestGoesBack: a source that has lost what it acknowledged, or an old ring put
// back, brings no dead key to life and loses no key in use.
func TestGoesBack(t *testing.T) {
	t.Parallel()
	c := newClock()
	src := storeSource(t, c.Now)
	cfg := keyring.Config{Source: src, Now: c.Now, Settle: time.Minute}
	told, r := open(t, cfg), open(t, cfg)
	old, _, err := src.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first := only(t, r, codec.HS256, keyring.Active).ID
	if err := told.Compromise(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	poll(t, r)
	want := marshal(t, r)
	put(t, src, old)
	poll(t, r)
	if got, _, err := src.Load(t.Context()); err != nil || string(got) != want {
		t.Errorf("the source was not brought forward: %v\n%s", err, got)
	}
	// As new as ours, but of another history.
	put(t, src, bytes.Replace(old, []byte(`"revision": 1`), []byte(`"revision": 9`), 1))
	poll(t, r)
	if v, _ := signs(r, first); v || states(r, codec.HS256)[first] != keyring.Compromised {
		t.Error("a dead key came back to life")
	}
	// Another ring altogether.
	other, err := keyring.New(created)
	if err != nil {
		t.Fatal(err)
	}
	id := r.ID()
	put(t, src, []byte(marshal(t, other)))
	if err := r.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), other.ID()) {
		t.Errorf("another ring: %v", err)
	}
	if r.ID() != id || r.Err() == nil {
		t.Error("the ring is another one, or all is well")
	}
}

// TestHistoriesMeet: an old ring was put back and changed by somebody who knew no
// other, before a node that knows better has looked. Nothing that either has
// acknowledged is lost, whichever revision is the higher: dead keys stay dead, also
// for whoever starts now, and keys in use go on.
func TestHistoriesMeet(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, after int }{
		"the source is behind":  {before: 3, after: 1},
		"both are as new":       {before: 2, after: 2},
		"the source is ahead":   {before: 1, after: 3},
		"nothing happened here": {before: 0, after: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clk := newClock()
			src := storeSource(t, clk.Now)
			cfg := keyring.Config{Source: src, Now: clk.Now}
			node := open(t, cfg)
			old, _, err := src.Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			kill := func(r *keyring.Ring, alg codec.Algorithm) string {
				t.Helper()
				id := only(t, r, alg, keyring.Active).ID
				if err := r.Compromise(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				return id
			}
			var dead []string
			for range c.before {
				dead = append(dead, kill(node, codec.HS256))
			}
			inUse := only(t, node, codec.HS256, keyring.Active).ID
			put(t, src, old)
			other := open(t, cfg)
			for range c.after {
				dead = append(dead, kill(other, keyring.Root))
			}
			poll(t, node, other, node)
			for who, r := range map[string]*keyring.Ring{"the node": node, "the other": other, "one that starts now": open(t, cfg)} {
				for _, id := range dead {
					if v, _ := signs(r, id); v {
						t.Errorf("%s accepts the dead key %s", who, id)
					}
				}
				if v, _ := signs(r, inUse); !v {
					t.Errorf("%s does not know the key in use", who)
				}
				only(t, r, codec.HS256, keyring.Active)
				only(t, r, keyring.Root, keyring.Active)
			}
			if a, b := marshal(t, node), marshal(t, other); a != b {
				t.Errorf("the nodes do not agree:\n%s\n%s", a, b)
			}
		})
	}
}

// put puts a text into a source, whatever is there.
func put(t *testing.T, src keyring.Source, text []byte) {
	t.Helper()
	_, version, err := src.Load(t.Context())
	if err == nil {
		_, err = src.Save(t.Context(), text, version)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// source is one that can be cut off.
type source struct {
	keyring.Source
	mu    sync.Mutex
	err   error
	hangs bool
}

func (s *source) cut(err error, hangs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.hangs = err, hangs
}

func (s *source) Load(ctx context.Context) ([]byte, string, error) {
	s.mu.Lock()
	err, hangs := s.err, s.hangs
	s.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return nil, "", ctx.Err()
	}
	if err != nil {
		return nil, "", err
	}
	return s.Source.Load(ctx)
}

// run runs a ring as long as the test's bubble.
func run(t *testing.T, r *keyring.Ring) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
}

// TestRun: what one node does all know after two polls; the schedule is kept, by
// one of them.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := storeSource(t, nil)
		cfg := keyring.Config{Source: src, Poll: 3 * time.Hour, Settle: 6 * time.Hour}
		nodes := []*keyring.Ring{open(t, cfg), open(t, cfg), open(t, cfg)}
		for _, r := range nodes {
			run(t, r)
			time.Sleep(time.Hour)
		}
		agree := func() {
			t.Helper()
			for _, r := range nodes[1:] {
				if a, b := marshal(t, nodes[0]), marshal(t, r); a != b {
					t.Fatalf("the nodes differ:\n%s\n%s", a, b)
				}
			}
		}
		time.Sleep(6*time.Hour + 7*time.Minute) // two polls, and between them
		rotations := map[string]bool{}
		days := 365
		if raceEnabled {
			days = 65
		}
		for day := range days {
			time.Sleep(24 * time.Hour)
			agree()
			id := only(t, nodes[0], codec.HS256, keyring.Active).ID
			if !rotations[id] && len(rotations) != (day+1)/30 {
				t.Errorf("day %d: rotation %d", day+1, len(rotations))
			}
			rotations[id] = true
			if n := len(inState(nodes[0], codec.HS256, keyring.Retiring)); n > 2 {
				t.Fatalf("%d keys retire", n)
			}
		}
		if len(rotations) != days/30+1 {
			t.Errorf("%d active keys in %d days", len(rotations), days)
		}
		if n := len(nodes[0].List()); n > 24 {
			t.Errorf("the ring has grown to %d keys", n)
		}
		if err := nodes[1].Compromise(t.Context(), only(t, nodes[0], codec.HS256, keyring.Active).ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Hour)
		agree()
	})
}

// TestRunCutOff: a source that fails or hangs is told of, and keeps no key from
// expiring.
func TestRunCutOff(t *testing.T) {
	t.Parallel()
	for _, hangs := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			src := &source{Source: storeSource(t, nil)}
			r := open(t, keyring.Config{Source: src, Overlap: time.Hour, Settle: time.Minute})
			run(t, r)
			time.Sleep(10 * time.Minute)
			old := only(t, r, codec.HS256, keyring.Active).ID
			rotate(t, r, codec.HS256)
			if r.Err() != nil || r.Staleness(time.Now()) > time.Second {
				t.Errorf("Err = %v, Staleness = %v", r.Err(), r.Staleness(time.Now()))
			}
			lost := errors.New("the store is gone")
			src.cut(lost, hangs)
			time.Sleep(time.Hour)
			if s := r.Staleness(time.Now()); s < time.Hour-time.Second || s > time.Hour+2*time.Second {
				t.Errorf("Staleness = %v", s)
			}
			if !hangs && !errors.Is(r.Err(), lost) {
				t.Errorf("Err = %v", r.Err())
			}
			time.Sleep(2 * time.Second)
			if v, _ := signs(r, old); v {
				t.Error("a key has not expired")
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := r.Rotate(ctx, codec.HS256); err == nil {
				t.Error("a rotation without the source")
			}
			if hangs {
				return
			}
			src.cut(nil, false)
			time.Sleep(2 * time.Second)
			if r.Err() != nil || r.Staleness(time.Now()) > time.Second {
				t.Errorf("Err = %v, Staleness = %v", r.Err(), r.Staleness(time.Now()))
			}
		})
	}
}

// TestCompromiseFails: the node that was told refuses the key all the same.
func TestCompromiseFails(t *testing.T) {
	t.Parallel()
	src := &source{Source: storeSource(t, nil)}
	r := open(t, keyring.Config{Source: src})
	id := only(t, r, codec.HS256, keyring.Active).ID
	src.cut(errors.New("the store is gone"), false)
	if err := r.Compromise(t.Context(), id); err == nil {
		t.Error("it was done without the source")
	}
	if v, _ := signs(r, id); v {
		t.Error("the key verifies")
	}
	src.cut(nil, false)
	if err := r.Compromise(t.Context(), id); err != nil {
		t.Error(err)
	}
}

func TestFixed(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*keyring.Ring{"New": newRing(t), "Parse": parsed(t, marshal(t, newRing(t)))} {
		id := only(t, r, codec.HS256, keyring.Active).ID
		_, err := r.Rotate(t.Context(), codec.HS256)
		for _, err := range []error{err, r.Compromise(t.Context(), id), r.Retire(t.Context(), id), r.Run(t.Context())} {
			if !errors.Is(err, keyring.ErrFixed) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if v, _ := signs(r, id); !v {
			t.Error("the key is gone")
		}
		if err := r.Reload(t.Context()); err != nil || r.Err() != nil || r.Staleness(created.Add(time.Hour)) != 0 {
			t.Errorf("%s is stale: %v", name, err)
		}
		if err := r.Ensure(t.Context(), codec.HS256, codec.Opaque); err != nil {
			t.Error(err)
		}
		if err := r.Ensure(t.Context(), codec.EdDSA); (name == "New") != (err == nil) || name != "New" && !errors.Is(err, keyring.ErrFixed) {
			t.Errorf("%s: Ensure = %v", name, err)
		}
		if name == "New" {
			only(t, r, codec.EdDSA, keyring.Active)
			only(t, r, codec.EdDSA, keyring.Pending)
		}
	}
}

func parsed(t testing.TB, text string) *keyring.Ring {
	t.Helper()
	r, err := keyring.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestExternal: keys elsewhere sign and verify, are published, stand in no source
// and are rotated by configuration.
func TestExternal(t *testing.T) {
	t.Parallel()
	c := newClock()
	src := storeSource(t, c.Now)
	cfg := keyring.Config{Source: src, Now: c.Now, Settle: time.Minute, Algorithms: []codec.Algorithm{codec.HS256, codec.ES256}}
	own := only(t, open(t, cfg), codec.ES256, keyring.Active).ID
	kms1, kms2 := newP256(t), newP256(t)
	cfg.External = []keyring.External{
		{ID: "kms-1", Algorithm: codec.ES256, Signer: kms1, Active: true},
		{ID: "kms-2", Algorithm: codec.ES256, Signer: kms2},
		{ID: "hsm", Algorithm: codec.EdDSA, Signer: newEd25519(t), Active: true},
	}
	before, _, err := src.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := open(t, cfg)
	if err := r.Ensure(t.Context(), codec.ES256, codec.EdDSA); err != nil {
		t.Fatal(err)
	}
	poll(t, r)
	if after, _, err := src.Load(t.Context()); err != nil || !bytes.Equal(before, after) {
		t.Errorf("external keys changed the source: %v", err)
	}
	for id, want := range map[string][2]bool{"kms-1": {true, true}, "kms-2": {true, false}, "hsm": {true, true}, own: {true, false}} {
		if v, sign := signs(r, id); v != want[0] || sign != want[1] {
			t.Errorf("%s verifies: %v, signs: %v", id, v, sign)
		}
	}
	if body, _ := r.JWKS(); !bytes.Contains(body, []byte(`"kms-1"`)) || !bytes.Contains(body, []byte(`"kms-2"`)) || !bytes.Contains(body, []byte(`"hsm"`)) {
		t.Errorf("JWKS = %s", body)
	}
	if _, err := r.Rotate(t.Context(), codec.ES256); !errors.Is(err, keyring.ErrFixed) {
		t.Errorf("Rotate = %v", err)
	}
	for _, info := range r.List() {
		if info.External != strings.Contains("kms-1 kms-2 hsm", info.ID) || info.External && info.Public == nil {
			t.Errorf("%+v", info)
		}
	}
	r.Refuse("kms-1")
	if v, _ := signs(r, "kms-1"); v {
		t.Error("a refused key verifies")
	}
	if _, sign := signs(r, own); !sign {
		t.Error("with the external key dead the ring's own does not sign")
	}
}

func newP256(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newEd25519(t testing.TB) crypto.Signer {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestOpenRing(t *testing.T) {
	t.Parallel()
	src := storeSource(t, nil)
	if _, err := keyring.Open(t.Context(), keyring.Config{Source: src}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of nothing: %v", err)
	}
	r := open(t, keyring.Config{Source: src})
	if s := r.Staleness(time.Now()); s < 0 || s > time.Minute {
		t.Errorf("Staleness = %v", s)
	}
	only(t, r, codec.HS256, keyring.Active)
	again, err := keyring.Open(t.Context(), keyring.Config{Source: src, Algorithms: []codec.Algorithm{codec.V4Public, codec.Opaque}})
	if err != nil || again.ID() != r.ID() {
		t.Fatalf("Open = %v", err)
	}
	only(t, again, codec.V4Public, keyring.Active)
	if r.Overlap() != 31*24*time.Hour {
		t.Errorf("Overlap = %v", r.Overlap())
	}
	r.NeedOverlap(time.Hour)
	r.NeedOverlap(40 * 24 * time.Hour)
	if r.Overlap() != 40*24*time.Hour {
		t.Errorf("Overlap = %v", r.Overlap())
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := newEd25519(t)
	for want, cfg := range map[string]keyring.Config{
		"Source is required":  {},
		"Poll is":             {Source: src, Poll: -1},
		"Settle is":           {Source: src, Settle: 3 * time.Second, Poll: 2 * time.Second},
		"Overlap is":          {Source: src, Overlap: -1},
		"Every is":            {Source: src, Every: time.Minute},
		"a 16th of Overlap":   {Source: src, Every: time.Hour},
		"External[0].ID":      {Source: src, External: []keyring.External{{ID: "a b", Algorithm: codec.EdDSA, Signer: key}}},
		"External[1].ID":      {Source: src, External: []keyring.External{{ID: "a", Algorithm: codec.EdDSA, Signer: key}, {ID: "a", Algorithm: codec.EdDSA, Signer: key}}},
		"needs a Signer":      {Source: src, External: []keyring.External{{ID: "a", Algorithm: codec.EdDSA}}},
		"suits the algorithm": {Source: src, External: []keyring.External{{ID: "a", Algorithm: codec.ES256, Signer: key}}},
		`algorithm "ES256"`:   {Source: src, External: []keyring.External{{ID: "a", Algorithm: codec.ES256, Signer: p384}}},
		`algorithm "HS256"`:   {Source: src, External: []keyring.External{{ID: "a", Algorithm: codec.HS256, Signer: key}}},
		"is active":           {Source: src, External: []keyring.External{{ID: "a", Algorithm: codec.EdDSA, Signer: key, Active: true}, {ID: "b", Algorithm: codec.EdDSA, Signer: key, Active: true}}},
		"no keys can be made": {Source: src, Algorithms: []codec.Algorithm{"none"}},
	} {
		if _, err := keyring.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestFull: a ring stays small enough to be kept in an item of a store.
func TestFull(t *testing.T) {
	t.Parallel()
	c := newClock()
	src := storeSource(t, c.Now)
	r := open(t, keyring.Config{Source: src, Now: c.Now, Algorithms: everyAlgorithm, Settle: 2 * time.Second, Every: keyring.Never})
	var err error
	n := 0
	for ; err == nil && n < 200; n++ {
		c.add(time.Minute)
		_, err = r.Rotate(t.Context(), codec.HS256)
	}
	if err == nil || !strings.Contains(err.Error(), "full") || len(r.List()) < 100 {
		t.Errorf("after %d rotations: %v, %d keys", n, err, len(r.List()))
	}
	if err := r.Compromise(t.Context(), only(t, r, codec.HS256, keyring.Active).ID); err != nil {
		t.Errorf("a full ring cannot be saved: %v", err)
	}
	for _, info := range inState(r, codec.HS256, keyring.Retiring) {
		if err := r.Retire(t.Context(), info.ID); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.List()); n > 60 {
		t.Errorf("%d keys are listed", n)
	}
	rotate(t, r, codec.HS256)
}

// TestClockSet: whoever sets the machine's clock while a node runs, no key takes over
// or expires by it. Time that it has slept counts.
func TestClockSet(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  func(*steadytest.Machine)
		more bool // keys there are then
	}{
		"ahead":  {func(m *steadytest.Machine) { m.Step(365 * 24 * time.Hour) }, false},
		"back":   {func(m *steadytest.Machine) { m.Step(-365 * 24 * time.Hour) }, false},
		"asleep": {func(m *steadytest.Machine) { m.Sleep(365 * 24 * time.Hour) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := steadytest.New(created)
			m.Booted(24 * time.Hour)
			cfg := keyring.Config{Source: storeSource(t, m.Now), Create: true, Now: m.Now}
			cfg.SetUptime(m.Uptime)
			r, err := keyring.Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			was := len(r.List())
			c.set(m)
			r.Advance()
			if err := r.Poll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if now := len(r.List()); now > was != c.more {
				t.Errorf("%d keys, then %d", was, now)
			}
			m.Pass(31 * 24 * time.Hour)
			if err := r.Poll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if now := len(r.List()); now <= was {
				t.Errorf("nothing is rotated any more: %d keys, then %d", was, now)
			}
		})
	}
}

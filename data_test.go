package remuda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

func text(t *testing.T, d *remuda.Data) string {
	t.Helper()
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func patch(t *testing.T, m *remuda.Manager, id remuda.SessionID, p remuda.DataPatch) *remuda.Data {
	t.Helper()
	d, err := m.PatchData(t.Context(), id, p)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestPatchData(t *testing.T) {
	t.Parallel()
	type cart struct {
		Items []string `json:"items"`
	}
	m := newManager(t)
	id := start(t, m, "api").Session.ID
	for _, c := range []struct {
		patch remuda.DataPatch
		want  string
	}{
		{nil, `{}`},
		{remuda.DataPatch{"missing": nil}, `{}`},
		{remuda.DataPatch{"n": 1, "cart": cart{[]string{"hay"}}}, `{"cart":{"items":["hay"]},"n":1}`},
		{remuda.DataPatch{"n": nil, "sub": "reserved for claims only"}, `{"cart":{"items":["hay"]},"sub":"reserved for claims only"}`},
		// A value is replaced whole; inside, null is a value.
		{remuda.DataPatch{"sub": json.RawMessage(` { "x" : null } `)}, `{"cart":{"items":["hay"]},"sub":{"x":null}}`},
		{remuda.DataPatch{"cart": json.RawMessage(`{"coupon":7}`), "sub": json.RawMessage("null")}, `{"cart":{"coupon":7}}`},
		{remuda.DataPatch{"cart": (*cart)(nil), "html": "<b> & é"}, `{"html":"\u003cb\u003e \u0026 é"}`}, // json.Marshal of a test escapes
		{remuda.DataPatch{strings.Repeat("k", 64): true, "html": nil}, `{"` + strings.Repeat("k", 64) + `":true}`},
	} {
		if got := text(t, patch(t, m, id, c.patch)); got != c.want {
			t.Errorf("%v: %s, want %s", c.patch, got, c.want)
		}
		d, err := m.Data(t.Context(), id)
		if err != nil || text(t, d) != c.want {
			t.Errorf("read: %s, %v; want %s", text(t, d), err, c.want)
		}
	}
	for _, p := range []remuda.DataPatch{
		{"": 1},
		{"a b": 1},
		{"é": 1},
		{"<": 1},
		{`"`: 1},
		{"a\x7f": 1},
		{strings.Repeat("k", 65): 1},
		{"f": func() {}},
		{"twice": json.RawMessage(`{"a":1,"a":2}`)},
		{"raw": json.RawMessage(`{`)},
		{"raw": json.RawMessage("\"\xff\"")},
	} {
		if d, err := m.PatchData(t.Context(), id, p); d != nil || !errors.Is(err, remuda.ErrRequest) {
			t.Errorf("%v: %v, %v", p, d, err)
		}
	}
}

func TestDataLimits(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	id := start(t, m, "api").Session.ID
	most := strings.Repeat("x", remuda.MaxData-len(`{"k":""}`))
	patch(t, m, id, remuda.DataPatch{"k": most})
	for _, p := range []remuda.DataPatch{{"k": most + "x"}, {"other": 1}} {
		if _, err := m.PatchData(t.Context(), id, p); !errors.Is(err, remuda.ErrRequest) || !strings.Contains(err.Error(), "16384") {
			t.Errorf("too much: %v", err)
		}
	}
	patch(t, m, id, remuda.DataPatch{"k": strings.Repeat("<", len(most))}) // not six times as long
	all := remuda.DataPatch{"k": nil}
	for i := range remuda.MaxDataKeys {
		all[fmt.Sprint(i)] = i
	}
	if d := patch(t, m, id, all); d.Len() != remuda.MaxDataKeys || d.Keys()[1] != "1" || d.Keys()[2] != "10" {
		t.Errorf("keys: %v", d.Keys())
	}
	if _, err := m.PatchData(t.Context(), id, remuda.DataPatch{"one more": 1}); !errors.Is(err, remuda.ErrRequest) {
		t.Errorf("too many: %v", err)
	}
	patch(t, m, id, remuda.DataPatch{"0": nil, "another": 1})
}

func TestDataValue(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	d := patch(t, m, start(t, m, "api").Session.ID, remuda.DataPatch{"n": 7, "cart": json.RawMessage(`{"Items":["hay"],"new":1}`)})
	if n, ok, err := remuda.DataValue[int](d, "n"); n != 7 || !ok || err != nil {
		t.Errorf("%v, %v, %v", n, ok, err)
	}
	if c, ok, err := remuda.DataValue[struct{ Items []string }](d, "cart"); len(c.Items) != 1 || !ok || err != nil {
		t.Errorf("%v, %v, %v", c, ok, err)
	}
	if n, ok, err := remuda.DataValue[int](d, "none"); n != 0 || ok || err != nil {
		t.Errorf("%v, %v, %v", n, ok, err)
	}
	if _, ok, err := remuda.DataValue[string](d, "n"); !ok || err == nil {
		t.Errorf("a number as a string: %v, %v", ok, err)
	}
}

// The store reads nothing, and keeps nothing for longer than the session lives.
func TestDataIsSealedAndExpires(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	m := newManager(t, func(c *remuda.Config) { c.Store = s })
	g, other := start(t, m, "api"), start(t, m, "api")
	patch(t, m, g.Session.ID, remuda.DataPatch{"secret": "hunter2"})
	it, err := dataItem(t, s, g.Session.ID)
	if err != nil || bytes.Contains(it.Value, []byte("hunter2")) || bytes.Contains(it.Value, []byte("secret")) || !it.Expires.Equal(g.RefreshExpires) {
		t.Errorf("%q until %v (the session until %v), %v", it.Value, it.Expires, g.RefreshExpires, err)
	}
	// In the place of another session's it opens for nobody.
	if err := s.CreateItem(t.Context(), "data", other.Session.ID.String(), it, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if d, err := m.Data(t.Context(), other.Session.ID); d != nil || !errors.Is(err, remuda.ErrUnavailable) {
		t.Errorf("swapped by the store: %v, %v", d, err)
	}
	// Nothing is left of a key that was removed.
	patch(t, m, g.Session.ID, remuda.DataPatch{"secret": nil})
	if _, err := dataItem(t, s, g.Session.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("empty data: %v", err)
	}
}

func TestDataOfWhatIsNoLiveSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t)
		both := func(m *remuda.Manager, id remuda.SessionID, want error) {
			t.Helper()
			if d, err := m.Data(t.Context(), id); d != nil || !errors.Is(err, want) {
				t.Errorf("Data: %v, %v; want %v", d, err, want)
			}
			if d, err := m.PatchData(t.Context(), id, remuda.DataPatch{"a": 1}); d != nil || !errors.Is(err, want) {
				t.Errorf("PatchData: %v, %v; want %v", d, err, want)
			}
		}
		both(m, remuda.SessionID{1}, remuda.ErrTokenInvalid)
		ended, idle := start(t, m, "web").Session.ID, start(t, m, "web").Session.ID
		patch(t, m, idle, remuda.DataPatch{"a": 1})
		if err := m.End(t.Context(), remuda.EndRequest{Session: ended}); err != nil {
			t.Fatal(err)
		}
		both(m, ended, remuda.ErrSessionEnded)
		time.Sleep(31 * time.Minute)
		both(m, idle, remuda.ErrSessionExpired)

		recordless := newManager(t, func(c *remuda.Config) { c.Profiles = []remuda.Profile{remuda.Local()} })
		both(recordless, start(t, recordless, "local").Session.ID, remuda.ErrRequest)

		type noItems struct{ store.Store } // the log is hidden too
		without := newManager(t, func(c *remuda.Config) {
			c.Store = noItems{memstore.New()}
			c.Profiles = c.Profiles[1:]
			c.Profiles[0].Liveness = remuda.LiveStore
		})
		id := start(t, without, "api").Session.ID
		both(without, id, remuda.ErrRequest)
		if err := without.End(t.Context(), remuda.EndRequest{Session: id}); err != nil {
			t.Error(err)
		}
	})
}

// However a session ends, its data goes with it; whatever else happens, it stays.
func TestDataLivesAsLongAsTheSession(t *testing.T) {
	t.Parallel()
	client := remuda.Client{UserAgent: firefox}
	for _, c := range []struct {
		name  string
		stays bool
		do    func(*testing.T, *remuda.Manager, remuda.Grant) error
	}{
		{"rotation", true, func(t *testing.T, m *remuda.Manager, g remuda.Grant) error {
			t.Helper()
			_, err := known(t.Context(), m, g.Refresh.Reveal(), "")
			return err
		}},
		{"step-up", true, func(t *testing.T, m *remuda.Manager, g remuda.Grant) error {
			t.Helper()
			_, err := m.StepUp(t.Context(), remuda.StepUpRequest{Session: g.Session.ID, Client: client})
			return err
		}},
		{"password change", true, func(t *testing.T, m *remuda.Manager, g remuda.Grant) error {
			t.Helper()
			_, _, err := m.CredentialsChanged(t.Context(), remuda.CredentialsChangedRequest{Session: g.Session.ID, Client: client})
			return err
		}},
		{"login elsewhere", true, func(t *testing.T, m *remuda.Manager, _ remuda.Grant) error {
			t.Helper()
			startKnown(t, m)
			return nil
		}},
		{"login over it", false, func(t *testing.T, m *remuda.Manager, g remuda.Grant) error {
			t.Helper()
			other, err := m.Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: "bob", Replaces: g.Session.ID})
			if err != nil {
				return err
			}
			d, err := m.Data(t.Context(), other.Session.ID)
			if d.Len() != 0 {
				t.Errorf("bob has %v", d.Keys())
			}
			return err
		}},
		{"logout everywhere", false, func(t *testing.T, m *remuda.Manager, _ remuda.Grant) error {
			t.Helper()
			e, err := m.EndAll(t.Context(), remuda.EndAllRequest{Subject: "alice"})
			if err != nil {
				return err
			}
			_, err = e.Wait(t.Context())
			return err
		}},
		{"reuse", false, func(t *testing.T, m *remuda.Manager, g remuda.Grant) error {
			t.Helper()
			next, err := known(t.Context(), m, g.Refresh.Reveal(), "")
			if err != nil {
				return err
			}
			if _, err := authenticate(t, m, next); err != nil {
				return err
			}
			time.Sleep(5 * time.Minute)
			if _, err := known(t.Context(), m, g.Refresh.Reveal(), ""); !errors.Is(err, remuda.ErrRefreshReused) {
				t.Errorf("reuse: %v", err)
			}
			return nil
		}},
		{"running out", false, func(t *testing.T, m *remuda.Manager, g remuda.Grant) error {
			t.Helper()
			time.Sleep(time.Hour)
			if _, err := m.Data(t.Context(), g.Session.ID); !errors.Is(err, remuda.ErrSessionExpired) {
				t.Errorf("read: %v", err)
			}
			_, err := m.Sweep(t.Context(), 0)
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := memstore.New()
				m := newManager(t, func(c *remuda.Config) {
					c.Store = s
					c.Profiles[1].Idle, c.Profiles[1].Absolute = time.Hour, time.Hour
				})
				g := startKnown(t, m)
				patch(t, m, g.Session.ID, remuda.DataPatch{"a": 1})
				time.Sleep(2 * time.Minute)
				if err := c.do(t, m, g); err != nil {
					t.Fatal(err)
				}
				_, err := dataItem(t, s, g.Session.ID)
				if c.stays == errors.Is(err, store.ErrNotFound) {
					t.Errorf("the item: %v", err)
				}
				if !c.stays {
					return
				}
				if d, err := m.Data(t.Context(), g.Session.ID); err != nil || text(t, d) != `{"a":1}` {
					t.Errorf("the data: %v", err)
				}
			})
		})
	}
}

// dataNodes returns several managers over one store, and a session.
func dataNodes(t *testing.T, n int) ([]*remuda.Manager, remuda.SessionID) {
	t.Helper()
	s := memstore.New()
	var all []*remuda.Manager
	for range n {
		all = append(all, newManager(t, func(c *remuda.Config) { c.Store, c.Keys = s, sharedRing(t) }))
	}
	return all, start(t, all[0], "api").Session.ID
}

func TestManyWriteDifferentKeys(t *testing.T) {
	t.Parallel()
	const keys, each = 60, 6
	all, id := dataNodes(t, 2)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			key := fmt.Sprint("k", i)
			for n := range each {
				d, err := all[n%2].PatchData(t.Context(), id, remuda.DataPatch{key: n})
				if err != nil {
					t.Error(err)
					return
				}
				if v, _, err := remuda.DataValue[int](d, key); v != n || err != nil {
					t.Errorf("%s: %d, %v; just written: %d", key, v, err, n)
				}
			}
		})
	}
	wg.Wait()
	d, err := all[0].Data(t.Context(), id)
	if err != nil || d.Len() != keys {
		t.Fatalf("%d keys, %v; want %d", d.Len(), err, keys)
	}
	for _, key := range d.Keys() {
		if v, _, err := remuda.DataValue[int](d, key); v != each-1 || err != nil {
			t.Errorf("%s: %d, %v; written last: %d", key, v, err, each-1)
		}
	}
}

func TestManyWriteOneKey(t *testing.T) {
	t.Parallel()
	all, id := dataNodes(t, 2)
	whole := func(d *remuda.Data) (int, error) {
		v, ok, err := remuda.DataValue[[]int](d, "k")
		for _, n := range v {
			if n != v[0] {
				return 0, fmt.Errorf("torn: %v", v)
			}
		}
		if !ok || err != nil || len(v) != 100 {
			return 0, fmt.Errorf("%d numbers, %v, %w", len(v), ok, err)
		}
		return v[0], nil
	}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			v := make([]int, 100)
			for j := range v {
				v[j] = i
			}
			d, err := all[i%2].PatchData(t.Context(), id, remuda.DataPatch{"k": v})
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := whole(d); got != i || err != nil {
				t.Errorf("wrote %d, got %d, %v", i, got, err)
			}
			if d, err = all[i/2%2].Data(t.Context(), id); err == nil {
				_, err = whole(d)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// dataInput is one call in a history: a write of one key, or a read of all.
type dataInput struct {
	key   string // empty for a read
	value int
}

// dataModel is a map: what every history of calls on all nodes must be explained
// by.
var dataModel = porcupine.Model{
	Init: func() any { return map[string]int{} },
	Step: func(state, input, output any) (bool, any) {
		next := maps.Clone(state.(map[string]int))
		if in := input.(dataInput); in.key != "" {
			next[in.key] = in.value
		}
		return maps.Equal(next, output.(map[string]int)), next // a write returns all, too
	},
	Equal: func(a, b any) bool { return maps.Equal(a.(map[string]int), b.(map[string]int)) },
}

func TestDataIsLinearizable(t *testing.T) {
	t.Parallel()
	for range 10 {
		all, id := dataNodes(t, 2)
		var (
			mu      sync.Mutex
			history []porcupine.Operation
			tick    atomic.Int64
			wg      sync.WaitGroup
		)
		for client := range 5 {
			wg.Go(func() {
				for i := range 12 {
					in := dataInput{}
					if i%3 > 0 {
						in = dataInput{[]string{"a", "b"}[(i+client)%2], client*100 + i}
					}
					called := tick.Add(1)
					var (
						d   *remuda.Data
						err error
					)
					if m := all[(client+i)%2]; in.key == "" {
						d, err = m.Data(t.Context(), id)
					} else {
						d, err = m.PatchData(t.Context(), id, remuda.DataPatch{in.key: in.value})
					}
					returned := tick.Add(1)
					if err != nil {
						t.Error(err)
						return
					}
					out := map[string]int{}
					for _, key := range d.Keys() {
						out[key], _, _ = remuda.DataValue[int](d, key)
					}
					mu.Lock()
					history = append(history, porcupine.Operation{ClientId: client, Input: in, Call: called, Output: out, Return: returned})
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if !porcupine.CheckOperations(dataModel, history) {
			t.Fatalf("no order of the calls explains what they returned: %+v", history)
		}
	}
}

// brokenItems fails at one call, before or after it took effect.
type brokenItems struct {
	*memstore.Store

	calls, at int
	after     bool
}

var errDisk = errors.New("the disk is gone")

func (b *brokenItems) fails(do func() error) error {
	b.calls++
	if b.calls != b.at {
		return do()
	}
	if b.after {
		_ = do()
	}
	return errDisk
}

func (b *brokenItems) Get(ctx context.Context, id store.ID) (r store.Record, err error) {
	err = b.fails(func() error { r, err = b.Store.Get(ctx, id); return err })
	return r, err
}

func (b *brokenItems) GetItem(ctx context.Context, kind, key string, now time.Time) (it store.Item, err error) {
	err = b.fails(func() error { it, err = b.Store.GetItem(ctx, kind, key, now); return err })
	return it, err
}

func (b *brokenItems) SwapItem(ctx context.Context, kind, key string, it store.Item, was store.Version, now time.Time) error {
	return b.fails(func() error { return b.Store.SwapItem(ctx, kind, key, it, was, now) })
}

// After a failure the write has happened or not, and to send it again is right.
func TestDataWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	const calls = 4
	for at := 1; at <= calls+1; at++ {
		for _, after := range []bool{false, true} {
			s := &brokenItems{Store: memstore.New(), after: after}
			m := newManager(t, func(c *remuda.Config) {
				c.Store = s
				c.Profiles = c.Profiles[1:]
				c.Profiles[0].Liveness = remuda.LiveStore // a log would be looked up as well
			})
			id := start(t, m, "api").Session.ID
			patch(t, m, id, remuda.DataPatch{"a": 1})
			s.calls, s.at = 0, at
			_, err := m.PatchData(t.Context(), id, remuda.DataPatch{"b": 2})
			if at > calls {
				if err != nil || s.calls != calls {
					t.Fatalf("%d calls, %v; want %d", s.calls, err, calls)
				}
				continue
			}
			if !errors.Is(err, remuda.ErrUnavailable) {
				t.Errorf("call %d: %v", at, err)
			}
			if got := text(t, patch(t, m, id, nil)); got != `{"a":1}` && (at < 3 || got != `{"a":1,"b":2}`) {
				t.Errorf("call %d: %s", at, got)
			}
			if got := text(t, patch(t, m, id, remuda.DataPatch{"b": 2})); got != `{"a":1,"b":2}` {
				t.Errorf("call %d, again: %s", at, got)
			}
		}
	}
}

func TestMoveData(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	m := newManager(t, func(c *remuda.Config) { c.Store = s })
	alice, bob, ended := start(t, m, "api").Session.ID, start(t, m, "web").Session.ID, start(t, m, "web").Session.ID
	patch(t, m, alice, remuda.DataPatch{"a": 1})
	if err := m.End(t.Context(), remuda.EndRequest{Session: ended}); err != nil {
		t.Fatal(err)
	}
	for _, from := range []remuda.SessionID{alice, ended, {1}} {
		if err := m.MoveData(t.Context(), from, bob); err != nil {
			t.Error(err)
		}
		if d, err := m.Data(t.Context(), bob); err != nil || d.Len() != 0 {
			t.Errorf("moved: %v, %v", d.Keys(), err)
		}
	}
	if d, err := m.Data(t.Context(), alice); err != nil || d.Len() != 1 {
		t.Errorf("taken away: %v", err)
	}
}

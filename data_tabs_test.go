package remuda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

// tabsRow is what comes of one order in which two tabs write the keys a and b,
// refresh (where the claims are those of a and b) and log out.
type tabsRow struct{ order, a, b, refresh, after string }

// tabsTable has every order. docs/data.md shows it.
var tabsTable = []tabsRow{
	{"a b refresh", "written", "written", "claims a b", "a b"},
	{"a refresh b", "written", "written", "claims a", "a b"},
	{"b a refresh", "written", "written", "claims a b", "a b"},
	{"b refresh a", "written", "written", "claims b", "a b"},
	{"refresh a b", "written", "written", "no claims", "a b"},
	{"refresh b a", "written", "written", "no claims", "a b"},
	{"a b refresh logout", "written", "written", "claims a b", "nothing"},
	{"a b logout refresh", "written", "written", "refused", "nothing"},
	{"a refresh b logout", "written", "written", "claims a", "nothing"},
	{"a refresh logout b", "written", "refused", "claims a", "nothing"},
	{"a logout b refresh", "written", "refused", "refused", "nothing"},
	{"a logout refresh b", "written", "refused", "refused", "nothing"},
	{"b a refresh logout", "written", "written", "claims a b", "nothing"},
	{"b a logout refresh", "written", "written", "refused", "nothing"},
	{"b refresh a logout", "written", "written", "claims b", "nothing"},
	{"b refresh logout a", "refused", "written", "claims b", "nothing"},
	{"b logout a refresh", "refused", "written", "refused", "nothing"},
	{"b logout refresh a", "refused", "written", "refused", "nothing"},
	{"refresh a b logout", "written", "written", "no claims", "nothing"},
	{"refresh a logout b", "written", "refused", "no claims", "nothing"},
	{"refresh b a logout", "written", "written", "no claims", "nothing"},
	{"refresh b logout a", "refused", "written", "no claims", "nothing"},
	{"refresh logout a b", "refused", "refused", "no claims", "nothing"},
	{"refresh logout b a", "refused", "refused", "no claims", "nothing"},
	{"logout a b refresh", "refused", "refused", "refused", "nothing"},
	{"logout a refresh b", "refused", "refused", "refused", "nothing"},
	{"logout b a refresh", "refused", "refused", "refused", "nothing"},
	{"logout b refresh a", "refused", "refused", "refused", "nothing"},
	{"logout refresh a b", "refused", "refused", "refused", "nothing"},
	{"logout refresh b a", "refused", "refused", "refused", "nothing"},
}

// markdown writes the table as docs/data.md has it.
func markdown(rows []tabsRow) string {
	var b strings.Builder
	b.WriteString("| order | write a | write b | refresh | left afterwards |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range rows {
		order := strings.ReplaceAll(r.order, " ", ", ")
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", order, r.a, r.b, r.refresh, r.after)
	}
	return b.String()
}

func TestTwoTabsInEveryOrderIsDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("docs/data.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := markdown(tabsTable); !strings.Contains(string(doc), want) {
		t.Errorf("docs/data.md lacks this table:\n%s", want)
	}
}

func TestTwoTabsInEveryOrder(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, row := range tabsTable {
		seen[row.order] = true
		synctest.Test(t, func(t *testing.T) {
			n := newTabs(t, "api", memstore.New())
			got := tabsRow{order: row.order}
			for i, op := range strings.Fields(row.order) {
				switch m := n.nodes[i%2]; op {
				case "a":
					got.a = n.write(t.Context(), m, "a")
				case "b":
					got.b = n.write(t.Context(), m, "b")
				case "refresh":
					got.refresh, _ = n.refresh(t.Context(), m)
				case "logout":
					if err := n.logout(t.Context(), m); err != nil {
						t.Fatal(err)
					}
				}
			}
			got.after = n.left()
			if got != row {
				t.Errorf("got %+v, want %+v", got, row)
			}
		})
	}
	if len(seen) != 6+24 {
		t.Errorf("%d different orders, want 3! + 4!", len(seen))
	}
}

// tabs is a session that several tabs use through two nodes.
type tabs struct {
	t     *testing.T
	store store.Store
	nodes []*remuda.Manager
	grant remuda.Grant
}

func newTabs(t *testing.T, profile string, s store.Store) *tabs {
	t.Helper()
	n := &tabs{t: t, store: s}
	onStore := remuda.API()
	onStore.Name, onStore.Liveness = "onstore", remuda.LiveStore
	for range 2 {
		n.nodes = append(n.nodes, newManager(t, func(c *remuda.Config) {
			c.Store, c.Keys = s, sharedRing(t)
			c.ClaimsSource = remuda.ClaimsFromData("a", "b")
			c.Profiles = []remuda.Profile{remuda.API(), onStore}
		}))
	}
	g, err := n.nodes[0].Start(t.Context(), remuda.StartRequest{Profile: profile, Subject: "alice", Client: remuda.Client{UserAgent: firefox}})
	if err != nil {
		t.Fatal(err)
	}
	n.grant = g
	return n
}

// sharedRing returns the one ring of all tests that need several managers, made
// outside of any bubble.
func sharedRing(t *testing.T) *keyring.Ring {
	t.Helper()
	ring, err := oneRing()
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

var oneRing = sync.OnceValues(func() (*keyring.Ring, error) {
	return keyring.New(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) // when bubbles begin
})

func (n *tabs) write(ctx context.Context, m *remuda.Manager, key string) string {
	d, err := m.PatchData(ctx, n.grant.Session.ID, remuda.DataPatch{key: "written"})
	switch {
	case errors.Is(err, remuda.ErrSessionEnded):
		return "refused"
	case err != nil:
		return err.Error()
	}
	if v, ok, err := remuda.DataValue[string](d, key); v != "written" || !ok || err != nil {
		return "not in the answer"
	}
	return "written"
}

// refresh returns what came of it, and the claims in the token.
func (n *tabs) refresh(ctx context.Context, m *remuda.Manager) (outcome, claims string) {
	g, err := known(ctx, m, n.grant.Refresh.Reveal(), "")
	switch {
	case errors.Is(err, remuda.ErrSessionEnded):
		return "refused", ""
	case err != nil:
		return err.Error(), ""
	case g.Session.Claims == "":
		return "no claims", ""
	}
	var names map[string]string
	if err := json.Unmarshal([]byte(g.Session.Claims), &names); err != nil {
		return err.Error(), ""
	}
	return "claims " + strings.Join(slices.Sorted(maps.Keys(names)), " "), g.Session.Claims
}

func (n *tabs) logout(ctx context.Context, m *remuda.Manager) error {
	return m.End(ctx, remuda.EndRequest{Session: n.grant.Session.ID})
}

// left returns what is left: the keys that both nodes show or, once they refuse,
// what the store still holds.
func (n *tabs) left() string {
	n.t.Helper()
	var shown []string
	for _, m := range n.nodes {
		d, err := m.Data(n.t.Context(), n.grant.Session.ID)
		switch {
		case errors.Is(err, remuda.ErrSessionEnded):
			shown = append(shown, "nothing")
		case err != nil:
			shown = append(shown, err.Error())
		default:
			shown = append(shown, strings.Join(d.Keys(), " "))
		}
	}
	if shown[0] != shown[1] {
		return strings.Join(shown, " on one node, on the other ")
	}
	if _, err := dataItem(n.t, n.store, n.grant.Session.ID); shown[0] == "nothing" && !errors.Is(err, store.ErrNotFound) {
		return "an item nobody can read"
	}
	return shown[0]
}

// dataItem returns the item that holds the data of a session.
func dataItem(t *testing.T, s store.Store, id remuda.SessionID) (store.Item, error) {
	t.Helper()
	return s.(store.Items).GetItem(t.Context(), "data", id.String(), time.Time{})
}

// steps is a store that lets one call of the threads under test through at a time:
// whose, a test decides.
type steps struct {
	*memstore.Store

	mu      sync.Mutex
	waiting []*thread
}

// thread is one operation under test. Calls without a thread pass.
type thread struct {
	number int
	resume chan struct{}
}

type threadKey struct{}

func (s *steps) step(ctx context.Context) {
	th, ok := ctx.Value(threadKey{}).(*thread)
	if !ok {
		return
	}
	s.mu.Lock()
	s.waiting = append(s.waiting, th)
	s.mu.Unlock()
	<-th.resume
}

func (s *steps) Get(ctx context.Context, id store.ID) (store.Record, error) {
	s.step(ctx)
	return s.Store.Get(ctx, id)
}

func (s *steps) Update(ctx context.Context, r store.Record, was store.Version) error {
	s.step(ctx)
	return s.Store.Update(ctx, r, was)
}

func (s *steps) Append(ctx context.Context, entries ...store.Entry) error {
	s.step(ctx)
	return s.Store.Append(ctx, entries...)
}

func (s *steps) GetItem(ctx context.Context, kind, key string, now time.Time) (store.Item, error) {
	s.step(ctx)
	return s.Store.GetItem(ctx, kind, key, now)
}

func (s *steps) CreateItem(ctx context.Context, kind, key string, it store.Item, now time.Time) error {
	s.step(ctx)
	return s.Store.CreateItem(ctx, kind, key, it, now)
}

func (s *steps) SwapItem(ctx context.Context, kind, key string, it store.Item, was store.Version, now time.Time) error {
	s.step(ctx)
	return s.Store.SwapItem(ctx, kind, key, it, was, now)
}

func (s *steps) DeleteItem(ctx context.Context, kind, key string, was store.Version, now time.Time) error {
	s.step(ctx)
	return s.Store.DeleteItem(ctx, kind, key, was, now)
}

// play runs operations at once, inside a bubble, in the order that choices say:
// at each step the number of one of those who wait, 0 where choices have ended.
// It returns between how many there was to choose at each step.
func (s *steps) play(ctx context.Context, choices []int, ops ...func(context.Context)) (widths []int) {
	var left sync.WaitGroup
	done := make(chan struct{})
	for i, op := range ops {
		th := &thread{number: i, resume: make(chan struct{})}
		left.Go(func() { op(context.WithValue(ctx, threadKey{}, th)) })
	}
	go func() { left.Wait(); close(done) }()
	for {
		synctest.Wait()
		select {
		case <-done:
			return widths
		default:
		}
		s.mu.Lock()
		slices.SortFunc(s.waiting, func(a, b *thread) int { return a.number - b.number })
		n := len(s.waiting)
		if n == 0 {
			s.mu.Unlock()
			time.Sleep(time.Second) // they pause after a conflict
			continue
		}
		choice := 0
		if len(widths) < len(choices) {
			choice = choices[len(widths)]
		}
		th := s.waiting[choice]
		s.waiting = slices.Delete(s.waiting, choice, choice+1)
		s.mu.Unlock()
		widths = append(widths, n)
		th.resume <- struct{}{}
	}
}

// everyInterleaving plays operations in every order of their store calls.
func everyInterleaving(t *testing.T, profile string, prepare func(*testing.T, *tabs), play func(*testing.T, *tabs) (ops []func(context.Context), check func())) int {
	t.Helper()
	var choices []int
	for n := 1; ; n++ {
		var widths []int
		synctest.Test(t, func(t *testing.T) {
			s := &steps{Store: memstore.New()}
			tab := newTabs(t, profile, s)
			if prepare != nil {
				prepare(t, tab)
			}
			ops, check := play(t, tab)
			widths = s.play(t.Context(), choices, ops...)
			check()
		})
		if t.Failed() {
			t.Fatalf("order %v", choices)
		}
		for len(choices) < len(widths) {
			choices = append(choices, 0)
		}
		last := len(choices) - 1
		for last >= 0 && choices[last]+1 >= widths[last] {
			last--
		}
		if last < 0 {
			return n
		}
		choices[last]++
		choices = choices[:last+1]
	}
}

// Where two operations of two nodes meet inside, at whatever call of the store,
// the outcome is one that some order of the whole operations has too.
func TestTwoTabsAtEveryStep(t *testing.T) {
	t.Parallel()
	type ops = []func(context.Context)
	write := func(n *tabs, key string, got *string) func(context.Context) {
		return func(ctx context.Context) { *got = n.write(ctx, n.nodes[0], key) }
	}
	logout := func(t *testing.T, n *tabs) func(context.Context) {
		return func(ctx context.Context) {
			if err := n.logout(ctx, n.nodes[1]); err != nil {
				t.Error(err)
			}
		}
	}
	first := func(t *testing.T, n *tabs) {
		t.Helper()
		if got := n.write(t.Context(), n.nodes[0], "a"); got != "written" {
			t.Fatal(got)
		}
	}
	one := func(t *testing.T, what, got string, allowed ...string) {
		t.Helper()
		if !slices.Contains(allowed, got) {
			t.Errorf("%s: %q, want one of %q", what, got, allowed)
		}
	}
	for _, c := range []struct {
		name    string
		prepare func(*testing.T, *tabs)
		play    func(*testing.T, *tabs) (ops, func())
	}{
		{"two first writes", nil, func(t *testing.T, n *tabs) (ops, func()) {
			var a, b string
			return ops{write(n, "a", &a), func(ctx context.Context) { b = n.write(ctx, n.nodes[1], "b") }}, func() {
				one(t, "a and b", a+" "+b, "written written")
				one(t, "left", n.left(), "a b")
			}
		}},
		{"a write and a removal of all", first, func(t *testing.T, n *tabs) (ops, func()) {
			var b string
			return ops{write(n, "b", &b), func(ctx context.Context) {
				if _, err := n.nodes[1].PatchData(ctx, n.grant.Session.ID, remuda.DataPatch{"a": nil}); err != nil {
					t.Error(err)
				}
			}}, func() {
				one(t, "b", b, "written")
				one(t, "left", n.left(), "b")
			}
		}},
		{"a first write and a logout", nil, func(t *testing.T, n *tabs) (ops, func()) {
			var a string
			return ops{write(n, "a", &a), logout(t, n)}, func() {
				one(t, "a", a, "written", "refused")
				one(t, "left", n.left(), "nothing")
			}
		}},
		{"a later write and a logout", first, func(t *testing.T, n *tabs) (ops, func()) {
			var b string
			return ops{write(n, "b", &b), logout(t, n)}, func() {
				one(t, "b", b, "written", "refused")
				one(t, "left", n.left(), "nothing")
			}
		}},
		{"a write and a refresh", nil, func(t *testing.T, n *tabs) (ops, func()) {
			var a, refreshed string
			return ops{write(n, "a", &a), func(ctx context.Context) { refreshed, _ = n.refresh(ctx, n.nodes[1]) }}, func() {
				one(t, "a", a, "written")
				one(t, "refresh", refreshed, "no claims", "claims a")
				again, _ := n.refresh(t.Context(), n.nodes[0])
				one(t, "the next refresh", again, "claims a")
			}
		}},
		{"two refreshes", first, func(t *testing.T, n *tabs) (ops, func()) {
			var x, y string
			return ops{
				func(ctx context.Context) { x, _ = n.refresh(ctx, n.nodes[0]) },
				func(ctx context.Context) { y, _ = n.refresh(ctx, n.nodes[1]) },
			}, func() {
				one(t, "the refreshes", x+", "+y, "claims a, claims a")
			}
		}},
		{"a refresh and a logout", first, func(t *testing.T, n *tabs) (ops, func()) {
			var refreshed string
			return ops{func(ctx context.Context) { refreshed, _ = n.refresh(ctx, n.nodes[0]) }, logout(t, n)}, func() {
				one(t, "refresh", refreshed, "claims a", "refused")
				one(t, "left", n.left(), "nothing")
			}
		}},
		{"a read and a logout", first, func(t *testing.T, n *tabs) (ops, func()) {
			var read string
			return ops{func(ctx context.Context) {
				d, err := n.nodes[0].Data(ctx, n.grant.Session.ID)
				if read = "refused"; err == nil {
					read = strings.Join(d.Keys(), " ")
				}
			}, logout(t, n)}, func() {
				one(t, "read", read, "a", "refused") // and never an empty one
			}
		}},
	} {
		for _, profile := range []string{"api", "onstore"} {
			t.Run(c.name+"/"+profile, func(t *testing.T) {
				t.Parallel()
				n := everyInterleaving(t, profile, c.prepare, c.play)
				t.Logf("%d orders", n)
			})
		}
	}
}

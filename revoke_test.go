package remuda_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

// node is a store as one node sees it: its log can be cut, and its writes fail.
type node struct {
	*memstore.Store
	cut     atomic.Bool // the log says nothing and fails nothing
	failing atomic.Bool // Update fails
	mute    atomic.Bool // Append fails
	hanging atomic.Bool // Get waits for its context
	slow    atomic.Bool // Get takes a second
	gets    atomic.Int64
	appends atomic.Int64
	touches atomic.Int64
	skew    time.Duration // of the node's clock
}

func (n *node) Update(ctx context.Context, r store.Record, was store.Version) error {
	if n.failing.Load() {
		return errors.New("disk full")
	}
	return n.Store.Update(ctx, r, was)
}

func (n *node) Get(ctx context.Context, id store.ID) (store.Record, error) {
	n.gets.Add(1)
	if n.hanging.Load() {
		<-ctx.Done()
		return store.Record{}, ctx.Err()
	}
	if n.slow.Load() {
		time.Sleep(time.Second)
	}
	return n.Store.Get(ctx, id)
}

func (n *node) Append(ctx context.Context, entries ...store.Entry) error {
	n.appends.Add(1)
	if n.mute.Load() {
		return errors.New("disk full")
	}
	return n.Store.Append(ctx, entries...)
}

func (n *node) Touch(ctx context.Context, batch []store.Touch) error {
	n.touches.Add(int64(len(batch)))
	return n.Store.Touch(ctx, batch)
}

// Follow swallows what comes while the log is cut, and then ends, so that the
// follower begins again where it was.
func (n *node) Follow(ctx context.Context, after store.Cursor, now func() time.Time) iter.Seq2[store.Batch, error] {
	return func(yield func(store.Batch, error) bool) {
		lost := false
		for b, err := range n.Store.Follow(ctx, after, now) {
			if n.cut.Load() {
				lost = true
				continue
			}
			if lost {
				yield(store.Batch{}, errors.New("the log was cut"))
				return
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

// Time implements [store.Clock]: the clock of the bubble.
func (n *node) Time(context.Context) (time.Time, error) { return time.Now(), nil }

// nodes returns managers over one store and ring.
func nodes(t testing.TB, n int, change ...func(i int, cfg *remuda.Config)) ([]*remuda.Manager, []*node) {
	t.Helper()
	ring, err := keyring.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	shared := memstore.New()
	var managers []*remuda.Manager
	var stores []*node
	for i := range n {
		s := &node{Store: shared}
		cfg := remuda.Config{
			Store: s, Keys: ring, Issuer: "https://app.example",
			Profiles: []remuda.Profile{remuda.Web(), remuda.API(), local()},
		}
		for _, c := range change {
			c(i, &cfg)
		}
		skew := s.skew
		cfg.Now = func() time.Time { return time.Now().Add(skew) }
		m, err := remuda.New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close(t.Context()) })
		managers, stores = append(managers, m), append(stores, s)
	}
	return managers, stores
}

// local is the profile of sessions without records, for clients without cookies.
func local() remuda.Profile {
	p := remuda.Local()
	p.Transport = remuda.Bearer
	return p
}

// classic is the profile of opaque tokens, likewise.
func classic() remuda.Profile {
	p := remuda.Classic()
	p.Transport = remuda.Bearer
	return p
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// settle lets the bubble come to rest: followers have heard what was said.
func settle() {
	time.Sleep(20 * time.Millisecond)
	synctest.Wait()
}

func TestEndReachesOtherNodes(t *testing.T) {
	t.Attr("requirement", "ASVS-7.4.1")
	t.Attr("requirement", "SEED-3")
	t.Attr("requirement", "SEED-6")
	synctest.Test(t, func(t *testing.T) {
		m, s := nodes(t, 3)
		settle()
		for _, profile := range []string{"api", "local"} {
			g, other := start(t, m[0], profile), start(t, m[0], profile)
			asked := s[1].gets.Load()
			for i := range m {
				if _, err := authenticate(t, m[i], g); err != nil {
					t.Fatalf("%s on node %d: %v", profile, i, err)
				}
			}
			if err := m[0].End(t.Context(), remuda.EndRequest{Session: g.Session.ID}); err != nil {
				t.Fatal(err)
			}
			_, err := authenticate(t, m[0], g)
			wantErr(t, "at once on the same node", err, remuda.ErrSessionEnded)
			settle()
			for i := range m {
				_, err := authenticate(t, m[i], g)
				wantErr(t, fmt.Sprintf("%s on node %d", profile, i), err, remuda.ErrSessionEnded)
				if _, err := authenticate(t, m[i], other); err != nil {
					t.Errorf("another session on node %d: %v", i, err)
				}
			}
			if n := s[1].gets.Load(); n != asked {
				t.Errorf("%s: node 1 looked into the store %d times", profile, n-asked)
			}
		}
	})
}

// TestOutage cuts a node off the log.
func TestOutage(t *testing.T) {
	t.Attr("requirement", "ASVS-16.5.3")
	synctest.Test(t, func(t *testing.T) {
		m, s := nodes(t, 2)
		settle()
		known, gone, live := start(t, m[0], "api"), start(t, m[0], "api"), start(t, m[0], "api")
		noRecord := start(t, m[0], "local")
		end := func(g remuda.Grant) {
			t.Helper()
			if err := m[0].End(t.Context(), remuda.EndRequest{Session: g.Session.ID}); err != nil {
				t.Fatal(err)
			}
		}
		end(known)
		settle()
		s[1].cut.Store(true)
		time.Sleep(time.Second)
		end(gone)
		_, err := authenticate(t, m[1], gone)
		if err != nil {
			t.Errorf("within the bound the node need not know: %v", err)
		}
		time.Sleep(time.Second + 10*time.Millisecond)

		try := func(g remuda.Grant, o remuda.OutagePolicy) error {
			_, err := m[1].Authenticate(t.Context(), remuda.AuthenticateRequest{Token: g.Access.Reveal(), Transport: remuda.Bearer, Outage: o})
			return err
		}
		asked := s[1].gets.Load()
		for range 3 {
			wantErr(t, "check, ended", try(gone, 0), remuda.ErrSessionEnded)
		}
		if n := s[1].gets.Load() - asked; n != 1 {
			t.Errorf("%d looks into the store for a session that has ended", n)
		}
		wantErr(t, "check, live", try(live, remuda.OutageCheck), nil)
		wantErr(t, "deny, live", try(live, remuda.OutageDeny), remuda.ErrUnavailable)
		wantErr(t, "serve, ended unknown to the node", try(gone, remuda.OutageServe), nil)
		wantErr(t, "serve, ended and known", try(known, remuda.OutageServe), remuda.ErrSessionEnded)
		wantErr(t, "nothing to check", try(noRecord, remuda.OutageCheck), remuda.ErrUnavailable)
		wantErr(t, "without a record", try(noRecord, 0), remuda.ErrUnavailable)
		_, err = m[1].Extend(t.Context(), remuda.ExtendRequest{Token: noRecord.Access.Reveal(), Transport: remuda.Bearer})
		wantErr(t, "extend", err, remuda.ErrUnavailable)
		if st := m[1].Stats(); !st.Log.Degraded || st.Log.Staleness < 2*time.Second || st.Decisions[remuda.DecisionServed] != 1 || st.Decisions[remuda.DecisionChecked] != 1 {
			t.Errorf("stats %+v, %+v", st, st.Log)
		}

		s[1].cut.Store(false)
		time.Sleep(2 * time.Second)
		asked = s[1].gets.Load()
		wantErr(t, "caught up", try(gone, remuda.OutageServe), remuda.ErrSessionEnded)
		wantErr(t, "caught up", try(noRecord, 0), nil)
		if n := s[1].gets.Load() - asked; n != 0 || m[1].Stats().Log.Degraded {
			t.Errorf("still degraded: %d looks", n)
		}
	})
}

// TestStampede: many requests of one session while the log is cut and the store
// is slow. One looks; those that come meanwhile share the next look.
func TestStampede(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := nodes(t, 1)
		g := start(t, m[0], "api")
		s[0].cut.Store(true)
		time.Sleep(3 * time.Second)
		asked := s[0].gets.Load()
		s[0].slow.Store(true)
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() {
				if _, err := authenticate(t, m[0], g); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(time.Millisecond)
		}
		wg.Wait()
		if n := s[0].gets.Load() - asked; n > 3 {
			t.Errorf("%d looks into the store", n)
		}
	})
}

// TestCrashBeforeTombstone: the log was told, and then the write of the record
// failed.
func TestCrashBeforeTombstone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := nodes(t, 2)
		settle()
		g := start(t, m[0], "api")
		s[0].failing.Store(true)
		wantErr(t, "End", m[0].End(t.Context(), remuda.EndRequest{Session: g.Session.ID}), remuda.ErrUnavailable)
		settle()
		for i := range m {
			_, err := authenticate(t, m[i], g)
			wantErr(t, "authenticate", err, remuda.ErrSessionEnded)
		}
		if row, _ := s[0].Store.Get(t.Context(), g.Session.ID); row.Ended() {
			t.Fatal("the record was written after all")
		}
		// Later the access token has expired, and the entry still stands.
		time.Sleep(2 * time.Hour)
		settle()
		_, err := m[1].Session(t.Context(), g.Session.ID)
		wantErr(t, "Session", err, remuda.ErrSessionEnded)
		_, err = refresh(t, m[1], g)
		wantErr(t, "refresh", err, remuda.ErrSessionEnded)
		row, err := s[0].Store.Get(t.Context(), g.Session.ID)
		if err != nil || row.EndReason != string(remuda.EndRevoked) {
			t.Errorf("the refresh has not finished the record: %+v, %v", row, err)
		}
	})
}

// TestSweepWithAClockAhead lets a node whose clock is two hours ahead, and whose store
// has none, sweep the log that all share: nothing falls off it.
func TestSweepWithAClockAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := nodes(t, 2, func(i int, cfg *remuda.Config) {
			if i == 1 {
				s := cfg.Store.(*node)
				s.skew = 2 * time.Hour
				cfg.Store = struct {
					store.Store
					store.Log
				}{s, s}
			}
		})
		g := start(t, m[0], "api")
		if err := m[0].End(t.Context(), remuda.EndRequest{Session: g.Session.ID}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // the entry is settled, and lasts as long as tokens do
		if _, err := m[1].Sweep(t.Context(), 24*time.Hour); err != nil {
			t.Fatal(err)
		}
		for b, err := range s[0].Store.Follow(t.Context(), "", time.Now) {
			if err != nil || len(b.Entries) == 0 {
				t.Errorf("in the log: %v, %v", b.Entries, err)
			}
			break
		}
	})
}

// TestEntriesFallOff: what was ended needs an entry only for as long as tokens
// live.
func TestEntriesFallOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := nodes(t, 2)
		for range 50 {
			g := start(t, m[0], "api")
			if err := m[0].End(t.Context(), remuda.EndRequest{Session: g.Session.ID}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := m[0].EndAll(t.Context(), remuda.EndAllRequest{Subject: "alice"}); err != nil {
			t.Fatal(err)
		}
		settle()
		if st := m[1].Stats().Log; st.Sessions != 50 || st.Wide != 1 {
			t.Errorf("held: %+v", st)
		}
		time.Sleep(45 * time.Minute)
		if st := m[1].Stats().Log; st.Sessions != 0 || st.Wide != 0 {
			t.Errorf("still held: %+v", st)
		}
		if _, err := m[0].Sweep(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		for b, err := range s[0].Store.Follow(t.Context(), "", time.Now) {
			if err != nil || len(b.Entries) > 0 {
				t.Errorf("still in the log: %v, %v", b.Entries, err)
			}
			break
		}
	})
}

func TestEndAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := nodes(t, 2)
		settle()
		var grants []remuda.Grant
		for range 10 {
			grants = append(grants, start(t, m[0], "api"), start(t, m[1], "local"))
		}
		keep := grants[0]
		time.Sleep(time.Minute)
		appends := s[0].appends.Load()
		e, err := m[0].EndAll(t.Context(), remuda.EndAllRequest{Subject: "alice", Except: keep.Session.ID})
		if err != nil {
			t.Fatal(err)
		}
		if n := s[0].appends.Load() - appends; n != 1 {
			t.Errorf("%d appends", n)
		}
		after := start(t, m[1], "api") // signs in again at once, on another node
		settle()
		for i, g := range grants {
			for j := range m {
				_, err := authenticate(t, m[j], g)
				if i == 0 && err == nil {
					continue
				}
				wantErr(t, fmt.Sprintf("session %d on node %d", i, j), err, remuda.ErrSessionEnded)
			}
		}
		if n, err := e.Wait(t.Context()); n != 9 || err != nil {
			t.Errorf("%d records ended, %v", n, err)
		}
		time.Sleep(20 * time.Minute) // no entry is left
		for _, g := range []remuda.Grant{keep, after} {
			if _, err := refresh(t, m[1], g); err != nil {
				t.Errorf("a session that was not meant: %v", err)
			}
		}
		for _, g := range grants[1:] {
			if g.Refresh.IsZero() {
				continue
			}
			_, err := refresh(t, m[1], g)
			wantErr(t, "refresh", err, remuda.ErrSessionEnded)
		}
	})
}

// TestEndAllWhileCut: the records do not say it yet, and the node does not hear
// the log.
func TestEndAllWhileCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := nodes(t, 2)
		settle()
		g := start(t, m[0], "api")
		s[1].cut.Store(true)
		s[0].failing.Store(true) // nothing is written into records
		time.Sleep(10 * time.Second)
		if _, err := m[0].EndAll(t.Context(), remuda.EndAllRequest{Subject: "alice"}); err != nil {
			t.Fatal(err)
		}
		_, err := authenticate(t, m[1], g)
		wantErr(t, "authenticate", err, remuda.ErrSessionEnded)
		_, err = refresh(t, m[1], g)
		wantErr(t, "refresh", err, remuda.ErrSessionEnded)

		// Another process takes it up.
		s[0].failing.Store(false)
		s[1].cut.Store(false)
		time.Sleep(2 * time.Minute)
		if _, err := m[1].Sweep(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		if row, err := s[0].Store.Get(t.Context(), g.Session.ID); err != nil || !row.Ended() {
			t.Errorf("not taken up: %+v, %v", row, err)
		}
	})
}

func TestEndSelected(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-7.4.5")
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(d time.Duration) time.Time { return began.Add(d) }
	sessions := []struct {
		name string
		req  remuda.StartRequest
		at   time.Duration
	}{
		{"a", remuda.StartRequest{Profile: "web", Subject: "alice", Client: remuda.Client{Application: "shop/1", Address: netip.MustParseAddr("192.0.2.7")}}, 0},
		{"b", remuda.StartRequest{Profile: "api", Subject: "alice", Client: remuda.Client{Application: "shop/2", Address: netip.MustParseAddr("198.51.100.7")}}, time.Minute},
		{"c", remuda.StartRequest{Profile: "api", Subject: "alice", Tenant: "acme"}, 2 * time.Minute},
		{"d", remuda.StartRequest{Profile: "web", Subject: "bob", Tenant: "acme", Client: remuda.Client{Address: netip.MustParseAddr("192.0.2.8")}}, 3 * time.Minute},
	}
	tests := []struct {
		sel  remuda.Selection
		want string
	}{
		{remuda.Selection{Everything: true}, "abcd"},
		{remuda.Selection{Subject: "alice"}, "ab"},
		{remuda.Selection{Subject: "alice", Tenant: "acme"}, "c"},
		{remuda.Selection{Tenant: "acme"}, "cd"},
		{remuda.Selection{Profile: "web"}, "ad"},
		{remuda.Selection{Profile: "api", Subject: "alice"}, "b"},
		{remuda.Selection{Profile: "web", Tenant: "acme"}, "d"},
		{remuda.Selection{Everything: true, Before: at(time.Minute)}, "a"},
		{remuda.Selection{Everything: true, From: at(time.Minute), Before: at(3 * time.Minute)}, "bc"},
		{remuda.Selection{Everything: true, Network: netip.MustParsePrefix("192.0.2.0/24")}, "ad"},
		{remuda.Selection{Everything: true, Network: netip.MustParsePrefix("192.0.0.0/16")}, "ad"},
		{remuda.Selection{Everything: true, Network: netip.MustParsePrefix("192.0.2.7/32")}, ""},
		{remuda.Selection{Everything: true, Application: "shop/1"}, "a"},
		{remuda.Selection{Tenant: "acme", Network: netip.MustParsePrefix("192.0.2.0/24")}, "d"},
		{remuda.Selection{Subject: "nobody"}, ""},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprintf("%d ends %s", i, tt.want), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(began))
				m, _ := nodes(t, 2)
				grants := map[string]remuda.Grant{}
				for _, s := range sessions {
					time.Sleep(time.Until(began.Add(s.at)))
					g, err := m[0].Start(t.Context(), s.req)
					if err != nil {
						t.Fatal(err)
					}
					grants[s.name] = g
				}
				settle()
				if n, err := m[1].Count(t.Context(), tt.sel); n != len(tt.want) || err != nil {
					t.Errorf("Count = %d, %v", n, err)
				}
				e, err := m[1].EndSelected(t.Context(), remuda.EndSelectedRequest{Selection: tt.sel})
				if err != nil {
					t.Fatal(err)
				}
				if n, err := e.Wait(t.Context()); n != len(tt.want) || err != nil {
					t.Errorf("ended %d, %v", n, err)
				}
				settle()
				for name, g := range grants {
					transport := remuda.Bearer
					if g.Session.Profile == "web" {
						transport = remuda.Cookie
					}
					_, err := m[0].Authenticate(t.Context(), remuda.AuthenticateRequest{Token: g.Access.Reveal(), Transport: transport})
					if dead := errors.Is(err, remuda.ErrSessionEnded); dead != strings.Contains(tt.want, name) {
						t.Errorf("session %s: %v", name, err)
					}
				}
			})
		})
	}
	m, _ := nodes(t, 1)
	for _, bad := range []remuda.Selection{
		{},
		{Except: remuda.SessionID{1}},
		{Before: began},
		{Subject: "\n"},
		{Everything: true, From: began, Before: began},
	} {
		_, err := m[0].EndSelected(t.Context(), remuda.EndSelectedRequest{Selection: bad})
		wantErr(t, "EndSelected", err, remuda.ErrRequest)
		_, err = m[0].Count(t.Context(), bad)
		wantErr(t, "Count", err, remuda.ErrRequest)
	}
}

// TestReuseIsHeard: a theft that one node notices is known to all.
func TestReuseIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 2)
		g1 := start(t, m[0], "api")
		time.Sleep(2 * time.Minute)
		g2, err := refresh(t, m[0], g1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := authenticate(t, m[1], g2); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		_, err = refresh(t, m[0], g1)
		wantErr(t, "reuse", err, remuda.ErrRefreshReused)
		settle()
		_, err = authenticate(t, m[1], g2)
		wantErr(t, "on the other node", err, remuda.ErrSessionEnded)
	})
}

func TestCredentialsChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 2)
		mine, other := start(t, m[0], "api"), start(t, m[1], "api")
		time.Sleep(2 * time.Minute)
		g, ending, err := m[0].CredentialsChanged(t.Context(), remuda.CredentialsChangedRequest{Session: mine.Session.ID, AMR: []string{"pwd"}})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := ending.Wait(t.Context()); n != 1 || err != nil {
			t.Errorf("%d ended, %v", n, err)
		}
		settle()
		_, err = authenticate(t, m[0], other)
		wantErr(t, "the other", err, remuda.ErrSessionEnded)
		if s, err := authenticate(t, m[1], g); err != nil || s.Gen != 2 {
			t.Errorf("this one: %+v, %v", s, err)
		}
	})
}

// TestSkewedNode: its clock is a minute off, and the store's is right.
func TestSkewedNode(t *testing.T) {
	for _, skew := range []time.Duration{-time.Minute, time.Minute, -20 * time.Second, 20 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			m, _ := nodes(t, 2, func(i int, cfg *remuda.Config) {
				if i == 1 {
					cfg.Store.(*node).skew = skew
				}
			})
			settle()
			before := start(t, m[0], "api")
			if _, err := m[1].EndAll(t.Context(), remuda.EndAllRequest{Subject: "alice"}); err != nil {
				t.Fatal(err)
			}
			after := start(t, m[0], "api")
			settle()
			for i := range m {
				_, err := authenticate(t, m[i], before)
				wantErr(t, fmt.Sprintf("skew %v: before, node %d", skew, i), err, remuda.ErrSessionEnded)
				_, err = authenticate(t, m[i], after)
				wantErr(t, fmt.Sprintf("skew %v: after, node %d", skew, i), err, nil)
			}
			if _, err := m[1].Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: "bob"}); (err != nil) != (skew.Abs() > 30*time.Second) {
				t.Errorf("skew %v: login: %v", skew, err)
			}
		})
	}
}

// TestNotReady: a node that has not read the log is not ready.
func TestNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 1, func(_ int, cfg *remuda.Config) { cfg.Store.(*node).cut.Store(true) })
		settle()
		wantErr(t, "cut from the start", m[0].Ready(t.Context()), remuda.ErrUnavailable)
	})
}

// events collects kinds.
type events struct {
	mu   sync.Mutex
	list []event.Event
	from int // what kinds has returned
}

func (e *events) Emit(ev event.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, ev)
}

// TestCompromiseKey: what a key has signed is refused on every node, before the
// others have read the ring's source; what others signed is not.
func TestCompromiseKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, key := keyed(t, memstore.New(), codec.HS256, remuda.API(), local())
		settle()
		g, sealed := start(t, m[0], "api"), start(t, m[0], "local")
		if err := m[0].CompromiseKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		settle()
		for i := range m {
			_, err := authenticate(t, m[i], g)
			wantErr(t, "signed with it", err, remuda.ErrTokenInvalid)
			_, err = refresh(t, m[i], g)
			wantErr(t, "refresh", err, remuda.ErrTokenInvalid)
			_, err = authenticate(t, m[i], sealed)
			wantErr(t, "sealed with another", err, nil)
			_, err = authenticate(t, m[i], start(t, m[1-i], "api"))
			wantErr(t, "signed with the next", err, nil)
		}
	})
}

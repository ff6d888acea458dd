package remuda_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/opaque"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

const (
	target = "https://other.example"
	state  = "a state of a browser, 128 bits"
)

// mint hands a session to the target.
func mint(t testing.TB, m *remuda.Manager, g remuda.Grant) string {
	t.Helper()
	token, err := m.MintHandOff(t.Context(), remuda.MintHandOffRequest{
		Session: g.Session.ID, Target: target, StateHash: remuda.HandOffStateHash(state),
	})
	if err != nil {
		t.Fatal(err)
	}
	return token.Reveal()
}

// redeem shows a token as the browser that asked for it does.
func redeem(t testing.TB, m *remuda.Manager, token string, change ...func(*remuda.RedeemHandOffRequest)) (remuda.Grant, error) {
	t.Helper()
	req := remuda.RedeemHandOffRequest{Token: token, Target: target, State: state, Profile: "api"}
	for _, c := range change {
		c(&req)
	}
	return m.RedeemHandOff(t.Context(), req)
}

func endsWithParent(r *remuda.RedeemHandOffRequest) { r.EndsWithParent = true }

// live returns the ids of the sessions that a subject has.
func live(t testing.TB, m *remuda.Manager, subject string) map[remuda.SessionID]remuda.Session {
	t.Helper()
	list := map[remuda.SessionID]remuda.Session{}
	for s, err := range m.Sessions(t.Context(), remuda.SessionsRequest{Subject: subject}) {
		if err != nil {
			t.Fatal(err)
		}
		list[s.ID] = s
	}
	return list
}

// collect makes every manager tell the same sink.
func collect(sink event.Sink) func(int, *remuda.Config) {
	return func(_ int, cfg *remuda.Config) { cfg.Events = sink }
}

// kinds returns what was told since the last call, and keeps it in the list.
func (e *events) kinds() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var names []string
	for _, ev := range e.list[e.from:] {
		names = append(names, string(ev.Kind))
	}
	e.from = len(e.list)
	return strings.Join(names, " ")
}

// spy is a store that is watched: before is called before each call that reads or
// changes something, with the session that it is about, and its error is the call's.
type spy struct {
	*memstore.Store

	before func(store.ID) error
	made   []madeItem
}

type madeItem struct {
	key  string
	item store.Item
}

func (s *spy) look(id store.ID) error {
	if s.before == nil {
		return nil
	}
	return s.before(id)
}

func (s *spy) Get(ctx context.Context, id store.ID) (store.Record, error) {
	if err := s.look(id); err != nil {
		return store.Record{}, err
	}
	return s.Store.Get(ctx, id)
}

func (s *spy) Create(ctx context.Context, r store.Record) error {
	return errOr(s.look(r.ID), func() error { return s.Store.Create(ctx, r) })
}

func (s *spy) Update(ctx context.Context, r store.Record, was store.Version) error {
	return errOr(s.look(r.ID), func() error { return s.Store.Update(ctx, r, was) })
}

func (s *spy) GetItem(ctx context.Context, kind, key string, now time.Time) (store.Item, error) {
	if err := s.look(store.ID{}); err != nil {
		return store.Item{}, err
	}
	return s.Store.GetItem(ctx, kind, key, now)
}

func (s *spy) CreateItem(ctx context.Context, kind, key string, it store.Item, now time.Time) error {
	if kind == "handoff" {
		s.made = append(s.made, madeItem{key, it})
	}
	return errOr(s.look(store.ID{}), func() error { return s.Store.CreateItem(ctx, kind, key, it, now) })
}

func (s *spy) DeleteItem(ctx context.Context, kind, key string, was store.Version, now time.Time) error {
	return errOr(s.look(store.ID{}), func() error { return s.Store.DeleteItem(ctx, kind, key, was, now) })
}

func errOr(err error, do func() error) error {
	if err != nil {
		return err
	}
	return do()
}

// watched returns two managers, the second of which sees the store through a spy.
func watched(t testing.TB, change ...func(int, *remuda.Config)) ([]*remuda.Manager, *spy) {
	t.Helper()
	var s *spy
	m, _ := nodes(t, 2, append(change, func(i int, cfg *remuda.Config) {
		if i == 1 {
			s = &spy{Store: cfg.Store.(*node).Store}
			cfg.Store = s
		}
	})...)
	return m, s
}

func TestHandOff(t *testing.T) {
	t.Attr("requirement", "BUG GO-2026-6117")
	synctest.Test(t, func(t *testing.T) {
		var told events
		m, _ := nodes(t, 2, collect(&told))
		first, err := m[0].Start(t.Context(), remuda.StartRequest{
			Profile: "api", Subject: "alice", Tenant: "acme", ACR: "2", AMR: []string{"pwd", "otp"}, Claims: map[string]any{"name": "Alice"},
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * time.Minute)
		second, err := redeem(t, m[1], mint(t, m[0], first))
		if err != nil {
			t.Fatal(err)
		}
		want := first.Session
		want.ID, want.Parent, want.Gen = second.Session.ID, first.Session.ID, 1
		want.StartedAt, want.LastSeenAt = second.Session.StartedAt, second.Session.LastSeenAt
		want.AccessExpires, want.IdleExpires, want.Expires = second.Session.AccessExpires, second.Session.IdleExpires, second.Session.Expires
		if diff := cmp.Diff(want, second.Session); diff != "" {
			t.Errorf("the second session (-want +got):\n%s", diff)
		}
		if second.Session.ID == first.Session.ID || !second.Session.StartedAt.After(first.Session.StartedAt) {
			t.Errorf("the second session is no new one: %+v", second.Session)
		}
		s, err := authenticate(t, m[0], second)
		if err != nil {
			t.Fatal(err)
		}
		if s.Recent(time.Now(), 5*time.Minute) || s.ACR != "2" || len(s.AMR) != 2 {
			t.Errorf("it counts as authenticated at %v with %q by %q", s.AuthenticatedAt, s.ACR, s.AMR)
		}
		if err := m[0].End(t.Context(), remuda.EndRequest{Session: first.Session.ID}); err != nil {
			t.Fatal(err)
		}
		settle()
		if _, err := authenticate(t, m[1], second); err != nil {
			t.Errorf("it is not configured to end with the first, and is refused: %v", err)
		}
		want2 := "session.started handoff.minted session.started handoff.redeemed session.ended"
		if got := told.kinds(); got != want2 {
			t.Errorf("events: %s, want %s", got, want2)
		}
		if e := told.list[3]; e.Session != second.Session.ID.String() || e.Parent != first.Session.ID.String() || e.Target != target || e.Subject != "alice" {
			t.Errorf("event: %+v", e)
		}
	})
}

// TestHandOffRefused: what is not redeemable is refused with one answer, and what
// is only shown in the wrong place can still be shown in the right one.
func TestHandOffRefused(t *testing.T) {
	t.Attr("requirement", "ASVS-6.5.5")
	t.Attr("requirement", "ASVS-10.4.3")
	for _, c := range []struct {
		name    string
		before  func(t *testing.T, m *remuda.Manager, g remuda.Grant, token string) string
		change  func(*remuda.RedeemHandOffRequest)
		reason  string // of the event; "" means no event: it is not genuine
		remains bool
	}{
		{"in another browser", nil, func(r *remuda.RedeemHandOffRequest) { r.State = "a state of another browser" }, "state", true},
		{"in a browser without a state", nil, func(r *remuda.RedeemHandOffRequest) { r.State = "" }, "state", true},
		{"with the hash in place of the state", nil, func(r *remuda.RedeemHandOffRequest) { r.State = remuda.HandOffStateHash(state) }, "state", true},
		{"minted for a browser without a state", func(t *testing.T, m *remuda.Manager, g remuda.Grant, _ string) string {
			t.Helper()
			token, err := m.MintHandOff(t.Context(), remuda.MintHandOffRequest{
				Session: g.Session.ID, Target: target, StateHash: remuda.HandOffStateHash(""),
			})
			if err != nil {
				t.Fatal(err)
			}
			return token.Reveal()
		}, func(r *remuda.RedeemHandOffRequest) { r.State = "" }, "state", true},
		{"at another origin", nil, func(r *remuda.RedeemHandOffRequest) { r.Target = "https://evil.example" }, "target", true},
		{"at another port", nil, func(r *remuda.RedeemHandOffRequest) { r.Target = target + ":8443" }, "target", true},
		{"late", func(_ *testing.T, _ *remuda.Manager, _ remuda.Grant, token string) string {
			time.Sleep(remuda.HandOffLife)
			return token
		}, nil, "gone", false},
		{"again", func(t *testing.T, m *remuda.Manager, _ remuda.Grant, token string) string {
			t.Helper()
			if _, err := redeem(t, m, token); err != nil {
				t.Fatal(err)
			}
			return token
		}, nil, "gone", false},
		{"after logout", func(t *testing.T, m *remuda.Manager, g remuda.Grant, token string) string {
			t.Helper()
			if err := m.End(t.Context(), remuda.EndRequest{Session: g.Session.ID}); err != nil {
				t.Fatal(err)
			}
			return token
		}, nil, "parent", false},
		{"after logout everywhere", func(t *testing.T, m *remuda.Manager, _ remuda.Grant, token string) string {
			t.Helper()
			if _, err := m.EndAll(t.Context(), remuda.EndAllRequest{Subject: "alice"}); err != nil {
				t.Fatal(err)
			}
			return token
		}, nil, "parent", false},
		{"changed", func(_ *testing.T, _ *remuda.Manager, _ remuda.Grant, token string) string {
			return token[:40] + string(token[40]^1) + token[41:]
		}, nil, "", true},
		{"an access token", func(_ *testing.T, _ *remuda.Manager, g remuda.Grant, _ string) string { return g.Access.Reveal() }, nil, "", true},
		{"nothing", func(*testing.T, *remuda.Manager, remuda.Grant, string) string { return "" }, nil, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told events
				m, _ := nodes(t, 2, collect(&told))
				settle()
				g := start(t, m[0], "api")
				token := mint(t, m[0], g)
				shown := token
				if c.before != nil {
					shown = c.before(t, m[0], g, token)
				}
				settle()
				had := len(live(t, m[0], "alice"))
				told.kinds()
				got, err := redeem(t, m[1], shown, func(r *remuda.RedeemHandOffRequest) {
					if c.change != nil {
						c.change(r)
					}
				})
				if !errors.Is(err, remuda.ErrTokenInvalid) || err.Error() != remuda.ErrTokenInvalid.Error() { // one answer, with nothing in it
					t.Errorf("got %+v, %v", got.Session, err)
				}
				if n := len(live(t, m[0], "alice")); n != had {
					t.Errorf("there are %d sessions, and were %d", n, had)
				}
				if kinds := told.kinds(); (kinds != "handoff.refused" || told.list[len(told.list)-1].Reason != c.reason) && (kinds != "" || c.reason != "") {
					t.Errorf("events: %q with %+v, want reason %q", kinds, told.list, c.reason)
				}
				if _, err := redeem(t, m[0], token); (err == nil) != c.remains {
					t.Errorf("afterwards, in the right place: %v", err)
				}
			})
		})
	}
}

// TestHandOffOnce: of many that redeem a token on several nodes at once, one does.
func TestHandOffOnce(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-2.3.4")
	t.Attr("requirement", "ASVS-6.5.1")
	t.Attr("requirement", "ASVS-10.4.2")
	t.Attr("requirement", "BUG CVE-2025-46815")
	m, _ := nodes(t, 2)
	g := start(t, m[0], "api")
	for range 10 { // fewer than the profile has sessions
		token := mint(t, m[0], g)
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() { _, errs[i] = redeem(t, m[i%2], token) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, remuda.ErrTokenInvalid) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Fatalf("%d of %d redeemed one token", won, len(errs))
		}
	}
}

// TestHandOffKeepsNothingUsable: whoever reads or writes the store gets nowhere.
func TestHandOffKeepsNothingUsable(t *testing.T) {
	t.Attr("requirement", "ASVS-6.5.2")
	synctest.Test(t, func(t *testing.T) {
		m, taken := watched(t)
		g := start(t, m[0], "api")
		first, second := mint(t, m[1], g), mint(t, m[1], g)
		for _, it := range taken.made {
			for _, part := range []string{target, first[50:], g.Session.ID.String(), string(g.Session.ID[:])} {
				if bytes.Contains(it.item.Value, []byte(part)) {
					t.Errorf("the item says %q", part)
				}
			}
		}
		// An item that is put in another's place does not open.
		swapped := taken.made[0].item
		swapped.Version = store.Version{1}
		if err := taken.SwapItem(t.Context(), "handoff", taken.made[1].key, swapped, taken.made[1].item.Version, time.Now()); err != nil {
			t.Fatal(err)
		}
		_, err := redeem(t, m[1], second)
		wantErr(t, "an item of another token", err, remuda.ErrTokenInvalid)
		// One that is prolonged is late all the same.
		prolonged := taken.made[0].item
		prolonged.Version, prolonged.Expires = store.Version{2}, time.Now().Add(time.Hour)
		if err := taken.SwapItem(t.Context(), "handoff", taken.made[0].key, prolonged, taken.made[0].item.Version, time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(remuda.HandOffLife)
		_, err = redeem(t, m[1], first)
		wantErr(t, "an item that was prolonged", err, remuda.ErrTokenInvalid)
	})
}

// TestHandOffSecret: whoever has come by the keys, and knows what has been minted,
// still lacks the secret.
func TestHandOffSecret(t *testing.T) {
	t.Parallel()
	var ring *keyring.Ring
	m, s := watched(t, func(_ int, cfg *remuda.Config) { ring = cfg.Keys })
	token := mint(t, m[1], start(t, m[0], "api"))
	id, err := remuda.ParseSessionID(s.made[0].key)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := opaque.New(ring).Sign(nil, &codec.Claims{Type: codec.HandOff, Session: id, JTI: [16]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = redeem(t, m[0], string(forged))
	wantErr(t, "another secret", err, remuda.ErrTokenInvalid)
	if _, err := redeem(t, m[0], token); err != nil {
		t.Errorf("the right one: %v", err)
	}
}

func TestHandOffRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 1)
		g := start(t, m[0], "api")
		hash := remuda.HandOffStateHash(state)
		for _, req := range []remuda.MintHandOffRequest{
			{Session: g.Session.ID, Target: target, StateHash: ""},
			{Session: g.Session.ID, Target: target, StateHash: hash[1:]},
			{Session: g.Session.ID, Target: target, StateHash: hash + "="},
			{Session: g.Session.ID, Target: target, StateHash: hash[:42] + "9"}, // unused bits are set
			{Session: g.Session.ID, Target: target, StateHash: hash[:41] + "\n" + hash[41:]},
			{Session: g.Session.ID, Target: "", StateHash: hash},
			{Session: g.Session.ID, Target: "https://other.example\n", StateHash: hash},
		} {
			_, err := m[0].MintHandOff(t.Context(), req)
			wantErr(t, fmt.Sprintf("%+v", req), err, remuda.ErrRequest)
		}
		_, err := m[0].MintHandOff(t.Context(), remuda.MintHandOffRequest{Session: remuda.SessionID{1}, Target: target, StateHash: hash})
		wantErr(t, "a session that is none", err, remuda.ErrTokenInvalid)
		token := mint(t, m[0], g)
		for _, change := range []func(*remuda.RedeemHandOffRequest){
			func(r *remuda.RedeemHandOffRequest) { r.Profile = "none" },
			func(r *remuda.RedeemHandOffRequest) { r.Profile, r.EndsWithParent = "local", true },
		} {
			_, err := redeem(t, m[0], token, change)
			wantErr(t, "a profile", err, remuda.ErrRequest)
		}
		if _, err := redeem(t, m[0], token, func(r *remuda.RedeemHandOffRequest) { r.Profile = "local" }); err != nil {
			t.Errorf("a session without a record: %v", err)
		}
		if err := m[0].End(t.Context(), remuda.EndRequest{Session: g.Session.ID}); err != nil {
			t.Fatal(err)
		}
		_, err = m[0].MintHandOff(t.Context(), remuda.MintHandOffRequest{Session: g.Session.ID, Target: target, StateHash: hash})
		wantErr(t, "a session that has ended", err, remuda.ErrSessionEnded)
	})
}

// TestHandOffPresent: nobody who is signed in at the target is switched silently.
func TestHandOffPresent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 1)
		g := start(t, m[0], "api")
		there := func(subject string) *remuda.Session {
			t.Helper()
			g, err := m[0].Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: subject})
			if err != nil {
				t.Fatal(err)
			}
			return &g.Session
		}
		lives := func(s *remuda.Session) bool { return !live(t, m[0], s.Subject)[s.ID].ID.IsZero() }
		with := func(s *remuda.Session, same, other bool) func(*remuda.RedeemHandOffRequest) {
			return func(r *remuda.RedeemHandOffRequest) { r.Present, r.ReplaceSame, r.ReplaceOther = s, same, other }
		}

		token, bob := mint(t, m[0], g), there("bob")
		for range 2 {
			_, err := redeem(t, m[0], token, with(bob, true, false))
			wantErr(t, "somebody else is there", err, remuda.ErrSignedIn)
		}
		if !lives(bob) {
			t.Error("bob's session has ended")
		}
		got, err := redeem(t, m[0], token, with(bob, false, true))
		if err != nil || got.Access.IsZero() || got.Session.Subject != "alice" || lives(bob) {
			t.Errorf("switched: %+v, %v; bob's session lives: %v", got.Session, err, lives(bob))
		}

		token, own := mint(t, m[0], g), there("alice")
		got, err = redeem(t, m[0], token, with(own, false, false))
		if err != nil || !got.Access.IsZero() || got.Session.ID != own.ID || !lives(own) {
			t.Errorf("kept: %+v, %v", got, err)
		}
		_, err = redeem(t, m[0], token)
		wantErr(t, "a token that was used to keep a session", err, remuda.ErrTokenInvalid)

		token = mint(t, m[0], g)
		got, err = redeem(t, m[0], token, with(own, true, false))
		if err != nil || got.Access.IsZero() || got.Session.ID == own.ID || lives(own) {
			t.Errorf("replaced: %+v, %v", got, err)
		}

		// The same user of another tenant is somebody else.
		tenant := there("alice")
		tenant.Tenant = "acme"
		_, err = redeem(t, m[0], mint(t, m[0], g), with(tenant, true, false))
		wantErr(t, "another tenant", err, remuda.ErrSignedIn)

		nobody, err := m[0].Start(t.Context(), remuda.StartRequest{Profile: "api", Anonymous: true})
		if err != nil {
			t.Fatal(err)
		}
		got, err = redeem(t, m[0], mint(t, m[0], g), with(&nobody.Session, false, false))
		if err != nil || got.Session.Subject != "alice" || lives(&nobody.Session) {
			t.Errorf("in place of nobody: %+v, %v", got.Session, err)
		}
		_, err = m[0].MintHandOff(t.Context(), remuda.MintHandOffRequest{Session: nobody.Session.ID, Target: target, StateHash: remuda.HandOffStateHash(state)})
		wantErr(t, "a session that has ended and is nobody's", err, remuda.ErrSessionEnded)
		if nobody, err = m[0].Start(t.Context(), remuda.StartRequest{Profile: "api", Anonymous: true}); err != nil {
			t.Fatal(err)
		}
		_, err = m[0].MintHandOff(t.Context(), remuda.MintHandOffRequest{Session: nobody.Session.ID, Target: target, StateHash: remuda.HandOffStateHash(state)})
		wantErr(t, "a session of nobody", err, remuda.ErrRequest)

		// A session is never replaced by its own child, which would end with it.
		got, err = redeem(t, m[0], mint(t, m[0], g), with(&g.Session, true, false), endsWithParent)
		if err != nil || got.Session.ID != g.Session.ID || !lives(&g.Session) {
			t.Errorf("the session that was handed over: %+v, %v", got.Session, err)
		}
	})
}

// TestHandOffEndsWithParent: however the first session is ended, those that are
// configured to end with it do, on every node, and theirs too.
func TestHandOffEndsWithParent(t *testing.T) {
	t.Attr("requirement", "ASVS-7.1.3")
	t.Attr("requirement", "ASVS-7.6.1")
	end := func(ctx context.Context, m *remuda.Manager, sel remuda.Selection) error {
		e, err := m.EndSelected(ctx, remuda.EndSelectedRequest{Selection: sel})
		if err == nil {
			_, err = e.Wait(ctx)
		}
		return err
	}
	for _, c := range []struct {
		name string
		end  func(t *testing.T, m *remuda.Manager, g remuda.Grant) error
	}{
		{"logout", func(t *testing.T, m *remuda.Manager, g remuda.Grant) error {
			t.Helper()
			return m.End(t.Context(), remuda.EndRequest{Session: g.Session.ID})
		}},
		{"another login", func(t *testing.T, m *remuda.Manager, g remuda.Grant) error {
			t.Helper()
			_, err := m.Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: "bob", Replaces: g.Session.ID})
			return err
		}},
		{"its profile", func(t *testing.T, m *remuda.Manager, _ remuda.Grant) error {
			t.Helper()
			return end(t.Context(), m, remuda.Selection{Profile: "api"})
		}},
		{"its application", func(t *testing.T, m *remuda.Manager, _ remuda.Grant) error {
			t.Helper()
			return end(t.Context(), m, remuda.Selection{Subject: "alice", Application: "shop/1"})
		}},
		{"reuse", func(t *testing.T, m *remuda.Manager, g remuda.Grant) error {
			t.Helper()
			next, err := refresh(t, m, g)
			if err != nil {
				return err
			}
			if _, err := authenticate(t, m, next); err != nil {
				return err
			}
			time.Sleep(time.Minute)
			if _, err := refresh(t, m, g); !errors.Is(err, remuda.ErrRefreshReused) {
				t.Fatalf("reuse: %v", err)
			}
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, _ := nodes(t, 2, func(_ int, cfg *remuda.Config) {
					site := remuda.API()
					site.Name = "site"
					cfg.Profiles = append(cfg.Profiles, site)
				})
				settle()
				g, err := m[0].Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: "alice", Client: remuda.Client{Application: "shop/1"}})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Minute) // so that a refresh issues a new generation
				child, err := redeem(t, m[1], mint(t, m[0], g), endsWithParent, func(r *remuda.RedeemHandOffRequest) { r.Profile = "site" })
				if err != nil {
					t.Fatal(err)
				}
				grandchild, err := redeem(t, m[0], mint(t, m[0], child), endsWithParent, func(r *remuda.RedeemHandOffRequest) { r.Profile = "site" })
				if err != nil {
					t.Fatal(err)
				}
				free, err := redeem(t, m[0], mint(t, m[0], g), func(r *remuda.RedeemHandOffRequest) { r.Profile = "site" })
				if err != nil {
					t.Fatal(err)
				}
				if err := c.end(t, m[0], g); err != nil {
					t.Fatal(err)
				}
				settle()
				for i := range m {
					for name, s := range map[string]remuda.Grant{"the child": child, "the grandchild": grandchild} {
						_, err := authenticate(t, m[i], s)
						wantErr(t, fmt.Sprintf("%s on node %d", name, i), err, remuda.ErrSessionEnded)
						_, err = refresh(t, m[i], s)
						wantErr(t, fmt.Sprintf("refresh of %s on node %d", name, i), err, remuda.ErrSessionEnded)
					}
					if _, err := authenticate(t, m[i], free); err != nil {
						t.Errorf("one that does not end with it, on node %d: %v", i, err)
					}
				}
			})
		})
	}
}

// TestHandOffOutlivesIdling: a parent that is not used ends nothing, and one that
// has lived out its time has taken its children's time with it.
func TestHandOffOutlivesIdling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 1, func(_ int, cfg *remuda.Config) {
			short := remuda.API()
			short.Name, short.Idle, short.Absolute = "short", time.Hour, 3*time.Hour
			cfg.Profiles = append(cfg.Profiles, short)
		})
		g := start(t, m[0], "short")
		child, err := redeem(t, m[0], mint(t, m[0], g), endsWithParent)
		if err != nil {
			t.Fatal(err)
		}
		if !child.Session.Expires.Equal(g.Session.Expires) || !child.RefreshExpires.Equal(g.Session.Expires) {
			t.Errorf("it expires at %v, and what it ends with at %v", child.Session.Expires, g.Session.Expires)
		}
		time.Sleep(2 * time.Hour)
		_, err = refresh(t, m[0], g)
		wantErr(t, "the parent", err, remuda.ErrSessionExpired)
		if child, err = refresh(t, m[0], child); err != nil {
			t.Errorf("the child: %v", err)
		}
		if child.Session.IdleExpires.After(g.Session.Expires) {
			t.Errorf("it idles out at %v, after what it ends with at %v", child.Session.IdleExpires, g.Session.Expires)
		}
	})
}

// TestHandOffRace: an end of the parent at any moment of a redemption leaves no
// child alive that anybody was given, nor one that ends nobody.
func TestHandOffRace(t *testing.T) {
	for step := 1; ; step++ {
		reached := false
		t.Run(fmt.Sprintf("before call %d", step), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, spy := watched(t)
				g := start(t, m[0], "api")
				token := mint(t, m[0], g)
				calls := 0
				spy.before = func(store.ID) error {
					if calls++; calls == step {
						reached = true
						if err := m[0].End(t.Context(), remuda.EndRequest{Session: g.Session.ID}); err != nil {
							t.Error(err)
						}
					}
					return nil
				}
				child, err := redeem(t, m[1], token, endsWithParent)
				spy.before = nil
				if !reached {
					if err != nil {
						t.Errorf("undisturbed: %v", err)
					}
					return
				}
				if err != nil && !errors.Is(err, remuda.ErrTokenInvalid) {
					t.Error(err)
				}
				settle()
				if list := live(t, m[0], "alice"); len(list) != 0 {
					t.Errorf("alive after the end of the parent: %+v", list)
				}
				if err == nil {
					_, err := authenticate(t, m[0], child)
					wantErr(t, "the child", err, remuda.ErrSessionEnded)
				}
			})
		})
		if !reached {
			if step < 6 {
				t.Errorf("a redemption calls the store %d times only", step-1)
			}
			return
		}
	}
}

// TestHandOffEndsFirst: what ends with a session has ended before the session has,
// so that an end which fails half way leaves nothing alive that nobody asks about.
func TestHandOffEndsFirst(t *testing.T) {
	for _, profile := range []string{"api", "classic"} {
		for name, end := range map[string]func(*testing.T, *remuda.Manager, remuda.Grant) error{
			"logout": func(t *testing.T, m *remuda.Manager, g remuda.Grant) error {
				t.Helper()
				return m.End(t.Context(), remuda.EndRequest{Session: g.Session.ID})
			},
			"reuse": func(t *testing.T, m *remuda.Manager, g remuda.Grant) error {
				t.Helper()
				_, err := refresh(t, m, g)
				if errors.Is(err, remuda.ErrRefreshReused) {
					return nil
				}
				return err
			},
		} {
			t.Run(name+" of the parent of "+profile, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m, spy := watched(t, func(_ int, cfg *remuda.Config) {
						cfg.Profiles = append(cfg.Profiles, classic())
					})
					settle()
					g := start(t, m[0], "api")
					child, err := redeem(t, m[0], mint(t, m[0], g), endsWithParent, func(r *remuda.RedeemHandOffRequest) { r.Profile = profile })
					if err != nil {
						t.Fatal(err)
					}
					time.Sleep(2 * time.Minute) // so that a refresh issues a new generation
					next, err := refresh(t, m[0], g)
					if err != nil {
						t.Fatal(err)
					}
					if _, err = authenticate(t, m[0], next); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Minute)
					spy.before = func(id store.ID) error {
						if id == child.Session.ID {
							return errors.New("disk full")
						}
						return nil
					}
					wantErr(t, "end of the parent", end(t, m[1], g), remuda.ErrUnavailable)
					spy.before = nil
					settle()
					for i, s := range []remuda.Grant{next, child} {
						if _, err := authenticate(t, m[i], s); err != nil {
							t.Errorf("half way: %v", err)
						}
					}
					if err := end(t, m[1], g); err != nil {
						t.Fatal(err)
					}
					settle()
					for i, s := range []remuda.Grant{next, child} {
						_, err := authenticate(t, m[i], s)
						wantErr(t, "afterwards", err, remuda.ErrSessionEnded)
					}
				})
			})
		}
	}
}

// TestHandOffChildSurvives: whoever ends all others, or changes the password, goes
// on in the session in which they do it, also if that should end with another.
func TestHandOffChildSurvives(t *testing.T) {
	for _, profile := range []string{"api", "classic"} {
		t.Run(profile, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, _ := nodes(t, 2, func(_ int, cfg *remuda.Config) {
					cfg.Profiles = append(cfg.Profiles, classic())
				})
				settle()
				in := func(r *remuda.RedeemHandOffRequest) { r.Profile = profile }
				g := start(t, m[0], "api")
				child, err := redeem(t, m[0], mint(t, m[0], g), endsWithParent, in)
				if err != nil {
					t.Fatal(err)
				}
				grandchild, err := redeem(t, m[0], mint(t, m[0], child), endsWithParent, in)
				if err != nil {
					t.Fatal(err)
				}
				next, others, err := m[1].CredentialsChanged(t.Context(), remuda.CredentialsChangedRequest{Session: child.Session.ID})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := others.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				for i := range m {
					if _, err := authenticate(t, m[i], next); err != nil {
						t.Errorf("in which the password was changed: %v", err)
					}
					for what, s := range map[string]remuda.Grant{"the first": g, "the third": grandchild} {
						_, err := authenticate(t, m[i], s)
						wantErr(t, what, err, remuda.ErrSessionEnded)
					}
				}
				if profile == "api" {
					if _, err := refresh(t, m[0], next); err != nil {
						t.Errorf("refresh: %v", err)
					}
				}
			})
		})
	}
}

// TestHandOffOutage: while the store fails nothing is redeemed, and nothing twice.
func TestHandOffOutage(t *testing.T) {
	for step := 1; ; step++ {
		reached := false
		t.Run(fmt.Sprintf("call %d", step), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, spy := watched(t)
				g := start(t, m[0], "api")
				token := mint(t, m[0], g)
				calls := 0
				spy.before = func(store.ID) error {
					if calls++; calls == step {
						reached = true
						return errors.New("disk full")
					}
					return nil
				}
				_, err := redeem(t, m[1], token, endsWithParent)
				spy.before = nil
				if !reached {
					return
				}
				wantErr(t, "redeem", err, remuda.ErrUnavailable)
				_, err = redeem(t, m[1], token, endsWithParent)
				if err != nil && !errors.Is(err, remuda.ErrTokenInvalid) {
					t.Errorf("redeemed again: %v", err)
				}
				if n := len(live(t, m[0], "alice")); n > 2 {
					t.Errorf("%d sessions live", n)
				}
			})
		})
		if !reached {
			return
		}
	}
}

func TestHandOffNeedsItems(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	m := newManager(t, func(cfg *remuda.Config) {
		cfg.Store = struct {
			store.Store
			store.Log
		}{s, s}
	})
	g := start(t, m, "api")
	_, err := m.MintHandOff(t.Context(), remuda.MintHandOffRequest{Session: g.Session.ID, Target: target, StateHash: remuda.HandOffStateHash(state)})
	wantErr(t, "mint", err, remuda.ErrRequest)
	_, err = redeem(t, m, "rmd_ho_")
	wantErr(t, "redeem", err, remuda.ErrRequest)
}

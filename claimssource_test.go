package remuda_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

// source is a ClaimsSource that tests set.
type source struct {
	mu     sync.Mutex
	claims any
	err    error
	asked  []remuda.Session
	data   string
}

func (s *source) Claims(_ context.Context, session remuda.Session, d *remuda.Data) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, session)
	s.data = strings.Join(d.Keys(), " ")
	return s.claims, s.err
}

// set sets what is claimed from now on, and forgets who has asked.
func (s *source) set(claims any, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims, s.err, s.asked = claims, err, nil
}

func (s *source) times() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

type level struct {
	Level int `json:"level"`
}

// sourced is a session whose claims come from a source.
type sourced struct {
	t      *testing.T
	source *source
	store  *memstore.Store
	m      *remuda.Manager
	grant  remuda.Grant
}

func newSourced(t *testing.T, profile string) *sourced {
	t.Helper()
	s := &sourced{t: t, source: &source{claims: level{0}}, store: memstore.New()}
	s.m = newManager(t, func(c *remuda.Config) { c.Store, c.ClaimsSource = s.store, s.source })
	var err error
	s.grant, err = s.m.Start(t.Context(), remuda.StartRequest{Profile: profile, Subject: "alice", Claims: level{0}, Client: remuda.Client{UserAgent: firefox}})
	if err != nil {
		t.Fatal(err)
	}
	if s.source.times() != 0 {
		t.Error("asked at login")
	}
	return s
}

func (s *sourced) row() store.Record {
	s.t.Helper()
	r, err := s.store.Get(s.t.Context(), s.grant.Session.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// carries checks that a grant and the record carry a level.
func (s *sourced) carries(g remuda.Grant, want int) {
	s.t.Helper()
	text := fmt.Sprintf(`{"level":%d}`, want)
	in, err := authenticate(s.t, s.m, g)
	if err != nil {
		s.t.Fatal(err)
	}
	kept, err := s.m.Session(s.t.Context(), s.grant.Session.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	if in.Claims != text || g.Session.Claims != text || kept.Claims != text {
		s.t.Errorf("token %s, grant %s, record %s; want %s", in.Claims, g.Session.Claims, kept.Claims, text)
	}
}

// Every access token but the first carries what is claimed when it is signed.
func TestEveryAccessTokenHasFreshClaims(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-8.3.2")
	synctest.Test(t, func(t *testing.T) {
		s := newSourced(t, "api")
		s.carries(s.grant, 0)
		patch(t, s.m, s.grant.Session.ID, remuda.DataPatch{"_x": 1})
		first := s.grant.Refresh.Reveal()
		refreshing := func(token string) func() (remuda.Grant, error) {
			return func() (remuda.Grant, error) { return known(t.Context(), s.m, token, "") }
		}
		newest := s.grant
		for i, step := range []struct {
			name    string
			do      func() (remuda.Grant, error)
			refresh bool // there is a refresh token in the answer
		}{
			{"current", refreshing(first), false},
			{"rotation", func() (remuda.Grant, error) {
				time.Sleep(2 * time.Minute)
				return known(t.Context(), s.m, first, "")
			}, true},
			{"replay", refreshing(first), true},
			{"step-up", func() (remuda.Grant, error) {
				return s.m.StepUp(t.Context(), remuda.StepUpRequest{Session: s.grant.Session.ID, Client: remuda.Client{UserAgent: firefox}})
			}, true},
			{"reissue", func() (remuda.Grant, error) {
				return s.m.Reissue(t.Context(), remuda.ReissueRequest{Session: s.grant.Session.ID, Gen: newest.Session.Gen})
			}, false},
		} {
			s.source.set(level{i + 1}, nil)
			g, err := step.do()
			if err != nil || g.Refresh.IsZero() == step.refresh {
				t.Fatalf("%s: %v, refresh token %v", step.name, err, !g.Refresh.IsZero())
			}
			s.carries(g, i+1)
			if s.source.times() != 1 || s.source.data != "_x" || s.source.asked[0].Subject != "alice" {
				t.Errorf("%s: asked %d times, with data %q", step.name, s.source.times(), s.source.data)
			}
			newest = g
		}
		// None at all is also an answer.
		s.source.set(nil, nil)
		g, err := s.m.Reissue(t.Context(), remuda.ReissueRequest{Session: s.grant.Session.ID, Gen: newest.Session.Gen})
		if err != nil || g.Session.Claims != "" {
			t.Errorf("%q, %v", g.Session.Claims, err)
		}
	})
}

// Nothing is asked, or written, that need not be.
func TestClaimsAreAskedForNoMoreThanNeeded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSourced(t, "api")
		token := s.grant.Refresh.Reveal()
		if _, err := authenticate(t, s.m, s.grant); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // the use is written
		version := s.row().Version
		for _, err := range []error{nil, remuda.ErrKeepClaims, fmt.Errorf("wrapped: %w", remuda.ErrKeepClaims)} {
			s.source.set(level{0}, err)
			g, got := known(t.Context(), s.m, token, "")
			if got != nil || s.source.times() != 1 || g.Session.Claims != `{"level":0}` {
				t.Fatalf("%s, %v, asked %d times", g.Session.Claims, got, s.source.times())
			}
		}
		if s.row().Version != version {
			t.Error("the same claims were written")
		}
		s.source.set(level{1}, nil)
		if _, err := s.m.Refresh(t.Context(), remuda.RefreshRequest{Token: token + "x", Transport: remuda.Bearer}); !errors.Is(err, remuda.ErrTokenInvalid) {
			t.Error(err)
		}
		if err := s.m.End(t.Context(), remuda.EndRequest{Session: s.grant.Session.ID}); err != nil {
			t.Fatal(err)
		}
		if _, err := known(t.Context(), s.m, token, ""); !errors.Is(err, remuda.ErrSessionEnded) {
			t.Error(err)
		}
		if s.source.times() != 0 {
			t.Errorf("asked %d times for a refresh that was refused", s.source.times())
		}
	})
}

// What the source cannot say, or what no token can carry, signs nobody out, is
// no answer about the session, and changes nothing; the retry is as good as new.
func TestClaimsSourceFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		claims any
		err    error
	}{
		{"an error", nil, errors.New("the directory is down")},
		{"an error of ours", nil, remuda.ErrSessionEnded},
		{"too large for a token", map[string]string{"big": strings.Repeat("x", 9<<10)}, nil},
		{"too large for a cookie", map[string]string{"big": strings.Repeat("x", 3800)}, nil},
		{"a reserved name", map[string]string{"sub": "root"}, nil},
		{"no object", 7, nil},
		{"no JSON", func() {}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSourced(t, "web")
				time.Sleep(2 * time.Minute)
				id, version := s.grant.Session.ID, s.row().Version
				refreshWeb := func() (remuda.Grant, error) {
					return s.m.Refresh(t.Context(), remuda.RefreshRequest{Token: s.grant.Refresh.Reveal(), Transport: remuda.Cookie, Client: remuda.Client{UserAgent: firefox}})
				}
				s.source.set(c.claims, c.err)
				_, err1 := refreshWeb()
				_, err2 := s.m.StepUp(t.Context(), remuda.StepUpRequest{Session: id})
				_, err3 := s.m.Reissue(t.Context(), remuda.ReissueRequest{Session: id, Gen: 1})
				for _, err := range []error{err1, err2, err3} {
					if !errors.Is(err, remuda.ErrUnavailable) || errors.Is(err, remuda.ErrSessionEnded) || errors.Is(err, remuda.ErrRequest) {
						t.Errorf("%v", err)
					}
				}
				if s.row().Version != version {
					t.Error("something was written")
				}
				s.source.set(level{5}, nil)
				if g, err := refreshWeb(); err != nil || g.Session.Gen != 2 || g.Session.Claims != `{"level":5}` {
					t.Errorf("the retry: %d %s, %v", g.Session.Gen, g.Session.Claims, err)
				}
			})
		})
	}
}

// While refreshes and changes meet on two nodes, no refresh that begins after a
// change carries older claims.
func TestClaimsFromDataAreNeverOlderThanTheRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newTabs(t, "api", memstore.New())
		id := n.grant.Session.ID
		var wg sync.WaitGroup
		for i := range 100 {
			patch(t, n.nodes[i%2], id, remuda.DataPatch{"a": i})
			for _, m := range n.nodes {
				wg.Go(func() {
					g, err := known(t.Context(), m, n.grant.Refresh.Reveal(), "")
					if err != nil {
						t.Error(err)
						return
					}
					var got int
					if _, err := fmt.Sscanf(g.Session.Claims, `{"a":%d}`, &got); got < i || err != nil {
						t.Errorf("after %d: %s, %v", i, g.Session.Claims, err)
					}
				})
			}
		}
		wg.Wait()
	})
}

func TestClaimsFromData(t *testing.T) {
	t.Parallel()
	m := newManager(t, func(c *remuda.Config) { c.ClaimsSource = remuda.ClaimsFromData("_plan", "theme") })
	g, err := m.Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: "alice", Claims: map[string]any{"name": "Alice", "_plan": "free"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		patch remuda.DataPatch
		want  string
	}{
		{remuda.DataPatch{"_plan": "gold", "other": 1}, `{"_plan":"gold","name":"Alice"}`},
		{remuda.DataPatch{"theme": map[string]bool{"dark": true}}, `{"_plan":"gold","name":"Alice","theme":{"dark":true}}`},
		{remuda.DataPatch{"_plan": nil}, `{"name":"Alice","theme":{"dark":true}}`},
	} {
		patch(t, m, g.Session.ID, c.patch)
		if g, err := refresh(t, m, g); err != nil || g.Session.Claims != c.want {
			t.Errorf("%s, %v; want %s", g.Session.Claims, err, c.want)
		}
	}
	for _, name := range []string{"sub", "SUB", "", "a b"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is accepted", name)
				}
			}()
			remuda.ClaimsFromData("good", name)
		}()
	}
}

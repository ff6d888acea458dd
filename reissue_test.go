package remuda_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
)

func reissue(t *testing.T, m *remuda.Manager, s *remuda.Session) (remuda.Grant, error) {
	t.Helper()
	return m.Reissue(t.Context(), remuda.ReissueRequest{Session: s.ID, Gen: s.Gen})
}

func TestReissue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSourced(t, "api")
		s.source.set(level{1}, nil)
		time.Sleep(time.Minute)
		before := s.row()
		g, err := reissue(t, s.m, &s.grant.Session)
		if err != nil || !g.Refresh.IsZero() || g.Session.Gen != 1 {
			t.Fatalf("%+v, %v", g, err)
		}
		if life := time.Until(g.AccessExpires); life < 9*time.Minute || life > 10*time.Minute {
			t.Errorf("it lives for %v", life)
		}
		after := s.row()
		if after.Gen != before.Gen || after.GenSeen != before.GenSeen || !after.IdleExpires.Equal(before.IdleExpires) || !after.LastSeen.Equal(before.LastSeen) {
			t.Error("it counts as a use, or as a refresh")
		}
		if old, err := authenticate(t, s.m, s.grant); err != nil || old.Claims != `{"level":0}` {
			t.Errorf("the older token: %+v, %v", old, err)
		}
		s.carries(g, 1)
		// The client goes on with the refresh token that it has.
		time.Sleep(time.Minute)
		if g, err := known(t.Context(), s.m, s.grant.Refresh.Reveal(), ""); err != nil || g.Session.Gen != 2 {
			t.Errorf("refresh: %v", err)
		}
	})
}

// Without a source it is still a fresh token, and nothing is written.
func TestReissueWithoutASource(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	g := start(t, m, "api")
	again, err := reissue(t, m, &g.Session)
	if err != nil || again.Session.Claims != g.Session.Claims {
		t.Errorf("%+v, %v", again.Session, err)
	}
}

// Whoever holds an older token gets nothing: not the level of a step-up, and no
// way to live on without refreshing.
func TestReissueOfAnOlderToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t)
		g := startKnown(t, m)
		stolen, err := authenticate(t, m, g)
		if err != nil {
			t.Fatal(err)
		}
		up, err := m.StepUp(t.Context(), remuda.StepUpRequest{Session: g.Session.ID, ACR: "high"})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := reissue(t, m, stolen); !errors.Is(err, remuda.ErrRefreshSuperseded) {
			t.Errorf("%+v, %v", got.Session, err)
		}
		if got, err := reissue(t, m, &up.Session); err != nil || got.Session.ACR != "high" {
			t.Errorf("%+v, %v", got.Session, err)
		}
	})
}

// A refresh whose answer was lost is still found again after a reissue: nothing
// that the client was given meanwhile counts as the arrival of that answer.
func TestReissueBesideALostAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t)
		g := startKnown(t, m)
		time.Sleep(2 * time.Minute)
		if _, err := known(t.Context(), m, g.Refresh.Reveal(), ""); err != nil {
			t.Fatal(err)
		}
		s, err := authenticate(t, m, g)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := reissue(t, m, s); err == nil {
			_, _ = authenticate(t, m, got)
		}
		time.Sleep(5 * time.Minute)
		if g, err := known(t.Context(), m, g.Refresh.Reveal(), ""); err != nil || g.Session.Gen != 2 {
			t.Errorf("the retry: %v", err)
		}
	})
}

func TestReissueOfWhatIsNoLiveSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t)
		ended, idle := start(t, m, "web"), start(t, m, "web")
		if err := m.End(t.Context(), remuda.EndRequest{Session: ended.Session.ID}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * time.Minute)
		for _, c := range []struct {
			s    remuda.Session
			want error
		}{
			{remuda.Session{Gen: 1}, remuda.ErrTokenInvalid},
			{ended.Session, remuda.ErrSessionEnded},
			{idle.Session, remuda.ErrSessionExpired},
		} {
			if g, err := reissue(t, m, &c.s); !errors.Is(err, c.want) || !g.Access.IsZero() {
				t.Errorf("%v, want %v", err, c.want)
			}
		}
	})
}

// A client whose reissued token was lost on the way refreshes when its own is due:
// what it never got makes nothing early, nor does a token that came without a new
// refresh token.
func TestLostTokenMakesNothingEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, func(c *remuda.Config) { c.Profiles[1].Rotation.Early = remuda.EarlyRefuse })
		g := startKnown(t, m)
		time.Sleep(30 * time.Second)
		if again, err := known(t.Context(), m, g.Refresh.Reveal(), ""); err != nil || again.Refresh.Reveal() != "" {
			t.Fatalf("within the floor: %v", err)
		}
		time.Sleep(8 * time.Minute)
		if _, err := reissue(t, m, &g.Session); err != nil {
			t.Fatal(err)
		}
		if _, err := known(t.Context(), m, g.Refresh.Reveal(), ""); !errors.Is(err, remuda.ErrRefreshTooEarly) {
			t.Errorf("before it is due: %v", err)
		}
		time.Sleep(90 * time.Second)
		if _, err := known(t.Context(), m, g.Refresh.Reveal(), ""); err != nil {
			t.Errorf("when it is due: %v", err)
		}
	})
}

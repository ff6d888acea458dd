package remuda_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/store"
)

// actingProfiles are kinds of sessions in which somebody may act for another.
func actingProfiles() []remuda.Profile {
	looked, public := remuda.API(), remuda.API()
	looked.Name, looked.Liveness = "looked", remuda.LiveStore
	public.Name, public.Credential, public.Algorithm = "paseto", remuda.PASETO, codec.V4Local
	return []remuda.Profile{remuda.API(), looked, public, classic()}
}

// acting signs an operator in, and has them act for alice.
func acting(t testing.TB, m *remuda.Manager, profile string) (operator, g remuda.Grant) {
	t.Helper()
	operator, err := m.Start(t.Context(), remuda.StartRequest{Profile: profile, Subject: "op", Tenant: "desk"})
	if err != nil {
		t.Fatal(err)
	}
	g, err = m.Impersonate(t.Context(), remuda.ImpersonateRequest{Session: operator.Session.ID, Subject: "alice", Claims: map[string]string{"name": "Alice"}})
	if err != nil {
		t.Fatal(err)
	}
	return operator, g
}

// forEachActing runs a test for each kind of session, over two nodes.
func forEachActing(t *testing.T, test func(t *testing.T, m []*remuda.Manager, s []*node, p remuda.Profile)) {
	t.Helper()
	for _, p := range actingProfiles() {
		t.Run(p.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, s := nodes(t, 2, func(_ int, cfg *remuda.Config) { cfg.Profiles = actingProfiles() })
				settle()
				test(t, m, s, p)
			})
		})
	}
}

func TestImpersonate(t *testing.T) {
	t.Attr("requirement", "ASVS-8.3.3")
	forEachActing(t, func(t *testing.T, m []*remuda.Manager, _ []*node, p remuda.Profile) {
		operator, g := acting(t, m[0], p.Name)
		began := time.Now()
		for i := range m {
			s, err := authenticate(t, m[i], g)
			if err != nil {
				t.Fatal(err)
			}
			if s.Subject != "alice" || s.Tenant != "" || s.Actor != "op" || s.ActorTenant != "desk" || s.Parent != operator.Session.ID || !s.Acting() || s.Claims != `{"name":"Alice"}` {
				t.Errorf("session = %+v", s)
			}
			if s.Recent(time.Now(), time.Hour) {
				t.Error("it counts as a recent proof of who alice is")
			}
			own, err := authenticate(t, m[i], operator)
			if err != nil || own.Acting() || own.Subject != "op" {
				t.Errorf("the operator's own: %+v, %v", own, err)
			}
		}
		// It is refreshed as usual, still marked, and lasts no longer for it.
		time.Sleep(12 * time.Minute)
		if p.Renewal == remuda.Rotate {
			next, err := refresh(t, m[1], g)
			if err != nil {
				t.Fatal(err)
			}
			g = next
		}
		s, err := authenticate(t, m[0], g)
		if err != nil || s.Actor != "op" {
			t.Errorf("later: %+v, %v", s, err)
		}
		time.Sleep(time.Until(began.Add(remuda.DefaultImpersonation)))
		if _, err := authenticate(t, m[1], g); err == nil {
			t.Error("it lasts longer than it may")
		}
		if _, err := refresh(t, m[1], g); err == nil {
			t.Error("it can be refreshed afterwards")
		}
	})
}

// TestImpersonationEndsWithTheActor: however the operator's session ends, and
// whichever node hears of it how.
func TestImpersonationEndsWithTheActor(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, m *remuda.Manager, operator remuda.Grant) error{
		"logout": func(t *testing.T, m *remuda.Manager, operator remuda.Grant) error {
			return m.End(t.Context(), remuda.EndRequest{Session: operator.Session.ID})
		},
		"everywhere": func(t *testing.T, m *remuda.Manager, _ remuda.Grant) error {
			_, err := m.EndAll(t.Context(), remuda.EndAllRequest{Subject: "op", Tenant: "desk"})
			return err
		},
		"the tenant": func(t *testing.T, m *remuda.Manager, _ remuda.Grant) error {
			_, err := m.EndSelected(t.Context(), remuda.EndSelectedRequest{Selection: remuda.Selection{Tenant: "desk"}})
			return err
		},
		"reuse": func(t *testing.T, m *remuda.Manager, operator remuda.Grant) error {
			if operator.Refresh.IsZero() {
				return m.End(t.Context(), remuda.EndRequest{Session: operator.Session.ID, Reason: remuda.EndReuse})
			}
			for held := operator; ; { // the thief's generations, until the honest client comes
				time.Sleep(2 * time.Minute)
				next, err := refresh(t, m, held)
				if err != nil {
					return err
				}
				if _, err := authenticate(t, m, next); err != nil {
					return err
				}
				if held.Session.Gen > 2 {
					_, err := refresh(t, m, operator)
					wantErr(t, "reuse", err, remuda.ErrRefreshReused)
					return nil
				}
				held = next
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			forEachActing(t, func(t *testing.T, m []*remuda.Manager, _ []*node, p remuda.Profile) {
				operator, g := acting(t, m[0], p.Name)
				s, err := authenticate(t, m[1], g)
				if err != nil {
					t.Fatal(err)
				}
				bound, stop, err := m[1].Bind(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				defer stop()
				if err := end(t, m[0], operator); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				for i := range m {
					_, err := authenticate(t, m[i], g)
					wantErr(t, "authenticate", err, remuda.ErrSessionEnded)
					if p.Renewal == remuda.Rotate {
						_, err = refresh(t, m[i], g)
						wantErr(t, "refresh", err, remuda.ErrSessionEnded)
					}
				}
				if bound.Err() == nil {
					t.Error("a live connection goes on")
				}
			})
		})
	}
}

// TestImpersonationWhileTheLogIsCut: a node that does not hear the log asks for
// both sessions; one whose writer died between the log and the records too.
func TestImpersonationWhileTheLogIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := nodes(t, 2)
		settle()
		operator, g := acting(t, m[0], "api")
		s[1].cut.Store(true)
		time.Sleep(time.Minute)
		if _, err := authenticate(t, m[1], g); err != nil {
			t.Fatal(err)
		}
		// The wide ending is told, and no record says so yet.
		s[0].failing.Store(true)
		if _, err := m[0].EndAll(t.Context(), remuda.EndAllRequest{Subject: operator.Session.Subject, Tenant: "desk"}); err != nil {
			t.Fatal(err)
		}
		settle()
		for i := range m {
			_, err := authenticate(t, m[i], g)
			wantErr(t, "authenticate", err, remuda.ErrSessionEnded)
		}
		_, err := refresh(t, m[1], g)
		wantErr(t, "refresh", err, remuda.ErrSessionEnded)
	})
}

// TestImpersonationBetweenLogAndRecords: a wide ending of the operator's sessions
// is told, and the process that would write the records cannot.
func TestImpersonationBetweenLogAndRecords(t *testing.T) {
	forEachActing(t, func(t *testing.T, m []*remuda.Manager, s []*node, p remuda.Profile) {
		_, g := acting(t, m[0], p.Name)
		session, err := authenticate(t, m[1], g)
		if err != nil {
			t.Fatal(err)
		}
		bound, stop, err := m[1].Bind(t.Context(), session)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		s[0].failing.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = m[0].EndAll(ctx, remuda.EndAllRequest{Subject: "op", Tenant: "desk"})
		wantErr(t, "the records", err, remuda.ErrUnavailable) // of profiles that are looked up
		settle()
		if bound.Err() == nil && p.Liveness == remuda.LiveLog {
			t.Error("a live connection goes on")
		}
		_, err = authenticate(t, m[1], g)
		wantErr(t, "authenticate", err, remuda.ErrSessionEnded)
		time.Sleep(2 * time.Second)
		if bound.Err() == nil {
			t.Error("a live connection goes on for two seconds")
		}
	})
}

// TestImpersonationWhoseWriterDied: there is an entry in the log about the operator
// and nothing else: whoever wrote it is gone.
func TestImpersonationWhoseWriterDied(t *testing.T) {
	forEachActing(t, func(t *testing.T, m []*remuda.Manager, s []*node, p remuda.Profile) {
		if p.Liveness != remuda.LiveLog {
			return // the log decides about none of these
		}
		_, g := acting(t, m[0], p.Name)
		session, err := authenticate(t, m[1], g)
		if err != nil {
			t.Fatal(err)
		}
		bound, stop, err := m[1].Bind(t.Context(), session)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		time.Sleep(time.Second)
		now := time.Now()
		err = s[0].Append(t.Context(), store.Entry{
			ID: store.ID{1}, Scope: store.ScopeSubject, Target: "op", Tenant: "desk",
			Before: now, At: now, Until: now.Add(24 * time.Hour), Reason: "logout",
		})
		if err != nil {
			t.Fatal(err)
		}
		settle()
		if bound.Err() == nil {
			t.Error("a live connection goes on")
		}
		_, err = authenticate(t, m[1], g)
		wantErr(t, "authenticate", err, remuda.ErrSessionEnded)
		_, _, err = m[1].Bind(t.Context(), session)
		wantErr(t, "bind", err, remuda.ErrSessionEnded)
		_, err = refresh(t, m[1], g)
		wantErr(t, "refresh", err, remuda.ErrSessionEnded)
	})
}

func TestImpersonationRefuses(t *testing.T) {
	forEachActing(t, func(t *testing.T, m []*remuda.Manager, _ []*node, p remuda.Profile) {
		operator, g := acting(t, m[0], p.Name)
		ctx, id := t.Context(), g.Session.ID
		_, err := m[0].StepUp(ctx, remuda.StepUpRequest{Session: id, ACR: "high"})
		wantErr(t, "step-up", err, remuda.ErrActing)
		mine := start(t, m[0], p.Name)
		_, _, err = m[0].CredentialsChanged(ctx, remuda.CredentialsChangedRequest{Session: id})
		wantErr(t, "change of credentials", err, remuda.ErrActing)
		if _, err := authenticate(t, m[0], mine); err != nil {
			t.Errorf("alice was signed out: %v", err)
		}
		_, err = m[0].Impersonate(ctx, remuda.ImpersonateRequest{Session: id, Subject: "bob"})
		wantErr(t, "a third", err, remuda.ErrActing)
		_, err = m[0].MintHandOff(ctx, remuda.MintHandOffRequest{Session: id, Target: "https://shop.example", StateHash: remuda.HandOffStateHash("x")})
		wantErr(t, "hand-off", err, remuda.ErrActing)
		for what, req := range map[string]remuda.ImpersonateRequest{
			"nobody":      {Subject: ""},
			"oneself":     {Subject: "op", Tenant: "desk"},
			"too long":    {Subject: "alice", For: remuda.MaxImpersonation + 1},
			"negative":    {Subject: "alice", For: -time.Minute},
			"a bad claim": {Subject: "alice", Claims: map[string]int{"act": 1}},
		} {
			req.Session = operator.Session.ID
			_, err := m[0].Impersonate(ctx, req)
			wantErr(t, what, err, remuda.ErrRequest)
		}
		if _, err := authenticate(t, m[0], g); err != nil {
			t.Errorf("a refusal has ended the one before: %v", err)
		}
		// Another begins: the one before ends.
		other, err := m[0].Impersonate(ctx, remuda.ImpersonateRequest{Session: operator.Session.ID, Subject: "bob"})
		if err != nil {
			t.Fatal(err)
		}
		settle()
		_, err = authenticate(t, m[1], g)
		wantErr(t, "the one before", err, remuda.ErrSessionEnded)
		if _, err := authenticate(t, m[1], other); err != nil {
			t.Error(err)
		}
		if err := m[0].End(ctx, remuda.EndRequest{Session: operator.Session.ID}); err != nil {
			t.Fatal(err)
		}
		_, err = m[0].Impersonate(ctx, remuda.ImpersonateRequest{Session: operator.Session.ID, Subject: "alice"})
		wantErr(t, "of a session that has ended", err, remuda.ErrSessionEnded)
	})
}

// TestImpersonationWithoutRecord: a session that nothing can end cannot be one in
// which somebody acts.
func TestImpersonationWithoutRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		expiry := remuda.API()
		expiry.Name, expiry.Liveness = "expiry", remuda.LiveExpiry
		m, _ := nodes(t, 1, func(_ int, cfg *remuda.Config) { cfg.Profiles = []remuda.Profile{local(), expiry} })
		settle()
		_, err := m[0].Impersonate(t.Context(), remuda.ImpersonateRequest{Session: start(t, m[0], "local").Session.ID, Subject: "bob"})
		wantErr(t, "local", err, remuda.ErrTokenInvalid)
		_, err = m[0].Impersonate(t.Context(), remuda.ImpersonateRequest{Session: start(t, m[0], "expiry").Session.ID, Subject: "bob"})
		wantErr(t, "expiry", err, remuda.ErrRequest)
	})
}

// TestImpersonationTakesNobodysPlace: support drives no user out, and is in the
// user's list.
func TestImpersonationTakesNobodysPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 1, func(_ int, cfg *remuda.Config) {
			for i := range cfg.Profiles {
				if !cfg.Profiles[i].Recordless {
					cfg.Profiles[i].MaxSessions = 1
				}
			}
		})
		settle()
		mine := start(t, m[0], "api")
		_, g := acting(t, m[0], "api")
		listed := 0
		for s, err := range m[0].Sessions(t.Context(), remuda.SessionsRequest{Subject: "alice"}) {
			if err != nil {
				t.Fatal(err)
			}
			if s.ID == g.Session.ID && s.Actor == "op" || s.ID == mine.Session.ID && s.Actor == "" {
				listed++
			}
		}
		if listed != 2 {
			t.Errorf("%d are in the list", listed)
		}
		again := start(t, m[0], "api") // and the operator takes no place
		if _, err := authenticate(t, m[0], g); err != nil {
			t.Errorf("acting: %v", err)
		}
		if _, err := authenticate(t, m[0], again); err != nil {
			t.Errorf("alice: %v", err)
		}
	})
}

func TestImpersonationEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := &events{}
		m, _ := nodes(t, 1, func(_ int, cfg *remuda.Config) { cfg.Events = told })
		settle()
		operator, g := acting(t, m[0], "api")
		time.Sleep(2 * time.Minute)
		if _, err := refresh(t, m[0], g); err != nil {
			t.Fatal(err)
		}
		if err := m[0].End(t.Context(), remuda.EndRequest{Session: operator.Session.ID}); err != nil {
			t.Fatal(err)
		}
		kinds := map[event.Kind]int{}
		for _, e := range told.list {
			if e.Session != g.Session.ID.String() {
				continue
			}
			kinds[e.Kind]++
			if e.Actor != "op" || e.Subject != "alice" {
				t.Errorf("not marked: %+v", e)
			}
			if e.Kind == event.SessionImpersonated && e.Parent != operator.Session.ID.String() {
				t.Errorf("begun from: %+v", e)
			}
		}
		for _, kind := range []event.Kind{event.SessionStarted, event.SessionImpersonated, event.SessionRefreshed, event.SessionEnded} {
			if kinds[kind] != 1 {
				t.Errorf("%s: %d times", kind, kinds[kind])
			}
		}
	})
}

package remuda_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
)

func TestExportAndErase(t *testing.T) {
	t.Attr("requirement", "ASVS-14.2.4")
	t.Attr("requirement", "ASVS-7.4.2")
	synctest.Test(t, func(t *testing.T) {
		m, s := nodes(t, 2)
		settle()
		ctx := t.Context()
		alice := remuda.SubjectRequest{Subject: "alice"}
		live, dead, idle := start(t, m[0], "api"), start(t, m[0], "api"), start(t, m[0], "web")
		other, err := m[0].Start(ctx, remuda.StartRequest{Profile: "api", Subject: "alice", Tenant: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m[0].PatchData(ctx, live.Session.ID, remuda.DataPatch{"size": 7}); err != nil {
			t.Fatal(err)
		}
		if err := m[0].End(ctx, remuda.EndRequest{Session: dead.Session.ID}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * time.Minute) // the web session idles out
		local := start(t, m[0], "local")
		if live, err = refresh(t, m[0], live); err != nil {
			t.Fatal(err)
		}
		all, err := m[0].ExportSubject(ctx, alice)
		if err != nil || len(all.Sessions) != 3 {
			t.Fatalf("%+v, %v", all, err)
		}
		text, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{live.Access.Reveal(), live.Refresh.Reveal(), idle.Refresh.Reveal()} {
			for part := range strings.SplitSeq(secret, ".") {
				if strings.Contains(string(text), part) {
					t.Errorf("a part of a token is exported: %s", part)
				}
			}
		}
		for _, p := range all.Sessions {
			switch p.ID {
			case live.Session.ID:
				if string(p.Data) != `{"size":7}` || !p.EndedAt.IsZero() || p.Claims == "" {
					t.Errorf("live: %+v", p)
				}
			case dead.Session.ID:
				if p.Reason != remuda.EndLogout || p.EndedAt.IsZero() {
					t.Errorf("dead: %+v", p)
				}
			}
		}

		n, err := m[0].EraseSubject(ctx, alice)
		if err != nil || n != 3 {
			t.Fatalf("%d were removed, %v", n, err)
		}
		settle()
		for i := range m {
			_, err := authenticate(t, m[i], live)
			wantErr(t, "a JWT", err, remuda.ErrSessionEnded)
			_, err = authenticate(t, m[i], local)
			wantErr(t, "without a record", err, remuda.ErrSessionEnded)
			if _, err := authenticate(t, m[i], other); err == nil {
				continue
			}
			if _, err := refresh(t, m[i], other); err != nil {
				t.Errorf("alice of another tenant: %v", err)
			}
		}
		_, err = refresh(t, m[1], live)
		if err == nil {
			t.Error("an erased session is refreshed")
		}
		all, err = m[1].ExportSubject(ctx, alice)
		if err != nil || len(all.Sessions) != 0 || len(all.Endings) == 0 {
			t.Errorf("afterwards: %+v, %v", all, err)
		}
		if n, err := m[1].EraseSubject(ctx, alice); err != nil || n != 0 {
			t.Errorf("again: %d, %v", n, err)
		}
		// What the log says goes when no token can be good any more.
		time.Sleep(13 * time.Hour)
		if _, err := m[0].Sweep(ctx, time.Hour); err != nil {
			t.Fatal(err)
		}
		if all, err := m[0].ExportSubject(ctx, alice); err != nil || len(all.Endings) != 0 {
			t.Errorf("the log says still: %+v, %v", all.Endings, err)
		}
		if strings.Contains(fmt.Sprintf("%+v", s[0].Store), "size") {
			t.Error("data is left")
		}
	})
}

func TestEraseRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := nodes(t, 1)
		settle()
		_, err := m[0].EraseSubject(t.Context(), remuda.SubjectRequest{})
		wantErr(t, "nobody", err, remuda.ErrRequest)
		_, err = m[0].ExportSubject(t.Context(), remuda.SubjectRequest{})
		wantErr(t, "nobody", err, remuda.ErrRequest)
		g := start(t, m[0], "api")
		s[0].failing.Store(true)
		ctx := t.Context()
		_, err = m[0].EraseSubject(ctx, remuda.SubjectRequest{Subject: "alice"})
		if err == nil {
			t.Error("erased on a full disk")
		}
		s[0].failing.Store(false)
		if n, err := m[0].EraseSubject(ctx, remuda.SubjectRequest{Subject: "alice"}); err != nil || n != 1 {
			t.Errorf("finished: %d, %v", n, err)
		}
		_, err = authenticate(t, m[0], g)
		wantErr(t, "afterwards", err, remuda.ErrSessionEnded)
	})
}

// TestEndedForget: however a session ends, where it was and what the application said
// of its user go with it.
func TestEndedForget(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-14.2.7")
	for name, end := range map[string]func(t *testing.T, m *remuda.Manager, g remuda.Grant){
		"signed out": func(t *testing.T, m *remuda.Manager, g remuda.Grant) {
			if err := m.End(t.Context(), remuda.EndRequest{Session: g.Session.ID, Reason: remuda.EndLogout}); err != nil {
				t.Fatal(err)
			}
		},
		"signed out everywhere": func(t *testing.T, m *remuda.Manager, _ remuda.Grant) {
			e, err := m.EndAll(t.Context(), remuda.EndAllRequest{Subject: "alice"})
			if err != nil {
				t.Fatal(err)
			}
			if n, err := e.Wait(t.Context()); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		},
		"stolen": func(t *testing.T, m *remuda.Manager, g remuda.Grant) {
			at := g
			for range 3 {
				time.Sleep(10 * time.Minute)
				var err error
				if at, err = known(t.Context(), m, at.Refresh.Reveal(), ""); err != nil {
					t.Fatal(err)
				}
			}
			_, err := known(t.Context(), m, g.Refresh.Reveal(), "")
			wantErr(t, "the first one", err, remuda.ErrRefreshReused)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newManager(t)
				g, err := m.Start(t.Context(), remuda.StartRequest{
					Profile: "api", Subject: "alice", Claims: map[string]any{"name": "Alice"},
					Client: remuda.Client{UserAgent: firefox, Address: netip.MustParseAddr("192.0.2.7"), Place: "Bern", Application: "app 1"},
				})
				if err != nil {
					t.Fatal(err)
				}
				held := func() remuda.PersonalSession {
					all, err := m.ExportSubject(t.Context(), remuda.SubjectRequest{Subject: "alice"})
					if err != nil || len(all.Sessions) != 1 {
						t.Fatal(all, err)
					}
					return all.Sessions[0]
				}
				if p := held(); p.Claims == "" || p.Network == "" || p.Place == "" || p.Application == "" || !p.HasAddress {
					t.Fatalf("while it lives: %+v", p)
				}
				end(t, m, g)
				if p := held(); p.EndedAt.IsZero() || p.Claims != "" || p.Network != "" || p.Place != "" || p.Application != "" || p.HasAddress {
					t.Errorf("afterwards: %+v", p)
				} else if p.Device == "" || p.StartedAt != g.Session.StartedAt {
					t.Errorf("what stays: %+v", p)
				}
			})
		})
	}
}

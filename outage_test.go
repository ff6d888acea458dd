package remuda_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

// TestCompromisedKeyWhileCut: a node that does not hear the log asks the ring's
// source whether a key is compromised, and believes nobody if it cannot.
func TestCompromisedKeyWhileCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &spy{Store: memstore.New()}
		m, s, _, key := keyedNodes(t, source, codec.HS256, remuda.API())
		settle()
		g := start(t, m[0], "api")
		bound := bind(t, m[1], g)
		s[1].cut.Store(true)
		time.Sleep(10 * time.Second)
		for range 10 {
			_, err := authenticate(t, m[1], g)
			wantErr(t, "before", err, nil)
		}
		wantCause(bound, t, "before", nil)
		if err := m[0].CompromiseKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2*time.Second + time.Millisecond) // what was read of the source is as young
		_, err := authenticate(t, m[1], g)
		wantErr(t, "authenticate", err, remuda.ErrTokenInvalid)
		_, err = refresh(t, m[1], g)
		wantErr(t, "refresh", err, remuda.ErrTokenInvalid)
		time.Sleep(2 * time.Second)
		wantCause(bound, t, "bound", remuda.ErrSessionEnded)

		next := start(t, m[1], "api")
		_, err = authenticate(t, m[1], next)
		wantErr(t, "by the next key", err, nil)
		source.before = func(store.ID) error { return errors.New("no connection") }
		time.Sleep(3 * time.Second)
		_, err = authenticate(t, m[1], next)
		wantErr(t, "neither log nor source", err, remuda.ErrUnavailable)
		_, err = refresh(t, m[1], next)
		wantErr(t, "neither log nor source, refresh", err, remuda.ErrUnavailable)
	})
}

// TestEndingsDoNotPileUp: endings that the log could not be told leave nothing
// behind, and many at once keep no other from taking effect.
func TestEndingsDoNotPileUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, s := nodes(t, 2, func(_ int, cfg *remuda.Config) { cfg.Profiles = []remuda.Profile{remuda.API()} })
		settle()
		all := remuda.EndSelectedRequest{Selection: remuda.Selection{Everything: true}}
		s[0].mute.Store(true)
		for range 70 {
			_, err := m[0].EndSelected(t.Context(), all)
			wantErr(t, "the log cannot be told", err, remuda.ErrUnavailable)
		}
		s[0].mute.Store(false)
		if it, err := s[0].GetItem(t.Context(), "cut-off", "wide", time.Now()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("left behind: %d bytes, %v", len(it.Value), err)
		}

		s[1].cut.Store(true)
		time.Sleep(10 * time.Second)
		var grants []remuda.Grant
		for range 70 {
			grants = append(grants, start(t, m[0], "api"))
		}
		time.Sleep(time.Second)
		// Each ends all but itself; together they end all.
		for _, g := range grants {
			if _, err := m[0].EndAll(t.Context(), remuda.EndAllRequest{Subject: "alice", Except: g.Session.ID}); err != nil {
				t.Fatal(err)
			}
		}
		for _, g := range grants {
			_, err := authenticate(t, m[1], g)
			wantErr(t, "on the node that is cut", err, remuda.ErrSessionEnded)
		}
		last := start(t, m[0], "api")
		time.Sleep(time.Second)
		if _, err := m[0].EndAll(t.Context(), remuda.EndAllRequest{Subject: "alice"}); err != nil {
			t.Fatal(err)
		}
		_, err := authenticate(t, m[1], last)
		wantErr(t, "after many", err, remuda.ErrSessionEnded)
	})
}

// TestStoreHangsWhileCut: with the log cut and a store that does not answer,
// everybody is told so in time, however many they are.
func TestStoreHangsWhileCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, s := nodes(t, 1)
		settle()
		grants := make([]remuda.Grant, 200)
		for i := range grants {
			g, err := m[0].Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: fmt.Sprint("user ", i)})
			if err != nil {
				t.Fatal(err)
			}
			grants[i] = g
		}
		s[0].cut.Store(true)
		time.Sleep(5 * time.Second)
		s[0].hanging.Store(true)
		began := time.Now()
		var wg sync.WaitGroup
		for _, g := range grants {
			wg.Go(func() {
				_, err := authenticate(t, m[0], g)
				wantErr(t, "the store hangs", err, remuda.ErrUnavailable)
			})
		}
		wg.Wait()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		s[0].hanging.Store(false)
		_, err := authenticate(t, m[0], grants[150])
		wantErr(t, "the store answers again", err, nil)
	})
}

// TestServedThroughAnOutage: what is bound under the policy to serve ends when the
// log is heard again, also if the log has forgotten the end meanwhile.
func TestServedThroughAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		served := remuda.API()
		served.Outage = remuda.OutageServe
		m, s := nodes(t, 2, func(_ int, cfg *remuda.Config) { cfg.Profiles = []remuda.Profile{served} })
		settle()
		ended, live := start(t, m[0], "api"), start(t, m[0], "api")
		gone, stays := bind(t, m[1], ended), bind(t, m[1], live)
		s[1].cut.Store(true)
		time.Sleep(5 * time.Second)
		if err := m[0].End(t.Context(), remuda.EndRequest{Session: ended.Session.ID}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		wantCause(gone, t, "while the log is cut", nil)
		if _, err := m[0].Sweep(t.Context(), 24*time.Hour); err != nil {
			t.Fatal(err)
		}
		s[1].cut.Store(false)
		time.Sleep(5 * time.Second)
		wantCause(gone, t, "ended", remuda.ErrSessionEnded)
		wantCause(stays, t, "live", nil)
	})
}

// TestShortIdle: a session that is used more often than its idle timeout asks for
// does not end as idle, however short that is.
func TestShortIdle(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-7.3.1")
	t.Attr("requirement", "BCP-4.14.d")
	for _, idle := range []time.Duration{2 * time.Second, 20 * time.Second, 2 * time.Minute, 5 * time.Minute} {
		t.Run(idle.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := classic()
				p.Idle = idle
				m, s := nodes(t, 2, func(_ int, cfg *remuda.Config) { cfg.Profiles = []remuda.Profile{p} })
				g := start(t, m[0], "classic")
				touches := s[0].touches.Load()
				for i := range 100 {
					time.Sleep(idle / 3)
					if _, err := authenticate(t, m[0], g); err != nil {
						t.Fatalf("use %d: %v", i, err)
					}
				}
				if n := s[0].touches.Load() - touches; n > 105 {
					t.Errorf("%d writes for 100 uses", n)
				}
				time.Sleep(idle / 2) // of the last use another node may not know yet
				if _, err := authenticate(t, m[1], g); err != nil {
					t.Errorf("on another node: %v", err)
				}
				time.Sleep(idle + time.Second)
				_, err := authenticate(t, m[0], g)
				wantErr(t, "idle", err, remuda.ErrSessionExpired)
			})
		})
	}
}

// TestEndSelectedNeedsRecords: a choice among sessions that have no records could
// end none of them, and says so.
func TestEndSelectedNeedsRecords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 1)
		settle()
		g := start(t, m[0], "local")
		_, err := m[0].EndSelected(t.Context(), remuda.EndSelectedRequest{Selection: remuda.Selection{Subject: "alice", Profile: "local"}})
		wantErr(t, "of a subject in a profile", err, remuda.ErrRequest)
		time.Sleep(time.Second)
		if _, err := m[0].EndSelected(t.Context(), remuda.EndSelectedRequest{Selection: remuda.Selection{Profile: "local"}}); err != nil {
			t.Fatal(err)
		}
		_, err = authenticate(t, m[0], g)
		wantErr(t, "of a profile", err, remuda.ErrSessionEnded)
	})
}

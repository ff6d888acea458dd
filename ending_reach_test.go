package remuda_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
)

// TestEndAfterEverything: a logout of a session without a record is told to the
// log also where an ending of everything before it is still held.
func TestEndAfterEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 2)
		settle()
		all := remuda.Selection{Everything: true}
		if _, err := m[0].EndSelected(t.Context(), remuda.EndSelectedRequest{Selection: all}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		g := start(t, m[0], "local")
		if _, err := authenticate(t, m[1], g); err != nil {
			t.Fatal(err)
		}
		if err := m[0].End(t.Context(), remuda.EndRequest{Session: g.Session.ID}); err != nil {
			t.Fatal(err)
		}
		settle()
		for i := range m {
			_, err := authenticate(t, m[i], g)
			wantErr(t, "after the logout", err, remuda.ErrSessionEnded)
		}
	})
}

// TestNarrowEndingWaitsForRecords: an ending that no entry of the log can say has
// reached the records when EndSelected returns, so that a node that is cut off
// from the log refuses too.
func TestNarrowEndingWaitsForRecords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, s := nodes(t, 2, func(_ int, cfg *remuda.Config) { cfg.Profiles = []remuda.Profile{remuda.API()} })
		settle()
		at := remuda.Client{Address: netip.MustParseAddr("192.0.2.7")}
		g, err := m[0].Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: "alice", Client: at})
		if err != nil {
			t.Fatal(err)
		}
		s[1].cut.Store(true)
		began := time.Now()
		if _, err := m[0].EndSelected(t.Context(), remuda.EndSelectedRequest{Selection: remuda.Selection{
			Everything: true, Network: netip.MustParsePrefix("192.0.2.0/24"),
		}}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("EndSelected took %v", took)
		}
		// No pause before it: what is written in the background is not there yet.
		_, err = refresh(t, m[1], g)
		wantErr(t, "a refresh on the node that is cut", err, remuda.ErrSessionEnded)
		time.Sleep(5 * time.Second)
		_, err = authenticate(t, m[1], g)
		wantErr(t, "on the node that is cut", err, remuda.ErrSessionEnded)
	})
}

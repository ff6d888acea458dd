package handoff_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/driver/sqlitestore"
	"github.com/remuda-go/remuda/keyring"
)

// TestOnceOnTwoNodes: of several that redeem one token at once, on two nodes that
// share a database, one does; and an end of the parent that comes meanwhile leaves
// nothing alive.
func TestOnceOnTwoNodes(t *testing.T) {
	t.Parallel()
	ring, err := keyring.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/sessions.db"
	var nodes [2]*remuda.Manager
	for i := range nodes {
		s, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		profile := remuda.API()
		profile.MaxSessions = 0
		nodes[i], err = remuda.New(t.Context(), remuda.Config{Store: s, Keys: ring, Issuer: "https://app.example", Profiles: []remuda.Profile{profile}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nodes[i].Close(context.WithoutCancel(t.Context())); s.Close() })
	}
	const state = "a state of a browser, 128 bits"
	for round := range 10 {
		parent, err := nodes[0].Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		token, err := nodes[0].MintHandOff(t.Context(), remuda.MintHandOffRequest{
			Session: parent.Session.ID, Target: "https://shop.example", StateHash: remuda.HandOffStateHash(state),
		})
		if err != nil {
			t.Fatal(err)
		}
		logout := round%2 == 1
		errs := make([]error, 6)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = nodes[i%2].RedeemHandOff(t.Context(), remuda.RedeemHandOffRequest{
					Token: token.Reveal(), Target: "https://shop.example", State: state, Profile: "api", EndsWithParent: true,
				})
			})
		}
		if logout {
			wg.Go(func() {
				if err := nodes[1].End(t.Context(), remuda.EndRequest{Session: parent.Session.ID}); err != nil {
					t.Error(err)
				}
			})
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
		live := 0
		for _, err := range nodes[0].Sessions(t.Context(), remuda.SessionsRequest{Subject: "alice"}) {
			if err != nil {
				t.Fatal(err)
			}
			live++
		}
		if won > 1 || !logout && (won != 1 || live != 2) || logout && live != 0 {
			t.Fatalf("round %d: %d of %d redeemed it, and %d sessions live", round, won, len(errs), live)
		}
		if err := nodes[0].End(t.Context(), remuda.EndRequest{Session: parent.Session.ID}); err != nil {
			t.Fatal(err)
		}
	}
}

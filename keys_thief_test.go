package remuda_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/jwt"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

// TestThiefOfTheStore: whoever has copied the whole store, the sealed ring
// included, makes nothing of it: the ring does not open, and with a ring of his own
// no token that he makes is accepted and no row opens.
func TestThiefOfTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		master, err := keyring.NewMaster()
		if err != nil {
			t.Fatal(err)
		}
		c := newKeyCluster(t, master)
		owner := start(t, c.nodes[0].manager, "api")
		stolen := copyStore(t, c.store, owner.Session.ID)

		own, err := keyring.NewMaster()
		if err != nil {
			t.Fatal(err)
		}
		src, err := keyring.StoreSource(stolen, own, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, create := range []bool{false, true} {
			if _, err := keyring.Open(t.Context(), keyring.Config{Source: src, Create: create}); !errors.Is(err, keyring.ErrMaster) {
				t.Errorf("the sealed ring without its master key: %v", err)
			}
		}
		thief := newManager(t, func(cfg *remuda.Config) {
			cfg.Store, cfg.Profiles, cfg.DiscardSessionsOfLostRing = stolen, []remuda.Profile{rotating()}, true
		})
		forged := start(t, thief, "api")
		for _, n := range c.nodes {
			if _, err := authenticate(t, n.manager, forged); !errors.Is(err, remuda.ErrTokenInvalid) {
				t.Errorf("a request with a forged token: %v", err)
			}
			if _, err := refresh(t, n.manager, forged); !errors.Is(err, remuda.ErrTokenInvalid) {
				t.Errorf("a refresh with a forged token: %v", err)
			}
		}
		row, err := stolen.Get(t.Context(), owner.Session.ID)
		if err != nil {
			t.Fatal(err)
		}
		ring, err := keyring.New(row.LastSeen)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ring.Open(nil, row.Blob, "session", row.ID); !errors.Is(err, keyring.ErrSealed) {
			t.Errorf("the row opens: %v", err)
		}
		if _, err := refresh(t, c.nodes[1].manager, owner); err != nil {
			t.Errorf("the owner: %v", err)
		}
	})
}

// TestThiefOfTheRing: whoever has the ring and not the store cannot refresh: what a
// refresh token must hold stands in the sealed row alone.
func TestThiefOfTheRing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		master, err := keyring.NewMaster()
		if err != nil {
			t.Fatal(err)
		}
		c := newKeyCluster(t, master)
		owner := start(t, c.nodes[0].manager, "api")

		// The same keys and issuer over a store of his own: his tokens have good
		// signatures, for sessions that are not there.
		thief := newManager(t, func(cfg *remuda.Config) {
			cfg.Keys, cfg.Profiles = c.nodes[1].ring, []remuda.Profile{rotating()}
		})
		forged := start(t, thief, "api")
		if _, err := refresh(t, c.nodes[0].manager, forged); !errors.Is(err, remuda.ErrTokenInvalid) {
			t.Errorf("a refresh for a session that is not there: %v", err)
		}
		// Nor for one that is there: its id is in every access token, its seed is not.
		for _, gen := range []uint32{1, 2, 3} {
			token := guess(t, c.nodes[1].ring, owner, gen)
			_, err := c.nodes[0].manager.Refresh(t.Context(), remuda.RefreshRequest{Token: token, Transport: remuda.Bearer})
			if !errors.Is(err, remuda.ErrTokenInvalid) {
				t.Errorf("a refresh for the owner's session, generation %d: %v", gen, err)
			}
		}
		if _, err := refresh(t, c.nodes[0].manager, owner); err != nil {
			t.Errorf("the owner: %v", err)
		}
	})
}

// guess makes the refresh token of a session as well as the ring alone allows.
func guess(t *testing.T, ring *keyring.Ring, of remuda.Grant, gen uint32) string {
	t.Helper()
	c := &codec.Claims{
		Type: codec.Refresh, Session: of.Session.ID, Gen: gen, JTI: [16]byte{1},
		IssuedAt: of.Session.StartedAt.Unix(), Expires: of.RefreshExpires.Unix(),
	}
	const issuer = "https://app.example"
	c.Issuer, c.Audience, c.Subject = c.Add(issuer), c.Add(issuer+"/token/refresh"), c.Add(of.Session.Subject)
	token, err := jwt.New(ring).Sign(nil, c)
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

// copyStore copies the row of a session and all items of the key ring.
func copyStore(t *testing.T, from *memstore.Store, id store.ID) *memstore.Store {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	to := memstore.New()
	row, err := from.Get(ctx, id)
	if err == nil {
		err = to.Create(ctx, row)
	}
	for _, key := range []string{"id", "ring"} {
		it, e := from.GetItem(ctx, "keyring", key, row.LastSeen)
		err = errors.Join(err, e, to.CreateItem(ctx, "keyring", key, it, row.LastSeen))
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

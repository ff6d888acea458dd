package remuda_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store/memstore"
)

// The installation whose keys are rotated under load, in the time of a bubble.
const (
	rotationPoll   = 100 * time.Millisecond
	rotationSettle = time.Second
	rotationEvery  = 1500 * time.Millisecond
	rotations      = 10

	keyWorkers  = 50   // a tenth in short tests
	keyRequests = 2000 // of each worker
	keyPause    = 10 * time.Millisecond
)

// keyNode is one node of a cluster: its own handle on the ring, its own manager.
type keyNode struct {
	ring    *keyring.Ring
	manager *remuda.Manager
}

// keyCluster is two nodes over one store, in which the ring is as well.
type keyCluster struct {
	nodes [2]keyNode
	store *memstore.Store
	// dead is the id of the key that was compromised, and deadAt when every node
	// must know; they are set once.
	dead   atomic.Pointer[string]
	deadAt atomic.Pointer[time.Time]

	requests, refused, logins atomic.Int64
	keys                      sync.Map // the ids that tokens were signed with
}

// rotating is a profile whose sessions are so short that keys retire during a test.
func rotating() remuda.Profile {
	p := remuda.API()
	p.Access, p.Idle, p.Absolute, p.MaxSessions = 2*time.Second, 4*time.Second, 6*time.Second, 0
	p.Rotation = remuda.Rotation{}
	return p
}

func newKeyCluster(t *testing.T, master keyring.Master) *keyCluster {
	t.Helper()
	c := &keyCluster{store: memstore.New()}
	for i := range c.nodes {
		c.nodes[i] = c.newNode(t, master)
	}
	return c
}

func (c *keyCluster) newNode(t *testing.T, master keyring.Master) keyNode {
	t.Helper()
	src, err := keyring.StoreSource(c.store, master, nil)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Open(t.Context(), keyring.Config{
		Source: src, Create: true, Every: keyring.Never,
		Overlap: rotating().Absolute + rotating().Access + 2*rotationPoll, Settle: rotationSettle, Poll: rotationPoll,
	})
	if err != nil {
		t.Fatal(err)
	}
	m := newManager(t, func(cfg *remuda.Config) {
		cfg.Store, cfg.Keys, cfg.Profiles, cfg.Leeway = c.store, ring, []remuda.Profile{rotating()}, rotationPoll
	})
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = ring.Run(ctx) })
	t.Cleanup(func() { cancel(); run.Wait() })
	return keyNode{ring, m}
}

func (c *keyCluster) node() *keyNode { return &c.nodes[rand.IntN(len(c.nodes))] }

// keyOf returns the key id in a JWT.
func keyOf(t *testing.T, token string) string {
	t.Helper()
	segment, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(segment)
	var header struct{ Kid string }
	if err == nil {
		err = json.Unmarshal(raw, &header)
	}
	if err != nil || header.Kid == "" {
		t.Fatalf("no key id in %q: %v", raw, err)
	}
	return header.Kid
}

// judge checks what became of a token: shown since at, good until expires.
func (c *keyCluster) judge(t *testing.T, what, token string, at, expires time.Time, err error) {
	t.Helper()
	c.requests.Add(1)
	dead, deadAt := c.dead.Load(), c.deadAt.Load()
	mayDie := dead != nil && keyOf(t, token) == *dead
	switch {
	case err == nil && mayDie && deadAt != nil && at.After(*deadAt):
		t.Errorf("%s: accepted a token of the compromised key %v after every node knew", what, at.Sub(*deadAt))
	case err == nil:
	case mayDie && errors.Is(err, remuda.ErrTokenInvalid):
		c.refused.Add(1)
	case !at.Before(expires.Truncate(time.Second)):
		// It may have expired.
	default:
		t.Errorf("%s: refused a good token: %v", what, err)
	}
}

// work is a client: it signs in, makes requests on either node, and refreshes.
func (c *keyCluster) work(t *testing.T, subject string) {
	var g remuda.Grant
	var ends time.Time
	for range keyRequests {
		now := time.Now()
		n := c.node()
		switch {
		case g.Access.IsZero():
			var err error
			g, err = n.manager.Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: subject})
			if err != nil {
				t.Errorf("a login failed: %v", err)
				return
			}
			ends = g.RefreshExpires
			c.logins.Add(1)
		case !now.Before(g.AccessExpires) || rand.IntN(8) == 0:
			token := g.Refresh.Reveal()
			next, err := refresh(t, n.manager, g)
			c.judge(t, "refresh", token, now, ends, err)
			g = next // zero after an error: signs in again
		default:
			_, err := authenticate(t, n.manager, g)
			c.judge(t, "request", g.Access.Reveal(), now, g.AccessExpires, err)
		}
		if !g.Access.IsZero() {
			c.keys.Store(keyOf(t, g.Access.Reveal()), true)
		}
		time.Sleep(keyPause)
	}
}

// rotate rotates the keys of tokens and the roots in turn, on either node, and
// in the middle says that the active key is compromised.
func (c *keyCluster) rotate(t *testing.T) {
	for i := range rotations {
		time.Sleep(rotationEvery)
		if _, err := c.node().ring.Rotate(t.Context(), codec.HS256); err != nil {
			t.Error(err)
		}
		if _, err := c.node().ring.Rotate(t.Context(), keyring.Root); err != nil {
			t.Error(err)
		}
		if i == rotations/2 {
			time.Sleep(rotationSettle + rotationEvery/3) // the new one has signed, its reserve has settled
			c.compromise(t)
		}
	}
}

func (c *keyCluster) compromise(t *testing.T) {
	n := c.node()
	for _, info := range n.ring.List() {
		if info.Algorithm != codec.HS256 || info.State != keyring.Active {
			continue
		}
		c.dead.Store(&info.ID)
		if err := n.ring.Compromise(t.Context(), info.ID); err != nil {
			t.Error(err)
		}
		known := time.Now().Add(2 * rotationPoll)
		c.deadAt.Store(&known)
	}
}

// TestRotationUnderLoad: two nodes with their own handles on one ring serve 100,000
// requests during ten rotations and one compromise. No good token is refused, and
// none of the compromised key is accepted once two polls have passed.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-15.4.1")
	synctest.Test(t, func(t *testing.T) {
		master, err := keyring.NewMaster()
		if err != nil {
			t.Fatal(err)
		}
		c, workers := newKeyCluster(t, master), keyWorkers
		if testing.Short() {
			workers /= 10
		}
		var load sync.WaitGroup
		for i := range workers {
			load.Go(func() { c.work(t, "subject-"+string(rune('A'+i))) })
		}
		load.Go(func() { c.rotate(t) })
		load.Wait()
		keys := 0
		c.keys.Range(func(any, any) bool { keys++; return true })
		if keys != rotations+2 {
			t.Errorf("tokens were signed with %d keys, want %d", keys, rotations+2)
		}
		if n := c.requests.Load() + c.logins.Load(); n != int64(workers)*keyRequests {
			t.Errorf("%d requests were judged", n)
		}
		if c.refused.Load() == 0 {
			t.Error("nobody showed a token of the compromised key")
		}
		retired := 0
		for _, info := range c.nodes[0].ring.List() {
			if info.State == keyring.Retired {
				retired++
			}
		}
		if retired == 0 {
			t.Error("no key has retired during the test")
		}
		t.Logf("%d requests, %d logins, %d keys, %d retired; %d showed the compromised key", c.requests.Load(), c.logins.Load(), keys, retired, c.refused.Load())
	})
}

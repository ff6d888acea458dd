package sim

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
)

// ours is the real thing: a manager on each node over one store.
type ours struct {
	ctx     context.Context //nolint:containedctx // it is the test's
	now     func() time.Time
	epoch   time.Time
	ring    *keyring.Ring
	replica *replica
	clock   bool // the store tells the time
	nodes   []*node
	ids     map[int]remuda.SessionID
}

type node struct {
	manager *remuda.Manager
	link    *link
	skew    time.Duration
}

// newOurs makes one manager for each skew. Now is the bubble's clock.
func newOurs(ctx context.Context, c *Case, now func() time.Time) (*ours, error) {
	ring, err := keyring.New(now())
	if err != nil {
		return nil, err
	}
	o := &ours{
		ctx: ctx, now: now, epoch: now(), ring: ring, replica: newReplica(now, c.Failover > 0 || c.lostEnd()),
		clock: c.StoreClock, ids: map[int]remuda.SessionID{},
	}
	for _, skew := range c.skews() {
		n := &node{skew: skew}
		if err := o.boot(n); err != nil {
			return nil, err
		}
		o.nodes = append(o.nodes, n)
	}
	return o, nil
}

// boot starts a manager on a node.
func (o *ours) boot(n *node) error {
	n.link = &link{replica: o.replica}
	var s store.Store = n.link
	if o.clock {
		s = clocked{n.link}
	}
	p := remuda.API()
	p.Liveness = remuda.LiveStore      // a replica that lags is what is played here
	p.Access, p.Jitter = accessLife, 0 // by the default jitter a run would depend on random seeds
	m, err := remuda.New(o.ctx, remuda.Config{
		Store: s, Keys: o.ring, Issuer: "https://sim.example", Profiles: []remuda.Profile{p},
		Now: func() time.Time { return o.now().Add(n.skew) },
	})
	n.manager = m
	return err
}

// Start implements [Server].
func (o *ours) Start(session int, agent string) Answer {
	g, err := o.nodes[session%len(o.nodes)].manager.Start(o.ctx, remuda.StartRequest{
		Profile: "api", Subject: strconv.Itoa(session), Client: remuda.Client{UserAgent: agent},
	})
	if err != nil {
		panic(fmt.Sprintf("sim: start: %v", err))
	}
	o.ids[session] = g.Session.ID
	return o.answer(g)
}

// Refresh implements [Server].
func (o *ours) Refresh(req Request) Answer {
	g, err := o.nodes[req.Node%len(o.nodes)].manager.Refresh(o.ctx, remuda.RefreshRequest{
		Token: req.Token, Transport: remuda.Bearer, RetryKey: req.Key, Client: remuda.Client{UserAgent: req.Agent},
	})
	switch {
	case err == nil:
		return o.answer(g)
	case errors.Is(err, remuda.ErrRefreshSuperseded):
		return Answer{Status: StatusConflict}
	case errors.Is(err, remuda.ErrThrottled), errors.Is(err, remuda.ErrUnavailable), errors.Is(err, remuda.ErrRefreshTooEarly):
		return Answer{Status: StatusLater}
	default:
		return Answer{Status: StatusOut, Reused: errors.Is(err, remuda.ErrRefreshReused)}
	}
}

func (o *ours) answer(g remuda.Grant) Answer {
	return Answer{Access: g.Access.Reveal(), Refresh: g.Refresh.Reveal(), Until: g.AccessExpires.Sub(o.epoch)}
}

// Use implements [Server].
func (o *ours) Use(node int, access string, relay bool) {
	_, _ = o.nodes[node%len(o.nodes)].manager.Authenticate(o.ctx, remuda.AuthenticateRequest{
		Token: access, Transport: remuda.Bearer, Relay: relay,
	})
}

// Failover implements [Server].
func (o *ours) Failover(session int) {
	if err := o.replica.failover(o.ctx, o.ids[session]); err != nil {
		panic(fmt.Sprintf("sim: failover: %v", err))
	}
}

// Crash implements [Server].
func (o *ours) Crash(i int) {
	n := o.nodes[i%len(o.nodes)]
	n.link.cut.Store(true)
	n.manager.Close(o.ctx)
	if err := o.boot(n); err != nil {
		panic(fmt.Sprintf("sim: restart: %v", err))
	}
}

// Close implements [Server].
func (o *ours) Close() {
	for _, n := range o.nodes {
		n.manager.Close(o.ctx)
	}
}

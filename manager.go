package remuda

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/jwt"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
)

// Manager begins, checks, renews and ends sessions: all profiles over one store
// and one key ring. It knows nothing of HTTP. It is safe for concurrent use, and
// so are several managers, in one process or many, over one store with one ring.
type Manager struct {
	issuer   string
	leeway   time.Duration
	profiles map[string]*profile
	store    store.Store
	ring     *keyring.Ring
	codec    codec.Codec
	events   event.Sink
	clock    *clock
	touches  *toucher
	gate     gate
	claims   sync.Pool // of *codec.Claims
}

// profile is a [Profile] made ready.
type profile struct {
	Profile
	audience        string // of access tokens
	refreshAudience string // of refresh tokens
}

// The audiences of refresh tokens: the issuer's refresh endpoints. They differ
// by transport, so that neither kind is ever taken for the other.
const (
	refreshByCookie = "/web/refresh"
	refreshByBearer = "/token/refresh"
)

// New returns a manager. It returns a [*ConfigError] with every problem of the
// configuration, [ErrRing] if the store belongs to another key ring, and
// [ErrUnavailable] if the store cannot answer. The manager does not close the
// store.
func New(ctx context.Context, cfg Config) (*Manager, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Leeway == 0 {
		cfg.Leeway = defaultLeeway
	}
	clk, err := newClock(ctx, cfg.Now, cfg.Store, cfg.Leeway)
	if err != nil {
		return nil, err
	}
	if err := bindRing(ctx, &cfg, clk.now()); err != nil {
		clk.close()
		return nil, err
	}
	m := &Manager{
		issuer: cfg.Issuer, leeway: cfg.Leeway,
		profiles: map[string]*profile{},
		store:    cfg.Store, ring: cfg.Keys, codec: jwt.New(cfg.Keys),
		events: cfg.Events, clock: clk,
		touches: newToucher(ctx, cfg.Store, clk.now),
		claims:  sync.Pool{New: func() any { return new(codec.Claims) }},
	}
	for _, pr := range cfg.Profiles {
		m.profiles[pr.Name] = newProfile(pr, cfg.Issuer)
	}
	return m, nil
}

func newProfile(pr Profile, issuer string) *profile {
	p := &profile{Profile: pr, audience: pr.Audience, refreshAudience: issuer + refreshByBearer}
	if p.audience == "" {
		p.audience = issuer
	}
	if pr.Transport == Cookie {
		p.refreshAudience = issuer + refreshByCookie
	}
	return p
}

// Close writes what is pending and stops the manager's goroutines. The context
// bounds the last write. Other methods must not be called afterwards.
func (m *Manager) Close(ctx context.Context) {
	m.touches.close(ctx)
	m.clock.close()
}

// Profile returns the profile of that name.
func (m *Manager) Profile(name string) (Profile, bool) {
	p, ok := m.profiles[name]
	if !ok {
		return Profile{}, false
	}
	return p.Profile, true
}

// Now returns the present time as the manager sees it: store time.
func (m *Manager) Now() time.Time { return m.clock.now() }

// Ready reports whether sessions can be served now: nil, or an error that wraps
// [ErrUnavailable].
func (m *Manager) Ready(ctx context.Context) error {
	if _, err := m.clock.trusted(); err != nil {
		return err
	}
	if err := m.store.Ping(ctx); err != nil {
		return unavailable(err)
	}
	return nil
}

// Sweep removes what ended or expired longer than retention ago, until nothing
// is left or the context ends. It returns how many sessions it removed. Run it
// now and then on one node; several at once do no harm.
func (m *Manager) Sweep(ctx context.Context, retention time.Duration) (int, error) {
	const batch = 500
	total := 0
	for {
		n, err := m.store.Sweep(ctx, m.clock.now().Add(-retention), batch)
		total += n
		if err != nil {
			return total, unavailable(err)
		}
		if n < batch {
			return total, nil
		}
	}
}

// unavailable wraps a failure of the store. The text is for operators.
func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }

const (
	swapAttempts = 8
	swapPause    = 20 * time.Millisecond
)

// change reads a session, lets decide change it, and swaps it in: the only way
// in which a session is changed. On a conflict it starts over. decide reports
// whether there is anything to write; it is called once for each attempt and
// only its last call counts. A record that is not there gives
// [store.ErrNotFound].
func (m *Manager) change(ctx context.Context, id SessionID, decide func(*record) (write bool, err error)) (*record, error) {
	for range swapAttempts {
		row, err := m.store.Get(ctx, id)
		if err != nil {
			return nil, notFoundOr(err)
		}
		r, err := openRecord(&row, m.ring)
		if err != nil {
			return nil, unavailable(err)
		}
		write, err := decide(&r)
		if err != nil || !write {
			return &r, err
		}
		was := r.Version
		r.Version = newVersion()
		row, err = r.seal(m.ring)
		if err != nil {
			return nil, unavailable(err)
		}
		err = m.store.Update(ctx, row, was)
		switch {
		case err == nil:
			return &r, nil
		case errors.Is(err, store.ErrConflict):
			if err := pause(ctx); err != nil {
				return nil, unavailable(err)
			}
		default:
			return nil, notFoundOr(err)
		}
	}
	return nil, fmt.Errorf("%w: the session is being changed by others", ErrUnavailable)
}

// notFoundOr keeps [store.ErrNotFound], and makes everything else unavailable.
func notFoundOr(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return store.ErrNotFound
	}
	return unavailable(err)
}

// pause waits a random moment, so that those who collided do not again.
func pause(ctx context.Context) error {
	t := time.NewTimer(rand.N(swapPause)) //nolint:gosec // no secret: it only spreads retries
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// gate lets one caller at a time decide about one session on this node: forty
// parallel refreshes would use up each other's swaps.
type gate struct {
	mu   sync.Mutex
	held map[SessionID]*turn
}

type turn struct {
	token   chan struct{} // holds one element while nobody has the turn
	waiting int
}

// enter waits for the caller's turn, and returns what ends it.
func (g *gate) enter(ctx context.Context, id SessionID) (leave func(), err error) {
	g.mu.Lock()
	if g.held == nil {
		g.held = map[SessionID]*turn{}
	}
	t := g.held[id]
	if t == nil {
		t = &turn{token: make(chan struct{}, 1)}
		t.token <- struct{}{}
		g.held[id] = t
	}
	t.waiting++
	g.mu.Unlock()
	select {
	case <-t.token:
		return func() { t.token <- struct{}{}; g.drop(id, t) }, nil
	case <-ctx.Done():
		g.drop(id, t)
		return nil, unavailable(ctx.Err())
	}
}

func (g *gate) drop(id SessionID, t *turn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t.waiting--
	if t.waiting == 0 {
		delete(g.held, id)
	}
}

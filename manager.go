package remuda

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/jwt"
	"github.com/remuda-go/remuda/codec/opaque"
	"github.com/remuda-go/remuda/codec/paseto"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/revocation"
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
	items    store.Items // nil if the store has none
	codecs   codecs
	events   event.Sink
	clock    *clock
	touches  *toucher
	revoked  *revoker // nil if no profile has liveness LiveLog
	lookups  *lookups // nil like revoked
	bindings bindings
	counters counters
	gate     gate
	source   ClaimsSource                        // nil if there is none
	tenants  func(tenant, profile string) string // likewise
	dataGate gate                                // for changes of data
	claims   sync.Pool                           // of *codec.Claims
	longest  time.Duration                       // for how long anything of a session can matter

	running    context.Context // ends with Close
	stop       context.CancelFunc
	background sync.WaitGroup
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
	if cfg.Leeway == 0 {
		cfg.Leeway = defaultLeeway
	}
	if err := prepareKeys(ctx, &cfg); err != nil {
		return nil, err
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxStaleness == 0 {
		cfg.MaxStaleness = revocation.DefaultMaxStaleness
	}
	clk, err := newClock(ctx, &cfg)
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
		store:    cfg.Store, ring: cfg.Keys, codecs: newCodecs(cfg.Keys),
		events: cfg.Events, clock: clk,
		touches: newToucher(ctx, cfg.Store, clk.now),
		revoked: newRevoker(ctx, &cfg, clk),
		claims:  sync.Pool{New: func() any { return new(codec.Claims) }},
		longest: longestLife(cfg.Profiles) + cfg.Leeway + cfg.MaxStaleness,
	}
	m.items, _ = cfg.Store.(store.Items)
	m.source, m.tenants = cfg.ClaimsSource, cfg.ProfileFor
	m.running, m.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, pr := range cfg.Profiles {
		m.profiles[pr.Name] = newProfile(pr, cfg.Issuer)
	}
	if m.revoked != nil {
		m.lookups = newLookups(m)
		m.revoked.listeners.add(m.hearKey)
		m.revoked.listeners.add(m.bindings.hear)
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
	p.Algorithm = pr.algorithm()
	if p.Outage == 0 {
		p.Outage = OutageCheck
		if pr.Recordless {
			p.Outage = OutageDeny
		}
	}
	return p
}

// tokenLife is for how long the only token of a session is good; zero where there
// is a refresh token too.
func (pr *Profile) tokenLife() time.Duration {
	switch pr.Renewal {
	case Extend:
		return max(pr.Idle, pr.RememberIdle)
	case Fixed:
		return max(pr.Absolute, pr.RememberAbsolute)
	default:
		return 0
	}
}

// longestLife is how long a session of any profile can last.
func longestLife(profiles []Profile) time.Duration {
	var longest time.Duration
	for i := range profiles {
		longest = max(longest, profiles[i].Absolute, profiles[i].RememberAbsolute)
	}
	return longest
}

// codecs are the token formats that are told apart by their first characters.
type codecs struct {
	jwt    codec.Codec
	paseto codec.Codec
	opaque codec.Codec
}

func newCodecs(keys codec.Keys) codecs {
	return codecs{jwt: jwt.New(keys), paseto: paseto.New(keys), opaque: opaque.New(keys)}
}

// of is the codec of a credential.
func (c *codecs) of(kind Credential) codec.Codec {
	switch kind {
	case PASETO:
		return c.paseto
	case Opaque:
		return c.opaque
	default:
		return c.jwt
	}
}

// verify fills claims from a token that carries some, and returns which kind of
// credential it is.
func (c *codecs) verify(cl *codec.Claims, want codec.Type, token string) (Credential, error) {
	kind := JWT
	if strings.HasPrefix(token, "v4.") {
		kind = PASETO
	}
	return kind, c.of(kind).Verify(cl, want, token)
}

// Close writes what is pending and stops the manager's goroutines. The context
// bounds the last write. Other methods must not be called afterwards.
func (m *Manager) Close(ctx context.Context) {
	m.stop()
	m.background.Wait()
	m.touches.close(ctx)
	if m.revoked != nil {
		m.revoked.close(ctx)
		m.lookups.close()
	}
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

// profileFor returns the name of the profile that a session of a tenant gets.
func (m *Manager) profileFor(tenant, name string) (string, error) {
	if m.tenants == nil || tenant == "" {
		return name, nil
	}
	own := m.tenants(tenant, name)
	if own == "" || own == name {
		return name, nil
	}
	asked, p := m.profiles[name], m.profiles[own]
	if asked == nil || p == nil || p.Transport != asked.Transport || p.Recordless != asked.Recordless {
		return "", fmt.Errorf("%w: the profile %q cannot take the place of %q", ErrRequest, own, name)
	}
	return own, nil
}

// Now returns the present time as the manager sees it: store time.
func (m *Manager) Now() time.Time { return m.clock.now() }

// Ready reports whether sessions can be served now: nil, or an error that wraps
// [ErrUnavailable]. A node is not ready before it has read the revocation log
// once.
func (m *Manager) Ready(ctx context.Context) error {
	if _, err := m.clock.trusted(); err != nil {
		return err
	}
	if err := m.store.Ping(ctx); err != nil {
		return unavailable(err)
	}
	if m.revoked != nil && !m.revoked.horizon.Ready() {
		return fmt.Errorf("%w: the revocation log is still being read", ErrUnavailable)
	}
	return nil
}

// Sweep finishes wide endings that another process has left, and removes what
// ended or expired longer than retention ago and what the revocation log need not
// say any longer, until nothing is left or the context ends. It returns how many
// sessions it removed. Run it now and then on one node; several at once do no
// harm.
func (m *Manager) Sweep(ctx context.Context, retention time.Duration) (int, error) {
	if err := m.resume(ctx); err != nil {
		return 0, err
	}
	now := m.clock.now()
	if m.revoked != nil {
		// What a node with a slow clock still holds it may hold from the log. A clock
		// that has leapt ahead empties nobody's.
		before := earlier(now, m.revoked.horizon.Believed()).Add(-m.leeway)
		if _, err := inBatches(func(n int) (int, error) { return m.revoked.log.Truncate(ctx, before, n) }); err != nil {
			return 0, err
		}
	}
	return inBatches(func(n int) (int, error) { return m.store.Sweep(ctx, now.Add(-retention), n) })
}

// inBatches calls f until it finds less to do than it may, and returns how much
// it did.
func inBatches(f func(limit int) (int, error)) (int, error) {
	const batch = 500
	total := 0
	for {
		n, err := f(batch)
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
func unavailable(err error) error {
	return refuse(fmt.Errorf("%w: %w", ErrUnavailable, err), ReasonStore)
}

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
			return nil, openFailed(err)
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

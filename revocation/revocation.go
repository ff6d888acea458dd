// Package revocation keeps what the revocation log says in the memory of a node,
// so that a token can be refused without asking anybody.
//
// A [Horizon] follows a [store.Log] and knows how far it has come: the instant up
// to which its view is complete. As long as that is young enough a token is judged
// by what is held here; after that the caller decides what an outage means.
package revocation

import (
	"context"
	"sync"
	"time"

	"github.com/remuda-go/remuda/store"
)

// DefaultMaxStaleness is how old a horizon may be where nothing else is said.
const DefaultMaxStaleness = 2 * time.Second

// Config is what a [Horizon] is made of.
type Config struct {
	Log store.Log // required
	// Now is this node's clock, with the monotonic reading of [time.Now];
	// required. It is not corrected, so that staleness is measured by one clock.
	Now func() time.Time
	// StoreTime is the present time as all nodes agree on it; required. Entries
	// fall off and latency is measured by it.
	StoreTime func() time.Time
	// MaxStaleness is how old the horizon may be; zero means
	// [DefaultMaxStaleness].
	MaxStaleness time.Duration
	// Notify is told of each entry after it has taken effect, in the order of the
	// log; of some twice. It must not block. Nil means nobody.
	Notify func(store.Entry)
}

// Token is what is asked of a token.
type Token struct {
	Session store.ID
	Subject string
	Tenant  string
	Profile string
	Key     string // the id of the key that it was made with
	Started int64  // when its session began, in Unix milliseconds
}

// Horizon is a node's view of the revocation log. Its methods are safe for
// concurrent use.
type Horizon struct {
	cfg Config

	mu      sync.RWMutex
	entries map[store.ID]store.Entry
	asOf    time.Time
}

// New returns a horizon that holds nothing and is infinitely stale. Start it
// with [Horizon.Run].
func New(cfg Config) *Horizon {
	if cfg.MaxStaleness == 0 {
		cfg.MaxStaleness = DefaultMaxStaleness
	}
	return &Horizon{cfg: cfg, entries: map[store.ID]store.Entry{}}
}

// Run follows the log until ctx ends. When the log fails it goes on from where
// it was, as soon as it can.
func (h *Horizon) Run(ctx context.Context) {
	var at store.Cursor
	for ctx.Err() == nil {
		for b, err := range h.cfg.Log.Follow(ctx, at, h.cfg.Now) {
			if err != nil {
				break
			}
			h.Add(b.Entries...)
			at = b.Next
			h.mu.Lock()
			if b.AsOf.After(h.asOf) {
				h.asOf = b.AsOf
			}
			h.mu.Unlock()
		}
	}
}

// Add puts entries into effect that this node has appended itself.
func (h *Horizon) Add(entries ...store.Entry) {
	for _, e := range entries {
		h.mu.Lock()
		h.entries[e.ID] = e
		h.mu.Unlock()
		if h.cfg.Notify != nil {
			h.cfg.Notify(e)
		}
	}
}

// Staleness returns how long ago the view was complete, at an instant of
// Config.Now: by the larger of what the monotonic and the wall clock say, since
// the first stands still while a machine is suspended.
func (h *Horizon) Staleness(now time.Time) time.Duration {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return max(now.Sub(h.asOf), now.Round(0).Sub(h.asOf.Round(0)))
}

// Fresh reports whether the view at an instant of Config.Now is young enough to
// judge by.
func (h *Horizon) Fresh(now time.Time) bool { return h.Staleness(now) <= h.cfg.MaxStaleness }

// Revoked reports whether an entry that is held ends this token. It asks nobody,
// takes no lock and allocates nothing. Whether the view is complete is another
// question: see [Horizon.Fresh].
func (h *Horizon) Revoked(t *Token) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, e := range h.entries {
		if e.Scope == store.ScopeSession && e.Target == string(t.Session[:]) {
			return true
		}
		wide := t.Started < e.Before.UnixMilli() && (e.From.IsZero() || t.Started >= e.From.UnixMilli()) && e.Except != t.Session
		switch {
		case e.Scope == store.ScopeSubject && wide && e.Target == t.Subject && e.Tenant == t.Tenant,
			e.Scope == store.ScopeTenant && wide && e.Target == t.Tenant,
			e.Scope == store.ScopeProfile && wide && e.Target == t.Profile,
			e.Scope == store.ScopeEverything && wide,
			e.Scope == store.ScopeKey && e.Target == t.Key:
			return true
		}
	}
	return false
}

// Stats is what a horizon tells of itself.
type Stats struct {
	Sessions int // entries held for single sessions
	Wide     int // entries held for more
	Bytes    int // of memory that the sessions take
	// Latency counts how long entries of other nodes took from their append to
	// their effect here, by the upper bounds of LatencyBounds, and those beyond.
	Latency    [len(LatencyBounds) + 1]uint64
	LatencySum time.Duration
}

// LatencyBounds are the upper bounds of [Stats].Latency.
var LatencyBounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second,
}

// Stats returns the present figures.
func (h *Horizon) Stats() Stats {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return Stats{Wide: len(h.entries)}
}

// Package revocation keeps what the revocation log says in the memory of a node,
// so that a token can be refused without asking anybody.
//
// A [Horizon] follows a [store.Log] and knows how far it has come: the instant up
// to which its view is complete. As long as that is young enough a token is judged
// by what is held here; after that the caller decides what an outage means.
//
// What is held only refuses, and it never refuses a token that no entry was
// about. It may refuse longer than an entry asked for: an entry past its end
// costs a little memory until a sweep finds it, and concerns no token any more.
package revocation

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/remuda-go/remuda/store"
)

// DefaultMaxStaleness is how old a horizon may be where nothing else is said.
const DefaultMaxStaleness = 2 * time.Second

// addAtOnce is how many entries are applied under one hold of the lock, so that
// [Horizon.Add] waits for microseconds beside a follower that catches up.
const addAtOnce = 128

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
	// log; of those that this node added, twice: in [Horizon.Add], and in their
	// place in the log. Calls come one at a time. It must not block, and must not
	// call Add. Nil means nobody.
	Notify func(store.Entry)
	// OnError is told why following the log was interrupted, each time, and of
	// entries that this version cannot read. [Horizon.Run] and Add call it,
	// sometimes at once; it must not block, and must not call the horizon. Nil
	// means nobody.
	OnError func(error)
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
// concurrent use. One writer at a time holds a lock; [Horizon.Revoked],
// [Horizon.Fresh] and [Horizon.Staleness] take none and never wait.
type Horizon struct {
	cfg      Config
	sessions idSet
	wide     wideSet
	marks    marks

	caughtUp chan struct{} // closed when the view was complete for the first time

	_ [64]byte // readers share no cache line with the locks

	// telling is held during Notify, so that calls come one at a time.
	telling sync.Mutex

	// mu is held by who changes anything; it guards what follows, and makes the
	// holder the one writer of sessions, wide and marks.
	mu       sync.Mutex
	at       store.Cursor
	expiry   expiry
	degraded degraded
	own      recent // entries that came through Add
	followed recent // entries that came through the log
	swept    int    // ticks of the sweep
	read     uint64
	latency  latency
}

// New returns a horizon that holds nothing and is infinitely stale. Start it
// with [Horizon.Run]. It panics if something that is required is missing.
func New(cfg Config) *Horizon {
	if cfg.Log == nil || cfg.Now == nil || cfg.StoreTime == nil {
		panic("revocation: Log, Now and StoreTime are required")
	}
	if cfg.MaxStaleness == 0 {
		cfg.MaxStaleness = DefaultMaxStaleness
	}
	h := &Horizon{cfg: cfg, caughtUp: make(chan struct{})}
	now := cfg.Now()
	h.sessions.init()
	h.wide.init()
	h.marks.init(now)
	h.expiry.seen = now
	h.degraded.last = now
	return h
}

// Revoked reports whether an entry that is held ends this token. It asks nobody,
// takes no lock and allocates nothing. Once Add has returned, or a mark that lies
// behind an entry's Append has been reached, it sees the entry. Whether the view
// is complete is another question: see [Horizon.Fresh].
func (h *Horizon) Revoked(t *Token) bool {
	return h.sessions.has(&t.Session) || h.wide.any() && h.wide.ends(t)
}

// By says what a token for which Revoked has reported true is ended by: the scope
// of an entry and, for those that are wider than a session, before when the sessions
// began that it ends (zero: whenever). What has fallen off since gives the zero scope.
// It asks nobody, takes no lock, and is for telling operators why, not for deciding.
func (h *Horizon) By(t *Token) (store.Scope, time.Time) {
	if h.sessions.has(&t.Session) {
		return store.ScopeSession, time.Time{}
	}
	scope, before := h.wide.by(t)
	if scope == 0 || before == math.MaxInt64 {
		return scope, time.Time{}
	}
	return scope, time.UnixMilli(before).UTC()
}

// Ended reports whether an entry that is held ends this very session. Entries
// wider than a session are not asked: whom they mean depends on more than the id.
// It is safe for concurrent use.
func (h *Horizon) Ended(id store.ID) bool { return h.sessions.has(&id) }

// Add puts entries into effect that this node has appended itself, before it
// returns. They come again from the log, before or after; that changes nothing.
func (h *Horizon) Add(entries ...store.Entry) {
	for len(entries) > 0 {
		n := min(len(entries), addAtOnce)
		h.mu.Lock()
		for i := range entries[:n] {
			h.apply(&entries[i], h.followed.has(entries[i].ID))
			h.own.add(entries[i].ID)
		}
		h.mu.Unlock()
		h.tell(entries[:n])
		entries = entries[n:]
	}
}

// apply puts one entry into effect. One that was seen before refuses as it did,
// and no longer: what settled it may have come between.
func (h *Horizon) apply(e *store.Entry, seen bool) {
	switch e.Scope {
	case store.ScopeSession:
		h.applySession(e, seen)
	case store.ScopeSubject, store.ScopeTenant, store.ScopeProfile, store.ScopeKey, store.ScopeEverything:
		if until := seconds(e.Until); !expired(until, h.expiry.now) {
			h.wide.put(e, until)
		}
	case store.ScopeChanged: // ends nothing
	case store.ScopeSettled:
		h.settle(e)
	default:
		h.complain(fmt.Errorf("revocation: entry %v has the unknown scope %d: it has no effect here", e.ID, e.Scope))
	}
}

func (h *Horizon) applySession(e *store.Entry, seen bool) {
	if len(e.Target) != len(store.ID{}) {
		h.complain(fmt.Errorf("revocation: entry %v names a session by %d bytes: it has no effect here", e.ID, len(e.Target)))
		return
	}
	id, until := store.ID([]byte(e.Target)), seconds(e.Until)
	if !expired(until, h.expiry.now) {
		h.sessions.put(&id, until, !seen, h.expiry.now)
	}
}

// settle shortens the time for which the entries need be kept that are meant.
func (h *Horizon) settle(e *store.Entry) {
	until := seconds(e.Until)
	for rest := e.Target; len(rest) >= len(store.ID{}); rest = rest[len(store.ID{}):] {
		id := store.ID([]byte(rest[:len(store.ID{})]))
		if !h.sessions.shorten(&id, until) {
			h.wide.settle(&id, until)
		}
	}
}

// tell tells Notify.
func (h *Horizon) tell(entries []store.Entry) {
	if h.cfg.Notify == nil {
		return
	}
	h.telling.Lock()
	defer h.telling.Unlock()
	for i := range entries {
		h.cfg.Notify(entries[i])
	}
}

// complain tells OnError.
func (h *Horizon) complain(err error) {
	if h.cfg.OnError != nil {
		h.cfg.OnError(err)
	}
}

// CaughtUp returns a channel that is closed once the view has been complete for
// the first time. A node that judges tokens before that knows nothing: it is not
// ready. [Stats].Read tells how far it has come.
func (h *Horizon) CaughtUp() <-chan struct{} { return h.caughtUp }

// Ready reports whether CaughtUp is closed.
func (h *Horizon) Ready() bool {
	select {
	case <-h.caughtUp:
		return true
	default:
		return false
	}
}

// Staleness returns how long ago the view was complete, at an instant of
// Config.Now: by the larger of what the monotonic and the wall clock say, since
// the first stands still while a machine is suspended and the second can be set
// back. It is [math.MaxInt64] before the view is complete for the first time.
func (h *Horizon) Staleness(now time.Time) time.Duration { return max(0, h.marks.age(now)) }

// Fresh reports whether the view at an instant of Config.Now is young enough to
// judge by. The instant is when the decision began: a process that was paused
// since then decides as of then, and the next request sees that time has passed.
func (h *Horizon) Fresh(now time.Time) bool { return h.marks.age(now) <= h.cfg.MaxStaleness }

// Run follows the log until ctx ends. When the log fails, or is silent for too
// long, it goes on from where it was, as soon as it can. Meanwhile it lets entries
// fall off that nobody needs. It must not run twice at once.
func (h *Horizon) Run(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	var sweeping sync.WaitGroup
	sweeping.Go(func() { h.keepSweeping(ctx) })
	h.keepFollowing(ctx)
	stop()
	sweeping.Wait()
}

package remuda

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
)

// EndedError is why a bound context ended with its session. It unwraps to
// [ErrSessionEnded].
type EndedError struct {
	Reason EndReason
}

// Error implements error.
func (e *EndedError) Error() string { return "remuda: session ended: " + string(e.Reason) }

// Unwrap returns [ErrSessionEnded].
func (e *EndedError) Unwrap() error { return ErrSessionEnded }

const (
	// bindEvery is how often deadlines of bound contexts are looked at, and
	// records where nothing else tells that they ended.
	bindEvery = time.Second
	// reviewBound is how long one look at all of them may take.
	reviewBound = 5 * time.Second
	// reviewers is how many are looked at at once: one record that cannot be read
	// does not keep the others waiting.
	reviewers = 8
)

// bindings are the contexts that end with their sessions.
type bindings struct {
	mu       sync.Mutex
	sessions map[SessionID]map[*binding]struct{}
	watched  bool // a goroutine looks at them
}

// binding is one bound context.
type binding struct {
	p       *profile
	session Session // a copy
	cancel  context.CancelCauseFunc
	due     atomic.Int64 // when its deadlines are to be looked at, in Unix microseconds
	missed  atomic.Bool  // the log was not heard: what it said may be gone when it is
}

// Bind returns a context that ends when the session does, for what outlives a
// request: a WebSocket, an event stream. [context.Cause] says why: an
// [*EndedError], [ErrSessionExpired], or [ErrUnavailable] where the revocation
// log is not heard and the outage policy is OutageDeny, or the store cannot be
// asked within five seconds. It does not end when tokens rotate or expire. The
// deadlines are those of the session, looked at once a second; an open connection
// is no sign of activity.
//
// With liveness LiveLog it ends as soon as this node hears of the end, with
// LiveStore within a second, and with LiveExpiry only at the session's own
// deadlines or if End was called on this manager. A key that is compromised ends
// those whose token it made, within a second of this node refusing the key.
//
// The session must come from [Manager.Authenticate]. Call stop when the
// connection is closed. Bind returns [ErrSessionEnded], [ErrSessionExpired],
// [ErrTokenInvalid] or [ErrUnavailable] if there is nothing left to bind to.
func (m *Manager) Bind(ctx context.Context, s *Session) (bound context.Context, stop context.CancelFunc, err error) {
	p := m.profiles[s.Profile]
	if p == nil {
		return nil, nil, ErrTokenInvalid
	}
	bound, cancel := context.WithCancelCause(ctx)
	b := &binding{p: p, session: *s, cancel: cancel}
	if m.bindings.add(b) { // before looking, so that an end in between is not missed
		m.background.Go(m.watchBindings)
	}
	stop = func() {
		m.bindings.remove(b)
		cancel(context.Canceled)
	}
	if err := m.review(ctx, b, true); err != nil {
		stop()
		return nil, nil, err
	}
	return bound, stop, nil
}

// add adds a context, and reports whether somebody must begin to watch.
func (bs *bindings) add(b *binding) (watch bool) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	if bs.sessions == nil {
		bs.sessions = map[SessionID]map[*binding]struct{}{}
	}
	of := bs.sessions[b.session.ID]
	if of == nil {
		of = map[*binding]struct{}{}
		bs.sessions[b.session.ID] = of
	}
	of[b] = struct{}{}
	watch = !bs.watched
	bs.watched = true
	return watch
}

func (bs *bindings) remove(b *binding) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	of := bs.sessions[b.session.ID]
	delete(of, b)
	if len(of) == 0 {
		delete(bs.sessions, b.session.ID)
	}
}

// end ends the contexts of one session.
func (bs *bindings) end(id SessionID, reason EndReason) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	for b := range bs.sessions[id] {
		b.cancel(&EndedError{Reason: reason})
	}
	delete(bs.sessions, id)
}

// hear ends the contexts of the sessions that an entry of the log ends.
func (bs *bindings) hear(e *store.Entry) {
	switch e.Scope {
	case store.ScopeSession:
		if len(e.Target) == len(SessionID{}) {
			bs.end(SessionID([]byte(e.Target)), EndReason(e.Reason))
		}
	case store.ScopeSubject, store.ScopeTenant, store.ScopeProfile, store.ScopeEverything:
		bs.mu.Lock()
		defer bs.mu.Unlock()
		bs.endThose(EndReason(e.Reason), func(s *Session) bool {
			t, actor := s.token(""), s.actorToken("")
			return covers(e, &t) || s.Acting() && covers(e, &actor)
		})
	case store.ScopeKey, store.ScopeChanged, store.ScopeSettled:
	}
}

// endKey ends the contexts of tokens that a key has made.
func (bs *bindings) endKey(key string) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	bs.endThose(EndKeyCompromised, func(s *Session) bool { return s.KeyID == key })
}

// endThose ends the contexts of some sessions. The caller holds the lock.
func (bs *bindings) endThose(reason EndReason, ends func(*Session) bool) {
	for id, of := range bs.sessions {
		for b := range of {
			if ends(&b.session) {
				b.cancel(&EndedError{Reason: reason})
				delete(of, b)
			}
		}
		if len(of) == 0 {
			delete(bs.sessions, id)
		}
	}
}

// all returns all contexts. If there are none, nobody watches from now on.
func (bs *bindings) all() []*binding {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	bs.watched = len(bs.sessions) > 0
	var list []*binding
	for _, of := range bs.sessions {
		for b := range of {
			list = append(list, b)
		}
	}
	return list
}

// watchBindings looks at all bound contexts until none is left or the manager is
// closed.
func (m *Manager) watchBindings() {
	tick := time.NewTicker(bindEvery)
	defer tick.Stop()
	for {
		select {
		case <-m.running.Done():
			return
		case <-tick.C:
			list := m.bindings.all()
			if list == nil {
				return
			}
			for _, key := range m.ring.List() {
				if key.State == keyring.Compromised {
					m.bindings.endKey(key.ID)
				}
			}
			m.reviewAll(list)
		}
	}
}

// reviewAll looks at bound contexts, and ends those of sessions that do not live.
func (m *Manager) reviewAll(list []*binding) {
	ctx, cancel := context.WithTimeout(m.running, reviewBound)
	defer cancel()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(reviewers, len(list)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(list)); i = next.Add(1) - 1 {
				if err := m.review(ctx, list[i], false); err != nil {
					m.bindings.remove(list[i])
					list[i].cancel(err)
				}
			}
		})
	}
	wg.Wait()
}

// review decides whether a bound session still lives. It reads the record at
// first, when a deadline has come, and whenever nothing else would tell.
func (m *Manager) review(ctx context.Context, b *binding, first bool) error {
	own := m.clock.own()
	now := m.clock.at(own)
	ask := first || now.UnixMicro() >= b.due.Load()
	switch b.p.Liveness {
	case LiveStore:
		ask = true
	case LiveLog:
		t := b.session.token("")
		fresh := m.revoked.horizon.Fresh(own)
		switch {
		case m.revoked.horizon.Revoked(&t):
			return &EndedError{Reason: EndRevoked}
		case fresh:
			ask = ask || b.missed.Swap(false)
		case b.p.Outage == OutageServe:
			b.missed.Store(true)
		case b.p.Outage == OutageDeny:
			return ErrUnavailable
		default:
			if err := m.renewKeys(ctx); err != nil {
				return err
			}
			if err := m.cutOff(ctx, &t, now); err != nil {
				return err
			}
			ask = true
		}
	case LiveExpiry:
	}
	if b.p.Recordless {
		if !now.Before(b.p.ends(b.session.StartedAt)) {
			return ErrSessionExpired
		}
		return nil
	}
	if !ask {
		return nil
	}
	return m.reread(ctx, b)
}

// reread looks at the record of a bound session.
func (m *Manager) reread(ctx context.Context, b *binding) error {
	row, err := m.store.Get(ctx, b.session.ID)
	if errors.Is(err, store.ErrNotFound) {
		return ErrSessionEnded
	}
	if err != nil {
		return unavailable(err)
	}
	st := columns(&row)
	if row.Ended() {
		if err := st.endedError(m.clock.now()); !errors.Is(err, ErrSessionEnded) {
			return err
		}
		return &EndedError{Reason: st.EndReason}
	}
	if _, over := st.expired(m.clock.now()); over {
		return ErrSessionExpired
	}
	if _, err := openRecord(&row, m.ring); err != nil {
		return openFailed(err)
	}
	if err := m.checkActor(ctx, &b.session, "", m.clock.now()); err != nil {
		return err
	}
	b.due.Store(earlier(st.Expires, st.IdleExpires).UnixMicro())
	return nil
}

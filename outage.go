package remuda

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/store"
)

// alive decides whether the session of a good access token lives, by the
// profile's liveness. It returns the record if it read one.
func (m *Manager) alive(ctx context.Context, p *profile, s *Session, key string, outage OutagePolicy, own, now time.Time) (*store.Record, error) {
	switch p.Liveness {
	case LiveExpiry:
		m.counters.count(DecisionAccepted, s.ID)
		return nil, nil
	case LiveStore:
		row, err := m.live(ctx, p, s, now)
		if err == nil {
			err = m.checkActor(ctx, s, key, now)
		}
		if err == nil {
			m.counters.count(DecisionLookedUp, s.ID)
		}
		return row, err
	case LiveLog:
	}
	// First how far the view has come, then what is in it: what is in it may only
	// have grown meanwhile.
	fresh := m.revoked.horizon.Fresh(own)
	t := s.token(key)
	if m.revoked.horizon.Revoked(&t) {
		return nil, m.logEntry(&t, own)
	}
	if err := m.actorRevoked(s, key, own); err != nil {
		return nil, err
	}
	if fresh {
		m.counters.count(DecisionAccepted, s.ID)
		return nil, nil
	}
	if outage == 0 {
		outage = p.Outage
	}
	return m.degraded(ctx, p, s, &t, outage, own)
}

// degraded decides while the log is cut.
func (m *Manager) degraded(ctx context.Context, p *profile, s *Session, t *revocation.Token, outage OutagePolicy, own time.Time) (*store.Record, error) {
	switch {
	case outage == OutageServe:
		m.counters.count(DecisionServed, s.ID)
		return nil, nil
	case outage == OutageCheck && !p.Recordless:
		row, err := m.lookups.get(ctx, p, s, t)
		if err == nil {
			err = m.checkActor(ctx, s, t.Key, m.clock.now())
		}
		if err != nil {
			return nil, also(err, m.unheard(outage, own)...)
		}
		m.counters.count(DecisionChecked, s.ID)
		return row, nil
	default:
		m.counters.count(DecisionDenied, s.ID)
		return nil, refuse(fmt.Errorf("%w: the revocation log has not been heard from", ErrUnavailable), ReasonLogStale, m.unheard(outage, own)...)
	}
}

// lookups reads records while the log is cut. Of many requests of one session at
// once one asks the store; not too many ask at once; and what has ended is
// remembered for a while. So an outage of the log does not become one of the
// store.
type lookups struct {
	m     *Manager
	ended *otter.Cache[SessionID, error]
	slots chan struct{}
	turns gate // one look at a session at a time

	mu    sync.Mutex
	looks map[SessionID]*look
}

// look is one look into the store, for all who wait for it.
type look struct {
	done chan struct{}
	row  *store.Record
	err  error
}

const (
	endedKept     = 10_000
	endedFor      = 5 * time.Second // ended sessions do not come back
	lookupsAtOnce = 64
	lookupTimeout = 10 * time.Second
)

func newLookups(m *Manager) *lookups {
	return &lookups{
		m: m,
		ended: otter.Must(&otter.Options[SessionID, error]{
			MaximumSize: endedKept, ExpiryCalculator: otter.ExpiryWriting[SessionID, error](endedFor),
		}),
		slots: make(chan struct{}, lookupsAtOnce),
		looks: map[SessionID]*look{},
	}
}

// close stops what the cache runs.
func (l *lookups) close() { l.ended.StopAllGoroutines() }

// get returns the record of a session that lives, and that no wide ending covers
// whose tombstones are still being written. The key that made the token lives too:
// that is asked for each, since a session may have tokens by several.
func (l *lookups) get(ctx context.Context, p *profile, s *Session, t *revocation.Token) (*store.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	if err := l.m.checkKey(ctx, t.Key); err != nil {
		return nil, err
	}
	if err, ok := l.ended.GetIfPresent(s.ID); ok {
		return nil, err
	}
	l.mu.Lock()
	f := l.looks[s.ID]
	if f == nil {
		f = &look{done: make(chan struct{})}
		l.looks[s.ID] = f
		// It goes on when the request that began it is gone: others wait for it.
		go l.look(context.WithoutCancel(ctx), f, p, s, *t)
	}
	l.mu.Unlock()
	select {
	case <-f.done:
		return f.row, f.err
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	}
}

func (l *lookups) look(ctx context.Context, f *look, p *profile, s *Session, t revocation.Token) {
	defer close(f.done)
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	leave, err := l.enter(ctx, s.ID)
	l.mu.Lock()
	delete(l.looks, s.ID) // who comes from here on waits for the next look
	l.mu.Unlock()
	if err != nil {
		f.err = err
		return
	}
	defer leave()
	now := l.m.clock.now()
	f.row, f.err = l.m.live(ctx, p, s, now)
	if f.err == nil {
		f.err = l.m.cutOff(ctx, &t, now)
	}
	if f.err != nil && !errors.Is(f.err, ErrUnavailable) {
		_, _ = l.ended.Set(s.ID, f.err) // what was there is of no interest
	}
}

// enter waits for one of the places, and for the session's turn.
func (l *lookups) enter(ctx context.Context, id SessionID) (leave func(), err error) {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	}
	done, err := l.turns.enter(ctx, id)
	if err != nil {
		<-l.slots
		return nil, err
	}
	return func() { done(); <-l.slots }, nil
}

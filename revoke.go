package remuda

import (
	"context"
	cryptorand "crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/store"
)

// revoker is the manager's end of the revocation log: it says what has ended,
// and hears what others have said.
type revoker struct {
	log       store.Log
	horizon   *revocation.Horizon
	clock     *clock
	staleness time.Duration // Config.MaxStaleness
	access    time.Duration // for how long a token issued now can live at most
	settled   settler
	listeners listeners
	wide      unsettled
	stop      context.CancelFunc
	done      sync.WaitGroup
}

// settleEvery is how often the log is told which sessions have their tombstones.
const settleEvery = time.Second

// newRevoker starts to follow the log of a store, or returns nil where no profile
// needs it.
func newRevoker(ctx context.Context, cfg *Config, clk *clock) *revoker {
	log, ok := cfg.Store.(store.Log)
	if !ok || !usesLog(cfg.Profiles) {
		return nil
	}
	v := &revoker{log: log, clock: clk, staleness: cfg.MaxStaleness, access: longestAccess(cfg.Profiles) + cfg.Leeway + cfg.MaxStaleness}
	v.horizon = revocation.New(revocation.Config{
		Log: log, Now: clk.own, StoreTime: clk.now, MaxStaleness: cfg.MaxStaleness, Notify: v.notify,
	})
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	v.stop = stop
	v.done.Go(func() { v.horizon.Run(run) })
	v.done.Go(func() { v.settle(run) })
	return v
}

func usesLog(profiles []Profile) bool {
	for i := range profiles {
		if profiles[i].Liveness == LiveLog {
			return true
		}
	}
	return false
}

// longestAccess is for how long a token that is judged without a record can be
// good.
func longestAccess(profiles []Profile) time.Duration {
	var longest time.Duration
	for i := range profiles {
		longest = max(longest, profiles[i].Access, profiles[i].tokenLife())
	}
	return longest
}

// close stops following, after what is pending was written.
func (v *revoker) close(ctx context.Context) {
	v.stop()
	v.done.Wait()
	v.flushSettled(ctx)
}

// announce appends entries and puts them into effect on this node.
func (v *revoker) announce(ctx context.Context, entries ...store.Entry) error {
	if err := v.log.Append(ctx, entries...); err != nil {
		return unavailable(err)
	}
	v.horizon.Add(entries...)
	return nil
}

// sessionEntry says that one session has ended. Until its tombstone is written it
// has to stand for as long as the session could have lived.
func (v *revoker) sessionEntry(id SessionID, reason EndReason, now, until time.Time) store.Entry {
	return store.Entry{ID: newEntryID(), Scope: store.ScopeSession, Target: string(id[:]), Until: until, At: now, Reason: string(reason)}
}

func newEntryID() store.ID {
	var id store.ID
	_, _ = cryptorand.Read(id[:]) // never fails: crypto/rand ends the program instead
	return id
}

// notify hears of an entry after it has taken effect. It does not block.
func (v *revoker) notify(e store.Entry) {
	v.wide.note(&e)
	v.listeners.tell(&e)
}

// settler collects the sessions whose tombstones are written, and wider entries
// of which that is true of all sessions: their entries need be kept only until
// the tokens issued before have expired.
type settler struct {
	mu  sync.Mutex
	ids []store.ID
}

// tombstoned notes that an id is settled.
func (v *revoker) tombstoned(id store.ID) {
	v.settled.mu.Lock()
	defer v.settled.mu.Unlock()
	v.settled.ids = append(v.settled.ids, id)
}

func (v *revoker) settle(ctx context.Context) {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			v.flushSettled(ctx)
		}
	}
}

// flushSettled tells the log. What it cannot tell now it tells later; all that is
// lost by a crash is that entries are kept for longer.
func (v *revoker) flushSettled(ctx context.Context) {
	v.settled.mu.Lock()
	ids := v.settled.ids
	v.settled.ids = nil
	v.settled.mu.Unlock()
	for len(ids) > 0 {
		part := ids[:min(len(ids), store.MaxSettled)]
		target := make([]byte, 0, len(part)*len(store.ID{}))
		for _, id := range part {
			target = append(target, id[:]...)
		}
		now := v.clock.now()
		err := v.announce(ctx, store.Entry{
			ID: newEntryID(), Scope: store.ScopeSettled, Target: string(target), Until: now.Add(v.access), At: now,
		})
		if err != nil {
			v.settled.mu.Lock()
			v.settled.ids = append(v.settled.ids, ids...)
			v.settled.mu.Unlock()
			return
		}
		ids = ids[len(part):]
	}
}

// listeners are told of entries.
type listeners struct {
	mu   sync.RWMutex
	list map[int]func(*store.Entry)
	next int
}

// add registers a listener, and returns what removes it.
func (l *listeners) add(f func(*store.Entry)) (remove func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.list == nil {
		l.list = map[int]func(*store.Entry){}
	}
	n := l.next
	l.next++
	l.list[n] = f
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.list, n)
	}
}

func (l *listeners) tell(e *store.Entry) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, f := range l.list {
		f(e)
	}
}

// token is what the horizon is asked about a session.
func (s *Session) token(key string) revocation.Token {
	return revocation.Token{
		Session: s.ID, Subject: s.Subject, Tenant: s.Tenant, Profile: s.Profile,
		Key: key, Started: s.StartedAt.UnixMilli(),
	}
}

// token is the same of a record.
func (r *record) token(key string) revocation.Token {
	return revocation.Token{
		Session: r.ID, Subject: r.Subject, Tenant: r.Tenant, Profile: r.Profile,
		Key: key, Started: r.StartedAt.UnixMilli(),
	}
}

// covers reports whether a wide entry ends a session: the same that the horizon
// decides for all entries that it holds.
func covers(e *store.Entry, t *revocation.Token) bool {
	if t.Session == e.Except || t.Started >= e.Before.UnixMilli() || !e.From.IsZero() && t.Started < e.From.UnixMilli() {
		return false
	}
	switch e.Scope {
	case store.ScopeSubject:
		return e.Target == t.Subject && e.Tenant == t.Tenant
	case store.ScopeTenant:
		return e.Target == t.Tenant
	case store.ScopeProfile:
		return e.Target == t.Profile
	case store.ScopeEverything:
		return true
	default:
		return false
	}
}

// startedAt rounds up to the millisecond, the grain in which tokens carry when
// their session began and in which wide endings compare it.
func startedAt(now time.Time) time.Time {
	t := now.Truncate(time.Millisecond)
	if t.Before(now) {
		t = t.Add(time.Millisecond)
	}
	return t
}

// counters count decisions. They are spread over several cache lines, so that
// counting does not make the cores wait for each other.
type counters struct {
	stripes [8]struct {
		n [decisions]atomic.Uint64
		_ [64]byte
	}
}

func (c *counters) count(d Decision, id SessionID) { c.stripes[id[0]%8].n[d].Add(1) }

func (c *counters) total(d Decision) uint64 {
	var sum uint64
	for i := range c.stripes {
		sum += c.stripes[i].n[d].Load()
	}
	return sum
}

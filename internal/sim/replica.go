package sim

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

// replica is a store that can fail over to a copy which lacks the last second.
// Each session lies in a memstore of its own, so that one can be set back.
type replica struct {
	now     func() time.Time
	keep    bool // the past, for failovers
	mu      sync.Mutex
	records map[store.ID]*memstore.Store
	past    map[store.ID][]version
}

// version is what a record was until an instant.
type version struct {
	until time.Time
	row   store.Record
}

func newReplica(now func() time.Time, keep bool) *replica {
	return &replica{now: now, keep: keep, records: map[store.ID]*memstore.Store{}, past: map[store.ID][]version{}}
}

func (r *replica) create(ctx context.Context, row store.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.put(ctx, row)
}

func (r *replica) put(ctx context.Context, row store.Record) error {
	s := memstore.New()
	r.records[row.ID] = s
	return s.Create(ctx, row)
}

func (r *replica) get(ctx context.Context, id store.ID) (store.Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.records[id]
	if s == nil {
		return store.Record{}, store.ErrNotFound
	}
	return s.Get(ctx, id)
}

func (r *replica) update(ctx context.Context, row store.Record, was store.Version) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.records[row.ID]
	if s == nil {
		return store.ErrNotFound
	}
	r.remember(ctx, row.ID)
	return s.Update(ctx, row, was)
}

func (r *replica) touch(ctx context.Context, batch []store.Touch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range batch {
		s := r.records[t.ID]
		if s == nil {
			continue
		}
		r.remember(ctx, t.ID)
		if err := s.Touch(ctx, []store.Touch{t}); err != nil {
			return err
		}
	}
	return nil
}

// remember notes what a record is before it changes. It holds r.mu.
func (r *replica) remember(ctx context.Context, id store.ID) {
	if !r.keep {
		return
	}
	row, err := r.records[id].Get(ctx, id)
	if err != nil {
		return
	}
	now := r.now()
	r.past[id] = append(recent(r.past[id], now), version{until: now, row: row})
}

// recent drops what no failover can bring back.
func recent(past []version, now time.Time) []version {
	for len(past) > 0 && now.Sub(past[0].until) > rollback {
		past = past[1:]
	}
	return past
}

// failover sets a session back to what it was a second ago.
func (r *replica) failover(ctx context.Context, id store.ID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	past := recent(r.past[id], r.now())
	delete(r.past, id)
	if len(past) == 0 {
		return nil
	}
	return r.put(ctx, past[0].row)
}

// link is one node's connection to the replica. Cut, it carries nothing more:
// what a crashed node still wanted to write is lost.
type link struct {
	*replica
	cut atomic.Bool
}

var (
	_ store.Store = (*link)(nil)
	_ store.Clock = clocked{}

	errCut = errors.New("sim: the node has crashed")
)

func (l *link) Create(ctx context.Context, row store.Record) error {
	if l.cut.Load() {
		return errCut
	}
	return l.create(ctx, row)
}

func (l *link) Get(ctx context.Context, id store.ID) (store.Record, error) {
	if l.cut.Load() {
		return store.Record{}, errCut
	}
	return l.get(ctx, id)
}

func (l *link) Update(ctx context.Context, row store.Record, was store.Version) error {
	if l.cut.Load() {
		return errCut
	}
	return l.update(ctx, row, was)
}

func (l *link) Touch(ctx context.Context, batch []store.Touch) error {
	if l.cut.Load() {
		return errCut
	}
	return l.touch(ctx, batch)
}

// List yields nothing: here every session has a subject of its own, and no cap.
func (l *link) List(context.Context, store.Owner, store.ID) iter.Seq2[store.Record, error] {
	return func(func(store.Record, error) bool) {}
}

// Scan implements [store.Store].
func (l *link) Scan(context.Context, store.ID) iter.Seq2[store.Record, error] {
	return func(func(store.Record, error) bool) {}
}

func (l *link) Sweep(context.Context, time.Time, int) (int, error) { return 0, nil }

func (l *link) Ping(context.Context) error { return nil }

func (l *link) Close() error { return nil }

// clocked is a link to a store that also tells the time.
type clocked struct{ *link }

// Time implements [store.Clock].
func (c clocked) Time(context.Context) (time.Time, error) { return c.now(), nil }

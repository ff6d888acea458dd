package compare

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remuda-go/remuda/store"
)

// errCut is what a store or a log answers that is cut off.
var errCut = errors.New("compare: cut off")

// backend is what a node needs of a store.
type backend interface {
	store.Store
	store.Items
	store.Log
}

// meter is a node's way to the store. It counts what goes there, and can be cut:
// the log, and everything else, each for itself.
type meter struct {
	backend
	lookups          atomic.Int64
	cutStore, cutLog atomic.Bool

	mu      sync.Mutex
	written Written
}

// Written is what was written into a store.
type Written struct {
	Rows    int // records, new or changed
	Items   int
	Entries int // of the revocation log
	Bytes   int // all of them together, without what a database adds
}

// take returns what was written since it was last called.
func (m *meter) take() Written {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.written
	m.written = Written{}
	return w
}

func (m *meter) wrote(w Written) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written.Rows += w.Rows
	m.written.Items += w.Items
	m.written.Entries += w.Entries
	m.written.Bytes += w.Bytes
}

func (m *meter) reach() error {
	if m.cutStore.Load() {
		return errCut
	}
	return nil
}

func (m *meter) look() error {
	m.lookups.Add(1)
	return m.reach()
}

func (m *meter) Get(ctx context.Context, id store.ID) (store.Record, error) {
	if err := m.look(); err != nil {
		return store.Record{}, err
	}
	return m.backend.Get(ctx, id)
}

func (m *meter) List(ctx context.Context, o store.Owner, after store.ID) iter.Seq2[store.Record, error] {
	if err := m.look(); err != nil {
		return failing[store.Record](err)
	}
	return m.backend.List(ctx, o, after)
}

func (m *meter) Scan(ctx context.Context, after store.ID) iter.Seq2[store.Record, error] {
	if err := m.look(); err != nil {
		return failing[store.Record](err)
	}
	return m.backend.Scan(ctx, after)
}

func (m *meter) GetItem(ctx context.Context, kind, key string, now time.Time) (store.Item, error) {
	if err := m.look(); err != nil {
		return store.Item{}, err
	}
	return m.backend.GetItem(ctx, kind, key, now)
}

func (m *meter) Create(ctx context.Context, r store.Record) error {
	if err := m.reach(); err != nil {
		return err
	}
	m.wrote(Written{Rows: 1, Bytes: size(&r)})
	return m.backend.Create(ctx, r)
}

func (m *meter) Update(ctx context.Context, r store.Record, was store.Version) error {
	if err := m.reach(); err != nil {
		return err
	}
	m.wrote(Written{Rows: 1, Bytes: size(&r)})
	return m.backend.Update(ctx, r, was)
}

func (m *meter) Touch(ctx context.Context, batch []store.Touch) error {
	if err := m.reach(); err != nil {
		return err
	}
	return m.backend.Touch(ctx, batch)
}

func (m *meter) CreateItem(ctx context.Context, kind, key string, it store.Item, now time.Time) error {
	if err := m.reach(); err != nil {
		return err
	}
	m.wrote(Written{Items: 1, Bytes: len(kind) + len(key) + len(it.Value)})
	return m.backend.CreateItem(ctx, kind, key, it, now)
}

func (m *meter) SwapItem(ctx context.Context, kind, key string, it store.Item, was store.Version, now time.Time) error {
	if err := m.reach(); err != nil {
		return err
	}
	m.wrote(Written{Items: 1, Bytes: len(kind) + len(key) + len(it.Value)})
	return m.backend.SwapItem(ctx, kind, key, it, was, now)
}

func (m *meter) Append(ctx context.Context, entries ...store.Entry) error {
	if m.cutLog.Load() {
		return errCut
	}
	w := Written{Entries: len(entries)}
	for i := range entries {
		e := &entries[i]
		w.Bytes += 2*len(store.ID{}) + 4*instantSize + len(e.Target) + len(e.Tenant) + len(e.Reason) + 1
	}
	m.wrote(w)
	return m.backend.Append(ctx, entries...)
}

func (m *meter) Follow(ctx context.Context, after store.Cursor, now func() time.Time) iter.Seq2[store.Batch, error] {
	return func(yield func(store.Batch, error) bool) {
		for b, err := range m.backend.Follow(ctx, after, now) {
			if err == nil && m.cutLog.Load() {
				yield(store.Batch{}, errCut)
				return
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

// instantSize is how many bytes an instant takes.
const instantSize = 8

// size is how many bytes a record has.
func size(r *store.Record) int {
	return len(r.ID) + len(r.Version) + len(r.Subject) + len(r.Tenant) + len(r.Profile) + len(r.EndReason) + len(r.Blob) +
		5*instantSize + 5 // the generation, and whether it was seen
}

func failing[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}

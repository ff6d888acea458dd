package memstore

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/remuda-go/remuda/store"
)

// logPage is how many entries a follower copies under one hold of the lock.
const logPage = 1000

// beat is how long a follower waits for news. It is shorter than the contract
// asks for, so that a timer that fires late does not break it.
const beat = store.Heartbeat / 2

// revocations is the log: its entries in order, and an index for those that
// settle others. The store's lock guards it.
type revocations struct {
	last    uint64 // the number of the newest entry there ever was
	entries []logged
	about   map[store.ID][]uint64 // see key; the numbers of the entries, ascending
	changed chan struct{}         // closed at the next change
}

func newRevocations() revocations {
	return revocations{about: make(map[store.ID][]uint64), changed: make(chan struct{})}
}

// logged is an entry as it is kept: the instants in microseconds, which takes a
// third of the room.
type logged struct {
	seq                     uint64
	id, except              store.ID
	target, tenant, reason  string
	from, before, until, at int64
	scope                   store.Scope
}

// Append implements [store.Log].
func (s *Store) Append(ctx context.Context, entries ...store.Entry) error {
	for i := range entries {
		if err := entries[i].Check(); err != nil {
			return fmt.Errorf("memstore: append: %w", err)
		}
	}
	return s.write(ctx, func() error {
		for i := range entries {
			s.log.add(entries[i])
		}
		s.log.announce()
		return nil
	})
}

// Follow implements [store.Log].
func (s *Store) Follow(ctx context.Context, after store.Cursor, now func() time.Time) iter.Seq2[store.Batch, error] {
	return func(yield func(store.Batch, error) bool) {
		wait := time.NewTimer(beat)
		defer wait.Stop()
		at, err := s.start(ctx, after)
		var marked time.Time
		for err == nil {
			asOf := now() // before the log is looked at
			var entries []store.Entry
			var changed <-chan struct{}
			if entries, at, changed, err = s.behind(ctx, at); err != nil {
				break
			}
			more := len(entries) == logPage // there may be
			b := store.Batch{Entries: entries, Next: store.Cursor(strconv.FormatUint(at, 10))}
			if !more && !asOf.Before(marked) { // a clock that was set back says nothing until it has caught up
				b.AsOf, marked = asOf, asOf
			}
			if !yield(b, nil) {
				return
			}
			if more {
				continue
			}
			wait.Reset(beat)
			select {
			case <-changed:
			case <-wait.C:
			case <-ctx.Done():
			}
		}
		yield(store.Batch{}, err)
	}
}

// start reads a cursor. One that lies ahead of the log is from another.
func (s *Store) start(ctx context.Context, after store.Cursor) (uint64, error) {
	if after == "" {
		return 0, nil
	}
	at, err := strconv.ParseUint(string(after), 10, 64)
	if err != nil || strconv.FormatUint(at, 10) != string(after) {
		return 0, fmt.Errorf("memstore: follow: %w: %q", store.ErrCursor, string(after))
	}
	err = s.read(ctx, func() error {
		if at > s.log.last {
			return fmt.Errorf("memstore: follow: %w: it ends at %d", store.ErrCursor, s.log.last)
		}
		return nil
	})
	return at, err
}

// behind copies the entries that come next, and returns the place behind them
// and what is closed when there are others.
func (s *Store) behind(ctx context.Context, at uint64) (entries []store.Entry, next uint64, changed <-chan struct{}, err error) {
	err = s.read(ctx, func() error {
		entries, next = s.log.page(at)
		changed = s.log.changed
		return nil
	})
	return entries, next, changed, err
}

// Truncate implements [store.Log]. It looks at every entry under the lock, the
// oldest first, until it has found limit of them.
func (s *Store) Truncate(ctx context.Context, before time.Time, limit int) (int, error) {
	n, past := 0, micros(before)
	err := s.write(ctx, func() error {
		s.log.entries = slices.DeleteFunc(s.log.entries, func(l logged) bool {
			if n >= limit || l.until >= past {
				return false
			}
			n++
			s.log.forget(l)
			return true
		})
		s.log.shrink()
		return nil
	})
	return n, err
}

// add puts an entry at the end and, if it settles others, shortens their lives.
func (r *revocations) add(e store.Entry) {
	if e.Scope == store.ScopeSettled {
		r.settle(e)
	}
	r.last++
	l := logged{
		seq: r.last, id: e.ID, except: e.Except, target: e.Target, tenant: e.Tenant, reason: e.Reason,
		from: micros(e.From), before: micros(e.Before), until: micros(e.Until), at: micros(e.At), scope: e.Scope,
	}
	r.entries = append(r.entries, l)
	k := key(l)
	r.about[k] = append(r.about[k], l.seq)
}

// settle shortens Until of the entries that e is about.
func (r *revocations) settle(e store.Entry) {
	until := micros(e.Until)
	for ids := e.Target; len(ids) >= len(store.ID{}); ids = ids[len(store.ID{}):] {
		for _, seq := range r.about[store.ID([]byte(ids[:len(store.ID{})]))] {
			l := &r.entries[r.find(seq)]
			l.until = min(l.until, until)
		}
	}
}

// forget takes an entry out of the index.
func (r *revocations) forget(l logged) {
	k := key(l)
	if left := slices.DeleteFunc(r.about[k], func(seq uint64) bool { return seq == l.seq }); len(left) > 0 {
		r.about[k] = left
		return
	}
	delete(r.about, k)
}

// shrink gives memory back after a wave of entries has passed.
func (r *revocations) shrink() {
	if cap(r.entries) < 4*len(r.entries)+logPage {
		return
	}
	r.entries = slices.Clone(r.entries)
	about := make(map[store.ID][]uint64, len(r.about))
	maps.Copy(about, r.about)
	r.about = about
}

// announce wakes the followers.
func (r *revocations) announce() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// page returns the entries after a number, as many as a page has, and the
// number behind them.
func (r *revocations) page(after uint64) ([]store.Entry, uint64) {
	rest, next := r.entries[r.find(after+1):], r.last
	if len(rest) >= logPage {
		rest, next = rest[:logPage], rest[logPage-1].seq
	}
	entries := make([]store.Entry, len(rest))
	for i := range rest {
		entries[i] = rest[i].entry()
	}
	return entries, next
}

// find returns the place of the first entry whose number is seq or higher.
func (r *revocations) find(seq uint64) int {
	i, _ := slices.BinarySearchFunc(r.entries, seq, func(l logged, seq uint64) int { return cmp.Compare(l.seq, seq) })
	return i
}

// key is what an entry of [store.ScopeSettled] calls this one by: the session
// that it ends or, if it is wider, itself.
func key(l logged) store.ID {
	if l.scope == store.ScopeSession {
		return store.ID([]byte(l.target))
	}
	return l.id
}

func (l *logged) entry() store.Entry {
	return store.Entry{
		ID: l.id, Scope: l.scope, Target: l.target, Tenant: l.tenant,
		From: instant(l.from), Before: instant(l.before), Except: l.except,
		Until: instant(l.until), At: instant(l.at), Reason: l.reason,
	}
}

// micros is an instant in microseconds since 1970, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant undoes micros.
func instant(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

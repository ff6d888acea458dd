package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remuda-go/remuda/store"
)

const (
	callers = 8  // goroutines on one record
	rounds  = 15 // successes that each must have
	races   = 40 // fresh records on which two or more operations race
)

// concurrentChecks covers what many callers may rely on.
func concurrentChecks() []check {
	return []check{
		{"of_many_swaps_of_one_version_one_wins", oneWinner},
		{"no_update_is_lost", noLostUpdate},
		{"of_many_creates_of_one_id_one_wins", oneCreate},
		{"an_end_is_never_undone_by_a_swap", endAgainstUpdates},
		{"an_end_is_never_undone_by_a_touch", endAgainstTouches},
		{"no_swap_overwrites_a_touch_unseen", touchAgainstUpdates},
		{"a_version_never_comes_back", versionsNeverRepeat},
		{"reads_never_go_back", readsAreFresh},
		{"a_touch_never_brings_back_a_swept_record", sweepAgainstTouch},
		{"a_record_is_never_seen_half_written", neverTorn},
		{"many_records_at_once", manyAtOnce},
	}
}

// concurrentItemChecks covers the same of items.
func concurrentItemChecks() []check {
	return []check{
		{"of_many_deletes_of_one_item_one_wins", oneDelete},
		{"of_many_creates_of_one_item_one_wins", oneItemCreate},
		{"of_many_creates_over_an_expired_item_one_wins", oneItemRecreate},
		{"no_item_swap_is_lost", noLostSwap},
		{"no_item_merge_is_lost_while_it_comes_and_goes", noLostMerge},
	}
}

// together runs do n times at once and waits. An error fails the check.
func (e *env) together(n int, do func(ctx context.Context, i int) error) {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.Context(), 3*e.patience())
	defer cancel()
	var wg sync.WaitGroup
	start := make(chan struct{})
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = do(ctx, i)
		})
	}
	close(start)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		e.Fatal(err)
	}
}

// winners runs do n times at once and counts the successes; the others must
// fail with lost.
func (e *env) winners(n int, lost error, do func(ctx context.Context, i int) error) int {
	e.Helper()
	var won atomic.Int32
	e.together(n, func(ctx context.Context, i int) error {
		err := do(ctx, i)
		switch {
		case err == nil:
			won.Add(1)
		case !errors.Is(err, lost):
			return fmt.Errorf("a loser got %w, want %w", err, lost)
		}
		return nil
	})
	return int(won.Load())
}

func oneWinner(e *env) {
	r := e.created()
	for range rounds {
		tried := make([]store.Record, callers)
		for i := range tried {
			tried[i] = next(r)
			tried[i].EndReason = fmt.Sprint(i)
		}
		n := e.winners(callers, store.ErrConflict, func(ctx context.Context, i int) error {
			return e.s.Update(ctx, tried[i], r.Version)
		})
		if n != 1 {
			e.Fatalf("%d of %d swaps of one version succeeded, want 1", n, callers)
		}
		r = e.get(r.ID)
	}
}

// increment adds one to the counter in the record's blob by read, decide, swap.
func increment(ctx context.Context, s store.Store, id store.ID) error {
	for {
		r, err := s.Get(ctx, id)
		if err != nil {
			return err
		}
		was := r.Version
		runtime.Gosched() // so that callers meet between the read and the swap
		r.Version = newVersion()
		r.Blob = counter(readCounter(r.Blob) + 1)
		switch err := s.Update(ctx, r, was); {
		case err == nil:
			return nil
		case !errors.Is(err, store.ErrConflict):
			return err
		}
	}
}

func counter(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func readCounter(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func noLostUpdate(e *env) {
	r := e.created()
	e.together(callers, func(ctx context.Context, _ int) error {
		for range rounds {
			if err := increment(ctx, e.s, r.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if got := readCounter(e.get(r.ID).Blob); got != callers*rounds {
		e.Fatalf("%d of %d acknowledged updates are in the record", got, callers*rounds)
	}
}

func oneCreate(e *env) {
	for range rounds {
		r := newRecord()
		tried := make([]store.Record, callers)
		for i := range tried {
			tried[i] = next(r)
		}
		var winner atomic.Int32
		n := e.winners(callers, store.ErrExists, func(ctx context.Context, i int) error {
			err := e.s.Create(ctx, tried[i])
			if err == nil {
				winner.Store(int32(i))
			}
			return err
		})
		if n != 1 {
			e.Fatalf("%d creates of one id succeeded, want 1", n)
		}
		e.holds(tried[winner.Load()])
	}
}

// swap reads the record and swaps in what change makes of it, until it wins or
// the record has ended; then it reports false.
func swap(ctx context.Context, s store.Store, id store.ID, change func(r *store.Record)) (bool, error) {
	for {
		r, err := s.Get(ctx, id)
		if err != nil {
			return false, err
		}
		if r.Ended() {
			return false, nil
		}
		was := r.Version
		runtime.Gosched() // so that callers meet between the read and the swap
		r.Version = newVersion()
		change(&r)
		switch err := s.Update(ctx, r, was); {
		case err == nil:
			return true, nil
		case !errors.Is(err, store.ErrConflict):
			return false, err
		}
	}
}

// endRacing ends fresh records while others run, and checks that the tombstone
// is what stays.
func endRacing(e *env, other func(ctx context.Context, r store.Record, over func() bool) error) {
	e.Helper()
	for range races {
		r := e.created()
		var tomb store.Record
		var over atomic.Bool
		e.together(4, func(ctx context.Context, i int) error {
			if i != 0 {
				return other(ctx, r, over.Load)
			}
			defer over.Store(true)
			_, err := swap(ctx, e.s, r.ID, func(r *store.Record) {
				r.EndedAt, r.EndReason = at(5), "signed-out"
				tomb = *r
			})
			return err
		})
		e.holds(tomb)
	}
}

func endAgainstUpdates(e *env) {
	endRacing(e, func(ctx context.Context, r store.Record, over func() bool) error {
		for {
			known := over() // the end was acknowledged before this attempt
			won, err := swap(ctx, e.s, r.ID, func(r *store.Record) { r.Gen++ })
			if err != nil || !won {
				return err
			}
			if known {
				return errors.New("a swap that began after the end was acknowledged succeeded")
			}
		}
	})
}

func endAgainstTouches(e *env) {
	endRacing(e, func(ctx context.Context, r store.Record, over func() bool) error {
		for i := 0; !over(); i++ {
			t := use(r, r.Gen, at(i), r.IdleExpires.Add(time.Duration(i)*tick))
			if err := e.s.Touch(ctx, []store.Touch{t}); err != nil {
				return err
			}
		}
		return e.s.Touch(ctx, []store.Touch{use(r, r.Gen, at(1), r.Expires)})
	})
}

// touchAgainstUpdates lets touches race swaps that keep what they read. Every
// touch is newer than those before it, so the last one must show in the end.
func touchAgainstUpdates(e *env) {
	r := e.created()
	const touches = callers * rounds
	var over atomic.Bool
	e.together(3, func(ctx context.Context, i int) error {
		if i == 0 {
			defer over.Store(true)
			for j := range touches {
				t := use(r, 0, at(j), r.IdleExpires.Add(time.Duration(j)*tick))
				if err := e.s.Touch(ctx, []store.Touch{t}); err != nil {
					return err
				}
			}
			return nil
		}
		for !over.Load() {
			if err := increment(ctx, e.s, r.ID); err != nil {
				return err
			}
		}
		return nil
	})
	got := e.get(r.ID)
	if want := at(touches - 1); !got.LastSeen.Equal(want) {
		e.Fatalf("LastSeen = %v, want %v: a swap wrote over a touch that it had not seen", got.LastSeen, want)
	}
	if want := r.IdleExpires.Add((touches - 1) * tick); !got.IdleExpires.Equal(want) {
		e.Fatalf("IdleExpires = %v, want %v", got.IdleExpires, want)
	}
}

// versionsNeverRepeat watches a record that is swapped and touched: one version
// must always mean one state.
func versionsNeverRepeat(e *env) {
	r := e.created()
	var mu sync.Mutex
	states := map[store.Version]store.Record{}
	note := func(r store.Record) error {
		mu.Lock()
		defer mu.Unlock()
		if old, ok := states[r.Version]; ok {
			if d := diffRecords(old, r); d != "" {
				return fmt.Errorf("one version, two states:\n%s", d)
			}
		}
		states[r.Version] = r
		return nil
	}
	e.together(callers, func(ctx context.Context, i int) error {
		for j := range rounds {
			var err error
			if i%2 == 0 {
				err = increment(ctx, e.s, r.ID)
			} else {
				when := i*rounds + j
				err = e.s.Touch(ctx, []store.Touch{use(r, r.Gen, at(when), r.IdleExpires.Add(time.Duration(when)*tick))})
			}
			if err != nil {
				return err
			}
			got, err := e.s.Get(ctx, r.ID)
			if err != nil {
				return err
			}
			if err := note(got); err != nil {
				return err
			}
		}
		return nil
	})
}

// readsAreFresh: once a change was acknowledged to anyone, everyone reads it or
// something newer.
func readsAreFresh(e *env) {
	r := e.created()
	var acknowledged, over atomic.Uint64
	e.together(callers, func(ctx context.Context, i int) error {
		if i == 0 {
			defer over.Store(1)
			for n := uint64(1); n <= 4*rounds; n++ {
				if err := increment(ctx, e.s, r.ID); err != nil {
					return err
				}
				acknowledged.Store(n)
			}
			return nil
		}
		for over.Load() == 0 {
			floor := acknowledged.Load()
			got, err := e.s.Get(ctx, r.ID)
			if err != nil {
				return err
			}
			if n := readCounter(got.Blob); n < floor {
				return fmt.Errorf("read state %d after %d had been acknowledged", n, floor)
			}
		}
		return nil
	})
}

func sweepAgainstTouch(e *env) {
	for range races {
		r := newRecord()
		r.IdleExpires = at(50)
		e.create(r)
		e.together(3, func(ctx context.Context, i int) error {
			if i == 0 {
				_, err := e.s.Sweep(ctx, at(51), 10)
				return err
			}
			return e.s.Touch(ctx, []store.Touch{use(r, r.Gen, at(i), at(100))})
		})
		got, err := e.s.Get(e.Context(), r.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue // the sweep came first
		}
		if err != nil {
			e.Fatalf("Get: %v", err)
		}
		if !got.IdleExpires.Equal(at(100)) || got.Subject != r.Subject {
			e.Fatalf("after a touch and a sweep the record is neither touched nor gone:\n%s", diffRecords(r, got))
		}
	}
}

// neverTorn writes records whose columns belong together and reads them.
func neverTorn(e *env) {
	r := e.created()
	var over atomic.Bool
	e.together(callers, func(ctx context.Context, i int) error {
		if i == 0 {
			defer over.Store(true)
			for n := range 4 * rounds {
				if _, err := swap(ctx, e.s, r.ID, func(r *store.Record) { mark(r, n) }); err != nil {
					return err
				}
			}
			return nil
		}
		for !over.Load() {
			got, err := e.s.Get(ctx, r.ID)
			if err != nil {
				return err
			}
			want := got
			mark(&want, int(got.Gen)-100)
			if got.Version != r.Version && diffRecords(want, got) != "" {
				return fmt.Errorf("half a change was read:\n%s", diffRecords(want, got))
			}
		}
		return nil
	})
}

// mark writes n into every column that can hold it.
func mark(r *store.Record, n int) {
	r.Gen, r.WindowAt, r.LastSeen = uint32(100+n), at(n), at(2*n)
	r.Profile, r.Blob = fmt.Sprint(n), counter(uint64(n))
}

// manyAtOnce keeps all callers busy on records of their own; each must find
// its own work.
func manyAtOnce(e *env) {
	e.together(4*callers, func(ctx context.Context, _ int) error {
		r := newRecord()
		r.Blob = counter(0)
		if err := e.s.Create(ctx, r); err != nil {
			return err
		}
		for range rounds {
			if err := increment(ctx, e.s, r.ID); err != nil {
				return err
			}
		}
		got, err := e.s.Get(ctx, r.ID)
		if err != nil {
			return err
		}
		if n := readCounter(got.Blob); n != rounds {
			return fmt.Errorf("%d of a caller's own %d updates are there", n, rounds)
		}
		return nil
	})
	if n := len(e.list(owner, store.ID{})); n != 4*callers {
		e.Fatalf("%d records are listed, want %d", n, 4*callers)
	}
}

func oneDelete(e *env) {
	for range rounds {
		it := e.createItem("k", newItem())
		n := e.winners(callers, store.ErrNotFound, func(ctx context.Context, _ int) error {
			return e.items().DeleteItem(ctx, kind, "k", it.Version, at(0))
		})
		if n != 1 {
			e.Fatalf("%d of %d deletes of one version succeeded, want 1", n, callers)
		}
	}
}

func oneItemCreate(e *env) {
	for i := range rounds {
		key := fmt.Sprint(i)
		n := e.winners(callers, store.ErrExists, func(ctx context.Context, _ int) error {
			return e.items().CreateItem(ctx, kind, key, newItem(), at(0))
		})
		if n != 1 {
			e.Fatalf("%d creates of one item succeeded, want 1", n)
		}
	}
}

func oneItemRecreate(e *env) {
	for i := range rounds {
		key := fmt.Sprint(i)
		e.createItem(key, newItem())
		fresh := newItem()
		fresh.Expires = at(1000)
		n := e.winners(callers, store.ErrExists, func(ctx context.Context, _ int) error {
			it := fresh
			it.Version = newVersion()
			return e.items().CreateItem(ctx, kind, key, it, at(200))
		})
		if n != 1 {
			e.Fatalf("%d creates over one expired item succeeded, want 1", n)
		}
	}
}

func noLostSwap(e *env) {
	it := newItem()
	it.Value = counter(0)
	e.createItem("k", it)
	s := e.items()
	e.together(callers, func(ctx context.Context, _ int) error {
		for done := 0; done < rounds; {
			it, err := s.GetItem(ctx, kind, "k", at(0))
			if err != nil {
				return err
			}
			was := it.Version
			runtime.Gosched() // as in increment
			it.Version, it.Value = newVersion(), counter(readCounter(it.Value)+1)
			switch err := s.SwapItem(ctx, kind, "k", it, was, at(0)); {
			case err == nil:
				done++
			case !errors.Is(err, store.ErrConflict):
				return err
			}
		}
		return nil
	})
	got, err := s.GetItem(e.Context(), kind, "k", at(0))
	if err != nil {
		e.Fatalf("GetItem: %v", err)
	}
	if n := readCounter(got.Value); n != callers*rounds {
		e.Fatalf("%d of %d acknowledged swaps are in the item", n, callers*rounds)
	}
}

// noLostMerge is what the data of sessions needs: callers own a bit each, which
// they set and clear; the item is created for the first bit and deleted with the
// last.
func noLostMerge(e *env) {
	e.together(callers, func(ctx context.Context, i int) error {
		for range rounds {
			for _, set := range []bool{true, false} {
				if err := mergeBit(ctx, e.items(), uint64(1)<<i, set); err != nil {
					return err
				}
			}
		}
		if i%2 == 0 {
			return mergeBit(ctx, e.items(), uint64(1)<<i, true)
		}
		return nil
	})
	got, err := e.items().GetItem(e.Context(), kind, "k", at(0))
	if err != nil {
		e.Fatalf("GetItem: %v", err)
	}
	if bits := readCounter(got.Value); bits != 0x55 {
		e.Fatalf("the bits are %08b, want 01010101", bits)
	}
}

// mergeBit sets or clears a bit of the item. What is cleared has been set.
func mergeBit(ctx context.Context, s store.Items, bit uint64, set bool) error {
	for {
		it, err := s.GetItem(ctx, kind, "k", at(0))
		missing := errors.Is(err, store.ErrNotFound)
		if err != nil && !missing {
			return err
		}
		runtime.Gosched() // as in increment
		was, bits := it.Version, readCounter(it.Value)
		if !set && bits&bit == 0 {
			return errors.New("a bit that was set is lost")
		}
		bits |= bit
		if !set {
			bits &^= bit
		}
		it = store.Item{Value: counter(bits), Expires: at(100), Version: newVersion()}
		switch {
		case missing:
			err = s.CreateItem(ctx, kind, "k", it, at(0))
		case bits == 0:
			err = s.DeleteItem(ctx, kind, "k", was, at(0))
		default:
			err = s.SwapItem(ctx, kind, "k", it, was, at(0))
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
}

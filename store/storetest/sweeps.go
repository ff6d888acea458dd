package storetest

import (
	"time"

	"github.com/remuda-go/remuda/store"
)

// sweepChecks covers Sweep of records; itemChecks has that of items.
func sweepChecks() []check {
	return []check{
		{"sweep_removes_a_tombstone_after_its_end_only", sweepTombstone},
		{"sweep_removes_an_idle_record_after_its_idle_deadline_only", sweepIdle},
		{"sweep_removes_an_expired_record_after_its_end_only", sweepExpired},
		{"sweep_counts_a_tombstone_from_its_end_not_its_deadlines", sweepTombstoneDeadlines},
		{"sweep_removes_at_most_limit", sweepLimit},
		{"sweep_with_limit_0_removes_nothing", sweepZeroLimit},
		{"sweep_of_an_empty_store", sweepEmpty},
		{"sweep_follows_touches_and_updates", sweepFollows},
		{"a_swept_record_is_gone_everywhere", sweptIsGone},
	}
}

// sweptAt checks that a record outlives a sweep up to when, and not one tick
// later.
func (e *env) sweptAt(r store.Record, when time.Time) {
	e.Helper()
	e.create(r)
	if n := e.sweep(when, 10); n != 0 {
		e.Fatalf("Sweep removed %d records at the very instant, want 0", n)
	}
	e.holds(r)
	if n := e.sweep(when.Add(tick), 10); n != 1 {
		e.Fatalf("Sweep removed %d records, want 1", n)
	}
	e.gone(r.ID)
}

func sweepTombstone(e *env) {
	r := ended(newRecord())
	e.sweptAt(r, r.EndedAt)
}

func sweepIdle(e *env) {
	r := newRecord()
	e.sweptAt(r, r.IdleExpires)
}

func sweepExpired(e *env) {
	r := newRecord()
	r.IdleExpires = r.Expires.Add(time.Hour) // against the contract, to see the end alone
	e.sweptAt(r, r.Expires)
}

func sweepTombstoneDeadlines(e *env) {
	r := ended(newRecord())
	r.EndedAt = r.Expires.Add(time.Hour)
	e.sweptAt(r, r.EndedAt)
}

func sweepLimit(e *env) {
	for range 25 {
		e.create(ended(newRecord()))
	}
	alive := e.created()
	for i, want := range []int{10, 10, 5, 0} {
		if n := e.sweep(at(100), 10); n != want {
			e.Fatalf("Sweep %d removed %d records, want %d", i, n, want)
		}
	}
	e.sameList([]store.Record{alive}, e.list(owner, store.ID{}))
}

func sweepZeroLimit(e *env) {
	r := e.create(ended(newRecord()))
	if n := e.sweep(at(100), 0); n != 0 {
		e.Fatalf("Sweep removed %d records, want 0", n)
	}
	e.holds(r)
}

func sweepEmpty(e *env) {
	if n := e.sweep(at(0), 10); n != 0 {
		e.Fatalf("Sweep removed %d records from an empty store", n)
	}
}

func sweepFollows(e *env) {
	r := e.created()
	old := r.IdleExpires
	e.touch(use(r, 0, at(1), old.Add(time.Hour)))
	if n := e.sweep(old.Add(time.Minute), 10); n != 0 {
		e.Fatalf("Sweep removed %d records, though a touch moved the deadline", n)
	}
	r = e.get(r.ID)
	e.update(ended(r), r.Version)
	if n := e.sweep(at(6), 10); n != 1 {
		e.Fatalf("Sweep removed %d records, though one has ended before", n)
	}
}

func sweptIsGone(e *env) {
	r := e.create(ended(newRecord()))
	e.sweep(at(100), 10)
	e.gone(r.ID)
	e.sameList(nil, e.list(owner, store.ID{}))
	e.want(e.s.Update(e.Context(), next(r), r.Version), store.ErrNotFound, "Update")
	e.touch(use(r, r.Gen, at(1), r.IdleExpires))
	e.gone(r.ID)
}

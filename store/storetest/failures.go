package storetest

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/remuda-go/remuda/store"
)

// failureChecks covers contexts that have ended, Ping and Close.
func failureChecks() []check {
	return []check{
		{"ping", ping},
		{"a_cancelled_context_fails_every_call_and_changes_nothing", cancelled},
		{"after_close_every_call_fails", closed},
		{"close_twice_does_no_harm", closeTwice},
	}
}

func ping(e *env) {
	if err := e.s.Ping(e.Context()); err != nil {
		e.Fatalf("Ping: %v", err)
	}
}

// call is one method of the store, with arguments that would succeed.
type call struct {
	name string
	do   func(ctx context.Context) error
}

// calls is one call of every method that takes a context. r and the item k are
// in the store.
func (e *env) calls(r store.Record, it store.Item) []call {
	all := []call{
		{"Create", func(ctx context.Context) error { return e.s.Create(ctx, newRecord()) }},
		{"Get", func(ctx context.Context) error { _, err := e.s.Get(ctx, r.ID); return err }},
		{"Update", func(ctx context.Context) error { return e.s.Update(ctx, next(r), r.Version) }},
		{"List", func(ctx context.Context) error { return firstError(e.s.List(ctx, owner, store.ID{})) }},
		{"Scan", func(ctx context.Context) error { return firstError(e.s.Scan(ctx, store.ID{})) }},
		{"Touch", func(ctx context.Context) error {
			return e.s.Touch(ctx, []store.Touch{sight(r, r.Gen, at(1))})
		}},
		{"Sweep", func(ctx context.Context) error { _, err := e.s.Sweep(ctx, r.Expires.AddDate(1, 0, 0), 10); return err }},
		{"Ping", func(ctx context.Context) error { return e.s.Ping(ctx) }},
	}
	if s, ok := e.s.(store.Items); ok && e.h.Features.Items {
		all = append(all,
			call{"CreateItem", func(ctx context.Context) error { return s.CreateItem(ctx, kind, "new", newItem(), at(0)) }},
			call{"GetItem", func(ctx context.Context) error { _, err := s.GetItem(ctx, kind, "k", at(0)); return err }},
			call{"SwapItem", func(ctx context.Context) error { return s.SwapItem(ctx, kind, "k", nextItem(it), it.Version, at(0)) }},
			call{"DeleteItem", func(ctx context.Context) error { return s.DeleteItem(ctx, kind, "k", it.Version, at(0)) }},
		)
	}
	if l, ok := e.s.(store.Log); ok && e.h.Features.Log {
		all = append(all,
			call{"Append", func(ctx context.Context) error { return l.Append(ctx, newEntry()) }},
			call{"Append of nothing", func(ctx context.Context) error { return l.Append(ctx) }},
			call{"Follow", func(ctx context.Context) error { return followOnce(ctx, l) }},
			call{"Truncate", func(ctx context.Context) error { _, err := l.Truncate(ctx, at(0), 10); return err }},
		)
	}
	return all
}

// firstError ranges until there is an error.
func firstError[T any](seq iter.Seq2[T, error]) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

// followOnce reads one batch.
func followOnce(ctx context.Context, l store.Log) error {
	for _, err := range l.Follow(ctx, "", time.Now) {
		return err
	}
	return nil
}

// stocked puts one record and, where there are items, the item k into the store.
func (e *env) stocked() (store.Record, store.Item) {
	e.Helper()
	r := e.created()
	if !e.h.Features.Items {
		return r, store.Item{}
	}
	return r, e.createItem("k", newItem())
}

func cancelled(e *env) {
	r, it := e.stocked()
	ctx, cancel := context.WithCancel(e.Context())
	cancel()
	for _, c := range e.calls(r, it) {
		err := c.do(ctx)
		e.wantFailure(err, c.name+" with a cancelled context")
		if !errors.Is(err, context.Canceled) {
			e.Errorf("%s = %v, want one that is context.Canceled", c.name, err)
		}
	}
	e.sameList([]store.Record{r}, e.list(owner, store.ID{}))
	if e.h.Features.Items {
		e.holdsItem("k", it)
		e.noItem(kind, "new", at(0))
	}
	if e.h.Features.Log {
		e.holdsLog("")
	}
}

func closed(e *env) {
	r, it := e.stocked()
	calls := e.calls(r, it)
	if err := e.s.Close(); err != nil {
		e.Fatalf("Close: %v", err)
	}
	for _, c := range calls {
		e.soon(c.name, func() {
			if err := c.do(e.Context()); err == nil || isVerdict(err) {
				e.Errorf("%s after Close = %v, want a failure", c.name, err)
			}
		})
	}
}

func isVerdict(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrConflict)
}

func closeTwice(e *env) {
	if err := e.s.Close(); err != nil {
		e.Fatalf("Close: %v", err)
	}
	e.soon("the second Close", func() { _ = e.s.Close() })
}

// clockChecks covers Clock.
func clockChecks() []check {
	return []check{{"clock_does_not_run_backwards", clockRuns}}
}

func clockRuns(e *env) {
	c, ok := e.s.(store.Clock)
	if !ok {
		e.Fatalf("%T does not implement store.Clock", e.s)
	}
	first, err := c.Time(e.Context())
	if err != nil || first.IsZero() {
		e.Fatalf("Time = %v, %v", first, err)
	}
	if second, err := c.Time(e.Context()); err != nil || second.Before(first) {
		e.Fatalf("Time = %v, %v after %v", second, err, first)
	}
}

// reopenChecks covers durability across a restart.
func reopenChecks(items bool) []check {
	checks := []check{{"records_survive_a_restart", reopenRecords}}
	if items {
		checks = append(checks, check{"items_survive_a_restart", reopenItems})
	}
	return checks
}

func reopenRecords(e *env) {
	r, dead := e.created(), e.create(ended(newRecord()))
	swapped := e.created()
	swapped = e.update(next(swapped), swapped.Version)
	touched := e.created()
	e.touch(sight(touched, touched.Gen, at(1)))
	touched = e.get(touched.ID)
	swept := newRecord()
	swept.IdleExpires = at(-5)
	e.create(swept)
	e.sweep(at(-4), 10)

	e.s = e.h.Reopen(e.TB, e.s)
	for _, want := range []store.Record{r, dead, swapped, touched} {
		e.holds(want)
	}
	e.gone(swept.ID)
	e.holds(e.update(next(r), r.Version))
}

func reopenItems(e *env) {
	it, deleted := e.createItem("k", newItem()), e.createItem("deleted", newItem())
	if err := e.items().DeleteItem(e.Context(), kind, "deleted", deleted.Version, at(0)); err != nil {
		e.Fatalf("DeleteItem: %v", err)
	}
	e.s = e.h.Reopen(e.TB, e.s)
	e.holdsItem("k", it)
	e.noItem(kind, "deleted", at(0))
}

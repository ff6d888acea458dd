package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/remuda-go/remuda/store"
)

// scanChecks covers Scan.
func scanChecks() []check {
	return []check{
		{"scan_of_an_empty_store", scanNone},
		{"scan_yields_all_records_in_order_of_id", scanAll},
		{"scan_begins_after_the_given_id", scanAfter},
		{"scan_can_be_stopped_and_resumed", scanStop},
		{"scan_can_be_ranged_twice", scanTwice},
		{"scan_returns_copies", scanCopies},
		{"scan_holds_nothing_while_its_caller_changes_records", scanMutate},
		{"scan_skips_no_record_when_others_come_and_go", scanChurn},
		{"scan_yields_an_error_once_as_the_last_pair", scanError},
	}
}

// scan returns what Scan yields, at most so many records.
func (e *env) scan(after store.ID, most int) (all []store.Record) {
	e.Helper()
	for r, err := range e.s.Scan(e.Context(), after) {
		if err != nil {
			e.Fatalf("Scan: %v", err)
		}
		if all = append(all, r); len(all) == most {
			break
		}
	}
	return all
}

// createEverywhere creates n records, some of them tombstones, of several
// owners, and returns them in order of id.
func (e *env) createEverywhere(n int) []store.Record {
	e.Helper()
	all := make([]store.Record, n)
	for i := range all {
		r := newRecord()
		if i%5 == 1 {
			r = ended(r)
		}
		switch i % 4 {
		case 1:
			r.Subject = "bob"
		case 2:
			r.Tenant = ""
		case 3:
			r.Subject, r.Tenant = "", ""
		}
		all[i] = e.create(r)
	}
	sortRecords(all)
	return all
}

func scanNone(e *env) { e.sameList(nil, e.scan(store.ID{}, manyRecords)) }

func scanAll(e *env) {
	all := e.createEverywhere(manyRecords)
	e.sameList(all, e.scan(store.ID{}, manyRecords+1))
}

func scanAfter(e *env) {
	all := e.createEverywhere(5)
	for i, r := range all {
		e.sameList(all[i+1:], e.scan(r.ID, 10))
	}
	e.sameList(nil, e.scan(store.ID(bytes.Repeat([]byte{0xff}, 16)), 10))
}

func scanStop(e *env) {
	all := e.createEverywhere(manyRecords)
	var got []store.Record
	var after store.ID
	for {
		part := e.scan(after, 37)
		if len(part) == 0 || len(got) > len(all) {
			break
		}
		got, after = append(got, part...), part[len(part)-1].ID
	}
	e.sameList(all, got)
}

func scanTwice(e *env) {
	all := e.createEverywhere(3)
	seq := e.s.Scan(e.Context(), store.ID{})
	for range 2 {
		var got []store.Record
		for r, err := range seq {
			if err != nil {
				e.Fatalf("Scan: %v", err)
			}
			got = append(got, r)
		}
		e.sameList(all, got)
	}
}

func scanCopies(e *env) {
	r := e.created()
	e.scan(store.ID{}, 1)[0].Blob[0] ^= 1
	e.holds(r)
}

func scanMutate(e *env) {
	all := e.createMany(manyRecords)
	seen := 0
	e.soon("Scan, or a change made while ranging over it,", func() {
		for r, err := range e.s.Scan(e.Context(), store.ID{}) {
			if err != nil {
				e.Errorf("Scan: %v", err)
				return
			}
			if err := e.s.Update(e.Context(), ended(r), r.Version); err != nil {
				e.Errorf("Update while ranging: %v", err)
				return
			}
			seen++
		}
	})
	if seen != len(all) {
		e.Fatalf("Scan yielded %d records, want %d", seen, len(all))
	}
}

// scanChurn scans while others create, change and remove records. What exists
// throughout must come exactly once, and everything in order.
func scanChurn(e *env) {
	all := e.createEverywhere(manyRecords)
	var over atomic.Bool
	e.together(callers, func(ctx context.Context, i int) error {
		if i > 1 {
			return churn(ctx, e.s, over.Load)
		}
		defer over.Store(true)
		for range 3 {
			if err := scanOnce(ctx, e.s, all); err != nil {
				return err
			}
		}
		return nil
	})
}

// churn creates records, changes them and removes them.
func churn(ctx context.Context, s store.Store, over func() bool) error {
	for !over() {
		r := newRecord()
		if err := s.Create(ctx, r); err != nil {
			return err
		}
		dead := ended(r)
		dead.EndedAt = at(-1000)
		if err := s.Update(ctx, dead, r.Version); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if _, err := s.Sweep(ctx, at(-999), 10); err != nil {
			return err
		}
	}
	return nil
}

// scanOnce scans the store and fails if one of the records is not yielded once.
func scanOnce(ctx context.Context, s store.Store, all []store.Record) error {
	count := map[store.ID]int{}
	var last store.ID
	for r, err := range s.Scan(ctx, store.ID{}) {
		if err != nil {
			return err
		}
		if bytes.Compare(r.ID[:], last[:]) <= 0 {
			return fmt.Errorf("record %v was yielded after %v", r.ID, last)
		}
		last = r.ID
		count[r.ID]++
	}
	for _, r := range all {
		if count[r.ID] != 1 {
			return fmt.Errorf("a record that existed throughout was yielded %d times", count[r.ID])
		}
	}
	return nil
}

func scanError(e *env) {
	e.createMany(manyRecords)
	ctx, cancel := context.WithCancel(e.Context())
	defer cancel()
	var failed []error
	n := 0
	for r, err := range e.s.Scan(ctx, store.ID{}) {
		if len(failed) > 0 {
			e.Fatal("Scan went on after an error")
		}
		if err != nil {
			failed = append(failed, err)
			if d := diffRecords(store.Record{}, r); d != "" {
				e.Fatalf("Scan yielded a record beside the error:\n%s", d)
			}
			continue
		}
		n++
		cancel()
	}
	if len(failed) != 1 || !errors.Is(failed[0], context.Canceled) || n >= manyRecords {
		e.Fatalf("Scan after cancellation: %d records and errors %v, want one context.Canceled", n, failed)
	}
}

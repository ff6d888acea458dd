package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/remuda-go/remuda/store"
)

// manyRecords is more than any driver fetches in one page.
const manyRecords = 230

// listChecks covers List.
func listChecks() []check {
	return []check{
		{"list_of_an_owner_without_records", listNone},
		{"list_yields_whole_records_in_order_of_id", listOrder},
		{"list_yields_only_the_owners_records", listOwner},
		{"list_includes_tombstones", listTombstones},
		{"list_begins_after_the_given_id", listAfter},
		{"list_can_be_stopped_and_resumed", listStop},
		{"list_can_be_ranged_twice", listTwice},
		{"list_returns_copies", listCopies},
		{"list_follows_an_update_to_another_owner", listMoved},
		{"list_holds_nothing_while_its_caller_changes_records", listMutate},
		{"list_skips_no_record_when_others_come_and_go", listChurn},
		{"list_yields_an_error_once_as_the_last_pair", listError},
	}
}

var owner = store.Owner{Tenant: "acme", Subject: "alice"} // of newRecord

func (e *env) list(o store.Owner, after store.ID) []store.Record {
	e.Helper()
	var all []store.Record
	for r, err := range e.s.List(e.Context(), o, after) {
		if err != nil {
			e.Fatalf("List: %v", err)
		}
		all = append(all, r)
	}
	return all
}

// createMany creates n records of owner and returns them in order of id.
func (e *env) createMany(n int) []store.Record {
	e.Helper()
	all := make([]store.Record, n)
	for i := range all {
		all[i] = e.created()
	}
	sortRecords(all)
	return all
}

func sortRecords(all []store.Record) {
	slices.SortFunc(all, func(a, b store.Record) int { return bytes.Compare(a.ID[:], b.ID[:]) })
}

func (e *env) sameList(want, got []store.Record) {
	e.Helper()
	if len(want) != len(got) {
		e.Fatalf("List yielded %d records, want %d", len(got), len(want))
	}
	for i := range want {
		if d := diffRecords(want[i], got[i]); d != "" {
			e.Fatalf("record %d of the list differs:\n%s", i, d)
		}
	}
}

func listNone(e *env) {
	e.created()
	e.sameList(nil, e.list(store.Owner{Tenant: "acme", Subject: "nobody"}, store.ID{}))
	e.sameList(nil, e.list(store.Owner{}, store.ID{}))
}

func listOrder(e *env) { e.sameList(e.createMany(manyRecords), e.list(owner, store.ID{})) }

func listOwner(e *env) {
	owners := []store.Owner{
		owner,
		{Tenant: "acme", Subject: ""},
		{Tenant: "", Subject: "alice"},
		{},
		{Tenant: "alice", Subject: "acme"},
		{Tenant: "Acme", Subject: "alice"},
		{Tenant: "acme", Subject: "alice "},
		{Tenant: "acmea", Subject: "lice"},
		{Tenant: "acme", Subject: "%"},
		{Tenant: "acme", Subject: "alicf"},
	}
	want := map[store.Owner][]store.Record{}
	for range 2 {
		for _, o := range owners {
			r := newRecord()
			r.Tenant, r.Subject = o.Tenant, o.Subject
			want[o] = append(want[o], e.create(r))
		}
	}
	for _, o := range owners {
		sortRecords(want[o])
		e.sameList(want[o], e.list(o, store.ID{}))
	}
}

func listTombstones(e *env) {
	r := e.created()
	dead := e.update(ended(r), r.Version)
	e.sameList([]store.Record{dead}, e.list(owner, store.ID{}))
}

func listAfter(e *env) {
	all := e.createMany(5)
	for i, r := range all {
		e.sameList(all[i+1:], e.list(owner, r.ID))
		below := r.ID // an id that is not there
		below[15]--
		if below[15] != 0xff {
			e.sameList(all[i:], e.list(owner, below))
		}
	}
	e.sameList(nil, e.list(owner, store.ID(bytes.Repeat([]byte{0xff}, 16))))
}

func listStop(e *env) {
	all := e.createMany(manyRecords)
	var got []store.Record
	var after store.ID
	for len(got) < len(all) {
		before := len(got)
		for r, err := range e.s.List(e.Context(), owner, after) {
			if err != nil {
				e.Fatalf("List: %v", err)
			}
			got, after = append(got, r), r.ID
			if len(got)-before == 37 {
				break
			}
		}
		if len(got) == before {
			break
		}
	}
	e.sameList(all, got)
}

func listTwice(e *env) {
	all := e.createMany(3)
	seq := e.s.List(e.Context(), owner, store.ID{})
	for range 2 {
		var got []store.Record
		for r, err := range seq {
			if err != nil {
				e.Fatalf("List: %v", err)
			}
			got = append(got, r)
		}
		e.sameList(all, got)
	}
}

func listCopies(e *env) {
	r := e.created()
	for got, err := range e.s.List(e.Context(), owner, store.ID{}) {
		if err != nil {
			e.Fatalf("List: %v", err)
		}
		got.Blob[0] ^= 1
	}
	e.holds(r)
}

func listMoved(e *env) {
	r := e.created()
	moved := next(r)
	moved.Subject = "bob"
	e.update(moved, r.Version)
	e.sameList(nil, e.list(owner, store.ID{}))
	e.sameList([]store.Record{moved}, e.list(store.Owner{Tenant: "acme", Subject: "bob"}, store.ID{}))
}

func listMutate(e *env) {
	all := e.createMany(manyRecords)
	seen := 0
	e.soon("List, or a change made while ranging over it,", func() {
		for r, err := range e.s.List(e.Context(), owner, store.ID{}) {
			if err != nil {
				e.Errorf("List: %v", err)
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
		e.Fatalf("List yielded %d records, want %d", seen, len(all))
	}
}

// listChurn removes records that were yielded and adds others while it ranges;
// what exists throughout must come exactly once. A driver that pages by offset
// skips records here.
func listChurn(e *env) {
	all := e.createMany(manyRecords)
	count := map[store.ID]int{}
	i := 0
	for r, err := range e.s.List(e.Context(), owner, store.ID{}) {
		if err != nil {
			e.Fatalf("List: %v", err)
		}
		count[r.ID]++
		if i++; i%2 == 1 && !r.Ended() {
			dead := ended(r)
			dead.EndedAt = at(-1000)
			e.update(dead, r.Version)
			e.sweep(at(-999), 10)
			e.created()
		}
	}
	for _, r := range all {
		if count[r.ID] != 1 {
			e.Fatalf("a record that existed throughout was yielded %d times", count[r.ID])
		}
	}
}

func listError(e *env) {
	e.createMany(manyRecords)
	ctx, cancel := context.WithCancel(e.Context())
	defer cancel()
	var failed []error
	n := 0
	for r, err := range e.s.List(ctx, owner, store.ID{}) {
		if len(failed) > 0 {
			e.Fatal("List went on after an error")
		}
		if err != nil {
			failed = append(failed, err)
			if d := diffRecords(store.Record{}, r); d != "" {
				e.Fatalf("List yielded a record beside the error:\n%s", d)
			}
			continue
		}
		n++
		cancel()
	}
	if len(failed) != 1 || !errors.Is(failed[0], context.Canceled) || n >= manyRecords {
		e.Fatalf("List after cancellation: %d records and errors %v, want one context.Canceled", n, failed)
	}
}

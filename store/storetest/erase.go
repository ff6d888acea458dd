package storetest

import (
	"time"

	"github.com/remuda-go/remuda/store"
)

// eraseChecks cover [store.Eraser]; that nothing is left in files is for drivers to
// check themselves.
func eraseChecks() []check {
	return []check{
		{"erase_removes_the_tombstones_of_the_owner_and_nothing_else", eraseOwner},
		{"erase_again_removes_nothing", eraseAgain},
		{"an_erased_record_is_gone_everywhere", erasedIsGone},
	}
}

func (e *env) erase(o store.Owner, want int) {
	e.Helper()
	s, ok := e.s.(store.Eraser)
	if !ok {
		e.Fatalf("%T is no store.Eraser", e.s)
	}
	n, err := s.Erase(e.Context(), o)
	if err != nil || n != want {
		e.Fatalf("Erase removed %d records, %v; want %d", n, err, want)
	}
}

// of makes a record another's.
func of(r store.Record, o store.Owner) store.Record {
	r.Subject, r.Tenant = o.Subject, o.Tenant
	return r
}

func eraseOwner(e *env) {
	o := store.Owner{Tenant: "acme", Subject: "alice"}
	live, dead, older := of(newRecord(), o), of(ended(newRecord()), o), of(ended(newRecord()), o)
	var others []store.Record
	for _, other := range []store.Owner{{Subject: "alice"}, {Tenant: "acme"}, {Tenant: "acme", Subject: "Alice"}, {Tenant: "alice", Subject: "acme"}} {
		others = append(others, of(ended(newRecord()), other))
	}
	for _, r := range append(others, live, dead, older) {
		e.create(r)
	}
	e.erase(o, 2)
	e.gone(dead.ID)
	e.gone(older.ID)
	for _, r := range append(others, live) {
		e.holds(r)
	}
}

func eraseAgain(e *env) {
	r := ended(newRecord())
	e.create(r)
	o := store.Owner{Tenant: r.Tenant, Subject: r.Subject}
	e.erase(o, 1)
	e.erase(o, 0)
}

func erasedIsGone(e *env) {
	r := ended(newRecord())
	e.create(r)
	o := store.Owner{Tenant: r.Tenant, Subject: r.Subject}
	e.erase(o, 1)
	for row, err := range e.s.List(e.Context(), o, store.ID{}) {
		e.Fatalf("List yields %v, %v", row.ID, err)
	}
	if n := e.sweep(r.EndedAt.Add(time.Hour), 10); n != 0 {
		e.Fatalf("Sweep removed %d records", n)
	}
	e.create(r) // and its place is free
	e.holds(r)
}

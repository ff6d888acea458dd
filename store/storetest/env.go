package storetest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remuda-go/remuda/store"
)

// patience is how long a call that must not block may take before it counts as
// blocked. Nothing waits for it in a run that passes.
const patience = 20 * time.Second

// env is what a check works with: a test, a harness and a fresh store.
type env struct {
	testing.TB
	h Harness
	s store.Store
}

// items returns the store's items, or fails: the harness claimed them.
func (e *env) items() store.Items {
	e.Helper()
	it, ok := e.s.(store.Items)
	if !ok {
		e.Fatalf("%T does not implement store.Items", e.s)
	}
	return it
}

// base is the instant around which the tests play: whole microseconds, but not
// whole milliseconds.
var base = time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)

// at is an instant some microseconds after base.
func at(micros int) time.Time { return base.Add(time.Duration(micros) * time.Microsecond) }

// tick is the smallest step that a store must tell apart.
const tick = time.Microsecond

func newID() (id store.ID) {
	fill(id[:])
	return id
}

func newVersion() (v store.Version) {
	fill(v[:])
	return v
}

func fill(b []byte) {
	if _, err := rand.Read(b); err != nil {
		panic(err) // crypto/rand never fails
	}
}

// newRecord is a living session with every column set.
func newRecord() store.Record {
	return store.Record{
		ID: newID(), Subject: "alice", Tenant: "acme", Profile: "web",
		Gen: 7, WindowAt: at(-30), LastSeen: at(-20),
		IdleExpires: base.Add(30 * time.Minute), Expires: base.Add(12 * time.Hour),
		Version: newVersion(), Blob: []byte("sealed \x00\xff"),
	}
}

// next is r as its holder would swap it in: changed, with a fresh version.
func next(r store.Record) store.Record {
	r.Version = newVersion()
	r.Gen++
	return r
}

// ended is r as a tombstone, with a fresh version.
func ended(r store.Record) store.Record {
	r.Version, r.EndedAt, r.EndReason = newVersion(), at(5), "signed-out"
	return r
}

func (e *env) create(r store.Record) store.Record {
	e.Helper()
	if err := e.s.Create(e.Context(), r); err != nil {
		e.Fatalf("Create: %v", err)
	}
	return r
}

// created is a fresh living record in the store.
func (e *env) created() store.Record {
	e.Helper()
	return e.create(newRecord())
}

func (e *env) get(id store.ID) store.Record {
	e.Helper()
	r, err := e.s.Get(e.Context(), id)
	if err != nil {
		e.Fatalf("Get: %v", err)
	}
	return r
}

func (e *env) update(r store.Record, was store.Version) store.Record {
	e.Helper()
	if err := e.s.Update(e.Context(), r, was); err != nil {
		e.Fatalf("Update: %v", err)
	}
	return r
}

func (e *env) touch(batch ...store.Touch) {
	e.Helper()
	if err := e.s.Touch(e.Context(), batch); err != nil {
		e.Fatalf("Touch: %v", err)
	}
}

func (e *env) sweep(before time.Time, limit int) int {
	e.Helper()
	n, err := e.s.Sweep(e.Context(), before, limit)
	if err != nil {
		e.Fatalf("Sweep: %v", err)
	}
	return n
}

// holds fails unless the store has exactly this record.
func (e *env) holds(want store.Record) {
	e.Helper()
	if d := diffRecords(want, e.get(want.ID)); d != "" {
		e.Fatalf("the record in the store differs:\n%s", d)
	}
}

// gone fails unless the store says that there is no such record.
func (e *env) gone(id store.ID) {
	e.Helper()
	r, err := e.s.Get(e.Context(), id)
	e.want(err, store.ErrNotFound, "Get")
	if d := diffRecords(store.Record{}, r); d != "" {
		e.Errorf("Get of a missing record returned one beside the error:\n%s", d)
	}
}

// want fails unless err is the given sentinel and none of the others.
func (e *env) want(err, sentinel error, what string) {
	e.Helper()
	for _, s := range sentinels {
		if got, want := errors.Is(err, s), errors.Is(sentinel, s); got != want {
			e.Fatalf("%s = %v, want %v", what, err, sentinel)
		}
	}
}

// wantFailure fails unless err is an error that is none of the sentinels.
func (e *env) wantFailure(err error, what string) {
	e.Helper()
	if err == nil {
		e.Fatalf("%s succeeded, want an error", what)
	}
	for _, s := range sentinels {
		if errors.Is(err, s) {
			e.Fatalf("%s = %v, want a failure, not a verdict", what, err)
		}
	}
}

var sentinels = []error{store.ErrNotFound, store.ErrExists, store.ErrConflict}

func (e *env) patience() time.Duration {
	if e.h.patience > 0 {
		return e.h.patience
	}
	return patience
}

// soon runs do and fails if it does not return: a store that holds a lock it
// must not hold would otherwise hang the test.
func (e *env) soon(what string, do func()) {
	e.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(e.patience()):
		e.Fatalf("%s blocked", what)
	}
}

// diffRecords names the fields in which two records differ, one a line.
func diffRecords(want, got store.Record) string {
	var d differ
	d.field("ID", want.ID, got.ID)
	d.field("Subject", want.Subject, got.Subject)
	d.field("Tenant", want.Tenant, got.Tenant)
	d.field("Profile", want.Profile, got.Profile)
	d.field("Gen", want.Gen, got.Gen)
	d.field("GenSeen", want.GenSeen, got.GenSeen)
	d.instant("WindowAt", want.WindowAt, got.WindowAt)
	d.instant("LastSeen", want.LastSeen, got.LastSeen)
	d.instant("IdleExpires", want.IdleExpires, got.IdleExpires)
	d.instant("Expires", want.Expires, got.Expires)
	d.instant("EndedAt", want.EndedAt, got.EndedAt)
	d.field("EndReason", want.EndReason, got.EndReason)
	d.field("Version", want.Version, got.Version)
	d.bytes("Blob", want.Blob, got.Blob)
	return d.String()
}

func diffItems(want, got store.Item) string {
	var d differ
	d.bytes("Value", want.Value, got.Value)
	d.instant("Expires", want.Expires, got.Expires)
	d.field("Version", want.Version, got.Version)
	return d.String()
}

type differ struct{ strings.Builder }

func (d *differ) field(name string, want, got any) {
	if want != got {
		fmt.Fprintf(d, "%s: want %v, got %v\n", name, want, got)
	}
}

// instant compares instants, and that what came back is in UTC and zero only
// where it was zero.
func (d *differ) instant(name string, want, got time.Time) {
	if !want.Equal(got) || want.IsZero() != got.IsZero() {
		fmt.Fprintf(d, "%s: want %v, got %v\n", name, want, got)
	} else if got.Location() != time.UTC {
		fmt.Fprintf(d, "%s: in %v, want UTC\n", name, got.Location())
	}
}

// bytes compares slices; nil and empty are the same.
func (d *differ) bytes(name string, want, got []byte) {
	if !bytes.Equal(want, got) {
		fmt.Fprintf(d, "%s: want %d bytes %.32q, got %d bytes %.32q\n", name, len(want), want, len(got), got)
	}
}

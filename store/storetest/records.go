package storetest

import (
	"bytes"
	"strings"
	"time"

	"github.com/remuda-go/remuda/store"
)

// recordChecks covers Create, Get and Update.
func recordChecks() []check {
	return []check{
		{"create_then_get_returns_every_column", createThenGet},
		{"create_refuses_a_taken_id", createTaken},
		{"create_refuses_the_id_of_a_tombstone", createOverTombstone},
		{"get_of_a_missing_record", getMissing},
		{"zero_times_stay_zero", zeroTimes},
		{"instants_keep_microseconds_and_come_back_in_utc", microseconds},
		{"instants_lose_only_what_is_finer_than_a_microsecond", nanoseconds},
		{"a_tombstone_can_be_created", createTombstone},
		{"empty_strings_and_an_empty_blob", emptyFields},
		{"the_longest_fields", longestFields},
		{"strings_are_kept_byte_for_byte", oddStrings},
		{"extreme_generations", extremeGens},
		{"create_copies_its_blob", createCopies},
		{"update_copies_its_blob", updateCopies},
		{"get_returns_a_copy", getCopies},
		{"update_replaces_every_column", updateEverything},
		{"update_of_a_missing_record", updateMissing},
		{"update_with_another_version", updateStale},
		{"the_whole_version_is_compared", updateWholeVersion},
		{"update_must_bring_a_new_version", updateSameVersion},
		{"update_can_end_a_record", updateEnds},
		{"update_of_a_tombstone_is_a_conflict", updateTombstone},
		{"update_changes_no_other_record", updateOnlyOne},
	}
}

func createThenGet(e *env) {
	r := newRecord()
	r.GenSeen = true
	e.holds(e.create(r))
}

func createTaken(e *env) {
	r := e.created()
	again := next(r)
	again.Subject = "mallory"
	e.want(e.s.Create(e.Context(), again), store.ErrExists, "Create")
	e.holds(r)
}

func createOverTombstone(e *env) {
	r := e.created()
	dead := e.update(ended(r), r.Version)
	e.want(e.s.Create(e.Context(), next(r)), store.ErrExists, "Create")
	e.holds(dead)
}

func getMissing(e *env) {
	e.gone(newID())
	e.created()
	e.gone(newID())
}

func zeroTimes(e *env) {
	r := newRecord()
	r.WindowAt, r.LastSeen, r.IdleExpires, r.Expires = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	e.holds(e.create(r))
	e.holds(e.update(next(r), r.Version))
}

func microseconds(e *env) {
	r := newRecord()
	east := time.FixedZone("east", 5*60*60+1800)
	r.WindowAt, r.LastSeen = at(1).In(east), at(2).In(time.Local)
	r.IdleExpires, r.Expires = at(999999), at(1000001)
	r.EndedAt = time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
	e.holds(e.create(r))
}

func nanoseconds(e *env) {
	r := newRecord()
	r.LastSeen = at(1).Add(999)
	e.create(r)
	if got := e.get(r.ID).LastSeen; !got.Equal(at(1)) {
		e.Fatalf("LastSeen = %v, want %v", got, at(1))
	}
}

func createTombstone(e *env) {
	e.holds(e.create(ended(newRecord())))
}

func emptyFields(e *env) {
	r := newRecord()
	r.Subject, r.Tenant, r.Profile, r.Blob = "", "", "", nil
	e.holds(e.create(r))
	r2 := next(r)
	r2.Blob = []byte{}
	e.holds(e.update(r2, r.Version))
}

func longestFields(e *env) {
	r := newRecord()
	r.Subject, r.Tenant = strings.Repeat("s", 255), strings.Repeat("é", 127)+"t"
	r.Profile, r.EndReason = strings.Repeat("p", 64), strings.Repeat("e", 64)
	r.Blob = bytes.Repeat([]byte{0, 0xff, '\''}, 1<<16/3)
	e.holds(e.create(r))
}

func oddStrings(e *env) {
	for _, s := range []string{" a ", "A", "a", "'; DROP TABLE session; --", "%", "_", "\\", "\"", "日本\n🐎", "é", "e\u0301", "01", "1", "1e3", "NULL"} {
		r := newRecord()
		r.Subject, r.Tenant, r.Profile, r.EndReason = s, s+"t", s+"p", s+"e"
		e.holds(e.create(r))
	}
}

func extremeGens(e *env) {
	for _, gen := range []uint32{0, 1, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		r := newRecord()
		r.Gen = gen
		e.holds(e.create(r))
	}
}

func createCopies(e *env) {
	r := newRecord()
	given := r
	given.Blob = bytes.Clone(r.Blob)
	e.create(given)
	given.Blob[0] ^= 1
	e.holds(r)
}

func updateCopies(e *env) {
	r := e.created()
	r2 := next(r)
	given := r2
	given.Blob = bytes.Clone(r2.Blob)
	e.update(given, r.Version)
	given.Blob[0] ^= 1
	e.holds(r2)
}

func getCopies(e *env) {
	r := e.created()
	e.get(r.ID).Blob[0] ^= 1
	e.holds(r)
	got := e.get(r.ID)
	_ = append(got.Blob, "written past the end"...)
	e.holds(r)
}

func updateEverything(e *env) {
	r := e.created()
	e.holds(e.update(store.Record{
		ID: r.ID, Subject: "bob", Tenant: "globex", Profile: "api",
		Gen: 9, GenSeen: true, WindowAt: at(1), LastSeen: at(2),
		IdleExpires: at(3), Expires: at(4),
		EndReason: "kept though it has not ended", Version: newVersion(), Blob: []byte("other"),
	}, r.Version))
}

func updateMissing(e *env) {
	r := newRecord()
	e.want(e.s.Update(e.Context(), next(r), r.Version), store.ErrNotFound, "Update")
	e.gone(r.ID)
}

func updateStale(e *env) {
	r := e.created()
	r2 := e.update(next(r), r.Version)
	e.want(e.s.Update(e.Context(), next(r), r.Version), store.ErrConflict, "Update")
	e.want(e.s.Update(e.Context(), next(r), newVersion()), store.ErrConflict, "Update")
	e.want(e.s.Update(e.Context(), next(r), store.Version{}), store.ErrConflict, "Update")
	e.holds(r2)
}

func updateWholeVersion(e *env) {
	r := e.created()
	for i := range r.Version {
		almost := r.Version
		almost[i] ^= 1
		e.want(e.s.Update(e.Context(), next(r), almost), store.ErrConflict, "Update")
	}
	e.holds(r)
}

func updateSameVersion(e *env) {
	r := e.created()
	same := r
	same.Gen++
	e.wantFailure(e.s.Update(e.Context(), same, r.Version), "Update to the version that it replaces")
	e.holds(r)
}

func updateEnds(e *env) {
	r := e.created()
	dead := e.update(ended(r), r.Version)
	e.holds(dead)
	if got := e.get(r.ID); !got.Ended() {
		e.Fatal("the record has not ended")
	}
}

func updateTombstone(e *env) {
	r := e.created()
	dead := e.update(ended(r), r.Version)
	alive := next(r)
	e.want(e.s.Update(e.Context(), alive, dead.Version), store.ErrConflict, "Update")
	e.want(e.s.Update(e.Context(), alive, r.Version), store.ErrConflict, "Update")
	e.want(e.s.Update(e.Context(), ended(dead), dead.Version), store.ErrConflict, "Update")
	e.holds(dead)
}

func updateOnlyOne(e *env) {
	r, other := e.created(), e.created()
	e.update(next(r), r.Version)
	e.holds(other)
	e.want(e.s.Update(e.Context(), next(other), r.Version), store.ErrConflict, "Update")
	e.holds(other)
}

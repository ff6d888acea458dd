package storetest

import (
	"slices"
	"time"

	"github.com/remuda-go/remuda/store"
)

// truncateChecks covers Truncate.
func truncateChecks() []check {
	return []check{
		{"truncate_removes_an_entry_after_its_until_only", truncateInstant},
		{"truncate_leaves_the_living_and_their_order", truncateLeaves},
		{"truncate_removes_at_most_limit", truncateLimit},
		{"truncate_with_limit_0_removes_nothing", truncateZeroLimit},
		{"truncate_of_an_empty_log", truncateEmpty},
		{"cursors_outlive_a_truncate", truncateCursors},
		{"a_place_is_never_given_twice", truncateNewest},
		{"a_follower_behind_misses_no_living_entry", truncateBehind},
	}
}

// settledChecks covers entries of [store.ScopeSettled].
func settledChecks(settles bool) []check {
	checks := []check{
		{"a_settled_entry_lives_as_long_as_either_says", settledBounds},
		{"settling_never_lengthens_a_life", settledLonger},
		{"settling_leaves_later_and_other_entries", settledOthers},
	}
	if settles {
		checks = append(checks, check{"settled_entries_are_truncated_early", settledEarly})
	}
	return checks
}

func (e *env) truncate(before time.Time, limit int) int {
	e.Helper()
	n, err := e.log().Truncate(e.Context(), before, limit)
	if err != nil {
		e.Fatalf("Truncate: %v", err)
	}
	return n
}

// truncated fails unless Truncate removes so many entries.
func (e *env) truncated(want int, before time.Time, limit int) {
	e.Helper()
	if n := e.truncate(before, limit); n != want {
		e.Fatalf("Truncate removed %d entries, want %d", n, want)
	}
}

// until is x with another end.
func until(x store.Entry, t time.Time) store.Entry {
	x.Until = t
	return x
}

func truncateInstant(e *env) {
	x, forgotten := newEntry(), until(newEntry(), time.Time{})
	e.append(x, forgotten)
	e.truncated(1, x.Until, 10)
	got, _ := e.whole(e.log(), "")
	e.sameEntries([]store.Entry{x}, got)
	e.truncate(x.Until.Add(tick), 10) // and the fence
	e.holdsLog("")
}

func truncateLeaves(e *env) {
	var living []store.Entry
	for i := range 30 {
		x := newEntry()
		if i%3 != 0 {
			x.Until = at(i)
		} else {
			living = append(living, x)
		}
		e.append(x)
	}
	e.truncated(20, at(100), 1000)
	e.holdsLog("", living...)
	e.truncated(0, at(100), 1000)
}

func truncateLimit(e *env) {
	living := newEntry()
	e.append(living)
	for range 25 {
		e.append(until(newEntry(), at(5)))
	}
	for _, want := range []int{10, 10, 5, 0} {
		e.truncated(want, at(100), 10)
	}
	e.holdsLog("", living)
}

func truncateZeroLimit(e *env) {
	x := until(newEntry(), at(5))
	e.append(x)
	e.truncated(0, at(100), 0)
	e.holdsLog("", x)
}

func truncateEmpty(e *env) { e.truncated(0, at(0), 10) }

// truncateCursors removes the entries that followers stand behind.
func truncateCursors(e *env) {
	x, y := until(newEntry(), at(5)), newEntry()
	e.append(x)
	behindX := e.batch("").Next
	e.append(y)
	e.append(until(newEntry(), at(6)))
	e.truncated(2, at(100), 10)
	e.sameEntries([]store.Entry{y}, e.first(behindX, 1))
	e.holdsLog(behindX, y)
}

// truncateNewest: after the newest entry was removed, what comes next is still
// behind everybody who has read it.
func truncateNewest(e *env) {
	for range 3 {
		e.append(newEntry(), until(newEntry(), at(5)))
		_, cursor := e.whole(e.log(), "")
		e.truncate(base.AddDate(1, 0, 0), 1000) // the fence too
		x := newEntry()
		e.append(x)
		e.sameEntries([]store.Entry{x}, e.first(cursor, 1))
	}
}

// truncateBehind removes what is past while a follower is in the middle.
func truncateBehind(e *env) {
	var all, living []store.Entry
	for range manyEntries / 2 {
		x := newEntry()
		all = append(all, until(newEntry(), at(5)), x)
		living = append(living, x)
	}
	for part := range slices.Chunk(all, 230) {
		e.append(part...)
	}
	var got []store.Entry
	late := e.deadline()
	for b, err := range e.log().Follow(e.Context(), "", time.Now) {
		if err != nil {
			e.Fatalf("Follow: %v", err)
		}
		late()
		for _, x := range b.Entries {
			if !x.Until.Equal(at(5)) {
				got = append(got, x)
			}
		}
		if len(got) >= len(living) {
			break
		}
		e.truncate(at(6), 300)
	}
	e.sameEntries(living, got)
}

func settledBounds(e *env) {
	x, wide := newEntry(), wideEntry()
	e.append(x, wide)
	s := settledEntry(base.Add(time.Minute), x.Target, string(wide.ID[:]))
	e.append(s)
	got, _ := e.whole(e.log(), "")
	for i, want := range []store.Entry{x, wide} {
		if i < len(got) && got[i].Until.Equal(s.Until) {
			want.Until = s.Until // it may show already
		}
		e.sameEntries([]store.Entry{want}, got[min(i, len(got)):min(i+1, len(got))])
	}
	e.truncated(0, s.Until, 10)
}

func settledLonger(e *env) {
	x := newEntry()
	e.append(x)
	s := settledEntry(x.Until.Add(time.Hour), x.Target)
	e.append(s)
	e.holdsLog("", x, s)
	if n := e.truncate(x.Until.Add(tick), 10); n < 1 {
		e.Fatal("an entry that was settled later than it ends anyway was not removed at its end")
	}
}

func settledOthers(e *env) {
	x, other, wide := newEntry(), newEntry(), wideEntry()
	again := x
	again.ID = newID()
	e.append(x, other, wide)
	s := settledEntry(at(7), x.Target)
	e.append(s, again)
	e.truncate(at(8), 100)
	got, _ := e.whole(e.log(), "")
	if len(got) > 0 && got[0].ID == x.ID { // a log that cannot shorten lives
		got = got[1:]
	}
	if len(got) > 2 && got[2].ID == s.ID {
		got = append(got[:2:2], got[3:]...)
	}
	e.sameEntries([]store.Entry{other, wide, again}, got)
}

func settledEarly(e *env) {
	x, wide, other := newEntry(), wideEntry(), newEntry()
	again := x
	again.ID = newID()
	e.append(x, wide)
	e.append(other, again)
	s := settledEntry(at(7), x.Target, string(wide.ID[:]))
	e.append(s)
	e.truncated(0, at(7), 10)
	e.truncated(4, at(8), 10) // with the one that says so
	e.holdsLog("", other)
}

package storetest

import (
	"time"

	"github.com/remuda-go/remuda/store"
)

// touchChecks covers the rules of Touch one by one, at the instants where they
// change.
func touchChecks() []check {
	return []check{
		{"touch_of_the_generation_marks_it_seen", touchSeen},
		{"touch_of_a_seen_generation_changes_nothing", touchSeenAgain},
		{"touch_of_another_generation_is_not_seen", touchOtherGen},
		{"touch_of_generation_0_is_not_seen", touchGenZero},
		{"touch_never_moves_the_window_back", touchWindowBack},
		{"touch_moves_last_seen_and_the_idle_deadline_forward", touchActivity},
		{"touch_without_idle_deadline_is_no_activity", touchNoActivity},
		{"touch_never_moves_last_seen_or_the_idle_deadline_back", touchBack},
		{"touch_moves_each_of_the_two_alone", touchEachAlone},
		{"touch_never_moves_the_idle_deadline_past_the_end", touchPastEnd},
		{"touch_changes_the_version_only_if_it_changes_anything", touchVersion},
		{"touch_an_instant_before_the_idle_deadline", touchBeforeIdle},
		{"touch_at_the_idle_deadline_does_nothing", touchAtIdle},
		{"touch_at_the_absolute_end_does_nothing", touchAtEnd},
		{"touch_of_a_tombstone_does_nothing", touchTombstone},
		{"touch_never_creates_a_record", touchMissing},
		{"touch_changes_no_other_column", touchOtherColumns},
		{"touch_of_a_batch", touchBatch},
		{"touch_of_one_record_twice_in_a_batch", touchTwice},
		{"touch_of_an_empty_batch", touchNone},
		{"touch_defeats_a_swap_that_did_not_see_it", touchThenStaleUpdate},
		{"touch_of_a_record_whose_deadlines_are_zero_does_nothing", touchZeroDeadlines},
	}
}

// use is a touch that counts as activity.
func use(r store.Record, gen uint32, when, idle time.Time) store.Touch {
	return store.Touch{ID: r.ID, Gen: gen, At: when, IdleExpires: idle, Version: newVersion()}
}

// sight is a touch that only presents a generation.
func sight(r store.Record, gen uint32, when time.Time) store.Touch {
	return use(r, gen, when, time.Time{})
}

func touchSeen(e *env) {
	r := e.created()
	t := sight(r, r.Gen, at(1))
	e.touch(t)
	r.GenSeen, r.WindowAt, r.Version = true, at(1), t.Version
	e.holds(r)
}

func touchSeenAgain(e *env) {
	r := newRecord()
	r.GenSeen = true
	e.create(r)
	e.touch(sight(r, r.Gen, at(1)))
	e.holds(r)
}

func touchOtherGen(e *env) {
	r := e.created()
	e.touch(sight(r, r.Gen-1, at(1)), sight(r, r.Gen+1, at(2)))
	e.holds(r)
}

func touchGenZero(e *env) {
	r := newRecord()
	r.Gen = 0 // no manager writes this; 0 must still never count as seen
	e.create(r)
	e.touch(sight(r, 0, at(1)))
	e.holds(r)
}

func touchWindowBack(e *env) {
	r := newRecord()
	r.WindowAt = at(10)
	e.create(r)
	t := sight(r, r.Gen, at(9))
	e.touch(t)
	r.GenSeen, r.Version = true, t.Version
	e.holds(r)
}

func touchActivity(e *env) {
	r := e.created()
	t := use(r, 0, at(1), r.IdleExpires.Add(tick))
	e.touch(t)
	r.LastSeen, r.IdleExpires, r.Version = at(1), r.IdleExpires.Add(tick), t.Version
	e.holds(r)
}

func touchNoActivity(e *env) {
	r := e.created()
	e.touch(sight(r, 0, at(1)))
	e.holds(r)
}

func touchBack(e *env) {
	r := e.created()
	e.touch(use(r, 0, r.LastSeen.Add(-tick), r.IdleExpires.Add(-tick)))
	e.touch(use(r, 0, r.LastSeen, r.IdleExpires))
	e.holds(r)
}

func touchEachAlone(e *env) {
	r := e.created()
	t := use(r, 0, r.LastSeen.Add(tick), r.IdleExpires.Add(-tick))
	e.touch(t)
	r.LastSeen, r.Version = r.LastSeen.Add(tick), t.Version
	e.holds(r)
	t = use(r, 0, r.LastSeen.Add(-tick), r.IdleExpires.Add(tick))
	e.touch(t)
	r.IdleExpires, r.Version = r.IdleExpires.Add(tick), t.Version
	e.holds(r)
}

func touchPastEnd(e *env) {
	r := e.created()
	t := use(r, 0, at(1), r.Expires.Add(tick))
	e.touch(t)
	r.LastSeen, r.IdleExpires, r.Version = at(1), r.Expires, t.Version
	e.holds(r)
	e.touch(use(r, 0, at(1), r.Expires.Add(time.Hour)))
	e.holds(r) // the deadline is at the end already: no change, no new version
}

func touchVersion(e *env) {
	r := e.created()
	t := use(r, r.Gen, at(1), r.IdleExpires.Add(tick))
	e.touch(t)
	if got := e.get(r.ID).Version; got != t.Version {
		e.Fatalf("Version = %x after a touch, want the touch's %x", got, t.Version)
	}
	e.touch(use(r, r.Gen, at(1), r.IdleExpires))
	if got := e.get(r.ID).Version; got != t.Version {
		e.Fatalf("Version = %x after a touch that changes nothing, want %x", got, t.Version)
	}
}

func touchBeforeIdle(e *env) {
	r := e.created()
	t := use(r, r.Gen, r.IdleExpires.Add(-tick), r.IdleExpires.Add(time.Hour))
	e.touch(t)
	r.GenSeen, r.WindowAt, r.LastSeen = true, t.At, t.At
	r.IdleExpires, r.Version = t.IdleExpires, t.Version
	e.holds(r)
}

func touchAtIdle(e *env) {
	r := e.created()
	e.touch(use(r, r.Gen, r.IdleExpires, r.IdleExpires.Add(time.Hour)))
	e.touch(sight(r, r.Gen, r.IdleExpires))
	e.touch(sight(r, r.Gen, r.IdleExpires.Add(tick)))
	e.holds(r)
}

func touchAtEnd(e *env) {
	r := newRecord()
	r.IdleExpires = r.Expires
	e.create(r)
	e.touch(use(r, r.Gen, r.Expires, r.Expires.Add(time.Hour)))
	e.holds(r)
	late := newRecord() // against the contract, so that the end is seen alone
	late.IdleExpires = late.Expires.Add(time.Hour)
	e.create(late)
	e.touch(sight(late, late.Gen, late.Expires))
	e.holds(late)
	t := sight(late, late.Gen, late.Expires.Add(-tick))
	e.touch(t)
	late.GenSeen, late.WindowAt, late.Version = true, t.At, t.Version
	e.holds(late)
}

func touchTombstone(e *env) {
	r := e.created()
	dead := e.update(ended(r), r.Version)
	e.touch(use(r, r.Gen, at(1), r.IdleExpires.Add(time.Hour)))
	e.touch(use(r, r.Gen, dead.EndedAt.Add(-tick), r.IdleExpires.Add(time.Hour)))
	e.holds(dead)
}

func touchMissing(e *env) {
	r := newRecord()
	e.touch(use(r, 1, at(1), at(2)))
	e.gone(r.ID)
	if err := e.s.Create(e.Context(), r); err != nil {
		e.Fatalf("Create after a touch of nothing: %v", err)
	}
	e.holds(r)
}

func touchOtherColumns(e *env) {
	r, other := e.created(), e.created()
	t := use(r, r.Gen, at(1), at(1).Add(time.Hour))
	e.touch(t)
	r.GenSeen, r.WindowAt, r.LastSeen, r.Version = true, at(1), at(1), t.Version
	r.IdleExpires = at(1).Add(time.Hour)
	e.holds(r)
	e.holds(other)
}

func touchBatch(e *env) {
	var batch []store.Touch
	var want []store.Record
	for i := range 300 {
		r := newRecord()
		t := use(r, r.Gen, at(i), r.IdleExpires.Add(tick))
		switch i % 3 {
		case 0:
			e.create(r)
			r.GenSeen, r.WindowAt, r.LastSeen = true, t.At, t.At
			r.IdleExpires, r.Version = t.IdleExpires, t.Version
			want = append(want, r)
		case 1:
			want = append(want, e.create(ended(r)))
		}
		batch = append(batch, t)
	}
	e.touch(batch...)
	for _, r := range want {
		e.holds(r)
	}
	if batch[0].ID != want[0].ID {
		e.Fatal("the store changed the caller's batch")
	}
}

func touchTwice(e *env) {
	r := e.created()
	first, second := sight(r, r.Gen, at(1)), use(r, r.Gen, at(2), r.IdleExpires.Add(tick))
	e.touch(first, second)
	r.GenSeen, r.WindowAt = true, e.get(r.ID).WindowAt // either may have come first
	r.LastSeen, r.IdleExpires = at(2), r.IdleExpires.Add(tick)
	r.Version = second.Version
	e.holds(r)
	if !r.WindowAt.Equal(at(1)) && !r.WindowAt.Equal(at(2)) {
		e.Fatalf("WindowAt = %v", r.WindowAt)
	}
}

func touchNone(e *env) {
	e.touch()
	if err := e.s.Touch(e.Context(), nil); err != nil {
		e.Fatalf("Touch(nil): %v", err)
	}
}

func touchThenStaleUpdate(e *env) {
	r := e.created()
	e.touch(sight(r, r.Gen, at(1)))
	touched := e.get(r.ID)
	e.want(e.s.Update(e.Context(), next(r), r.Version), store.ErrConflict, "Update")
	e.holds(touched)
	e.holds(e.update(next(touched), touched.Version))
}

func touchZeroDeadlines(e *env) {
	r := newRecord()
	r.IdleExpires, r.Expires = time.Time{}, time.Time{}
	e.create(r)
	e.touch(use(r, r.Gen, at(1), at(2)))
	e.holds(r)
}

package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remuda-go/remuda/store"
)

// logConcurrentChecks covers a log to which many append at once.
func logConcurrentChecks() []check {
	return []check{
		{"followers_agree_and_miss_nothing", followersAgree},
		{"marks_never_lie", marksTrue},
		{"an_append_is_added_whole_or_not_at_all", appendsWhole},
		{"a_truncate_loses_no_living_entry", truncateRaces},
	}
}

// logSecondChecks covers a log with several handles.
func logSecondChecks() []check {
	return []check{
		{"handles_follow_each_other", secondFollows},
		{"followers_through_several_handles_agree", secondAgree},
		{"marks_never_lie_to_several_handles", secondMarks},
	}
}

// logReopenChecks covers durability of the log across a restart.
func logReopenChecks() []check {
	return []check{
		{"entries_and_cursors_survive_a_restart", reopenLog},
		{"a_place_is_never_given_twice_after_a_restart", reopenNewest},
	}
}

// appended is an entry and when its Append was called and had returned.
type appended struct {
	entry      store.Entry
	begun, end time.Time
}

// delivery is a batch that a follower was given.
type delivery struct {
	entries []store.Entry
	asOf    time.Time
}

// traffic is what appenders and followers have seen of a log.
type traffic struct {
	mu       sync.Mutex
	appended []appended
	followed [][]delivery // by follower
}

// play lets several append to a log at once while others follow it, spread over
// the handles. The followers begin one after the other, and end when the last
// entry has come and they have a mark behind it.
func (e *env) play(logs []store.Log) *traffic {
	e.Helper()
	const followers = 3
	t := &traffic{followed: make([][]delivery, followers)}
	var working atomic.Int32
	working.Store(callers)
	e.together(callers+followers, func(ctx context.Context, i int) error {
		l := logs[i%len(logs)]
		if i < followers {
			return t.follow(ctx, l, i, func() bool { return working.Load() == 0 })
		}
		defer working.Add(-1)
		for j := range rounds {
			if err := t.append(ctx, l, 1+(i+j)%3); err != nil {
				return err
			}
			if j%2 == 0 { // the followers are slow: let them be in the middle of it
				if err := pause(ctx, rand.N(2*time.Millisecond)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return t
}

func (t *traffic) append(ctx context.Context, l store.Log, n int) error {
	entries := make([]store.Entry, n)
	for i := range entries {
		entries[i] = newEntry()
	}
	begun := time.Now()
	if err := l.Append(ctx, entries...); err != nil {
		return err
	}
	end := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range entries {
		t.appended = append(t.appended, appended{x, begun, end})
	}
	return nil
}

// slowNow is the present instant, told after a while: long enough for others to
// append between what a log has read before it asks and the mark that it then
// gets.
func slowNow() time.Time {
	time.Sleep(2 * time.Millisecond)
	return time.Now()
}

// follow notes what it is given until a mark lies behind the instant at which
// all was over. It stops and goes on from its cursor now and then.
func (t *traffic) follow(ctx context.Context, l store.Log, who int, over func() bool) error {
	var cursor store.Cursor
	var ended time.Time
	for {
		for b, err := range l.Follow(ctx, cursor, slowNow) {
			if err != nil {
				return err
			}
			cursor = b.Next
			t.followed[who] = append(t.followed[who], delivery{b.Entries, b.AsOf})
			if !ended.IsZero() && b.AsOf.After(ended) {
				return nil
			}
			if ended.IsZero() && over() {
				ended = time.Now()
			}
			if rand.IntN(10) == 0 {
				break
			}
		}
	}
}

// order returns the entries in the order of a follower.
func (t *traffic) order(who int) []store.ID {
	var ids []store.ID
	for _, d := range t.followed[who] {
		for _, x := range d.entries {
			ids = append(ids, x.ID)
		}
	}
	return ids
}

// agree fails unless all followers were delivered everything once, in one order
// that respects time.
func (t *traffic) agree(e *env) {
	e.Helper()
	byID := map[store.ID]appended{}
	for _, a := range t.appended {
		byID[a.entry.ID] = a
	}
	order := t.order(0)
	for who := range t.followed {
		if other := t.order(who); !slices.Equal(order, other) {
			e.Fatalf("followers 0 and %d were delivered %d and %d entries, in other orders or not the same: %s",
				who, len(order), len(other), firstDifference(order, other))
		}
	}
	var latest appended // of those so far, the one that was begun last
	for i, id := range order {
		a, known := byID[id]
		if !known {
			e.Fatalf("entry %d of %d was delivered twice, or is nobody's", i, len(order))
		}
		delete(byID, id)
		if a.end.Before(latest.begun) {
			e.Fatalf("an entry comes after one that was appended %v later", latest.begun.Sub(a.end))
		}
		if a.begun.After(latest.begun) {
			latest = a
		}
	}
	if len(byID) > 0 {
		e.Fatalf("%d of %d entries were not delivered", len(byID), len(t.appended))
	}
}

func firstDifference(a, b []store.ID) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("they differ from entry %d on", i)
		}
	}
	return "one has what the other has not"
}

// truthful fails if a mark claims an entry that was not delivered by then.
func (t *traffic) truthful(e *env) {
	e.Helper()
	slices.SortFunc(t.appended, func(a, b appended) int { return a.end.Compare(b.end) })
	for who, deliveries := range t.followed {
		have := map[store.ID]bool{}
		claimed := 0
		for i, d := range deliveries {
			for _, x := range d.entries {
				have[x.ID] = true
			}
			for ; claimed < len(t.appended) && t.appended[claimed].end.Before(d.asOf); claimed++ {
				if a := t.appended[claimed]; !have[a.entry.ID] {
					e.Fatalf("follower %d, batch %d: the mark %v claims an entry whose append had returned %v before, and which was not delivered",
						who, i, d.asOf, d.asOf.Sub(a.end))
				}
			}
		}
	}
}

func followersAgree(e *env) { e.play([]store.Log{e.log()}).agree(e) }

func marksTrue(e *env) { e.play([]store.Log{e.log()}).truthful(e) }

// handles returns the log of the store and that of another handle.
func (e *env) handles() []store.Log {
	e.Helper()
	return []store.Log{e.log(), e.logOf(e.h.Second(e.TB, e.s))}
}

func secondAgree(e *env) { e.play(e.handles()).agree(e) }

func secondMarks(e *env) { e.play(e.handles()).truthful(e) }

// secondFollows passes a cursor from handle to handle.
func secondFollows(e *env) {
	logs := e.handles()
	var cursor store.Cursor
	for i := range 6 {
		x, y := newEntry(), wideEntry()
		if err := logs[i%2].Append(e.Context(), x, y); err != nil {
			e.Fatalf("Append: %v", err)
		}
		var got []store.Entry
		got, cursor = e.whole(logs[(i+i/2+1)%2], cursor)
		e.sameEntries([]store.Entry{x, y}, got)
	}
}

// appendsWhole lets callers leave in the middle of their appends, whose length
// it measures first.
func appendsWhole(e *env) {
	const size = 5
	begun := time.Now()
	e.play([]store.Log{e.log()})
	usual := time.Since(begun) / rounds
	_, after := e.whole(e.log(), "")
	var mu sync.Mutex
	groups := map[store.ID]int{} // of each entry
	kept := map[int]bool{}       // acknowledged
	e.together(callers, func(ctx context.Context, i int) error {
		for j := range rounds {
			group := i*rounds + j
			entries := make([]store.Entry, size)
			mu.Lock()
			for k := range entries {
				entries[k] = newEntry()
				groups[entries[k].ID] = group
			}
			mu.Unlock()
			brief, cancel := context.WithTimeout(ctx, rand.N(2*usual))
			err := e.log().Append(brief, entries...)
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			mu.Lock()
			kept[group] = err == nil
			mu.Unlock()
		}
		return nil
	})
	got, _ := e.whole(e.log(), after)
	counts := map[int]int{}
	for _, x := range got {
		counts[groups[x.ID]]++
	}
	for group, acknowledged := range kept {
		if n := counts[group]; n != size && (n != 0 || acknowledged) {
			e.Fatalf("%d of %d entries of an append were added (acknowledged: %v)", n, size, acknowledged)
		}
	}
}

// truncateRaces truncates while others append what lives and what is past.
func truncateRaces(e *env) {
	var over atomic.Bool
	var working atomic.Int32
	working.Store(callers)
	t := &traffic{followed: make([][]delivery, 1)}
	e.together(callers+2, func(ctx context.Context, i int) error {
		switch i {
		case 0:
			defer over.Store(true)
			return t.follow(ctx, e.log(), 0, func() bool { return working.Load() == 0 })
		case 1:
			for !over.Load() {
				if _, err := e.log().Truncate(ctx, at(6), 3); err != nil {
					return err
				}
				if err := pause(ctx, time.Millisecond); err != nil {
					return err
				}
			}
			return nil
		}
		defer working.Add(-1)
		for range rounds {
			if err := e.log().Append(ctx, until(newEntry(), at(5))); err != nil {
				return err
			}
			if err := t.append(ctx, e.log(), 1); err != nil {
				return err
			}
		}
		return nil
	})
	for i, d := range t.followed[0] {
		t.followed[0][i].entries = slices.DeleteFunc(d.entries, func(x store.Entry) bool { return x.Until.Equal(at(5)) })
	}
	t.agree(e)
	t.truthful(e)
	got, _ := e.whole(e.log(), "")
	left := slices.DeleteFunc(got, func(x store.Entry) bool { return x.Until.Equal(at(5)) })
	if len(left) != len(t.appended) {
		e.Fatalf("%d living entries are in the log, want %d", len(left), len(t.appended))
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func reopenLog(e *env) {
	all := e.appendMany(20)
	past := until(newEntry(), at(5))
	e.append(past)
	places := e.places(len(all) + 1)
	s := settledEntry(all[0].Until, all[0].Target)
	e.append(s)
	e.truncated(1, at(6), 10)
	all = append(all, s)

	e.s = e.h.Reopen(e.TB, e.s)
	x := newEntry()
	e.append(x)
	all = append(all, x)
	for _, p := range places {
		read := min(p.read, 20)
		e.sameEntries(all[read:], e.first(p.cursor, len(all)-read))
	}
	e.holdsLog("", all...)
}

// reopenNewest removes the newest entry before the restart.
func reopenNewest(e *env) {
	e.append(newEntry(), newEntry())
	cursor := e.places(2)
	e.truncated(2, base.AddDate(1, 0, 0), 10)
	e.s = e.h.Reopen(e.TB, e.s)
	x := newEntry()
	e.append(x)
	e.holdsLog(cursor[len(cursor)-1].cursor, x)
}

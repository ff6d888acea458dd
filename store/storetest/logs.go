package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/remuda-go/remuda/store"
)

// manyEntries is more than any driver reads in one page.
const manyEntries = 2300

// logChecks covers Append and Follow by one caller at a time.
func logChecks() []check {
	return []check{
		{"a_quiet_log_still_beats", followBeats},
		{"entries_come_back_whole", entriesWhole},
		{"entries_at_their_limits_come_back_whole", entriesLargest},
		{"instants_of_entries_are_kept_to_the_microsecond_in_utc", entriesInstants},
		{"a_bad_entry_is_refused_with_its_neighbours", entriesBad},
		{"append_of_nothing_adds_nothing", appendNothing},
		{"append_of_the_same_entry_again_is_harmless", appendAgain},
		{"append_keeps_nothing_of_the_callers", appendCopies},
		{"followers_get_copies", followCopies},
		{"all_followers_see_the_order_of_the_appends", followOrder},
		{"a_follower_reads_on_from_every_cursor", followCursors},
		{"a_follower_can_be_ranged_twice", followTwice},
		{"a_follower_far_behind_catches_up", followMany},
		{"a_follower_holds_nothing_while_its_caller_works", followHolds},
		{"a_cursor_of_no_log_is_an_error", followBadCursor},
		{"a_follower_ends_with_its_context", followContext},
		{"a_follower_ends_when_the_store_is_closed", followClosed},
		{"marks_are_instants_that_were_read", marksAreRead},
		{"marks_never_go_back", marksMonotonic},
	}
}

// log returns the store's log, or fails: the harness claimed it.
func (e *env) log() store.Log {
	e.Helper()
	return e.logOf(e.s)
}

func (e *env) logOf(s store.Store) store.Log {
	e.Helper()
	l, ok := s.(store.Log)
	if !ok {
		e.Fatalf("%T does not implement store.Log", s)
	}
	return l
}

// newEntry ends a session.
func newEntry() store.Entry {
	session := newID()
	return store.Entry{
		ID: newID(), Scope: store.ScopeSession, Target: string(session[:]),
		Until: base.Add(time.Hour), At: at(3), Reason: "logout",
	}
}

// wideEntry ends all sessions of a subject but one.
func wideEntry() store.Entry {
	return store.Entry{
		ID: newID(), Scope: store.ScopeSubject, Target: "alice", Tenant: "acme",
		From: at(-1000), Before: at(2), Except: newID(),
		Until: base.Add(time.Hour), At: at(3), Reason: "logout_others",
	}
}

// settledEntry says that others need be kept only until the given instant.
func settledEntry(until time.Time, ids ...string) store.Entry {
	return store.Entry{ID: newID(), Scope: store.ScopeSettled, Target: strings.Join(ids, ""), Until: until, At: at(4)}
}

func (e *env) append(entries ...store.Entry) {
	e.Helper()
	if err := e.log().Append(e.Context(), entries...); err != nil {
		e.Fatalf("Append: %v", err)
	}
}

// appendMany appends n entries, some at a time, and returns them.
func (e *env) appendMany(n int) []store.Entry {
	e.Helper()
	all := make([]store.Entry, n)
	for i := range all {
		all[i] = newEntry()
	}
	for part := range slices.Chunk(all, 230) {
		e.append(part...)
	}
	return all
}

// whole returns what is in the log behind the cursor, and the place behind that:
// everything up to a fence that it appends, and all that comes until the log is
// quiet, so that what is delivered twice shows.
func (e *env) whole(l store.Log, after store.Cursor) ([]store.Entry, store.Cursor) {
	e.Helper()
	fence := newEntry()
	if err := l.Append(e.Context(), fence); err != nil {
		e.Fatalf("Append: %v", err)
	}
	ctx, cancel := context.WithTimeout(e.Context(), e.patience())
	defer cancel()
	var all []store.Entry
	found := -1
	for b, err := range l.Follow(ctx, after, time.Now) {
		if err != nil {
			e.Fatalf("Follow from %q, after %d entries: %v", after, len(all), err)
		}
		if i := slices.IndexFunc(b.Entries, func(x store.Entry) bool { return x.ID == fence.ID }); found < 0 && i >= 0 {
			found = len(all) + i
		}
		all, after = append(all, b.Entries...), b.Next
		if found >= 0 && len(b.Entries) == 0 {
			break
		}
	}
	if found < 0 {
		e.Fatalf("Follow ended without an error")
	}
	return slices.Delete(all, found, found+1), after
}

// holdsLog fails unless exactly these entries are in the log behind the cursor.
func (e *env) holdsLog(after store.Cursor, want ...store.Entry) store.Cursor {
	e.Helper()
	got, next := e.whole(e.log(), after)
	e.sameEntries(want, got)
	return next
}

func (e *env) sameEntries(want, got []store.Entry) {
	e.Helper()
	for i := range min(len(want), len(got)) {
		if d := diffEntries(want[i], got[i]); d != "" {
			e.Fatalf("entry %d of the log differs:\n%s", i, d)
		}
	}
	if len(want) != len(got) {
		e.Fatalf("the log holds %d entries, want %d", len(got), len(want))
	}
}

func diffEntries(want, got store.Entry) string {
	var d differ
	d.field("ID", want.ID, got.ID)
	d.field("Scope", want.Scope, got.Scope)
	d.bytes("Target", []byte(want.Target), []byte(got.Target))
	d.field("Tenant", want.Tenant, got.Tenant)
	d.instant("From", want.From, got.From)
	d.instant("Before", want.Before, got.Before)
	d.field("Except", want.Except, got.Except)
	d.instant("Until", want.Until, got.Until)
	d.instant("At", want.At, got.At)
	d.field("Reason", want.Reason, got.Reason)
	return d.String()
}

func entriesWhole(e *env) {
	bare := store.Entry{ID: newID(), Scope: store.ScopeEverything}
	all := []store.Entry{newEntry(), wideEntry(), bare}
	for _, scope := range []store.Scope{store.ScopeTenant, store.ScopeProfile, store.ScopeKey, store.ScopeChanged} {
		x := wideEntry()
		x.Scope, x.Target = scope, "a'b\"c%_\\ \n\u00e9"
		y := x
		y.ID, y.Target, y.Tenant = newID(), "", ""
		all = append(all, x, y)
	}
	all = append(all, settledEntry(base.Add(2*time.Hour), strings.Repeat("\x00\xff", 8)))
	e.append(all...)
	e.holdsLog("", all...)
}

func entriesLargest(e *env) {
	x := wideEntry()
	x.Target, x.Tenant, x.Reason = strings.Repeat("\u20ac", 85), strings.Repeat("\u20ac", 85), strings.Repeat("\u00e9", 32)
	ids := make([]string, store.MaxSettled)
	for i := range ids {
		id := newID()
		ids[i] = string(id[:])
	}
	ids[0], ids[1] = strings.Repeat("\x00", 16), strings.Repeat("\xff", 16)
	y := settledEntry(base.Add(2*time.Hour), ids...)
	y.Reason = strings.Repeat("x", 64)
	e.append(x, y)
	e.holdsLog("", x, y)
}

func entriesInstants(e *env) {
	zone := time.FixedZone("x", 3600)
	fine := func(t time.Time) time.Time { return t.Add(999).In(zone) }
	want := wideEntry()
	x := want
	x.From, x.Before, x.Until, x.At = fine(x.From), fine(x.Before), fine(x.Until), fine(x.At)
	e.append(x)
	e.holdsLog("", want)
}

// badEntries are such as no log takes.
func badEntries() map[string]store.Entry {
	bad := map[string]store.Entry{}
	plant := func(name string, change func(x *store.Entry)) {
		x := wideEntry()
		change(&x)
		bad[name] = x
	}
	plant("no scope", func(x *store.Entry) { x.Scope = 0 })
	plant("an unknown scope", func(x *store.Entry) { x.Scope = store.ScopeSettled + 1 })
	plant("a long target", func(x *store.Entry) { x.Target = strings.Repeat("x", 256) })
	plant("a target that is not UTF-8", func(x *store.Entry) { x.Target = "\xff" })
	plant("a target with a NUL", func(x *store.Entry) { x.Target = "a\x00b" })
	plant("a short session", func(x *store.Entry) { x.Scope, x.Target = store.ScopeSession, "alice" })
	plant("a target for everything", func(x *store.Entry) { x.Scope = store.ScopeEverything })
	plant("half an id settled", func(x *store.Entry) { x.Scope, x.Target = store.ScopeSettled, strings.Repeat("x", 24) })
	plant("nothing settled", func(x *store.Entry) { x.Scope, x.Target = store.ScopeSettled, "" })
	plant("too much settled", func(x *store.Entry) {
		x.Scope, x.Target = store.ScopeSettled, strings.Repeat("x", 16*(store.MaxSettled+1))
	})
	plant("a long tenant", func(x *store.Entry) { x.Tenant = strings.Repeat("x", 256) })
	plant("a tenant that is not UTF-8", func(x *store.Entry) { x.Tenant = "\xff" })
	plant("a long reason", func(x *store.Entry) { x.Reason = strings.Repeat("x", 65) })
	plant("a reason with a NUL", func(x *store.Entry) { x.Reason = "\x00" })
	return bad
}

func entriesBad(e *env) {
	for name, bad := range badEntries() {
		err := e.log().Append(e.Context(), newEntry(), bad, newEntry())
		e.wantFailure(err, "Append of an entry with "+name)
	}
	e.holdsLog("")
}

func appendNothing(e *env) {
	e.append()
	e.holdsLog("")
}

func appendAgain(e *env) {
	x, y := newEntry(), wideEntry()
	e.append(x)
	e.append(y)
	e.append(x)
	got, _ := e.whole(e.log(), "")
	if len(got) == 2 {
		got = append(got, x) // a log may also keep it once
	}
	e.sameEntries([]store.Entry{x, y, x}, got)
}

func appendCopies(e *env) {
	all := []store.Entry{newEntry(), wideEntry()}
	want := slices.Clone(all)
	e.append(all...)
	all[0], all[1] = newEntry(), newEntry()
	e.holdsLog("", want...)
}

func followCopies(e *env) {
	x := newEntry()
	e.append(x)
	got, _ := e.whole(e.log(), "")
	e.sameEntries([]store.Entry{x}, got)
	got[0].Reason = "changed"
	for b, err := range e.log().Follow(e.Context(), "", time.Now) {
		if err != nil {
			e.Fatalf("Follow: %v", err)
		}
		for i := range b.Entries {
			b.Entries[i].Reason = "changed"
		}
		break
	}
	again, _ := e.whole(e.log(), "")
	e.sameEntries([]store.Entry{x}, again[:min(1, len(again))])
}

func followOrder(e *env) {
	var all []store.Entry
	for i := range 20 {
		part := []store.Entry{newEntry(), wideEntry(), newEntry()}[:1+i%3]
		e.append(part...)
		all = append(all, part...)
	}
	for range 2 {
		got, _ := e.whole(e.log(), "")
		got = slices.DeleteFunc(got, func(x store.Entry) bool { // the first fence
			return !slices.ContainsFunc(all, func(y store.Entry) bool { return x.ID == y.ID })
		})
		e.sameEntries(all, got)
	}
}

// place is where a follower stood, and how much it had been delivered.
type place struct {
	cursor store.Cursor
	read   int
}

// places follows from the beginning and stops after each batch, until it has
// so many entries.
func (e *env) places(n int) []place {
	e.Helper()
	all := []place{{}}
	for late := e.deadline(); all[len(all)-1].read < n; late() {
		p := all[len(all)-1]
		b := e.batch(p.cursor)
		all = append(all, place{b.Next, p.read + len(b.Entries)})
	}
	return all
}

// deadline returns what fails once the test has waited too long.
func (e *env) deadline() func() {
	give := time.Now().Add(e.patience())
	return func() {
		if time.Now().After(give) {
			e.Fatalf("what was appended is not delivered")
		}
	}
}

// batch returns the first batch behind the cursor.
func (e *env) batch(after store.Cursor) store.Batch {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.Context(), e.patience())
	defer cancel()
	for b, err := range e.log().Follow(ctx, after, time.Now) {
		if err != nil {
			e.Fatalf("Follow: %v", err)
		}
		return b
	}
	e.Fatal("Follow yielded nothing")
	return store.Batch{}
}

func followCursors(e *env) {
	var all []store.Entry
	var stood []place
	var at store.Cursor
	for range 5 {
		stood = append(stood, place{at, len(all)})
		x := newEntry()
		e.append(x)
		all = append(all, x)
		b := e.batch(at)
		e.sameEntries([]store.Entry{x}, b.Entries)
		at = b.Next
	}
	stood = append(stood, place{at, len(all)}, place{e.batch(at).Next, len(all)})
	for _, p := range stood {
		got, _ := e.whole(e.log(), p.cursor)
		e.sameEntries(all[p.read:], got[:min(len(got), len(all)-p.read)])
	}
}

func followTwice(e *env) {
	x := newEntry()
	e.append(x)
	seq := e.log().Follow(e.Context(), "", time.Now)
	for range 2 {
		for b, err := range seq {
			if err != nil {
				e.Fatalf("Follow: %v", err)
			}
			e.sameEntries([]store.Entry{x}, b.Entries)
			break
		}
	}
}

// followMany: no mark may claim completeness before the last page.
func followMany(e *env) {
	all := e.appendMany(manyEntries)
	appended := time.Now()
	read, late := 0, e.deadline()
	for b, err := range e.log().Follow(e.Context(), "", time.Now) {
		if err != nil {
			e.Fatalf("Follow: %v", err)
		}
		late()
		if read += len(b.Entries); read < len(all) && b.AsOf.After(appended) {
			e.Fatalf("a mark claims completeness after %d of %d entries", read, len(all))
		}
		if read >= len(all) {
			break
		}
	}
	for _, p := range e.places(manyEntries) {
		e.sameEntries(all[p.read:], e.first(p.cursor, manyEntries-p.read))
	}
	e.holdsLog("", all...)
}

// first returns the first n entries behind the cursor.
func (e *env) first(after store.Cursor, n int) []store.Entry {
	e.Helper()
	var all []store.Entry
	for late := e.deadline(); len(all) < n; late() {
		b := e.batch(after)
		all, after = append(all, b.Entries...), b.Next
	}
	return all[:n]
}

func followHolds(e *env) {
	e.append(newEntry())
	e.soon("Append or Truncate while a follower's caller works,", func() {
		for _, err := range e.log().Follow(e.Context(), "", time.Now) {
			if err != nil {
				e.Errorf("Follow: %v", err)
			}
			if err := e.log().Append(e.Context(), newEntry()); err != nil {
				e.Errorf("Append: %v", err)
			}
			if _, err := e.log().Truncate(e.Context(), base, 10); err != nil {
				e.Errorf("Truncate: %v", err)
			}
			return
		}
	})
}

func followBadCursor(e *env) {
	e.append(newEntry())
	for _, c := range []store.Cursor{"nowhere", " ", "1 ", "\x00", store.Cursor(strings.Repeat("9", 100))} {
		n := 0
		for b, err := range e.log().Follow(e.Context(), c, time.Now) {
			n++
			if !errors.Is(err, store.ErrCursor) {
				e.Fatalf("Follow from a cursor of no log = %v, want %v", err, store.ErrCursor)
			}
			e.emptyBatch(b)
		}
		if n != 1 {
			e.Fatalf("Follow from a cursor of no log yielded %d pairs, want 1", n)
		}
	}
}

func (e *env) emptyBatch(b store.Batch) {
	e.Helper()
	if len(b.Entries) > 0 || b.Next != "" || !b.AsOf.IsZero() {
		e.Errorf("Follow yielded a batch beside the error: %+v", b)
	}
}

// ends ranges until the follower ends, and fails unless it does so with one
// error, as the last pair. each is called after each batch.
func (e *env) ends(ctx context.Context, each func()) error {
	e.Helper()
	var failed []error
	e.soon("a follower that was to end", func() {
		for b, err := range e.log().Follow(ctx, "", time.Now) {
			if len(failed) > 0 {
				e.Errorf("Follow went on after an error")
				return
			}
			if err != nil {
				failed = append(failed, err)
				e.emptyBatch(b)
				continue
			}
			each()
		}
	})
	if len(failed) != 1 {
		e.Fatalf("Follow ended with %d errors, want 1", len(failed))
	}
	return failed[0]
}

func followContext(e *env) {
	e.append(newEntry())
	for _, batches := range []int{0, 1, 3} {
		ctx, cancel := context.WithCancel(e.Context())
		left := batches
		if left == 0 {
			cancel()
		}
		err := e.ends(ctx, func() {
			if left--; left <= 0 {
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			e.Fatalf("Follow ended with %v, want one that is context.Canceled", err)
		}
	}
	ctx, cancel := context.WithTimeout(e.Context(), store.Heartbeat/5) // while it waits
	defer cancel()
	if err := e.ends(ctx, func() {}); !errors.Is(err, context.DeadlineExceeded) {
		e.Fatalf("Follow ended with %v, want one that is context.DeadlineExceeded", err)
	}
}

func followClosed(e *env) {
	e.append(newEntry())
	closed := false
	err := e.ends(e.Context(), func() {
		if !closed {
			closed = true
			if err := e.s.Close(); err != nil {
				e.Errorf("Close: %v", err)
			}
		}
	})
	e.wantFailure(err, "Follow of a store that is closed meanwhile")
	if errors.Is(err, context.Canceled) {
		e.Fatalf("Follow = %v, but nobody has cancelled it", err)
	}
}

// followBeats takes the middle of several pauses, so that one that the machine
// has made does not count.
func followBeats(e *env) {
	var pauses []time.Duration
	last := time.Now()
	var mark time.Time
	e.soon("waiting for heartbeats", func() {
		for b, err := range e.log().Follow(e.Context(), "", time.Now) {
			if err != nil {
				e.Errorf("Follow: %v", err)
				return
			}
			if !b.AsOf.After(mark) {
				e.Errorf("the mark of a quiet log stood still: %v after %v", b.AsOf, mark)
			}
			mark = b.AsOf
			pauses = append(pauses, time.Since(last))
			if last = time.Now(); len(pauses) == 5 {
				return
			}
		}
	})
	slices.Sort(pauses)
	if middle := pauses[len(pauses)/2]; middle > store.Heartbeat*3/2 {
		e.Fatalf("a quiet log beats every %v, want %v", middle, store.Heartbeat)
	}
}

// clock tells instants to a log and remembers them. A log may ask for them from
// a goroutine of its own.
type clock struct {
	mu   sync.Mutex
	tell func(i int) time.Time // the i-th
	told []time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tell(len(c.told))
	c.told = append(c.told, t)
	return t
}

func (c *clock) hasTold(t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.told, t) // with the monotonic part
}

// marks appends and follows by a clock, and passes each mark on, until stop says
// that it was the last.
func (e *env) marks(c *clock, stop func(mark time.Time) bool) {
	e.Helper()
	late := e.deadline()
	for b, err := range e.log().Follow(e.Context(), "", c.now) {
		if err != nil {
			e.Fatalf("Follow: %v", err)
		}
		late()
		if !b.AsOf.IsZero() && stop(b.AsOf) {
			return
		}
		e.append(newEntry())
	}
}

func marksAreRead(e *env) {
	c := &clock{tell: func(int) time.Time { return time.Now() }}
	n := 0
	e.marks(c, func(mark time.Time) bool {
		if !c.hasTold(mark) {
			e.Fatalf("the mark %v was never read from the clock", mark)
		}
		n++
		return n == 5
	})
}

// marksMonotonic plays a clock that is set back.
func marksMonotonic(e *env) {
	c := &clock{tell: func(i int) time.Time {
		steps := []int{10, 20, 5, 15, 20, 30, 25, 40}
		if i < len(steps) {
			return at(steps[i])
		}
		return at(50 + i)
	}}
	var last time.Time
	e.marks(c, func(mark time.Time) bool {
		if mark.Before(last) {
			e.Fatalf("a mark went back from %v to %v", last, mark)
		}
		last = mark
		return mark.After(at(60))
	})
}

package storetest_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remuda-go/remuda/store"
)

// brokenPage is small, so that pages end in the middle of things.
const brokenPage = 50

// brokenLog is the log of a [brokenStore], whose lock guards it.
type brokenLog struct {
	last    int
	entries []store.Entry
	places  []int // of the entries, ascending
	changed chan struct{}
}

func (l *brokenLog) announce() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *brokenLog) reopen(b bug) {
	l.changed = make(chan struct{})
	switch b {
	case "log forgets at a restart":
		l.entries, l.places = nil, nil
	case "log frees places at a restart":
		l.last = 0
		if len(l.places) > 0 {
			l.last = l.places[len(l.places)-1]
		}
	case "log moves places at a restart":
		l.renumber()
	}
}

func (l *brokenLog) renumber() {
	for i := range l.places {
		l.places[i] = i + 1
	}
	l.last = len(l.places)
}

// enterLog is enter with the bugs of the log.
func (s *brokenStore) enterLog(ctx context.Context) error {
	err := s.enter(ctx)
	switch {
	case s.closed && s.bug == "log works after close":
		return nil
	case !s.closed && s.bug == "log ignores cancellation":
		return nil
	}
	return err
}

func (s *brokenStore) Append(ctx context.Context, entries ...store.Entry) error {
	checked := s.bug != "log checks entries as it goes" && s.bug != "log takes bad entries"
	for i := range entries {
		if err := entries[i].Check(); err != nil && checked {
			return err
		}
	}
	defer s.mu.Unlock()
	if err := s.enterLog(ctx); err != nil {
		return err
	}
	if len(s.log.entries) == 0 && s.bug == "log keeps the caller's slice" {
		s.log.entries = entries[:0]
	}
	for i := range entries {
		if err := entries[i].Check(); err != nil && s.bug != "log takes bad entries" {
			return err
		}
		if 0 < i && i < 5 && s.bug == "log appends one by one" {
			s.mu.Unlock()
			time.Sleep(100 * time.Microsecond)
			s.mu.Lock()
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		s.add(entries[i])
	}
	s.log.announce()
	return nil
}

func (s *brokenStore) add(e store.Entry) {
	if e.Scope == store.ScopeSettled && s.bug != "settling takes the session's next" {
		s.settle(e)
	}
	for _, t := range []*time.Time{&e.From, &e.Before, &e.Until, &e.At} {
		if t.IsZero() && s.bug == "log: zero time becomes 1970" {
			*t = time.Unix(0, 0)
		}
		*t = t.Truncate(time.Microsecond).UTC()
		if s.bug == "log keeps nanoseconds" {
			*t = t.Add(1)
		}
		if s.bug == "log returns local time" {
			*t = t.In(time.FixedZone("x", 3600))
		}
	}
	if s.bug == "log keeps targets as text" {
		e.Target = strings.ToValidUTF8(e.Target, "?")
	}
	if s.bug == "log drops the exception" {
		e.Except = store.ID{}
	}
	l := &s.log
	l.last++
	place := l.last
	if s.bug == "log gives its places before they are taken" {
		s.gap(s.bug) // another may take the next one meanwhile, and be read
	}
	i, _ := slices.BinarySearch(l.places, place)
	l.entries, l.places = slices.Insert(l.entries, i, e), slices.Insert(l.places, i, place)
	if s.bug == "settling takes the session's next" {
		for _, x := range slices.Clone(l.entries) {
			if x.Scope == store.ScopeSettled {
				s.settle(x)
			}
		}
	}
}

func (s *brokenStore) settle(e store.Entry) {
	if s.bug == "settled entries live on" {
		return
	}
	for ids := []byte(e.Target); len(ids) >= 16; ids = ids[16:] {
		for i := range s.log.entries {
			x := &s.log.entries[i]
			meant := x.Scope == store.ScopeSession && x.Target == string(ids[:16]) ||
				x.Scope != store.ScopeSession && bytes.Equal(x.ID[:], ids[:16]) && s.bug != "settling knows sessions only" ||
				x.Scope == store.ScopeSession && s.bug == "settling takes all"
			if meant && (e.Until.Before(x.Until) || s.bug == "settled entries live longer") {
				x.Until = e.Until
			}
			if meant && s.bug == "settling knows the first only" {
				return
			}
		}
	}
}

func (s *brokenStore) Truncate(ctx context.Context, before time.Time, limit int) (int, error) {
	defer s.mu.Unlock()
	if err := s.enterLog(ctx); err != nil {
		return 0, err
	}
	n, l := 0, &s.log
	for i := 0; i < len(l.entries); {
		if s.isPast(l.entries[i], before) && (n < limit || s.bug == "truncate ignores limit" || limit == 0 && s.bug == "truncate takes limit 0 for none") {
			n++
			if s.bug == "truncate takes the oldest" {
				l.entries, l.places = l.entries[1:], l.places[1:]
			} else {
				l.entries, l.places = slices.Delete(l.entries, i, i+1), slices.Delete(l.places, i, i+1)
			}
			continue
		}
		i++
	}
	switch s.bug {
	case "truncate frees places":
		l.reopen("log frees places at a restart")
	case "truncate moves places":
		l.renumber()
	case "truncate miscounts":
		return min(n+1, limit), nil
	}
	return n, nil
}

func (s *brokenStore) isPast(e store.Entry, before time.Time) bool {
	switch s.bug {
	case "truncate takes the living":
		return e.At.Before(before)
	case "truncate includes the instant":
		return !e.Until.After(before)
	case "truncate leaves the past":
		return false
	case "truncate spares the forgotten":
		return !e.Until.IsZero() && e.Until.Before(before)
	case "truncate keeps what settles":
		return e.Until.Before(before) && e.Scope != store.ScopeSettled
	}
	return e.Until.Before(before)
}

func (s *brokenStore) Follow(ctx context.Context, after store.Cursor, now func() time.Time) iter.Seq2[store.Batch, error] {
	return func(yield func(store.Batch, error) bool) {
		if s.bug == "log locks while ranging" {
			inner := yield
			yield = func(b store.Batch, err error) bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return inner(b, err)
			}
		}
		at, err := strconv.Atoi(string(after))
		if err != nil && s.bug != "log does not say what is wrong with a cursor" {
			err = store.ErrCursor
		}
		switch {
		case after == "", s.bug == "log begins anew at any cursor" && err != nil:
			at, err = 0, nil
		case s.bug == "log takes any cursor" && err != nil:
			at, err = s.log.last, nil
		}
		var last store.Batch
		var marked time.Time
		for err == nil {
			var next store.Batch
			var changed <-chan struct{}
			if next, at, changed, err = s.nextBatch(ctx, at, marked, now); err != nil {
				break
			}
			last = next
			if !next.AsOf.IsZero() {
				marked = next.AsOf
			}
			if !yield(next, nil) {
				return
			}
			if len(next.Entries) < brokenPage {
				s.wait(ctx, changed)
			}
		}
		s.fail(err, last, yield)
	}
}

// fail yields the error that a follower ends with.
func (s *brokenStore) fail(err error, last store.Batch, yield func(store.Batch, error) bool) {
	switch s.bug {
	case "log ends without an error":
		return
	case "log errs beside a batch":
		yield(last, err)
		return
	}
	yield(store.Batch{}, err)
	if s.bug == "log errs twice" {
		yield(store.Batch{}, err)
	}
}

func (s *brokenStore) wait(ctx context.Context, changed <-chan struct{}) {
	beat := store.Heartbeat / 25
	switch s.bug {
	case "log never beats":
		beat = time.Hour
	case "log beats slowly":
		beat = 2 * store.Heartbeat
	case "log never ends":
		ctx = context.WithoutCancel(ctx)
	}
	select {
	case <-changed:
	case <-time.After(beat):
	case <-ctx.Done():
	}
}

// nextBatch reads what comes next.
func (s *brokenStore) nextBatch(ctx context.Context, at int, marked time.Time, now func() time.Time) (store.Batch, int, <-chan struct{}, error) {
	mark := now()
	defer s.mu.Unlock()
	if err := s.enterLog(ctx); err != nil && s.bug != "log never ends" {
		return store.Batch{}, 0, nil, err
	}
	l := &s.log
	if at > l.last {
		return store.Batch{}, 0, nil, errors.New("the cursor lies ahead")
	}
	i, found := slices.BinarySearch(l.places, at+1)
	if !found && s.bug == "log delivers twice" && i > 0 && i < len(l.places) {
		i--
	}
	rest := l.entries[i:]
	page, next := rest, l.last
	if len(rest) >= brokenPage {
		page = rest[:brokenPage]
		if s.bug != "log yields one page" {
			next = l.places[i+brokenPage-1]
		}
	}
	if s.bug != "log delivers its own slice" {
		page = slices.Clone(page)
	}
	s.reorder(page)
	if s.bug == "log has gaps" {
		s.gap("log has gaps")
		next = l.last
	}
	if s.bug == "log lies in its marks" {
		s.mu.Unlock() // others append while the clock is asked, after the reading
		mark = now()
		s.mu.Lock()
	}
	b := store.Batch{Entries: page, Next: store.Cursor(strconv.Itoa(next))}
	if s.marks(mark, marked, len(page) == brokenPage) {
		b.AsOf = s.mark(mark, marked)
	}
	return b, next, l.changed, nil
}

func (s *brokenStore) reorder(page []store.Entry) {
	switch s.bug {
	case "log sorts by id":
		slices.SortFunc(page, func(a, b store.Entry) int { return cmp.Compare(a.ID[0], b.ID[0]) })
	case "log puts the newest first":
		slices.Reverse(page)
	}
}

// marks reports whether a batch bears a mark.
func (s *brokenStore) marks(mark, marked time.Time, more bool) bool {
	return (!more || s.bug == "log marks every page") && (!mark.Before(marked) || s.bug == "log marks go back")
}

func (s *brokenStore) mark(mark, marked time.Time) time.Time {
	switch {
	case s.bug == "log rounds its marks":
		return mark.Round(0)
	case s.bug == "log marks what is coming":
		return mark.Add(50 * time.Millisecond)
	case s.bug == "log marks stand still" && !marked.IsZero():
		return marked
	}
	return mark
}

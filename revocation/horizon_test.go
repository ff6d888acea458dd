package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
	"github.com/remuda-go/remuda/store/storetest"
)

var errCut = errors.New("cut")

// errorsOf collects what OnError is told.
type errorsOf struct {
	mu   sync.Mutex
	errs []error
}

func (e *errorsOf) tell(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.errs = append(e.errs, err)
}

func (e *errorsOf) all() []error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.errs)
}

// bubble runs a test with a log behind a line, a horizon that has caught up, and
// the errors that it tells.
func bubble(t *testing.T, f func(t *testing.T, l *storetest.CutLog, h *revocation.Horizon, errs *errorsOf)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := storetest.NewCutLog(memstore.New())
		var errs errorsOf
		cfg := config(l)
		cfg.OnError = errs.tell
		f(t, l, start(t, cfg), &errs)
	})
}

func ended(i uint64) store.Entry {
	e := session(idOf(1, i), time.Now().Add(time.Hour))
	e.At = time.Now()
	return e
}

func TestCatchUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := memstore.New()
		const n = 5000
		for i := range uint64(n) {
			appendTo(t, l, ended(i))
		}
		h := revocation.New(config(l))
		if h.Ready() || h.Fresh(time.Now()) || h.Staleness(time.Now()) != math.MaxInt64 {
			t.Error("a horizon that has read nothing is ready")
		}
		time.Sleep(time.Minute)
		run(t, h)
		<-h.CaughtUp()
		if s := h.Stats(); !h.Ready() || !h.Fresh(time.Now()) || s.Read != n || s.Sessions != n || s.Degraded != 0 {
			t.Errorf("%+v after catching up", s)
		}
		if s := h.Stats(); s.LatencySum != 0 || s.Latency != [13]uint64{} {
			t.Errorf("%+v: what was there before is no latency", s)
		}
		for i := range uint64(n) {
			if !h.Revoked(tokenOf(idOf(1, i))) {
				t.Fatal("an entry is not in effect")
			}
		}
	})
}

// TestNotComplete wants a node to stay unready while the log says that more is
// to come.
func TestNotComplete(t *testing.T) {
	t.Parallel()
	h := revocation.New(config(history(nil)))
	h.Take(store.Batch{Entries: []store.Entry{ended(1)}})
	if h.Ready() || h.Stats().Read != 1 {
		t.Error("ready without a mark, or no progress shown")
	}
	h.Take(store.Batch{AsOf: time.Now()})
	if !h.Ready() {
		t.Error("not ready with a mark")
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *storetest.CutLog, h *revocation.Horizon, _ *errorsOf) {
		l.Lag(30 * time.Millisecond)
		appendTo(t, l, ended(1))
		if h.Revoked(tokenOf(idOf(1, 1))) {
			t.Error("in effect before it came")
		}
		time.Sleep(31 * time.Millisecond)
		if s := h.Stats(); !h.Revoked(tokenOf(idOf(1, 1))) || s.Latency[5] != 1 || s.LatencySum != 30*time.Millisecond {
			t.Errorf("%+v, want one latency of 30 ms", s)
		}
		own := ended(2)
		appendTo(t, l, own)
		h.Add(own)
		if !h.Revoked(tokenOf(idOf(1, 2))) {
			t.Error("Add returned and the entry is not in effect")
		}
		time.Sleep(time.Second)
		if s := h.Stats(); s.LatencySum != 30*time.Millisecond || s.Read != 2 || s.Sessions != 2 {
			t.Errorf("%+v, want no latency for an entry of this node", s)
		}
	})
}

// TestCut cuts the line for five seconds.
func TestCut(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *storetest.CutLog, h *revocation.Horizon, errs *errorsOf) {
		l.Fail(errCut)
		appendTo(t, l, ended(1))
		time.Sleep(1700 * time.Millisecond)
		if !h.Fresh(time.Now()) {
			t.Error("stale before MaxStaleness has passed")
		}
		time.Sleep(3300 * time.Millisecond)
		if s := h.Stats(); h.Fresh(time.Now()) || s.Staleness < 4*time.Second || s.Degraded != s.Staleness-revocation.DefaultMaxStaleness {
			t.Errorf("%+v, want it to be degraded since it was two seconds old", s)
		}
		told := errs.all()
		if len(told) < 8 || len(told) > 20 || !errors.Is(told[0], errCut) {
			t.Errorf("told %d times of %v, want each try, ever more seldom", len(told), told)
		}
		before := h.Stats().Degraded
		l.Restore()
		time.Sleep(revocation.LastWait + 10*time.Millisecond)
		s := h.Stats()
		if !h.Fresh(time.Now()) || !h.Revoked(tokenOf(idOf(1, 1))) || s.Read != 1 {
			t.Errorf("%+v, want the entry, once, as soon as the line is whole", s)
		}
		time.Sleep(time.Minute)
		if d := h.Stats().Degraded; d < before || d > before+revocation.LastWait || h.Stats().Degraded != s.Degraded {
			t.Errorf("degraded for %v, then for %v", before, d)
		}
		l.Fail(errCut)
		time.Sleep(100 * time.Millisecond)
		if again := len(errs.all()) - len(told); again < 3 {
			t.Errorf("tried %d times soon after a line that was whole was cut", again)
		}
	})
}

// TestSilent cuts the line so that no error comes.
func TestSilent(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *storetest.CutLog, h *revocation.Horizon, errs *errorsOf) {
		l.Silence()
		time.Sleep(revocation.MaxSilence - time.Second)
		if len(errs.all()) != 0 || h.Fresh(time.Now()) {
			t.Error("given up too early, or fresh while nothing comes")
		}
		time.Sleep(2 * time.Second)
		if told := errs.all(); len(told) != 1 || !errors.Is(told[0], revocation.ErrSilent) {
			t.Errorf("told %v, want that the log is silent", told)
		}
		l.Restore()
		time.Sleep(revocation.LastWait)
		if !h.Fresh(time.Now()) {
			t.Error("not fresh again")
		}
	})
}

// TestSilentAtFirst starts a node on a line that is dead.
func TestSilentAtFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := storetest.NewCutLog(memstore.New())
		l.Silence()
		var errs errorsOf
		cfg := config(l)
		cfg.OnError = errs.tell
		h := revocation.New(cfg)
		run(t, h)
		time.Sleep(revocation.MaxSilence + time.Second)
		if told := errs.all(); len(told) != 1 || !errors.Is(told[0], revocation.ErrSilent) || h.Ready() {
			t.Errorf("told %v, want that the log is silent", told)
		}
		l.Restore()
		<-h.CaughtUp()
	})
}

// TestLag wants marks to be as old as they are, whenever they come.
func TestLag(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *storetest.CutLog, h *revocation.Horizon, errs *errorsOf) {
		l.Lag(5 * time.Second)
		time.Sleep(time.Minute)
		if s := h.Stats(); h.Fresh(time.Now()) || s.Staleness < 5*time.Second || s.Staleness > 5*time.Second+store.Heartbeat || len(errs.all()) != 0 {
			t.Errorf("%+v behind a line of five seconds; told %v", s, errs.all())
		}
		if s := h.Stats(); s.Degraded < 57*time.Second || s.Degraded > time.Minute {
			t.Errorf("degraded for %v of a minute that began fresh", s.Degraded)
		}
	})
}

// TestRunAgain wants a second Run to go on where the first stopped.
func TestRunAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := memstore.New()
		h := revocation.New(config(l))
		appendTo(t, l, ended(1))
		stop := run(t, h)
		<-h.CaughtUp()
		stop()
		appendTo(t, l, ended(2))
		run(t, h)
		time.Sleep(time.Millisecond)
		if s := h.Stats(); s.Read != 2 || s.Sessions != 2 {
			t.Errorf("%+v, want each entry read once", s)
		}
	})
}

// TestRunSweeps wants Run to let entries fall off by itself.
func TestRunSweeps(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *storetest.CutLog, h *revocation.Horizon, _ *errorsOf) {
		e := ended(1)
		e.Until = time.Now().Add(15 * time.Minute)
		appendTo(t, l, e)
		time.Sleep(15 * time.Minute)
		if h.Stats().Sessions != 1 {
			t.Error("gone before its end")
		}
		time.Sleep(revocation.Margin + 20*time.Second)
		if h.Stats().Sessions != 0 {
			t.Error("held long after its end")
		}
	})
}

func TestNotify(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := memstore.New()
		var h *revocation.Horizon
		var told []store.ID
		cfg := config(l)
		cfg.Notify = func(e store.Entry) {
			if e.Scope == store.ScopeSession && !h.Revoked(tokenOf(e.ID)) {
				t.Error("told before it was in effect")
			}
			told = append(told, e.ID)
		}
		h = revocation.New(cfg)
		run(t, h)
		var want []store.ID
		for i := range uint64(3000) {
			e := ended(i)
			if i == 7 {
				e = store.Entry{ID: e.ID, Scope: store.ScopeChanged, Target: "alice", Until: e.Until}
			}
			want = append(want, e.ID)
			appendTo(t, l, e)
		}
		synctest.Wait()
		if !slices.Equal(told, want) {
			t.Errorf("told of %d entries, not of all in the order of the log", len(told))
		}
		h.Add(ended(5000))
		if len(told) != len(want)+1 {
			t.Error("not told of an entry of this node")
		}
	})
}

// TestPaused pauses a node for a minute. Its first request decides by what time
// it is then.
func TestPaused(t *testing.T) {
	t.Parallel()
	c := newClock()
	h := clocked(c)
	h.Take(store.Batch{AsOf: c.Now()})
	if !h.Fresh(c.Now().Add(revocation.DefaultMaxStaleness)) || h.Fresh(c.Now().Add(revocation.DefaultMaxStaleness+1)) {
		t.Error("the bound is not MaxStaleness")
	}
	c.Advance(time.Minute)
	if h.Fresh(c.Now()) || h.Staleness(c.Now()) != time.Minute {
		t.Error("fresh after a pause of a minute")
	}
	// A batch that was on its way then says what was true then.
	h.Take(store.Batch{AsOf: c.Now().Add(-time.Minute + time.Millisecond)})
	if h.Fresh(c.Now()) {
		t.Error("an old mark makes a view fresh")
	}
	h.Take(store.Batch{AsOf: c.Now()})
	if got := h.Stats().Degraded; !h.Fresh(c.Now()) || got != time.Minute-revocation.DefaultMaxStaleness {
		t.Errorf("degraded for %v of a minute", got)
	}
	h.Take(store.Batch{AsOf: c.Now().Add(-time.Hour)})
	if !h.Fresh(c.Now()) {
		t.Error("a mark went back")
	}
}

// stepped returns an instant whose wall clock was set on by d and whose
// monotonic clock was not. No method of [time.Time] makes one.
func stepped(t time.Time, d time.Duration) time.Time {
	t = t.Add(d)
	(*struct {
		wall uint64
		mono int64
	})(unsafe.Pointer(&t)).mono -= int64(d)
	return t
}

// TestClocks wants the larger of what both clocks say.
func TestClocks(t *testing.T) {
	t.Parallel()
	now := time.Now()
	if d := stepped(now, time.Hour); d.Sub(now) != 0 || d.Round(0).Sub(now.Round(0)) != time.Hour {
		t.Fatal("no instant can be made whose clocks differ")
	}
	for name, c := range map[string]struct {
		passed, stepped time.Duration
		want            time.Duration
	}{
		"both":                   {time.Second, 0, time.Second},
		"suspended":              {time.Second, time.Hour, time.Hour + time.Second},
		"set back":               {time.Second, -time.Hour, time.Second},
		"set back while stale":   {time.Minute, -time.Hour, time.Minute},
		"asked before the mark":  {-time.Second, 0, 0},
		"set back at that":       {-time.Second, -time.Hour, 0},
		"without any difference": {0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := clocked(&clock{now: now.Add(-time.Minute)})
			h.Take(store.Batch{AsOf: now})
			at := stepped(now.Add(c.passed), c.stepped)
			if got := h.Staleness(at); got != c.want || h.Fresh(at) != (c.want <= revocation.DefaultMaxStaleness) {
				t.Errorf("staleness %v, fresh %v, want %v", got, h.Fresh(at), c.want)
			}
		})
	}
	t.Run("the mark after a step back", func(t *testing.T) {
		t.Parallel()
		h := clocked(&clock{now: now.Add(-time.Minute)})
		h.Take(store.Batch{AsOf: now})
		back := stepped(now.Add(time.Second), -time.Hour)
		h.Take(store.Batch{AsOf: back})
		if got := h.Staleness(back.Add(time.Second)); got != time.Second {
			t.Errorf("staleness %v, want one second", got)
		}
	})
}

func TestAllocations(t *testing.T) {
	h := revocation.New(config(history(nil)))
	h.Take(store.Batch{AsOf: time.Now()})
	until := time.Now().Add(time.Hour)
	add(h, 1000, func(i uint64) store.Entry { return session(idOf(2, i), until) })
	for _, scope := range []store.Scope{store.ScopeSubject, store.ScopeTenant, store.ScopeProfile, store.ScopeKey, store.ScopeEverything} {
		h.Add(store.Entry{Scope: scope, Target: "other", Until: until})
	}
	now := time.Now()
	i := uint64(0)
	if n := testing.AllocsPerRun(1000, func() {
		i++
		if h.Revoked(tokenOf(idOf(1, i))) || !h.Revoked(tokenOf(idOf(2, i%1000))) || !h.Fresh(now) || h.Staleness(now) > time.Hour {
			t.Fatal("a wrong answer")
		}
	}); n > 0 && !raceEnabled {
		t.Errorf("%v allocations, want none", n)
	}
}

// TestConcurrent asks while another adds, and expired entries are swept between:
// what was added before is dead, and what was never added is not, not even by
// halves of two ids.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	const n, readers = million / 50, 4
	c := newClock()
	h := clocked(c)
	var added atomic.Uint64
	var working sync.WaitGroup
	for r := range readers {
		working.Go(func() {
			for k := uint64(r) << 40; added.Load() < n; k++ {
				if err := probe(h, k, added.Load()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	long := c.Now().Add(100 * 24 * time.Hour)
	for i := range uint64(n) {
		short := c.Now().Add(time.Duration(i%7) * time.Second)
		h.Add(session(idOf(1, i), long), session(idOf(2, i), short), subject(3, i, short))
		if i%10 == 0 {
			h.Add(subject(4, i, long))
		}
		added.Store(i + 1)
		if i%100 == 0 {
			c.Advance(5 * time.Second)
			h.Sweep()
		}
	}
	working.Wait()
}

// probe asks for something known and something unknown.
func probe(h *revocation.Horizon, k, added uint64) error {
	if added > 0 {
		i := mix(k) % added
		if !h.Revoked(tokenOf(idOf(1, i))) || !h.Revoked(subjectToken(4, i-i%10)) {
			return fmt.Errorf("entry %d of %d is not in effect", i, added)
		}
	}
	a, b := idOf(1, added), idOf(1, added+1)
	copy(a[8:], b[8:])
	if h.Revoked(tokenOf(a)) || h.Revoked(subjectToken(9, k)) {
		return errors.New("dead without an entry")
	}
	return nil
}

// TestClockAheadAtStart starts a node whose clock is an hour ahead, and is set right
// two minutes later.
func TestClockAheadAtStart(t *testing.T) {
	t.Parallel()
	c, own := newClock(), newClock()
	e := session(idOf(1, 1), c.Now().Add(time.Hour))
	c.Advance(2 * time.Hour)
	h := revocation.New(revocation.Config{Log: memstore.New(), Now: own.Now, StoreTime: c.Now})
	look := func(minutes int) {
		for range minutes {
			c.Advance(time.Minute)
			own.Advance(time.Minute)
			h.Sweep()
		}
	}
	h.Add(e)
	look(2)
	if !h.Revoked(tokenOf(e.ID)) || !h.Believed().IsZero() {
		t.Error("a clock is believed at sight")
	}
	c.Advance(-2 * time.Hour)
	h.Sweep()
	if !h.Revoked(tokenOf(e.ID)) || h.Believed().After(c.Now()) {
		t.Errorf("believed until %v, at %v", h.Believed(), c.Now())
	}
	look(50)
	if !h.Revoked(tokenOf(e.ID)) {
		t.Error("gone before its end")
	}
	if look(20); h.Revoked(tokenOf(e.ID)) {
		t.Error("held long after its end")
	}
}

// turned is a log that can be put in another's place.
type turned struct {
	store.Log
	mu sync.Mutex
}

func (l *turned) Follow(ctx context.Context, after store.Cursor, now func() time.Time) iter.Seq2[store.Batch, error] {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Log.Follow(ctx, after, now)
}

// TestLogGoesBack puts an older copy of a log in its place while it is followed.
// What the node knew it goes on to know, and it hears what comes.
func TestLogGoesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, copied := memstore.New(), memstore.New()
		appendTo(t, first, ended(1), ended(2), ended(3))
		appendTo(t, copied, ended(1))
		l := &turned{Log: first}
		h := start(t, config(l))
		l.mu.Lock()
		l.Log = copied
		l.mu.Unlock()
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		appendTo(t, copied, ended(4))
		time.Sleep(revocation.LastWait)
		for i := range uint64(4) {
			if !h.Revoked(tokenOf(ended(i + 1).ID)) {
				t.Errorf("entry %d is not in effect", i+1)
			}
		}
		if !h.Fresh(time.Now()) {
			t.Error("the node does not follow")
		}
	})
}

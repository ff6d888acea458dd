package revocation_test

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/store"
)

// most is how many bytes an entry may take, with the filter.
const most = 27

// TestMemory wants a million sessions to take little and to give the garbage
// collector nothing to walk. It does not run in parallel: the heap is everybody's.
func TestMemory(t *testing.T) {
	const n = million
	heap, walked := heapBytes(), heapWalked()
	h := filled(n, 2)
	grown := heapBytes() - heap
	got := float64(grown) / n
	t.Logf("%.2f bytes an entry on the heap", got)
	if got > most && !raceEnabled {
		t.Errorf("%.2f bytes an entry, want at most %d", got, most)
	}
	if s := h.Stats(); s.Sessions != n || int64(s.Bytes) > grown || int64(s.Bytes) < grown-1<<20 {
		t.Errorf("Stats tells of %d entries in %d bytes", s.Sessions, s.Bytes)
	}
	if more := heapWalked() - walked; more > 1<<19 {
		t.Errorf("the garbage collector walks %d bytes more", more)
	}
	runtime.KeepAlive(h)
}

// TestMemoryAtEverySize looks while a set grows: nowhere is an entry dear. Among
// fewer than 250,000 the pages of the allocator show.
func TestMemoryAtEverySize(t *testing.T) {
	t.Parallel()
	c := newClock()
	h := clocked(c)
	worst := map[bool]float64{}
	for n := uint64(0); n < 2*million; {
		batch := make([]store.Entry, max(1, n/200))
		for i := range batch {
			batch[i] = session(idOf(3, n), c.Now().Add(time.Hour))
			n++
		}
		h.Add(batch...)
		if many := n > 250_000; n > 20_000 {
			worst[many] = max(worst[many], float64(h.Stats().Bytes)/float64(n))
		}
	}
	t.Logf("at worst %.2f bytes an entry from 20,000 on, %.2f from 250,000 on", worst[false], worst[true])
	if worst[false] > most+2 || worst[true] > most {
		t.Errorf("want at most %d and %d", most+2, most)
	}
}

// TestMemoryReturns wants a storm to leave nothing behind but what still lives.
func TestMemoryReturns(t *testing.T) {
	const n, live = 200_000, 1000
	heap := heapBytes()
	c := newClock()
	h := clocked(c)
	soon, late := c.Now().Add(time.Minute), c.Now().Add(time.Hour)
	add(h, n, func(i uint64) store.Entry { return session(idOf(2, i), soon) })
	add(h, n, func(i uint64) store.Entry { return subject(3, i, soon) })
	add(h, live, func(i uint64) store.Entry { return session(idOf(4, i), late) })
	add(h, live, func(i uint64) store.Entry { return subject(5, i, late) })
	c.Advance(time.Minute + revocation.Margin)
	h.Sweep()
	if s := h.Stats(); s.Sessions != n+live || s.Wide != n+live {
		t.Errorf("%d sessions and %d subjects are held at the very end of most, want all", s.Sessions, s.Wide)
	}
	c.Advance(2 * time.Second)
	h.Sweep()
	if s := h.Stats(); s.Sessions > live*16/15+256 || s.Wide != live {
		t.Errorf("%d sessions and %d subjects are held after the storm, want %d", s.Sessions, s.Wide, live)
	}
	for i := range uint64(live) {
		if !h.Revoked(tokenOf(idOf(4, i))) || !h.Revoked(subjectToken(5, i)) {
			t.Fatal("a live entry fell off")
		}
	}
	if grown := heapBytes() - heap; grown > 2<<20 && !raceEnabled {
		t.Errorf("%d bytes are left", grown)
	}
	c.Advance(time.Hour)
	h.Sweep()
	if s := h.Stats(); s.Sessions != 0 || s.Wide != 0 || s.Bytes > 8192 || h.Any() {
		t.Errorf("%+v when all have expired", s)
	}
}

// TestLeapingClock wants a clock that is an hour ahead for a moment, on this node
// or in the store, to cost no entry.
func TestLeapingClock(t *testing.T) {
	t.Parallel()
	c, ahead := newClock(), time.Duration(0)
	h := revocation.New(revocation.Config{Log: history(nil), Now: c.Now, StoreTime: func() time.Time { return c.Now().Add(ahead) }})
	until := c.Now().Add(time.Hour)
	h.Add(session(idOf(1, 0), until), subject(1, 0, until))
	for range 40 {
		ahead = 2 * time.Hour
		for range 20 {
			c.Advance(time.Second)
			h.Sweep()
		}
		ahead = 0
		c.Advance(time.Minute)
		h.Sweep()
	}
	if !h.Revoked(tokenOf(idOf(1, 0))) || !h.Revoked(subjectToken(1, 0)) {
		t.Error("an entry is lost")
	}
	ahead = 2 * time.Hour // and stays there, as when a clock was wrong before
	for range 12 {
		c.Advance(time.Minute)
		h.Sweep()
	}
	if s := h.Stats(); s.Sessions+s.Wide != 0 {
		t.Errorf("%+v long after the end", s)
	}
}

// TestSettled wants settling to shorten, in whatever order entries come.
func TestSettled(t *testing.T) {
	t.Parallel()
	takes := func(h *revocation.Horizon, e store.Entry) { h.Take(store.Batch{Entries: []store.Entry{e}}) }
	adds := func(h *revocation.Horizon, e store.Entry) { h.Add(e) }
	const held, gone = 1, 0
	for name, c := range map[string]struct {
		steps func(h *revocation.Horizon, e, again, s store.Entry)
		want  int
	}{
		"in order":               {func(h *revocation.Horizon, e, _, s store.Entry) { takes(h, e); takes(h, s) }, gone},
		"own":                    {func(h *revocation.Horizon, e, _, s store.Entry) { adds(h, e); adds(h, s); takes(h, e); takes(h, s) }, gone},
		"own, between":           {func(h *revocation.Horizon, e, _, s store.Entry) { takes(h, e); adds(h, e); takes(h, s) }, gone},
		"own, after it":          {func(h *revocation.Horizon, e, _, s store.Entry) { takes(h, e); takes(h, s); adds(h, e) }, gone},
		"own, the log after it":  {func(h *revocation.Horizon, e, _, s store.Entry) { adds(h, e); takes(h, s); takes(h, e) }, gone},
		"not":                    {func(h *revocation.Horizon, e, _, _ store.Entry) { takes(h, e) }, held},
		"ended again afterwards": {func(h *revocation.Horizon, e, again, s store.Entry) { takes(h, e); takes(h, s); takes(h, again) }, held},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, make := range []func(seed, i uint64, until time.Time) store.Entry{
				func(seed, i uint64, until time.Time) store.Entry { return session(idOf(seed, i), until) }, subject,
			} {
				clk := newClock()
				h := clocked(clk)
				e := make(1, 1, clk.Now().Add(time.Hour))
				again := e
				again.ID = idOf(1, 2)
				c.steps(h, e, again, settled(idOf(1, 3), clk.Now().Add(time.Minute), idOf(1, 9), idOf(1, 1)))
				clk.Advance(2 * time.Minute)
				h.Sweep()
				if s := h.Stats(); s.Sessions+s.Wide != c.want {
					t.Errorf("%v: %d are held after the earlier end, want %d", e.Scope, s.Sessions+s.Wide, c.want)
				}
			}
		})
	}
	t.Run("merged", func(t *testing.T) {
		t.Parallel()
		clk := newClock()
		h := clocked(clk)
		first, second := subject(1, 1, clk.Now().Add(time.Hour)), subject(1, 1, clk.Now().Add(2*time.Hour))
		second.ID = idOf(1, 2)
		h.Add(first, second, settled(idOf(1, 3), clk.Now().Add(time.Minute), second.ID))
		h.Sweep()
		clk.Advance(30 * time.Minute)
		h.Sweep()
		third := subject(1, 1, clk.Now().Add(time.Minute))
		third.ID = idOf(1, 4)
		h.Add(third)
		clk.Advance(20 * time.Minute)
		h.Sweep()
		if !h.Revoked(subjectToken(1, 1)) {
			t.Error("the first fell off, which was not settled")
		}
		clk.Advance(20 * time.Minute)
		h.Sweep()
		if h.Stats().Wide != 0 {
			t.Error("the second is held, which was settled")
		}
	})
	t.Run("never longer", func(t *testing.T) {
		t.Parallel()
		clk := newClock()
		h := clocked(clk)
		for i, e := range []store.Entry{session(idOf(1, 1), clk.Now().Add(time.Minute)), subject(1, 2, clk.Now().Add(time.Minute))} {
			h.Add(e, settled(idOf(1, 3), clk.Now().Add(time.Hour), idOf(1, uint64(i+1))))
		}
		clk.Advance(2 * time.Minute)
		h.Sweep()
		if s := h.Stats(); s.Sessions+s.Wide != 0 {
			t.Errorf("%+v after the end", s)
		}
	})
}

// heapBytes returns how much of the heap is live.
func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// heapWalked returns how much of the heap the garbage collector walks.
func heapWalked() int64 {
	runtime.GC()
	s := []metrics.Sample{{Name: "/gc/scan/heap:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

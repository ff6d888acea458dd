package revocation_test

import (
	"context"
	"iter"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

// ask asks about tokens of sessions of a seed, of n in no order: no answer is in
// any cache because it was asked for before. Subtract "no check".
func ask(h *revocation.Horizon, seed, n uint64, want bool) func(b *testing.B) {
	return func(b *testing.B) {
		t := aliceToken()
		b.ReportAllocs()
		for i := uint64(0); b.Loop(); i++ {
			t.Session = idOf(seed, mix(i)%n)
			if h.Revoked(t) != want {
				b.Fatal(want)
			}
		}
	}
}

func BenchmarkRevoked(b *testing.B) {
	b.Run("no check", func(b *testing.B) {
		t := aliceToken()
		for i := uint64(0); b.Loop(); i++ {
			t.Session = idOf(1, mix(i)%uint64(1e9))
			if t.Started != 1 {
				b.Fatal(t)
			}
		}
	})
	for _, n := range []int{0, 1_000, 1_000_000, 10_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			h := filled(n, 2)
			b.Run("miss", ask(h, 1, 1e9, false))
			if n > 0 {
				b.Run("hit", ask(h, 2, uint64(n), true))
			}
		})
	}
}

// BenchmarkRevokedWide asks when entries wider than a session are held.
func BenchmarkRevokedWide(b *testing.B) {
	until := time.Now().Add(time.Hour)
	everything := store.Entry{Scope: store.ScopeEverything, Before: time.UnixMilli(1), Until: until}
	for _, c := range []struct {
		name     string
		subjects int
		scopes   []store.Scope
	}{
		{"one", 0, []store.Scope{store.ScopeEverything}},
		{"100000 subjects", 100_000, nil},
		{"all scopes", 100_000, []store.Scope{store.ScopeEverything, store.ScopeTenant, store.ScopeProfile, store.ScopeKey}},
	} {
		h := revocation.New(config(memstore.New()))
		for _, scope := range c.scopes {
			e := everything
			e.Scope, e.Target = scope, "other"
			h.Add(e)
		}
		h.Add(subjects(c.subjects)...)
		b.Run(c.name, ask(h, 1, 1e9, false))
	}
}

func subjects(n int) []store.Entry {
	until := time.Now().Add(time.Hour)
	es := make([]store.Entry, n)
	for i := range es {
		es[i] = subject(3, uint64(i), until)
	}
	return es
}

func BenchmarkFresh(b *testing.B) {
	h := start(b, config(memstore.New()))
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if !h.Fresh(now) {
			b.Fatal("stale")
		}
	}
}

// BenchmarkApply adds entries to those that are there, a thousand at a time.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{0, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			h := filled(n, 2)
			until := time.Now().Add(time.Hour)
			batch := make([]store.Entry, page)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				batch[i%page] = session(idOf(4, uint64(i)), until)
				if i%page == page-1 {
					h.Add(batch...)
				}
			}
		})
	}
}

// BenchmarkApplySubjects is a storm of entries for subjects.
func BenchmarkApplySubjects(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			es := subjects(n)
			for b.Loop() {
				revocation.New(config(memstore.New())).Add(es...)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/entry")
		})
	}
}

// BenchmarkRevokedWhileApplying asks beside a writer that adds a hundred thousand
// entries a second to a million, and without it.
func BenchmarkRevokedWhileApplying(b *testing.B) {
	for _, rate := range []int{0, 100_000} {
		b.Run(strconv.Itoa(rate), func(b *testing.B) {
			h := filled(1_000_000, 2)
			ctx, cancel := context.WithCancel(b.Context())
			var writer sync.WaitGroup
			defer writer.Wait()
			defer cancel()
			if rate > 0 {
				writer.Go(func() { apply(ctx, h, rate) })
			}
			ask(h, 1, 1e9, false)(b)
		})
	}
}

// apply adds so many entries a second, a hundredth at a time.
func apply(ctx context.Context, h *revocation.Horizon, rate int) {
	until := time.Now().Add(time.Hour)
	batch := make([]store.Entry, rate/100)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := uint64(0); ctx.Err() == nil; {
		for i := range batch {
			batch[i] = session(idOf(5, n), until)
			n++
		}
		h.Add(batch...)
		<-tick.C
	}
}

// history is a log that costs nothing to read and to which nothing is appended.
type history []store.Entry

func (history) Append(context.Context, ...store.Entry) error { return nil }

func (history) Truncate(context.Context, time.Time, int) (int, error) { return 0, nil }

func (l history) Follow(ctx context.Context, _ store.Cursor, now func() time.Time) iter.Seq2[store.Batch, error] {
	return func(yield func(store.Batch, error) bool) {
		for entries := range slices.Chunk(l, page) {
			if !yield(store.Batch{Entries: entries}, nil) {
				return
			}
		}
		if yield(store.Batch{AsOf: now()}, nil) {
			<-ctx.Done()
			yield(store.Batch{}, ctx.Err())
		}
	}
}

// BenchmarkCatchUp starts a node while the log holds a million live entries.
func BenchmarkCatchUp(b *testing.B) {
	const n = 1_000_000
	until := time.Now().Add(time.Hour)
	l := make(history, n)
	for i := range l {
		l[i] = session(idOf(2, uint64(i)), until)
	}
	for b.Loop() {
		h := revocation.New(config(l))
		stop := run(b, h)
		<-h.CaughtUp()
		stop()
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkMemory is what a million sessions cost: bytes on the heap, and the
// processor time of a collection, with nothing held subtracted.
func BenchmarkMemory(b *testing.B) {
	const n = 1_000_000
	for b.Loop() {
		heap, work := heapBytes(), collection()
		h := filled(n, 2)
		b.ReportMetric(float64(heapBytes()-heap)/n, "B/entry")
		b.ReportMetric(max(0, (collection()-work).Seconds())*1e3, "ms-GC")
		runtime.KeepAlive(h)
	}
}

// collection returns the processor time of one collection, the least of five.
func collection() time.Duration {
	least := time.Hour
	for range 5 {
		before := gcTime()
		runtime.GC()
		least = min(least, gcTime()-before)
	}
	return least
}

func gcTime() time.Duration {
	s := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(s)
	return time.Duration(s[0].Value.Float64() * float64(time.Second))
}

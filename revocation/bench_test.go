package revocation_test

import (
	"context"
	"encoding/binary"
	"runtime"
	"runtime/metrics"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/store"
)

// idOf returns the i-th id of a seed: random enough, and found again at once.
func idOf(seed, i uint64) (id store.ID) {
	binary.LittleEndian.PutUint64(id[:], mix(seed<<32+2*i))
	binary.LittleEndian.PutUint64(id[8:], mix(seed<<32+2*i+1))
	return id
}

// mix is the last step of SplitMix64.
func mix(x uint64) uint64 {
	x *= 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func session(id store.ID, until time.Time) store.Entry {
	return store.Entry{ID: id, Scope: store.ScopeSession, Target: string(id[:]), Until: until}
}

// filled returns a horizon that holds n sessions of this seed, for an hour.
func filled(n int, seed uint64) *revocation.Horizon {
	h := revocation.New(config(newFakeLog()))
	fill(h, n, seed)
	return h
}

func fill(h *revocation.Horizon, n int, seed uint64) {
	until := time.Now().Add(time.Hour)
	batch := make([]store.Entry, 0, page)
	for i := range n {
		batch = append(batch, session(idOf(seed, uint64(i)), until))
		if len(batch) == page || i == n-1 {
			h.Add(batch...)
			batch = batch[:0]
		}
	}
}

func aliceToken() *revocation.Token {
	return &revocation.Token{Subject: "alice", Profile: "web", Key: "k1", Started: 1}
}

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
		h := revocation.New(config(newFakeLog()))
		for _, scope := range c.scopes {
			e := everything
			e.Scope, e.Target = scope, "other"
			h.Add(e)
		}
		h.Add(subjects(c.subjects, until)...)
		b.Run(c.name, ask(h, 1, 1e9, false))
	}
}

func subjects(n int, until time.Time) []store.Entry {
	es := make([]store.Entry, n)
	for i := range es {
		es[i] = store.Entry{ID: idOf(3, uint64(i)), Scope: store.ScopeSubject, Target: "user" + strconv.Itoa(i), Before: time.UnixMilli(5), Until: until}
	}
	return es
}

func BenchmarkFresh(b *testing.B) {
	h := start(b, config(newFakeLog()))
	<-h.CaughtUp()
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
			es := subjects(n, time.Now().Add(time.Hour))
			for b.Loop() {
				revocation.New(config(newFakeLog())).Add(es...)
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

// BenchmarkCatchUp starts a node while the log holds a million live entries.
func BenchmarkCatchUp(b *testing.B) {
	const n = 1_000_000
	until := time.Now().Add(time.Hour)
	entries := make([]store.Entry, n)
	for i := range entries {
		entries[i] = session(idOf(2, uint64(i)), until)
	}
	l := newFakeLog(entries...)
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

// heapBytes returns how much is live.
func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
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

package bench_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

// revoked is a set of a million ended sessions, for readers and one writer.
type revoked struct {
	add func(id store.ID, until time.Time)
	has func(id store.ID) bool
}

func newHorizon() revoked {
	h := revocation.New(revocation.Config{Log: memstore.New(), Now: time.Now, StoreTime: time.Now})
	return revoked{
		add: func(id store.ID, until time.Time) {
			h.Add(store.Entry{ID: id, Scope: store.ScopeSession, Target: string(id[:]), Until: until})
		},
		has: func(id store.ID) bool { return h.Revoked(&revocation.Token{Session: id, Started: 1}) },
	}
}

func newLockedMap() revoked {
	var mu sync.RWMutex
	ends := map[store.ID]uint32{}
	return revoked{
		add: func(id store.ID, until time.Time) {
			mu.Lock()
			defer mu.Unlock()
			ends[id] = uint32(until.Unix())
		},
		has: func(id store.ID) bool {
			mu.RLock()
			defer mu.RUnlock()
			_, ok := ends[id]
			return ok
		},
	}
}

func newSyncMap() revoked {
	var ends sync.Map
	return revoked{
		add: func(id store.ID, until time.Time) { ends.Store(id, uint32(until.Unix())) },
		has: func(id store.ID) bool {
			_, ok := ends.Load(id)
			return ok
		},
	}
}

func randomID(r *rand.PCG) (id store.ID) {
	binary.LittleEndian.PutUint64(id[:], r.Uint64())
	binary.LittleEndian.PutUint64(id[8:], r.Uint64())
	return id
}

func liveBytes() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkRevocation asks a set of a million for sessions that are not in it, on
// all cores, at rest and beside a writer of a hundred thousand a second.
func BenchmarkRevocation(b *testing.B) {
	const n = 1_000_000
	for _, c := range []struct {
		name string
		make func() revoked
	}{{"horizon", newHorizon}, {"map and RWMutex", newLockedMap}, {"sync.Map", newSyncMap}} {
		b.Run(c.name, func(b *testing.B) {
			before := liveBytes()
			s, r, until := c.make(), rand.NewPCG(1, 2), time.Now().Add(time.Hour)
			for range n {
				s.add(randomID(r), until)
			}
			size := float64(liveBytes()-before) / n
			ask := func(b *testing.B) {
				b.Helper()
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					r := rand.NewPCG(rand.Uint64(), 3)
					for pb.Next() {
						if s.has(randomID(r)) {
							b.Error("revoked")
							return
						}
					}
				})
				b.ReportMetric(size, "B/entry")
			}
			b.Run("at rest", ask)
			b.Run("while applying", func(b *testing.B) {
				ctx, stop := context.WithCancel(b.Context())
				var writer sync.WaitGroup
				writer.Go(func() { writeSteadily(ctx, s, until) })
				ask(b)
				stop()
				writer.Wait()
			})
		})
	}
}

// writeSteadily adds a thousand ids every ten milliseconds.
func writeSteadily(ctx context.Context, s revoked, until time.Time) {
	r := rand.NewPCG(4, 5)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		for range 1000 {
			s.add(randomID(r), until)
		}
		<-tick.C
	}
}

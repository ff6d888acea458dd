package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remuda-go/remuda/store"
)

// benchCallers are the numbers of concurrent callers that Bench measures.
var benchCallers = []int{1, 64}

// Bench measures a driver: each operation by one caller and by 64 at once, on
// sessions of a kilobyte. An operation is one acknowledged call.
func Bench(b *testing.B, h Harness) {
	b.Helper()
	for _, op := range []struct {
		name string
		run  func(b *testing.B, s store.Store, callers int)
	}{
		{"Create", benchCreate}, {"Get", benchGet}, {"Update", benchUpdate}, {"Touch", benchTouch},
	} {
		for _, n := range benchCallers {
			b.Run(fmt.Sprintf("%s/callers=%d", op.name, n), func(b *testing.B) {
				op.run(b, h.New(b), n)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
			})
		}
	}
}

func benchRecord() store.Record {
	r := newRecord()
	r.Blob = make([]byte, 1024)
	return r
}

// spread runs do b.N times in all from so many goroutines; who is the number of
// the goroutine.
func spread(b *testing.B, callers int, do func(who int) error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, callers)
	b.ResetTimer()
	for who := range callers {
		go func() {
			for left.Add(-1) >= 0 {
				if err := do(who); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range callers {
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
	b.StopTimer()
}

// benchRecords creates one record for each caller.
func benchRecords(b *testing.B, s store.Store, callers int) []store.Record {
	b.Helper()
	all := make([]store.Record, callers)
	for i := range all {
		all[i] = benchRecord()
		if err := s.Create(b.Context(), all[i]); err != nil {
			b.Fatal(err)
		}
	}
	return all
}

func benchCreate(b *testing.B, s store.Store, callers int) {
	spread(b, callers, func(int) error { return s.Create(b.Context(), benchRecord()) })
}

func benchGet(b *testing.B, s store.Store, callers int) {
	all := benchRecords(b, s, callers)
	spread(b, callers, func(who int) error {
		_, err := s.Get(b.Context(), all[who].ID)
		return err
	})
}

func benchUpdate(b *testing.B, s store.Store, callers int) {
	all := benchRecords(b, s, callers)
	spread(b, callers, func(who int) error {
		r := next(all[who])
		err := s.Update(b.Context(), r, all[who].Version)
		all[who] = r
		return err
	})
}

func benchTouch(b *testing.B, s store.Store, callers int) {
	all := benchRecords(b, s, callers)
	spread(b, callers, func(who int) error {
		r := &all[who]
		r.LastSeen = r.LastSeen.Add(time.Microsecond)
		return s.Touch(b.Context(), []store.Touch{use(*r, 0, r.LastSeen, r.IdleExpires)})
	})
}

package revocation_test

import (
	"slices"
	"testing"
	"time"

	"github.com/remuda-go/remuda/revocation"
)

func TestFloor(t *testing.T) {
	w := make([]uint64, 16<<17)
	for i := range w {
		w[i] = 1
	}
	sizes := []int{0, 1000, 1000000, 10000000}
	var hs []*revocation.Horizon
	for _, n := range sizes {
		hs = append(hs, filled(n, 2))
	}
	const loop = 10000
	res := make([][]float64, 10)
	ctr := uint64(0)
	tok := aliceToken()
	bad := 0
	for range 400 {
		run := func(k int, f func(i uint64) bool) {
			t0 := time.Now()
			for range loop {
				ctr++
				if f(ctr) {
					bad++
				}
			}
			res[k] = append(res[k], float64(time.Since(t0).Nanoseconds())/loop)
		}
		run(0, func(i uint64) bool { tok.Session = idOf(1, mix(i)%1e9); return tok.Started == 0 })
		for k, h := range hs {
			run(1+k, func(i uint64) bool { tok.Session = idOf(1, mix(i)%1e9); return h.Revoked(tok) })
			if k > 0 {
				n := uint64(sizes[k])
				run(5+k, func(i uint64) bool { tok.Session = idOf(2, mix(i)%n); return !h.Revoked(tok) })
			}
		}
		run(9, func(i uint64) bool { return w[mix(i)%uint64(len(w))] == 0 })
	}
	for k, name := range []string{"none", "0", "1e3", "1e6", "1e7", "", "1e3hit", "1e6hit", "1e7hit", "16MB"} {
		if r := res[k]; len(r) > 0 {
			slices.Sort(r)
			t.Logf("%8s min %.1f p10 %.1f p50 %.1f", name, r[0], r[len(r)/10], r[len(r)/2])
		}
	}
}

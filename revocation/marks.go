package revocation

import (
	"math"
	"sync/atomic"
	"time"
)

// never is the mark of a view that was never complete.
const never = math.MinInt64

// marks is the instant up to which the view is complete, by both clocks. Readers
// may see one half of an older mark: that is older, so it errs on the safe side.
type marks struct {
	base time.Time    // what mono counts from
	mono atomic.Int64 // nanoseconds after base by the monotonic clock, or never
	wall atomic.Int64 // in Unix nanoseconds
}

func (m *marks) init(now time.Time) {
	m.base = now
	m.mono.Store(never)
}

// raise moves the mark, never back. There is one writer.
func (m *marks) raise(asOf time.Time) {
	mono := int64(asOf.Sub(m.base))
	if mono <= m.mono.Load() {
		return
	}
	// The first mark counts as soon as mono is seen, so wall comes before.
	m.wall.Store(asOf.UnixNano())
	m.mono.Store(mono)
}

// age returns how old the mark is at an instant; it is negative if that lies
// before the mark.
func (m *marks) age(now time.Time) time.Duration {
	mono := m.mono.Load()
	if mono == never {
		return math.MaxInt64
	}
	return max(now.Sub(m.base)-time.Duration(mono), time.Duration(now.UnixNano()-m.wall.Load()))
}

// degraded is for how long the view was too old, altogether.
type degraded struct {
	last  time.Time // accounted up to here
	total time.Duration
}

// account adds for how long the view was too old since it was last called. It is
// called before a mark moves, so that what it adds is exact. Time in which the
// machine was suspended is not counted: nobody asked.
func (h *Horizon) account(now time.Time) {
	if over := h.marks.age(now) - h.cfg.MaxStaleness; over > 0 && h.Ready() {
		h.degraded.total += min(over, max(0, now.Sub(h.degraded.last)))
	}
	h.degraded.last = now
}

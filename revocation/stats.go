package revocation

import (
	"slices"
	"time"
)

// Stats is what a horizon tells of itself.
type Stats struct {
	Sessions int // entries held for single sessions
	Wide     int // entries held for more, those counted once that were merged
	Bytes    int // of memory that the sessions take

	// Read counts the entries read from the log since the start.
	Read uint64
	// Staleness is that of now: see [Horizon.Staleness].
	Staleness time.Duration
	// Degraded is for how long the view was older than Config.MaxStaleness, since
	// it was first complete: exact, with the time up to now.
	Degraded time.Duration

	// Latency counts how long entries took from their append to their effect
	// here, by the upper bounds of LatencyBounds, and those beyond. Those that
	// this node had added when the log delivered them are not counted, nor those
	// that were there before it first caught up.
	Latency    [len(LatencyBounds) + 1]uint64
	LatencySum time.Duration
}

// LatencyBounds are the upper bounds of [Stats].Latency.
var LatencyBounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second,
}

// latency counts durations.
type latency struct {
	counts [len(LatencyBounds) + 1]uint64
	sum    time.Duration
}

// count counts one. Clocks that differ can make it negative: that is none.
func (l *latency) count(d time.Duration) {
	d = max(d, 0)
	i, _ := slices.BinarySearch(LatencyBounds[:], d)
	l.counts[i]++
	l.sum += d
}

// Stats returns the present figures.
func (h *Horizon) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.cfg.Now()
	h.account(now)
	s := Stats{
		Wide: h.wide.size(), Read: h.read,
		Staleness: h.Staleness(now), Degraded: h.degraded.total,
		Latency: h.latency.counts, LatencySum: h.latency.sum,
	}
	s.Sessions, s.Bytes = h.sessions.size()
	return s
}

// Package steadytest is a machine whose clock tests can set.
package steadytest

import (
	"sync"
	"time"
	"unsafe"
)

// Machine has a clock that can be set, and one that cannot. It is safe for concurrent
// use.
type Machine struct {
	mu      sync.Mutex
	wall    time.Time
	mono    time.Duration
	up      time.Duration
	passing func() time.Duration
	zone    *time.Location
}

// New returns a machine that has just started. No time passes but by Pass and Sleep.
func New(at time.Time) *Machine { return Passing(at, func() time.Duration { return 0 }) }

// Passing returns one for which time also passes as told: since it has started.
func Passing(at time.Time, passing func() time.Duration) *Machine {
	return &Machine{wall: at.Round(0), mono: time.Minute, passing: passing, zone: time.UTC}
}

// Now returns a reading of its clock, as [time.Now] makes them.
func (m *Machine) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	passed := m.passing()
	return reading(m.wall.Add(passed).In(m.zone), m.mono+passed)
}

// Uptime returns for how long it has been up.
func (m *Machine) Uptime() (time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.up + m.passing(), true
}

// Pass lets time pass.
func (m *Machine) Pass(d time.Duration) { m.change(d, d, d) }

// Sleep suspends it.
func (m *Machine) Sleep(d time.Duration) { m.change(d, 0, d) }

// Step sets its clock.
func (m *Machine) Step(d time.Duration) { m.change(d, 0, 0) }

// Zone moves it to another time zone.
func (m *Machine) Zone(zone *time.Location) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.zone = zone
}

func (m *Machine) change(wall, mono, up time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wall, m.mono, m.up = m.wall.Add(wall), m.mono+mono, m.up+up
}

// reading makes a Time of a wall and a monotonic clock that say different things,
// which package time has no way to: a bit, 33 bits of seconds since 1885, 30 bits of
// nanoseconds, and the monotonic clock's nanoseconds.
func reading(wall time.Time, mono time.Duration) time.Time {
	t := wall
	parts := (*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&t)) //nolint:gosec // as package time lays it out
	since := wall.Unix() - time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	parts.wall = 1<<63 | uint64(since)<<30 | uint64(wall.Nanosecond()) //nolint:gosec // neither is negative
	parts.ext = int64(mono)
	return t
}

// Booted says that it started some time before it was made.
func (m *Machine) Booted(before time.Duration) { m.change(0, 0, before) }

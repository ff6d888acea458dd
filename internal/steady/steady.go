// Package steady tells the time to decisions that must not change because somebody
// sets the clock of the machine.
package steady

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// booting is for how long after the machine has started its clock is followed
	// wherever it goes: that is when it is set right.
	booting = 10 * time.Minute
	// nap is what a machine must have slept to be said to have slept: the system
	// tells that in hundredths of a second.
	nap = time.Second
)

// Clock tells the time that has passed since it was made, by the monotonic clock of
// the process, on top of what the machine's clock said then. The zero Clock is of no
// use; see [New]. It is safe for concurrent use.
type Clock struct {
	now    func() time.Time
	uptime func() (time.Duration, bool)
	leeway time.Duration
	base   time.Time
	steps  bool         // readings can be compared: they have a monotonic part
	moved  atomic.Int64 // nanoseconds to add
	held   atomic.Int64 // nanoseconds that the machine's clock is ahead, and not followed

	mu   sync.Mutex    // guards what follows: of the last Check
	at   time.Time     // its reading
	up   time.Duration // for how long the machine had been up
	told bool          // whether it said so
}

// New makes a clock of readings: those of [time.Now], whose monotonic part tells
// that the machine's clock was set. Readings without one are believed as they are:
// UTC, In and Round strip it.
// Differences up to leeway are followed. Uptime says for how long the machine has
// been up, time asleep included, and whether that is known; nil asks the system.
func New(now func() time.Time, leeway time.Duration, uptime func() (time.Duration, bool)) *Clock {
	if uptime == nil {
		uptime = Uptime
	}
	c := &Clock{now: now, uptime: uptime, leeway: leeway, base: now()}
	c.at, c.steps = c.base, c.base != c.base.Round(0) // the monotonic part is not for Equal
	c.up, c.told = uptime()
	return c
}

// Now returns the time.
func (c *Clock) Now() time.Time { return c.At(c.now()) }

// At returns the time at a reading.
func (c *Clock) At(reading time.Time) time.Time {
	return c.base.Add(reading.Sub(c.base) + time.Duration(c.moved.Load()))
}

// Steps reports whether readings have what tells steps, so that [Clock.Check] has
// something to do.
func (c *Clock) Steps() bool { return c.steps }

// Held returns by how much the machine's clock is ahead of this one (behind, if
// negative) by a step that is not followed; zero if there is none.
func (c *Clock) Held() time.Duration { return time.Duration(c.held.Load()) }

// Check compares this clock with the machine's. It follows what is small: a leap
// second, a correction over the network. It follows time that the machine has slept,
// which the monotonic clock does not count. It follows everything while the machine
// is booting. Any other step it holds, until it is undone. Where nobody knows whether
// the machine has slept, a step forward is taken for sleep.
func (c *Clock) Check() {
	if !c.steps {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	reading := c.now()
	up, known := c.uptime()
	if known && c.told {
		if slept := up - c.up - reading.Sub(c.at); slept >= nap {
			c.moved.Add(int64(slept))
		}
	}
	c.at, c.up, c.told = reading, up, known
	ahead := reading.Round(0).Sub(c.At(reading).Round(0))
	if ahead.Abs() <= c.leeway || known && up < booting || !known && ahead > 0 {
		c.moved.Add(int64(ahead))
		ahead = 0
	}
	c.held.Store(int64(ahead))
}

// Uptime returns for how long the machine has been up, time asleep included, as Linux
// tells it (proc_uptime(5)), and whether it did.
func Uptime() (time.Duration, bool) {
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, false
	}
	field, _, _ := strings.Cut(string(text), " ")
	seconds, err := strconv.ParseFloat(field, 64)
	if err != nil || seconds < 0 {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}

package remuda

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/internal/steady"
	"github.com/remuda-go/remuda/store"
)

const (
	// sampleEvery is how often the clock is compared with the store's, or with the
	// machine's where the store has none.
	sampleEvery = 5 * time.Second
	// sampleDrift is how far a clock may run away meanwhile: 200 ppm.
	sampleDrift = time.Millisecond
)

// clock tells store time: this node's clock, corrected by its offset to the
// store's where the store has one. Nodes that decide by their own clocks take
// honest clients for thieves as soon as the clocks differ by seconds.
//
// Whoever sets the machine's clock changes nothing: the time that passes is that of
// the monotonic clock.
type clock struct {
	own    func() time.Time
	steady *steady.Clock
	store  store.Clock // nil if it has none
	events event.Sink  // nil if nobody listens
	leeway time.Duration
	offset atomic.Int64 // nanoseconds to add
	margin atomic.Int64 // nanoseconds by which the offset may be wrong
	apart  atomic.Int64 // nanoseconds by which the store's clock is ahead of the machine's
	latest atomic.Int64 // the latest time told before it was corrected, in Unix nanoseconds

	stop context.CancelFunc
	done sync.WaitGroup
}

// newClock measures the offset once before it returns.
func newClock(ctx context.Context, cfg *Config) (*clock, error) {
	c := &clock{own: cfg.Now, steady: steady.New(cfg.Now, cfg.Leeway, cfg.uptime), leeway: cfg.Leeway, stop: func() {}}
	c.events = cfg.Events
	c.store, _ = cfg.Store.(store.Clock)
	switch {
	case c.store != nil:
		apart, err := c.measure(ctx)
		if err != nil {
			return nil, fmt.Errorf("%w: the store's clock: %w", ErrUnavailable, err)
		}
		c.offset.Store(int64(apart))
	case !c.steady.Steps():
		return c, nil // nothing to compare
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	c.done.Go(func() { c.follow(run) })
	return c, nil
}

// measure compares the store's time with that of the middle of the call. It returns
// the offset, and notes how far the machine's clock is from the store's.
func (c *clock) measure(ctx context.Context) (offset time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, sampleEvery)
	defer cancel()
	before := c.own()
	theirs, err := c.store.Time(ctx)
	if err != nil {
		return 0, err
	}
	half := c.own().Sub(before) / 2
	middle := before.Add(half)
	c.apart.Store(int64(theirs.Sub(middle.Round(0))))
	c.margin.Store(int64(half + sampleDrift))
	return theirs.Sub(c.steady.At(middle)), nil
}

func (c *clock) follow(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.correct(ctx)
		}
	}
}

// correct follows the store's clock, as long as the machine's agrees with it within
// the leeway: otherwise one of them has been set wrong, and nobody knows which. On
// failure the last offset stays: clocks drift slowly.
func (c *clock) correct(ctx context.Context) {
	was := c.wrong()
	if c.store == nil {
		c.note()
		c.steady.Check()
	} else if offset, err := c.measure(ctx); err == nil && c.agree() {
		c.note()
		c.offset.Store(int64(offset))
	}
	if now := c.wrong(); c.events != nil && (now-was).Abs() > c.leeway {
		c.events.Emit(event.Event{Kind: event.ClockSet, Time: c.now(), Reason: now.String()})
	}
}

// note keeps what has been told before it is corrected.
func (c *clock) note() { c.latest.Store(max(c.latest.Load(), c.now().UnixNano())) }

// now returns store time, in UTC and whole microseconds.
func (c *clock) now() time.Time { return c.at(c.own()) }

// at returns store time at an instant of this node's clock.
func (c *clock) at(own time.Time) time.Time {
	return c.steady.At(own).Add(time.Duration(c.offset.Load())).UTC().Truncate(time.Microsecond)
}

// uncertainty is how far two nodes may be apart in what they take for store time.
func (c *clock) uncertainty() time.Duration { return 2 * time.Duration(c.margin.Load()) }

// highest is the latest time that now has returned, or may have: later than now
// within what the clock was put back by, up to the leeway.
func (c *clock) highest(now time.Time) time.Time {
	if t := time.Unix(0, c.latest.Load()); t.After(now) && !t.After(now.Add(c.leeway)) {
		return t
	}
	return now
}

// wrong returns by how much the machine's clock is behind the store's or, where the
// store has none, behind the time that has passed since it was right.
func (c *clock) wrong() time.Duration {
	if c.store == nil {
		return -c.steady.Held()
	}
	return time.Duration(c.apart.Load())
}

func (c *clock) agree() bool { return time.Duration(c.apart.Load()).Abs() <= c.leeway }

// trusted returns store time for a decision that changes a session, or an error
// if this node's clock is further from the store's than the leeway: something
// is wrong with one of them.
func (c *clock) trusted() (time.Time, error) {
	if !c.agree() {
		return time.Time{}, refuse(fmt.Errorf("%w: this node's clock is %v from the store's", ErrUnavailable, c.wrong()),
			ReasonClock, slog.Duration("clock_offset", c.wrong()), slog.Duration("leeway", c.leeway))
	}
	return c.now(), nil
}

func (c *clock) close() {
	c.stop()
	c.done.Wait()
}

package remuda

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remuda-go/remuda/store"
)

const (
	// sampleEvery is how often the offset to the store's clock is measured.
	sampleEvery = 5 * time.Second
	// sampleDrift is how far a clock may run away meanwhile: 200 ppm.
	sampleDrift = time.Millisecond
)

// clock tells store time: this node's clock, corrected by its offset to the
// store's where the store has one. Nodes that decide by their own clocks take
// honest clients for thieves as soon as the clocks differ by seconds.
type clock struct {
	own    func() time.Time
	leeway time.Duration
	offset atomic.Int64 // nanoseconds to add
	margin atomic.Int64 // nanoseconds by which the offset may be wrong

	stop context.CancelFunc
	done sync.WaitGroup
}

// newClock measures the offset once before it returns.
func newClock(ctx context.Context, own func() time.Time, s store.Store, leeway time.Duration) (*clock, error) {
	c := &clock{own: own, leeway: leeway, stop: func() {}}
	source, ok := s.(store.Clock)
	if !ok {
		return c, nil
	}
	if err := c.sample(ctx, source); err != nil {
		return nil, fmt.Errorf("%w: the store's clock: %w", ErrUnavailable, err)
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	c.done.Go(func() { c.follow(run, source) })
	return c, nil
}

// sample measures the offset: the store's time against the middle of the call.
func (c *clock) sample(ctx context.Context, source store.Clock) error {
	ctx, cancel := context.WithTimeout(ctx, sampleEvery)
	defer cancel()
	before := c.own()
	theirs, err := source.Time(ctx)
	if err != nil {
		return err
	}
	half := c.own().Sub(before) / 2
	c.offset.Store(int64(theirs.Sub(before.Add(half))))
	c.margin.Store(int64(half + sampleDrift))
	return nil
}

func (c *clock) follow(ctx context.Context, source store.Clock) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			// On failure the last offset stays: clocks drift slowly.
			_ = c.sample(ctx, source)
		}
	}
}

// now returns store time, in UTC and whole microseconds.
func (c *clock) now() time.Time { return c.at(c.own()) }

// at returns store time at an instant of this node's clock.
func (c *clock) at(own time.Time) time.Time {
	return own.Add(time.Duration(c.offset.Load())).UTC().Truncate(time.Microsecond)
}

// uncertainty is how far two nodes may be apart in what they take for store time.
func (c *clock) uncertainty() time.Duration { return 2 * time.Duration(c.margin.Load()) }

// trusted returns store time for a decision that changes a session, or an error
// if this node's clock is further from the store's than the leeway: something
// is wrong with one of them.
func (c *clock) trusted() (time.Time, error) {
	if off := time.Duration(c.offset.Load()); off.Abs() > c.leeway {
		return time.Time{}, refuse(fmt.Errorf("%w: this node's clock is %v from the store's", ErrUnavailable, off),
			ReasonClock, slog.Duration("clock_offset", off), slog.Duration("leeway", c.leeway))
	}
	return c.now(), nil
}

func (c *clock) close() {
	c.stop()
	c.done.Wait()
}

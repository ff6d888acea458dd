package storetest

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/remuda-go/remuda/store"
)

// CutLog is a [store.Log] behind a line that a test can cut, slow down and mend.
// Make one with [NewCutLog]; at first the line is whole. What is done to it
// concerns those who follow already as well as those to come, at once. It is safe
// for concurrent use, and works in a bubble of testing/synctest.
//
// However the line is treated, it keeps the promises of the contract but that of
// the heartbeat: it loses nothing, reorders nothing, and its marks are true.
type CutLog struct {
	log store.Log

	mu      sync.Mutex
	fail    error // of Follow
	silent  bool
	lag     time.Duration
	append  error
	changed chan struct{} // closed at the next change of the line
}

// NewCutLog returns a line to a log.
func NewCutLog(l store.Log) *CutLog { return &CutLog{log: l, changed: make(chan struct{})} }

// Fail cuts the line: those who follow get err at once. Appending still works.
func (c *CutLog) Fail(err error) { c.set(func() { c.fail = err }) }

// Silence cuts the line so that nobody notices: nothing comes, neither entries
// nor marks nor an error. [CutLog.Restore] delivers what was held back.
func (c *CutLog) Silence() { c.set(func() { c.silent = true }) }

// Lag delivers each batch, with its mark, that much later than it came.
func (c *CutLog) Lag(d time.Duration) { c.set(func() { c.lag = d }) }

// Restore mends the line; what has been held back comes at once and in order.
func (c *CutLog) Restore() { c.set(func() { c.fail, c.silent, c.lag = nil, false, 0 }) }

// FailAppends makes Append fail with err and change nothing, until it is called
// with nil. Restore does not undo it.
func (c *CutLog) FailAppends(err error) { c.set(func() { c.append = err }) }

func (c *CutLog) set(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
	close(c.changed)
	c.changed = make(chan struct{})
}

// Append implements [store.Log].
func (c *CutLog) Append(ctx context.Context, entries ...store.Entry) error {
	c.mu.Lock()
	err := c.append
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.log.Append(ctx, entries...)
}

// Truncate implements [store.Log]; it is never cut.
func (c *CutLog) Truncate(ctx context.Context, before time.Time, limit int) (int, error) {
	return c.log.Truncate(ctx, before, limit)
}

// Follow implements [store.Log]. It calls now from another goroutine.
func (c *CutLog) Follow(ctx context.Context, after store.Cursor, now func() time.Time) iter.Seq2[store.Batch, error] {
	return func(yield func(store.Batch, error) bool) {
		inner, stop := context.WithCancel(ctx)
		arrivals := make(chan arrival)
		var pump sync.WaitGroup
		defer pump.Wait()
		defer stop()
		pump.Go(func() {
			for b, err := range c.log.Follow(inner, after, now) {
				select {
				case arrivals <- arrival{b, err, time.Now()}:
				case <-inner.Done():
					return
				}
			}
		})
		c.deliver(ctx, arrivals, yield)
	}
}

// arrival is what the log has yielded, and when.
type arrival struct {
	batch store.Batch
	err   error
	at    time.Time
}

// deliver yields what arrives as the line allows.
func (c *CutLog) deliver(ctx context.Context, arrivals <-chan arrival, yield func(store.Batch, error) bool) {
	var held []arrival
	for {
		wait, changed, fail := c.line(held)
		if err := ctx.Err(); err != nil {
			fail = err
		}
		if fail != nil {
			yield(store.Batch{}, fail)
			return
		}
		if len(held) > 0 && wait <= 0 {
			next := held[0]
			held = held[1:]
			if !yield(next.batch, next.err) || next.err != nil {
				return
			}
			continue
		}
		select {
		case a := <-arrivals:
			held = append(held, a)
		case <-time.After(wait):
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// line says how long the first of those that are held is held back, what is
// closed when that changes, and whether the line fails.
func (c *CutLog) line(held []arrival) (wait time.Duration, changed <-chan struct{}, fail error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.silent || len(held) == 0:
		wait = time.Hour
	default:
		wait = time.Until(held[0].at.Add(c.lag))
	}
	return wait, c.changed, c.fail
}

// Cutter is a whole store whose log is behind a [CutLog].
type Cutter struct {
	store.Store
	store.Items
	*CutLog
}

var (
	_ store.Store = (*Cutter)(nil)
	_ store.Items = (*Cutter)(nil)
	_ store.Log   = (*Cutter)(nil)
)

// Cut returns s with a line to its log. s must also be a [store.Items] and a
// [store.Log]; that it may be a [store.Clock] does not show.
func Cut(s store.Store) *Cutter {
	items, hasItems := s.(store.Items)
	log, hasLog := s.(store.Log)
	if !hasItems || !hasLog {
		panic(fmt.Sprintf("storetest: %T is not a store.Items and a store.Log", s))
	}
	return &Cutter{Store: s, Items: items, CutLog: NewCutLog(log)}
}

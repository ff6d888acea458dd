package event

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// ErrQueueClosed says that a [Queue] is closed and that nothing is left in it.
var ErrQueueClosed = errors.New("event: queue closed")

// Queue is a sink for a subscriber in the same process that takes its time.
//
// Order: events come out in the order in which Emit was called. Those of one
// goroutine keep their order; those of several are in some one order, the same
// for everybody who reads.
//
// Back-pressure: there is none. Emit never waits for the subscriber. When the
// queue is full the new event is dropped, not an old one, and [Queue.Dropped]
// counts it. Every event is either delivered once or counted.
//
// A Queue is safe for concurrent use. Several readers share its events.
type Queue struct {
	mu      sync.Mutex // over closed and the sends
	closed  bool
	events  chan Event
	dropped atomic.Uint64
}

var _ Sink = (*Queue)(nil)

// NewQueue returns a queue that holds at most so many events, at least one.
func NewQueue(capacity int) *Queue {
	return &Queue{events: make(chan Event, max(1, capacity))}
}

// Emit implements [Sink].
func (q *Queue) Emit(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		q.dropped.Add(1)
		return
	}
	select {
	case q.events <- e:
	default:
		q.dropped.Add(1)
	}
}

// Next returns the oldest event, and waits for one if there is none. It returns
// [ErrQueueClosed] after Close, once what was queued has been read, or the
// context's error.
func (q *Queue) Next(ctx context.Context) (Event, error) {
	select {
	case e, ok := <-q.events:
		return next(e, ok)
	default:
	}
	select {
	case e, ok := <-q.events:
		return next(e, ok)
	case <-ctx.Done():
		return Event{}, ctx.Err()
	}
}

func next(e Event, ok bool) (Event, error) {
	if !ok {
		return Event{}, ErrQueueClosed
	}
	return e, nil
}

// Dropped returns how many events were dropped: the queue was full, or closed.
func (q *Queue) Dropped() uint64 { return q.dropped.Load() }

// Close lets no more events in. What is queued can still be read. Closing again
// does nothing.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.events)
	}
}

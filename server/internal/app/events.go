package app

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/server/internal/notice"
)

// queued is how many events may wait to be counted and logged.
const queued = 4096

// events carries events to the log beside the requests that cause them: a log
// that nobody reads must not hold up a login.
type events struct {
	queue   *event.Queue
	counted eventCounter
	done    chan struct{}
	notices atomic.Pointer[notice.Notifier] // nil while there is none
}

// Emit implements [event.Sink]: it tells who writes to users.
func (e *events) Emit(next event.Event) {
	if n := e.notices.Load(); n != nil {
		n.Emit(next)
	}
}

func followEvents(ctx context.Context, to event.Sink, log *slog.Logger) *events {
	e := &events{queue: event.NewQueue(queued), counted: newEventCounter(), done: make(chan struct{})}
	go e.run(ctx, event.Multi(e.counted, to, e), log)
	return e
}

// lost counts the events that nobody was told of.
func (e *events) lost() prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "remuda_events_dropped_total", Help: "Events that were neither counted nor logged: too many waited.",
	}, func() float64 { return float64(e.queue.Dropped()) })
}

// run ends when the queue is closed and empty.
func (e *events) run(ctx context.Context, to event.Sink, log *slog.Logger) {
	defer close(e.done)
	told := uint64(0)
	for {
		next, err := e.queue.Next(ctx)
		if dropped := e.queue.Dropped(); dropped > told {
			log.WarnContext(ctx, "events dropped", "count", dropped-told)
			told = dropped
		}
		if err != nil {
			return
		}
		to.Emit(next)
	}
}

// close lets what is queued come to the log.
func (e *events) close() {
	e.queue.Close()
	<-e.done
}

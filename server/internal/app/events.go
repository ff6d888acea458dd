package app

import (
	"context"
	"log/slog"

	"github.com/remuda-go/remuda/event"
)

// queued is how many events may wait for the log.
const queued = 4096

// events carries events to the log beside the requests that cause them: a log
// that nobody reads must not hold up a login.
type events struct {
	queue *event.Queue
	done  chan struct{}
}

func followEvents(ctx context.Context, to event.Sink, log *slog.Logger) *events {
	e := &events{queue: event.NewQueue(queued), done: make(chan struct{})}
	go e.run(ctx, to, log)
	return e
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

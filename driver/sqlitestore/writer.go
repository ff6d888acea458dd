package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/remuda-go/remuda/store"
)

// maxBatch bounds how many writes share one transaction, and so how long the
// first of them waits for the last.
const maxBatch = 256

var errClosed = errors.New("closed")

// writer is the one goroutine that changes the database. The writes that wait
// for it when it comes round share a transaction, because the sync at its end
// costs more than all of them; each is answered after the commit.
type writer struct {
	db    *sql.DB
	queue chan *write // unbuffered: whoever is in it has been taken
	quit  chan struct{}
	done  chan struct{}
	conn  *writeConn // nil after it was given up; the next batch opens another
}

// write is one change that a caller waits for.
type write struct {
	// do makes the change within the open transaction. It may run twice, and
	// after its caller has left: it reads only what nobody else changes.
	do      func(ctx context.Context, c *writeConn) error
	claimed atomic.Bool // by the writer, which then does it, or by the caller, who has left
	result  chan error
}

// startWriter opens the writing connection and starts the goroutine. ctx bounds
// the opening only.
func startWriter(ctx context.Context, db *sql.DB) (*writer, error) {
	conn, err := openWriteConn(ctx, db)
	if err != nil {
		return nil, err
	}
	w := &writer{
		db:    db,
		queue: make(chan *write),
		quit:  make(chan struct{}),
		done:  make(chan struct{}),
		conn:  conn,
	}
	// A statement must not be interrupted: SQLite would roll back the neighbours
	// too. The lock wait is bounded by the busy timeout instead.
	go w.run(context.WithoutCancel(ctx))
	return w, nil
}

// stop ends the goroutine after the batch at hand. It must be called once.
func (w *writer) stop() {
	close(w.quit)
	<-w.done
}

// write has do made and waits until that is durable, or for ctx. When ctx ends
// before the writer has come to it, nothing happens; after that it happens
// whole or not at all.
func (w *writer) write(ctx context.Context, do func(ctx context.Context, c *writeConn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	job := &write{do: do, result: make(chan error, 1)}
	select {
	case w.queue <- job:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.quit:
		return errClosed
	}
	select {
	case err := <-job.result:
		return err
	case <-ctx.Done():
		job.claimed.CompareAndSwap(false, true)
		return ctx.Err()
	}
}

func (w *writer) run(ctx context.Context) {
	defer close(w.done)
	for {
		select {
		case job := <-w.queue:
			w.serve(ctx, w.batch(job))
		case <-w.quit:
			w.drop()
			return
		}
	}
}

// batch takes the writes that are waiting now, and claims those whose callers
// are still there.
func (w *writer) batch(job *write) []*write {
	var jobs []*write
	for {
		if job.claimed.CompareAndSwap(false, true) {
			jobs = append(jobs, job)
		}
		if len(jobs) >= maxBatch {
			return jobs
		}
		select {
		case job = <-w.queue:
		default:
			return jobs
		}
	}
}

// serve makes the changes of a batch and answers their callers.
func (w *writer) serve(ctx context.Context, jobs []*write) {
	results, err := w.transact(ctx, jobs)
	if spoiled := (*spoiledError)(nil); errors.As(err, &spoiled) && len(jobs) > 1 {
		// One write failed, and all were undone. Each alone then, so that the
		// others do not pay for it.
		for _, job := range jobs {
			w.serve(ctx, []*write{job})
		}
		return
	}
	for i, job := range jobs {
		if err != nil {
			job.result <- err
			continue
		}
		job.result <- results[i]
	}
}

// spoiledError is the failure of one write, for which the transaction was
// rolled back before its commit.
type spoiledError struct{ error }

func (e *spoiledError) Unwrap() error { return e.error }

// transact makes all changes in one transaction. The results are those of the
// writes, nil or a verdict; an error says that none of them is known to be made.
func (w *writer) transact(ctx context.Context, jobs []*write) (results []error, err error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	if w.conn == nil {
		if w.conn, err = openWriteConn(ctx, w.db); err != nil {
			return nil, err
		}
	}
	if _, err := w.conn.begin.ExecContext(ctx); err != nil {
		w.drop() // there is no transaction, or a broken connection; a new one knows
		return nil, err
	}
	for _, job := range jobs {
		err := job.do(ctx, w.conn)
		if err != nil && !isVerdict(err) {
			w.rollback(ctx)
			return nil, &spoiledError{err}
		}
		results = append(results, err)
	}
	if _, err := w.conn.commit.ExecContext(ctx); err != nil {
		w.rollback(ctx)
		return nil, fmt.Errorf("commit: %w", err)
	}
	return results, nil
}

// rollback undoes the open transaction. Where SQLite has done so by itself, or
// cannot, the connection is given up: a new one is certain to be clean.
func (w *writer) rollback(ctx context.Context) {
	if _, err := w.conn.rollback.ExecContext(ctx); err != nil {
		w.drop()
	}
}

// drop gives the connection up, if there is one.
func (w *writer) drop() {
	if w.conn != nil {
		w.conn.discard()
		w.conn = nil
	}
}

// isVerdict reports whether err is an answer rather than a failure.
func isVerdict(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrConflict)
}

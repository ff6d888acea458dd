package revocation_test

import (
	"context"
	"errors"
	"iter"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/store"
)

// fakeLog is a log in memory that fails when it is told to.
type fakeLog struct {
	mu      sync.Mutex
	entries []store.Entry
	wake    chan struct{} // closed by what followers should look at
	fail    error         // what followers are told
	silent  bool          // followers are told nothing
	follows int
}

func newFakeLog(entries ...store.Entry) *fakeLog {
	return &fakeLog{entries: entries, wake: make(chan struct{})}
}

// change changes the log and wakes followers.
func (l *fakeLog) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.wake)
	l.wake = make(chan struct{})
}

func (l *fakeLog) Append(_ context.Context, entries ...store.Entry) error {
	l.change(func() { l.entries = append(l.entries, entries...) })
	return nil
}

func (l *fakeLog) Truncate(context.Context, time.Time, int) (int, error) { return 0, nil }

// page is how many entries a batch has at most.
const page = 1000

// next returns the batch behind n, what failed, whether to yield nothing, and
// what wakes.
func (l *fakeLog) next(n int, asOf time.Time) (store.Batch, error, bool, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	to := min(n+page, len(l.entries))
	b := store.Batch{Entries: l.entries[n:to], Next: store.Cursor(strconv.Itoa(to))}
	if to == len(l.entries) {
		b.AsOf = asOf
	}
	return b, l.fail, l.silent, l.wake
}

func (l *fakeLog) Follow(ctx context.Context, after store.Cursor, now func() time.Time) iter.Seq2[store.Batch, error] {
	return func(yield func(store.Batch, error) bool) {
		l.mu.Lock()
		l.follows++
		l.mu.Unlock()
		n, _ := strconv.Atoi(string(after))
		beat := time.NewTicker(store.Heartbeat)
		defer beat.Stop()
		for {
			asOf := now()
			b, err, silent, wake := l.next(n, asOf)
			switch {
			case err != nil:
				yield(store.Batch{}, err)
				return
			case !silent:
				if !yield(b, nil) {
					return
				}
				n, _ = strconv.Atoi(string(b.Next))
			}
			if !silent && b.AsOf.IsZero() {
				continue
			}
			select {
			case <-ctx.Done():
				yield(store.Batch{}, ctx.Err())
				return
			case <-wake:
			case <-beat.C:
			}
		}
	}
}

var errCut = errors.New("cut")

func config(l store.Log) revocation.Config {
	return revocation.Config{Log: l, Now: time.Now, StoreTime: time.Now}
}

func start(t testing.TB, cfg revocation.Config) *revocation.Horizon {
	t.Helper()
	h := revocation.New(cfg)
	run(t, h)
	return h
}

// run runs a horizon until the test ends.
func run(t testing.TB, h *revocation.Horizon) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

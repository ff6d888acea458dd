package sqlitestore

import (
	"sync/atomic"
	"time"

	"github.com/remuda-go/remuda/store"
)

const (
	// pollEvery is how often a follower asks whether anyone has committed while
	// somebody writes, or where nobody tells that.
	pollEvery = 10 * time.Millisecond
	// idleEvery is how often it asks while nobody seems to write.
	idleEvery = store.Heartbeat / 2
	// busyFor is for how long somebody seems to write after a write was noticed:
	// longer than it takes from the write of a transaction to its commit.
	busyFor = 250 * time.Millisecond
	// doubtAfter is how many commits in a row have to go unannounced until the
	// watch is no longer believed.
	doubtAfter = 3
)

// watch notices that some process writes to the file, so that followers need not
// ask often while nobody does. It is a hint and no more: that a write goes
// unnoticed delays what a follower hears by idleEvery, a few times. SQLite's WAL
// needs one kernel for all processes on a file, so there is always somebody who
// could tell.
type watch struct {
	begun   time.Time
	noticed atomic.Int64 // the last write, since begun
	missed  atomic.Int32 // commits that were found unannounced, in a row
	stop    func()       // nil if nothing is watched
}

// startWatch watches the WAL of a file. It tells of a write after which the
// followers may be asleep. Where the system does not tell, followers poll.
func startWatch(cfg Config, tell func()) *watch {
	w := &watch{begun: time.Now()}
	w.noticed.Store(-int64(busyFor))
	if cfg.PollOnly {
		return w
	}
	w.stop = watchWrites(cfg.Path, func() {
		asleep := !w.busy()
		w.noticed.Store(int64(time.Since(w.begun)))
		w.missed.Store(0)
		if asleep {
			tell()
		}
	})
	return w
}

// busy reports whether somebody seems to write.
func (w *watch) busy() bool {
	return time.Since(w.begun)-time.Duration(w.noticed.Load()) < busyFor
}

// every is how long a follower waits until it asks again.
func (w *watch) every() time.Duration {
	if w.stop == nil || w.missed.Load() >= doubtAfter || w.busy() {
		return pollEvery
	}
	return idleEvery
}

// found is called by a follower that has found entries without being woken.
func (w *watch) found() {
	if w.every() == idleEvery {
		w.missed.Add(1)
	}
}

func (w *watch) close() {
	if w.stop != nil {
		w.stop()
	}
}

package revocation

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/remuda-go/remuda/store"
)

const (
	// After a failure Run waits this long, twice as long after the next, and so
	// on. The longest is well below DefaultMaxStaleness.
	firstWait = 10 * time.Millisecond
	lastWait  = time.Second

	// maxSilence is after how long a log that yields nothing is given up and
	// followed anew: a contract broken by whatever lies between, such as a
	// connection that is open on this side only.
	maxSilence = 40 * store.Heartbeat
)

var (
	errSilent = errors.New("revocation: the log is silent")
	errEnded  = errors.New("revocation: the log ended")
)

// keepFollowing follows the log until ctx ends.
func (h *Horizon) keepFollowing(ctx context.Context) {
	wait := firstWait
	for {
		progress, err := h.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		h.complain(err)
		if progress {
			wait = firstWait
		}
		// By a random half, so that nodes do not come back all at once.
		pause(ctx, wait/2+rand.N(wait/2)) //nolint:gosec // no secret: it only spreads nodes
		wait = min(2*wait, lastWait)
	}
}

// follow follows the log until it fails. It reports whether it came any further.
func (h *Horizon) follow(ctx context.Context) (progress bool, _ error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(maxSilence, func() { cancel(errSilent) })
	defer silence.Stop()
	h.mu.Lock()
	at := h.at
	h.mu.Unlock()
	for b, err := range h.cfg.Log.Follow(ctx, at, h.cfg.Now) {
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			if errors.Is(err, store.ErrCursor) {
				h.startOver()
			}
			return progress, err
		}
		silence.Stop() // what is done here is no silence of the log
		h.take(&b)
		progress = true
		silence.Reset(maxSilence)
	}
	return progress, errEnded
}

// startOver reads the log from its beginning: it has gone back, to an older copy of
// itself. What is held stays, so that what has ended stays so.
func (h *Horizon) startOver() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = ""
}

// take puts a batch into effect, then moves the cursor, then the mark: what the
// mark promises is in effect before it is seen.
func (h *Horizon) take(b *store.Batch) {
	for rest := b.Entries; len(rest) > 0; {
		n := min(len(rest), addAtOnce)
		h.takeSome(rest[:n])
		h.tell(rest[:n])
		rest = rest[n:]
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = b.Next
	if b.AsOf.IsZero() {
		return
	}
	h.account(h.cfg.Now())
	h.marks.raise(b.AsOf)
	if !h.Ready() {
		close(h.caughtUp)
	}
}

func (h *Horizon) takeSome(entries []store.Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var here [addAtOnce]bool // in effect already, by Add
	for i := range entries {
		here[i] = h.own.has(entries[i].ID)
		h.apply(&entries[i], here[i])
		h.followed.add(entries[i].ID)
	}
	h.read += uint64(len(entries))
	if !h.Ready() {
		return // what was appended before this node came was not late
	}
	now := h.cfg.StoreTime()
	for i := range entries {
		if !here[i] && !entries[i].At.IsZero() {
			h.latency.count(now.Sub(entries[i].At))
		}
	}
}

// pause waits until d has passed or ctx has ended.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

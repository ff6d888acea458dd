package remuda

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/remuda-go/remuda/store"
)

const (
	// firstSight is how soon the first use of a generation is written.
	firstSight = 500 * time.Millisecond
	// activityEvery is how often later activity of a session is written.
	activityEvery = time.Minute
	// shortIdle is below which idle timeout it is written sooner.
	shortIdle = 4 * activityEvery
	// touchBatch is how many touches go into one store call.
	touchBatch = 256
	// touchTimeout bounds one store call.
	touchTimeout = 10 * time.Second
	touchShards  = 16
)

// toucher notes that sessions are used, and writes the notes in batches, so that
// verifying never waits for a write. A crash loses the notes that were not
// written; the next use makes them good.
type toucher struct {
	store  store.Store
	now    func() time.Time
	shards [touchShards]touchShard

	urgent chan struct{} // a generation was seen for the first time
	stop   context.CancelFunc
	done   sync.WaitGroup
}

type touchShard struct {
	mu     sync.Mutex
	notes  map[SessionID]note
	urgent []SessionID
}

// note is what is known of the use of one session on this node.
type note struct {
	gen     uint32 // the newest generation seen; 0 if none that counts
	at      time.Time
	idle    time.Time // the idle deadline earned; zero if no use counts as activity
	pending bool      // not written yet
	queued  bool      // among the urgent
	written time.Time // when it was last written
}

// newToucher starts a toucher that runs until it is closed.
func newToucher(ctx context.Context, s store.Store, now func() time.Time) *toucher {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	t := &toucher{store: s, now: now, urgent: make(chan struct{}, 1), stop: stop}
	for i := range t.shards {
		t.shards[i].notes = map[SessionID]note{}
	}
	t.done.Go(func() { t.run(ctx) })
	return t
}

func (t *toucher) shard(id SessionID) *touchShard { return &t.shards[id[0]%touchShards] }

// note notes one use. A gen of 0 does not count as seen, a zero idle not as
// activity. It takes a short lock and allocates only for a session that is new
// here.
func (t *toucher) note(id SessionID, gen uint32, at, idle time.Time) {
	sh := t.shard(id)
	sh.mu.Lock()
	n := sh.notes[id]
	first := gen > n.gen
	n.gen = max(n.gen, gen)
	// Where a session is soon idle its activity does not wait for its turn.
	life := idle.Sub(at)
	soon := first || !idle.IsZero() && life < shortIdle && at.Sub(n.written) >= life/4
	n.at = later(n.at, at)
	if soon && !n.queued {
		n.queued = true
		sh.urgent = append(sh.urgent, id)
	}
	if idle.After(n.idle) {
		n.idle = idle
	}
	n.pending = n.pending || first || !idle.IsZero()
	sh.notes[id] = n
	sh.mu.Unlock()
	if soon {
		t.wake()
	}
}

// wake has the urgent notes written soon.
func (t *toucher) wake() {
	select {
	case t.urgent <- struct{}{}:
	default:
	}
}

// run writes first sights soon after they come, and everything once a minute.
func (t *toucher) run(ctx context.Context) {
	all := time.NewTicker(activityEvery)
	defer all.Stop()
	soon := time.NewTimer(firstSight)
	soon.Stop()
	defer soon.Stop()
	armed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.urgent:
			if !armed {
				soon.Reset(firstSight)
				armed = true
			}
		case <-soon.C:
			armed = false
			t.flushUrgent(ctx)
		case <-all.C:
			t.flushAll(ctx)
		}
	}
}

func (t *toucher) flushUrgent(ctx context.Context) {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		ids := sh.urgent
		sh.urgent = nil
		batch := sh.take(ids, t.now())
		sh.mu.Unlock()
		t.write(ctx, sh, batch)
	}
}

func (t *toucher) flushAll(ctx context.Context) {
	for i := range t.shards {
		sh := &t.shards[i]
		now := t.now()
		sh.mu.Lock()
		ids := make([]SessionID, 0, len(sh.notes))
		for id, n := range sh.notes {
			if n.pending {
				ids = append(ids, id)
			} else if now.Sub(n.written) >= activityEvery {
				delete(sh.notes, id)
			}
		}
		sh.urgent = nil
		batch := sh.take(ids, now)
		sh.mu.Unlock()
		t.write(ctx, sh, batch)
	}
}

// flush writes what is pending for one session, so that a decision about it sees
// what this node knows.
func (t *toucher) flush(ctx context.Context, id SessionID) {
	sh := t.shard(id)
	sh.mu.Lock()
	batch := sh.take([]SessionID{id}, t.now())
	sh.mu.Unlock()
	t.write(ctx, sh, batch)
}

// take makes the touches of those notes that are pending. It holds sh.mu.
func (sh *touchShard) take(ids []SessionID, now time.Time) []store.Touch {
	var batch []store.Touch
	for _, id := range ids {
		n, ok := sh.notes[id]
		if !ok || !n.pending {
			continue
		}
		batch = append(batch, store.Touch{ID: id, Gen: n.gen, At: n.at, IdleExpires: n.idle, Version: newVersion()})
		n.pending, n.queued, n.idle, n.written = false, false, time.Time{}, now
		sh.notes[id] = n
	}
	return batch
}

// write stores a batch. What could not be stored is pending and urgent again.
func (t *toucher) write(ctx context.Context, sh *touchShard, batch []store.Touch) {
	for len(batch) > 0 {
		part := batch[:min(len(batch), touchBatch)]
		batch = batch[len(part):]
		ctx, cancel := context.WithTimeout(ctx, touchTimeout)
		err := t.store.Touch(ctx, part)
		cancel()
		if err != nil {
			sh.putBack(part)
			t.wake()
		}
	}
}

func (sh *touchShard) putBack(batch []store.Touch) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, touch := range batch {
		n := sh.notes[touch.ID]
		n.pending, n.queued = true, true
		n.gen = max(n.gen, touch.Gen)
		n.at = later(n.at, touch.At)
		n.idle = later(n.idle, touch.IdleExpires)
		sh.notes[touch.ID] = n
		sh.urgent = append(sh.urgent, touch.ID)
	}
}

// forget drops what is noted of a session that has ended.
func (t *toucher) forget(id SessionID) {
	sh := t.shard(id)
	sh.mu.Lock()
	delete(sh.notes, id)
	sh.mu.Unlock()
}

// close writes what is pending and stops.
func (t *toucher) close(ctx context.Context) {
	t.stop()
	t.done.Wait()
	t.flushAll(ctx)
}

// newVersion draws a version: random, never used before.
func newVersion() store.Version {
	var v store.Version
	_, _ = rand.Read(v[:]) // never fails: crypto/rand ends the program instead
	return v
}

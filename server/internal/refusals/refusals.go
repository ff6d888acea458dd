package refusals

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	queued    = 1024                   // refusals that may wait to be written
	batch     = 256                    // written at once, and then nothing for the pause:
	pause     = 200 * time.Millisecond // so a flood costs the disk a little, and no more
	tellEvery = 10 * time.Second       // how often the log is told at most what was dropped
	// tidyEvery is how often what is too old is deleted where nothing is written.
	tidyEvery = time.Hour
)

// Config is what a [Keeper] is made of. All is required.
type Config struct {
	Path string        // of the file, which is made if it is missing; not its folder
	Keep time.Duration // for how long refusals are kept at most
	Log  *slog.Logger  // is told what was not kept, and why
}

// Keeper writes refusals to the file. It is safe for concurrent use, and several
// processes may share a file.
type Keeper struct {
	cfg     Config
	db      *sql.DB
	queue   chan Entry
	dropped atomic.Uint64
	closing chan struct{}
	done    chan struct{}
}

// Open opens the file, deletes what is too old, and begins to write. It returns
// [ErrForeign] or [ErrExposed], wrapped, or another error if it cannot.
func Open(ctx context.Context, cfg Config) (*Keeper, error) {
	fail := func(err error) (*Keeper, error) { return nil, fmt.Errorf("refusals: open %s: %w", cfg.Path, err) }
	if err := create(cfg.Path); err != nil {
		return fail(err)
	}
	db, err := open(cfg.Path)
	if err != nil {
		return fail(err)
	}
	if err = prepare(ctx, db); err == nil {
		err = store(ctx, db, nil, time.Now().Add(-cfg.Keep))
	}
	if err != nil {
		return fail(errors.Join(err, db.Close()))
	}
	k := &Keeper{cfg: cfg, db: db, queue: make(chan Entry, queued), closing: make(chan struct{}), done: make(chan struct{})}
	go k.run(context.WithoutCancel(ctx))
	return k, nil
}

// Add keeps a refusal, soon. It never waits: if too many wait already, this one is
// dropped.
func (k *Keeper) Add(e Entry) {
	select {
	case k.queue <- e:
	default:
		k.dropped.Add(1)
	}
}

// Dropped returns how many refusals were not kept.
func (k *Keeper) Dropped() uint64 { return k.dropped.Load() }

// Close writes what waits, and closes the file. Add is not to be called any more.
func (k *Keeper) Close() error {
	close(k.closing)
	<-k.done
	return k.db.Close()
}

// run writes what comes until the keeper is closed and nothing waits.
func (k *Keeper) run(ctx context.Context) {
	defer close(k.done)
	tidy := time.NewTicker(tidyEvery)
	defer tidy.Stop()
	var told uint64
	var toldAt time.Time
	tell := func(every time.Duration) {
		if n := k.dropped.Load(); n > told && time.Since(toldAt) >= every {
			k.cfg.Log.WarnContext(ctx, "refusals not kept", "count", n-told)
			told, toldAt = n, time.Now()
		}
	}
	defer tell(0)
	for {
		select {
		case e := <-k.queue:
			k.write(ctx, k.more(e))
		case <-tidy.C:
			k.write(ctx, nil)
		case <-k.closing:
			for len(k.queue) > 0 {
				k.write(ctx, k.more(<-k.queue))
			}
			return
		}
		tell(tellEvery)
		select {
		case <-time.After(pause):
		case <-k.closing:
		}
	}
}

// more takes what else waits, up to a batch.
func (k *Keeper) more(e Entry) []Entry {
	list := []Entry{e}
	for len(list) < batch {
		select {
		case e := <-k.queue:
			list = append(list, e)
		default:
			return list
		}
	}
	return list
}

// write stores entries. What cannot be stored is dropped: a disk that is full stays
// so for a while.
func (k *Keeper) write(ctx context.Context, entries []Entry) {
	if err := store(ctx, k.db, entries, time.Now().Add(-k.cfg.Keep)); err != nil {
		k.dropped.Add(uint64(len(entries)))
		k.cfg.Log.WarnContext(ctx, "refusals: write failed", "error", err)
	}
}

package keyring

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/remuda-go/remuda/codec"
)

// Open reads the ring in a source, or makes one there. Of several nodes that start
// at once one makes the ring, and all return the same. Where there is none and none
// is to be made, the error wraps [fs.ErrNotExist].
func Open(ctx context.Context, cfg Config) (*Ring, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	now := cfg.Now()
	doc, version, err := load(ctx, cfg.Source)
	if errors.Is(err, fs.ErrNotExist) && cfg.Create {
		doc, version, err = create(ctx, &cfg)
	}
	if err != nil {
		return nil, err
	}
	r := newRing(cfg, doc, version, now)
	if len(cfg.Algorithms) > 0 {
		err = r.Ensure(ctx, cfg.Algorithms...)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// create makes a ring, or reads that of somebody who was first.
func create(ctx context.Context, cfg *Config) (*document, string, error) {
	algs := cfg.Algorithms
	if len(algs) == 0 {
		algs = []codec.Algorithm{codec.HS256}
	}
	doc, err := newDocument(stamp(cfg.Now()), ownAlgorithms(algs)...)
	if err != nil {
		return nil, "", err
	}
	version, err := save(ctx, cfg.Source, doc, "")
	if errors.Is(err, ErrConflict) {
		return load(ctx, cfg.Source)
	}
	return doc, version, err
}

// ownAlgorithms leaves out the opaque form, whose keys are the roots'.
func ownAlgorithms(algs []codec.Algorithm) (list []codec.Algorithm) {
	for _, alg := range algs {
		if alg != codec.Opaque {
			list = append(list, alg)
		}
	}
	return list
}

func load(ctx context.Context, s Source) (*document, string, error) {
	text, version, err := s.Load(ctx)
	if err != nil {
		return nil, "", err
	}
	doc, err := parse(text)
	return doc, version, err
}

func save(ctx context.Context, s Source, doc *document, was string) (string, error) {
	text, err := doc.marshal()
	if err != nil {
		return "", err
	}
	return s.Save(ctx, text, was)
}

// adopt takes what the source says. The caller holds l.mu.
func (l *live) adopt(doc *document, version string, now time.Time) {
	l.doc, l.version = doc, version
	l.remember(doc)
	l.refresh(now)
}

// remember notes which keys are compromised. Once dead for this node, always dead:
// also if the source loses that. The caller holds l.mu.
func (l *live) remember(doc *document) {
	for i := range doc.keys {
		if k := &doc.keys[i]; !k.compromised.IsZero() {
			l.refused[k.id.String()] = k.compromised
		}
	}
}

// refuseDead refuses what a document says is compromised, though nothing else of
// it is believed yet.
func (l *live) refuseDead(doc *document) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remember(doc)
	l.refresh(l.clock.Now())
}

// take waits for the right to speak with the source.
func (l *live) take(ctx context.Context) (release func(), err error) {
	select {
	case <-l.turn:
		return func() { l.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Reload reads the source now, and moves the states of the keys on to this instant.
// When it fails, the ring stays as it is.
func (r *Ring) Reload(ctx context.Context) error {
	l := r.live
	if l.fixed {
		return nil
	}
	release, err := l.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	return l.reload(ctx)
}

// Renew reads the source as [Ring.Reload] does, unless it has been read within the
// last maxAge. Of many callers at once one reads.
func (r *Ring) Renew(ctx context.Context, maxAge time.Duration) error {
	l := r.live
	young := func() bool { return r.Staleness(l.cfg.Now()) <= maxAge }
	if young() {
		return nil
	}
	release, err := l.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	if young() {
		return nil // somebody has read it meanwhile
	}
	return l.reload(ctx)
}

// reload reads the source. The caller has the turn.
func (l *live) reload(ctx context.Context) error {
	at := l.cfg.Now()
	l.pass()
	err := l.read(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	if err == nil {
		l.readAt = at
	}
	return err
}

func (l *live) read(ctx context.Context) error {
	text, version, err := l.cfg.Source.Load(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	mine, known := l.doc, l.version == version
	l.mu.Unlock()
	if known {
		return nil
	}
	doc, err := parse(text)
	now := l.clock.Now()
	switch {
	case err != nil:
		return err
	case doc.id != mine.id:
		return fmt.Errorf("keyring: the source now holds another ring, %s", doc.id)
	case !doc.continues(mine, now):
		// The source has lost what was acknowledged, in a failover, or somebody
		// put an old ring back: keys that are in use would be unknown to whoever
		// starts now, and dead ones would live. Others may have changed it since.
		l.refuseDead(doc)
		if doc, err = mine.reconcile(doc, stamp(now)); err != nil {
			return err
		}
		if version, err = save(ctx, l.cfg.Source, doc, version); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.adopt(doc, version, now)
	return nil
}

// Staleness returns for how long the source has not been read, at an instant of
// Config.Now: by the larger of what the monotonic and the wall clock say, since the
// first stands still while a machine is suspended. For a fixed ring it is zero.
func (r *Ring) Staleness(now time.Time) time.Duration {
	l := r.live
	if l.fixed {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(now.Sub(l.readAt), now.Round(0).Sub(l.readAt.Round(0)))
}

// Err returns why the source could not be read when that was tried last, or what
// was due could not be done; nil if all is well.
func (r *Ring) Err() error {
	l := r.live
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Overlap returns how long a key verifies after another has taken over.
func (r *Ring) Overlap() time.Duration {
	l := r.live
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.overlap
}

// NeedOverlap makes the overlap d if it is shorter. Keys that are retiring already
// keep their instants.
func (r *Ring) NeedOverlap(d time.Duration) {
	l := r.live
	l.mu.Lock()
	defer l.mu.Unlock()
	l.overlap = max(l.overlap, d)
}

// Refuse treats a key as compromised from now on, on this node and for as long as
// this ring is held in memory, whatever the source says. Where it was active, the
// reserve takes over. It is for what the revocation log says, and needs no source.
func (r *Ring) Refuse(id string) {
	l := r.live
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.refused[id]; ok {
		return
	}
	now := l.clock.Now()
	l.refused[id] = stamp(now)
	l.refresh(now)
}

// Run follows the source until ctx ends, and does what becomes due: it moves the
// states of the keys on, rotates, and erases what has retired. Every node runs it;
// of several to whom something is due one does it. It returns [ErrFixed] at once
// for a fixed ring, and else ctx's error.
func (r *Ring) Run(ctx context.Context) error {
	l := r.live
	if l.fixed {
		return ErrFixed
	}
	var done sync.WaitGroup
	defer done.Wait()
	// A source that hangs must not keep a key from expiring.
	done.Go(func() { every(ctx, l.cfg.Poll, l.pass) })
	every(ctx, l.cfg.Poll, func() { _ = r.poll(ctx) }) // Err tells
	return ctx.Err()
}

// pass moves the states of the keys on to this instant.
func (l *live) pass() {
	l.clock.Check()
	l.advance(l.clock.Now())
}

// every calls f until ctx ends.
func every(ctx context.Context, pause time.Duration, f func()) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		f()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// poll is what Run does once.
func (r *Ring) poll(ctx context.Context) error {
	if err := r.Reload(ctx); err != nil {
		return err
	}
	l := r.live
	l.mu.Lock()
	doc := l.doc.clone()
	err := doc.housekeep(stamp(l.clock.Now()), &l.cfg, l.overlap)
	due := err == nil && !doc.equal(l.doc)
	l.mu.Unlock()
	if due {
		err = r.update(ctx, func(*document, time.Time, time.Duration) error { return nil })
	}
	if err != nil {
		l.fail(err)
	}
	return err
}

// fail notes that something went wrong.
func (l *live) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

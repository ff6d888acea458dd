package keyring

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/remuda-go/remuda/codec"
)

// Ensure sees to it that there is an active key, and one in reserve, for each of
// the algorithms. It is called before the first token of an algorithm is made or
// checked. A ring of [New] gets keys in memory; another fixed one that lacks some
// gives [ErrFixed].
func (r *Ring) Ensure(ctx context.Context, algs ...codec.Algorithm) error {
	l := r.live
	missing := l.missing(algs)
	switch {
	case len(missing) == 0:
		return nil
	case l.fixed && !l.nowhere:
		return fmt.Errorf("%w: it has no key for %s", ErrFixed, missing[0])
	case l.fixed:
		return l.ensureInMemory(missing)
	}
	return r.update(ctx, func(d *document, now time.Time, _ time.Duration) error { return d.ensure(missing, now) })
}

// missing returns the algorithms that have no active key.
func (l *live) missing(algs []codec.Algorithm) (list []codec.Algorithm) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	for _, alg := range ownAlgorithms(algs) {
		if l.doc.active(alg, now) == nil && !l.cfg.isExternal(alg) {
			list = append(list, alg)
		}
	}
	return list
}

func (l *live) ensureInMemory(algs []codec.Algorithm) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	doc := l.doc.clone()
	if err := doc.ensure(algs, stamp(now)); err != nil {
		return err
	}
	l.adopt(doc, "", now)
	return nil
}

// Rotate makes the key in reserve for an algorithm, or for [Root], the active one,
// and puts a new one in reserve. It takes effect at once, or as soon as the reserve
// has been published for Config.Settle. Of several rotations at once, on any nodes,
// one happens. It returns the key that is, or will be, active.
func (r *Ring) Rotate(ctx context.Context, alg codec.Algorithm) (Info, error) {
	l := r.live
	if l.cfg.isExternal(alg) {
		return Info{}, fmt.Errorf("%w: the keys of %s are rotated by configuration", ErrFixed, alg)
	}
	seen := l.activeID(alg)
	err := r.update(ctx, func(d *document, now time.Time, overlap time.Duration) error {
		if k := d.active(alg, now); k != nil && k.id.String() != seen {
			return nil // somebody else was first
		}
		return d.rotate(alg, now, l.cfg.Settle, overlap)
	})
	if err != nil {
		return Info{}, err
	}
	return r.newest(alg), nil
}

// activeID returns the id of the active key as this node knows it.
func (l *live) activeID(alg codec.Algorithm) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := l.doc.active(alg, l.clock.Now()); k != nil {
		return k.id.String()
	}
	return ""
}

// newest returns the key that is active or, if another is to take over, that one.
func (r *Ring) newest(alg codec.Algorithm) (newest Info) {
	for _, info := range r.List() {
		if info.Algorithm == alg && (info.State == Active || info.State == Pending && !info.Activates.IsZero()) &&
			info.Activates.After(newest.Activates) {
			newest = info
		}
	}
	return newest
}

// Retire ends a key that retires, before its time: what it made is refused from
// now on. It refuses, with [ErrInUse], a key that is active or in reserve.
func (r *Ring) Retire(ctx context.Context, id string) error {
	return r.update(ctx, func(d *document, now time.Time, _ time.Duration) error { return d.retire(id, now) })
}

// Compromise kills a key: this node refuses it when the call begins, all others as
// soon as they read the source. Where it was active, the reserve, which all nodes
// know, takes over. Of a root the sessions that are sealed under it cannot be
// opened any more, and end. When it fails, this node goes on to refuse the key, and
// others may not.
func (r *Ring) Compromise(ctx context.Context, id string) error {
	l := r.live
	if l.fixed {
		return ErrFixed
	}
	l.mu.Lock()
	known := l.doc.find(id) != nil
	l.mu.Unlock()
	if known {
		r.Refuse(id)
	}
	return r.update(ctx, func(d *document, now time.Time, _ time.Duration) error { return d.compromise(id, now) })
}

const (
	updateAttempts = 200 // each one lost is one that another has won
	updatePause    = 5 * time.Millisecond
)

// update is the only way in which a ring is changed: it reads, changes and swaps,
// and starts over when another was faster. What is due is done beside.
func (r *Ring) update(ctx context.Context, c change) error {
	l := r.live
	if l.fixed {
		return ErrFixed
	}
	release, err := l.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	for range updateAttempts {
		err := l.reload(ctx)
		if err == nil {
			err = l.swap(ctx, c)
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
		// A random moment, so that those who collided do not again.
		if err := wait(ctx, rand.N(updatePause)); err != nil { //nolint:gosec // no secret: it only spreads retries
			return err
		}
	}
	return fmt.Errorf("%w: the ring is being changed by others", ErrConflict)
}

// swap tries once to change the ring as it was read. The caller has the turn.
func (l *live) swap(ctx context.Context, c change) error {
	l.mu.Lock()
	was, version, overlap := l.doc, l.version, l.overlap
	l.mu.Unlock()
	now, doc := l.clock.Now(), was.clone()
	if err := c(doc, stamp(now), overlap); err != nil {
		return err
	}
	if err := doc.housekeep(stamp(now), &l.cfg, overlap); err != nil {
		return err
	}
	if doc.equal(was) {
		return nil
	}
	doc.revision++
	version, err := save(ctx, l.cfg.Source, doc, version)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.adopt(doc, version, now)
	return nil
}

// wait waits, or returns the context's error.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

package keyring

import (
	"fmt"
	"slices"
	"time"

	"github.com/remuda-go/remuda/codec"
)

// What may be done to a ring, without a source and without a clock.

// change is something that is done to a ring. It is given a document of its own,
// and may be called again with another one.
type change func(d *document, now time.Time, overlap time.Duration) error

const (
	// keepDead is how long a dead key stays in the list, beside the overlap, and
	// maxDead how many of them do.
	keepDead = 90 * day
	maxDead  = 32
	// maxKeys is how many keys a rotation may lead to: a ring must fit an item of
	// a store.
	maxKeys = 128
)

// ensure gives each algorithm that has none an active key, at once: whoever has
// the algorithm in use has come here before.
func (d *document) ensure(algs []codec.Algorithm, now time.Time) error {
	for _, alg := range algs {
		if !generated[alg] {
			return fmt.Errorf("keyring: no keys can be made for the algorithm %q", alg)
		}
		if err := d.supply(alg, now); err != nil {
			return err
		}
	}
	return nil
}

// supply makes sure that an algorithm has an active key which is said to be so,
// and a reserve.
func (d *document) supply(alg codec.Algorithm, now time.Time) error {
	if d.active(alg, now) == nil {
		if err := d.add(alg, now); err != nil {
			return err
		}
	}
	if k := d.active(alg, now); k.activates.IsZero() {
		k.activates = now
	}
	return d.stock(alg, now)
}

// add makes a pending key.
func (d *document) add(alg codec.Algorithm, now time.Time) error {
	k, err := newKey(alg, now)
	d.keys = append(d.keys, k)
	return err
}

// stock puts a key in reserve that is not promised for an instant, unless there
// is one.
func (d *document) stock(alg codec.Algorithm, now time.Time) error {
	active := d.active(alg, now)
	for i := range d.keys {
		k := &d.keys[i]
		if k.alg == alg && k.state(now, active) == Pending && k.activates.IsZero() {
			return nil
		}
	}
	return d.add(alg, now)
}

// rotate decides when the reserve takes over: now, or when it has been published
// long enough. A rotation that is decided already stays as it is.
func (d *document) rotate(alg codec.Algorithm, now time.Time, settle, overlap time.Duration) error {
	active := d.active(alg, now)
	if active == nil {
		return fmt.Errorf("%w of the algorithm %q", ErrUnknownKey, alg)
	}
	if next := d.reserve(alg, now); next != nil && !next.activates.IsZero() {
		return nil
	}
	if len(d.keys) >= maxKeys {
		return fmt.Errorf("keyring: the ring is full, with %d keys; retire some", len(d.keys))
	}
	if err := d.stock(alg, now); err != nil {
		return err
	}
	// Again, since the slice may have moved.
	active, next := d.active(alg, now), d.reserve(alg, now)
	next.activates = later(now, next.created.Add(settle))
	active.retires, active.expires = next.activates, next.activates.Add(overlap)
	return d.stock(alg, now)
}

// retire ends a key that retires.
func (d *document) retire(id string, now time.Time) error {
	k := d.find(id)
	if k == nil {
		return ErrUnknownKey
	}
	switch k.state(now, d.active(k.alg, now)) {
	case Pending, Active:
		return fmt.Errorf("%w: rotate first, or say that it is compromised", ErrInUse)
	case Retiring:
		k.expires = now
		d.erase(now)
	case Retired, Compromised:
	}
	return nil
}

// compromise kills a key at once. Where it was active, the reserve takes over,
// whether or not it has been published long enough: to go on is worse.
func (d *document) compromise(id string, now time.Time) error {
	k := d.find(id)
	switch {
	case k == nil:
		return ErrUnknownKey
	case !k.compromised.IsZero():
		return nil
	}
	state := k.state(now, d.active(k.alg, now))
	promised := state == Pending && !k.activates.IsZero()
	k.compromised = now
	d.erase(now)
	alg := k.alg
	if promised { // to the active one, which goes on
		if active := d.active(alg, now); active != nil {
			active.retires, active.expires = time.Time{}, time.Time{}
		}
	}
	if state == Retiring || state == Retired {
		return nil
	}
	if err := d.supply(alg, now); err != nil {
		return err
	}
	if next := d.active(alg, now); next.activates.After(now) {
		next.activates = now
	}
	return nil
}

// erase removes the secrets of the dead.
func (d *document) erase(now time.Time) {
	for i := range d.keys {
		if k := &d.keys[i]; k.dead(now) {
			k.secret = [secretSize]byte{}
		}
	}
}

// forget removes those who have been dead for long, or are too many.
func (d *document) forget(now time.Time, keep time.Duration) {
	var dead []key
	for _, k := range d.keys {
		if k.dead(now) {
			dead = append(dead, k)
		}
	}
	slices.SortStableFunc(dead, func(a, b key) int { return b.diedAt().Compare(a.diedAt()) })
	for i, k := range dead {
		if i >= maxDead || k.diedAt().Add(keep).Before(now) {
			d.keys = slices.DeleteFunc(d.keys, func(o key) bool { return o.id == k.id })
		}
	}
}

// housekeep does what has become due: it erases, forgets, makes reserves, and
// rotates what has been active for long. Algorithms of external keys are left
// alone.
func (d *document) housekeep(now time.Time, cfg *Config, overlap time.Duration) error {
	d.erase(now)
	d.forget(now, overlap+keepDead)
	for _, alg := range d.algorithms() {
		if cfg.isExternal(alg) {
			continue
		}
		if err := d.supply(alg, now); err != nil {
			return err
		}
		d.limit(alg, now, overlap)
		if cfg.Every != Never && !now.Before(d.active(alg, now).activates.Add(cfg.Every)) {
			if err := d.rotate(alg, now, cfg.Settle, overlap); err != nil {
				return err
			}
		}
	}
	return nil
}

// limit gives an end to what retires without one: a ring of the first version of
// the format does not say when.
func (d *document) limit(alg codec.Algorithm, now time.Time, overlap time.Duration) {
	active := d.active(alg, now)
	for i := range d.keys {
		if k := &d.keys[i]; k.alg == alg && k.state(now, active) == Retiring && k.expires.IsZero() {
			k.retires, k.expires = now, now.Add(overlap)
		}
	}
}

// continues reports whether a document that the source holds can have come of one
// that was there before: nothing that was acknowledged is missing. A living key
// that is missing was lost, unless so much has happened since that it may have
// died and been forgotten.
func (d *document) continues(was *document, now time.Time) bool {
	if d.revision < was.revision || d.revision == was.revision && !d.equal(was) {
		return false
	}
	for i := range was.keys {
		k := &was.keys[i]
		switch at := d.find(k.id.String()); {
		case at == nil && !k.dead(now) && d.revision-was.revision < maxDead:
			return false
		case at != nil && k.dead(now) && !at.dead(now):
			return false
		}
	}
	return true
}

// reconcile returns what two histories of one ring say together: a key that either
// has is there, and one that is dead in either is dead.
func (d *document) reconcile(o *document, now time.Time) (*document, error) {
	if d.revision < o.revision {
		d, o = o, d
	}
	out := d.clone()
	for _, k := range o.keys {
		if at := out.find(k.id.String()); at == nil {
			out.keys = append(out.keys, k)
		} else if k.dead(now) && !at.dead(now) && k.compromised.IsZero() {
			at.retires, at.expires = k.retires, k.expires
		}
	}
	for _, k := range o.keys {
		if k.compromised.IsZero() {
			continue
		}
		if err := out.compromise(k.id.String(), now); err != nil {
			return nil, err
		}
	}
	for _, alg := range out.algorithms() {
		if err := out.supply(alg, now); err != nil {
			return nil, err
		}
	}
	out.erase(now)
	if !out.equal(d) {
		out.revision++
	}
	return out, nil
}

// algorithms returns those that the ring has keys for.
func (d *document) algorithms() (list []codec.Algorithm) {
	for i := range d.keys {
		if alg := d.keys[i].alg; !slices.Contains(list, alg) {
			list = append(list, alg)
		}
	}
	return list
}

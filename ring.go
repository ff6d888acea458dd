package remuda

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/remuda-go/remuda/store"
)

// ErrRing says that the store's sessions belong to another key ring than the
// one given: the ring was lost or mixed up. To go on with it would sign
// everybody out, so New refuses; put the right ring back, or set
// Config.DiscardSessionsOfLostRing.
var ErrRing = errors.New("remuda: the store belongs to another key ring")

// Where a store keeps the id of its ring.
const (
	ringKind = "keyring"
	ringKey  = "id"
)

// BoundRing returns the id of the key ring that a store is bound to, and whether it
// is bound to one: whether a manager has ever been made over it. It changes nothing.
// A store without [store.Items] is never bound. The error wraps [ErrUnavailable].
func BoundRing(ctx context.Context, s store.Store) (id string, ok bool, err error) {
	items, ok := s.(store.Items)
	if !ok {
		return "", false, nil
	}
	// The item never expires, so that any instant will do.
	bound, err := items.GetItem(ctx, ringKind, ringKey, time.Unix(0, 0))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "", false, nil
	case err != nil:
		return "", false, unavailable(err)
	}
	return string(bound.Value), true, nil
}

// bindRing binds a store to the ring at the first start, and checks it later. The
// ring's id stays when its keys are rotated, and is in the same store as the ring
// where a keyring.StoreSource keeps it. A store without [store.Items] is not bound.
func bindRing(ctx context.Context, cfg *Config, now time.Time) error {
	items, ok := cfg.Store.(store.Items)
	if !ok {
		return nil
	}
	mine := store.Item{Value: []byte(cfg.Keys.ID()), Version: newVersion()}
	err := items.CreateItem(ctx, ringKind, ringKey, mine, now)
	if err == nil {
		return nil
	}
	if !errors.Is(err, store.ErrExists) {
		return unavailable(err)
	}
	bound, err := items.GetItem(ctx, ringKind, ringKey, now)
	if err != nil {
		return unavailable(err)
	}
	if string(bound.Value) == cfg.Keys.ID() {
		return nil
	}
	if !cfg.DiscardSessionsOfLostRing {
		return fmt.Errorf("%w: it is bound to ring %s, and the ring given is %s", ErrRing, bound.Value, cfg.Keys.ID())
	}
	if err := items.SwapItem(ctx, ringKind, ringKey, mine, bound.Version, now); err != nil {
		return unavailable(err)
	}
	return nil
}

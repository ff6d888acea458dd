package remuda

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/store"
)

// A wide ending has taken effect before the records of its sessions say so. A
// node that does not hear the log and asks the store must not be told by a record
// that is yet to be ended that its session lives. So the store also keeps, as
// items, the wide endings that have not reached all records: one item for each
// subject, and one for all that is wider. There are few, and for seconds only.

const cutOffKind = "cut-off"

// cutOffKey names the item that an entry belongs to.
func cutOffKey(scope store.Scope, tenant, subject string) string {
	if scope != store.ScopeSubject {
		return "wide"
	}
	sum := sha256.Sum256([]byte(tenant + "\x00" + subject))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// maxCutOffs is how many endings are under way at once in one item, so that it
// fits its 64 KiB.
const maxCutOffs = 64

// openCutOff notes a wide entry in the store, and reports whether it did: not if
// too many are under way. An entry that ends no more than this one does goes.
func (m *Manager) openCutOff(ctx context.Context, e *store.Entry) (noted bool, err error) {
	if m.items == nil {
		return false, nil
	}
	err = m.changeCutOffs(ctx, e, func(list []store.Entry) ([]store.Entry, error) {
		now := m.clock.now()
		list = slices.DeleteFunc(list, func(old store.Entry) bool { return old.Until.Before(now) || includes(e, &old) })
		if noted = len(list) < maxCutOffs; noted {
			list = append(list, *e)
		}
		return list, nil
	})
	return noted && err == nil, err
}

// includes reports whether a wide entry ends all that another does.
func includes(e, o *store.Entry) bool {
	return e.Scope == o.Scope && e.Target == o.Target && e.Tenant == o.Tenant &&
		(e.Except == store.ID{} || e.Except == o.Except) &&
		!e.From.After(o.From) && !e.Before.Before(o.Before)
}

// closeCutOff removes it again.
func (m *Manager) closeCutOff(ctx context.Context, e *store.Entry) error {
	if m.items == nil {
		return nil
	}
	return m.changeCutOffs(ctx, e, func(list []store.Entry) ([]store.Entry, error) {
		return slices.DeleteFunc(list, func(old store.Entry) bool { return old.ID == e.ID }), nil
	})
}

// changeCutOffs reads, changes and swaps the item of an entry.
func (m *Manager) changeCutOffs(ctx context.Context, e *store.Entry, change func([]store.Entry) ([]store.Entry, error)) error {
	key := cutOffKey(e.Scope, e.Tenant, e.Target)
	for range swapAttempts {
		now := m.clock.now()
		list, was, err := m.cutOffs(ctx, key, now)
		if err != nil {
			return err
		}
		found := was != store.Version{}
		if list, err = change(list); err != nil {
			return err
		}
		if err = m.putCutOffs(ctx, key, list, found, was, now); err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrNotFound) {
			return unavailable(err)
		}
		if err := pause(ctx); err != nil {
			return unavailable(err)
		}
	}
	return fmt.Errorf("%w: the wide endings are being changed by others", ErrUnavailable)
}

func (m *Manager) putCutOffs(ctx context.Context, key string, list []store.Entry, found bool, was store.Version, now time.Time) error {
	if len(list) == 0 {
		if !found {
			return nil
		}
		return m.items.DeleteItem(ctx, cutOffKind, key, was, now)
	}
	value, err := json.Marshal(list)
	if err != nil {
		return err
	}
	it := store.Item{Value: value, Version: newVersion()}
	for i := range list {
		it.Expires = later(it.Expires, list[i].Until)
	}
	if !found {
		return m.items.CreateItem(ctx, cutOffKind, key, it, now)
	}
	return m.items.SwapItem(ctx, cutOffKind, key, it, was, now)
}

// cutOffs reads an item; without one the version is zero.
func (m *Manager) cutOffs(ctx context.Context, key string, now time.Time) ([]store.Entry, store.Version, error) {
	it, err := m.items.GetItem(ctx, cutOffKind, key, now)
	if errors.Is(err, store.ErrNotFound) {
		return nil, store.Version{}, nil
	}
	if err != nil {
		return nil, store.Version{}, unavailable(err)
	}
	var list []store.Entry
	if err := json.Unmarshal(it.Value, &list); err != nil {
		return nil, store.Version{}, unavailable(err)
	}
	return list, it.Version, nil
}

// cutOff asks the store whether a wide ending covers a session, and returns
// [ErrSessionEnded] if one does. It is for a node that does not hear the log.
func (m *Manager) cutOff(ctx context.Context, t *revocation.Token, now time.Time) error {
	if m.items == nil {
		return nil // then a wide ending waits for the records
	}
	for _, key := range []string{cutOffKey(store.ScopeSubject, t.Tenant, t.Subject), cutOffKey(store.ScopeEverything, "", "")} {
		list, _, err := m.cutOffs(ctx, key, now)
		if err != nil {
			return err
		}
		for i := range list {
			if covers(&list[i], t) {
				return coveredBy(&list[i])
			}
		}
	}
	return nil
}

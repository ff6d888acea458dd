package remuda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
)

// The limits of a session's data.
const (
	MaxData     = 16 << 10 // bytes, as one JSON object without white space
	MaxDataKeys = 64
	maxDataKey  = 64 // bytes
)

// Data is what an application keeps with a session: small JSON values by key. It
// is a copy: changing what was read changes nothing. Keys that begin with an
// underscore are the application's own; all others the client may write, through
// package web, so their values are input like any other. It is safe for
// concurrent use.
type Data struct {
	values map[string]json.RawMessage
}

// DataPatch says what to change, as a JSON merge patch does (RFC 7396), but for
// the keys of the data alone: a value takes the place of the old one whole, and
// one that marshals to null removes the key. Keys that are not named stay.
type DataPatch map[string]any

// Len returns how many keys there are.
func (d *Data) Len() int { return len(d.values) }

// Keys returns the keys in ascending order.
func (d *Data) Keys() []string { return slices.Sorted(maps.Keys(d.values)) }

// MarshalJSON implements [json.Marshaler]: one object, its keys in ascending
// order.
func (d *Data) MarshalJSON() ([]byte, error) { return d.text(), nil }

// DataValue decodes the value of a key, as [json.Unmarshal] does: a member that T
// does not have is ignored, since another version of the application may have
// written it. It reports false if there is no such key.
func DataValue[T any](d *Data, key string) (T, bool, error) {
	var v T
	text, ok := d.values[key]
	if !ok {
		return v, false, nil
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return v, true, fmt.Errorf("remuda: the value of %q is no %T: %w", key, v, err)
	}
	return v, true, nil
}

// text is the data as one JSON object.
func (d *Data) text() []byte {
	b := []byte{'{'}
	for _, key := range d.Keys() {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), key...), '"', ':') // a key needs no escapes
		b = append(b, d.values[key]...)
	}
	return append(b, '}')
}

func sameValue(a, b json.RawMessage) bool { return bytes.Equal(a, b) }

// check keeps the limits.
func (d *Data) check() error {
	if n := len(d.values); n > MaxDataKeys {
		return fmt.Errorf("%w: the data would have %d keys; a session has at most %d", ErrRequest, n, MaxDataKeys)
	}
	if n := len(d.text()); n > MaxData {
		return fmt.Errorf("%w: the data would have %d bytes; a session has at most %d", ErrRequest, n, MaxData)
	}
	return nil
}

// encode returns the new values as JSON; nil for a key to remove.
func (p DataPatch) encode() (map[string]json.RawMessage, error) {
	changes := make(map[string]json.RawMessage, len(p))
	for key, v := range p {
		if !dataKey(key) {
			return nil, fmt.Errorf("%w: a key is 1 to %d characters of plain ASCII", ErrRequest, maxDataKey)
		}
		text, err := encodeValue(v)
		if err != nil {
			return nil, fmt.Errorf("%w: the value of %q: %w", ErrRequest, key, err)
		}
		changes[key] = text
	}
	return changes, nil
}

// dataKey reports whether a key has the form of a claim's name (see
// [codec.AppName]). Reserved names are allowed: data are no claims.
func dataKey(key string) bool {
	for _, ch := range []byte(key) {
		if ch <= ' ' || ch >= 0x7f || bytes.IndexByte([]byte(`"\<>&`), ch) >= 0 {
			return false
		}
	}
	return key != "" && len(key) <= maxDataKey
}

var errNoValue = errors.New("it is not UTF-8, or has a name twice")

// encodeValue writes a value as JSON without white space, or returns nil for
// null. It does not escape for HTML: that would make markup six times as long.
func encodeValue(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	text := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if !jsontext.Value(text).IsValid() {
		return nil, errNoValue
	}
	if string(text) == "null" {
		return nil, nil
	}
	return text, nil
}

// dataKind is the kind of the items that hold data, by session id.
const dataKind = "data"

// dataAttempts is how often a change of data is tried. Each one that is lost is
// one that another node has won.
const dataAttempts = 64

var errNoData = fmt.Errorf("%w: this store keeps no data of sessions", ErrRequest)

// Data returns the data of a session that lives. It returns [ErrTokenInvalid] if
// there is none, [ErrSessionExpired], [ErrSessionEnded], [ErrUnavailable], or
// [ErrRequest] where nothing can be kept: the store has no [store.Items], or
// sessions have no records.
func (m *Manager) Data(ctx context.Context, id SessionID) (*Data, error) {
	if m.items == nil {
		return nil, errNoData
	}
	// The data first: the other way round somebody who signs out between would
	// have nothing in the cart, for a moment.
	kept, err := m.readData(ctx, id)
	if err != nil {
		return nil, err
	}
	if _, err := m.liveRecord(ctx, id); err != nil {
		return nil, err
	}
	return &kept.Data, nil
}

// PatchData changes the data of a session that lives, and returns all of it. Of
// several calls at once, on any nodes, all take effect, one after the other: who
// writes different keys does not meet, and of those who write one key the last
// one's value stays. It returns [ErrRequest] for a key or value that cannot be,
// for more than [MaxDataKeys] or [MaxData], and otherwise the errors of
// [Manager.Data]. After an error nothing has changed, but for [ErrUnavailable]:
// then it may have, and to call it again is harmless.
//
// The data is gone when the session ends, and whatever is refused because the
// session has ended leaves nothing behind. It outlives a step-up.
func (m *Manager) PatchData(ctx context.Context, id SessionID, patch DataPatch) (*Data, error) {
	if m.items == nil {
		return nil, errNoData
	}
	changes, err := patch.encode()
	if err != nil {
		return nil, err
	}
	return m.changeData(ctx, id, func(values map[string]json.RawMessage) {
		for key, v := range changes {
			if v == nil {
				delete(values, key)
			} else {
				values[key] = v
			}
		}
	})
}

// keptData is data as it is in the store.
type keptData struct {
	Data

	there   bool
	version store.Version
}

// changeData reads, merges and swaps, until nobody came between.
func (m *Manager) changeData(ctx context.Context, id SessionID, merge func(map[string]json.RawMessage)) (*Data, error) {
	leave, err := m.dataGate.enter(ctx, id)
	if err != nil {
		return nil, err
	}
	defer leave()
	for range dataAttempts {
		r, err := m.liveRecord(ctx, id)
		if err != nil {
			return nil, err
		}
		kept, err := m.readData(ctx, id)
		if err != nil {
			return nil, err
		}
		after := &Data{values: maps.Clone(kept.values)}
		merge(after.values)
		if err := after.check(); err != nil {
			return nil, err
		}
		switch err := m.swapData(ctx, r, &kept, after); {
		case err == nil:
			return after, m.confirmData(ctx, id)
		case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrExists), errors.Is(err, store.ErrNotFound):
			if err := pause(ctx); err != nil {
				return nil, unavailable(err)
			}
		default:
			return nil, unavailable(err)
		}
	}
	return nil, fmt.Errorf("%w: the data is being changed by others", ErrUnavailable)
}

// confirmData is called after a write. The session may have ended since it was
// looked at, and whoever ended it may have come to delete its data too early.
func (m *Manager) confirmData(ctx context.Context, id SessionID) error {
	_, err := m.liveRecord(ctx, id)
	if err != nil && !errors.Is(err, ErrUnavailable) {
		m.dropData(ctx, id)
	}
	return err
}

// readData reads the data of a session, whether or not it lives. What is under a
// key that is dead counts as none: nobody will ever read it.
func (m *Manager) readData(ctx context.Context, id SessionID) (keptData, error) {
	kept := keptData{Data: Data{values: map[string]json.RawMessage{}}}
	if m.items == nil {
		return kept, nil
	}
	it, err := m.items.GetItem(ctx, dataKind, id.String(), m.clock.now())
	if errors.Is(err, store.ErrNotFound) {
		return kept, nil
	}
	if err != nil {
		return kept, unavailable(err)
	}
	kept.there, kept.version = true, it.Version
	text, err := m.ring.Open(nil, it.Value, dataKind, id)
	if errors.Is(err, keyring.ErrDead) {
		return kept, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &kept.values)
	}
	if err != nil {
		return kept, unavailable(err)
	}
	return kept, nil
}

// swapData puts after in the place of kept; the errors are the store's.
func (m *Manager) swapData(ctx context.Context, r *record, kept *keptData, after *Data) error {
	key, now := r.ID.String(), m.clock.now()
	switch {
	case after.Len() == 0 && !kept.there, after.Len() > 0 && maps.EqualFunc(after.values, kept.values, sameValue):
		return nil
	case after.Len() == 0:
		return m.items.DeleteItem(ctx, dataKind, key, kept.version, now)
	}
	value, err := m.ring.Seal(nil, after.text(), dataKind, r.ID)
	if err != nil {
		return err
	}
	it := store.Item{Value: value, Expires: r.Expires, Version: newVersion()}
	if !kept.there {
		return m.items.CreateItem(ctx, dataKind, key, it, now)
	}
	return m.items.SwapItem(ctx, dataKind, key, it, kept.version, now)
}

// dropData deletes the data of a session that has ended. Nobody can read it any
// more, and it expires when the session would have; so that it fails is no error.
func (m *Manager) dropData(ctx context.Context, id SessionID) {
	if m.items == nil {
		return
	}
	now := m.clock.now()
	if it, err := m.items.GetItem(ctx, dataKind, id.String(), now); err == nil {
		// On a conflict somebody has just written: they delete it themselves.
		_ = m.items.DeleteItem(ctx, dataKind, id.String(), it.Version, now)
	}
}

// moveData gives the data of an anonymous session to the one in which its user
// has signed in, before the anonymous one ends. Data of anybody else does not
// move, and that of a session which is over is nobody's: then it does nothing.
// What is written to the old session after the move, and before it ends, is lost
// with it.
func (m *Manager) moveData(ctx context.Context, from, to SessionID) error {
	if m.items == nil {
		return nil
	}
	source, err := m.liveRecord(ctx, from)
	switch {
	case errors.Is(err, ErrUnavailable):
		return err
	case err != nil || source.Subject != "":
		return nil //nolint:nilerr // the session is over: nothing to move
	}
	for range dataAttempts {
		kept, err := m.readData(ctx, from)
		if err != nil || !kept.there {
			return err
		}
		if _, err := m.changeData(ctx, to, func(values map[string]json.RawMessage) {
			clear(values)
			maps.Copy(values, kept.values)
		}); err != nil {
			return err
		}
		switch err := m.items.DeleteItem(ctx, dataKind, from.String(), kept.version, m.clock.now()); {
		case err == nil, errors.Is(err, store.ErrNotFound):
			return nil
		case !errors.Is(err, store.ErrConflict):
			return unavailable(err)
		}
	}
	return fmt.Errorf("%w: the data is being changed by others", ErrUnavailable)
}

// liveRecord returns the record of a session that lives.
func (m *Manager) liveRecord(ctx context.Context, id SessionID) (*record, error) {
	row, err := m.store.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, m.noRecord()
	}
	if err != nil {
		return nil, unavailable(err)
	}
	r, err := openRecord(&row, m.ring)
	if err != nil {
		return nil, openFailed(err)
	}
	if err := m.checkLive(ctx, &r, m.clock.now()); err != nil {
		return nil, ofSession(err, id)
	}
	return &r, nil
}

// noRecord is what to say of a session of which there is no record.
func (m *Manager) noRecord() error {
	for _, p := range m.profiles {
		if !p.Recordless {
			return refuse(ErrTokenInvalid, ReasonNoRecord)
		}
	}
	return fmt.Errorf("%w: sessions without a record have no data", ErrRequest)
}

// checkLive returns why a session is over, or nil.
func (m *Manager) checkLive(ctx context.Context, r *record, now time.Time) error {
	if !r.EndedAt.IsZero() {
		return r.endedError(now)
	}
	if reason, over := r.expired(now); over {
		return m.clock.overdue(&r.state, reason, now)
	}
	return m.revokedRecord(ctx, r, "", now)
}

package remuda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
)

// Overlap is for how long a key has to go on verifying after another has taken
// over, so that no token of these profiles is refused before its time: the longest
// lifetime in use, and the leeway ([Config].Leeway) between clocks. [New] asks it of the ring; whoever changes a ring without a
// manager sets [keyring.Config].Overlap to it.
func Overlap(leeway time.Duration, profiles ...Profile) time.Duration {
	return longestLife(profiles) + leeway + overlapMargin
}

// overlapMargin is for a node that reads of a rotation a little late.
const overlapMargin = 10 * time.Second

// prepareKeys gets keys for what the profiles sign with. A ring that cannot make
// them is left to validate.
func prepareKeys(ctx context.Context, cfg *Config) error {
	if cfg.Keys == nil {
		return nil
	}
	cfg.Keys.NeedOverlap(Overlap(cfg.Leeway, cfg.Profiles...))
	var algs []codec.Algorithm
	for i := range cfg.Profiles {
		alg := cfg.Profiles[i].algorithm()
		if alg != codec.Opaque && slices.Contains(algorithms[cfg.Profiles[i].Credential], alg) && !slices.Contains(algs, alg) {
			algs = append(algs, alg)
		}
	}
	err := cfg.Keys.Ensure(ctx, algs...)
	if err == nil || errors.Is(err, keyring.ErrFixed) {
		return nil
	}
	return fmt.Errorf("%w: the key ring: %w", ErrUnavailable, err)
}

// CompromiseKey kills a key that somebody else may have: what it has signed is
// refused by this node when the call begins, and by the others within
// Config.MaxStaleness where a profile has liveness LiveLog, else as soon as they
// read the ring's source. Whoever holds nothing else signs in again. It returns
// the errors of [keyring.Ring.Compromise], and [ErrUnavailable] if the log could
// not be told. Each of source and log is told whether the other could be; after an
// error call it again.
func (m *Manager) CompromiseKey(ctx context.Context, id string) error {
	err := m.ring.Compromise(ctx, id)
	if m.revoked == nil || errors.Is(err, keyring.ErrUnknownKey) || errors.Is(err, keyring.ErrFixed) {
		return err
	}
	now := m.clock.now()
	return errors.Join(err, m.revoked.announce(ctx, store.Entry{
		ID: newEntryID(), Scope: store.ScopeKey, Target: id,
		Until: now.Add(m.longest), At: now, Reason: string(EndKeyCompromised),
	}))
}

// renewKeys reads the ring's source, unless that was done a moment ago. It is for a
// node that does not hear the log, which would say that a key is compromised.
func (m *Manager) renewKeys(ctx context.Context) error {
	if err := m.ring.Renew(ctx, m.revoked.staleness); err != nil {
		return refuse(fmt.Errorf("%w: the key ring: %w", ErrUnavailable, err), ReasonKeysUnread)
	}
	return nil
}

// checkKey reports, on such a node, whether a token that was good by the keys as
// they were is so by those that are: [ErrTokenInvalid] if not.
func (m *Manager) checkKey(ctx context.Context, key string) error {
	if err := m.renewKeys(ctx); err != nil {
		return err
	}
	if !slices.ContainsFunc(m.ring.KeySet().Keys, func(k codec.Key) bool { return k.ID == key }) {
		return refuse(ErrTokenInvalid, ReasonKeyDead)
	}
	return nil
}

// hearKey refuses a key that the log says is compromised, before the ring's source
// has been read again.
func (m *Manager) hearKey(e *store.Entry) {
	if e.Scope == store.ScopeKey {
		m.ring.Refuse(e.Target)
	}
}

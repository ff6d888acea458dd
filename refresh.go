package remuda

import (
	"context"
	"errors"
	"time"

	"github.com/remuda-go/remuda/store"
)

// maxRetryKey and minRetryKey bound an Idempotency-Key in bytes.
const (
	minRetryKey = 16
	maxRetryKey = 255
)

// Refresh exchanges a refresh token or, in a profile with Rotation.ByAccess, an
// access token. On success the grant has a fresh access token, and a refresh token
// unless the client is to keep the one it has or has shown none. What
// happens when is decided by rotation.go. It returns [ErrTokenInvalid],
// [ErrSessionExpired], [ErrSessionEnded], [ErrRefreshReused],
// [ErrRefreshSuperseded], a [*RetryError] with [ErrRefreshTooEarly] or
// [ErrThrottled], [ErrRequest] for a bad retry key, or [ErrUnavailable]. After
// ErrUnavailable the refresh may have happened; to send it again is harmless.
func (m *Manager) Refresh(ctx context.Context, req RefreshRequest) (Grant, error) {
	if n := len(req.RetryKey); n > 0 && n < minRetryKey || n > maxRetryKey {
		return Grant{}, ErrRequest
	}
	if m.revoked != nil && !m.revoked.horizon.Fresh(m.clock.own()) {
		if err := m.renewKeys(ctx); err != nil {
			return Grant{}, err
		}
	}
	c := m.borrowClaims()
	defer m.claims.Put(c)
	byAccess, err := m.verifyExchange(c, req.Token, req.Transport, m.clock.now())
	if err != nil {
		return Grant{}, err
	}
	id, subject := SessionID(c.Session), string(c.Text(c.Subject))
	leave, err := m.gate.enter(ctx, id)
	if err != nil {
		return Grant{}, err
	}
	defer leave()
	m.touches.flush(ctx, id)
	facts := readFacts(req.Client.UserAgent)
	shown := presentation{gen: c.Gen, jti: c.JTI, byAccess: byAccess, retryKey: req.RetryKey, hint: facts.hint()}
	return m.exchange(ctx, id, subject, c.Key, req, shown)
}

// exchange reads, decides and swaps, and then tells what happened.
func (m *Manager) exchange(ctx context.Context, id SessionID, subject, key string, req RefreshRequest, shown presentation) (Grant, error) {
	var (
		p         *profile
		pol       policy
		d         decision
		now       time.Time
		announced EndReason // what the log has been told
	)
	r, err := m.change(ctx, id, func(r *record) (bool, error) {
		p = m.profiles[r.Profile]
		if p == nil || p.Transport != req.Transport || r.Subject != subject || shown.byAccess && !p.Rotation.ByAccess {
			return false, ErrTokenInvalid
		}
		var err error
		if now, err = m.clock.trusted(); err != nil {
			return false, err
		}
		pol = p.policy(r, now, m.leeway)
		if announced != "" && r.EndedAt.IsZero() {
			r.state = r.state.end(now, announced) // decided and told; only the write was lost
			return true, m.endChildrenOf(ctx, r, SessionID{}, req.Client)
		}
		if shown.revoked, err = m.revokedRecord(ctx, r, key, now); err != nil {
			return false, err
		}
		d, r.state = decide(r.state, shown, now, pol)
		renewed := false
		if d.error(r) == nil {
			if renewed, err = m.renewClaims(ctx, p, r, now, pol.access); err != nil {
				return false, err
			}
		}
		return d.write || renewed, m.announceDecision(ctx, r, d, req.Client, &announced)
	})
	if errors.Is(err, store.ErrNotFound) {
		return Grant{}, ErrTokenInvalid
	}
	if err != nil {
		return Grant{}, err
	}
	if !r.EndedAt.IsZero() {
		m.touches.forget(id)
		m.bindings.end(id, r.EndReason)
		if d.write {
			m.dropData(ctx, id)
		}
		if announced != "" {
			m.revoked.tombstoned(id)
		}
	}
	m.emitDecision(r, d, req.Client, now)
	if err := d.error(r); err != nil {
		return Grant{}, err
	}
	return m.grant(p, r, now, pol.access, d.verdict != verdictCurrent && !shown.byAccess)
}

// revokedRecord reports whether the log has ended a session whose record does not
// say so yet: after a crash between the two, or while a wide ending is still
// writing records.
func (m *Manager) revokedRecord(ctx context.Context, r *record, key string, now time.Time) (bool, error) {
	if !r.EndedAt.IsZero() {
		return false, nil
	}
	if r.Actor != (actor{}) {
		s := r.session()
		if err := m.checkActor(ctx, &s, key, now); err != nil {
			return errors.Is(err, ErrSessionEnded), onlyUnavailable(err)
		}
	}
	if m.revoked == nil {
		return false, nil
	}
	fresh := m.revoked.horizon.Fresh(m.clock.own())
	t := r.token(key)
	if m.revoked.horizon.Revoked(&t) {
		return true, nil
	}
	if fresh {
		return false, nil
	}
	err := m.cutOff(ctx, &t, now)
	return errors.Is(err, ErrSessionEnded), onlyUnavailable(err)
}

// onlyUnavailable drops what a caller has made a decision of already.
func onlyUnavailable(err error) error {
	if errors.Is(err, ErrSessionEnded) {
		return nil
	}
	return err
}

// announceDecision ends the sessions that end with one which a decision is about
// to end, and tells the log of it; the record comes last, as in endRecord. A
// session that has merely run out needs no telling, since its tokens have too.
func (m *Manager) announceDecision(ctx context.Context, r *record, d decision, client Client, announced *EndReason) error {
	if !d.write || r.EndedAt.IsZero() || !endsWith(r.EndReason) {
		return nil
	}
	if err := m.endChildrenOf(ctx, r, SessionID{}, client); err != nil {
		return err
	}
	if *announced != "" || r.EndReason == EndRevoked {
		return nil
	}
	told, err := m.announceEnd(ctx, &store.Record{ID: r.ID, Profile: r.Profile, Expires: r.Expires}, r.EndReason)
	if told {
		*announced = r.EndReason
	}
	return err
}

// error is what a client is told of a verdict; nil if it gets tokens.
func (d *decision) error(r *record) error {
	switch d.verdict {
	case verdictCurrent, verdictRotate, verdictReplay:
		return nil
	case verdictEnded:
		return endedError(r.EndReason)
	case verdictExpired:
		return ErrSessionExpired
	case verdictEarly:
		return &RetryError{Err: ErrRefreshTooEarly, After: d.after}
	case verdictSuperseded:
		return ErrRefreshSuperseded
	case verdictThrottled:
		return &RetryError{Err: ErrThrottled, After: d.after}
	case verdictReuse:
		return ErrRefreshReused
	case verdictInvalid:
		return ErrTokenInvalid
	default:
		return ErrTokenInvalid
	}
}

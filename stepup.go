package remuda

import (
	"context"
	"errors"
	"time"

	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/store"
)

// StepUp notes that the user of a session has authenticated again, keeps the
// session, and issues its next generation: whoever holds older tokens holds
// nothing that carries the new level. It returns [ErrTokenInvalid] if there is
// no such session, [ErrSessionExpired], [ErrSessionEnded], [ErrActing],
// [ErrRequest] or [ErrUnavailable].
func (m *Manager) StepUp(ctx context.Context, req StepUpRequest) (Grant, error) {
	amr, err := encodeAMR(req.AMR)
	if err != nil {
		return Grant{}, err
	}
	if !identifier(req.ACR) {
		return Grant{}, ErrRequest
	}
	leave, err := m.gate.enter(ctx, req.Session)
	if err != nil {
		return Grant{}, err
	}
	defer leave()
	m.touches.flush(ctx, req.Session)
	var (
		g   Grant
		now time.Time
	)
	r, err := m.change(ctx, req.Session, func(r *record) (bool, error) {
		if now, err = m.clock.trusted(); err != nil {
			return false, err
		}
		p := m.profiles[r.Profile]
		if p == nil {
			return false, refuse(ErrTokenInvalid, ReasonProfile)
		}
		if err := m.checkLive(ctx, r, now); err != nil {
			return false, err
		}
		if r.Actor != (actor{}) {
			return false, ErrActing
		}
		r.state = r.stepUp(readFacts(req.Client.UserAgent).hint(), now, p.policy(r, now, m.leeway))
		r.AuthenticatedAt = now
		if req.ACR != "" {
			r.ACR = req.ACR
		}
		if amr != "" {
			r.AMR = amr
		}
		if _, err := m.renewClaims(ctx, p, r, now, r.AccessExpires); err != nil {
			return false, err
		}
		// Signed before it is stored, as at login.
		if g, err = m.grant(p, r, now, r.AccessExpires, !p.Rotation.ByAccess); err != nil {
			return false, err
		}
		return true, m.checkIssued(p, &g)
	})
	if errors.Is(err, store.ErrNotFound) {
		return Grant{}, refuse(ErrTokenInvalid, ReasonNoRecord)
	}
	if err != nil {
		return Grant{}, ofSession(err, req.Session)
	}
	m.emit(event.SessionSteppedUp, r, req.Client, now, nil)
	return g, nil
}

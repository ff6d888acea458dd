package remuda

import (
	"context"
	"errors"

	"github.com/remuda-go/remuda/store"
)

// ReissueRequest asks for a fresh access token.
type ReissueRequest struct {
	Session SessionID
	// Gen is the generation of the credential with which the client has come:
	// [Session.Gen], as [Manager.Authenticate] returned it.
	Gen uint32
}

// Reissue issues an access token with the claims that are true now (see
// [ClaimsSource]), for when they cannot wait until the next refresh. Nothing
// rotates, the session lives no longer than before, and the grant has no refresh
// token: the client keeps the one it has. Access tokens issued before stay good
// until they expire, with the claims that they carry.
//
// Call it when something has changed, not because a client asks. It is for what
// was taken away, or has merely changed: where the user gains rights use
// [Manager.StepUp], so that whoever holds a copy of the older tokens gains
// nothing.
//
// It returns [ErrTokenInvalid] if there is no such session, [ErrSessionExpired],
// [ErrSessionEnded], [ErrUnavailable], or [ErrRefreshSuperseded] if Gen is not the
// newest generation: the next request of the client, or its next refresh, gets
// what this one would have got.
func (m *Manager) Reissue(ctx context.Context, req ReissueRequest) (Grant, error) {
	leave, err := m.gate.enter(ctx, req.Session)
	if err != nil {
		return Grant{}, err
	}
	defer leave()
	m.touches.flush(ctx, req.Session)
	var g Grant
	_, err = m.change(ctx, req.Session, func(r *record) (bool, error) {
		now, err := m.clock.trusted()
		if err != nil {
			return false, err
		}
		p := m.profiles[r.Profile]
		if p == nil {
			return false, refuse(ErrTokenInvalid, ReasonProfile)
		}
		if err := m.checkLive(ctx, r, now); err != nil {
			return false, err
		}
		if r.Gen != req.Gen {
			// An older token may be a stolen one: it must not gain the level of a
			// step-up, nor live on past the rotation that has left it behind. And
			// a newer one that never arrived would, when used, make the client's
			// own retry look like a theft.
			return false, refuse(ErrRefreshSuperseded, ReasonSuperseded, newest(r.Gen))
		}
		expires := p.accessExpires(r, now)
		write, err := m.renewClaims(ctx, p, r, now, expires)
		if err != nil {
			return false, err
		}
		if p.Rotation.ByAccess {
			r.AccessExpires, write = expires, true
		}
		g, err = m.grant(p, r, now, expires, false)
		return write, err
	})
	if errors.Is(err, store.ErrNotFound) {
		return Grant{}, refuse(ErrTokenInvalid, ReasonNoRecord)
	}
	if err != nil {
		return Grant{}, err
	}
	return g, nil
}

package remuda

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/store"
)

// opaqueForm is how opaque tokens begin, whatever their type.
const opaqueForm = "rmd_"

// accessID is the secret of the opaque token of one generation. Like that of a
// refresh token it is derived, so that the store holds nothing that works as a
// token.
func (s *seed) accessID(gen uint32) mark {
	return s.derive("access", binary.BigEndian.AppendUint32(nil, gen))
}

// authenticateOpaque decides about a token that says nothing by itself. Its MAC
// is checked before the store is asked, so that a forged one costs no lookup.
func (m *Manager) authenticateOpaque(ctx context.Context, c *codec.Claims, req AuthenticateRequest, now time.Time) (*Session, error) {
	if m.codecs.opaque.Verify(c, codec.Access, req.Token) != nil {
		return nil, ErrTokenInvalid // without a reason: see explained
	}
	p, r, err := m.opaqueRecord(ctx, c, req.Transport, now)
	if err != nil {
		return nil, err
	}
	if c.Gen < r.Gen {
		r.leftBehind(c.Gen)
	}
	s := r.session()
	if err := m.checkActor(ctx, &s, c.Key, now); err != nil {
		return nil, err
	}
	m.counters.count(DecisionLookedUp, r.ID)
	s.Gen, s.AccessExpires, s.KeyID = c.Gen, r.IdleExpires, c.Key
	m.noteUse(&s, p, req, now)
	return &s, nil
}

// opaqueRecord returns the record of a live session that an opaque token with a
// good MAC belongs to.
func (m *Manager) opaqueRecord(ctx context.Context, c *codec.Claims, t Transport, now time.Time) (*profile, *record, error) {
	row, err := m.store.Get(ctx, c.Session)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, refuse(ErrTokenInvalid, ReasonNoRecord)
	}
	if err != nil {
		return nil, nil, unavailable(err)
	}
	r, err := openRecord(&row, m.ring)
	if err != nil {
		return nil, nil, openFailed(err)
	}
	p := m.profiles[r.Profile]
	switch {
	case p == nil:
		return nil, nil, refuse(ErrTokenInvalid, ReasonProfile)
	case p.Credential != Opaque || p.Transport != t:
		return nil, nil, refuse(ErrTokenInvalid, ReasonTransport, slog.String("transport", t.String()), slog.String("wanted", p.Transport.String()))
	case !r.Seed.accessID(c.Gen).is(c.JTI):
		return nil, nil, refuse(ErrTokenInvalid, ReasonNotDerived)
	case row.Ended():
		return nil, nil, r.endedError(now)
	case !r.accessible(c.Gen, now, policy{Rotation: p.Rotation}):
		return nil, nil, refuse(ErrTokenInvalid, ReasonLeftBehind, newest(r.Gen)) // another was issued at login, step-up or a change of privilege
	}
	if reason, over := r.expired(now); over {
		return nil, nil, m.clock.overdue(&r.state, reason, now)
	}
	return p, &r, nil
}

// identifyOpaque returns the session of an opaque token by its MAC alone.
func (m *Manager) identifyOpaque(c *codec.Claims, token string, t Transport) (SessionID, error) {
	if m.codecs.opaque.Verify(c, codec.Access, token) != nil {
		return SessionID{}, ErrTokenInvalid
	}
	for _, p := range m.profiles {
		if p.Credential == Opaque && p.Transport == t {
			return c.Session, nil
		}
	}
	return SessionID{}, ErrTokenInvalid
}

func isOpaque(token string) bool { return strings.HasPrefix(token, opaqueForm) }

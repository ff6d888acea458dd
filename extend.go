package remuda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/store"
)

// ExtendRequest exchanges a token for one that lives longer.
type ExtendRequest struct {
	Token     string
	Transport Transport
	Client    Client
}

// Extend issues a new token of a session with renewal Extend: the same session,
// good for another Profile.Idle, never past Profile.Absolute after it began. The
// old token stays good until it expires. An opaque token is the same as before,
// since only the record says how long it is good. A token that a step-up has left
// behind stays without the new level, and is refused once the new one has been
// used. It returns [ErrRequest] for a token of a profile with renewal Fixed,
// [ErrTokenInvalid], [ErrTokenExpired], [ErrSessionExpired], [ErrSessionEnded], or [ErrUnavailable]:
// also if the revocation log is not heard and there is no record to ask, since a
// session that has ended must not live on in a new token, whatever the outage
// policy.
func (m *Manager) Extend(ctx context.Context, req ExtendRequest) (Grant, error) {
	now, err := m.clock.trusted()
	if err != nil {
		return Grant{}, err
	}
	c := m.borrowClaims()
	defer m.claims.Put(c)
	p, r, err := m.extendable(ctx, c, req, now)
	if err != nil {
		return Grant{}, m.explained(err, c, req.Token, codec.Access)
	}
	switch p.Renewal {
	case Extend:
	case Fixed:
		return Grant{}, fmt.Errorf("%w: a session of profile %q is not renewed", ErrRequest, p.Name)
	default:
		return Grant{}, about(notRenewed(p), c)
	}
	idle, _ := p.lifetimes(r.Remember)
	if !p.Recordless {
		if r, err = m.freshClaims(ctx, p, r, now); err != nil {
			return Grant{}, err
		}
		// Of the record as it is now: it may have been read anew.
		if !r.accessible(c.Gen, now, policy{Rotation: p.Rotation}) {
			return Grant{}, about(refuse(ErrTokenInvalid, ReasonLeftBehind, newest(r.Gen)), c) // another was issued at a step-up, and has arrived
		}
		if c.Gen < r.Gen {
			r.leftBehind(c.Gen)
		}
		m.touches.note(r.ID, r.Gen, now, now.Add(idle))
	}
	r.LastSeen, r.IdleExpires = now, earlier(now.Add(idle), r.Expires)
	return m.grant(p, r, now, p.accessExpires(r, now), false)
}

// freshClaims asks the application for the claims of a record that a token is to
// be made of.
func (m *Manager) freshClaims(ctx context.Context, p *profile, r *record, now time.Time) (*record, error) {
	if m.source == nil || p.Credential == Opaque { // an opaque token carries none
		return r, nil
	}
	r, err := m.change(ctx, r.ID, func(r *record) (bool, error) {
		if !r.EndedAt.IsZero() {
			return false, r.endedError(now)
		}
		return m.renewClaims(ctx, p, r, now, p.accessExpires(r, now))
	})
	if errors.Is(err, store.ErrNotFound) {
		err = refuse(ErrTokenInvalid, ReasonNoRecord)
	}
	return r, err
}

// extendable returns the session of a token that is good and whose session lives.
func (m *Manager) extendable(ctx context.Context, c *codec.Claims, req ExtendRequest, now time.Time) (*profile, *record, error) {
	if isOpaque(req.Token) {
		if m.codecs.opaque.Verify(c, codec.Access, req.Token) != nil {
			return nil, nil, ErrTokenInvalid
		}
		m.touches.flush(ctx, c.Session)
		return m.opaqueRecord(ctx, c, req.Transport, now)
	}
	p, err := m.verifyAccess(c, req.Token, req.Transport, now)
	if err != nil {
		return nil, nil, err
	}
	if p.Renewal != Extend && p.Renewal != Fixed {
		return nil, nil, notRenewed(p)
	}
	if now.Unix() >= c.Expires {
		return nil, nil, refuse(ErrTokenExpired, ReasonTokenExpired, m.clock.past("expired", time.Unix(c.Expires, 0).UTC(), now)...)
	}
	s := newSession(c, p)
	if !p.Recordless {
		return m.extendRecord(ctx, p, s, c.Key, now)
	}
	if _, err := m.alive(ctx, p, s, c.Key, OutageDeny, m.clock.own(), now); err != nil {
		return nil, nil, err
	}
	r := s.record(p)
	if !now.Before(r.Expires) {
		return nil, nil, m.clock.overdue(&r.state, EndExpired, now)
	}
	return p, r, nil
}

func notRenewed(p *profile) error {
	return refuse(ErrTokenInvalid, ReasonNotRenewed, slog.String("renewal", p.Renewal.String()))
}

// extendRecord reads the record of a token that is good.
func (m *Manager) extendRecord(ctx context.Context, p *profile, s *Session, key string, now time.Time) (*profile, *record, error) {
	m.touches.flush(ctx, s.ID) // whether the newest has been used decides
	row, err := m.live(ctx, p, s, now)
	if err != nil {
		return nil, nil, err
	}
	r, err := openRecord(row, m.ring)
	if err != nil {
		return nil, nil, openFailed(err)
	}
	return p, &r, m.revokedRecord(ctx, &r, key, now)
}

// leftBehind makes of a record what the holder of an older generation may have of
// it: a step-up has issued another since, and whoever holds this one has not proved
// anything since login.
func (r *record) leftBehind(gen uint32) {
	r.Gen, r.AuthenticatedAt, r.ACR, r.AMR = gen, r.LoginAt, "", ""
}

// record is what a token says of its session, as a record. There is no other
// record to read it from: the one place where claims come from a token.
func (s *Session) record(p *profile) *record {
	amr, _ := encodeAMR(s.AMR) // was read from a token that we signed
	return &record{
		state: state{Gen: s.Gen, Expires: p.ends(s.StartedAt)},
		ID:    s.ID, Subject: s.Subject, Tenant: s.Tenant, Profile: s.Profile,
		StartedAt: s.StartedAt, AuthenticatedAt: s.AuthenticatedAt,
		ACR: s.ACR, AMR: amr, Claims: s.Claims,
	}
}

// ends is when a session without a record ends at the latest.
func (p *profile) ends(started time.Time) time.Time { return started.Add(p.Absolute) }

// renewDue reports whether half of a token's life is over and a new one would
// live longer, as far as is known.
func (p *profile) renewDue(c *codec.Claims, s *Session, now time.Time) bool {
	return p.Renewal == Extend && 2*(now.Unix()-c.IssuedAt) >= c.Expires-c.IssuedAt &&
		(s.Expires.IsZero() || c.Expires < s.Expires.Unix())
}

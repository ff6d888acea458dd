package remuda

import (
	"context"
	"time"

	"github.com/remuda-go/remuda/codec"
)

// ExtendRequest exchanges a token of a session without a record for a new one.
type ExtendRequest struct {
	Token     string
	Transport Transport
	Client    Client
}

// Extend issues a new token of a session without a record, with renewal Extend:
// the same session, good for another Profile.Idle, never past Profile.Absolute
// after it began. The old token stays good until it expires. It returns
// [ErrTokenInvalid], [ErrTokenExpired], [ErrSessionExpired], [ErrSessionEnded],
// or [ErrUnavailable] if the revocation log is not heard: a session that has
// ended must not live on in a new token, whatever the outage policy.
func (m *Manager) Extend(ctx context.Context, req ExtendRequest) (Grant, error) {
	now, err := m.clock.trusted()
	if err != nil {
		return Grant{}, err
	}
	c := m.borrowClaims()
	defer m.claims.Put(c)
	p, err := m.verifyAccess(c, req.Token, req.Transport, now)
	if err != nil {
		return Grant{}, err
	}
	if !p.Recordless || p.Renewal != Extend {
		return Grant{}, ErrTokenInvalid
	}
	if now.Unix() >= c.Expires {
		return Grant{}, ErrTokenExpired
	}
	s := newSession(c, p)
	if _, err := m.alive(ctx, p, s, c.Key, OutageDeny, m.clock.own(), now); err != nil {
		return Grant{}, err
	}
	r := s.record(p)
	if !now.Before(r.Expires) {
		return Grant{}, ErrSessionExpired
	}
	r.LastSeen, r.IdleExpires = now, p.accessExpires(r, now)
	return m.grant(p, r, now, r.IdleExpires, false)
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
// live longer.
func (p *profile) renewDue(c *codec.Claims, now time.Time) bool {
	return p.Renewal == Extend && 2*(now.Unix()-c.IssuedAt) >= c.Expires-c.IssuedAt &&
		c.Expires < p.ends(time.UnixMilli(c.Started)).Unix()
}

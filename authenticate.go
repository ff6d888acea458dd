package remuda

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/store"
)

// Authenticate decides whether an access token is good now, and whose it is. It
// returns [ErrTokenInvalid], [ErrTokenExpired], [ErrSessionExpired],
// [ErrSessionEnded] or [ErrUnavailable]. With liveness expiry it asks nobody.
func (m *Manager) Authenticate(ctx context.Context, req AuthenticateRequest) (*Session, error) {
	c := m.borrowClaims()
	defer m.claims.Put(c)
	own := m.clock.own()
	now := m.clock.at(own)
	s, err := m.authenticate(ctx, c, req, own, now)
	if err != nil {
		m.counters.count(decisionOf(err), c.Session)
		err = m.explained(err, c, req.Token, codec.Access)
	}
	return s, err
}

func (m *Manager) authenticate(ctx context.Context, c *codec.Claims, req AuthenticateRequest, own, now time.Time) (*Session, error) {
	if isOpaque(req.Token) {
		return m.authenticateOpaque(ctx, c, req, now)
	}
	p, err := m.verifyAccess(c, req.Token, req.Transport, now)
	if err != nil {
		return nil, err
	}
	if now.Unix() >= c.Expires {
		return nil, refuse(p.tokenExpired(), ReasonTokenExpired, m.clock.past("expired", time.Unix(c.Expires, 0).UTC(), now)...)
	}
	s := newSession(c, p)
	row, err := m.alive(ctx, p, s, c.Key, req.Outage, own, now)
	if err != nil {
		return nil, err
	}
	if row != nil {
		s.LastSeenAt, s.IdleExpires, s.Expires = row.LastSeen, row.IdleExpires, row.Expires
	}
	if p.Recordless {
		s.Expires, s.IdleExpires = p.ends(s.StartedAt), s.AccessExpires
	}
	s.Renew = p.renewDue(c, s, now)
	if p.Recordless {
		return s, nil
	}
	m.noteUse(s, p, req, now)
	return s, nil
}

// tokenExpired is what to say of an expired access token: the end of the only one
// that a session ever has is that of the session.
func (p *profile) tokenExpired() error {
	if p.Renewal == Fixed {
		return ErrSessionExpired
	}
	return ErrTokenExpired
}

// decisionOf is how a refusal counts.
func decisionOf(err error) Decision {
	switch {
	case errors.Is(err, ErrSessionEnded):
		return DecisionEnded
	case errors.Is(err, ErrSessionExpired), errors.Is(err, ErrTokenExpired):
		return DecisionExpired
	case errors.Is(err, ErrUnavailable):
		return DecisionUnavailable
	default:
		return DecisionInvalid
	}
}

// verifyAccess checks everything about an access token but its expiry. Of one that
// does not verify it gives no reason: see explained.
func (m *Manager) verifyAccess(c *codec.Claims, token string, t Transport, now time.Time) (*profile, error) {
	kind, err := m.codecs.verify(c, codec.Access, token)
	if err != nil {
		return nil, ErrTokenInvalid
	}
	p := m.profiles[string(c.Text(c.Profile))]
	if why := m.unfit(c, p, kind, t, now); why != "" {
		return nil, m.misfit(why, c, p, kind, t, now)
	}
	return p, nil
}

// unfit says which claim of a genuine access token does not fit, or "".
func (m *Manager) unfit(c *codec.Claims, p *profile, kind Credential, t Transport, now time.Time) Reason {
	switch {
	case p == nil:
		return ReasonProfile
	case p.Transport != t:
		return ReasonTransport
	case p.Credential != kind:
		return ReasonCredential
	case string(c.Text(c.Issuer)) != m.issuer:
		return ReasonIssuer
	case string(c.Text(c.Audience)) != p.audience:
		return ReasonAudience
	case c.IssuedAt > now.Add(m.leeway).Unix():
		return ReasonIssuedAhead
	case c.Subject.IsZero() != c.Anon:
		return ReasonSubject
	default:
		return ""
	}
}

// newSession copies the claims out of their buffer: one string for all texts.
func newSession(c *codec.Claims, p *profile) *Session {
	texts := string(c.Payload)
	of := func(s codec.Span) string { return texts[s.Start:s.End] }
	s := &Session{
		ID: c.Session, Subject: of(c.Subject), Tenant: of(c.Tenant), Profile: p.Name, Gen: c.Gen,
		StartedAt:       time.UnixMilli(c.Started).UTC(),
		AuthenticatedAt: time.Unix(c.AuthTime, 0).UTC(),
		AccessExpires:   time.Unix(c.Expires, 0).UTC(),
		ACR:             of(c.ACR), AMR: decodeAMR(of(c.AMR)), Claims: of(c.App),
		KeyID: c.Key,
	}
	if c.Acted() {
		s.Actor, s.ActorTenant, s.Parent = of(c.Actor), of(c.ActorTenant), c.ActorSession
		s.ActorStartedAt = time.UnixMilli(c.ActorStarted).UTC()
	}
	return s
}

// live asks the store whether the session of a good access token lives.
func (m *Manager) live(ctx context.Context, p *profile, s *Session, now time.Time) (*store.Record, error) {
	row, err := m.store.Get(ctx, s.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, refuse(ErrTokenInvalid, ReasonNoRecord)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	st := columns(&row)
	if row.Ended() {
		return nil, st.endedError(now)
	}
	if reason, over := st.expired(now); over {
		return nil, m.clock.overdue(&st, reason, now)
	}
	if row.Subject != s.Subject || row.Tenant != s.Tenant || row.Profile != s.Profile {
		return nil, refuse(ErrTokenInvalid, ReasonRecordDiffers)
	}
	if p.Rotation.OneAccessToken && !st.accessible(s.Gen, now, policy{Rotation: p.Rotation}) {
		return nil, refuse(ErrTokenExpired, ReasonLeftBehind, newest(st.Gen))
	}
	return &row, nil
}

// noteUse notes that the session is used.
func (m *Manager) noteUse(s *Session, p *profile, req AuthenticateRequest, now time.Time) {
	gen := s.Gen
	if req.Relay {
		gen = 0
	}
	var until time.Time
	if !req.Passive && p.Renewal != Fixed {
		idle, _ := p.lifetimes(s.Remembered)
		until = now.Add(idle)
	}
	m.touches.note(s.ID, gen, now, until)
}

// Identify returns the session of a token of either type, expired ones too, by
// its signature, issuer and audience alone: it asks no store and says nothing of
// whether the session lives. It is for what a holder may do with any token of
// theirs: log out, or get a CSRF token. It returns [ErrTokenInvalid] for
// everything else.
func (m *Manager) Identify(token string, t Transport) (SessionID, error) {
	c := m.borrowClaims()
	defer m.claims.Put(c)
	if isOpaque(token) {
		return m.identifyOpaque(c, token, t)
	}
	now := m.clock.now()
	_, err := m.verifyAccess(c, token, t, now)
	if err != nil && c.Key == "" { // no access token
		err = m.verifyRefresh(c, token, t, now)
	}
	if err != nil {
		return SessionID{}, m.explained(err, c, token, codec.Access, codec.Refresh)
	}
	return c.Session, nil
}

// verifyExchange checks everything about a token that is to be refreshed with and
// needs no record: it is a refresh token or, where the profile says so, an access
// token, expired or not.
func (m *Manager) verifyExchange(c *codec.Claims, token string, t Transport, now time.Time) (byAccess bool, err error) {
	if err = m.verifyRefresh(c, token, t, now); err == nil || c.Key != "" {
		return false, err
	}
	p, err := m.verifyAccess(c, token, t, now)
	if err != nil {
		return false, err
	}
	if !p.Rotation.ByAccess || c.JTI == (mark{}) {
		return false, refuse(ErrTokenInvalid, ReasonNotRotating)
	}
	return true, nil
}

// Refreshable reports whether a token is one that [Manager.Refresh] takes: a
// refresh token, or an access token of a profile with Rotation.ByAccess. Like
// [Manager.Identify] it asks no store, and takes expired ones too; whether the
// session lives it does not say.
func (m *Manager) Refreshable(token string, t Transport) bool {
	c := m.borrowClaims()
	defer m.claims.Put(c)
	_, err := m.verifyExchange(c, token, t, m.clock.now())
	return err == nil
}

// verifyRefresh checks everything about a refresh token that needs no record. Of
// one that does not verify it gives no reason: see explained.
func (m *Manager) verifyRefresh(c *codec.Claims, token string, t Transport, now time.Time) error {
	if _, err := m.codecs.verify(c, codec.Refresh, token); err != nil {
		return ErrTokenInvalid
	}
	if issuer := c.Text(c.Issuer); string(issuer) != m.issuer {
		return refuse(ErrTokenInvalid, ReasonIssuer, slog.String("issuer", string(issuer)), slog.String("wanted", m.issuer))
	}
	if c.IssuedAt > now.Add(m.leeway).Unix() {
		return refuse(ErrTokenInvalid, ReasonIssuedAhead, m.ahead(c, now)...)
	}
	path := refreshByBearer
	if t == Cookie {
		path = refreshByCookie
	}
	if aud := c.Text(c.Audience); len(aud) != len(m.issuer)+len(path) || string(aud[len(m.issuer):]) != path {
		return refuse(ErrTokenInvalid, ReasonAudience, slog.String("audience", string(aud)), slog.String("wanted", m.issuer+path))
	}
	return nil
}

package remuda

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/store"
)

// maxApplication is the longest [Client.Application] in bytes.
const maxApplication = 64

// maxCookieToken is the longest token that fits a cookie: browsers keep 4,096
// bytes of name, value and attributes (RFC 6265 section 6.1).
const maxCookieToken = 3800

// Start begins a session and returns what its client receives. It returns
// [ErrRequest] if the request cannot be meant, [ErrSessionLimit] if the subject
// may have no more sessions, [ErrSessionEnded] if all of the subject's sessions
// were ended since it began, or [ErrUnavailable].
func (m *Manager) Start(ctx context.Context, req StartRequest) (Grant, error) {
	now, err := m.clock.trusted()
	if err != nil {
		return Grant{}, err
	}
	began := now
	if !req.Began.IsZero() && req.Began.Before(now) {
		began = req.Began
	}
	if now.Sub(began) > startBound {
		return Grant{}, fmt.Errorf("%w: it took too long to check who this is", ErrUnavailable)
	}
	if req.Profile, err = m.profileFor(req.Tenant, req.Profile); err != nil {
		return Grant{}, err
	}
	p, r, err := m.newRecord(&req, startedAt(began))
	if err != nil {
		return Grant{}, err
	}
	return m.begin(ctx, p, r, &req, now)
}

// begin signs and stores a new session, tells of it, and ends the one that it
// replaces.
func (m *Manager) begin(ctx context.Context, p *profile, r *record, req *StartRequest, now time.Time) (Grant, error) {
	// Signed before anything is stored: what cannot be signed is no session.
	g, err := m.grant(p, r, now, r.AccessExpires, !p.Rotation.ByAccess)
	if err != nil {
		return Grant{}, err
	}
	if err := m.checkIssued(p, &g); err != nil {
		return Grant{}, err
	}
	if p.Recordless {
		err = m.endedMeanwhile(ctx, p, r)
	} else {
		err = m.keep(ctx, p, r, req.Client)
	}
	if err != nil {
		return Grant{}, err
	}
	m.emit(event.SessionStarted, r, req.Client, now, nil)
	if !req.Replaces.IsZero() {
		if !p.Recordless {
			if err := m.moveData(ctx, req.Replaces, r.ID); err != nil {
				return Grant{}, err
			}
		}
		if err := m.End(ctx, EndRequest{Session: req.Replaces, Reason: EndReplaced, Client: req.Client}); err != nil {
			return Grant{}, err
		}
	}
	return g, nil
}

// keep stores a new session, and makes room for it if it lives.
func (m *Manager) keep(ctx context.Context, p *profile, r *record, client Client) error {
	row, err := r.seal(m.ring)
	if err != nil {
		return unavailable(err)
	}
	if err := m.store.Create(ctx, row); err != nil {
		return unavailable(err)
	}
	reason, err := EndRevoked, m.endedMeanwhile(ctx, p, r)
	if m.clock.now().Sub(r.StartedAt) > startBound { // a wide ending may have come and gone
		reason, err = EndLimit, fmt.Errorf("%w: the session took too long to be stored", ErrUnavailable)
	}
	if err != nil {
		return errors.Join(err, m.End(ctx, EndRequest{Session: r.ID, Reason: reason, Client: client}))
	}
	return m.makeRoom(ctx, p, r, client)
}

// endedMeanwhile looks for a wide ending that came between the beginning of a new
// session and its being stored: it has not seen the session, and is seen here.
// Where the log decides, it decides about this session too, whenever it is heard.
func (m *Manager) endedMeanwhile(ctx context.Context, p *profile, r *record) error {
	if m.heldDead(r) {
		return refuse(ErrSessionEnded, ReasonOvertaken)
	}
	if p.Recordless || p.Liveness == LiveLog {
		return nil
	}
	t := r.token("")
	return m.cutOff(ctx, &t, m.clock.now())
}

// newRecord checks the request and makes the record of the new session.
func (m *Manager) newRecord(req *StartRequest, now time.Time) (*profile, *record, error) {
	p, ok := m.profiles[req.Profile]
	switch {
	case !ok:
		return nil, nil, fmt.Errorf("%w: there is no profile %q", ErrRequest, req.Profile)
	case req.Anonymous && req.Subject != "":
		return nil, nil, fmt.Errorf("%w: an anonymous session has no subject", ErrRequest)
	case req.Subject == "" && !req.Anonymous || !identifier(req.Subject):
		return nil, nil, fmt.Errorf("%w: a subject is 1 to %d bytes of UTF-8 without control characters", ErrRequest, maxIdentifier)
	case !identifier(req.Tenant) || !identifier(req.ACR):
		return nil, nil, fmt.Errorf("%w: a tenant or level is at most %d bytes of UTF-8 without control characters", ErrRequest, maxIdentifier)
	case len(req.Client.Application) > maxApplication || !identifier(req.Client.Application):
		return nil, nil, fmt.Errorf("%w: an application's name is at most %d bytes of UTF-8 without control characters", ErrRequest, maxApplication)
	case req.Remember && p.RememberAbsolute == 0:
		return nil, nil, fmt.Errorf("%w: the profile %q offers no remember-me", ErrRequest, req.Profile)
	}
	claims, err := encodeClaims(req.Claims)
	if err != nil {
		return nil, nil, err
	}
	amr, err := encodeAMR(req.AMR)
	if err != nil {
		return nil, nil, err
	}
	facts := readFacts(req.Client.UserAgent)
	r := &record{
		Subject: req.Subject, Tenant: req.Tenant, Profile: req.Profile, Version: newVersion(),
		StartedAt: now, AuthenticatedAt: now, LoginAt: now, Remember: req.Remember,
		ACR: req.ACR, AMR: amr, Claims: claims,
		Device: facts.String(), Network: network(req.Client.Address), Place: forPeople(req.Client.Place), Application: req.Client.Application,
	}
	if name := forPeople(req.Client.Device); name != "" {
		r.Device = name
	}
	if req.Client.Address.IsValid() {
		r.AddressHash = m.ring.HashAddress(req.Client.Address)
	}
	_, _ = cryptorand.Read(r.ID[:])   // never fails: crypto/rand ends the program instead
	_, _ = cryptorand.Read(r.Seed[:]) // likewise
	idle, absolute := p.lifetimes(r.Remember)
	r.Gen, r.GenAt, r.WindowAt, r.LastSeen, r.Behind = 1, now, now, now, 1
	r.Expires = now.Add(absolute)
	r.IdleExpires = now.Add(idle)
	r.Hint = r.Seed.hash("hint", facts.hint())
	r.AccessExpires = p.accessExpires(r, now)
	return p, r, nil
}

// lifetimes returns the idle and the absolute lifetime.
func (p *profile) lifetimes(remember bool) (idle, absolute time.Duration) {
	idle, absolute = p.Idle, p.Absolute
	if remember {
		idle, absolute = p.RememberIdle, p.RememberAbsolute
	}
	if p.Renewal == Fixed {
		idle = absolute
	}
	return idle, absolute
}

// accessExpires is when an access token issued now expires: never past the
// session, in whole seconds, and earlier by a random part, so that clients do
// not come all at once.
func (p *profile) accessExpires(r *record, now time.Time) time.Time {
	if p.Renewal != Rotate {
		idle, _ := p.lifetimes(r.Remember)
		return earlier(now.Add(idle), r.Expires).Truncate(time.Second)
	}
	part := rand.Float64() * p.Jitter //nolint:gosec // no secret: it only spreads clients
	life := p.Access - time.Duration(part*float64(p.Access))
	return earlier(now.Add(max(life, time.Second)), r.Expires).Truncate(time.Second)
}

// policy is the profile's for one session now.
func (p *profile) policy(r *record, now time.Time, leeway time.Duration) policy {
	idle, _ := p.lifetimes(r.Remember)
	return policy{Rotation: p.Rotation, idle: idle, access: p.accessExpires(r, now), leeway: leeway}
}

// checkIssued verifies a first access token as a request would, so that no login
// succeeds whose tokens then fail, and refuses one that does not fit a cookie.
func (m *Manager) checkIssued(p *profile, g *Grant) error {
	access := g.Access.Reveal()
	if p.Transport == Cookie && len(access) > maxCookieToken {
		return fmt.Errorf("%w: the access token has %d bytes and a cookie holds %d: put less into the claims", ErrRequest, len(access), maxCookieToken)
	}
	c := m.borrowClaims()
	defer m.claims.Put(c)
	if m.codecs.of(p.Credential).Verify(c, codec.Access, access) != nil {
		return fmt.Errorf("%w: the claims cannot be carried by an access token", ErrRequest)
	}
	return nil
}

// grant signs the tokens of the newest generation.
func (m *Manager) grant(p *profile, r *record, now, accessExpires time.Time, withRefresh bool) (Grant, error) {
	c := m.borrowClaims()
	defer m.claims.Put(c)
	access, err := m.sign(c, codec.Access, p, r, now, accessExpires)
	if err != nil {
		return Grant{}, err
	}
	g := Grant{
		Session: r.session(), Access: AccessToken{text: &access},
		AccessExpires: accessExpires, RefreshExpires: r.Expires,
	}
	g.Session.AccessExpires = accessExpires
	if !withRefresh || p.Renewal != Rotate {
		return g, nil
	}
	// iat is when the generation was issued, so that a replay is identical.
	refresh, err := m.sign(c, codec.Refresh, p, r, r.GenAt, r.Expires)
	if err != nil {
		return Grant{}, err
	}
	g.Refresh = RefreshToken{text: &refresh}
	return g, nil
}

func (m *Manager) sign(c *codec.Claims, typ codec.Type, p *profile, r *record, issued, expires time.Time) (string, error) {
	c.Reset()
	c.Type, c.Session, c.Gen, c.Algorithm = typ, r.ID, r.Gen, p.Algorithm
	c.IssuedAt, c.Expires = issued.Unix(), expires.Unix()
	c.Issuer, c.Subject = c.Add(m.issuer), c.Add(r.Subject)
	if p.Credential == Opaque {
		c.JTI = r.Seed.accessID(r.Gen) // the texts are in the record
	} else if typ == codec.Refresh {
		c.Audience, c.JTI = c.Add(p.refreshAudience), r.Seed.refreshID(r.Gen)
	} else {
		if p.Rotation.ByAccess {
			c.JTI = r.Seed.refreshID(r.Gen)
		}
		c.Audience, c.Profile = c.Add(p.audience), c.Add(r.Profile)
		c.Anon = r.Subject == ""
		c.AuthTime, c.Started = r.AuthenticatedAt.Unix(), r.StartedAt.UnixMilli()
		c.Tenant, c.ACR, c.AMR, c.App = c.Add(r.Tenant), c.Add(r.ACR), c.Add(r.AMR), c.Add(r.Claims)
		r.Actor.add(c, r.Parent)
	}
	if len(c.Payload) > codec.MaxToken {
		return "", fmt.Errorf("%w: the claims are too long for a token", ErrRequest)
	}
	token, err := m.codecs.of(p.Credential).Sign(nil, c)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return string(token), nil
}

func (m *Manager) borrowClaims() *codec.Claims { return m.claims.Get().(*codec.Claims) }

// makeRoom keeps the cap on sessions. The new session is stored already and is
// counted, so that of many logins at once no more than the cap survive.
func (m *Manager) makeRoom(ctx context.Context, p *profile, own *record, client Client) error {
	if p.MaxSessions == 0 || own.Subject == "" || own.Actor != (actor{}) {
		return nil // nobody has as many sessions as there are visitors, and support drives nobody out
	}
	others, err := m.others(ctx, own)
	if err != nil {
		return err
	}
	over := len(others) + 1 - p.MaxSessions
	if over <= 0 {
		return nil
	}
	m.emit(event.SessionLimit, own, client, own.StartedAt, nil)
	if p.AtLimit == LimitRefuse {
		if err := m.End(ctx, EndRequest{Session: own.ID, Reason: EndLimit, Client: client}); err != nil {
			return err
		}
		return ErrSessionLimit
	}
	for _, old := range others[:over] {
		if err := m.End(ctx, EndRequest{Session: old.ID, Reason: EndLimit, Client: client}); err != nil {
			return err
		}
	}
	return nil
}

// others returns the other live sessions of the same subject and profile, the
// oldest first.
func (m *Manager) others(ctx context.Context, own *record) ([]Session, error) {
	var list []Session
	for s, err := range m.Sessions(ctx, SessionsRequest{Tenant: own.Tenant, Subject: own.Subject}) {
		if err != nil {
			return nil, err
		}
		if s.ID != own.ID && s.Profile == own.Profile && !s.Acting() {
			list = append(list, s)
		}
	}
	sortByStart(list)
	return list, nil
}

// End ends a session. It is idempotent: a session that has ended, or that is
// not known, is none of its errors. When it returns nil no refresh succeeds any
// more; this node refuses the session, and the others where liveness is LiveStore
// at once, and where it is LiveLog after Config.MaxStaleness at the latest. It
// returns [ErrUnavailable] if it cannot say so: then it may have happened, and to
// call it again is harmless.
func (m *Manager) End(ctx context.Context, req EndRequest) error {
	if req.Reason == "" {
		req.Reason = EndLogout
	}
	return m.end(ctx, req, SessionID{})
}

// end is End, sparing one of the sessions that end with another.
func (m *Manager) end(ctx context.Context, req EndRequest, except SessionID) error {
	leave, err := m.gate.enter(ctx, req.Session)
	if err != nil {
		return err
	}
	defer leave()
	row, err := m.store.Get(ctx, req.Session)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return m.endRecordless(ctx, req)
	case err != nil:
		return unavailable(err)
	case row.Ended():
		return nil
	}
	announced := false
	ended, err := m.endRecord(ctx, req, except, func(row *store.Record) error {
		if announced {
			return nil
		}
		var err error
		announced, err = m.announceEnd(ctx, row, req.Reason)
		return err
	})
	if err != nil {
		return err
	}
	if announced && ended {
		m.revoked.tombstoned(req.Session)
	}
	m.bindings.end(req.Session, req.Reason)
	return nil
}

// announceEnd tells the log of a session that has a record, before the record says
// so: after a crash in between the session is dead everywhere, and the next touch
// of it writes the record. It reports whether it told it.
func (m *Manager) announceEnd(ctx context.Context, row *store.Record, reason EndReason) (bool, error) {
	if p := m.profiles[row.Profile]; m.revoked == nil || p != nil && p.Liveness != LiveLog {
		return false, nil
	}
	return true, m.revoked.announce(ctx, m.revoked.sessionEntry(row.ID, reason, m.clock.now(), row.Expires))
}

// endRecordless ends a session of which nothing but its token is known, if there
// are such sessions.
func (m *Manager) endRecordless(ctx context.Context, req EndRequest) error {
	var until time.Time
	now := m.clock.now()
	for _, p := range m.profiles {
		if p.Recordless && p.Liveness == LiveLog {
			until = later(until, now.Add(p.tokenLife()+m.leeway+m.revoked.staleness))
		}
	}
	if until.IsZero() || m.revoked.horizon.Ended(req.Session) {
		return nil
	}
	if err := m.revoked.announce(ctx, m.revoked.sessionEntry(req.Session, req.Reason, now, until)); err != nil {
		return err
	}
	m.bindings.end(req.Session, req.Reason)
	m.emit(event.SessionEnded, &record{ID: req.Session}, req.Client, now, func(e *event.Event) { e.Reason = string(req.Reason) })
	return nil
}

// endRecord ends the sessions that end with one, but for except, calls announce,
// and makes the record a tombstone; it reports whether this call did. A record
// that is gone or has ended is no error. The others come first: so there is no
// tombstone, and no entry in the log, of which some are yet to learn, whenever
// the process dies.
func (m *Manager) endRecord(ctx context.Context, req EndRequest, except SessionID, announce func(*store.Record) error) (bool, error) {
	for range swapAttempts {
		row, err := m.store.Get(ctx, req.Session)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return false, nil
		case err != nil:
			return false, unavailable(err)
		case row.Ended():
			return false, nil
		}
		if err := m.endChildren(ctx, &row, except, req.Client); err != nil {
			return false, err
		}
		if err := announce(&row); err != nil {
			return false, err
		}
		done, err := m.endRow(ctx, &row, req, m.clock.now())
		if done || err != nil {
			return done, err
		}
		if err := pause(ctx); err != nil {
			return false, unavailable(err)
		}
	}
	return false, fmt.Errorf("%w: the session is being changed by others", ErrUnavailable)
}

// endRow makes a row a tombstone; false says that somebody else changed it. What
// cannot be opened is ended by its columns.
func (m *Manager) endRow(ctx context.Context, row *store.Record, req EndRequest, now time.Time) (bool, error) {
	was := row.Version
	row.Version, row.EndedAt, row.EndReason = newVersion(), now, string(req.Reason)
	if r, err := openRecord(row, m.ring); err == nil {
		if *row, err = r.seal(m.ring); err != nil {
			return false, err
		}
	}
	switch err := m.store.Update(ctx, *row, was); {
	case errors.Is(err, store.ErrConflict):
		return false, nil
	case errors.Is(err, store.ErrNotFound):
		return true, nil
	case err != nil:
		return false, unavailable(err)
	}
	m.touches.forget(row.ID)
	m.dropData(ctx, row.ID)
	m.emitRow(event.SessionEnded, row, req.Client, now)
	return true, nil
}

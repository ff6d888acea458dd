package remuda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/store"
)

// For how long somebody may act for another.
const (
	DefaultImpersonation = 15 * time.Minute
	MaxImpersonation     = time.Hour
)

// actor is who acts for the subject of a session. The session in which they are
// signed in themselves is its parent.
type actor struct {
	subject string
	tenant  string
	started time.Time // when the parent began
}

// ImpersonateRequest begins a session in which the user of another acts for
// somebody.
type ImpersonateRequest struct {
	Session SessionID // of whoever will act; one with a record
	Subject string    // for whom: as in [StartRequest]
	Tenant  string    // of Subject
	Claims  any       // of Subject; as in [StartRequest]
	// For is how long it lasts at most, whatever happens: up to MaxImpersonation.
	// Zero means DefaultImpersonation.
	For    time.Duration
	Client Client
}

// Impersonate begins a session of another user in which the user of this one acts
// for them: support looks at what a customer sees. Whether they may is for the
// caller to know; who must never be acted for too.
//
// The new session has the same profile, says in every token, answer and event who
// acts (the act claim, RFC 8693 section 4.1), lasts for a bounded time, and ends
// with the one that it was begun from, at once wherever that one's end is heard.
// It counts as no recent authentication, and can not step up, change credentials,
// be handed over, or act for a third. A session acts for one user at a time:
// beginning again ends the one before.
//
// It returns [ErrActing] if the session is such a one itself, [ErrRequest], the
// errors of [Manager.Session], or [ErrUnavailable].
func (m *Manager) Impersonate(ctx context.Context, req ImpersonateRequest) (Grant, error) {
	if req.For == 0 {
		req.For = DefaultImpersonation
	}
	now, err := m.clock.trusted()
	if err != nil {
		return Grant{}, err
	}
	parent, err := m.Session(ctx, req.Session)
	if err != nil {
		return Grant{}, err
	}
	switch {
	case parent.Acting():
		return Grant{}, ErrActing
	case parent.Anonymous():
		return Grant{}, fmt.Errorf("%w: there is nobody who could act", ErrRequest)
	case req.Subject == parent.Subject && req.Tenant == parent.Tenant:
		return Grant{}, fmt.Errorf("%w: nobody acts for themselves", ErrRequest)
	case req.For < time.Minute || req.For > MaxImpersonation:
		return Grant{}, fmt.Errorf("%w: somebody acts for another for a minute to %v", ErrRequest, MaxImpersonation)
	}
	start := StartRequest{Profile: parent.Profile, Subject: req.Subject, Tenant: req.Tenant, Claims: req.Claims, Client: req.Client}
	p, r, err := m.newRecord(&start, startedAt(now))
	if err != nil {
		return Grant{}, err
	}
	if p.Liveness == LiveExpiry {
		return Grant{}, fmt.Errorf("%w: a session of profile %q would not end with the one it was begun from", ErrRequest, p.Name)
	}
	r.Actor = actor{subject: parent.Subject, tenant: parent.Tenant, started: parent.StartedAt}
	r.Parent, r.WithParent = parent.ID, true
	r.Expires = earlier(now.Add(req.For), parent.Expires)
	r.IdleExpires = earlier(r.IdleExpires, r.Expires)
	r.AccessExpires = p.accessExpires(r, now)
	g, err := m.begin(ctx, p, r, &start, now)
	if err != nil {
		return Grant{}, err
	}
	if err := m.act(ctx, parent.ID, r.ID, req.Client); err != nil {
		return Grant{}, errors.Join(err, m.End(ctx, EndRequest{Session: r.ID, Reason: EndParent, Client: req.Client}))
	}
	m.emit(event.SessionImpersonated, r, req.Client, now, func(e *event.Event) { e.Parent = parent.ID.String() })
	return g, nil
}

// act notes in a session's record in which other one its user acts, after that was
// stored, as adopt does, and ends the one before.
func (m *Manager) act(ctx context.Context, parent, child SessionID, client Client) error {
	var before SessionID
	_, err := m.change(ctx, parent, func(r *record) (bool, error) {
		if _, over := r.expired(m.clock.now()); over || !r.EndedAt.IsZero() || m.heldDead(r) {
			return false, ErrTokenInvalid
		}
		before, r.Acting = r.Acting, child
		return true, nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return ErrTokenInvalid
	}
	if err != nil || before.IsZero() {
		return err
	}
	return m.End(ctx, EndRequest{Session: before, Reason: EndReplaced, Client: client})
}

// checkActor finds out from the store whether the session of whoever acts here
// lives: nil where nobody does. That it is not used meanwhile does not count.
func (m *Manager) checkActor(ctx context.Context, s *Session, key string, now time.Time) error {
	if !s.Acting() {
		return nil
	}
	_, err := m.Session(ctx, s.Parent)
	if err == nil || errors.Is(err, ErrSessionExpired) {
		t := s.actorToken(key)
		err = m.cutOff(ctx, &t, now)
	}
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	return s.actorEnded(err)
}

// actorEnded is the end of a session by that of whoever acts in it.
func (s *Session) actorEnded(because error) error {
	facts := []slog.Attr{slog.String("actor_session", s.Parent.String())}
	if e, ok := errors.AsType[*RefusalError](because); ok {
		facts = append(facts, slog.String("because", string(e.Reason)))
	}
	return refuse(ErrSessionEnded, ReasonActorEnded, facts...)
}

// actorRevoked returns [ErrSessionEnded] if the log has ended the session of whoever
// acts here.
func (m *Manager) actorRevoked(s *Session, key string, own time.Time) error {
	if !s.Acting() {
		return nil
	}
	t := s.actorToken(key)
	if !m.revoked.horizon.Revoked(&t) {
		return nil
	}
	return s.actorEnded(m.logEntry(&t, own))
}

// actorToken is what the horizon is asked about whoever acts here.
func (s *Session) actorToken(key string) revocation.Token {
	return revocation.Token{
		Session: s.Parent, Subject: s.Actor, Tenant: s.ActorTenant, Profile: s.Profile,
		Key: key, Started: s.ActorStartedAt.UnixMilli(),
	}
}

// add says in a token who acts.
func (a *actor) add(c *codec.Claims, parent SessionID) {
	if *a == (actor{}) {
		return
	}
	c.Actor, c.ActorTenant = c.Add(a.subject), c.Add(a.tenant)
	c.ActorSession, c.ActorStarted = parent, a.started.UnixMilli()
}

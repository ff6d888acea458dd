package remuda

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/remuda-go/remuda/store"
)

// session is the record as its holder may see it.
func (r *record) session() Session {
	return Session{
		ID: r.ID, Subject: r.Subject, Tenant: r.Tenant, Profile: r.Profile, Gen: r.Gen,
		StartedAt: r.StartedAt, AuthenticatedAt: r.AuthenticatedAt,
		LastSeenAt: r.LastSeen, IdleExpires: r.IdleExpires, Expires: r.Expires,
		Remembered: r.Remember, Device: r.Device, Network: r.Network, Place: r.Place, Application: r.Application,
		ACR: r.ACR, AMR: decodeAMR(r.AMR), Claims: r.Claims, Parent: r.Parent,
		Actor: r.Actor.subject, ActorTenant: r.Actor.tenant, ActorStartedAt: r.Actor.started,
	}
}

// Session returns a session that lives. It returns [ErrTokenInvalid] if there is
// none, [ErrSessionExpired], [ErrSessionEnded] or [ErrUnavailable].
func (m *Manager) Session(ctx context.Context, id SessionID) (Session, error) {
	s, err := m.read(ctx, id)
	if err != nil {
		return Session{}, ofSession(err, id)
	}
	return s, nil
}

func (m *Manager) read(ctx context.Context, id SessionID) (Session, error) {
	row, err := m.store.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return Session{}, refuse(ErrTokenInvalid, ReasonNoRecord)
	}
	if err != nil {
		return Session{}, unavailable(err)
	}
	r, err := openRecord(&row, m.ring)
	if err != nil {
		return Session{}, openFailed(err)
	}
	own := m.clock.own()
	now := m.clock.at(own)
	if row.Ended() {
		return Session{}, r.endedError(now)
	}
	if m.heldDead(&r) {
		t := r.token("")
		return Session{}, m.logEntry(&t, own)
	}
	if reason, over := r.expired(now); over {
		return Session{}, m.clock.overdue(&r.state, reason, now)
	}
	return r.session(), nil
}

// heldDead reports whether this node has been told by the log that a session
// ended whose record does not say so yet.
func (m *Manager) heldDead(r *record) bool {
	if m.revoked == nil {
		return false
	}
	t := r.token("")
	return m.revoked.horizon.Revoked(&t)
}

// Sessions yields the live sessions of a subject in ascending order of id. An
// error is yielded once, as the last pair, and wraps [ErrUnavailable]. A row
// that does not open is yielded with what its columns say.
func (m *Manager) Sessions(ctx context.Context, req SessionsRequest) iter.Seq2[Session, error] {
	return func(yield func(Session, error) bool) {
		now := m.clock.now()
		for row, err := range m.store.List(ctx, store.Owner{Tenant: req.Tenant, Subject: req.Subject}, req.After) {
			if err != nil {
				yield(Session{}, unavailable(err))
				return
			}
			r, err := openRecord(&row, m.ring)
			if err != nil {
				r = record{ID: row.ID, Subject: row.Subject, Tenant: row.Tenant, Profile: row.Profile, state: columns(&row)}
			}
			if _, over := r.expired(now); over || row.Ended() || m.heldDead(&r) {
				continue
			}
			if !yield(r.session(), nil) {
				return
			}
		}
	}
}

func sortByStart(list []Session) {
	slices.SortFunc(list, func(a, b Session) int {
		if c := a.StartedAt.Compare(b.StartedAt); c != 0 {
			return c
		}
		return slices.Compare(a.ID[:], b.ID[:])
	})
}

package remuda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/remuda-go/remuda/store"
)

// PersonalData is everything that the store holds on a subject.
type PersonalData struct {
	Sessions []PersonalSession // by id; those that have ended too, until they are swept
	Endings  []PersonalEnding  // what the revocation log says of the subject by name
}

// PersonalSession is what is held of one session. There is no token, and nothing from
// which one could be made.
type PersonalSession struct {
	Session
	EndedAt time.Time // zero while it lives
	Reason  EndReason // why it ended
	// HasAddress says that a keyed hash of the client's address is kept, by which the
	// same address can be recognised and from which it cannot be read.
	HasAddress bool
	Data       json.RawMessage // of the session, as one JSON object; nil for none
}

// PersonalEnding is an entry of the revocation log that names the subject.
type PersonalEnding struct {
	At, Until time.Time // when it was written, and when nobody needs it any more
	Reason    EndReason
}

// SubjectRequest names a subject.
type SubjectRequest struct {
	Subject string // not empty
	Tenant  string
	Client  Client // of whoever asks, for the events of [Manager.EraseSubject]
}

// ExportSubject returns everything that the store holds on a subject. Of a session
// whose record does not open it returns what its columns say. It returns [ErrRequest]
// or [ErrUnavailable].
func (m *Manager) ExportSubject(ctx context.Context, req SubjectRequest) (PersonalData, error) {
	var all PersonalData
	if req.Subject == "" {
		return all, fmt.Errorf("%w: a subject is needed", ErrRequest)
	}
	for row, err := range m.store.List(ctx, store.Owner{Tenant: req.Tenant, Subject: req.Subject}, store.ID{}) {
		if err != nil {
			return PersonalData{}, unavailable(err)
		}
		r, err := openRecord(&row, m.ring)
		if err != nil {
			r = record{ID: row.ID, Subject: row.Subject, Tenant: row.Tenant, Profile: row.Profile, state: columns(&row)}
		}
		p := PersonalSession{Session: r.session(), EndedAt: r.EndedAt, Reason: r.EndReason, HasAddress: r.AddressHash != mark{}}
		kept, err := m.readData(ctx, r.ID)
		if err != nil {
			return PersonalData{}, err
		}
		if kept.there {
			p.Data = kept.text()
		}
		all.Sessions = append(all.Sessions, p)
	}
	var err error
	all.Endings, err = m.endingsOf(ctx, req)
	return all, err
}

// endingsOf reads the revocation log once, from its beginning.
func (m *Manager) endingsOf(ctx context.Context, req SubjectRequest) ([]PersonalEnding, error) {
	if m.revoked == nil {
		return nil, nil
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var list []PersonalEnding
	for batch, err := range m.revoked.log.Follow(ctx, "", m.clock.own) {
		if err != nil {
			return nil, unavailable(err)
		}
		for _, e := range batch.Entries {
			if (e.Scope == store.ScopeSubject || e.Scope == store.ScopeChanged) && e.Target == req.Subject && e.Tenant == req.Tenant {
				list = append(list, PersonalEnding{At: e.At, Until: e.Until, Reason: EndReason(e.Reason)})
			}
		}
		if !batch.AsOf.IsZero() {
			break
		}
	}
	return list, nil
}

// EraseSubject ends all sessions of a subject and removes what the store holds on
// them, at once and without a trace in what it keeps (see [store.Eraser]). It returns
// how many sessions it removed. What the revocation log says of the subject stays
// until no token of theirs can be good any more; [Manager.Sweep] removes it then.
//
// Remove the user first: who signs in meanwhile has sessions again. An erasure that
// fails or is interrupted is finished by another. It returns [ErrRequest], also where
// the store cannot forget, or [ErrUnavailable].
func (m *Manager) EraseSubject(ctx context.Context, req SubjectRequest) (int, error) {
	eraser, ok := m.store.(store.Eraser)
	switch {
	case req.Subject == "":
		return 0, fmt.Errorf("%w: a subject is needed", ErrRequest)
	case !ok:
		return 0, fmt.Errorf("%w: this store cannot forget", ErrRequest)
	}
	ending, err := m.EndAll(ctx, EndAllRequest{Subject: req.Subject, Tenant: req.Tenant, Reason: EndErased, Client: req.Client})
	if err != nil {
		return 0, err
	}
	if _, err := ending.Wait(ctx); err != nil {
		return 0, err
	}
	owner := store.Owner{Tenant: req.Tenant, Subject: req.Subject}
	var ids []SessionID
	for row, err := range m.store.List(ctx, owner, store.ID{}) {
		if err != nil {
			return 0, unavailable(err)
		}
		// One that idled out, or was ended by an entry that is yet to be written into
		// its record, has no tombstone.
		if err := m.End(ctx, EndRequest{Session: row.ID, Reason: EndErased, Client: req.Client}); err != nil {
			return 0, err
		}
		ids = append(ids, row.ID)
	}
	for _, id := range ids {
		if err := m.eraseData(ctx, id); err != nil {
			return 0, err
		}
	}
	n, err := eraser.Erase(ctx, owner)
	if err != nil {
		return n, unavailable(err)
	}
	return n, nil
}

// eraseData removes the data of a session, and says so if it cannot.
func (m *Manager) eraseData(ctx context.Context, id SessionID) error {
	if m.items == nil {
		return nil
	}
	for range dataAttempts {
		now := m.clock.now()
		it, err := m.items.GetItem(ctx, dataKind, id.String(), now)
		if err == nil {
			err = m.items.DeleteItem(ctx, dataKind, id.String(), it.Version, now)
		}
		switch {
		case err == nil, errors.Is(err, store.ErrNotFound):
			return nil
		case !errors.Is(err, store.ErrConflict):
			return unavailable(err)
		}
	}
	return fmt.Errorf("%w: the data is being changed by others", ErrUnavailable)
}

package remuda

import (
	"time"

	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/store"
)

// emit tells the sink what has happened to a session, after it was stored.
func (m *Manager) emit(kind event.Kind, r *record, client Client, now time.Time, more func(*event.Event)) {
	if m.events == nil {
		return
	}
	device, net := client.Describe()
	e := event.Event{
		Kind: kind, Time: now, Subject: r.Subject, Tenant: r.Tenant, Session: r.ID.String(),
		Profile: r.Profile, Gen: r.Gen, Actor: r.Actor.subject,
		UserAgent: device, Network: net, RequestID: client.RequestID,
	}
	if more != nil {
		more(&e)
	}
	m.events.Emit(e)
}

// emitRow is emit for a row that has ended. Of one that does not open the columns
// are told.
func (m *Manager) emitRow(kind event.Kind, row *store.Record, client Client, now time.Time) {
	if m.events == nil {
		return
	}
	r, err := openRecord(row, m.ring)
	if err != nil {
		r = record{ID: row.ID, Subject: row.Subject, Tenant: row.Tenant, Profile: row.Profile, state: columns(row)}
	}
	m.emit(kind, &r, client, now, func(e *event.Event) { e.Reason = row.EndReason })
}

// emitDecision tells what a refresh came to.
func (m *Manager) emitDecision(r *record, d decision, client Client, now time.Time) {
	if m.events == nil {
		return
	}
	emit := func(kind event.Kind, more func(*event.Event)) { m.emit(kind, r, client, now, more) }
	if d.rolledBack {
		emit(event.StoreRolledBack, nil)
	}
	if d.early {
		emit(event.RefreshEarly, func(e *event.Event) { e.Reported = true })
	}
	if d.class != "" {
		emit(event.RefreshReused, func(e *event.Event) { e.Class, e.Reported = d.class, d.reported })
	}
	if d.suspect {
		emit(event.RefreshSuspect, nil)
	}
	if kind, ok := kindOf[d.verdict]; ok {
		emit(kind, nil)
	}
	if d.forged {
		emit(event.RefreshForged, nil)
	}
	if d.write && !r.EndedAt.IsZero() {
		emit(event.SessionEnded, func(e *event.Event) { e.Reason = string(r.EndReason) })
	}
}

// kindOf is the event of a verdict, where it is one event whatever else is so.
var kindOf = map[verdict]event.Kind{
	verdictRotate:     event.SessionRefreshed,
	verdictReplay:     event.SessionReplayed,
	verdictSuperseded: event.RefreshMismatch,
	verdictEarly:      event.RefreshEarly,
	verdictThrottled:  event.RefreshThrottled,
}

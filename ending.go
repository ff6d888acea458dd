package remuda

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remuda-go/remuda/store"
)

// Selection says which sessions are meant: those that match everything that is
// set. The zero value means none, so that an empty request ends nobody.
type Selection struct {
	// Everything must be set where neither Subject, Tenant nor Profile is.
	Everything bool
	Subject    string // of Tenant, which is then looked at even if it is empty
	Tenant     string
	Profile    string
	// From and Before bound when sessions began: at From or later, and before
	// Before. Zero means since ever, and until now. A session that began later than
	// now by more than the leeway was begun by a clock that was wrong, and is meant
	// whatever they are.
	From, Before time.Time
	Network      netip.Prefix // that the client's coarse network lies in; zero means any
	Application  string       // the client's [Client.Application]; empty means any
	Except       SessionID    // one that is not meant
}

// EndSelectedRequest ends many sessions.
type EndSelectedRequest struct {
	Selection
	Reason EndReason // the zero value means EndAdmin
	Client Client    // who asks, for events
}

// Ending is a wide ending under way: it has taken effect, and the records of the
// sessions are being ended in the background. It is safe for concurrent use.
type Ending struct {
	ended atomic.Int64
	done  chan struct{}
	err   error
}

// Ended returns how many sessions have their end written in their records so far.
func (e *Ending) Ended() int { return int(e.ended.Load()) }

// Done is closed when all that were there have been come by.
func (e *Ending) Done() <-chan struct{} { return e.done }

// Wait waits for Done and returns how many sessions ended. An error says that
// some records were not reached; the sessions are dead where liveness is LiveLog,
// and [Manager.Sweep] goes on with the others.
func (e *Ending) Wait(ctx context.Context) (int, error) {
	select {
	case <-e.done:
		return e.Ended(), e.err
	case <-ctx.Done():
		return e.Ended(), unavailable(ctx.Err())
	}
}

const (
	// startBound is how long it may take from when a session began, which is before
	// its user's credentials were checked, to its being stored. A wide ending looks
	// twice, further apart than that, so that no session slips through between.
	startBound = 10 * time.Second
	secondLook = startBound + 5*time.Second
	// resumeAfter is when Sweep takes up what another process has left.
	resumeAfter = time.Minute
	// appendBatch is how many entries are appended at once.
	appendBatch = 256
)

// EndAll ends the sessions of a subject that began before it was called: one
// entry in the revocation log, however many they are. When it returns, they are
// dead; see [Ending] for their records. It returns [ErrRequest] or
// [ErrUnavailable]; to call it again is harmless.
func (m *Manager) EndAll(ctx context.Context, req EndAllRequest) (*Ending, error) {
	if req.Reason == "" {
		req.Reason = EndLogout
		if !req.Except.IsZero() {
			req.Reason = EndLogoutOthers
		}
	}
	return m.EndSelected(ctx, EndSelectedRequest{
		Selection: Selection{Subject: req.Subject, Tenant: req.Tenant, Except: req.Except},
		Reason:    req.Reason, Client: req.Client,
	})
}

// CredentialsChangedRequest says that a user has changed what they sign in with.
type CredentialsChangedRequest struct {
	Session SessionID // in which they did so
	Reason  EndReason // of the others; the zero value means EndPasswordChanged
	ACR     string    // as in [StepUpRequest]
	AMR     []string
	Client  Client
}

// CredentialsChanged ends all other sessions of the user and rotates this one, as
// a password change should, and one of e-mail address or second factor: whoever
// got in with the old password is out, and whoever holds a copy of this session's
// tokens holds nothing newer. Call it after the change is stored. It returns the
// errors of [Manager.StepUp] and of [Manager.EndAll]; the others end first, so
// after an error in between they have ended and this session has not rotated.
func (m *Manager) CredentialsChanged(ctx context.Context, req CredentialsChangedRequest) (Grant, *Ending, error) {
	s, err := m.Session(ctx, req.Session)
	if err == nil && s.Acting() {
		err = ErrActing
	}
	if err != nil {
		return Grant{}, nil, err
	}
	if req.Reason == "" {
		req.Reason = EndPasswordChanged
	}
	others, err := m.EndAll(ctx, EndAllRequest{Subject: s.Subject, Tenant: s.Tenant, Except: s.ID, Reason: req.Reason, Client: req.Client})
	if err != nil {
		return Grant{}, nil, err
	}
	g, err := m.StepUp(ctx, StepUpRequest{Session: req.Session, ACR: req.ACR, AMR: req.AMR, Client: req.Client})
	return g, others, err
}

// EndSelected ends all sessions of a selection that began before it was called.
// When it returns, no node accepts them after Config.MaxStaleness where liveness
// is LiveLog, and none at all where it is LiveStore; sessions without a record
// end if nothing but Subject, Tenant or Profile and times selects them. A login
// under way (see StartRequest.Began) is found too: at once if one of these and
// times selects it, else within 15 s if the manager is not closed before. It
// returns [ErrRequest] for an empty or impossible selection, or [ErrUnavailable]:
// then it may have happened, and to call it again is harmless.
func (m *Manager) EndSelected(ctx context.Context, req EndSelectedRequest) (*Ending, error) {
	if req.Reason == "" {
		req.Reason = EndAdmin
	}
	if err := req.check(); err != nil {
		return nil, err
	}
	if p := m.profiles[req.Profile]; p != nil && p.Recordless && !req.wide() {
		return nil, fmt.Errorf("%w: the sessions of profile %q have no records to choose from: end all of them, or those of a subject in all profiles", ErrRequest, req.Profile)
	}
	before, err := m.cutOffTime(ctx, &req.Selection)
	if err != nil {
		return nil, err
	}
	e := m.newEntry(&req, before)
	w := &wideEnding{m: m, req: req, entry: e, report: &Ending{done: make(chan struct{})}}
	everywhere, err := w.announce(ctx)
	if err != nil {
		return nil, err
	}
	m.background.Go(func() { w.run(m.running) })
	if !everywhere {
		if _, err := w.report.Wait(ctx); err != nil {
			return nil, err
		}
	}
	return w.report, nil
}

// Count returns how many live sessions with a record a selection means now. It
// changes nothing. It returns [ErrRequest] or [ErrUnavailable].
func (m *Manager) Count(ctx context.Context, sel Selection) (int, error) {
	if err := sel.check(); err != nil {
		return 0, err
	}
	e := m.newEntry(&EndSelectedRequest{Selection: sel}, sel.before(startedAt(m.clock.now()).Add(time.Millisecond)))
	n := 0
	for _, err := range m.selected(ctx, &sel, &e) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (s *Selection) check() error {
	switch {
	case s.Subject == "" && s.Tenant == "" && s.Profile == "" && !s.Everything:
		return fmt.Errorf("%w: nothing is selected; set Everything to mean all sessions", ErrRequest)
	case !identifier(s.Subject) || !identifier(s.Tenant) || !identifier(s.Profile) || !identifier(s.Application):
		return fmt.Errorf("%w: a selected name is at most %d bytes of UTF-8 without control characters", ErrRequest, maxIdentifier)
	case !s.From.IsZero() && !s.Before.IsZero() && !s.From.Before(s.Before):
		return fmt.Errorf("%w: From is not before Before", ErrRequest)
	}
	return nil
}

// before is the smaller of Before and now.
func (s *Selection) before(now time.Time) time.Time {
	if s.Before.IsZero() || s.Before.After(now) {
		return now
	}
	return startedAt(s.Before)
}

// wide reports whether one entry of the log can say it. The others are looked up
// and get an entry each.
func (s *Selection) wide() bool {
	named := 0
	for _, set := range []bool{s.Subject != "", s.Tenant != "" && s.Subject == "", s.Profile != ""} {
		if set {
			named++
		}
	}
	return named <= 1 && !s.Network.IsValid() && s.Application == ""
}

// newEntry is the entry of a selection that is wide; of others it carries the
// times.
func (m *Manager) newEntry(req *EndSelectedRequest, before time.Time) store.Entry {
	now := m.clock.now()
	e := store.Entry{
		ID: newEntryID(), Scope: store.ScopeEverything,
		From: req.From, Before: before, Except: req.Except,
		Until: now.Add(m.longest), At: now, Reason: string(req.Reason),
	}
	if m.revoked == nil { // nobody but logins under way asks for it, and nobody closes it after a crash
		e.Until = now.Add(2 * secondLook)
	}
	switch {
	case req.Subject != "":
		e.Scope, e.Target, e.Tenant = store.ScopeSubject, req.Subject, req.Tenant
	case req.Tenant != "":
		e.Scope, e.Target = store.ScopeTenant, req.Tenant
	case req.Profile != "":
		e.Scope, e.Target = store.ScopeProfile, req.Profile
	}
	return e
}

// cutOffTime is the instant before which sessions end. Sessions begin on whole
// milliseconds, rounded up, so it is later than any that has begun on any node,
// by as much as clocks are known to differ, and on this one before its clock was put
// back; and it has passed on every node when cutOffTime returns, so that whoever signs
// in afterwards is not signed out.
func (m *Manager) cutOffTime(ctx context.Context, sel *Selection) (time.Time, error) {
	now, apart := m.clock.now(), m.clock.uncertainty()
	latest := startedAt(later(now.Add(apart), m.clock.highest(now))).Add(time.Millisecond)
	before := sel.before(latest)
	if before.Before(latest) {
		return before, nil
	}
	t := time.NewTimer(before.Sub(now) + apart)
	defer t.Stop()
	select {
	case <-t.C:
		return before, nil
	case <-ctx.Done():
		return time.Time{}, unavailable(ctx.Err())
	}
}

// waitsForRecords reports whether an ending that the log can say in one entry is
// in effect only when the records say so. What it cannot say never is before.
func (m *Manager) waitsForRecords() bool {
	if m.revoked == nil {
		return true
	}
	for _, p := range m.profiles {
		if !p.Recordless && p.Liveness != LiveLog {
			return true
		}
	}
	return false
}

// selected yields the live records that a selection means.
func (m *Manager) selected(ctx context.Context, sel *Selection, e *store.Entry) iter.Seq2[store.Record, error] {
	rows := m.store.Scan(ctx, store.ID{})
	if sel.Subject != "" {
		rows = m.store.List(ctx, store.Owner{Tenant: sel.Tenant, Subject: sel.Subject}, store.ID{})
	}
	return func(yield func(store.Record, error) bool) {
		now := m.clock.now()
		for row, err := range rows {
			if err != nil {
				yield(store.Record{}, unavailable(err))
				return
			}
			if m.matches(&row, sel, e, now) && !yield(row, nil) {
				return
			}
		}
	}
}

// matches reports whether a row lives and is meant. One that does not open can be
// of no use to anybody; it is meant if its columns are.
func (m *Manager) matches(row *store.Record, sel *Selection, e *store.Entry, now time.Time) bool {
	st := columns(row)
	if _, over := st.expired(now); over || row.Ended() || row.ID == sel.Except ||
		sel.Subject != "" && (row.Subject != sel.Subject || row.Tenant != sel.Tenant) ||
		sel.Tenant != "" && row.Tenant != sel.Tenant || sel.Profile != "" && row.Profile != sel.Profile {
		return false
	}
	r, err := openRecord(row, m.ring)
	if err != nil {
		return true
	}
	return (r.StartedAt.Before(e.Before) || m.misdated(&r, now)) && (e.From.IsZero() || !r.StartedAt.Before(e.From)) &&
		(!sel.Network.IsValid() || inNetwork(r.Network, sel.Network)) &&
		(sel.Application == "" || r.Application == sel.Application)
}

// misdated reports whether a session was begun by a clock that was ahead and has been
// set right since: any that nobody can have begun yet is older than it says.
func (m *Manager) misdated(r *record, now time.Time) bool {
	return r.StartedAt.After(now.Add(m.leeway))
}

func inNetwork(coarse string, in netip.Prefix) bool {
	p, err := netip.ParsePrefix(coarse)
	return err == nil && p.Bits() >= in.Bits() && in.Contains(p.Addr())
}

// wideEnding writes the tombstones of a wide ending.
type wideEnding struct {
	m      *Manager
	req    EndSelectedRequest
	entry  store.Entry
	report *Ending
}

// announce puts an ending into effect before any record says so, and reports whether
// it is so everywhere. The log is told first: whoever takes up an ending finds it
// there, so that no item is left behind that nobody removes.
func (w *wideEnding) announce(ctx context.Context) (everywhere bool, _ error) {
	if !w.req.wide() {
		return false, w.announceEach(ctx)
	}
	if w.m.revoked != nil {
		if err := w.m.revoked.announce(ctx, w.entry); err != nil {
			return false, err
		}
	}
	noted, err := w.m.openCutOff(ctx, &w.entry)
	return noted && !w.m.waitsForRecords(), err
}

// announceEach appends an entry for each session of a selection that no single
// entry can say.
func (w *wideEnding) announceEach(ctx context.Context) error {
	if w.m.revoked == nil {
		return nil
	}
	var batch []store.Entry
	for row, err := range w.m.selected(ctx, &w.req.Selection, &w.entry) {
		if err != nil {
			return err
		}
		batch = append(batch, w.m.revoked.sessionEntry(row.ID, w.req.Reason, w.m.clock.now(), row.Expires))
		if len(batch) == appendBatch {
			if err := w.m.revoked.announce(ctx, batch...); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return w.m.revoked.announce(ctx, batch...)
}

// run looks once at once, and once more when no session can be on its way any
// longer; then the entry need not be kept for as long as sessions live.
func (w *wideEnding) run(ctx context.Context) {
	w.report.err = w.look(ctx)
	close(w.report.done)
	t := time.NewTimer(secondLook)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return // Sweep takes a wide one up, here or elsewhere
	case <-t.C:
	}
	_ = w.finish(ctx) // likewise
}

// finish looks and, if all have been reached, settles the entry.
func (w *wideEnding) finish(ctx context.Context) error {
	if !w.req.wide() {
		return errors.Join(w.announceEach(ctx), w.look(ctx))
	}
	if err := w.look(ctx); err != nil {
		return err
	}
	if err := w.m.closeCutOff(ctx, &w.entry); err != nil {
		return err
	}
	if w.m.revoked != nil {
		w.m.revoked.tombstoned(w.entry.ID)
	}
	return nil
}

// look ends the records of all sessions that are meant and live.
func (w *wideEnding) look(ctx context.Context) error {
	var failed []error
	for row, err := range w.m.selected(ctx, &w.req.Selection, &w.entry) {
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		tell := func(row *store.Record) error { return w.tell(ctx, row) }
		ended, err := w.m.endRecord(ctx, EndRequest{Session: row.ID, Reason: w.req.Reason, Client: w.req.Client}, w.req.Except, tell)
		switch {
		case err != nil && len(failed) == maxEndFailures:
			return errors.Join(failed...)
		case err != nil:
			failed = append(failed, err)
		case ended:
			w.report.ended.Add(1)
			if w.m.revoked != nil && !w.req.wide() {
				w.m.revoked.tombstoned(row.ID)
			}
		}
	}
	return errors.Join(failed...)
}

// tell announces what the log has not been told: a wide entry does not cover a session
// that is misdated.
func (w *wideEnding) tell(ctx context.Context, row *store.Record) error {
	if !w.req.wide() || !w.misdated(row) {
		return nil
	}
	_, err := w.m.announceEnd(ctx, row, w.req.Reason)
	return err
}

func (w *wideEnding) misdated(row *store.Record) bool {
	r, err := openRecord(row, w.m.ring)
	return err == nil && w.m.misdated(&r, w.m.clock.now())
}

// maxEndFailures is after how many failures a look is given up for now.
const maxEndFailures = 10

// unsettled are the wide endings that the log holds and that may not have reached
// all records.
type unsettled struct {
	mu      sync.Mutex
	entries map[store.ID]store.Entry
}

func (u *unsettled) note(e *store.Entry) {
	switch e.Scope {
	case store.ScopeSubject, store.ScopeTenant, store.ScopeProfile, store.ScopeEverything:
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.entries == nil {
			u.entries = map[store.ID]store.Entry{}
		}
		u.entries[e.ID] = *e
	case store.ScopeSettled:
		u.mu.Lock()
		defer u.mu.Unlock()
		for i := 0; i+len(store.ID{}) <= len(e.Target); i += len(store.ID{}) {
			delete(u.entries, store.ID([]byte(e.Target[i:i+len(store.ID{})])))
		}
	case store.ScopeSession, store.ScopeKey, store.ScopeChanged:
	}
}

// old returns those that began before an instant, and forgets what has expired by
// now.
func (u *unsettled) old(before, now time.Time) []store.Entry {
	u.mu.Lock()
	defer u.mu.Unlock()
	var list []store.Entry
	for id, e := range u.entries {
		switch {
		case e.Until.Before(now):
			delete(u.entries, id)
		case e.At.Before(before):
			list = append(list, e)
		}
	}
	return list
}

// resume finishes wide endings that a process has left unfinished.
func (m *Manager) resume(ctx context.Context) error {
	if m.revoked == nil {
		return nil
	}
	now := m.clock.now()
	for _, e := range m.revoked.wide.old(now.Add(-resumeAfter), m.revoked.horizon.Believed()) {
		w := &wideEnding{m: m, entry: e, report: &Ending{}, req: EndSelectedRequest{
			Selection: selectionOf(&e), Reason: EndReason(e.Reason),
		}}
		if err := w.finish(ctx); err != nil {
			return err
		}
	}
	return nil
}

// selectionOf is the selection of a wide entry.
func selectionOf(e *store.Entry) Selection {
	s := Selection{From: e.From, Before: e.Before, Except: e.Except}
	switch e.Scope {
	case store.ScopeSubject:
		s.Subject, s.Tenant = e.Target, e.Tenant
	case store.ScopeTenant:
		s.Tenant = e.Target
	case store.ScopeProfile:
		s.Profile = e.Target
	case store.ScopeEverything:
		s.Everything = true
	case store.ScopeSession, store.ScopeKey, store.ScopeChanged, store.ScopeSettled:
	}
	return s
}

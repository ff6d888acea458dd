// Package event says what happened to sessions, after it happened.
//
// Events are emitted after the change they tell of is stored, at most once, in
// the process that made the change. They never hold a token, a seed or a key.
// Sinks observe; they cannot veto and they cannot fail a login.
package event

import "time"

// Kind names what happened.
type Kind string

// The kinds of events.
const (
	SessionStarted      Kind = "session.started"      // a login made a session
	SessionRefreshed    Kind = "session.refreshed"    // a new generation was issued
	SessionReplayed     Kind = "session.replayed"     // the newest generation was handed out again
	SessionSteppedUp    Kind = "session.stepped_up"   // the user authenticated again in the session
	SessionImpersonated Kind = "session.impersonated" // Actor acts for Subject, in Session, begun from Parent
	SessionEnded        Kind = "session.ended"        // a session ended; Reason says why
	SessionLimit        Kind = "session.limit"        // a login met the cap on sessions of its subject
	RefreshReused       Kind = "refresh.reused"       // a refresh token was used by two parties; Class says how
	RefreshSuspect      Kind = "refresh.suspect"      // the newest generation was recovered late many times in a row
	RefreshForged       Kind = "refresh.forged"       // a well-signed refresh token does not fit its session
	RefreshMismatch     Kind = "refresh.superseded"   // another client of the session has just refreshed
	RefreshEarly        Kind = "refresh.early"        // a refresh came before it was due
	RefreshThrottled    Kind = "refresh.throttled"    // too many replays in one window
	StoreRolledBack     Kind = "store.rolled_back"    // the store has lost acknowledged writes
	ClockSet            Kind = "clock.set"            // somebody has set the clock of this machine, or the store's; Reason says by how much the machine's is behind now
	LoginFailed         Kind = "login.failed"         // wrong name or password
	PasswordChanged     Kind = "password.changed"     // a user has set another password, in Session
	EmailAsked          Kind = "email.asked"          // a user wants to be written to elsewhere, in Session; nobody there has confirmed it
	EmailChanged        Kind = "email.changed"        // somebody there has confirmed it
	LoginThrottled      Kind = "login.throttled"      // too many attempts
	HandOffMinted       Kind = "handoff.minted"       // a session may be handed to Target
	HandOffRedeemed     Kind = "handoff.redeemed"     // it was: Session is the one there, Parent the one it came from
	HandOffRefused      Kind = "handoff.refused"      // a genuine hand-off token was not redeemed; Reason says why
)

// Event is one thing that happened. Texts that do not apply are empty.
type Event struct {
	Kind      Kind
	Time      time.Time // in store time
	Subject   string
	Tenant    string
	Actor     string // who acts for Subject in the session; empty if that does so itself
	Session   string // the session id, 22 characters of base64url
	Profile   string
	Gen       uint32
	Reason    string // session.ended: one of the end reasons; handoff.refused: gone, target, state, parent or present; clock.set: a duration, as in 1h0m0s
	Class     string // refresh.reused: previous, stale or shadowed
	Parent    string // handoff.redeemed and handoff.refused: the session that was handed over; session.impersonated: that of Actor
	Target    string // handoff.*: the origin that it was handed to
	Reported  bool   // the policy is to report only: nothing was ended
	UserAgent string // coarse: family and platform
	Network   string // coarse: /24 or /48
	RequestID string
}

// Sink receives events. Emit is called in the path of a request, so it returns
// at once: what takes time is queued by the sink, and dropped with a count when
// the queue is full. It is safe for concurrent use.
type Sink interface {
	Emit(e Event)
}

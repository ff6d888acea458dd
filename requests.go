package remuda

import "time"

// StartRequest begins a session for somebody whose identity the application has
// established.
type StartRequest struct {
	Profile string // the name of one of the profiles
	Subject string // 1 to 255 bytes of UTF-8 without control characters
	// Anonymous begins a session of nobody, to keep data in until somebody signs
	// in with Replaces. Subject is then empty.
	Anonymous bool
	Tenant    string // at most 255 bytes, likewise
	ACR       string // at most 255 bytes
	AMR       []string
	// Claims go into every access token of the session: a map or a struct that
	// marshals to a JSON object; a name that is, or folds to, a reserved one is
	// an error. See [Claims] for reading them. Nil means none.
	Claims   any
	Remember bool // the profile's remember-me lifetimes
	// Replaces is a session that the same client holds already: it ends as the
	// new one begins, under another id, so that whoever planted the old one in
	// the client has gained nothing. The data of an anonymous session goes over
	// to the new one; that of anybody else's does not. The zero value means none.
	Replaces SessionID
	// Began is [Manager.Now] from before the user's credentials were checked. The
	// session counts from then, so that a change of password between the check and
	// here ends it as it ends the others. At most 10 s may lie between. Zero means
	// now: only where nothing that changes was checked.
	Began  time.Time
	Client Client
}

// AuthenticateRequest presents an access token.
type AuthenticateRequest struct {
	Token     string
	Transport Transport // how it came; a profile's tokens are refused by another way
	// Passive says that this use is no sign of activity (polling): it does not
	// move the idle deadline.
	Passive bool
	// Relay says that a trusted server uses the token on behalf of a client
	// that may not have received it yet, so that this use does not count as
	// the client's.
	Relay bool
	// Outage is used in place of the profile's: what this request risks while
	// the revocation log is not heard. Zero means the profile's.
	Outage OutagePolicy
}

// RefreshRequest presents a refresh token.
type RefreshRequest struct {
	Token     string
	Transport Transport
	// RetryKey is the Idempotency-Key of this logical refresh: 16 to 255
	// bytes, random, used for no other one. Empty if the client sends none.
	RetryKey string
	Client   Client
}

// EndRequest ends one session.
type EndRequest struct {
	Session SessionID
	Reason  EndReason // the zero value means EndLogout
	Client  Client
}

// EndAllRequest ends all sessions of a subject.
type EndAllRequest struct {
	Subject string
	Tenant  string
	Except  SessionID // one that survives; the zero value means none
	Reason  EndReason // the zero value means EndLogout, or EndLogoutOthers with Except
	Client  Client
}

// SessionsRequest asks for the sessions of a subject.
type SessionsRequest struct {
	Subject string
	Tenant  string
	After   SessionID // where to go on; the zero value means from the start
}

// StepUpRequest says that the user of a session has proved again who they are.
type StepUpRequest struct {
	Session SessionID
	ACR     string // the level reached; empty keeps the present one
	AMR     []string
	Client  Client
}

// EndReason says why a session ended. The list is closed.
type EndReason string

// The end reasons.
const (
	EndLogout          EndReason = "logout"
	EndLogoutOthers    EndReason = "logout_others"
	EndReplaced        EndReason = "replaced" // the same client signed in again
	EndLimit           EndReason = "limit"    // the oldest made room for a new one
	EndIdle            EndReason = "idle"
	EndExpired         EndReason = "expired"
	EndReuse           EndReason = "reuse"
	EndRolledBack      EndReason = "rolled_back"
	EndPasswordChanged EndReason = "password_changed"
	EndEmailChanged    EndReason = "email_changed"
	EndAdmin           EndReason = "admin"
	EndDisabled        EndReason = "disabled"
	EndRevoked         EndReason = "revoked" // an entry of the revocation log, or the end of the parent, that was found later
	EndKeyCompromised  EndReason = "key_compromised"
	EndDisowned        EndReason = "disowned"     // the user has said that it was not them
	EndErased          EndReason = "erased"       // everything that was held on the subject is removed
	EndParent          EndReason = "parent_ended" // the session that it was handed over from has ended
)

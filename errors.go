package remuda

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// The closed set of errors that methods of [Manager] return, alone or wrapped.
// They say what a client may be told; what an operator needs to know besides is
// in the wrapping error's text, in a [*RefusalError] and in the events.
var (
	// ErrTokenInvalid: malformed, forged, of another type, issuer, audience,
	// profile or transport, or of no session that we know. One answer for all.
	ErrTokenInvalid = errors.New("remuda: token invalid")
	// ErrTokenExpired: an access token past its time; its session may live.
	ErrTokenExpired = errors.New("remuda: access token expired")
	// ErrSessionExpired: the idle or the absolute deadline has passed.
	ErrSessionExpired = errors.New("remuda: session expired")
	// ErrSessionEnded: logged out, revoked, or ended for another reason.
	ErrSessionEnded = errors.New("remuda: session ended")
	// ErrRefreshReused: two parties hold the same refresh token. This call has
	// ended the session.
	ErrRefreshReused = errors.New("remuda: refresh token reused")
	// ErrRefreshSuperseded: another client of the session has just refreshed.
	// Nothing changed; read the cookie jar again.
	ErrRefreshSuperseded = errors.New("remuda: refresh superseded")
	// ErrRefreshTooEarly: the profile forbids refreshing before the access
	// token expires. Comes as a [*RetryError].
	ErrRefreshTooEarly = errors.New("remuda: refresh too early")
	// ErrThrottled: too many replays in one window. Comes as a [*RetryError].
	ErrThrottled = errors.New("remuda: refresh throttled")
	// ErrSessionLimit: the subject has as many sessions as the profile allows,
	// and the profile refuses more.
	ErrSessionLimit = errors.New("remuda: session limit reached")
	// ErrRequest: the request cannot be meant: a subject that is empty or too
	// long, a claim with a reserved name, an unknown profile, a bad retry key.
	ErrRequest = errors.New("remuda: request invalid")
	// ErrSignedIn: the browser has a session of somebody else at the target of a
	// hand-off. Nothing changed.
	ErrSignedIn = errors.New("remuda: somebody else is signed in")
	// ErrActing: somebody acts for the user in this session, and may not do this.
	ErrActing = errors.New("remuda: not while acting for another")
	// ErrNoticeDone: somebody has said of this notice already that it was not them.
	ErrNoticeDone = errors.New("remuda: notice done")
	// ErrContinuation: the continuation is not of this request and session, too
	// old, or no step-up has granted it. Nothing was let through.
	ErrContinuation = errors.New("remuda: continuation invalid")
	// ErrContinuationUsed: the request that the continuation stands for was let
	// through before.
	ErrContinuationUsed = errors.New("remuda: continuation used")
	// ErrUnavailable: the store cannot answer. Nothing is known of the session;
	// trying again is harmless.
	ErrUnavailable = errors.New("remuda: unavailable")
)

// RetryError is an error that goes away by itself.
type RetryError struct {
	Err   error         // [ErrRefreshTooEarly] or [ErrThrottled]
	After time.Duration // when to try again
}

// Error implements error.
func (e *RetryError) Error() string {
	return fmt.Sprintf("%v (try again in %v)", e.Err, e.After)
}

// Unwrap returns Err.
func (e *RetryError) Unwrap() error { return e.Err }

// ConfigError lists everything that is wrong with a [Config].
type ConfigError struct {
	Problems []ConfigProblem
}

// ConfigProblem is one thing that is wrong with a [Config].
type ConfigProblem struct {
	Field  string // for example "Profiles[web].Idle"
	Reason string
}

// Error lists the problems, one a line.
func (e *ConfigError) Error() string {
	var b strings.Builder
	b.WriteString("remuda: the configuration cannot be used:")
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n  %s: %s", p.Field, p.Reason)
	}
	return b.String()
}

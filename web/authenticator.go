package web

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// Credentials is what somebody claims to be. Exactly one of Username and
// Subject is set.
type Credentials struct {
	Username string // as typed at login
	Subject  string // at step-up: the subject of the session, whose password is asked again
	Tenant   string // of Subject
	Password string
	Address  netip.Addr // of the client; the zero value if unknown
}

// Identity is who somebody turned out to be.
type Identity struct {
	Subject string // stable and never given to another user; at most 255 bytes
	Tenant  string // empty where there are no tenants
	// ACR is the authentication context class reached, or empty (RFC 9068
	// section 2.2.1); AMR are the methods used (RFC 8176), for example "pwd".
	ACR string
	AMR []string
	// Claims go into the access token as they are: they marshal to JSON, and
	// their names may not take, nor fold to, a reserved claim name.
	Claims any
}

// The errors that an Authenticator returns. Any other error means that it could
// not find out, and is answered with 503.
var (
	// ErrLoginFailed is the one answer for an unknown user and a wrong
	// password.
	ErrLoginFailed = errors.New("web: wrong name or password")
)

// ThrottledError says that no attempt is allowed now.
type ThrottledError struct {
	After time.Duration // when to try again
}

// Error implements error.
func (e *ThrottledError) Error() string { return "web: too many attempts" }

// Authenticator checks passwords. It is the application's; package
// server/internal/directory has one for small installations, package
// [github.com/remuda-go/remuda/web/limit] wraps one with throttling.
//
// Implementations are safe for concurrent use, take the same time whether the
// user exists or not, and never log the password.
type Authenticator interface {
	// Authenticate returns who the credentials belong to, [ErrLoginFailed], a
	// [*ThrottledError], or another error if it could not find out.
	Authenticate(ctx context.Context, c Credentials) (Identity, error)
}

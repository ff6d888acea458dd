package remuda

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// AccessToken is shown with every request until it expires.
//
// Like the other token types it is a secret: it cannot be compared with ==, and
// prints, logs and marshals as "[redacted]". Reveal is the only way to its text.
type AccessToken struct {
	_    [0]func()
	text *string // a pointer, so that fmt shows an address where it calls no method
}

// RefreshToken is shown to the refresh endpoint alone, in exchange for the next
// generation.
type RefreshToken struct {
	_    [0]func()
	text *string // a pointer, so that fmt shows an address where it calls no method
}

// Reveal returns the token as it goes over the wire.
func (t AccessToken) Reveal() string { return reveal(t.text) }

// IsZero reports whether there is no token.
func (t AccessToken) IsZero() bool { return reveal(t.text) == "" }

// String hides the token.
func (AccessToken) String() string { return redacted }

// GoString hides the token.
func (AccessToken) GoString() string { return redacted }

// Format hides the token, whatever the verb.
func (AccessToken) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the token.
func (AccessToken) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the token.
func (AccessToken) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Reveal returns the token as it goes over the wire.
func (t RefreshToken) Reveal() string { return reveal(t.text) }

// IsZero reports whether there is no token: after a refresh that issued no new
// generation the client keeps the one it has.
func (t RefreshToken) IsZero() bool { return reveal(t.text) == "" }

// String hides the token.
func (RefreshToken) String() string { return redacted }

// GoString hides the token.
func (RefreshToken) GoString() string { return redacted }

// Format hides the token, whatever the verb.
func (RefreshToken) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the token.
func (RefreshToken) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the token.
func (RefreshToken) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func reveal(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

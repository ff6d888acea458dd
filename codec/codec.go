// Package codec is the contract of token formats: bytes to claims and back.
//
// A codec knows one format and the keys for it. It pins everything that a
// token could choose: the algorithm is a property of the key, the header is one
// exact string per key and type, and the signature is checked before anything
// else is read. A token is either what we would have issued under a key that we
// hold, or it is [ErrInvalid]; there is no third answer and no reason given.
//
// A codec does not know sessions: whether a token is still good (its times, its
// issuer, whether its session lives) is decided by its caller.
package codec

import (
	"crypto"
	"errors"
	"fmt"
)

// ErrInvalid is the one answer to everything that is not a token of ours.
var ErrInvalid = errors.New("codec: invalid token")

// MaxToken is the length in bytes past which a token is refused unread.
const MaxToken = 8 << 10

// Type says what a token is for. A token of one type is never accepted as
// another, whatever key signed it.
type Type uint8

// The token types.
const (
	Access  Type = 1 + iota // shown with every request
	Refresh                 // shown to the refresh endpoint only
	HandOff                 // shown once, to log in on another domain; opaque only
)

// String returns the name used in logs.
func (t Type) String() string {
	switch t {
	case Access:
		return "access"
	case Refresh:
		return "refresh"
	case HandOff:
		return "hand-off"
	default:
		return "unknown"
	}
}

// Span is a part of [Claims.Payload]: from Start up to End.
type Span struct{ Start, End uint16 }

// IsZero reports whether the span is empty.
func (s Span) IsZero() bool { return s.Start == s.End }

// Claims is what a token says, in a form that needs no allocation to fill.
// Numbers are kept as such; texts are spans of Payload, which the next
// verification into the same Claims overwrites.
type Claims struct {
	Type    Type
	Session [16]byte // sid
	JTI     [16]byte // refresh tokens; access tokens that refresh; the secret of opaque ones
	Gen     uint32

	// Algorithm is what Sign signs with; the zero value means the codec's own
	// default. Verify sets it, and Key to the id of the key that verified.
	Algorithm Algorithm
	Key       string

	IssuedAt int64 // iat, Unix seconds
	Expires  int64 // exp, Unix seconds
	AuthTime int64 // auth_time, Unix seconds
	Started  int64 // sst, Unix milliseconds: when the session began
	Anon     bool

	Issuer, Audience, Subject, Profile, Tenant, ACR Span
	AMR                                             Span // a JSON array of strings, or empty
	App                                             Span // the application's claims as one JSON object, or empty

	// Of a session in which somebody acts for the subject, the act claim (RFC 8693
	// section 4.1): who that is, and the session in which they are signed in
	// themselves. Without an Actor all four are zero.
	Actor, ActorTenant Span
	ActorSession       [16]byte
	ActorStarted       int64 // Unix milliseconds

	// Payload holds the texts. After Verify it is the decoded payload, with
	// the application's claims gathered behind it.
	Payload []byte
}

// Text returns the bytes of a span. They are valid until c is verified into
// again.
func (c *Claims) Text(s Span) []byte { return c.Payload[s.Start:s.End] }

// Add appends text to the payload and returns its span. It is how claims are
// put together before Sign, which refuses a payload that spans cannot reach into.
func (c *Claims) Add(text string) Span {
	start := len(c.Payload)
	c.Payload = append(c.Payload, text...)
	return Span{Start: uint16(start), End: uint16(len(c.Payload))} //nolint:gosec // Sign refuses longer payloads
}

// Acted reports whether the session is one in which somebody acts for the subject.
func (c *Claims) Acted() bool {
	return !c.Actor.IsZero() || !c.ActorTenant.IsZero() || c.ActorSession != [16]byte{} || c.ActorStarted != 0
}

// Reset empties c and keeps its buffer.
func (c *Claims) Reset() { *c = Claims{Payload: c.Payload[:0]} }

// Codec signs and verifies tokens of one format. It is safe for concurrent use.
type Codec interface {
	// Sign appends the token for c to dst. It fails if a claim cannot be
	// written in this format, if the token would exceed [MaxToken], or if
	// there is no key to sign with.
	Sign(dst []byte, c *Claims) ([]byte, error)

	// Verify fills c from the token, or returns [ErrInvalid] itself (never
	// wrapped). It checks form and signature, that the type is want, and that
	// the claims of that type are there and well formed; not the times, nor
	// whose token it is. c's former content is lost either way. It allocates
	// nothing once c's buffer has grown to the usual size.
	Verify(c *Claims, want Type, token string) error
}

// Algorithm names how a key signs. It belongs to the key, never to a token.
type Algorithm string

// The algorithms that exist.
const (
	HS256    Algorithm = "HS256"     // JWT: HMAC with SHA-256, RFC 7518 section 3.2
	ES256    Algorithm = "ES256"     // JWT: ECDSA with P-256 and SHA-256, RFC 7518 section 3.4
	EdDSA    Algorithm = "EdDSA"     // JWT: Ed25519, RFC 8037 section 3.1
	V4Local  Algorithm = "v4.local"  // PASETO: XChaCha20 and keyed BLAKE2b
	V4Public Algorithm = "v4.public" // PASETO: Ed25519
	Opaque   Algorithm = "opaque"    // opaque tokens: HMAC with SHA-256, cut to 16 bytes
)

// Symmetric reports whether who verifies can also sign.
func (a Algorithm) Symmetric() bool { return a == HS256 || a == V4Local || a == Opaque }

// Key is one signing or verifying key. A codec leaves out a key that is not
// whole: of another algorithm than its own, with too short a secret, with a
// public key of another kind.
type Key struct {
	ID        string // kid: 1 to 64 characters of base64url
	Algorithm Algorithm
	Secret    []byte `json:"-"` // symmetric algorithms: 32 bytes; HS256 and opaque: at least
	// Public verifies: an *ecdsa.PublicKey on P-256 for ES256, an
	// ed25519.PublicKey for EdDSA and v4.public.
	Public crypto.PublicKey
	// Signer signs, where Public is set and this node may: a private key, or
	// whatever speaks for one that is elsewhere. It is safe for concurrent use.
	Signer crypto.Signer `json:"-"`
	Sign   bool          // new tokens are signed with this key
}

// Format hides the secret.
func (k Key) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "key %s (%s)", k.ID, k.Algorithm) }

// KeySet is an immutable set of keys. A ring that changes makes a new one, so a
// codec recognises a change by the pointer.
type KeySet struct {
	// Keys that verify. At most one key of an algorithm signs.
	Keys []Key
}

// Keys is where a codec finds its keys. Implementations are safe for concurrent
// use, and cheap: a codec asks on every token.
type Keys interface {
	// KeySet returns the present set. It never returns nil.
	KeySet() *KeySet
}

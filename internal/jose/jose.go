// Package jose verifies compact JWS (RFC 7515) that are not ours: of a client that
// proves possession of a key, of another issuer that says that a user has logged
// out. Our own tokens are package codec/jwt's, which parses no header.
//
// It is the one importer of go-jose, and narrows it: whoever calls names the
// algorithms, none of which is symmetric; size, alphabet and header are checked
// before any signature; a header that wants something done (crit, b64, zip, keys
// to be fetched) is refused; a key in the header counts only where it is asked for.
package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/remuda-go/remuda/internal/payload"
)

// ErrInvalid is the one answer to a token that does not verify.
var ErrInvalid = errors.New("jose: invalid token")

// MaxToken is the length in bytes past which a token is refused unread.
const MaxToken = 8 << 10

// Algorithm is an "alg" (RFC 7518 section 3.1, RFC 8037 section 3.1).
type Algorithm string

// The algorithms that a caller may allow.
const (
	ES256 Algorithm = "ES256"
	EdDSA Algorithm = "EdDSA" // with Ed25519
	PS256 Algorithm = "PS256"
	RS256 Algorithm = "RS256"
)

// The lengths of RSA keys in bits: RFC 7518 section 3.3 wants the former; longer
// ones than the latter only cost time, and a client's key is the client's choice.
const (
	minRSA = 2048
	maxRSA = 4096
)

// Key is a public key: an *ecdsa.PublicKey on P-256, an ed25519.PublicKey, or an
// *rsa.PublicKey of 2048 to 4096 bits.
type Key struct {
	ID        string    // if not empty, tokens must name it
	Algorithm Algorithm // if not empty, the only one that the key is for
	Public    crypto.PublicKey
}

// Header is what the header of a verified token says.
type Header struct {
	Algorithm Algorithm
	KeyID     string
	Type      string // typ, as it is written
	Key       Key    // of VerifyEmbedded: the key that verified
}

// Verify returns the payload and the header of a token that one of the keys
// verifies with one of the algorithms, or [ErrInvalid] itself. A key in the header
// is refused. The type and what the payload says are for the caller to check. It
// is safe for concurrent use.
func Verify(token string, keys []Key, algorithms ...Algorithm) ([]byte, Header, error) {
	h, members, ok := open(token, algorithms)
	if !ok || members["jwk"] != nil {
		return nil, Header{}, ErrInvalid
	}
	for _, k := range keys {
		if k.ID != "" && k.ID != h.KeyID {
			continue
		}
		if text, ok := verify(token, k, h.Algorithm); ok {
			return text, h, nil
		}
	}
	return nil, Header{}, ErrInvalid
}

// VerifyEmbedded is Verify with the public key in the token's own header, as the
// proofs of RFC 9449 section 4.2 have it. It shows that the sender has the private
// key of Header.Key, and nothing more: whose it is, the caller knows by its
// [Thumbprint].
func VerifyEmbedded(token string, algorithms ...Algorithm) ([]byte, Header, error) {
	h, members, ok := open(token, algorithms)
	if !ok || members["jwk"] == nil {
		return nil, Header{}, ErrInvalid
	}
	k, err := ParseKey(members["jwk"])
	if err != nil {
		return nil, Header{}, ErrInvalid
	}
	text, ok := verify(token, k, h.Algorithm)
	if !ok {
		return nil, Header{}, ErrInvalid
	}
	h.Key = k
	return text, h, nil
}

// refused are header parameters that would have something fetched, unpacked or
// understood (RFC 7515 section 4.1, RFC 7516 section 4.1, RFC 7797).
var refused = []string{"crit", "b64", "zip", "enc", "jku", "x5u", "x5c"}

// open reads the header of a token in its one canonical encoding.
func open(token string, algorithms []Algorithm) (h Header, members map[string]jsontext.Value, ok bool) {
	if len(token) > MaxToken {
		return h, nil, false
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return h, nil, false
	}
	var text []byte
	for _, part := range slices.Backward(parts) { // the header last
		if text, ok = payload.Decode(text, part); !ok {
			return h, nil, false
		}
	}
	// Duplicates and bad UTF-8 are errors here, and case matters.
	if json.Unmarshal(text, &members) != nil {
		return h, nil, false
	}
	for _, name := range refused {
		if members[name] != nil {
			return h, nil, false
		}
	}
	ok = str(members, "alg", (*string)(&h.Algorithm)) && str(members, "kid", &h.KeyID) && str(members, "typ", &h.Type)
	return h, members, ok && slices.Contains(algorithms, h.Algorithm)
}

// str reads a member that is a text, if it is there.
func str(members map[string]jsontext.Value, name string, out *string) bool {
	return members[name] == nil || members[name].Kind() == '"' && json.Unmarshal(members[name], out) == nil
}

// verify verifies with one key, if it is one for the algorithm.
func verify(token string, k Key, a Algorithm) ([]byte, bool) {
	if k.Algorithm != "" && k.Algorithm != a || !fits(a, k.Public) {
		return nil, false
	}
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(a)})
	if err != nil {
		return nil, false
	}
	text, err := parsed.Verify(k.Public)
	if err != nil || a == PS256 && !wholeSalt(token, parsed.Signatures[0].Signature, k.Public.(*rsa.PublicKey)) {
		return nil, false
	}
	return text, true
}

// wholeSalt reports whether the salt of a PS256 signature is as long as the hash
// (RFC 7518 section 3.5). go-jose takes any length.
func wholeSalt(token string, signature []byte, public *rsa.PublicKey) bool {
	digest := sha256.Sum256([]byte(token[:strings.LastIndexByte(token, '.')]))
	return rsa.VerifyPSS(public, crypto.SHA256, digest[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
}

// fits reports whether a public key is one for an algorithm of this package.
func fits(a Algorithm, public crypto.PublicKey) bool {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return a == ES256 && k != nil && k.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return a == EdDSA && len(k) == ed25519.PublicKeySize
	case *rsa.PublicKey:
		return (a == PS256 || a == RS256) && k != nil && k.N != nil && k.N.BitLen() >= minRSA && k.N.BitLen() <= maxRSA
	default:
		return false
	}
}

// ParseKey reads a JWK (RFC 7517) that is a public key for signatures: not a
// private or symmetric one, nor one that says that it is for something else.
func ParseKey(jwk []byte) (Key, error) {
	var members struct {
		Alg Algorithm `json:"alg"`
		Kid string    `json:"kid"`
		Use string    `json:"use"`
		Ops []string  `json:"key_ops"`
	}
	if err := json.Unmarshal(jwk, &members); err != nil {
		return Key{}, fmt.Errorf("jose: %w", err)
	}
	if members.Use != "" && members.Use != "sig" || members.Ops != nil && !slices.Contains(members.Ops, "verify") {
		return Key{}, errors.New("jose: the JWK is not for signatures")
	}
	var parsed jose.JSONWebKey // private members make it a private key, which fits nothing
	if err := parsed.UnmarshalJSON(jwk); err != nil {
		return Key{}, fmt.Errorf("jose: %w", err)
	}
	k := Key{ID: members.Kid, Algorithm: members.Alg, Public: parsed.Key}
	for _, a := range []Algorithm{ES256, EdDSA, PS256, RS256} {
		if fits(a, k.Public) && (k.Algorithm == "" || k.Algorithm == a) {
			return k, nil
		}
	}
	return Key{}, errors.New("jose: the JWK is of a kind or for an algorithm that is not supported")
}

// Thumbprint returns the JWK thumbprint of a public key with SHA-256 (RFC 7638) in
// base64url, as "jkt" has it (RFC 9449 section 6.1).
func Thumbprint(public crypto.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("jose: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

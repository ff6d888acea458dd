package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/remuda-go/remuda/codec"
)

// State is what a key is good for at an instant.
type State string

// The states, in the order in which a key goes through them.
const (
	Pending     State = "pending"     // published; verifies and opens, makes nothing yet
	Active      State = "active"      // makes what is new
	Retiring    State = "retiring"    // verifies and opens what it made, until it expires
	Retired     State = "retired"     // does nothing; its secret is erased
	Compromised State = "compromised" // dead at once; its secret is erased
)

// key is one key as the ring has it. Keys can be compared.
type key struct {
	id  keyID
	alg codec.Algorithm // or Root

	created   time.Time
	activates time.Time // zero: not decided
	retires   time.Time // zero: not decided
	expires   time.Time // zero: not decided
	// compromised is when somebody said so; it needs no clock to take effect.
	compromised time.Time

	secret [secretSize]byte // zero: erased
}

// generated are the algorithms that the ring makes keys for.
var generated = map[codec.Algorithm]bool{
	Root: true, codec.HS256: true, codec.ES256: true, codec.EdDSA: true, codec.V4Local: true, codec.V4Public: true,
}

// newKey makes a pending key.
func newKey(alg codec.Algorithm, now time.Time) (key, error) {
	k := key{alg: alg, created: now}
	if _, err := rand.Read(k.id[:]); err != nil {
		return key{}, fmt.Errorf("keyring: %w", err)
	}
	if alg == codec.ES256 {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return key{}, fmt.Errorf("keyring: %w", err)
		}
		scalar, err := private.Bytes()
		if err != nil {
			return key{}, fmt.Errorf("keyring: %w", err)
		}
		copy(k.secret[:], scalar)
		return k, nil
	}
	if _, err := rand.Read(k.secret[:]); err != nil {
		return key{}, fmt.Errorf("keyring: %w", err)
	}
	return k, nil
}

func (k *key) erased() bool { return k.secret == [secretSize]byte{} }

// dead reports whether the key does nothing any more.
func (k *key) dead(now time.Time) bool {
	return !k.compromised.IsZero() || k.erased() || !k.expires.IsZero() && !now.Before(k.expires)
}

// diedAt is when the key died, for one that has.
func (k *key) diedAt() time.Time {
	if !k.compromised.IsZero() {
		return k.compromised
	}
	return k.expires
}

// candidate reports whether the key may be, or become, the active one.
func (k *key) candidate(now time.Time) bool {
	return !k.dead(now) && (k.retires.IsZero() || now.Before(k.retires))
}

// before reports whether k is to be active rather than o, both candidates: the
// newest whose activation has come; if it has for none, the next to come, and
// if none is decided, the oldest. So there is always one, and all nodes take
// the same.
func (k *key) before(o *key, now time.Time) bool {
	mine, other := !k.activates.IsZero() && !k.activates.After(now), !o.activates.IsZero() && !o.activates.After(now)
	switch {
	case mine != other:
		return mine
	case mine && !k.activates.Equal(o.activates):
		return k.activates.After(o.activates)
	case k.activates.IsZero() != o.activates.IsZero():
		return o.activates.IsZero()
	case !mine && !k.activates.Equal(o.activates):
		return k.activates.Before(o.activates)
	case !k.created.Equal(o.created):
		return k.created.Before(o.created)
	}
	return k.id.String() < o.id.String()
}

// state returns what the key is, given which of its algorithm is active.
func (k *key) state(now time.Time, active *key) State {
	switch {
	case !k.compromised.IsZero():
		return Compromised
	case k.dead(now):
		return Retired
	case k == active:
		return Active
	case k.candidate(now) && (k.activates.IsZero() || k.activates.After(now)):
		return Pending
	}
	return Retiring
}

// codecKey returns the key as a codec takes it; k is no root.
func (k *key) codecKey(sign bool) codec.Key {
	c := codec.Key{ID: k.id.String(), Algorithm: k.alg, Sign: sign}
	switch k.alg {
	case codec.HS256:
		c.Secret = k.derive("token")
	case codec.V4Local:
		c.Secret = k.derive("v4.local")
	default:
		c.Signer = k.signer()
		c.Public = c.Signer.Public()
	}
	return c
}

// signer returns the private key of an asymmetric one.
func (k *key) signer() crypto.Signer {
	if k.alg != codec.ES256 {
		return ed25519.NewKeyFromSeed(k.secret[:])
	}
	private, err := parseP256(k.secret)
	if err != nil {
		panic("keyring: a key that was checked is no scalar of P-256: " + err.Error())
	}
	return private
}

func parseP256(scalar [secretSize]byte) (*ecdsa.PrivateKey, error) {
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
}

// derive returns the key of k for one purpose: HKDF-SHA-256 (RFC 5869) with a
// label each, so that no key serves two things.
func (k *key) derive(purpose string) []byte { return derive(k.secret[:], purpose) }

func derive(secret []byte, purpose string) []byte {
	out, err := hkdf.Key(sha256.New, secret, nil, "remuda/1/"+purpose, secretSize)
	if err != nil {
		panic("keyring: HKDF refuses a constant length: " + err.Error())
	}
	return out
}

// Package keyring holds the keys of a Remuda installation: those that sign
// tokens and those from which all others are derived.
//
// A ring is made on first start and kept in a file beside the database (mode
// 0600), or given by configuration. All nodes of an installation use the same
// one. Whoever has a ring and the database can make tokens; either alone yields
// none.
package keyring

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/internal/mac"
)

// Use says what a key is for. No key has two uses.
type use string

const (
	useToken  use = "token"  // signs tokens
	useDerive use = "derive" // the root of the keys for sealing, CSRF tokens and hashes
)

const (
	secretSize = 32
	keyIDSize  = 6 // bytes; 8 characters of base64url
	ringIDSize = 16
)

// keyID names a key, in tokens and in front of everything made with it.
type keyID [keyIDSize]byte

func (id keyID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// key is one key as the file has it.
type key struct {
	id      keyID
	use     use
	alg     codec.Algorithm // with useToken
	active  bool            // used for what is made now; others only for what was made before
	created time.Time
	secret  [secretSize]byte
}

// Ring is a set of keys. It is immutable and safe for concurrent use.
type Ring struct {
	id   string
	keys []key
	set  *codec.KeySet
	// The derived keys: made with the active root, checked with all.
	active keyID
	roots  map[keyID]*root
}

// root holds what is derived from one key: a key for each purpose.
type root struct {
	seal    *mac.MAC
	csrf    *mac.MAC
	address *mac.MAC
}

// New makes a ring of fresh random keys, created at the given time, that is kept
// nowhere.
func New(now time.Time) (*Ring, error) {
	var id [ringIDSize]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	now = now.UTC().Truncate(time.Second)
	keys := make([]key, 0, 2)
	for _, k := range []key{{use: useToken, alg: codec.HS256}, {use: useDerive}} {
		k.active, k.created = true, now
		if _, err := rand.Read(k.id[:]); err != nil {
			return nil, fmt.Errorf("keyring: %w", err)
		}
		if _, err := rand.Read(k.secret[:]); err != nil {
			return nil, fmt.Errorf("keyring: %w", err)
		}
		keys = append(keys, k)
	}
	return build(base64.RawURLEncoding.EncodeToString(id[:]), keys)
}

// build checks the keys and derives what is derived.
func build(id string, keys []key) (*Ring, error) {
	r := &Ring{id: id, keys: keys, set: &codec.KeySet{}, roots: map[keyID]*root{}}
	seen := map[keyID]bool{}
	var signing, deriving int
	for _, k := range keys {
		if seen[k.id] {
			return nil, fmt.Errorf("keyring: key %v is there twice", k.id)
		}
		seen[k.id] = true
		switch k.use {
		case useToken:
			if k.active {
				signing++
			}
			r.set.Keys = append(r.set.Keys, codec.Key{ID: k.id.String(), Algorithm: k.alg, Secret: derive(k, "token"), Sign: k.active})
		case useDerive:
			if k.active {
				deriving++
				r.active = k.id
			}
			r.roots[k.id] = &root{
				seal:    mac.New(derive(k, "seal")),
				csrf:    mac.New(derive(k, "csrf")),
				address: mac.New(derive(k, "address")),
			}
		default:
			return nil, fmt.Errorf("keyring: key %v has an unknown use", k.id)
		}
	}
	if signing != 1 || deriving != 1 {
		return nil, errors.New("keyring: a ring has exactly one active key for each use")
	}
	return r, nil
}

// derive returns the key of k for one purpose: HKDF-SHA-256 (RFC 5869) with a
// label each, so that no key serves two things.
func derive(k key, purpose string) []byte {
	out, err := hkdf.Key(sha256.New, k.secret[:], nil, "remuda/1/"+purpose, secretSize)
	if err != nil {
		panic("keyring: HKDF refuses a constant length: " + err.Error())
	}
	return out
}

// ID names the ring. A store is bound to one ring by it. It is no secret.
func (r *Ring) ID() string { return r.id }

// Format hides the keys. (%p of a value that is no pointer goes past it; vet
// finds that.)
func (r Ring) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "keyring.Ring(%s)", r.id) }

// LogValue hides the keys.
func (r Ring) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// KeySet returns the keys that sign and verify tokens, for a codec.
func (r *Ring) KeySet() *codec.KeySet { return r.set }

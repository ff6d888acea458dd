// Package paseto is Version 4 of PASETO, reduced to what we issue ourselves:
// v4.local, encrypted and authenticated with a secret key, and v4.public, signed
// with Ed25519 (github.com/paseto-standard/paseto-spec, docs/01-Protocol-Versions/Version4.md).
//
// Version and purpose are properties of the key. The footer is not parsed: it is
// one exact string for each key and type,
//
//	{"kid":"<id of the key>","typ":"at"}
//
// or rt for refresh tokens, in base64url, and a token is recognised by it. The
// implicit assertion is the type alone: the two bytes at or rt. So nothing of
// a token is read before it has been authenticated, and neither key nor type can
// be exchanged. The payload is that of our JWTs, scanned as strictly, with iat,
// exp and auth_time as RFC 3339 dates.
//
// Access tokens under v4.public keys that have verified are remembered, up to a
// bound, until the key set changes: the same text again costs a lookup.
//
// Its own code is what the specification puts together: the encoding of pieces,
// the derivation of keys, their order. The primitives are those of
// golang.org/x/crypto and the standard library.
package paseto

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/internal/payload"
)

// Codec signs and verifies PASETO tokens. It is safe for concurrent use.
type Codec struct {
	keys  codec.Keys
	table atomic.Pointer[table]
}

var _ codec.Codec = (*Codec)(nil)

// New returns a codec over a ring of keys. Tokens are v4.local unless their
// claims say [codec.V4Public]. Keys that are not whole are left out: of an algorithm
// that is none of PASETO's, with an id that is not 1 to 64 characters of base64url,
// with a secret that has not 32 bytes, with a public key of another kind or of
// small order. A Signer that speaks for another public key than the one beside it
// is not used.
func New(keys codec.Keys) *Codec {
	c := &Codec{keys: keys}
	c.table.Store(newTable(keys.KeySet()))
	return c
}

// current returns the table of the present key set.
func (c *Codec) current() *table {
	t, set := c.table.Load(), c.keys.KeySet()
	if t.of != set {
		t = newTable(set)
		c.table.Store(t)
	}
	return t
}

// scratch is what a token needs on its way, from a pool: it would escape to the
// heap through the interfaces of hashes and signers.
type scratch struct {
	body []byte // the token's body, decoded
	text []byte // the payload to be sealed
	pae  []byte // what is hashed
	key  []byte // the last key that was derived
	sum  []byte // of the last hash
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Verify implements [codec.Codec].
func (c *Codec) Verify(cl *codec.Claims, want codec.Type, token string) error {
	if !c.verify(cl, want, token) {
		cl.Reset()
		return codec.ErrInvalid
	}
	return nil
}

func (c *Codec) verify(cl *codec.Claims, want codec.Type, token string) bool {
	if len(token) > codec.MaxToken {
		return false
	}
	t := c.current()
	e, body := t.find(token)
	if e == nil || e.typ != want {
		return false
	}
	remembered := e.remembered()
	if remembered && t.verified.Get(cl, want, token) {
		return true
	}
	*cl = codec.Claims{Type: want, Algorithm: e.algorithm, Key: e.id, Payload: cl.Payload[:0]}
	s := scratches.Get().(*scratch)
	text, ok := e.open(s, body)
	cl.Payload = append(cl.Payload, text...)
	scratches.Put(s)
	// If ok, the token is one that a holder of the key has made.
	if !ok || !payload.Scan(cl, payload.Dates) {
		return false
	}
	if remembered {
		t.verified.Put(token, cl)
	}
	return true
}

// open returns the payload of an authentic token. It belongs to s.
func (e *entry) open(s *scratch, body string) ([]byte, bool) {
	var ok bool
	if s.body, ok = payload.Decode(s.body, body); !ok {
		return nil, false
	}
	if e.local != nil {
		return e.local.open(s, s.body, e.tail)
	}
	return verify(s, e.public, s.body, e.tail)
}

// Sign implements [codec.Codec]. Without an algorithm in the claims the token is
// v4.local, and has a random nonce: signed again, the same claims give another
// token. An error of a Signer is returned as it is, wrapped.
func (c *Codec) Sign(dst []byte, cl *codec.Claims) ([]byte, error) {
	if cl.Type != codec.Access && cl.Type != codec.Refresh {
		return nil, fmt.Errorf("paseto: no token type %v", cl.Type)
	}
	if len(cl.Payload) > math.MaxUint16 {
		return nil, fmt.Errorf("paseto: the claims have %d bytes of text; %d are allowed", len(cl.Payload), codec.MaxToken)
	}
	e, err := c.current().signer(cl)
	if err != nil {
		return nil, err
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if s.text, err = payload.Append(s.text[:0], cl, payload.Dates); err != nil {
		return nil, err
	}
	size := len(e.header) + base64.RawURLEncoding.EncodedLen(len(s.text)+e.overhead) + len(e.footer)
	if size > codec.MaxToken {
		return nil, fmt.Errorf("paseto: the token would have %d bytes; %d are allowed", size, codec.MaxToken)
	}
	if err := e.seal(s); err != nil {
		return nil, err
	}
	if dst == nil {
		dst = make([]byte, 0, size)
	}
	dst = append(dst, e.header...)
	dst = base64.RawURLEncoding.AppendEncode(dst, s.body)
	return append(dst, e.footer...), nil
}

// seal makes the body of a token of the payload, both in s.
func (e *entry) seal(s *scratch) (err error) {
	if e.local != nil {
		s.body = e.local.seal(s, appendNonce(s.body[:0]), s.text, e.tail)
		return nil
	}
	s.body, err = sign(s, e.signer, s.text, e.tail)
	return err
}

// signer returns the entry that signs the claims.
func (t *table) signer(cl *codec.Claims) (*entry, error) {
	p := &t.local
	switch cl.Algorithm {
	case "", codec.V4Local:
	case codec.V4Public:
		p = &t.public
	default:
		return nil, fmt.Errorf("paseto: no algorithm %q", cl.Algorithm)
	}
	if e := p.signing[cl.Type]; e != nil {
		return e, nil
	}
	return nil, errors.New("paseto: the key ring has no key to sign with")
}

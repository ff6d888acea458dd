// Package jwt is the compact JWS form of tokens (RFC 7515, RFC 7519), reduced to
// what we issue ourselves, under HS256, ES256 and EdDSA keys.
//
// No header is ever parsed: a token of ours is recognised by its exact header
// segment, one known string for each key and type. So the algorithm is the key's,
// and a token cannot ask for another one. The signature is checked before the
// payload is decoded, and the payload is scanned strictly (package
// internal/payload): base64url in its one canonical form, JSON without white
// space, duplicates or trailing data; our own texts escape only the quote and the
// backslash, names escape nothing, and half a surrogate pair is refused wherever
// it stands. What verifies is byte for byte what Sign would write for the same
// claims, up to the order of members, and up to the signature: ECDSA has many
// for one message, and from (r, s) anyone makes the equally valid (r, n−s). So
// nothing is ever denied by a token's text; only session and generation name it.
//
// Access tokens under ES256 and EdDSA keys that have verified are remembered, up
// to a bound, until the key set changes: the same text again costs a lookup.
package jwt

import (
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/internal/payload"
)

// Codec signs and verifies JWTs. It is safe for concurrent use.
type Codec struct {
	keys  codec.Keys
	table atomic.Pointer[table]
}

var _ codec.Codec = (*Codec)(nil)

// New returns a codec over a ring of keys. Keys that are not whole are left out:
// of an algorithm that is none of JWT's, with an id that is not 1 to 64 characters
// of base64url, with a secret under 32 bytes, with a public key of another kind or
// curve, off its curve, or of small order. A Signer that speaks for another
// public key than the one beside it is not used.
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
	first := strings.IndexByte(token, '.')
	if first < 0 {
		return false
	}
	t := c.current()
	e := t.headers[token[:first]]
	if e == nil || e.typ != want {
		return false
	}
	last := len(token) - e.sigLen - 1
	if last <= first || token[last] != '.' {
		return false
	}
	remembered := e.remembered()
	if remembered && t.verified.Get(cl, want, token) {
		return true
	}
	buf, ok := e.key.verify(cl.Payload, token[:last], token[last+1:])
	if ok {
		// From here on the token is one that a holder of the key has made.
		buf, ok = payload.Decode(buf, token[first+1:last])
	}
	*cl = codec.Claims{Type: want, Algorithm: e.alg, Key: e.id, Payload: buf}
	if !ok || !payload.Scan(cl, payload.Numbers) {
		return false
	}
	if remembered {
		t.verified.Put(token, cl)
	}
	return true
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// Sign implements [codec.Codec]. Without an algorithm in the claims it signs with
// HS256. An error of a Signer is returned as it is, wrapped.
func (c *Codec) Sign(dst []byte, cl *codec.Claims) ([]byte, error) {
	if cl.Type != codec.Access && cl.Type != codec.Refresh {
		return nil, fmt.Errorf("jwt: no token type %v", cl.Type)
	}
	if len(cl.Payload) > math.MaxUint16 {
		return nil, fmt.Errorf("jwt: the claims have %d bytes of text; %d are allowed", len(cl.Payload), codec.MaxToken)
	}
	e := c.current().signer(cl)
	if e == nil {
		return nil, fmt.Errorf("jwt: the key ring has no key to sign with for %q", cl.Algorithm)
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	text, err := payload.Append((*buf)[:0], cl, payload.Numbers)
	if err != nil {
		return nil, err
	}
	*buf = text
	size := len(e.header) + base64.RawURLEncoding.EncodedLen(len(text)) + 1 + e.sigLen
	if size > codec.MaxToken {
		return nil, fmt.Errorf("jwt: the token would have %d bytes; %d are allowed", size, codec.MaxToken)
	}
	start := len(dst)
	if dst == nil {
		dst = make([]byte, 0, size)
	}
	dst = append(dst, e.header...)
	dst = base64.RawURLEncoding.AppendEncode(dst, text)
	return e.key.sign(dst, start)
}

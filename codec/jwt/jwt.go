// Package jwt is the compact JWS form of tokens (RFC 7515, RFC 7519), reduced to
// what we issue ourselves.
//
// No header is ever parsed: a token of ours is recognised by its exact header
// segment, one known string for each key and type. The signature is checked
// before the payload is decoded, and the payload is scanned strictly: base64url
// in its one canonical form, JSON without white space, duplicates or trailing
// data; our own texts escape only the quote and the backslash, names escape
// nothing, and half a surrogate pair is refused wherever it stands. What verifies
// is byte for byte what Sign would write for the same claims, up to the order of
// members.
package jwt

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/internal/mac"
	"github.com/remuda-go/remuda/internal/payload"
)

// hs256Len is the length of an HS256 signature in base64url.
const hs256Len = 43

// Codec signs and verifies JWTs. It is safe for concurrent use.
type Codec struct {
	keys  codec.Keys
	table atomic.Pointer[table]
}

var _ codec.Codec = (*Codec)(nil)

// New returns a codec over a ring of keys.
func New(keys codec.Keys) *Codec {
	c := &Codec{keys: keys}
	c.table.Store(newTable(keys.KeySet()))
	return c
}

// table is what is derived from one key set.
type table struct {
	of      *codec.KeySet
	headers map[string]entry // by exact header segment
	signing [codec.Refresh + 1]*entry
}

// entry is one key in one role.
type entry struct {
	header string // the segment and its dot
	typ    codec.Type
	mac    *mac.MAC
}

var typNames = map[codec.Type]string{codec.Access: "at+jwt", codec.Refresh: "rt+jwt"}

func newTable(set *codec.KeySet) *table {
	t := &table{of: set, headers: map[string]entry{}}
	for _, k := range set.Keys {
		if k.Algorithm != codec.HS256 || len(k.Secret) < mac.Size {
			continue // RFC 7518 section 3.2: a key is as long as the hash, or longer
		}
		keyed := mac.New(k.Secret)
		for typ, name := range typNames {
			header := fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":%q}`, k.Algorithm, k.ID, name)
			segment := base64.RawURLEncoding.EncodeToString([]byte(header))
			e := entry{header: segment + ".", typ: typ, mac: keyed}
			t.headers[segment] = e
			if k.Sign {
				t.signing[typ] = &e
			}
		}
	}
	return t
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
	cl.Reset()
	if len(token) > codec.MaxToken {
		return codec.ErrInvalid
	}
	first, last := strings.IndexByte(token, '.'), strings.LastIndexByte(token, '.')
	if first < 0 || first == last {
		return codec.ErrInvalid
	}
	e, ok := c.current().headers[token[:first]]
	if !ok || e.typ != want || !validHS256(e.mac, token[:last], token[last+1:]) {
		return codec.ErrInvalid
	}
	// From here on the token is one that a holder of the key has made.
	if cl.Payload, ok = payload.Decode(cl.Payload, token[first+1:last]); !ok {
		return codec.ErrInvalid
	}
	cl.Type = want
	if !payload.Scan(cl, payload.Numbers) {
		return codec.ErrInvalid
	}
	return nil
}

// validHS256 compares in the encoded form: a signature has one spelling, so
// padding, other alphabets and stray bits cannot pass.
func validHS256(m *mac.MAC, signed, signature string) bool {
	if len(signature) != hs256Len {
		return false
	}
	sum := m.SumString(signed)
	var want [hs256Len]byte
	base64.RawURLEncoding.Encode(want[:], sum[:])
	var diff byte
	for i := range want {
		diff |= want[i] ^ signature[i]
	}
	return diff == 0
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// Sign implements [codec.Codec].
func (c *Codec) Sign(dst []byte, cl *codec.Claims) ([]byte, error) {
	if cl.Type != codec.Access && cl.Type != codec.Refresh {
		return nil, fmt.Errorf("jwt: no token type %v", cl.Type)
	}
	if len(cl.Payload) > math.MaxUint16 {
		return nil, fmt.Errorf("jwt: the claims have %d bytes of text; %d are allowed", len(cl.Payload), codec.MaxToken)
	}
	e := c.current().signing[cl.Type]
	if e == nil {
		return nil, errors.New("jwt: the key ring has no key to sign with")
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	text, err := payload.Append((*buf)[:0], cl, payload.Numbers)
	if err != nil {
		return nil, err
	}
	*buf = text
	size := len(e.header) + base64.RawURLEncoding.EncodedLen(len(text)) + 1 + hs256Len
	if size > codec.MaxToken {
		return nil, fmt.Errorf("jwt: the token would have %d bytes; %d are allowed", size, codec.MaxToken)
	}
	start := len(dst)
	if dst == nil {
		dst = make([]byte, 0, size)
	}
	dst = append(dst, e.header...)
	dst = base64.RawURLEncoding.AppendEncode(dst, text)
	sum := e.mac.Sum(dst[start:])
	dst = append(dst, '.')
	return base64.RawURLEncoding.AppendEncode(dst, sum[:]), nil
}

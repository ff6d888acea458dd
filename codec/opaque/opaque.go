// Package opaque is the form of tokens that say nothing to those who carry them:
// who a session belongs to stands in its record. What a token does carry lets a
// forged one be refused without a lookup, and a leaked one be recognised.
//
// A token is rmd_at_ (access), rmd_rt_ (refresh) or rmd_ho_ (hand-off), and the
// base64url of 63 bytes:
//
//	version     1  the number 1
//	key id      6
//	session id 16
//	generation  4  big endian; 0 in hand-off tokens only
//	secret     16
//	MAC        16  HMAC-SHA-256, cut, over the prefix as text and the bytes so far
//	checksum    4  CRC-32 (IEEE), big endian, over the same and the MAC
//
// So every token has the same length, and its type is both in sight and under the
// MAC. The checksum proves nothing; it lets a scanner for leaked secrets tell a
// token from a text that only looks like one, offline and without keys: see
// [Pattern] and [Form].
package opaque

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync/atomic"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/internal/mac"
	"github.com/remuda-go/remuda/internal/payload"
)

// Pattern is a regular expression, the same in all dialects, for what may be a
// token in a text. A match is one if [Form] says so: if the CRC-32 (the usual one,
// of zip and PNG) of its first 7 characters and the first 59 of the bytes that the
// others encode is the last 4 of them, in big endian.
const Pattern = `rmd_(at|rt|ho)_A[Q-Za-f][A-Za-z0-9_-]{82}`

const (
	version   = 1
	prefixLen = len(accessPrefix)

	// Where the parts end, in the bytes that are authenticated: the prefix as
	// text, then the token's.
	versionAt    = prefixLen
	keyAt        = versionAt + 1
	sessionAt    = keyAt + idLen
	generationAt = sessionAt + 16
	secretAt     = generationAt + 4
	macAt        = secretAt + 16
	checksumAt   = macAt + macLen
	end          = checksumAt + crc32.Size

	idLen    = 6
	macLen   = 16
	textLen  = (end - prefixLen) * 4 / 3 // 63 bytes are 84 characters, all bits used
	tokenLen = prefixLen + textLen
)

// The prefixes of the types.
const (
	accessPrefix  = "rmd_at_"
	refreshPrefix = "rmd_rt_"
	handOffPrefix = "rmd_ho_"
)

var prefixes = map[codec.Type]string{codec.Access: accessPrefix, codec.Refresh: refreshPrefix, codec.HandOff: handOffPrefix}

// Codec signs and verifies opaque tokens. It is safe for concurrent use.
type Codec struct {
	keys  codec.Keys
	table atomic.Pointer[table]
}

var _ codec.Codec = (*Codec)(nil)

// New returns a codec over a ring of keys. A key is left out, as one that is not
// whole, unless its id is 8 characters of base64url, which are the 6 bytes that a
// token has room for.
func New(keys codec.Keys) *Codec {
	c := &Codec{keys: keys}
	c.table.Store(newTable(keys.KeySet()))
	return c
}

// table is what is derived from one key set.
type table struct {
	of      *codec.KeySet
	keys    map[keyID]*entry
	signing *entry
}

type keyID [idLen]byte

// entry is one key.
type entry struct {
	id  string
	raw keyID
	mac *mac.MAC
}

func newTable(set *codec.KeySet) *table {
	t := &table{of: set, keys: map[keyID]*entry{}}
	for _, k := range set.Keys {
		id, ok := payload.Decode(nil, k.ID)
		if k.Algorithm != codec.Opaque || len(k.Secret) < mac.Size || !ok || len(id) != idLen {
			continue
		}
		e := &entry{id: k.ID, raw: keyID(id), mac: mac.New(k.Secret)}
		t.keys[e.raw] = e
		if k.Sign {
			t.signing = e
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

// Verify implements [codec.Codec]. It fills Type, Session, Gen, JTI (the secret),
// Algorithm and Key, and nothing else.
func (c *Codec) Verify(cl *codec.Claims, want codec.Type, token string) error {
	cl.Reset()
	raw, typ := decode(cl.Payload, token)
	cl.Payload = raw[:0] // kept for its room only
	if typ == 0 || typ != want {
		return codec.ErrInvalid
	}
	e := c.current().keys[keyID(raw[keyAt:])]
	if e == nil {
		return codec.ErrInvalid
	}
	sum := e.mac.Sum(raw[:macAt])
	if subtle.ConstantTimeCompare(sum[:macLen], raw[macAt:checksumAt]) != 1 {
		return codec.ErrInvalid
	}
	// From here on the token is one that a holder of the key has made.
	gen := binary.BigEndian.Uint32(raw[generationAt:])
	if gen == 0 && want != codec.HandOff {
		return codec.ErrInvalid
	}
	cl.Type, cl.Gen, cl.Algorithm, cl.Key = want, gen, codec.Opaque, e.id
	copy(cl.Session[:], raw[sessionAt:])
	copy(cl.JTI[:], raw[secretAt:])
	return nil
}

// Form reports whether a text has the form of a token of ours, checksum included.
// It needs no keys and does not tell whether the token is genuine.
func Form(token string) bool {
	_, typ := decode(nil, token)
	return typ != 0
}

// decode returns, in dst, the prefix and the bytes of a token, and its type: 0 if
// the form is wrong.
func decode(dst []byte, token string) ([]byte, codec.Type) {
	if len(token) != tokenLen {
		return dst, 0
	}
	raw := slices.Grow(dst[:0], end)[:end]
	copy(raw, token)
	_, ok := payload.Decode(raw[prefixLen:], token[prefixLen:])
	if !ok || raw[versionAt] != version || crc32.ChecksumIEEE(raw[:checksumAt]) != binary.BigEndian.Uint32(raw[checksumAt:]) {
		return raw, 0
	}
	return raw, typeOf(token[:prefixLen])
}

// typeOf returns the type that has a prefix, or 0.
func typeOf(prefix string) codec.Type {
	switch prefix {
	case accessPrefix:
		return codec.Access
	case refreshPrefix:
		return codec.Refresh
	case handOffPrefix:
		return codec.HandOff
	default:
		return 0
	}
}

// Sign implements [codec.Codec]. The token carries Session, Gen and JTI, the
// secret; all other claims are ignored: they belong into the session's record.
func (c *Codec) Sign(dst []byte, cl *codec.Claims) ([]byte, error) {
	if cl.Algorithm != "" && cl.Algorithm != codec.Opaque {
		return nil, fmt.Errorf("opaque: no algorithm %q", cl.Algorithm)
	}
	prefix, ok := prefixes[cl.Type]
	if !ok {
		return nil, fmt.Errorf("opaque: no token type %v", cl.Type)
	}
	if cl.Gen == 0 && cl.Type != codec.HandOff {
		return nil, errors.New("opaque: the generation is missing")
	}
	e := c.current().signing
	if e == nil {
		return nil, errors.New("opaque: the key ring has no key to sign with")
	}
	raw := append(make([]byte, 0, end), prefix...)
	raw = append(raw, version)
	raw = append(raw, e.raw[:]...)
	raw = append(raw, cl.Session[:]...)
	raw = binary.BigEndian.AppendUint32(raw, cl.Gen)
	raw = append(raw, cl.JTI[:]...)
	sum := e.mac.Sum(raw)
	raw = append(raw, sum[:macLen]...)
	raw = binary.BigEndian.AppendUint32(raw, crc32.ChecksumIEEE(raw))
	if dst == nil {
		dst = make([]byte, 0, tokenLen)
	}
	return base64.RawURLEncoding.AppendEncode(append(dst, prefix...), raw[prefixLen:]), nil
}

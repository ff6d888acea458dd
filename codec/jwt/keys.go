package jwt

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/internal/mac"
	"github.com/remuda-go/remuda/internal/verified"
)

// The bounds of what is remembered: a usual token takes 1.2 KB.
const (
	maxVerified      = 32 << 10
	maxVerifiedBytes = 40 << 20
)

// table is what is derived from one key set.
type table struct {
	of       *codec.KeySet
	headers  map[string]*entry // by exact header segment
	signing  [len(algorithms)][codec.Refresh + 1]*entry
	verified *verified.Cache // access tokens of keys that are slow to verify
}

// algorithms are those of JWTs. The first is the default.
var algorithms = [...]codec.Algorithm{codec.HS256, codec.ES256, codec.EdDSA}

// entry is one key in one role.
type entry struct {
	header string // the segment and its dot
	typ    codec.Type
	id     string
	alg    codec.Algorithm
	key    key
	sigLen int // of a signature in base64url
}

// key is a key, made ready.
type key interface {
	// verify reports whether signature, of the right length, is the key's over
	// signed, and base64url in its canonical form. It may use buf and returns it,
	// grown where needed.
	verify(buf []byte, signed, signature string) ([]byte, bool)
	// sign appends a dot and the signature over dst from start on.
	sign(dst []byte, start int) ([]byte, error)
}

var typNames = map[codec.Type]string{codec.Access: "at+jwt", codec.Refresh: "rt+jwt"}

func newTable(set *codec.KeySet) *table {
	t := &table{of: set, headers: map[string]*entry{}, verified: verified.New(maxVerified, maxVerifiedBytes, time.Now)}
	for _, k := range set.Keys {
		ready, sigLen, signs := prepare(k)
		if ready == nil || !wholeID(k.ID) {
			continue
		}
		for typ, name := range typNames {
			header := fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":%q}`, k.Algorithm, k.ID, name)
			segment := base64.RawURLEncoding.EncodeToString([]byte(header))
			e := &entry{header: segment + ".", typ: typ, id: k.ID, alg: k.Algorithm, key: ready, sigLen: sigLen}
			t.headers[segment] = e
			if k.Sign && signs {
				t.signing[index(k.Algorithm)][typ] = e
			}
		}
	}
	return t
}

// prepare returns a whole key of ours, or nil, the length of its signatures in
// base64url, and whether it can sign.
func prepare(k codec.Key) (_ key, sigLen int, signs bool) {
	switch k.Algorithm {
	case codec.HS256:
		if len(k.Secret) >= mac.Size { // RFC 7518 section 3.2
			return hs256{mac.New(k.Secret)}, hs256Len, true
		}
	case codec.ES256:
		if public := p256(k.Public); public != nil {
			signer := es256Signer(k.Signer, public)
			return &es256{public, signer}, es256Len, signer != nil
		}
	case codec.EdDSA:
		if public := ed25519Point(k.Public); public != nil {
			signer := eddsaSigner(k.Signer, public)
			return &eddsa{public, signer}, eddsaLen, signer != nil
		}
	default: // another format's
	}
	return nil, 0, false
}

// index returns the place of an algorithm of ours.
func index(a codec.Algorithm) int {
	for i := range algorithms {
		if a == algorithms[i] {
			return i
		}
	}
	return -1
}

// signer returns what signs these claims, or nil.
func (t *table) signer(cl *codec.Claims) *entry {
	if cl.Algorithm == "" {
		return t.signing[0][cl.Type]
	}
	i := index(cl.Algorithm)
	if i < 0 {
		return nil
	}
	return t.signing[i][cl.Type]
}

// remembered reports whether tokens that verified are kept: those that come with
// every request, where looking them up is cheaper than verifying them again.
func (e *entry) remembered() bool { return e.typ == codec.Access && e.alg != codec.HS256 }

// wholeID reports whether a key id needs no escape anywhere.
func wholeID(id string) bool {
	const longest = 64
	if id == "" || len(id) > longest {
		return false
	}
	return strings.IndexFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) < 0
}

package paseto

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/internal/verified"
)

const (
	localHeader  = "v4.local."
	publicHeader = "v4.public."
)

// typNames are the types as footer and implicit assertion name them.
var typNames = map[codec.Type]string{codec.Access: "at", codec.Refresh: "rt"}

// The bounds of what is remembered: a usual token takes about 1 KiB.
const (
	maxVerified      = 32 << 10
	maxVerifiedBytes = 32 << 20
)

// table is what is derived from one key set.
type table struct {
	of            *codec.KeySet
	local, public purpose
	verified      *verified.Cache // access tokens of v4.public, which is slow to verify
}

// purpose holds the keys of one purpose, which never serve the other.
type purpose struct {
	footers map[string]*entry // by exact footer segment
	signing [codec.Refresh + 1]*entry
}

// entry is one key in one role: either local is set, or public and, if this node
// may sign, signer.
type entry struct {
	id        string
	algorithm codec.Algorithm
	typ       codec.Type
	header    string
	footer    string // the segment, with the dot before it
	tail      []byte // the last two pieces of what is authenticated
	overhead  int    // bytes that the body is longer than the payload

	local  *localKey
	public ed25519.PublicKey
	signer crypto.Signer
}

func newTable(set *codec.KeySet) *table {
	t := &table{of: set, verified: verified.New(maxVerified, maxVerifiedBytes, time.Now)}
	t.local.footers, t.public.footers = map[string]*entry{}, map[string]*entry{}
	for _, k := range set.Keys {
		if !validID(k.ID) {
			continue
		}
		switch k.Algorithm {
		case codec.V4Local:
			if len(k.Secret) == localKeySize {
				t.local.add(k, entry{header: localHeader, overhead: localOverhead, local: newLocalKey(k.Secret)}, k.Sign)
			}
		case codec.V4Public:
			if public, ok := wholePublic(k.Public); ok {
				signer := speaksFor(k.Signer, public)
				t.public.add(k, entry{header: publicHeader, overhead: ed25519.SignatureSize, public: public, signer: signer}, k.Sign && signer != nil)
			}
		default: // another codec's
		}
	}
	return t
}

// add enters a key under its footers.
func (p *purpose) add(k codec.Key, e entry, signs bool) {
	e.id, e.algorithm = k.ID, k.Algorithm
	for typ, name := range typNames {
		footer := fmt.Sprintf(`{"kid":"%s","typ":"%s"}`, k.ID, name)
		segment := base64.RawURLEncoding.EncodeToString([]byte(footer))
		own := e
		own.typ, own.footer, own.tail = typ, "."+segment, lastPieces(footer, name)
		p.footers[segment] = &own
		if signs {
			p.signing[typ] = &own
		}
	}
}

// find returns the entry whose header and footer a token has, or nil, and the
// token's body.
func (t *table) find(token string) (*entry, string) {
	p := &t.local
	rest, ok := strings.CutPrefix(token, localHeader)
	if !ok {
		p = &t.public
		if rest, ok = strings.CutPrefix(token, publicHeader); !ok {
			return nil, ""
		}
	}
	body, footer, ok := strings.Cut(rest, ".")
	if !ok {
		return nil, ""
	}
	return p.footers[footer], body
}

// remembered reports whether tokens that verified are kept: those that come with
// every request, where looking them up is cheaper than verifying them again.
func (e *entry) remembered() bool { return e.typ == codec.Access && e.local == nil }

// validID reports whether a key's id can stand in a footer as it is.
func validID(id string) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for _, ch := range []byte(id) {
		if !('a' <= ch && ch <= 'z' || 'A' <= ch && ch <= 'Z' || '0' <= ch && ch <= '9' || ch == '-' || ch == '_') {
			return false
		}
	}
	return true
}

package web

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/remuda-go/remuda/keyring"
)

// jwksMaxAge is for how long a verifier may keep the key set, in seconds. A key is
// published for longer before it signs.
const jwksMaxAge = 300

// KeySet serves the public keys of a ring as a JSON Web Key Set (RFC 7517 section
// 5), for whoever verifies tokens without asking us. Mount it at
// /.well-known/jwks.json. It holds the keys that are to sign next too, and never a
// symmetric one; with symmetric keys alone the set is empty.
func KeySet(ring *keyring.Ring) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		body, etag := ring.JWKS()
		h.Set("Cache-Control", "public, max-age="+strconv.Itoa(jwksMaxAge))
		h.Set("ETag", etag)
		h.Set("Access-Control-Allow-Origin", "*") // public, and no cookie counts
		h.Set("X-Content-Type-Options", "nosniff")
		if matches(r.Header.Values("If-None-Match"), etag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Type", "application/jwk-set+json")
		h.Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(body) // the client is gone: nobody is left to tell
		}
	})
}

// matches reports whether a list of entity tags has this one, or any (RFC 9110
// section 13.1.2; the comparison is weak).
func matches(lists []string, etag string) bool {
	for _, list := range lists {
		for one := range strings.SplitSeq(list, ",") {
			one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
			if one == etag || one == "*" {
				return true
			}
		}
	}
	return false
}

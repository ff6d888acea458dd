package keyring

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/remuda-go/remuda/codec"
)

// jwk is a public key as RFC 7517 has it, with the members of RFC 7518 section 6.2
// (EC) or RFC 8037 section 2 (OKP).
type jwk struct {
	KeyType   string          `json:"kty"`
	Use       string          `json:"use"`
	Algorithm codec.Algorithm `json:"alg"`
	ID        string          `json:"kid"`
	Curve     string          `json:"crv"`
	X         string          `json:"x"`
	Y         string          `json:"y,omitempty"`
}

// JWKS returns the public keys that verify JWTs, those to come included, as a JWK
// Set (RFC 7517), and a strong entity tag for it (RFC 9110 section 8.8.3). No other
// keys are in it. The body is shared and must not be changed.
func (r *Ring) JWKS() (body []byte, etag string) {
	s := r.live.now.Load()
	return s.jwks, s.etag
}

func jwks(set *codec.KeySet) (body []byte, etag string) {
	out := struct {
		Keys []jwk `json:"keys"`
	}{[]jwk{}}
	for i := range set.Keys {
		if k, ok := newJWK(&set.Keys[i]); ok {
			out.Keys = append(out.Keys, k)
		}
	}
	body, err := json.Marshal(out)
	if err != nil {
		panic("keyring: texts do not marshal: " + err.Error())
	}
	sum := sha256.Sum256(body)
	return body, `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// newJWK returns the JWK of a key, if it has one.
func newJWK(k *codec.Key) (jwk, bool) {
	text := base64.RawURLEncoding.EncodeToString
	out := jwk{Use: "sig", Algorithm: k.Algorithm, ID: k.ID}
	switch public := k.Public.(type) {
	case *ecdsa.PublicKey:
		point, err := public.Bytes() // 4 ‖ X ‖ Y, SEC 1 section 2.3.3
		if err != nil {
			return jwk{}, false
		}
		half := len(point) / 2
		out.KeyType, out.Curve, out.X, out.Y = "EC", "P-256", text(point[1:1+half]), text(point[1+half:])
		return out, k.Algorithm == codec.ES256
	case ed25519.PublicKey:
		out.KeyType, out.Curve, out.X = "OKP", "Ed25519", text(public)
		return out, k.Algorithm == codec.EdDSA
	}
	return jwk{}, false
}

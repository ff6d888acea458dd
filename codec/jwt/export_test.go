package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/internal/mac"
)

// SignPayload signs any payload as a token of the given type.
func (c *Codec) SignPayload(a codec.Algorithm, typ codec.Type, payload string) string {
	return c.SignText(a, c.Header(a, typ)+"."+base64.RawURLEncoding.EncodeToString([]byte(payload)))
}

// SignText signs header and payload as they are, with the key that signs.
func (c *Codec) SignText(a codec.Algorithm, signed string) string {
	token, err := c.current().signing[index(a)][codec.Access].key.sign([]byte(signed), 0)
	if err != nil {
		panic(err)
	}
	return string(token)
}

// Header is the header segment of tokens of the given type.
func (c *Codec) Header(a codec.Algorithm, typ codec.Type) string {
	h := c.current().signing[index(a)][typ].header
	return h[:len(h)-1]
}

// Floor is what no verification can do without: the MAC over a token and the
// base64url of its payload and signature.
func (c *Codec) Floor(dst []byte, signed, payload []byte) []byte {
	sum := c.current().signing[0][codec.Access].key.(hs256).mac.Sum(signed)
	dst, _ = base64.RawURLEncoding.AppendDecode(dst, payload)
	return base64.RawURLEncoding.AppendEncode(dst, sum[:])
}

// HS256Sum is the MAC as HS256 computes it.
func HS256Sum(key, message []byte) [mac.Size]byte { return mac.New(key).Sum(message) }

// VerifyES256 verifies r ‖ s as ES256 does.
func VerifyES256(public *ecdsa.PublicKey, message []byte, raw [64]byte) bool {
	digest := sha256.Sum256(message)
	return verifyES256(public, &digest, &raw)
}

// FromDER is how the answer of an ES256 signer is read.
func FromDER(der []byte) ([64]byte, bool) { return fromDER(der) }

// AppendDER is how r ‖ s is given to crypto/ecdsa.
func AppendDER(raw [64]byte) []byte { return appendDER(nil, &raw) }

// Ed25519Point reports whether a public key is whole.
func Ed25519Point(public []byte) bool { return ed25519Point(ed25519.PublicKey(public)) != nil }

// Headers returns how many headers are known.
func (c *Codec) Headers() int { return len(c.current().headers) }

// Remembered returns how many tokens are.
func (c *Codec) Remembered() int { return c.current().verified.Len() }

package paseto

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"

	"github.com/remuda-go/remuda/codec"
)

// The primitives, by the texts of the specification.

// Seal returns the body of a v4.local token.
func Seal(key, nonce, message []byte, footer, implicit string) []byte {
	s := scratches.Get().(*scratch)
	return newLocalKey(key).seal(s, append([]byte(nil), nonce...), message, lastPieces(footer, implicit))
}

// Open returns the message in the body of a v4.local token.
func Open(key, body []byte, footer, implicit string) ([]byte, bool) {
	s := scratches.Get().(*scratch)
	return newLocalKey(key).open(s, append([]byte(nil), body...), lastPieces(footer, implicit))
}

// SignBody returns the body of a v4.public token.
func SignBody(signer crypto.Signer, message []byte, footer, implicit string) ([]byte, error) {
	return sign(&scratch{}, signer, message, lastPieces(footer, implicit))
}

// VerifyBody returns the message in the body of a v4.public token.
func VerifyBody(key ed25519.PublicKey, body []byte, footer, implicit string) ([]byte, bool) {
	return verify(&scratch{}, key, body, lastPieces(footer, implicit))
}

// XChaCha20 encrypts or decrypts text in place.
func XChaCha20(text, key, nonce []byte) { xchacha20(text, key, nonce) }

// LowOrderY are the keys that are left out, but for the sign.
var LowOrderY = lowOrderY

// SignPayload makes a token of any payload with the key that signs, with a nonce
// of zeros.
func (c *Codec) SignPayload(alg codec.Algorithm, typ codec.Type, payload string) string {
	e, err := c.current().signer(&codec.Claims{Algorithm: alg, Type: typ})
	if err != nil {
		panic(err)
	}
	return e.signText([]byte(payload), string(e.tail), e.footer)
}

// SignFooter makes an access token whose footer is authenticated and any text.
func (c *Codec) SignFooter(alg codec.Algorithm, payload, footer string) string {
	e, err := c.current().signer(&codec.Claims{Algorithm: alg, Type: codec.Access})
	if err != nil {
		panic(err)
	}
	return e.signText([]byte(payload), string(lastPieces(footer, "at")), "."+base64.RawURLEncoding.EncodeToString([]byte(footer)))
}

func (e *entry) signText(payload []byte, tail, footer string) string {
	return e.header + base64.RawURLEncoding.EncodeToString(e.bodyOf(make([]byte, nonceSize), payload, tail)) + footer
}

func (e *entry) bodyOf(nonce, payload []byte, tail string) []byte {
	s := scratches.Get().(*scratch)
	if e.local != nil {
		return e.local.seal(s, nonce, payload, []byte(tail))
	}
	body, err := sign(s, e.signer, payload, []byte(tail))
	if err != nil {
		panic(err)
	}
	return body
}

// Footer is the footer of tokens of the given algorithm and type, with its dot.
func (c *Codec) Footer(alg codec.Algorithm, typ codec.Type) string {
	e, err := c.current().signer(&codec.Claims{Algorithm: alg, Type: typ})
	if err != nil {
		panic(err)
	}
	return e.footer
}

// Remembered returns how many tokens are.
func (c *Codec) Remembered() int { return c.current().verified.Len() }

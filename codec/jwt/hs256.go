package jwt

import (
	"encoding/base64"

	"github.com/remuda-go/remuda/internal/mac"
)

// hs256Len is the length of an HS256 signature in base64url.
const hs256Len = 43

// hs256 is HMAC with SHA-256 (RFC 7518 section 3.2).
type hs256 struct{ mac *mac.MAC }

// verify compares in the encoded form: a signature has one spelling, so padding,
// other alphabets and stray bits cannot pass.
func (k hs256) verify(buf []byte, signed, signature string) ([]byte, bool) {
	sum := k.mac.SumString(signed)
	var want [hs256Len]byte
	base64.RawURLEncoding.Encode(want[:], sum[:])
	var diff byte
	for i := range want {
		diff |= want[i] ^ signature[i]
	}
	return buf, diff == 0
}

func (k hs256) sign(dst []byte, start int) ([]byte, error) {
	sum := k.mac.Sum(dst[start:])
	dst = append(dst, '.')
	return base64.RawURLEncoding.AppendEncode(dst, sum[:]), nil
}

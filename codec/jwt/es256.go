package jwt

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/remuda-go/remuda/internal/payload"
)

const (
	es256Len   = 86 // an ES256 signature in base64url
	scalarSize = 32 // r, and s, in bytes (RFC 7518 section 3.4)
)

// es256 is ECDSA with P-256 and SHA-256 (RFC 7518 section 3.4).
type es256 struct {
	public *ecdsa.PublicKey
	signer crypto.Signer // nil where only others sign
}

func (k *es256) verify(buf []byte, signed, signature string) ([]byte, bool) {
	var raw [2 * scalarSize]byte
	if _, ok := payload.Decode(raw[:0], signature); !ok {
		return buf, false
	}
	buf = append(buf[:0], signed...)
	digest := sha256.Sum256(buf)
	return buf, verifyES256(k.public, &digest, &raw)
}

// verifyES256 verifies r ‖ s. That both lie between 1 and n−1 is seen to by
// crypto/ecdsa (FIPS 186-5 section 6.4.2), whose form is DER.
func verifyES256(public *ecdsa.PublicKey, digest *[sha256.Size]byte, raw *[2 * scalarSize]byte) bool {
	var room [maxDER]byte
	return ecdsa.VerifyASN1(public, digest[:], appendDER(room[:0], raw))
}

// maxDER is the longest DER form: two integers of 33 bytes, three headers.
const maxDER = 2 + 2*(2+scalarSize+1)

const (
	tagSequence = 0x30
	tagInteger  = 0x02
)

// appendDER appends SEQUENCE { INTEGER r, INTEGER s }, each in its shortest form.
func appendDER(dst []byte, raw *[2 * scalarSize]byte) []byte {
	start := len(dst)
	dst = append(dst, tagSequence, 0)
	for _, v := range [][]byte{raw[:scalarSize], raw[scalarSize:]} {
		v = bytes.TrimLeft(v, "\x00")
		size := byte(len(v)) //nolint:gosec // at most 32
		if len(v) == 0 || v[0] >= 0x80 {
			dst = append(dst, tagInteger, size+1, 0) // zero, or it would be read as negative
		} else {
			dst = append(dst, tagInteger, size)
		}
		dst = append(dst, v...)
	}
	dst[start+1] = byte(len(dst) - start - 2) //nolint:gosec // at most maxDER
	return dst
}

func (k *es256) sign(dst []byte, start int) ([]byte, error) {
	digest := sha256.Sum256(dst[start:])
	der, err := k.signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("jwt: ES256: %w", err)
	}
	raw, ok := fromDER(der)
	if !ok {
		return nil, errors.New("jwt: ES256: the signer's answer is no P-256 signature in DER")
	}
	dst = append(dst, '.')
	return base64.RawURLEncoding.AppendEncode(dst, raw[:]), nil
}

// fromDER returns r ‖ s, each padded on the left. It takes the one DER form of
// two integers between 1 and n−1, and nothing else.
func fromDER(der []byte) (raw [2 * scalarSize]byte, ok bool) {
	if len(der) < 2 || len(der) > maxDER || der[0] != tagSequence || int(der[1]) != len(der)-2 {
		return raw, false
	}
	rest, okR := scalar(raw[:scalarSize], der[2:])
	rest, okS := scalar(raw[scalarSize:], rest)
	return raw, okR && okS && len(rest) == 0
}

// scalar reads one INTEGER into out.
func scalar(out, der []byte) (rest []byte, ok bool) {
	if len(der) < 3 || der[0] != tagInteger || int(der[1]) > len(der)-2 || der[1] == 0 {
		return nil, false
	}
	v, rest := der[2:2+int(der[1])], der[2+int(der[1]):]
	if v[0] == 0 {
		if v = v[1:]; len(v) == 0 || v[0] < 0x80 {
			return nil, false // zero, or not the shortest form
		}
	} else if v[0] >= 0x80 {
		return nil, false // negative
	}
	if len(v) > scalarSize {
		return nil, false
	}
	copy(out[scalarSize-len(v):], v)
	return rest, bytes.Compare(out, p256Order) < 0
}

// p256Order is n, the order of the group.
var p256Order = elliptic.P256().Params().N.Bytes()

// p256 returns a copy of a whole public key on P-256, or nil.
func p256(k crypto.PublicKey) *ecdsa.PublicKey {
	public, ok := k.(*ecdsa.PublicKey)
	if !ok || public == nil || public.Curve != elliptic.P256() {
		return nil
	}
	if public.X == nil || public.Y == nil { //nolint:staticcheck // nothing else sees that they are missing
		return nil
	}
	point, err := public.Bytes()
	if err != nil {
		return nil
	}
	own, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil
	}
	return own
}

// es256Signer returns s if it speaks for this public key, or nil.
func es256Signer(s crypto.Signer, public *ecdsa.PublicKey) crypto.Signer {
	if s == nil {
		return nil
	}
	if own := p256(s.Public()); own == nil || !own.Equal(public) {
		return nil
	}
	return s
}

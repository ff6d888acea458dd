package jwt

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/remuda-go/remuda/internal/payload"
)

// eddsaLen is the length of an Ed25519 signature in base64url.
const eddsaLen = 86

// eddsa is Ed25519 (RFC 8037 section 3.1, RFC 8032 section 5.1).
type eddsa struct {
	public ed25519.PublicKey
	signer crypto.Signer // nil where only others sign
}

func (k *eddsa) verify(buf []byte, signed, signature string) ([]byte, bool) {
	var raw [ed25519.SignatureSize]byte
	if _, ok := payload.Decode(raw[:0], signature); !ok {
		return buf, false
	}
	buf = append(buf[:0], signed...)
	return buf, ed25519.Verify(k.public, buf, raw[:])
}

func (k *eddsa) sign(dst []byte, start int) ([]byte, error) {
	signature, err := k.signer.Sign(nil, dst[start:], crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("jwt: EdDSA: %w", err)
	}
	if len(signature) != ed25519.SignatureSize {
		return nil, errors.New("jwt: EdDSA: the signer's answer is no Ed25519 signature")
	}
	dst = append(dst, '.')
	return base64.RawURLEncoding.AppendEncode(dst, signature), nil
}

// ed25519Point returns a copy of a whole public key, or nil: the encoding of a
// point of the curve (RFC 8032 section 5.1.3) that is not of small order. Under
// one of those, signatures can be made that hold for many messages.
func ed25519Point(k crypto.PublicKey) ed25519.PublicKey {
	public, ok := k.(ed25519.PublicKey)
	if !ok || len(public) != ed25519.PublicKeySize {
		return nil
	}
	little := bytes.Clone(public)
	little[len(little)-1] &= 0x7f // the sign of x
	slices.Reverse(little)
	y := new(big.Int).SetBytes(little)
	if y.Cmp(fieldPrime) >= 0 || slices.ContainsFunc(smallOrder, func(small *big.Int) bool { return small.Cmp(y) == 0 }) {
		return nil
	}
	// x² = u/v with u = y²−1, v = dy²+1, is a square where uv is.
	y2 := new(big.Int).Mul(y, y)
	v := new(big.Int).Mul(curveD, y2)
	v.Add(v, big.NewInt(1))
	uv := v.Mul(v, y2.Sub(y2, big.NewInt(1)))
	if big.Jacobi(uv.Mod(uv, fieldPrime), fieldPrime) != 1 {
		return nil
	}
	return bytes.Clone(public)
}

var (
	fieldPrime = number("57896044618658097711785492504343953926634992332820282019728792003956564819949") // 2²⁵⁵−19
	curveD     = number("37095705934669439343138083508754565189542113879843219016388785533085940283555") // −121665/121666
	orderEight = number("2707385501144840649318225287225658788936804267575313519463743609750303402022")  // y of four points of order 8
	// smallOrder are the y of all points whose order divides 8.
	smallOrder = []*big.Int{
		big.NewInt(0), big.NewInt(1), new(big.Int).Sub(fieldPrime, big.NewInt(1)),
		orderEight, new(big.Int).Sub(fieldPrime, orderEight),
	}
)

// number returns a constant that is too long for Go's own.
func number(digits string) *big.Int {
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		panic("jwt: not a number: " + digits)
	}
	return n
}

// eddsaSigner returns s if it speaks for this public key, or nil.
func eddsaSigner(s crypto.Signer, public ed25519.PublicKey) crypto.Signer {
	if s == nil {
		return nil
	}
	if private, ok := s.(ed25519.PrivateKey); ok && len(private) != ed25519.PrivateKeySize {
		return nil
	}
	if !public.Equal(s.Public()) {
		return nil
	}
	return s
}

package paseto

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
)

// PublicKeyText returns a v4.public key as PASERK writes it (k4.public.…), so
// that others can verify our tokens; and nothing for a key of another length.
func PublicKeyText(key ed25519.PublicKey) string {
	if len(key) != ed25519.PublicKeySize {
		return ""
	}
	return "k4.public." + base64.RawURLEncoding.EncodeToString(key)
}

// sign returns the message and its signature (Version4.md, Sign). The result is
// built in s.body.
func sign(s *scratch, signer crypto.Signer, message, tail []byte) ([]byte, error) {
	signature, err := signer.Sign(rand.Reader, s.signed(message, tail), crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("paseto: %w", err)
	}
	if len(signature) != ed25519.SignatureSize {
		return nil, fmt.Errorf("paseto: the signer made a signature of %d bytes", len(signature))
	}
	return append(append(s.body[:0], message...), signature...), nil
}

// verify returns the message, a part of body, if its signature is right
// (Version4.md, Verify).
func verify(s *scratch, key ed25519.PublicKey, body, tail []byte) ([]byte, bool) {
	n := len(body) - ed25519.SignatureSize
	if n < 0 || !ed25519.Verify(key, s.signed(body[:n], tail), body[n:]) {
		return nil, false
	}
	return body[:n], true
}

// signed returns what is signed.
func (s *scratch) signed(message, tail []byte) []byte {
	s.pae = append(s.pae[:0], publicPieces...)
	s.pae = appendPiece(s.pae, message)
	s.pae = append(s.pae, tail...)
	return s.pae
}

// wholePublic returns a copy of a public key that is whole.
func wholePublic(k crypto.PublicKey) (ed25519.PublicKey, bool) {
	public, ok := k.(ed25519.PublicKey)
	if !ok || len(public) != ed25519.PublicKeySize || lowOrder(public) {
		return nil, false
	}
	return bytes.Clone(public), true
}

// speaksFor returns s if it signs for this public key, or nil.
func speaksFor(s crypto.Signer, public ed25519.PublicKey) crypto.Signer {
	if s == nil {
		return nil
	}
	if private, ok := s.(ed25519.PrivateKey); ok && len(private) != ed25519.PrivateKeySize {
		return nil // its Public panics
	}
	if !public.Equal(s.Public()) {
		return nil
	}
	return s
}

// lowOrderY are the y of the points of order 1, 2, 4 and 8 in all spellings, the
// sign of x left out. Under such a key there are signatures that verify for many
// messages, with no secret behind them; crypto/ed25519 takes it (RFC 8032 section
// 8.9 leaves it to the protocol).
var lowOrderY = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p-1
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p, which is 0
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p+1, which is 1
}

func lowOrder(key ed25519.PublicKey) bool {
	y := bytes.Clone(key)
	y[len(y)-1] &= 0x7f
	return slices.Contains(lowOrderY, hex.EncodeToString(y))
}

package paseto

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"

	"golang.org/x/crypto/chacha20"
)

const (
	localKeySize  = blakeKeySize
	nonceSize     = 32
	tagSize       = 32
	derivedSize   = chacha20.KeySize + chacha20.NonceSizeX
	localOverhead = nonceSize + tagSize
)

// localKey is a v4.local key: the derivations of the two keys of a token.
type localKey struct {
	encryption, authentication *derivation
}

func newLocalKey(secret []byte) *localKey {
	return &localKey{
		encryption:     newDerivation(derivedSize, secret, "paseto-encryption-key"),
		authentication: newDerivation(blakeKeySize, secret, "paseto-auth-key-for-aead"),
	}
}

// appendNonce appends a fresh nonce to dst.
func appendNonce(dst []byte) []byte {
	dst = append(dst, make([]byte, nonceSize)...)
	_, _ = rand.Read(dst[len(dst)-nonceSize:]) // it ends the program rather than fail
	return dst
}

// seal appends ciphertext and tag of the message to the nonce (Version4.md,
// Encrypt).
func (k *localKey) seal(s *scratch, nonce, message, tail []byte) []byte {
	body := append(nonce, message...)
	nonce, ciphertext := body[:nonceSize], body[nonceSize:]
	k.crypt(s, ciphertext, nonce)
	return append(body, k.sum(s, nonce, ciphertext, tail)...)
}

// open decrypts in place and returns the message of a body whose tag is right
// (Version4.md, Decrypt).
func (k *localKey) open(s *scratch, body, tail []byte) ([]byte, bool) {
	if len(body) < localOverhead {
		return nil, false
	}
	nonce, ciphertext, tag := body[:nonceSize], body[nonceSize:len(body)-tagSize], body[len(body)-tagSize:]
	if subtle.ConstantTimeCompare(k.sum(s, nonce, ciphertext, tail), tag) != 1 {
		return nil, false
	}
	k.crypt(s, ciphertext, nonce)
	return ciphertext, true
}

// sum returns the tag. It belongs to s.
func (k *localKey) sum(s *scratch, nonce, ciphertext, tail []byte) []byte {
	s.key = k.authentication.append(s.key[:0], s, nonce)
	h := newKeyed(tagSize, s.key)
	s.pae = append(s.pae[:0], localPieces...)
	s.pae = appendPiece(s.pae, nonce)
	s.pae = binary.LittleEndian.AppendUint64(s.pae, uint64(len(ciphertext)))
	h.Write(s.pae)
	h.Write(ciphertext)
	h.Write(tail)
	s.sum = h.Sum(s.sum[:0])
	return s.sum
}

// crypt encrypts or decrypts in place.
func (k *localKey) crypt(s *scratch, text, nonce []byte) {
	s.key = k.encryption.append(s.key[:0], s, nonce)
	xchacha20(text, s.key[:chacha20.KeySize], s.key[chacha20.KeySize:])
}

// xchacha20 encrypts or decrypts in place, from block 0 on.
func xchacha20(text, key, nonce []byte) {
	c, err := chacha20.NewUnauthenticatedCipher(key, nonce)
	if err != nil {
		panic("paseto: XChaCha20 refuses the lengths of key and nonce: " + err.Error())
	}
	c.XORKeyStream(text, text)
}

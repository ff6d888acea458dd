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

// localKey is a v4.local key: where the derivations of the two keys of a token
// stand once key and label have been hashed, and where every tag begins.
type localKey struct {
	encryption, authentication, tag state
}

func newLocalKey(secret []byte) *localKey {
	return &localKey{
		encryption:     keyedAfter(derivedSize, secret, "paseto-encryption-key"),
		authentication: keyedAfter(blakeKeySize, secret, "paseto-auth-key-for-aead"),
		tag:            keyedState(tagSize),
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
	key := s.derive(k.authentication, nonce)
	s.pae = append(s.pae[:0], localPieces...)
	s.pae = appendPiece(s.pae, nonce)
	s.pae = binary.LittleEndian.AppendUint64(s.pae, uint64(len(ciphertext)))
	h := s.blake.hash
	s.blake.key(k.tag, key)
	h.Write(s.pae)
	h.Write(ciphertext)
	h.Write(tail)
	s.sum = h.Sum(s.sum[:0])
	return s.sum
}

// crypt encrypts or decrypts in place.
func (k *localKey) crypt(s *scratch, text, nonce []byte) {
	derived := s.derive(k.encryption, nonce)
	xchacha20(text, derived[:chacha20.KeySize], derived[chacha20.KeySize:])
}

// xchacha20 encrypts or decrypts in place, from block 0 on.
func xchacha20(text, key, nonce []byte) {
	c, err := chacha20.NewUnauthenticatedCipher(key, nonce)
	if err != nil {
		panic("paseto: XChaCha20 refuses the lengths of key and nonce: " + err.Error())
	}
	c.XORKeyStream(text, text)
}

// derive returns what is derived from a key and a token's nonce. It belongs to s.
func (s *scratch) derive(from state, nonce []byte) []byte {
	s.blake.set(from)
	s.blake.hash.Write(nonce)
	s.sum = s.blake.hash.Sum(s.sum[:0])
	return s.sum
}

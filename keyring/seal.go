package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
)

// ErrSealed says that a blob does not open: it was changed, belongs to another
// row or kind, or was sealed under another ring.
var ErrSealed = errors.New("keyring: the sealed data does not open")

const (
	sealVersion = 1
	nonceSize   = 12
	// sealHeader is what stands in front of nonce and ciphertext.
	sealHeader = 1 + keyIDSize
)

// Seal encrypts plaintext for one row: AES-256-GCM (NIST SP 800-38D) with a
// random nonce, under a key of that session alone, bound to its kind, its
// session id and the key id. It appends the result to dst.
func (r *Ring) Seal(dst, plaintext []byte, kind string, session [16]byte) ([]byte, error) {
	aead, err := r.aead(r.active, session)
	if err != nil {
		return nil, err
	}
	var nonce [nonceSize]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, err
	}
	dst = append(dst, sealVersion)
	dst = append(dst, r.active[:]...)
	dst = append(dst, nonce[:]...)
	return aead.Seal(dst, nonce[:], plaintext, sealContext(kind, session, r.active)), nil
}

// Open decrypts what Seal made for the same row, and appends it to dst. It
// returns [ErrSealed] for everything else.
func (r *Ring) Open(dst, blob []byte, kind string, session [16]byte) ([]byte, error) {
	if len(blob) < sealHeader+nonceSize || blob[0] != sealVersion {
		return nil, ErrSealed
	}
	id := keyID(blob[1:sealHeader])
	aead, err := r.aead(id, session)
	if err != nil {
		return nil, err
	}
	nonce, sealed := blob[sealHeader:sealHeader+nonceSize], blob[sealHeader+nonceSize:]
	out, err := aead.Open(dst, nonce, sealed, sealContext(kind, session, id))
	if err != nil {
		return nil, ErrSealed
	}
	return out, nil
}

// aead returns the cipher of one session under one root.
func (r *Ring) aead(id keyID, session [16]byte) (cipher.AEAD, error) {
	root := r.roots[id]
	if root == nil {
		return nil, ErrSealed
	}
	// One block of HKDF-Expand (RFC 5869 section 2.3) with the session as info.
	k := root.seal.Sum2(session[:], []byte{1})
	block, err := aes.NewCipher(k[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// sealContext is the associated data. The kind is followed by a zero byte, so
// that no two triples give the same bytes.
func sealContext(kind string, session [16]byte, id keyID) []byte {
	ad := make([]byte, 0, len(kind)+1+len(session)+len(id))
	ad = append(append(ad, kind...), 0)
	return append(append(ad, session[:]...), id[:]...)
}

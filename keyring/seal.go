package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
)

// ErrSealed says that a blob does not open: it was changed, belongs to another
// row or kind, or was sealed under another ring, or under a root that this node
// does not know yet.
var ErrSealed = errors.New("keyring: the sealed data does not open")

// ErrDead says, beside [ErrSealed], that a blob does not open and never will: its
// root is retired or compromised.
var ErrDead = fmt.Errorf("%w: its root is dead", ErrSealed)

const (
	sealVersion = 1
	nonceSize   = 12
	// sealHeader is what stands in front of nonce and ciphertext.
	sealHeader = 1 + keyIDSize
)

// Box seals and opens what belongs to one session. It keeps the session's cipher,
// so that to open a blob and to seal its successor derives the key once, and it
// keeps the ring as it was when the box was made: it is for one piece of work, not
// to be kept. It is not safe for concurrent use.
type Box struct {
	ring    *snapshot
	session [16]byte
	id      keyID // of aead
	aead    cipher.AEAD
}

// Box returns the box of a session.
func (r *Ring) Box(session [16]byte) *Box { return &Box{ring: r.live.now.Load(), session: session} }

// Seal is [Box.Seal] for one use.
func (r *Ring) Seal(dst, plaintext []byte, kind string, session [16]byte) ([]byte, error) {
	return r.Box(session).Seal(dst, plaintext, kind)
}

// Open is [Box.Open] for one use.
func (r *Ring) Open(dst, blob []byte, kind string, session [16]byte) ([]byte, error) {
	return r.Box(session).Open(dst, blob, kind)
}

// Seal encrypts plaintext for one row: AES-256-GCM (NIST SP 800-38D) with a
// random nonce, under a key of that session alone, bound to its kind, its
// session id and the key id. It appends the result to dst.
func (b *Box) Seal(dst, plaintext []byte, kind string) ([]byte, error) {
	if b.ring.root == nil {
		return nil, ErrNoKey
	}
	id := b.ring.root.id
	aead, err := b.cipher(id)
	if err != nil {
		return nil, err
	}
	var nonce [nonceSize]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, err
	}
	dst = slices.Grow(dst, sealHeader+nonceSize+len(plaintext)+aead.Overhead())
	dst = append(dst, sealVersion)
	dst = append(dst, id[:]...)
	dst = append(dst, nonce[:]...)
	return aead.Seal(dst, nonce[:], plaintext, sealContext(kind, b.session, id)), nil
}

// Open decrypts what Seal made for the same row, and appends it to dst. It
// returns [ErrSealed] for everything else, and [ErrDead] with it where the root
// is known to be dead.
func (b *Box) Open(dst, blob []byte, kind string) ([]byte, error) {
	if len(blob) < sealHeader+nonceSize || blob[0] != sealVersion {
		return nil, ErrSealed
	}
	id := keyID(blob[1:sealHeader])
	aead, err := b.cipher(id)
	if err != nil {
		return nil, err
	}
	nonce, sealed := blob[sealHeader:sealHeader+nonceSize], blob[sealHeader+nonceSize:]
	out, err := aead.Open(dst, nonce, sealed, sealContext(kind, b.session, id))
	if err != nil {
		return nil, ErrSealed
	}
	return out, nil
}

// cipher returns the cipher of the session under one root.
func (b *Box) cipher(id keyID) (cipher.AEAD, error) {
	if b.aead != nil && b.id == id {
		return b.aead, nil
	}
	root := b.ring.roots[id]
	if root == nil {
		return nil, b.ring.unopened(id)
	}
	// One block of HKDF-Expand (RFC 5869 section 2.3) with the session as info.
	k := root.seal.Sum2(b.session[:], []byte{1})
	block, err := aes.NewCipher(k[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	b.id, b.aead = id, aead
	return aead, nil
}

// unopened says why there is no root of that id.
func (s *snapshot) unopened(id keyID) error {
	if k := s.doc.find(id.String()); k != nil && k.alg == Root {
		return ErrDead
	}
	return ErrSealed
}

// Stale reports whether a blob is under another root than the active one. Whoever
// changes the row anyway seals it anew, so that it outlives its root.
func (r *Ring) Stale(blob []byte) bool {
	s := r.live.now.Load()
	return len(blob) >= sealHeader && s.root != nil && keyID(blob[1:sealHeader]) != s.root.id
}

// sealContext is the associated data. The kind is followed by a zero byte, so
// that no two triples give the same bytes.
func sealContext(kind string, session [16]byte, id keyID) []byte {
	ad := make([]byte, 0, len(kind)+1+len(session)+len(id))
	ad = append(append(ad, kind...), 0)
	return append(append(ad, session[:]...), id[:]...)
}

package paseto

import (
	"hash"
	"sync"

	"golang.org/x/crypto/blake2b"
)

// blakeKeySize is the length of all keys of BLAKE2b (RFC 7693) in bytes.
const blakeKeySize = 32

// newKeyed returns a keyed hash of size bytes.
func newKeyed(size int, key []byte) hash.Hash {
	h, err := blake2b.New(size, key)
	if err != nil {
		panic("paseto: BLAKE2b refuses the length of a key or sum: " + err.Error())
	}
	return h
}

// derivation derives keys of tokens: the keyed hash over a label and a token's
// nonce. Its key stays, so hashes are kept for the next token.
type derivation struct {
	label string
	pool  sync.Pool
}

func newDerivation(size int, key []byte, label string) *derivation {
	own := append([]byte(nil), key...)
	return &derivation{label: label, pool: sync.Pool{New: func() any { return newKeyed(size, own) }}}
}

// append appends what is derived for a nonce to dst.
func (d *derivation) append(dst []byte, s *scratch, nonce []byte) []byte {
	h := d.pool.Get().(hash.Hash)
	h.Reset() // keeps the key
	s.pae = append(append(s.pae[:0], d.label...), nonce...)
	h.Write(s.pae)
	dst = h.Sum(dst)
	d.pool.Put(h)
	return dst
}

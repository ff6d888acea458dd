// Package mac computes HMAC-SHA-256 (RFC 2104, FIPS 180-4) without allocating.
package mac

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// Size is the length of a full MAC in bytes.
const Size = sha256.Size

// MAC is a key with its prepared hash states. It is safe for concurrent use.
type MAC struct {
	states sync.Pool
}

// Once returns the MAC of one message under a key of at most 64 bytes that is
// used too rarely to prepare it. It allocates nothing for messages up to 256
// bytes.
func Once(key, message []byte) [Size]byte {
	var block [sha256.BlockSize + 256]byte
	var outer [sha256.BlockSize + Size]byte
	if len(key) > sha256.BlockSize {
		panic("mac: the key is longer than a block")
	}
	copy(block[:], key)
	copy(outer[:], key)
	for i := range sha256.BlockSize {
		block[i] ^= 0x36 // ipad and opad, RFC 2104 section 2
		outer[i] ^= 0x5c
	}
	inner := sha256.Sum256(append(block[:sha256.BlockSize], message...))
	copy(outer[sha256.BlockSize:], inner[:])
	return sha256.Sum256(outer[:])
}

// state is one keyed hash and the buffers that would otherwise escape to the
// heap on their way through the hash interface.
type state struct {
	hash hash.Hash
	in   []byte
	out  [Size]byte
}

// New prepares a key. It copies it.
func New(key []byte) *MAC {
	own := append([]byte(nil), key...)
	m := &MAC{}
	m.states.New = func() any { return &state{hash: hmac.New(sha256.New, own)} }
	return m
}

// Sum returns the MAC over message.
func (m *MAC) Sum(message []byte) [Size]byte {
	s := m.get()
	s.in = append(s.in, message...)
	return m.sum(s)
}

// SumString returns the MAC over message.
func (m *MAC) SumString(message string) [Size]byte {
	s := m.get()
	s.in = append(s.in, message...)
	return m.sum(s)
}

// Sum2 returns the MAC over a followed by b. The caller sees to it that the
// border between them is unambiguous.
func (m *MAC) Sum2(a, b []byte) [Size]byte {
	s := m.get()
	s.in = append(append(s.in, a...), b...)
	return m.sum(s)
}

func (m *MAC) get() *state {
	s := m.states.Get().(*state)
	s.in = s.in[:0]
	return s
}

func (m *MAC) sum(s *state) [Size]byte {
	s.hash.Reset()
	s.hash.Write(s.in)
	s.hash.Sum(s.out[:0])
	out := s.out
	m.states.Put(s)
	return out
}

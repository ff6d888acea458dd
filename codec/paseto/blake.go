package paseto

import (
	"bytes"
	"encoding"
	"hash"

	"golang.org/x/crypto/blake2b"
)

// Keyed BLAKE2b (RFC 7693) for keys of 32 bytes that change with every token.
// A keyed hash of x/crypto is made for one key and costs an allocation; but it is
// the unkeyed one with the length of the key among its parameters and the key,
// filled up to a block with zeros, in front of the message (section 3.3). The
// unkeyed one can be set to a state, so one object serves all keys; and where the
// key stays, so does the state behind its block.

// blakeKeySize is the length of all keys in bytes.
const blakeKeySize = 32

// blakeHash is an unkeyed hash of x/crypto.
type blakeHash interface {
	hash.Hash
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// state is where a hash begins or stands, its size included.
type state []byte

// blake is a hash that is set to a state before each use.
type blake struct {
	hash  blakeHash
	block [blake2b.BlockSize]byte // for a key
}

func newBlake(size int) *blake {
	h, err := blake2b.New(size, nil)
	if err != nil {
		panic("paseto: BLAKE2b refuses a size: " + err.Error())
	}
	return &blake{hash: h.(blakeHash)}
}

func (b *blake) set(s state) {
	if err := b.hash.UnmarshalBinary(s); err != nil {
		panic("paseto: BLAKE2b refuses its own state: " + err.Error())
	}
}

// state returns where the hash stands.
func (b *blake) state() state {
	s, err := b.hash.MarshalBinary()
	if err != nil {
		panic("paseto: BLAKE2b does not give its state: " + err.Error())
	}
	return s
}

// key sets the hash to a keyed state and gives it the key.
func (b *blake) key(s state, key []byte) {
	b.set(s)
	copy(b.block[:], key)
	b.hash.Write(b.block[:])
}

// keyedState returns the state that a keyed hash of size bytes begins with: that
// of the unkeyed one, with the length of the key in the second lowest byte of its
// first word (RFC 7693 section 2.5). The word stands in big endian behind three
// bytes.
func keyedState(size int) state {
	const keyLength = 3 + 6
	b := newBlake(size)
	s := b.state()
	s[keyLength] ^= blakeKeySize
	b.check(s, size)
	return s
}

// check compares with a keyed hash of x/crypto. The form of its states is its own
// affair: another version may have another one, and then no token may be made.
func (b *blake) check(s state, size int) {
	key := bytes.Repeat([]byte{0x5a}, blakeKeySize)
	keyed, err := blake2b.New(size, key)
	if err != nil {
		panic("paseto: BLAKE2b refuses a key: " + err.Error())
	}
	b.key(s, key)
	if !bytes.Equal(b.hash.Sum(nil), keyed.Sum(nil)) {
		panic("paseto: this version of golang.org/x/crypto/blake2b keeps its state in another form")
	}
}

// keyedAfter returns the state of a keyed hash of size bytes behind key and text.
func keyedAfter(size int, key []byte, text string) state {
	b := newBlake(size)
	b.key(keyedState(size), key)
	b.hash.Write([]byte(text))
	return b.state()
}

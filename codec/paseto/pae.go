package paseto

import "encoding/binary"

// Pre-Authentication Encoding (docs/01-Protocol-Versions/Common.md): the number
// of pieces, then each piece behind its length, all numbers in 8 bytes, little
// endian. What we authenticate are five pieces (header, nonce, ciphertext,
// footer, implicit assertion) or four (header, message, footer, implicit
// assertion), of which the first and the last two are known beforehand.

const (
	localPieces  = "\x05\x00\x00\x00\x00\x00\x00\x00" + "\x09\x00\x00\x00\x00\x00\x00\x00" + localHeader
	publicPieces = "\x04\x00\x00\x00\x00\x00\x00\x00" + "\x0a\x00\x00\x00\x00\x00\x00\x00" + publicHeader
)

// lastPieces returns the last two.
func lastPieces(footer, implicit string) []byte {
	return appendPiece(appendPiece(nil, []byte(footer)), []byte(implicit))
}

func appendPiece(dst, piece []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(piece)))
	return append(dst, piece...)
}

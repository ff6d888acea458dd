package payload

import (
	"encoding/binary"
	"slices"
)

// The decoder is our own since encoding/base64 skips CR and LF even in strict
// mode, and takes bytes where we hold a string.

const (
	alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	notIn    = 1 << 31 // set in no valid value: four characters make 24 bits
)

// sextets maps a character to its six bits, for each of its four places in a
// group, or to notIn.
var sextets = func() (t [4][256]uint32) {
	for place := range t {
		for i := range t[place] {
			t[place][i] = notIn
		}
		for i := range len(alphabet) {
			t[place][alphabet[i]] = uint32(i) << (18 - 6*place)
		}
	}
	return t
}()

// Decode appends the bytes of unpadded base64url (RFC 4648 section 5) to
// dst[:0]. It reports false unless the text is the one canonical spelling: its
// characters are all in the alphabet and its unused bits are zero.
func Decode[T string | []byte](dst []byte, s T) ([]byte, bool) {
	n := len(s) / 4 * 3
	dst = slices.Grow(dst[:0], len(s)*3/4)[:n]
	t, out := &sextets, dst
	var bad uint32
	// Two groups at a time, while there is room for the two bytes too many.
	for ; len(s) >= 8 && len(out) >= 8; s, out = s[8:], out[6:] {
		v := t[0][s[0]] | t[1][s[1]] | t[2][s[2]] | t[3][s[3]]
		w := t[0][s[4]] | t[1][s[5]] | t[2][s[6]] | t[3][s[7]]
		bad |= v | w
		binary.BigEndian.PutUint64(out, uint64(v)<<40|uint64(w)<<16)
	}
	for ; len(s) >= 4 && len(out) >= 3; s, out = s[4:], out[3:] {
		v := t[0][s[0]] | t[1][s[1]] | t[2][s[2]] | t[3][s[3]]
		bad |= v
		out[0], out[1], out[2] = byte(v>>16), byte(v>>8), byte(v) //nolint:gosec // the low byte is meant
	}
	const unused2, unused3 = 1<<16 - 1, 1<<8 - 1 // the bits past one byte, past two
	switch len(s) {
	case 1:
		return dst, false
	case 2:
		v := t[0][s[0]] | t[1][s[1]]
		bad |= v | (v&unused2)<<16
		dst = append(dst, byte(v>>16)) //nolint:gosec // the low byte is meant
	case 3:
		v := t[0][s[0]] | t[1][s[1]] | t[2][s[2]]
		bad |= v | (v&unused3)<<24
		dst = append(dst, byte(v>>16), byte(v>>8)) //nolint:gosec // the low byte is meant
	}
	return dst, bad < 1<<24
}

package payload

import "slices"

// The decoder is our own since encoding/base64 skips CR and LF even in strict
// mode, and takes bytes where we hold a string.

const (
	alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	notIn    = 1 << 31 // survives every shift below in no valid value
)

// sextets maps a character to its six bits, or to notIn.
var sextets = func() (t [256]uint32) {
	for i := range t {
		t[i] = notIn
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = uint32(i)
	}
	return t
}()

// Decode appends the bytes of unpadded base64url (RFC 4648 section 5) to
// dst[:0]. It reports false unless the text is the one canonical spelling: its
// characters are all in the alphabet and its unused bits are zero.
func Decode[T string | []byte](dst []byte, s T) ([]byte, bool) {
	n := len(s) / 4 * 3
	dst = slices.Grow(dst[:0], len(s)*3/4)[:n]
	var bad uint32
	for out := dst; len(s) >= 4 && len(out) >= 3; s, out = s[4:], out[3:] {
		a, b, c, d := sextets[s[0]], sextets[s[1]], sextets[s[2]], sextets[s[3]]
		bad |= a | b | c | d
		v := a<<18 | b<<12 | c<<6 | d
		out[0], out[1], out[2] = byte(v>>16), byte(v>>8), byte(v) //nolint:gosec // the low byte is meant
	}
	switch len(s) {
	case 1:
		return dst, false
	case 2:
		a, b := sextets[s[0]], sextets[s[1]]
		bad |= a | b | b<<28               // the low four bits are unused
		dst = append(dst, byte(a<<2|b>>4)) //nolint:gosec // the low byte is meant
	case 3:
		a, b, c := sextets[s[0]], sextets[s[1]], sextets[s[2]]
		bad |= a | b | c | c<<30                            // the low two bits are unused
		dst = append(dst, byte(a<<2|b>>4), byte(b<<4|c>>2)) //nolint:gosec // the low byte is meant
	}
	return dst, bad&^63 == 0
}

package opaque

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
)

// Offsets in the bytes of a token, without the prefix.
const (
	KeyAt      = keyAt - prefixLen
	SessionAt  = sessionAt - prefixLen
	GenAt      = generationAt - prefixLen
	MACAt      = macAt - prefixLen
	ChecksumAt = checksumAt - prefixLen
	TokenLen   = tokenLen
)

// SignRaw makes a token of the first bytes of one, whatever they are, with the key
// that signs: MAC and checksum are right.
func (c *Codec) SignRaw(prefix string, raw []byte) string {
	text := append([]byte(prefix), raw...)
	sum := c.current().signing.mac.Sum(text)
	return Checked(prefix, append(text[len(prefix):], sum[:macLen]...))
}

// Checked adds the right checksum to whatever bytes.
func Checked(prefix string, raw []byte) string {
	text := append([]byte(prefix), raw...)
	text = binary.BigEndian.AppendUint32(text, crc32.ChecksumIEEE(text))
	return prefix + base64.RawURLEncoding.EncodeToString(text[len(prefix):])
}

// Floor is what no verification can do without: the MAC and the base64url.
func (c *Codec) Floor(dst, text []byte) []byte {
	dst, _ = base64.RawURLEncoding.AppendDecode(dst, text)
	sum := c.current().signing.mac.Sum(dst[:macAt])
	return append(dst, sum[0])
}

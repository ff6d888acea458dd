package jwt

import (
	"encoding/base64"

	"github.com/remuda-go/remuda/codec"
)

// SignPayload signs any payload as a token of the given type.
func (c *Codec) SignPayload(typ codec.Type, payload string) string {
	e := c.current().signing[typ]
	return e.signText(e.header[:len(e.header)-1] + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)))
}

// SignText signs header and payload as they are, with the key that signs.
func (c *Codec) SignText(signed string) string {
	return c.current().signing[codec.Access].signText(signed)
}

func (e *entry) signText(signed string) string {
	sum := e.mac.SumString(signed)
	return signed + "." + base64.RawURLEncoding.EncodeToString(sum[:])
}

// Header is the header segment of tokens of the given type.
func (c *Codec) Header(typ codec.Type) string {
	h := c.current().signing[typ].header
	return h[:len(h)-1]
}

// Floor is what no verification can do without: the MAC over a token and the
// base64url of its payload and signature.
func (c *Codec) Floor(dst []byte, signed, payload []byte) []byte {
	sum := c.current().signing[codec.Access].mac.Sum(signed)
	dst, _ = base64.RawURLEncoding.AppendDecode(dst, payload)
	return base64.RawURLEncoding.AppendEncode(dst, sum[:])
}

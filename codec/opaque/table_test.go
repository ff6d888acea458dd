package opaque_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/opaque"
)

// refuse reports an error unless the token is refused, in the one way.
func refuse(t testing.TB, c *opaque.Codec, name string, want codec.Type, token string) {
	t.Helper()
	cl := codec.Claims{Gen: 1, Payload: make([]byte, 10)}
	if err := c.Verify(&cl, want, token); err != codec.ErrInvalid { //nolint:errorlint // the contract: never wrapped
		t.Errorf("%s: %v for %.300s", name, err, token)
	}
	if says(&cl) != (plainClaims{}) || !sameOnly(&cl) {
		t.Errorf("%s: leaves %+v", name, cl)
	}
}

// refusedForms are made from a good token and have not its form.
func refusedForms(good string) map[string]string {
	prefix, text := good[:7], good[7:]
	list := map[string]string{
		"empty": "", "prefix": prefix, "text": text, "dots": strings.Repeat(".", opaque.TokenLen), "1 MB of dots": strings.Repeat(".", 1<<20), "1 MB of A": strings.Repeat("A", 1<<20),
		"A": strings.Repeat("A", opaque.TokenLen), "prefix and A": prefix + strings.Repeat("A", 84), "doubled": good + good, "text twice": prefix + text + text,
		"Bearer before": "Bearer " + good, "quoted": `"` + good + `"`, "two tokens": good + "," + good, "BOM before": "\ufeff" + good, "BOM instead": "\ufeff" + good[3:],
		"padded": good + "=", "doubly padded": good + "==", "padding instead": good[:90] + "=", "double padding instead": good[:89] + "==",
		"JWT": "eyJhbGciOiJub25lIn0.e30.", "JWT of the length": "eyJhbGciOiJub25lIn0." + strings.Repeat("A", 71), "PASETO of the length": "v4.local." + strings.Repeat("A", 82), "CSRF": strings.Repeat("A", 50),
		"capitals": strings.ToUpper(good), "percent": prefix + "%41" + text[3:], "full width": prefix + "\uff21" + text[3:], "cyrillic": prefix + "\u0410" + text[2:], "prefix cyrillic": "rmd_\u0430t_" + text[1:], "Kelvin sign": prefix + "\u212a" + text[3:],
	}
	for _, p := range []string{"rmd_xx_", "rmd_AT_", "RMD_at_", "Rmd_at_", "rmd-at-", "rmd_at-", "rmd.at.", "rmd at ", "rmd__at", "_rmd_at", "rmd_at=", "rmdatat", "ghp_at_", "rmd_a\u0442"} {
		list["prefix "+p] = p + text
	}
	for i := range good {
		list[fmt.Sprintf("cut at %d", i)] = good[:i]
		list[fmt.Sprintf("from %d", i+1)] = good[i+1:]
		for _, s := range []string{"\n", "\r\n", "\r", " ", "\t", "=", "\x00", ".", "+", "/", "\u200b"} {
			list[fmt.Sprintf("%q at %d", s, i)] = good[:i] + s + good[i:]
			if len(s) == 1 {
				list[fmt.Sprintf("%q instead of %d", s, i)] = good[:i] + s + good[i+1:]
			}
		}
	}
	for b := range 256 {
		list[fmt.Sprintf("byte %#x after", b)] = good + string([]byte{byte(b)})
		list[fmt.Sprintf("byte %#x before", b)] = string([]byte{byte(b)}) + good
		list[fmt.Sprintf("byte %#x after, one less", b)] = good[1:] + string([]byte{byte(b)})
	}
	text8 := []byte(good)
	for bit := range 8 * len(text8) {
		text8[bit/8] ^= 1 << (bit % 8)
		list[fmt.Sprint("bit ", bit)] = string(text8)
		text8[bit/8] ^= 1 << (bit % 8)
	}
	return list
}

func TestRefusedForms(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "BUG CVE-2026-27840")
	c, _ := newCodec()
	count := 0
	for typ := range types {
		good := sign(t, c, claims(typ))
		for name, token := range refusedForms(good) {
			count++
			refuse(t, c, name, typ, token)
			refuse(t, c, name, 0, token)
			if opaque.Form(token) {
				t.Errorf("%s has the form: %.300s", name, token)
			}
		}
		if err := c.Verify(&codec.Claims{}, typ, good); err != nil {
			t.Error("the token that the others are made from is refused")
		}
	}
	t.Logf("%d refused tokens", count)
	if count < 8_000 {
		t.Errorf("only %d refused tokens", count)
	}
}

// TestRefusedContents: the form is right, checksum included.
func TestRefusedContents(t *testing.T) {
	t.Parallel()
	c, r := newCodec()
	for typ, prefix := range types {
		good := decode(t, sign(t, c, claims(typ)))
		for bit := range 8 * opaque.ChecksumAt { // the checksum made anew
			raw := bytes.Clone(good[:opaque.ChecksumAt])
			raw[bit/8] ^= 1 << (bit % 8)
			token := opaque.Checked(prefix, raw)
			refuse(t, c, fmt.Sprint("bit ", bit), typ, token)
			if versioned := bit >= 8; opaque.Form(token) != versioned {
				t.Errorf("bit %d: the form is right: %v", bit, !versioned)
			}
		}
		for other, p := range types {
			if other == typ {
				continue
			}
			refuse(t, c, "another type wanted", other, sign(t, c, claims(typ)))
			refuse(t, c, "prefix changed", other, p+sign(t, c, claims(typ))[7:])
			refuse(t, c, "prefix and checksum changed", other, opaque.Checked(p, good[:opaque.ChecksumAt]))
		}
		refuse(t, c, "no wanted type", 0, sign(t, c, claims(typ)))
		refuse(t, c, "unknown type", 4, sign(t, c, claims(typ)))
		refuse(t, c, "MAC of zeros", typ, opaque.Checked(prefix, append(bytes.Clone(good[:opaque.MACAt]), make([]byte, 16)...)))
		for _, length := range []int{0, 1, 58, 60, 63, 64} {
			refuse(t, c, "another length", typ, opaque.Checked(prefix, make([]byte, length)))
		}
		// What the active key has authenticated.
		authentic := func(at int, b ...byte) string {
			raw := bytes.Clone(good[:opaque.MACAt])
			copy(raw[at:], b)
			return c.SignRaw(prefix, raw)
		}
		if token := authentic(0); c.Verify(&codec.Claims{}, typ, token) != nil {
			t.Error("the token that the others are made from is refused")
		}
		for _, version := range []byte{0, 2, 3, 0x81, 255} {
			refuse(t, c, "version", typ, authentic(0, version))
		}
		if typ != codec.HandOff {
			refuse(t, c, "generation 0", typ, authentic(opaque.GenAt, 0, 0, 0, 0))
		}
		refuse(t, c, "signed by another key than it says", typ, authentic(opaque.KeyAt, decodeID(t, oldKey.ID)...))
		refuse(t, c, "no prefix", typ, c.SignRaw("", good[:opaque.MACAt]))
		refuse(t, c, "another prefix", typ, c.SignRaw("rmd_xx_", good[:opaque.MACAt]))
		refuse(t, c, "a byte more", typ, c.SignRaw(prefix, append(bytes.Clone(good[:opaque.MACAt]), 0)))
		refuse(t, c, "a byte less", typ, c.SignRaw(prefix, good[:opaque.MACAt-1]))
	}
	r.replace()
	refuse(t, c, "no keys", codec.Access, sign(t, codecOf(activeKey), claims(codec.Access)))
}

func codecOf(keys ...codec.Key) *opaque.Codec {
	r := &ring{}
	r.replace(keys...)
	return opaque.New(r)
}

func decodeID(t *testing.T, id string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

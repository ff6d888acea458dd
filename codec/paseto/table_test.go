package paseto_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/paseto"
)

const (
	sid = `"AQIDAAAAAAAAAAAAAAAAAA"`
	jti = `"BAUGAAAAAAAAAAAAAAAAAA"`

	iat      = `"iat":"2026-11-25T08:30:00Z"`
	exp      = `"exp":"2026-11-25T08:40:00Z"`
	authTime = `"auth_time":"2026-11-25T08:00:00Z"`

	goodAccess  = `{"iss":"i","aud":"a","sub":"alice","sid":` + sid + `,` + iat + `,` + exp + `,"gen":7,"prf":"web",` + authTime + `,"sst":4}`
	goodRefresh = `{"iss":"i","aud":"a","sub":"alice","sid":` + sid + `,` + iat + `,` + exp + `,"gen":7,"jti":` + jti + `}`
)

// with is the good access payload with a member more.
func with(member string) string { return goodAccess[:len(goodAccess)-1] + "," + member + "}" }

// instead is the good access payload without its part old, or with another
// instead.
func instead(old, part string) string {
	if strings.Count(goodAccess, old) != 1 {
		panic("not there once: " + old)
	}
	return strings.Replace(goodAccess, old, part, 1)
}

// at is the good access payload with another exp, as JSON.
func at(value string) string { return instead(exp, `"exp":`+value) }

func encodeBytes(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func encode(text string) string { return encodeBytes([]byte(text)) }

// acceptedPayloads verify as access tokens.
var acceptedPayloads = []struct{ name, payload string }{
	{"canonical order", goodAccess},
	{"with a jti", with(`"jti":` + jti)},
	{"other order", `{"sst":4,` + authTime + `,"prf":"web","gen":7,` + exp + `,` + iat + `,"sid":` + sid + `,"sub":"alice","aud":"a","iss":"i"}`},
	{"escapes", instead(`alice`, `a\"b\\c`)},
	{"unicode", instead(`alice`, `Алиса é 😀`)},
	{"optional claims", with(`"acr":"2","amr":["pwd","otp"],"tenant":"t","anon":true`)},
	{"claims between", `{"a":1,"iss":"i","b":[true,false,null],"aud":"a","sub":"alice","c":{"d":{"e":"f"}},"sid":` + sid + `,` + iat + `,` + exp + `,"gen":7,"prf":"web","z":"",` + authTime + `,"sst":4}`},
	{"all JSON values", with(`"v":[0,-0,1.5,-1e9,1E+2,2e-3,"",{},[],"\u00e9\n\/\b\f\r\t\"\\",null]`)},
	{"the first second", at(`"1970-01-01T00:00:00Z"`)},
	{"the last second", at(`"9999-12-31T23:59:59Z"`)},
	{"a leap day", at(`"2028-02-29T00:00:00Z"`)},
	{"a leap day of a century", at(`"2000-02-29T00:00:00Z"`)},
	{"the last second of a day", at(`"2026-11-25T23:59:59Z"`)},
	{"a date of the application's", with(`"nbf_":"2026-11-25T08:30:00+01:00"`)},
}

// refusedPayloads are authentic, as access tokens. That of the JSON which does not
// differ is a choice: all is in the table of package jwt.
var refusedPayloads = []struct{ name, payload string }{
	{"empty", ``},
	{"null", `null`},
	{"array", `[` + goodAccess + `]`},
	{"text", encode(goodAccess)},
	{"cut short", goodAccess[:len(goodAccess)-1]},
	{"space before", ` ` + goodAccess},
	{"line feed after", goodAccess + "\n"},
	{"NUL after", goodAccess + "\x00"},
	{"BOM", "\ufeff" + goodAccess},
	{"two objects", goodAccess + goodAccess},
	{"space after colon", instead(`"iss":`, `"iss": `)},
	{"duplicate sub", with(`"sub":"admin"`)},
	{"duplicate exp", with(exp)},
	{"sub in capitals", with(`"SUB":"admin"`)},
	{"nbf", with(`"nbf":"2026-11-25T08:30:00Z"`)},
	{"a jti of zeros in an access token", with(`"jti":"AAAAAAAAAAAAAAAAAAAAAA"`)},
	{"act", with(`"act":{}`)},
	{"cnf", with(`"cnf":{}`)},
	{"no exp", instead(exp+`,`, ``)},
	{"no sub", instead(`"sub":"alice",`, ``)},
	{"gen 0", instead(`"gen":7`, `"gen":0`)},
	{"nested 9 deep", with(`"a":[[[[[[[[0]]]]]]]]`)},
	{"half a surrogate pair", with(`"a":"\ud800"`)},
	{"not UTF-8", instead(`alice`, "\xff")},
	{"a refresh token's claims", goodRefresh},
	// Times.
	{"a number", at(`1764000000`)},
	{"a number as text", at(`"1764000000"`)},
	{"null", at(`null`)},
	{"empty", at(`""`)},
	{"a date", at(`"2026-11-25"`)},
	{"+00:00", at(`"2026-11-25T08:40:00+00:00"`)},
	{"-00:00", at(`"2026-11-25T08:40:00-00:00"`)},
	{"an hour east", at(`"2026-11-25T09:40:00+01:00"`)},
	{"no zone", at(`"2026-11-25T08:40:00"`)},
	{"no zone, 20 characters", at(`"2026-11-25T08:40:000"`)},
	{"small z", at(`"2026-11-25T08:40:00z"`)},
	{"small t", at(`"2026-11-25t08:40:00Z"`)},
	{"space for T", at(`"2026-11-25 08:40:00Z"`)},
	{"underscore for T", at(`"2026-11-25_08:40:00Z"`)},
	{"fraction", at(`"2026-11-25T08:40:00.0Z"`)},
	{"fraction with a comma", at(`"2026-11-25T08:40:00,0Z"`)},
	{"no seconds", at(`"2026-11-25T08:40Z"`)},
	{"basic form", at(`"20261125T084000Z"`)},
	{"week date", at(`"2026-W48-3T08:40:00Z"`)},
	{"year of 5 digits", at(`"12026-11-25T08:40:00Z"`)},
	{"year with a sign", at(`"+2026-11-25T08:40:00Z"`)},
	{"negative year", at(`"-026-11-25T08:40:00Z"`)},
	{"before 1970", at(`"1969-12-31T23:59:59Z"`)},
	{"year 0", at(`"0000-01-01T00:00:00Z"`)},
	{"month 0", at(`"2026-00-25T08:40:00Z"`)},
	{"month 13", at(`"2026-13-25T08:40:00Z"`)},
	{"day 0", at(`"2026-11-00T08:40:00Z"`)},
	{"31 November", at(`"2026-11-31T08:40:00Z"`)},
	{"30 February", at(`"2028-02-30T08:40:00Z"`)},
	{"29 February", at(`"2026-02-29T08:40:00Z"`)},
	{"29 February 2100", at(`"2100-02-29T08:40:00Z"`)},
	{"hour 24", at(`"2026-11-25T24:00:00Z"`)},
	{"minute 60", at(`"2026-11-25T08:60:00Z"`)},
	{"second 60", at(`"2026-11-25T08:40:60Z"`)},
	{"leap second", at(`"2016-12-31T23:59:60Z"`)},
	{"one digit", at(`"2026-1-25T08:40:00Z"`)},
	{"spaces for zeros", at(`"2026-11-25T 8:40:00Z"`)},
	{"full-width digit", at(`"202６-11-25T08:40:0Z"`)},
	{"escaped digit", at(`"\u0032026-11-25T08:40:00Z"`)},
	{"escaped Z", at(`"2026-11-25T08:40:00\u005a"`)},
	{"space before", at(`" 2026-11-25T08:40:00Z"`)},
	{"space after", at(`"2026-11-25T08:40:00Z "`)},
	{"line feed after", at(`"2026-11-25T08:40:00Z\n"`)},
	{"en dash", at(`"2026–11-25T08:40Z"`)},
	{"sst as a date", instead(`"sst":4`, `"sst":"2026-11-25T08:40:00Z"`)},
	{"iat as a number", instead(iat, `"iat":1`)},
	{"auth_time as a number", instead(authTime, `"auth_time":1`)},
	{"cut in a date", `{"exp":"2026-11-25T08:40:00`},
}

// refusedFooters are authenticated, over a good payload, by the key k.
func refusedFooters(k string) []string {
	footer := func(text string) string { return strings.ReplaceAll(text, "KEY", k) }
	return []string{
		``, `{}`, `null`, `[]`, k, `"` + k + `"`,
		footer(`{"kid":"KEY"}`), `{"typ":"at"}`, footer(`{"typ":"at","kid":"KEY"}`),
		footer(`{"kid":"KEY","typ":"rt"}`), footer(`{"kid":"KEY","typ":"AT"}`), footer(`{"kid":"KEY","typ":""}`), footer(`{"kid":"KEY","typ":null}`), footer(`{"kid":"KEY","typ":["at"]}`), footer(`{"kid":"KEY","typ":"ho"}`), footer(`{"kid":"KEY","typ":"at+jwt"}`),
		`{"kid":"","typ":"at"}`, `{"kid":"other","typ":"at"}`, `{"kid":null,"typ":"at"}`, `{"kid":"` + strings.ToUpper(k) + `","typ":"at"}`, `{"kid":"../../dev/null","typ":"at"}`, `{"kid":"' OR '1'='1","typ":"at"}`, footer(`{"kid":["KEY"],"typ":"at"}`), "{\"kid\":\"" + strings.Replace(k, "a", "\u0430", 1) + "\",\"typ\":\"at\"}", footer(`{"kid":"KEY\u0000","typ":"at"}`),
		`{"kid":"l_old","typ":"at"}`, `{"kid":"p_old","typ":"at"}`, `{"kid":"k4.lid.AAAA","typ":"at"}`,
		footer(`{"kid":"KEY","typ":"at","x":1}`), footer(`{"x":1,"kid":"KEY","typ":"at"}`), footer(`{"kid":"KEY","x":1,"typ":"at"}`), footer(`{"kid":"KEY","typ":"at","wpk":"k4.local-wrap.pie.AAAA"}`), footer(`{"kid":"KEY","typ":"at","exp":"2026-11-25T08:40:00Z"}`),
		footer(`{"kid":"KEY","kid":"KEY","typ":"at"}`), footer(`{"kid":"KEY","typ":"at","typ":"at"}`), footer(`{"kid":"KEY","typ":"rt","typ":"at"}`), footer(`{"KID":"KEY","typ":"at"}`), footer("{\"\u212aid\":\"KEY\",\"typ\":\"at\"}"),
		footer(`{"kid":"KEY", "typ":"at"}`), footer(`{ "kid":"KEY","typ":"at"}`), footer(` {"kid":"KEY","typ":"at"}`), footer(`{"kid":"KEY","typ":"at"} `), footer("{\"kid\":\"KEY\",\"typ\":\"at\"}\n"), footer("\ufeff{\"kid\":\"KEY\",\"typ\":\"at\"}"), footer(`{"kid":"KEY","typ":"at",}`), footer(`{"kid":"KEY","typ":"at"}{}`), footer(`{"kid":"KEY","typ":"at"}.`), footer(`{"kid":"KEY","typ":"\u0061t"}`), footer(`{"\u006bid":"KEY","typ":"at"}`),
	}
}

// parts of a token of ours.
type parts struct{ header, body, footer string }

func split(t testing.TB, token string) parts {
	t.Helper()
	list := strings.Split(token, ".")
	if len(list) != 4 {
		t.Fatalf("%d parts in %s", len(list), token)
	}
	return parts{list[0] + "." + list[1], list[2], list[3]}
}

func (p parts) String() string { return p.header + "." + p.body + "." + p.footer }

// refusedTokens are made from a good one, without what needs the key.
func refusedTokens(t testing.TB, c *paseto.Codec, alg codec.Algorithm) map[string]string {
	t.Helper()
	good := c.SignPayload(alg, codec.Access, goodAccess)
	p := split(t, good)
	raw, err := base64.RawURLEncoding.DecodeString(p.body)
	if err != nil {
		t.Fatal(err)
	}
	dotted := func(list ...string) string { return strings.Join(list, ".") }
	body := func(b []byte) string { return dotted(p.header, encodeBytes(b), p.footer) }
	zero := func(n int) string { return body(make([]byte, n)) }
	list := map[string]string{
		"empty": "", "dot": ".", "dots": "...", "1 MB of dots": strings.Repeat(".", 1<<20), "8 KiB of dots": strings.Repeat(".", 8<<10), "header and 1 MB of dots": p.header + strings.Repeat(".", 1<<20), "header and 4 KiB of dots": p.header + strings.Repeat(".", 4<<10), "1 MB of A": strings.Repeat("A", 1<<20),
		"header only": p.header, "header and dot": p.header + ".", "header and two dots": p.header + "..", "no footer": dotted(p.header, p.body), "empty footer": dotted(p.header, p.body, ""), "no body": dotted(p.header, p.footer), "empty body": dotted(p.header, "", p.footer), "no header": dotted(p.body, p.footer),
		"five parts": dotted(good, p.footer), "empty fifth part": good + ".", "dot first": "." + good, "empty part": dotted(p.header, "", p.body, p.footer), "dot within the body": dotted(p.header, p.body[:8], p.body[8:], p.footer), "dot within the footer": dotted(p.header, p.body, p.footer[:8], p.footer[8:]), "footer twice": dotted(p.header, p.body, p.footer, p.footer),
		"space before": " " + good, "space after": good + " ", "line feed after": good + "\n", "NUL after": good + "\x00", "BOM before": "\ufeff" + good, "Bearer before": "Bearer " + good, "quoted": `"` + good + `"`, "two tokens": good + "," + good, "doubled": good + good,
		"body padded": dotted(p.header, p.body+"=", p.footer), "body doubly padded": dotted(p.header, p.body+"==", p.footer), "footer padded": good + "=", "footer doubly padded": good + "==", "body percent": dotted(p.header, p.body+"%", p.footer), "body full width": dotted(p.header, "\uff21"+p.body[1:], p.footer), "4n+1": dotted(p.header, p.body+"A", p.footer),
		"body in hex": dotted(p.header, fmt.Sprintf("%x", raw), p.footer), "footer is JSON": dotted(p.header, p.body, `{"kid":"l-active","typ":"at"}`), "footer in capitals": dotted(p.header, p.body, strings.ToUpper(p.footer)), "body and footer swapped": dotted(p.header, p.footer, p.body),
		"nothing in the body": zero(0), "31 bytes": zero(31), "32 bytes": zero(32), "63 bytes": zero(63), "64 bytes": zero(64), "65 bytes": zero(65), "zeros": zero(len(raw)),
		"a byte more": body(append(slices.Clip(raw), 0)), "a byte less": body(raw[:len(raw)-1]), "a byte in front": body(append([]byte{0}, raw...)), "first byte missing": body(raw[1:]), "twice": body(append(slices.Clip(raw), raw...)),
		"JWT": encode(`{"alg":"HS256","kid":"l-active","typ":"at+jwt"}`) + "." + encode(goodAccess) + "." + strings.Repeat("A", 43), "JWT, alg none": encode(`{"alg":"none"}`) + "." + encode(goodAccess) + ".", "JWT parts with our header": dotted(p.header, encode(`{"alg":"none"}`), encode(goodAccess), ""), "opaque": "rmd_at_" + strings.Repeat("A", 84), "JSON": `{"payload":"` + p.body + `"}`,
		"9 KiB": c.SignPayload(alg, codec.Access, with(`"a":"`+strings.Repeat("a", 7<<10)+`"`)), "100,000 open arrays": c.SignPayload(alg, codec.Access, strings.Repeat("[", 100_000)),
		"nested token": c.SignPayload(alg, codec.Access, good), "refresh token": c.SignPayload(alg, codec.Refresh, goodRefresh), "refresh claims": c.SignPayload(alg, codec.Access, goodRefresh), "footer of a refresh token": dotted(p.header, p.body, c.Footer(alg, codec.Refresh)[1:]), "access claims as refresh": c.SignPayload(alg, codec.Refresh, goodAccess),
		"payload in the clear": body([]byte(goodAccess)), "payload of another token": body(append(raw[:40:40], make([]byte, len(raw)-40)...)),
	}
	for _, header := range []string{"v1.local", "v1.public", "v2.local", "v2.public", "v3.local", "v3.public", "v4.other", "v4.Local", "V4.local", "v4.LOCAL", "v4.Public", "v4local", "v4", "v4.", ".local", "v04.local", "v4 .local", "v4.local ", "v5.local", "v5.public", "v4c.local", "v4.locals", "v4.pub", "v4.secret", "k4.local", "k4.public", "v４.local", "v4\u2024local", "v4.l\u043ecal", "v4.pub\u0131ic", "v4..local", "v4,local", "v4/public"} {
		list["header "+header] = dotted(header, p.body, p.footer)
		list["header "+header+" instead of the name"] = header + good[len(p.header):]
	}
	other := map[codec.Algorithm]codec.Algorithm{codec.V4Local: codec.V4Public, codec.V4Public: codec.V4Local}[alg]
	list["other purpose"] = dotted(string(other), p.body, p.footer)
	list["other purpose, its footer"] = dotted(string(other), p.body) + c.Footer(other, codec.Access)
	list["footer of the other purpose's key"] = dotted(p.header, p.body) + c.Footer(other, codec.Access)
	list["footer of an old key"] = dotted(p.header, p.body, encode(`{"kid":"`+map[codec.Algorithm]string{codec.V4Local: "l_old", codec.V4Public: "p_old"}[alg]+`","typ":"at"}`))
	list["other alphabet"] = dotted(p.header, base64.RawStdEncoding.EncodeToString(append(raw[:3:3], 0xfb, 0xff, 0xfe)), p.footer)
	list["other alphabet, authentic"] = dotted(p.header, strings.NewReplacer("-", "+", "_", "/").Replace(p.body), p.footer)
	if list["other alphabet, authentic"] == good {
		t.Fatal("the good token has neither - nor _")
	}
	for i := range good {
		list[fmt.Sprintf("cut at %d", i)] = good[:i]
		list[fmt.Sprintf("from %d", i+1)] = good[i+1:]
		for _, s := range []string{"\n", "\r\n", "\r", " ", "\t", "=", "\x00", ".", "\u200b"} {
			list[fmt.Sprintf("%q at %d", s, i)] = good[:i] + s + good[i:]
		}
		list[fmt.Sprintf("line feed instead of %d", i)] = good[:i] + "\n" + good[i+1:]
	}
	for b := range 256 {
		list[fmt.Sprintf("byte %#x after", b)] = good + string([]byte{byte(b)})
		list[fmt.Sprintf("byte %#x before", b)] = string([]byte{byte(b)}) + good
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, sub := range []string{"a", "ab", "abc"} { // the unused low bits, for two of three lengths
		p := split(t, c.SignPayload(alg, codec.Access, instead("alice", sub)))
		if last := strings.IndexByte(alphabet, p.body[len(p.body)-1]); len(p.body)%4 != 0 {
			p.body = p.body[:len(p.body)-1] + string(alphabet[last|1])
			list["stray bits in the body, sub "+sub] = p.String()
		}
	}
	return list
}

// flipped calls f with a token for each of its bits flipped.
func flipped(token string, f func(bit int, token string)) {
	text := []byte(token)
	for bit := range 8 * len(text) {
		text[bit/8] ^= 1 << (bit % 8)
		f(bit, string(text))
		text[bit/8] ^= 1 << (bit % 8)
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	var cl, again codec.Claims
	for _, alg := range algorithms {
		for _, tt := range acceptedPayloads {
			token := c.SignPayload(alg, codec.Access, tt.payload)
			if err := c.Verify(&cl, codec.Access, token); err != nil {
				t.Errorf("%s: refused: %s", tt.name, tt.payload)
				continue
			}
			resigned := sign(t, c, &cl)
			if err := c.Verify(&again, codec.Access, resigned); err != nil || says(&again) != says(&cl) || len(resigned) != len(token) {
				t.Errorf("%s: signed again it says %+v, not %+v", tt.name, says(&again), says(&cl))
			}
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "PAS-6")
	t.Attr("requirement", "PAS-1")
	t.Attr("requirement", "PAS-5")
	t.Attr("requirement", "PAS-7")
	c, _ := newCodec()
	count := 0
	refuse := func(name string, want codec.Type, token string) {
		t.Helper()
		count++
		refuse(t, c, name, want, token)
	}
	for alg, k := range map[codec.Algorithm]string{codec.V4Local: "l-active", codec.V4Public: "p-active"} {
		for _, tt := range refusedPayloads {
			refuse(tt.name, codec.Access, c.SignPayload(alg, codec.Access, tt.payload))
		}
		for _, footer := range refusedFooters(k) {
			refuse("footer "+footer, codec.Access, c.SignFooter(alg, goodAccess, footer))
		}
		for name, token := range refusedTokens(t, c, alg) {
			refuse(name, codec.Access, token)
		}
		access, refresh := c.SignPayload(alg, codec.Access, goodAccess), c.SignPayload(alg, codec.Refresh, goodRefresh)
		refuse("access as refresh", codec.Refresh, access)
		refuse("refresh as access", codec.Access, refresh)
		refuse("no wanted type", 0, access)
		refuse("hand-off", codec.HandOff, access)
		refuse("unknown type", 4, access)
		flipped(access, func(bit int, token string) { refuse(fmt.Sprint("bit ", bit), codec.Access, token) })
		flipped(refresh, func(bit int, token string) { refuse(fmt.Sprint("bit ", bit), codec.Refresh, token) })
		for typ, token := range map[codec.Type]string{codec.Access: access, codec.Refresh: refresh} {
			if err := c.Verify(&codec.Claims{}, typ, token); err != nil {
				t.Error("the token that the others are made from is refused")
			}
		}
	}
	t.Logf("%d refused tokens", count)
	if count < 15_000 {
		t.Errorf("only %d refused tokens", count)
	}
}

// TestImplicitAssertion: the type is bound by the assertion too, not only by the
// footer.
func TestImplicitAssertion(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "PAS-4")
	c, _ := newCodec()
	for _, implicit := range []string{"", "rt", "AT", "a", "att", "at ", `"at"`, "access"} {
		const local, public = `{"kid":"l-active","typ":"at"}`, `{"kid":"p-active","typ":"at"}`
		body := paseto.Seal(localKey.Secret, make([]byte, 32), []byte(goodAccess), local, implicit)
		refuse(t, c, "local "+implicit, codec.Access, "v4.local."+encodeBytes(body)+"."+encode(local))
		body, err := paseto.SignBody(publicKey.Signer, []byte(goodAccess), public, implicit)
		if err != nil {
			t.Fatal(err)
		}
		refuse(t, c, "public "+implicit, codec.Access, "v4.public."+encodeBytes(body)+"."+encode(public))
	}
}

package codectest

import (
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// Sign returns the token for a signed text, "header.payload" in base64url, with
// the key of the token that variants are made of.
type Sign func(signed string) string

// Malformed returns the hostile variants of a JWT, by name: of its header, its
// payload and its form. No variant is equal to the token. All are signed by sign;
// without it (nil) they have the token's own signature, which does not fit where
// header or payload differ.
func Malformed(token string, sign Sign) map[string]string {
	h, p, s := split(token)
	if sign == nil {
		sign = func(signed string) string { return signed + "." + s }
	}
	all := map[string]string{}
	for name, header := range Headers(decoded(h)) {
		all["header: "+name] = sign(encoded(header) + "." + p)
	}
	for name, payload := range Payloads(decoded(p)) {
		all["payload: "+name] = sign(h + "." + encoded(payload))
	}
	maps.Copy(all, forms(token, sign))
	maps.Copy(all, strayBits(token, sign))
	maps.Copy(all, signatures(token))
	for name, variant := range all {
		if variant == token {
			panic("codectest: this variant is the token itself: " + name)
		}
	}
	return all
}

// Headers returns the hostile variants of a JWT's header, by themselves.
func Headers(good string) map[string]string {
	var alg, kid, typ string
	if _, err := fmt.Sscanf(strings.NewReplacer(`{"alg":"`, "", `","kid":"`, " ", `","typ":"`, " ", `"}`, "").Replace(good), "%s %s %s", &alg, &kid, &typ); err != nil {
		panic("codectest: not a header of ours: " + good)
	}
	other := "rt+jwt"
	if typ == other {
		other = "at+jwt"
	}
	fill := strings.NewReplacer("ALG", alg, "KID", kid, "OTHER", other, "TYP", typ, "CAPITALS", strings.ToUpper(kid))
	all := map[string]string{"NUL in the alg": strings.Replace(good, alg, alg+"\\u0000", 1)}
	for _, row := range headers {
		if header := fill.Replace(row); header != good {
			all[header] = header
		}
	}
	return all
}

// headers are templates. Names like ALG stand for what the good header has.
var headers = []string{
	// The algorithm.
	`{"alg":"none","kid":"KID","typ":"TYP"}`, `{"alg":"None","kid":"KID","typ":"TYP"}`, `{"alg":"NONE","kid":"KID","typ":"TYP"}`, `{"alg":"nOnE","kid":"KID","typ":"TYP"}`, `{"alg":"none"}`,
	`{"alg":"","kid":"KID","typ":"TYP"}`, `{"alg":null,"kid":"KID","typ":"TYP"}`, `{"alg":["ALG"],"kid":"KID","typ":"TYP"}`, `{"alg":{"ALG":1},"kid":"KID","typ":"TYP"}`, `{"alg":1,"kid":"KID","typ":"TYP"}`,
	`{"alg":"HS256","kid":"KID","typ":"TYP"}`, `{"alg":"HS384","kid":"KID","typ":"TYP"}`, `{"alg":"HS512","kid":"KID","typ":"TYP"}`, `{"alg":"RS256","kid":"KID","typ":"TYP"}`, `{"alg":"PS256","kid":"KID","typ":"TYP"}`,
	`{"alg":"ES256","kid":"KID","typ":"TYP"}`, `{"alg":"ES384","kid":"KID","typ":"TYP"}`, `{"alg":"ES512","kid":"KID","typ":"TYP"}`, `{"alg":"ES256K","kid":"KID","typ":"TYP"}`, `{"alg":"EdDSA","kid":"KID","typ":"TYP"}`, `{"alg":"Ed25519","kid":"KID","typ":"TYP"}`, `{"alg":"Ed448","kid":"KID","typ":"TYP"}`,
	`{"alg":"hs256","kid":"KID","typ":"TYP"}`, `{"alg":"es256","kid":"KID","typ":"TYP"}`, `{"alg":"eddsa","kid":"KID","typ":"TYP"}`, `{"alg":"EDDSA","kid":"KID","typ":"TYP"}`, `{"alg":"ALG ","kid":"KID","typ":"TYP"}`, `{"alg":" ALG","kid":"KID","typ":"TYP"}`,
	`{"alg":"dir","enc":"A256GCM","kid":"KID","typ":"TYP"}`, `{"alg":"RSA-OAEP","enc":"A256GCM","kid":"KID","typ":"TYP"}`, `{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"kid":"KID","typ":"TYP"}`,
	// The key.
	`{"alg":"ALG","typ":"TYP"}`, `{"alg":"ALG","kid":"","typ":"TYP"}`, `{"alg":"ALG","kid":"unknown","typ":"TYP"}`, `{"alg":"ALG","kid":"CAPITALS","typ":"TYP"}`, `{"alg":"ALG","kid":null,"typ":"TYP"}`, `{"alg":"ALG","kid":["KID"],"typ":"TYP"}`, `{"alg":"ALG","kid":0,"typ":"TYP"}`,
	`{"alg":"ALG","kid":"../../dev/null","typ":"TYP"}`, `{"alg":"ALG","kid":"/dev/null","typ":"TYP"}`, `{"alg":"ALG","kid":"KID/../KID","typ":"TYP"}`, `{"alg":"ALG","kid":"file:///dev/null","typ":"TYP"}`, `{"alg":"ALG","kid":"https://evil.example/k","typ":"TYP"}`,
	`{"alg":"ALG","kid":"' OR '1'='1","typ":"TYP"}`, `{"alg":"ALG","kid":"x' UNION SELECT 'k';--","typ":"TYP"}`, `{"alg":"ALG","kid":"$(id)","typ":"TYP"}`, `{"alg":"ALG","kid":"|id","typ":"TYP"}`, `{"alg":"ALG","kid":"KID\u0000","typ":"TYP"}`, "{\"alg\":\"ALG\",\"kid\":\"KID\u200b\",\"typ\":\"TYP\"}", `{"alg":"ALG","kid":" KID","typ":"TYP"}`,
	// The type.
	`{"alg":"ALG","kid":"KID"}`, `{"alg":"ALG","kid":"KID","typ":"JWT"}`, `{"alg":"ALG","kid":"KID","typ":"jwt"}`, `{"alg":"ALG","kid":"KID","typ":"AT+JWT"}`, `{"alg":"ALG","kid":"KID","typ":"application/TYP"}`, `{"alg":"ALG","kid":"KID","typ":"OTHER"}`, `{"alg":"ALG","kid":"KID","typ":"dpop+jwt"}`, `{"alg":"ALG","kid":"KID","typ":"logout+jwt"}`, `{"alg":"ALG","kid":"KID","typ":""}`, `{"alg":"ALG","kid":"KID","typ":null}`, `{"alg":"ALG","kid":"KID","typ":["TYP"]}`,
	// More members, none of them understood.
	`{"alg":"ALG","kid":"KID","typ":"TYP","jku":"https://evil.example/jwks.json"}`, `{"alg":"ALG","kid":"KID","typ":"TYP","x5u":"https://evil.example/c.pem"}`, `{"alg":"ALG","kid":"KID","typ":"TYP","jwk":{"kty":"oct","k":"AA"}}`, `{"alg":"ALG","kid":"KID","typ":"TYP","jwk":{"kty":"OKP","crv":"Ed25519","x":"AA"}}`, `{"alg":"ALG","kid":"KID","typ":"TYP","x5c":["AA"]}`, `{"alg":"ALG","kid":"KID","typ":"TYP","x5t":"AA"}`,
	`{"alg":"ALG","kid":"KID","typ":"TYP","crit":["exp"]}`, `{"alg":"ALG","kid":"KID","typ":"TYP","crit":[]}`, `{"alg":"ALG","crit":["exp"],"exp":1,"kid":"KID","typ":"TYP"}`, `{"alg":"ALG","kid":"KID","typ":"TYP","b64":false,"crit":["b64"]}`, `{"alg":"ALG","b64":false,"crit":["b64"],"kid":"KID","typ":"TYP"}`, `{"alg":"ALG","kid":"KID","typ":"TYP","b64":true}`, `{"alg":"ALG","kid":"KID","typ":"TYP","zip":"DEF"}`, `{"alg":"ALG","kid":"KID","typ":"TYP","cty":"JWT"}`, `{"alg":"ALG","kid":"KID","typ":"TYP","x":1}`, `{"alg":"ALG","kid":"KID","typ":"TYP","exp":1}`,
	// Other spellings of the same.
	`{"kid":"KID","alg":"ALG","typ":"TYP"}`, `{"typ":"TYP","alg":"ALG","kid":"KID"}`, `{"alg":"ALG","typ":"TYP","kid":"KID"}`, `{"alg":"ALG","alg":"none","kid":"KID","typ":"TYP"}`, `{"alg":"none","alg":"ALG","kid":"KID","typ":"TYP"}`, `{"alg":"ALG","kid":"KID","kid":"KID","typ":"TYP"}`, `{"alg":"ALG","kid":"KID","typ":"TYP","typ":"TYP"}`, `{"ALG":"ALG","kid":"KID","typ":"TYP"}`, `{"alg":"ALG","KID":"KID","typ":"TYP"}`, "{\"alg\":\"ALG\",\"\u212aid\":\"KID\",\"typ\":\"TYP\"}", "{\"\u0430lg\":\"ALG\",\"kid\":\"KID\",\"typ\":\"TYP\"}",
	`{"alg":"ALG", "kid":"KID","typ":"TYP"}`, ` {"alg":"ALG","kid":"KID","typ":"TYP"}`, `{"alg":"ALG","kid":"KID","typ":"TYP"} `, `{"alg":"ALG","kid":"KID","typ":"TYP"}` + "\n", "\ufeff" + `{"alg":"ALG","kid":"KID","typ":"TYP"}`, `{"alg":"ALG","kid":"KID","typ":"TYP",}`, `{"alg":"ALG","kid":"KID","typ":"at\u002bjwt"}`, `{"\u0061lg":"ALG","kid":"KID","typ":"TYP"}`, `{"alg":"ALG","kid":"KID","typ":"TYP"}{}`, `{"alg":"ALG","kid":"KID","typ":"TYP"`, `{"alg":'ALG',"kid":"KID","typ":"TYP"}`,
	``, `{}`, `null`, `[]`, `"ALG"`, `ALG`, `{"alg":`,
}

// forms returns variants of how a token is put together.
func forms(token string, sign Sign) map[string]string {
	h, p, s := split(token)
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	claims := decoded(p)
	app := func(member string) string { return claims[:len(claims)-1] + "," + member + "}" }
	std := base64.RawStdEncoding
	return map[string]string{
		"empty": "", "dot": ".", "two dots": "..", "three dots": "...", "8 KiB of dots": strings.Repeat(".", 8<<10), "1 MB of dots": strings.Repeat(".", 1<<20), "1 MB of A": strings.Repeat("A", 1<<20),
		"no signature": join(h, p), "empty signature": join(h, p, ""), "no payload": join(h, s), "empty payload": sign(h + "."), "empty header": sign("." + p), "header only": h, "header and dot": h + ".", "header and dots": h + "..",
		"four parts": join(h, p, s, s), "empty fourth part": token + ".", "empty part first": "." + token, "five parts as JWE": join(h, p, p, p, s), "dot within the payload": sign(h + "." + p[:8] + "." + p[8:]), "signed twice": sign(token), "header and payload swapped": sign(p + "." + h),

		"space before": " " + token, "space after": token + " ", "line feed after": token + "\n", "CR LF after": token + "\r\n", "NUL after": token + "\x00", "tab before": "\t" + token, "BOM before": "\ufeff" + token, "Bearer before": "Bearer " + token, "quoted": `"` + token + `"`,
		"two tokens": token + "," + token, "two tokens, space": token + " " + token, "doubled": token + token, "semicolon after": token + ";", "other character for the first dot": h + "," + p + "." + s, "other character for the second dot": h + "." + p + "," + s, "letter for the second dot": h + "." + p + "A" + s, "percent-encoded dots": strings.ReplaceAll(token, ".", "%2E"),

		"signature padded": token + "=", "signature doubly padded": token + "==", "header padded": sign(h + "==." + p), "payload padded": sign(h + "." + p + "="), "payload doubly padded": sign(h + "." + p + "=="),
		"line feed in the signature": join(h, p, s[:10]+"\n"+s[10:]), "line feed instead": join(h, p, s[:10]+"\n"+s[11:]), "CR LF in the signature": join(h, p, s[:10]+"\r\n"+s[10:]), "line feed in the payload": sign(h + "." + p[:8] + "\n" + p[8:]), "CR in the payload": sign(h + "." + p[:8] + "\r" + p[8:]), "line feed in the header": sign(h[:8] + "\n" + h[8:] + "." + p),
		"space in the payload": sign(h + "." + p[:8] + " " + p[8:]), "percent in the payload": sign(h + "." + p + "%"), "payload not ASCII": sign(h + "." + p + "é"), "payload of one character": sign(h + ".A"), "payload of 4n+1": sign(h + "." + p + strings.Repeat("A", (5-len(p)%4)%4)),
		"payload with +": sign(h + "." + std.EncodeToString([]byte(app(`"a":"~~~>>>b~~~"`)))), "payload with /": sign(h + "." + std.EncodeToString([]byte(app(`"a":"????????"`)))), "signature full width": join(h, p, "\uff21"+s[1:]), "look-alike in the header": "\u0435" + h[1:] + "." + p + "." + s,

		"header in capitals": sign(strings.ToUpper(h) + "." + p), "header is JSON": sign(decoded(h) + "." + p), "payload is JSON": sign(h + "." + claims), "claims without encoding": claims,
		"JSON serialisation": `{"payload":"` + p + `","signatures":[{"protected":"` + h + `","signature":"` + s + `"}]}`, "flattened JSON": `{"payload":"` + p + `","protected":"` + h + `","signature":"` + s + `"}`, "JSON of dots": `{"a":"` + token + `"}`,
		"nested token": sign(h + "." + encoded(token)), "nested token as a text": sign(h + "." + encoded(`"`+token+`"`)),
		"9 KiB": sign(h + "." + encoded(app(`"a":"`+strings.Repeat("a", 7<<10)+`"`))), "100,000 nested arrays": sign(h + "." + encoded(app(`"a":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)))), "100,000 open arrays": sign(h + "." + encoded(strings.Repeat("[", 100_000))), "2,700 open arrays": sign(h + "." + encoded(strings.Repeat("[", 2_700))),
		"alg none": encoded(`{"alg":"none","typ":"at+jwt"}`) + "." + p + ".", "alg none with our signature": encoded(`{"alg":"none","typ":"at+jwt"}`) + "." + p + "." + s, "opaque": "rmd_at_AAAA", "PASETO": "v4.local.AAAA", "PASETO public": "v4.public." + p,
	}
}

// strayBits sets an unused low bit of each part that has some.
func strayBits(token string, sign Sign) map[string]string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	next := func(text string) string {
		i := strings.IndexByte(alphabet, text[len(text)-1])
		return text[:len(text)-1] + string(alphabet[i|1])
	}
	h, p, s := split(token)
	all := map[string]string{}
	if len(s)%4 != 0 {
		all["stray bits in the signature"] = h + "." + p + "." + next(s)
	}
	if len(h)%4 != 0 {
		all["stray bits in the header"] = sign(next(h) + "." + p)
	}
	for _, text := range []string{"", "a", "aa"} { // two of three lengths have some
		claims := decoded(p)
		if longer := encoded(claims[:len(claims)-1] + `,"z":"` + text + `"}`); len(longer)%4 != 0 {
			all["stray bits in the payload, z "+text] = sign(h + "." + next(longer))
		}
	}
	return all
}

// signatures returns variants of the signature, none of them valid: each byte
// changed, other lengths and encodings, and the border cases of ECDSA.
func signatures(token string) map[string]string {
	h, p, s := split(token)
	raw := []byte(decoded(s))
	half := len(raw) / 2
	all := map[string]string{}
	put := func(name string, signature []byte) {
		all["signature "+name] = h + "." + p + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	for i := range raw {
		changed := append([]byte(nil), raw...)
		changed[i] ^= 0x10
		put(fmt.Sprintf("with byte %d changed", i), changed)
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])})
	if err != nil {
		panic(err)
	}
	put("in DER", der)
	put("a byte shorter", raw[:len(raw)-1])
	put("a byte shorter in front", raw[1:])
	put("a byte longer", append(slices.Clip(raw), 0))
	put("a byte longer in front", append([]byte{0}, raw...))
	put("halved", raw[:half])
	put("doubled", append(slices.Clip(raw), raw...))
	put("with its halves swapped", append(raw[half:len(raw):len(raw)], raw[:half]...))
	all["signature in hex"] = h + "." + p + "." + fmt.Sprintf("%x", raw)
	// The order of P-256, and numbers beside it, for r and s in turn.
	order, _ := new(big.Int).SetString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
	borders := map[string]*big.Int{"0": new(big.Int), "1": big.NewInt(1), "n": order, "n+1": new(big.Int).Add(order, big.NewInt(1)), "all ones": new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(8*half)), big.NewInt(1))}
	for name, v := range borders {
		v := new(big.Int).And(v, borders["all ones"]).FillBytes(make([]byte, half))
		put("with r = "+name, append(v[:half:half], raw[half:]...))
		put("with s = "+name, append(raw[:half:half], v...))
		put("with r = s = "+name, append(v[:half:half], v...))
	}
	return all
}

func split(token string) (header, payload, signature string) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		panic("codectest: not a JWT: " + token)
	}
	return parts[0], parts[1], parts[2]
}

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func decoded(part string) string {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		panic("codectest: " + err.Error())
	}
	return string(text)
}

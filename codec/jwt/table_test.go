package jwt_test

import (
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/jwt"
)

const (
	sid = `"AQIDAAAAAAAAAAAAAAAAAA"`
	jti = `"BAUGAAAAAAAAAAAAAAAAAA"`

	goodAccess  = `{"iss":"i","aud":"a","sub":"alice","sid":` + sid + `,"iat":1,"exp":2,"gen":7,"prf":"web","auth_time":3,"sst":4}`
	goodRefresh = `{"iss":"i","aud":"a","sub":"alice","sid":` + sid + `,"iat":1,"exp":2,"gen":7,"jti":` + jti + `}`
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

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// acceptedPayloads verify as access tokens.
var acceptedPayloads = []struct{ name, payload string }{
	{"canonical order", goodAccess},
	{"other order", `{"sst":4,"auth_time":3,"prf":"web","gen":7,"exp":2,"iat":1,"sid":` + sid + `,"sub":"alice","aud":"a","iss":"i"}`},
	{"escapes", instead(`alice`, `a\"b\\c\\\\\"`)},
	{"escape at the end", instead(`alice`, `\\`)},
	{"unicode", instead(`alice`, `Алиса é 😀`)},
	{"line separators", instead(`alice`, "a\u2028\u2029b")},
	{"C1 controls are UTF-8 like other", instead(`alice`, "a\u0085")},
	{"markup", instead(`alice`, `<a href='x'>&/`)},
	{"empty subject", instead(`alice`, ``)},
	{"optional claims", with(`"acr":"2","amr":["pwd","otp"],"tenant":"t","anon":true`)},
	{"claims between", `{"a":1,"iss":"i","b":[true,false,null],"aud":"a","sub":"alice","c":{"d":{"e":"f"}},"sid":` + sid + `,"iat":1,"exp":2,"gen":7,"prf":"web","z":"","auth_time":3,"sst":4}`},
	{"all JSON values", with(`"v":[0,-0,1.5,-1e9,1E+2,2e-3,"",{},[],"\u00e9\n\/\b\f\r\t\"\\",null]`)},
	{"surrogate pair", with(`"v":"\uD83D\uDE00"`)},
	{"the same name in other objects", with(`"a":{"a":1,"b":{"a":1}},"b":{"a":1}`)},
	{"reserved names inside", with(`"a":{"sub":"admin","iss":1}`)},
	{"names like reserved ones", with(`"subs":1,"su":1,"_sub":1`)},
	{"depth 8", with(`"a":[[[[[[[0]]]]]]]`)},
	{"64 members", with(appMembers(64 - 10))},
	{"name of 64 bytes", with(`"` + strings.Repeat("n", 64) + `":1`)},
	{"zero times", instead(`"iat":1`, `"iat":0`)},
	{"15 digits", instead(`"exp":2`, `"exp":999999999999999`)},
	{"largest gen", instead(`"gen":7`, `"gen":4294967295`)},
}

// refusedPayloads are signed with the right key, as access tokens.
var refusedPayloads = []struct{ name, payload string }{
	{"empty", ``},
	{"a space", ` `},
	{"null", `null`},
	{"true", `true`},
	{"number", `1`},
	{"text", `"x"`},
	{"array", `[]`},
	{"array of claims", `[` + goodAccess + `]`},
	{"no members", `{}`},
	{"open", `{`},
	{"claims as a text", `"` + encode(goodAccess) + `"`},
	{"cut short", goodAccess[:len(goodAccess)-1]},
	{"cut in a number", goodAccess[:len(goodAccess)-2]},
	{"nested token", encode(`{"alg":"none"}`) + "." + encode(goodAccess) + "."},
	// Around and between.
	{"space before", ` ` + goodAccess},
	{"space after", goodAccess + ` `},
	{"line feed after", goodAccess + "\n"},
	{"space after brace", `{ ` + goodAccess[1:]},
	{"space after colon", instead(`"iss":`, `"iss": `)},
	{"space before colon", instead(`"iss":`, `"iss" :`)},
	{"space after comma", instead(`,"aud"`, `, "aud"`)},
	{"tab", instead(`,"aud"`, ",\t\"aud\"")},
	{"CR LF", instead(`,"aud"`, ",\r\n\"aud\"")},
	{"no-break space", instead(`,"aud"`, ",\u00a0\"aud\"")},
	{"BOM", "\ufeff" + goodAccess},
	{"BOM inside", instead(`,"aud"`, ",\ufeff\"aud\"")},
	{"UTF-16", "\xff\xfe{\x00"},
	{"trailing NUL", goodAccess + "\x00"},
	{"trailing brace", goodAccess + "}"},
	{"two objects", goodAccess + goodAccess},
	{"trailing comma", goodAccess[:len(goodAccess)-1] + ",}"},
	{"leading comma", "{," + goodAccess[1:]},
	{"two commas", instead(`,"aud"`, `,,"aud"`)},
	{"no comma", instead(`,"aud"`, `"aud"`)},
	{"comment", instead(`,"aud"`, `,/**/"aud"`)},
	{"line comment", goodAccess + "//x"},
	{"hash comment", goodAccess + "#"},
	{"no quotes around a name", instead(`"iss"`, `iss`)},
	{"single quotes", instead(`"iss"`, `'iss'`)},
	{"equals sign", instead(`"iss":`, `"iss"=`)},
	{"colon missing", instead(`"iss":`, `"iss"`)},
	{"semicolon", instead(`,"aud"`, `;"aud"`)},
	// Names.
	{"duplicate sub", with(`"sub":"admin"`)},
	{"duplicate sub, equal", with(`"sub":"alice"`)},
	{"duplicate iat", with(`"iat":1`)},
	{"duplicate gen", with(`"gen":7`)},
	{"duplicate sid", with(`"sid":` + sid)},
	{"duplicate anon", with(`"anon":true,"anon":true`)},
	{"duplicate amr", with(`"amr":["a"],"amr":["a"]`)},
	{"duplicate claim", with(`"a":1,"a":2`)},
	{"duplicate far apart", `{"a":1,` + goodAccess[1:len(goodAccess)-1] + `,"b":1,"a":1}`},
	{"duplicate inside", with(`"a":{"b":1,"b":2}`)},
	{"duplicate deep inside", with(`"a":[{"b":{"c":1,"d":2,"c":3}}]`)},
	{"duplicate by escape inside", with(`"a":{"b":1,"\u0062":2}`)},
	{"SUB", with(`"SUB":"admin"`)},
	{"Sub", with(`"Sub":"admin"`)},
	{"SUB instead", instead(`"sub"`, `"SUB"`)},
	{"ſub", with(`"ſub":"admin"`)},
	{"ſub instead", instead(`"sub"`, `"ſub"`)},
	{"ISS", with(`"ISS":"x"`)},
	{"Auth_Time", with(`"Auth_Time":9`)},
	{"Kelvin sign", with("\"to\u212aen\":1")},
	{"Cyrillic look-alike", with("\"\u0455ub\":\"admin\"")},
	{"full width", with("\"\uff53\uff55\uff42\":\"admin\"")},
	{"zero width", with("\"sub\u200b\":\"admin\"")},
	{"combining", with("\"sub\u0301\":\"admin\"")},
	{"right-to-left", with("\"\u202esub\":\"admin\"")},
	{"sub by escape", with(`"\u0073ub":"admin"`)},
	{"sub by escape instead", instead(`"sub"`, `"\u0073ub"`)},
	{"escaped quote in a name", with(`"a\"":1`)},
	{"backslash in a name", with(`"a\\":1`)},
	{"name ends in a backslash", with(`"a\":1`)},
	{"name ends in a backslash inside", with(`"a":{"b\":1}`)},
	{"escape in a name inside", with(`"a":{"\n":1}`)},
	{"line feed in a name inside", with("\"a\":{\"\n\":1}")},
	{"DEL in a name inside", with("\"a\":{\"\x7f\":1}")},
	{"bad UTF-8 in a name inside", with("\"a\":{\"\xff\":1}")},
	{"empty name", with(`"":1`)},
	{"name with a space", with(`"sub ":1`)},
	{"space before a name", with(`" sub":1`)},
	{"NUL in a name", with("\"sub\x00\":1")},
	{"name of 65 bytes", with(`"` + strings.Repeat("n", 65) + `":1`)},
	{"name without end", with(`"abc`)},
	{"markup in a name", with(`"<a>":1`)},
	{"nbf", with(`"nbf":1`)},
	{"act", with(`"act":{}`)},
	{"cnf", with(`"cnf":{"jkt":"x"}`)},
	{"jti", with(`"jti":` + jti)},
	{"number as a name", with(`1:1`)},
	{"null as a name", with(`null:1`)},
	// Texts.
	{"sub number", instead(`"alice"`, `1`)},
	{"sub null", instead(`"alice"`, `null`)},
	{"sub array", instead(`"alice"`, `["alice"]`)},
	{"sub object", instead(`"alice"`, `{}`)},
	{"sub true", instead(`"alice"`, `true`)},
	{"sub missing value", instead(`"alice"`, ``)},
	{"aud array", instead(`"aud":"a"`, `"aud":["a"]`)},
	{"aud array of two", instead(`"aud":"a"`, `"aud":["a","b"]`)},
	{"iss array", instead(`"iss":"i"`, `"iss":["i"]`)},
	{"prf array", instead(`"web"`, `["web"]`)},
	{"prf empty", instead(`"web"`, `""`)},
	{"prf null", instead(`"web"`, `null`)},
	{"acr empty", with(`"acr":""`)},
	{"acr number", with(`"acr":2`)},
	{"tenant empty", with(`"tenant":""`)},
	{"tenant null", with(`"tenant":null`)},
	{"anon false", with(`"anon":false`)},
	{"anon 1", with(`"anon":1`)},
	{"anon text", with(`"anon":"true"`)},
	{"anon TRUE", with(`"anon":TRUE`)},
	{"anon prefix", with(`"anon":truefalse`)},
	{"anon cut", `{"anon":tru`},
	{"amr text", with(`"amr":"pwd"`)},
	{"amr empty", with(`"amr":[]`)},
	{"amr of numbers", with(`"amr":[1]`)},
	{"amr with null", with(`"amr":["a",null]`)},
	{"amr nested", with(`"amr":[["a"]]`)},
	{"amr trailing comma", with(`"amr":["a",]`)},
	{"amr open", `{"amr":["a"`},
	{"amr object", with(`"amr":{}`)},
	{"escape n", instead(`alice`, `a\nb`)},
	{"escape slash", instead(`alice`, `a\/b`)},
	{"escape u", instead(`alice`, `\u0061lice`)},
	{"escape u of a quote", instead(`alice`, `\u0022`)},
	{"lone surrogate in sub", instead(`alice`, `\ud800`)},
	{"pair in sub", instead(`alice`, `\ud83d\ude00`)},
	{"escape x", instead(`alice`, `\x41`)},
	{"escape at the end of all", `{"sub":"\`},
	{"backslash before the end", `{"sub":"a\"`},
	{"line feed in sub", instead(`alice`, "a\nb")},
	{"CR in sub", instead(`alice`, "a\rb")},
	{"NUL in sub", instead(`alice`, "alice\x00")},
	{"tab in sub", instead(`alice`, "a\tb")},
	{"0x1f in sub", instead(`alice`, "\x1f")},
	{"DEL in sub", instead(`alice`, "\x7f")},
	{"bad UTF-8", instead(`alice`, "\xff")},
	{"cut UTF-8", instead(`alice`, "\xc3")},
	{"overlong UTF-8", instead(`alice`, "\xc0\xaf")},
	{"UTF-8 surrogate", instead(`alice`, "\xed\xa0\x80")},
	{"UTF-8 past the end", instead(`alice`, "\xf4\x90\x80\x80")},
	{"Latin-1", instead(`alice`, "Andr\xe9")},
	{"bad UTF-8 in iss", instead(`"iss":"i"`, "\"iss\":\"\x80\"")},
	// Application values.
	{"lone high surrogate", with(`"v":"\ud800"`)},
	{"lone low surrogate", with(`"v":"\udc00"`)},
	{"surrogates the other way round", with(`"v":"\udc00\ud800"`)},
	{"two high surrogates", with(`"v":"\ud800\ud800"`)},
	{"high surrogate and text", with(`"v":"\ud800x"`)},
	{"high surrogate, cut escape", with(`"v":"\ud800\u"`)},
	{"lone surrogate in amr", with(`"amr":["\ud800"]`)},
	{"bad escape", with(`"v":"\a"`)},
	{"short u escape", with(`"v":"\u12"`)},
	{"u escape not hex", with(`"v":"\u12g4"`)},
	{"U escape", with(`"v":"\U0041"`)},
	{"control in a value", with("\"v\":\"\x01\"")},
	{"line feed in a value", with("\"v\":\"\n\"")},
	{"bad UTF-8 in a value", with("\"v\":\"\xc3\x28\"")},
	{"open text", with(`"v":"`)},
	{"leading zero", with(`"v":01`)},
	{"minus alone", with(`"v":-`)},
	{"plus", with(`"v":+1`)},
	{"point first", with(`"v":.5`)},
	{"point last", with(`"v":1.`)},
	{"e alone", with(`"v":1e`)},
	{"e plus", with(`"v":1e+`)},
	{"hex", with(`"v":0x1`)},
	{"NaN", with(`"v":NaN`)},
	{"Infinity", with(`"v":Infinity`)},
	{"minus Infinity", with(`"v":-Infinity`)},
	{"undefined", with(`"v":undefined`)},
	{"underscore", with(`"v":1_0`)},
	{"True", with(`"v":True`)},
	{"nul", with(`"v":nul`)},
	{"two values", with(`"v":1 2`)},
	{"no value", with(`"v":`)},
	{"full-width digit", with("\"v\":\uff11")},
	{"array trailing comma", with(`"v":[1,]`)},
	{"array leading comma", with(`"v":[,1]`)},
	{"array open", with(`"v":[1`)},
	{"array closed by brace", with(`"v":[1}`)},
	{"object trailing comma", with(`"v":{"a":1,}`)},
	{"object open", with(`"v":{"a":1`)},
	{"object without value", with(`"v":{"a"}`)},
	{"space in an array", with(`"v":[1, 2]`)},
	{"space in an empty array", with(`"v":[ ]`)},
	{"space in an empty object", with(`"v":{ }`)},
	{"depth 9", with(`"a":[[[[[[[[0]]]]]]]]`)},
	{"2,000 nested arrays", with(`"a":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000))},
	{"2,000 open objects", with(`"a":` + strings.Repeat(`{"a":`, 1000))},
	{"65 members", with(appMembers(65 - 10))},
	{"65 members inside", with(`"o":{` + appMembers(65-11) + `}`)},
	{"500 members", with(appMembers(500))},
	// Numbers.
	{"iat text", instead(`"iat":1`, `"iat":"1"`)},
	{"iat exponent", instead(`"iat":1`, `"iat":1e0`)},
	{"iat E", instead(`"iat":1`, `"iat":1E1`)},
	{"iat float", instead(`"iat":1`, `"iat":1.0`)},
	{"iat leading zero", instead(`"iat":1`, `"iat":01`)},
	{"iat 00", instead(`"iat":1`, `"iat":00`)},
	{"iat negative", instead(`"iat":1`, `"iat":-1`)},
	{"iat minus zero", instead(`"iat":1`, `"iat":-0`)},
	{"iat plus", instead(`"iat":1`, `"iat":+1`)},
	{"exp NaN", instead(`"exp":2`, `"exp":NaN`)},
	{"exp null", instead(`"exp":2`, `"exp":null`)},
	{"exp true", instead(`"exp":2`, `"exp":true`)},
	{"exp array", instead(`"exp":2`, `"exp":[2]`)},
	{"exp 16 digits", instead(`"exp":2`, `"exp":1000000000000000`)},
	{"exp 20 digits", instead(`"exp":2`, `"exp":18446744073709551617`)},
	{"exp 400 digits", instead(`"exp":2`, `"exp":`+strings.Repeat("9", 400))},
	{"exp hex", instead(`"exp":2`, `"exp":0x2`)},
	{"exp missing value", instead(`"exp":2`, `"exp":`)},
	{"exp date", instead(`"exp":2`, `"exp":"2030-01-01T00:00:00Z"`)},
	{"exp Arabic digit", instead(`"exp":2`, "\"exp\":\u0662")},
	{"gen 0", instead(`"gen":7`, `"gen":0`)},
	{"gen 2^32", instead(`"gen":7`, `"gen":4294967296`)},
	{"gen 2^32+7", instead(`"gen":7`, `"gen":4294967303`)},
	{"gen text", instead(`"gen":7`, `"gen":"7"`)},
	{"gen float", instead(`"gen":7`, `"gen":7.0`)},
	{"sst exponent", instead(`"sst":4`, `"sst":4e3`)},
	{"auth_time null", instead(`"auth_time":3`, `"auth_time":null`)},
	// The session id.
	{"sid empty", instead(sid, `""`)},
	{"sid short", instead(sid, `"AQIDAAAAAAAAAAAAAAAAA"`)},
	{"sid long", instead(sid, `"AQIDAAAAAAAAAAAAAAAAAAA"`)},
	{"sid padded", instead(sid, `"AQIDAAAAAAAAAAAAAAAAAA=="`)},
	{"sid stray bits", instead(sid, `"AQIDAAAAAAAAAAAAAAAAAB"`)},
	{"sid +", instead(sid, `"+QIDAAAAAAAAAAAAAAAAAA"`)},
	{"sid /", instead(sid, `"/QIDAAAAAAAAAAAAAAAAAA"`)},
	{"sid line feed", instead(sid, "\"AQIDAAAAAAAAAAAAAAAAA\nA\"")},
	{"sid escape", instead(sid, `"\u0041QIDAAAAAAAAAAAAAAAA"`)},
	{"sid null", instead(sid, `null`)},
	{"sid array", instead(sid, `[`+sid+`]`)},
	{"sid number", instead(sid, `1`)},
	{"sid hex", instead(sid, `"01020300000000000000000000000000"`)},
	{"sid UUID", instead(sid, `"01020300-0000-0000-0000-000000000000"`)},
	{"sid cut", `{"sid":"AQID`},
	// Missing members.
	{"no iss", instead(`"iss":"i",`, ``)},
	{"no aud", instead(`"aud":"a",`, ``)},
	{"no sub", instead(`"sub":"alice",`, ``)},
	{"no sid", instead(`"sid":`+sid+`,`, ``)},
	{"no iat", instead(`"iat":1,`, ``)},
	{"no exp", instead(`"exp":2,`, ``)},
	{"no gen", instead(`"gen":7,`, ``)},
	{"no prf", instead(`"prf":"web",`, ``)},
	{"no auth_time", instead(`"auth_time":3,`, ``)},
	{"no sst", instead(`,"sst":4`, ``)},
	{"a refresh token's claims", goodRefresh},
}

// appMembers returns n members.
func appMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":%d`, i, i)
	}
	return b.String()[1:]
}

// refusedRefresh are signed with the right key, as refresh tokens.
var refusedRefresh = func() (list []struct{ name, payload string }) {
	add := func(name, payload string) { list = append(list, struct{ name, payload string }{name, payload}) }
	for _, m := range []string{`"prf":"web"`, `"auth_time":3`, `"sst":4`, `"acr":"2"`, `"amr":["pwd"]`, `"tenant":"t"`, `"anon":true`, `"name":"Alice"`, `"jti":` + jti, `"nbf":1`} {
		add("with "+m, goodRefresh[:len(goodRefresh)-1]+","+m+"}")
	}
	for _, m := range []string{`"iss":"i",`, `"aud":"a",`, `"sub":"alice",`, `"sid":` + sid + `,`, `"iat":1,`, `"exp":2,`, `"gen":7,`, `,"jti":` + jti} {
		add("without "+m, strings.Replace(goodRefresh, m, "", 1))
	}
	for _, other := range []string{`""`, `"BAUGAAAAAAAAAAAAAAAAAB"`, `"BAUGAAAAAAAAAAAAAAAAA"`, `"BAUGAAAAAAAAAAAAAAAAAA=="`, `"b1f4c1de-0000-4000-8000-000000000000"`, `null`, `4`} {
		add("jti "+other, strings.Replace(goodRefresh, jti, other, 1))
	}
	add("an access token's claims", goodAccess)
	return list
}()

// refusedHeaders are signed with the active key over a good payload.
var refusedHeaders = []string{
	`{"alg":"none","kid":"k-active","typ":"at+jwt"}`, `{"alg":"None","kid":"k-active","typ":"at+jwt"}`, `{"alg":"NONE","kid":"k-active","typ":"at+jwt"}`, `{"alg":"nOnE","kid":"k-active","typ":"at+jwt"}`,
	`{"alg":"none"}`, `{"alg":"","kid":"k-active","typ":"at+jwt"}`, `{"alg":null,"kid":"k-active","typ":"at+jwt"}`, `{"alg":["HS256"],"kid":"k-active","typ":"at+jwt"}`,
	`{"alg":"HS384","kid":"k-active","typ":"at+jwt"}`, `{"alg":"HS512","kid":"k-active","typ":"at+jwt"}`, `{"alg":"RS256","kid":"k-active","typ":"at+jwt"}`, `{"alg":"ES256","kid":"k-active","typ":"at+jwt"}`, `{"alg":"EdDSA","kid":"k-active","typ":"at+jwt"}`, `{"alg":"PS256","kid":"k-active","typ":"at+jwt"}`, `{"alg":"dir","enc":"A256GCM","kid":"k-active","typ":"at+jwt"}`, `{"alg":"hs256","kid":"k-active","typ":"at+jwt"}`, `{"alg":"HS256 ","kid":"k-active","typ":"at+jwt"}`, "{\"alg\":\"HS256\\u0000\",\"kid\":\"k-active\",\"typ\":\"at+jwt\"}",
	`{"alg":"HS256","typ":"at+jwt"}`, `{"alg":"HS256","kid":"","typ":"at+jwt"}`, `{"alg":"HS256","kid":"other","typ":"at+jwt"}`, `{"alg":"HS256","kid":"K-ACTIVE","typ":"at+jwt"}`, `{"alg":"HS256","kid":"../../dev/null","typ":"at+jwt"}`, `{"alg":"HS256","kid":"/dev/null","typ":"at+jwt"}`, `{"alg":"HS256","kid":"' OR '1'='1","typ":"at+jwt"}`, `{"alg":"HS256","kid":"x' UNION SELECT 'k';--","typ":"at+jwt"}`, `{"alg":"HS256","kid":"$(id)","typ":"at+jwt"}`, `{"alg":"HS256","kid":"https://evil.example/k","typ":"at+jwt"}`, `{"alg":"HS256","kid":null,"typ":"at+jwt"}`, `{"alg":"HS256","kid":["k-active"],"typ":"at+jwt"}`, "{\"alg\":\"HS256\",\"kid\":\"k-\u0430ctive\",\"typ\":\"at+jwt\"}", `{"alg":"HS256","kid":"k_old","typ":"at+jwt"}`, `{"alg":"HS256","kid":"k-active\u0000","typ":"at+jwt"}`,
	`{"alg":"HS256","kid":"k-active"}`, `{"alg":"HS256","kid":"k-active","typ":"JWT"}`, `{"alg":"HS256","kid":"k-active","typ":"jwt"}`, `{"alg":"HS256","kid":"k-active","typ":"AT+JWT"}`, `{"alg":"HS256","kid":"k-active","typ":"application/at+jwt"}`, `{"alg":"HS256","kid":"k-active","typ":"rt+jwt"}`, `{"alg":"HS256","kid":"k-active","typ":""}`, `{"alg":"HS256","kid":"k-active","typ":null}`,
	`{"alg":"HS256","kid":"k-active","typ":"at+jwt","jku":"https://evil.example/jwks.json"}`, `{"alg":"HS256","kid":"k-active","typ":"at+jwt","x5u":"https://evil.example/c.pem"}`, `{"alg":"HS256","kid":"k-active","typ":"at+jwt","jwk":{"kty":"oct","k":"AA"}}`, `{"alg":"HS256","kid":"k-active","typ":"at+jwt","x5c":["AA"]}`, `{"alg":"HS256","kid":"k-active","typ":"at+jwt","crit":["exp"]}`, `{"alg":"HS256","kid":"k-active","typ":"at+jwt","crit":[]}`, `{"alg":"HS256","kid":"k-active","typ":"at+jwt","b64":false,"crit":["b64"]}`, `{"alg":"HS256","kid":"k-active","typ":"at+jwt","zip":"DEF"}`, `{"alg":"HS256","kid":"k-active","typ":"at+jwt","cty":"JWT"}`, `{"alg":"HS256","kid":"k-active","typ":"at+jwt","x":1}`, `{"alg":"HS256","kid":"k-active","typ":"at+jwt","exp":1}`,
	`{"kid":"k-active","alg":"HS256","typ":"at+jwt"}`, `{"typ":"at+jwt","alg":"HS256","kid":"k-active"}`, `{"alg":"HS256","typ":"at+jwt","kid":"k-active"}`, `{"alg":"HS256","alg":"none","kid":"k-active","typ":"at+jwt"}`, `{"alg":"none","alg":"HS256","kid":"k-active","typ":"at+jwt"}`, `{"alg":"HS256","kid":"k-active","kid":"k-active","typ":"at+jwt"}`, `{"ALG":"HS256","kid":"k-active","typ":"at+jwt"}`, "{\"alg\":\"HS256\",\"\u212aid\":\"k-active\",\"typ\":\"at+jwt\"}",
	`{"alg":"HS256", "kid":"k-active","typ":"at+jwt"}`, ` {"alg":"HS256","kid":"k-active","typ":"at+jwt"}`, `{"alg":"HS256","kid":"k-active","typ":"at+jwt"} `, `{"alg":"HS256","kid":"k-active","typ":"at+jwt"}` + "\n", "\ufeff" + `{"alg":"HS256","kid":"k-active","typ":"at+jwt"}`, `{"alg":"HS256","kid":"k-active","typ":"at+jwt",}`, `{"alg":"HS256","kid":"k-active","typ":"at\u002bjwt"}`, `{"\u0061lg":"HS256","kid":"k-active","typ":"at+jwt"}`, `{"alg":"HS256","kid":"k-active","typ":"at+jwt"}{}`,
	``, `{}`, `null`, `[]`, `"HS256"`,
}

// refusedTokens are made from a good one, without what needs the key.
func refusedTokens(c *jwt.Codec) map[string]string {
	good := c.SignPayload(codec.Access, goodAccess)
	parts := strings.Split(good, ".")
	h, p, s := parts[0], parts[1], parts[2]
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:16]), new(big.Int).SetBytes(raw[16:])})
	if err != nil {
		panic(err)
	}
	std := base64.RawStdEncoding
	signed := func(text string) string { return c.SignText(text) }
	list := map[string]string{
		"empty": "", "dot": ".", "two dots": "..", "three dots": "...", "1 MB of dots": strings.Repeat(".", 1<<20), "8 KiB of dots": strings.Repeat(".", 8<<10),
		"no signature": join(h, p), "empty signature": join(h, p, ""), "no payload": join(h, s), "empty payload": signed(h + "."), "empty header": signed("." + p), "header only": h, "header and dot": h + ".", "header and dots": h + "..",
		"four parts": join(h, p, s, s), "empty fourth part": good + ".", "empty part first": "." + good, "five parts as JWE": join(h, p, p, p, s), "dot within the payload": signed(h + "." + p[:8] + "." + p[8:]), "signed twice": signed(good),
		"space before": " " + good, "space after": good + " ", "line feed after": good + "\n", "CR LF after": good + "\r\n", "NUL after": good + "\x00", "tab before": "\t" + good, "BOM before": "\ufeff" + good, "Bearer before": "Bearer " + good, "quoted": `"` + good + `"`, "two tokens": good + "," + good, "two tokens, space": good + " " + good, "doubled": good + good, "semicolon": good + ";",
		"signature padded": good + "=", "signature doubly padded": good + "==", "header padded": signed(h + "==." + p), "payload padded": signed(h + "." + p + "="), "payload doubly padded": signed(h + "." + p + "=="),
		"line feed in the signature": join(h, p, s[:10]+"\n"+s[10:]), "line feed instead": join(h, p, s[:10]+"\n"+s[11:]), "CR LF in the signature": join(h, p, s[:10]+"\r\n"+s[10:]), "line feed in the payload": signed(h + "." + p[:8] + "\n" + p[8:]), "CR in the payload": signed(h + "." + p[:8] + "\r" + p[8:]), "line feed in the header": signed(h[:8] + "\n" + h[8:] + "." + p), "space in the payload": signed(h + "." + p[:8] + " " + p[8:]), "percent in the payload": signed(h + "." + p + "%"), "payload not ASCII": signed(h + "." + p + "é"), "payload of one character": signed(h + ".A"), "payload of 4n+1": signed(h + "." + p + "A"),
		"signature in hex": join(h, p, fmt.Sprintf("%x", raw)), "signature in DER": join(h, p, base64.RawURLEncoding.EncodeToString(der)), "signature of 31 bytes": join(h, p, base64.RawURLEncoding.EncodeToString(raw[:31])), "signature of 33 bytes": join(h, p, base64.RawURLEncoding.EncodeToString(append(raw[:32:32], 0))), "signature of 16 bytes": join(h, p, base64.RawURLEncoding.EncodeToString(raw[:16])), "signature of 64 bytes": join(h, p, base64.RawURLEncoding.EncodeToString(append(raw[:32:32], raw...))), "signature of zeros": join(h, p, strings.Repeat("A", 43)), "signature of another token": join(h, p, strings.Split(c.SignPayload(codec.Access, with(`"a":1`)), ".")[2]), "signature full width": join(h, p, "\uff21"+s[1:]),
		"header in capitals": signed(strings.ToUpper(h) + "." + p), "header is JSON": signed(`{"alg":"HS256","kid":"k-active","typ":"at+jwt"}.` + p), "payload is JSON": signed(h + "." + goodAccess), "header and payload swapped": signed(p + "." + h),
		"JSON serialisation": `{"payload":"` + p + `","signatures":[{"protected":"` + h + `","signature":"` + s + `"}]}`, "flattened JSON": `{"payload":"` + p + `","protected":"` + h + `","signature":"` + s + `"}`, "JSON of dots": `{"a":"` + good + `"}`,
		"nested token": c.SignPayload(codec.Access, good), "refresh token": c.SignPayload(codec.Refresh, goodRefresh), "9 KiB": c.SignPayload(codec.Access, with(`"a":"`+strings.Repeat("a", 7<<10)+`"`)), "100,000 nested arrays": c.SignPayload(codec.Access, with(`"a":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000))), "100,000 open arrays": c.SignPayload(codec.Access, strings.Repeat("[", 100_000)), "1 MB of A": strings.Repeat("A", 1<<20),
		"payload with +": signed(h + "." + std.EncodeToString([]byte(instead(`alice`, "a>>>b~~~")))), "payload with /": signed(h + "." + std.EncodeToString([]byte(instead(`alice`, "??????")))), "opaque": "rmd_at_AAAA", "PASETO": "v4.local.AAAA", "alg none": encode(`{"alg":"none","typ":"at+jwt"}`) + "." + p + ".", "alg none with our signature": encode(`{"alg":"none","typ":"at+jwt"}`) + "." + p + "." + s,
	}
	for i := range raw {
		changed := append([]byte(nil), raw...)
		changed[i] ^= 0x10
		list[fmt.Sprintf("signature byte %d", i)] = join(h, p, base64.RawURLEncoding.EncodeToString(changed))
	}
	// The unused low bits of each segment. The payload's need lengths with some.
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	next := func(text string) string {
		i := strings.IndexByte(alphabet, text[len(text)-1])
		return text[:len(text)-1] + string(alphabet[i|1])
	}
	list["stray bits in the signature"] = join(h, p, next(s))
	for _, sub := range []string{"a", "ab", "abc"} {
		if payload := encode(instead("alice", sub)); len(payload)%4 != 0 {
			list["stray bits in the payload, sub "+sub] = signed(h + "." + next(payload))
		}
	}
	if len(h)%4 != 0 {
		list["stray bits in the header"] = signed(next(h) + "." + p)
	}
	return list
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	var cl, again codec.Claims
	for _, tt := range acceptedPayloads {
		token := c.SignPayload(codec.Access, tt.payload)
		if err := c.Verify(&cl, codec.Access, token); err != nil {
			t.Errorf("%s: refused: %s", tt.name, tt.payload)
			continue
		}
		resigned := sign(t, c, &cl)
		if err := c.Verify(&again, codec.Access, resigned); err != nil || says(&again) != says(&cl) || len(resigned) != len(token) {
			t.Errorf("%s: signed again it says %+v, not %+v", tt.name, says(&again), says(&cl))
		}
	}
	if token := c.SignPayload(codec.Refresh, goodRefresh); c.Verify(&cl, codec.Refresh, token) != nil || sign(t, c, &cl) != token {
		t.Error("the refresh token is refused, or signed again another one")
	}
}

func TestAcceptedTexts(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	var cl codec.Claims
	payload := `{"z":1,"sub":"a\"b\\c","iss":"\\","x":{"y":"\\\""},` + strings.TrimPrefix(instead(`"iss":"i","aud":"a","sub":"alice",`, `"aud":"é",`), "{")
	if err := c.Verify(&cl, codec.Access, c.SignPayload(codec.Access, payload)); err != nil {
		t.Fatal(err)
	}
	got := says(&cl)
	if got.subject != `a"b\c` || got.issuer != `\` || got.audience != "é" || got.app != `{"z":1,"x":{"y":"\\\""}}` || got.gen != 7 || got.started != 4 {
		t.Errorf("claims %+v", got)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	count := 0
	var cl codec.Claims
	refuse := func(name string, typ codec.Type, token string) {
		t.Helper()
		count++
		if err := c.Verify(&cl, typ, token); err != codec.ErrInvalid { //nolint:errorlint // the contract: never wrapped
			t.Errorf("%s: %v for %.300s", name, err, token)
		}
	}
	for _, tt := range refusedPayloads {
		refuse(tt.name, codec.Access, c.SignPayload(codec.Access, tt.payload))
	}
	for _, tt := range refusedRefresh {
		refuse(tt.name, codec.Refresh, c.SignPayload(codec.Refresh, tt.payload))
	}
	for _, header := range refusedHeaders {
		refuse(header, codec.Access, c.SignText(encode(header)+"."+encode(goodAccess)))
	}
	for name, token := range refusedTokens(c) {
		refuse(name, codec.Access, token)
	}
	refuse("access as refresh", codec.Refresh, c.SignPayload(codec.Access, goodAccess))
	refuse("refresh as access", codec.Access, c.SignPayload(codec.Refresh, goodRefresh))
	refuse("refresh claims, typ of access, as refresh", codec.Refresh, c.SignPayload(codec.Access, goodRefresh))
	refuse("no wanted type", 0, c.SignPayload(codec.Access, goodAccess))
	t.Logf("%d refused tokens", count)
	if count < 400 {
		t.Errorf("only %d refused tokens", count)
	}
	if err := c.Verify(&cl, codec.Access, c.SignPayload(codec.Access, goodAccess)); err != nil {
		t.Error("the token that the others are made from is refused")
	}
}

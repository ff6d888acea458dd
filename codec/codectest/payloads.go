package codectest

import (
	"fmt"
	"strings"
)

// Payloads returns the hostile variants of a token's payload, by name: the JSON
// that a JWT carries, an access token's or a refresh token's, with its members in
// the order in which they are written. None is what a codec would write, nor the
// same in another order of members.
func Payloads(good string) map[string]string {
	p := payload(good)
	all := map[string]string{}
	for _, row := range p.rows() {
		if row.text != "" || row.name == "empty" { // "": the payload has no such member
			all[row.name] = row.text
		}
	}
	return all
}

// payload is one JSON object.
type payload string

// row is one variant.
type row struct{ name, text string }

// with returns the payload with a member more.
func (p payload) with(member string) string { return string(p[:len(p)-1]) + "," + member + "}" }

// raw returns a member's value as it is written, or "".
func (p payload) raw(name string) string {
	_, value, ok := strings.Cut(string(p), `"`+name+`":`)
	if !ok {
		return ""
	}
	inText := false
	for i := 0; i < len(value); i++ {
		switch ch := value[i]; {
		case ch == '"':
			inText = !inText
		case ch == '\\':
			i++
		case !inText && (ch == ',' || ch == '}'):
			return value[:i]
		}
	}
	return ""
}

// swap returns the payload with a part exchanged, or "" if it is not there.
func (p payload) swap(old, part string) string {
	if !strings.Contains(string(p), old) {
		return ""
	}
	return strings.Replace(string(p), old, part, 1)
}

// value returns the payload with another value for a member of texts or numbers.
func (p payload) value(name, value string) string {
	return p.swap(`"`+name+`":`+p.raw(name), `"`+name+`":`+value)
}

// subject returns the payload with another text for sub.
func (p payload) subject(text string) string { return p.value("sub", `"`+text+`"`) }

// without returns the payload without a member.
func (p payload) without(name string) string {
	member := `"` + name + `":` + p.raw(name)
	if without := p.swap(","+member, ""); without != "" {
		return without
	}
	return p.swap(member+",", "")
}

// members returns n members.
func members(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":%d`, i, i)
	}
	return b.String()[1:]
}

// rows returns the variants. Each breaks one thing.
func (p payload) rows() []row {
	good := string(p)
	rows := []row{
		{"empty", ``},
		{"a space", ` `},
		{"null", `null`},
		{"true", `true`},
		{"number", `1`},
		{"text", `"x"`},
		{"array", `[]`},
		{"array of claims", `[` + good + `]`},
		{"no members", `{}`},
		{"open", `{`},
		{"claims as a text", `"` + encoded(good) + `"`},
		{"cut short", good[:len(good)-1]},
		{"cut in a number", good[:len(good)-2]},
		{"nested token", encoded(`{"alg":"none"}`) + "." + encoded(good) + "."},
		// Around and between.
		{"space before", ` ` + good},
		{"space after", good + ` `},
		{"line feed after", good + "\n"},
		{"space after brace", `{ ` + good[1:]},
		{"space after colon", p.swap(`"iss":`, `"iss": `)},
		{"space before colon", p.swap(`"iss":`, `"iss" :`)},
		{"space after comma", p.swap(`,"aud"`, `, "aud"`)},
		{"tab", p.swap(`,"aud"`, ",\t\"aud\"")},
		{"CR LF", p.swap(`,"aud"`, ",\r\n\"aud\"")},
		{"no-break space", p.swap(`,"aud"`, ",\u00a0\"aud\"")},
		{"BOM", "\ufeff" + good},
		{"BOM inside", p.swap(`,"aud"`, ",\ufeff\"aud\"")},
		{"UTF-16", "\xff\xfe{\x00"},
		{"trailing NUL", good + "\x00"},
		{"trailing brace", good + "}"},
		{"two objects", good + good},
		{"trailing comma", good[:len(good)-1] + ",}"},
		{"leading comma", "{," + good[1:]},
		{"two commas", p.swap(`,"aud"`, `,,"aud"`)},
		{"no comma", p.swap(`,"aud"`, `"aud"`)},
		{"comment", p.swap(`,"aud"`, `,/**/"aud"`)},
		{"line comment", good + "//x"},
		{"hash comment", good + "#"},
		{"no quotes around a name", p.swap(`"iss"`, `iss`)},
		{"single quotes", p.swap(`"iss"`, `'iss'`)},
		{"equals sign", p.swap(`"iss":`, `"iss"=`)},
		{"colon missing", p.swap(`"iss":`, `"iss"`)},
		{"semicolon", p.swap(`,"aud"`, `;"aud"`)},
		// Names.
		{"duplicate sub", p.with(`"sub":"admin"`)},
		{"duplicate sub, equal", p.with(`"sub":` + p.raw("sub"))},
		{"duplicate iat", p.with(`"iat":` + p.raw("iat"))},
		{"duplicate gen", p.with(`"gen":` + p.raw("gen"))},
		{"duplicate sid", p.with(`"sid":` + p.raw("sid"))},
		{"duplicate anon", p.with(`"anon":true,"anon":true`)},
		{"duplicate amr", p.with(`"amr":["a"],"amr":["a"]`)},
		{"duplicate claim", p.with(`"a":1,"a":2`)},
		{"duplicate far apart", `{"a":1,` + good[1:len(good)-1] + `,"b":1,"a":1}`},
		{"duplicate inside", p.with(`"a":{"b":1,"b":2}`)},
		{"duplicate deep inside", p.with(`"a":[{"b":{"c":1,"d":2,"c":3}}]`)},
		{"duplicate by escape inside", p.with(`"a":{"b":1,"\u0062":2}`)},
		{"SUB", p.with(`"SUB":"admin"`)},
		{"Sub", p.with(`"Sub":"admin"`)},
		{"SUB instead", p.swap(`"sub"`, `"SUB"`)},
		{"ſub", p.with(`"ſub":"admin"`)},
		{"ſub instead", p.swap(`"sub"`, `"ſub"`)},
		{"ISS", p.with(`"ISS":"x"`)},
		{"Auth_Time", p.with(`"Auth_Time":9`)},
		{"Kelvin sign", p.with("\"to\u212aen\":1")},
		{"Cyrillic look-alike", p.with("\"\u0455ub\":\"admin\"")},
		{"full width", p.with("\"\uff53\uff55\uff42\":\"admin\"")},
		{"zero width", p.with("\"sub\u200b\":\"admin\"")},
		{"combining", p.with("\"sub\u0301\":\"admin\"")},
		{"right-to-left", p.with("\"\u202esub\":\"admin\"")},
		{"sub by escape", p.with(`"\u0073ub":"admin"`)},
		{"sub by escape instead", p.swap(`"sub"`, `"\u0073ub"`)},
		{"escaped quote in a name", p.with(`"a\"":1`)},
		{"backslash in a name", p.with(`"a\\":1`)},
		{"name ends in a backslash", p.with(`"a\":1`)},
		{"name ends in a backslash inside", p.with(`"a":{"b\":1}`)},
		{"escape in a name inside", p.with(`"a":{"\n":1}`)},
		{"line feed in a name inside", p.with("\"a\":{\"\n\":1}")},
		{"DEL in a name inside", p.with("\"a\":{\"\x7f\":1}")},
		{"bad UTF-8 in a name inside", p.with("\"a\":{\"\xff\":1}")},
		{"empty name", p.with(`"":1`)},
		{"name with a space", p.with(`"sub ":1`)},
		{"space before a name", p.with(`" sub":1`)},
		{"NUL in a name", p.with("\"sub\x00\":1")},
		{"name of 65 bytes", p.with(`"` + strings.Repeat("n", 65) + `":1`)},
		{"name without end", p.with(`"abc`)},
		{"markup in a name", p.with(`"<a>":1`)},
		{"nbf", p.with(`"nbf":1`)},
		{"act", p.with(`"act":{}`)},
		{"act null", p.with(`"act":null`)},
		{"act a text", p.with(`"act":"bob"`)},
		{"act without sid", p.with(`"act":{"sub":"bob"}`)},
		{"act of nobody", p.with(`"act":{"sub":"","sid":"AQIDAAAAAAAAAAAAAAAAAA","sst":1}`)},
		{"act in another order", p.with(`"act":{"sid":"AQIDAAAAAAAAAAAAAAAAAA","sub":"bob","sst":1}`)},
		{"act with more", p.with(`"act":{"sub":"bob","sid":"AQIDAAAAAAAAAAAAAAAAAA","sst":1,"x":1}`)},
		{"act with an empty tenant", p.with(`"act":{"sub":"bob","sid":"AQIDAAAAAAAAAAAAAAAAAA","sst":1,"tenant":""}`)},
		{"act with an act", p.with(`"act":{"sub":"bob","sid":"AQIDAAAAAAAAAAAAAAAAAA","sst":1,"act":{"sub":"eve"}}`)},
		{"act twice", p.with(`"act":{"sub":"bob","sid":"AQIDAAAAAAAAAAAAAAAAAA","sst":1},"act":{"sub":"bob","sid":"AQIDAAAAAAAAAAAAAAAAAA","sst":1}`)},
		{"act not closed", p.with(`"act":{"sub":"bob","sid":"AQIDAAAAAAAAAAAAAAAAAA","sst":1`)},
		{"act and anon", p.with(`"act":{"sub":"bob","sid":"AQIDAAAAAAAAAAAAAAAAAA","sst":1},"anon":true`)},
		{"cnf", p.with(`"cnf":{"jkt":"x"}`)},
		{"jti of an access token, zero", p.with(`"jti":"AAAAAAAAAAAAAAAAAAAAAA"`)},
		{"jti of an access token, padded", p.with(`"jti":"BAUGAAAAAAAAAAAAAAAAAA=="`)},
		{"jti of an access token, number", p.with(`"jti":1`)},
		{"number as a name", p.with(`1:1`)},
		{"null as a name", p.with(`null:1`)},
		// Texts.
		{"sub number", p.value("sub", `1`)},
		{"sub null", p.value("sub", `null`)},
		{"sub array", p.value("sub", `[`+p.raw("sub")+`]`)},
		{"sub object", p.value("sub", `{}`)},
		{"sub true", p.value("sub", `true`)},
		{"sub missing value", p.value("sub", ``)},
		{"aud array", p.value("aud", `["a"]`)},
		{"aud array of two", p.value("aud", `["a","b"]`)},
		{"iss array", p.value("iss", `["i"]`)},
		{"prf array", p.value("prf", `["web"]`)},
		{"prf empty", p.value("prf", `""`)},
		{"prf null", p.value("prf", `null`)},
		{"acr empty", p.with(`"acr":""`)},
		{"acr number", p.with(`"acr":2`)},
		{"tenant empty", p.with(`"tenant":""`)},
		{"tenant null", p.with(`"tenant":null`)},
		{"anon false", p.with(`"anon":false`)},
		{"anon 1", p.with(`"anon":1`)},
		{"anon text", p.with(`"anon":"true"`)},
		{"anon TRUE", p.with(`"anon":TRUE`)},
		{"anon prefix", p.with(`"anon":truefalse`)},
		{"anon cut", `{"anon":tru`},
		{"amr text", p.with(`"amr":"pwd"`)},
		{"amr empty", p.with(`"amr":[]`)},
		{"amr of numbers", p.with(`"amr":[1]`)},
		{"amr with null", p.with(`"amr":["a",null]`)},
		{"amr nested", p.with(`"amr":[["a"]]`)},
		{"amr trailing comma", p.with(`"amr":["a",]`)},
		{"amr open", `{"amr":["a"`},
		{"amr object", p.with(`"amr":{}`)},
		{"escape n", p.subject(`a\nb`)},
		{"escape slash", p.subject(`a\/b`)},
		{"escape u", p.subject(`\u0061lice`)},
		{"escape u of a quote", p.subject(`\u0022`)},
		{"lone surrogate in sub", p.subject(`\ud800`)},
		{"pair in sub", p.subject(`\ud83d\ude00`)},
		{"escape x", p.subject(`\x41`)},
		{"escape at the end of all", `{"sub":"\`},
		{"backslash before the end", `{"sub":"a\"`},
		{"line feed in sub", p.subject("a\nb")},
		{"CR in sub", p.subject("a\rb")},
		{"NUL in sub", p.subject("alice\x00")},
		{"tab in sub", p.subject("a\tb")},
		{"0x1f in sub", p.subject("\x1f")},
		{"DEL in sub", p.subject("\x7f")},
		{"bad UTF-8", p.subject("\xff")},
		{"cut UTF-8", p.subject("\xc3")},
		{"overlong UTF-8", p.subject("\xc0\xaf")},
		{"UTF-8 surrogate", p.subject("\xed\xa0\x80")},
		{"UTF-8 past the end", p.subject("\xf4\x90\x80\x80")},
		{"Latin-1", p.subject("Andr\xe9")},
		{"bad UTF-8 in iss", p.value("iss", "\"\x80\"")},
		// Application values.
		{"lone high surrogate", p.with(`"v":"\ud800"`)},
		{"lone low surrogate", p.with(`"v":"\udc00"`)},
		{"surrogates the other way round", p.with(`"v":"\udc00\ud800"`)},
		{"two high surrogates", p.with(`"v":"\ud800\ud800"`)},
		{"high surrogate and text", p.with(`"v":"\ud800x"`)},
		{"high surrogate, cut escape", p.with(`"v":"\ud800\u"`)},
		{"lone surrogate in amr", p.with(`"amr":["\ud800"]`)},
		{"bad escape", p.with(`"v":"\a"`)},
		{"short u escape", p.with(`"v":"\u12"`)},
		{"u escape not hex", p.with(`"v":"\u12g4"`)},
		{"U escape", p.with(`"v":"\U0041"`)},
		{"control in a value", p.with("\"v\":\"\x01\"")},
		{"line feed in a value", p.with("\"v\":\"\n\"")},
		{"bad UTF-8 in a value", p.with("\"v\":\"\xc3\x28\"")},
		{"open text", p.with(`"v":"`)},
		{"leading zero", p.with(`"v":01`)},
		{"minus alone", p.with(`"v":-`)},
		{"plus", p.with(`"v":+1`)},
		{"point first", p.with(`"v":.5`)},
		{"point last", p.with(`"v":1.`)},
		{"e alone", p.with(`"v":1e`)},
		{"e plus", p.with(`"v":1e+`)},
		{"hex", p.with(`"v":0x1`)},
		{"NaN", p.with(`"v":NaN`)},
		{"Infinity", p.with(`"v":Infinity`)},
		{"minus Infinity", p.with(`"v":-Infinity`)},
		{"undefined", p.with(`"v":undefined`)},
		{"underscore", p.with(`"v":1_0`)},
		{"True", p.with(`"v":True`)},
		{"nul", p.with(`"v":nul`)},
		{"two values", p.with(`"v":1 2`)},
		{"no value", p.with(`"v":`)},
		{"full-width digit", p.with("\"v\":\uff11")},
		{"array trailing comma", p.with(`"v":[1,]`)},
		{"array leading comma", p.with(`"v":[,1]`)},
		{"array open", p.with(`"v":[1`)},
		{"array closed by brace", p.with(`"v":[1}`)},
		{"object trailing comma", p.with(`"v":{"a":1,}`)},
		{"object open", p.with(`"v":{"a":1`)},
		{"object without value", p.with(`"v":{"a"}`)},
		{"space in an array", p.with(`"v":[1, 2]`)},
		{"space in an empty array", p.with(`"v":[ ]`)},
		{"space in an empty object", p.with(`"v":{ }`)},
		{"depth 9", p.with(`"a":[[[[[[[[0]]]]]]]]`)},
		{"2,000 nested arrays", p.with(`"a":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000))},
		{"2,000 open objects", p.with(`"a":` + strings.Repeat(`{"a":`, 1000))},
		{"65 members", p.with(members(65))},
		{"65 members inside", p.with(`"o":{` + members(65) + `}`)},
		{"500 members", p.with(members(500))},
		// Numbers.
		{"iat text", p.value("iat", `"1"`)},
		{"iat exponent", p.value("iat", `1e0`)},
		{"iat E", p.value("iat", `1E1`)},
		{"iat float", p.value("iat", `1.0`)},
		{"iat leading zero", p.value("iat", `01`)},
		{"iat 00", p.value("iat", `00`)},
		{"iat negative", p.value("iat", `-1`)},
		{"iat minus zero", p.value("iat", `-0`)},
		{"iat plus", p.value("iat", `+1`)},
		{"exp NaN", p.value("exp", `NaN`)},
		{"exp null", p.value("exp", `null`)},
		{"exp true", p.value("exp", `true`)},
		{"exp array", p.value("exp", `[2]`)},
		{"exp 16 digits", p.value("exp", `1000000000000000`)},
		{"exp 20 digits", p.value("exp", `18446744073709551617`)},
		{"exp 400 digits", p.value("exp", strings.Repeat("9", 400))},
		{"exp hex", p.value("exp", `0x2`)},
		{"exp missing value", p.value("exp", ``)},
		{"exp date", p.value("exp", `"2030-01-01T00:00:00+00:00"`)},
		{"exp Arabic digit", p.value("exp", "\u0662")},
		{"gen 0", p.value("gen", `0`)},
		{"gen 2^32", p.value("gen", `4294967296`)},
		{"gen 2^32+7", p.value("gen", `4294967303`)},
		{"gen text", p.value("gen", `"7"`)},
		{"gen float", p.value("gen", `7.0`)},
		{"sst exponent", p.value("sst", `4e3`)},
		{"auth_time null", p.value("auth_time", `null`)},
		// The session id.
		{"sid empty", p.value("sid", `""`)},
		{"sid short", p.value("sid", `"AQIDAAAAAAAAAAAAAAAAA"`)},
		{"sid long", p.value("sid", `"AQIDAAAAAAAAAAAAAAAAAAA"`)},
		{"sid padded", p.value("sid", `"AQIDAAAAAAAAAAAAAAAAAA=="`)},
		{"sid stray bits", p.value("sid", `"AQIDAAAAAAAAAAAAAAAAAB"`)},
		{"sid +", p.value("sid", `"+QIDAAAAAAAAAAAAAAAAAA"`)},
		{"sid /", p.value("sid", `"/QIDAAAAAAAAAAAAAAAAAA"`)},
		{"sid line feed", p.value("sid", "\"AQIDAAAAAAAAAAAAAAAAA\nA\"")},
		{"sid escape", p.value("sid", `"\u0041QIDAAAAAAAAAAAAAAAA"`)},
		{"sid null", p.value("sid", `null`)},
		{"sid array", p.value("sid", `[`+p.raw("sid")+`]`)},
		{"sid number", p.value("sid", `1`)},
		{"sid hex", p.value("sid", `"01020300000000000000000000000000"`)},
		{"sid UUID", p.value("sid", `"01020300-0000-0000-0000-000000000000"`)},
		{"sid cut", `{"sid":"AQID`},
		// Missing members.
		{"no iss", p.without("iss")},
		{"no aud", p.without("aud")},
		{"no sub", p.without("sub")},
		{"no sid", p.without("sid")},
		{"no iat", p.without("iat")},
		{"no exp", p.without("exp")},
		{"no gen", p.without("gen")},
		{"no prf", p.without("prf")},
		{"no auth_time", p.without("auth_time")},
		{"no sst", p.without("sst")},
	}
	if p.raw("jti") == "" {
		return rows
	}
	for _, other := range []string{`""`, `"BAUGAAAAAAAAAAAAAAAAAB"`, `"BAUGAAAAAAAAAAAAAAAAA"`, `"BAUGAAAAAAAAAAAAAAAAAA=="`, `"b1f4c1de-0000-4000-8000-000000000000"`, `null`, `4`} {
		rows = append(rows, row{"jti " + other, p.value("jti", other)})
	}
	if p.raw("prf") != "" {
		return rows // an access token that refreshes
	}
	for _, m := range []string{`"prf":"web"`, `"auth_time":3`, `"sst":4`, `"acr":"2"`, `"amr":["pwd"]`, `"tenant":"t"`, `"anon":true`, `"name":"Alice"`, `"nbf":1`} {
		rows = append(rows, row{"a refresh token with " + m, p.with(m)})
	}
	return append(rows, row{"no jti", p.without("jti")})
}

package jwt_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/codectest"
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
	{"with a jti", goodAccess[:len(goodAccess)-1] + `,"jti":` + jti + `}`},
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

// appMembers returns n members.
func appMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":%d`, i, i)
	}
	return b.String()[1:]
}

// signs returns what signs any text under an algorithm.
func signs(c *jwt.Codec, a codec.Algorithm) codectest.Sign {
	return func(signed string) string { return c.SignText(a, signed) }
}

// refusedTokens are the hostile variants of a good access token.
func refusedTokens(c *jwt.Codec, a codec.Algorithm) map[string]string {
	all := codectest.Malformed(c.SignPayload(a, codec.Access, goodAccess), signs(c, a))
	payload := encode(goodAccess)
	for _, b := range algorithms {
		if b == a {
			continue
		}
		all["header of "+string(a)+", signed under "+string(b)] = c.SignText(b, c.Header(a, codec.Access)+"."+payload)
		all["header of "+string(b)+", signed under "+string(a)] = c.SignText(a, c.Header(b, codec.Access)+"."+payload)
	}
	old := `{"alg":"` + string(a) + `","kid":"` + ids[a].old + `","typ":"at+jwt"}`
	all["signed by another key than its kid"] = c.SignText(a, encode(old)+"."+payload)
	all["signature of another token"] = c.Header(a, codec.Access) + "." + payload + c.SignPayload(a, codec.Access, with(`"a":1`))[len(c.SignPayload(a, codec.Access, with(`"a":1`)))-len(signature(c, a))-1:]
	return all
}

// signature returns one of an algorithm, in base64url.
func signature(c *jwt.Codec, a codec.Algorithm) string {
	token := c.SignPayload(a, codec.Access, goodAccess)
	return token[strings.LastIndexByte(token, '.')+1:]
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	var cl, again codec.Claims
	for _, a := range algorithms {
		for _, tt := range acceptedPayloads {
			token := c.SignPayload(a, codec.Access, tt.payload)
			if err := c.Verify(&cl, codec.Access, token); err != nil {
				t.Errorf("%s: %s: refused: %s", a, tt.name, tt.payload)
				continue
			}
			resigned := sign(t, c, &cl)
			if err := c.Verify(&again, codec.Access, resigned); err != nil || says(&again) != says(&cl) || len(resigned) != len(token) {
				t.Errorf("%s: %s: signed again it says %+v, not %+v", a, tt.name, says(&again), says(&cl))
			}
		}
		token := c.SignPayload(a, codec.Refresh, goodRefresh)
		if c.Verify(&cl, codec.Refresh, token) != nil || a != codec.ES256 && sign(t, c, &cl) != token {
			t.Errorf("%s: the refresh token is refused, or signed again another one", a)
		}
	}
}

func TestAcceptedTexts(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	var cl codec.Claims
	payload := `{"z":1,"sub":"a\"b\\c","iss":"\\","x":{"y":"\\\""},` + strings.TrimPrefix(instead(`"iss":"i","aud":"a","sub":"alice",`, `"aud":"é",`), "{")
	if err := c.Verify(&cl, codec.Access, c.SignPayload(codec.HS256, codec.Access, payload)); err != nil {
		t.Fatal(err)
	}
	got := says(&cl)
	if got.subject != `a"b\c` || got.issuer != `\` || got.audience != "é" || got.app != `{"z":1,"x":{"y":"\\\""}}` || got.gen != 7 || got.started != 4 {
		t.Errorf("claims %+v", got)
	}
}

// refuser counts what is refused with the one answer.
type refuser struct {
	*testing.T
	c     *jwt.Codec
	count int
}

func (r *refuser) refuse(name string, typ codec.Type, token string) {
	r.Helper()
	r.count++
	var cl codec.Claims
	if err := r.c.Verify(&cl, typ, token); err != codec.ErrInvalid { //nolint:errorlint // the contract: never wrapped
		r.Errorf("%s: %v for %.300s", name, err, token)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "JWT-3.1")
	t.Attr("requirement", "JWT-3.2")
	t.Attr("requirement", "JWT-3.3")
	t.Attr("requirement", "JWT-3.7")
	t.Attr("requirement", "JWT-3.10")
	t.Attr("requirement", "JWT-3.11")
	t.Attr("requirement", "JWT-3.12")
	t.Attr("requirement", "JWT-bis-fmt")
	t.Attr("requirement", "JWS-crit")
	t.Attr("requirement", "JWS-dup")
	t.Attr("requirement", "JWS-b64")
	t.Attr("requirement", "ASVS-9.1.2")
	t.Attr("requirement", "ASVS-9.1.3")
	t.Attr("requirement", "AT-typ")
	t.Attr("requirement", "AT-none")
	t.Attr("requirement", "BUG CVE-2015-9235")
	t.Attr("requirement", "BUG CVE-2018-0114")
	t.Attr("requirement", "BUG CVE-2024-21664")
	t.Attr("requirement", "BUG CVE-2016-9122")
	t.Attr("requirement", "BUG CVE-2025-30204, CVE-2025-27144")
	t.Attr("requirement", "BUG CVE-2023-51774")
	t.Attr("requirement", "BUG CVE-2026-32301")
	t.Attr("requirement", "BUG CVE-2025-24976")
	t.Attr("requirement", "BUG CVE-2023-49290")
	t.Attr("requirement", "BUG CVE-2024-28180, CVE-2024-28122")
	t.Attr("requirement", "BUG CVE-2020-26160")
	for _, a := range algorithms {
		t.Run(string(a), func(t *testing.T) {
			t.Parallel()
			c, _ := newCodec()
			r := &refuser{T: t, c: c}
			access, refresh := c.SignPayload(a, codec.Access, goodAccess), c.SignPayload(a, codec.Refresh, goodRefresh)
			for name, token := range refusedTokens(c, a) {
				r.refuse(name, codec.Access, token)
			}
			for name, token := range codectest.Malformed(refresh, signs(c, a)) {
				r.refuse("refresh: "+name, codec.Refresh, token)
			}
			for range 2 { // the second time with the good ones remembered
				r.refuse("access as refresh", codec.Refresh, access)
				r.refuse("access as hand-off", codec.HandOff, access)
				r.refuse("refresh as access", codec.Access, refresh)
				r.refuse("refresh claims, typ of access, as refresh", codec.Refresh, c.SignPayload(a, codec.Access, goodRefresh))
				r.refuse("refresh claims, typ of access", codec.Access, c.SignPayload(a, codec.Access, goodRefresh))
				r.refuse("access claims, typ of refresh", codec.Refresh, c.SignPayload(a, codec.Refresh, goodAccess))
				r.refuse("no wanted type", 0, access)
				var cl codec.Claims
				if c.Verify(&cl, codec.Access, access) != nil || c.Verify(&cl, codec.Refresh, refresh) != nil {
					t.Error("the tokens that the others are made from are refused")
				}
			}
			t.Logf("%d refused tokens", r.count)
			if r.count < 900 {
				t.Errorf("only %d refused tokens", r.count)
			}
		})
	}
}

// TestConfused: no public key is ever taken for a secret, under rings with and
// without a key for HMAC.
func TestConfused(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "BUG CVE-2022-29217")
	t.Attr("requirement", "BUG CVE-2026-33322")
	both, _ := newCodec()
	only, r := newCodec()
	r.replace(keys[2:]...) // the asymmetric ones
	for _, k := range keys[2:] {
		if !k.Sign {
			continue
		}
		token := both.SignPayload(k.Algorithm, codec.Access, goodAccess)
		confused := codectest.Confused(token, k.Public)
		for _, c := range []*jwt.Codec{both, only} {
			r := &refuser{T: t, c: c}
			for name, token := range confused {
				r.refuse(name, codec.Access, token)
			}
			if r.count < 18 {
				t.Errorf("only %d tokens", r.count)
			}
		}
	}
}

// TestMalleable: (r, n−s) is a valid signature too. What is denied must not be
// told by its text.
func TestMalleable(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "JWT-mall")
	c, _ := newCodec()
	token := c.SignPayload(codec.ES256, codec.Access, goodAccess)
	i := len(token) - 86
	raw, err := base64.RawURLEncoding.DecodeString(token[i:])
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).SetBytes(raw[32:])
	s.Sub(ecKey.Params().N, s).FillBytes(raw[32:])
	var cl codec.Claims
	if err := c.Verify(&cl, codec.Access, token[:i]+base64.RawURLEncoding.EncodeToString(raw)); err != nil {
		t.Error("the other signature of the same message is refused")
	}
}

// TestWycheproofJOSE: none of the published tokens is ours, whatever key they
// are for.
func TestWycheproofJOSE(t *testing.T) {
	t.Parallel()
	for _, file := range []string{codectest.JSONWebSignature, codectest.JSONWebEncryption, codectest.JSONWebCrypto, codectest.JSONWebKey} {
		cases := codectest.JOSE(t, file)
		ring := &ring{}
		var all []codec.Key
		for _, tt := range cases {
			all = append(all, jwks(t, tt.Private)...)
		}
		ring.replace(all...)
		r := &refuser{T: t, c: jwt.New(ring)}
		for _, tt := range cases {
			r.refuse(file, codec.Access, tt.Text)
			r.refuse(file, codec.Refresh, tt.Text)
		}
		t.Logf("%s: %d cases refused under %d keys", file, len(cases), len(all))
	}
	if n := len(codectest.JOSE(t, codectest.JSONWebSignature)); n != 401 {
		t.Errorf("%d signature cases", n)
	}
}

// TestWycheproofPrimitives: what the codec calls keeps to the vectors.
func TestWycheproofPrimitives(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "BUG CVE-2022-21449")
	for _, tt := range codectest.HMACSHA256(t) {
		sum := jwt.HS256Sum(tt.Key, tt.Message)
		if got := string(sum[:tt.TagBits/8]) == string(tt.Tag); got != tt.Valid {
			t.Errorf("HMAC %d (%s): %v", tt.ID, tt.Comment, got)
		}
	}
	count := 0
	for _, tt := range codectest.P256SHA256(t) {
		public, err := ecdsa.ParseUncompressedPublicKey(ecKey.Curve, tt.Key)
		if err != nil {
			t.Fatal(err)
		}
		if len(tt.Tag) != 64 { // refused by its length in base64url
			if tt.Valid {
				t.Errorf("ES256 %d (%s) has %d bytes", tt.ID, tt.Comment, len(tt.Tag))
			}
			continue
		}
		count++
		if got := jwt.VerifyES256(public, tt.Message, [64]byte(tt.Tag)); got != tt.Valid {
			t.Errorf("ES256 %d (%s): %v", tt.ID, tt.Comment, got)
		}
	}
	for _, tt := range codectest.Ed25519(t) {
		got := len(tt.Tag) == ed25519.SignatureSize && jwt.Ed25519Point(tt.Key) && ed25519.Verify(tt.Key, tt.Message, tt.Tag)
		if got != tt.Valid {
			t.Errorf("EdDSA %d (%s): %v", tt.ID, tt.Comment, got)
		}
	}
	if count < 200 {
		t.Errorf("only %d P-256 cases", count)
	}
}

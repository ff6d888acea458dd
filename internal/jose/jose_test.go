package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/remuda-go/remuda/codec/codectest"
	"github.com/remuda-go/remuda/internal/jose"
)

var all = []jose.Algorithm{jose.ES256, jose.EdDSA, jose.PS256, jose.RS256}

var (
	ecKey  = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	p384   = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	edKey  = ed25519.NewKeyFromSeed(make([]byte, 32))
	rsaKey = must(rsa.GenerateKey(rand.Reader, 2048))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// sign signs a text under an algorithm.
func sign(a jose.Algorithm, signed string) string {
	digest := sha256.Sum256([]byte(signed))
	var signature []byte
	switch a {
	case jose.ES256:
		r, s := must2(ecdsa.Sign(rand.Reader, ecKey, digest[:]))
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case jose.EdDSA:
		signature = ed25519.Sign(edKey, []byte(signed))
	case jose.RS256:
		signature = must(rsa.SignPKCS1v15(nil, rsaKey, crypto.SHA256, digest[:]))
	case jose.PS256:
		signature = must(rsa.SignPSS(rand.Reader, rsaKey, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func must2[T, U any](v T, w U, err error) (T, U) {
	if err != nil {
		panic(err)
	}
	return v, w
}

func token(a jose.Algorithm, header, payload string) string {
	return sign(a, encode(header)+"."+encode(payload))
}

func header(a jose.Algorithm, more string) string {
	return fmt.Sprintf(`{"alg":%q,"kid":"k","typ":"logout+jwt"%s}`, a, more)
}

var keys = []jose.Key{
	{ID: "other", Public: edKey.Public()},
	{ID: "k", Public: ecKey.Public()},
	{ID: "k", Algorithm: jose.EdDSA, Public: edKey.Public()},
	{Public: rsaKey.Public()},
}

func TestVerify(t *testing.T) {
	t.Parallel()
	for _, a := range all {
		for name, text := range map[string]string{"usual": header(a, ""), "unknown members": header(a, `,"x":1,"cty":"JWT"`), "white space": strings.ReplaceAll(header(a, ""), ",", " ,\n")} {
			got, h, err := jose.Verify(token(a, text, `{"sub":"alice"}`), keys, all...)
			if err != nil || string(got) != `{"sub":"alice"}` || h.Algorithm != a || h.KeyID != "k" || h.Type != "logout+jwt" || h.Key.Public != nil {
				t.Errorf("%s, %s: %s, %+v, %v", a, name, got, h, err)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	refuse := func(name, token string, keys []jose.Key, algorithms ...jose.Algorithm) {
		t.Helper()
		if got, h, err := jose.Verify(token, keys, algorithms...); err != jose.ErrInvalid || got != nil || h != (jose.Header{}) { //nolint:errorlint // never wrapped
			t.Errorf("%s: %s, %+v, %v for %.200s", name, got, h, err, token)
		}
		if _, _, err := jose.VerifyEmbedded(token, algorithms...); !errors.Is(err, jose.ErrInvalid) {
			t.Errorf("%s: accepted with the key in it", name)
		}
	}
	for _, a := range all {
		good := token(a, header(a, ""), `{}`)
		refuse("no algorithm allowed", good, keys)
		for _, b := range all {
			if b != a {
				refuse("another algorithm allowed", good, keys, b)
				refuse("signed under "+string(b), token(b, header(a, ""), `{}`), keys, all...)
			}
		}
		refuse("no keys", good, nil, all...)
		refuse("other key id", good, []jose.Key{{ID: "x", Public: ecKey.Public()}, {ID: "x", Public: edKey.Public()}, {ID: "x", Public: rsaKey.Public()}}, all...)
		refuse("the keys are for another algorithm", good, []jose.Key{{Algorithm: "HS256", Public: ecKey.Public()}, {Algorithm: "HS256", Public: edKey.Public()}, {Algorithm: "HS256", Public: rsaKey.Public()}}, all...)
		for _, more := range []string{
			`,"crit":["exp"],"exp":1`, `,"crit":[]`, `,"b64":false,"crit":["b64"]`, `,"b64":false`, `,"b64":true`, `,"zip":"DEF"`, `,"enc":"A128GCM"`, `,"jku":"https://evil.example/"`, `,"x5u":"https://evil.example/"`, `,"x5c":["AA=="]`,
			`,"jwk":{"kty":"OKP","crv":"Ed25519","x":"AA"}`, `,"jwk":{}`, `,"jwk":null`, `,"alg":"none"`, `,"kid":"k"`, `,"x":1,"x":2`, ",\"x\":\"\xff\"", `,`, `,"x":"\ud800"`,
		} {
			refuse(more, token(a, header(a, more), `{}`), keys, all...)
		}
		for _, text := range []string{``, `{}`, `null`, `[]`, `"x"`, `{"alg":null}`, `{"ALG":"` + string(a) + `"}`, `{"alg":["` + string(a) + `"]}`, `{"alg":"` + string(a) + `","kid":7}`, `{"alg":"` + string(a) + `","typ":null}`, `{"alg":"` + strings.ToLower(string(a)) + `"}`, `{"alg":"` + string(a) + `"} {}`} {
			refuse(text, token(a, text, `{}`), append(keys, jose.Key{Public: ecKey.Public()}, jose.Key{Public: edKey.Public()}), all...)
		}
		refuse("too long", token(a, header(a, ""), strings.Repeat("x", 8<<10)), keys, all...)
		// With the good token's own signature nothing else passes.
		for name, variant := range codectest.Malformed(token(a, fmt.Sprintf(`{"alg":%q,"kid":"k","typ":"at+jwt"}`, a), `{"sub":"alice"}`), nil) {
			refuse(name, variant, keys, all...)
		}
	}
	// Algorithms that nobody can allow.
	for _, a := range []string{"none", "None", "HS256", "HS384", "ES384", "ES512", "RS384", "PS512", "Ed25519", "RSA1_5", "dir"} {
		refuse(a, sign(jose.ES256, encode(`{"alg":"`+a+`","kid":"k"}`)+"."+encode(`{}`)), keys, append(all, jose.Algorithm(a))...)
		refuse(a+" unsigned", encode(`{"alg":"`+a+`","kid":"k"}`)+"."+encode(`{}`)+".", keys, append(all, jose.Algorithm(a))...)
	}
	signed := encode(`{"alg":"HS256","kid":"k"}`) + "." + encode(`{}`)
	mac := hmac.New(sha256.New, edKey.Public().(ed25519.PublicKey))
	mac.Write([]byte(signed))
	refuse("public key as a secret", signed+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), keys, append(all, "HS256")...)
	refuse("a secret as a key", signed+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), []jose.Key{{Public: []byte(edKey.Public().(ed25519.PublicKey))}}, append(all, "HS256")...)
	// Keys of other kinds.
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	for _, public := range []crypto.PublicKey{nil, "x", ecKey, edKey, rsaKey, p384.Public(), small.Public(), edKey.Public().(ed25519.PublicKey)[:31], (*ecdsa.PublicKey)(nil), (*rsa.PublicKey)(nil), &rsa.PublicKey{}, &ecdsa.PublicKey{}} {
		for _, a := range all {
			refuse("odd key", token(a, header(a, ""), `{}`), []jose.Key{{Public: public}}, all...)
		}
	}
}

// jwkOf returns a public key as a JWK, with members more.
func jwkOf(public crypto.PublicKey, more string) string {
	url := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		point := must(k.Bytes())
		half := len(point) / 2
		return fmt.Sprintf(`{"kty":"EC","crv":%q,"x":%q,"y":%q%s}`, k.Params().Name, url(point[1:1+half]), url(point[1+half:]), more)
	case ed25519.PublicKey:
		return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q%s}`, url(k), more)
	case *rsa.PublicKey:
		return fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB"%s}`, url(k.N.Bytes()), more)
	}
	panic("no public key")
}

func proof(a jose.Algorithm, jwk string) string {
	return token(a, fmt.Sprintf(`{"typ":"dpop+jwt","alg":%q,"jwk":%s}`, a, jwk), `{"jti":"x"}`)
}

func TestVerifyEmbedded(t *testing.T) {
	t.Parallel()
	public := map[jose.Algorithm]crypto.PublicKey{jose.ES256: ecKey.Public(), jose.EdDSA: edKey.Public(), jose.RS256: rsaKey.Public(), jose.PS256: rsaKey.Public()}
	for _, a := range all {
		text, h, err := jose.VerifyEmbedded(proof(a, jwkOf(public[a], "")), all...)
		if err != nil || string(text) != `{"jti":"x"}` || h.Type != "dpop+jwt" || !h.Key.Public.(interface{ Equal(crypto.PublicKey) bool }).Equal(public[a]) {
			t.Errorf("%s: %s, %+v, %v", a, text, h, err)
		}
		if _, _, err := jose.Verify(proof(a, jwkOf(public[a], "")), []jose.Key{{Public: public[a]}}, all...); !errors.Is(err, jose.ErrInvalid) {
			t.Errorf("%s: accepted where a key in the header is not asked for", a)
		}
		for name, jwk := range map[string]string{
			"for encryption": jwkOf(public[a], `,"use":"enc"`), "to sign only": jwkOf(public[a], `,"key_ops":["sign"]`), "of another algorithm": jwkOf(public[a], `,"alg":"ES384"`),
			"private": jwkOf(public[a], `,"d":"AAAA"`), "symmetric too": jwkOf(public[a], `,"k":"AAAA"`), "symmetric": `{"kty":"oct","k":"AAAA"}`, "P-384": jwkOf(p384.Public(), ""),
			"another's": jwkOf(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).Public(), ""), "duplicate": jwkOf(public[a], `,"kid":"a","kid":"b"`), "null": "null", "text": `"x"`, "array": "[]", "empty": "{}",
		} {
			if _, _, err := jose.VerifyEmbedded(proof(a, jwk), all...); !errors.Is(err, jose.ErrInvalid) {
				t.Errorf("%s: accepted with a key that is %s", a, name)
			}
		}
	}
}

// TestThumbprint: the examples of RFC 7638 section 3.1 and RFC 8037 appendix A.3.
func TestThumbprint(t *testing.T) {
	t.Parallel()
	for jwk, want := range map[string]string{
		`{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
		`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
	} {
		k, err := jose.ParseKey([]byte(jwk))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := jose.Thumbprint(k.Public); err != nil || got != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	if _, err := jose.Thumbprint("x"); err == nil {
		t.Error("a text has a thumbprint")
	}
}

// TestWycheproof: of the published signatures exactly those verify that are valid,
// asymmetric and of an algorithm of ours.
func TestWycheproof(t *testing.T) {
	t.Parallel()
	accepted := 0
	for _, tt := range codectest.JOSE(t, codectest.JSONWebSignature) {
		var alg struct{ Alg jose.Algorithm }
		k, err := jose.ParseKey(tt.Key)
		if json.Unmarshal(tt.Key, &alg) != nil {
			t.Fatal("not a JWK")
		}
		got := false
		if err == nil {
			_, _, err := jose.Verify(tt.Text, []jose.Key{k}, all...)
			got = err == nil
		}
		want := tt.Valid && tt.Use != "expect_reject" && (alg.Alg == jose.ES256 || alg.Alg == jose.RS256 || alg.Alg == jose.PS256)
		if tt.ID == 346 || tt.ID == 350 { // the key says PS256, the token PS384
			want = false
		}
		if got != want {
			t.Errorf("%d (%s): accepted %v, want %v", tt.ID, tt.Comment, got, want)
		}
		if got {
			accepted++
		}
	}
	if accepted < 16 {
		t.Errorf("only %d accepted", accepted)
	}
	for _, tt := range codectest.JOSE(t, codectest.JSONWebEncryption) {
		if k, err := jose.ParseKey(tt.Key); err == nil {
			if _, _, err := jose.Verify(tt.Text, []jose.Key{k}, all...); err == nil {
				t.Errorf("%d: an encrypted token is accepted", tt.ID)
			}
		}
	}
}

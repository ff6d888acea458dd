package oracle_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	other "github.com/golang-jwt/jwt/v5"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/codectest"
	"github.com/remuda-go/remuda/codec/jwt"
)

type keys struct{ set *codec.KeySet }

func (k keys) KeySet() *codec.KeySet { return k.set }

var jwtAlgorithms = []codec.Algorithm{codec.HS256, codec.ES256, codec.EdDSA}

const jwtKeyID = "k-active"

var (
	secret = []byte("the secret of the active key, 32")
	edKey  = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	ecKey  = func() *ecdsa.PrivateKey {
		k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{1}, 32))
		if err != nil {
			panic(err)
		}
		return k
	}()
)

func newCodec() *jwt.Codec {
	return jwt.New(keys{&codec.KeySet{Keys: []codec.Key{
		{ID: jwtKeyID, Algorithm: codec.HS256, Secret: secret, Sign: true},
		{ID: jwtKeyID, Algorithm: codec.ES256, Public: ecKey.Public(), Signer: ecKey, Sign: true},
		{ID: jwtKeyID, Algorithm: codec.EdDSA, Public: edKey.Public(), Signer: edKey, Sign: true},
	}}})
}

// pair returns the key of an algorithm, as other libraries want it.
func pair(a codec.Algorithm) (private, public any) {
	switch a {
	case codec.ES256:
		return ecKey, ecKey.Public()
	case codec.EdDSA:
		return edKey, edKey.Public()
	default:
		return secret, secret
	}
}

// texts leave out <, >, & and U+2028, which encoding/json escapes in a way that
// we do not read in our own claims.
var texts = []string{"alice", `a"b\c`, "é😀", "a/b", "https://app.example"}

func drawJWT(draw *rand.Rand, a codec.Algorithm) *codec.Claims {
	pick := func() string { return texts[draw.IntN(len(texts))] }
	cl := &codec.Claims{Type: codec.Access, Algorithm: a, Gen: 1 + draw.Uint32N(1000)}
	for i := range cl.Session {
		cl.Session[i] = byte(draw.Uint32())
	}
	cl.IssuedAt, cl.Expires, cl.AuthTime, cl.Started = draw.Int64N(1<<40), draw.Int64N(1<<40), draw.Int64N(1<<40), draw.Int64N(1<<45)
	cl.Issuer, cl.Audience, cl.Subject, cl.Profile = cl.Add(pick()), cl.Add(pick()), cl.Add(pick()), cl.Add("web")
	cl.AMR, cl.App = cl.Add(`["pwd"]`), cl.Add(`{"name":"Alice","n":[1,{"a":null}]}`)
	if draw.IntN(2) == 0 {
		cl.Anon, cl.ACR, cl.Tenant = true, cl.Add(pick()), cl.Add(pick())
	}
	return cl
}

// TestJWT: golang-jwt and go-jose read what we write, and we read what they write
// with our header. (They sort its members by name, and so into our order.)
func TestJWT(t *testing.T) {
	t.Parallel()
	for _, a := range jwtAlgorithms {
		t.Run(string(a), func(t *testing.T) {
			t.Parallel()
			c := newCodec()
			draw := rand.New(rand.NewPCG(1, 2))
			for range 200 {
				cl := drawJWT(draw, a)
				ours, err := c.Sign(nil, cl)
				if err != nil {
					t.Fatal(err)
				}
				for name, rewrite := range map[string]func(*testing.T, codec.Algorithm, string, *codec.Claims) string{"golang-jwt": byGolangJWT, "go-jose": byGoJOSE} {
					theirs := rewrite(t, a, string(ours), cl)
					var back codec.Claims
					if err := c.Verify(&back, codec.Access, theirs); err != nil {
						t.Fatalf("we refuse what %s writes: %s", name, theirs)
					}
					if back.Session != cl.Session || back.Gen != cl.Gen || back.Started != cl.Started || back.Anon != cl.Anon || back.Algorithm != a || back.Key != jwtKeyID ||
						string(back.Text(back.Subject)) != string(cl.Text(cl.Subject)) || string(back.Text(back.ACR)) != string(cl.Text(cl.ACR)) {
						t.Fatalf("from %s we read other claims: %s", name, theirs)
					}
				}
			}
		})
	}
}

// byGolangJWT reads a token with golang-jwt, compares, and writes it again.
func byGolangJWT(t *testing.T, a codec.Algorithm, token string, cl *codec.Claims) string {
	t.Helper()
	private, public := pair(a)
	parser := other.NewParser(other.WithValidMethods([]string{string(a)}), other.WithStrictDecoding(), other.WithJSONNumber(), other.WithoutClaimsValidation())
	got := other.MapClaims{}
	parsed, err := parser.ParseWithClaims(token, got, func(*other.Token) (any, error) { return public, nil })
	if err != nil {
		t.Fatalf("golang-jwt refuses %s: %v", token, err)
	}
	compare(t, "golang-jwt", got, cl)
	again := other.NewWithClaims(parsed.Method, got)
	again.Header = parsed.Header
	text, err := again.SignedString(private)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// byGoJOSE does the same with go-jose.
func byGoJOSE(t *testing.T, a codec.Algorithm, token string, cl *codec.Claims) string {
	t.Helper()
	private, public := pair(a)
	parsed, err := josejwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(a)})
	if err != nil {
		t.Fatalf("go-jose refuses %s: %v", token, err)
	}
	var raw json.RawMessage
	if err := parsed.Claims(public, &raw); err != nil {
		t.Fatalf("go-jose refuses %s: %v", token, err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	got := map[string]any{}
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	compare(t, "go-jose", got, cl)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(a), Key: private}, (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", jwtKeyID))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func compare(t *testing.T, library string, got map[string]any, cl *codec.Claims) {
	t.Helper()
	for name, want := range map[string]any{
		"iss": string(cl.Text(cl.Issuer)), "aud": string(cl.Text(cl.Audience)), "sub": string(cl.Text(cl.Subject)), "prf": "web",
		"iat": cl.IssuedAt, "exp": cl.Expires, "gen": cl.Gen, "auth_time": cl.AuthTime, "sst": cl.Started, "name": "Alice",
		"sid": base64.RawURLEncoding.EncodeToString(cl.Session[:]),
	} {
		if fmt.Sprint(got[name]) != fmt.Sprint(want) {
			t.Fatalf("%s reads %s = %v, want %v", library, name, got[name], want)
		}
	}
}

// TestMalformedJWT: we refuse every hostile variant. Of the others it is noted how
// many they take, with the options that their documentation recommends: of those
// signed with the right key many are well-formed JWTs, only not ours.
func TestMalformedJWT(t *testing.T) {
	t.Parallel()
	for _, a := range jwtAlgorithms {
		t.Run(string(a), func(t *testing.T) {
			t.Parallel()
			c := newCodec()
			private, public := pair(a)
			cl := &codec.Claims{Type: codec.Access, Algorithm: a, Gen: 7, Expires: 99_999_999_999}
			cl.Subject, cl.Profile = cl.Add("alice"), cl.Add("web")
			good, err := c.Sign(nil, cl)
			if err != nil {
				t.Fatal(err)
			}
			var v codec.Claims
			if c.Verify(&v, codec.Access, string(good)) != nil {
				t.Fatal("the good one is refused")
			}
			method := other.GetSigningMethod(string(a))
			all := codectest.Malformed(string(good), func(signed string) string {
				signature, err := method.Sign(signed, private)
				if err != nil {
					t.Fatal(err)
				}
				return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
			})
			parser := other.NewParser(other.WithValidMethods([]string{string(a)}), other.WithStrictDecoding(), other.WithExpirationRequired())
			var golangJWT, goJOSE []string
			for name, token := range all {
				if c.Verify(&v, codec.Access, token) == nil {
					t.Errorf("%s: accepted: %.300s", name, token)
				}
				if _, err := parser.Parse(token, func(*other.Token) (any, error) { return public, nil }); err == nil {
					golangJWT = append(golangJWT, name)
				}
				if parsed, err := josejwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(a)}); err == nil && parsed.Claims(public, &josejwt.Claims{}) == nil {
					goJOSE = append(goJOSE, name)
				}
			}
			t.Logf("of %d malformed tokens remuda takes 0, golang-jwt %d, go-jose %d", len(all), len(golangJWT), len(goJOSE))
			for library, list := range map[string][]string{"golang-jwt": golangJWT, "go-jose": goJOSE} {
				list = slices.DeleteFunc(list, func(name string) bool {
					return strings.HasPrefix(name, "header: ") || strings.HasPrefix(name, "payload: ")
				})
				slices.Sort(list)
				t.Logf("%s takes, apart from header and payload: %q", library, list)
			}
		})
	}
}

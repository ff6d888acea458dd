package oracle_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	other "github.com/golang-jwt/jwt/v5"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/jwt"
)

type keys struct{ set *codec.KeySet }

func (k keys) KeySet() *codec.KeySet { return k.set }

var secret = []byte("the secret of the active key, 32")

func newCodec() *jwt.Codec {
	return jwt.New(keys{&codec.KeySet{Keys: []codec.Key{{ID: "k-active", Algorithm: codec.HS256, Secret: secret, Sign: true}}}})
}

// texts leave out <, >, & and U+2028, which encoding/json escapes in a way that
// we do not read in our own claims.
var texts = []string{"alice", `a"b\c`, "é😀", "a/b", "https://app.example"}

// TestJWT: golang-jwt reads what we write, and writes what we read: it sorts
// members by name, and so also the header's into our order.
func TestJWT(t *testing.T) {
	t.Parallel()
	c := newCodec()
	draw := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		pick := func() string { return texts[draw.IntN(len(texts))] }
		var cl codec.Claims
		cl.Type, cl.Gen = codec.Access, 1+draw.Uint32N(1000)
		for i := range cl.Session {
			cl.Session[i] = byte(draw.Uint32())
		}
		cl.IssuedAt, cl.Expires, cl.AuthTime, cl.Started = draw.Int64N(1<<40), draw.Int64N(1<<40), draw.Int64N(1<<40), draw.Int64N(1<<45)
		cl.Issuer, cl.Audience, cl.Subject, cl.Profile = cl.Add(pick()), cl.Add(pick()), cl.Add(pick()), cl.Add("web")
		cl.AMR, cl.App = cl.Add(`["pwd"]`), cl.Add(`{"name":"Alice","n":[1,{"a":null}]}`)
		if draw.IntN(2) == 0 {
			cl.Anon, cl.ACR, cl.Tenant = true, cl.Add(pick()), cl.Add(pick())
		}
		ours, err := c.Sign(nil, &cl)
		if err != nil {
			t.Fatal(err)
		}
		theirs := rewrite(t, string(ours), &cl)
		var back codec.Claims
		if err := c.Verify(&back, codec.Access, theirs); err != nil {
			t.Fatalf("we refuse what golang-jwt writes: %s", theirs)
		}
		if back.Session != cl.Session || back.Gen != cl.Gen || back.Started != cl.Started || back.Anon != cl.Anon ||
			string(back.Text(back.Subject)) != string(cl.Text(cl.Subject)) || string(back.Text(back.ACR)) != string(cl.Text(cl.ACR)) {
			t.Fatalf("from golang-jwt we read other claims: %s", theirs)
		}
	}
}

// rewrite reads a token with golang-jwt, compares, and writes it again.
func rewrite(t *testing.T, token string, cl *codec.Claims) string {
	t.Helper()
	parser := other.NewParser(other.WithValidMethods([]string{"HS256"}), other.WithStrictDecoding(), other.WithJSONNumber(), other.WithoutClaimsValidation())
	got := other.MapClaims{}
	parsed, err := parser.ParseWithClaims(token, got, func(*other.Token) (any, error) { return secret, nil })
	if err != nil {
		t.Fatalf("golang-jwt refuses %s: %v", token, err)
	}
	for name, want := range map[string]any{
		"iss": string(cl.Text(cl.Issuer)), "aud": string(cl.Text(cl.Audience)), "sub": string(cl.Text(cl.Subject)), "prf": "web",
		"iat": cl.IssuedAt, "exp": cl.Expires, "gen": cl.Gen, "auth_time": cl.AuthTime, "sst": cl.Started, "name": "Alice",
	} {
		if fmt.Sprint(got[name]) != fmt.Sprint(want) {
			t.Fatalf("golang-jwt reads %s = %v, want %v", name, got[name], want)
		}
	}
	again := other.NewWithClaims(other.SigningMethodHS256, got)
	again.Header = parsed.Header
	text, err := again.SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

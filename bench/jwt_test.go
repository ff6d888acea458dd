package bench_test

import (
	"testing"
	"time"

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

var now = time.Now()

func claims() *codec.Claims {
	c := &codec.Claims{
		Type: codec.Access, Session: [16]byte{1, 2, 3}, Gen: 7,
		IssuedAt: now.Unix(), Expires: now.Add(time.Hour).Unix(), AuthTime: now.Unix(), Started: now.UnixMilli(),
	}
	c.Issuer, c.Audience, c.Subject = c.Add("https://app.example"), c.Add("https://app.example"), c.Add("alice")
	c.Profile, c.AMR = c.Add("web"), c.Add(`["pwd"]`)
	c.App = c.Add(`{"name":"Alice","roles":["admin"]}`)
	return c
}

// otherClaims are the same, as one gives them to golang-jwt.
type otherClaims struct {
	other.RegisteredClaims
	Sid      string   `json:"sid"`
	Gen      uint32   `json:"gen"`
	Prf      string   `json:"prf"`
	AuthTime int64    `json:"auth_time"`
	Sst      int64    `json:"sst"`
	Amr      []string `json:"amr"`
	Name     string   `json:"name"`
	Roles    []string `json:"roles"`
}

func token(b *testing.B) string {
	b.Helper()
	text, err := newCodec().Sign(nil, claims())
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}

// BenchmarkVerify: signature, form, issuer, audience and times. The goal is to
// be 6 times as fast.
func BenchmarkVerify(b *testing.B) {
	text := token(b)
	b.Run("remuda", func(b *testing.B) {
		c := newCodec()
		var cl codec.Claims
		b.ReportAllocs()
		for b.Loop() {
			if err := c.Verify(&cl, codec.Access, text); err != nil {
				b.Fatal(err)
			}
			at := time.Now().Unix()
			if at >= cl.Expires || at < cl.IssuedAt-30 || string(cl.Text(cl.Issuer)) != "https://app.example" || string(cl.Text(cl.Audience)) != "https://app.example" {
				b.Fatal("refused")
			}
		}
	})
	b.Run("golang-jwt", func(b *testing.B) {
		parser := other.NewParser(other.WithValidMethods([]string{"HS256"}), other.WithIssuer("https://app.example"),
			other.WithAudience("https://app.example"), other.WithExpirationRequired(), other.WithIssuedAt(), other.WithLeeway(30*time.Second), other.WithStrictDecoding())
		key := func(*other.Token) (any, error) { return secret, nil }
		b.ReportAllocs()
		for b.Loop() {
			if _, err := parser.ParseWithClaims(text, &otherClaims{}, key); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSign(b *testing.B) {
	b.Run("remuda", func(b *testing.B) {
		c, cl := newCodec(), claims()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Sign(nil, cl); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("golang-jwt", func(b *testing.B) {
		cl := &otherClaims{
			RegisteredClaims: other.RegisteredClaims{
				Issuer: "https://app.example", Audience: other.ClaimStrings{"https://app.example"}, Subject: "alice",
				IssuedAt: other.NewNumericDate(now), ExpiresAt: other.NewNumericDate(now.Add(time.Hour)),
			},
			Sid: "AQIDAAAAAAAAAAAAAAAAAA", Gen: 7, Prf: "web", AuthTime: now.Unix(), Sst: now.UnixMilli(),
			Amr: []string{"pwd"}, Name: "Alice", Roles: []string{"admin"},
		}
		b.ReportAllocs()
		for b.Loop() {
			t := other.NewWithClaims(other.SigningMethodHS256, cl)
			t.Header["kid"], t.Header["typ"] = "k-active", "at+jwt"
			if _, err := t.SignedString(secret); err != nil {
				b.Fatal(err)
			}
		}
	})
}

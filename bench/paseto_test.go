package bench_test

import (
	"crypto/ed25519"
	"testing"
	"time"

	otherpaseto "aidanwoods.dev/go-paseto"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/paseto"
)

// pasetoNow is when the tokens are issued.
var pasetoNow = time.Now().UTC().Truncate(time.Second)

type pasetoKeys struct {
	set    *codec.KeySet
	local  otherpaseto.V4SymmetricKey
	secret otherpaseto.V4AsymmetricSecretKey
}

func (k *pasetoKeys) KeySet() *codec.KeySet { return k.set }

func newPasetoKeys(b *testing.B) *pasetoKeys {
	b.Helper()
	shared := []byte("the secret of the local key is32")
	private := ed25519.NewKeyFromSeed([]byte("the seed of the public key is 32"))
	k := &pasetoKeys{set: &codec.KeySet{Keys: []codec.Key{
		{ID: "l-active", Algorithm: codec.V4Local, Secret: shared, Sign: true},
		{ID: "p-active", Algorithm: codec.V4Public, Public: private.Public(), Signer: private, Sign: true},
	}}}
	var err error
	if k.local, err = otherpaseto.V4SymmetricKeyFromBytes(shared); err != nil {
		b.Fatal(err)
	}
	if k.secret, err = otherpaseto.NewV4AsymmetricSecretKeyFromBytes(private); err != nil {
		b.Fatal(err)
	}
	return k
}

func pasetoClaims(alg codec.Algorithm) *codec.Claims {
	c := &codec.Claims{
		Type: codec.Access, Algorithm: alg, Session: [16]byte{1, 2, 3}, Gen: 7,
		IssuedAt: pasetoNow.Unix(), Expires: pasetoNow.Add(time.Hour).Unix(), AuthTime: pasetoNow.Unix(), Started: pasetoNow.UnixMilli(),
	}
	c.Issuer, c.Audience, c.Subject = c.Add("https://app.example"), c.Add("https://app.example"), c.Add("alice")
	c.Profile, c.AMR = c.Add("web"), c.Add(`["pwd"]`)
	c.App = c.Add(`{"name":"Alice","roles":["admin"]}`)
	return c
}

// otherToken has the same claims, as one gives them to go-paseto.
func otherToken(b *testing.B, kid string) otherpaseto.Token {
	b.Helper()
	t := otherpaseto.NewToken()
	t.SetIssuer("https://app.example")
	t.SetAudience("https://app.example")
	t.SetSubject("alice")
	t.SetIssuedAt(pasetoNow)
	t.SetExpiration(pasetoNow.Add(time.Hour))
	t.SetTime("auth_time", pasetoNow)
	t.SetFooter([]byte(`{"kid":"` + kid + `","typ":"at"}`))
	for name, value := range map[string]any{"sid": "AQIDAAAAAAAAAAAAAAAAAA", "gen": 7, "prf": "web", "sst": pasetoNow.UnixMilli(), "amr": []string{"pwd"}, "name": "Alice", "roles": []string{"admin"}} {
		if err := t.Set(name, value); err != nil {
			b.Fatal(err)
		}
	}
	return t
}

// verifyOurs verifies one token, which a cache may remember.
func verifyOurs(b *testing.B, k *pasetoKeys, token string) {
	c := paseto.New(k)
	var cl codec.Claims
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Verify(&cl, codec.Access, token); err != nil {
			b.Fatal(err)
		}
		at := time.Now().Unix()
		if at >= cl.Expires || at < cl.IssuedAt-30 || string(cl.Text(cl.Issuer)) != "https://app.example" || string(cl.Text(cl.Audience)) != "https://app.example" {
			b.Fatal("refused")
		}
	}
	b.ReportMetric(float64(len(token)), "token-bytes")
}

// BenchmarkPASETOLocalVerify: authentication, form, issuer, audience and times.
// The goal is to be 3 times as fast.
func BenchmarkPASETOLocalVerify(b *testing.B) {
	k := newPasetoKeys(b)
	text, err := paseto.New(k).Sign(nil, pasetoClaims(codec.V4Local))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("remuda", func(b *testing.B) { verifyOurs(b, k, string(text)) })
	b.Run("go-paseto", func(b *testing.B) {
		parser := otherpaseto.NewParserWithoutExpiryCheck()
		parser.AddRule(otherpaseto.NotExpired(), otherpaseto.IssuedBy("https://app.example"), otherpaseto.ForAudience("https://app.example"))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := parser.ParseV4Local(k.local, string(text), []byte("at")); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPASETOPublicVerify verifies a token as for the first time, and one that
// is remembered, beside the bare signature.
func BenchmarkPASETOPublicVerify(b *testing.B) {
	k := newPasetoKeys(b)
	c := paseto.New(k)
	text, err := c.Sign(nil, pasetoClaims(codec.V4Public))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("remuda", func(b *testing.B) {
		expired := pasetoClaims(codec.V4Public)
		expired.Expires = 1 // so that it is not remembered
		text, err := c.Sign(nil, expired)
		if err != nil {
			b.Fatal(err)
		}
		token := string(text)
		var cl codec.Claims
		b.ReportAllocs()
		for b.Loop() {
			if err := c.Verify(&cl, codec.Access, token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("remembered", func(b *testing.B) { verifyOurs(b, k, string(text)) })
	b.Run("ed25519", func(b *testing.B) {
		private := ed25519.NewKeyFromSeed([]byte("the seed of the public key is 32"))
		signature := ed25519.Sign(private, text)
		public := private.Public().(ed25519.PublicKey)
		for b.Loop() {
			if !ed25519.Verify(public, text, signature) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("go-paseto", func(b *testing.B) {
		parser := otherpaseto.NewParserWithoutExpiryCheck()
		parser.AddRule(otherpaseto.NotExpired(), otherpaseto.IssuedBy("https://app.example"), otherpaseto.ForAudience("https://app.example"))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := parser.ParseV4Public(k.secret.Public(), string(text), []byte("at")); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkPASETOSign(b *testing.B) {
	k := newPasetoKeys(b)
	for _, alg := range []codec.Algorithm{codec.V4Local, codec.V4Public} {
		b.Run(string(alg)+"/remuda", func(b *testing.B) {
			c, cl := paseto.New(k), pasetoClaims(alg)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Sign(nil, cl); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("v4.local/go-paseto", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			t := otherToken(b, "l-active")
			t.V4Encrypt(k.local, []byte("at"))
		}
	})
	b.Run("v4.public/go-paseto", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			t := otherToken(b, "p-active")
			t.V4Sign(k.secret, []byte("at"))
		}
	})
}

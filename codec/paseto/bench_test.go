package paseto_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"testing"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/chacha20"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/paseto"
)

// The floor is what the primitives cost, each as its package offers it. Goals:
// v4.local at most 1.4 times the floor, v4.public at most 1.05 times.

// parsed is a token without its form.
type parsed struct {
	token               string
	body, authenticated []byte // what is hashed or signed is as long as this
}

func parse(b *testing.B, alg codec.Algorithm) parsed {
	b.Helper()
	c, _ := newCodec()
	p := parsed{token: sign(b, c, by(alg, accessClaims()))}
	var err error
	if p.body, err = base64.RawURLEncoding.DecodeString(split(b, p.token).body); err != nil {
		b.Fatal(err)
	}
	p.authenticated = make([]byte, 8+8+9+8+len(p.body)-32+8+8+29+8+2)
	return p
}

// keyed hashes with a key.
func keyed(b *testing.B, size int, key []byte, parts ...[]byte) []byte {
	h, err := blake2b.New(size, key)
	if err != nil {
		b.Fatal(err)
	}
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)
}

func BenchmarkLocalFloor(b *testing.B) {
	p := parse(b, codec.V4Local)
	text := []byte(split(b, p.token).body)
	body := make([]byte, len(p.body))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := base64.RawURLEncoding.Decode(body, text); err != nil {
			b.Fatal(err)
		}
		derived := keyed(b, 56, localKey.Secret, []byte("paseto-encryption-key"), body[:32])
		key := keyed(b, 32, localKey.Secret, []byte("paseto-auth-key-for-aead"), body[:32])
		_ = keyed(b, 32, key, p.authenticated)
		c, err := chacha20.NewUnauthenticatedCipher(derived[:32], derived[32:])
		if err != nil {
			b.Fatal(err)
		}
		c.XORKeyStream(body[32:len(body)-32], body[32:len(body)-32])
	}
}

func BenchmarkPublicFloorVerify(b *testing.B) {
	p := parse(b, codec.V4Public)
	signature := ed25519.Sign(publicKey.Signer.(ed25519.PrivateKey), p.authenticated)
	b.ReportAllocs()
	for b.Loop() {
		if !ed25519.Verify(publicKey.Public.(ed25519.PublicKey), p.authenticated, signature) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkPublicFloorSign(b *testing.B) {
	p := parse(b, codec.V4Public)
	b.ReportAllocs()
	for b.Loop() {
		ed25519.Sign(publicKey.Signer.(ed25519.PrivateKey), p.authenticated)
	}
}

func benchmarkVerify(b *testing.B, c *paseto.Codec, token string) {
	var cl codec.Claims
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Verify(&cl, codec.Access, token); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(token)), "token-bytes")
}

func benchmarkSign(b *testing.B, alg codec.Algorithm) {
	c, _ := newCodec()
	cl := by(alg, accessClaims())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Sign(nil, cl); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLocalVerify(b *testing.B) {
	c, _ := newCodec()
	benchmarkVerify(b, c, sign(b, c, accessClaims()))
}

func BenchmarkLocalForged(b *testing.B) {
	c, _ := newCodec()
	p := split(b, sign(b, c, accessClaims()))
	p.body = p.body[:len(p.body)-4] + "AAAA"
	token := p.String()
	var cl codec.Claims
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Verify(&cl, codec.Access, token); err == nil {
			b.Fatal("accepted")
		}
	}
}

func BenchmarkLocalSign(b *testing.B) { benchmarkSign(b, codec.V4Local) }

// BenchmarkPublicVerify verifies a token that has expired and so is not remembered.
func BenchmarkPublicVerify(b *testing.B) {
	c, _ := newCodec()
	benchmarkVerify(b, c, sign(b, c, by(codec.V4Public, accessClaims())))
}

func BenchmarkPublicRemembered(b *testing.B) {
	c, _ := newCodec()
	cl := by(codec.V4Public, accessClaims())
	cl.Expires = 253_402_300_799
	benchmarkVerify(b, c, sign(b, c, cl))
}

func BenchmarkPublicSign(b *testing.B) { benchmarkSign(b, codec.V4Public) }

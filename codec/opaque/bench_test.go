package opaque_test

import (
	"testing"

	"github.com/remuda-go/remuda/codec"
)

// The floor is the MAC and the base64url of the token. The goal: verify at most 1.3
// times the floor.

func BenchmarkFloor(b *testing.B) {
	c, _ := newCodec()
	text := []byte(sign(b, c, claims(codec.Access)))[7:]
	buf := make([]byte, 0, 2*len(text))
	b.ReportAllocs()
	for b.Loop() {
		buf = c.Floor(append(buf[:0], "rmd_at_"...), text)
	}
}

func BenchmarkVerify(b *testing.B) {
	c, _ := newCodec()
	token := sign(b, c, claims(codec.Access))
	var cl codec.Claims
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Verify(&cl, codec.Access, token); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(token)), "token-bytes")
}

func BenchmarkVerifyGarbage(b *testing.B) {
	c, _ := newCodec()
	token := []byte(sign(b, c, claims(codec.Access)))
	token[50] ^= 1
	garbage := string(token)
	var cl codec.Claims
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Verify(&cl, codec.Access, garbage); err == nil {
			b.Fatal("accepted")
		}
	}
}

func BenchmarkSign(b *testing.B) {
	c, _ := newCodec()
	cl := claims(codec.Access)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Sign(nil, cl); err != nil {
			b.Fatal(err)
		}
	}
}

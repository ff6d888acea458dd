package bench_test

import (
	"crypto/sha256"
	"testing"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/opaque"
)

// BenchmarkOpaque: what a forged or stale opaque token costs before any lookup,
// beside the bare hash of its text that other session libraries look up by.
func BenchmarkOpaque(b *testing.B) {
	c := opaque.New(opaqueKeys{&codec.KeySet{Keys: []codec.Key{{ID: "o-active", Algorithm: codec.Opaque, Secret: []byte("the secret of the opaque key, 32"), Sign: true}}}})
	cl := &codec.Claims{Type: codec.Access, Gen: 7, Session: [16]byte{1, 2, 3}, JTI: [16]byte{4, 5, 6}}
	text, err := c.Sign(nil, cl)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("verify", func(b *testing.B) {
		token := string(text)
		var cl codec.Claims
		b.ReportAllocs()
		for b.Loop() {
			if err := c.Verify(&cl, codec.Access, token); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(token)), "token-bytes")
	})
	b.Run("sign", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Sign(nil, cl); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sha256", func(b *testing.B) {
		for b.Loop() {
			sha256.Sum256(text)
		}
	})
}

type opaqueKeys struct{ set *codec.KeySet }

func (k opaqueKeys) KeySet() *codec.KeySet { return k.set }

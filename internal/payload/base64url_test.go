package payload_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/remuda-go/remuda/internal/payload"
)

// FuzzDecode compares with encoding/base64, less what that lets pass.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "A", "AA", "AB", "AAA", "AAB", "AAAA", "AAAAA", "-_-_", "+/+/", "AA==", "AA\n", "A\r\nA", "AA A", "é", "\x80\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := base64.RawURLEncoding.Strict().DecodeString(s)
		good := err == nil && !strings.ContainsAny(s, "\r\n")
		got, ok := payload.Decode([]byte("former"), s)
		if ok != good {
			t.Fatalf("%q: ok = %v, want %v (%v)", s, ok, good, err)
		}
		if !ok {
			return
		}
		if !bytes.Equal(got, want) || base64.RawURLEncoding.EncodeToString(got) != s {
			t.Fatalf("%q: got %x, want %x", s, got, want)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	text := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte("claims, "), 40))
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = payload.Decode(buf, text)
	}
}

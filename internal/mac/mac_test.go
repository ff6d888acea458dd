package mac_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"testing"

	"github.com/remuda-go/remuda/internal/mac"
)

// vectors are the first two of RFC 4231 (sections 4.2 and 4.3).
var vectors = []struct{ key, data, want string }{
	{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", hex.EncodeToString([]byte("Hi There")), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{hex.EncodeToString([]byte("Jefe")), hex.EncodeToString([]byte("what do ya want for nothing?")), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		key, data := unhex(t, v.key), unhex(t, v.data)
		m := mac.New(key)
		key[0] ^= 1 // New has its own copy
		for range 2 {
			for name, got := range map[string][mac.Size]byte{
				"Sum": m.Sum(data), "SumString": m.SumString(string(data)), "Sum2": m.Sum2(data[:3], data[3:]),
			} {
				if hex.EncodeToString(got[:]) != v.want {
					t.Errorf("%s = %x, want %s", name, got, v.want)
				}
			}
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestConcurrent shares one key among goroutines with messages of all lengths,
// keys longer than a block included, and compares with crypto/hmac.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 32, 64, 65, 200} {
		key := bytes.Repeat([]byte{7}, size)
		m := mac.New(key)
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for n := range 300 {
					message := bytes.Repeat([]byte{byte(g)}, n)
					h := hmac.New(sha256.New, key)
					h.Write(message)
					if got := m.Sum(message); !bytes.Equal(got[:], h.Sum(nil)) {
						t.Errorf("key of %d bytes, message of %d: wrong MAC", size, n)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestHidden(t *testing.T) {
	t.Parallel()
	key := []byte("0123456789abcdef0123456789abcdef")
	m := mac.New(key)
	m.Sum(key)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, m); bytes.Contains([]byte(got), key[:8]) || bytes.Contains([]byte(got), []byte("48 49 50 51")) || bytes.Contains([]byte(got), []byte("30313233")) {
			t.Errorf("%s shows the key: %s", verb, got)
		}
	}
}

func TestOnce(t *testing.T) {
	t.Parallel()
	for _, key := range []int{0, 1, 32, 63, 64} {
		for _, message := range []int{0, 1, 55, 56, 64, 255, 256, 257, 5000} {
			k, m := bytes.Repeat([]byte{7}, key), bytes.Repeat([]byte{9}, message)
			h := hmac.New(sha256.New, k)
			h.Write(m)
			if got := mac.Once(k, m); !bytes.Equal(got[:], h.Sum(nil)) {
				t.Errorf("key of %d bytes, message of %d: %x", key, message, got)
			}
		}
	}
}

package paseto_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/paseto"
	"github.com/remuda-go/remuda/internal/payload"
)

// hexBytes are bytes that vectors have in hexadecimal.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// vector is one of the official test vectors of Version 4.
type vector struct {
	Name       string   `json:"name"`
	ExpectFail bool     `json:"expect-fail"`
	Key        hexBytes `json:"key"`
	Nonce      hexBytes `json:"nonce"`
	PublicKey  hexBytes `json:"public-key"`
	SecretKey  hexBytes `json:"secret-key"`
	Token      string   `json:"token"`
	Payload    string   `json:"payload"`
	Footer     string   `json:"footer"`
	Implicit   string   `json:"implicit-assertion"`
}

func readVectors(t testing.TB, name string, out any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "codectest", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, out); err != nil {
		t.Fatal(err)
	}
}

func v4Vectors(t testing.TB) []vector {
	t.Helper()
	var file struct{ Tests []vector }
	readVectors(t, "paseto/v4.json", &file)
	return file.Tests
}

// open returns the message of a token under the vector's key, whichever it has.
func (v *vector) open(token, footer, implicit string) (string, bool) {
	header := "v4.local."
	if v.PublicKey != nil {
		header = "v4.public."
	}
	rest, ok := strings.CutPrefix(token, header)
	text, end, _ := strings.Cut(rest, ".")
	body, decoded := payload.Decode(nil, text)
	if !ok || !decoded || encode(v.Footer) != end {
		return "", false
	}
	if v.PublicKey != nil {
		body, ok = paseto.VerifyBody(ed25519.PublicKey(v.PublicKey), body, footer, implicit)
	} else {
		body, ok = paseto.Open(v.Key, body, footer, implicit)
	}
	return string(body), ok
}

// seal makes the token anew.
func (v *vector) seal(t *testing.T) string {
	t.Helper()
	var token string
	if v.PublicKey == nil {
		token = "v4.local." + encodeBytes(paseto.Seal(v.Key, v.Nonce, []byte(v.Payload), v.Footer, v.Implicit))
	} else {
		body, err := paseto.SignBody(ed25519.PrivateKey(v.SecretKey), []byte(v.Payload), v.Footer, v.Implicit)
		if err != nil {
			t.Fatal(err)
		}
		token = "v4.public." + encodeBytes(body)
	}
	if v.Footer != "" {
		token += "." + encode(v.Footer)
	}
	return token
}

// TestVectors: all official vectors, through the functions that tokens go through.
func TestVectors(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "PAS-8")
	t.Attr("requirement", "SEED-7")
	count := map[bool]int{}
	for _, v := range v4Vectors(t) {
		count[v.ExpectFail]++
		got, ok := v.open(v.Token, v.Footer, v.Implicit)
		if ok == v.ExpectFail || got != v.Payload {
			t.Errorf("%s: opened %v as %q", v.Name, ok, got)
		}
		if v.ExpectFail {
			continue
		}
		if again := v.seal(t); again != v.Token {
			t.Errorf("%s: sealed as\n%s, want\n%s", v.Name, again, v.Token)
		}
		if _, ok := v.open(v.Token, v.Footer+" ", v.Implicit); ok {
			t.Errorf("%s: opens with another footer", v.Name)
		}
		if _, ok := v.open(v.Token, v.Footer, v.Implicit+" "); ok {
			t.Errorf("%s: opens with another implicit assertion", v.Name)
		}
		if _, ok := v.open(v.Token, v.Footer+v.Implicit, ""); ok && v.Implicit != "" {
			t.Errorf("%s: the border between footer and implicit assertion moves", v.Name)
		}
	}
	if count[false] != 12 || count[true] != 5 {
		t.Errorf("%d good vectors and %d bad ones, want 12 and 5", count[false], count[true])
	}
}

// TestVectorsAreNotOurs: the codec refuses them all, under their own keys too.
func TestVectorsAreNotOurs(t *testing.T) {
	t.Parallel()
	for _, v := range v4Vectors(t) {
		r := &ring{}
		r.replace(
			codec.Key{ID: "zVhMiPBP9fRf2snEcT7gFTioeA9COcNy9DfgL1W60haN", Algorithm: codec.V4Local, Secret: v.Key},
			codec.Key{ID: "zVhMiPBP9fRf2snEcT7gFTioeA9COcNy9DfgL1W60haN", Algorithm: codec.V4Public, Public: ed25519.PublicKey(v.PublicKey)},
		)
		refuse(t, paseto.New(r), v.Name, codec.Access, v.Token)
	}
}

// TestPublicKeyText runs the vectors of PASERK k4.public.
func TestPublicKeyText(t *testing.T) {
	t.Parallel()
	var file struct {
		Tests []struct {
			Name       string   `json:"name"`
			ExpectFail bool     `json:"expect-fail"`
			Key        hexBytes `json:"key"`
			Paserk     string   `json:"paserk"`
		}
	}
	readVectors(t, "paseto/PASERK/k4.public.json", &file)
	if len(file.Tests) != 4 {
		t.Errorf("%d vectors, want 4", len(file.Tests))
	}
	for _, v := range file.Tests {
		if got := paseto.PublicKeyText(ed25519.PublicKey(v.Key)); got != v.Paserk {
			t.Errorf("%s: %q, want %q", v.Name, got, v.Paserk)
		}
	}
}

// TestXChaCha20 runs Wycheproof's vectors of XChaCha20-Poly1305: its ciphertext is
// XChaCha20 from block 1 on, ours from block 0. Poly1305 is not ours.
func TestXChaCha20(t *testing.T) {
	t.Parallel()
	var file struct {
		TestGroups []struct {
			Tests []struct {
				TcID                       int
				Key, IV, AAD, Msg, CT, Tag hexBytes
				Result                     string
			}
		}
	}
	readVectors(t, "wycheproof/xchacha20_poly1305_test.json", &file)
	count := 0
	for _, group := range file.TestGroups {
		for _, v := range group.Tests {
			if v.Result != "valid" {
				continue
			}
			count++
			text := append(make([]byte, 64), v.CT...)
			paseto.XChaCha20(text, v.Key, v.IV)
			aead, err := chacha20poly1305.NewX(v.Key)
			if err != nil {
				t.Fatal(err)
			}
			whole, err := aead.Open(nil, v.IV, append(slices.Clip(v.CT), v.Tag...), v.AAD)
			if err != nil || !bytes.Equal(text[64:], v.Msg) || !bytes.Equal(whole, v.Msg) {
				t.Errorf("%d: decrypted to %x and %x (%v), want %x", v.TcID, text[64:], whole, err, v.Msg)
			}
		}
	}
	t.Logf("%d vectors", count)
	if count < 200 {
		t.Errorf("only %d valid vectors", count)
	}
}

// TestLowOrder: the keys that are left out are weak: for each there are
// signatures that need no secret.
func TestLowOrder(t *testing.T) {
	t.Parallel()
	if len(paseto.LowOrderY) != 7 {
		t.Errorf("%d keys, want 7", len(paseto.LowOrderY))
	}
	for _, y := range paseto.LowOrderY {
		raw, err := hex.DecodeString(y)
		if err != nil {
			t.Fatal(err)
		}
		for _, sign := range []byte{0, 0x80} {
			key := bytes.Clone(raw)
			key[31] |= sign
			if sign == 0 && !forgeable(key) {
				t.Errorf("%x is not weak", key)
			}
			r := &ring{}
			signer := fixedSigner{ed25519.PublicKey(key)}
			r.replace(codec.Key{ID: "k", Algorithm: codec.V4Public, Public: ed25519.PublicKey(key), Signer: signer, Sign: true})
			cl := accessClaims()
			cl.Algorithm = codec.V4Public
			if _, err := paseto.New(r).Sign(nil, cl); err == nil {
				t.Errorf("%x is accepted", key)
			}
		}
	}
}

// forgeable reports whether some message has a signature with S = 0 and R one of
// the points of low order.
func forgeable(key ed25519.PublicKey) bool {
	for i := range 100 {
		for _, y := range paseto.LowOrderY {
			signature := make([]byte, ed25519.SignatureSize)
			if _, err := hex.Decode(signature, []byte(y)); err != nil {
				return false
			}
			for range 2 {
				if ed25519.Verify(key, []byte{byte(i)}, signature) {
					return true
				}
				signature[31] ^= 0x80
			}
		}
	}
	return false
}

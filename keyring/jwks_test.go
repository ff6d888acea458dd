package keyring_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/keyring"
)

// jwk has every member that a JWK may have; the private one must stay empty.
type jwk struct {
	Kty, Use, Alg, Kid, Crv, X, Y, D, K string
}

func readJWKS(t testing.TB, r *keyring.Ring) map[string]jwk {
	t.Helper()
	body, etag := r.JWKS()
	var set struct{ Keys []jwk }
	if err := json.Unmarshal(body, &set); err != nil || len(etag) < 10 || etag[0] != '"' || !strings.HasSuffix(etag, `"`) {
		t.Fatalf("JWKS = %s, %s: %v", body, etag, err)
	}
	out := map[string]jwk{}
	for _, k := range set.Keys {
		if k.D != "" || k.K != "" {
			t.Fatalf("a private key is published: %s", body)
		}
		out[k.Kid] = k
	}
	if len(out) != len(set.Keys) {
		t.Fatalf("a key is there twice: %s", body)
	}
	return out
}

// TestJWKS: the public keys of JWTs are published, from their making to their
// expiry, and nothing else.
func TestJWKS(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := open(t, keyring.Config{
		Source: storeSource(t, c.Now), Now: c.Now, Algorithms: everyAlgorithm,
		Overlap: time.Hour, Settle: time.Minute, Every: keyring.Never,
	})
	_, tag := r.JWKS()
	c.add(time.Minute)
	rotate(t, r, codec.ES256)
	rotate(t, r, codec.HS256)
	_, after := r.JWKS()
	if tag == after {
		t.Error("another set has the same tag")
	}
	published := func() {
		t.Helper()
		got, want := readJWKS(t, r), 0
		for _, info := range r.List() {
			jwt := info.Algorithm == codec.ES256 || info.Algorithm == codec.EdDSA
			alive := info.State == keyring.Pending || info.State == keyring.Active || info.State == keyring.Retiring
			k, there := got[info.ID]
			if there != (jwt && alive) {
				t.Errorf("%+v is published: %v", info, there)
			}
			if there {
				want++
				verifies(t, r, k)
			}
		}
		if len(got) != want {
			t.Errorf("%d keys are published, want %d", len(got), want)
		}
	}
	published()
	if err := r.Compromise(t.Context(), only(t, r, codec.EdDSA, keyring.Active).ID); err != nil {
		t.Fatal(err)
	}
	c.add(time.Hour)
	poll(t, r)
	published()
}

// verifies checks with the published key what the ring's own signs.
func verifies(t *testing.T, r *keyring.Ring, k jwk) {
	t.Helper()
	var key codec.Key
	for _, own := range r.KeySet().Keys {
		if own.ID == k.Kid {
			key = own
		}
	}
	decode := func(text string) []byte {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(raw) != 32 {
			t.Fatalf("%q: %v", text, err)
		}
		return raw
	}
	digest := sha256.Sum256([]byte("text"))
	switch {
	case k.Use != "sig" || k.Alg != string(key.Algorithm):
		t.Errorf("%+v", k)
	case k.Kty == "EC" && k.Crv == "P-256":
		sig, err := key.Signer.Sign(rand.Reader, digest[:], crypto.SHA256)
		public, err2 := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, decode(k.X), decode(k.Y)))
		if err != nil || err2 != nil || !ecdsa.VerifyASN1(public, digest[:], sig) {
			t.Errorf("the published key of %s does not verify: %v", k.Kid, err)
		}
	case k.Kty == "OKP" && k.Crv == "Ed25519" && k.Y == "":
		sig, err := key.Signer.Sign(nil, []byte("text"), crypto.Hash(0))
		if err != nil || !ed25519.Verify(decode(k.X), []byte("text"), sig) {
			t.Errorf("the published key of %s does not verify: %v", k.Kid, err)
		}
	default:
		t.Errorf("%+v", k)
	}
}

// TestJWKSVectors: the keys of RFC 7515 appendix A.3 and RFC 8037 appendix A.2.
func TestJWKSVectors(t *testing.T) {
	t.Parallel()
	text := `{"version": 2, "ring": "PYq1gCPGzdyXBTCmjwrJOQ", "revision": 1, "keys": [
		{"id": "AAAAAAAA", "algorithm": "root", "created": "2026-01-02T03:04:05Z", "secret": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"},
		{"id": "BBBBBBBB", "algorithm": "ES256", "created": "2026-01-02T03:04:05Z", "secret": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"},
		{"id": "CCCCCCCC", "algorithm": "EdDSA", "created": "2026-01-02T03:04:05Z", "secret": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]}`
	body, _ := parsed(t, text).JWKS()
	const want = `{"keys":[` +
		`{"kty":"EC","use":"sig","alg":"ES256","kid":"BBBBBBBB","crv":"P-256",` +
		`"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},` +
		`{"kty":"OKP","use":"sig","alg":"EdDSA","kid":"CCCCCCCC","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	if string(body) != want {
		t.Errorf("JWKS = %s\nwant   %s", body, want)
	}
	if body, _ := newRing(t).JWKS(); string(body) != `{"keys":[]}` {
		t.Errorf("without such keys: %s", body)
	}
}

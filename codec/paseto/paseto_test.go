package paseto_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/paseto"
)

// ring is a fixed set of keys that can be exchanged.
type ring struct {
	mu  sync.Mutex
	set *codec.KeySet
}

func (r *ring) KeySet() *codec.KeySet {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.set
}

func (r *ring) replace(keys ...codec.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set = &codec.KeySet{Keys: keys}
}

var (
	localKey    = codec.Key{ID: "l-active", Algorithm: codec.V4Local, Secret: []byte("the secret of the active key, 32"), Sign: true}
	oldLocalKey = codec.Key{ID: "l_old", Algorithm: codec.V4Local, Secret: []byte("the secret of the old key, 32 by")}

	publicKey    = newPublicKey("p-active", "the seed of the active key is 32", true)
	oldPublicKey = newPublicKey("p_old", "the seed of the old key is of 32", false)
)

func newPublicKey(id, seed string, signs bool) codec.Key {
	private := ed25519.NewKeyFromSeed([]byte(seed))
	return codec.Key{ID: id, Algorithm: codec.V4Public, Public: private.Public(), Signer: private, Sign: signs}
}

var algorithms = []codec.Algorithm{codec.V4Local, codec.V4Public}

func newCodec() (*paseto.Codec, *ring) {
	r := &ring{}
	r.replace(localKey, oldLocalKey, publicKey, oldPublicKey)
	return paseto.New(r), r
}

// accessClaims are those of a usual access token.
func accessClaims() *codec.Claims {
	c := &codec.Claims{
		Type: codec.Access, Session: [16]byte{1, 2, 3}, Gen: 7,
		IssuedAt: 1764000000, Expires: 1764000600, AuthTime: 1763990000, Started: 1763990000123,
	}
	c.Issuer, c.Audience, c.Subject = c.Add("https://app.example"), c.Add("https://app.example"), c.Add("alice")
	c.Profile, c.AMR = c.Add("web"), c.Add(`["pwd"]`)
	c.App = c.Add(`{"name":"Alice","roles":["admin"]}`)
	return c
}

func refreshClaims() *codec.Claims {
	c := &codec.Claims{
		Type: codec.Refresh, Session: [16]byte{1, 2, 3}, JTI: [16]byte{4, 5, 6}, Gen: 7,
		IssuedAt: 1764000000, Expires: 1766000000,
	}
	c.Issuer, c.Audience, c.Subject = c.Add("https://app.example"), c.Add("https://app.example/refresh"), c.Add("alice")
	return c
}

// by are claims to be signed with an algorithm.
func by(alg codec.Algorithm, c *codec.Claims) *codec.Claims {
	c.Algorithm = alg
	return c
}

func sign(t testing.TB, c *paseto.Codec, cl *codec.Claims) string {
	t.Helper()
	token, err := c.Sign(nil, cl)
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

// refuse reports an error unless the token is refused, in the one way.
func refuse(t testing.TB, c *paseto.Codec, name string, want codec.Type, token string) {
	t.Helper()
	var cl codec.Claims
	if err := c.Verify(&cl, want, token); err != codec.ErrInvalid { //nolint:errorlint // the contract: never wrapped
		t.Errorf("%s: %v for %.300s", name, err, token)
	}
}

// plainClaims is what claims say, comparable.
type plainClaims struct {
	typ                                                       codec.Type
	session, jti                                              [16]byte
	gen                                                       uint32
	alg                                                       codec.Algorithm
	key                                                       string
	iat, exp, authTime, started                               int64
	anon                                                      bool
	issuer, audience, subject, profile, tenant, acr, amr, app string
	actor, actorTenant                                        string
	actorSession                                              [16]byte
	actorStarted                                              int64
}

func says(c *codec.Claims) plainClaims {
	text := func(s codec.Span) string { return string(c.Text(s)) }
	return plainClaims{
		c.Type, c.Session, c.JTI, c.Gen, c.Algorithm, c.Key, c.IssuedAt, c.Expires, c.AuthTime, c.Started, c.Anon,
		text(c.Issuer), text(c.Audience), text(c.Subject), text(c.Profile), text(c.Tenant), text(c.ACR), text(c.AMR), text(c.App),
		text(c.Actor), text(c.ActorTenant), c.ActorSession, c.ActorStarted,
	}
}

func TestSignVerify(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	full := accessClaims()
	full.Tenant, full.ACR, full.Anon = full.Add("acme"), full.Add("urn:mace:2"), true
	acted := accessClaims()
	acted.Actor, acted.ActorTenant, acted.ActorSession, acted.ActorStarted = acted.Add("o\"p"), acted.Add("desk"), [16]byte{9, 8}, 1764000000123
	bare := accessClaims()
	bare.AMR, bare.App = codec.Span{}, codec.Span{}
	odd := accessClaims()
	odd.Subject = odd.Add("a\"b\\c/d é 😀 \u2028 <&>")
	odd.Issuer, odd.Audience = codec.Span{}, codec.Span{}
	extreme := accessClaims()
	extreme.Gen, extreme.IssuedAt, extreme.Expires, extreme.AuthTime, extreme.Started = 1<<32-1, 0, 253_402_300_799, 0, 0
	for name, cl := range map[string]*codec.Claims{
		"usual": accessClaims(), "full": full, "acted": acted, "bare": bare, "odd": odd, "extreme": extreme, "refresh": refreshClaims(),
	} {
		for alg, id := range map[codec.Algorithm]string{"": "l-active", codec.V4Local: "l-active", codec.V4Public: "p-active"} {
			token := sign(t, c, by(alg, cl))
			want := says(cl)
			want.alg, want.key = codec.V4Local, id
			if alg == codec.V4Public {
				want.alg = alg
			}
			if !strings.HasPrefix(token, string(want.alg)+".") {
				t.Errorf("%s: %s is no %s", name, token, want.alg)
			}
			var got codec.Claims
			for range 2 { // the second time into a used one
				if err := c.Verify(&got, cl.Type, token); err != nil {
					t.Fatalf("%s, %s: %v", name, alg, err)
				}
				if says(&got) != want {
					t.Errorf("%s: got %+v, want %+v", name, says(&got), want)
				}
			}
			again := sign(t, c, &got)
			if same := again == token; same != (want.alg == codec.V4Public) || len(again) != len(token) {
				t.Errorf("%s: signed again it is %s, was %s", name, again, token)
			}
		}
	}
}

// TestForm: the whole token, as it is written by a reader of the specification.
func TestForm(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	const payload = `{"iss":"https://app.example","aud":"https://app.example","sub":"alice","sid":"AQIDAAAAAAAAAAAAAAAAAA",` +
		`"iat":"2025-11-24T16:00:00Z","exp":"2025-11-24T16:10:00Z","gen":7,"prf":"web","auth_time":"2025-11-24T13:13:20Z","sst":1763990000123,` +
		`"amr":["pwd"],"name":"Alice","roles":["admin"]}`
	const footer = `{"kid":"p-active","typ":"at"}`
	body, err := paseto.SignBody(publicKey.Signer, []byte(payload), footer, "at")
	if err != nil {
		t.Fatal(err)
	}
	want := "v4.public." + base64.RawURLEncoding.EncodeToString(body) + "." + base64.RawURLEncoding.EncodeToString([]byte(footer))
	if got := sign(t, c, by(codec.V4Public, accessClaims())); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	parts := strings.Split(sign(t, c, refreshClaims()), ".")
	body, err = base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	got, ok := paseto.Open(localKey.Secret, body, `{"kid":"l-active","typ":"rt"}`, "rt")
	if want := `{"iss":"https://app.example","aud":"https://app.example/refresh","sub":"alice","sid":"AQIDAAAAAAAAAAAAAAAAAA",` +
		`"iat":"2025-11-24T16:00:00Z","exp":"2025-12-17T19:33:20Z","gen":7,"jti":"BAUGAAAAAAAAAAAAAAAAAA"}`; !ok || string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestNonces(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-11.3.4")
	c, _ := newCodec()
	seen := map[string]bool{}
	for range 1000 {
		body, err := base64.RawURLEncoding.DecodeString(strings.Split(sign(t, c, accessClaims()), ".")[2])
		if err != nil {
			t.Fatal(err)
		}
		seen[string(body[:32])] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d nonces for 1000 tokens", len(seen))
	}
}

func TestSignAppends(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	want := sign(t, c, by(codec.V4Public, accessClaims()))
	got, err := c.Sign([]byte("Bearer "), by(codec.V4Public, accessClaims()))
	if err != nil || string(got) != "Bearer "+want {
		t.Errorf("Sign = %q, %v", got, err)
	}
	got, err = c.Sign([]byte("Bearer "), accessClaims())
	if err != nil || c.Verify(&codec.Claims{}, codec.Access, strings.TrimPrefix(string(got), "Bearer ")) != nil {
		t.Errorf("Sign = %q, %v", got, err)
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	tests := []struct {
		name   string
		change func(*codec.Claims)
	}{
		{"no type", func(c *codec.Claims) { c.Type = 0 }},
		{"hand-off", func(c *codec.Claims) { c.Type = codec.HandOff }},
		{"unknown type", func(c *codec.Claims) { c.Type = 4 }},
		{"HS256", func(c *codec.Claims) { c.Algorithm = codec.HS256 }},
		{"EdDSA", func(c *codec.Claims) { c.Algorithm = codec.EdDSA }},
		{"opaque", func(c *codec.Claims) { c.Algorithm = codec.Opaque }},
		{"no gen", func(c *codec.Claims) { c.Gen = 0 }},
		{"no profile", func(c *codec.Claims) { c.Profile = codec.Span{} }},
		{"negative iat", func(c *codec.Claims) { c.IssuedAt = -1 }},
		{"exp in the year 10000", func(c *codec.Claims) { c.Expires = 253_402_300_800 }},
		{"line feed in sub", func(c *codec.Claims) { c.Subject = c.Add("a\nb") }},
		{"too long", func(c *codec.Claims) { c.Subject = c.Add(strings.Repeat("a", codec.MaxToken)) }},
		{"spans that wrap", func(c *codec.Claims) { c.Subject = c.Add(strings.Repeat("a", 1<<16)) }},
	}
	for _, alg := range algorithms {
		for _, tt := range tests {
			cl := by(alg, accessClaims())
			tt.change(cl)
			if token, err := c.Sign(nil, cl); err == nil {
				t.Errorf("%s: signed as %s", tt.name, token)
			}
		}
		cl := by(alg, refreshClaims())
		cl.Profile = cl.Add("web")
		if token, err := c.Sign(nil, cl); err == nil {
			t.Errorf("refresh token with a profile: signed as %s", token)
		}
	}
}

// fixedSigner has a public key and signs with nothing.
type fixedSigner struct{ public crypto.PublicKey }

func (s fixedSigner) Public() crypto.PublicKey { return s.public }

func (s fixedSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return make([]byte, ed25519.SignatureSize), nil
}

// brokenSigner is a private key that does not answer, or not well.
type brokenSigner struct {
	crypto.Signer
	signature []byte
	err       error
}

func (s brokenSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return s.signature, s.err
}

// TestKeysLeftOut: a key that is not whole neither signs nor verifies.
func TestKeysLeftOut(t *testing.T) {
	t.Parallel()
	elsewhere, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	change := func(k codec.Key, f func(*codec.Key)) codec.Key {
		f(&k)
		return k
	}
	whole, _ := newCodec()
	for name, k := range map[string]codec.Key{
		"31 bytes":              change(localKey, func(k *codec.Key) { k.Secret = k.Secret[:31] }),
		"33 bytes":              change(localKey, func(k *codec.Key) { k.Secret = append(k.Secret[:32:32], 0) }),
		"no secret":             change(localKey, func(k *codec.Key) { k.Secret = nil }),
		"secret of HS256":       change(localKey, func(k *codec.Key) { k.Algorithm = codec.HS256 }),
		"local is public":       change(localKey, func(k *codec.Key) { k.Algorithm = codec.V4Public }),
		"no id":                 change(localKey, func(k *codec.Key) { k.ID = "" }),
		"id with a quote":       change(localKey, func(k *codec.Key) { k.ID = `a"b` }),
		"id of 65":              change(localKey, func(k *codec.Key) { k.ID = strings.Repeat("a", 65) }),
		"no public key":         change(publicKey, func(k *codec.Key) { k.Public = nil }),
		"short public key":      change(publicKey, func(k *codec.Key) { k.Public = k.Public.(ed25519.PublicKey)[:31] }),
		"public key as bytes":   change(publicKey, func(k *codec.Key) { k.Public = []byte(k.Public.(ed25519.PublicKey)) }),
		"P-256":                 change(publicKey, func(k *codec.Key) { k.Public, k.Signer = &elsewhere.PublicKey, elsewhere }),
		"EdDSA":                 change(publicKey, func(k *codec.Key) { k.Algorithm = codec.EdDSA }),
		"public is local":       change(publicKey, func(k *codec.Key) { k.Algorithm = codec.V4Local }),
		"public key as secret":  change(publicKey, func(k *codec.Key) { k.Algorithm = codec.HS256 }),
		"unknown algorithm":     change(localKey, func(k *codec.Key) { k.Algorithm = "v4.other" }),
		"algorithm in capitals": change(localKey, func(k *codec.Key) { k.Algorithm = "V4.LOCAL" }),
	} {
		r := &ring{}
		r.replace(k)
		c := paseto.New(r)
		for _, alg := range algorithms {
			refuse(t, c, name, codec.Access, sign(t, whole, by(alg, accessClaims())))
			if token, err := c.Sign(nil, by(alg, accessClaims())); err == nil {
				t.Errorf("%s: signs %s", name, token)
			}
		}
	}
}

// TestPublicKeyAsSecret: the published key of v4.public is no key of v4.local,
// though it has the length of one.
func TestPublicKeyAsSecret(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "PAS-2")
	c, _ := newCodec()
	const footer = `{"kid":"p-active","typ":"at"}`
	body := paseto.Seal(publicKey.Public.(ed25519.PublicKey), make([]byte, 32), []byte(goodAccess), footer, "at")
	refuse(t, c, "public key as secret", codec.Access, "v4.local."+encodeBytes(body)+"."+encode(footer))
}

// TestSigners: whoever speaks for the private key may fail, and may be absent.
func TestSigners(t *testing.T) {
	t.Parallel()
	errRemote := errors.New("no answer")
	elsewhere, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]crypto.Signer{
		"error": brokenSigner{publicKey.Signer, nil, errRemote}, "short": brokenSigner{publicKey.Signer, make([]byte, 63), nil}, "long": brokenSigner{publicKey.Signer, make([]byte, 65), nil},
		"none": nil, "another one's": oldPublicKey.Signer, "of P-256": elsewhere, "without public key": fixedSigner{}, "cut": publicKey.Signer.(ed25519.PrivateKey)[:32],
	} {
		k := publicKey
		k.Signer = s
		r := &ring{}
		r.replace(k)
		c := paseto.New(r)
		if token, err := c.Sign(nil, by(codec.V4Public, accessClaims())); err == nil || errors.Is(err, errRemote) != (name == "error") {
			t.Errorf("%s: %s, %v", name, token, err)
		}
		whole, _ := newCodec()
		if err := c.Verify(&codec.Claims{}, codec.Access, sign(t, whole, by(codec.V4Public, accessClaims()))); err != nil {
			t.Errorf("%s: the key does not verify", name)
		}
	}
}

// TestLongest: exactly MaxToken bytes are signed and verified, one more is not.
func TestLongest(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	for _, alg := range algorithms {
		longest := 0
		for n := 5500; n < 6200; n++ {
			cl := by(alg, accessClaims())
			cl.Subject = cl.Add(strings.Repeat("a", n))
			token, err := c.Sign(nil, cl)
			if err != nil {
				break
			}
			longest = len(token)
			var got codec.Claims
			if err := c.Verify(&got, codec.Access, string(token)); err != nil {
				t.Fatalf("a token of %d bytes is signed and refused", len(token))
			}
		}
		if longest < codec.MaxToken-1 || longest > codec.MaxToken {
			t.Errorf("the longest token has %d bytes, want %d", longest, codec.MaxToken)
		}
	}
}

func TestKeyChange(t *testing.T) {
	t.Parallel()
	for i, alg := range algorithms {
		c, r := newCodec()
		active, old := []codec.Key{localKey, publicKey}[i], []codec.Key{oldLocalKey, oldPublicKey}[i]
		token := sign(t, c, by(alg, accessClaims()))
		var cl codec.Claims
		retired, next := active, old
		retired.Sign, next.Sign = false, true
		r.replace(retired, next)
		if err := c.Verify(&cl, codec.Access, token); err != nil || cl.Key != active.ID {
			t.Errorf("the token of a key that no longer signs is refused: %v, key %s", err, cl.Key)
		}
		if err := c.Verify(&cl, codec.Access, sign(t, c, by(alg, accessClaims()))); err != nil || cl.Key != old.ID {
			t.Errorf("the new key does not sign: %v, key %s", err, cl.Key)
		}
		r.replace(next)
		refuse(t, c, "the token of a removed key", codec.Access, token)
		swapped := old
		swapped.ID = active.ID
		r.replace(swapped)
		refuse(t, c, "the token of another secret with the same id", codec.Access, token)
		r.replace(next, swapped)
		refuse(t, c, "the same beside another", codec.Access, token)
		r.replace()
		if token, err := c.Sign(nil, by(alg, accessClaims())); err == nil {
			t.Errorf("signed without a key to sign with: %s", token)
		}
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	c, r := newCodec()
	var wg sync.WaitGroup
	for i := range 4 {
		alg := algorithms[i%2]
		token := sign(t, c, by(alg, accessClaims()))
		want := says(by(alg, accessClaims()))
		wg.Go(func() {
			var cl codec.Claims
			for range 200 {
				if err := c.Verify(&cl, codec.Access, token); err != nil {
					t.Error(err)
					return
				}
				want.key = cl.Key
				if says(&cl) != want {
					t.Errorf("got %+v, want %+v", says(&cl), want)
					return
				}
				if again, err := c.Sign(nil, &cl); err != nil || c.Verify(&cl, codec.Access, string(again)) != nil {
					t.Errorf("signed again: %s, %v", again, err)
					return
				}
			}
		})
	}
	for i := range 100 {
		if i%2 == 0 {
			r.replace(oldLocalKey, publicKey, localKey)
		} else {
			r.replace(localKey, oldLocalKey, publicKey, oldPublicKey)
		}
	}
	wg.Wait()
}

func TestAllocations(t *testing.T) {
	c, _ := newCodec()
	for alg, most := range map[codec.Algorithm]struct{ verify, sign float64 }{
		codec.V4Local:  {1, 2}, // one for the keyed hash of each token's own key
		codec.V4Public: {0, 2},
	} {
		claims := by(alg, accessClaims())
		lasting := by(alg, accessClaims())
		lasting.Expires = 253_402_300_799 // and so remembered, if v4.public
		for name, token := range map[string]string{"expired": sign(t, c, claims), "lasting": sign(t, c, lasting)} {
			var cl codec.Claims
			if n := testing.AllocsPerRun(200, func() {
				if c.Verify(&cl, codec.Access, token) != nil {
					t.Error("refused")
				}
			}); n > most.verify && !raceEnabled {
				t.Errorf("%s, %s: Verify allocates %v times", alg, name, n)
			}
		}
		if n := testing.AllocsPerRun(200, func() { _, _ = c.Sign(nil, claims) }); n > most.sign && !raceEnabled {
			t.Errorf("%s: Sign allocates %v times", alg, n)
		}
	}
}

// TestRemembered: access tokens of v4.public that verified are looked up, say the
// same, and are forgotten with their key. Nothing else is remembered.
func TestRemembered(t *testing.T) {
	t.Parallel()
	c, r := newCodec()
	lasting := func(alg codec.Algorithm, cl *codec.Claims) string {
		cl.Expires = 253_402_300_799
		return sign(t, c, by(alg, cl))
	}
	token, changed := lasting(codec.V4Public, accessClaims()), lasting(codec.V4Public, refreshClaims())
	var first, again codec.Claims
	for i, tt := range []struct {
		typ   codec.Type
		token string
	}{{codec.Access, token}, {codec.Refresh, changed}, {codec.Access, lasting(codec.V4Local, accessClaims())}, {codec.Refresh, lasting(codec.V4Local, refreshClaims())}} {
		if err := c.Verify(&again, tt.typ, tt.token); err != nil {
			t.Fatal(i, err)
		}
		if n := c.Remembered(); n != 1 {
			t.Errorf("after %d tokens %d are remembered", i+1, n)
		}
	}
	if err := errors.Join(c.Verify(&first, codec.Access, token), c.Verify(&again, codec.Access, token)); err != nil || says(&first) != says(&again) || first.Key != publicKey.ID {
		t.Errorf("the second time it says %+v (%v), not %+v", says(&again), err, says(&first))
	}
	refuse(t, c, "remembered, as refresh", codec.Refresh, token)
	flipped(token, func(bit int, token string) { refuse(t, c, fmt.Sprint("bit ", bit), codec.Access, token) })
	if n := c.Remembered(); n != 1 {
		t.Errorf("%d tokens are remembered after refused ones", n)
	}
	r.replace(localKey, oldPublicKey)
	refuse(t, c, "remembered, of a removed key", codec.Access, token)
	r.replace(publicKey)
	if err := c.Verify(&again, codec.Access, token); err != nil {
		t.Error("the token of a key that is back is refused")
	}
}

// TestRefusedLeavesNothing: what is refused leaves no claims behind.
func TestRefusedLeavesNothing(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	for _, alg := range algorithms {
		token := sign(t, c, by(alg, accessClaims()))
		var cl codec.Claims
		if err := c.Verify(&cl, codec.Access, token); err != nil {
			t.Fatal(err)
		}
		if err := c.Verify(&cl, codec.Access, "v4."+token); err == nil || says(&cl) != (plainClaims{}) || len(cl.Payload) != 0 {
			t.Errorf("after a refused token: %+v", cl)
		}
		if err := c.Verify(&cl, codec.Access, strings.Replace(token, ".", "", 1)); err == nil || !bytes.Equal(cl.Payload, nil) {
			t.Errorf("after a refused token: %+v", cl)
		}
	}
}

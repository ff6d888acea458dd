package jwt_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/jwt"
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

// algorithms are those of JWTs.
var algorithms = []codec.Algorithm{codec.HS256, codec.ES256, codec.EdDSA}

var (
	activeKey = codec.Key{ID: "k-active", Algorithm: codec.HS256, Secret: []byte("the secret of the active key, 32"), Sign: true}
	oldKey    = codec.Key{ID: "k_old", Algorithm: codec.HS256, Secret: []byte("the secret of the old key, 32 by")}

	ecKey = newP256()
	edKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))

	keys = []codec.Key{
		activeKey, oldKey,
		{ID: "e-active", Algorithm: codec.ES256, Public: &ecKey.PublicKey, Signer: ecKey, Sign: true},
		{ID: "e_old", Algorithm: codec.ES256, Public: &newP256().PublicKey},
		{ID: "d-active", Algorithm: codec.EdDSA, Public: edKey.Public(), Signer: edKey, Sign: true},
		{ID: "d_old", Algorithm: codec.EdDSA, Public: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize)).Public()},
	}
)

// ids are those of the keys.
var ids = map[codec.Algorithm]struct{ active, old string }{
	codec.HS256: {"k-active", "k_old"}, codec.ES256: {"e-active", "e_old"}, codec.EdDSA: {"d-active", "d_old"},
}

func newP256() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

// newCodec returns a codec with two keys of each algorithm.
func newCodec() (*jwt.Codec, *ring) {
	r := &ring{}
	r.replace(keys...)
	return jwt.New(r), r
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

func sign(t testing.TB, c *jwt.Codec, cl *codec.Claims) string {
	t.Helper()
	token, err := c.Sign(nil, cl)
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

// plainClaims is what claims say, comparable.
type plainClaims struct {
	typ                                                       codec.Type
	session, jti                                              [16]byte
	gen                                                       uint32
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
		c.Type, c.Session, c.JTI, c.Gen, c.IssuedAt, c.Expires, c.AuthTime, c.Started, c.Anon,
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
	extreme.Gen, extreme.IssuedAt, extreme.Expires, extreme.AuthTime, extreme.Started = 1<<32-1, 0, 999_999_999_999_999, 0, 0
	emptyApp := accessClaims()
	emptyApp.App = emptyApp.Add("{}")
	for name, cl := range map[string]*codec.Claims{
		"usual": accessClaims(), "full": full, "acted": acted, "bare": bare, "odd": odd, "extreme": extreme, "refresh": refreshClaims(), "no app claims": emptyApp,
	} {
		for _, a := range algorithms {
			cl.Algorithm = a
			roundTrip(t, c, name, cl)
		}
	}
}

func roundTrip(t *testing.T, c *jwt.Codec, name string, cl *codec.Claims) {
	t.Helper()
	token := sign(t, c, cl)
	want := says(cl)
	if want.app == "{}" {
		want.app = ""
	}
	var got codec.Claims
	for range 3 { // also into a used one, and from what is remembered
		if err := c.Verify(&got, cl.Type, token); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if says(&got) != want || got.Algorithm != cl.Algorithm || got.Key != ids[cl.Algorithm].active {
			t.Errorf("%s: got %+v under %s %s, want %+v", name, says(&got), got.Algorithm, got.Key, want)
		}
	}
	if again := sign(t, c, &got); signedPart(again) != signedPart(token) {
		t.Errorf("%s: signed again it is %s, was %s", name, again, token)
	}
}

// signedPart is a token without its signature: ECDSA's differs each time.
func signedPart(token string) string { return token[:strings.LastIndexByte(token, '.')] }

func TestSignAppends(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	want := sign(t, c, accessClaims())
	got, err := c.Sign([]byte("Bearer "), accessClaims())
	if err != nil || string(got) != "Bearer "+want {
		t.Errorf("Sign = %q, %v", got, err)
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	c, r := newCodec()
	tests := []struct {
		name   string
		change func(*codec.Claims)
	}{
		{"no type", func(c *codec.Claims) { c.Type = 0 }},
		{"hand-off", func(c *codec.Claims) { c.Type = codec.HandOff }},
		{"unknown type", func(c *codec.Claims) { c.Type = 77 }},
		{"unknown algorithm", func(c *codec.Claims) { c.Algorithm = "none" }},
		{"PASETO", func(c *codec.Claims) { c.Algorithm = codec.V4Public }},
		{"no gen", func(c *codec.Claims) { c.Gen = 0 }},
		{"no profile", func(c *codec.Claims) { c.Profile = codec.Span{} }},
		{"negative iat", func(c *codec.Claims) { c.IssuedAt = -1 }},
		{"exp of 16 digits", func(c *codec.Claims) { c.Expires = 1_000_000_000_000_000 }},
		{"line feed in sub", func(c *codec.Claims) { c.Subject = c.Add("a\nb") }},
		{"DEL in iss", func(c *codec.Claims) { c.Issuer = c.Add("\x7f") }},
		{"sub not UTF-8", func(c *codec.Claims) { c.Subject = c.Add("\xff") }},
		{"surrogate in UTF-8", func(c *codec.Claims) { c.Subject = c.Add("\xed\xa0\x80") }},
		{"too long", func(c *codec.Claims) { c.Subject = c.Add(strings.Repeat("a", codec.MaxToken)) }},
		{"spans that wrap", func(c *codec.Claims) { c.Subject = c.Add(strings.Repeat("a", 1<<16)) }},
	}
	for _, tt := range tests {
		cl := accessClaims()
		tt.change(cl)
		if token, err := c.Sign(nil, cl); err == nil {
			t.Errorf("%s: signed as %s", tt.name, token)
		}
	}
	for name, change := range map[string]func(*codec.Claims){
		"profile": func(c *codec.Claims) { c.Profile = c.Add("web") }, "app": func(c *codec.Claims) { c.App = c.Add(`{"a":1}`) },
		"acr": func(c *codec.Claims) { c.ACR = c.Add("x") }, "amr": func(c *codec.Claims) { c.AMR = c.Add(`["x"]`) },
		"tenant": func(c *codec.Claims) { c.Tenant = c.Add("x") }, "anon": func(c *codec.Claims) { c.Anon = true },
	} {
		cl := refreshClaims()
		change(cl)
		if token, err := c.Sign(nil, cl); err == nil {
			t.Errorf("refresh token with %s: signed as %s", name, token)
		}
	}
	r.replace(oldKey)
	if token, err := c.Sign(nil, accessClaims()); err == nil {
		t.Errorf("signed without a key to sign with: %s", token)
	}
	weak := activeKey
	weak.Secret = weak.Secret[:31]
	r.replace(weak)
	if token, err := c.Sign(nil, accessClaims()); err == nil {
		t.Errorf("signed with a key of 31 bytes: %s", token)
	}
}

// TestLongest: exactly MaxToken bytes are signed and verified, one more is not.
func TestLongest(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	longest := 0
	for n := 5800; n < 6200; n++ {
		cl := accessClaims()
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

func TestKeyChange(t *testing.T) {
	t.Parallel()
	c, r := newCodec()
	token := sign(t, c, accessClaims())
	var cl codec.Claims
	retired, next := activeKey, oldKey
	retired.Sign, next.Sign = false, true
	r.replace(retired, next)
	if err := c.Verify(&cl, codec.Access, token); err != nil {
		t.Error("the token of a key that no longer signs is refused")
	}
	if again := sign(t, c, accessClaims()); strings.HasPrefix(again, token[:20]) && again == token {
		t.Error("the retired key still signs")
	}
	r.replace(next)
	if err := c.Verify(&cl, codec.Access, token); !errors.Is(err, codec.ErrInvalid) {
		t.Error("the token of a removed key is accepted")
	}
	swapped := retired
	swapped.Secret = bytes.ToUpper(swapped.Secret)
	r.replace(swapped, next)
	if err := c.Verify(&cl, codec.Access, token); !errors.Is(err, codec.ErrInvalid) {
		t.Error("the token of another secret with the same id is accepted")
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	c, r := newCodec()
	token := sign(t, c, accessClaims())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var cl codec.Claims
			for range 300 {
				if err := c.Verify(&cl, codec.Access, token); err != nil {
					t.Error(err)
					return
				}
				if again, err := c.Sign(nil, &cl); err != nil || string(again) != token {
					t.Errorf("signed again: %s, %v", again, err)
					return
				}
			}
		})
	}
	for range 100 {
		r.replace(activeKey, oldKey)
	}
	wg.Wait()
}

func TestAllocations(t *testing.T) {
	c, _ := newCodec()
	for _, a := range algorithms {
		claims := accessClaims()
		claims.Algorithm, claims.Expires = a, farFuture
		token := sign(t, c, claims)
		var cl codec.Claims
		if n := testing.AllocsPerRun(1000, func() { // ES256 and EdDSA: remembered
			if c.Verify(&cl, codec.Access, token) != nil {
				t.Error("refused")
			}
		}); n != 0 && !raceEnabled {
			t.Errorf("%s: Verify allocates %v times", a, n)
		}
		wrong := signedPart(token) + "." + strings.Repeat("A", len(token)-len(signedPart(token))-1)
		if n := testing.AllocsPerRun(100, func() { _ = c.Verify(&cl, codec.Access, wrong) }); a == codec.HS256 && n != 0 && !raceEnabled {
			t.Errorf("%s: Verify of a forged token allocates %v times", a, n)
		}
	}
	claims := accessClaims()
	if n := testing.AllocsPerRun(1000, func() { _, _ = c.Sign(nil, claims) }); n > 1 && !raceEnabled {
		t.Errorf("Sign allocates %v times", n)
	}
}

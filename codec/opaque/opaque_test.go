package opaque_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/opaque"
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
	activeKey = codec.Key{ID: "k-active", Algorithm: codec.Opaque, Secret: []byte("the secret of the active key, 32"), Sign: true}
	oldKey    = codec.Key{ID: "k_old_00", Algorithm: codec.Opaque, Secret: []byte("the secret of the old key, 32 by")}
)

func newCodec() (*opaque.Codec, *ring) {
	r := &ring{}
	r.replace(activeKey, oldKey)
	return opaque.New(r), r
}

var types = map[codec.Type]string{codec.Access: "rmd_at_", codec.Refresh: "rmd_rt_", codec.HandOff: "rmd_ho_"}

// claims are those of a token of a type.
func claims(typ codec.Type) *codec.Claims {
	return &codec.Claims{
		Type: typ, Gen: 0x01020304,
		Session: [16]byte([]byte("the session's id")), JTI: [16]byte([]byte("a secret of it's")),
	}
}

func sign(t testing.TB, c *opaque.Codec, cl *codec.Claims) string {
	t.Helper()
	token, err := c.Sign(nil, cl)
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

func decode(t testing.TB, token string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token[len("rmd_at_"):])
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// plainClaims is what claims say, comparable, but for the texts.
type plainClaims struct {
	typ          codec.Type
	session, jti [16]byte
	gen          uint32
	alg          codec.Algorithm
	key          string
}

func says(c *codec.Claims) plainClaims {
	return plainClaims{c.Type, c.Session, c.JTI, c.Gen, c.Algorithm, c.Key}
}

// sameOnly reports whether claims say nothing that plainClaims does not hold.
func sameOnly(c *codec.Claims) bool {
	return len(c.Payload) == 0 && c.IssuedAt == 0 && c.Expires == 0 && c.AuthTime == 0 && c.Started == 0 && !c.Anon &&
		c.Issuer.IsZero() && c.Audience.IsZero() && c.Subject.IsZero() && c.Profile.IsZero() && c.Tenant.IsZero() && c.ACR.IsZero() && c.AMR.IsZero() && c.App.IsZero()
}

func TestSignVerify(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	for typ, prefix := range types {
		for _, gen := range []uint32{0, 1, 255, 256, 1<<32 - 1} {
			cl := claims(typ)
			cl.Gen = gen
			if gen == 0 && typ != codec.HandOff {
				continue
			}
			token := sign(t, c, cl)
			if !strings.HasPrefix(token, prefix) || len(token) != 91 || !opaque.Form(token) {
				t.Errorf("%v: %s of %d bytes", typ, token, len(token))
			}
			want := says(cl)
			want.alg, want.key = codec.Opaque, "k-active"
			got := codec.Claims{IssuedAt: 1, Anon: true, Payload: []byte("former")}
			got.Subject = got.Add("former")
			for range 2 { // the second time into a used one
				if err := c.Verify(&got, typ, token); err != nil || says(&got) != want || !sameOnly(&got) {
					t.Errorf("%v: got %+v (%v), want %+v", typ, got, err, want)
				}
			}
			if again := sign(t, c, &got); again != token {
				t.Errorf("%v: signed again it is %s, was %s", typ, again, token)
			}
		}
	}
}

// TestForm: the whole token, put together from its description.
func TestForm(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-7.2.3")
	t.Attr("requirement", "ASVS-11.2.3")
	c, _ := newCodec()
	id, err := base64.RawURLEncoding.DecodeString("k-active")
	if err != nil {
		t.Fatal(err)
	}
	text := "rmd_rt_" + "\x01" + string(id) + "the session's id" + "\x01\x02\x03\x04" + "a secret of it's"
	h := hmac.New(sha256.New, activeKey.Secret)
	h.Write([]byte(text))
	text += string(h.Sum(nil)[:16])
	crc := ^uint32(0)
	for _, b := range []byte(text) { // CRC-32 by the book, bit by bit
		crc ^= uint32(b)
		for range 8 {
			crc = crc>>1 ^ 0xedb88320&-(crc&1)
		}
	}
	crc = ^crc
	text += string([]byte{byte(crc >> 24), byte(crc >> 16), byte(crc >> 8), byte(crc)})
	want := "rmd_rt_" + base64.RawURLEncoding.EncodeToString([]byte(text[7:]))
	if got := sign(t, c, claims(codec.Refresh)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestPattern: tokens are found wherever they stand, and little else is.
func TestPattern(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	pattern := regexp.MustCompile(opaque.Pattern)
	for typ := range types {
		for _, id := range []string{"AAAAAAAA", "________", "k-active"} {
			k := activeKey
			k.ID = id
			r := &ring{}
			r.replace(k)
			token := sign(t, opaque.New(r), claims(typ))
			for _, text := range []string{token, "token=" + token, `{"t":"` + token + `"}`, "a%3D" + token + "%20", "_" + token + "_", token + token} {
				if got := pattern.FindString(text); got != token || !opaque.Form(got) {
					t.Errorf("in %s found %q", text, got)
				}
			}
		}
	}
	token := sign(t, c, claims(codec.Access))
	for _, text := range []string{"", "rmd_at_", token[:90], token[1:], "rmd_xx_" + token[7:], strings.ToUpper(token), "RMD_at_" + token[7:], "rmd_at_B" + token[8:], "rmd_at_AA" + token[9:]} {
		if got := pattern.FindString(text); got != "" {
			t.Errorf("in %s found %q", text, got)
		}
	}
}

func TestSignAppends(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	want := sign(t, c, claims(codec.Access))
	got, err := c.Sign([]byte("Bearer "), claims(codec.Access))
	if err != nil || string(got) != "Bearer "+want {
		t.Errorf("Sign = %q, %v", got, err)
	}
}

// TestSignIgnoresTexts: what belongs into the record does not change the token.
func TestSignIgnoresTexts(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	cl := claims(codec.Access)
	want := sign(t, c, cl)
	cl.Subject, cl.App, cl.Expires, cl.Anon = cl.Add("alice\n"), cl.Add(`{"a":1}`), -1, true
	cl.Payload = append(cl.Payload, make([]byte, 1<<17)...)
	if got := sign(t, c, cl); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	c, r := newCodec()
	for name, change := range map[string]func(*codec.Claims){
		"no type":           func(c *codec.Claims) { c.Type = 0 },
		"unknown type":      func(c *codec.Claims) { c.Type = 4 },
		"access, no gen":    func(c *codec.Claims) { c.Gen = 0 },
		"refresh, no gen":   func(c *codec.Claims) { c.Type, c.Gen = codec.Refresh, 0 },
		"HS256":             func(c *codec.Claims) { c.Algorithm = codec.HS256 },
		"v4.local":          func(c *codec.Claims) { c.Algorithm = codec.V4Local },
		"unknown algorithm": func(c *codec.Claims) { c.Algorithm = "Opaque" },
	} {
		cl := claims(codec.Access)
		change(cl)
		if token, err := c.Sign(nil, cl); err == nil {
			t.Errorf("%s: signed as %s", name, token)
		}
	}
	r.replace(oldKey)
	if token, err := c.Sign(nil, claims(codec.Access)); err == nil {
		t.Errorf("signed without a key to sign with: %s", token)
	}
}

// TestKeysLeftOut: a key that is not whole, or whose id has no room, neither
// signs nor verifies.
func TestKeysLeftOut(t *testing.T) {
	t.Parallel()
	whole, _ := newCodec()
	token := sign(t, whole, claims(codec.Access))
	leave := func(name string, k codec.Key) {
		t.Helper()
		r := &ring{}
		r.replace(k)
		c := opaque.New(r)
		if token, err := c.Sign(nil, claims(codec.Access)); err == nil {
			t.Errorf("%s: signs %s", name, token)
		}
		refuse(t, c, name, codec.Access, token)
	}
	for _, id := range []string{"", "k", "k-activ", "k-activeA", "k-active=", "k-active====", "k+active", "k/active", "k.active", "k-activ\n", "\nk-active", "k-actíve", "k-activeAA", "k-activeAAAAAAAA"} {
		k := activeKey
		k.ID = id
		leave("id "+id, k)
	}
	k := activeKey
	k.Secret = k.Secret[:31]
	leave("31 bytes", k)
	k.Secret = nil
	leave("no secret", k)
	for _, alg := range []codec.Algorithm{"", "Opaque", codec.HS256, codec.V4Local, codec.EdDSA, codec.V4Public} {
		k := activeKey
		k.Algorithm = alg
		leave("algorithm "+string(alg), k)
	}
	long := activeKey
	long.Secret = append(long.Secret[:32:32], "and some more, so that it is longer than a block of the hash"...)
	r := &ring{}
	r.replace(long)
	c := opaque.New(r)
	if err := c.Verify(&codec.Claims{}, codec.Access, sign(t, c, claims(codec.Access))); err != nil {
		t.Error("a key of more than 32 bytes is left out")
	}
}

func TestKeyChange(t *testing.T) {
	t.Parallel()
	c, r := newCodec()
	token := sign(t, c, claims(codec.Access))
	var cl codec.Claims
	retired, next := activeKey, oldKey
	retired.Sign, next.Sign = false, true
	r.replace(retired, next)
	if err := c.Verify(&cl, codec.Access, token); err != nil || cl.Key != activeKey.ID {
		t.Errorf("the token of a key that no longer signs is refused: %v, key %s", err, cl.Key)
	}
	if err := c.Verify(&cl, codec.Access, sign(t, c, claims(codec.Access))); err != nil || cl.Key != oldKey.ID {
		t.Errorf("the new key does not sign: %v, key %s", err, cl.Key)
	}
	r.replace(next)
	refuse(t, c, "the token of a removed key", codec.Access, token)
	swapped := oldKey
	swapped.ID = activeKey.ID
	r.replace(swapped, next)
	refuse(t, c, "the token of another secret with the same id", codec.Access, token)
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	c, r := newCodec()
	token := sign(t, c, claims(codec.Refresh))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var cl codec.Claims
			for range 300 {
				if err := c.Verify(&cl, codec.Refresh, token); err != nil {
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
	for i := range 100 {
		if i%2 == 0 {
			r.replace(activeKey)
		} else {
			r.replace(oldKey, activeKey)
		}
	}
	wg.Wait()
}

func TestAllocations(t *testing.T) {
	c, _ := newCodec()
	token := sign(t, c, claims(codec.Access))
	var cl codec.Claims
	if n := testing.AllocsPerRun(1000, func() {
		if c.Verify(&cl, codec.Access, token) != nil {
			t.Error("refused")
		}
	}); n != 0 && !raceEnabled {
		t.Errorf("Verify allocates %v times", n)
	}
	given := claims(codec.Access)
	if n := testing.AllocsPerRun(1000, func() { _, _ = c.Sign(nil, given) }); n > 2 && !raceEnabled {
		t.Errorf("Sign allocates %v times", n)
	}
}

// TestFormIsOffline: Form says of tokens under unknown keys what Verify cannot.
func TestFormIsOffline(t *testing.T) {
	t.Parallel()
	c, _ := newCodec()
	raw := decode(t, sign(t, c, claims(codec.Access)))
	raw[opaque.KeyAt] ^= 1
	token := opaque.Checked("rmd_at_", raw[:opaque.ChecksumAt])
	if !opaque.Form(token) {
		t.Errorf("%s has not the form", token)
	}
	refuse(t, c, "unknown key", codec.Access, token)
	if opaque.Form("rmd_at_" + hex.EncodeToString(raw)) {
		t.Error("hexadecimal has the form")
	}
}

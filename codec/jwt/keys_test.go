package jwt_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/jwt"
)

// jwks reads the keys of a JWK, or of a set of them, that a codec may have.
func jwks(t *testing.T, text json.RawMessage) (list []codec.Key) {
	t.Helper()
	type jwk struct{ Kty, Crv, K, X, Y string }
	var set struct {
		jwk
		Keys []jwk
	}
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	bytesOf := func(text string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, k := range append(set.Keys, set.jwk) {
		switch {
		case k.Kty == "oct":
			list = append(list, codec.Key{ID: "k", Algorithm: codec.HS256, Secret: bytesOf(k.K)})
		case k.Crv == "P-256":
			list = append(list, codec.Key{ID: "k", Algorithm: codec.ES256, Public: point(new(big.Int).SetBytes(bytesOf(k.X)), new(big.Int).SetBytes(bytesOf(k.Y)))})
		}
	}
	return list
}

// point is a public key of P-256, whole or not.
func point(x, y *big.Int) *ecdsa.PublicKey {
	return &ecdsa.PublicKey{Curve: elliptic.P256(), X: x, Y: y} //nolint:staticcheck // also what no parser makes
}

// speaker is a signer elsewhere.
type speaker struct {
	public crypto.PublicKey
	answer []byte
	err    error
}

func (s speaker) Public() crypto.PublicKey { return s.public }

func (s speaker) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return s.answer, s.err }

// TestNotWhole: a key that is not whole neither signs nor verifies.
func TestNotWhole(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "JWT-3.5")
	t.Attr("requirement", "JWT-secret")
	t.Attr("requirement", "BUG CVE-2025-30206, CVE-2026-48031, CVE-2026-44523")
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	edPublic := edKey.Public().(ed25519.PublicKey)
	encoded, err := ecKey.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	x, y := new(big.Int).SetBytes(encoded[1:33]), new(big.Int).SetBytes(encoded[33:])
	wrongCurve := ecKey.PublicKey
	wrongCurve.Curve = elliptic.P384()
	for name, k := range map[string]codec.Key{
		"no secret":               {ID: "k", Algorithm: codec.HS256},
		"short secret":            {ID: "k", Algorithm: codec.HS256, Secret: make([]byte, 31)},
		"HS256, public key only":  {ID: "k", Algorithm: codec.HS256, Public: edPublic, Signer: edKey},
		"no algorithm":            {ID: "k", Secret: make([]byte, 32), Public: edPublic, Signer: edKey},
		"none":                    {ID: "k", Algorithm: "none", Secret: make([]byte, 32), Public: edPublic, Signer: edKey},
		"PASETO":                  {ID: "k", Algorithm: codec.V4Public, Public: edPublic, Signer: edKey},
		"Ed25519 by another name": {ID: "k", Algorithm: "Ed25519", Public: edPublic, Signer: edKey},
		"ES256 without public":    {ID: "k", Algorithm: codec.ES256, Signer: ecKey},
		"ES256 secret only":       {ID: "k", Algorithm: codec.ES256, Secret: make([]byte, 32)},
		"ES256 of Ed25519":        {ID: "k", Algorithm: codec.ES256, Public: edPublic, Signer: edKey},
		"ES256 of RSA":            {ID: "k", Algorithm: codec.ES256, Public: rsaKey.Public(), Signer: rsaKey},
		"ES256 of P-384":          {ID: "k", Algorithm: codec.ES256, Public: p384.Public(), Signer: p384},
		"ES256 wrong curve":       {ID: "k", Algorithm: codec.ES256, Public: &wrongCurve, Signer: ecKey},
		"ES256 no pointer":        {ID: "k", Algorithm: codec.ES256, Public: ecKey.PublicKey, Signer: ecKey},
		"ES256 private as public": {ID: "k", Algorithm: codec.ES256, Public: ecKey, Signer: ecKey},
		"ES256 nil":               {ID: "k", Algorithm: codec.ES256, Public: (*ecdsa.PublicKey)(nil), Signer: ecKey},
		"ES256 zero":              {ID: "k", Algorithm: codec.ES256, Public: &ecdsa.PublicKey{}, Signer: ecKey},
		"ES256 without numbers":   {ID: "k", Algorithm: codec.ES256, Public: point(nil, nil), Signer: ecKey},
		"ES256 infinity":          {ID: "k", Algorithm: codec.ES256, Public: point(new(big.Int), new(big.Int)), Signer: ecKey},
		"ES256 off the curve":     {ID: "k", Algorithm: codec.ES256, Public: point(x, new(big.Int).Add(y, big.NewInt(1))), Signer: ecKey},
		"ES256 x beyond p":        {ID: "k", Algorithm: codec.ES256, Public: point(new(big.Int).Add(x, elliptic.P256().Params().P), y), Signer: ecKey},
		"ES256 negative y":        {ID: "k", Algorithm: codec.ES256, Public: point(x, new(big.Int).Neg(y)), Signer: ecKey},
		"EdDSA without public":    {ID: "k", Algorithm: codec.EdDSA, Signer: edKey},
		"EdDSA of P-256":          {ID: "k", Algorithm: codec.EdDSA, Public: ecKey.Public(), Signer: ecKey},
		"EdDSA bytes":             {ID: "k", Algorithm: codec.EdDSA, Public: []byte(edPublic), Signer: edKey},
		"EdDSA private as public": {ID: "k", Algorithm: codec.EdDSA, Public: edKey, Signer: edKey},
		"EdDSA of 31 bytes":       {ID: "k", Algorithm: codec.EdDSA, Public: edPublic[:31], Signer: edKey},
		"EdDSA of 64 bytes":       {ID: "k", Algorithm: codec.EdDSA, Public: append(edPublic[:32:32], edPublic...), Signer: edKey},
		"EdDSA nil":               {ID: "k", Algorithm: codec.EdDSA, Public: ed25519.PublicKey(nil), Signer: edKey},
		"id empty":                {Algorithm: codec.HS256, Secret: make([]byte, 32)},
		"id with a quote":         {ID: `k","x":"`, Algorithm: codec.HS256, Secret: make([]byte, 32)},
		"id with a dot":           {ID: "k.k", Algorithm: codec.HS256, Secret: make([]byte, 32)},
		"id not ASCII":            {ID: "é", Algorithm: codec.HS256, Secret: make([]byte, 32)},
		"id of 65":                {ID: strings.Repeat("k", 65), Algorithm: codec.HS256, Secret: make([]byte, 32)},
	} {
		r := &ring{}
		k.Sign = true
		r.replace(k)
		if n := jwt.New(r).Headers(); n != 0 {
			t.Errorf("%s: the key is in use", name)
		}
		for _, a := range algorithms {
			cl := accessClaims()
			cl.Algorithm = a
			if token, err := jwt.New(r).Sign(nil, cl); err == nil {
				t.Errorf("%s: signed as %s", name, token)
			}
		}
	}
}

// smallOrder are the encodings, canonical or not, of points whose order divides
// 8, up to the sign of x.
var smallOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

// TestSmallOrder: under a point of small order one signature holds for about
// every eighth message, in crypto/ed25519 too. No such key is used; nor one that
// is no point.
func TestSmallOrder(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "JWT-3.4")
	forged := append([]byte{1}, make([]byte, 63)...) // R is the neutral element, S is 0
	forgeable := 0
	for _, text := range smallOrder {
		for _, sign := range []byte{0, 0x80} {
			public, err := hex.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			public[31] |= sign
			if jwt.Ed25519Point(public) {
				t.Errorf("%x is taken", public)
			}
			for range 100 {
				message := make([]byte, 8)
				rand.Read(message)
				if ed25519.Verify(public, message, forged) {
					forgeable++
					break
				}
			}
		}
	}
	if forgeable < 5 {
		t.Errorf("under %d of the keys forging is easy", forgeable)
	}
	notThere := 0
	for y := range 200 {
		public := make([]byte, 32)
		public[0] = byte(y)
		if !jwt.Ed25519Point(public) {
			notThere++
		}
	}
	if notThere < 60 || notThere > 140 {
		t.Errorf("%d of 200 small y are refused; about half have no point", notThere)
	}
	for range 100 {
		public, _, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if !jwt.Ed25519Point(public) {
			t.Errorf("%x is refused", public)
		}
	}
}

// TestSigners: a signer that speaks for another key is not used; one that fails,
// or answers with something else than a signature, makes Sign fail.
func TestSigners(t *testing.T) {
	t.Parallel()
	failure := errors.New("the device is gone")
	another := newP256()
	_, anotherEd, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	order := ecKey.Params().N
	der := func(r, s *big.Int) []byte {
		b, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tests := []struct {
		name   string
		alg    codec.Algorithm
		signer crypto.Signer
		want   error
	}{
		{"none", codec.ES256, nil, nil},
		{"none", codec.EdDSA, nil, nil},
		{"of another key", codec.ES256, another, nil},
		{"of another key", codec.EdDSA, anotherEd, nil},
		{"of another kind", codec.ES256, edKey, nil},
		{"of another kind", codec.EdDSA, ecKey, nil},
		{"cut", codec.EdDSA, edKey[:32], nil},
		{"without a public key", codec.ES256, speaker{}, nil},
		{"without a public key", codec.EdDSA, speaker{}, nil},
		{"fails", codec.ES256, speaker{public: ecKey.Public(), err: failure}, failure},
		{"fails", codec.EdDSA, speaker{public: edKey.Public(), err: failure}, failure},
		{"empty answer", codec.ES256, speaker{public: ecKey.Public()}, nil},
		{"empty answer", codec.EdDSA, speaker{public: edKey.Public()}, nil},
		{"short answer", codec.EdDSA, speaker{public: edKey.Public(), answer: make([]byte, 63)}, nil},
		{"long answer", codec.EdDSA, speaker{public: edKey.Public(), answer: make([]byte, 65)}, nil},
		{"raw answer", codec.ES256, speaker{public: ecKey.Public(), answer: bytes.Repeat([]byte{1}, 64)}, nil},
		{"r = 0", codec.ES256, speaker{public: ecKey.Public(), answer: der(new(big.Int), big.NewInt(1))}, nil},
		{"s = n", codec.ES256, speaker{public: ecKey.Public(), answer: der(big.NewInt(1), order)}, nil},
		{"negative s", codec.ES256, speaker{public: ecKey.Public(), answer: der(big.NewInt(1), big.NewInt(-1))}, nil},
	}
	for _, tt := range tests {
		k := codec.Key{ID: "k", Algorithm: tt.alg, Public: ecKey.Public(), Signer: tt.signer, Sign: true}
		if tt.alg == codec.EdDSA {
			k.Public = edKey.Public()
		}
		r := &ring{}
		r.replace(k)
		c := jwt.New(r)
		cl := accessClaims()
		cl.Algorithm = tt.alg
		token, err := c.Sign([]byte("x"), cl)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s signer %s: %s, %v", tt.alg, tt.name, token, err)
		}
		if c.Headers() != 2 {
			t.Errorf("%s signer %s: the key does not verify either", tt.alg, tt.name)
		}
	}
}

// TestSnapshot: whoever changes a key after it was given changes nothing.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	priv := newP256()
	encoded, err := priv.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	x, y := new(big.Int).SetBytes(encoded[1:33]), new(big.Int).SetBytes(encoded[33:])
	edPublic := bytes.Clone(edKey.Public().(ed25519.PublicKey))
	r := &ring{}
	r.replace(
		codec.Key{ID: "e", Algorithm: codec.ES256, Public: point(x, y), Signer: priv, Sign: true},
		codec.Key{ID: "d", Algorithm: codec.EdDSA, Public: ed25519.PublicKey(edPublic), Signer: edKey, Sign: true},
	)
	c := jwt.New(r)
	x.SetInt64(1)
	edPublic[0] ^= 1
	for _, a := range algorithms[1:] {
		cl := accessClaims()
		cl.Algorithm = a
		var got codec.Claims
		if err := c.Verify(&got, codec.Access, sign(t, c, cl)); err != nil {
			t.Errorf("%s: the key changed under the codec", a)
		}
	}
}

// TestDER: r ‖ s to DER and back, with all lengths of r and s.
func TestDER(t *testing.T) {
	t.Parallel()
	for n := range 33 {
		for _, first := range []byte{1, 0x7f, 0x80, 0xfe} {
			var raw [64]byte
			for i := 32 - n; i < 32; i++ {
				raw[i] = first
			}
			raw[63] = 1
			der := jwt.AppendDER(raw)
			want, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), big.NewInt(1)})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(der, want) {
				t.Fatalf("r ‖ s %x: DER %x, want %x", raw, der, want)
			}
			if back, ok := jwt.FromDER(der); ok != (n > 0) || ok && back != raw {
				t.Fatalf("DER %x: %x, %v", der, back, ok)
			}
		}
	}
}

// TestStrictDER: what an external signer answers is read in its one form.
func TestStrictDER(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "30", "3000", "300602010102", "30060201010201", "3006020101020101ff", "300602010102010100", "300702010102010100", "3007020101020101",
		"300702010102020001", "3007020200010201" + "01", "3006020100020101", "3006020101020100", "3006020181020101", "30050201010200", "3005020002" + "0101",
		"3106020101020101", "3006030101020101", "3006020101030101", "308106020101020101", "3080020101020101" + "0000",
		"3026022101" + strings.Repeat("00", 32) + "020101", "3027022200" + "ff" + strings.Repeat("00", 32) + "020101",
		"3026022100ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551020101",
	} {
		der, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if raw, ok := jwt.FromDER(der); ok {
			t.Errorf("%s is read as %x", text, raw)
		}
	}
	for range 200 {
		digest := make([]byte, 32)
		rand.Read(digest)
		der, err := ecdsa.SignASN1(rand.Reader, ecKey, digest)
		if err != nil {
			t.Fatal(err)
		}
		raw, ok := jwt.FromDER(der)
		if !ok || !bytes.Equal(jwt.AppendDER(raw), der) {
			t.Fatalf("%x is read as %x, %v", der, raw, ok)
		}
	}
}

// TestRemembered: of access tokens under asymmetric keys the exact text is, until
// the keys change; nothing else is ever taken for it.
func TestRemembered(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "BUG CVE-2026-49998")
	c, r := newCodec()
	var cl codec.Claims
	for _, a := range algorithms {
		access, refresh := accessClaims(), refreshClaims()
		access.Algorithm, refresh.Algorithm = a, a
		for _, claims := range []*codec.Claims{access, refresh} {
			claims.Expires = farFuture
			token := sign(t, c, claims)
			before := c.Remembered()
			for range 3 {
				if err := c.Verify(&cl, claims.Type, token); err != nil {
					t.Fatal(err)
				}
			}
			want := before
			if a != codec.HS256 && claims.Type == codec.Access {
				want++
			}
			if c.Remembered() != want {
				t.Errorf("%s %v: %d remembered, were %d", a, claims.Type, c.Remembered(), before)
			}
			wrong := token[:len(token)-3] + "AAA"
			if wrong != token && c.Verify(&cl, claims.Type, wrong) == nil {
				t.Errorf("%s: another signature is taken for the remembered one", a)
			}
		}
	}
	token := sign(t, c, func() *codec.Claims {
		cl := accessClaims()
		cl.Algorithm, cl.Expires = codec.EdDSA, farFuture
		return cl
	}())
	if err := c.Verify(&cl, codec.Access, token); err != nil {
		t.Fatal(err)
	}
	cl.Payload[0] = 'x' // the caller's own copy
	if err := c.Verify(&cl, codec.Access, token); err != nil || cl.Payload[0] != '{' {
		t.Error("a caller has changed what is remembered")
	}
	r.replace(keys...)
	if c.Remembered() != 0 {
		t.Error("tokens are remembered past the key set")
	}
	swapped := slices.Clone(keys)
	swapped[4].Public = swapped[5].Public
	r.replace(swapped...)
	if c.Verify(&cl, codec.Access, token) == nil {
		t.Error("a token is remembered whose key has changed")
	}
}

// farFuture is when tokens end that are to be remembered.
const farFuture = 99_999_999_999

// TestKeysReplaced: while keys come and go, a token of a key that stays always
// verifies, and one of a removed key never does once the codec has seen it.
func TestKeysReplaced(t *testing.T) {
	t.Parallel()
	c, r := newCodec()
	var tokens []string
	for _, a := range algorithms {
		cl := accessClaims()
		cl.Algorithm, cl.Expires = a, farFuture
		tokens = append(tokens, sign(t, c, cl))
	}
	gone := tokens[2]
	stay := slices.DeleteFunc(slices.Clone(keys), func(k codec.Key) bool { return k.ID == "d-active" })
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var cl codec.Claims
			for i := range 200 {
				if err := c.Verify(&cl, codec.Access, tokens[i%2]); err != nil || says(&cl).subject != "alice" {
					t.Error("the token of a key that stays is refused")
					return
				}
				if c.Verify(&cl, codec.Access, gone) == nil && says(&cl).subject != "alice" {
					t.Error("other claims")
					return
				}
			}
		})
	}
	for i := range 50 {
		if i%2 == 0 {
			r.replace(keys...)
		} else {
			r.replace(stay...)
		}
	}
	wg.Wait()
	r.replace(stay...)
	var cl codec.Claims
	if c.Verify(&cl, codec.Access, gone) == nil {
		t.Error("the token of a removed key is accepted")
	}
}

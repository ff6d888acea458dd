package oracle_test

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	other "aidanwoods.dev/go-paseto"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/paseto"
)

// pasetoRing is a v4.local and a v4.public key, as we and as go-paseto have them.
type pasetoRing struct {
	set    *codec.KeySet
	local  other.V4SymmetricKey
	secret other.V4AsymmetricSecretKey
}

func (r *pasetoRing) KeySet() *codec.KeySet { return r.set }

func newPasetoRing(t *testing.T) *pasetoRing {
	t.Helper()
	shared := []byte("the secret of the local key is32")
	private := ed25519.NewKeyFromSeed([]byte("the seed of the public key is 32"))
	r := &pasetoRing{set: &codec.KeySet{Keys: []codec.Key{
		{ID: "l-active", Algorithm: codec.V4Local, Secret: shared, Sign: true},
		{ID: "p-active", Algorithm: codec.V4Public, Public: private.Public(), Signer: private, Sign: true},
	}}}
	var err error
	if r.local, err = other.V4SymmetricKeyFromBytes(shared); err != nil {
		t.Fatal(err)
	}
	if r.secret, err = other.NewV4AsymmetricSecretKeyFromBytes(private); err != nil {
		t.Fatal(err)
	}
	return r
}

// read is how go-paseto reads a token.
func (r *pasetoRing) read(alg codec.Algorithm, token, implicit string) (*other.Token, error) {
	parser := other.NewParserWithoutExpiryCheck()
	if alg == codec.V4Local {
		return parser.ParseV4Local(r.local, token, []byte(implicit))
	}
	return parser.ParseV4Public(r.secret.Public(), token, []byte(implicit))
}

// write is how go-paseto writes a token of claims as JSON. It sorts members by
// name.
func (r *pasetoRing) write(t *testing.T, alg codec.Algorithm, claims []byte, footer, implicit string) string {
	t.Helper()
	token, err := other.NewTokenFromClaimsJSON(claims, []byte(footer))
	if err != nil {
		t.Fatal(err)
	}
	if alg == codec.V4Local {
		return token.V4Encrypt(r.local, []byte(implicit))
	}
	return token.V4Sign(r.secret, []byte(implicit))
}

// pasetoTexts leave out <, > and &, which encoding/json escapes in a way that we
// do not read in our own claims.
var pasetoTexts = []string{"alice", `a"b\c`, "é😀", "a/b", "https://app.example"}

// drawClaims draws the claims of a token.
func drawClaims(draw *rand.Rand, typ codec.Type) *codec.Claims {
	pick := func() string { return pasetoTexts[draw.IntN(len(pasetoTexts))] }
	cl := &codec.Claims{Type: typ, Gen: 1 + draw.Uint32N(1000), IssuedAt: draw.Int64N(1 << 37), Expires: draw.Int64N(1 << 37)}
	for i := range cl.Session {
		cl.Session[i] = byte(draw.Uint32())
	}
	cl.Issuer, cl.Audience, cl.Subject = cl.Add(pick()), cl.Add(pick()), cl.Add(pick())
	if typ == codec.Refresh {
		cl.JTI[3] = byte(draw.Uint32())
		return cl
	}
	cl.AuthTime, cl.Started = draw.Int64N(1<<37), draw.Int64N(1<<45)
	cl.Profile, cl.AMR, cl.App = cl.Add("web"), cl.Add(`["pwd"]`), cl.Add(`{"name":"Alice","n":[1,{"a":null}]}`)
	if draw.IntN(2) == 0 {
		cl.Anon, cl.ACR, cl.Tenant = true, cl.Add(pick()), cl.Add(pick())
	}
	return cl
}

// said is what claims say as text.
func said(cl *codec.Claims) string {
	return fmt.Sprintf("%v %x %x %d %d %d %d %d %t %q %q %q %q %q %q %q %s", cl.Type, cl.Session, cl.JTI, cl.Gen, cl.IssuedAt, cl.Expires, cl.AuthTime, cl.Started, cl.Anon,
		cl.Text(cl.Issuer), cl.Text(cl.Audience), cl.Text(cl.Subject), cl.Text(cl.Profile), cl.Text(cl.Tenant), cl.Text(cl.ACR), cl.Text(cl.AMR), appMembers(cl))
}

// appMembers are the application's claims in the order of encoding/json.
func appMembers(cl *codec.Claims) string {
	members := map[string]json.RawMessage{}
	if !cl.App.IsZero() {
		if err := json.Unmarshal(cl.Text(cl.App), &members); err != nil {
			return err.Error()
		}
	}
	return fmt.Sprintf("%s", members)
}

// TestPASETO: go-paseto reads what we write, in both purposes and types, and
// writes what we read; claims, footer and implicit assertion are the same.
func TestPASETO(t *testing.T) {
	t.Parallel()
	r := newPasetoRing(t)
	c := paseto.New(r)
	draw := rand.New(rand.NewPCG(1, 2))
	for i := range 400 {
		alg, id := codec.V4Local, "l-active"
		if i%4 == 3 {
			alg, id = codec.V4Public, "p-active"
		}
		typ, name := codec.Access, "at"
		if i%3 == 0 {
			typ, name = codec.Refresh, "rt"
		}
		cl := drawClaims(draw, typ)
		cl.Algorithm = alg
		ours, err := c.Sign(nil, cl)
		if err != nil {
			t.Fatal(err)
		}
		read, err := r.read(alg, string(ours), name)
		if err != nil {
			t.Fatalf("go-paseto refuses %s: %v", ours, err)
		}
		footer := `{"kid":"` + id + `","typ":"` + name + `"}`
		if string(read.Footer()) != footer {
			t.Fatalf("go-paseto reads the footer %s, want %s", read.Footer(), footer)
		}
		checkTimes(t, read, cl)
		theirs := r.write(t, alg, read.ClaimsJSON(), footer, name)
		var back codec.Claims
		if err := c.Verify(&back, typ, theirs); err != nil {
			t.Fatalf("we refuse what go-paseto writes: %s", theirs)
		}
		if said(&back) != said(cl) || back.Key != id || back.Algorithm != alg {
			t.Fatalf("from go-paseto we read %s\nwant %s", said(&back), said(cl))
		}
		// What differs in one authenticated thing is refused by both.
		for _, implicit := range []string{"", "xx", name + " "} {
			if _, err := r.read(alg, string(ours), implicit); err == nil {
				t.Errorf("go-paseto reads our token with the assertion %q", implicit)
			}
			if c.Verify(&back, typ, r.write(t, alg, read.ClaimsJSON(), footer, implicit)) == nil {
				t.Errorf("we read a token of go-paseto with the assertion %q", implicit)
			}
		}
	}
}

// checkTimes compares what go-paseto's own accessors make of our claims.
func checkTimes(t *testing.T, read *other.Token, cl *codec.Claims) {
	t.Helper()
	issued, err := read.GetIssuedAt()
	if err != nil || issued.Unix() != cl.IssuedAt {
		t.Fatalf("go-paseto reads iat = %v (%v), want %d", issued, err, cl.IssuedAt)
	}
	expires, err := read.GetExpiration()
	if err != nil || expires.Unix() != cl.Expires {
		t.Fatalf("go-paseto reads exp = %v (%v), want %d", expires, err, cl.Expires)
	}
	subject, err := read.GetSubject()
	if err != nil || subject != string(cl.Text(cl.Subject)) {
		t.Fatalf("go-paseto reads sub = %q (%v), want %q", subject, err, cl.Text(cl.Subject))
	}
}

// TestPASETORefused: what go-paseto can write but we do not is refused: other
// versions under the same key bytes, other footers, other claims.
func TestPASETORefused(t *testing.T) {
	t.Parallel()
	r := newPasetoRing(t)
	c := paseto.New(r)
	refuse := func(name, token string) {
		t.Helper()
		if err := c.Verify(&codec.Claims{}, codec.Access, token); err != codec.ErrInvalid { //nolint:errorlint // the contract: never wrapped
			t.Errorf("%s: %v for %s", name, err, token)
		}
	}
	for alg, footer := range map[codec.Algorithm]string{codec.V4Local: `{"kid":"l-active","typ":"at"}`, codec.V4Public: `{"kid":"p-active","typ":"at"}`} {
		cl := drawClaims(rand.New(rand.NewPCG(3, 4)), codec.Access)
		cl.Algorithm = alg
		ours, err := c.Sign(nil, cl)
		if err != nil {
			t.Fatal(err)
		}
		read, err := r.read(alg, string(ours), "at")
		if err != nil {
			t.Fatal(err)
		}
		claims := read.ClaimsJSON()
		if err := c.Verify(&codec.Claims{}, codec.Access, r.write(t, alg, claims, footer, "at")); err != nil {
			t.Fatal("the token that the others are made from is refused")
		}
		for _, f := range []string{"", "{}", strings.ReplaceAll(footer, `,`, `, `), footer + " ", footer + "\n", strings.Replace(footer, "at", "rt", 1), strings.Replace(footer, "active", "other", 1), `{"typ":"at",` + footer[1:], strings.Replace(footer, "}", `,"x":1}`, 1)} {
			refuse("footer "+f, r.write(t, alg, claims, f, "at"))
		}
		for _, change := range []string{`{}`, `{"sub":"alice"}`, strings.Replace(string(claims), `"gen"`, `"GEN"`, 1), strings.Replace(string(claims), `"exp"`, `"nbf"`, 1), strings.Replace(string(claims), `Z"`, `+00:00"`, 1), strings.Replace(string(claims), `Z"`, `.5Z"`, 1)} {
			refuse("claims "+change, r.write(t, alg, []byte(change), footer, "at"))
		}
		malformed(t, r, c, alg, string(ours))
	}
	foreign(t, refuse)
}

// foreign makes tokens of other versions with the same bytes for a key.
func foreign(t *testing.T, refuse func(name, token string)) {
	t.Helper()
	token, err := other.NewTokenFromClaimsJSON([]byte(`{"sub":"alice"}`), []byte(`{"kid":"l-active","typ":"at"}`))
	if err != nil {
		t.Fatal(err)
	}
	shared := []byte("the secret of the local key is32")
	v2, err := other.V2SymmetricKeyFromBytes(shared)
	if err != nil {
		t.Fatal(err)
	}
	v3, err := other.V3SymmetricKeyFromBytes(shared)
	if err != nil {
		t.Fatal(err)
	}
	v2secret, err := other.NewV2AsymmetricSecretKeyFromBytes(ed25519.NewKeyFromSeed([]byte("the seed of the public key is 32")))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"v2.local": token.V2Encrypt(v2), "v3.local": token.V3Encrypt(v3, []byte("at")),
		"v2.public": token.V2Sign(v2secret), "v3.public": token.V3Sign(other.NewV3AsymmetricSecretKey(), []byte("at")),
	} {
		refuse(name, text)
		refuse(name+" as v4", "v4"+text[2:])
	}
}

// malformed changes a good token in its text: neither reads any.
func malformed(t *testing.T, r *pasetoRing, c *paseto.Codec, alg codec.Algorithm, good string) {
	t.Helper()
	var list []string
	for i := range good {
		list = append(list, good[:i], good[i+1:], good[:i]+good[i+1:], good[:i]+"\n"+good[i:], good[:i]+"="+good[i:], good[:i]+"."+good[i:], good[:i]+"A"+good[i:])
		for bit := range 8 {
			b := []byte(good)
			b[i] ^= 1 << bit
			list = append(list, string(b))
		}
	}
	for _, token := range list {
		if token == good {
			continue
		}
		if c.Verify(&codec.Claims{}, codec.Access, token) == nil {
			t.Fatalf("accepted: %q", token)
		}
		if _, err := r.read(alg, token, "at"); err == nil {
			t.Errorf("go-paseto reads %q", token)
		}
	}
}

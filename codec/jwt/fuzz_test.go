package jwt_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/codectest"
	"github.com/remuda-go/remuda/codec/jwt"
)

// The seeds are the tables; testdata/fuzz holds what was found.

// FuzzVerify: no token is accepted but what Sign writes for its claims, up to
// the order of members.
func FuzzVerify(f *testing.F) {
	c, _ := newCodec()
	for _, a := range algorithms {
		for _, tt := range acceptedPayloads {
			f.Add(c.SignPayload(a, codec.Access, tt.payload))
		}
		f.Add(c.SignPayload(a, codec.Refresh, goodRefresh))
		for _, token := range refusedTokens(c, a) {
			if len(token) < 1<<10 {
				f.Add(token)
			}
		}
	}
	f.Fuzz(func(t *testing.T, token string) {
		var cl codec.Claims
		for _, typ := range []codec.Type{codec.Access, codec.Refresh} {
			if c.Verify(&cl, typ, token) == nil {
				checkResigned(t, c, &cl, token)
			}
		}
	})
}

// checkResigned signs claims again: the token has the same header, length and
// members as the one that they come from; under EdDSA and HS256, if those are in
// the same order, it is the same. Looked up, it says the same as when verified.
func checkResigned(t *testing.T, c *jwt.Codec, cl *codec.Claims, token string) {
	t.Helper()
	again := sign(t, c, cl)
	header := c.Header(cl.Algorithm, cl.Type)
	if members(t, again) != members(t, token) || len(again) != len(token) || again[:len(header)] != token[:len(header)] {
		t.Errorf("accepted %s\nsigned again %s", token, again)
	}
	if signedPart(again) == signedPart(token) && cl.Algorithm != codec.ES256 && again != token {
		t.Errorf("accepted %s with a signature that is not %s", token, again)
	}
	var twice codec.Claims
	if c.Verify(&twice, cl.Type, token) != nil || says(&twice) != says(cl) {
		t.Errorf("verified twice, %s says something else", token)
	}
}

// members returns the members of a token's payload, sorted.
func members(t *testing.T, token string) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.Strict().DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	var list []string
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		start := d.InputOffset()
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		list = append(list, strings.TrimLeft(string(payload[start:d.InputOffset()]), ","))
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

// FuzzScan: of payloads signed with the right key only those are accepted that
// other parsers read in the same way.
func FuzzScan(f *testing.F) {
	c, _ := newCodec()
	f.Add(false, goodRefresh)
	for _, tt := range acceptedPayloads {
		f.Add(true, tt.payload)
	}
	for typ, good := range map[bool]string{true: goodAccess, false: goodRefresh} {
		for _, payload := range codectest.Payloads(good) {
			if len(payload) < 1<<10 {
				f.Add(typ, payload)
			}
		}
	}
	f.Fuzz(func(t *testing.T, access bool, payload string) {
		typ := codec.Refresh
		if access {
			typ = codec.Access
		}
		var cl codec.Claims
		token := c.SignPayload(codec.HS256, typ, payload)
		if c.Verify(&cl, typ, token) != nil {
			return
		}
		checkResigned(t, c, &cl, token)
		checkStrict(t, payload)
		checkSame(t, &cl, payload)
	})
}

// checkStrict is another reading of the rules: valid UTF-8 and JSON, no white
// space, no duplicate in any object.
func checkStrict(t *testing.T, payload string) {
	t.Helper()
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(payload)); err != nil || compact.String() != payload || !utf8.ValidString(payload) {
		t.Fatalf("accepted, but malformed or not compact (%v): %q", err, payload)
	}
	d := json.NewDecoder(strings.NewReader(payload))
	d.UseNumber()
	if err := noDuplicates(t, d); err != nil {
		t.Fatalf("%v in %q", err, payload)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("something follows: %q", payload)
	}
}

// noDuplicates reads one value.
func noDuplicates(t *testing.T, d *json.Decoder) error {
	t.Helper()
	tok, err := d.Token()
	if err != nil {
		return err
	}
	if tok != json.Delim('{') && tok != json.Delim('[') {
		if s, ok := tok.(string); ok && strings.ContainsRune(s, utf8.RuneError) {
			t.Skip("U+FFFD is not told from a repaired surrogate here")
		}
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if tok == json.Delim('{') {
			name, err := d.Token()
			if err != nil {
				return err
			}
			if seen[name.(string)] {
				t.Errorf("duplicate %q", name)
			}
			seen[name.(string)] = true
		}
		if err := noDuplicates(t, d); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// checkSame compares with what encoding/json reads.
func checkSame(t *testing.T, cl *codec.Claims, payload string) {
	t.Helper()
	var std struct {
		Iss, Aud, Sub, Sid, Jti, Prf, Acr, Tenant string
		Iat, Exp, Sst                             int64
		AuthTime                                  int64 `json:"auth_time"`
		Gen                                       uint32
		Anon                                      bool
		Act                                       struct {
			Sub, Sid, Tenant string
			Sst              int64
		}
		Amr json.RawMessage
	}
	if err := json.Unmarshal([]byte(payload), &std); err != nil {
		t.Fatalf("%v in %q", err, payload)
	}
	id := base64.RawURLEncoding.EncodeToString(cl.Session[:])
	got := says(cl)
	want := plainClaims{
		cl.Type, cl.Session, cl.JTI, std.Gen, std.Iat, std.Exp, std.AuthTime, std.Sst, std.Anon,
		std.Iss, std.Aud, std.Sub, std.Prf, std.Tenant, std.Acr, string(std.Amr), got.app,
		std.Act.Sub, std.Act.Tenant, cl.ActorSession, std.Act.Sst,
	}
	if got != want || std.Sid != id {
		t.Fatalf("got %+v, encoding/json reads %+v in %q", got, want, payload)
	}
	if std.Jti != "" && std.Jti != base64.RawURLEncoding.EncodeToString(cl.JTI[:]) {
		t.Fatalf("jti %q in %q", std.Jti, payload)
	}
	if std.Act.Sid != "" && std.Act.Sid != base64.RawURLEncoding.EncodeToString(cl.ActorSession[:]) {
		t.Fatalf("sid %q in act of %q", std.Act.Sid, payload)
	}
	if got.app == "" {
		return
	}
	var app, all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(got.app), &app); err != nil {
		t.Fatalf("%v in app claims %q of %q", err, got.app, payload)
	}
	if err := json.Unmarshal([]byte(payload), &all); err != nil {
		t.Fatal(err)
	}
	for name, value := range app {
		if !codec.AppName([]byte(name)) || !bytes.Equal(all[name], value) {
			t.Fatalf("app claim %q: %s in %q", name, value, payload)
		}
	}
}

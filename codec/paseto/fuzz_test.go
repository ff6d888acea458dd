package paseto_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/paseto"
)

// The seeds are the tables.

// FuzzVerify: no token is accepted but what Sign writes for its claims, up to
// the order of members and the nonce.
func FuzzVerify(f *testing.F) {
	c, _ := newCodec()
	for alg, k := range map[codec.Algorithm]string{codec.V4Local: "l-active", codec.V4Public: "p-active"} {
		for _, tt := range acceptedPayloads {
			f.Add(c.SignPayload(alg, codec.Access, tt.payload))
		}
		f.Add(c.SignPayload(alg, codec.Refresh, goodRefresh))
		for name, token := range refusedTokens(f, c, alg) {
			if len(token) < 1<<10 && !strings.ContainsAny(name, "0123456789") {
				f.Add(token)
			}
		}
		for _, footer := range refusedFooters(k) {
			f.Add(c.SignFooter(alg, goodAccess, footer))
		}
	}
	for _, v := range v4Vectors(f) {
		f.Add(v.Token)
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

// checkResigned signs claims again: the token has the same header, footer, length
// and members as the one that they come from.
func checkResigned(t *testing.T, c *paseto.Codec, cl *codec.Claims, token string) {
	t.Helper()
	again := sign(t, c, cl)
	got, want := split(t, again), split(t, token)
	if got.header != want.header || got.footer != want.footer || len(again) != len(token) {
		t.Errorf("accepted %s\nsigned again %s", token, again)
	}
	if a, b := members(t, message(t, got)), members(t, message(t, want)); a != b {
		t.Errorf("accepted %s\nsigned again %s", b, a)
	}
	var back codec.Claims
	if err := c.Verify(&back, cl.Type, again); err != nil || says(&back) != says(cl) {
		t.Errorf("signed again it says %+v (%v), not %+v", says(&back), err, says(cl))
	}
}

// message returns the payload of an authentic token of the active keys, which with
// its nonce makes exactly this token.
func message(t *testing.T, p parts) string {
	t.Helper()
	body, err := base64.RawURLEncoding.Strict().DecodeString(p.body)
	if err != nil {
		t.Fatal(err)
	}
	footer, err := base64.RawURLEncoding.Strict().DecodeString(p.footer)
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Typ string }
	if err := json.Unmarshal(footer, &f); err != nil {
		t.Fatal(err)
	}
	var text, again []byte
	if p.header == "v4.public" {
		text = body[:len(body)-ed25519.SignatureSize]
		again, err = paseto.SignBody(publicKey.Signer, text, string(footer), f.Typ)
	} else {
		text, _ = paseto.Open(localKey.Secret, body, string(footer), f.Typ)
		again = paseto.Seal(localKey.Secret, body[:32], text, string(footer), f.Typ)
	}
	if err != nil || !bytes.Equal(again, body) {
		t.Fatalf("%s is not what is made of its payload (%v)", p, err)
	}
	return string(text)
}

// members returns the members of a payload, sorted.
func members(t *testing.T, payload string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(payload))
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
		list = append(list, strings.TrimLeft(payload[start:d.InputOffset()], ","))
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

// FuzzDates: of authentic payloads only those are accepted whose times other
// parsers read in the same way. (FuzzScan of package jwt has the rest.)
func FuzzDates(f *testing.F) {
	c, _ := newCodec()
	f.Add(false, goodRefresh)
	for _, tt := range acceptedPayloads {
		f.Add(true, tt.payload)
	}
	for _, tt := range refusedPayloads {
		f.Add(true, tt.payload)
	}
	f.Fuzz(func(t *testing.T, access bool, payload string) {
		typ := codec.Refresh
		if access {
			typ = codec.Access
		}
		var cl codec.Claims
		token := c.SignPayload(codec.V4Local, typ, payload)
		if c.Verify(&cl, typ, token) != nil {
			return
		}
		checkResigned(t, c, &cl, token)
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(payload)); err != nil || compact.String() != payload {
			t.Fatalf("accepted, but malformed or not compact (%v): %q", err, payload)
		}
		var std struct {
			Iat, Exp time.Time
			AuthTime time.Time `json:"auth_time"`
			Sst      int64
			Sub      string
		}
		std.AuthTime = time.Unix(0, 0)
		if err := json.Unmarshal([]byte(payload), &std); err != nil {
			t.Fatalf("%v in %q", err, payload)
		}
		if std.Iat.Unix() != cl.IssuedAt || std.Exp.Unix() != cl.Expires || std.AuthTime.Unix() != cl.AuthTime || std.Sst != cl.Started || std.Sub != string(cl.Text(cl.Subject)) {
			t.Fatalf("got %+v, encoding/json reads %+v in %q", says(&cl), std, payload)
		}
	})
}

package codec_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/quick"

	"github.com/remuda-go/remuda/codec"
)

func TestAppName(t *testing.T) {
	t.Parallel()
	good := []string{"a", "name", "https://app.example/role", "su", "subs", "sub ject"[:3] + "_", "iss.", "x-sub", "a b"[:1], "{}", "auth_times", "'", strings.Repeat("a", 64), "}"}
	for _, name := range good {
		if !codec.AppName([]byte(name)) {
			t.Errorf("%q is refused", name)
		}
	}
	bad := []string{"", " ", "a b", "ſub", "toKen"[:2] + "\u212a", "é", "a\x00", "a\n", "\x7f", `a"`, `a\`, "<", ">", "&", "\xff", "sub ", " sub", strings.Repeat("a", 65)}
	for reserved := range strings.FieldsSeq("iss aud sub sid iat exp nbf jti auth_time gen prf sst acr amr tenant act cnf anon") {
		bad = append(bad, reserved, strings.ToUpper(reserved), strings.ToUpper(reserved[:1])+reserved[1:])
	}
	for _, name := range bad {
		if codec.AppName([]byte(name)) {
			t.Errorf("%q is accepted", name)
		}
	}
}

// TestAppNameFolds: no accepted name is taken for a reserved one by
// encoding/json, and JSON writes it as it is.
func TestAppNameFolds(t *testing.T) {
	t.Parallel()
	check := func(name []byte) bool {
		if !codec.AppName(name) {
			return true
		}
		text, err := json.Marshal(string(name))
		return err == nil && string(text) == `"`+string(name)+`"` && !strings.EqualFold(string(name), "sub")
	}
	for a := range 256 {
		for b := range 256 {
			if name := []byte{byte(a), 'u', byte(b)}; !check(name) {
				t.Fatalf("%q is accepted", name)
			}
		}
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	var c codec.Claims
	a, b, none := c.Add("first"), c.Add("second"), c.Add("")
	if string(c.Text(a)) != "first" || string(c.Text(b)) != "second" || !none.IsZero() || len(c.Text(none)) != 0 {
		t.Errorf("texts %q, %q, %q", c.Text(a), c.Text(b), c.Text(none))
	}
	c.Gen, c.Subject = 7, a
	size := cap(c.Payload)
	c.Reset()
	if c.Gen != 0 || !c.Subject.IsZero() || len(c.Payload) != 0 || cap(c.Payload) != size {
		t.Errorf("after Reset: %+v", c)
	}
}

func TestKeyHidesItsSecret(t *testing.T) {
	t.Parallel()
	k := codec.Key{ID: "kid", Algorithm: codec.HS256, Secret: []byte("0123456789abcdef")}
	set := &codec.KeySet{Keys: []codec.Key{k}}
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&b, verb, k)
		fmt.Fprintf(&b, verb, &k)
		fmt.Fprintf(&b, verb, set)
	}
	if err := json.NewEncoder(&b).Encode(set); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"0123", "48 49 50", "30313233", "0x30, 0x31", "MDEyMz"} {
		if strings.Contains(b.String(), s) {
			t.Errorf("the secret shows as %q in %s", s, b.String())
		}
	}
}

func TestTypeString(t *testing.T) {
	t.Parallel()
	if s := fmt.Sprint(codec.Access, codec.Refresh, codec.HandOff, codec.Type(0)); s != "access refresh hand-off unknown" {
		t.Error(s)
	}
}

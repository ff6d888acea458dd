package remuda

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

// The token types are not comparable. These lines do not compile, and should
// not:
//
//	_ = AccessToken{} == AccessToken{}
//	_ = map[RefreshToken]bool{}
func TestTokensAreNotComparable(t *testing.T) {
	t.Parallel()
	for _, typ := range []reflect.Type{reflect.TypeFor[AccessToken](), reflect.TypeFor[RefreshToken](), reflect.TypeFor[HandOffToken]()} {
		if typ.Comparable() {
			t.Errorf("%v is comparable", typ)
		}
	}
}

func TestTokensAreHidden(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "BUG CVE-2022-39304, CVE-2022-23469")
	const secret = "eyJzZWNyZXQ"
	text := secret
	a, r, h := AccessToken{text: &text}, RefreshToken{text: &text}, HandOffToken{text: &text}
	if a.Reveal() != secret || r.Reveal() != secret || h.Reveal() != secret || a.IsZero() || r.IsZero() || h.IsZero() {
		t.Error("Reveal does not show the token")
	}
	if !(AccessToken{}).IsZero() || !(RefreshToken{}).IsZero() || !(HandOffToken{}).IsZero() {
		t.Error("no token is not zero")
	}
	grant := Grant{Access: a, Refresh: r}
	values := []any{a, r, h, &a, &r, &h, grant, &grant, []AccessToken{a}, map[string]RefreshToken{"r": r}, struct{ Token any }{a}, struct{ token AccessToken }{a}}
	var b bytes.Buffer
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U", "%t", "%e", "%o", "%20s", "% x"} {
			fmt.Fprintf(&b, verb+"\n", v)
		}
		fmt.Fprintln(&b, v)
		fmt.Fprintln(&b, fmt.Errorf("with %v: %w", v, errors.New("cause")))
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
		for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
			slog.New(h).With("with", v).Info("said", "value", v, slog.Group("group", "value", v))
		}
	}
	for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("% x", secret), fmt.Sprintf("%d", []byte(secret))} {
		if i := strings.Index(b.String(), form); i >= 0 {
			t.Errorf("shown: %.80q", b.String()[max(0, i-40):])
		}
	}
	if n := strings.Count(b.String(), redacted); n < 100 {
		t.Errorf("%q is there %d times only", redacted, n)
	}
}

package remuda_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
)

// A token that does not verify is explained in whatever format it is, and nothing of
// it is repeated but the id of a key.
func TestUnverified(t *testing.T) {
	t.Parallel()
	local, public := remuda.Local(), remuda.Local()
	public.Name, public.Algorithm = "public", codec.V4Public
	eddsa := remuda.Web()
	eddsa.Name, eddsa.Algorithm = "eddsa", codec.EdDSA
	profiles := func(c *remuda.Config) {
		c.Profiles = []remuda.Profile{remuda.Web(), eddsa, remuda.Classic(), local, public}
		c.MaxStaleness = time.Minute
	}
	m, other := newManager(t, profiles), newManager(t, profiles)
	for m.Stats().Log.Degraded {
		time.Sleep(time.Millisecond) // until the log has been heard
	}
	for _, profile := range []string{"web", "eddsa", "classic", "local", "public"} {
		token, foreign := start(t, m, profile).Access.Reveal(), start(t, other, profile).Access.Reveal()
		middle := len(token) / 2
		changed := token[:middle] + map[bool]string{true: "B", false: "A"}[token[middle] == 'A'] + token[middle+1:]
		want := map[string]string{
			token: "", foreign: "key_unknown", changed: "signature", token[:10]: "malformed", strings.Repeat(token, 40): "malformed", "": "malformed",
		}
		if profile == "classic" { // the checksum is looked at first
			want[changed] = "malformed"
		}
		for shown, why := range want {
			if got := reasonOf(t, m, shown); got != why {
				t.Errorf("%s: %.20s… is %q, want %q", profile, shown, got, why)
			}
		}
	}
	if got := reasonOf(t, m, start(t, m, "eddsa").Refresh.Reveal()); got != "token_type" {
		t.Errorf("a refresh token is %q", got)
	}
}

// What an unverified token says of its key is repeated only if it is an id such as
// rings have.
func TestUnverifiedKey(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	for header, want := range map[string]string{
		`{"alg":"HS256","kid":"AAAAAAAA","typ":"at+jwt"}`:              "key_unknown AAAAAAAA",
		`{"alg":"HS256","kid":"` + strings.Repeat("s", 40) + `"}`:      "key_unknown",
		`{"alg":"HS256","kid":"` + strings.Repeat("s", 65) + `"}`:      "malformed",
		`{"alg":"HS256","kid":"a\nb"}`:                                 "malformed",
		`{"alg":"HS256"}`:                                              "malformed",
		`{"kid":"AAAAAAAA","pad":"` + strings.Repeat(" ", 1000) + `"}`: "malformed",
		`secret`: "malformed",
	} {
		token := base64.RawURLEncoding.EncodeToString([]byte(header)) + ".e30.AAAA"
		_, err := m.Authenticate(t.Context(), remuda.AuthenticateRequest{Token: token, Transport: remuda.Bearer})
		e, ok := errors.AsType[*remuda.RefusalError](err)
		if !ok {
			t.Fatal(err)
		}
		got := string(e.Reason)
		for _, f := range e.Facts {
			got += " " + f.Value.String()
		}
		if got != want || err.Error() != remuda.ErrTokenInvalid.Error() {
			t.Errorf("%s: %s (%v), want %s", header, got, err, want)
		}
	}
}

// reasonOf is why a token is refused, by cookie; "" if it is not.
func reasonOf(t *testing.T, m *remuda.Manager, token string) string {
	t.Helper()
	_, err := m.Authenticate(t.Context(), remuda.AuthenticateRequest{Token: token, Transport: remuda.Cookie})
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*remuda.RefusalError](err)
	if !ok || !errors.Is(err, remuda.ErrTokenInvalid) || err.Error() != remuda.ErrTokenInvalid.Error() {
		t.Fatalf("%v", err)
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) >= 20 && strings.Contains(fmt.Sprint(e.Facts), part) {
			t.Errorf("%s stands in %v", part, e.Facts)
		}
	}
	return string(e.Reason)
}

package opaque_test

import (
	"strings"
	"testing"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/opaque"
)

// FuzzVerify: no token is accepted but exactly what Sign writes for its claims,
// under one key or another, and none of another form.
func FuzzVerify(f *testing.F) {
	verifier, _ := newCodec()
	next := oldKey
	next.Sign = true
	signers := map[string]*opaque.Codec{activeKey.ID: codecOf(activeKey), oldKey.ID: codecOf(next)}
	for typ := range types {
		for _, c := range signers {
			f.Add(sign(f, c, claims(typ)))
		}
		for name, token := range refusedForms(sign(f, verifier, claims(typ))) {
			if len(token) < 1<<10 && !strings.ContainsAny(name, "0123456789") {
				f.Add(token)
			}
		}
	}
	f.Fuzz(func(t *testing.T, token string) {
		accepted := 0
		for typ := range types {
			var cl codec.Claims
			if verifier.Verify(&cl, typ, token) != nil {
				continue
			}
			accepted++
			if again := sign(t, signers[cl.Key], &cl); again != token || cl.Type != typ {
				t.Errorf("accepted %s\nsigned again %s", token, again)
			}
		}
		if accepted > 1 || accepted == 1 && !opaque.Form(token) {
			t.Errorf("accepted as %d types, form %v: %s", accepted, opaque.Form(token), token)
		}
	})
}

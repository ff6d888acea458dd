package webtest

import (
	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
)

// Profiles are the ready profiles, each with both transports, and with other
// algorithms and livenesses.
func Profiles() []remuda.Profile {
	var list []remuda.Profile
	add := func(p remuda.Profile, suffix string, change func(*remuda.Profile)) {
		p.Name += suffix
		if change != nil {
			change(&p)
		}
		list = append(list, p)
	}
	bearer := func(p *remuda.Profile) { p.Transport = remuda.Bearer }
	alg := func(c remuda.Credential, a codec.Algorithm) func(*remuda.Profile) {
		return func(p *remuda.Profile) { p.Credential, p.Algorithm = c, a }
	}
	live := func(l remuda.Liveness) func(*remuda.Profile) {
		return func(p *remuda.Profile) { p.Liveness = l }
	}
	for _, p := range []remuda.Profile{remuda.Web(), remuda.Classic(), remuda.Stateless(), remuda.Local()} {
		add(p, "", nil)
		add(p, "-bearer", bearer)
	}
	add(remuda.API(), "", nil)
	add(remuda.API(), "-cookie", func(p *remuda.Profile) { p.Transport = remuda.Cookie })

	add(remuda.Web(), "-eddsa", alg(remuda.JWT, codec.EdDSA))
	add(remuda.Web(), "-es256", alg(remuda.JWT, codec.ES256))
	add(remuda.Web(), "-v4local", alg(remuda.PASETO, codec.V4Local))
	add(remuda.API(), "-v4public", alg(remuda.PASETO, codec.V4Public))
	add(remuda.Local(), "-jwt", alg(remuda.JWT, codec.HS256))
	add(remuda.Stateless(), "-v4public", alg(remuda.PASETO, codec.V4Public))

	add(remuda.Web(), "-store", live(remuda.LiveStore))
	add(remuda.API(), "-expiry", live(remuda.LiveExpiry))
	add(remuda.Local(), "-expiry", live(remuda.LiveExpiry))
	add(remuda.Stateless(), "-log", live(remuda.LiveLog))
	return list
}

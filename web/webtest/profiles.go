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

	record := func(p *remuda.Profile) { p.Recordless, p.Outage, p.MaxSessions = false, 0, 16 }
	add(remuda.Local(), "-record", record)
	add(remuda.Local(), "-record-jwt", func(p *remuda.Profile) { record(p); p.Credential, p.Transport = remuda.JWT, remuda.Bearer })
	add(remuda.Classic(), "-fixed", func(p *remuda.Profile) { p.Renewal, p.Idle, p.RememberIdle = remuda.Fixed, 0, 0 })

	for _, p := range []remuda.Profile{remuda.Web(), remuda.API()} {
		add(p, "-strict", strict)
		add(p, "-byaccess", byAccess)
		add(p, "-byaccess-strict", func(p *remuda.Profile) { strict(p); p.Rotation.ByAccess = true })
	}
	return list
}

// strict refreshes only once the access token has expired, and has one of them:
// owner and thief collide.
func strict(p *remuda.Profile) {
	p.Liveness, p.Jitter = remuda.LiveStore, 0
	p.Rotation = remuda.Rotation{Early: remuda.EarlyRefuse, OneAccessToken: true, Unseen: remuda.UnseenGrace}
}

// byAccess has one token, which refreshes once it has expired.
func byAccess(p *remuda.Profile) {
	p.Jitter, p.Rotation.Early, p.Rotation.ByAccess = 0, remuda.EarlyRefuse, true
}

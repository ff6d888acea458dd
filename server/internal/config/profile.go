package config

import (
	"slices"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
)

// Profile is a kind of session.
type Profile struct {
	remuda.Profile
	Like string // the ready profile that it was made from
}

// presets are the ready profiles.
var presets = map[string]func() remuda.Profile{
	"web": remuda.Web, "api": remuda.API, "classic": remuda.Classic, "stateless": remuda.Stateless, "local": remuda.Local,
}

// presetNames are their names, in the order of the example.
var presetNames = []string{"web", "api", "classic", "stateless", "local"}

// ready returns a profile like a ready one, with what the library fills in.
func ready(name, like string) Profile {
	p := Profile{Profile: presets[like](), Like: like}
	p.Name = name
	p.fill()
	return p
}

// fill sets what is not set and follows from the rest.
func (p *Profile) fill() {
	if p.Algorithm == "" {
		p.Algorithm = map[remuda.Credential]codec.Algorithm{
			remuda.JWT: codec.HS256, remuda.PASETO: codec.V4Local, remuda.Opaque: codec.Opaque,
		}[p.Credential]
	}
	if p.Outage == 0 {
		p.Outage = remuda.OutageCheck
		if p.Recordless {
			p.Outage = remuda.OutageDeny
		}
	}
}

// adapt drops what a profile has from the ready one and what does not go with the
// axes that it was given: without rotation there is no access lifetime, without
// records no cap.
func (p *Profile) adapt() {
	was, rotating := presets[p.Like](), remuda.Web()
	if p.Renewal == remuda.Rotate && was.Renewal != remuda.Rotate {
		p.Access, p.Jitter, p.Rotation = rotating.Access, rotating.Jitter, rotating.Rotation
	}
	if p.Renewal != remuda.Rotate && (was.Renewal == remuda.Rotate || p.Credential != remuda.Opaque) {
		p.Access, p.Jitter, p.Rotation = 0, 0, remuda.Rotation{}
	}
	switch {
	case p.Renewal == remuda.Fixed:
		p.Idle, p.RememberIdle = 0, 0
	case p.Idle == 0:
		p.Idle, p.Absolute = rotating.Idle, rotating.Absolute
	}
	if p.Recordless {
		p.MaxSessions, p.RememberIdle, p.RememberAbsolute = 0, 0, 0
	}
}

// credentialOf is what an algorithm signs.
func credentialOf(a codec.Algorithm) remuda.Credential {
	switch a {
	case codec.V4Local, codec.V4Public:
		return remuda.PASETO
	case codec.Opaque:
		return remuda.Opaque
	default:
		return remuda.JWT
	}
}

// Profile returns the profile of a name, or nil.
func (c *Config) Profile(name string) *Profile {
	i := slices.IndexFunc(c.Profiles, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &c.Profiles[i]
}

// profile is Profile that makes what is not there.
func (c *Config) profile(name string) *Profile {
	if p := c.Profile(name); p != nil {
		return p
	}
	c.Profiles = append(c.Profiles, Profile{Profile: remuda.Profile{Name: name}})
	return &c.Profiles[len(c.Profiles)-1]
}

// Sessions returns the profiles as the library takes them.
func (c *Config) Sessions() []remuda.Profile {
	list := make([]remuda.Profile, 0, len(c.Profiles))
	for i := range c.Profiles {
		list = append(list, c.Profiles[i].Profile)
	}
	return list
}

// withTransport returns the names of the profiles of a transport.
func (c *Config) withTransport(t remuda.Transport) []string {
	var names []string
	for i := range c.Profiles {
		if c.Profiles[i].Transport == t {
			names = append(names, c.Profiles[i].Name)
		}
	}
	return names
}

// profileName reports whether a text can be the name of a profile.
func profileName(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// decodeProfiles makes those that a list or the hand-off names or somebody has set
// something of, and web and api where their list says nothing else.
func (l *loader) decodeProfiles(c *Config) {
	c.Profiles = nil
	_, web := l.set("web_profiles")
	_, token := l.set("token_profiles")
	named := slices.Concat(c.WebProfiles, c.TokenProfiles, []string{c.HandOff.Profile})
	for _, name := range l.known.profiles() {
		if name == "web" && !web || name == "api" && !token || l.mentions(name) || slices.Contains(named, name) {
			l.decodeProfile(c, name)
		}
	}
	if !web {
		c.WebProfiles = c.withTransport(remuda.Cookie)
	}
	if !token {
		c.TokenProfiles = c.withTransport(remuda.Bearer)
	}
}

// mentions reports whether a profile is in the file, or has a setting from
// elsewhere.
func (l *loader) mentions(name string) bool {
	_, inFile := l.known.declared[name]
	return inFile || slices.ContainsFunc(profileSettings(name), func(s Setting) bool {
		_, ok := l.set(s.Name)
		return ok
	})
}

// decodeProfile makes one: what it is like, then its axes, then what goes with
// them, then the rest.
func (l *loader) decodeProfile(c *Config, name string) {
	prefix := "profiles." + name + "."
	like := l.merged.String(prefix + "like")
	if like == "" {
		like = name
	}
	if presets[like] == nil {
		if _, said := l.set(prefix + "like"); !said {
			near := ""
			if len(name) > 4 { // of a short one everything is near
				near = didYouMean(nearest(name, presetNames))
			}
			l.found.add(prefix+"like", l.known.declared[name], "is missing: which of %s is it like?%s", oneOf(presetNames), near)
		}
		return
	}
	c.Profiles = append(c.Profiles, ready(name, like))
	take := func(s Setting) (given bool) {
		if _, given = l.set(s.Name); given {
			_ = s.kind.set(c, l.merged.String(s.Name)) // what is wrong with it has been said
		}
		return given
	}
	axes := map[string]bool{}
	for _, s := range axisSettings(name) {
		axes[s.Name[len(prefix):]] = take(s)
	}
	p := c.Profile(name)
	switch {
	case axes["algorithm"] && !axes["credential"]:
		p.Credential = credentialOf(p.Algorithm)
	case axes["credential"] && !axes["algorithm"]:
		p.Algorithm = ""
	}
	if !axes["outage"] {
		p.Outage = 0
	}
	p.fill()
	p.adapt()
	for _, s := range policySettings(name) {
		take(s)
	}
}

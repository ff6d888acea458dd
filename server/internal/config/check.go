package config

import (
	"context"
	"errors"
	"net"
	"net/mail"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/web"
)

// check looks at what can only be seen in the whole, where the parts are good.
func (l *loader) check(c *Config, offline bool) {
	if !l.readable() {
		return
	}
	for _, step := range []struct {
		served bool
		of     []string
		check  func(*Config)
	}{
		{true, []string{"listen", "tls", "behind_proxy"}, l.checkListen},
		{true, []string{"listen", "metrics_listen"}, l.checkMetrics},
		{true, []string{"origins"}, l.checkOrigins},
		{true, []string{"listen", "origins", "tls", "behind_proxy", "trusted_proxies"}, l.checkTransport},
		{false, []string{"keys", "keys_file", "keys_in", "keys_master", "keys_rotate"}, l.checkKeys},
		{false, nil, l.checkProfiles},
		{false, []string{"web_profiles", "token_profiles"}, l.checkOffers},
		{false, []string{"hand_off"}, l.checkHandOff},
		{false, []string{"origins", "issuer"}, l.checkIssuer},
		{false, []string{"login"}, l.checkLogin},
		{false, []string{"max_staleness"}, l.checkStaleness},
		{false, []string{"retention"}, l.checkRetention},
		{false, []string{"refusals_kept"}, l.checkRefusals},
		{false, []string{"notices"}, l.checkNotices},
	} {
		if l.good(step.of...) && !(step.served && offline) {
			step.check(c)
		}
	}
}

// readable reports whether the file could be read at all.
func (l *loader) readable() bool {
	return !slices.ContainsFunc(l.found.list, func(p Problem) bool { return p.Setting == "" && p.Origin.File != "" })
}

// good reports whether nothing is wrong with some settings and sections.
func (l *loader) good(names ...string) bool {
	return !slices.ContainsFunc(l.found.list, func(p Problem) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			return p.Setting == name || strings.HasPrefix(p.Setting, name+".")
		})
	})
}

func (l *loader) complain(setting, format string, args ...any) {
	l.found.add(setting, l.origins[setting], format, args...)
}

func (l *loader) checkListen(c *Config) {
	host, _, ok := hostPort(c.Listen)
	if !ok {
		l.complain("listen", "%q is not host:port, like 127.0.0.1:8080", c.Listen)
		return
	}
	if !loopback(host) && !c.HasTLS() && !c.BehindProxy {
		l.complain("listen", "%q is reachable from other machines, in plain HTTP: set tls.cert and tls.key, or behind_proxy and trusted_proxies", c.Listen)
	}
}

// hostPort splits an address to listen on.
func hostPort(address string) (host string, port uint64, ok bool) {
	host, text, err := net.SplitHostPort(address)
	port, bad := strconv.ParseUint(text, 10, 16)
	return host, port, err == nil && bad == nil
}

// checkMetrics keeps the metrics off the public listener. They hold no secret, so
// that those who collect them may be on other machines.
func (l *loader) checkMetrics(c *Config) {
	if c.MetricsListen == "" {
		return
	}
	host, port, ok := hostPort(c.MetricsListen)
	if !ok {
		l.complain("metrics_listen", "%q is not host:port, like 127.0.0.1:9464", c.MetricsListen)
		return
	}
	if public, taken, ok := hostPort(c.Listen); ok && port != 0 && port == taken && overlap(host, public) {
		l.complain("metrics_listen", "%q is where listen is; metrics have a port of their own, which the public does not reach", c.MetricsListen)
	}
}

// overlap reports whether two hosts to listen on may share addresses.
func overlap(a, b string) bool {
	every := func(host string) bool {
		ip, err := netip.ParseAddr(host)
		return host == "" || err == nil && ip.IsUnspecified()
	}
	return a == b || every(a) || every(b) || a == "localhost" && loopback(b) || b == "localhost" && loopback(a)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// checkOrigins asks package web, which knows what an origin is.
func (l *loader) checkOrigins(c *Config) {
	_, err := web.New(web.Config{Origins: c.Origins})
	for _, reason := range about(err, "web: Origins: ") {
		l.complain("origins", "%s", reason)
	}
}

// about returns the lines of joined errors that begin with a prefix, without it.
func about(err error, prefix string) (reasons []string) {
	if err == nil {
		return nil
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if reason, ok := strings.CutPrefix(line, prefix); ok {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}

func (l *loader) checkTransport(c *Config) {
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		missing, other := "tls.cert", "tls.key"
		if c.TLS.Key == "" {
			missing, other = other, missing
		}
		l.found.add(missing, l.origins[other], "is missing: %s alone is not enough", other)
	}
	if c.BehindProxy && len(c.TrustedProxies) == 0 {
		l.complain("behind_proxy", "needs trusted_proxies: the addresses whose X-Forwarded-For is believed")
	}
	if c.BehindProxy && c.HasTLS() {
		l.complain("behind_proxy", "does not go with tls.cert and tls.key: either the proxy speaks TLS or this server does")
	}
	if !c.BehindProxy && len(c.TrustedProxies) > 0 {
		l.complain("trusted_proxies", "needs behind_proxy: true")
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil || len(c.Origins) == 0 {
		return
	}
	secure := strings.HasPrefix(c.Origins[0], "https://")
	switch {
	case secure && !c.HasTLS() && !c.BehindProxy:
		l.complain("origins", "https needs somebody who speaks TLS: set tls.cert and tls.key, or behind_proxy and trusted_proxies")
	case !secure && c.HasTLS():
		l.complain("origins", "with tls.cert they begin with https://")
	case !secure && !loopback(host):
		l.complain("origins", "plain http is for a server that listens on loopback alone; listen is %q", c.Listen)
	}
}

func (l *loader) checkKeys(c *Config) {
	if o := l.origins["keys_master"]; o.File != "" {
		l.found.add("keys_master", o, "does not belong in this file; set REMUDA_KEYS_MASTER or REMUDA_KEYS_MASTER_FILE")
	} else if _, err := keyring.ParseMaster(c.KeysMaster.Reveal()); err != nil && !c.KeysMaster.IsZero() {
		l.complain("keys_master", "is not a master key: make one with 'remuda keys master'")
	}
	if c.KeysIn == KeysInDatabase && c.KeysMaster.IsZero() {
		l.complain("keys_in", "%q needs keys_master, or whoever reads the database could make tokens", KeysInDatabase)
	}
	if c.KeysRotate != 0 && c.KeysRotate < day {
		l.complain("keys_rotate", "is %s; it must be at least a day, or 0 for never", FormatDuration(c.KeysRotate))
	}
	if c.Keys.IsZero() {
		return
	}
	if c.KeysIn == KeysInDatabase {
		l.complain("keys", "is set, and keys_in too; set one of the two")
	}
	if o := l.origins["keys"]; o.File != "" {
		l.found.add("keys", o, "does not belong in this file; set REMUDA_KEYS, or keys_file")
	}
	if _, both := l.set("keys_file"); both {
		l.complain("keys", "is set beside keys_file; set one of the two")
	}
}

// set reports whether a setting has a value that is no default.
func (l *loader) set(name string) (Origin, bool) {
	o, ok := l.origins[name]
	return o, ok && o != Origin{}
}

// checkProfiles asks the library about each profile whose settings are good. It
// refuses every configuration without a store before it does anything, and says
// what else is wrong.
func (l *loader) checkProfiles(c *Config) {
	for i := range c.Profiles {
		p := &c.Profiles[i]
		if !l.good("profiles." + p.Name) {
			continue
		}
		for _, problem := range ask(remuda.Config{Issuer: "any", Profiles: []remuda.Profile{p.Profile}}) {
			setting := settingOf(problem.Field)
			l.found.add(setting, l.where(setting, p.Name), "%s", inSettings(problem.Reason))
		}
	}
}

// where is where a setting of a profile stands, or one that is under it; failing
// that, the profile, or the first setting from elsewhere that it has.
func (l *loader) where(setting, profile string) Origin {
	if o, ok := l.set(setting); ok {
		return o
	}
	o, inFile := l.known.declared[profile]
	if inFile && setting == "profiles."+profile {
		return o
	}
	for _, s := range profileSettings(profile) {
		given, ok := l.set(s.Name)
		switch {
		case ok && strings.HasPrefix(s.Name, setting+"."):
			return given
		case ok && !inFile && o == Origin{}:
			o = given
		}
	}
	return o
}

// checkOffers looks at which profiles clients may ask for.
func (l *loader) checkOffers(c *Config) {
	l.checkOffer(c, "web_profiles", "web", c.WebProfiles, remuda.Cookie)
	l.checkOffer(c, "token_profiles", "api", c.TokenProfiles, remuda.Bearer)
	if len(c.WebProfiles)+len(c.TokenProfiles) == 0 {
		l.complain("web_profiles", "is empty, and token_profiles too: nobody could sign in")
	}
	for i := range c.Profiles {
		name := c.Profiles[i].Name
		if !slices.Contains(c.WebProfiles, name) && !slices.Contains(c.TokenProfiles, name) && c.HandOff.Profile != name {
			l.found.add("profiles."+name, l.where("profiles."+name, name), "is in neither web_profiles nor token_profiles, so that nobody can have it")
		}
	}
}

// checkOffer looks at one list. Where it is empty, package web offers a profile of
// the usual name, which must not be one that is there for something else.
func (l *loader) checkOffer(c *Config, setting, usual string, names []string, t remuda.Transport) {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			l.complain(setting, "names %q twice", name)
			continue
		}
		l.checkNamed(c, setting, l.origins[setting], name, t)
	}
	if p := c.Profile(usual); len(names) == 0 && p != nil && (p.Transport != t || c.HandOff.Profile == usual) {
		at := "profiles." + usual
		l.found.add(at, l.where(at, usual), "is what clients get where %s names none: give the profile another name", setting)
	}
}

// checkNamed looks at a profile that a setting names. It returns nil if there is
// something wrong with it, also if that has been said already.
func (l *loader) checkNamed(c *Config, setting string, at Origin, name string, t remuda.Transport) *Profile {
	p := c.Profile(name)
	_, declared := l.known.declared[name]
	switch {
	case p == nil && declared, p != nil && !l.good("profiles."+name+".transport"):
	case p == nil:
		l.found.add(setting, at, "there is no profile %q%s", name, didYouMean(nearest(name, l.known.profiles())))
	case p.Transport != t:
		l.found.add(setting, at, "%q has the transport %v; it takes %v", name, p.Transport, t)
	default:
		return p
	}
	return nil
}

// checkHandOff asks package web about the pages, and looks at the profile.
func (l *loader) checkHandOff(c *Config) {
	h := c.HandOff
	_, err := web.New(web.Config{Origins: []string{"https://any.example"}, HandOff: h})
	for _, part := range []struct{ field, setting string }{{"Targets", "targets"}, {"Source", "source"}, {"SignIn", "sign_in"}} {
		for _, reason := range about(err, "web: HandOff."+part.field+": ") {
			l.complain("hand_off."+part.setting, "%s", reason)
		}
	}
	if h.SignIn != "" && len(h.Targets) == 0 {
		l.complain("hand_off.sign_in", "is for sites from which users are handed: set hand_off.targets")
	}
	if h.Source != "" {
		l.checkArrivals(c)
		return
	}
	for _, part := range []struct {
		setting string
		has     bool
	}{{"profile", h.Profile != ""}, {"ends_with_parent", h.EndsWithParent}, {"replace_same", h.ReplaceSame}} {
		if part.has {
			l.complain("hand_off."+part.setting, "is for sites to which users are handed: set hand_off.source")
		}
	}
}

// checkArrivals looks at the profile of the sessions that begin by a hand-off.
func (l *loader) checkArrivals(c *Config) {
	name := c.HandOff.Profile
	at, named := l.set("hand_off.profile")
	switch {
	case named:
	case len(c.WebProfiles) > 0:
		name = c.WebProfiles[0]
		at = l.origins["hand_off.source"]
	default:
		l.complain("hand_off.source", "needs hand_off.profile, since web_profiles is empty")
		return
	}
	if p := l.checkNamed(c, "hand_off.profile", at, name, remuda.Cookie); p != nil && p.Recordless && c.HandOff.EndsWithParent {
		l.complain("hand_off.ends_with_parent", "needs a profile with records; %q has none", name)
	}
}

func (l *loader) checkIssuer(c *Config) {
	if c.Issuer == "" {
		return // the origins are missing
	}
	for _, p := range ask(remuda.Config{Issuer: c.Issuer, Profiles: []remuda.Profile{remuda.Web()}}) {
		l.complain("issuer", "%s", p.Reason)
	}
}

// ask returns what the library finds wrong besides what is not made yet.
func ask(c remuda.Config) []remuda.ConfigProblem {
	_, err := remuda.New(context.Background(), c)
	var e *remuda.ConfigError
	if !errors.As(err, &e) {
		return nil
	}
	return slices.DeleteFunc(e.Problems, func(p remuda.ConfigProblem) bool { return p.Field == "Store" || p.Field == "Keys" })
}

// settingOf makes "profiles.web.remember_idle" of "Profiles[web].RememberIdle".
func settingOf(field string) string {
	field = strings.NewReplacer("[", ".", "]", "", "Recordless", "Record").Replace(field)
	parts := strings.Split(field, ".")
	for i, part := range parts {
		parts[i] = snake(part)
	}
	return strings.Join(parts, ".")
}

// inSettings rewrites the names of fields in a reason.
var inSettings = strings.NewReplacer(
	"Rotation.Floor", "rotation.floor", "Early", "early", "Jitter", "jitter", "Leeway", "leeway", "ByAccess", "by_access", "Access", "access", "Grace", "grace", "Idle", "idle",
	"RememberAbsolute", "remember_absolute", "RememberIdle", "remember_idle", "Absolute", "absolute",
).Replace

func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func (l *loader) checkLogin(c *Config) {
	for _, s := range loginSettings() {
		if v := s.Get(c); v == "0" || v == "0s" || strings.HasPrefix(v, "-") {
			l.complain(s.Name, "is %s; it must be positive", v)
		}
	}
}

func (l *loader) checkStaleness(c *Config) {
	if c.MaxStaleness <= 0 {
		l.complain("max_staleness", "is %v; it must be positive", c.MaxStaleness)
		return
	}
	for _, p := range ask(remuda.Config{Issuer: "any", MaxStaleness: c.MaxStaleness, Profiles: []remuda.Profile{remuda.Web()}}) {
		l.complain("max_staleness", "%s", p.Reason)
	}
}

// longestKept bounds for how long a file names subjects that is for looking into
// what has just gone wrong.
const longestKept = 90 * day

func (l *loader) checkNotices(c *Config) {
	n := &c.Notices
	if _, _, ok := hostPort(n.Server); n.Server != "" && !ok {
		l.complain("notices.server", "%q is not host:port, like smtp.example:587", n.Server)
	}
	if a, err := mail.ParseAddress(n.From); n.On() && (err != nil || a.Address != n.From) {
		l.complain("notices.from", "%q is not an address like accounts@app.example", n.From)
	}
	if (n.Username == "") != n.Password.IsZero() {
		l.complain("notices.username", "and notices.password go together")
	}
}

func (l *loader) checkRefusals(c *Config) {
	if c.RefusalsKept > longestKept {
		l.complain("refusals_kept", "is %s; it must be at most %s, or 0 for not at all", FormatDuration(c.RefusalsKept), FormatDuration(longestKept))
	}
}

func (l *loader) checkRetention(c *Config) {
	if c.Retention <= 0 {
		l.complain("retention", "is %v; it must be positive", c.Retention)
	}
}

package config_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/server"
	"github.com/remuda-go/remuda/server/internal/config"
)

// load reads a file with that text, and nothing else.
func load(t *testing.T, text string) (config.Config, error) {
	t.Helper()
	return config.Load(config.Sources{File: write(t, text)})
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const origins = "origins: [http://localhost:1]\n"

func TestDefaultsAreGood(t *testing.T) {
	t.Parallel()
	path := write(t, origins)
	c, err := config.Load(config.Sources{File: path})
	if err != nil {
		t.Fatal(err)
	}
	// The folder is beside the file, wherever the server is started.
	database := filepath.Join(filepath.Dir(path), "remuda-data", "sessions.db")
	if c.Issuer != "http://localhost:1" || c.Database != database || c.Listen != "127.0.0.1:8080" {
		t.Errorf("issuer %q, database %q, listen %q", c.Issuer, c.Database, c.Listen)
	}
	c, err = config.Load(config.Sources{Offline: true})
	if err != nil || c.Database != filepath.Join("remuda-data", "sessions.db") {
		t.Errorf("without a file: database %q, %v", c.Database, err)
	}
}

// What is commented out in the example is the default, and everything that can
// be set is in it.
func TestExample(t *testing.T) {
	t.Parallel()
	commented := regexp.MustCompile(`(?m)^#( *[a-z_]+:)`)
	all := commented.ReplaceAllString(server.ExampleConfig, "$1")
	drop := regexp.MustCompile(`(?m)^(behind_proxy|trusted_proxies):.*\n`) // tls takes their place
	got, err := load(t, drop.ReplaceAllString(all, ""))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	for _, s := range want.Settings() {
		leaf := s.Name[strings.LastIndexByte(s.Name, '.')+1:]
		if !regexp.MustCompile(`(?m)^ *`+leaf+`:`).MatchString(all) && s.Name != "keys" && s.Name != "keys_master" {
			t.Errorf("%s is not in the example", s.Name)
		}
		switch v := s.Get(&want); {
		case v == "", s.Name == "data": // an example, or relative to the file
		case s.Get(&got) != v:
			t.Errorf("%s is %s in the example, and %s by default", s.Name, s.Get(&got), v)
		}
	}
	if _, err := load(t, server.ExampleConfig); err != nil {
		t.Errorf("as it is: %v", err)
	}
}

// Every setting takes its own text back, and has a variable of its own.
func TestSettingsRoundTrip(t *testing.T) {
	t.Parallel()
	variables := map[string]string{}
	var environ []string
	c := everyKind(t)
	for _, s := range c.Settings() {
		if other, taken := variables[s.Variable()]; taken {
			t.Errorf("%s and %s are both %s", s.Name, other, s.Variable())
		}
		variables[s.Variable()] = s.Name
		environ = append(environ, s.Variable()+"="+s.Get(&c))
	}
	environ = append(environ, "REMUDA_ORIGINS=http://localhost:1, http://127.0.0.1:1")
	got, err := config.Load(config.Sources{Environ: func() []string { return environ }})
	if err != nil {
		t.Fatal(err)
	}
	c.Origins = []string{"http://localhost:1", "http://127.0.0.1:1"}
	c.Derive()
	for _, s := range c.Settings() {
		if s.Get(&got) != s.Get(&c) {
			t.Errorf("%s is %q, want %q", s.Name, s.Get(&got), s.Get(&c))
		}
	}
}

// everyKind is a configuration with every ready profile.
func everyKind(t *testing.T) config.Config {
	t.Helper()
	c, err := config.Load(config.Sources{File: write(t, "profiles: {classic: , stateless: , local: }\n"), Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	c.Data, c.Database, c.Users, c.KeysFile = "remuda-data", "", "", ""
	return c
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"nothing":            {"", "c.yaml: none"},
		"a scalar":           {"listen", `:1:1: settings are expected`},
		"a list":             {"- a", `:1:3|:1:1`},
		"unknown":            {origins + "lissten: a", `:2:1: lissten: is not known; did you mean listen\?$`},
		"in another section": {origins + "idle: 1h", `did you mean profiles.api.idle\?$`},
		"dotted":             {origins + "log.level: debug", `:2:1: log.level: is not known`},
		"far from all":       {origins + "zzzzzzzz: a", `zzzzzzzz: is not known$`},
		"twice":              {origins + "data: a\ndata: b", `:3:1: data: is there twice; the first is in line 2$`},
		"twice, quoted":      {origins + "data: a\n\"data\": b", `:3:1: data: is there twice`},
		"section twice":      {origins + "log:\n  level: info\nlog:\n  format: text", `:4:1: log: is there twice`},
		"null":               {origins + "data:", `:2:\d+: data: has no value$`},
		"tilde":              {origins + "data: ~", `:2:7: data: has no value$`},
		"alias":              {"data: &a b\n" + origins + "users: *a", `:1:7: data: anchors, aliases and tags`},
		"tag":                {origins + "data: !!str b", `:2:7: data: anchors, aliases and tags`},
		"merge":              {origins + "log:\n  <<: {level: info}", `:3:3: log.<<: merge keys`},
		"list for a value":   {origins + "data: [a]", `:2:7: data: one value is expected, not a list$`},
		"map for a value":    {origins + "data: {a: b}", `:2:\d+: data: one value is expected, not settings under it$`},
		"value for a map":    {origins + "tls: cert.pem", `:2:6: tls: settings are expected under it`},
		"list in a list":     {"origins: [[http://localhost:1]]", `:1:11: origins: a plain value is expected in the list$`},
		"two documents":      {origins + "---\ndata: a", `: a second document begins here`},
		"tab":                {origins + "log:\n\tlevel: info", `:3:1: not YAML: `},
		"duration":           {origins + "retention: 3", `:2:12: retention: "3" is not a duration`},
		"negative duration":  {origins + "retention: -3h", `"-3h" is not a duration`},
		"zero duration":      {origins + "retention: 0s", `:2:12: retention: is 0s; it must be positive`},
		"boolean":            {origins + "behind_proxy: on", `neither true nor false`},
		"listen":             {origins + "listen: localhost", `:2:9: listen: "localhost" is not host:port`},
		"all addresses":      {origins + "listen: :80", `listen: ":80" is reachable from other machines`},
		"no origins":         {"data: a", `^configuration: origins: at least one is required`},
		"a path":             {"origins: [https://app.example/]\nbehind_proxy: true\ntrusted_proxies: [::1]", `:1:10: origins: "https://app.example/" is not an origin`},
		"https, no TLS":      {"origins: [https://app.example]", `:1:10: origins: https needs somebody who speaks TLS`},
		"TLS, no https":      {origins + "tls: {cert: a, key: b}", `origins: with tls.cert they begin with https`},
		"half of TLS":        {origins + "tls: {key: b}", `:2:12: tls.cert: is missing`},
		"proxies alone":      {origins + "trusted_proxies: [::1]", `:2:18: trusted_proxies: needs behind_proxy`},
		"behind nobody":      {origins + "behind_proxy: true", `:2:15: behind_proxy: needs trusted_proxies`},
		"unmasked":           {origins + "behind_proxy: true\ntrusted_proxies: [10.0.0.1/8]", `"10.0.0.1/8" is not an address or a network`},
		"http from outside":  {origins + "listen: 10.0.0.1:80\nbehind_proxy: true\ntrusted_proxies: [::1]", `plain http is for a server that listens on loopback alone`},
		"profile":            {origins + "profiles:\n  web:\n    access: 29m", `profiles.web.idle: is 30m0s; it must be longer than rotation.floor \+ access = 30m0s`},
		"jitter":             {origins + "profiles: {api: {jitter: 0.9}}", `:2:26: profiles.api.jitter: is 0.9; it must lie between 0 and 0.5$`},
		"choice":             {origins + "profiles: {api: {liveness: logs}}", `profiles.api.liveness: "logs" is not one of log, store, expiry$`},
		"outage":             {origins + "profiles: {web: {outage: fail}}", `profiles.web.outage: "fail" is not one of check, deny, serve$`},
		"stale":              {origins + "max_staleness: 0s", `:2:16: max_staleness: is 0s; it must be positive$`},
		"too stale":          {origins + "max_staleness: 2m", `:2:16: max_staleness: is 2m0s; it must lie between 0 and 1m0s$`},
		"metrics":            {origins + "metrics_listen: \"9464\"", `:2:17: metrics_listen: "9464" is not host:port, like 127.0.0.1:9464$`},
		"public metrics":     {origins + "metrics_listen: :8080", `:2:17: metrics_listen: ":8080" is where listen is`},
		"local metrics":      {origins + "metrics_listen: localhost:8080", `:2:17: metrics_listen: "localhost:8080" is where listen is`},
		"keys in the file":   {origins + "keys: abc", `:2:7: keys: does not belong in this file`},
		"issuer":             {origins + "issuer: \"a\\x07\"", `:2:9: issuer: must be UTF-8 without control characters`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "nothing" {
				test.want = `^configuration: origins: at least one`
			}
			_, err := load(t, test.text)
			if err == nil {
				t.Fatal("no problem")
			}
			if !regexp.MustCompile(test.want).MatchString(err.Error()) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// Every kind of session can be had by a few lines, and everything that cannot work
// is said at once.
func TestProfiles(t *testing.T) {
	t.Parallel()
	c, err := load(t, origins+`
web_profiles: [staff, classic]
profiles:
  staff: {like: web, renewal: extend, credential: paseto, idle: 2h}
  kiosk: {like: stateless, transport: bearer, absolute: 1h}
  partner-app: {like: api, algorithm: EdDSA}
  forms: {like: web, record: false, renewal: fixed, liveness: expiry}
`)
	if err == nil || !strings.Contains(err.Error(), "profiles.forms: is in neither") {
		t.Errorf("a profile that nobody can have: %v", err)
	}
	if got := strings.Join(c.TokenProfiles, ","); got != "api,kiosk,partner-app" {
		t.Errorf("token profiles %s", got)
	}
	if c.Profile("web") != nil || c.Profile("classic") == nil {
		t.Error("the lists do not say which ready profiles there are")
	}
	staff, kiosk, forms := c.Profile("staff"), c.Profile("kiosk"), c.Profile("forms")
	want := remuda.Web()
	want.Name, want.Credential, want.Algorithm, want.Renewal, want.Outage = "staff", remuda.PASETO, codec.V4Local, remuda.Extend, remuda.OutageCheck
	want.Access, want.Jitter, want.Rotation, want.Idle = 0, 0, remuda.Rotation{}, 2*time.Hour
	if staff.Profile != want {
		t.Errorf("staff is %+v, want %+v", staff.Profile, want)
	}
	if kiosk.Absolute != time.Hour || !kiosk.Recordless || kiosk.Outage != remuda.OutageDeny || c.Profile("partner-app").Credential != remuda.JWT {
		t.Errorf("kiosk is %+v", kiosk)
	}
	if forms.MaxSessions != 0 || forms.Idle != 0 || forms.RememberAbsolute != 0 || forms.Absolute != 12*time.Hour {
		t.Errorf("forms is %+v", forms)
	}
	_, err = load(t, origins+`
web_profiles: [a, b, c, d, e, nobody, api]
profiles:
  a: {like: classic, liveness: expiry}
  b: {like: web, record: false}
  c: {like: local, max_sessions: 3, outage: check}
  d: {like: web, rotation: {one_access_token: true}}
  e: {credential: jwt}
  classik: {idle: 1h}
  Upper: {like: web}
`)
	if err == nil {
		t.Fatal("no problem")
	}
	for _, want := range []string{
		`:5:32: profiles.a.liveness: is expiry; an opaque token says nothing`,
		`profiles.b.renewal: rotate needs a record`,
		`:7:34: profiles.c.max_sessions: is 3; sessions cannot be counted`,
		`:7:45: profiles.c.outage: check needs a record`,
		`profiles.d.rotation.one_access_token: needs liveness store`,
		`:9:3: profiles.e.like: is missing`,
		`:10:3: profiles.classik.like: is missing: which of web, api, classic, stateless, local is it like?; did you mean classic?`,
		`:11:3: profiles.Upper: is no name of a profile`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not said: %s\n%v", want, err)
		}
	}
}

// What is wrong with the lists and the hand-off is said where it stands, and does
// not wait for what is wrong with a profile.
func TestOffers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want []string // all problems
	}{
		"lists": {`
web_profiles: [web, api, klassic, web, odd]
token_profiles: [kiosk]
profiles: {local: , odd: {like: webb}, kiosk: {like: stateless, transport: beer}}
`, []string{
			`:3:15: web_profiles: "api" has the transport bearer; it takes cookie`,
			`:3:15: web_profiles: there is no profile "klassic"; did you mean classic?`,
			`:3:15: web_profiles: names "web" twice`,
			`:5:12: profiles.local: is in neither web_profiles nor token_profiles, so that nobody can have it`,
			`:5:33: profiles.odd.like: "webb" is not one of web, api, classic, stateless, local`,
			`:5:76: profiles.kiosk.transport: "beer" is not one of cookie, bearer`,
		}},
		"nobody": {`
web_profiles: []
token_profiles: []
`, []string{`:3:15: web_profiles: is empty, and token_profiles too: nobody could sign in`}},
		"a bearer called web": {`
profiles: {web: {transport: bearer}}
`, []string{`:3:12: profiles.web: is what clients get where web_profiles names none: give the profile another name`}},
		"pages": {`
hand_off: {targets: [shop], sign_in: "//evil", source: "https://app.example/auth/hand-off?a=b", profile: local, ends_with_parent: true}
profiles: {local: {idle: 1x}}
`, []string{
			`:3:21: hand_off.targets: "shop" is not the URL of a page: write scheme://host/path, with nothing after it`,
			`:3:38: hand_off.sign_in: "//evil" is not a path like /login`,
			`:3:56: hand_off.source: "https://app.example/auth/hand-off?a=b" is not the URL of a page: write scheme://host/path, with nothing after it`,
			`:3:131: hand_off.ends_with_parent: needs a profile with records; "local" has none`,
			`:4:26: profiles.local.idle: "1x" is not a duration, like 30s, 10m, 12h or 30d`,
		}},
		"half of a hand-off": {`
hand_off: {sign_in: /login, profile: web, ends_with_parent: true, replace_same: true}
`, []string{
			`:3:21: hand_off.sign_in: is for sites from which users are handed: set hand_off.targets`,
			`:3:38: hand_off.profile: is for sites to which users are handed: set hand_off.source`,
			`:3:61: hand_off.ends_with_parent: is for sites to which users are handed: set hand_off.source`,
			`:3:81: hand_off.replace_same: is for sites to which users are handed: set hand_off.source`,
		}},
		"arrivals": {`
hand_off: {source: "https://app.example/auth/hand-off", profile: api}
`, []string{`:3:66: hand_off.profile: "api" has the transport bearer; it takes cookie`}},
		"arrivals alone": {`
hand_off: {source: "https://app.example/auth/hand-off", profile: web}
web_profiles: []
profiles: {web: }
`, []string{`:5:12: profiles.web: is what clients get where web_profiles names none: give the profile another name`}},
		"arrivals of nobody": {`
hand_off: {source: "https://app.example/auth/hand-off"}
web_profiles: []
`, []string{`:3:20: hand_off.source: needs hand_off.profile, since web_profiles is empty`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, origins+test.text)
			var e *config.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			for i, p := range e.Problems {
				if i >= len(test.want) || !strings.HasSuffix(p.String(), test.want[i]) {
					t.Errorf("%d: %v", i, p)
				}
			}
			if len(e.Problems) != len(test.want) {
				t.Errorf("%d problems, want %d", len(e.Problems), len(test.want))
			}
		})
	}
}

// The first of a list is what clients get who ask for none: web and api, and
// otherwise in the order of the file.
func TestOrderOfOffers(t *testing.T) {
	t.Parallel()
	c, err := load(t, origins+`
hand_off: {source: "https://app.example/auth/hand-off", profile: stateless}
profiles: {zebra: {like: local}, mobile: {like: api}, classic: , api: {idle: 1d}, apple: {like: web}}
`)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.WebProfiles, ","); got != "web,zebra,classic,apple,stateless" {
		t.Errorf("web profiles %s", got)
	}
	if got := strings.Join(c.TokenProfiles, ","); got != "api,mobile" {
		t.Errorf("token profiles %s", got)
	}
	c, err = load(t, origins+`
hand_off: {source: "https://app.example/auth/hand-off", profile: stateless}
web_profiles: [classic]
`)
	if err != nil || len(c.Profiles) != 3 || c.Profile("stateless") == nil {
		t.Errorf("a profile for those who come by a hand-off alone: %v, %v", c.Profiles, err)
	}
}

// The environment can name ready profiles and those of the file.
func TestProfilesOfTheEnvironment(t *testing.T) {
	t.Parallel()
	load := func(text string, environ ...string) (config.Config, error) {
		return config.Load(config.Sources{File: write(t, origins+text), Environ: func() []string { return environ }})
	}
	c, err := load("profiles: {my-staff: {like: classic}}", "REMUDA_PROFILES_MY_STAFF_IDLE=1h", "REMUDA_PROFILES_LOCAL_IDLE=2h")
	if err != nil {
		t.Fatal(err)
	}
	if c.Profile("my-staff").Idle != time.Hour || c.Profile("local").Idle != 2*time.Hour || strings.Join(c.WebProfiles, ",") != "web,my-staff,local" {
		t.Errorf("%+v", c.WebProfiles)
	}
	if c, err = load("", "REMUDA_WEB_PROFILES=classic"); err != nil || len(c.Profiles) != 2 || c.Profile("classic") == nil {
		t.Errorf("%v, %v", c.WebProfiles, err)
	}
	for text, want := range map[string]string{
		"profiles: {a-b: {like: web}, a_b: {like: web}}": ":2:30: profiles.a_b.like: has the same variable as profiles.a-b.like, REMUDA_PROFILES_A_B_LIKE: rename one of the profiles",
		"profiles: {web_remember: {like: web}}":          ":2:12: profiles.web_remember.idle: has the same variable as profiles.web.remember_idle, REMUDA_PROFILES_WEB_REMEMBER_IDLE: rename one of the profiles",
	} {
		if _, err = load(text, "X=1"); err == nil || !strings.HasSuffix(err.Error(), want) || strings.Contains(err.Error(), "problems") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err = load("", "REMUDA_PROFILES_API_RECORD=false", "REMUDA_WEB_PROFILES=web,foo"); err == nil ||
		!strings.Contains(err.Error(), "REMUDA_PROFILES_API_RECORD: profiles.api.renewal: rotate needs a record") ||
		!strings.Contains(err.Error(), `REMUDA_WEB_PROFILES: web_profiles: there is no profile "foo"`) {
		t.Errorf("%v", err)
	}
	if _, err = load("", "REMUDA_PROFILES_STAFF_IDLE=1h"); err == nil || !strings.Contains(err.Error(), "REMUDA_PROFILES_STAFF_IDLE: is not known") {
		t.Errorf("%v", err)
	}
}

// Problems name the source whose value they are about, and a value that another
// overrides is checked too.
func TestSources(t *testing.T) {
	t.Parallel()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	config.Flags(flags)
	if err := flags.Parse([]string{"--log-format", "xml", "--listen", "127.0.0.1:3"}); err != nil {
		t.Fatal(err)
	}
	path := write(t, origins+"listen: nowhere\nretention: never\nlog: {level: warn}\n")
	environ := func() []string {
		return []string{"REMUDA_RETENTION=soon", "REMUDA_DATA=", "REMUDA_LOG_LEVEL=debug", "REMUDA_KEYS=secretsecret", "OTHER=1"}
	}
	_, err := config.Load(config.Sources{File: path, Environ: environ, Flags: flags})
	var e *config.Error
	if !errors.As(err, &e) || e.FlagsOnly() {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Error("a secret is shown")
	}
	var got []string
	for _, p := range e.Problems {
		got = append(got, fmt.Sprint(strings.TrimPrefix(p.Origin.String(), path), " ", p.Setting))
	}
	want := ":3:12 retention|REMUDA_RETENTION retention|--log-format log.format"
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	config.Flags(flags)
	if err := flags.Parse([]string{"--listen", "127.0.0.1:3"}); err != nil {
		t.Fatal(err)
	}
	path := write(t, origins+"listen: 127.0.0.1:1\nretention: 1d\ndata: here\nusers: /there/users.db\nprofiles: {web: {idle: 40m}}\n")
	environ := func() []string { return []string{"REMUDA_LISTEN=127.0.0.1:2", "REMUDA_RETENTION=2d"} }
	c, err := config.Load(config.Sources{File: path, Environ: environ, Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:3" || c.Retention != 48*time.Hour || c.Profile("web").Idle != 40*time.Minute || c.Profile("api").Idle != remuda.API().Idle {
		t.Errorf("listen %s, retention %v, idle %v", c.Listen, c.Retention, c.Profile("web").Idle)
	}
	if want := filepath.Join(filepath.Dir(path), "here", "sessions.db"); c.Database != want || c.Users != "/there/users.db" {
		t.Errorf("database %s, want %s; users %s", c.Database, want, c.Users)
	}
}

func TestOffline(t *testing.T) {
	t.Parallel()
	if _, err := config.Load(config.Sources{Offline: true}); err != nil {
		t.Errorf("nothing is served: %v", err)
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"0s": 0, "30s": 30 * time.Second, "10m": 10 * time.Minute, "12h": 12 * time.Hour, "30d": 30 * day, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute, "1ms": time.Millisecond,
	} {
		d, err := config.ParseDuration(text)
		if err != nil || d != want {
			t.Errorf("%s is %v, %v; want %v", text, d, err, want)
		}
		if back, err := config.ParseDuration(config.FormatDuration(want)); err != nil || back != want {
			t.Errorf("%v is written %s and read %v, %v", want, config.FormatDuration(want), back, err)
		}
	}
	for _, text := range []string{"", "d", "1", "-1h", "-1d", "1d2", "1.5d", "1d-2h", "99999d9999999h", "h", "1dd", "65536d"} {
		if d, err := config.ParseDuration(text); err == nil {
			t.Errorf("%q is %v", text, d)
		}
	}
}

func TestSecretHidesItself(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Sources{Offline: true, Environ: func() []string { return []string{"REMUDA_KEYS=opensesame"} }})
	if err != nil {
		t.Fatal(err)
	}
	if c.Keys.Reveal() != "opensesame" {
		t.Error("it is lost")
	}
	if s := fmt.Sprintf("%v %+v %#v %s", c.Keys, c, c.Keys, c.Keys); strings.Contains(s, "opensesame") {
		t.Errorf("it prints as %s", s)
	}
}

// The master key may be in a file that a variable names.
func TestMasterKeyFile(t *testing.T) {
	t.Parallel()
	const key = "Sy_x6SrgqirjBV8ovqOUOBz7q0tiIfT975GdXs9pJAQ"
	for name, test := range map[string]struct {
		environ []string
		want    string // of the error
	}{
		"good":     {[]string{"REMUDA_KEYS_MASTER_FILE=" + write(t, key+"\n")}, ""},
		"not set":  {[]string{"REMUDA_KEYS_MASTER_FILE=", "REMUDA_KEYS_MASTER=" + key}, ""},
		"missing":  {[]string{"REMUDA_KEYS_MASTER_FILE=nowhere"}, "REMUDA_KEYS_MASTER_FILE: keys_master: open nowhere: "},
		"empty":    {[]string{"REMUDA_KEYS_MASTER_FILE=" + write(t, "\n")}, "c.yaml is empty"},
		"no key":   {[]string{"REMUDA_KEYS_MASTER_FILE=" + write(t, "opensesame")}, "REMUDA_KEYS_MASTER_FILE: keys_master: is not a master key"},
		"both":     {[]string{"REMUDA_KEYS_MASTER_FILE=" + write(t, key), "REMUDA_KEYS_MASTER=" + key}, "REMUDA_KEYS_MASTER: keys_master: is set beside REMUDA_KEYS_MASTER_FILE"},
		"both, ii": {[]string{"REMUDA_KEYS_MASTER=" + key, "REMUDA_KEYS_MASTER_FILE=" + write(t, key)}, "REMUDA_KEYS_MASTER_FILE: keys_master: is set beside REMUDA_KEYS_MASTER;"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Load(config.Sources{Offline: true, Environ: func() []string { return test.environ }})
			switch {
			case test.want == "" && (err != nil || c.KeysMaster.Reveal() != key):
				t.Errorf("%q, %v", c.KeysMaster.Reveal(), err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "opensesame")):
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPipeIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, src := range map[string]config.Sources{
		"the configuration": {File: path},
		"the master key":    {Environ: func() []string { return []string{"REMUDA_KEYS_MASTER_FILE=" + path} }},
	} {
		if _, err := config.Load(src); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Sources{File: write(t, "\ufefflog:\n  level: debug\n"), Offline: true})
	if err != nil || c.Log.Level != slog.LevelDebug {
		t.Errorf("%v, %v", c.Log.Level, err)
	}
}

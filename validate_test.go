package remuda

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

func validConfig(t *testing.T) Config {
	t.Helper()
	ring, err := keyring.New(time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return Config{Store: memstore.New(), Keys: ring, Issuer: "https://app.example", Profiles: []Profile{Web(), API()}}
}

// fields returns what validate complains of, sorted.
func fields(t *testing.T, cfg *Config) (list []string) {
	t.Helper()
	err := cfg.validate()
	if err == nil {
		return nil
	}
	var problems *ConfigError
	if !errors.As(err, &problems) {
		t.Fatalf("%T is no *ConfigError", err)
	}
	for _, p := range problems.Problems {
		if p.Reason == "" || !strings.Contains(err.Error(), "\n  "+p.Field+": "+p.Reason) {
			t.Errorf("the problem %+v is not in the error's text", p)
		}
		list = append(list, p.Field)
	}
	slices.Sort(list)
	return list
}

func TestPresetsAreValid(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "NIST-8")
	cfg := validConfig(t)
	if got := fields(t, &cfg); got != nil {
		t.Errorf("problems %v", got)
	}
	for _, p := range []Profile{Web(), API(), Classic(), Stateless(), Local()} {
		if longest := max(p.Absolute, p.RememberAbsolute); longest > 30*day || max(p.Idle, p.RememberIdle) > longest {
			t.Errorf("%s lasts for %v", p.Name, longest)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-1.4.2")
	tests := []struct {
		field  string
		change func(*Config, *Profile)
	}{
		{"Store", func(c *Config, _ *Profile) { c.Store = nil }},
		{"Keys", func(c *Config, _ *Profile) { c.Keys = nil }},
		{"Issuer", func(c *Config, _ *Profile) { c.Issuer = "" }},
		{"Issuer", func(c *Config, _ *Profile) { c.Issuer = "a\nb" }},
		{"Issuer", func(c *Config, _ *Profile) { c.Issuer = "\xff" }},
		{"Issuer", func(c *Config, _ *Profile) { c.Issuer = strings.Repeat("a", 256) }},
		{"Leeway", func(c *Config, _ *Profile) { c.Leeway = -1 }},
		{"Leeway", func(c *Config, _ *Profile) { c.Leeway = 5*time.Minute + 1 }},
		{"Profiles", func(c *Config, _ *Profile) { c.Profiles = nil }},
		{"Profiles[api]", func(_ *Config, p *Profile) { p.Name = "api" }},
		{"Profiles[0].Name", func(_ *Config, p *Profile) { p.Name = "" }},
		{"Profiles[0].Name", func(_ *Config, p *Profile) { p.Name = "Web" }},
		{"Profiles[0].Name", func(_ *Config, p *Profile) { p.Name = strings.Repeat("a", 65) }},
		{"Profiles[web].Credential", func(_ *Config, p *Profile) { p.Credential = 0 }},
		{"Profiles[web].Renewal", func(_ *Config, p *Profile) {
			*p = Classic()
			p.Name, p.Renewal, p.Access, p.Rotation.Floor = "web", Rotate, time.Minute, time.Minute
		}},
		{"Profiles[web].Liveness", func(_ *Config, p *Profile) { *p = Classic(); p.Name, p.Liveness = "web", LiveLog }},
		{"Profiles[web].Credential", func(_ *Config, p *Profile) { p.Credential = 9 }},
		{"Profiles[web].Transport", func(_ *Config, p *Profile) { p.Transport = 0 }},
		{"Profiles[web].Transport", func(_ *Config, p *Profile) { p.Transport = 9 }},
		{"Profiles[web].Access", func(_ *Config, p *Profile) { p.Renewal, p.Rotation = Extend, Rotation{} }},
		{"Profiles[web].Rotation", func(_ *Config, p *Profile) { p.Renewal, p.Access, p.Rotation.Grace = Extend, 0, 0 }},
		{"Profiles[web].Rotation.Grace", func(_ *Config, p *Profile) { p.Renewal, p.Access, p.Rotation.Floor = Extend, 0, 0 }},
		{"Profiles[web].Liveness", func(_ *Config, p *Profile) { p.Liveness = 0 }},
		{"Profiles[web].Liveness", func(_ *Config, p *Profile) { p.Liveness = 9 }},
		{"Profiles[web].Liveness", func(c *Config, _ *Profile) { c.Store, c.Profiles = noLog{c.Store}, c.Profiles[:1] }},
		{"Profiles[web].Outage", func(_ *Config, p *Profile) { p.Outage = 9 }},
		{"Profiles[web].Algorithm", func(_ *Config, p *Profile) { p.Algorithm = codec.V4Local }},
		{"MaxStaleness", func(c *Config, _ *Profile) { c.MaxStaleness = -1 }},
		{"MaxStaleness", func(c *Config, _ *Profile) { c.MaxStaleness = time.Minute + 1 }},
		{"Profiles[web].Renewal", func(_ *Config, p *Profile) { recordless(p); p.Renewal = Rotate }},
		{"Profiles[web].Liveness", func(_ *Config, p *Profile) { recordless(p); p.Liveness = LiveStore }},
		{"Profiles[web].Outage", func(_ *Config, p *Profile) { recordless(p); p.Outage = OutageCheck }},
		{"Profiles[web].MaxSessions", func(_ *Config, p *Profile) { recordless(p); p.MaxSessions = 1 }},
		{"Profiles[web].RememberIdle", func(_ *Config, p *Profile) { recordless(p); p.RememberIdle = day }},
		{"Profiles[web].Access", func(_ *Config, p *Profile) { recordless(p); p.Access = time.Minute }},
		{"Profiles[web].Rotation", func(_ *Config, p *Profile) { recordless(p); p.Rotation.Floor = 1 }},
		{"Profiles[web].Rotation.Grace", func(_ *Config, p *Profile) { recordless(p); p.Rotation.Grace = 1 }},
		{"Profiles[web].Absolute", func(_ *Config, p *Profile) { recordless(p); p.Renewal, p.Idle, p.Absolute = Fixed, 0, 1 }},
		{"Profiles[web].Absolute", func(_ *Config, p *Profile) { p.Absolute = maxAbsolute + 1 }},
		{"Profiles[web].RememberAbsolute", func(_ *Config, p *Profile) { p.RememberAbsolute = math.MaxInt64 }},
		{"Profiles[web].Liveness", func(_ *Config, p *Profile) {
			recordless(p)
			p.Renewal, p.Idle, p.Absolute, p.Liveness = Fixed, 0, day+1, LiveExpiry
		}},
		{"Profiles[web].Idle", func(_ *Config, p *Profile) { recordless(p); p.Renewal = Fixed }},
		{"Profiles[web].Idle", func(_ *Config, p *Profile) { recordless(p); p.Idle = 0 }},
		{"Profiles[web].Idle", func(_ *Config, p *Profile) { recordless(p); p.Idle = 13 * time.Hour }},
		{"Profiles[web].Audience", func(_ *Config, p *Profile) { p.Audience = "\x7f" }},
		{"Profiles[web].Access", func(_ *Config, p *Profile) { p.Access = time.Second - 1 }},
		{"Profiles[web].Jitter", func(_ *Config, p *Profile) { p.Jitter = -0.1 }},
		{"Profiles[web].Jitter", func(_ *Config, p *Profile) { p.Jitter = 0.51 }},
		{"Profiles[web].Jitter", func(_ *Config, p *Profile) { p.Jitter = math.NaN() }},
		{"Profiles[web].MaxSessions", func(_ *Config, p *Profile) { p.MaxSessions = -1 }},
		{"Profiles[web].AtLimit", func(_ *Config, p *Profile) { p.AtLimit = 2 }},
		{"Profiles[web].StepUp", func(_ *Config, p *Profile) { p.StepUp = -1 }},
		{"Profiles[web].Idle", func(_ *Config, p *Profile) { p.Idle = 11 * time.Minute }},
		{"Profiles[web].Idle", func(_ *Config, p *Profile) { p.Absolute = 29 * time.Minute }},
		{"Profiles[web].RememberIdle", func(_ *Config, p *Profile) { p.RememberIdle = 0 }},
		{"Profiles[web].RememberIdle", func(_ *Config, p *Profile) { p.RememberIdle = 31 * day }},
		{"Profiles[web].Rotation.Grace", func(_ *Config, p *Profile) { p.Rotation.Grace = -1 }},
		{"Profiles[web].Rotation.Floor", func(_ *Config, p *Profile) { p.Rotation.Floor = time.Minute - 1 }},
		{"Profiles[web].Rotation.Reuse", func(_ *Config, p *Profile) { p.Rotation.Reuse = 9 }},
		{"Profiles[web].Rotation.Suspect", func(_ *Config, p *Profile) { p.Rotation.Suspect = 9 }},
		{"Profiles[web].Rotation.Unseen", func(_ *Config, p *Profile) { p.Rotation.Unseen = 9 }},
		{"Profiles[web].Rotation.Early", func(_ *Config, p *Profile) { p.Rotation.Early = 9 }},
		{"Profiles[web].Rotation.Ahead", func(_ *Config, p *Profile) { p.Rotation.Ahead = 9 }},
		{"Profiles[web].Rotation.OneAccessToken", func(_ *Config, p *Profile) { p.Rotation.OneAccessToken, p.Liveness = true, LiveExpiry }},
		{"Profiles[web].Rotation.ByAccess", func(_ *Config, p *Profile) { p.Rotation.ByAccess = true }},
		{"Profiles[web].Rotation.Floor", func(_ *Config, p *Profile) {
			p.Rotation.ByAccess, p.Rotation.Early, p.Access = true, EarlyRefuse, 119*time.Second
		}},
		{"Profiles[web].Rotation", func(_ *Config, p *Profile) { recordless(p); p.Rotation.ByAccess = true }},
		{"Profiles[web].Rotation", func(_ *Config, p *Profile) { recordless(p); p.Recordless, p.Rotation.ByAccess = false, true }},
		{"Profiles[web].Rotation", func(_ *Config, p *Profile) {
			recordless(p)
			p.Recordless, p.Renewal, p.Idle, p.Rotation.ByAccess = false, Fixed, 0, true
		}},
		{"Profiles[web].Rotation.Early", func(c *Config, p *Profile) {
			c.Leeway, p.Rotation.Early, p.Jitter, p.Access = time.Minute, EarlyRefuse, 0.1, 99*time.Second
		}},
	}
	all := validConfig(t)
	all.Profiles[0].Transport, all.Profiles[0].Jitter, all.Profiles[1].Access, all.Issuer = 0, 9, 0, ""
	if got, want := fields(t, &all), []string{"Issuer", "Profiles[api].Access", "Profiles[web].Jitter", "Profiles[web].Transport"}; !slices.Equal(got, want) {
		t.Errorf("problems %v, want %v", got, want)
	}
	opaque := validConfig(t)
	recordless(&opaque.Profiles[0])
	opaque.Profiles[0].Credential = Opaque
	if got, want := fields(t, &opaque), []string{"Profiles[web].Liveness", "Profiles[web].Recordless"}; !slices.Equal(got, want) {
		t.Errorf("opaque without a record: problems %v, want %v", got, want)
	}
	for _, tt := range tests {
		cfg := validConfig(t)
		tt.change(&cfg, &cfg.Profiles[0])
		if got := fields(t, &cfg); !slices.Equal(got, []string{tt.field}) {
			t.Errorf("problems %v, want %s alone", got, tt.field)
		}
	}
}

// noLog is a store without a revocation log.
type noLog struct{ store.Store }

// recordless makes a profile one that keeps no records.
func recordless(p *Profile) {
	name := p.Name
	*p = Local()
	p.Name, p.Credential = name, JWT
}

func TestEncodeClaims(t *testing.T) {
	t.Parallel()
	if text, err := encodeClaims(nil); text != "" || err != nil {
		t.Errorf("none: %q, %v", text, err)
	}
	if text, err := encodeClaims(map[string]any{"b": 1, "a": "<x>"}); text != `{"a":"\u003cx\u003e","b":1}` || err != nil {
		t.Errorf("two: %s, %v", text, err)
	}
	if text, err := encodeClaims(struct {
		Name string `json:"name"`
	}{"Alice"}); text != `{"name":"Alice"}` || err != nil {
		t.Errorf("a struct: %s, %v", text, err)
	}
	for _, none := range []any{map[string]any{}, struct{}{}, (*struct{})(nil), map[string]any(nil)} {
		if text, err := encodeClaims(none); text != "" || err != nil {
			t.Errorf("%#v: %q, %v", none, text, err)
		}
	}
	type m = map[string]any
	for _, bad := range []any{m{"sub": 1}, m{"SUB": 1}, m{"ſub": 1}, m{"": 1}, m{"a": make(chan int)}, m{"a": math.NaN()}, "text", []int{1}, 7, struct{ Sub string }{"x"}} {
		if _, err := encodeClaims(bad); !errors.Is(err, ErrRequest) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestAMR(t *testing.T) {
	t.Parallel()
	for _, want := range [][]string{nil, {"pwd"}, {"a\"b", "é", "<"}} {
		text, err := encodeAMR(want)
		if err != nil || !slices.Equal(decodeAMR(text), want) {
			t.Errorf("%q: %s, %v", want, text, err)
		}
	}
	for _, bad := range []string{"", "a\n", "\xff", strings.Repeat("a", 256)} {
		if _, err := encodeAMR([]string{bad}); !errors.Is(err, ErrRequest) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if decodeAMR("{") != nil {
		t.Error("what is no array is decoded")
	}
}

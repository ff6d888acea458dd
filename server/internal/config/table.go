package config

import (
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/web/limit"
)

// Settings returns everything that can be set in a configuration, in the order of
// the example: of the profiles those that it has.
func (c *Config) Settings() []Setting {
	list := fixedSettings()
	for i := range c.Profiles {
		list = append(list, profileSettings(c.Profiles[i].Name)...)
	}
	return list
}

// fixedSettings are those that belong to no profile.
func fixedSettings() []Setting {
	return slices.Concat(serverSettings(), loginSettings(), offerSettings())
}

func serverSettings() []Setting {
	return []Setting{
		{
			Name: "listen", Flag: "listen", Usage: "the `address` to listen on, host:port",
			kind: text(func(c *Config) *string { return &c.Listen }),
		},
		{
			Name: "origins", Flag: "origins", Usage: "the `origins` whose pages may use cookies, separated by commas", list: true,
			kind: texts(func(c *Config) *[]string { return &c.Origins }),
		},
		{Name: "metrics_listen", kind: text(func(c *Config) *string { return &c.MetricsListen })},
		{Name: "issuer", kind: text(func(c *Config) *string { return &c.Issuer })},
		{
			Name: "data", Flag: "data", Usage: "the `folder` of the database, the users and the keys",
			kind: text(func(c *Config) *string { return &c.Data }),
		},
		{Name: "database", kind: text(func(c *Config) *string { return &c.Database })},
		{Name: "users", kind: text(func(c *Config) *string { return &c.Users })},
		{Name: "refusals", kind: text(func(c *Config) *string { return &c.Refusals })},
		{Name: "keys_file", kind: text(func(c *Config) *string { return &c.KeysFile })},
		{Name: "keys", kind: secret(func(c *Config) *Secret { return &c.Keys })},
		{Name: "keys_in", kind: choice(func(c *Config) *string { return &c.KeysIn },
			option[string]{KeysInFile, KeysInFile}, option[string]{KeysInDatabase, KeysInDatabase})},
		{Name: "keys_master", kind: secret(func(c *Config) *Secret { return &c.KeysMaster })},
		{Name: "keys_rotate", kind: duration(func(c *Config) *time.Duration { return &c.KeysRotate })},
		{Name: "tls.cert", kind: text(func(c *Config) *string { return &c.TLS.Cert })},
		{Name: "tls.key", kind: text(func(c *Config) *string { return &c.TLS.Key })},
		{Name: "behind_proxy", kind: boolean(func(c *Config) *bool { return &c.BehindProxy })},
		{Name: "trusted_proxies", list: true, kind: prefixes(func(c *Config) *[]netip.Prefix { return &c.TrustedProxies })},
		{
			Name: "log.level", Flag: "log-level", Usage: "the least `level` that is logged: debug, info, warn or error",
			kind: choice(func(c *Config) *slog.Level { return &c.Log.Level },
				option[slog.Level]{"debug", slog.LevelDebug}, option[slog.Level]{"info", slog.LevelInfo},
				option[slog.Level]{"warn", slog.LevelWarn}, option[slog.Level]{"error", slog.LevelError}),
		},
		{
			Name: "log.format", Flag: "log-format", Usage: "the `form` of the log: text or json",
			kind: choice(func(c *Config) *string { return &c.Log.Format }, option[string]{"text", "text"}, option[string]{"json", "json"}),
		},
		{Name: "max_staleness", kind: duration(func(c *Config) *time.Duration { return &c.MaxStaleness })},
		{Name: "retention", kind: duration(func(c *Config) *time.Duration { return &c.Retention })},
		{Name: "notices.from", kind: text(func(c *Config) *string { return &c.Notices.From })},
		{Name: "notices.server", kind: text(func(c *Config) *string { return &c.Notices.Server })},
		{Name: "notices.username", kind: text(func(c *Config) *string { return &c.Notices.Username })},
		{Name: "notices.password", kind: secret(func(c *Config) *Secret { return &c.Notices.Password })},
		{Name: "notices.folder", kind: text(func(c *Config) *string { return &c.Notices.Folder })},
		{Name: "notices.insecure_without_tls", kind: boolean(func(c *Config) *bool { return &c.Notices.InsecureWithoutTLS })},
		{Name: "support", list: true, kind: texts(func(c *Config) *[]string { return &c.Support })},
		{Name: "protected", list: true, kind: texts(func(c *Config) *[]string { return &c.Protected })},
		{Name: "places", kind: text(func(c *Config) *string { return &c.Places })},
		{Name: "refusals_kept", kind: duration(func(c *Config) *time.Duration { return &c.RefusalsKept })},
		{Name: "discard_sessions_of_lost_ring", kind: boolean(func(c *Config) *bool { return &c.DiscardSessionsOfLostRing })},
	}
}

func loginSettings() []Setting {
	var list []Setting
	for _, r := range []struct {
		name string
		at   func(*Config) *limit.Rate
	}{
		{"login.per_account", func(c *Config) *limit.Rate { return &c.Login.PerAccount }},
		{"login.across_addresses", func(c *Config) *limit.Rate { return &c.Login.AcrossAddresses }},
		{"login.per_address", func(c *Config) *limit.Rate { return &c.Login.PerAddress }},
	} {
		list = append(list,
			Setting{Name: r.name + ".every", kind: duration(func(c *Config) *time.Duration { return &r.at(c).Every })},
			Setting{Name: r.name + ".burst", kind: integer(func(c *Config) *int { return &r.at(c).Burst })},
		)
	}
	return list
}

func offerSettings() []Setting {
	return []Setting{
		{Name: "web_profiles", list: true, kind: texts(func(c *Config) *[]string { return &c.WebProfiles })},
		{Name: "token_profiles", list: true, kind: texts(func(c *Config) *[]string { return &c.TokenProfiles })},
		{Name: "hand_off.targets", list: true, kind: texts(func(c *Config) *[]string { return &c.HandOff.Targets })},
		{Name: "hand_off.sign_in", kind: text(func(c *Config) *string { return &c.HandOff.SignIn })},
		{Name: "hand_off.source", kind: text(func(c *Config) *string { return &c.HandOff.Source })},
		{Name: "hand_off.profile", kind: text(func(c *Config) *string { return &c.HandOff.Profile })},
		{Name: "hand_off.ends_with_parent", kind: boolean(func(c *Config) *bool { return &c.HandOff.EndsWithParent })},
		{Name: "hand_off.replace_same", kind: boolean(func(c *Config) *bool { return &c.HandOff.ReplaceSame })},
	}
}

// profileSettings are those of the profile of a name.
func profileSettings(name string) []Setting {
	var likes []option[string]
	for _, n := range presetNames {
		likes = append(likes, option[string]{n, n})
	}
	like := Setting{Name: "profiles." + name + ".like", kind: choice(func(c *Config) *string { return &c.profile(name).Like }, likes...)}
	return slices.Concat([]Setting{like}, axisSettings(name), policySettings(name))
}

// axisSettings say what kind of session a profile is.
func axisSettings(name string) []Setting {
	prefix := "profiles." + name + "."
	at := func(c *Config) *Profile { return c.profile(name) }
	return []Setting{
		{Name: prefix + "credential", kind: choice(func(c *Config) *remuda.Credential { return &at(c).Credential }, credentials...)},
		{Name: prefix + "algorithm", kind: choice(func(c *Config) *codec.Algorithm { return &at(c).Algorithm }, algorithms...)},
		{Name: prefix + "transport", kind: choice(func(c *Config) *remuda.Transport { return &at(c).Transport }, transports...)},
		{Name: prefix + "renewal", kind: choice(func(c *Config) *remuda.Renewal { return &at(c).Renewal }, renewals...)},
		{Name: prefix + "liveness", kind: choice(func(c *Config) *remuda.Liveness { return &at(c).Liveness }, livenesses...)},
		{Name: prefix + "record", kind: not(boolean(func(c *Config) *bool { return &at(c).Recordless }))},
		{Name: prefix + "outage", kind: choice(func(c *Config) *remuda.OutagePolicy { return &at(c).Outage }, outages...)},
	}
}

// policySettings are the lifetimes and policies of a profile.
func policySettings(name string) []Setting {
	prefix := "profiles." + name + "."
	at := func(c *Config) *Profile { return c.profile(name) }
	span := func(name string, field func(*Profile) *time.Duration) Setting {
		return Setting{Name: prefix + name, kind: duration(func(c *Config) *time.Duration { return field(at(c)) })}
	}
	return append([]Setting{
		span("access", func(p *Profile) *time.Duration { return &p.Access }),
		{Name: prefix + "jitter", kind: fraction(func(c *Config) *float64 { return &at(c).Jitter })},
		span("idle", func(p *Profile) *time.Duration { return &p.Idle }),
		span("absolute", func(p *Profile) *time.Duration { return &p.Absolute }),
		span("remember_idle", func(p *Profile) *time.Duration { return &p.RememberIdle }),
		span("remember_absolute", func(p *Profile) *time.Duration { return &p.RememberAbsolute }),
		{Name: prefix + "max_sessions", kind: integer(func(c *Config) *int { return &at(c).MaxSessions })},
		{Name: prefix + "at_limit", kind: choice(func(c *Config) *remuda.LimitPolicy { return &at(c).AtLimit },
			option[remuda.LimitPolicy]{"oldest_out", remuda.LimitOldestOut}, option[remuda.LimitPolicy]{"refuse", remuda.LimitRefuse})},
		span("step_up", func(p *Profile) *time.Duration { return &p.StepUp }),
		{Name: prefix + "audience", kind: text(func(c *Config) *string { return &at(c).Audience })},
	}, rotationSettings(prefix+"rotation.", func(c *Config) *remuda.Rotation { return &at(c).Rotation })...)
}

func rotationSettings(prefix string, at func(*Config) *remuda.Rotation) []Setting {
	return []Setting{
		{Name: prefix + "grace", kind: duration(func(c *Config) *time.Duration { return &at(c).Grace })},
		{Name: prefix + "floor", kind: duration(func(c *Config) *time.Duration { return &at(c).Floor })},
		{Name: prefix + "reuse", kind: choice(func(c *Config) *remuda.ReusePolicy { return &at(c).Reuse },
			option[remuda.ReusePolicy]{"end", remuda.ReuseEnd}, option[remuda.ReusePolicy]{"report", remuda.ReuseReport})},
		{Name: prefix + "suspect", kind: choice(func(c *Config) *remuda.SuspectPolicy { return &at(c).Suspect },
			option[remuda.SuspectPolicy]{"end", remuda.SuspectEnd}, option[remuda.SuspectPolicy]{"report", remuda.SuspectReport})},
		{Name: prefix + "unseen", kind: choice(func(c *Config) *remuda.UnseenPolicy { return &at(c).Unseen },
			option[remuda.UnseenPolicy]{"replay", remuda.UnseenReplay}, option[remuda.UnseenPolicy]{"grace", remuda.UnseenGrace})},
		{Name: prefix + "early", kind: choice(func(c *Config) *remuda.EarlyPolicy { return &at(c).Early },
			option[remuda.EarlyPolicy]{"allow", remuda.EarlyAllow}, option[remuda.EarlyPolicy]{"report", remuda.EarlyReport},
			option[remuda.EarlyPolicy]{"refuse", remuda.EarlyRefuse})},
		{Name: prefix + "ahead", kind: choice(func(c *Config) *remuda.AheadPolicy { return &at(c).Ahead },
			option[remuda.AheadPolicy]{"forward", remuda.AheadForward}, option[remuda.AheadPolicy]{"end", remuda.AheadEnd})},
		{Name: prefix + "one_access_token", kind: boolean(func(c *Config) *bool { return &at(c).OneAccessToken })},
		{Name: prefix + "by_access", kind: boolean(func(c *Config) *bool { return &at(c).ByAccess })},
	}
}

package remuda

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/store"
)

const (
	maxIdentifier = 255 // bytes of a subject, tenant, issuer or level
	maxGrace      = 5 * time.Minute
	maxFloor      = day
	maxAccess     = day
	maxAbsolute   = 3650 * day // so that the sums of lifetimes stay far from the largest
	defaultLeeway = 30 * time.Second
	maxLeeway     = 5 * time.Minute

	maxMaxStaleness = time.Minute
)

var profileName = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// problems collects everything that is wrong.
type problems struct {
	list []ConfigProblem
}

func (p *problems) add(field, format string, args ...any) {
	p.list = append(p.list, ConfigProblem{Field: field, Reason: fmt.Sprintf(format, args...)})
}

func (p *problems) check(ok bool, field, format string, args ...any) {
	if !ok {
		p.add(field, format, args...)
	}
}

// validate returns a [*ConfigError] with every problem, or nil.
func (cfg *Config) validate() error {
	var p problems
	p.check(cfg.Store != nil, "Store", "is required; there is no default store")
	p.check(cfg.Keys != nil, "Keys", "is required; see package keyring")
	p.check(cfg.Issuer != "", "Issuer", "is required")
	p.check(identifier(cfg.Issuer), "Issuer", "must be UTF-8 without control characters, at most %d bytes", maxIdentifier)
	p.check(cfg.Leeway >= 0 && cfg.Leeway <= maxLeeway, "Leeway", "is %v; it must lie between 0 and %v", cfg.Leeway, maxLeeway)
	p.check(len(cfg.Profiles) > 0, "Profiles", "at least one is required")
	p.check(cfg.MaxStaleness >= 0 && cfg.MaxStaleness <= maxMaxStaleness, "MaxStaleness", "is %v; it must lie between 0 and %v", cfg.MaxStaleness, maxMaxStaleness)
	seen := map[string]bool{}
	for i := range cfg.Profiles {
		pr := &cfg.Profiles[i]
		field := fmt.Sprintf("Profiles[%s]", pr.Name)
		p.check(profileName.MatchString(pr.Name), fmt.Sprintf("Profiles[%d].Name", i),
			"%q must be 1 to 64 characters of a-z, 0-9, - and _", pr.Name)
		p.check(!seen[pr.Name], field, "the name is taken by another profile")
		seen[pr.Name] = true
		pr.validate(&p, field)
		cfg.validateFor(&p, pr, field)
	}
	if len(p.list) > 0 {
		return &ConfigError{Problems: p.list}
	}
	return nil
}

// validateFor checks that store and ring have what a profile needs.
func (cfg *Config) validateFor(p *problems, pr *Profile, field string) {
	if _, ok := cfg.Store.(store.Log); !ok && cfg.Store != nil {
		p.check(pr.Liveness != LiveLog, field+".Liveness", "%v needs a store with a revocation log; this one (%T) has none", LiveLog, cfg.Store)
	}
	if alg := pr.algorithm(); cfg.Keys != nil && slices.Contains(algorithms[pr.Credential], alg) {
		p.check(signs(cfg.Keys.KeySet(), alg), field+".Algorithm", "the key ring has no key that signs %s", alg)
	}
	// A refresh is early until Leeway before the end of the access token. What was
	// under way when the token was issued has arrived by then.
	least := pr.Access - time.Duration(pr.Jitter*float64(pr.Access))
	p.check(pr.Rotation.Early != EarlyRefuse || least >= cfg.Leeway+pr.Rotation.Grace, field+".Rotation.Early",
		"with refuse, Access less Jitter must be at least Leeway + Grace = %v", cfg.Leeway+pr.Rotation.Grace)
}

// algorithm is what signs the profile's tokens, or "" if nothing can.
func (pr *Profile) algorithm() codec.Algorithm {
	if pr.Algorithm != "" {
		return pr.Algorithm
	}
	if of := algorithms[pr.Credential]; len(of) > 0 {
		return of[0]
	}
	return ""
}

func signs(set *codec.KeySet, alg codec.Algorithm) bool {
	return slices.ContainsFunc(set.Keys, func(k codec.Key) bool { return k.Algorithm == alg && k.Sign })
}

func (pr *Profile) validate(p *problems, field string) {
	pr.validateAxes(p, field)
	p.check(pr.Absolute <= maxAbsolute, field+".Absolute", "is %v; it must be at most %v", pr.Absolute, maxAbsolute)
	p.check(pr.RememberAbsolute <= maxAbsolute, field+".RememberAbsolute", "is %v; it must be at most %v", pr.RememberAbsolute, maxAbsolute)
	p.check(pr.Liveness != LiveExpiry || pr.Credential == Opaque || pr.tokenLife() <= maxAccess, field+".Liveness",
		"is %v, and a token lives for %v: nothing could end it before, so it must be at most %v; choose %v or %v", LiveExpiry, pr.tokenLife(), maxAccess, LiveLog, LiveStore)
	p.check(pr.Outage <= OutageServe, field+".Outage", "has the unknown value %d", pr.Outage)
	p.check(identifier(pr.Audience), field+".Audience", "must be UTF-8 without control characters, at most %d bytes", maxIdentifier)
	p.check(pr.Jitter >= 0 && pr.Jitter <= 0.5, field+".Jitter", "is %v; it must lie between 0 and 0.5", pr.Jitter)
	p.check(pr.StepUp >= 0, field+".StepUp", "is %v; it must not be negative", pr.StepUp)
	if pr.Recordless {
		pr.validateRecordless(p, field)
		return
	}
	p.check(pr.MaxSessions >= 0, field+".MaxSessions", "is %d; it must not be negative", pr.MaxSessions)
	p.check(pr.AtLimit <= LimitRefuse, field+".AtLimit", "has the unknown value %d", pr.AtLimit)
	if pr.Renewal == Extend || pr.Renewal == Fixed {
		pr.validateSingle(p, field)
		return
	}
	p.check(pr.Access >= time.Second && pr.Access <= maxAccess, field+".Access", "is %v; it must lie between a second and %v", pr.Access, maxAccess)
	pr.validateLifetimes(p, field, "Idle", "Absolute", pr.Idle, pr.Absolute)
	if pr.RememberIdle != 0 || pr.RememberAbsolute != 0 {
		pr.validateLifetimes(p, field, "RememberIdle", "RememberAbsolute", pr.RememberIdle, pr.RememberAbsolute)
	}
	pr.Rotation.validate(p, field+".Rotation")
	p.check(!pr.Rotation.ByAccess || pr.Rotation.Floor <= pr.Access/2, field+".Rotation.Floor",
		"is %v; with ByAccess it must be at most half of Access = %v", pr.Rotation.Floor, pr.Access)
}

// validateAxes names what is not set, what is not built, and what cannot work
// together.
func (pr *Profile) validateAxes(p *problems, field string) {
	axis(p, field+".Credential", pr.Credential, Opaque, JWT, PASETO, Opaque)
	axis(p, field+".Transport", pr.Transport, Bearer, Cookie, Bearer)
	axis(p, field+".Renewal", pr.Renewal, Fixed, Rotate, Extend, Fixed)
	axis(p, field+".Liveness", pr.Liveness, LiveLog, LiveStore, LiveExpiry, LiveLog)
	p.check(pr.Algorithm == "" || slices.Contains(algorithms[pr.Credential], pr.Algorithm), field+".Algorithm",
		"%q does not sign credentials of kind %v", pr.Algorithm, pr.Credential)
	p.check(!pr.Rotation.OneAccessToken || pr.Liveness == LiveStore, field+".Rotation.OneAccessToken",
		"needs liveness %v: no other sees on every request which generation is the newest", LiveStore)
	if pr.Credential == Opaque {
		p.check(pr.Liveness == LiveStore || pr.Liveness == 0, field+".Liveness", "is %v; an opaque token says nothing by itself, so it needs %v", pr.Liveness, LiveStore)
		p.check(pr.Renewal != Rotate, field+".Renewal", "is %v; an opaque token is looked up on every request, so a refresh token gains nothing: choose %v or %v", Rotate, Extend, Fixed)
		p.check(!pr.Recordless, field+".Recordless", "an opaque token says nothing by itself, so it needs a record")
	}
}

// algorithms are those that sign a credential; the first is the default.
var algorithms = map[Credential][]codec.Algorithm{
	JWT:    {codec.HS256, codec.EdDSA, codec.ES256},
	PASETO: {codec.V4Local, codec.V4Public},
	Opaque: {codec.Opaque},
}

// validateRecordless refuses what only a record could give.
func (pr *Profile) validateRecordless(p *problems, field string) {
	p.check(pr.Renewal != Rotate, field+".Renewal", "%v needs a record of which generation is the newest", Rotate)
	p.check(pr.Liveness != LiveStore, field+".Liveness", "%v needs a record to ask for", LiveStore)
	p.check(pr.Outage != OutageCheck, field+".Outage", "%v needs a record to check; choose %v or %v", OutageCheck, OutageDeny, OutageServe)
	p.check(pr.MaxSessions == 0, field+".MaxSessions", "is %d; sessions cannot be counted without records", pr.MaxSessions)
	p.check(pr.RememberIdle == 0 && pr.RememberAbsolute == 0, field+".RememberIdle", "a session without a record is not remembered: use another profile with longer lifetimes")
	if pr.Renewal == Extend || pr.Renewal == Fixed {
		pr.validateSingle(p, field)
	}
}

// validateSingle checks the lifetimes of a profile with one token and no refresh.
func (pr *Profile) validateSingle(p *problems, field string) {
	p.check(pr.Access == 0, field+".Access", "is %v; with renewal %v a token lives for Idle, with %v for Absolute", pr.Access, Extend, Fixed)
	grace := pr.Rotation.Grace
	p.check(pr.Rotation == Rotation{Grace: grace}, field+".Rotation", "nothing rotates with renewal %v; only Grace counts, after a step-up", pr.Renewal)
	p.check(grace >= 0 && grace <= maxGrace && (grace == 0 || pr.Credential == Opaque), field+".Rotation.Grace",
		"is %v; it must lie between 0 and %v, and be 0 but for opaque tokens", grace, maxGrace)
	pr.validateSingleLife(p, field, "Idle", "Absolute", pr.Idle, pr.Absolute)
	if !pr.Recordless && (pr.RememberIdle != 0 || pr.RememberAbsolute != 0) {
		pr.validateSingleLife(p, field, "RememberIdle", "RememberAbsolute", pr.RememberIdle, pr.RememberAbsolute)
	}
}

func (pr *Profile) validateSingleLife(p *problems, field, idleName, absoluteName string, idle, absolute time.Duration) {
	p.check(absolute >= time.Second, field+"."+absoluteName, "is %v; it must be at least a second", absolute)
	if pr.Renewal == Fixed {
		p.check(idle == 0, field+"."+idleName, "is %v; with renewal %v a token lives for %s", idle, Fixed, absoluteName)
		return
	}
	p.check(idle >= 2*time.Second && idle <= absolute, field+"."+idleName, "is %v; it must lie between two seconds and %s = %v", idle, absoluteName, absolute)
}

func axis[T interface {
	~uint8
	fmt.Stringer
}](p *problems, field string, v, last T, built ...T) {
	switch {
	case slices.Contains(built, v):
	case v == 0:
		p.add(field, "is not set")
	case v > last:
		p.add(field, "has the unknown value %d", uint8(v))
	default:
		p.add(field, "%v is not built yet", v)
	}
}

func (pr *Profile) validateLifetimes(p *problems, field, idleName, absoluteName string, idle, absolute time.Duration) {
	p.check(absolute > 0, field+"."+absoluteName, "is %v; it must be positive", absolute)
	p.check(idle > pr.Rotation.Floor+pr.Access, field+"."+idleName,
		"is %v; it must be longer than Rotation.Floor + Access = %v, or a session in use could end as idle", idle, pr.Rotation.Floor+pr.Access)
	p.check(idle <= absolute, field+"."+idleName, "is %v; it must not be longer than %s = %v", idle, absoluteName, absolute)
}

func (r *Rotation) validate(p *problems, field string) {
	p.check(r.Grace >= 0 && r.Grace <= maxGrace, field+".Grace", "is %v; it must lie between 0 and %v", r.Grace, maxGrace)
	p.check(r.Floor <= maxFloor, field+".Floor", "is %v; it must be at most %v", r.Floor, maxFloor)
	p.check(r.Floor >= 2*r.Grace, field+".Floor", "is %v; it must be at least twice Grace = %v", r.Floor, r.Grace)
	p.check(r.Reuse <= ReuseReport, field+".Reuse", "has the unknown value %d", r.Reuse)
	p.check(r.Suspect <= SuspectReport, field+".Suspect", "has the unknown value %d", r.Suspect)
	p.check(r.Unseen <= UnseenGrace, field+".Unseen", "has the unknown value %d", r.Unseen)
	p.check(r.Early <= EarlyRefuse, field+".Early", "has the unknown value %d", r.Early)
	p.check(!r.ByAccess || r.Early == EarlyRefuse, field+".ByAccess", "needs Early to be refuse: a slow answer could put an older token back")
	p.check(r.Ahead <= AheadEnd, field+".Ahead", "has the unknown value %d", r.Ahead)
}

// identifier reports whether s can be a subject, tenant, issuer or level:
// UTF-8 without control characters, not too long. The empty one can.
func identifier(s string) bool {
	if len(s) > maxIdentifier || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return false
		}
	}
	return true
}

// encodeAMR writes authentication methods as a JSON array, or "" for none.
func encodeAMR(methods []string) (string, error) {
	if len(methods) == 0 {
		return "", nil
	}
	for _, m := range methods {
		if m == "" || !identifier(m) {
			return "", fmt.Errorf("%w: the authentication method %q", ErrRequest, m)
		}
	}
	text, err := json.Marshal(methods)
	if err != nil {
		return "", fmt.Errorf("%w: the authentication methods: %w", ErrRequest, err)
	}
	return string(text), nil
}

// decodeAMR reads what encodeAMR wrote.
func decodeAMR(text string) []string {
	if text == "" {
		return nil
	}
	var methods []string
	if json.Unmarshal([]byte(text), &methods) != nil {
		return nil
	}
	return methods
}

package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/remuda-go/remuda/codec"
)

// Never is the value of [Config].Every that leaves rotation to [Ring.Rotate].
const Never time.Duration = -1

// The defaults of a Config.
const (
	day            = 24 * time.Hour
	defaultOverlap = 31 * day
	defaultSettle  = 10 * time.Minute
	defaultEvery   = 30 * day
	defaultPoll    = time.Second

	// clockLeeway is the largest correction of the machine's clock that is followed
	// while a process runs, but after sleep.
	clockLeeway = 30 * time.Second
)

// maxRetiring is how many keys of an algorithm a schedule may have retiring at
// once: each one costs its place in the source and in the tables of codecs.
const maxRetiring = 16

// Config is what a ring is opened with.
type Config struct {
	// Source keeps the ring. Required.
	Source Source
	// Create makes a ring where the source has none.
	Create bool
	// Algorithms are those that [Open] sees to have keys, like [Ring.Ensure]. None
	// means HS256 for a ring that is made, and whatever there is otherwise.
	Algorithms []codec.Algorithm
	// External are keys whose private part is elsewhere.
	External []External
	// Now returns the present time. Nil means time.Now. With the monotonic reading
	// of [time.Now] in it, no key takes over or expires because somebody sets the
	// clock of the machine.
	Now func() time.Time

	// Overlap is how long a key verifies after another has taken over: the longest
	// life of anything made with it, and by how much clocks may differ, and for how
	// long a node may not have heard of it. Zero means 31 days. See also
	// [Ring.NeedOverlap].
	Overlap time.Duration
	// Settle is how long a key must have been published before it takes over in a
	// rotation: until all nodes have read it, by clocks that differ, and nobody
	// holds an older JWKS. Zero means 10 minutes, twice the time that the JWKS may
	// be cached.
	Settle time.Duration
	// Every is how long a key is active before [Ring.Run] rotates it. Zero means 30
	// days; [Never] means never.
	Every time.Duration
	// Poll is how often Run reads the source. Zero means a second. What a node
	// changes is known to all after two polls.
	Poll time.Duration

	// uptime is how tests say for how long the machine has been up.
	uptime func() (time.Duration, bool)
}

// External is a key whose private part is elsewhere, in a KMS or an HSM. It never
// stands in the source; configuration alone rotates it: put the new key beside the
// old one everywhere, then move Active. While an external key of an algorithm is
// active, keys of the ring for it only verify.
type External struct {
	ID        string          // kid: 1 to 64 characters of base64url
	Algorithm codec.Algorithm // ES256, EdDSA or v4.public
	// Signer signs with it. Its public key is an *ecdsa.PublicKey on P-256 or an
	// ed25519.PublicKey. It is safe for concurrent use.
	Signer crypto.Signer
	Active bool // new tokens are signed with it; at most one an algorithm
}

func (e *External) codecKey() codec.Key {
	return codec.Key{ID: e.ID, Algorithm: e.Algorithm, Public: e.Signer.Public(), Signer: e.Signer, Sign: e.Active}
}

func (cfg *Config) setDefaults() {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	for _, d := range []struct {
		of    *time.Duration
		value time.Duration
	}{{&cfg.Overlap, defaultOverlap}, {&cfg.Settle, defaultSettle}, {&cfg.Every, defaultEvery}, {&cfg.Poll, defaultPoll}} {
		if *d.of == 0 {
			*d.of = d.value
		}
	}
}

var externalID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (cfg *Config) validate() error {
	var problems []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf("keyring: "+format, args...))
		}
	}
	check(cfg.Source != nil, "Source is required")
	check(cfg.Poll > 0, "Poll is %v; it must be positive", cfg.Poll)
	check(cfg.Settle >= 2*cfg.Poll, "Settle is %v; it must be at least twice Poll = %v", cfg.Settle, cfg.Poll)
	check(cfg.Overlap > 0, "Overlap is %v; it must be positive", cfg.Overlap)
	check(cfg.Every == Never || cfg.Every >= max(cfg.Settle, cfg.Overlap/maxRetiring),
		"Every is %v; it must be Never, or at least Settle = %v and a %dth of Overlap = %v", cfg.Every, cfg.Settle, maxRetiring, cfg.Overlap)
	ids, active := map[string]bool{}, map[codec.Algorithm]bool{}
	for i := range cfg.External {
		e := &cfg.External[i]
		check(externalID.MatchString(e.ID) && !ids[e.ID], "External[%d].ID %q must be 1 to 64 characters of base64url, once", i, e.ID)
		check(e.proper(), "External[%s] needs a Signer whose public key suits the algorithm %q", e.ID, e.Algorithm)
		check(!e.Active || !active[e.Algorithm], "External[%s]: another key of %s is active", e.ID, e.Algorithm)
		ids[e.ID] = true
		active[e.Algorithm] = active[e.Algorithm] || e.Active
	}
	return errors.Join(problems...)
}

func (e *External) proper() bool {
	if e.Signer == nil {
		return false
	}
	switch public := e.Signer.Public().(type) {
	case *ecdsa.PublicKey:
		return e.Algorithm == codec.ES256 && public.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return (e.Algorithm == codec.EdDSA || e.Algorithm == codec.V4Public) && len(public) == ed25519.PublicKeySize
	}
	return false
}

// isExternal reports whether keys elsewhere sign with an algorithm.
func (cfg *Config) isExternal(alg codec.Algorithm) bool {
	for i := range cfg.External {
		if cfg.External[i].Algorithm == alg && cfg.External[i].Active {
			return true
		}
	}
	return false
}

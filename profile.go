package remuda

import (
	"time"

	"github.com/remuda-go/remuda/codec"
)

// Credential is the first axis of a profile: what a client holds. The zero
// value is not set.
type Credential uint8

// The credentials.
const (
	JWT    Credential = 1 + iota // RFC 7519
	PASETO                       // PASETO version 4
	Opaque                       // a random secret; all there is to know is in the record
)

// Transport is the second axis: how a credential travels. The zero value is not
// set.
type Transport uint8

// The transports.
const (
	Cookie Transport = 1 + iota // set by us, HttpOnly; unsafe requests need a CSRF token
	Bearer                      // kept by the client, sent as Authorization: Bearer (RFC 6750)
)

// Renewal is the third axis: how a session goes on. The zero value is not set.
type Renewal uint8

// The renewals.
const (
	Rotate Renewal = 1 + iota // short access token, rotating refresh token
	Extend                    // one credential that is issued anew while it is used
	Fixed                     // one credential, no renewal
)

// Liveness is the fourth axis: who is asked whether a session still lives. The
// zero value is not set.
type Liveness uint8

// The livenesses.
const (
	LiveStore  Liveness = 1 + iota // the store, on every request: a logout is seen at once
	LiveExpiry                     // nobody: an access token is good until it expires
	// LiveLog: the revocation log, which every node holds in memory: no lookup,
	// and a logout is seen within Config.MaxStaleness, typically milliseconds.
	LiveLog
)

// OutagePolicy says how tokens are judged, with liveness LiveLog, by a node that
// has not heard from the revocation log for longer than Config.MaxStaleness.
// What the node knows to have ended it refuses in any case.
type OutagePolicy uint8

// The outage policies.
const (
	OutageCheck OutagePolicy = 1 + iota // the store is asked on every request
	OutageDeny                          // ErrUnavailable
	// OutageServe accepts until the token expires: for what may be seen by
	// somebody who has signed out.
	OutageServe
)

// ReusePolicy says what happens when a refresh token is used by two parties.
type ReusePolicy uint8

// The reuse policies.
const (
	ReuseEnd    ReusePolicy = iota // the session ends
	ReuseReport                    // shadow mode: events say what would have happened; nothing ends
)

// SuspectPolicy says what happens when the newest generation is recovered late
// again and again, as a thief does who always refreshes first and uses nothing.
type SuspectPolicy uint8

// The suspect policies.
const (
	SuspectEnd    SuspectPolicy = iota // at the eighth time in a row the session ends
	SuspectReport                      // only events
)

// UnseenPolicy says how long a lost answer can be had again.
type UnseenPolicy uint8

// The unseen policies.
const (
	// UnseenReplay: as long as nobody has used the answer. It needs nodes that
	// see every use, which those that verify through a Manager do.
	UnseenReplay UnseenPolicy = iota
	// UnseenGrace: within Grace; later only with the same Idempotency-Key. Set
	// it where access tokens are verified by parties that cannot report a use,
	// or for native clients that keep a key for each generation.
	UnseenGrace
)

// EarlyPolicy says what happens to a refresh before the access token expires.
type EarlyPolicy uint8

// The early-refresh policies.
const (
	EarlyAllow  EarlyPolicy = iota // it is served
	EarlyReport                    // it is served, and an event says so
	// EarlyRefuse: it is refused with ErrRefreshTooEarly. Access, less Jitter, must
	// be at least Config.Leeway and Grace, or next to nothing would be early.
	EarlyRefuse
)

// AheadPolicy says what happens when a client holds a generation that the store
// has lost in a failover.
type AheadPolicy uint8

// The ahead policies.
const (
	AheadForward AheadPolicy = iota // the store catches up with the client
	AheadEnd                        // the session ends
)

// LimitPolicy says what happens to a login at the cap on sessions.
type LimitPolicy uint8

// The limit policies.
const (
	LimitOldestOut LimitPolicy = iota // the oldest session ends
	LimitRefuse                       // the login is refused with ErrSessionLimit
)

// Rotation is the policy of refresh token rotation. Its zero value is the
// strictest but for one thing: an answer that nobody has used can be had again.
// With Unseen set to UnseenGrace too, a refresh token is good exactly once. What
// each rule does is in rotation.go.
type Rotation struct {
	// Grace is for how long after its first use the generation before the
	// newest is still answered with the newest: for parallel tabs. At most 5
	// minutes. Where no client facts are known at most 10 s of it count.
	Grace time.Duration
	// Floor is the youngest age at which a generation is rotated; before, only
	// a fresh access token is issued. At least twice Grace. Where no client
	// facts are known at most 20 s of it count.
	Floor time.Duration

	Reuse   ReusePolicy
	Suspect SuspectPolicy
	Unseen  UnseenPolicy
	Early   EarlyPolicy
	Ahead   AheadPolicy

	// OneAccessToken makes every refresh end the access tokens of the
	// generations before. It needs liveness LiveStore.
	OneAccessToken bool

	// ByAccess issues no refresh token: the access token, once it has expired,
	// is what refreshes. It is for clients that can keep one token only. It needs
	// Early to be EarlyRefuse, so that no older generation is issued any longer
	// when a newer one is, and Floor to be at most half of Access. All access
	// tokens of one generation, such as those issued before it is as old as Floor,
	// count as one; the one issued last says when a refresh is early. Whoever sees
	// an access token can go on from it: give it to nobody but this server. Set it
	// in a profile from the beginning; who has signed in before goes on with both
	// tokens.
	ByAccess bool
}

// Profile is the named policy for one kind of client. Begin with [Web], [API],
// [Classic], [Stateless] or [Local] and change what you need; a [Manager] copies it.
type Profile struct {
	Name string // 1 to 64 characters of a-z, 0-9, - and _

	Credential Credential
	Transport  Transport
	Renewal    Renewal
	Liveness   Liveness

	// Recordless keeps nothing of a session: all there is of it is the token. It
	// needs liveness LiveLog or LiveExpiry and renewal Extend or Fixed. A token
	// then lives for Idle, and with renewal Fixed for Absolute; Access and
	// Rotation are not used, and there is no cap, no list of sessions, no
	// remember-me, and no step-up but by another login. With liveness LiveExpiry,
	// where nothing ends it before, a token that is not rotated lives at most a day.
	Recordless bool

	// Algorithm signs tokens, with a key of the ring. Zero means [codec.HS256]
	// for JWT and [codec.V4Local] for PASETO. Tokens under other algorithms of
	// the same credential are good as long as the ring has their keys.
	Algorithm codec.Algorithm

	// Outage is for liveness LiveLog. Zero means OutageCheck, or OutageDeny where
	// there is no record to check.
	Outage OutagePolicy

	// Audience is the aud claim of access tokens; empty means the issuer.
	Audience string

	// Access is the lifetime of an access token. Each is shorter by a part of
	// up to Jitter, so that clients do not come all at once.
	Access time.Duration
	Jitter float64 // 0 to 0.5

	// Idle is after how long without use a session ends. A use reaches the store
	// within a quarter of it, or a minute, and half a second; until then another
	// node may not know of it.
	Idle     time.Duration
	Absolute time.Duration // a session ends so long after login, whatever happens; at most 3,650 days

	// The same for a login with remember-me. Both zero: not offered.
	RememberIdle     time.Duration
	RememberAbsolute time.Duration

	MaxSessions int // sessions of one subject in this profile; 0 means no cap
	AtLimit     LimitPolicy

	StepUp time.Duration // how old an authentication may be for important actions

	Rotation Rotation
}

const day = 24 * time.Hour

// Web returns the profile for browsers: JWTs in cookies, 12 hours at most, 30
// minutes idle; remembered: 30 days, 14 days idle.
func Web() Profile {
	return Profile{
		Name:       "web",
		Credential: JWT, Transport: Cookie, Renewal: Rotate, Liveness: LiveLog,
		Access: 10 * time.Minute, Jitter: 0.05,
		Idle: 30 * time.Minute, Absolute: 12 * time.Hour,
		RememberIdle: 14 * day, RememberAbsolute: 30 * day,
		MaxSessions: 16, StepUp: 5 * time.Minute,
		Rotation: Rotation{Grace: 30 * time.Second, Floor: time.Minute},
	}
}

// API returns the profile for mobile apps and services: raw JWTs, 30 days at
// most, 14 days idle.
func API() Profile {
	return Profile{
		Name:       "api",
		Credential: JWT, Transport: Bearer, Renewal: Rotate, Liveness: LiveLog,
		Access: 10 * time.Minute, Jitter: 0.05,
		Idle: 14 * day, Absolute: 30 * day,
		MaxSessions: 16, StepUp: 5 * time.Minute,
		Rotation: Rotation{Grace: 30 * time.Second, Floor: time.Minute},
	}
}

// Classic returns the profile of the session id in a cookie: an opaque token that
// is looked up on every request, 12 hours at most, 30 minutes idle; remembered: 30
// days, 14 days idle. It is issued anew at login and step-up, and a logout is seen
// at once.
func Classic() Profile {
	return Profile{
		Name:       "classic",
		Credential: Opaque, Transport: Cookie, Renewal: Extend, Liveness: LiveStore,
		Idle: 30 * time.Minute, Absolute: 12 * time.Hour,
		RememberIdle: 14 * day, RememberAbsolute: 30 * day,
		MaxSessions: 16, StepUp: 5 * time.Minute,
		Rotation: Rotation{Grace: 10 * time.Second},
	}
}

// Stateless returns the profile of self-contained tokens that nobody keeps:
// JWTs in cookies, good for 15 minutes whatever happens. A logout deletes the
// cookie and ends nothing.
func Stateless() Profile {
	return Profile{
		Name:       "stateless",
		Credential: JWT, Transport: Cookie, Renewal: Fixed, Liveness: LiveExpiry, Recordless: true,
		Absolute: 15 * time.Minute, StepUp: 5 * time.Minute,
	}
}

// Local returns the profile of a user id in an encrypted token: v4.local PASETOs
// in cookies, issued anew while they are used, 12 hours at most, 30 minutes
// idle. Nodes share no sessions, and still learn of a logout from the log.
func Local() Profile {
	return Profile{
		Name:       "local",
		Credential: PASETO, Transport: Cookie, Renewal: Extend, Liveness: LiveLog, Recordless: true,
		Idle: 30 * time.Minute, Absolute: 12 * time.Hour, StepUp: 5 * time.Minute,
	}
}

// String returns the name used in configuration and errors.
func (c Credential) String() string { return name(c, "unset", "jwt", "paseto", "opaque") }

// String returns the name used in configuration and errors.
func (t Transport) String() string { return name(t, "unset", "cookie", "bearer") }

// String returns the name used in configuration and errors.
func (r Renewal) String() string { return name(r, "unset", "rotate", "extend", "fixed") }

// String returns the name used in configuration and errors.
func (l Liveness) String() string { return name(l, "unset", "store", "expiry", "log") }

// String returns the name used in configuration and errors.
func (o OutagePolicy) String() string { return name(o, "unset", "check", "deny", "serve") }

func name[T ~uint8](v T, names ...string) string {
	if int(v) < len(names) {
		return names[v]
	}
	return "unknown"
}

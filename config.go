package remuda

import (
	"time"

	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
)

// Config is what a [Manager] is made of. It is passed by value and not looked
// at again.
type Config struct {
	// Store keeps the sessions. Required; there is no default.
	Store store.Store
	// Keys signs tokens and seals what is stored. Required.
	Keys *keyring.Ring
	// Issuer is the iss claim: an absolute URL or another name of at most 255
	// bytes that no other issuer with the same keys has. Required.
	Issuer string
	// Profiles are the kinds of clients. At least one; names are unique. All
	// managers over one store list the same, since from the longest lifetime they
	// know for how long an entry of the revocation log can matter.
	Profiles []Profile
	// ProfileFor returns the name of the profile that a session of a tenant gets in
	// place of the asked one, at [Manager.Start] and [Manager.RedeemHandOff]: a
	// tenant's own lifetimes, caps and policies. Empty, or the asked one, changes
	// nothing. Both have the same transport, and either both or neither are
	// recordless: for anything else nobody is signed in. It is not asked without a
	// tenant. It returns at once, and is safe for concurrent use. Nil changes
	// nothing for anybody.
	ProfileFor func(tenant, profile string) string
	// Events receives what happened. Nil means nobody.
	Events event.Sink
	// Now returns the present time. Nil means time.Now. With the monotonic reading
	// of [time.Now] in it, which UTC, In and Round strip, it changes nothing for a
	// session that somebody sets the clock of the machine.
	Now func() time.Time
	// Leeway is how far the clock of the node that issued a token may be
	// ahead. Zero means 30 seconds. A node whose clock is further from the
	// store's refuses to decide.
	Leeway time.Duration
	// MaxStaleness is how old a node's view of the revocation log may be to judge
	// by, with liveness LiveLog. A session that was ended is refused by every
	// node after that time at the latest. Zero means 2 seconds; at most a minute.
	MaxStaleness time.Duration
	// ClaimsSource is asked for the application's claims whenever an access token
	// is about to be signed after login. Nil means that those of the login stay.
	ClaimsSource ClaimsSource
	// DiscardSessionsOfLostRing binds the store to Keys although its sessions
	// belong to another ring: they all end, since nothing can open them.
	DiscardSessionsOfLostRing bool

	// uptime is how tests say for how long the machine has been up.
	uptime func() (time.Duration, bool)
}

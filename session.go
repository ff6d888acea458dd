package remuda

import (
	"net/netip"
	"time"

	"github.com/remuda-go/remuda/store"
)

// SessionID names a session: 128 random bits. It is not a secret: with it a
// session can be ended by its owner, but not used.
type SessionID = store.ID

// ParseSessionID reads what SessionID.String wrote.
func ParseSessionID(s string) (SessionID, error) { return store.ParseID(s) }

// Client is what is known of the client that sends a request. The zero value
// means that nothing is.
type Client struct {
	UserAgent string     // the header, unread; at most 512 bytes of it are looked at
	Address   netip.Addr // never stored as it is
	RequestID string     // for events
	// Application is the client application's own name and version, at most 64
	// bytes, by which its sessions can be ended: "shop/2.1.0".
	Application string
	// Device and Place are for the user's own list of sessions, at the beginning of one:
	// a name of the device that is better than what Describe finds ("Brave on Linux"),
	// and where it roughly is ("Lisbon"). Each at most 64 bytes; longer ones, and those
	// with control characters, are left out.
	Device, Place string
}

// Describe returns what may be kept of a client: its family and platform for
// people ("Firefox on Linux") and its network ("192.0.2.0/24", a /48 for IPv6).
// Either is empty if it is not known.
func (c Client) Describe() (device, net string) {
	return readFacts(c.UserAgent).String(), network(c.Address)
}

// Session is a session as its holder may see it. It is a copy: changing it
// changes nothing.
type Session struct {
	ID      SessionID
	Subject string // empty for an anonymous session
	Tenant  string
	Profile string
	Gen     uint32 // the generation of the credential that was presented, or the newest

	StartedAt       time.Time
	AuthenticatedAt time.Time // the last time the user proved who they are
	AccessExpires   time.Time // when the presented access token expires; zero in lists

	// Parent is the session that this one was handed over or begun from, or zero; in
	// lists and grants, and wherever somebody acts. See [Manager.RedeemHandOff] and
	// [Manager.Impersonate].
	Parent SessionID

	// Actor is who acts for Subject in this session, and ActorTenant theirs; empty
	// where the subject does so. See [Manager.Impersonate].
	Actor, ActorTenant string
	ActorStartedAt     time.Time // when Parent began

	// Renew says that the token should be exchanged for a new one soon: with
	// renewal Extend, once half of its life is over. See [Manager.Extend].
	Renew bool

	// The remaining fields come from the session's record. Authenticate fills
	// the first three where it read one; otherwise they are zero there.
	LastSeenAt  time.Time
	IdleExpires time.Time
	Expires     time.Time
	Remembered  bool   // in lists and grants
	Device      string // coarse, for people: "Firefox on Linux"; in lists and grants
	Network     string // coarse: "192.0.2.0/24"; in lists and grants
	Place       string // see [Client.Place]; in lists and grants
	Application string // see [Client.Application]; in lists and grants

	ACR string   // authentication context class (RFC 9068 section 2.2.1)
	AMR []string // authentication methods (RFC 8176)

	// Claims are the application's own claims as a JSON object, or empty.
	Claims string

	KeyID string // of the key that made the presented token; empty in lists and grants
}

// Anonymous reports whether the session is nobody's: who holds it has not signed
// in.
func (s *Session) Anonymous() bool { return s.Subject == "" }

// Acting reports whether somebody else than the subject acts in the session.
func (s *Session) Acting() bool { return s.Actor != "" }

// Recent reports whether the user proved who they are within maxAge before now.
// The age of the session does not count, and a refresh does not make it younger.
// Of a session in which somebody acts for the user it is false.
func (s *Session) Recent(now time.Time, maxAge time.Duration) bool {
	return !s.Acting() && now.Sub(s.AuthenticatedAt) <= maxAge
}

// Grant is what a client receives at login, step-up or refresh.
type Grant struct {
	Session       Session
	Access        AccessToken
	AccessExpires time.Time
	// Refresh is zero if no new generation was issued to this client: it keeps
	// the refresh token it has.
	Refresh        RefreshToken
	RefreshExpires time.Time // the absolute end of the session
}

package config

import (
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/web"
	"github.com/remuda-go/remuda/web/limit"
)

// Config is everything that an operator can set. Make one with [Default] or
// [Load].
type Config struct {
	Listen  string   // host:port
	Origins []string // see web.Config
	Issuer  string   // empty: the first origin

	// MetricsListen is the host:port of a listener of its own for /metrics; empty
	// means none.
	MetricsListen string

	Data     string // the folder for the files that follow
	Database string // sessions
	Users    string // users and their password hashes
	KeysFile string // the key ring; made at the first start
	Keys     Secret // the key ring itself, instead of a file
	Refusals string // why requests were refused

	KeysIn     string        // KeysInFile or KeysInDatabase
	KeysMaster Secret        // seals the ring where it is kept; see keyring.ParseMaster
	KeysRotate time.Duration // how long a key signs; zero: until somebody rotates it

	TLS            TLS
	BehindProxy    bool
	TrustedProxies []netip.Prefix

	// Profiles are the kinds of sessions that exist, no two of one name.
	Profiles []Profile
	// WebProfiles and TokenProfiles are those that a client may ask for at login,
	// the first where it asks for none; see web.Config. After Load they are all
	// with that transport, where nothing else is set.
	WebProfiles, TokenProfiles []string
	HandOff                    web.HandOff

	Notices Notices

	// Support are the users who may act for others; Protected those for whom nobody may,
	// besides them.
	Support, Protected []string

	// Places is a file of networks and the names of places; empty: none are known.
	Places string

	Login limit.Config
	Log   Log

	// MaxStaleness is how old a node's view of the revocation log may be.
	MaxStaleness time.Duration
	// Retention is for how long sessions are kept after their end.
	Retention time.Duration
	// RefusalsKept is for how long it is kept why requests were refused; zero: not
	// at all.
	RefusalsKept time.Duration
	// DiscardSessionsOfLostRing signs everybody out where the ring is another
	// one than the database's, instead of refusing to start.
	DiscardSessionsOfLostRing bool
}

// Where the key ring is kept.
const (
	KeysInFile     = "file"
	KeysInDatabase = "database"
)

// Notices says how users are written to when something has happened to their accounts.
// Without Server and Folder they are not.
type Notices struct {
	From     string // the sender's address
	Server   string // host:port of an SMTP server
	Username string
	Password Secret
	Folder   string // where mail is written too, or alone
	// InsecureWithoutTLS sends mail, password and links as they are.
	InsecureWithoutTLS bool
}

// On reports whether users are written to.
func (n *Notices) On() bool { return n.Server != "" || n.Folder != "" }

// TLS names the files of a certificate; both or neither.
type TLS struct {
	Cert, Key string
}

// Log says what is logged, and how.
type Log struct {
	Level  slog.Level
	Format string // "text" or "json"
}

// Secret is a text that prints as "[redacted]".
type Secret struct {
	_ [0]func()
	s string
}

// Reveal returns the text.
func (s Secret) Reveal() string { return s.s }

// IsZero reports whether there is none.
func (s Secret) IsZero() bool { return s.s == "" }

// String hides the text.
func (Secret) String() string { return "[redacted]" }

// GoString hides the text.
func (Secret) GoString() string { return "[redacted]" }

// LogValue hides the text.
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Default returns what applies where nothing is set. Origins have no default.
func Default() Config {
	return Config{
		Listen: "127.0.0.1:8080",
		Data:   "remuda-data",

		Profiles: []Profile{ready("web", "web"), ready("api", "api")},
		Login: limit.Config{
			PerAccount:      limit.Rate{Every: time.Minute, Burst: 5},
			AcrossAddresses: limit.Rate{Every: 20 * time.Second, Burst: 50},
			PerAddress:      limit.Rate{Every: 3 * time.Second, Burst: 20},
		},
		Log:          Log{Level: slog.LevelInfo, Format: "text"},
		MaxStaleness: revocation.DefaultMaxStaleness,
		Retention:    30 * day,
		RefusalsKept: 7 * day,
		KeysIn:       KeysInFile,
		KeysRotate:   30 * day,
	}
}

// Derive fills in what follows from other settings.
func (c *Config) Derive() {
	for _, f := range []struct {
		path *string
		name string
	}{{&c.Database, "sessions.db"}, {&c.Users, "users.db"}, {&c.KeysFile, "keys.json"}, {&c.Refusals, "refusals.db"}} {
		if *f.path == "" {
			*f.path = filepath.Join(c.Data, f.name)
		}
	}
	if c.Issuer == "" && len(c.Origins) > 0 {
		c.Issuer = c.Origins[0]
	}
}

// HasTLS reports whether the server speaks TLS itself.
func (c *Config) HasTLS() bool { return c.TLS.Cert != "" }

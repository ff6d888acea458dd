// Package keyring holds the keys of a Remuda installation: those that sign
// tokens and the roots from which all others are derived.
//
// A ring is kept in a [Source]: a file beside the database (mode 0600), or the
// session store itself, sealed under a master key. All nodes of an installation
// use the same one, and follow it ([Ring.Run]). Whoever has a ring and the
// database can make tokens; either alone yields none.
//
// Each algorithm in use, and the root, has one active key, which makes what is
// new, and one in reserve that every node knows already. What becomes of a key is
// computed from the instants that stand in it (see [State]), so that all nodes
// agree without anybody writing at each change. A rotation makes the reserve
// active; the former key goes on verifying until everything made with it has
// expired. A compromise does the same at once, and the former key is dead.
package keyring

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/internal/steady"
)

// Root stands in the place of an algorithm and names the roots: the keys from
// which those for sealing, CSRF tokens, opaque tokens, cursors and hashes are
// derived.
const Root codec.Algorithm = "root"

// Errors that a caller can tell apart.
var (
	// ErrFixed says that the ring cannot change: it was made by New, Parse,
	// Load or LoadOrCreate. [Open] makes one that can.
	ErrFixed = errors.New("keyring: this ring is fixed; open it from a source to change it")
	// ErrUnknownKey says that the ring has no such key, or none of this
	// algorithm.
	ErrUnknownKey = errors.New("keyring: no such key")
	// ErrInUse says that a key is needed for what is made now or next.
	ErrInUse = errors.New("keyring: the key is in use")
	// ErrNoKey says that there is no key to make something with: all are dead.
	ErrNoKey = errors.New("keyring: no live key")
)

// Ring is a live set of keys: a handle on what its source says. It is safe for
// concurrent use; a copy of it is the same ring.
type Ring struct{ live *live }

// live is what all copies of a ring share.
type live struct {
	cfg     Config
	fixed   bool                     // there is no source
	nowhere bool                     // nor is the ring kept anywhere
	now     atomic.Pointer[snapshot] // never nil

	turn chan struct{} // holds one element while nobody speaks with the source

	clock *steady.Clock // by which keys take over and expire

	mu      sync.Mutex           // guards what follows, and that now is stored in order
	doc     *document            // immutable
	version string               // of doc in the source
	refused map[string]time.Time // by key id, and since when; only ever grows
	overlap time.Duration
	readAt  time.Time // when the source was last read, by Config.Now
	err     error     // of the last attempt
}

// newRing makes a ring of what was read at an instant.
func newRing(cfg Config, doc *document, version string, now time.Time) *Ring {
	l := &live{cfg: cfg, clock: steady.New(cfg.Now, clockLeeway, cfg.uptime), turn: make(chan struct{}, 1), refused: map[string]time.Time{}, overlap: cfg.Overlap, readAt: now}
	l.turn <- struct{}{}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.adopt(doc, version, now)
	return &Ring{l}
}

// fixedRing makes a ring without a source: its keys stay as they are now.
func fixedRing(doc *document, now func() time.Time) *Ring {
	cfg := Config{Now: now}
	cfg.setDefaults()
	r := newRing(cfg, doc, "", now())
	r.live.fixed = true
	return r
}

// New makes a ring of fresh random keys, created at the given time, that is kept
// nowhere: a root, and keys for HS256. It is fixed, but [Ring.Ensure] works.
func New(now time.Time) (*Ring, error) {
	doc, err := newDocument(stamp(now), codec.HS256)
	if err != nil {
		return nil, err
	}
	r := fixedRing(doc, func() time.Time { return now })
	r.live.nowhere = true
	return r, nil
}

// ID names the ring; it stays when keys change. A store is bound to one ring by
// it. It is no secret.
func (r *Ring) ID() string { return r.live.now.Load().doc.id }

// Format hides the keys. (%p of a value that is no pointer goes past it; vet
// finds that.)
func (r Ring) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "keyring.Ring(%s)", r.ID()) }

// LogValue hides the keys.
func (r Ring) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// KeySet returns the keys that sign and verify tokens, for a codec. It is another
// set only when a key is usable that was not, or no longer, or when another key
// signs. It takes no lock and allocates nothing.
func (r *Ring) KeySet() *codec.KeySet { return r.live.now.Load().set }

// Info is what may be told of a key.
type Info struct {
	ID        string          `json:"id"`
	Algorithm codec.Algorithm `json:"algorithm"` // or Root
	State     State           `json:"state"`
	External  bool            `json:"external,omitempty"` // its private part is elsewhere

	Created     time.Time `json:"created,omitzero"`     // when it was published
	Activates   time.Time `json:"activates,omitzero"`   // from when it makes what is new
	Retires     time.Time `json:"retires,omitzero"`     // from when it verifies only
	Expires     time.Time `json:"expires,omitzero"`     // from when it does nothing
	Compromised time.Time `json:"compromised,omitzero"` // when somebody said so

	// Public is the public key of an asymmetric one that is alive: an
	// *ecdsa.PublicKey or an ed25519.PublicKey.
	Public crypto.PublicKey `json:"-"`
}

// List returns the keys as they are at this instant, the external ones last.
// Dead ones stay in the list for a while.
func (r *Ring) List() []Info {
	l := r.live
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.snapshot(l.clock.Now()).infos()
}

// stamp is the form in which instants stand in a ring.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// later returns the later of two instants.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// keyID names a key, in tokens and in front of everything made with it.
type keyID [keyIDSize]byte

const (
	keyIDSize  = 6 // bytes; 8 characters of base64url
	ringIDSize = 16
	secretSize = 32
)

func (id keyID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

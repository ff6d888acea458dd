// Package store is the contract between the session manager and whatever keeps
// sessions: a map, a file, a database.
//
// A driver implements [Store] and nothing more; what else it can do it says by
// implementing [Log], [Items], [Eraser] or [Clock]. It knows records as rows with a version and
// a sealed blob. It never sees a token, a seed or a key, and it makes no
// decision about a session: the manager reads, decides and swaps.
//
// Every promise made here is checked by package storetest, which a driver's own
// test calls once.
package store

import (
	"context"
	"encoding/base64"
	"errors"
	"iter"
	"time"
)

// The errors that a driver returns, alone or wrapped. Anything else means that
// the store failed and that nothing is known of the outcome: not found and
// failed are different answers.
var (
	// ErrNotFound says that there is no such record or item.
	ErrNotFound = errors.New("store: not found")
	// ErrExists says that a record or item with this id is there already.
	ErrExists = errors.New("store: already exists")
	// ErrConflict says that the record or item has another version than the
	// caller's, or that the record has ended. Nothing was changed.
	ErrConflict = errors.New("store: version conflict")
	// ErrCursor says that the log cannot have made the cursor, or no longer has what
	// it stands for: it is another log, or an older copy of it was put back.
	ErrCursor = errors.New("store: not a place in this log")
)

// ID names a session: 128 random bits, never chosen by a client.
type ID [16]byte

// String returns the id as 22 characters of unpadded base64url.
func (id ID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// IsZero reports whether the id is unset.
func (id ID) IsZero() bool { return id == ID{} }

// ParseID reads what [ID.String] wrote, and nothing else: other alphabets,
// padding, line breaks and non-zero trailing bits are refused.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 22 {
		return ID{}, errors.New("store: an id has 22 characters")
	}
	n, err := base64.RawURLEncoding.Strict().Decode(id[:], []byte(s))
	if err != nil || n != len(id) || id.String() != s {
		return ID{}, errors.New("store: an id is base64url")
	}
	return id, nil
}

// Version is what compare-and-swap compares. It is random and never used twice
// for one record, not even after a failover that lost writes: a counter would
// count the same values again and let a swap write over an end.
type Version [16]byte

// Record is one session as a store sees it: the columns that a backend searches
// or touches, and one sealed blob for everything else.
//
// Instants are kept to the microsecond (what is finer is cut off) and returned
// in UTC; the manager passes whole microseconds only. The zero [time.Time] is
// kept as such and lies before every other; every other is later than 1970.
// Strings are valid UTF-8 without NUL, and compared byte for byte. A nil blob
// and an empty one are the same.
type Record struct {
	ID      ID
	Subject string // at most 255 bytes; empty for an anonymous session
	Tenant  string // at most 255 bytes; empty where there are no tenants
	Profile string // at most 64 bytes

	Gen      uint32    // the newest generation issued, from 1
	GenSeen  bool      // a credential of Gen has been presented
	WindowAt time.Time // when the tolerance window of Gen began

	LastSeen    time.Time
	IdleExpires time.Time // never later than Expires
	Expires     time.Time // the absolute end

	EndedAt   time.Time // zero while the session lives; a tombstone once set
	EndReason string    // at most 64 bytes

	Version Version
	Blob    []byte // sealed; at most 64 KiB; the store keeps and returns it unread
}

// Ended reports whether the record is a tombstone.
func (r *Record) Ended() bool { return !r.EndedAt.IsZero() }

// Touch is one batched note that a session was used.
type Touch struct {
	ID  ID
	Gen uint32    // the generation that was presented; 0 if it must not count as seen
	At  time.Time // when it was presented
	// IdleExpires is the idle deadline that this use earns. The zero value says
	// that the use does not count as activity.
	IdleExpires time.Time
	Version     Version // fresh; becomes the record's if the touch changes it
}

// Owner selects the sessions of one subject in one tenant.
type Owner struct {
	Tenant  string
	Subject string
}

// Store keeps session records.
//
// All methods are safe for concurrent use, also by several processes where the
// backend can be shared. Each is atomic: it happens whole or not at all, and
// all operations on one record happen in some single order that respects real
// time (linearizability). A method that returns nil has made its change as
// durable as the backend can (for a file: it is synced); one that returns an
// error other than the sentinels may or may not have made it, and the caller
// reads again. A cancelled context stops the wait; it never leaves half a
// change.
//
// A driver copies what it is given and returns copies: neither side sees later
// changes to the other's byte slices.
type Store interface {
	// Create adds a record. It returns [ErrExists], and changes nothing, if the
	// id is taken, also if by a tombstone.
	Create(ctx context.Context, r Record) error

	// Get returns the record, tombstones included, or [ErrNotFound]. It never
	// returns a state older than the last change acknowledged to anyone, so it
	// never reads from a replica that may lag.
	Get(ctx context.Context, id ID) (Record, error)

	// Update replaces the record r.ID by r if the record in the store has the
	// version was and has not ended. Otherwise nothing changes: [ErrNotFound]
	// if it is gone, [ErrConflict] if it has another version or has ended. A
	// tombstone is final: no method changes it but Sweep, which removes it.
	// r.Version must differ from was; that it does not is an error which is none
	// of the sentinels.
	Update(ctx context.Context, r Record, was Version) error

	// List yields the owner's records in ascending order of id, tombstones
	// included, beginning after the given id (the zero id: from the start).
	// It fetches page by page and holds no lock or connection while the caller
	// looks at a record, so the caller may change records while it ranges. A
	// record that exists throughout is yielded exactly once; one created or
	// removed meanwhile may or may not be. An error is yielded once, as the
	// last pair.
	List(ctx context.Context, o Owner, after ID) iter.Seq2[Record, error]

	// Scan yields all records in ascending order of id, tombstones included,
	// beginning after the given id (the zero id: from the start), with the same
	// promises as List. It is for operators' rare questions about everything.
	Scan(ctx context.Context, after ID) iter.Seq2[Record, error]

	// Touch applies each touch to its record, if it is there, has not ended,
	// and has not expired at touch.At (At < IdleExpires and At < Expires);
	// otherwise that touch does nothing and is no error. A touch never creates
	// a record. It:
	//
	//   - sets GenSeen and moves WindowAt forward to At, if Gen equals the
	//     record's and GenSeen was false;
	//   - moves LastSeen forward to At and IdleExpires forward to the given
	//     one, but never past Expires, if IdleExpires is not zero;
	//   - sets Version to the given one if anything changed.
	//
	// Nothing ever moves backwards. Each touch is atomic; the batch need not
	// be.
	Touch(ctx context.Context, batch []Touch) error

	// Sweep removes at most limit records whose EndedAt, or if they have not
	// ended whose earlier deadline of Expires and IdleExpires, lies before the
	// given instant, and at most limit items whose Expires does. It returns how
	// many records it removed, without the items; fewer than limit means that it
	// is done with the records for now. A limit of 0 removes nothing.
	Sweep(ctx context.Context, before time.Time, limit int) (int, error)

	// Ping reports whether the store can serve now, without changing anything.
	Ping(ctx context.Context) error

	// Close releases what the driver holds. Calls after it fail.
	Close() error
}

// Item is a small thing that is kept by kind and key.
type Item struct {
	Value   []byte // at most 64 KiB
	Expires time.Time
	Version Version
}

// Items is implemented by stores that also keep small things by kind and key:
// the identity of the key ring, one-time tokens, proof ids, the sealed data of
// sessions. Kind and key are at most 255 bytes each. The same promises as for [Store] hold. An item whose
// Expires is not zero and not after now (the now argument, so that time is the
// caller's) counts as absent.
type Items interface {
	// CreateItem adds the item, or returns [ErrExists] and changes nothing.
	CreateItem(ctx context.Context, kind, key string, it Item, now time.Time) error
	// GetItem returns the item or [ErrNotFound].
	GetItem(ctx context.Context, kind, key string, now time.Time) (Item, error)
	// SwapItem replaces the item if it has the version was; otherwise
	// [ErrConflict], or [ErrNotFound] if it is absent.
	SwapItem(ctx context.Context, kind, key string, it Item, was Version, now time.Time) error
	// DeleteItem removes the item if it has the version was, and with the same
	// errors: of several that delete one version exactly one gets nil.
	DeleteItem(ctx context.Context, kind, key string, was Version, now time.Time) error
}

// Eraser is implemented by stores that can forget somebody.
type Eraser interface {
	// Erase removes the records of an owner that have ended, without waiting for
	// [Store.Sweep], and returns how many. Live ones stay, and so may one that ends
	// meanwhile. When it returns nil, neither they nor anything that was removed
	// before is left in what the backend keeps: not in free space, and not in a
	// journal. If it fails they may be removed and something left; to call it again
	// finishes it, also where no record is left.
	Erase(ctx context.Context, o Owner) (int, error)
}

// Clock is implemented by stores whose backend has a clock that all nodes can
// read. Nodes then decide in the store's time, so that a node whose own clock
// is wrong takes nobody for a thief.
type Clock interface {
	// Time returns the backend's present time.
	Time(ctx context.Context) (time.Time, error)
}

package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"
)

// Scope says what an [Entry] is about.
type Scope uint8

// The scopes.
const (
	ScopeSession    Scope = 1 + iota // one session
	ScopeSubject                     // the sessions of one subject in one tenant
	ScopeTenant                      // the sessions of one tenant
	ScopeProfile                     // the sessions of one profile
	ScopeKey                         // all tokens made with one key
	ScopeEverything                  // all sessions
	ScopeChanged                     // ends nothing: what is cached of a subject is out of date
	ScopeSettled                     // ends nothing: entries before need be kept only until Until
)

// String returns the name used in logs.
func (s Scope) String() string {
	names := [...]string{"unset", "session", "subject", "tenant", "profile", "key", "everything", "changed", "settled"}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

// Entry is one thing in the revocation log: that sessions or tokens have ended,
// said to every node. The log can only end; nothing in it restores a session.
//
// Instants are kept to the microsecond and strings are text, as in [Record];
// only the ids in Target are not.
type Entry struct {
	ID ID // names the entry: 128 random bits

	Scope Scope
	// Target is what the scope names: the 16 bytes of a session id, a subject,
	// tenant, profile or key id; at most 255 bytes. Empty for ScopeEverything.
	//
	// For ScopeSettled it is up to [MaxSettled] ids of 16 bytes each: those of
	// sessions, whose entries are meant, or of entries that are wider. What they
	// end has been written into the records, so that only tokens issued before
	// are left to refuse.
	Target string
	Tenant string // of the subject, at most 255 bytes; for ScopeSubject and ScopeChanged

	// For the scopes that are wider than a session: those that began at or after
	// From (zero: since ever) and before Before are dead, all but Except. For
	// ScopeKey Before is not looked at.
	From   time.Time
	Before time.Time
	Except ID

	// Until is when the last token or record that the entry could concern has
	// expired. Afterwards nobody needs the entry.
	Until  time.Time
	At     time.Time // when it was appended, in store time
	Reason string    // at most 64 bytes
}

// MaxSettled is how many ids an entry of [ScopeSettled] holds at most.
const MaxSettled = 255

// Check says why no log takes the entry, or returns nil. Drivers call it before
// they append anything.
func (e *Entry) Check() error {
	switch {
	case e.Scope < ScopeSession || e.Scope > ScopeSettled:
		return fmt.Errorf("store: an entry has the unknown scope %d", e.Scope)
	case !e.targetFits():
		return fmt.Errorf("store: a target of %d bytes does not fit the scope %v", len(e.Target), e.Scope)
	case len(e.Tenant) > 255 || !isText(e.Tenant):
		return errors.New("store: the tenant of an entry is too long or is not text")
	case len(e.Reason) > 64 || !isText(e.Reason):
		return errors.New("store: the reason of an entry is too long or is not text")
	}
	return nil
}

func (e *Entry) targetFits() bool {
	n := len(e.Target)
	switch e.Scope {
	case ScopeSession:
		return n == len(ID{})
	case ScopeSettled:
		return n > 0 && n%len(ID{}) == 0 && n <= MaxSettled*len(ID{})
	case ScopeEverything:
		return n == 0
	default:
		return n <= 255 && isText(e.Target)
	}
}

// isText reports whether every backend can keep s as text.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// Cursor is a place in a log: behind the entries delivered so far. It is the
// driver's own text; the empty one is the beginning. It stays good over restarts
// of a process and of the backend.
type Cursor string

// Batch is what a follower of a log is told at once.
type Batch struct {
	// Entries are those that come next, in the order of the log; none if there
	// is nothing new.
	Entries []Entry
	// Next is the place behind them.
	Next Cursor
	// AsOf is the mark: with this batch the follower has every entry whose
	// Append returned before this instant, on every node. The zero value makes
	// no such claim (more is to come).
	AsOf time.Time
}

// Log is implemented by stores that also keep the revocation log: an ordered,
// durable list to which all nodes append and which all nodes follow.
type Log interface {
	// Append adds the entries in this order, all or none; none if one of them
	// fails [Entry.Check]. When it returns nil they are as durable as the backend
	// can make them, and every follower is delivered them soon. After an error
	// other than of a bad entry they may have been added; to append the same
	// again (with the same ID) is harmless and may leave them in the log twice.
	//
	// A driver that can shortens Until of the entries that an entry of
	// ScopeSettled is about, so that Truncate finds them; Until never grows.
	Append(ctx context.Context, entries ...Entry) error

	// Follow yields what is in the log behind the cursor and then what is
	// appended, without end: every entry, once, in one order that is the same
	// for all followers, without gaps. An entry whose Append returned before
	// that of another was called comes first.
	//
	// It yields soon after an append and at least once every [Heartbeat], with
	// no entries if there are none, so that the follower learns how far it has
	// come. A mark is an instant of now, read before the backend was asked, as
	// it was read (with its monotonic part); marks never go back.
	//
	// An error is yielded once, as the last pair; the follower then calls Follow
	// again with its last cursor. When ctx ends, its error is yielded. Entries
	// removed by Truncate meanwhile may be left out. A cursor that this log
	// cannot have made is [ErrCursor]: to follow from it would leave a gap. So is
	// one that lies ahead of a log which has gone back, also if it does so while
	// it is followed.
	Follow(ctx context.Context, after Cursor, now func() time.Time) iter.Seq2[Batch, error]

	// Truncate removes at most limit entries whose Until lies before the given
	// instant, and returns how many; fewer than limit means that it is done for
	// now. It never removes another, and a follower behind misses no other.
	Truncate(ctx context.Context, before time.Time, limit int) (int, error)
}

// Heartbeat is how often a follower hears from a log in which nothing happens.
const Heartbeat = 250 * time.Millisecond

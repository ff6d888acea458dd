package remuda

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
)

// record is a session as the manager works with it: the columns and the opened
// blob of a [store.Record] together.
type record struct {
	state

	ID      SessionID
	Subject string
	Tenant  string
	Profile string
	Version store.Version

	StartedAt       time.Time
	AuthenticatedAt time.Time
	Remember        bool
	ACR             string
	AMR             string // a JSON array of strings, or empty
	Claims          string // a JSON object, or empty
	Device          string
	Network         string
	Application     string // since bodyVersion 2
	AddressHash     [16]byte

	Parent      SessionID // that it was handed over from, or zero; since bodyVersion 3
	WithParent  bool      // it ends with its parent
	HasChildren bool      // sessions end with it

	// LoginAt is when the user proved who they are before the session began: at
	// StartedAt, or, handed over, earlier. A step-up changes AuthenticatedAt alone.
	LoginAt time.Time // since bodyVersion 4

	// Since bodyVersion 5:
	Place  string
	Actor  actor     // who acts for the subject here
	Acting SessionID // in which the subject of this one acts for another, or zero

	box *keyring.Box // that opened it; nil for a new record
}

// sealKind tells blobs of sessions from other sealed things.
const sealKind = "session"

// bodyVersion is the version of the layout that body writes. openBody reads the
// earlier ones too.
const bodyVersion = 5

// seal makes the row of r.
func (r *record) seal(ring *keyring.Ring) (store.Record, error) {
	if r.box == nil {
		r.box = ring.Box(r.ID)
	}
	blob, err := r.box.Seal(nil, r.body(), sealKind)
	if err != nil {
		return store.Record{}, err
	}
	return store.Record{
		ID: r.ID, Subject: r.Subject, Tenant: r.Tenant, Profile: r.Profile,
		Gen: r.Gen, GenSeen: r.GenSeen, WindowAt: r.WindowAt,
		LastSeen: r.LastSeen, IdleExpires: r.IdleExpires, Expires: r.Expires,
		EndedAt: r.EndedAt, EndReason: string(r.EndReason),
		Version: r.Version, Blob: blob,
	}, nil
}

// openRecord reads a row.
func openRecord(row *store.Record, ring *keyring.Ring) (record, error) {
	r := record{
		ID: row.ID, Subject: row.Subject, Tenant: row.Tenant, Profile: row.Profile, Version: row.Version,
		state: columns(row), box: ring.Box(row.ID),
	}
	body, err := r.box.Open(nil, row.Blob, sealKind)
	if err != nil {
		return record{}, err
	}
	if err := r.openBody(body); err != nil {
		return record{}, err
	}
	return r, nil
}

// openFailed says why a record does not open. One that was sealed under a key that
// is dead never will; another may be of a key that this node is yet to read.
func openFailed(err error) error {
	if errors.Is(err, keyring.ErrDead) {
		return refuse(fmt.Errorf("%w: %w", ErrSessionEnded, err), ReasonSealedDead)
	}
	return unavailable(err)
}

// columns is what can be known of a session without opening its blob.
func columns(row *store.Record) state {
	return state{
		Gen: row.Gen, GenSeen: row.GenSeen, WindowAt: row.WindowAt,
		LastSeen: row.LastSeen, IdleExpires: row.IdleExpires, Expires: row.Expires,
		EndedAt: row.EndedAt, EndReason: EndReason(row.EndReason),
	}
}

// Flags of a body.
const (
	flagKeyOff = 1 << iota
	flagRecovered
	flagRemember
	flagWithParent
	flagHasChildren
	flagsKnown = 1<<iota - 1
)

// remains is what is kept of a session. When it has ended that is what says why its
// tokens are refused, and on which device it was: where, and what the application said
// of its user, go with it.
func (r *record) remains() *record {
	if r.EndedAt.IsZero() {
		return r
	}
	kept := *r
	kept.Claims, kept.Network, kept.Place, kept.Application, kept.AddressHash = "", "", "", "", mark{}
	return &kept
}

// body is what is sealed: fixed fields first, then texts with their lengths, then
// what later versions have added.
func (r *record) body() []byte {
	r = r.remains()
	b := make([]byte, 0, 256)
	b = append(b, bodyVersion, r.flags(), r.Streak, r.Behind)
	b = binary.BigEndian.AppendUint16(b, r.Replays)
	b = append(b, r.Seed[:]...)
	b = append(b, r.Retry[:]...)
	b = append(b, r.Hint[:]...)
	b = append(b, r.AddressHash[:]...)
	for _, t := range []time.Time{r.GenAt, r.AccessExpires, r.StartedAt, r.AuthenticatedAt} {
		b = binary.BigEndian.AppendUint64(b, uint64(t.UnixMicro()))
	}
	for _, text := range []string{r.ACR, r.AMR, r.Claims, r.Device, r.Network, r.Application, r.parent()} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(text))) //nolint:gosec // a record has at most 64 KiB
		b = append(b, text...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(r.LoginAt.UnixMicro()))
	for _, text := range []string{r.Place, r.acting()} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(text))) //nolint:gosec // likewise
		b = append(b, text...)
	}
	return b
}

// acting is who acts for whom, as a text that is empty for nobody.
func (r *record) acting() string {
	if r.Actor == (actor{}) && r.Acting.IsZero() {
		return ""
	}
	b := append([]byte{}, r.Acting[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Actor.started.UnixMicro()))
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Actor.subject))) //nolint:gosec // an identifier
	return string(b) + r.Actor.subject + r.Actor.tenant
}

// setActing reads what acting wrote, and reports whether it could.
func (r *record) setActing(text string) bool {
	const fixed = len(SessionID{}) + 8 + 4
	if len(text) >= fixed {
		copy(r.Acting[:], text)
		r.Actor.started, _ = readTime([]byte(text[len(r.Acting):fixed]))
		n := binary.BigEndian.Uint32([]byte(text[fixed-4:]))
		names := text[fixed:]
		if int64(len(names)) < int64(n) {
			return false
		}
		r.Actor.subject, r.Actor.tenant = names[:n], names[n:]
	}
	return text == r.acting()
}

func (r *record) flags() byte {
	var f byte
	for _, flag := range []struct {
		set bool
		bit byte
	}{{r.KeyOff, flagKeyOff}, {r.Recovered, flagRecovered}, {r.Remember, flagRemember}, {r.WithParent, flagWithParent}, {r.HasChildren, flagHasChildren}} {
		if flag.set {
			f |= flag.bit
		}
	}
	return f
}

// parent is the id of the parent as a text, which is empty where there is none.
func (r *record) parent() string {
	if r.Parent.IsZero() {
		return ""
	}
	return string(r.Parent[:])
}

// setParent reads what parent wrote, and reports whether it could.
func (r *record) setParent(text string) bool {
	copy(r.Parent[:], text)
	return text == r.parent()
}

// bodyFixed is the length of what stands before the texts.
const bodyFixed = 4 + 2 + len(seed{}) + 3*len(mark{}) + 4*8

var errBody = errors.New("remuda: the sealed record has an unknown layout")

// openBody reads what body wrote.
func (r *record) openBody(b []byte) error {
	if len(b) < bodyFixed || b[0] == 0 || b[0] > bodyVersion || b[1]&^flagsKnown != 0 {
		return errBody
	}
	var parent string
	texts := []*string{&r.ACR, &r.AMR, &r.Claims, &r.Device, &r.Network, &r.Application, &parent}
	version := int(b[0])
	texts = texts[:min(len(texts), 4+version)] // each of the first three added one
	r.KeyOff, r.Recovered, r.Remember = b[1]&flagKeyOff != 0, b[1]&flagRecovered != 0, b[1]&flagRemember != 0
	r.WithParent, r.HasChildren = b[1]&flagWithParent != 0, b[1]&flagHasChildren != 0
	r.Streak = b[2]
	r.Behind = b[3]
	r.Replays = binary.BigEndian.Uint16(b[4:])
	b = b[6:]
	for _, dst := range [][]byte{r.Seed[:], r.Retry[:], r.Hint[:], r.AddressHash[:]} {
		b = b[copy(dst, b):]
	}
	for _, t := range []*time.Time{&r.GenAt, &r.AccessExpires, &r.StartedAt, &r.AuthenticatedAt} {
		*t, b = readTime(b)
	}
	var ok bool
	if b, ok = readTexts(b, texts); !ok {
		return errBody
	}
	r.LoginAt = r.StartedAt
	if version >= 4 {
		if len(b) < 8 {
			return errBody
		}
		r.LoginAt, b = readTime(b)
	}
	var acting string
	if version >= 5 {
		if b, ok = readTexts(b, []*string{&r.Place, &acting}); !ok {
			return errBody
		}
	}
	if len(b) != 0 || !r.setParent(parent) || !r.setActing(acting) {
		return errBody
	}
	return nil
}

// readTexts reads texts with their lengths, and returns the rest.
func readTexts(b []byte, texts []*string) ([]byte, bool) {
	for _, text := range texts {
		if len(b) < 4 {
			return nil, false
		}
		n := binary.BigEndian.Uint32(b)
		if int64(len(b)-4) < int64(n) {
			return nil, false
		}
		*text, b = string(b[4:4+n]), b[4+n:]
	}
	return b, true
}

// readTime reads microseconds since 1970 from the first 8 bytes, and returns the
// rest.
func readTime(b []byte) (time.Time, []byte) {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC(), b[8:] //nolint:gosec // written the same way
}

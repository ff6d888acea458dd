package remuda

import (
	"context"
	cryptorand "crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/internal/payload"
	"github.com/remuda-go/remuda/store"
)

// HandOffLife is for how long a hand-off token can be redeemed.
const HandOffLife = time.Minute

// HandOffToken carries a session to another origin: shown once, there, by the
// browser that asked for it. It hides itself as [AccessToken] does.
type HandOffToken struct {
	_    [0]func()
	text *string // a pointer, so that fmt shows an address where it calls no method
}

// Reveal returns the token as it goes over the wire.
func (t HandOffToken) Reveal() string { return reveal(t.text) }

// IsZero reports whether there is no token.
func (t HandOffToken) IsZero() bool { return reveal(t.text) == "" }

// String hides the token.
func (HandOffToken) String() string { return redacted }

// GoString hides the token.
func (HandOffToken) GoString() string { return redacted }

// Format hides the token, whatever the verb.
func (HandOffToken) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the token.
func (HandOffToken) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the token.
func (HandOffToken) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// HandOffStateHash returns what may be told of the state that binds a hand-off to
// one browser: the target keeps the state in a cookie, and the origin that mints
// the token learns its SHA-256 alone, in base64url (the S256 of RFC 7636 section
// 4.2). A state has at least 128 random bits.
func HandOffStateHash(state string) string {
	sum := sha256.Sum256([]byte(state))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// MintHandOffRequest asks for a token that starts a session of the same user on
// another origin.
type MintHandOffRequest struct {
	Session SessionID // that is handed over; one with a record
	// Target is the origin that may redeem the token. Which ones may be named is
	// for the caller to know.
	Target string
	// StateHash is the [HandOffStateHash] of the browser's state.
	StateHash string
	Client    Client
}

// RedeemHandOffRequest exchanges a hand-off token for a session.
type RedeemHandOffRequest struct {
	Token  string
	Target string // the origin at which the token is shown
	State  string // of the browser that shows it; without one nothing is redeemed
	// Profile is that of the new session.
	Profile string
	// EndsWithParent says that the new session ends when the one that was handed
	// over is ended, and at the latest when that one expires. The profile then
	// needs records. That the other one is not used does not count.
	EndsWithParent bool
	// Present is the session that the browser has at the target, or nil. One of
	// the same user is kept, and no other begins, unless ReplaceSame is set. One
	// of somebody else is an error unless ReplaceOther is: set that when the user
	// has said so. An anonymous one is replaced, as at a login.
	Present      *Session
	ReplaceSame  bool
	ReplaceOther bool
	Client       Client
}

// Where a store keeps what has been minted and not redeemed, and the kind under
// which it is sealed.
const handOffKind = "handoff"

// handOff is what is kept of a token that was minted. The key of the item is the
// token's id.
type handOff struct {
	parent SessionID
	secret [sha256.Size]byte // the hash of the token's
	state  [sha256.Size]byte // the hash of the browser's
	minted time.Time
	target string
}

// handOffVersion is the version of the layout that seal writes.
const handOffVersion = 1

func (h *handOff) seal() []byte {
	b := append(make([]byte, 0, 128), handOffVersion)
	b = append(b, h.parent[:]...)
	b = append(b, h.secret[:]...)
	b = append(b, h.state[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.minted.UnixMicro()))
	return append(b, h.target...)
}

// open reads what seal wrote, and reports whether it could.
func (h *handOff) open(b []byte) bool {
	if len(b) < 1+len(h.parent)+len(h.secret)+len(h.state)+8 || b[0] != handOffVersion {
		return false
	}
	b = b[1:]
	for _, dst := range [][]byte{h.parent[:], h.secret[:], h.state[:]} {
		b = b[copy(dst, b):]
	}
	h.minted = time.UnixMicro(int64(binary.BigEndian.Uint64(b))) //nolint:gosec // written the same way
	h.target = string(b[8:])
	return true
}

var errNoItems = fmt.Errorf("%w: a hand-off needs a store that keeps items", ErrRequest)

// MintHandOff returns a token that starts a session of the same user on another
// origin, once, within [HandOffLife], in the browser that has the state. It
// returns [ErrRequest], [ErrActing], the errors of [Manager.Session], or
// [ErrUnavailable].
func (m *Manager) MintHandOff(ctx context.Context, req MintHandOffRequest) (HandOffToken, error) {
	state, ok := payload.Decode(nil, req.StateHash)
	switch {
	case m.items == nil:
		return HandOffToken{}, errNoItems
	case !ok || len(state) != sha256.Size:
		return HandOffToken{}, fmt.Errorf("%w: a hash of the browser's state is 43 characters of base64url", ErrRequest)
	case req.Target == "" || !identifier(req.Target):
		return HandOffToken{}, fmt.Errorf("%w: a target is an origin", ErrRequest)
	}
	now, err := m.clock.trusted()
	if err != nil {
		return HandOffToken{}, err
	}
	parent, err := m.Session(ctx, req.Session)
	if err != nil {
		return HandOffToken{}, err
	}
	if parent.Acting() {
		return HandOffToken{}, ErrActing
	}
	if parent.Anonymous() {
		return HandOffToken{}, fmt.Errorf("%w: there is nobody to hand over", ErrRequest)
	}
	c := m.borrowClaims()
	defer m.claims.Put(c)
	c.Reset()
	c.Type = codec.HandOff
	_, _ = cryptorand.Read(c.Session[:]) // never fails: crypto/rand ends the program instead
	_, _ = cryptorand.Read(c.JTI[:])     // likewise
	signed, err := m.codecs.opaque.Sign(nil, c)
	if err != nil {
		return HandOffToken{}, unavailable(err)
	}
	h := handOff{
		parent: parent.ID, secret: sha256.Sum256(c.JTI[:]), state: [sha256.Size]byte(state),
		minted: now, target: req.Target,
	}
	blob, err := m.ring.Seal(nil, h.seal(), handOffKind, c.Session)
	if err != nil {
		return HandOffToken{}, unavailable(err)
	}
	item := store.Item{Value: blob, Expires: now.Add(HandOffLife), Version: newVersion()}
	if err := m.items.CreateItem(ctx, handOffKind, store.ID(c.Session).String(), item, now); err != nil {
		return HandOffToken{}, unavailable(err)
	}
	m.emit(event.HandOffMinted, &record{ID: parent.ID, Subject: parent.Subject, Tenant: parent.Tenant, Profile: parent.Profile},
		req.Client, now, func(e *event.Event) { e.Target = req.Target })
	token := string(signed)
	return HandOffToken{text: &token}, nil
}

// RedeemHandOff exchanges a hand-off token for a session of the same user, who
// counts as authenticated when and as they were at the other origin. Without an
// access token in the grant the browser keeps the session it has, which is the
// grant's.
//
// It returns [ErrTokenInvalid] for every token that cannot be redeemed here and
// now: forged, spent, too late, of another browser or origin, or of a session that
// has ended; [ErrSignedIn] if somebody else is signed in at the target, and then
// the token can still be redeemed; [ErrRequest]; [ErrSessionLimit]; or
// [ErrUnavailable], after which the token may be spent. Of several that redeem a
// token at once, on whatever nodes, one does.
func (m *Manager) RedeemHandOff(ctx context.Context, req RedeemHandOffRequest) (Grant, error) {
	p := m.profiles[req.Profile]
	switch {
	case m.items == nil:
		return Grant{}, errNoItems
	case p == nil:
		return Grant{}, fmt.Errorf("%w: there is no profile %q", ErrRequest, req.Profile)
	case req.EndsWithParent && p.Recordless:
		return Grant{}, fmt.Errorf("%w: a session without a record cannot end with another", ErrRequest)
	}
	now, err := m.clock.trusted()
	if err != nil {
		return Grant{}, err
	}
	c := m.borrowClaims()
	defer m.claims.Put(c)
	if err := m.codecs.opaque.Verify(c, codec.HandOff, req.Token); err != nil {
		return Grant{}, m.explained(ErrTokenInvalid, c, req.Token, codec.HandOff)
	}
	h, version, err := m.findHandOff(ctx, c, &req, now)
	if err != nil {
		return Grant{}, err
	}
	parent, err := m.Session(ctx, h.parent)
	if err != nil {
		return Grant{}, m.refuseHandOff(err, h, "parent", &req, now)
	}
	there := req.Present != nil && !req.Present.Anonymous()
	same := there && req.Present.Subject == parent.Subject && req.Present.Tenant == parent.Tenant
	if there && !same && !req.ReplaceOther {
		return Grant{}, m.refuseHandOff(ErrSignedIn, h, "present", &req, now)
	}
	// From here on the token is spent.
	if err := m.items.DeleteItem(ctx, handOffKind, store.ID(c.Session).String(), version, now); err != nil {
		return Grant{}, m.refuseHandOff(goneOr(err), h, "gone", &req, now)
	}
	if same && (!req.ReplaceSame || req.Present.ID == parent.ID) {
		m.emitRedeemed(req.Present, &parent, &req, now)
		return Grant{Session: *req.Present, RefreshExpires: req.Present.Expires}, nil
	}
	g, err := m.beginChild(ctx, &parent, &req, now)
	if errors.Is(err, ErrTokenInvalid) {
		return Grant{}, m.refuseHandOff(err, h, "parent", &req, now)
	}
	if err != nil {
		return Grant{}, err
	}
	m.emitRedeemed(&g.Session, &parent, &req, now)
	return g, nil
}

// findHandOff returns what is kept of a genuine token, and its version, if this
// is the origin and the browser that it was minted for.
func (m *Manager) findHandOff(ctx context.Context, c *codec.Claims, req *RedeemHandOffRequest, now time.Time) (*handOff, store.Version, error) {
	h := &handOff{}
	item, err := m.items.GetItem(ctx, handOffKind, store.ID(c.Session).String(), now)
	if err != nil {
		return nil, store.Version{}, m.refuseHandOff(goneOr(err), h, "gone", req, now)
	}
	body, err := m.ring.Open(nil, item.Value, handOffKind, c.Session)
	secret, state := sha256.Sum256(c.JTI[:]), sha256.Sum256([]byte(req.State))
	var refused string
	switch {
	// The time is looked at again, since whoever can write to the store could
	// have prolonged the item.
	case err != nil, !h.open(body), !now.Before(h.minted.Add(HandOffLife)),
		subtle.ConstantTimeCompare(h.secret[:], secret[:]) != 1:
		refused = "gone"
	case h.target != req.Target:
		refused = "target"
	// A browser that has begun nothing has no state, and that has a hash too.
	case req.State == "" || subtle.ConstantTimeCompare(h.state[:], state[:]) != 1:
		refused = "state"
	default:
		return h, item.Version, nil
	}
	return nil, store.Version{}, m.refuseHandOff(ErrTokenInvalid, h, refused, req, now)
}

// goneOr tells a token that is spent from a store that cannot say so.
func goneOr(err error) error {
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
		return ErrTokenInvalid
	}
	return unavailable(err)
}

// beginChild starts the session at the target.
func (m *Manager) beginChild(ctx context.Context, parent *Session, req *RedeemHandOffRequest, now time.Time) (Grant, error) {
	name, err := m.profileFor(parent.Tenant, req.Profile)
	if err != nil {
		return Grant{}, err
	}
	start := StartRequest{
		Profile: name, Subject: parent.Subject, Tenant: parent.Tenant,
		ACR: parent.ACR, AMR: parent.AMR, Client: req.Client,
	}
	if req.Present != nil {
		start.Replaces = req.Present.ID
	}
	p, r, err := m.newRecord(&start, startedAt(now))
	if err != nil {
		return Grant{}, err
	}
	r.Claims, r.AuthenticatedAt, r.LoginAt, r.Parent = parent.Claims, parent.AuthenticatedAt, parent.AuthenticatedAt, parent.ID
	if req.EndsWithParent {
		r.WithParent = true
		r.Expires = earlier(r.Expires, parent.Expires)
		r.IdleExpires = earlier(r.IdleExpires, r.Expires)
		r.AccessExpires = p.accessExpires(r, now)
	}
	g, err := m.begin(ctx, p, r, &start, now)
	if err != nil || !req.EndsWithParent {
		return g, err
	}
	if err := m.adopt(ctx, parent.ID); err != nil {
		return Grant{}, errors.Join(err, m.End(ctx, EndRequest{Session: r.ID, Reason: EndParent, Client: req.Client}))
	}
	return g, nil
}

// adopt notes in a session's record that others end with it. It is noted after
// the child was stored: so an end of the parent that comes later finds the child,
// and one that came earlier is found here.
func (m *Manager) adopt(ctx context.Context, parent SessionID) error {
	_, err := m.change(ctx, parent, func(r *record) (bool, error) {
		if _, over := r.expired(m.clock.now()); over || !r.EndedAt.IsZero() || m.heldDead(r) {
			return false, ErrTokenInvalid
		}
		write := !r.HasChildren
		r.HasChildren = true
		return write, nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return ErrTokenInvalid
	}
	return err
}

// endsWith reports whether sessions end with one that ends for a reason. That it
// was not used, or lived out its time, ends no other: what ends with it expires
// no later anyway.
func endsWith(reason EndReason) bool { return reason != EndIdle && reason != EndExpired }

// endChildren ends the sessions that end with the one of a row, but for except. To
// call it again is harmless.
func (m *Manager) endChildren(ctx context.Context, row *store.Record, except SessionID, client Client) error {
	r, err := openRecord(row, m.ring)
	if err != nil {
		// Whether there are any stands in what cannot be opened.
		r = record{ID: row.ID, Subject: row.Subject, Tenant: row.Tenant, HasChildren: true}
	}
	return m.endChildrenOf(ctx, &r, except, client)
}

// endChildrenOf is endChildren of a record. They are sessions of the same subject, and the
// one in which that acts for another.
// One that is noted in the record meanwhile changes it, so that whoever ends it
// has to look again.
func (m *Manager) endChildrenOf(ctx context.Context, parent *record, except SessionID, client Client) error {
	var failed []error
	if acting := parent.Acting; !acting.IsZero() && acting != except {
		if err := m.end(ctx, EndRequest{Session: acting, Reason: EndParent, Client: client}, except); err != nil {
			failed = append(failed, err)
		}
	}
	if !parent.HasChildren {
		return errors.Join(failed...)
	}
	for row, err := range m.store.List(ctx, store.Owner{Tenant: parent.Tenant, Subject: parent.Subject}, store.ID{}) {
		if err != nil {
			return errors.Join(append(failed, unavailable(err))...)
		}
		r, err := openRecord(&row, m.ring)
		if err != nil || row.Ended() || !r.WithParent || r.Parent != parent.ID || r.ID == except {
			continue
		}
		if err := m.end(ctx, EndRequest{Session: r.ID, Reason: EndParent, Client: client}, except); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (m *Manager) emitRedeemed(s, parent *Session, req *RedeemHandOffRequest, now time.Time) {
	r := &record{ID: s.ID, Subject: s.Subject, Tenant: s.Tenant, Profile: s.Profile}
	m.emit(event.HandOffRedeemed, r, req.Client, now, func(e *event.Event) {
		e.Parent, e.Target = parent.ID.String(), req.Target
	})
}

// refuseHandOff tells why a genuine token is not redeemed, where that is known,
// and returns what its bearer is told.
func (m *Manager) refuseHandOff(err error, h *handOff, why string, req *RedeemHandOffRequest, now time.Time) error {
	if errors.Is(err, ErrUnavailable) {
		return err
	}
	m.emit(event.HandOffRefused, &record{}, req.Client, now, func(e *event.Event) {
		e.Session, e.Reason, e.Target = "", why, req.Target
		if !h.parent.IsZero() {
			e.Parent = h.parent.String()
		}
	})
	if errors.Is(err, ErrSignedIn) {
		return ErrSignedIn
	}
	return refuse(ErrTokenInvalid, handOffReasons[why])
}

// handOffReasons are the reasons for what an event says of a refusal.
var handOffReasons = map[string]Reason{
	"gone": ReasonHandOffGone, "target": ReasonHandOffTarget, "state": ReasonHandOffBrowser, "parent": ReasonHandOffParent,
}

package remuda

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/store"
)

// For how long the link of a notice is good.
const (
	DefaultNoticeLife = 72 * time.Hour
	MaxNoticeLife     = 14 * day
	// NoticePasswordTime is for how long, once somebody has said that it was not them,
	// the same link sets a new password.
	NoticePasswordTime = 15 * time.Minute
)

// noticeLease is for how long one call acts on a notice before another may take over
// from it: longer than it takes, unless the process has died.
const noticeLease = time.Minute

const noticeKind = "notice"

// NoticeToken is what the link of a notice carries: whoever has it may say that it was
// not them. It hides itself as [AccessToken] does.
type NoticeToken struct {
	_    [0]func()
	text *string // a pointer, so that fmt shows an address where it calls no method
}

// Reveal returns the token as it stands in a link.
func (t NoticeToken) Reveal() string { return reveal(t.text) }

// String hides the token.
func (NoticeToken) String() string { return redacted }

// GoString hides the token.
func (NoticeToken) GoString() string { return redacted }

// Format hides the token, whatever the verb.
func (NoticeToken) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the token.
func (NoticeToken) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the token.
func (NoticeToken) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Notice is what a user was told, and may say that it was not them.
type Notice struct {
	Subject string // not empty
	Tenant  string
	Session SessionID  // in which it happened; zero if in none
	Profile string     // of that session; empty where it has a record
	Kind    event.Kind // what happened
	At      time.Time
	Device  string // for people; may be empty
	// Extra is the application's own, at most 1 KiB: what it needs to take something
	// back, such as the address that the notice went to. It is kept sealed.
	Extra string
	// Disowned says that somebody has said already that it was not them.
	Disowned bool
}

// keptNotice is what is kept of one.
type keptNotice struct {
	Notice

	Hash    [sha256.Size]byte // of what only the token has
	Expires time.Time
	Busy    time.Time // until when a call acts on it
	Done    time.Time // when somebody said that it was not them

	id      [16]byte
	version store.Version
}

// MintNoticeRequest asks for the token of a notice.
type MintNoticeRequest struct {
	Notice Notice
	Life   time.Duration // at most MaxNoticeLife; zero means DefaultNoticeLife
}

// MintNotice returns the token for the link of a notice, which lets its holder say once
// that it was not them: see [Manager.DisownNotice]. It returns [ErrRequest] or
// [ErrUnavailable].
func (m *Manager) MintNotice(ctx context.Context, req MintNoticeRequest) (NoticeToken, error) {
	if req.Life == 0 {
		req.Life = DefaultNoticeLife
	}
	switch {
	case m.items == nil:
		return NoticeToken{}, fmt.Errorf("%w: notices need a store that keeps items", ErrRequest)
	case req.Notice.Subject == "" || len(req.Notice.Extra) > 1<<10:
		return NoticeToken{}, fmt.Errorf("%w: a notice has a subject, and at most 1 KiB of the application's own", ErrRequest)
	case req.Life < time.Minute || req.Life > MaxNoticeLife:
		return NoticeToken{}, fmt.Errorf("%w: the link of a notice is good for a minute to %v", ErrRequest, MaxNoticeLife)
	}
	now, err := m.clock.trusted()
	if err != nil {
		return NoticeToken{}, err
	}
	var secret [32]byte         // an id, and what the store does not learn
	_, _ = rand.Read(secret[:]) // never fails: crypto/rand ends the program instead
	text, err := m.ring.SignCursor(noticeKind, secret[:])
	if err != nil {
		return NoticeToken{}, unavailable(err)
	}
	n := keptNotice{Notice: req.Notice, Hash: sha256.Sum256(secret[16:]), Expires: now.Add(req.Life), id: [16]byte(secret[:16])}
	item, err := m.sealNotice(&n)
	if err != nil {
		return NoticeToken{}, err
	}
	if err := m.items.CreateItem(ctx, noticeKind, store.ID(n.id).String(), item, now); err != nil {
		return NoticeToken{}, unavailable(err)
	}
	return NoticeToken{text: &text}, nil
}

func (m *Manager) sealNotice(n *keptNotice) (store.Item, error) {
	body, err := json.Marshal(n)
	if err != nil {
		return store.Item{}, err
	}
	blob, err := m.ring.Seal(nil, body, noticeKind, n.id)
	if err != nil {
		return store.Item{}, unavailable(err)
	}
	return store.Item{Value: blob, Expires: n.Expires, Version: newVersion()}, nil
}

// ReadNotice returns the notice of a token, and changes nothing. It returns
// [ErrTokenInvalid] for every token that is no good: forged, spent, or too late; or
// [ErrUnavailable].
func (m *Manager) ReadNotice(ctx context.Context, token string) (Notice, error) {
	n, err := m.findNotice(ctx, token)
	if err != nil {
		return Notice{}, err
	}
	n.Disowned = !n.Done.IsZero()
	return n.Notice, nil
}

func (m *Manager) findNotice(ctx context.Context, token string) (*keptNotice, error) {
	if m.items == nil {
		return nil, ErrTokenInvalid
	}
	now, err := m.clock.trusted()
	if err != nil {
		return nil, err
	}
	secret, ok := m.ring.OpenCursor(noticeKind, token)
	if !ok || len(secret) != 32 {
		return nil, refuse(ErrTokenInvalid, ReasonMalformed)
	}
	id := [16]byte(secret[:16])
	item, err := m.items.GetItem(ctx, noticeKind, store.ID(id).String(), now)
	if errors.Is(err, store.ErrNotFound) {
		return nil, refuse(ErrTokenInvalid, ReasonNoRecord)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	n := &keptNotice{id: id, version: item.Version}
	body, err := m.ring.Open(nil, item.Value, noticeKind, id)
	if err != nil || json.Unmarshal(body, n) != nil {
		return nil, refuse(ErrTokenInvalid, ReasonSealedDead)
	}
	hash := sha256.Sum256(secret[16:])
	if subtle.ConstantTimeCompare(hash[:], n.Hash[:]) != 1 || !now.Before(n.Expires) {
		return nil, refuse(ErrTokenInvalid, ReasonNoRecord)
	}
	return n, nil
}

// DisownNotice acts on it that something was not the user: it ends the session in
// which it happened and all that were begun from there, and calls do, which takes back
// what is the application's, such as the password. If do fails nothing is used up. Of
// several calls at once, on whatever nodes, one acts; what do does has to bear being
// done again all the same, since a process may die in the middle.
//
// It returns [ErrTokenInvalid], [ErrNoticeDone] where it was said before or is being
// acted on, the error of do, or [ErrUnavailable].
func (m *Manager) DisownNotice(ctx context.Context, token string, client Client, do func(context.Context, Notice) error) error {
	n, err := m.findNotice(ctx, token)
	if err != nil {
		return err
	}
	now := m.clock.now()
	if n.Kind == event.EmailAsked {
		return ErrTokenInvalid // it is for ConfirmNotice
	}
	if !n.Done.IsZero() || now.Before(n.Busy) {
		return ErrNoticeDone
	}
	n.Busy = now.Add(noticeLease)
	if err := m.swapNotice(ctx, n); err != nil {
		return err
	}
	err = m.endBegunFrom(ctx, n, client)
	if err == nil {
		err = do(ctx, n.Notice)
	}
	n.Busy = time.Time{}
	if err == nil {
		n.Done = m.clock.now()
		n.Expires = n.Done.Add(NoticePasswordTime)
	}
	return errors.Join(err, m.swapNotice(context.WithoutCancel(ctx), n))
}

// swapNotice writes a notice as it is now. Who comes second is told that it is done.
func (m *Manager) swapNotice(ctx context.Context, n *keptNotice) error {
	item, err := m.sealNotice(n)
	if err != nil {
		return err
	}
	err = m.items.SwapItem(ctx, noticeKind, store.ID(n.id).String(), item, n.version, m.clock.now())
	switch {
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrNotFound):
		return ErrNoticeDone
	case err != nil:
		return unavailable(err)
	}
	n.version = item.Version
	return nil
}

// endBegunFrom ends the session of a notice, and those that were handed over or begun
// from it.
func (m *Manager) endBegunFrom(ctx context.Context, n *keptNotice, client Client) error {
	if n.Session.IsZero() {
		return nil
	}
	begun := map[SessionID][]SessionID{} // by what they were begun from
	for row, err := range m.store.List(ctx, store.Owner{Tenant: n.Tenant, Subject: n.Subject}, store.ID{}) {
		if err != nil {
			return unavailable(err)
		}
		if r, err := openRecord(&row, m.ring); err == nil && !r.Parent.IsZero() {
			begun[r.Parent] = append(begun[r.Parent], r.ID)
		}
	}
	for ids := []SessionID{n.Session}; len(ids) > 0; {
		id := ids[0]
		ids = append(ids[1:], begun[id]...)
		if err := m.End(ctx, EndRequest{Session: id, Reason: EndDisowned, Client: client}); err != nil {
			return err
		}
	}
	return nil
}

// SpendNotice lets whoever has said that it was not them do one thing more, within
// [NoticePasswordTime]: set a new password. If do fails the token can still be used.
// It returns [ErrTokenInvalid], also where nobody has said so or another call is doing
// it, the error of do, or [ErrUnavailable], after which the token may be spent.
func (m *Manager) SpendNotice(ctx context.Context, token string, do func(context.Context, Notice) error) error {
	n, err := m.findNotice(ctx, token)
	if err != nil {
		return err
	}
	if n.Done.IsZero() {
		return ErrTokenInvalid
	}
	return m.spendNotice(ctx, n, do)
}

// ConfirmNotice lets whoever has the link of a notice of kind [event.EmailAsked] do
// once what was asked for: be written to there. It has to have been asked for in a
// session that lives still, so that what a thief has asked for goes with the thief. If
// do fails the token can still be used.
//
// It returns [ErrTokenInvalid], also where it was confirmed before or is being, the error
// of do, or [ErrUnavailable], after which the token may be spent.
func (m *Manager) ConfirmNotice(ctx context.Context, token string, do func(context.Context, Notice) error) error {
	n, err := m.findNotice(ctx, token)
	if err != nil {
		return err
	}
	if n.Kind != event.EmailAsked {
		return ErrTokenInvalid
	}
	if err := m.askerLives(ctx, n); err != nil {
		return err
	}
	return m.spendNotice(ctx, n, do)
}

// askerLives returns [ErrTokenInvalid] if the session of a notice has ended, or all of
// its user's since then.
func (m *Manager) askerLives(ctx context.Context, n *keptNotice) error {
	var err error
	if p := m.profiles[n.Profile]; p != nil && p.Recordless {
		err = m.notEndedSince(ctx, n)
	} else {
		_, err = m.Session(ctx, n.Session)
	}
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	return refuse(ErrTokenInvalid, ReasonEnded)
}

// notEndedSince asks the store and this node's view of the log about the session of a
// notice, of which there is no record.
func (m *Manager) notEndedSince(ctx context.Context, n *keptNotice) error {
	now := m.clock.now()
	if now.Sub(n.At) >= m.longest { // no entry is kept for longer, and no token lives longer
		return ErrSessionExpired
	}
	t := revocation.Token{Session: n.Session, Subject: n.Subject, Tenant: n.Tenant, Profile: n.Profile, Started: n.At.UnixMilli()}
	if m.revoked != nil && m.revoked.horizon.Revoked(&t) {
		return ErrSessionEnded
	}
	return m.cutOff(ctx, &t, now)
}

// spendNotice does what a notice is for, once.
func (m *Manager) spendNotice(ctx context.Context, n *keptNotice, do func(context.Context, Notice) error) error {
	now := m.clock.now()
	if now.Before(n.Busy) {
		return ErrTokenInvalid
	}
	n.Busy = now.Add(noticeLease)
	if err := m.swapNotice(ctx, n); err != nil {
		return spent(err)
	}
	if err := do(ctx, n.Notice); err != nil {
		n.Busy = time.Time{}
		return errors.Join(err, m.swapNotice(context.WithoutCancel(ctx), n))
	}
	err := m.items.DeleteItem(ctx, noticeKind, store.ID(n.id).String(), n.version, m.clock.now())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return unavailable(err)
	}
	return nil
}

func spent(err error) error {
	if errors.Is(err, ErrNoticeDone) {
		return ErrTokenInvalid
	}
	return err
}

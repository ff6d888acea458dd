package remuda

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/remuda-go/remuda/store"
)

// ContinuationLife is for how long a request that was refused until its user
// proves again who they are can be repeated with its continuation.
const ContinuationLife = 10 * time.Minute

// The purpose under which continuations are signed, and the kind of their items.
const continuationKind = "continuation"

// continuation is what a client is given with the refusal of an important
// request. It is no secret and proves nothing by itself: a step-up has to grant
// it, and from then on it lets this one request of the session through, once.
type continuation struct {
	nonce   [16]byte
	session SessionID // that was refused
	request [sha256.Size]byte
	refused time.Time
}

const continuationSize = 16 + 16 + sha256.Size + 8

func (c *continuation) encode() []byte {
	b := make([]byte, 0, continuationSize)
	b = append(b, c.nonce[:]...)
	b = append(b, c.session[:]...)
	b = append(b, c.request[:]...)
	return binary.BigEndian.AppendUint64(b, uint64(c.refused.UnixMicro()))
}

// decode reads what encode wrote, and reports whether it could.
func (c *continuation) decode(b []byte) bool {
	if len(b) != continuationSize {
		return false
	}
	for _, dst := range [][]byte{c.nonce[:], c.session[:], c.request[:]} {
		b = b[copy(dst, b):]
	}
	c.refused, _ = readTime(b)
	return true
}

// key names the item that says whether a step-up has granted the continuation,
// and to which session.
func (c *continuation) key() string { return base64.RawURLEncoding.EncodeToString(c.nonce[:]) }

// What an item says, before the id of the session that it was granted to.
const (
	continuationGranted = 1 + iota
	continuationUsed
)

// NewContinuation returns a text with which a request that is refused until the
// user proves again who they are can be repeated, exactly once, after a step-up
// that names it. request is a SHA-256 of all that makes up the request. Nothing
// is stored. It returns [ErrUnavailable].
func (m *Manager) NewContinuation(session SessionID, request [sha256.Size]byte) (string, error) {
	if m.items == nil {
		return "", fmt.Errorf("%w: a continuation needs a store that keeps items", ErrUnavailable)
	}
	now, err := m.clock.trusted()
	if err != nil {
		return "", err
	}
	c := continuation{session: session, request: request, refused: now}
	_, _ = rand.Read(c.nonce[:]) // never fails: crypto/rand ends the program instead
	text, err := m.ring.SignCursor(continuationKind, c.encode())
	if err != nil {
		return "", unavailable(err)
	}
	return text, nil
}

// CheckContinuation reports whether a step-up of this session could grant the
// continuation: nil, or [ErrContinuation], or [ErrUnavailable].
func (m *Manager) CheckContinuation(token string, session SessionID) error {
	_, err := m.openContinuation(token, session)
	return err
}

// GrantContinuation notes that the user of the session from has proved again who
// they are, for the sake of the request that the continuation stands for. The
// session to, which is from where it was kept, may then repeat that request. To
// call it again changes nothing. It returns [ErrContinuation] for one that is not
// of that session or too old, or [ErrUnavailable].
func (m *Manager) GrantContinuation(ctx context.Context, token string, from, to SessionID) error {
	c, err := m.openContinuation(token, from)
	if err != nil {
		return err
	}
	item := store.Item{
		Value:   append([]byte{continuationGranted}, to[:]...),
		Expires: c.refused.Add(ContinuationLife + m.leeway), Version: newVersion(),
	}
	err = m.items.CreateItem(ctx, continuationKind, c.key(), item, m.clock.now())
	if err != nil && !errors.Is(err, store.ErrExists) {
		return unavailable(err)
	}
	return nil
}

// UseContinuation lets the request that the continuation stands for through, once:
// of several at once, on whatever nodes, one gets nil. It returns
// [ErrContinuationUsed]; [ErrContinuation] for one of another session or request,
// too old, or not granted; or [ErrUnavailable], after which it may be used up.
func (m *Manager) UseContinuation(ctx context.Context, token string, session SessionID, request [sha256.Size]byte) error {
	c, err := m.openContinuation(token, SessionID{})
	if err != nil {
		return err
	}
	if c.request != request {
		return refuse(ErrContinuation, ReasonContinuationRequest)
	}
	now := m.clock.now()
	item, err := m.items.GetItem(ctx, continuationKind, c.key(), now)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return refuse(ErrContinuation, ReasonContinuationUngranted)
	case err != nil:
		return unavailable(err)
	case len(item.Value) != 1+len(session) || SessionID(item.Value[1:]) != session:
		return refuse(ErrContinuation, ReasonContinuationSession, slog.String("session", session.String()))
	case item.Value[0] != continuationGranted:
		return ErrContinuationUsed
	}
	was := item.Version
	item.Version, item.Value[0] = newVersion(), continuationUsed
	err = m.items.SwapItem(ctx, continuationKind, c.key(), item, was, now)
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return ErrContinuationUsed
	}
	if err != nil {
		return unavailable(err)
	}
	return nil
}

// openContinuation reads a continuation of ours that is not too old. The zero
// session stands for any.
func (m *Manager) openContinuation(token string, session SessionID) (continuation, error) {
	var c continuation
	if m.items == nil {
		return c, fmt.Errorf("%w: a continuation needs a store that keeps items", ErrUnavailable)
	}
	now, err := m.clock.trusted()
	if err != nil {
		return c, err
	}
	b, ok := m.ring.OpenCursor(continuationKind, token)
	switch {
	case !ok || !c.decode(b):
		return c, refuse(ErrContinuation, ReasonContinuationForm)
	case !session.IsZero() && c.session != session:
		return c, refuse(ErrContinuation, ReasonContinuationSession, slog.String("session", session.String()))
	case now.Sub(c.refused) >= ContinuationLife || c.refused.Sub(now) > m.leeway:
		return c, refuse(ErrContinuation, ReasonContinuationOld, slog.Time("refused", c.refused), slog.Duration("by", now.Sub(c.refused)-ContinuationLife))
	}
	return c, nil
}

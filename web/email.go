package web

import (
	"context"
	"net/http"
	"net/mail"
	"strings"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/event"
)

// EmailChanger keeps where users are written to. It is the application's.
// Implementations are safe for concurrent use.
type EmailChanger interface {
	// ConfirmEmail writes to a new address of a user, who has just proved who they are,
	// with a link that whoever reads mail there opens to confirm it: the handler's
	// prefix, "/notice/" and the token. It returns a [*ThrottledError] where that has been
	// asked for too often, or another error if it could not be sent.
	ConfirmEmail(ctx context.Context, subject, tenant, email string, token remuda.NoticeToken) error
	// ChangeEmail makes a confirmed address the user's. The one before it has to get
	// the notices too, for [remuda.DefaultNoticeLife], and Disown puts it back. It may be
	// called again.
	ChangeEmail(ctx context.Context, subject, tenant, email string) error
}

// emailLife is for how long a new address can be confirmed.
const emailLife = 24 * time.Hour

// maxEmail is the longest address, in bytes (RFC 5321 section 4.5.3.1.3).
const maxEmail = 254

// emailBody is what a change of address sends.
type emailBody struct {
	Password string `json:"password"`
	Email    string `json:"email"`
}

// changeEmail asks for the password again, as a step-up does, and writes to the new
// address. Nothing changes until somebody there confirms it: see confirmEmail.
func (h *Handler) changeEmail(w http.ResponseWriter, r *http.Request) error {
	s, transport, err := h.signedInSelf(r)
	if err != nil {
		return err
	}
	var body emailBody
	if err := ReadJSON(w, r, &body); err != nil {
		return err
	}
	if !ValidEmail(body.Email) {
		return problem(CodeRequestInvalid, "email is no address like alice@example.com.")
	}
	client, began := h.client(r), h.manager.Now()
	who, err := h.askAgain(r, s, body.Password, client)
	if err != nil {
		return err
	}
	g, err := h.authenticatedAgain(r, s, &who, began, client)
	if err != nil {
		return err
	}
	if err := h.askAddress(r, &g.Session, body.Email, client); err != nil {
		return err
	}
	return h.answerGrant(w, h.names(r), &g, transport)
}

// askAddress writes to a new address.
func (h *Handler) askAddress(r *http.Request, s *remuda.Session, email string, client remuda.Client) error {
	token, err := h.manager.MintNotice(r.Context(), remuda.MintNoticeRequest{Life: emailLife, Notice: remuda.Notice{
		Subject: s.Subject, Tenant: s.Tenant, Session: s.ID, Profile: s.Profile,
		Kind: event.EmailAsked, At: h.manager.Now(), Extra: email,
	}})
	if err != nil {
		return err
	}
	if err := h.emails.ConfirmEmail(r.Context(), s.Subject, s.Tenant, email, token); err != nil {
		return notStored(err)
	}
	h.emit(event.Event{Kind: event.EmailAsked, Subject: s.Subject, Tenant: s.Tenant, Session: s.ID.String(), Profile: s.Profile}, client)
	return nil
}

// confirmEmail makes an address the user's, and ends all sessions but the one in which
// it was asked for: whoever got into the others is out.
func (h *Handler) confirmEmail(r *http.Request, token string) error {
	client := h.client(r)
	return h.manager.ConfirmNotice(r.Context(), token, func(ctx context.Context, n remuda.Notice) error {
		if err := h.emails.ChangeEmail(ctx, n.Subject, n.Tenant, n.Extra); err != nil {
			return err
		}
		_, err := h.manager.EndAll(ctx, remuda.EndAllRequest{
			Subject: n.Subject, Tenant: n.Tenant, Except: n.Session, Reason: remuda.EndEmailChanged, Client: client,
		})
		if err == nil {
			h.emit(event.Event{Kind: event.EmailChanged, Subject: n.Subject, Tenant: n.Tenant, Session: n.Session.String(), Profile: n.Profile}, client)
		}
		return err
	})
}

// ValidEmail reports whether a text is a bare address, as in alice@example.com (the
// addr-spec of RFC 5322 section 3.4.1), of at most 254 bytes. It says nothing of whether
// anybody reads mail there.
func ValidEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && len(s) <= maxEmail && !strings.ContainsAny(s, "\r\n\x00")
}

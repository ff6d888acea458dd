package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/event"
)

// PasswordChanger stores new passwords. It is the application's; package
// server/internal/directory has one. Implementations are safe for concurrent use
// and never log the password.
type PasswordChanger interface {
	// ChangePassword replaces the password of a user, who has just proved the old
	// one. It returns a [*PasswordError] for one that it does not take, or another
	// error if it could not be stored.
	ChangePassword(ctx context.Context, subject, tenant, password string) error
}

// PasswordError says why a new password is not taken, in a sentence for whoever
// chose it.
type PasswordError struct {
	Reason string
}

// Error implements error.
func (e *PasswordError) Error() string { return "web: password refused: " + e.Reason }

// passwordBody is what a change of password sends.
type passwordBody struct {
	Password string `json:"password"`
	New      string `json:"new_password"`
}

// changePassword changes the password, ends all other sessions of the user, and
// gives this one new tokens. A client that gets no answer sends it again, with the
// new password in both places if the old one is refused by then.
func (h *Handler) changePassword(w http.ResponseWriter, r *http.Request) error {
	s, transport, err := h.signedInSelf(r)
	if err != nil {
		return err
	}
	var body passwordBody
	if err := ReadJSON(w, r, &body); err != nil {
		return err
	}
	if body.New == "" {
		return problem(CodeRequestInvalid, "new_password is required.")
	}
	client := h.client(r)
	who, err := h.askAgain(r, s, body.Password, client)
	if err != nil {
		return err
	}
	err = h.passwords.ChangePassword(r.Context(), s.Subject, s.Tenant, body.New)
	if refused, ok := errors.AsType[*PasswordError](err); ok {
		return &Problem{Code: CodeRequestInvalid, Detail: refused.Reason}
	}
	if err != nil {
		return notStored(err)
	}
	h.emit(event.Event{
		Kind: event.PasswordChanged, Subject: s.Subject, Tenant: s.Tenant, Session: s.ID.String(), Profile: s.Profile,
	}, client)
	g, err := h.credentialsChanged(r, s, &who, client)
	if err != nil {
		return err
	}
	return h.answerGrant(w, h.names(r), &g, transport)
}

// notStored keeps what could not be stored apart from what was refused.
func notStored(err error) error {
	if _, throttled := errors.AsType[*ThrottledError](err); throttled {
		return err
	}
	return &remuda.RefusalError{Err: errors.Join(remuda.ErrUnavailable, err), Reason: ReasonAuthenticator}
}

// credentialsChanged ends the others and keeps this session, but for one without a
// record: that ends too, and another takes its place.
func (h *Handler) credentialsChanged(r *http.Request, s *remuda.Session, who *Identity, client remuda.Client) (remuda.Grant, error) {
	if p, _ := h.manager.Profile(s.Profile); p.Recordless {
		_, err := h.manager.EndAll(r.Context(), remuda.EndAllRequest{
			Subject: s.Subject, Tenant: s.Tenant, Reason: remuda.EndPasswordChanged, Client: client,
		})
		if err != nil {
			return remuda.Grant{}, err
		}
		return h.authenticatedAgain(r, s, who, time.Time{}, client) // after the others have ended
	}
	g, _, err := h.manager.CredentialsChanged(r.Context(), remuda.CredentialsChangedRequest{
		Session: s.ID, ACR: who.ACR, AMR: who.AMR, Client: client,
	})
	return g, err
}

package web

import (
	"errors"
	"net/http"

	"github.com/remuda-go/remuda"
)

// session says who is signed in and until when. It is no sign of activity.
func (h *Handler) session(w http.ResponseWriter, r *http.Request) error {
	s, _, err := h.authenticate(r, Rule{Passive: true})
	if err != nil {
		return err
	}
	if p, _ := h.manager.Profile(s.Profile); p.Recordless {
		return writeJSON(w, newSessionJSON(s, s.ID))
	}
	full, err := h.manager.Session(r.Context(), s.ID)
	if err != nil {
		return err
	}
	return writeJSON(w, newSessionJSON(&full, s.ID))
}

// csrfToken gives a fresh CSRF token to whoever holds either cookie of a live
// session: a second window, or a page that was loaded anew.
func (h *Handler) csrfToken(w http.ResponseWriter, r *http.Request) error {
	id, err := h.cookieSession(r)
	if err != nil {
		return err
	}
	if err := checkSwitched(r, id); err != nil {
		return err
	}
	if err := h.lives(r, id); err != nil {
		return err
	}
	token, err := h.keys.NewCSRF(id)
	if err != nil {
		return err
	}
	return writeJSON(w, struct {
		CSRF string `json:"csrf_token"`
	}{token})
}

// lives returns why the session of a request's cookies is over, or nil. Of one
// without a record only its token can tell.
func (h *Handler) lives(r *http.Request, id remuda.SessionID) error {
	_, err := h.manager.Session(r.Context(), id)
	values := h.cookies.sessionValues(r.Header)
	if !errors.Is(err, remuda.ErrTokenInvalid) || len(values) == 0 {
		return err
	}
	_, err = pick(h.cookies.session, values, func(token string) (*remuda.Session, error) {
		s, err := h.manager.Authenticate(r.Context(), remuda.AuthenticateRequest{Token: token, Transport: remuda.Cookie, Passive: true})
		if err == nil && s.ID != id {
			err = &remuda.RefusalError{Err: remuda.ErrTokenInvalid, Reason: remuda.ReasonRecordDiffers}
		}
		return s, err
	})
	if errors.Is(err, remuda.ErrTokenExpired) {
		err = as(remuda.ErrSessionExpired, err) // there is nothing that could be refreshed
	}
	return err
}

// maxListed is how many sessions one answer lists.
const maxListed = 100

// sessionsAnswer is one page of a list. Next is where the next page begins, as
// ?after=, or null.
type sessionsAnswer struct {
	Sessions []sessionJSON `json:"sessions"`
	Next     *string       `json:"next"`
}

// sessions lists the live sessions of the subject: my devices.
func (h *Handler) sessions(w http.ResponseWriter, r *http.Request) error {
	s, err := h.Check(r, Rule{Passive: true})
	if err != nil {
		return err
	}
	req := remuda.SessionsRequest{Subject: s.Subject, Tenant: s.Tenant}
	if after := r.URL.Query().Get("after"); after != "" {
		if req.After, err = remuda.ParseSessionID(after); err != nil {
			return problem(CodeRequestInvalid, "after is not a session id.")
		}
	}
	answer := sessionsAnswer{Sessions: []sessionJSON{}}
	for other, err := range h.manager.Sessions(r.Context(), req) {
		if err != nil {
			return err
		}
		if n := len(answer.Sessions); n == maxListed {
			answer.Next = &answer.Sessions[n-1].ID
			break
		}
		answer.Sessions = append(answer.Sessions, newSessionJSON(&other, s.ID))
	}
	return writeJSON(w, answer)
}

// endSession ends one session of the same subject. One of somebody else's is not
// found, like one that does not exist.
func (h *Handler) endSession(w http.ResponseWriter, r *http.Request) error {
	s, _, err := h.recent(r)
	if err != nil {
		return err
	}
	id, err := remuda.ParseSessionID(r.PathValue("id"))
	if err != nil {
		return &Problem{Code: CodeNotFound}
	}
	other, err := h.manager.Session(r.Context(), id)
	switch {
	case errors.Is(err, remuda.ErrUnavailable):
		return err
	case err != nil || other.Subject != s.Subject || other.Tenant != s.Tenant:
		return &Problem{Code: CodeNotFound}
	}
	if err := h.end(r, id); err != nil {
		return err
	}
	return noContent(w)
}

package web

import (
	"errors"
	"net/http"

	"github.com/remuda-go/remuda"
)

// tokenBody carries a refresh token.
type tokenBody struct {
	RefreshToken string `json:"refresh_token"`
}

var errTwoTokens = &Problem{Code: CodeRequestInvalid, Detail: "Send one refresh token, in one place."}

// webRefresh exchanges the refresh cookie or, in a session without a record, the
// only one.
func (h *Handler) webRefresh(w http.ResponseWriter, r *http.Request) error {
	if err := h.checkOrigin(r); err != nil {
		return err
	}
	if _, ok, _ := bearer(r); ok {
		return errTwoTokens
	}
	var body struct{}
	if err := readOptionalJSON(w, r, &body); err != nil {
		return err
	}
	if id, err := h.cookieSession(r); err == nil {
		if err := checkSwitched(r, id); err != nil {
			return err
		}
	}
	name := h.names(r).refresh
	values := cookieValues(r.Header, name)
	if len(values) == 0 {
		return h.webExtend(w, r)
	}
	token, err := h.ownCookie(r, name, values)
	if err != nil {
		return err
	}
	return shown(name, h.refresh(w, r, token, remuda.Cookie))
}

// webExtend exchanges the only cookie of a session that has one. To others a
// refresh cookie is missing.
func (h *Handler) webExtend(w http.ResponseWriter, r *http.Request) error {
	values := h.cookies.sessionValues(r.Header)
	if len(values) == 0 {
		return h.missing(r)
	}
	token, err := h.ownCookie(r, h.cookies.session, values)
	if err != nil {
		return err
	}
	err = shown(h.cookies.session, h.refresh(w, r, token, remuda.Cookie))
	if errors.Is(err, remuda.ErrTokenInvalid) {
		return &Problem{Code: CodeTokenMissing, because: err}
	}
	return err
}

// extend exchanges the only token of a session. If that has expired, so has the
// session: a client that was told to refresh comes here, and is told to log in.
func (h *Handler) extend(r *http.Request, token string, t remuda.Transport) (remuda.Grant, error) {
	g, err := h.manager.Extend(r.Context(), remuda.ExtendRequest{Token: token, Transport: t, Client: h.client(r)})
	if errors.Is(err, remuda.ErrTokenExpired) {
		err = as(remuda.ErrSessionExpired, err)
	}
	if errors.Is(err, remuda.ErrRequest) {
		err = problem(CodeRequestInvalid, "A session of this kind is not renewed: it ends at expires_at.")
	}
	return g, err
}

// ownCookie returns the one value that is a token of ours, if the request has the
// CSRF token of its session.
func (h *Handler) ownCookie(r *http.Request, name string, values []string) (string, error) {
	type found struct {
		token string
		id    remuda.SessionID
	}
	f, err := pick(name, values, func(v string) (found, error) {
		id, err := h.manager.Identify(v, remuda.Cookie)
		return found{token: v, id: id}, err
	})
	if err == nil {
		err = h.checkCSRF(r, f.id)
	}
	return f.token, err
}

// tokenRefresh exchanges a refresh token from the header or the body. Cookies do
// not count.
func (h *Handler) tokenRefresh(w http.ResponseWriter, r *http.Request) error {
	token, where, err := presented(w, r)
	if err != nil {
		return err
	}
	return shown(where, h.refresh(w, r, token, remuda.Bearer))
}

// presented returns the token in the header or in the body, not both, and which.
func presented(w http.ResponseWriter, r *http.Request) (token, where string, err error) {
	token, ok, err := bearer(r)
	if err != nil {
		return "", "", err
	}
	var body tokenBody
	if err := readOptionalJSON(w, r, &body); err != nil {
		return "", "", err
	}
	switch {
	case ok && body.RefreshToken != "":
		return "", "", errTwoTokens
	case ok:
		return token, "bearer", nil
	case body.RefreshToken != "":
		return body.RefreshToken, "body", nil
	default:
		return "", "", (&Problem{Code: CodeTokenMissing}).refuse(ReasonNoCredential)
	}
}

func (h *Handler) refresh(w http.ResponseWriter, r *http.Request, token string, t remuda.Transport) error {
	key, err := retryKey(r)
	if err != nil {
		return err
	}
	client := h.client(r)
	g, err := h.manager.Refresh(r.Context(), remuda.RefreshRequest{Token: token, Transport: t, RetryKey: key, Client: client})
	if errors.Is(err, remuda.ErrTokenInvalid) {
		first := err
		if g, err = h.extend(r, token, t); err != nil {
			err = inEitherWay(err, first)
		}
	}
	if err != nil {
		return err
	}
	return h.answerGrant(w, h.names(r), &g, t)
}

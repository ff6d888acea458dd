package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/remuda-go/remuda"
)

// Impersonators decides who may act for whom: support for a customer, to see what
// they see. It is the application's. Implementations are safe for concurrent use.
type Impersonators interface {
	// MayImpersonate returns who the subject of a tenant is, if the user of a
	// session may act for them. It returns [ErrImpersonationRefused] if not, for
	// subjects that must never be acted for too, and for unknown ones; or another
	// error if it could not find out. Of the identity ACR and AMR do not count.
	MayImpersonate(ctx context.Context, actor *remuda.Session, subject, tenant string) (Identity, error)
}

// ErrImpersonationRefused is the one answer to whoever may not act for a subject,
// and for a subject that does not exist.
var ErrImpersonationRefused = errors.New("web: impersonation refused")

// impersonateBody is what whoever wants to act for somebody sends.
type impersonateBody struct {
	Subject   string `json:"subject"`
	Tenant    string `json:"tenant"`
	ExpiresIn int64  `json:"expires_in"` // seconds; 0 means the usual time
}

// impersonate begins a session in which the user of this one acts for another. A
// browser keeps the credential of its own session under another name meanwhile.
func (h *Handler) impersonate(w http.ResponseWriter, r *http.Request) error {
	s, transport, err := h.recent(r)
	if err != nil {
		return err
	}
	if transport == remuda.Cookie && len(h.cookies.sessionValues(r.Header)) > 1 {
		return remuda.ErrTokenInvalid // which one would be kept?
	}
	var body impersonateBody
	if err := ReadJSON(w, r, &body); err != nil {
		return err
	}
	if body.Subject == "" || body.ExpiresIn < 0 || body.ExpiresIn > int64(remuda.MaxImpersonation/time.Second) {
		return problem(CodeRequestInvalid, "subject is required, and expires_in is at most %d seconds.", remuda.MaxImpersonation/time.Second)
	}
	who, err := h.impersonators.MayImpersonate(r.Context(), s, body.Subject, body.Tenant)
	switch {
	case errors.Is(err, ErrImpersonationRefused):
		return err
	case err != nil:
		return errors.Join(remuda.ErrUnavailable, err)
	case who.Subject != body.Subject || who.Tenant != body.Tenant:
		return ErrImpersonationRefused
	}
	g, err := h.manager.Impersonate(r.Context(), remuda.ImpersonateRequest{
		Session: s.ID, Subject: who.Subject, Tenant: who.Tenant, Claims: who.Claims,
		For: time.Duration(body.ExpiresIn) * time.Second, Client: h.newClient(r),
	})
	if err != nil {
		return err
	}
	n := h.names(r)
	if transport == remuda.Cookie {
		own, err := h.manager.Session(r.Context(), s.ID)
		if err != nil {
			return err
		}
		n.park(w, r, &own, h.manager.Now())
		n.leave(w, r, &g)
	}
	return h.answerGrant(w, n, &g, transport)
}

// impersonator says whose session the browser has kept, with a CSRF token of that
// for going back to it.
func (h *Handler) impersonator(w http.ResponseWriter, r *http.Request) error {
	own, err := h.parked(r)
	if err != nil {
		return err
	}
	return h.answerOwn(w, own)
}

// stopImpersonating ends a session in which somebody acts, and gives a browser its
// own back. Of whoever holds tokens the session is ended; they have their own.
func (h *Handler) stopImpersonating(w http.ResponseWriter, r *http.Request) error {
	if _, ok, _ := bearer(r); ok {
		s, _, err := h.authenticate(r, Rule{})
		if err != nil {
			return err
		}
		if !s.Acting() {
			return &Problem{Code: CodeNotFound}
		}
		if err := h.end(r, s.ID); err != nil {
			return err
		}
		return noContent(w)
	}
	if err := h.checkOrigin(r); err != nil {
		return err
	}
	own, err := h.parked(r)
	if err != nil {
		return err
	}
	if err := h.checkCSRF(r, own.ID); err != nil {
		return err
	}
	// Whatever the browser has besides may be somebody's who signed in meanwhile.
	if present, err := h.present(r); err != nil {
		return err
	} else if present != nil && present.Acting() && present.Parent == own.ID {
		if err := h.end(r, present.ID); err != nil {
			return err
		}
	} else if present != nil {
		return &Problem{Code: CodeSignedIn}
	}
	h.names(r).unpark(w, r, own, h.manager.Now())
	return h.answerOwn(w, own)
}

// answerOwn answers with the session that somebody goes back to, as at a login.
func (h *Handler) answerOwn(w http.ResponseWriter, own *remuda.Session) error {
	csrf, err := h.keys.NewCSRF(own.ID)
	if err != nil {
		return err
	}
	return writeJSON(w, webAnswer{Session: newSessionJSON(own, own.ID), CSRF: csrf})
}

// parked returns the session that the browser keeps while its user acts for
// another, if that lives.
func (h *Handler) parked(r *http.Request) (*remuda.Session, error) {
	id, err := h.parkedID(r)
	if err != nil {
		return nil, err
	}
	s, err := h.manager.Session(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// parkedID is the id of that session by signature alone.
func (h *Handler) parkedID(r *http.Request) (remuda.SessionID, error) {
	values := cookieValues(r.Header, h.cookies.actorSession)
	if len(values) == 0 {
		return remuda.SessionID{}, &Problem{Code: CodeNotFound}
	}
	return pick(h.cookies.actorSession, values, func(v string) (remuda.SessionID, error) { return h.manager.Identify(v, remuda.Cookie) })
}

// park keeps a browser's credential under other names, while that of another
// session takes its place.
func (n cookieNames) park(w http.ResponseWriter, r *http.Request, own *remuda.Session, now time.Time) {
	n.copy(w, r, own, now, n.session, n.actorSession)
	n.copy(w, r, own, now, n.refresh, n.actorRefresh)
}

// unpark gives it back.
func (n cookieNames) unpark(w http.ResponseWriter, r *http.Request, own *remuda.Session, now time.Time) {
	n.copy(w, r, own, now, n.actorSession, n.session)
	n.copy(w, r, own, now, n.actorRefresh, n.refresh)
	n.clearParked(w, r)
}

// clearParked deletes what is kept, if something is.
func (n cookieNames) clearParked(w http.ResponseWriter, r *http.Request) {
	for _, name := range []string{n.actorSession, n.actorRefresh} {
		if len(cookieValues(r.Header, name)) > 0 {
			n.write(w, name, "", -1)
		}
	}
}

// copy gives a cookie another name. If it is not there, neither is that.
func (n cookieNames) copy(w http.ResponseWriter, r *http.Request, own *remuda.Session, now time.Time, from, to string) {
	maxAge := 0
	if own.Remembered {
		maxAge = int(max(1, own.Expires.Sub(now)/time.Second))
	}
	if values := cookieValues(r.Header, from); len(values) == 1 {
		n.write(w, to, values[0], maxAge)
	} else if len(cookieValues(r.Header, to)) > 0 {
		n.write(w, to, "", -1)
	}
}

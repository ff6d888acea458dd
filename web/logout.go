package web

import (
	"net/http"
	"net/url"

	"github.com/remuda-go/remuda"
)

// scope is how much a logout ends.
type scope uint8

const (
	scopeThis scope = iota
	scopeOthers
	scopeAll
	scopeAccounts // all that one browser is signed in to
)

func logoutScope(r *http.Request) (scope, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, problem(CodeRequestInvalid, "The query is malformed.")
	}
	switch others, all := q["others"], q["all"]; {
	case len(q) == 0:
		return scopeThis, nil
	case len(q) == 1 && len(others) == 1 && others[0] == "1":
		return scopeOthers, nil
	case len(q) == 1 && len(all) == 1 && all[0] == "1":
		return scopeAll, nil
	case r.URL.RawQuery == "accounts=1":
		return scopeAccounts, nil
	default:
		return 0, problem(CodeRequestInvalid, "A logout takes ?others=1, ?all=1, ?accounts=1 or nothing.")
	}
}

// webLogout ends the browser's session and deletes its cookies. It takes either
// cookie, expired ones too, and is idempotent.
func (h *Handler) webLogout(w http.ResponseWriter, r *http.Request) error {
	if err := h.checkOrigin(r); err != nil {
		return err
	}
	sc, err := logoutScope(r)
	if err != nil {
		return err
	}
	switch sc {
	case scopeThis:
	case scopeAccounts:
		return h.logoutAccounts(w, r)
	case scopeOthers, scopeAll:
		return h.logoutWide(w, r, sc)
	}
	acting, err := h.acting(r)
	if err != nil {
		return err
	}
	finds := []func(*http.Request) (remuda.SessionID, error){h.cookieSession}
	if acting { // who acts for another signs out of both
		finds = append(finds, h.parkedID)
	}
	var list []remuda.SessionID
	for _, find := range finds {
		if id, err := find(r); err == nil {
			list = append(list, id)
		}
	}
	if len(list) > 0 {
		if err := h.checkCSRF(r, list[0]); err != nil {
			return err
		}
	}
	for _, id := range list {
		if err := h.end(r, id); err != nil {
			return err
		}
	}
	// Without a token of ours there is no session to end and nothing to guard.
	if _, err := h.parkedID(r); acting || err != nil {
		h.cookies.clearParked(w, r)
	}
	h.clear(w, r, h.names(r).refresh)
	return noContent(w)
}

// tokenLogout ends the session of an access or refresh token.
func (h *Handler) tokenLogout(w http.ResponseWriter, r *http.Request) error {
	sc, err := logoutScope(r)
	if err != nil {
		return err
	}
	switch sc {
	case scopeThis:
	case scopeAccounts:
		return problem(CodeRequestInvalid, "accounts is for browsers.")
	case scopeOthers, scopeAll:
		return h.logoutWide(w, r, sc)
	}
	token, where, err := presented(w, r)
	if err != nil {
		return err
	}
	id, err := h.manager.Identify(token, remuda.Bearer)
	if err != nil {
		return shown(where, err)
	}
	if err := h.end(r, id); err != nil {
		return err
	}
	return noContent(w)
}

func (h *Handler) end(r *http.Request, id remuda.SessionID) error {
	return h.manager.End(r.Context(), remuda.EndRequest{Session: id, Reason: remuda.EndLogout, Client: h.client(r)})
}

// logoutWide ends other sessions of the subject too: an important action, so it
// needs a live session and a recent authentication. From a session that nothing
// can end it is refused: the answer would promise what is not so.
func (h *Handler) logoutWide(w http.ResponseWriter, r *http.Request, sc scope) error {
	s, transport, err := h.recent(r)
	if err != nil {
		return err
	}
	if p, _ := h.manager.Profile(s.Profile); p.Recordless && p.Liveness == remuda.LiveExpiry {
		return problem(CodeRequestInvalid, "Sessions of this kind cannot be ended elsewhere: each ends at its expires_at. A logout without a query deletes the cookie.")
	}
	req := remuda.EndAllRequest{Subject: s.Subject, Tenant: s.Tenant, Client: h.client(r)}
	if sc == scopeOthers {
		req.Except = s.ID
	}
	if _, err := h.manager.EndAll(r.Context(), req); err != nil {
		return err
	}
	if sc == scopeAll && transport == remuda.Cookie {
		h.clear(w, r, h.names(r).refresh)
	}
	return noContent(w)
}

// recent authenticates a request for an important action: the last proof of who
// the user is may be as old as the profile says.
func (h *Handler) recent(r *http.Request) (*remuda.Session, remuda.Transport, error) {
	s, transport, err := h.signedIn(r)
	if err != nil {
		return nil, transport, err
	}
	p, _ := h.manager.Profile(s.Profile)
	return s, transport, h.demand(r, s, Rule{Recent: max(p.StepUp, 1)}) // zero is no time at all
}

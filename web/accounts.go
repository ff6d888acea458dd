package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/remuda-go/remuda"
)

// MaxAccounts is how many accounts one browser can be signed in to.
const MaxAccounts = 5

// A browser that is signed in to several accounts has one session cookie, which says
// whose requests these are, and a refresh cookie for each account. An account keeps
// its refresh cookie's name for as long as it is signed in, so that answers may
// arrive in any order: none moves what belongs to another account.

// signedOut is in the session cookie while the browser is signed in to accounts of
// which none is in use: one of them was, and signed out.
const signedOut = "signed-out"

// signedOutAge is for how long that is so, in seconds: longer than any session.
const signedOutAge = 400 * 24 * 60 * 60

// slot is the name of the refresh cookie of an account.
func (n cookieNames) slot(i int) string {
	if i == 0 {
		return n.first
	}
	return n.first + "-" + strconv.Itoa(i)
}

// sessionValues are the values of the session cookie.
func (n cookieNames) sessionValues(h http.Header) []string {
	return slices.DeleteFunc(cookieValues(h, n.session), func(v string) bool { return v == signedOut })
}

// names are the cookies' names for a request: refresh is that of the account in use
// or, where none is, one that is free. Where none is free it is empty.
func (h *Handler) names(r *http.Request) cookieNames {
	n := h.cookies
	several := slices.Contains(cookieValues(r.Header, n.session), signedOut)
	for i := 1; i < MaxAccounts; i++ {
		several = several || len(cookieValues(r.Header, n.slot(i))) > 0
	}
	if !several {
		return n
	}
	n.refresh = ""
	id, err := pick(n.session, n.sessionValues(r.Header), h.identify)
	for i := range MaxAccounts {
		values := cookieValues(r.Header, n.slot(i))
		if len(values) == 0 {
			if n.refresh == "" {
				n.refresh = n.slot(i)
			}
			continue
		}
		own, e := pick(n.slot(i), values, h.identify)
		if err == nil && e == nil && own == id && !id.IsZero() {
			n.refresh = n.slot(i)
			return n
		}
	}
	return n
}

// identify returns the session of a cookie's token by signature alone.
func (h *Handler) identify(token string) (remuda.SessionID, error) {
	return h.manager.Identify(token, remuda.Cookie)
}

// account is one that the browser is signed in to.
type account struct {
	n       int
	session remuda.Session
}

// accounts returns those whose sessions live. A visitor's is no account.
func (h *Handler) accounts(r *http.Request) ([]account, error) {
	var list []account
	for n := range MaxAccounts {
		values := cookieValues(r.Header, h.cookies.slot(n))
		if len(values) == 0 {
			continue
		}
		id, err := pick(h.cookies.slot(n), values, h.identify)
		if err != nil {
			continue // none of ours
		}
		s, err := h.manager.Session(r.Context(), id)
		if errors.Is(err, remuda.ErrUnavailable) {
			return nil, err
		}
		if err == nil && !s.Anonymous() {
			list = append(list, account{n, s})
		}
	}
	return list, nil
}

// room is the name of the first refresh cookie that no account has.
func (n cookieNames) room(list []account) (string, error) {
	for i := range MaxAccounts {
		if !slices.ContainsFunc(list, func(a account) bool { return a.n == i }) {
			return n.slot(i), nil
		}
	}
	return "", &Problem{Code: CodeAccountsFull}
}

// accountJSON is an account on the wire.
type accountJSON struct {
	N       int         `json:"n"`
	Session sessionJSON `json:"session"` // current: this is the account in use
	CSRF    string      `json:"csrf_token"`
}

// listAccounts lists the accounts that the browser is signed in to, with the CSRF
// token that each needs to be switched to or signed out.
func (h *Handler) listAccounts(w http.ResponseWriter, r *http.Request) error {
	list, err := h.accounts(r)
	if err != nil {
		return err
	}
	current, err := pick(h.cookies.session, h.cookies.sessionValues(r.Header), h.identify)
	if err != nil {
		current = remuda.SessionID{}
	}
	answer := struct {
		Accounts []accountJSON `json:"accounts"`
	}{[]accountJSON{}}
	for i := range list {
		a := accountJSON{N: list[i].n, Session: newSessionJSON(&list[i].session, current)}
		if a.CSRF, err = h.keys.NewCSRF(list[i].session.ID); err != nil {
			return err
		}
		answer.Accounts = append(answer.Accounts, a)
	}
	return writeJSON(w, answer)
}

// switchAccount puts another account into use. Like a refresh it gives a fresh access
// token and, where one is due, another refresh token; a client that gets no answer
// sends it again.
func (h *Handler) switchAccount(w http.ResponseWriter, r *http.Request) error {
	slot, token, err := h.accountToken(w, r)
	if err != nil {
		return err
	}
	if err := h.notActing(r); err != nil {
		return err
	}
	key, err := retryKey(r)
	if err != nil {
		return err
	}
	g, err := h.manager.Refresh(r.Context(), remuda.RefreshRequest{Token: token, Transport: remuda.Cookie, RetryKey: key, Client: h.client(r)})
	if err != nil {
		return shown(slot, err)
	}
	names := h.cookies
	names.refresh = slot
	return h.answerGrant(w, names, &g, remuda.Cookie)
}

// leaveAccount signs an account out.
func (h *Handler) leaveAccount(w http.ResponseWriter, r *http.Request) error {
	slot, token, err := h.accountToken(w, r)
	if err != nil {
		return err
	}
	id, err := h.identify(token)
	if err != nil {
		return err
	}
	if err := h.end(r, id); err != nil {
		return err
	}
	if current, err := pick(h.cookies.session, h.cookies.sessionValues(r.Header), h.identify); err == nil && current == id {
		h.clear(w, r, slot)
	} else {
		h.cookies.write(w, slot, "", -1)
	}
	return noContent(w)
}

// accountToken returns the refresh token of the account that a request names, and its
// cookie, if the request has the CSRF token of that account's session.
func (h *Handler) accountToken(w http.ResponseWriter, r *http.Request) (slot, token string, err error) {
	if err := h.checkOrigin(r); err != nil {
		return "", "", err
	}
	var body struct{}
	if err := readOptionalJSON(w, r, &body); err != nil {
		return "", "", err
	}
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || n >= MaxAccounts || strconv.Itoa(n) != r.PathValue("n") {
		return "", "", &Problem{Code: CodeNotFound}
	}
	slot = h.cookies.slot(n)
	values := cookieValues(r.Header, slot)
	if len(values) == 0 {
		return "", "", &Problem{Code: CodeNotFound}
	}
	token, err = h.ownCookie(r, slot, values)
	return slot, token, err
}

// beside says under which name the refresh cookie of a session goes that begins
// beside those that the browser has, and which of them it takes the place of: that of
// the same user.
func (h *Handler) beside(r *http.Request, who *Identity, profile string) (cookieNames, remuda.SessionID, error) {
	n := h.names(r)
	if p, _ := h.manager.Profile(profile); p.Renewal != remuda.Rotate || p.Rotation.ByAccess {
		return n, remuda.SessionID{}, problem(CodeRequestInvalid, "Sessions of this profile have no refresh token, so that there is one in a browser.")
	}
	if err := h.notActing(r); err != nil {
		return n, remuda.SessionID{}, err
	}
	present, err := h.present(r)
	if err != nil {
		return n, remuda.SessionID{}, err
	}
	var visitor remuda.SessionID // becomes the user
	switch {
	case present == nil:
	case present.Anonymous():
		visitor = present.ID
	case len(cookieValues(r.Header, n.refresh)) == 0:
		return n, remuda.SessionID{}, problem(CodeRequestInvalid, "The session that is here has no refresh token, and would be lost.")
	}
	list, err := h.accounts(r)
	if err != nil {
		return n, remuda.SessionID{}, err
	}
	for _, a := range list {
		if a.session.Subject == who.Subject && a.session.Tenant == who.Tenant {
			n.refresh = n.slot(a.n)
			return n, a.session.ID, nil
		}
	}
	if visitor.IsZero() || n.refresh == "" {
		n.refresh, err = n.room(list)
	}
	return n, visitor, err
}

// replacing is beside for a session that takes the place of the one in use, if there
// is one.
func (h *Handler) replacing(r *http.Request) (cookieNames, remuda.SessionID, error) {
	n := h.names(r)
	if n.refresh == "" { // but what is there may be dead
		list, err := h.accounts(r)
		if err != nil {
			return n, remuda.SessionID{}, err
		}
		if n.refresh, err = n.room(list); err != nil {
			return n, remuda.SessionID{}, err
		}
	}
	acting, err := h.acting(r)
	if err != nil {
		return n, remuda.SessionID{}, err
	}
	// Who acts for another leaves their own session too, and with it the other.
	find := h.cookieSession
	if acting {
		find = h.parkedID
	}
	id, err := find(r)
	if err != nil {
		id = remuda.SessionID{}
	}
	return n, id, nil
}

// acting reports whether somebody acts for another in this browser, or did until that
// session was over: their own is kept aside. It is not theirs to leave if another
// account was put into use meanwhile, by an answer that came late.
func (h *Handler) acting(r *http.Request) (bool, error) {
	if _, err := h.parkedID(r); err != nil {
		return false, nil //nolint:nilerr // no token of ours is no session
	}
	present, err := h.present(r)
	return err == nil && (present == nil || present.Acting()), err
}

// notActing refuses to put another account into use while somebody acts for another:
// what is kept of their own session would be nobody's.
func (h *Handler) notActing(r *http.Request) error {
	acting, err := h.acting(r)
	if err != nil || !acting {
		return err
	}
	switch _, err = h.parked(r); {
	case err == nil:
		return remuda.ErrActing
	case errors.Is(err, remuda.ErrUnavailable):
		return err
	}
	return nil // their own is over too
}

// maxCookies is how long all cookies of ours are together, names included: servers
// and proxies in front refuse headers that are much longer.
const maxCookies = 4000

// checkCookies refuses a grant whose cookies make those of the browser too long.
func (h *Handler) checkCookies(r *http.Request, n cookieNames, g *remuda.Grant) error {
	total := len(n.session) + len(g.Access.Reveal()) + len(n.refresh) + len(g.Refresh.Reveal()) + 8
	kept := []string{n.actorSession, n.actorRefresh}
	for i := range MaxAccounts {
		kept = append(kept, n.slot(i))
	}
	for _, name := range kept {
		for _, v := range cookieValues(r.Header, name) {
			if name != n.refresh {
				total += len(name) + len(v) + 4
			}
		}
	}
	if total > maxCookies {
		return &Problem{Code: CodeAccountsFull, Detail: "The cookies of all accounts together would be too long."}
	}
	return nil
}

// clear deletes the cookies of a session. Only logout does so, and never a refusal: a
// late one would delete those of a new session. While other accounts are signed in
// none of them comes into use by itself.
func (h *Handler) clear(w http.ResponseWriter, r *http.Request, refresh string) {
	n := h.cookies
	others := false
	for i := range MaxAccounts {
		others = others || n.slot(i) != refresh && len(cookieValues(r.Header, n.slot(i))) > 0
	}
	if others {
		n.write(w, n.session, signedOut, signedOutAge)
	} else {
		n.write(w, n.session, "", -1)
	}
	n.write(w, refresh, "", -1)
}

// logoutAccounts signs the browser out of all accounts.
func (h *Handler) logoutAccounts(w http.ResponseWriter, r *http.Request) error {
	list, err := h.accounts(r)
	if err != nil {
		return err
	}
	ids := make([]remuda.SessionID, 0, len(list)+2)
	for _, a := range list {
		ids = append(ids, a.session.ID)
	}
	for _, find := range []func(*http.Request) (remuda.SessionID, error){h.cookieSession, h.parkedID} {
		if id, err := find(r); err == nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) > 0 {
		if err := h.checkAnyCSRF(r, ids); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if err := h.end(r, id); err != nil {
			return err
		}
	}
	for i := range MaxAccounts {
		if i == 0 || len(cookieValues(r.Header, h.cookies.slot(i))) > 0 {
			h.cookies.write(w, h.cookies.slot(i), "", -1)
		}
	}
	h.cookies.clearParked(w, r)
	h.cookies.write(w, h.cookies.session, "", -1)
	return noContent(w)
}

// checkAnyCSRF refuses a request without a CSRF token of one of some sessions.
func (h *Handler) checkAnyCSRF(r *http.Request, ids []remuda.SessionID) error {
	var err error
	for _, id := range ids {
		if err = h.checkCSRF(r, id); err == nil {
			return nil
		}
	}
	return err
}

// accountPath returns the route of a path under accounts/, and notes which account it
// names.
func accountPath(r *http.Request, path string) string {
	rest, ok := strings.CutPrefix(path, "/accounts/")
	if !ok {
		return path
	}
	n, deed, _ := strings.Cut(rest, "/")
	r.SetPathValue("n", n)
	switch deed {
	case "":
		return "/accounts/{n}"
	case "switch":
		return "/accounts/{n}/switch"
	}
	return path
}

// switched is the error of a request whose token was refused with err: a page that
// shows another account is not told of this one.
func (h *Handler) switched(r *http.Request, values []string, err error) error {
	if id, unknown := pick(h.cookies.session, values, h.identify); unknown == nil {
		if other := checkSwitched(r, id); other != nil {
			return other
		}
	}
	return err
}

// checkSwitched refuses a request that names another session than the one in use: a
// page shows one account, and another tab has switched to the next.
func checkSwitched(r *http.Request, id remuda.SessionID) error {
	named := r.Header[http.CanonicalHeaderKey(sessionHeader)]
	if len(named) == 0 || len(named) == 1 && named[0] == id.String() {
		return nil
	}
	return &Problem{Code: CodeSwitched}
}

// sessionHeader names the session that a page takes itself to be in.
const sessionHeader = "Remuda-Session"

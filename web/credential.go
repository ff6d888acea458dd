package web

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/remuda-go/remuda"
)

// bearer returns the token in the Authorization header. It reports false if
// there is none; other schemes, such as the Basic of a staging proxy, are
// ignored. Once there is one it decides, and cookies do not count.
func bearer(r *http.Request) (token string, ok bool, err error) {
	for _, v := range r.Header.Values("Authorization") {
		scheme, rest := cutScheme(v)
		switch strings.ToLower(scheme) {
		case "bearer":
			if ok || !strings.HasPrefix(rest, " ") {
				return "", true, shown("bearer", &remuda.RefusalError{Err: remuda.ErrTokenInvalid, Reason: ReasonBearerForm})
			}
			token, ok = rest[1:], true
		case "dpop":
			// No session is bound to a key.
			return "", true, shown("bearer", &remuda.RefusalError{Err: remuda.ErrTokenInvalid, Reason: ReasonBearerDPoP})
		}
	}
	return token, ok, nil
}

// cutScheme splits a header after its scheme, which is a token (RFC 9110 section
// 11.1): "Bearer,x" is a malformed Bearer, not another scheme.
func cutScheme(v string) (scheme, rest string) {
	end := strings.IndexFunc(v, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
	if end < 0 {
		return v, ""
	}
	return v[:end], v[end:]
}

// pick finds the one value of a cookie of that name for which use succeeds. Several
// different ones that do are refused: somebody has planted one. If none does, the
// error is the one that helps the client most.
func pick[T any](name string, values []string, use func(string) (T, error)) (T, error) {
	var (
		found, none T
		good        int
		worst       error
		all         []attempt
	)
	if len(values) > maxSameName {
		return none, ambiguous(name, ReasonCookiesMany, len(values))
	}
	for i, v := range values {
		got, err := use(v)
		if err != nil {
			worst = worse(worst, err)
			all = append(all, attempt{name, i + 1, len(values), err})
			continue
		}
		found = got
		good++
	}
	switch {
	case good == 1:
		return found, nil
	case good > 1:
		return none, ambiguous(name, ReasonCookiesGood, good)
	case worst == nil:
		return none, nil
	default:
		return none, &attempts{worst, all}
	}
}

// ambiguous refuses all values of a cookie.
func ambiguous(name string, why remuda.Reason, values int) error {
	return shown(name, &remuda.RefusalError{Err: remuda.ErrTokenInvalid, Reason: why, Facts: []slog.Attr{slog.Int("of", values)}})
}

// severity orders errors: what a client should be told first.
var severity = []error{
	remuda.ErrUnavailable, remuda.ErrTokenExpired, remuda.ErrSessionExpired, remuda.ErrSessionEnded, remuda.ErrTokenInvalid,
}

func worse(a, b error) error {
	for _, s := range severity {
		switch {
		case errors.Is(a, s):
			return a
		case errors.Is(b, s):
			return b
		}
	}
	return b
}

// authenticate finds out whose request this is. With a cookie an unsafe method
// must pass the cross-site checks; csrf is false for a safe one.
func (h *Handler) authenticate(r *http.Request, rule Rule) (*remuda.Session, remuda.Transport, error) {
	use := func(token string, t remuda.Transport) (*remuda.Session, error) {
		return h.manager.Authenticate(r.Context(), remuda.AuthenticateRequest{
			Token: token, Transport: t, Passive: rule.Passive, Relay: h.relayed(r), Outage: rule.Outage,
		})
	}
	token, ok, err := bearer(r)
	if err != nil {
		return nil, remuda.Bearer, err
	}
	if ok {
		s, err := use(token, remuda.Bearer)
		if err != nil {
			return nil, remuda.Bearer, shown("bearer", err)
		}
		if err := checkSwitched(r, s.ID); err != nil {
			return nil, remuda.Bearer, err
		}
		return s, remuda.Bearer, nil
	}
	values := h.cookies.sessionValues(r.Header)
	if len(values) == 0 {
		return nil, remuda.Cookie, h.missing(r)
	}
	if !safe(r.Method) {
		if err := h.checkOrigin(r); err != nil {
			return nil, remuda.Cookie, err
		}
	}
	s, err := pick(h.cookies.session, values, func(v string) (*remuda.Session, error) { return use(v, remuda.Cookie) })
	if err != nil {
		return nil, remuda.Cookie, h.switched(r, values, err)
	}
	if err := checkSwitched(r, s.ID); err != nil {
		return nil, remuda.Cookie, err
	}
	if !safe(r.Method) {
		if err := h.checkCSRF(r, s.ID); err != nil {
			return nil, remuda.Cookie, err
		}
	}
	return s, remuda.Cookie, nil
}

// missing says that there is no credential, and what to do about it.
func (h *Handler) missing(r *http.Request) error {
	p := &Problem{Code: CodeTokenMissing}
	hasRefresh := len(cookieValues(r.Header, h.names(r).refresh)) > 0
	if hasRefresh {
		p.action = ActionRefresh
	}
	return p.refuse(ReasonNoCredential, slog.Bool("refresh_cookie", hasRefresh))
}

// safe reports whether a method changes nothing (RFC 9110 section 9.2.1).
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions || method == http.MethodTrace
}

// checkCSRF refuses a request that does not carry a CSRF token of the session.
func (h *Handler) checkCSRF(r *http.Request, id remuda.SessionID) error {
	values := r.Header["X-Csrf-Token"]
	why := ReasonCSRFWrong
	switch {
	case len(values) == 0:
		why = ReasonCSRFMissing
	case len(values) > 1:
		why = ReasonCSRFRepeated
	case h.keys.CheckCSRF(id, values[0]):
		return nil
	}
	p := &Problem{Code: CodeCSRFFailed, Detail: "Send the session's CSRF token as X-CSRF-Token."}
	return p.refuse(why, slog.String("session", id.String()))
}

// anonymous refuses a session of nobody where somebody has to be signed in.
func anonymous(s *remuda.Session) error {
	return (&Problem{Code: CodeTokenMissing}).refuse(ReasonAnonymous, slog.String("session", s.ID.String()))
}

// cookieSession returns the session of the browser's cookies by signature alone,
// expired ones too: of the access token or, without a good one, of the refresh
// token.
func (h *Handler) cookieSession(r *http.Request) (remuda.SessionID, error) {
	err := h.missing(r)
	var tried []error
	n := h.names(r)
	for _, c := range []struct {
		name   string
		values []string
	}{{n.session, n.sessionValues(r.Header)}, {n.refresh, cookieValues(r.Header, n.refresh)}} {
		if len(c.values) == 0 {
			continue
		}
		var id remuda.SessionID
		if id, err = pick(c.name, c.values, h.identify); err == nil {
			return id, nil
		}
		tried = append(tried, err)
	}
	if len(tried) > 1 {
		err = instead(err, tried[0])
	}
	return remuda.SessionID{}, err
}

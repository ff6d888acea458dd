package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/remuda-go/remuda"
)

// Rule says what a route asks of a request besides a session.
type Rule struct {
	// Recent is how old the last authentication may be; zero means any age.
	Recent time.Duration
	// Level is the authentication context class (acr) that the last authentication
	// must have reached, or one above it in [Config.Levels]; empty means any.
	Level string
	// Each asks for an authentication of its own for every request: the first one
	// is refused, and passes when it is repeated, unchanged, with the continuation
	// that a step-up was made for.
	Each bool
	// Passive says that the route is no sign of activity: polling it does not
	// keep a session from idling out.
	Passive bool
	// Anonymous lets sessions through that are nobody's; see
	// [Handler.Anonymous].
	Anonymous bool
	// Outage is what the route risks while the revocation log is not heard; zero
	// means the profile's policy.
	Outage remuda.OutagePolicy
}

// Check decides whether a request may pass: it has a good access token and, if
// that came by cookie and the method is unsafe, comes from our own page. It
// returns the session, or an error for [Handler.WriteProblem].
func (h *Handler) Check(r *http.Request, rule Rule) (*remuda.Session, error) {
	s, _, err := h.authenticate(r, rule)
	if err != nil {
		return nil, err
	}
	if s.Anonymous() && !rule.Anonymous {
		return nil, anonymous(s)
	}
	if err := h.demand(r, s, rule); err != nil {
		return nil, err
	}
	return s, nil
}

// Guard lets requests that pass the rule through to next, with their session in
// the context (see [remuda.FromContext]), and refuses the others. It panics if the
// rule cannot be meant: of a level that is not one of [Config.Levels], where there
// are any, or that has spaces or quotes.
func (h *Handler) Guard(rule Rule, next http.Handler) http.Handler {
	if rule.Level != "" && (!isLevel(rule.Level) || len(h.levels) > 0 && !slices.Contains(h.levels, rule.Level)) {
		panic("web: there is no level " + strconv.Quote(rule.Level))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := h.Check(r, rule)
		if err != nil {
			h.WriteProblem(w, r, err)
			return
		}
		if !rule.Passive {
			h.renew(w, r, s)
		}
		next.ServeHTTP(w, r.WithContext(remuda.NewContext(r.Context(), s)))
	})
}

// renew puts a new token into the cookie of a session without a record, once half
// of the old one's life is over. If it cannot, the old one goes on being good and
// the next request tries again.
func (h *Handler) renew(w http.ResponseWriter, r *http.Request, s *remuda.Session) {
	if _, ok, _ := bearer(r); ok || !s.Renew {
		return // a client that keeps its own token asks for a new one itself
	}
	g, err := pick(h.cookies.session, h.cookies.sessionValues(r.Header), func(token string) (remuda.Grant, error) {
		return h.manager.Extend(r.Context(), remuda.ExtendRequest{Token: token, Transport: remuda.Cookie, Client: h.client(r)})
	})
	if err != nil {
		h.log.DebugContext(r.Context(), "token not renewed", "request_id", RequestID(r.Context()), "error", err)
		return
	}
	private(w.Header())
	h.cookies.set(w, &g, h.manager.Now())
}

// Anonymous gives visitors a session of nobody, of the given cookie profile, to
// keep data in, such as a basket, until they sign in. A request with a session,
// anybody's, passes as it is; one without gets a new session if its method is
// safe, and is refused otherwise, since it cannot carry the CSRF token. The
// session is in the context (see [remuda.FromContext]).
func (h *Handler) Anonymous(profile string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := h.Check(r, Rule{Anonymous: true})
		if err != nil && safe(r.Method) && !errors.Is(err, remuda.ErrUnavailable) && !h.refreshable(r, err) {
			s, err = h.visit(w, r, profile, err)
		}
		if err != nil {
			h.WriteProblem(w, r, err)
			return
		}
		h.renew(w, r, s)
		next.ServeHTTP(w, r.WithContext(remuda.NewContext(r.Context(), s)))
	})
}

// refreshable reports whether a refresh may bring back the session that a request
// lacks: then a visit would overwrite its cookies.
func (h *Handler) refreshable(r *http.Request, err error) bool {
	p, missing := errors.AsType[*Problem](err)
	if !errors.Is(err, remuda.ErrTokenExpired) && !(missing && p.Code == CodeTokenMissing) {
		return false
	}
	values := slices.Concat(cookieValues(r.Header, h.names(r).refresh), h.cookies.sessionValues(r.Header))
	return slices.ContainsFunc(values, func(v string) bool { return h.manager.Refreshable(v, remuda.Cookie) })
}

// visit begins a session of nobody, for a request without a good session.
func (h *Handler) visit(w http.ResponseWriter, r *http.Request, profile string, without error) (*remuda.Session, error) {
	if _, ok, _ := bearer(r); ok {
		return nil, as(remuda.ErrTokenInvalid, without) // it has chosen to show a token, and that is not good
	}
	n, _, err := h.replacing(r)
	if err != nil {
		return nil, err
	}
	g, err := h.manager.Start(r.Context(), remuda.StartRequest{Profile: profile, Anonymous: true, Client: h.newClient(r)})
	if err != nil {
		return nil, err
	}
	private(w.Header())
	n.leave(w, r, &g)
	n.set(w, &g, h.manager.Now())
	return &g.Session, nil
}

// Require lets requests with a session through.
func (h *Handler) Require(next http.Handler) http.Handler { return h.Guard(Rule{}, next) }

// RequireRecent lets requests through whose user proved who they are within
// maxAge; others are asked to step up (RFC 9470).
func (h *Handler) RequireRecent(maxAge time.Duration, next http.Handler) http.Handler {
	return h.Guard(Rule{Recent: maxAge}, next)
}

// RequireLevel lets requests through whose user proved who they are at the level
// acr or above (see [Config.Levels]), however long ago; others are asked to step
// up (RFC 9470). It panics as [Handler.Guard] does.
func (h *Handler) RequireLevel(acr string, next http.Handler) http.Handler {
	return h.Guard(Rule{Level: acr}, next)
}

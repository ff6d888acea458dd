// Package web is Remuda over HTTP: it takes a credential out of a cookie or a
// header, keeps cross-site requests out, asks the manager, and writes what came
// of it as cookies, JSON or a problem document. It decides nothing about
// sessions.
//
// A [Handler] serves the endpoints under its prefix, and guards an application's
// own handlers with [Handler.Require] and [Handler.RequireRecent].
package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/keyring"
)

// Config is what a [Handler] is made of.
type Config struct {
	Manager *remuda.Manager // required
	Keys    *keyring.Ring   // the manager's; required
	// Authenticator checks passwords at login and step-up. Required.
	Authenticator Authenticator
	// Passwords stores new passwords. Nil means that none can be changed here.
	Passwords PasswordChanger
	// Disowner is asked when a user says of a notice that it was not them (see
	// [remuda.Manager.MintNotice]; the link is the prefix and "/notice/" and the token).
	// Nil means that there are no such links.
	Disowner Disowner
	// Emails keeps where users are written to; it needs a Disowner, who puts back what a
	// thief has changed. Nil means that nobody can change it here.
	Emails EmailChanger
	// Impersonators decides who may act for whom. Nil means that nobody does.
	Impersonators Impersonators
	// Origins are the origins whose pages may use cookies here, exactly as a
	// browser sends them: "https://app.example". At least one; all https, or
	// all http on a loopback host.
	Origins []string
	// Prefix is where the endpoints are; empty means "/auth".
	Prefix string
	// WebProfiles and TokenProfiles are the profiles that a client may ask for
	// at web/login and token/login; the first is the default. Empty means "web"
	// and "api" where the manager has them. Where there is none, there is no such
	// login.
	WebProfiles, TokenProfiles []string
	// HandOff says from and to which other sites users come and go signed in. The
	// zero value means none.
	HandOff HandOff
	// Place returns where an address roughly is, for the user's list of sessions:
	// "Lisbon". It is asked at login alone, returns at once, and is safe for concurrent
	// use. Nil means that nobody knows, and nobody is asked.
	Place func(netip.Addr) string
	// Levels are the authentication context classes (acr) in use, the lowest first:
	// whoever has reached one has reached those before it. Empty means that each
	// stands for itself.
	Levels []string
	// TrustedProxies are the addresses whose X-Forwarded-For and Remuda-Relay
	// headers are believed. From everybody else they are ignored.
	TrustedProxies []netip.Prefix
	// Events receives failed logins. Nil means nobody.
	Events event.Sink
	// Refused is told of each refusal, why it was refused, before the answer is
	// written: that is for operators, to be kept for a while and found by the
	// request id. It must not block, and not keep the request. Nil means nobody.
	Refused func(*http.Request, *Refusal)
	// Log receives refusals (level debug) and failures (level error). Nil
	// means nobody. No token ever goes there.
	Log *slog.Logger
}

// Handler serves the endpoints. It is safe for concurrent use.
type Handler struct {
	manager       *remuda.Manager
	keys          *keyring.Ring
	auth          Authenticator
	passwords     PasswordChanger // nil: there is no such route
	impersonators Impersonators   // likewise
	disowner      Disowner        // likewise
	emails        EmailChanger    // likewise
	prefix        string
	origins       map[string]bool
	cookies       cookieNames
	profiles      map[remuda.Transport][]string
	handOff       *handOff // nil if there is none
	levels        []string
	whereIs       func(netip.Addr) string // nil if nobody knows
	proxies       []netip.Prefix
	events        event.Sink
	refused       func(*http.Request, *Refusal)
	log           *slog.Logger
	routes        map[string]route
}

// route is one path: a handler for each method.
type route map[string]func(http.ResponseWriter, *http.Request) error

// New returns a handler, or an error that lists everything that is wrong with
// the configuration.
func New(cfg Config) (*Handler, error) {
	var problems []error
	require := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	require(cfg.Manager != nil, "web: Manager is required")
	require(cfg.Keys != nil, "web: Keys is required")
	require(cfg.Authenticator != nil, "web: Authenticator is required")
	require(cfg.Emails == nil || cfg.Disowner != nil, "web: Emails needs a Disowner")
	if cfg.Prefix == "" {
		cfg.Prefix = "/auth"
	}
	require(cleanPath(cfg.Prefix) && len(cfg.Prefix) > 1 && !strings.HasSuffix(cfg.Prefix, "/"), "web: Prefix %q is not a path like /auth", cfg.Prefix)
	origins, secure, err := parseOrigins(cfg.Origins)
	if err != nil {
		problems = append(problems, err)
	}
	h := &Handler{
		manager: cfg.Manager, keys: cfg.Keys, auth: cfg.Authenticator, passwords: cfg.Passwords, impersonators: cfg.Impersonators, disowner: cfg.Disowner, emails: cfg.Emails, prefix: cfg.Prefix,
		origins: origins, cookies: namesFor(secure), proxies: cfg.TrustedProxies,
		levels: slices.Clone(cfg.Levels), whereIs: cfg.Place, events: cfg.Events, refused: cfg.Refused, log: cfg.Log,
		profiles: map[remuda.Transport][]string{
			remuda.Cookie: offered(cfg.Manager, cfg.WebProfiles, "web"),
			remuda.Bearer: offered(cfg.Manager, cfg.TokenProfiles, "api"),
		},
	}
	if h.handOff, err = newHandOff(&cfg.HandOff, h.profiles[remuda.Cookie]); err != nil {
		problems = append(problems, err)
	}
	if err := checkLevels(cfg.Levels); err != nil {
		problems = append(problems, err)
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Manager != nil {
		problems = append(problems, h.checkProfiles()...)
		problems = append(problems, h.handOff.check(cfg.Manager))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	h.routes = h.endpoints()
	h.handOff.mount(h)
	return h, nil
}

// offered returns the named profiles or, where none is named, the usual one if
// there is such a profile.
func offered(m *remuda.Manager, names []string, usual string) []string {
	if len(names) > 0 || m == nil {
		return names
	}
	if _, ok := m.Profile(usual); !ok {
		return nil
	}
	return []string{usual}
}

func (h *Handler) checkProfiles() []error {
	var problems []error
	if len(h.profiles[remuda.Cookie])+len(h.profiles[remuda.Bearer]) == 0 {
		problems = append(problems, errors.New("web: no profile is offered: name WebProfiles or TokenProfiles"))
	}
	for transport, names := range h.profiles {
		for _, name := range names {
			p, ok := h.manager.Profile(name)
			switch {
			case !ok:
				problems = append(problems, fmt.Errorf("web: there is no profile %q", name))
			case p.Transport != transport:
				problems = append(problems, fmt.Errorf("web: the profile %q has transport %v; %v is needed", name, p.Transport, transport))
			}
		}
	}
	return problems
}

// endpoints lists what is served, by path under the prefix.
func (h *Handler) endpoints() map[string]route {
	routes := map[string]route{
		"/web/refresh":   {http.MethodPost: h.webRefresh},
		"/web/logout":    {http.MethodPost: h.webLogout},
		"/web/csrf":      {http.MethodGet: h.csrfToken},
		"/token/refresh": {http.MethodPost: h.tokenRefresh},
		"/token/logout":  {http.MethodPost: h.tokenLogout},
		"/session":       {http.MethodGet: h.session},
		"/sessions":      {http.MethodGet: h.sessions},
		"/sessions/{id}": {http.MethodDelete: h.endSession},
		"/step-up":       {http.MethodPost: h.stepUp},
		"/data":          {http.MethodGet: h.data, http.MethodPatch: h.patchData},
	}
	if h.passwords != nil {
		routes["/password"] = route{http.MethodPost: h.changePassword}
	}
	if h.disowner != nil {
		routes["/notice/{token}"] = route{http.MethodGet: h.askNotice, http.MethodPost: h.actOnNotice}
	}
	if h.emails != nil {
		routes["/email"] = route{http.MethodPost: h.changeEmail}
	}
	if h.impersonators != nil {
		routes["/impersonate"] = route{
			http.MethodGet: h.impersonator, http.MethodPost: h.impersonate, http.MethodDelete: h.stopImpersonating,
		}
	}
	if len(h.profiles[remuda.Cookie]) > 0 {
		routes["/web/login"] = route{http.MethodPost: h.webLogin}
		routes["/accounts"] = route{http.MethodGet: h.listAccounts}
		routes["/accounts/{n}"] = route{http.MethodDelete: h.leaveAccount}
		routes["/accounts/{n}/switch"] = route{http.MethodPost: h.switchAccount}
	}
	if len(h.profiles[remuda.Bearer]) > 0 {
		routes["/token/login"] = route{http.MethodPost: h.tokenLogin}
	}
	return routes
}

// Prefix returns the path under which the endpoints are.
func (h *Handler) Prefix() string { return h.prefix }

// ServeHTTP serves the endpoints. What is not one of them is not found; nothing
// is ever redirected but the start of a hand-off.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = withRequestID(r)
	private(w.Header())
	if h.cors(w, r) {
		return
	}
	if err := h.serve(w, r); err != nil {
		h.WriteProblem(w, r, err)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	path, ok := strings.CutPrefix(r.URL.Path, h.prefix)
	if !ok || r.URL.RawPath != "" {
		return &Problem{Code: CodeNotFound}
	}
	if id, ok := strings.CutPrefix(path, "/sessions/"); ok && id != "" && !strings.Contains(id, "/") {
		path = "/sessions/{id}"
		r.SetPathValue("id", id)
	}
	if token, ok := strings.CutPrefix(path, "/notice/"); ok && token != "" && !strings.Contains(token, "/") {
		path = "/notice/{token}"
		r.SetPathValue("token", token)
	}
	methods, ok := h.routes[accountPath(r, path)]
	if !ok {
		return &Problem{Code: CodeNotFound}
	}
	return methods.serve(w, r)
}

func (m route) serve(w http.ResponseWriter, r *http.Request) error {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	serve := m[method]
	if serve == nil {
		return &Problem{Code: CodeMethodNotAllowed, allow: m.allowed()}
	}
	return serve(w, r)
}

func (m route) allowed() string {
	var list []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		if m[method] != nil || method == http.MethodHead && m[http.MethodGet] != nil {
			list = append(list, method)
		}
	}
	return strings.Join(list, ", ")
}

// NotFound answers that there is nothing here, as a problem document.
func (h *Handler) NotFound(w http.ResponseWriter, r *http.Request) {
	h.WriteProblem(w, r, &Problem{Code: CodeNotFound})
}

// CleanPaths guards a whole server: a path that is not in its one clean form
// (dots, double slashes, encoded slashes) is not found, where [http.ServeMux]
// would redirect.
func (h *Handler) CleanPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !cleanPath(r.URL.Path) || r.URL.RawPath != "" {
			h.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func cleanPath(p string) bool {
	if !strings.HasPrefix(p, "/") || strings.Contains(p, "//") || strings.ContainsAny(p, "\\\x00") {
		return false
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "." || part == ".." {
			return false
		}
	}
	return true
}

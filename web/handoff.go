package web

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/remuda-go/remuda"
)

// HandOff lets users who are signed in on one site come to another one signed in.
// Both have handlers of their own over one store and one key ring. A site can be
// a target, or a source, or both.
type HandOff struct {
	// Targets are the landing pages of the sites to which users may be handed
	// from here: "https://shop.example/auth/hand-off/landing". What their origins
	// are decides who may redeem.
	Targets []string
	// SignIn is the path of this site's page for signing in, to which the source
	// page links those who are not, with the path to come back to as ?return=.
	// Check that with [ReturnPath]. Empty means no link.
	SignIn string

	// Source is the page of the site from which users are handed here:
	// "https://app.example/auth/hand-off".
	Source string
	// Profile is that of the sessions which begin so; empty means the first of
	// Config.WebProfiles. It is best none that the source uses, so that the cap
	// of one never ends a session of the other.
	Profile string
	// EndsWithParent says that these sessions end when the user's session at the
	// source is ended. The profile then needs records.
	EndsWithParent bool
	// ReplaceSame says that a session of the same user, if there is one here
	// already, is replaced. Otherwise it is kept.
	ReplaceSame bool
}

// handOff is a [HandOff] made ready.
type handOff struct {
	HandOff
	targets map[string]string // landing pages by origin
	ask     *page             // at the source
	landing *page
}

// newHandOff checks the configuration. It returns nil if there is nothing to do.
func newHandOff(cfg *HandOff, profiles []string) (*handOff, error) {
	if len(cfg.Targets) == 0 && cfg.Source == "" {
		return nil, nil
	}
	o := &handOff{HandOff: *cfg, targets: map[string]string{}}
	var problems []error
	for _, t := range cfg.Targets {
		origin, err := originOf(t)
		if err == nil && o.targets[origin] != "" {
			err = fmt.Errorf("%q and %q have the same origin", o.targets[origin], t)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("web: HandOff.Targets: %w", err))
		}
		o.targets[origin] = t
	}
	if cfg.Source != "" {
		if _, err := originOf(cfg.Source); err != nil {
			problems = append(problems, fmt.Errorf("web: HandOff.Source: %w", err))
		}
	}
	if cfg.SignIn != "" && (!ReturnPath(cfg.SignIn) || strings.Contains(cfg.SignIn, "?")) {
		problems = append(problems, fmt.Errorf("web: HandOff.SignIn: %q is not a path like /login", cfg.SignIn))
	}
	if o.Profile == "" && len(profiles) > 0 {
		o.Profile = profiles[0]
	}
	var err error
	if o.ask, err = newPage("source", cfg.SignIn); err != nil {
		problems = append(problems, err)
	}
	if o.landing, err = newPage("landing", ""); err != nil {
		problems = append(problems, err)
	}
	return o, errors.Join(problems...)
}

// originOf returns the origin of a configured page.
func originOf(page string) (string, error) {
	u, err := url.Parse(page)
	if err != nil || page != u.Scheme+"://"+u.Host+u.Path || !ReturnPath(u.Path) {
		return "", fmt.Errorf("%q is not the URL of a page: write scheme://host/path, with nothing after it", page)
	}
	origin := u.Scheme + "://" + u.Host
	_, _, err = parseOrigins([]string{origin})
	return origin, err
}

// check says what is wrong with the profile of the sessions that begin here.
func (o *handOff) check(m *remuda.Manager) error {
	if o == nil || o.Source == "" {
		return nil
	}
	p, ok := m.Profile(o.Profile)
	switch {
	case !ok:
		return fmt.Errorf("web: HandOff.Profile: there is no profile %q", o.Profile)
	case p.Transport != remuda.Cookie:
		return fmt.Errorf("web: HandOff.Profile: the profile %q has transport %v; %v is needed", o.Profile, p.Transport, remuda.Cookie)
	case p.Recordless && o.EndsWithParent:
		return fmt.Errorf("web: HandOff.EndsWithParent: sessions of the profile %q have no record", o.Profile)
	}
	return nil
}

// mount adds the routes of a hand-off: two at a source, three at a target.
func (o *handOff) mount(h *Handler) {
	if o == nil {
		return
	}
	if len(o.targets) > 0 {
		h.routes["/hand-off"] = route{http.MethodGet: o.ask.serve, http.MethodPost: h.mintHandOff}
	}
	if o.Source != "" {
		h.routes["/hand-off/start"] = route{http.MethodGet: h.startHandOff}
		h.routes["/hand-off/landing"] = route{http.MethodGet: o.landing.serve}
		h.routes["/hand-off/redeem"] = route{http.MethodPost: h.redeemHandOff}
	}
}

const (
	// attemptLen is how much of the hash of its state names an attempt, so that
	// several tabs do not overwrite each other's.
	attemptLen = 8
	// maxAttempts is how many may be open in one browser.
	maxAttempts = 8
	// attemptLife is how long a user may take to sign in at the source.
	attemptLife = 10 * time.Minute
)

// startHandOff begins at the target: it gives the browser a state, keeps in the
// same cookie where to go in the end, and sends it to the source. Only whoever
// opens the page begins something.
func (h *Handler) startHandOff(w http.ResponseWriter, r *http.Request) error {
	if err := checkNavigation(r); err != nil {
		return err
	}
	if r.Method != http.MethodGet {
		return problem(CodeRequestInvalid, "Open this page with GET.")
	}
	back, err := h.returnParameter(r)
	if err != nil {
		return err
	}
	own, ok := h.ownOrigin(r)
	if !ok {
		return problem(CodeRequestInvalid, "This host is not one of ours.")
	}
	state := rand.Text()
	hash := remuda.HandOffStateHash(state)
	if open := h.cookies.attempts(r.Header); len(open) >= maxAttempts {
		for _, name := range open {
			h.cookies.write(w, name, "", -1)
		}
	}
	h.cookies.write(w, h.cookies.handOff+hash[:attemptLen], state+"."+base64.RawURLEncoding.EncodeToString([]byte(back)), int(attemptLife/time.Second))
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", h.handOff.Source+"?"+url.Values{"target": {own}, "state": {hash}}.Encode())
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// returnParameter is where a browser wants to go in the end; the pages of the
// hand-off itself would lead round in a circle.
func (h *Handler) returnParameter(r *http.Request) (string, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", problem(CodeRequestInvalid, "The query is malformed.")
	}
	values := q["return"]
	switch {
	case len(q) == 0:
		return "/", nil
	case len(q) != 1 || len(values) != 1 || !h.returnable(values[0]):
		return "", problem(CodeRequestInvalid, "return is a path of this site.")
	}
	return values[0], nil
}

func (h *Handler) returnable(path string) bool {
	u, err := url.Parse(path)
	return err == nil && ReturnPath(path) && !strings.HasPrefix(u.Path, h.prefix+"/hand-off")
}

// ownOrigin is the origin at which a request has arrived.
func (h *Handler) ownOrigin(r *http.Request) (string, bool) {
	for origin := range h.origins {
		if sameHost(origin, r.Host) || len(h.origins) == 1 { // behind a proxy that names itself
			return origin, true
		}
	}
	return "", false
}

// attempts returns the names of the cookies of hand-offs that are open.
func (n cookieNames) attempts(h http.Header) []string {
	found := map[string]bool{}
	for _, line := range h["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if strings.HasPrefix(name, n.handOff) && len(name) == len(n.handOff)+attemptLen {
				found[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// attempt returns the state of an attempt, and where it goes in the end; nothing
// if this browser has not begun it.
func (h *Handler) attempt(r *http.Request, name string) (state, back string) {
	values := cookieValues(r.Header, h.cookies.handOff+name)
	if len(values) != 1 {
		return "", ""
	}
	state, encoded, _ := strings.Cut(values[0], ".")
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if back = string(text); err != nil || !h.returnable(back) {
		return "", ""
	}
	return state, back
}

// mintBody is what the source page sends.
type mintBody struct {
	Target string `json:"target"` // an origin
	State  string `json:"state"`  // the hash of the browser's state there
}

// mintHandOff makes a token for one target and one browser, of the session of the
// request's cookies, and says where to take it.
func (h *Handler) mintHandOff(w http.ResponseWriter, r *http.Request) error {
	s, transport, err := h.authenticate(r, Rule{})
	if err != nil {
		return err
	}
	if transport != remuda.Cookie {
		// There is no browser whose session it is.
		return shown("bearer", &remuda.RefusalError{Err: remuda.ErrTokenInvalid, Reason: remuda.ReasonTransport, Facts: []slog.Attr{
			slog.String("transport", transport.String()), slog.String("wanted", remuda.Cookie.String()),
		}})
	}
	if s.Anonymous() {
		return anonymous(s)
	}
	var body mintBody
	if err := ReadJSON(w, r, &body); err != nil {
		return err
	}
	landing, ok := h.handOff.targets[body.Target]
	if !ok {
		return problem(CodeRequestInvalid, "Nobody is handed to this target from here.")
	}
	token, err := h.manager.MintHandOff(r.Context(), remuda.MintHandOffRequest{
		Session: s.ID, Target: body.Target, StateHash: body.State, Client: h.client(r),
	})
	if err != nil {
		return err
	}
	return writeJSON(w, struct {
		URL string `json:"url"`
	}{landing + "#ho=" + token.Reveal() + "&at=" + body.State[:attemptLen]})
}

// redeemBody is what the landing page sends.
type redeemBody struct {
	Token   string `json:"token"`
	Attempt string `json:"attempt"`
	Switch  bool   `json:"switch"` // the user wants to be switched
}

// redeemAnswer is what it receives: where to go now, beside what every login
// answers.
type redeemAnswer struct {
	webAnswer
	Return string `json:"return"`
}

// redeemHandOff signs in the browser that began the attempt.
func (h *Handler) redeemHandOff(w http.ResponseWriter, r *http.Request) error {
	target, err := h.checkSameOrigin(r)
	if err != nil {
		return err
	}
	var body redeemBody
	if err := ReadJSON(w, r, &body); err != nil {
		return err
	}
	state, back := h.attempt(r, body.Attempt)
	present, err := h.present(r)
	if err != nil {
		return err
	}
	n, _, err := h.replacing(r)
	if err != nil {
		return err
	}
	g, err := h.manager.RedeemHandOff(r.Context(), remuda.RedeemHandOffRequest{
		Token: body.Token, Target: target, State: state, Profile: h.handOff.Profile,
		EndsWithParent: h.handOff.EndsWithParent, Present: present,
		ReplaceSame: h.handOff.ReplaceSame, ReplaceOther: body.Switch, Client: h.newClient(r),
	})
	if err != nil {
		return err
	}
	csrf, err := h.keys.NewCSRF(g.Session.ID)
	if err != nil {
		return err
	}
	if !g.Access.IsZero() {
		n.leave(w, r, &g)
		n.set(w, &g, h.manager.Now())
	}
	h.cookies.write(w, h.cookies.handOff+body.Attempt, "", -1)
	return writeJSON(w, redeemAnswer{webAnswer{Session: newSessionJSON(&g.Session, g.Session.ID), CSRF: csrf}, back})
}

// checkSameOrigin refuses everything but our own pages at this very origin, which
// it returns; another one that is listed is not enough.
func (h *Handler) checkSameOrigin(r *http.Request) (string, error) {
	if err := h.checkOrigin(r); err != nil {
		return "", err
	}
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	if origin == "" || site == "" && !sameHost(origin, r.Host) || site != "" && site != "same-origin" {
		return "", problem(CodeCSRFFailed, "The request does not come from a page of this origin.").refuse(ReasonOriginOther, originFacts(r)...)
	}
	return origin, nil
}

// present returns the session that the request's cookies have, or nil.
func (h *Handler) present(r *http.Request) (*remuda.Session, error) {
	id, err := h.cookieSession(r)
	if err != nil {
		return nil, nil //nolint:nilerr // no token of ours is no session
	}
	s, err := h.manager.Session(r.Context(), id)
	if err == nil {
		return &s, nil
	}
	if errors.Is(err, remuda.ErrTokenInvalid) { // one without a record only its token can tell of
		var own *remuda.Session
		own, err = pick(h.cookies.session, h.cookies.sessionValues(r.Header), func(token string) (*remuda.Session, error) {
			return h.manager.Authenticate(r.Context(), remuda.AuthenticateRequest{Token: token, Transport: remuda.Cookie, Passive: true})
		})
		if err == nil {
			return own, nil
		}
	}
	if errors.Is(err, remuda.ErrUnavailable) {
		return nil, err
	}
	return nil, nil
}

package ponies

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

// Config is what the demo is made of.
type Config struct {
	// Web authenticates requests and writes problems. Required. Its endpoints
	// are not served here: mount it at its prefix on the same origin.
	Web *web.Handler
	// Sessions is the manager behind Web, to which streams are bound. Required.
	Sessions *remuda.Manager
	// Origins are those of Web: a WebSocket that comes with cookies comes from one
	// of them. Required.
	Origins []string
	// Stopping, once closed, ends all streams, so that the server can stop. Nil
	// means never.
	Stopping <-chan struct{}
	// Log receives failures. Nil means nobody.
	Log *slog.Logger
	// RefreshEvery is how often an open page whose user does something
	// refreshes the session. It is best less than the access lifetime; where it
	// is more, pages refresh when a request is refused. Zero means 4 minutes;
	// the least is a second.
	RefreshEvery time.Duration
	// Compare is the path of the page that compares the profiles, to which the page
	// links. Empty means no link.
	Compare string
	// Mail is the path of the page that shows the mail to users, to which the page
	// links. Empty means no link.
	Mail string
	// Shop is the address at which a user of the page comes to the other site signed
	// in, to which the page links. Empty means no link.
	Shop string
}

const defaultRefreshEvery = 4 * time.Minute

// route is one path: a handler for each method.
type route map[string]http.Handler

// handler serves the routes and nothing else.
type handler struct {
	web    *web.Handler
	routes map[string]route
}

// New returns the handler of the API, the page and its assets. It takes exact
// paths only: whatever else is asked for is not found, never redirected.
func New(cfg Config) (http.Handler, error) {
	if cfg.RefreshEvery == 0 {
		cfg.RefreshEvery = defaultRefreshEvery
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case cfg.Web == nil:
		return nil, errors.New("ponies: Web is required")
	case cfg.Sessions == nil:
		return nil, errors.New("ponies: Sessions is required")
	case len(cfg.Origins) == 0:
		return nil, errors.New("ponies: Origins is required")
	case cfg.RefreshEvery < time.Second:
		return nil, fmt.Errorf("ponies: RefreshEvery is %v; it must be at least a second", cfg.RefreshEvery)
	}
	h := &handler{web: cfg.Web, routes: map[string]route{}}
	a := &api{web: cfg.Web, herds: newHerds(), now: time.Now}
	h.routes["/ponies"] = route{
		http.MethodGet:  cfg.Web.Require(http.HandlerFunc(a.list)),
		http.MethodPost: cfg.Web.Require(http.HandlerFunc(a.add)),
	}
	h.routes["/ponies/{id}"] = route{
		http.MethodDelete: cfg.Web.Guard(web.Rule{Each: true}, http.HandlerFunc(a.sell)),
	}
	// A stream that is open, or comes back, is no sign that somebody is there.
	st := &streams{
		web: cfg.Web, sessions: cfg.Sessions, herds: a.herds,
		origins: slices.Clone(cfg.Origins), stopping: cfg.Stopping,
	}
	passive := web.Rule{Passive: true}
	h.routes["/ponies/events"] = route{http.MethodGet: cfg.Web.Guard(passive, http.HandlerFunc(st.events))}
	h.routes["/ponies/live"] = route{http.MethodGet: cfg.Web.Guard(passive, http.HandlerFunc(st.live))}
	if err := h.addSite(cfg); err != nil {
		return nil, err
	}
	return h, nil
}

// ponyID is the form of a pony's id, as [rand.Text] makes them.
var ponyID = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if id, ok := strings.CutPrefix(path, "/ponies/"); ok && ponyID.MatchString(id) {
		path = "/ponies/{id}"
		r.SetPathValue("id", id)
	}
	methods, ok := h.routes[path]
	if !ok || r.URL.RawPath != "" {
		h.web.WriteProblem(w, r, &web.Problem{Code: web.CodeNotFound})
		return
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	next, ok := methods[method]
	if !ok {
		w.Header().Set("Allow", methods.allowed())
		h.web.WriteProblem(w, r, &web.Problem{Code: web.CodeMethodNotAllowed})
		return
	}
	next.ServeHTTP(w, r)
}

// allowed lists the methods of a route, for Allow (RFC 9110 section 10.2.1).
func (m route) allowed() string {
	var list []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
		if m[method] != nil || method == http.MethodHead && m[http.MethodGet] != nil {
			list = append(list, method)
		}
	}
	return strings.Join(list, ", ")
}

package handoff

import (
	"embed"
	"errors"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/remuda-go/remuda/server/examples/internal/static"
	"github.com/remuda-go/remuda/web"
)

//go:embed site
var site embed.FS

// endpoints are where both sites have those of the hand-off.
const endpoints = "/auth/hand-off"

// Source is the hand-off of the site whose users go to the shop at this origin.
// Its page for signing in is "/".
func Source(shop string) web.HandOff {
	return web.HandOff{Targets: []string{shop + endpoints + "/landing"}, SignIn: "/"}
}

// Target is the hand-off of the shop, to which users come from the site at this
// origin. Their sessions here end with those there.
func Target(source string) web.HandOff {
	return web.HandOff{Source: source + endpoints, EndsWithParent: true}
}

// Link is where a user of the source comes to the shop at this origin signed in.
func Link(shop string) string { return shop + endpoints + "/start?return=/basket" }

// Config is what the shop's pages are made of.
type Config struct {
	Web    *web.Handler // the shop's; required
	Source string       // the origin that users come from; required
	Log    *slog.Logger // receives failures; nil means nobody
}

// shop serves the pages, which differ in their addresses only.
type shop struct {
	cfg    Config
	text   *template.Template
	assets map[string]http.Handler
}

// New returns the handler of the shop's pages and their files: everything but the
// endpoints.
func New(cfg Config) (http.Handler, error) {
	if cfg.Web == nil || cfg.Source == "" {
		return nil, errors.New("handoff: Web and Source are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	text, err := template.ParseFS(site, "site/page.html")
	if err != nil {
		return nil, err
	}
	s := &shop{cfg: cfg, text: text, assets: map[string]http.Handler{}}
	for _, f := range []struct {
		files fs.FS
		name  string
	}{{site, "site/page.js"}, {static.Files, static.Style}, {static.Files, static.Icon}} {
		path, asset, err := static.Asset(f.files, f.name)
		if err != nil {
			return nil, err
		}
		s.assets[path] = asset
	}
	return s, nil
}

// pageData is what the template is given.
type pageData struct {
	Path   string
	Source string // the origin that users come from
}

// ServeHTTP implements [http.Handler].
func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asset := s.assets[r.URL.Path]
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		s.cfg.Web.WriteProblem(w, r, &web.Problem{Code: web.CodeMethodNotAllowed})
	case asset != nil:
		asset.ServeHTTP(w, r)
	case r.URL.Path == "/" || r.URL.Path == "/basket":
		static.WritePage(r.Context(), w, s.cfg.Log, s.text, pageData{r.URL.RequestURI(), s.cfg.Source})
	default:
		s.cfg.Web.NotFound(w, r)
	}
}

package compare

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/remuda-go/remuda/server/examples/internal/static"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/web"
)

// Config is what the comparison is made of.
type Config struct {
	// Web writes problems. Required by [New].
	Web *web.Handler
	// Origins are those of pages that may start a measurement. Required by [New].
	Origins []string
	// Open opens a database, and makes it if it is missing. The store keeps items
	// and a revocation log. It is called twice for each file. Required.
	Open func(ctx context.Context, path string) (store.Store, error)
	// Folder is where databases are made, and removed again; empty means where
	// temporary files are.
	Folder string
	// Log receives failures. Nil means nobody.
	Log *slog.Logger
}

// Path is where the page is. Its files, and the measurements, are under it.
const Path = "/compare"

// bound is how long a measurement may take.
const bound = 30 * time.Second

//go:embed site
var files embed.FS

// handler serves the page, its files, and the measurements.
type handler struct {
	cfg    Config
	text   *template.Template
	assets map[string]http.Handler
	free   chan struct{} // holds one element while nothing is measured
}

// New returns the handler of everything at and under [Path].
func New(cfg Config) (http.Handler, error) {
	if cfg.Web == nil || len(cfg.Origins) == 0 || cfg.Open == nil {
		return nil, errors.New("compare: Web, Origins and Open are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	h := &handler{cfg: cfg, assets: map[string]http.Handler{}, free: make(chan struct{}, 1)}
	h.free <- struct{}{}
	var err error
	if h.text, err = template.ParseFS(files, "site/page.html"); err != nil {
		return nil, err
	}
	for _, name := range []string{"site/compare.js", "site/compare.css"} {
		path, asset, err := static.Asset(files, name)
		if err != nil {
			return nil, err
		}
		h.assets[Path+path] = asset
	}
	return h, nil
}

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	asset := h.assets[path]
	i := slices.IndexFunc(columns, func(c column) bool { return path == Path+"/"+c.Name() })
	switch get := r.Method == http.MethodGet || r.Method == http.MethodHead; {
	case path != Path && asset == nil && i < 0:
		h.cfg.Web.NotFound(w, r)
	case i >= 0 && r.Method != http.MethodPost:
		h.notAllowed(w, r, http.MethodPost)
	case i >= 0:
		h.measure(w, r, &columns[i])
	case !get:
		h.notAllowed(w, r, "GET, HEAD")
	case asset != nil:
		asset.ServeHTTP(w, r)
	default:
		static.WritePage(r.Context(), w, h.cfg.Log, h.text, pageData{columns, groups})
	}
}

// pageData is what the template is given.
type pageData struct {
	Columns []column
	Groups  []group
}

func (h *handler) notAllowed(w http.ResponseWriter, r *http.Request, allowed string) {
	w.Header().Set("Allow", allowed)
	h.cfg.Web.WriteProblem(w, r, &web.Problem{Code: web.CodeMethodNotAllowed})
}

// measured is a column on the wire.
type measured struct {
	Profile string            `json:"profile"`
	Cells   map[string]string `json:"cells"` // by the ids of rows
}

// measure measures a profile for a page of ours. It makes a machine work, so no
// other site may ask for it, and one measurement is under way at a time: two would
// measure each other.
func (h *handler) measure(w http.ResponseWriter, r *http.Request, c *column) {
	if !h.ours(r) {
		h.cfg.Web.WriteProblem(w, r, &web.Problem{Code: web.CodeCSRFFailed, Detail: "The origin is not one that is allowed here."})
		return
	}
	select {
	case <-h.free:
		defer func() { h.free <- struct{}{} }()
	default:
		w.Header().Set("Retry-After", "5")
		h.cfg.Web.WriteProblem(w, r, &web.Problem{Code: web.CodeRateLimited, Detail: "Somebody else is measuring."})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), bound)
	defer cancel()
	result, err := Measure(ctx, h.cfg, c.profile)
	if err != nil {
		h.cfg.Web.WriteProblem(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(measured{c.Name(), result.cells()}) // the client is gone: nobody is left to tell
}

// ours reports whether a request comes from a page of ours.
func (h *handler) ours(r *http.Request) bool {
	origin, site := r.Header.Values("Origin"), strings.Join(r.Header.Values("Sec-Fetch-Site"), ",")
	return len(origin) == 1 && slices.Contains(h.cfg.Origins, origin[0]) && (site == "" || site == "same-origin")
}

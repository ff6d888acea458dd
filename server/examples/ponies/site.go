package ponies

import (
	"embed"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/remuda-go/remuda/server/examples/internal/static"
	"github.com/remuda-go/remuda/web"
)

//go:embed site
var site embed.FS

// addSite adds the page and its assets to the routes.
func (h *handler) addSite(cfg Config) error {
	text, err := template.ParseFS(site, "site/page.html")
	if err != nil {
		return err
	}
	h.routes["/"] = route{http.MethodGet: &page{text: text, log: cfg.Log, data: pageData{
		Auth: h.web.Prefix(), Refresh: cfg.RefreshEvery.Milliseconds(), Compare: cfg.Compare, Mail: cfg.Mail, Shop: cfg.Shop,
	}}}
	for _, f := range []struct {
		files fs.FS
		name  string
	}{{site, "site/app.js"}, {static.Files, static.Style}, {static.Files, static.Icon}} {
		path, asset, err := static.Asset(f.files, f.name)
		if err != nil {
			return err
		}
		h.routes[path] = route{http.MethodGet: asset}
	}
	return nil
}

// page is the one page. It is the same for everybody, but for a hint of whether
// to ask who is signed in; so a browser's cache and its history hold nothing
// private that the server has put there.
type page struct {
	text *template.Template
	log  *slog.Logger
	data pageData
}

// pageData is what the template is given.
type pageData struct {
	Auth    string // where the endpoints are
	Refresh int64  // milliseconds
	Compare string // as in Config
	Mail    string // likewise
	Shop    string // likewise
	Ask     bool   // there are cookies, and so perhaps a session
	Return  string // where to go once somebody is signed in, or empty
}

// ServeHTTP implements [http.Handler].
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data := p.data
	data.Ask = r.Header.Get("Cookie") != ""
	// Wherever it came from: nobody is sent away from this site.
	if back := r.URL.Query().Get("return"); web.ReturnPath(back) {
		data.Return = back
	}
	static.WritePage(r.Context(), w, p.log, p.text, data)
}

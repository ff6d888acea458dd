package ponies

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"log/slog"
	"net/http"
	"time"
)

//go:embed site
var site embed.FS

// policy is the page's Content-Security-Policy. Nothing inline runs or styles,
// and nothing comes from elsewhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// assets are the files beside the page, with their types.
var assets = []struct{ name, media string }{
	{"app.js", "text/javascript; charset=utf-8"},
	{"style.css", "text/css; charset=utf-8"},
	{"icon.svg", "image/svg+xml"},
}

// addSite adds the page and its assets to the routes.
func (h *handler) addSite(cfg Config) error {
	text, err := template.ParseFS(site, "site/page.html")
	if err != nil {
		return err
	}
	h.routes["/"] = route{http.MethodGet: &page{
		text: text, log: cfg.Log, auth: h.web.Prefix(), refresh: cfg.RefreshEvery.Milliseconds(),
	}}
	for _, a := range assets {
		body, err := site.ReadFile("site/" + a.name)
		if err != nil {
			return err
		}
		h.routes["/assets/"+a.name] = route{http.MethodGet: newAsset(a.name, a.media, body)}
	}
	return nil
}

// page is the one page. It is the same for everybody, but for a hint of whether
// to ask who is signed in; so a browser's cache and its history hold nothing
// private that the server has put there.
type page struct {
	text    *template.Template
	log     *slog.Logger
	auth    string
	refresh int64
}

// pageData is what the template is given.
type pageData struct {
	Auth    string // where the endpoints are
	Refresh int64  // milliseconds
	Ask     bool   // there are cookies, and so perhaps a session
}

// ServeHTTP implements [http.Handler].
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	if err := p.text.Execute(&body, pageData{Auth: p.auth, Refresh: p.refresh, Ask: r.Header.Get("Cookie") != ""}); err != nil {
		p.log.ErrorContext(r.Context(), "the page does not render", "error", err)
		http.Error(w, "Internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	protect(h)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = body.WriteTo(w) // the client is gone: nobody is left to tell
}

// asset is a file that browsers may keep, but ask about before each use.
type asset struct {
	name, media, etag string
	body              []byte
}

func newAsset(name, media string, body []byte) *asset {
	sum := sha256.Sum256(body)
	return &asset{name: name, media: media, body: body, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`}
}

// ServeHTTP implements [http.Handler].
func (a *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	protect(h)
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Type", a.media)
	h.Set("ETag", a.etag)
	http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(a.body))
}

// protect keeps other sites and guesses about types away.
func protect(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

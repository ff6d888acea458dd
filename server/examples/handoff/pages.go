package handoff

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"

	"github.com/remuda-go/remuda/web"
)

//go:embed site
var files embed.FS

// policy lets the page's own script run, and talk to its own site.
const policy = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pages are the pages of a site, which differ in their addresses only.
type pages struct {
	site   site
	text   *template.Template
	script []byte
}

func newPages(s site) (*pages, error) {
	text, err := template.ParseFS(files, "site/page.html")
	if err != nil {
		return nil, err
	}
	script, err := files.ReadFile("site/page.js")
	if err != nil {
		return nil, err
	}
	return &pages{site: s, text: text, script: script}, nil
}

// pageData is what the template is given.
type pageData struct {
	Name   string
	Path   string
	Source string // the origin that users are handed from; empty at the source
	Target string // the origin that users are handed to; empty at the target
	Return string // where to go after a login, or empty
}

// ServeHTTP implements [http.Handler].
func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if r.URL.Path == "/page.js" {
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = w.Write(p.script) // the client is gone: nobody is left to tell
		return
	}
	data := pageData{Name: p.site.name, Path: r.URL.RequestURI()}
	if p.site.web.HandOff.Source != "" {
		data.Source = p.site.other
	} else {
		data.Target = p.site.other
	}
	// Wherever it came from: nobody is sent away from this site.
	if back := r.URL.Query().Get("return"); web.ReturnPath(back) {
		data.Return = back
	}
	var body bytes.Buffer
	if err := p.text.Execute(&body, data); err != nil {
		http.Error(w, "Internal error", http.StatusInternalServerError)
		return
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = body.WriteTo(w) // likewise
}

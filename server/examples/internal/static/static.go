// Package static is what the pages of the demos have in common: their files, and
// the headers that keep other sites and guesses about types away.
package static

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"time"
)

// Policy is the Content-Security-Policy of the pages. Nothing inline runs or
// styles, and nothing comes from elsewhere.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Files are those that all pages have.
//
//go:embed files
var Files embed.FS

// The names of Files.
const (
	Style = "files/style.css"
	Icon  = "files/icon.svg"
)

// media are the types of files, by the ends of their names.
var media = map[string]string{
	".js":  "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml",
}

// asset is a file that browsers may keep, but ask about before each use.
type asset struct {
	name, media, etag string
	body              []byte
}

// Asset returns the path of one file, and its handler.
func Asset(files fs.FS, name string) (at string, h http.Handler, err error) {
	body, err := fs.ReadFile(files, name)
	if err != nil {
		return "", nil, err
	}
	kind, ok := media[path.Ext(name)]
	if !ok {
		return "", nil, errors.New("static: " + name + " is of no known type")
	}
	sum := sha256.Sum256(body)
	a := &asset{
		name: path.Base(name), media: kind, body: body,
		etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`,
	}
	return "/assets/" + a.name, a, nil
}

// ServeHTTP implements [http.Handler].
func (a *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	Protect(h)
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Type", a.media)
	h.Set("ETag", a.etag)
	http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(a.body))
}

// WritePage answers with a page that nobody may keep.
func WritePage(ctx context.Context, w http.ResponseWriter, log *slog.Logger, text *template.Template, data any) {
	var body bytes.Buffer
	if err := text.Execute(&body, data); err != nil {
		log.ErrorContext(ctx, "the page does not render", "error", err)
		http.Error(w, "Internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	Protect(h)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", Policy)
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = body.WriteTo(w) // the client is gone: nobody is left to tell
}

// Protect keeps other sites and guesses about types away.
func Protect(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

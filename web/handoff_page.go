package web

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"strings"
)

//go:embed handoff
var handOffFiles embed.FS

// page is a page of ours: one document, with its script and its style inside, and
// the policy that lets these two run and nothing else.
type page struct {
	body   []byte
	policy string
}

// newPage puts a page together. What takes the place of {{sign-in}} is escaped.
func newPage(name, signIn string) (*page, error) {
	var parts [4]string
	for i, file := range []string{"page.html", name + ".html", name + ".js", "page.css"} {
		b, err := handOffFiles.ReadFile("handoff/" + file)
		if err != nil {
			return nil, err
		}
		parts[i] = string(b)
	}
	body := strings.ReplaceAll(parts[1], "{{sign-in}}", html.EscapeString(signIn))
	text := strings.NewReplacer("{{script}}", parts[2], "{{style}}", parts[3], "{{body}}", body).Replace(parts[0])
	return &page{body: []byte(text), policy: fmt.Sprintf(
		"default-src 'none'; script-src '%s'; style-src '%s'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		integrity(parts[2]), integrity(parts[3]))}, nil
}

// integrity is how a policy names an inline element (CSP level 3 section 2.3.1).
func integrity(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// serve answers with the page. Nobody may keep it, frame it, or learn from it
// where a browser has been.
func (p *page) serve(w http.ResponseWriter, r *http.Request) error {
	if err := checkNavigation(r); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	_, _ = w.Write(p.body) // the client is gone: nobody is left to tell
	return nil
}

// checkNavigation refuses what fetches a page without anybody having gone there:
// a prefetch, a preview, a frame, an image (Fetch Metadata; Sec-Purpose in the
// Fetch standard). Clients that say nothing of this pass.
func checkNavigation(r *http.Request) error {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		if v := strings.ToLower(strings.Join(r.Header.Values(name), " ")); strings.Contains(v, "prefetch") || strings.Contains(v, "preview") {
			return problem(CodeRequestInvalid, "This page is not fetched in advance.")
		}
	}
	for name, want := range map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"} {
		if v := r.Header.Values(name); len(v) > 1 || len(v) == 1 && v[0] != want {
			return problem(CodeRequestInvalid, "This page is for a window of its own.")
		}
	}
	return nil
}

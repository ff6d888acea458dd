// Package mailbox shows the mail that the demo has written, as its users would see it
// in their own mailboxes: everybody's, to whoever asks. It is for this machine alone.
package mailbox

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/remuda-go/remuda/server/examples/internal/static"
)

// Path is where the page is.
const Path = "/mail"

//go:embed page.html
var files embed.FS

// Handler serves the page. It is safe for concurrent use.
type Handler struct {
	folder string
	text   *template.Template
	log    *slog.Logger
}

// New returns a handler over the .eml files of a folder, which need not be there yet.
func New(folder string, log *slog.Logger) (*Handler, error) {
	text, err := template.ParseFS(files, "page.html")
	if err != nil {
		return nil, err
	}
	return &Handler{folder: folder, text: text, log: log}, nil
}

// letter is one mail as the page shows it.
type letter struct {
	To, Subject, Before, Link, After string
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != Path || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return
	}
	names, err := filepath.Glob(filepath.Join(h.folder, "*.eml"))
	if err != nil {
		http.Error(w, "Internal error", http.StatusInternalServerError)
		return
	}
	slices.Sort(names) // by time
	slices.Reverse(names)
	var list []letter
	for _, name := range names[:min(len(names), 50)] {
		l, err := read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			h.log.WarnContext(r.Context(), "a mail does not open", "error", err)
			continue
		}
		list = append(list, l)
	}
	static.WritePage(r.Context(), w, h.log, h.text, list)
}

// link is that of a notice.
var link = regexp.MustCompile(`(?m)^(https?://[^/\s]+)(/\S*/notice/\S+)$`)

// read returns a mail with its plain text.
func read(name string) (letter, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return letter{}, err
	}
	m, err := mail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		return letter{}, err
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return letter{}, err
	}
	part, err := multipart.NewReader(m.Body, params["boundary"]).NextPart() // the plain text comes first
	if err != nil {
		return letter{}, err
	}
	body, err := io.ReadAll(part)
	if err != nil {
		return letter{}, err
	}
	l := letter{To: m.Header.Get("To"), Subject: m.Header.Get("Subject"), Before: strings.ReplaceAll(string(body), "\r\n", "\n")}
	if at := link.FindStringSubmatchIndex(l.Before); at != nil {
		all := l.Before
		// To where this page is: the demo has several names.
		l.Before, l.Link, l.After = all[:at[0]], all[at[4]:at[5]], all[at[1]:]
	}
	return l, nil
}

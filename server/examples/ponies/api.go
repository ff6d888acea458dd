package ponies

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

// maxText is the longest name or breed, in characters.
const maxText = 64

// errNoSession cannot happen behind [web.Handler.Require]; it is answered as
// internal.
var errNoSession = errors.New("ponies: the request has no session")

// api serves the ponies of whoever is signed in.
type api struct {
	web   *web.Handler
	herds *herds
	now   func() time.Time
}

// ponyBody is what a client sends.
type ponyBody struct {
	Name  string `json:"name"`
	Breed string `json:"breed"`
}

// listAnswer is a herd on the wire.
type listAnswer struct {
	Ponies []pony `json:"ponies"`
}

func (a *api) list(w http.ResponseWriter, r *http.Request) {
	s, ok := remuda.FromContext(r.Context())
	if !ok {
		a.web.WriteProblem(w, r, errNoSession)
		return
	}
	a.answer(w, r, http.StatusOK, listAnswer{Ponies: a.herds.list(ownerOf(s))})
}

func (a *api) add(w http.ResponseWriter, r *http.Request) {
	s, ok := remuda.FromContext(r.Context())
	if !ok {
		a.web.WriteProblem(w, r, errNoSession)
		return
	}
	var body ponyBody
	if err := web.ReadJSON(w, r, &body); err != nil {
		a.web.WriteProblem(w, r, err)
		return
	}
	if err := body.check(); err != nil {
		a.web.WriteProblem(w, r, err)
		return
	}
	p, err := a.herds.add(ownerOf(s), pony{Name: body.Name, Breed: body.Breed, AddedAt: a.now().UTC().Truncate(time.Second)})
	if errors.Is(err, errHerdFull) {
		err = invalid("A herd has at most %d ponies.", maxHerd)
	}
	if err != nil {
		a.web.WriteProblem(w, r, err)
		return
	}
	a.answer(w, r, http.StatusCreated, p)
}

// sell takes a pony out of the herd. It cannot be taken back, so the user is asked
// who they are each time.
func (a *api) sell(w http.ResponseWriter, r *http.Request) {
	s, ok := remuda.FromContext(r.Context())
	if !ok {
		a.web.WriteProblem(w, r, errNoSession)
		return
	}
	if !a.herds.sell(ownerOf(s), r.PathValue("id")) {
		a.web.WriteProblem(w, r, &web.Problem{Code: web.CodeNotFound})
		return
	}
	private(w.Header())
	w.WriteHeader(http.StatusNoContent)
}

// check returns a [*web.Problem] that names the member at fault, or nil.
func (b *ponyBody) check() error {
	for _, m := range []struct{ name, value string }{{"name", b.Name}, {"breed", b.Breed}} {
		if !plain(m.value) {
			return invalid("%s must be 1 to %d characters, not all of them spaces and none a control character.", m.name, maxText)
		}
	}
	return nil
}

// plain reports whether a text is one line that people can read.
func plain(s string) bool {
	n := utf8.RuneCountInString(s)
	return n >= 1 && n <= maxText && utf8.ValidString(s) &&
		strings.TrimSpace(s) != "" && !strings.ContainsFunc(s, breaks)
}

// breaks reports whether a character is a control character or ends a line.
func breaks(r rune) bool { return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) }

func invalid(format string, args ...any) *web.Problem {
	return &web.Problem{Code: web.CodeRequestInvalid, Detail: fmt.Sprintf(format, args...)}
}

// private keeps an answer out of caches and other contexts.
func private(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// answer writes JSON that nobody may keep.
func (a *api) answer(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		a.web.WriteProblem(w, r, err)
		return
	}
	h := w.Header()
	private(h)
	h.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client is gone: nobody is left to tell
}

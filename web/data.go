package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/remuda-go/remuda"
)

// mergePatch is the media type of a JSON merge patch (RFC 7396 section 4), which
// has no parameters.
const mergePatch = "application/merge-patch+json"

// data answers with the data of the session, but for what is the application's.
func (h *Handler) data(w http.ResponseWriter, r *http.Request) error {
	s, err := h.withData(r)
	if err != nil {
		return err
	}
	d, err := h.manager.Data(r.Context(), s.ID)
	if err != nil {
		return err
	}
	return writeData(w, d)
}

// patchData changes the data of the session by a merge patch (RFC 7396), and
// answers with all of it.
func (h *Handler) patchData(w http.ResponseWriter, r *http.Request) error {
	s, err := h.withData(r)
	if err != nil {
		return err
	}
	patch, err := readPatch(w, r)
	if err != nil {
		return err
	}
	d, err := h.manager.PatchData(r.Context(), s.ID, patch)
	if errors.Is(err, remuda.ErrRequest) {
		// The error names keys, which may be anything; the limits will do.
		return problem(CodeRequestInvalid, "A key is 1 to 64 characters of plain ASCII; a session has at most %d keys and %d bytes of data.", remuda.MaxDataKeys, remuda.MaxData)
	}
	if err != nil {
		return err
	}
	return writeData(w, d)
}

// withData returns the session of a request, if its kind has data at all.
func (h *Handler) withData(r *http.Request) (*remuda.Session, error) {
	s, _, err := h.authenticate(r, Rule{})
	if err != nil {
		return nil, err
	}
	if p, _ := h.manager.Profile(s.Profile); p.Recordless {
		return nil, problem(CodeRequestInvalid, "Sessions of this kind have no data.")
	}
	return s, nil
}

// ownKey reports whether a key is the application's, which a client neither sees
// nor writes.
func ownKey(key string) bool { return strings.HasPrefix(key, "_") }

// readPatch reads a merge patch: an object, as application/json or as what it is.
func readPatch(w http.ResponseWriter, r *http.Request) (remuda.DataPatch, error) {
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	var values map[string]jsontext.Value
	if types := r.Header.Values("Content-Type"); len(types) != 1 || !strings.EqualFold(types[0], mergePatch) {
		err = decodeJSON(r, body, &values)
	} else if err = json.Unmarshal(body, &values); err != nil {
		err = problem(CodeRequestInvalid, "The body is not the JSON expected here: %s.", describe(err))
	}
	if err != nil {
		return nil, err
	}
	if values == nil { // null would replace everything
		return nil, problem(CodeRequestInvalid, "The body is a JSON object.")
	}
	patch := make(remuda.DataPatch, len(values))
	for key, v := range values {
		if ownKey(key) {
			return nil, problem(CodeRequestInvalid, "Keys that begin with an underscore are the application's.")
		}
		patch[key] = v
	}
	return patch, nil
}

// writeData writes what a client may see.
func writeData(w http.ResponseWriter, d *remuda.Data) error {
	shown := map[string]jsontext.Value{}
	for _, key := range d.Keys() {
		if ownKey(key) {
			continue
		}
		v, _, err := remuda.DataValue[jsontext.Value](d, key)
		if err != nil {
			return err
		}
		shown[key] = v
	}
	return writeJSON(w, shown)
}

// Reissue gives the session of a request a fresh access token with the claims that
// are true now (see [remuda.Manager.Reissue], whose errors it returns). Where the
// session travels by cookie it sets the cookie, so it is called before the answer
// is written; else the grant is for the answer's body. The session is the one that
// the request came with: see [remuda.FromContext].
func (h *Handler) Reissue(w http.ResponseWriter, r *http.Request, s *remuda.Session) (remuda.Grant, error) {
	g, err := h.manager.Reissue(r.Context(), remuda.ReissueRequest{Session: s.ID, Gen: s.Gen})
	if err != nil {
		return remuda.Grant{}, fmt.Errorf("web: reissue: %w", err)
	}
	if p, _ := h.manager.Profile(s.Profile); p.Transport == remuda.Cookie {
		private(w.Header())
		h.names(r).set(w, &g, h.manager.Now())
	}
	return g, nil
}

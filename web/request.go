package web

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web/device"
)

// maxBody is the longest body that is read, in bytes.
const maxBody = 64 << 10

type requestIDKey struct{}

// RequestID returns the id of a request under this package, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

func withRequestID(r *http.Request) *http.Request {
	if RequestID(r.Context()) != "" {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), requestIDKey{}, newRequestID()))
}

func newRequestID() string { return rand.Text() }

// ReadJSON reads a request's body into v, strictly: one JSON document of at most
// 64 KiB, sent as application/json, without unknown or duplicate members; names
// match exactly. It returns a [*Problem].
func ReadJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return problem(CodeRequestInvalid, "The body is missing.")
	}
	return decodeJSON(r, body, v)
}

// readOptionalJSON is ReadJSON where the body may be missing.
func readOptionalJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := readBody(w, r)
	if err != nil || len(body) == 0 {
		return err
	}
	return decodeJSON(r, body, v)
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		w.Header().Set("Connection", "close") // the rest is not worth reading
		return nil, &Problem{Code: CodeRequestTooLarge}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &Problem{Code: CodeRequestTooLarge}
	}
	if err != nil {
		return nil, problem(CodeRequestInvalid, "The body could not be read.")
	}
	return body, nil
}

func decodeJSON(r *http.Request, body []byte, v any) error {
	types := r.Header.Values("Content-Type")
	if len(types) != 1 {
		return &Problem{Code: CodeUnsupportedMedia}
	}
	media, params, err := mime.ParseMediaType(types[0])
	charset, hasCharset := params["charset"]
	if err != nil || media != "application/json" || hasCharset && !strings.EqualFold(charset, "utf-8") {
		return &Problem{Code: CodeUnsupportedMedia}
	}
	if err := json.Unmarshal(body, v, json.RejectUnknownMembers(true)); err != nil {
		return problem(CodeRequestInvalid, "The body is not the JSON expected here: %s.", describe(err))
	}
	return nil
}

// describe says what is wrong with a document, and never shows a part of it:
// whatever stands there, names included, may be a password.
func describe(err error) string {
	if _, ok := errors.AsType[*json.SemanticError](err); ok {
		return "a member is unknown or has the wrong type"
	}
	return "it is malformed, or a member is there twice"
}

// client is what is known of the client of a request.
func (h *Handler) client(r *http.Request) remuda.Client {
	return remuda.Client{UserAgent: r.UserAgent(), Address: h.address(r), RequestID: RequestID(r.Context())}
}

// newClient is client at the beginning of a session, whose device is then named for
// the user's list.
func (h *Handler) newClient(r *http.Request) remuda.Client {
	c := h.client(r)
	c.Device = device.Name(r.Header)
	if h.whereIs != nil && c.Address.IsValid() {
		c.Place = h.whereIs(c.Address)
	}
	return c
}

// address returns the client's address: the peer's or, behind trusted proxies,
// the last one in X-Forwarded-For that is not a trusted proxy itself.
func (h *Handler) address(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	if len(h.proxies) == 0 {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && h.trusted(addr); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = next.Unmap()
	}
	return addr
}

func (h *Handler) trusted(a netip.Addr) bool {
	for _, p := range h.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// relayed reports whether a trusted proxy says that it uses the credential on
// behalf of a browser that may not have received it yet.
func (h *Handler) relayed(r *http.Request) bool {
	if len(h.proxies) == 0 || r.Header.Get("Remuda-Relay") != "1" {
		return false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && h.trusted(peer.Addr().Unmap())
}

// retryKey returns the Idempotency-Key of a refresh (draft-ietf-httpapi-
// idempotency-key-header), quoted or bare, or "".
func retryKey(r *http.Request) (string, error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	if len(values) > 1 || len(key) < 16 || len(key) > 255 || !printable(key) {
		return "", problem(CodeRequestInvalid, "An Idempotency-Key is one value of 16 to 255 printable characters.")
	}
	return key, nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return true
}

package payload

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/remuda-go/remuda/codec"
)

// Append appends the claims to dst as one JSON object: reserved members in a
// fixed order, then the application's. It fails if a claim cannot be written.
func Append(dst []byte, c *codec.Claims, times Times) ([]byte, error) {
	w := writer{buf: append(dst, '{'), start: len(dst) + 1, c: c, times: times}
	w.text("iss", c.Issuer)
	w.text("aud", c.Audience)
	w.text("sub", c.Subject)
	w.id("sid", c.Session)
	w.time("iat", c.IssuedAt)
	w.time("exp", c.Expires)
	w.number("gen", int64(c.Gen))
	if c.Gen == 0 {
		w.fail(errors.New("payload: gen is missing"))
	}
	if c.Type == codec.Refresh {
		w.id("jti", c.JTI)
		if !c.Profile.IsZero() || !c.App.IsZero() || !c.ACR.IsZero() || !c.AMR.IsZero() || !c.Tenant.IsZero() || c.Anon {
			w.fail(errors.New("payload: a refresh token carries nothing else"))
		}
	} else {
		if c.Profile.IsZero() {
			w.fail(errors.New("payload: prf is missing"))
		}
		w.text("prf", c.Profile)
		w.time("auth_time", c.AuthTime)
		w.number("sst", c.Started)
		w.optional("acr", c.ACR)
		w.raw("amr", c.AMR)
		w.optional("tenant", c.Tenant)
		if c.Anon {
			w.name("anon")
			w.buf = append(w.buf, "true"...)
		}
		w.members(c.App)
	}
	return append(w.buf, '}'), w.err
}

// writer writes members; the first error stays.
type writer struct {
	buf   []byte
	start int // of the first member
	c     *codec.Claims
	times Times
	err   error
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) name(n string) {
	if len(w.buf) > w.start {
		w.buf = append(w.buf, ',')
	}
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, n...)
	w.buf = append(w.buf, '"', ':')
}

func (w *writer) optional(n string, s codec.Span) {
	if !s.IsZero() {
		w.text(n, s)
	}
}

// text writes a string. Only the quote and the backslash are escaped; what JSON
// would have to escape otherwise is refused.
func (w *writer) text(n string, s codec.Span) {
	text := w.c.Text(s)
	if !plain(text) {
		w.fail(fmt.Errorf("payload: %s has control characters or is not UTF-8", n))
		return
	}
	w.name(n)
	w.buf = append(w.buf, '"')
	if bytes.IndexByte(text, '"') < 0 && bytes.IndexByte(text, '\\') < 0 {
		w.buf = append(w.buf, text...)
		w.buf = append(w.buf, '"')
		return
	}
	for _, ch := range text {
		if ch == '"' || ch == '\\' {
			w.buf = append(w.buf, '\\')
		}
		w.buf = append(w.buf, ch)
	}
	w.buf = append(w.buf, '"')
}

func (w *writer) id(n string, id [16]byte) {
	w.name(n)
	w.buf = append(w.buf, '"')
	w.buf = base64.RawURLEncoding.AppendEncode(w.buf, id[:])
	w.buf = append(w.buf, '"')
}

func (w *writer) number(n string, v int64) {
	if v < 0 || v > maxNumber {
		w.fail(fmt.Errorf("payload: %s is out of range", n))
		return
	}
	w.name(n)
	w.buf = strconv.AppendInt(w.buf, v, 10)
}

// time writes an instant in Unix seconds.
func (w *writer) time(n string, v int64) {
	if w.times == Numbers {
		w.number(n, v)
		return
	}
	if v < 0 || v > maxDate {
		w.fail(fmt.Errorf("payload: %s is out of range", n))
		return
	}
	w.name(n)
	w.buf = append(w.buf, '"')
	w.buf = time.Unix(v, 0).UTC().AppendFormat(w.buf, time.RFC3339)
	w.buf = append(w.buf, '"')
}

func (w *writer) raw(n string, s codec.Span) {
	if !s.IsZero() {
		w.name(n)
		w.buf = append(w.buf, w.c.Text(s)...)
	}
}

// members writes the members of an object, without its braces.
func (w *writer) members(s codec.Span) {
	text := w.c.Text(s)
	if len(text) <= len("{}") {
		return
	}
	w.buf = append(w.buf, ',')
	w.buf = append(w.buf, text[1:len(text)-1]...)
}

// plain reports whether text is UTF-8 without control characters.
func plain(text []byte) bool {
	for _, ch := range text {
		if ch < 0x20 || ch == 0x7f {
			return false
		}
	}
	return utf8.Valid(text)
}

package payload

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/remuda-go/remuda/codec"
)

// Append appends the claims to dst as one JSON object: reserved members in a
// fixed order, then the application's. It fails if a claim cannot be written.
func Append(dst []byte, c *codec.Claims, times Times) ([]byte, error) {
	w := writer{buf: dst, c: c, times: times}
	w.text(`{"iss":`, c.Issuer)
	w.text(`,"aud":`, c.Audience)
	w.text(`,"sub":`, c.Subject)
	w.id(`,"sid":`, c.Session)
	w.time(`,"iat":`, c.IssuedAt)
	w.time(`,"exp":`, c.Expires)
	w.number(`,"gen":`, int64(c.Gen))
	if c.Gen == 0 {
		w.fail(errors.New("payload: gen is missing"))
	}
	if c.Type == codec.Refresh {
		w.id(`,"jti":`, c.JTI)
		if !c.Profile.IsZero() || !c.App.IsZero() || !c.ACR.IsZero() || !c.AMR.IsZero() || !c.Tenant.IsZero() || c.Anon || c.Acted() {
			w.fail(errors.New("payload: a refresh token carries nothing else"))
		}
	} else {
		if c.Profile.IsZero() {
			w.fail(errors.New("payload: prf is missing"))
		}
		if c.JTI != [16]byte{} {
			w.id(`,"jti":`, c.JTI)
		}
		w.text(`,"prf":`, c.Profile)
		w.time(`,"auth_time":`, c.AuthTime)
		w.number(`,"sst":`, c.Started)
		w.optional(`,"acr":`, c.ACR)
		w.raw(`,"amr":`, c.AMR)
		w.optional(`,"tenant":`, c.Tenant)
		w.actor()
		if c.Anon {
			w.buf = append(w.buf, `,"anon":true`...)
		}
		w.members(c.App)
	}
	return append(w.buf, '}'), w.err
}

// writer writes members; the first error stays. A member is given as what stands
// before its value.
type writer struct {
	buf   []byte
	c     *codec.Claims
	times Times
	err   error
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// failAbout fails because of a member's value.
func (w *writer) failAbout(member, problem string) {
	w.fail(fmt.Errorf("payload: %s %s", strings.Trim(member, `{,":`), problem))
}

// actor writes who acts for the subject.
func (w *writer) actor() {
	c := w.c
	if !c.Acted() {
		return
	}
	if c.Anon || c.Actor.IsZero() {
		w.fail(errors.New("payload: act needs a subject, and somebody who acts"))
	}
	w.text(`,"act":{"sub":`, c.Actor)
	w.id(`,"sid":`, c.ActorSession)
	w.number(`,"sst":`, c.ActorStarted)
	w.optional(`,"tenant":`, c.ActorTenant)
	w.buf = append(w.buf, '}')
}

func (w *writer) optional(member string, s codec.Span) {
	if !s.IsZero() {
		w.text(member, s)
	}
}

// What a text has in it.
const (
	hasEscape  = 1 << iota // a quote or a backslash
	hasHigh                // a part of a character outside ASCII
	hasControl             // a control character
)

// kinds says for each byte what a text with it has.
var kinds = func() (t [256]byte) {
	for i := range t {
		switch {
		case i < 0x20 || i == 0x7f:
			t[i] = hasControl
		case i == '"' || i == '\\':
			t[i] = hasEscape
		case i >= utf8.RuneSelf:
			t[i] = hasHigh
		}
	}
	return t
}()

// text writes a string. Only the quote and the backslash are escaped; what JSON
// would have to escape otherwise is refused.
func (w *writer) text(member string, s codec.Span) {
	text := w.c.Text(s)
	var has byte
	for _, ch := range text {
		has |= kinds[ch]
	}
	if has&hasControl != 0 || has&hasHigh != 0 && !utf8.Valid(text) {
		w.failAbout(member, "has control characters or is not UTF-8")
		return
	}
	w.buf = append(w.buf, member...)
	w.buf = append(w.buf, '"')
	if has&hasEscape == 0 {
		w.buf = append(w.buf, text...)
	} else {
		w.escaped(text)
	}
	w.buf = append(w.buf, '"')
}

func (w *writer) escaped(text []byte) {
	for _, ch := range text {
		if kinds[ch] == hasEscape {
			w.buf = append(w.buf, '\\')
		}
		w.buf = append(w.buf, ch)
	}
}

func (w *writer) id(member string, id [16]byte) {
	w.buf = append(w.buf, member...)
	w.buf = append(w.buf, '"')
	w.buf = base64.RawURLEncoding.AppendEncode(w.buf, id[:])
	w.buf = append(w.buf, '"')
}

func (w *writer) number(member string, v int64) {
	if v < 0 || v > maxNumber {
		w.failAbout(member, "is out of range")
		return
	}
	w.buf = append(w.buf, member...)
	w.buf = strconv.AppendInt(w.buf, v, 10)
}

// time writes an instant in Unix seconds.
func (w *writer) time(member string, v int64) {
	if w.times == Numbers {
		w.number(member, v)
		return
	}
	if v < 0 || v > maxDate {
		w.failAbout(member, "is out of range")
		return
	}
	w.buf = append(w.buf, member...)
	w.buf = append(w.buf, '"')
	w.buf = time.Unix(v, 0).UTC().AppendFormat(w.buf, time.RFC3339)
	w.buf = append(w.buf, '"')
}

func (w *writer) raw(member string, s codec.Span) {
	if !s.IsZero() {
		w.buf = append(w.buf, member...)
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

package payload

import (
	"bytes"
	"slices"

	"github.com/remuda-go/remuda/codec"
)

// Times says how iat, exp and auth_time are written.
type Times uint8

// The forms of times.
const (
	Numbers Times = iota // whole seconds since 1970 (RFC 7519 section 2, NumericDate)
	Dates                // RFC 3339 in UTC and whole seconds: 2026-11-25T08:30:00Z
)

const (
	maxNumber  = 999_999_999_999_999 // 15 digits: exact in every JSON parser
	maxDigits  = 15
	maxDate    = 253_402_300_799 // the last second of the year 9999
	maxMembers = 64              // in all objects of a payload together
	maxDepth   = 8               // of the application's values
)

// Bits for the reserved members that were seen.
const (
	sawIss = 1 << iota
	sawAud
	sawSub
	sawSid
	sawIat
	sawExp
	sawGen
	sawJti
	sawPrf
	sawAuthTime
	sawSst
	sawAcr
	sawAmr
	sawTenant
	sawAct
	sawAnon
)

const (
	sawRefresh = sawIss | sawAud | sawSub | sawSid | sawIat | sawExp | sawGen | sawJti
	sawAccess  = sawIss | sawAud | sawSub | sawSid | sawIat | sawExp | sawGen | sawPrf | sawAuthTime | sawSst
	mayAccess  = sawAccess | sawJti | sawAcr | sawAmr | sawTenant | sawAct | sawAnon
)

// scanner reads a payload once, from front to back. A method returns false at
// the first thing that Sign would not have written; nothing is repaired.
type scanner struct {
	b       []byte // the payload; shares its array with c.Payload
	i       int
	c       *codec.Claims
	times   Times
	seen    uint32
	members int
	names   [maxMembers]codec.Span // of the open objects' members, for duplicates
	named   int
	app     codec.Span
}

// Scan fills c from c.Payload and reports whether it is a payload of c.Type. It
// allocates nothing once the buffer has grown to the usual size.
func Scan(c *codec.Claims, times Times) bool {
	n := len(c.Payload)
	// Room for the application's claims behind the payload, so that appending
	// never moves it: texts are unescaped in place.
	c.Payload = slices.Grow(c.Payload, n+2)
	s := scanner{b: c.Payload[:n], c: c, times: times}
	if !s.object() || s.i != n {
		return false
	}
	if !s.app.IsZero() {
		c.Payload = append(c.Payload, '}')
		s.app.End++
		c.App = s.app
	}
	if c.Type == codec.Refresh {
		return s.seen == sawRefresh && s.app.IsZero()
	}
	if s.seen&sawJti != 0 && c.JTI == [16]byte{} {
		return false // it is left out where there is none
	}
	if s.seen&sawAct != 0 && s.c.Anon {
		return false
	}
	return s.seen&sawAccess == sawAccess && s.seen&^uint32(mayAccess) == 0
}

// object reads the payload's own object.
func (s *scanner) object() bool {
	if !s.byte('{') {
		return false
	}
	for {
		if !s.member() {
			return false
		}
		if s.byte('}') {
			return true
		}
		if !s.byte(',') {
			return false
		}
	}
}

func (s *scanner) byte(want byte) bool {
	if s.i >= len(s.b) || s.b[s.i] != want {
		return false
	}
	s.i++
	return true
}

// member reads a name and its value.
func (s *scanner) member() bool {
	start := s.i
	span, ok := s.name()
	if !ok {
		return false
	}
	var bit uint32
	switch name := s.b[span.Start:span.End]; string(name) {
	case "iss":
		bit, ok = sawIss, s.text(&s.c.Issuer)
	case "aud":
		bit, ok = sawAud, s.text(&s.c.Audience)
	case "sub":
		bit, ok = sawSub, s.text(&s.c.Subject)
	case "sid":
		bit, ok = sawSid, s.id(&s.c.Session)
	case "iat":
		bit, ok = sawIat, s.time(&s.c.IssuedAt)
	case "exp":
		bit, ok = sawExp, s.time(&s.c.Expires)
	case "gen":
		bit, ok = sawGen, s.gen()
	case "jti":
		bit, ok = sawJti, s.id(&s.c.JTI)
	case "prf":
		bit, ok = sawPrf, s.text(&s.c.Profile) && !s.c.Profile.IsZero()
	case "auth_time":
		bit, ok = sawAuthTime, s.time(&s.c.AuthTime)
	case "sst":
		bit, ok = sawSst, s.number(&s.c.Started)
	case "acr":
		bit, ok = sawAcr, s.text(&s.c.ACR) && !s.c.ACR.IsZero()
	case "amr":
		bit, ok = sawAmr, s.texts(&s.c.AMR)
	case "tenant":
		bit, ok = sawTenant, s.text(&s.c.Tenant) && !s.c.Tenant.IsZero()
	case "act":
		bit, ok = sawAct, s.actor()
	case "anon":
		bit, ok = sawAnon, s.literal("true")
		s.c.Anon = ok
	default:
		return codec.AppName(name) && s.unique(0, span) && s.value(maxDepth) && s.keep(start)
	}
	if !ok || s.seen&bit != 0 {
		return false
	}
	s.seen |= bit
	return true
}

// name reads a member name and its colon. Names have no escapes.
func (s *scanner) name() (codec.Span, bool) {
	s.members++
	if s.members > maxMembers || !s.byte('"') {
		return codec.Span{}, false
	}
	b, start := s.b, s.i
	for i := start; i < len(b); i++ { // names are too short for bytes.IndexByte to pay
		if b[i] == '"' {
			s.i = i + 1
			return span(start, i), s.byte(':')
		}
	}
	return codec.Span{}, false
}

// unique notes a name, and reports whether it is not among those of its object,
// which begin at base.
func (s *scanner) unique(base int, name codec.Span) bool {
	for _, other := range s.names[base:s.named] {
		if bytes.Equal(s.b[other.Start:other.End], s.b[name.Start:name.End]) {
			return false
		}
	}
	s.names[s.named] = name // s.named < s.members <= maxMembers
	s.named++
	return true
}

// keep gathers the application's member that began at start behind the payload.
func (s *scanner) keep(start int) bool {
	c := s.c
	if s.app.IsZero() {
		s.app = span(len(c.Payload), len(c.Payload))
		c.Payload = append(c.Payload, '{')
	} else {
		c.Payload = append(c.Payload, ',')
	}
	c.Payload = append(c.Payload, s.b[start:s.i]...)
	s.app.End = uint16(len(c.Payload)) //nolint:gosec // at most twice codec.MaxToken
	return true
}

func span(start, end int) codec.Span {
	return codec.Span{Start: uint16(start), End: uint16(end)} //nolint:gosec // at most twice codec.MaxToken
}

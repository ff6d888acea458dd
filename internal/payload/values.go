package payload

import (
	"math"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/remuda-go/remuda/codec"
)

// text reads a string of ours: the only escapes are \" and \\, which it undoes
// in place.
func (s *scanner) text(out *codec.Span) bool {
	if !s.byte('"') {
		return false
	}
	b, start := s.b, s.i
	var high byte
	for i := start; i < len(b); i++ {
		ch := b[i]
		switch {
		case ch == '"':
			*out = span(start, i)
			s.i = i + 1
			return high < utf8.RuneSelf || utf8.Valid(b[start:i])
		case ch == '\\':
			return s.escapedText(out, start, i)
		case ch < 0x20 || ch == 0x7f:
			return false
		}
		high |= ch
	}
	return false
}

// escapedText reads on in a text that began at start, from its first backslash.
func (s *scanner) escapedText(out *codec.Span, start, i int) bool {
	b, w := s.b, i
	for ; i < len(b); i++ {
		ch := b[i]
		switch {
		case ch == '"':
			*out = span(start, w)
			s.i = i + 1
			return utf8.Valid(b[start:w])
		case ch == '\\':
			i++
			if i >= len(b) || b[i] != '"' && b[i] != '\\' {
				return false
			}
			ch = b[i]
		case ch < 0x20 || ch == 0x7f:
			return false
		}
		b[w] = ch
		w++
	}
	return false
}

// id reads 16 bytes in canonical base64url.
func (s *scanner) id(out *[16]byte) bool {
	const length = 22
	end := s.i + 1 + length
	if !s.byte('"') || end >= len(s.b) || s.b[end] != '"' {
		return false
	}
	raw, ok := Decode(out[:0], s.b[s.i:end])
	s.i = end + 1
	return ok && len(raw) == len(out)
}

// number reads a whole number without sign, leading zero or exponent.
func (s *scanner) number(out *int64) bool {
	b, i := s.b, s.i
	var v int64
	for ; i < len(b); i++ {
		digit := b[i] - '0' // wraps around for what is smaller
		if digit > 9 {
			break
		}
		v = v*10 + int64(digit)
		if i-s.i >= maxDigits {
			return false
		}
	}
	start := s.i
	*out, s.i = v, i
	return i > start && (b[start] != '0' || i-start == 1)
}

// time reads an instant in the form of this payload.
func (s *scanner) time(out *int64) bool {
	if s.times == Numbers {
		return s.number(out)
	}
	return s.date(out)
}

// date reads an instant as [time.RFC3339] writes it in UTC, and nothing that
// comes to the same.
func (s *scanner) date(out *int64) bool {
	const form = `"0000-00-00T00:00:00Z"`
	if len(s.b)-s.i < len(form) {
		return false
	}
	text := s.b[s.i : s.i+len(form)]
	for i, ch := range text {
		if digit := '0' <= ch && ch <= '9'; digit != (form[i] == '0') || !digit && ch != form[i] {
			return false
		}
	}
	year, month, day := decimal(text[1:5]), decimal(text[6:8]), decimal(text[9:11])
	hour, minute, second := decimal(text[12:14]), decimal(text[15:17]), decimal(text[18:20])
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	// Date repairs what is out of range: the 30th of February, hour 24.
	if t.Day() != day || int(t.Month()) != month || hour > 23 || minute > 59 || second > 59 || t.Unix() < 0 {
		return false
	}
	*out = t.Unix()
	s.i += len(form)
	return true
}

// decimal returns the value of digits.
func decimal(digits []byte) int {
	v := 0
	for _, ch := range digits {
		v = v*10 + int(ch-'0')
	}
	return v
}

func (s *scanner) gen() bool {
	var v int64
	if !s.number(&v) || v == 0 || v > math.MaxUint32 {
		return false
	}
	s.c.Gen = uint32(v) //nolint:gosec // just checked
	return true
}

// texts reads an array of one or more strings.
func (s *scanner) texts(out *codec.Span) bool {
	start := s.i
	if !s.byte('[') {
		return false
	}
	for {
		if s.i >= len(s.b) || s.b[s.i] != '"' || !s.value(1) {
			return false
		}
		if s.byte(']') {
			*out = span(start, s.i)
			return true
		}
		if !s.byte(',') {
			return false
		}
	}
}

func (s *scanner) literal(want string) bool {
	if len(s.b)-s.i < len(want) || string(s.b[s.i:s.i+len(want)]) != want {
		return false
	}
	s.i += len(want)
	return true
}

// actor reads who acts for the subject: members in the order in which they are
// written, since nobody else writes them.
func (s *scanner) actor() bool {
	c := s.c
	if !s.literal(`{"sub":`) || !s.text(&c.Actor) || c.Actor.IsZero() ||
		!s.literal(`,"sid":`) || !s.id(&c.ActorSession) || !s.literal(`,"sst":`) || !s.number(&c.ActorStarted) {
		return false
	}
	if s.literal(`,"tenant":`) && (!s.text(&c.ActorTenant) || c.ActorTenant.IsZero()) {
		return false
	}
	return s.byte('}')
}

// value skips one JSON value (RFC 8259) of the application's, without white
// space, nested at most depth deep.
func (s *scanner) value(depth int) bool {
	if s.i >= len(s.b) || depth == 0 {
		return false
	}
	switch s.b[s.i] {
	case '"':
		return s.anyText()
	case '{':
		return s.anyObject(depth)
	case '[':
		return s.anyArray(depth)
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.anyNumber()
	}
}

func (s *scanner) anyObject(depth int) bool {
	s.i++
	if s.byte('}') {
		return true
	}
	base := s.named
	for {
		name, ok := s.name()
		if !ok || !plainName(s.b[name.Start:name.End]) || !s.unique(base, name) || !s.value(depth-1) {
			return false
		}
		if s.byte('}') {
			s.named = base
			return true
		}
		if !s.byte(',') {
			return false
		}
	}
}

func (s *scanner) anyArray(depth int) bool {
	s.i++
	if s.byte(']') {
		return true
	}
	for {
		if !s.value(depth - 1) {
			return false
		}
		if s.byte(']') {
			return true
		}
		if !s.byte(',') {
			return false
		}
	}
}

func (s *scanner) anyText() bool {
	s.i++
	start := s.i
	var high byte
	for s.i < len(s.b) {
		ch := s.b[s.i]
		s.i++
		switch {
		case ch == '"':
			return high < utf8.RuneSelf || utf8.Valid(s.b[start:s.i-1])
		case ch < 0x20:
			return false
		case ch == '\\':
			if !s.escape() {
				return false
			}
		}
		high |= ch
	}
	return false
}

// plainName reports whether a name is the same with and without undoing JSON's
// escapes: otherwise one name would have several spellings.
func plainName(name []byte) bool {
	var has byte
	for _, ch := range name {
		has |= kinds[ch]
	}
	return has&(hasControl|hasEscape) == 0 && (has == 0 || utf8.Valid(name))
}

// escape reads what follows a backslash. Half a surrogate pair is refused: some
// parsers make U+FFFD of it, others an error.
func (s *scanner) escape() bool {
	if s.i >= len(s.b) {
		return false
	}
	ch := s.b[s.i]
	s.i++
	switch ch {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		high, ok := s.hex4()
		if !ok || !utf16.IsSurrogate(high) {
			return ok
		}
		if !s.literal(`\u`) {
			return false
		}
		low, ok := s.hex4()
		return ok && utf16.DecodeRune(high, low) != utf8.RuneError
	default:
		return false
	}
}

// hex4 reads four hexadecimal digits.
func (s *scanner) hex4() (rune, bool) {
	var v rune
	for range 4 {
		if s.i >= len(s.b) {
			return 0, false
		}
		d := hexDigit(s.b[s.i])
		if d < 0 {
			return 0, false
		}
		v = v<<4 | d
		s.i++
	}
	return v, true
}

// hexDigit returns the value of a digit, or -1.
func hexDigit(ch byte) rune {
	switch {
	case '0' <= ch && ch <= '9':
		return rune(ch - '0')
	case 'a' <= ch && ch <= 'f':
		return rune(ch-'a') + 10
	case 'A' <= ch && ch <= 'F':
		return rune(ch-'A') + 10
	default:
		return -1
	}
}

func (s *scanner) anyNumber() bool {
	s.byte('-')
	if s.byte('0') {
		if s.digits() {
			return false // a leading zero
		}
	} else if !s.digits() {
		return false
	}
	if s.byte('.') && !s.digits() {
		return false
	}
	if s.byte('e') || s.byte('E') {
		if !s.byte('+') {
			s.byte('-')
		}
		return s.digits()
	}
	return true
}

// digits reads digits and reports whether there was one.
func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}

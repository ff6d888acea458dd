package codec

import (
	"strings"
	"unicode/utf8"
)

// longestReserved is the length of the longest reserved name.
const longestReserved = len("auth_time")

// maxName is the longest name of an application's claim in bytes.
const maxName = 64

// AppName reports whether an application's claim may have this name: 1 to 64
// printable ASCII characters that JSON writes as they are, and not a reserved
// name, also not if letters are folded as lax JSON parsers fold them (SUB).
// Folds from outside ASCII (the long s, the Kelvin sign) cannot occur.
func AppName(name []byte) bool {
	if len(name) == 0 || len(name) > maxName {
		return false
	}
	for _, ch := range name {
		if !inNames[ch] {
			return false
		}
	}
	return len(name) > longestReserved || !isReserved(name)
}

// inNames are the characters that JSON writes as they are: printable ASCII but
// quotes, and what encoders for HTML escape.
var inNames = func() (t [256]bool) {
	for ch := byte('!'); ch < utf8.RuneSelf-1; ch++ {
		t[ch] = strings.IndexByte(`"\\<>&`, ch) < 0
	}
	return t
}()

// isReserved reports whether a name is ours or a standard's, in whatever case.
func isReserved(name []byte) bool {
	var lower [longestReserved]byte
	for i, ch := range name {
		if 'A' <= ch && ch <= 'Z' {
			ch += 'a' - 'A'
		}
		lower[i] = ch
	}
	switch string(lower[:len(name)]) {
	case "iss", "aud", "sub", "sid", "iat", "exp", "nbf", "jti", "auth_time", "gen",
		"prf", "sst", "acr", "amr", "tenant", "act", "cnf", "anon":
		return true
	}
	return false
}

package directory

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	maxName            = 64
	minPasswordChars   = 8    // NIST SP 800-63B-4 section 3.1.1.2, OWASP ASVS 5.0 6.2.1
	maxPasswordBytes   = 1024 // bounds the work; far above the 64 characters that NIST asks for
	nameCharacters     = "abcdefghijklmnopqrstuvwxyz0123456789._@+-"
	nameFirstCharacter = "abcdefghijklmnopqrstuvwxyz0123456789"
)

// foldName returns a name as it is stored, or "" and false if no user can have
// it. Only ASCII is folded: strings.ToLower would make a k of the Kelvin sign,
// and one account of two names.
func foldName(s string) (string, bool) {
	if len(s) > maxName {
		return "", false
	}
	folded := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
	if !validName(folded) {
		return "", false
	}
	return folded, true
}

// validName reports whether a name has the stored form. A leading sign is
// refused because names are typed as arguments and become file names.
func validName(s string) bool {
	return s != "" && len(s) <= maxName &&
		strings.Contains(nameFirstCharacter, s[:1]) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(nameCharacters, r) })
}

// checkNewPassword applies the rules for new passwords: a length, and nothing
// about which characters (NIST SP 800-63B-4 section 3.1.1.2).
func checkNewPassword(s string) error {
	switch {
	case len(s) > maxPasswordBytes:
		return fmt.Errorf("%w: a password has at most %d bytes", ErrInvalid, maxPasswordBytes)
	case !utf8.ValidString(s):
		return fmt.Errorf("%w: the password is not valid UTF-8", ErrInvalid)
	case utf8.RuneCountInString(norm.NFC.String(s)) < minPasswordChars:
		return fmt.Errorf("%w: a password has at least %d characters", ErrInvalid, minPasswordChars)
	}
	return nil
}

// bounded returns a password to hash, and whether it is one that can be right.
func bounded(s string) (string, bool) {
	if len(s) > maxPasswordBytes {
		return s[:maxPasswordBytes], false
	}
	return s, s != ""
}

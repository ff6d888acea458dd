package web

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxReturnPath is the longest path that is returned to, in bytes.
const maxReturnPath = 1024

// ReturnPath reports whether a text that came from outside is a path of this site,
// with or without a query, to which a browser may be sent after it has signed in.
// It is strict: what some browser or proxy could read in another way, as another
// host or as another path, is none. So there is one leading slash, nothing but what
// RFC 3986 section 3.3 and 3.4 allow, no fragment, and in the path no dot segment,
// no empty one, and no escape that stands for any of these or for another escape.
func ReturnPath(text string) bool {
	if len(text) > maxReturnPath || !strings.HasPrefix(text, "/") || strings.ContainsFunc(text, notInPath) {
		return false
	}
	path, query, _ := strings.Cut(text, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil || !cleanPath(decoded) || strings.Contains(decoded, "%") || hasControl(decoded) ||
		strings.Count(decoded, "/") != strings.Count(path, "/") {
		return false
	}
	values, err := url.QueryUnescape(query)
	if err != nil || hasControl(values) {
		return false
	}
	return true
}

// notInPath reports whether a character stands in no path or query.
func notInPath(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~!$&'()*+,;=:@/?%", r)
}

// hasControl reports whether a decoded text has what is no text.
func hasControl(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 })
}

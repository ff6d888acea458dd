package remuda

import (
	"net/netip"
	"strings"
)

// maxUserAgent is how much of a User-Agent header is looked at, in bytes.
const maxUserAgent = 512

// clientFacts are the coarse facts that tell one kind of client from another:
// what a person would call it, never a fingerprint. They do not change with a
// version.
type clientFacts struct {
	family   string // "Firefox", "okhttp"; empty if unknown
	platform string // "Windows"; empty if unknown
}

// The first entry that is found wins: browsers claim to be each other.
var (
	families = []struct{ token, name string }{
		{"Edg/", "Edge"},
		{"EdgA/", "Edge"},
		{"EdgiOS/", "Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"Vivaldi/", "Vivaldi"},
		{"FxiOS/", "Firefox"},
		{"Firefox/", "Firefox"},
		{"CriOS/", "Chrome"},
		{"HeadlessChrome/", "Chrome"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
	}
	platforms = []struct{ token, name string }{
		{"Android", "Android"},
		{"iPhone", "iOS"},
		{"iPad", "iPadOS"},
		{"Windows", "Windows"},
		{"Macintosh", "macOS"},
		{"CrOS", "ChromeOS"},
		{"Linux", "Linux"},
	}
)

func readFacts(userAgent string) clientFacts {
	if len(userAgent) > maxUserAgent {
		userAgent = userAgent[:maxUserAgent]
	}
	var f clientFacts
	for _, c := range families {
		if strings.Contains(userAgent, c.token) {
			f.family = c.name
			break
		}
	}
	for _, c := range platforms {
		if strings.Contains(userAgent, c.token) {
			f.platform = c.name
			break
		}
	}
	if f.family == "" {
		f.family = product(userAgent)
	}
	return f
}

// product returns the leading product name of a client that is no browser
// (RFC 9110 section 10.1.5): "curl" of "curl/8.5.0".
func product(userAgent string) string {
	const longest = 32
	name, _, _ := strings.Cut(userAgent, "/")
	name, _, _ = strings.Cut(name, " ")
	if len(name) > longest {
		return ""
	}
	for _, ch := range []byte(name) {
		if !isTokenChar(ch) {
			return ""
		}
	}
	return name
}

func isTokenChar(ch byte) bool {
	return 'a' <= ch && ch <= 'z' || 'A' <= ch && ch <= 'Z' || '0' <= ch && ch <= '9' || strings.IndexByte("-_.+", ch) >= 0
}

// hint is what two refreshes of one client have in common, or empty if nothing
// is known.
func (f clientFacts) hint() string {
	if f == (clientFacts{}) {
		return ""
	}
	return f.family + "\x00" + f.platform
}

// String is for people.
func (f clientFacts) String() string {
	switch {
	case f.family != "" && f.platform != "":
		return f.family + " on " + f.platform
	case f.platform != "":
		return "Unknown on " + f.platform
	default:
		return f.family
	}
}

// network returns the coarse network of an address: /24 for IPv4, /48 for IPv6.
func network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return ""
	}
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

// maxForPeople is the longest name of a device or place, in bytes.
const maxForPeople = 64

// forPeople returns a name that may be shown in a list, or "".
func forPeople(name string) string {
	if len(name) > maxForPeople || !identifier(name) {
		return ""
	}
	return name
}

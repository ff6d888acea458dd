// Package device names the device of a client for people, so that they recognise it
// in a list: "Firefox on Linux". It makes no fingerprint.
package device

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/mileusna/useragent"
)

// MaxName is the longest name, in bytes.
const MaxName = 64

// maxHeader is how much of a header is looked at, in bytes.
const maxHeader = 512

// Name returns the name of the device that sent a request, or "" if nothing is known.
// It reads User-Agent and the client hints that browsers send without being asked
// (Sec-CH-UA and Sec-CH-UA-Platform, of User-Agent Client Hints), which are right
// where the other is frozen. It is plain text of at most [MaxName] bytes, without
// control characters; what it says is what the client says of itself.
func Name(h http.Header) string {
	agent := h.Get("User-Agent")
	if len(agent) > maxHeader {
		agent = agent[:maxHeader]
	}
	ua := useragent.Parse(agent)
	name, platform := family(&ua, agent), ua.OS
	if hint := brand(h.Get("Sec-CH-UA")); hint != "" {
		name = hint
	}
	if hint := text(h.Get("Sec-CH-UA-Platform")); hint != "" && hint != "Unknown" {
		platform = hint
	}
	return join(plain(short(browsers, name)), plain(short(systems, platform)))
}

// family is what the User-Agent says of the client. Of one that is no browser it is
// the leading product name (RFC 9110 section 10.1.5): "curl" of "curl/8.5.0".
func family(ua *useragent.UserAgent, agent string) string {
	if _, known := browsers[ua.Name]; known || strings.HasPrefix(agent, "Mozilla/") {
		return ua.Name
	}
	name, _, _ := strings.Cut(agent, "/")
	name, _, _ = strings.Cut(name, " ")
	if len(name) > maxHeader/16 || strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(tokenChars, r) }) {
		return ""
	}
	return name
}

const tokenChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+"

func join(name, platform string) string {
	switch {
	case name != "" && platform != "":
		return name + " on " + platform
	case platform != "":
		return "Unknown on " + platform
	default:
		return name
	}
}

// What is called otherwise by its users.
var (
	browsers = map[string]string{
		"Google Chrome": "Chrome", "Headless Chrome": "Chrome", "HeadlessChrome": "Chrome", "Microsoft Edge": "Edge", "Samsung Browser": "Samsung Internet",
		"Chrome": "Chrome", "Firefox": "Firefox", "Safari": "Safari", "Edge": "Edge", "Opera": "Opera", "Vivaldi": "Vivaldi", "Internet Explorer": "Internet Explorer",
	}
	systems = map[string]string{"Chrome OS": "ChromeOS", "CrOS": "ChromeOS", "Mac OS X": "macOS"}
)

func short(names map[string]string, name string) string {
	if s, ok := names[name]; ok {
		return s
	}
	return name
}

// brand returns the most telling brand of a Sec-CH-UA. Browsers add one that stands
// for none, so that nobody relies on the order, and most say that they are made of
// Chromium.
func brand(header string) string {
	best := ""
	for _, name := range texts(header) {
		switch {
		case strings.Contains(name, "Not") && strings.Contains(name, "Brand"):
		case name == "Chromium" && best != "":
		case best == "" || best == "Chromium":
			best = name
		}
	}
	return best
}

// text reads a string (RFC 9651 section 3.3.3).
func text(header string) string {
	if list := texts(header); len(list) == 1 {
		return list[0]
	}
	return ""
}

// element is one string of a list, with its parameters and the comma behind it (RFC
// 9651 sections 3.1, 3.1.2 and 3.3.3).
var element = regexp.MustCompile(`^[ \t]*"((?:[ !#-\[\]-~]|\\["\\])*)"(?:; *[a-z*][a-z0-9_.*-]*(?:=(?:"(?:[ !#-\[\]-~]|\\["\\])*"|[A-Za-z0-9*?:/!#$%&'+.^_|~-]+))?)*[ \t]*(?:,|$)`)

// texts reads a list of strings; of anything else it returns nothing.
func texts(header string) []string {
	if len(header) > maxHeader || strings.HasSuffix(strings.TrimSpace(header), ",") {
		return nil
	}
	var list []string
	for header != "" {
		m := element.FindStringSubmatch(header)
		if m == nil {
			return nil
		}
		list = append(list, unescape.Replace(m[1]))
		header = header[len(m[0]):]
	}
	return list
}

var unescape = strings.NewReplacer(`\"`, `"`, `\\`, `\`)

// plain keeps a part of a name short, and to characters that no page and no terminal
// takes for anything else.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune("<>&\"'\\", r) {
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	const longest = (MaxName - len(" on ")) / 2
	if len(s) > longest {
		s = strings.TrimSpace(s[:longest])
	}
	return s
}

package web_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/remuda-go/remuda/web"
)

// goodReturns and badReturns are what somebody may ask to be sent to.
var goodReturns = []string{
	"/", "/a", "/a/b.html", "/a?x=1&y=2", "/a?", "/@alice", "/a:b", "/a?u=https://evil.example/", "/a?u=//evil.example",
	"/caf%C3%A9", "/a%20b", "/a?q=%23%5C%2F", "/...", "/a..b", "/~a/(b)'!$&*,;=", "/a?b?c", "/a/",
}

var badReturns = []string{
	// Another host.
	"", "//evil.example", "///evil.example", "////evil.example", "/\\evil.example", "\\\\evil.example", "\\/evil.example", "/\\/evil.example",
	"//evil.example/%2f..", "/ /evil.example", " /a", "/a ", "\t/a", "/\t/evil.example", "/\n/evil.example", "/\r\n/evil.example", "/\x00/evil.example",
	"/\u2028/evil.example", "/\u00a0/evil.example", "／/evil.example", "/／evil.example", "/。/evil.example", "//evil。example",
	"https://evil.example", "https:evil.example", "https:/evil.example", "http://app.example", "https://app.example/a",
	// Userinfo.
	"https://app.example@evil.example", "//app.example@evil.example", "//user:pass@evil.example/", "@evil.example", "app.example@evil.example",
	// Schemes.
	"javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "vbscript:x", "blob:https://app.example/x",
	"file:///etc/passwd", "about:blank", "view-source:/a", "mailto:a@b", "//javascript:alert(1)", "/javascript:alert(1)\n",
	// Encodings.
	"%2f%2fevil.example", "/%2fevil.example", "/%2Fevil.example", "/%5cevil.example", "/%5Cevil.example", "/a%2f..%2f..%2fevil", "/%252fevil.example", "/%25%32%66",
	"/%2e%2e//evil.example", "/%2e/", "/a/%2e%2e/b", "/a%00", "/a%0a", "/a%0d%0aSet-Cookie:x=1", "/a?x=%0d%0aSet-Cookie:x=1", "/a?x=%00", "/%c0%ae%c0%ae/", "/%ff",
	"/a%", "/a%2", "/a%zz", "/a?x=%", "/a?x=%zz", "/%E3%80%82%2fevil", "/%c2%85", "/a%7f", "/%u002f/evil.example",
	// Other paths than they seem.
	"a", "./a", "../a", "/..", "/../a", "/a/..//evil.example", "/./a", "/a/./b", "/a//b", "/a/..", "?x", "#x", "/a#x", "/a#@evil.example", "/#//evil.example",
	"/é", "/a\"b\x7f", "/a\\b", "/a|b", "/a<b", "/a[b]", "/a?x=[1]", "/a?x=\\", "/a?x=é",
	"/" + strings.Repeat("a", 1024),
}

func TestReturnPath(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-1.1.1")
	t.Attr("requirement", "ASVS-1.2.2")
	t.Attr("requirement", "BUG CVE-2021-21291, CVE-2021-29651")
	for _, p := range goodReturns {
		if !web.ReturnPath(p) {
			t.Errorf("%q is refused", p)
		}
	}
	for _, p := range badReturns {
		if web.ReturnPath(p) {
			t.Errorf("%q is accepted", p)
		}
	}
}

// FuzzReturnPath: however often what is accepted is decoded, and whatever a browser
// takes out of it or for a slash, it stays on this site.
func FuzzReturnPath(f *testing.F) {
	for _, p := range append(badReturns, goodReturns...) {
		f.Add(p)
	}
	base := &url.URL{Scheme: "https", Host: "app.example", Path: "/auth/hand-off/landing"}
	f.Fuzz(func(t *testing.T, p string) {
		if !web.ReturnPath(p) {
			return
		}
		path, _, _ := strings.Cut(p, "?")
		for range 3 {
			browser := strings.NewReplacer("\\", "/", "\t", "", "\n", "", "\r", "").Replace(strings.TrimSpace(path))
			if !strings.HasPrefix(browser, "/") || strings.HasPrefix(browser, "//") || strings.Contains(browser+"/", "/../") {
				t.Fatalf("%q can be read as %q", p, browser)
			}
			u, err := base.Parse(browser)
			if err != nil || u.Scheme != "https" || u.Host != "app.example" || u.User != nil {
				t.Fatalf("%q leads to %v, %v", p, u, err)
			}
			decoded, err := url.PathUnescape(path)
			if err != nil || decoded == path {
				break
			}
			path = decoded
		}
	})
}

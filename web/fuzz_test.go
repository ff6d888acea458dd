package web

import (
	"net/http"
	"strings"
	"testing"
)

// Whatever a Cookie header holds: a value that is returned stands in the header
// behind exactly that name, and a well-formed cookie is always found.
func FuzzCookieValues(f *testing.F) {
	for _, seed := range []string{"", "session=a", "session=a; session=b", ` session="a" ;x=y`, "session", "session=a=b", ";;=;session=;", "Session=a", "session =a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		values := cookieValues(http.Header{"Cookie": {header}}, "session")
		if len(values) > maxSameName+1 {
			t.Fatalf("%d values", len(values))
		}
		for _, v := range values {
			if !strings.Contains(header, "session="+v) || strings.ContainsAny(v, ";") {
				t.Fatalf("%q is not in %q", v, header)
			}
		}
		found := cookieValues(http.Header{"Cookie": {header, "session=needle"}}, "session")
		if len(found) <= maxSameName && found[len(found)-1] != "needle" && !strings.Contains(header, "needle") {
			t.Fatalf("a good cookie is not found behind %q", header)
		}
	})
}

// A path that passes has one reading for everybody behind us.
func FuzzCleanPath(f *testing.F) {
	for _, seed := range []string{"/", "/a", "/a/../b", "//", "/.", "/a/", "/a\\b", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if !cleanPath(p) {
			return
		}
		for _, bad := range []string{"//", "/../", "/./", "\\"} {
			if strings.Contains(p+"/", bad) && !strings.HasSuffix(p, "/") {
				t.Fatalf("%q passes", p)
			}
		}
	})
}

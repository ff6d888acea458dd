package remuda

import (
	"net/netip"
	"strings"
	"testing"
)

func TestReadFacts(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-1.3.3")
	const webkit = "AppleWebKit/537.36 (KHTML, like Gecko) "
	tests := []struct{ userAgent, want string }{
		{"", ""},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + webkit + "Chrome/142.0.0.0 Safari/537.36", "Chrome on Windows"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + webkit + "Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0", "Edge on Windows"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + webkit + "Chrome/142.0.0.0 Safari/537.36 OPR/120.0", "Opera on Windows"},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15", "Safari on macOS"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0 Mobile/15E148 Safari/604.1", "Chrome on iOS"},
		{"Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/145.0 Mobile Safari/605.1.15", "Firefox on iPadOS"},
		{"Mozilla/5.0 (Linux; Android 15; SM-S921B) " + webkit + "SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36", "Samsung Internet on Android"},
		{"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) " + webkit + "Chrome/142.0.0.0 Safari/537.36", "Chrome on ChromeOS"},
		{"curl/8.5.0", "curl"},
		{"okhttp/4.12.0", "okhttp"},
		{"Go-http-client/1.1", "Go-http-client"},
		{"my app 1.0 (Android 15)", "my on Android"},
		{"(Windows)", "Unknown on Windows"},
		{"<script>/1", ""},
		{"é/1", ""},
		{"a\nb/1", ""},
		{strings.Repeat("a", 33) + "/1", ""},
		{strings.Repeat(" ", 512) + "Firefox/145.0", ""},
	}
	for _, tt := range tests {
		if got := readFacts(tt.userAgent).String(); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.userAgent, got, tt.want)
		}
	}
}

func TestHint(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "CS-10")
	hint := func(userAgent string) string { return readFacts(userAgent).hint() }
	if hint("Firefox/145.0 Linux") != hint("Firefox/146.0 Linux") {
		t.Error("the hint changes with the version")
	}
	if hint("Firefox/145.0 Linux") == hint("Firefox/145.0 Windows") || hint("Firefox/145.0") == hint("Chrome/145.0") {
		t.Error("two kinds of clients have one hint")
	}
	if hint("") != "" || hint("<>") != "" {
		t.Error("an unknown client has a hint")
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	if got := network(netip.Addr{}); got != "" {
		t.Errorf("no address: %q", got)
	}
	for address, want := range map[string]string{
		"192.0.2.77": "192.0.2.0/24", "::ffff:192.0.2.77": "192.0.2.0/24", "2001:db8:1:2:3::4": "2001:db8:1::/48",
		"fe80::1%eth0": "fe80::/48", "::1": "::/48", "0.0.0.0": "0.0.0.0/24",
	} {
		if got := network(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

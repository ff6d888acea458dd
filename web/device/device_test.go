package device_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/remuda-go/remuda/web/device"
)

const webkit = "AppleWebKit/537.36 (KHTML, like Gecko) "

func TestName(t *testing.T) {
	t.Parallel()
	const (
		chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + webkit + "Chrome/142.0.0.0 Safari/537.36"
		grease = `"Not/A)Brand";v="24"`
	)
	for _, tt := range []struct{ agent, brands, platform, want string }{
		{"", "", "", ""},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "", "", "Firefox on Linux"},
		{chrome, "", "", "Chrome on Windows"},
		{chrome + " Edg/142.0.0.0", "", "", "Edge on Windows"},
		{chrome + " OPR/120.0", "", "", "Opera on Windows"},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15", "", "", "Safari on macOS"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0 Mobile/15E148 Safari/604.1", "", "", "Chrome on iOS"},
		{"Mozilla/5.0 (Linux; Android 15; SM-S921B) " + webkit + "SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36", "", "", "Samsung Internet on Android"},
		{"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) " + webkit + "Chrome/142.0.0.0 Safari/537.36", "", "", "Chrome on ChromeOS"},
		// Hints win where the User-Agent is frozen.
		{chrome, grease + `, "Chromium";v="142", "Brave";v="142"`, `"Linux"`, "Brave on Linux"},
		{chrome, `"Google Chrome";v="142", "Chromium";v="142", ` + grease, `"macOS"`, "Chrome on macOS"},
		{chrome, `"Microsoft Edge";v="142", "Chromium";v="142"`, `"Chrome OS"`, "Edge on ChromeOS"},
		{chrome, `"Chromium";v="142", ` + grease, `"Unknown"`, "Chromium on Windows"},
		{chrome, grease, "", "Chrome on Windows"},
		// What is no structured field counts for nothing.
		{chrome, `Brave`, `Linux`, "Chrome on Windows"},
		{chrome, `"Brave`, `"Linux" x`, "Chrome on Windows"},
		{chrome, `("Brave" "x")`, `?1`, "Chrome on Windows"},
		{chrome, `"Brave";v="1",`, `"Linux", "Windows"`, "Chrome on Windows"},
		{chrome, `"Brave" "x"`, `"Lin\ux"`, "Chrome on Windows"},
		{chrome, ` "Brave" ; v=1`, `"Linux";a;b=?1`, "Chrome on Linux"},
		{chrome, ` "Brave"; v=1;w="\"" ,	"Chromium"`, `"Linux";a;b=?1`, "Brave on Linux"},
		{chrome, `"` + strings.Repeat("b", 600) + `"`, `"` + strings.Repeat("l", 600) + `"`, "Chrome on Windows"},
		{"curl/8.5.0", "", "", "curl"},
		{"okhttp/4.12.0", "", "", "okhttp"},
		{"Go-http-client/1.1", "", "", "Go-http-client"},
		{"<script>alert(1)</script>", "", "", ""},
		{"a\nb/1", "", "", ""},
		{"curl/8", `"<b>Evil</b>"`, `"'\\"`, "bEvil/b"},
		{"", `"` + strings.Repeat("n", 200) + `"`, `"` + strings.Repeat("p", 200) + `"`, strings.Repeat("n", 30) + " on " + strings.Repeat("p", 30)},
	} {
		h := http.Header{}
		h.Set("User-Agent", tt.agent)
		if tt.brands != "" {
			h.Set("Sec-CH-UA", tt.brands)
		}
		if tt.platform != "" {
			h.Set("Sec-CH-UA-Platform", tt.platform)
		}
		if got := device.Name(h); got != tt.want {
			t.Errorf("%.80q %q %q: %q, want %q", tt.agent, tt.brands, tt.platform, got, tt.want)
		}
	}
}

func FuzzName(f *testing.F) {
	f.Add("Mozilla/5.0 (Windows NT 10.0) Chrome/1", `"Brave";v="1"`, `"Linux"`)
	f.Add("0", "0", "@") // a library for these headers fell over it
	f.Fuzz(func(t *testing.T, agent, brands, platform string) {
		h := http.Header{"User-Agent": {agent}, "Sec-Ch-Ua": {brands}, "Sec-Ch-Ua-Platform": {platform}}
		name := device.Name(h)
		if len(name) > device.MaxName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`<>&"'\`, r) }) {
			t.Errorf("%q", name)
		}
	})
}

func BenchmarkName(b *testing.B) {
	h := http.Header{}
	h.Set("User-Agent", strings.Repeat("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/142.0.0.0 ", 80))
	h.Set("Sec-CH-UA", `"Not/A)Brand";v="24", "Chromium";v="142", "Brave";v="142"`)
	for b.Loop() {
		device.Name(h)
	}
}

package app_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestHeaders: whatever is answered, by whichever part, cannot be taken for something
// else, framed, embedded, kept by caches, or fetched in the clear the next time; and
// says nothing of what answers.
func TestHeaders(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-3.2.1")
	t.Attr("requirement", "ASVS-3.4.1")
	t.Attr("requirement", "ASVS-3.4.4")
	t.Attr("requirement", "ASVS-3.5.6")
	t.Attr("requirement", "ASVS-3.5.8")
	t.Attr("requirement", "ASVS-4.1.1")
	t.Attr("requirement", "ASVS-13.4.2")
	t.Attr("requirement", "ASVS-13.4.4")
	t.Attr("requirement", "ASVS-13.4.6")
	t.Attr("requirement", "ASVS-14.2.2")
	t.Attr("requirement", "ASVS-14.3.2")
	cfg := configIn(t.TempDir())
	cfg.Origins = []string{"https://localhost:8080"}
	cfg.TLS = selfSigned(t)
	s := start(t, cfg, nil)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/livez", 200},
		{"GET", "/readyz", 200},
		{"HEAD", "/livez", 200},
		{"POST", "/livez", 405},
		{"GET", "/auth/session", 401},
		{"GET", "/auth/session?callback=steal", 401},
		{"GET", "/auth/sessions", 401},
		{"POST", "/auth/web/login", 403},
		{"POST", "/auth/token/login", 400},
		{"POST", "/auth/web/refresh", 403},
		{"GET", "/auth/web/login", 405},
		{"GET", "/auth/nothing", 404},
		{"GET", "/.well-known/jwks.json", 200},
		{"GET", "/.well-known/jwks.json?callback=steal", 200},
		{"TRACE", "/livez", 405},
		{"TRACE", "/auth/session", 405},
		{"OPTIONS", "/auth/session", 405},
		{"TRACE", "/nothing", 404},
		{"GET", "/debug/pprof/", 404},
		{"GET", "/debug/vars", 404},
		{"GET", "/metrics", 404},
		{"GET", "/.git/config", 404},
		{"GET", "/nothing", 404},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), c.method, s.url+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := s.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != c.status {
				t.Errorf("status %d, want %d: %s", res.StatusCode, c.status, body)
			}
			for name, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
				"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
				"Strict-Transport-Security": "max-age=31536000; includeSubDomains",
				"Server":                    "", "X-Powered-By": "", "Via": "",
			} {
				if got := res.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			policy, cache := res.Header.Get("Content-Security-Policy"), res.Header.Get("Cache-Control")
			if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
				t.Errorf("Content-Security-Policy: %q", policy)
			}
			if public := strings.HasPrefix(c.path, "/.well-known/jwks.json"); cache != "no-store" && !public {
				t.Errorf("Cache-Control: %q", cache)
			}
			media, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
			if err != nil || strings.HasPrefix(media, "text/") && params["charset"] != "utf-8" || strings.Contains(media, "script") {
				t.Errorf("Content-Type: %q, %v", res.Header.Get("Content-Type"), err)
			}
			if strings.HasSuffix(media, "json") && len(body) > 0 && body[0] != '{' || strings.Contains(string(body), "steal") {
				t.Errorf("%s: %s", media, body)
			}
		})
	}
}

// TestTLSVersions: the newest version is preferred, and none before 1.2 is spoken.
func TestTLSVersions(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-12.1.1")
	cfg := configIn(t.TempDir())
	cfg.Origins = []string{"https://localhost:8080"}
	cfg.TLS = selfSigned(t)
	s := start(t, cfg, nil)
	for version, want := range map[uint16]uint16{tls.VersionTLS10: 0, tls.VersionTLS11: 0, tls.VersionTLS12: tls.VersionTLS12, tls.VersionTLS13: tls.VersionTLS13} {
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: version}}
		conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "https://"))
		if err != nil {
			if want != 0 {
				t.Errorf("%s: %v", tls.VersionName(version), err)
			}
			continue
		}
		if got := conn.(*tls.Conn).ConnectionState().Version; got != want {
			t.Errorf("at most %s: got %s", tls.VersionName(version), tls.VersionName(got))
		}
		_ = conn.Close()
	}
}

// TestSmuggling: of a request whose end can be read in two ways nothing is taken for
// another one.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-4.2.1")
	s := start(t, configIn(t.TempDir()), nil)
	const hidden = "GET /livez HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"
	for name, head := range map[string]string{
		"two lengths":          "Content-Length: 0\r\nContent-Length: 45\r\n\r\n",
		"lengths in a list":    "Content-Length: 0, 45\r\n\r\n",
		"a signed length":      "Content-Length: +0\r\n\r\n",
		"an unknown coding":    "Transfer-Encoding: xchunked\r\n\r\n",
		"chunked, and another": "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
		"a space in a name":    "Content-Length : 0\r\n\r\n",
		"a folded line":        "X: a\r\n Content-Length: 45\r\nContent-Length : 0\r\n\r\n",
		"an odd chunk":         "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
		"a length and chunks":  "Transfer-Encoding: chunked\r\nContent-Length: 45\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, "POST /auth/token/login HTTP/1.1\r\nHost: localhost:8080\r\n"+head+hidden); err != nil {
				t.Fatal(err)
			}
			answers := bufio.NewReader(conn)
			first, err := http.ReadResponse(answers, nil)
			if err != nil {
				return // it hung up
			}
			_, _ = io.Copy(io.Discard, first.Body)
			_ = first.Body.Close()
			if second, err := http.ReadResponse(answers, nil); err == nil {
				_ = second.Body.Close()
				t.Errorf("%s was answered, and then something else: %s", first.Status, second.Status)
			}
		})
	}
}

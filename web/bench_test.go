package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store/memstore"
	"github.com/remuda-go/remuda/web"
)

// discard is an http.ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkRequire is what the middleware costs over a bare handler.
func BenchmarkRequire(b *testing.B) {
	ring, err := keyring.New(time.Now())
	if err != nil {
		b.Fatal(err)
	}
	profiles := []remuda.Profile{remuda.Web(), remuda.API()}
	for i := range profiles {
		profiles[i].Liveness = remuda.LiveExpiry
	}
	m, err := remuda.New(b.Context(), remuda.Config{Store: memstore.New(), Keys: ring, Issuer: origin, Profiles: profiles})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.Close(b.Context()) })
	h, err := web.New(web.Config{Manager: m, Keys: ring, Authenticator: passwords{}, Origins: []string{origin}})
	if err != nil {
		b.Fatal(err)
	}
	token := func(profile string) string {
		g, err := m.Start(b.Context(), remuda.StartRequest{Profile: profile, Subject: "alice"})
		if err != nil {
			b.Fatal(err)
		}
		csrf, err := ring.NewCSRF(g.Session.ID)
		if err != nil {
			b.Fatal(err)
		}
		return g.Access.Reveal() + " " + csrf
	}
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	request := func(method string, headers map[string]string) *http.Request {
		r := httptest.NewRequestWithContext(b.Context(), method, "/", nil)
		for k, v := range headers {
			r.Header.Set(k, v)
		}
		return r
	}
	api, cookie := split(token("api")), split(token("web"))
	for _, c := range []struct {
		name    string
		handler http.Handler
		request *http.Request
	}{
		{"bare", bare, request("GET", nil)},
		{"bearer", h.Require(bare), request("GET", map[string]string{"Authorization": "Bearer " + api[0]})},
		{"cookie", h.Require(bare), request("GET", map[string]string{"Cookie": "__Host-session=" + cookie[0]})},
		{"cookie and CSRF", h.Require(bare), request("POST", map[string]string{
			"Cookie": "__Host-session=" + cookie[0], "X-CSRF-Token": cookie[1], "Origin": origin, "Sec-Fetch-Site": "same-origin",
		})},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				c.handler.ServeHTTP(w, c.request)
			}
		})
	}
}

func split(s string) [2]string {
	for i := range len(s) {
		if s[i] == ' ' {
			return [2]string{s[:i], s[i+1:]}
		}
	}
	return [2]string{}
}

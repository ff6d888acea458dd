package web_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
	"github.com/remuda-go/remuda/web"
)

// recipe is one of docs/choosing.md, and what it does.
type recipe struct {
	name    string
	run     func(context.Context, store.Store, *keyring.Ring, web.Authenticator, server) error
	login   string // the path
	cookies int    // that a login sets
	renewal int    // the status of a refresh right after the login
	copied  int    // the status of a request with a copy of the tokens, after the logout
}

func recipes() []recipe {
	return []recipe{
		{"web", webRecipe, "/auth/web/login", 2, http.StatusOK, http.StatusUnauthorized},
		{"api", apiRecipe, "/auth/token/login", 0, http.StatusOK, http.StatusUnauthorized},
		{"classic", classicRecipe, "/auth/web/login", 1, http.StatusOK, http.StatusUnauthorized},
		{"stateless", statelessRecipe, "/auth/web/login", 1, http.StatusBadRequest, http.StatusOK},
		{"local", localRecipe, "/auth/web/login", 1, http.StatusOK, http.StatusUnauthorized},
		{"strict", strictRecipe, "/auth/web/login", 2, http.StatusConflict, http.StatusUnauthorized},
	}
}

// TestRecipes signs in, calls, renews and signs out by each recipe.
func TestRecipes(t *testing.T) {
	t.Parallel()
	for _, r := range recipes() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ring, err := keyring.New(time.Now())
				if err != nil {
					t.Fatal(err)
				}
				sessions := memstore.New()
				defer sessions.Close()
				err = r.run(t.Context(), sessions, ring, passwords{"alice": "sesame open"}, func(m *remuda.Manager, h *web.Handler) error {
					synctest.Wait() // it has read the log
					play(t, h, &r)
					return m.Ready(t.Context())
				})
				if err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func play(t *testing.T, h *web.Handler, r *recipe) {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/auth/", h)
	mux.Handle("/hello", h.Require(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })))
	var holder func(*http.Request) // puts in what the client holds
	do := func(method, path, body string) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(t.Context(), method, "https://app.example"+path, strings.NewReader(body))
		req.Header.Set("Origin", "https://app.example")
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		if holder != nil {
			holder(req)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, req)
		return w
	}
	w := do(http.MethodPost, r.login, `{"username":"alice","password":"sesame open"}`)
	var answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		CSRF    string `json:"csrf_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
		t.Fatalf("login: %d %s", w.Code, w.Body)
	}
	cookies := w.Result().Cookies()
	if len(cookies) != r.cookies {
		t.Errorf("the login sets %d cookies, want %d", len(cookies), r.cookies)
	}
	kind, renew := "web", ""
	if r.cookies == 0 {
		kind, renew = "token", `{"refresh_token":"`+answer.Refresh+`"}`
	}
	holder = func(req *http.Request) {
		for _, c := range cookies {
			req.AddCookie(c)
		}
		if r.cookies > 0 {
			req.Header.Set("X-CSRF-Token", answer.CSRF)
		} else if !strings.HasSuffix(req.URL.Path, "refresh") {
			req.Header.Set("Authorization", "Bearer "+answer.Access)
		}
	}
	for _, s := range []struct {
		what, method, path, body string
		want                     int
	}{
		{"a request", http.MethodGet, "/hello", "", http.StatusOK},
		{"a refresh", http.MethodPost, "/auth/" + kind + "/refresh", renew, r.renewal},
		{"a logout", http.MethodPost, "/auth/" + kind + "/logout", "", http.StatusNoContent},
		{"a request after the logout", http.MethodGet, "/hello", "", r.copied},
	} {
		if w := do(s.method, s.path, s.body); w.Code != s.want {
			t.Errorf("%s: %d %s, want %d", s.what, w.Code, w.Body, s.want)
		}
	}
}

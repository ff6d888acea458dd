package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/web"
)

func TestKeySet(t *testing.T) {
	t.Parallel()
	ring, err := keyring.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Ensure(t.Context(), codec.EdDSA, codec.ES256); err != nil {
		t.Fatal(err)
	}
	h := web.KeySet(ring)
	get := func(method, ifNoneMatch string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, "/.well-known/jwks.json", nil)
		if ifNoneMatch != "" {
			r.Header.Set("If-None-Match", ifNoneMatch)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	w := get(http.MethodGet, "")
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d, %v: %s", w.Code, err, w.Body)
	}
	kinds := map[string]int{}
	for _, k := range set.Keys {
		kinds[k["alg"]]++
		if k["kty"] == "oct" || k["k"] != "" || k["d"] != "" {
			t.Errorf("a secret: %v", k)
		}
	}
	if kinds["EdDSA"] != 2 || kinds["ES256"] != 2 || len(set.Keys) != 4 {
		t.Errorf("keys %v: want the active and the next of each", kinds)
	}
	etag := w.Header().Get("ETag")
	if cc := w.Header().Get("Cache-Control"); cc != "public, max-age=300" || etag == "" {
		t.Errorf("Cache-Control %q, ETag %q", cc, etag)
	}
	for _, tt := range []struct {
		method, ifNoneMatch string
		code, length        int
	}{
		{http.MethodHead, "", 200, 0},
		{http.MethodGet, `"other", W/` + etag, 304, 0},
		{http.MethodGet, "*", 304, 0},
		{http.MethodGet, `"other"`, 200, w.Body.Len()},
		{http.MethodPost, "", 405, 0},
	} {
		if got := get(tt.method, tt.ifNoneMatch); got.Code != tt.code || got.Body.Len() != tt.length {
			t.Errorf("%s with %q: %d with %d bytes", tt.method, tt.ifNoneMatch, got.Code, got.Body.Len())
		}
	}
	if err := ring.Ensure(t.Context(), codec.V4Public); err != nil {
		t.Fatal(err)
	}
	if got := get(http.MethodGet, etag); got.Code != http.StatusNotModified {
		t.Errorf("a key that is no JWK changed the set: %d", got.Code)
	}
	ring.Refuse(set.Keys[0]["kid"])
	if got := get(http.MethodGet, etag); got.Code != http.StatusOK {
		t.Errorf("after a key was refused: %d", got.Code)
	}
}

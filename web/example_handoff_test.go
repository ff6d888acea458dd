package web_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
	"github.com/remuda-go/remuda/web"
)

// newHandedSite makes the handler of one of two sites. Both know all profiles, so that
// each can end a session of the other.
func newHandedSite(ctx context.Context, sessions store.Store, keys *keyring.Ring, origin, profile string, handOff web.HandOff) (*web.Handler, error) {
	shop := remuda.Web()
	shop.Name = "shop"
	manager, err := remuda.New(ctx, remuda.Config{
		Store: sessions, Keys: keys, Issuer: origin,
		Profiles: []remuda.Profile{remuda.Web(), remuda.API(), shop},
	})
	if err != nil {
		return nil, err
	}
	return web.New(web.Config{
		Manager: manager, Keys: keys, Authenticator: passwords{"alice": "sesame open"},
		Origins: []string{origin}, WebProfiles: []string{profile}, HandOff: handOff,
	})
}

// Users who are signed in at the app come to the shop signed in.
func ExampleHandOff() {
	ctx := context.Background()
	sessions := memstore.New() // in earnest: one that both servers reach
	keys, err := keyring.New(time.Now())
	if err != nil {
		log.Fatal(err)
	}
	app, err := newHandedSite(ctx, sessions, keys, "https://app.example", "web", web.HandOff{
		Targets: []string{"https://shop.example/auth/hand-off/landing"},
		SignIn:  "/login",
	})
	if err != nil {
		log.Fatal(err)
	}
	shop, err := newHandedSite(ctx, sessions, keys, "https://shop.example", "shop", web.HandOff{
		Source:         "https://app.example/auth/hand-off",
		EndsWithParent: true,
	})
	if err != nil {
		log.Fatal(err)
	}

	// A browser without a session at the shop opens the start, and is sent on.
	open := httptest.NewRequestWithContext(ctx, http.MethodGet, "https://shop.example/auth/hand-off/start?return=/basket", http.NoBody)
	rec := httptest.NewRecorder()
	shop.ServeHTTP(rec, open)
	next, err := url.Parse(rec.Header().Get("Location"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(rec.Code, next.Host+next.Path, next.Query().Get("target"))

	// The page there asks for a token and takes it to the landing page.
	rec = httptest.NewRecorder()
	app.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodGet, next.String(), http.NoBody))
	fmt.Println(rec.Code, rec.Header().Get("Content-Type"))
	// Output:
	// 303 app.example/auth/hand-off https://shop.example
	// 200 text/html; charset=utf-8
}

package remuda_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store/memstore"
	"github.com/remuda-go/remuda/web"
)

// users is an application's own list of users, as a web.Authenticator.
type users map[string]string

func (u users) Authenticate(_ context.Context, c web.Credentials) (web.Identity, error) {
	name := c.Username + c.Subject // one of the two is set
	if password, ok := u[name]; !ok || password != c.Password {
		return web.Identity{}, web.ErrLoginFailed
	}
	return web.Identity{Subject: name, AMR: []string{"pwd"}}, nil
}

// A whole application: sessions in memory, the endpoints under /auth, and one
// handler that only signed-in users reach.
func Example() {
	ctx := context.Background()
	keys, err := keyring.New(time.Now())
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := remuda.New(ctx, remuda.Config{
		Store:    memstore.New(),
		Keys:     keys,
		Issuer:   "https://app.example",
		Profiles: []remuda.Profile{remuda.Web(), remuda.API()},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close(ctx)
	auth, err := web.New(web.Config{
		Manager:       sessions,
		Keys:          keys,
		Authenticator: users{"alice": "a long password"},
		Origins:       []string{"https://app.example"},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.Handle("/hello", auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := remuda.FromContext(r.Context())
		fmt.Fprintf(w, "hello %s", session.Subject)
	})))

	server := httptest.NewServer(mux)
	defer server.Close()
	resp, err := http.Post(server.URL+"/auth/token/login", "application/json",
		strings.NewReader(`{"username":"alice","password":"a long password"}`))
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, strings.Contains(string(body), `"access_token"`))
	// Output: 200 true
}

// To use a session for something that it is not meant for is refused: a refresh
// token opens no door.
func ExampleManager_Authenticate_refreshToken() {
	ctx := context.Background()
	keys, err := keyring.New(time.Now())
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := remuda.New(ctx, remuda.Config{
		Store: memstore.New(), Keys: keys, Issuer: "https://app.example",
		Profiles: []remuda.Profile{remuda.API()},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close(ctx)
	grant, err := sessions.Start(ctx, remuda.StartRequest{Profile: "api", Subject: "alice"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = sessions.Authenticate(ctx, remuda.AuthenticateRequest{Token: grant.Refresh.Reveal(), Transport: remuda.Bearer})
	fmt.Println(err, grant.Refresh)
	// Output: remuda: token invalid [redacted]
}

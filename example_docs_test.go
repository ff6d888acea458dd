package remuda_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store/memstore"
)

// The functions here stand in docs/ as they are.

func stream(m *remuda.Manager, w http.ResponseWriter, r *http.Request) {
	s, _ := remuda.FromContext(r.Context())
	ctx, stop, err := m.Bind(r.Context(), s)
	if err != nil {
		http.Error(w, "the session is over", http.StatusUnauthorized)
		return
	}
	defer stop()
	fmt.Fprintln(w, "hello", s.Subject)
	<-ctx.Done() // or serve until then
	fmt.Fprintln(w, "the end:", context.Cause(ctx))
}

type user struct{ Name string }

func loadUser(context.Context, string, string) (user, error) { return user{"Alice"}, nil }

func newUsers(m *remuda.Manager) (*remuda.UserCache[user], error) {
	return remuda.NewUserCache(remuda.UserCacheConfig[user]{
		Manager: m,
		Load:    loadUser, // from wherever the application keeps them
		Size:    10_000,
		MaxAge:  time.Minute,
	})
}

type roles struct {
	Name  string   `json:"name"`
	Roles []string `json:"roles"`
}

func greet(s *remuda.Session) (string, error) {
	c, err := remuda.Claims[roles](s)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s has %d roles", c.Name, len(c.Roles)), nil
}

// firstWrite is an answer that tells when something has been written.
type firstWrite struct {
	*httptest.ResponseRecorder
	once    sync.Once
	written chan struct{}
}

func (w *firstWrite) Write(b []byte) (int, error) {
	defer w.once.Do(func() { close(w.written) })
	return w.ResponseRecorder.Write(b)
}

// Example_revocation ends a session while a stream of it is open.
func Example_revocation() {
	ctx := context.Background()
	keys, err := keyring.New(time.Now())
	if err != nil {
		panic(err)
	}
	m, err := remuda.New(ctx, remuda.Config{
		Store: memstore.New(), Keys: keys, Issuer: "https://app.example",
		Profiles: []remuda.Profile{remuda.API()},
	})
	if err != nil {
		panic(err)
	}
	defer m.Close(ctx)
	g, err := m.Start(ctx, remuda.StartRequest{Profile: "api", Subject: "alice", Claims: roles{Name: "Alice", Roles: []string{"admin"}}})
	if err != nil {
		panic(err)
	}
	s, err := m.Authenticate(ctx, remuda.AuthenticateRequest{Token: g.Access.Reveal(), Transport: remuda.Bearer})
	if err != nil {
		panic(err)
	}
	fmt.Println(greet(s))

	users, err := newUsers(m)
	if err != nil {
		panic(err)
	}
	defer users.Close()
	fmt.Println(users.Get(ctx, s.Tenant, s.Subject))

	if kept, err := putAside(ctx, m, s, cart{Items: []string{"oats"}}); err != nil || len(kept.Items) != 1 {
		panic(err)
	}
	_ = withPlan(remuda.Config{})

	w := &firstWrite{ResponseRecorder: httptest.NewRecorder(), written: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		stream(m, w, httptest.NewRequestWithContext(remuda.NewContext(ctx, s), http.MethodGet, "/stream", nil))
	}()
	<-w.written
	if _, err := m.EndAll(ctx, remuda.EndAllRequest{Subject: "alice"}); err != nil {
		panic(err)
	}
	<-done
	fmt.Print(w.Body)
	// Output:
	// Alice has 1 roles <nil>
	// {Alice} <nil>
	// hello alice
	// the end: remuda: session ended: logout
}

type cart struct{ Items []string }

// putAside keeps a cart in the data of a session and reads it again.
func putAside(ctx context.Context, manager *remuda.Manager, session *remuda.Session, c cart) (cart, error) {
	d, err := manager.PatchData(ctx, session.ID, remuda.DataPatch{"cart": c, "coupon": nil})
	if err != nil {
		return cart{}, err
	}
	kept, _, err := remuda.DataValue[cart](d, "cart")
	return kept, err
}

// withPlan puts two values of a session's data into its claims.
func withPlan(cfg remuda.Config) remuda.Config {
	cfg.ClaimsSource = remuda.ClaimsFromData("_plan", "_roles")
	return cfg
}

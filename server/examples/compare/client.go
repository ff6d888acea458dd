package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/remuda-go/remuda"
)

// origin is where the nodes are, for their clients. Nobody else can get there.
const origin = "https://ponies.example"

// client is a browser, or an app that keeps its tokens itself.
type client struct {
	way     string // "web" or "token", as in the endpoints
	cookies map[string]string
	csrf    string
	access  string
	refresh string
}

// newClient returns a client of a profile that holds nothing.
func newClient(p *remuda.Profile) *client {
	if p.Transport == remuda.Bearer {
		return &client{way: "token"}
	}
	return &client{way: "web", cookies: map[string]string{}}
}

// copy returns a client that holds the same: a thief.
func (c *client) copy() *client {
	other := *c
	other.cookies = maps.Clone(c.cookies)
	return &other
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
	took   time.Duration // in the handler
}

// Header implements [http.ResponseWriter].
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// grant is what a login or a refresh answers, of both kinds.
type grant struct {
	CSRF    string      `json:"csrf_token"`
	Access  string      `json:"access_token"`
	Refresh string      `json:"refresh_token"`
	Session sessionInfo `json:"session"`
}

// sessionInfo is what an endpoint says of a session.
type sessionInfo struct {
	ID   string    `json:"id"`
	Idle time.Time `json:"idle_expires_at"`
}

// do sends a request to a node, and keeps what the answer brings.
func (c *client) do(ctx context.Context, n *node, method, target, body string) (*answer, error) {
	u, err := url.Parse(origin + target)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.RequestURI, r.RemoteAddr = target, "192.0.2.1:1234"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	maps.Copy(r.Header, c.headers())
	if c.way == "web" {
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("X-CSRF-Token", c.csrf)
	}
	a := &answer{header: http.Header{}}
	began := time.Now()
	n.handler.ServeHTTP(a, r)
	a.took = time.Since(began)
	c.keep(a)
	return a, ctx.Err()
}

// headers are those with which a client says who it is.
func (c *client) headers() http.Header {
	h := http.Header{}
	if c.access != "" {
		h.Set("Authorization", "Bearer "+c.access)
	}
	var pairs []string
	for name, value := range c.cookies {
		pairs = append(pairs, name+"="+value)
	}
	if len(pairs) > 0 {
		h.Set("Cookie", strings.Join(pairs, "; "))
	}
	return h
}

// keep does with cookies what a browser does.
func (c *client) keep(a *answer) {
	if c.cookies == nil {
		return
	}
	for _, cookie := range (&http.Response{Header: a.header}).Cookies() {
		if cookie.MaxAge < 0 {
			delete(c.cookies, cookie.Name)
		} else {
			c.cookies[cookie.Name] = cookie.Value
		}
	}
}

// errRefused says that what has to succeed was refused.
var errRefused = errors.New("compare: refused")

// get asks for a page.
func (c *client) get(ctx context.Context, n *node, target string) (*answer, error) {
	return c.do(ctx, n, http.MethodGet, target, "")
}

// read asks for what has to be there.
func (c *client) read(ctx context.Context, n *node, target string, v any) error {
	a, err := c.get(ctx, n, target)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("%w: GET %s: %d %s", errRefused, target, a.status, &a.body)
	}
	return json.Unmarshal(a.body.Bytes(), v)
}

// post sends what has to be done. It keeps tokens and CSRF token.
func (c *client) post(ctx context.Context, n *node, target, body string) (*answer, *grant, error) {
	a, err := c.do(ctx, n, http.MethodPost, "/auth/"+c.way+target, body)
	if err != nil {
		return nil, nil, err
	}
	if a.status >= http.StatusMultipleChoices {
		return a, nil, fmt.Errorf("%w: POST %s: %d %s", errRefused, target, a.status, &a.body)
	}
	var g grant
	if a.body.Len() > 0 {
		if err := json.Unmarshal(a.body.Bytes(), &g); err != nil {
			return nil, nil, err
		}
		c.csrf, c.access = g.CSRF, g.Access
		if g.Refresh != "" {
			c.refresh = g.Refresh
		}
	}
	return a, &g, nil
}

func (c *client) login(ctx context.Context, n *node, name string) (*answer, *grant, error) {
	return c.post(ctx, n, "/login", `{"username":"`+name+`","password":"`+password+`"}`)
}

// renew asks for a fresh token.
func (c *client) renew(ctx context.Context, n *node) (*answer, error) {
	body := ""
	if c.refresh != "" {
		// An access token in the header would be taken for the refresh token.
		c.access, body = "", `{"refresh_token":"`+c.refresh+`"}`
	}
	a, _, err := c.post(ctx, n, "/refresh", body)
	return a, err
}

// token is what the client shows with each request.
func (c *client) token() string { return c.access + c.cookies["__Host-session"] }

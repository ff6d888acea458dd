package webtest

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/remuda-go/remuda"
)

// The cookies of a site on https.
const (
	SessionCookie = "__Host-session"
	RefreshCookie = "__Host-refresh"
)

// Client is somebody who keeps what they are given: a browser its cookies and its
// page's CSRF token, an app its tokens.
type Client struct {
	site    *Site
	browser bool
	// Tokens are by name of their cookie, in apps too.
	Tokens  map[string]string
	CSRF    string
	Session string // the session's id
}

// NewClient returns a client for the site's profile that holds nothing.
func (s *Site) NewClient() *Client {
	return &Client{site: s, browser: s.Profile.Transport == remuda.Cookie, Tokens: map[string]string{}}
}

// Copy returns another client that holds the same: a second tab, or a thief.
func (c *Client) Copy() *Client {
	other := *c
	other.Tokens = maps.Clone(c.Tokens)
	return &other
}

// Request is one request. The zero value of a field is what an honest page or app
// sends.
type Request struct {
	Method, Path, Body string
	Node               int
	Origin             string // "-" for none
	CSRF               string // "-" for none
	Key                string // Idempotency-Key
	// Swapped sends credentials the other way: cookies as Bearer, tokens as
	// cookies.
	Swapped bool
	Plant   func(*http.Request) // puts in what somebody else has planted
}

// Answer is what came back.
type Answer struct {
	Status  int
	Header  http.Header
	Body    string
	JSON    map[string]any
	Cookies []*http.Cookie
}

// Text returns a text of the body by the names that lead to it.
func (a *Answer) Text(names ...string) string {
	v := any(a.JSON)
	for _, n := range names {
		m, _ := v.(map[string]any)
		v = m[n]
	}
	s, _ := v.(string)
	return s
}

// Do sends a request and keeps what the answer brings.
func (c *Client) Do(r Request) *Answer {
	a := c.Send(r)
	c.Receive(a)
	return a
}

// Send sends a request and leaves the answer on its way; see Receive.
func (c *Client) Send(r Request) *Answer {
	req := httptest.NewRequestWithContext(c.site.tb.Context(), r.Method, c.fill(r.Path), strings.NewReader(r.Body))
	req.Host = strings.TrimPrefix(Origin, "https://")
	if r.Body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.Key != "" {
		req.Header.Set("Idempotency-Key", r.Key)
	}
	if c.browser != r.Swapped {
		c.asBrowser(req, r)
	} else {
		c.asApp(req)
	}
	if r.Plant != nil {
		r.Plant(req)
	}
	rec := httptest.NewRecorder()
	c.site.node(r.Node).handler.ServeHTTP(rec, req)
	a := &Answer{Status: rec.Code, Header: rec.Header(), Body: rec.Body.String()}
	_ = json.Unmarshal(rec.Body.Bytes(), &a.JSON) // some bodies are no JSON
	a.Cookies = (&http.Response{Header: a.Header}).Cookies()
	return a
}

// fill puts names into a path: {way} is that of the client's transport, {other}
// the other one.
func (c *Client) fill(path string) string {
	way, other := "token", "web"
	if c.browser {
		way, other = other, way
	}
	return strings.NewReplacer("{way}", way, "{other}", other).Replace(path)
}

func (c *Client) asBrowser(req *http.Request, r Request) {
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux) Firefox/140.0")
	origin, site := r.Origin, "cross-site"
	if origin == "" {
		origin, site = Origin, "same-origin"
	}
	if origin != "-" {
		req.Header.Set("Origin", origin)
		req.Header.Set("Sec-Fetch-Site", site)
	}
	csrf := r.CSRF
	if csrf == "" {
		csrf = c.CSRF
	}
	if csrf != "" && csrf != "-" {
		req.Header.Set("X-Csrf-Token", csrf)
	}
	for name, value := range c.Tokens {
		req.Header.Add("Cookie", name+"="+value)
	}
}

// asApp shows the refresh token to the refresh endpoint, and the other one
// everywhere else but at login.
func (c *Client) asApp(req *http.Request) {
	req.Header.Set("User-Agent", "Ponies/1.0 (Linux)")
	token := c.Tokens[SessionCookie]
	if refresh := c.Tokens[RefreshCookie]; refresh != "" && strings.HasSuffix(req.URL.Path, "/refresh") {
		token = refresh
	}
	if token != "" && !strings.HasSuffix(req.URL.Path, "/login") {
		req.Header.Set("Authorization", "Bearer "+token)
	}
}

// Receive keeps what an answer brings.
func (c *Client) Receive(a *Answer) {
	for _, cookie := range a.Cookies {
		if cookie.MaxAge < 0 {
			delete(c.Tokens, cookie.Name)
		} else {
			c.Tokens[cookie.Name] = cookie.Value
		}
	}
	for name, member := range members {
		if token := a.Text(member); token != "" {
			c.Tokens[name] = token
		}
	}
	if csrf := a.Text("csrf_token"); csrf != "" {
		c.CSRF = csrf
	}
	if id := a.Text("session", "id"); id != "" {
		c.Session = id
	}
}

// members are where apps receive what browsers receive as cookies.
var members = map[string]string{SessionCookie: "access_token", RefreshCookie: "refresh_token"}

// Login signs somebody in.
func (c *Client) Login(name string) *Answer {
	return c.Do(Request{Method: http.MethodPost, Path: "/auth/{way}/login", Body: loginBody(name, false)})
}

func loginBody(name string, remember bool) string {
	text, _ := json.Marshal(map[string]any{"username": name, "password": password(name), "remember": remember})
	return string(text)
}

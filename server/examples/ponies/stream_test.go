package ponies_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/remuda-go/remuda"
)

// bound is within which a stream must say that its session has ended: nothing is
// further away than that on one node.
const bound = 5 * time.Second

// request makes a request for a stream with the client's credentials.
func (c *client) request(ctx context.Context, path string, lines ...string) *http.Request {
	c.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.stack.url+path, http.NoBody)
	if err != nil {
		c.t.Fatal(err)
	}
	for name, value := range c.header {
		req.Header.Set(name, value)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Del(name)
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	return req
}

// feed is an event stream that is read, each event as "name data".
type feed struct {
	t      *testing.T
	events chan string // closed at the end of the answer
}

func (c *client) feed() *feed {
	c.t.Helper()
	res, err := c.http.Do(c.request(c.t.Context(), "/ponies/events"))
	if err != nil {
		c.t.Fatal(err)
	}
	h := res.Header
	if res.StatusCode != http.StatusOK || h.Get("Content-Type") != "text/event-stream" || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
		c.t.Fatalf("the stream: %d %v", res.StatusCode, h)
	}
	f := &feed{t: c.t, events: make(chan string, 16)}
	go func() {
		defer close(f.events)
		defer res.Body.Close()
		name := ""
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			switch key, value, _ := strings.Cut(lines.Text(), ": "); key {
			case "event":
				name = value
			case "data":
				f.events <- name + " " + value
			}
		}
	}()
	return f
}

// next returns the next event, or "" at the end.
func (f *feed) next() string {
	f.t.Helper()
	select {
	case e := <-f.events:
		return e
	case <-time.After(bound):
		f.t.Fatal("nothing comes")
		return ""
	}
}

// dial opens a WebSocket.
func (c *client) dial(lines ...string) (*websocket.Conn, *http.Response, error) {
	req := c.request(c.t.Context(), "/ponies/live", lines...)
	return websocket.Dial(c.t.Context(), req.URL.String(), &websocket.DialOptions{HTTPClient: &c.http, HTTPHeader: req.Header})
}

// said is what a WebSocket says.
type said struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
	Pony   struct {
		Name string `json:"name"`
	} `json:"pony"`
}

func hear(t *testing.T, conn *websocket.Conn) (said, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	var m said
	err := wsjson.Read(ctx, conn, &m)
	return m, err
}

// clients signs alice in as a browser and as an app.
func (s *stack) clients(t *testing.T) map[string]*client {
	return map[string]*client{"cookie": s.cookie(t, "alice"), "bearer": s.bearer(t, "alice")}
}

// What ends a session ends its streams, which say why; those of another session go
// on.
func TestStreamsEndWithTheirSession(t *testing.T) {
	t.Parallel()
	for reason, end := range map[string]func(t *testing.T, s *stack, id remuda.SessionID){
		"logout": func(t *testing.T, s *stack, id remuda.SessionID) {
			t.Helper()
			if err := s.sessions.End(t.Context(), remuda.EndRequest{Session: id}); err != nil {
				t.Error(err)
			}
		},
		"password_changed": func(t *testing.T, s *stack, _ remuda.SessionID) {
			t.Helper()
			if _, err := s.sessions.EndAll(t.Context(), remuda.EndAllRequest{Subject: "alice", Reason: remuda.EndPasswordChanged}); err != nil {
				t.Error(err)
			}
		},
	} {
		s := newStack(t, 0, slow)
		bob := s.bearer(t, "bob").feed()
		for kind, c := range s.clients(t) {
			f := c.feed()
			conn, _, err := c.dial()
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			expect(t, c.do("POST", "/ponies", `{"name":"`+kind+`","breed":"Dales"}`), 201, "")
			if e := f.next(); !strings.HasPrefix(e, "pony {") || !strings.Contains(e, `"name":"`+kind+`"`) {
				t.Errorf("%s: event %s", kind, e)
			}
			if m, err := hear(t, conn); err != nil || m.Type != "pony" || m.Pony.Name != kind {
				t.Errorf("%s: message %+v, %v", kind, m, err)
			}
			end(t, s, c.session())
			if e := f.next(); e != `ended {"reason":"`+reason+`"}` {
				t.Errorf("%s: the last event is %q", kind, e)
			}
			if e := f.next(); e != "" {
				t.Errorf("%s: after the end: %q", kind, e)
			}
			if m, err := hear(t, conn); err != nil || m.Type != "ended" || m.Reason != reason {
				t.Errorf("%s: the last message is %+v, %v", kind, m, err)
			}
			_, err = hear(t, conn)
			var closed websocket.CloseError
			if !errors.As(err, &closed) || closed.Code != 4401 || closed.Reason != reason {
				t.Errorf("%s: closed with %v", kind, err)
			}
			res, err := c.http.Do(c.request(t.Context(), "/ponies/events"))
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: another stream: %d", kind, res.StatusCode)
			}
			if reason == "password_changed" {
				break // all of alice's have ended
			}
		}
		expect(t, s.bearer(t, "bob").do("POST", "/ponies", `{"name":"Star","breed":"Dales"}`), 201, "")
		if e := bob.next(); !strings.Contains(e, `"name":"Star"`) {
			t.Errorf("bob hears %q", e)
		}
	}
}

// session is the id of the client's session.
func (c *client) session() remuda.SessionID {
	c.t.Helper()
	id, err := remuda.ParseSessionID(c.do("GET", "/auth/session", "").text("id"))
	if err != nil {
		c.t.Fatal(err)
	}
	return id
}

// A stream that is open is no sign of activity, and ends when its session idles
// out.
func TestStreamsIdleOut(t *testing.T) {
	t.Parallel()
	s := newStack(t, 0, func(p *remuda.Profile) { p.Access = 25 * time.Minute })
	c := s.cookie(t, "alice")
	s.advance(20 * time.Minute)
	f := c.feed()
	conn, _, err := c.dial()
	if err != nil {
		t.Fatal(err)
	}
	s.advance(11 * time.Minute) // idle for 31 of 30 minutes
	if e := f.next(); e != `ended {"reason":"expired"}` {
		t.Errorf("the last event is %q", e)
	}
	if m, err := hear(t, conn); err != nil || m.Reason != "expired" {
		t.Errorf("the last message is %+v, %v", m, err)
	}
}

// A server that stops ends streams without a word about the session.
func TestStreamsEndWithTheServer(t *testing.T) {
	t.Parallel()
	s := newStack(t, 0, slow)
	for kind, c := range s.clients(t) {
		f := c.feed()
		conn, _, err := c.dial()
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		s.stop()
		if e := f.next(); e != "" {
			t.Errorf("%s: the last event is %q", kind, e)
		}
		_, err = hear(t, conn)
		if websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("%s: closed with %v", kind, err)
		}
	}
}

// A server bounds how long requests and answers may take; streams take longer.
func TestStreamsOutliveTheServersTimeouts(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil)
	const least = 300 * time.Millisecond
	server.Config.ReadTimeout, server.Config.WriteTimeout = least, least
	s := newStackOn(t, server, 0, slow)
	c := s.bearer(t, "alice")
	f := c.feed()
	conn, _, err := c.dial()
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(3 * least)
	expect(t, c.do("POST", "/ponies", `{"name":"Misty","breed":"Dales"}`), 201, "")
	if e := f.next(); !strings.Contains(e, "Misty") {
		t.Errorf("the event is %q", e)
	}
	if m, err := hear(t, conn); err != nil || m.Pony.Name != "Misty" {
		t.Errorf("the message is %+v, %v", m, err)
	}
}

// A browser sends cookies along with a WebSocket's handshake from any page. The
// exact origin decides; a token that no browser adds by itself needs none.
func TestSocketOrigin(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-4.4.2")
	s := newStack(t, 0, slow)
	clients := s.clients(t)
	for _, test := range []struct {
		kind, line string
		status     int
	}{
		{"cookie", "Origin: " + s.url, 101},
		{"cookie", "Origin: ", 403},
		{"cookie", "Origin: null", 403},
		{"cookie", "Origin: https://evil.example", 403},
		{"cookie", "Origin: " + strings.Replace(s.url, "http", "https", 1), 403}, // the same host
		{"cookie", "Origin: " + s.url + "/", 403},
		{"cookie", "Origin: " + strings.ToUpper(s.url), 403},
		{"cookie", "Origin: " + s.url + "0", 403},
		{"cookie", "Origin: http://user@" + strings.TrimPrefix(s.url, "http://"), 403},
		{"bearer", "Origin: ", 101},
		{"bearer", "Origin: https://evil.example", 101},
	} {
		conn, res, err := clients[test.kind].dial(test.line)
		if res == nil || res.StatusCode != test.status {
			t.Errorf("%s, %s: %v", test.kind, test.line, err)
		}
		if conn != nil {
			_ = conn.CloseNow()
		} else if res != nil {
			_ = res.Body.Close()
		}
	}
	// Cookies beside a token do not count, good or bad.
	both := clients["cookie"]
	if _, res, _ := both.dial("Authorization: Bearer x", "Origin: https://evil.example"); res == nil || res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a bad token beside a cookie: %v", res)
	}
	for _, path := range []string{"/ponies/events", "/ponies/live"} {
		expect(t, s.anybody(t).do("GET", path, ""), 401, "token_missing")
		expect(t, s.anybody(t).do("POST", path, ""), 405, "method_not_allowed")
	}
	if a := both.do("GET", "/ponies/live", ""); a.status != http.StatusUpgradeRequired {
		t.Errorf("no handshake: %d %s", a.status, a.body)
	}
	if a := both.do("HEAD", "/ponies/events", ""); a.status != 200 || a.header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: %d %v", a.status, a.header)
	}
	// A stream says in its path whose it is.
	expect(t, both.do("GET", "/ponies/live?session=another", ""), 409, "session_switched")
	if a := both.do("HEAD", "/ponies/events?session=another", ""); a.status != http.StatusConflict {
		t.Errorf("another's stream: %d", a.status)
	}
}

// Whoever talks on a WebSocket that only tells is shown out.
func TestSocketListensToNobody(t *testing.T) {
	t.Parallel()
	s := newStack(t, 0, slow)
	conn, _, err := s.bearer(t, "alice").dial()
	if err != nil {
		t.Fatal(err)
	}
	if err := wsjson.Write(t.Context(), conn, "hello"); err != nil {
		t.Fatal(err)
	}
	if _, err = hear(t, conn); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("closed with %v", err)
	}
}

// The messages of the two streams tell the same of a pony.
func TestStreamsAgree(t *testing.T) {
	t.Parallel()
	s := newStack(t, 0, slow)
	c := s.bearer(t, "alice")
	f := c.feed()
	conn, _, err := c.dial()
	if err != nil {
		t.Fatal(err)
	}
	answer := c.do("POST", "/ponies", `{"name":"<Mißty> 🐎","breed":"Dales"}`)
	_, data, _ := strings.Cut(f.next(), " ")
	var event map[string]any
	if err := json.Unmarshal([]byte(data), &event); err != nil {
		t.Fatal(err)
	}
	var message struct {
		Pony map[string]any `json:"pony"`
	}
	if err := wsjson.Read(t.Context(), conn, &message); err != nil {
		t.Fatal(err)
	}
	for name, want := range answer.json {
		if event[name] != want || message.Pony[name] != want {
			t.Errorf("%s is %v in the answer, %v in the event, %v in the message", name, want, event[name], message.Pony[name])
		}
	}
}

package webtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/web"
)

// Scenario is a story with a name: its steps, for one profile.
type Scenario struct {
	Name  string
	Steps func(p remuda.Profile) []Step
}

// Step is one request and all that comes of it. What a step does not say does not
// happen: other cookies, other events.
type Step struct {
	After   time.Duration // that pass before
	Client  string        // who sends; each keeps their own credentials
	Copy    string        // whose copy this client first becomes
	Restart bool          // all processes end and start anew before

	Request // without a Method there is none
	// CSRFOf sends the CSRF token of another client.
	CSRFOf string

	Status int
	Code   web.Code
	Action web.Action // "" is not looked at
	// Gets are the credentials that the client receives: "access" and "refresh",
	// by cookie or in the body; with = before them the same that it was given
	// earlier. "cleared" are deleted cookies.
	Gets     string
	Remember bool // the cookies outlive the browser
	// Has and Lacks are parts of the body. {name} is the id of a client's session.
	Has, Lacks []string
	Events     string // as [Recorder.Take] tells them
	// MaxTouches is how often at most the use of a session was written since the
	// last step that looked; 0 does not look.
	MaxTouches int64
}

// Run plays all scenarios of all profiles over a store.
func Run(t *testing.T, stores Stores) {
	t.Helper()
	profiles := stores.Profiles
	if profiles == nil {
		profiles = Profiles()
	}
	for _, p := range profiles {
		for _, sc := range slices.Concat(scenarios, refreshScenarios(p)) {
			t.Run(p.Name+"/"+sc.Name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					newPlay(t, stores, p).run(sc.Steps(p))
				})
			})
		}
	}
}

// play is a scenario under way.
type play struct {
	*Site

	t       *testing.T
	clients map[string]*Client
	seen    map[string]bool      // tokens that were given out
	ends    map[string]time.Time // when cookies that outlive the browser end, by client
	touches int64
	where   string
}

func newPlay(t *testing.T, stores Stores, p remuda.Profile) *play {
	t.Helper()
	return &play{Site: NewSite(t, stores, p), t: t, clients: map[string]*Client{}, seen: map[string]bool{}, ends: map[string]time.Time{}}
}

func (p *play) run(steps []Step) {
	for i := range steps {
		st := &steps[i]
		p.where = fmt.Sprintf("step %d: %s %s %s", i+1, st.Client, st.Method, st.Path)
		p.step(st)
	}
	p.where = "afterwards"
	p.tellNothing()
}

func (p *play) errorf(format string, args ...any) {
	p.t.Helper()
	p.t.Errorf("%s: %s", p.where, fmt.Sprintf(format, args...))
}

func (p *play) step(st *Step) {
	if st.Restart {
		p.Restart()
	}
	p.Advance(st.After)
	c := p.clients[st.Client]
	if st.Copy != "" {
		c = p.clients[st.Copy].Copy()
	}
	if c == nil {
		c = p.NewClient()
	}
	p.clients[st.Client] = c
	if st.Method == "" {
		return
	}
	r := st.Request
	r.Path, r.Body = p.ids(r.Path), p.ids(r.Body)
	if st.CSRFOf != "" {
		r.CSRF = p.clients[st.CSRFOf].CSRF
	}
	a := c.Send(r)
	synctest.Wait() // for what goes on in the background
	p.check(st, c, a)
	c.Receive(a)
}

// ids puts the ids of the clients' sessions into a text.
func (p *play) ids(text string) string {
	for name, c := range p.clients {
		text = strings.ReplaceAll(text, "{"+name+"}", c.Session)
	}
	return text
}

func (p *play) check(st *Step, c *Client, a *Answer) {
	p.t.Helper()
	code := web.Code(a.Text("code"))
	if a.Status != st.Status || code != st.Code {
		p.errorf("%d %q, want %d %q; body %s", a.Status, code, st.Status, st.Code, a.Body)
	}
	if action := web.Action(a.Text("action")); st.Action != "" && action != st.Action {
		p.errorf("action %q, want %q", action, st.Action)
	}
	if st.Code != "" && len(a.Cookies) > 0 {
		p.errorf("a refusal touches cookies: %v", a.Cookies)
	}
	for _, part := range st.Has {
		if part = p.ids(part); !strings.Contains(a.Body, part) {
			p.errorf("the body lacks %q: %s", part, a.Body)
		}
	}
	for _, part := range st.Lacks {
		if part = p.ids(part); strings.Contains(a.Body, part) {
			p.errorf("the body has %q: %s", part, a.Body)
		}
	}
	if got := p.Events.Take(); got != st.Events {
		p.errorf("events %q, want %q", got, st.Events)
	}
	p.checkCredentials(st, c, a)
	p.checkTouches(st)
}

// checkCredentials compares what a client receives with what it should.
func (p *play) checkCredentials(st *Step, c *Client, a *Answer) {
	p.t.Helper()
	got := map[string]string{}
	for _, cookie := range a.Cookies {
		p.checkCookie(st, cookie)
		if got[cookie.Name] = cookie.Value; strings.Contains(a.Body, cookie.Value) && cookie.Value != "" {
			p.errorf("the body shows a token: %s", a.Body)
		}
	}
	for name, member := range members {
		if token := a.Text(member); token != "" {
			if got[name] = token; c.browser {
				p.errorf("a browser is told a token: %s", a.Body)
			}
		}
	}
	if c.browser == st.Swapped && len(a.Cookies) > 0 {
		p.errorf("an app is sent cookies: %v", a.Cookies)
	}
	want := strings.Fields(st.Gets)
	if st.Gets == "cleared" {
		want = []string{"=access", "=refresh"}
	}
	for _, w := range want {
		p.checkToken(w, got)
	}
	for name, token := range got {
		p.seen[token] = true
		p.errorf("gets %s unasked", name)
	}
	if st.Remember {
		p.ends[st.Client] = p.Now().Add(p.Profile.RememberAbsolute)
	}
}

// checkToken looks for one credential among those received, and takes it out.
func (p *play) checkToken(want string, got map[string]string) {
	p.t.Helper()
	name := map[string]string{"access": SessionCookie, "refresh": RefreshCookie}[strings.TrimPrefix(want, "=")]
	token, ok := got[name]
	delete(got, name)
	switch again := strings.HasPrefix(want, "="); {
	case !ok:
		p.errorf("gets no %s", want)
	case again && token != "" && !p.seen[token] && deterministic(p.Profile.Algorithm):
		p.errorf("%s is new", name)
	case !again && p.seen[token]:
		p.errorf("%s is not new", name)
	}
	p.seen[token] = true
}

// deterministic reports whether the same claims make the same token.
func deterministic(alg codec.Algorithm) bool { return alg != codec.ES256 && alg != codec.V4Local }

func (p *play) checkCookie(st *Step, c *http.Cookie) {
	p.t.Helper()
	if c.Path != "/" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
		p.errorf("cookie %s", c)
	}
	cleared := st.Gets == "cleared"
	if (c.Value == "") != cleared || (c.MaxAge < 0) != cleared {
		p.errorf("cookie %s", c)
	}
	ends := p.ends[st.Client]
	if st.Remember {
		ends = p.Now().Add(p.Profile.RememberAbsolute)
	}
	if left := int(ends.Sub(p.Now()) / time.Second); !cleared && !ends.IsZero() && c.MaxAge != left {
		p.errorf("Max-Age is %d, want %d", c.MaxAge, left)
	}
	if !cleared && ends.IsZero() && c.MaxAge != 0 {
		p.errorf("the cookie outlives the browser: %s", c)
	}
}

func (p *play) checkTouches(st *Step) {
	p.t.Helper()
	if st.MaxTouches == 0 {
		return
	}
	now := p.Touches.Load()
	if n := now - p.touches; n > st.MaxTouches {
		p.errorf("%d touches are more than %d", n, st.MaxTouches)
	}
	p.touches = now
}

// tellNothing looks for tokens where none belong: in the log and in events.
func (p *play) tellNothing() {
	p.t.Helper()
	text := p.log.String() + fmt.Sprint(p.Events.all)
	for token := range p.seen {
		if token != "" && strings.Contains(text, token) {
			p.errorf("a token is in the log or in an event")
		}
	}
	if got := p.Events.Take(); got != "" {
		p.errorf("events %q", got)
	}
}

// repeat returns the steps n times.
func repeat(n int, steps ...Step) []Step { return slices.Repeat(steps, n) }

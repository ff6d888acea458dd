package web_test

import (
	"context"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

// town is all that a handler asks of an application: everybody's
// password is "of " and what they type, which is a subject, or subject@tenant.
type town struct{}

func (town) Authenticate(_ context.Context, c web.Credentials) (web.Identity, error) {
	subject, tenant, _ := strings.Cut(c.Username, "@")
	if c.Subject != "" {
		subject, tenant = c.Subject, c.Tenant
	}
	if c.Password != "of "+strings.TrimSuffix(subject+"@"+tenant, "@") {
		return web.Identity{}, web.ErrLoginFailed
	}
	return web.Identity{Subject: subject, Tenant: tenant, AMR: []string{"pwd"}}, nil
}

func (town) ChangePassword(context.Context, string, string, string) error { return nil }

func (town) ConfirmEmail(context.Context, string, string, string, remuda.NoticeToken) error {
	return nil
}
func (town) ChangeEmail(context.Context, string, string, string) error  { return nil }
func (town) Disown(context.Context, remuda.Notice) error                { return nil }
func (town) ResetPassword(context.Context, remuda.Notice, string) error { return nil }

func (town) MayImpersonate(_ context.Context, actor *remuda.Session, subject, tenant string) (web.Identity, error) {
	if actor.Subject != "support" || actor.Tenant != tenant || subject != "alice" {
		return web.Identity{}, web.ErrImpersonationRefused
	}
	return web.Identity{Subject: subject, Tenant: tenant}, nil
}

// person is somebody who tries something.
type person struct {
	*browser

	password string
	headers  []string // of every request
}

// people brings each row of the table to where its name says. mine is the browser
// of the session in question.
var people = map[string]func(s *site, mine *browser) *person{
	"nobody": func(s *site, _ *browser) *person { return &person{browser: s.browser(), password: "of nobody"} },
	"a visitor who has not signed in": func(s *site, _ *browser) *person {
		b := s.browser()
		expect(s.t, b.do("GET", "/basket", ""), 200, "", "")
		id, err := s.manager.Identify(b.cookies["__Host-session"], remuda.Cookie)
		if err != nil {
			s.t.Fatal(err)
		}
		if b.csrf, err = s.ring.NewCSRF(id); err != nil {
			s.t.Fatal(err)
		}
		return &person{browser: b, password: "of "}
	},
	"Alice, in it":                    func(_ *site, mine *browser) *person { return &person{browser: mine, password: "of alice"} },
	"Alice, in it, six minutes later": func(s *site, mine *browser) *person { return later(s, &person{browser: mine, password: "of alice"}) },
	"Alice on another device":         func(s *site, _ *browser) *person { return s.person("alice") },
	"Alice on another device, six minutes later": func(s *site, _ *browser) *person {
		return later(s, s.person("alice"))
	},
	"Alice on a device that was signed out": func(s *site, _ *browser) *person {
		p := s.person("alice")
		kept := maps.Clone(p.cookies)
		expect(s.t, p.do("POST", "/auth/web/logout", ""), 204, "", "")
		p.cookies = kept
		return p
	},
	"a page of another site, in Alice's browser": func(_ *site, mine *browser) *person {
		return &person{browser: mine, password: "of alice", headers: []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}}
	},
	"Bob":                       func(s *site, _ *browser) *person { return s.person("bob") },
	"Alice of another tenant":   func(s *site, _ *browser) *person { return s.person("alice@bank") },
	"support":                   func(s *site, _ *browser) *person { return s.person("support") },
	"support of another tenant": func(s *site, _ *browser) *person { return s.person("support@bank") },
	"support, acting for Alice": func(s *site, _ *browser) *person {
		p := s.person("support")
		expect(s.t, p.do("POST", "/auth/impersonate", actFor), 200, "", "")
		return p
	},
}

func (s *site) person(name string) *person {
	s.t.Helper()
	b := s.browser()
	expect(s.t, b.do("POST", "/auth/web/login", `{"username":"`+name+`","password":"of `+name+`"}`), 200, "", "")
	return &person{browser: b, password: "of " + name}
}

// later lets as much time pass as makes a proof too old, and refreshes meanwhile.
func later(s *site, p *person) *person {
	s.advance(6 * time.Minute)
	expect(s.t, p.do("POST", "/auth/web/refresh", ""), 200, "", "")
	return p
}

func (p *person) try(method, path, body string) *answer {
	p.s.t.Helper()
	if p.headers == nil {
		return p.do(method, path, body)
	}
	headers := p.headers
	for _, h := range p.browser.headers() {
		if !strings.HasPrefix(h, "Origin: ") && !strings.HasPrefix(h, "Sec-Fetch-Site: ") {
			headers = append(headers, h)
		}
	}
	return p.s.do(request{method, path, headers, body})
}

// deeds are the columns: what somebody does about the session with an id, and
// whether it was done to that.
var deeds = map[string]func(p *person, id string) (a *answer, done func(s *site) bool){
	"sees it in a list": func(p *person, id string) (*answer, func(*site) bool) {
		a := p.try("GET", "/auth/sessions", "")
		return a, func(*site) bool { return strings.Contains(a.body, id) }
	},
	"ends it": func(p *person, id string) (*answer, func(*site) bool) {
		return p.try("DELETE", "/auth/sessions/"+id, ""), ended(id)
	},
	"ends all others": func(p *person, id string) (*answer, func(*site) bool) {
		return p.try("POST", "/auth/web/logout?others=1", ""), ended(id)
	},
	"ends all": func(p *person, id string) (*answer, func(*site) bool) {
		return p.try("POST", "/auth/web/logout?all=1", ""), ended(id)
	},
	"changes the password": func(p *person, id string) (*answer, func(*site) bool) {
		return p.try("POST", "/auth/password", change(p.password, "a new password")), ended(id)
	},
	"proves who they are, for it": func(p *person, id string) (*answer, func(*site) bool) {
		gen := p.s.gen(id)
		return p.try("POST", "/auth/step-up", `{"password":"`+p.password+`"}`), func(s *site) bool { return s.gen(id) > gen }
	},
	"asks for another e-mail address": func(p *person, id string) (*answer, func(*site) bool) {
		gen := p.s.gen(id)
		return p.try("POST", "/auth/email", `{"password":"`+p.password+`","email":"new@example.com"}`), func(s *site) bool { return s.gen(id) > gen }
	},
	"acts for its user": func(p *person, _ string) (*answer, func(*site) bool) {
		a := p.try("POST", "/auth/impersonate", actFor)
		return a, func(*site) bool { return a.text("session", "subject") == "alice" && a.text("session", "actor") != "" }
	},
}

// ended reports whether a session has ended, or will as soon as it is touched.
func ended(id string) func(*site) bool {
	return func(s *site) bool {
		sid, err := remuda.ParseSessionID(id)
		if err != nil {
			s.t.Fatal(err)
		}
		_, err = s.manager.Session(s.t.Context(), sid)
		return err != nil
	}
}

// TestRights plays every cell of docs/rights.md.
func TestRights(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-8.2.1")
	t.Attr("requirement", "ASVS-8.3.1")
	t.Attr("requirement", "ASVS-7.5.2")
	text, err := os.ReadFile("../docs/rights.md")
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	cells := 0
	for line := range strings.Lines(string(text)) {
		row, ok := strings.CutPrefix(strings.TrimSpace(line), "| ")
		if !ok || strings.HasPrefix(row, "---") {
			continue
		}
		row = strings.TrimSuffix(row, " |")
		if columns == nil {
			columns = strings.Split(row, " | ")[1:]
			continue
		}
		fields := strings.Split(row, " | ")
		who := fields[0]
		if people[who] == nil || len(fields) != len(columns)+1 {
			t.Fatalf("nobody is called %q, or the row has %d cells", who, len(fields))
		}
		for i, want := range fields[1:] {
			cells++
			t.Run(who+" "+columns[i], func(t *testing.T) {
				t.Parallel()
				playRight(t, who, columns[i], want)
			})
		}
	}
	if cells != len(people)*len(deeds) {
		t.Errorf("%d cells, of %d people who can do %d things", cells, len(people), len(deeds))
	}
}

func playRight(t *testing.T, who, deed, want string) {
	t.Helper()
	s := newSite(t, func(_ *remuda.Config, w *web.Config) {
		w.Authenticator, w.Passwords, w.Impersonators, w.Disowner, w.Emails = town{}, town{}, town{}, town{}, town{}
	})
	mine := s.person("alice")
	id := mine.session
	p := people[who](s, mine.browser)
	a, done := deeds[deed](p, id)
	got := a.code()
	switch {
	case a.status >= 300 && done(s):
		t.Errorf("refused with %s, and done all the same", got)
	case a.status < 300 && done(s):
		got = "yes"
	case a.status < 300:
		got = "no"
	}
	if got != want {
		t.Errorf("%s, want %s: %d %s", got, want, a.status, a.body)
	}
}

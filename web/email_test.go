package web_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/web"
)

// post is a mailbox whose users have addresses.
type post struct {
	mailbox

	links   []string // newest last
	changed atomic.Int64
	email   string
	refuse  error
}

// ConfirmEmail implements [web.EmailChanger].
func (p *post) ConfirmEmail(_ context.Context, subject, _, email string, token remuda.NoticeToken) error {
	if p.refuse != nil {
		return p.refuse
	}
	p.links = append(p.links, "/auth/notice/"+token.Reveal())
	return nil
}

// ChangeEmail implements [web.EmailChanger].
func (p *post) ChangeEmail(_ context.Context, _, _, email string) error {
	if p.failing.Load() {
		return errors.New("the directory is gone")
	}
	p.changed.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.email = email
	return nil
}

func withPost(t *testing.T, profile ...remuda.Profile) (*site, *post) {
	t.Helper()
	p := &post{mailbox: mailbox{changeable: changeable{passwords: passwords{"alice": "sesame open", "bob": "bobs secret"}}}}
	return newSite(t, func(c *remuda.Config, w *web.Config) {
		w.Authenticator, w.Passwords, w.Disowner, w.Emails = p, p, p, p
		for i := range profile {
			profile[i].Name = "web"
			c.Profiles[0], c.Now = profile[i], time.Now
		}
	}), p
}

const (
	newAddress = `{"password":"sesame open","email":"new@example.com"}`
	confirm    = "answer=confirm"
)

// ask is what a signed-in browser sends, and the path of the link that the new address
// gets.
func (p *post) ask(t *testing.T, b *browser) string {
	t.Helper()
	expect(t, b.do("POST", "/auth/email", newAddress), 200, "", "")
	return p.links[len(p.links)-1]
}

func TestEmail(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-7.5.1")
	s, p := withPost(t)
	own, other := s.signedIn(), s.signedIn()
	gen := s.gen(own.session)
	path := p.ask(t, own)
	if s.gen(own.session) != gen+1 {
		t.Error("the asking session has no new tokens")
	}
	// Looking changes nothing, and neither does what belongs to another kind of link.
	for range 2 {
		wantPage(t, s.do(request{"GET", path, nil, ""}), 200, "Mail about the account alice is to go to new@example.com")
	}
	wantPage(t, s.form(path, notMe), 404, "not good any more")
	wantPage(t, s.form(path, reset), 404, "not good any more")
	expect(t, s.do(request{"POST", path, []string{"Origin: https://evil.example", "Content-Type: application/x-www-form-urlencoded"}, confirm}), 403, "csrf_failed", "none")
	if a := other.do("GET", "/hello", ""); a.body != "hello alice" || p.changed.Load() != 0 || p.disowned.Load() != 0 {
		t.Fatalf("something has happened: %s", a.body)
	}
	// An outage uses nothing up.
	p.failing.Store(true)
	wantPage(t, s.form(path, confirm), 503, "does not work right now")
	p.failing.Store(false)

	s.events.kinds()
	wantPage(t, s.form(path, confirm), 200, "We write to you here")
	if p.email != "new@example.com" || p.changed.Load() != 1 {
		t.Errorf("%q, %d changes", p.email, p.changed.Load())
	}
	if a := own.do("GET", "/hello", ""); a.body != "hello alice" {
		t.Errorf("the asking session: %s", a.body)
	}
	expect(t, other.do("GET", "/hello", ""), 401, "session_ended", "login")
	if !strings.Contains(s.events.kinds(), string(event.EmailChanged)) {
		t.Error("nobody is told")
	}
	wantPage(t, s.form(path, confirm), 404, "not good any more")
}

func TestEmailRefuses(t *testing.T) {
	t.Parallel()
	s, p := withPost(t)
	b := s.signedIn()
	for body, code := range map[string]string{
		`{"password":"wrong","email":"new@example.com"}`:                                    "login_failed",
		`{"email":"new@example.com"}`:                                                       "request_invalid",
		`{"password":"sesame open"}`:                                                        "request_invalid",
		`{"password":"sesame open","email":"new"}`:                                          "request_invalid",
		`{"password":"sesame open","email":"New <new@example.com>"}`:                        "request_invalid",
		`{"password":"sesame open","email":"new@example.com\r\nBcc: all@example.com"}`:      "request_invalid",
		`{"password":"sesame open","email":"` + strings.Repeat("n", 250) + `@example.com"}`: "request_invalid",
		`{"password":"sesame open","email":"new@example.com, another@example.com"}`:         "request_invalid",
	} {
		a := b.do("POST", "/auth/email", body)
		if a.text("code") != code || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	p.refuse = &web.ThrottledError{After: time.Hour}
	expect(t, b.do("POST", "/auth/email", newAddress), 429, "rate_limited", "retry")
	p.refuse = errors.New("the mail waits")
	expect(t, b.do("POST", "/auth/email", newAddress), 503, "unavailable", "retry")
	expect(t, s.browser().do("POST", "/auth/email", newAddress), 401, "token_missing", "login")
	if len(p.links) != 0 {
		t.Error("mail was written")
	}
	if _, err := web.New(web.Config{Emails: p}); err == nil || !strings.Contains(err.Error(), "Emails needs a Disowner") {
		t.Errorf("without anybody who takes it back: %v", err)
	}
}

// TestEmailOfAThief: what was asked for goes with the session in which it was, in
// whatever way that ends.
func TestEmailOfAThief(t *testing.T) {
	t.Parallel()
	for name, profile := range map[string][]remuda.Profile{"with a record": nil, "without one": {remuda.Local()}} {
		for how, end := range map[string]func(s *site, own, thief *browser){
			"all are signed out": func(_ *site, own, _ *browser) {
				expect(t, own.do("POST", "/auth/web/logout?all=1", ""), 204, "", "")
			},
			"another password": func(_ *site, own, _ *browser) {
				expect(t, own.do("POST", "/auth/password", change("sesame open", "another long one")), 200, "", "")
			},
			"not at all": nil,
			"that one is signed out": func(_ *site, _, thief *browser) {
				expect(t, thief.do("POST", "/auth/web/logout", ""), 204, "", "")
			},
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, p := withPost(t, profile...)
					synctest.Wait() // the log is read
					own, thief := s.signedIn(), s.signedIn()
					time.Sleep(time.Second)
					path := p.ask(t, thief)
					time.Sleep(time.Second)
					if end == nil {
						wantPage(t, s.form(path, confirm), 200, "We write to you here")
						time.Sleep(time.Second)
						expect(t, own.do("GET", "/hello", ""), 401, "session_ended", "login")
						if a := thief.do("GET", "/hello", ""); a.body != "hello alice" {
							t.Errorf("who asked: %s", a.body)
						}
						return
					}
					end(s, own, thief)
					wantPage(t, s.form(path, confirm), 404, "not good any more")
					if p.changed.Load() != 0 {
						t.Error("the address is the thief's")
					}
				})
			})
		}
	}
	s, p := withPost(t)
	path := p.ask(t, s.signedIn())
	s.advance(24 * time.Hour)
	wantPage(t, s.form(path, confirm), 404, "not good any more")
}

// TestConfirmAnother: the link of another notice confirms nothing.
func TestConfirmAnother(t *testing.T) {
	t.Parallel()
	s, p := withPost(t)
	id, err := remuda.ParseSessionID(s.signedIn().session)
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.manager.MintNotice(t.Context(), remuda.MintNoticeRequest{Notice: remuda.Notice{
		Subject: "alice", Session: id, Kind: event.EmailChanged, Extra: "thief@example.com",
	}})
	if err != nil {
		t.Fatal(err)
	}
	wantPage(t, s.form("/auth/notice/"+token.Reveal(), confirm), 404, "not good any more")
	if p.changed.Load() != 0 {
		t.Error("the address has changed")
	}
}

func TestEmailInParallel(t *testing.T) {
	t.Parallel()
	s, p := withPost(t)
	path := p.ask(t, s.signedIn())
	var wg sync.WaitGroup
	var done atomic.Int64
	for range 16 {
		wg.Go(func() {
			if s.form(path, confirm).status == 200 {
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if done.Load() != 1 || p.changed.Load() != 1 {
		t.Errorf("confirmed %d times, changed %d times", done.Load(), p.changed.Load())
	}
}

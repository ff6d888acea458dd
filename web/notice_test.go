package web_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/web"
)

// mailbox is the application's end of notices.
type mailbox struct {
	changeable

	disowned atomic.Int64
	failing  atomic.Bool
	mu       sync.Mutex
	extra    string
}

// Disown implements [web.Disowner].
func (m *mailbox) Disown(_ context.Context, n remuda.Notice) error {
	if m.failing.Load() {
		return errors.New("the directory is gone")
	}
	m.disowned.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.extra = n.Extra
	delete(m.passwords, n.Subject)
	return nil
}

// ResetPassword implements [web.Disowner].
func (m *mailbox) ResetPassword(ctx context.Context, n remuda.Notice, password string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ChangePassword(ctx, n.Subject, n.Tenant, password)
}

// noticed is a site, the browser in which somebody signed in as alice, and the path of
// the link that she was sent about it.
func noticed(t *testing.T) (s *site, box *mailbox, thief *browser, path string) {
	t.Helper()
	box = &mailbox{changeable: changeable{passwords: passwords{"alice": "sesame open", "bob": "bobs secret"}}}
	s = newSite(t, func(_ *remuda.Config, w *web.Config) { w.Authenticator, w.Disowner = box, box })
	thief = s.signedIn()
	id, err := remuda.ParseSessionID(thief.session)
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.manager.MintNotice(t.Context(), remuda.MintNoticeRequest{Notice: remuda.Notice{
		Subject: "alice", Session: id, Kind: event.SessionStarted, At: s.time(), Device: "Firefox <b>on</b> Linux", Extra: "old@example.com",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", token, token, token, token); strings.Contains(text, token.Reveal()) {
		t.Errorf("the token shows itself: %s", text)
	}
	return s, box, thief, "/auth/notice/" + token.Reveal()
}

// form sends a form as the page does.
func (s *site) form(path, body string, more ...string) *answer {
	s.t.Helper()
	headers := []string{"Origin: " + origin, "Sec-Fetch-Site: same-origin", "Content-Type: application/x-www-form-urlencoded"}
	return s.do(request{"POST", path, append(headers, more...), body})
}

const (
	notMe = "answer=not-me"
	reset = "password=another+long+one"
)

func wantPage(t *testing.T, a *answer, status int, text string) {
	t.Helper()
	if a.status != status || !strings.Contains(a.body, text) {
		t.Errorf("%d, want %d with %q: %s", a.status, status, text, a.body)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "strict-origin", "Content-Type": "text/html; charset=utf-8", "X-Frame-Options": "DENY"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if strings.Contains(a.body, "<script") || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error("the page may run something")
	}
}

func TestNotice(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-1.2.1")
	t.Attr("requirement", "NIST-14")
	s, box, thief, path := noticed(t)
	// Whoever looks changes nothing: scanners, previews, a browser that reads ahead.
	for _, method := range []string{"GET", "HEAD", "GET"} {
		a := s.do(request{method, path, []string{"Sec-Purpose: prefetch"}, ""})
		if method == "GET" {
			wantPage(t, a, 200, "Somebody signed in to your account")
			if strings.Contains(a.body, "<b>on") || !strings.Contains(a.body, "&lt;b&gt;on") {
				t.Errorf("not escaped: %s", a.body)
			}
		}
	}
	expect(t, s.do(request{"DELETE", path, nil, ""}), 405, "method_not_allowed", "none")
	if a := thief.do("GET", "/hello", ""); a.body != "hello alice" || box.disowned.Load() != 0 {
		t.Fatalf("looking has done something: %s", a.body)
	}
	// Another site, and no page at all, are refused.
	for _, headers := range [][]string{
		{"Origin: https://evil.example"}, {"Sec-Fetch-Site: cross-site"}, {"Origin: null"},
	} {
		a := s.do(request{"POST", path, append(headers, "Content-Type: application/x-www-form-urlencoded"), notMe})
		expect(t, a, 403, "csrf_failed", "none")
	}
	for _, body := range []string{"", "answer=me", "answer=not-me&password=x", "%zz", "password="} {
		if a := s.form(path, body); a.status != 400 {
			t.Errorf("%q: %d", body, a.status)
		}
	}
	// Not yet.
	wantPage(t, s.form(path, reset), 404, "not good any more")

	wantPage(t, s.form(path, notMe), 200, "A new password")
	expect(t, thief.do("GET", "/hello", ""), 401, "session_ended", "login")
	if r := s.record(thief.session); r.EndReason != "disowned" {
		t.Errorf("ended: %q", r.EndReason)
	}
	if box.extra != "old@example.com" {
		t.Errorf("extra: %q", box.extra)
	}
	expect(t, s.browser().do("POST", "/auth/web/login", `{"username":"alice","password":"sesame open"}`), 401, "login_failed", "login")
	// Again: the same page, and nothing is done twice.
	wantPage(t, s.form(path, notMe), 200, "A new password")
	wantPage(t, s.do(request{"GET", path, nil, ""}), 200, "A new password")
	if n := box.disowned.Load(); n != 1 {
		t.Errorf("disowned %d times", n)
	}
	wantPage(t, s.form(path, "password=short"), 400, "at least 8 characters")
	wantPage(t, s.form(path, reset), 200, "Your new password is set, and")
	s.advance(time.Second)
	expect(t, s.browser().do("POST", "/auth/web/login", `{"username":"alice","password":"another long one"}`), 200, "", "")
	// Spent.
	for _, body := range []string{notMe, reset} {
		wantPage(t, s.form(path, body), 404, "not good any more")
	}
	wantPage(t, s.do(request{"GET", path, nil, ""}), 404, "not good any more")
	if n := box.disowned.Load(); n != 1 {
		t.Errorf("disowned %d times", n)
	}
}

// TestNoticeNoGood: one answer for every link that is no good.
func TestNoticeNoGood(t *testing.T) {
	t.Parallel()
	s, box, thief, path := noticed(t)
	good := s.do(request{"GET", path, nil, ""})
	other, _, _, elsewhere := noticed(t) // of another installation
	_ = other
	var pages []string
	for _, p := range []string{path + "A", path[:len(path)-1], strings.ToUpper(path[:20]) + path[20:], "/auth/notice/x", elsewhere, "/auth/notice/" + strings.Repeat("A", 80)} {
		for _, a := range []*answer{s.do(request{"GET", p, nil, ""}), s.form(p, notMe), s.form(p, reset)} {
			if !strings.HasPrefix(p, "/auth/notice/") {
				continue
			}
			wantPage(t, a, 404, "not good any more")
			pages = append(pages, a.body)
		}
	}
	for _, p := range pages {
		if p != pages[0] || p == good.body {
			t.Error("one says more than another")
		}
	}
	s.advance(remuda.DefaultNoticeLife)
	wantPage(t, s.form(path, notMe), 404, "not good any more")
	if box.disowned.Load() != 0 || s.record(thief.session).EndReason != "" {
		t.Error("it was done all the same")
	}
}

// TestNoticeOfAnEndedSession: the password goes all the same.
func TestNoticeOfAnEndedSession(t *testing.T) {
	t.Parallel()
	s, box, thief, path := noticed(t)
	expect(t, thief.do("POST", "/auth/web/logout", ""), 204, "", "")
	wantPage(t, s.form(path, notMe), 200, "A new password")
	if box.disowned.Load() != 1 {
		t.Error("not disowned")
	}
	// Later than a quarter of an hour the link sets no password any more.
	s.advance(remuda.NoticePasswordTime)
	wantPage(t, s.form(path, reset), 404, "not good any more")
}

// TestNoticeInAnothersBrowser: whose session a browser has does not matter, and that is
// left alone.
func TestNoticeInAnothersBrowser(t *testing.T) {
	t.Parallel()
	s, _, thief, path := noticed(t)
	bob := s.browser()
	expect(t, bob.do("POST", "/auth/web/login", `{"username":"bob","password":"bobs secret"}`), 200, "", "")
	wantPage(t, s.form(path, notMe, bob.headers()[3:]...), 200, "A new password")
	expect(t, thief.do("GET", "/hello", ""), 401, "session_ended", "login")
	if a := bob.do("GET", "/hello", ""); a.body != "hello bob" {
		t.Errorf("bob: %s", a.body)
	}
}

func TestNoticeInParallel(t *testing.T) {
	t.Parallel()
	s, box, _, path := noticed(t)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() { wantPage(t, s.form(path, notMe), 200, "A new password") })
	}
	wg.Wait()
	if n := box.disowned.Load(); n != 1 {
		t.Errorf("disowned %d times", n)
	}
	var set atomic.Int64
	for range 16 {
		wg.Go(func() {
			if s.form(path, reset).status == 200 {
				set.Add(1)
			}
		})
	}
	wg.Wait()
	if set.Load() != 1 {
		t.Errorf("set %d times", set.Load())
	}
}

// TestNoticeInAnOutage: nothing is used up.
func TestNoticeInAnOutage(t *testing.T) {
	t.Parallel()
	s, box, thief, path := noticed(t)
	box.failing.Store(true)
	wantPage(t, s.form(path, notMe), 503, "does not work right now")
	box.failing.Store(false)
	wantPage(t, s.do(request{"GET", path, nil, ""}), 200, "This was not me")
	wantPage(t, s.form(path, notMe), 200, "A new password")
	expect(t, thief.do("GET", "/hello", ""), 401, "session_ended", "login")
	box.broken = true
	wantPage(t, s.form(path, reset), 503, "does not work right now")
	box.broken = false
	wantPage(t, s.form(path, reset), 200, "Your new password is set, and")
}

// TestNoticeEndsWhatWasBegun: sessions that were handed over from there end too, and
// what those have begun; no other does.
func TestNoticeEndsWhatWasBegun(t *testing.T) {
	t.Parallel()
	s, _, thief, path := noticed(t)
	own := s.signedIn()
	from, err := remuda.ParseSessionID(thief.session)
	if err != nil {
		t.Fatal(err)
	}
	var begun []remuda.SessionID
	for range 2 { // a chain
		const target, state = "https://shop.example", "a state of the browser"
		token, err := s.manager.MintHandOff(t.Context(), remuda.MintHandOffRequest{Session: from, Target: target, StateHash: remuda.HandOffStateHash(state)})
		if err != nil {
			t.Fatal(err)
		}
		g, err := s.manager.RedeemHandOff(t.Context(), remuda.RedeemHandOffRequest{Token: token.Reveal(), Target: target, State: state, Profile: "web"})
		if err != nil {
			t.Fatal(err)
		}
		begun, from = append(begun, g.Session.ID), g.Session.ID
	}
	wantPage(t, s.form(path, notMe), 200, "A new password")
	for _, id := range begun {
		if _, err := s.manager.Session(t.Context(), id); !errors.Is(err, remuda.ErrSessionEnded) {
			t.Errorf("begun from there: %v", err)
		}
	}
	if a := own.do("GET", "/hello", ""); a.body != "hello alice" {
		t.Errorf("her own: %s", a.body)
	}
	// With the new password all end: whoever knew the old one may have more.
	wantPage(t, s.form(path, reset), 200, "all devices are signed out")
	expect(t, own.do("GET", "/hello", ""), 401, "session_ended", "login")
}

// TestNoticeAfterACrash: who died in the middle keeps nobody from it for longer than a
// minute.
func TestNoticeAfterACrash(t *testing.T) {
	t.Parallel()
	s, box, _, path := noticed(t)
	token := strings.TrimPrefix(path, "/auth/notice/")
	ctx, die := context.WithCancelCause(t.Context())
	func() {
		defer func() { _ = recover() }() // a process that dies writes nothing more
		_ = s.manager.DisownNotice(ctx, token, remuda.Client{}, func(context.Context, remuda.Notice) error {
			die(nil)
			panic("killed")
		})
	}()
	wantPage(t, s.form(path, reset), 404, "not good any more")
	if s.form(path, notMe); box.disowned.Load() != 0 {
		t.Error("a second call acts beside the first")
	}
	s.advance(time.Minute)
	wantPage(t, s.form(path, notMe), 200, "A new password")
	if box.disowned.Load() != 1 {
		t.Error("not disowned")
	}
}

func TestMintNoticeRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for what, req := range map[string]remuda.MintNoticeRequest{
		"nobody":    {},
		"too long":  {Notice: remuda.Notice{Subject: "alice"}, Life: remuda.MaxNoticeLife + 1},
		"too short": {Notice: remuda.Notice{Subject: "alice"}, Life: time.Second},
		"too much":  {Notice: remuda.Notice{Subject: "alice", Extra: strings.Repeat("x", 1025)}},
	} {
		if _, err := s.manager.MintNotice(t.Context(), req); !errors.Is(err, remuda.ErrRequest) {
			t.Errorf("%s: %v", what, err)
		}
	}
	expect(t, s.do(request{"GET", "/auth/notice/x", nil, ""}), 404, "not_found", "none")
}

package web_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

// bank is a site with a route that asks for a proof of its own for each request,
// and counts what it was asked to do.
type bank struct {
	*site

	paid atomic.Int64
}

func newBank(t *testing.T, change ...func(*remuda.Config, *web.Config)) *bank {
	t.Helper()
	b := &bank{site: newSite(t, change...)}
	pay := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.paid.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(append([]byte("paid "), body...))
	})
	mux := http.NewServeMux()
	mux.Handle("/", b.handler)
	mux.Handle("/pay", b.web.Guard(web.Rule{Each: true, Recent: time.Minute}, pay))
	mux.Handle("/other", b.web.Guard(web.Rule{Each: true}, pay))
	mux.Handle("/recent", b.web.RequireRecent(time.Minute, pay))
	b.handler = b.web.CleanPaths(mux)
	return b
}

const transfer = `{"to":"carol","sum":100}`

// refusedPay asks for a transfer, and returns the continuation of the refusal.
func refusedPay(t *testing.T, b *browser) string {
	t.Helper()
	a := b.do("POST", "/pay?fast=1", transfer)
	expect(t, a, 401, "step_up_required", "reauthenticate")
	c := a.text("continuation")
	if c == "" {
		t.Fatalf("no continuation: %s", a.body)
	}
	return c
}

func stepUpFor(b *browser, continuation string) *answer {
	return b.do("POST", "/auth/step-up", `{"password":"sesame open","continuation":"`+continuation+`"}`)
}

func TestContinuation(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-2.3.1")
	t.Attr("requirement", "ASVS-7.5.3")
	s := newBank(t)
	b := s.signedIn()
	c := refusedPay(t, b)
	with := "Remuda-Continuation: " + c
	// It proves nothing by itself.
	expect(t, b.do("POST", "/pay?fast=1", transfer, with), 409, "continuation_invalid", "none")
	expect(t, b.do("POST", "/auth/step-up", `{"password":"wrong","continuation":"`+c+`"}`), 401, "login_failed", "login")
	expect(t, b.do("POST", "/pay?fast=1", transfer, with), 409, "continuation_invalid", "none")
	expect(t, stepUpFor(b, c), 200, "", "")
	if a := b.do("POST", "/pay?fast=1", transfer, with); a.status != 200 || a.body != "paid "+transfer {
		t.Errorf("repeated: %d %s", a.status, a.body)
	}
	expect(t, b.do("POST", "/pay?fast=1", transfer, with), 409, "continuation_used", "none")
	// A client whose step-up got no answer sends it again; that grants nothing anew.
	expect(t, stepUpFor(b, c), 200, "", "")
	expect(t, b.do("POST", "/pay?fast=1", transfer, with), 409, "continuation_used", "none")
	// Recent is not enough where each request needs a proof of its own.
	expect(t, b.do("POST", "/pay?fast=1", transfer), 401, "step_up_required", "reauthenticate")
	if n := s.paid.Load(); n != 1 {
		t.Errorf("paid %d times", n)
	}
}

// TestContinuationOfAnotherRequest: what the user has confirmed is what is done.
func TestContinuationOfAnotherRequest(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(b *browser, with string) *answer{
		"body":    func(b *browser, with string) *answer { return b.do("POST", "/pay?fast=1", `{"to":"mallory"}`, with) },
		"no body": func(b *browser, with string) *answer { return b.do("POST", "/pay?fast=1", "", with) },
		"method":  func(b *browser, with string) *answer { return b.do("PUT", "/pay?fast=1", transfer, with) },
		"path":    func(b *browser, with string) *answer { return b.do("POST", "/other?fast=1", transfer, with) },
		"query":   func(b *browser, with string) *answer { return b.do("POST", "/pay?fast=2", transfer, with) },
		"type": func(b *browser, with string) *answer {
			return b.do("POST", "/pay?fast=1", transfer, with, "Content-Type: text/plain")
		},
		"a long one": func(b *browser, with string) *answer {
			return b.do("POST", "/pay?fast=1", strings.Repeat("x", 70<<10), with)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newBank(t)
			b := s.signedIn()
			c := refusedPay(t, b)
			expect(t, stepUpFor(b, c), 200, "", "")
			a := send(b, "Remuda-Continuation: "+c)
			if want := "continuation_invalid"; a.status < 400 || a.code() != want && name != "a long one" {
				t.Errorf("%d %s", a.status, a.body)
			}
			if s.paid.Load() != 0 {
				t.Error("it was done")
			}
			// Nothing is lost by the attempt.
			if a := b.do("POST", "/pay?fast=1", transfer, "Remuda-Continuation: "+c); a.status != 200 {
				t.Errorf("afterwards: %d %s", a.status, a.body)
			}
		})
	}
}

// TestContinuationOfAnotherSession: neither another user nor another session of
// the same one can grant or use it.
func TestContinuationOfAnotherSession(t *testing.T) {
	t.Parallel()
	s := newBank(t)
	b, same, bob := s.signedIn(), s.signedIn(), s.browser()
	expect(t, bob.do("POST", "/auth/web/login", `{"username":"bob","password":"bobs secret"}`), 200, "", "")
	c := refusedPay(t, b)
	with := "Remuda-Continuation: " + c
	expect(t, stepUpFor(same, c), 409, "continuation_invalid", "none")
	expect(t, bob.do("POST", "/auth/step-up", `{"password":"bobs secret","continuation":"`+c+`"}`), 409, "continuation_invalid", "none")
	expect(t, stepUpFor(b, c), 200, "", "")
	for _, other := range []*browser{same, bob} {
		expect(t, other.do("POST", "/pay?fast=1", transfer, with), 409, "continuation_invalid", "none")
	}
	for _, text := range []string{"x", c + "A", c[:len(c)-1], strings.ToUpper(c)} {
		expect(t, b.do("POST", "/pay?fast=1", transfer, "Remuda-Continuation: "+text), 409, "continuation_invalid", "none")
		expect(t, stepUpFor(b, text), 409, "continuation_invalid", "none")
	}
	expect(t, b.do("POST", "/pay?fast=1", transfer, with, with), 400, "request_invalid", "none")
	if n := s.paid.Load(); n != 0 {
		t.Errorf("paid %d times", n)
	}
}

func TestContinuationExpires(t *testing.T) {
	t.Parallel()
	s := newBank(t)
	b := s.signedIn()
	early, late := refusedPay(t, b), refusedPay(t, b)
	expect(t, stepUpFor(b, early), 200, "", "")
	s.advance(remuda.ContinuationLife)
	expect(t, b.do("POST", "/auth/web/refresh", ""), 200, "", "")
	expect(t, stepUpFor(b, late), 409, "continuation_invalid", "none")
	// Too old a proof is asked for again before the continuation is looked at.
	expect(t, b.do("POST", "/pay?fast=1", transfer, "Remuda-Continuation: "+early), 401, "step_up_required", "reauthenticate")
	expect(t, b.do("POST", "/auth/step-up", `{"password":"sesame open"}`), 200, "", "")
	expect(t, b.do("POST", "/pay?fast=1", transfer, "Remuda-Continuation: "+early), 409, "continuation_invalid", "none")
}

// TestContinuationInParallel: of many that repeat the request at once one passes.
func TestContinuationInParallel(t *testing.T) {
	t.Parallel()
	s := newBank(t)
	b := s.signedIn()
	c := refusedPay(t, b)
	expect(t, stepUpFor(b, c), 200, "", "")
	headers := append(b.headers(), "Remuda-Continuation: "+c)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			a := s.do(request{"POST", "/pay?fast=1", headers, transfer})
			if a.status != 200 && a.code() != "continuation_used" {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	if n := s.paid.Load(); n != 1 {
		t.Errorf("paid %d times", n)
	}
}

// TestContinuationWhereRecentIsEnough: there a request may do without, and one
// that names a continuation passes once all the same.
func TestContinuationWhereRecentIsEnough(t *testing.T) {
	t.Parallel()
	s := newBank(t)
	b := s.signedIn()
	s.advance(2 * time.Minute)
	a := b.do("POST", "/recent", transfer)
	expect(t, a, 401, "step_up_required", "reauthenticate")
	c := a.text("continuation")
	expect(t, stepUpFor(b, c), 200, "", "")
	for range 2 {
		if a := b.do("POST", "/recent", transfer); a.status != 200 {
			t.Errorf("without: %d %s", a.status, a.body)
		}
	}
	if a := b.do("POST", "/recent", transfer, "Remuda-Continuation: "+c); a.status != 200 {
		t.Errorf("with: %d %s", a.status, a.body)
	}
	expect(t, b.do("POST", "/recent", transfer, "Remuda-Continuation: "+c), 409, "continuation_used", "none")
	// A body that is too long to be remembered gets no continuation.
	s.advance(2 * time.Minute)
	a = b.do("POST", "/recent", strings.Repeat("x", 70<<10))
	expect(t, a, 401, "step_up_required", "reauthenticate")
	if a.text("continuation") != "" {
		t.Error("a continuation for a body of 70 KiB")
	}
}

// TestContinuationWithoutRecord: a step-up replaces such a session, and the one
// that takes its place repeats the request.
func TestContinuationWithoutRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newBank(t, func(c *remuda.Config, w *web.Config) {
			c.Profiles, c.Now, w.WebProfiles = append(c.Profiles, remuda.Local()), time.Now, []string{"local"}
		})
		synctest.Wait() // until the log has been read
		b := s.signedIn()
		c := refusedPay(t, b)
		expect(t, stepUpFor(b, c), 200, "", "")
		if a := b.do("POST", "/pay?fast=1", transfer, "Remuda-Continuation: "+c); a.status != 200 {
			t.Errorf("repeated: %d %s", a.status, a.body)
		}
		expect(t, b.do("POST", "/pay?fast=1", transfer, "Remuda-Continuation: "+c), 409, "continuation_used", "none")
	})
}

func TestRequireLevel(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-10.3.4")
	t.Attr("requirement", "NIST-12")
	levels := []string{"low", "urn:mace:middle", "high"}
	for _, tt := range []struct {
		reached, wanted, names string
		ok                     bool
	}{
		{"", "low", "low urn:mace:middle high", false},
		{"low", "low", "", true},
		{"low", "urn:mace:middle", "urn:mace:middle high", false},
		{"high", "low", "", true},
		{"unheard of", "low", "low urn:mace:middle high", false},
	} {
		t.Run(tt.reached+" for "+tt.wanted, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, func(_ *remuda.Config, w *web.Config) { w.Levels = levels })
			g, err := s.manager.Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: "alice", ACR: tt.reached})
			if err != nil {
				t.Fatal(err)
			}
			s.handler = s.web.RequireLevel(tt.wanted, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
			a := s.do(request{"GET", "/x", []string{"Authorization: Bearer " + g.Access.Reveal()}, ""})
			if tt.ok {
				if a.status != 204 {
					t.Errorf("%d %s", a.status, a.body)
				}
				return
			}
			expect(t, a, 401, "step_up_required", "reauthenticate")
			if got, want := a.header.Get("WWW-Authenticate"), `Bearer error="insufficient_user_authentication", acr_values="`+tt.names+`"`; got != want {
				t.Errorf("WWW-Authenticate: %s\nwant %s", got, want)
			}
		})
	}
}

func TestLevelsThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(_ *remuda.Config, w *web.Config) { w.Levels = []string{"low", "high"} })
	for _, level := range []string{"middle", "lo w", `"`} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("level %q was taken", level)
				}
			}()
			s.web.RequireLevel(level, http.NotFoundHandler())
		}()
	}
	_, err := web.New(web.Config{Manager: s.manager, Keys: s.ring, Authenticator: passwords{}, Origins: []string{origin}, Levels: []string{"a b", "low", "low"}})
	if err == nil || strings.Count(err.Error(), "Levels") != 2 {
		t.Errorf("err = %v", err)
	}
}

// importantRoutes stands in docs/step-up.md as it is.
func importantRoutes(auth *web.Handler, address, wire, sell http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/address", auth.RequireRecent(10*time.Minute, address))
	mux.Handle("/wire", auth.RequireLevel("urn:example:otp", wire))
	mux.Handle("/sell", auth.Guard(web.Rule{Each: true, Recent: time.Minute}, sell))
	return mux
}

func TestImportantRoutes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	done := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	access, _, id := s.tokens()
	s.handler = importantRoutes(s.web, done, done, done)
	post := func(path string) *answer {
		return s.do(request{"POST", path, []string{"Authorization: Bearer " + access}, "x"})
	}
	challenge := func(path, want string) {
		t.Helper()
		a := post(path)
		expect(t, a, 401, "step_up_required", "reauthenticate")
		if got := a.header.Get("WWW-Authenticate"); got != `Bearer error="insufficient_user_authentication", `+want {
			t.Errorf("%s: %s", path, got)
		}
	}
	if a := post("/address"); a.status != 204 {
		t.Errorf("/address: %d %s", a.status, a.body)
	}
	challenge("/wire", `acr_values="urn:example:otp"`)
	challenge("/sell", `max_age="60"`)
	s.advance(5 * time.Minute)
	sid, err := remuda.ParseSessionID(id)
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.manager.StepUp(t.Context(), remuda.StepUpRequest{Session: sid, ACR: "urn:example:otp", AMR: []string{"otp"}})
	if err != nil {
		t.Fatal(err)
	}
	access = g.Access.Reveal()
	if a := post("/wire"); a.status != 204 {
		t.Errorf("/wire: %d %s", a.status, a.body)
	}
	challenge("/sell", `max_age="60"`) // it was not for this
}

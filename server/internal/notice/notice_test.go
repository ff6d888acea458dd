package notice_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/server/internal/directory"
	"github.com/remuda-go/remuda/server/internal/notice"
	"github.com/remuda-go/remuda/store/memstore"
	"github.com/remuda-go/remuda/web"
)

// sink is a mail server that keeps what it gets.
type sink struct {
	mails   chan string
	mu      sync.Mutex
	refuse  []error          // of the next ones
	putOff  map[string]error // of those that say so
	address string
}

// NewSession implements [smtp.Backend].
func (s *sink) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{s}, nil }

type session struct{ *sink }

func (s *session) Mail(string, *smtp.MailOptions) error { return nil }
func (s *session) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s *session) Reset()                               {}
func (s *session) Logout() error                        { return nil }

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for says, err := range s.putOff {
		if strings.Contains(string(text), says) {
			return err
		}
	}
	if len(s.refuse) > 0 {
		err, s.refuse = s.refuse[0], s.refuse[1:]
		return err
	}
	s.mails <- string(text)
	return nil
}

func newSink(t *testing.T, refuse ...error) *sink {
	t.Helper()
	s := &sink{mails: make(chan string, 10), refuse: refuse}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(s)
	server.Domain = "localhost"
	go func() { _ = server.Serve(ln) }() // until it is closed
	t.Cleanup(func() { _ = server.Close() })
	s.address = ln.Addr().String()
	return s
}

// world is an installation with alice, who has an address, and bob, who has none.
func world(t *testing.T, change func(*notice.Config)) (*notice.Notifier, *remuda.Manager) {
	t.Helper()
	ring, err := keyring.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m, err := remuda.New(t.Context(), remuda.Config{Store: memstore.New(), Keys: ring, Issuer: "x", Profiles: []remuda.Profile{remuda.Web()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(context.WithoutCancel(t.Context())) })
	users, err := directory.Open(t.Context(), filepath.Join(t.TempDir(), "users.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = users.Close() })
	for _, name := range []string{"alice", "bob"} {
		if err := users.Add(t.Context(), name, "a long password"); err != nil {
			t.Fatal(err)
		}
	}
	if err := users.SetEmail(t.Context(), "alice", "alice@example.com"); err != nil {
		t.Fatal(err)
	}
	cfg := notice.Config{Manager: m, Users: users, Link: "https://app.example/auth/notice/", From: "accounts@app.example", Log: slog.New(slog.DiscardHandler)}
	change(&cfg)
	n, err := notice.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n, m
}

func (s *sink) next(t *testing.T) string {
	t.Helper()
	select {
	case text := <-s.mails:
		return text
	case <-time.After(20 * time.Second):
		t.Fatal("no mail came")
		return ""
	}
}

// TestMail: what is worth a mail gives one, to whom it is about, in plain text and HTML,
// with a link that is good.
func TestMail(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	n, m := world(t, func(c *notice.Config) { c.Server, c.InsecureWithoutTLS = s.address, true })
	at := time.Now()
	for _, e := range []event.Event{
		{Kind: event.SessionStarted, Subject: "alice", UserAgent: "Firefox on Linux"}, // the first: not new
		{Kind: event.SessionStarted, Subject: "alice", UserAgent: "Firefox on Linux"},
		{Kind: event.SessionStarted, Subject: "alice", UserAgent: "Safari on iOS", Actor: "support"},
		{Kind: event.SessionStarted, Subject: "bob", UserAgent: "Firefox on Linux"},
		{Kind: event.SessionStarted, Subject: "bob", UserAgent: "Safari on iOS"}, // no address
		{Kind: event.SessionStarted, Subject: "nobody", UserAgent: "Safari on iOS"},
		{Kind: event.SessionRefreshed, Subject: "alice", UserAgent: "Safari on iOS"},
		{Kind: event.SessionStarted, Subject: "alice", UserAgent: "Chrome <b> on Windows"},
		{Kind: event.PasswordChanged, Subject: "alice"},
	} {
		e.Time = at
		n.Emit(e)
	}
	first, second := s.next(t), s.next(t) // in whatever order
	if strings.Contains(first, "Subject: Your password was changed") {
		first, second = second, first
	}
	for _, want := range []string{"To: <alice@example.com>", "Subject: A new sign-in", "Auto-Submitted: auto-generated", "text/plain", "text/html", "Chrome <b> on Windows", "Chrome &lt;b&gt; on Windows"} {
		if !strings.Contains(first, want) {
			t.Errorf("%q is not in the mail:\n%s", want, first)
		}
	}
	if !strings.Contains(second, "Subject: Your password was changed") {
		t.Errorf("second:\n%s", second)
	}
	_, link, _ := strings.Cut(first, "https://app.example/auth/notice/")
	token, _, _ := strings.Cut(link, "\r\n")
	got, err := m.ReadNotice(t.Context(), token)
	if err != nil || got.Subject != "alice" || got.Kind != event.SessionStarted {
		t.Errorf("%+v, %v", got, err)
	}
	n.Close()
	if len(s.mails) != 0 || n.Failed() != 0 {
		t.Errorf("%d mails more, %d failed", len(s.mails), n.Failed())
	}
}

// TestMailAgain: a server that is busy is asked again; one that refuses is not.
func TestMailAgain(t *testing.T) {
	t.Parallel()
	busy := &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}
	s := newSink(t, busy, &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "nobody here"})
	n, _ := world(t, func(c *notice.Config) { c.Server, c.InsecureWithoutTLS = s.address, true })
	n.Emit(event.Event{Kind: event.PasswordChanged, Subject: "alice", Time: time.Now()})
	n.Emit(event.Event{Kind: event.RefreshReused, Subject: "alice", Time: time.Now()})
	s.next(t) // the one that was put off, whichever that is
	n.Close()
	if n.Failed() != 1 || len(s.mails) != 0 {
		t.Errorf("%d failed, %d more came", n.Failed(), len(s.mails))
	}
}

// TestMailWhileOneWaits: one mail that has to be tried again holds up no other.
func TestMailWhileOneWaits(t *testing.T) {
	t.Parallel()
	busy := &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}
	s := newSink(t)
	s.putOff = map[string]error{"Your password": busy}
	n, _ := world(t, func(c *notice.Config) { c.Server, c.InsecureWithoutTLS = s.address, true })
	n.Emit(event.Event{Kind: event.PasswordChanged, Subject: "alice", Time: time.Now()})
	n.Emit(event.Event{Kind: event.RefreshReused, Subject: "alice", Time: time.Now()})
	if text := s.next(t); !strings.Contains(text, "Subject: We ended a session") {
		t.Errorf("the one that came:\n%s", text)
	}
}

// TestMailToAddresses: within three days after a change both addresses are written to,
// each with a link of its own, and a new one is asked first.
func TestMailToAddresses(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	var users *directory.Directory
	n, m := world(t, func(c *notice.Config) { users, c.Server, c.InsecureWithoutTLS = c.Users, s.address, true })
	token, err := m.MintNotice(t.Context(), remuda.MintNoticeRequest{Notice: remuda.Notice{Subject: "alice", Kind: event.EmailAsked, Extra: "new@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.ConfirmEmail(t.Context(), "alice", "new@example.com", token); err != nil {
		t.Fatal(err)
	}
	text := s.next(t)
	for _, want := range []string{"To: <new@example.com>", "Subject: Is this your address?", "https://app.example/auth/notice/" + token.Reveal(), "text/html"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the mail:\n%s", want, text)
		}
	}
	if err := users.ChangeEmail(t.Context(), "alice", "new@example.com"); err != nil {
		t.Fatal(err)
	}
	n.Emit(event.Event{Kind: event.EmailChanged, Subject: "alice", Time: time.Now()})
	for _, text := range []string{s.next(t), s.next(t)} {
		_, link, _ := strings.Cut(text, "https://app.example/auth/notice/")
		token, _, _ := strings.Cut(link, "\r\n")
		got, err := m.ReadNotice(t.Context(), token)
		if err != nil || !strings.Contains(text, "To: <"+got.Extra+">") || !strings.Contains(text, "Subject: Your e-mail address was changed") {
			t.Errorf("%+v, %v:\n%s", got, err, text)
		}
	}
	// Nobody is written to without end.
	for range 4 {
		if err := n.ConfirmEmail(t.Context(), "alice", "new@example.com", token); err != nil {
			t.Fatal(err)
		}
	}
	var throttled *web.ThrottledError
	if err := n.ConfirmEmail(t.Context(), "alice", "new@example.com", token); !errors.As(err, &throttled) {
		t.Errorf("the sixth: %v", err)
	}
	if err := n.ConfirmEmail(t.Context(), "nobody", "new@example.com", token); err == nil {
		t.Error("for nobody")
	}
}

// TestMailNeedsTLS: a server that speaks no TLS gets nothing, unless somebody has said
// that it may.
func TestMailNeedsTLS(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	n, _ := world(t, func(c *notice.Config) { c.Server = s.address })
	n.Emit(event.Event{Kind: event.PasswordChanged, Subject: "alice", Time: time.Now()})
	select {
	case text := <-s.mails:
		t.Errorf("sent in the clear:\n%s", text)
	case <-time.After(3 * time.Second):
	}
	n.Close()
	if n.Failed() != 1 {
		t.Errorf("%d failed", n.Failed())
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "mail")
	n, _ := world(t, func(c *notice.Config) { c.Folder = dir })
	n.Emit(event.Event{Kind: event.PasswordChanged, Subject: "alice", Time: time.Now()})
	var found []string
	for deadline := time.Now().Add(20 * time.Second); len(found) == 0 && time.Now().Before(deadline); {
		var err error
		if found, err = filepath.Glob(filepath.Join(dir, "*.eml")); err != nil {
			t.Fatal(err)
		}
	}
	if len(found) != 1 {
		t.Errorf("%v", found)
	}
}

// Package notice writes to users when something has happened to their accounts, with a
// link by which they say that it was not them.
package notice

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	texttemplate "text/template"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/wneessen/go-mail"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/server/internal/directory"
)

// Config says to whom, and by what way.
type Config struct {
	Manager *remuda.Manager
	Users   *directory.Directory
	Link    string // what the token is appended to: "https://app.example/auth/notice/"
	From    string // the sender's address
	// Folder is where mail is written, one .eml file each; empty: nowhere.
	Folder string
	// Server is the host:port of an SMTP server (RFC 6409), which has to speak STARTTLS;
	// empty: mail is not sent.
	Server             string
	Username, Password string // of the server; empty: none is needed
	// InsecureWithoutTLS sends mail, password and links as they are.
	InsecureWithoutTLS bool
	Log                *slog.Logger
}

// queued is how many events and mails may wait; senders how many mails are tried at once,
// so that one that has to be tried again holds up no other; patience for how long one is.
const (
	queued     = 1024
	senders    = 8
	patience   = 15 * time.Minute
	tryTimeout = 30 * time.Second
)

// Notifier is an [event.Sink]. It is safe for concurrent use. What is queued when the process dies is not sent.
type Notifier struct {
	cfg    Config
	queue  *event.Queue
	mails  chan outgoing
	failed atomic.Uint64
	files  atomic.Uint64 // written
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// New returns a notifier that runs until it is closed.
func New(ctx context.Context, cfg Config) (*Notifier, error) {
	if cfg.Folder != "" {
		if err := os.MkdirAll(cfg.Folder, 0o700); err != nil {
			return nil, fmt.Errorf("notices: %w", err)
		}
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	n := &Notifier{cfg: cfg, queue: event.NewQueue(queued), mails: make(chan outgoing, queued), stop: stop}
	n.done.Go(func() { n.run(ctx) })
	for range senders {
		n.done.Go(func() { n.sendAll(ctx) })
	}
	return n, nil
}

// Emit implements [event.Sink].
func (n *Notifier) Emit(e event.Event) {
	switch e.Kind {
	case event.SessionStarted, event.RefreshReused, event.PasswordChanged, event.EmailChanged, event.SessionImpersonated:
		n.queue.Emit(e)
	default:
	}
}

// Failed returns how many notices were not sent, for whatever reason.
func (n *Notifier) Failed() uint64 { return n.failed.Load() + n.queue.Dropped() }

// Close gives up what is being tried.
func (n *Notifier) Close() {
	n.queue.Close()
	n.stop()
	n.done.Wait()
}

func (n *Notifier) run(ctx context.Context) {
	for {
		e, err := n.queue.Next(ctx)
		if err != nil {
			return
		}
		if err := n.notify(ctx, &e); err != nil {
			n.failed.Add(1)
			n.cfg.Log.ErrorContext(ctx, "notice not sent", "kind", string(e.Kind), "session", e.Session, "error", err)
		}
	}
}

// notify writes to the user of an event, if it is worth it and there is an address.
func (n *Notifier) notify(ctx context.Context, e *event.Event) error {
	user, err := n.cfg.Users.User(ctx, e.Subject)
	if errors.Is(err, directory.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if e.Kind == event.SessionStarted {
		if e.Actor != "" {
			return nil // session.impersonated says so
		}
		isNew, err := n.cfg.Users.NoteDevice(ctx, user.Username, e.UserAgent)
		if err != nil || !isNew {
			return err
		}
	}
	addresses, err := n.cfg.Users.Addresses(ctx, user.Username)
	for _, address := range addresses {
		msg, failed := n.compose(ctx, e, user.Username, address)
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		select {
		case n.mails <- outgoing{msg, e.Kind}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

// outgoing is a mail that waits, and why it was written.
type outgoing struct {
	msg  *mail.Msg
	kind event.Kind
}

// sendAll sends what waits, one after the other.
func (n *Notifier) sendAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-n.mails:
			if err := n.deliver(ctx, o.msg); err != nil {
				n.failed.Add(1)
				n.cfg.Log.ErrorContext(ctx, "mail not sent", "kind", string(o.kind), "error", err)
			}
		}
	}
}

// ConfirmEmail writes to a new address of a user, as [web.EmailChanger] says. It does not
// wait for the mail server.
func (n *Notifier) ConfirmEmail(ctx context.Context, subject, email string, token remuda.NoticeToken) error {
	if err := n.cfg.Users.NoteAsk(ctx, subject); err != nil {
		return err
	}
	msg, err := n.message(email, "Is this your address?", "confirm", &letter{Name: subject, Link: n.cfg.Link + token.Reveal()})
	if err != nil {
		return err
	}
	select {
	case n.mails <- outgoing{msg, event.EmailAsked}:
		return nil
	default:
		return errors.New("too much mail waits")
	}
}

//go:embed *.txt *.html
var files embed.FS

var (
	textMail = texttemplate.Must(texttemplate.ParseFS(files, "*.txt"))
	htmlMail = htmltemplate.Must(htmltemplate.ParseFS(files, "*.html"))
)

// letter is what the templates say.
type letter struct{ Name, Happened, Device, At, Link string }

// subjects are the subject lines.
var subjects = map[event.Kind]string{
	event.SessionStarted:      "A new sign-in to your account",
	event.RefreshReused:       "We ended a session of your account",
	event.PasswordChanged:     "Your password was changed",
	event.EmailChanged:        "Your e-mail address was changed",
	event.SessionImpersonated: "Our support looked at your account",
}

// happened is what the mail says, in a sentence.
var happened = map[event.Kind]string{
	event.SessionStarted:      "Somebody signed in to your account on a device that we do not know.",
	event.RefreshReused:       "Two parties held the same session of your account. One of them may have copied it, so we ended it.",
	event.PasswordChanged:     "The password of your account was changed.",
	event.EmailChanged:        "The e-mail address of your account was changed. We write to the one before it too for three days, so that you can put it back.",
	event.SessionImpersonated: "Somebody of our support is looking at your account.",
}

// compose writes to one of a user's addresses. Its link speaks for that address alone.
func (n *Notifier) compose(ctx context.Context, e *event.Event, username, address string) (*mail.Msg, error) {
	var session remuda.SessionID
	if e.Session != "" {
		var err error
		if session, err = remuda.ParseSessionID(e.Session); err != nil {
			return nil, err
		}
	}
	token, err := n.cfg.Manager.MintNotice(ctx, remuda.MintNoticeRequest{Notice: remuda.Notice{
		Subject: e.Subject, Tenant: e.Tenant, Session: session, Kind: e.Kind, At: e.Time, Device: e.UserAgent, Extra: address,
	}})
	if err != nil {
		return nil, err
	}
	return n.message(address, subjects[e.Kind], "mail", &letter{
		username, happened[e.Kind], e.UserAgent, e.Time.UTC().Format("2 January 2006 at 15:04 UTC"), n.cfg.Link + token.Reveal(),
	})
}

// message is a mail, in plain text and HTML.
func (n *Notifier) message(to, subject, template string, l *letter) (*mail.Msg, error) {
	var text, html bytes.Buffer
	if err := errors.Join(textMail.ExecuteTemplate(&text, template+".txt", l), htmlMail.ExecuteTemplate(&html, template+".html", l)); err != nil {
		return nil, err
	}
	msg := mail.NewMsg(mail.WithEncoding(mail.NoEncoding)) // no line is longer than a server takes
	if err := errors.Join(msg.From(n.cfg.From), msg.To(to)); err != nil {
		return nil, err
	}
	msg.Subject(subject)
	msg.SetDate()
	msg.SetMessageID()
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 section 5
	msg.SetBodyString(mail.TypeTextPlain, text.String())
	msg.AddAlternativeString(mail.TypeTextHTML, html.String())
	return msg, nil
}

// deliver tries until it succeeds, or for as long as it is worth it.
func (n *Notifier) deliver(ctx context.Context, msg *mail.Msg) error {
	if n.cfg.Folder != "" {
		if err := n.write(msg); err != nil {
			return err
		}
	}
	if n.cfg.Server == "" {
		return nil
	}
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, n.send(ctx, msg) },
		backoff.WithBackOff(backoff.NewExponentialBackOff()), backoff.WithMaxElapsedTime(patience))
	return err
}

// write puts a mail into the folder, under its name when it is whole.
func (n *Notifier) write(msg *mail.Msg) error {
	name := filepath.Join(n.cfg.Folder, fmt.Sprintf("%s-%d.eml", time.Now().UTC().Format("20060102T150405.000000000"), n.files.Add(1)))
	var text bytes.Buffer
	if _, err := msg.WriteTo(&text); err != nil {
		return err
	}
	if err := os.WriteFile(name+".partial", text.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".partial", name)
}

func (n *Notifier) send(ctx context.Context, msg *mail.Msg) error {
	host, port, err := net.SplitHostPort(n.cfg.Server)
	if err != nil {
		return backoff.Permanent(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return backoff.Permanent(err)
	}
	policy := mail.TLSMandatory
	if n.cfg.InsecureWithoutTLS {
		policy = mail.NoTLS
	}
	options := []mail.Option{mail.WithPort(number), mail.WithTLSPolicy(policy), mail.WithTimeout(tryTimeout)}
	if n.cfg.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(n.cfg.Username), mail.WithPassword(n.cfg.Password))
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return backoff.Permanent(err)
	}
	err = client.DialAndSendWithContext(ctx, msg)
	if refused(err) {
		return backoff.Permanent(err)
	}
	return err
}

// refused reports whether a server will never take a mail (RFC 5321 section 4.2.1).
func refused(err error) bool {
	failed, ok := errors.AsType[*mail.SendError](err)
	return ok && failed.ErrorCode() >= 500
}

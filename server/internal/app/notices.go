package app

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/server/internal/notice"
	"github.com/remuda-go/remuda/web"
)

// openNotices begins to write to users, if they are to be written to.
func (a *App) openNotices(ctx context.Context) error {
	c := &a.cfg.Notices
	if !c.On() {
		return nil
	}
	n, err := notice.New(ctx, notice.Config{
		Manager: a.manager, Users: a.users, Link: a.cfg.Origins[0] + a.web.Prefix() + "/notice/", From: c.From,
		Folder: c.Folder, Server: c.Server, Username: c.Username, Password: c.Password.Reveal(),
		InsecureWithoutTLS: c.InsecureWithoutTLS, Log: a.log,
	})
	if err != nil {
		return err
	}
	a.events.notices.Store(n)
	a.onClose(func(context.Context) error { a.events.notices.Store(nil); n.Close(); return nil })
	return nil
}

// disowner takes back what users say was not them, where they are written to.
func (a *App) disowner() web.Disowner {
	if !a.cfg.Notices.On() {
		return nil
	}
	return a.users
}

// emails lets users change their addresses, where they are written to.
func (a *App) emails() web.EmailChanger {
	if !a.cfg.Notices.On() {
		return nil
	}
	return &emailChanger{a}
}

// emailChanger writes to new addresses by whatever notifier there is: it is made after
// the handler that has this.
type emailChanger struct{ *App }

// ConfirmEmail implements [web.EmailChanger].
func (e *emailChanger) ConfirmEmail(ctx context.Context, subject, _, email string, token remuda.NoticeToken) error {
	n := e.events.notices.Load()
	if n == nil {
		return errors.New("the server starts or stops")
	}
	return n.ConfirmEmail(ctx, subject, email, token)
}

// ChangeEmail implements [web.EmailChanger].
func (e *emailChanger) ChangeEmail(ctx context.Context, subject, _, email string) error {
	return e.users.ChangeEmail(ctx, subject, email)
}

// unsent counts the notices that nobody got.
func (a *App) unsent() prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "remuda_notices_failed_total", Help: "Notices that were not sent: the mail server was away or refused them, or too many waited.",
	}, func() float64 {
		if n := a.events.notices.Load(); n != nil {
			return float64(n.Failed())
		}
		return 0
	})
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/server/internal/app"
	"github.com/remuda-go/remuda/server/internal/config"
	"github.com/spf13/cobra"
)

func newSessionsEnd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "end ID | end --all --user NAME | end --all ...",
		Short: "End one session, a user's, or many",
		Long: `End one session, or all that the flags select, while servers run or not. They
know within milliseconds. With several flags those end that match each of them.
Times are RFC 3339 (2026-11-25T08:30:00Z) or an age (36h, 2d). --preview counts
and ends nothing. An ID that begins with a hyphen is written after two hyphens:
end -- -Ab...`,
		Args: cobra.MaximumNArgs(1),
	}
	fileFlags(cmd)
	w := newEndFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		end, err := w.what(cmd.Context(), args)
		if err != nil {
			return err
		}
		cfg, err := load(cmd, true)
		if err != nil {
			return err
		}
		return withSessions(cmd, &cfg, func(s *app.Sessions) error {
			n, err := end(s)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), w.report(n))
			return err
		})
	}
	return cmd
}

// endFlags say which sessions to end.
type endFlags struct {
	user, tenant, profile, from, before, network, application string
	all, everybody, preview                                   bool
}

func newEndFlags(cmd *cobra.Command) *endFlags {
	w, f := &endFlags{}, cmd.Flags()
	f.BoolVar(&w.all, "all", false, "end all sessions that the other flags select")
	f.StringVar(&w.user, "user", "", "those of this `user`")
	f.StringVar(&w.tenant, "tenant", "", "those of this `tenant`, or of --user in it")
	f.StringVar(&w.profile, "profile", "", "those of this `profile`")
	f.BoolVar(&w.everybody, "everybody", false, "those of everybody")
	f.StringVar(&w.from, "begun-since", "", "those begun at this `time` or later")
	f.StringVar(&w.before, "begun-before", "", "those begun before this `time`")
	f.StringVar(&w.network, "network", "", "those of clients in this `network`, as 192.0.2.0/24")
	f.StringVar(&w.application, "application", "", "those of this `application` and version, as it says itself")
	f.BoolVar(&w.preview, "preview", false, "say how many would end, and end none")
	return w
}

// what returns what the arguments mean.
func (w *endFlags) what(ctx context.Context, args []string) (func(*app.Sessions) (int, error), error) {
	named := w.user != "" || w.tenant != "" || w.profile != "" || w.everybody
	narrowed := w.from != "" || w.before != "" || w.network != "" || w.application != ""
	switch {
	case len(args) == 1 && !w.all && !w.preview && !named && !narrowed:
		id, err := remuda.ParseSessionID(args[0])
		if err != nil {
			return nil, usage("%q is not a session id: see 'remuda sessions list'", args[0])
		}
		return func(s *app.Sessions) (int, error) { return endOne(ctx, s, id) }, nil
	case len(args) == 0 && w.all && named:
		sel, err := w.selection(time.Now())
		if err != nil {
			return nil, err
		}
		return func(s *app.Sessions) (int, error) { return w.end(ctx, s, sel) }, nil
	}
	return nil, usage("say which session to end: an ID, or --all with one of --user, --tenant, --profile, --everybody")
}

func (w *endFlags) selection(now time.Time) (sel remuda.Selection, err error) {
	sel = remuda.Selection{
		Everything: w.everybody, Tenant: w.tenant, Profile: w.profile, Application: w.application,
	}
	if w.user != "" {
		sel.Subject = username(w.user)
	}
	if sel.From, err = instant(w.from, now); err != nil {
		return sel, usage("--begun-since: %v", err)
	}
	if sel.Before, err = instant(w.before, now); err != nil {
		return sel, usage("--begun-before: %v", err)
	}
	if !sel.From.IsZero() && !sel.Before.IsZero() && !sel.From.Before(sel.Before) {
		return sel, usage("--begun-since is not before --begun-before: no session is meant")
	}
	sel.Network, err = network(w.network)
	return sel, err
}

// network reads a network. Of a client's only so much is kept that a smaller one
// would match nobody, which somebody who means to end sessions should know.
func network(text string) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p != p.Masked() {
		return p, usage("--network: %q is not a network like 192.0.2.0/24", text)
	}
	most := 24
	if p.Addr().Is6() {
		most = 48
	}
	if p.Bits() > most {
		return p, usage("--network: %s is too small: of a client's network no more than a /%d is kept", p, most)
	}
	return p, nil
}

// instant reads a time, or how long ago it was. Empty means none.
func instant(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if age, err := config.ParseDuration(text); err == nil {
		return now.Add(-age), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a time like 2026-11-25T08:30:00Z nor an age like 36h", text)
	}
	return t, nil
}

func (w *endFlags) end(ctx context.Context, s *app.Sessions, sel remuda.Selection) (int, error) {
	if _, ok := s.Profile(sel.Profile); !ok && sel.Profile != "" {
		return 0, usage("--profile: there is no profile %q", sel.Profile)
	}
	n, err := w.endOrCount(ctx, s, sel)
	if errors.Is(err, remuda.ErrRequest) {
		err = &usageError{err}
	}
	return n, err
}

func (w *endFlags) endOrCount(ctx context.Context, s *app.Sessions, sel remuda.Selection) (int, error) {
	if w.preview {
		return s.Count(ctx, sel)
	}
	e, err := s.EndSelected(ctx, remuda.EndSelectedRequest{Selection: sel})
	if err != nil {
		return 0, err
	}
	return e.Wait(ctx)
}

func (w *endFlags) report(n int) string {
	if !w.preview {
		return countEnded(n)
	}
	if n == 1 {
		return "1 session would end"
	}
	return fmt.Sprintf("%d sessions would end", n)
}

package cli

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/remuda-go/remuda/server/internal/app"
	"github.com/spf13/cobra"
)

func newServe() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server with a configuration file. Every setting can also come from the
environment: profiles.web.idle is REMUDA_PROFILES_WEB_IDLE. Flags win over the
environment, which wins over the file. SIGINT and SIGTERM stop it cleanly.`,
		Args: cobra.NoArgs,
	}
	settingFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load(cmd, false)
		if err != nil {
			return err
		}
		ctx, log := cmd.Context(), newLog(cfg.Log, cmd.ErrOrStderr())
		ln, err := app.Listen(ctx, cfg.Listen)
		if err != nil {
			return err
		}
		return run(ctx, ln, app.Options{Config: cfg, Log: log}, func(a *app.App) error {
			users, err := a.Users().List(ctx)
			if err != nil {
				return err
			}
			if len(users) == 0 {
				log.WarnContext(ctx, "there are no users yet: remuda users add", "file", cfg.Users)
			}
			log.InfoContext(ctx, "listening", "url", app.URL(ln, cfg.HasTLS()))
			if url := a.MetricsURL(); url != "" {
				log.InfoContext(ctx, "serving metrics", "url", url)
			}
			return nil
		})
	}
	return cmd
}

// closeTimeout bounds the writing of what is pending at the end.
const closeTimeout = 5 * time.Second

// run puts an app together, tells ready, serves until the context ends, and
// takes it down.
func run(ctx context.Context, ln net.Listener, o app.Options, ready func(*app.App) error) (err error) {
	a, err := app.New(ctx, o)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, a.Close(ctx))
		if err == nil {
			o.Log.LogAttrs(ctx, slog.LevelInfo, "stopped")
		}
	}()
	if err := ready(a); err != nil {
		return errors.Join(err, ln.Close())
	}
	return a.Serve(ctx, ln)
}

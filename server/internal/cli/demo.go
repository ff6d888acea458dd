package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/remuda-go/remuda/server/examples/compare"
	"github.com/remuda-go/remuda/server/examples/handoff"
	"github.com/remuda-go/remuda/server/examples/mailbox"
	"github.com/remuda-go/remuda/server/examples/ponies"
	"github.com/remuda-go/remuda/server/internal/app"
	"github.com/remuda-go/remuda/server/internal/config"
	"github.com/remuda-go/remuda/server/internal/directory"
	"github.com/spf13/cobra"
)

// The issuers do not change with the ports, so that the tokens of a demo with
// --data go on after a restart on others.
const (
	demoIssuer = "urn:remuda:demo"
	shopIssuer = "urn:remuda:demo:shop"
)

// demo is the demo's command line.
type demo struct {
	listen    string
	data      string
	password  string
	access    time.Duration
	logLevel  string
	logFormat string
}

func newDemo() *cobra.Command {
	d := &demo{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try it: a server with two users, a page and an API of ponies",
		Long: `Run a server with two users, a page to click through, an API of ponies for curl,
a second site to come to signed in, and a page that measures every kind of session
side by side. Everything is set up; without --data it is removed at the end.
Ctrl-C ends it.`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&d.listen, "listen", "127.0.0.1:8080", "the loopback `address` to listen on; port 0 takes any free one")
	f.StringVar(&d.data, "data", "", "the `folder` to keep everything in; empty means a temporary one")
	f.StringVar(&d.password, "password", "", "the `password` of alice and bob; empty means random ones, or those that --data has")
	f.DurationVar(&d.access, "access", 10*time.Minute, "the `lifetime` of access tokens")
	f.StringVar(&d.logLevel, "log-level", "info", "the least `level` that is logged: debug, info, warn or error")
	f.StringVar(&d.logFormat, "log-format", "text", "the `form` of the log: text or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return d.run(cmd) }
	return cmd
}

func (d *demo) run(cmd *cobra.Command) (err error) {
	if err := d.checkListen(); err != nil {
		return err
	}
	cfg, err := d.config(cmd)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	ln, err := app.Listen(ctx, d.listen)
	if err != nil {
		return err
	}
	shop, err := app.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	cfg.Origins = demoOrigins(ln)
	remove, err := d.folder(&cfg)
	if err != nil {
		return errors.Join(err, ln.Close(), shop.Close())
	}
	defer func() { err = errors.Join(err, remove()) }()
	log := newLog(cfg.Log, cmd.ErrOrStderr())
	closed := make(chan error, 1)
	defer func() { stop(); err = errors.Join(err, <-closed) }()
	open := make(chan struct{})
	go func() {
		defer stop() // one does not go on without the other
		closed <- run(ctx, shop, demoShop(cfg, shop, log), func(*app.App) error { close(open); return nil })
	}()
	return run(ctx, ln, d.ponies(cfg, shop, log), func(a *app.App) error {
		users, err := d.users(ctx, a.Users())
		if err != nil {
			return err
		}
		select {
		case <-open:
			return d.welcome(cmd.OutOrStdout(), cfg, users, shopOrigin(shop))
		case <-ctx.Done():
			return nil
		}
	})
}

// ponies is the first site: the ponies, and the page that compares.
func (d *demo) ponies(cfg config.Config, shop net.Listener, log *slog.Logger) app.Options {
	cfg.HandOff = handoff.Source(shopOrigin(shop))
	return app.Options{Config: cfg, Log: log, Mount: func(p app.Parts) (http.Handler, error) {
		herd, err := ponies.New(ponies.Config{
			Web: p.Web, Sessions: p.Sessions, Origins: cfg.Origins, Stopping: p.Stopping,
			Log: log, RefreshEvery: refreshEvery(d.access), Compare: compare.Path, Mail: mailbox.Path, Shop: handoff.Link(shopOrigin(shop)),
		})
		if err != nil {
			return nil, err
		}
		comparison, err := compare.New(compare.Config{
			Web: p.Web, Origins: cfg.Origins, Open: app.OpenStore, Folder: cfg.Data, Log: log,
		})
		if err != nil {
			return nil, err
		}
		letters, err := mailbox.New(cfg.Notices.Folder, log)
		if err != nil {
			return nil, err
		}
		return atHome(cfg.Origins[0], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasPrefix(r.URL.Path, compare.Path):
				comparison.ServeHTTP(w, r)
			case r.URL.Path == mailbox.Path:
				letters.ServeHTTP(w, r)
			default:
				herd.ServeHTTP(w, r)
			}
		})), nil
	}}
}

// atHome sends a browser that has come to localhost to the other name of this
// machine: the shop is at localhost, and cookies do not tell ports apart.
func atHome(origin string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(r.Host, ":")
		if strings.EqualFold(host, "localhost") && r.URL.Path == "/" {
			http.Redirect(w, r, origin+r.URL.RequestURI(), http.StatusTemporaryRedirect) //nolint:gosec // the origin is our own
			return
		}
		next.ServeHTTP(w, r)
	})
}

// demoShop is the second site: a server of its own, on another host and over the
// same files.
func demoShop(cfg config.Config, ln net.Listener, log *slog.Logger) app.Options {
	source := cfg.Origins[0]
	cfg.Origins, cfg.Issuer, cfg.MetricsListen = []string{shopOrigin(ln)}, shopIssuer, ""
	log = log.With("site", "shop")
	cfg.HandOff = handoff.Target(source)
	return app.Options{Config: cfg, Log: log, Mount: func(p app.Parts) (http.Handler, error) {
		return handoff.New(handoff.Config{Web: p.Web, Source: source, Log: log})
	}}
}

// shopOrigin is how browsers name the shop.
func shopOrigin(ln net.Listener) string { return "http://localhost:" + portOf(ln) }

// checkListen sees to it that the demo serves this machine alone: it speaks plain
// HTTP and shows its passwords.
func (d *demo) checkListen() error {
	host, _, err := net.SplitHostPort(d.listen)
	if err != nil {
		return usage("--listen: %q is not host:port, like 127.0.0.1:8080", d.listen)
	}
	a, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !a.IsLoopback()) {
		return usage("--listen: the demo serves this machine alone: listen on 127.0.0.1, not on %q", host)
	}
	return nil
}

// demoOrigins are the ways in which clients of this machine name the server; the
// first is where it listens.
func demoOrigins(ln net.Listener) []string {
	list := []string{app.URL(ln, false), "http://localhost:" + portOf(ln)}
	if portOf(ln) == "80" { // which browsers leave out
		for i, o := range list {
			list[i] = o[:len(o)-len(":80")]
		}
	}
	return list
}

func portOf(ln net.Listener) string {
	_, port, _ := net.SplitHostPort(ln.Addr().String()) // a TCP address always has one
	return port
}

func (d *demo) config(cmd *cobra.Command) (config.Config, error) {
	// The names of the log's flags are those of the settings.
	cfg, err := config.Load(config.Sources{Flags: cmd.Flags(), Offline: true})
	if err != nil {
		return cfg, err
	}
	if d.access < time.Second {
		return cfg, usage("--access: %v is too short; the least is a second", d.access)
	}
	if web := cfg.Profile("web"); web.Rotation.Floor+d.access >= web.Idle {
		return cfg, usage("--access: %v is too long; a session that is not used ends after %v", d.access, web.Idle)
	}
	cfg.Profile("web").Access, cfg.Profile("api").Access = d.access, d.access
	cfg.Issuer = demoIssuer
	return cfg, nil
}

// folder makes the folder for the files, and returns what removes it if it is a
// temporary one.
func (d *demo) folder(cfg *config.Config) (remove func() error, err error) {
	cfg.Data, remove = d.data, func() error { return nil }
	if d.data == "" {
		if cfg.Data, err = os.MkdirTemp("", "remuda-demo-*"); err != nil {
			return nil, err
		}
		remove = func() error { return os.RemoveAll(cfg.Data) }
	}
	cfg.Database, cfg.Users, cfg.KeysFile = "", "", ""
	cfg.Support = []string{"bob"}
	cfg.Notices = config.Notices{From: "accounts@demo.example", Folder: filepath.Join(cfg.Data, "mail")}
	cfg.Derive()
	return remove, nil
}

// refreshEvery is how often the page refreshes: before its access token ends.
func refreshEvery(access time.Duration) time.Duration {
	return max(time.Second, min(4*time.Minute, access/2))
}

// demoUser is one of the demo's users.
type demoUser struct {
	name     string
	password string // empty: one that was set before
}

// users makes alice and bob. Those who are there keep their passwords unless
// one was given.
func (d *demo) users(ctx context.Context, dir *directory.Directory) ([]demoUser, error) {
	list := []demoUser{{name: "alice"}, {name: "bob"}}
	for i := range list {
		u := &list[i]
		u.password = d.password
		if u.password == "" {
			u.password = rand.Text()
		}
		err := dir.Add(ctx, u.name, u.password)
		if errors.Is(err, directory.ErrExists) {
			if err = nil; d.password != "" {
				err = dir.SetPassword(ctx, u.name, d.password)
			}
			u.password = d.password
		}
		if errors.Is(err, directory.ErrInvalid) {
			return nil, usage("--password: %w", err)
		}
		if err == nil {
			err = dir.SetEmail(ctx, u.name, u.name+"@demo.example")
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// welcome prints all there is to know. The last line says that it is complete.
func (d *demo) welcome(w io.Writer, cfg config.Config, users []demoUser, shop string) error {
	url := cfg.Origins[0]
	var b strings.Builder
	fmt.Fprintf(&b, "Remuda demo at %s\n\nEverything is kept in %s", url, cfg.Data)
	if d.data == "" {
		b.WriteString(", and removed at the end")
	}
	fmt.Fprintf(&b, ".\nMail to users is at %s: sign in from another kind of browser and look.\n\n", url+mailbox.Path)
	for _, u := range users {
		shown := u.password
		if shown == "" {
			shown = "(as it was set before)"
		}
		fmt.Fprintf(&b, "  user %-6s password %s\n", u.name, shown)
	}
	b.WriteString(curlLines(url, users[0]))
	fmt.Fprintf(&b, browserText, url+compare.Path, shop)
	fmt.Fprintf(&b, "Now open %s in a browser. Ctrl-C ends the demo.\n", url)
	_, err := io.WriteString(w, b.String())
	return err
}

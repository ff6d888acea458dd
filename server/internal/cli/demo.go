package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/remuda-go/remuda/server/examples/ponies"
	"github.com/remuda-go/remuda/server/internal/app"
	"github.com/remuda-go/remuda/server/internal/config"
	"github.com/remuda-go/remuda/server/internal/directory"
	"github.com/spf13/cobra"
)

// demoIssuer does not change with the port, so that the tokens of a demo with
// --data go on after a restart on another one.
const demoIssuer = "urn:remuda:demo"

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
		Long: `Run a server with two users, a page to click through, and an API of ponies for
curl. Everything is set up; without --data it is removed at the end. Ctrl-C ends
it.`,
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
	host, err := d.host()
	if err != nil {
		return err
	}
	cfg, err := d.config(cmd)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	ln, err := app.Listen(ctx, d.listen)
	if err != nil {
		return err
	}
	cfg.Origins = demoOrigins(ln, host)
	remove, err := d.folder(&cfg)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	defer func() { err = errors.Join(err, remove()) }()
	log := newLog(cfg.Log, cmd.ErrOrStderr())
	mount := func(p app.Parts) (http.Handler, error) {
		return ponies.New(ponies.Config{
			Web: p.Web, Sessions: p.Sessions, Origins: cfg.Origins, Stopping: p.Stopping,
			Log: log, RefreshEvery: refreshEvery(d.access),
		})
	}
	return run(ctx, ln, app.Options{Config: cfg, Log: log, Mount: mount}, func(a *app.App) error {
		users, err := d.users(ctx, a.Users())
		if err != nil {
			return err
		}
		return d.welcome(cmd.OutOrStdout(), app.URL(ln, false), cfg.Data, users)
	})
}

// host returns the host to listen on. The demo speaks plain HTTP and shows its
// passwords, so it is for this machine alone.
func (d *demo) host() (string, error) {
	host, _, err := net.SplitHostPort(d.listen)
	if err != nil {
		return "", usage("--listen: %q is not host:port, like 127.0.0.1:8080", d.listen)
	}
	a, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !a.IsLoopback()) {
		return "", usage("--listen: the demo serves this machine alone: listen on 127.0.0.1, not on %q", host)
	}
	return host, nil
}

// demoOrigins are the ways in which a browser of this machine names the server.
func demoOrigins(ln net.Listener, host string) []string {
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		port = "0" // a TCP address always has one
	}
	list := []string{"http://127.0.0.1:" + port, "http://localhost:" + port}
	if host != "127.0.0.1" && host != "localhost" {
		list = append(list, "http://"+net.JoinHostPort(host, port))
	}
	if port == "80" { // which browsers leave out
		for i, o := range list {
			list[i] = o[:len(o)-len(":80")]
		}
	}
	return list
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
	if least := cfg.Web.Rotation.Floor + d.access; least >= cfg.Web.Idle {
		return cfg, usage("--access: %v is too long; a session that is not used ends after %v", d.access, cfg.Web.Idle)
	}
	cfg.Web.Access, cfg.API.Access = d.access, d.access
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
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// welcome prints all there is to know. The last line says that it is complete.
func (d *demo) welcome(w io.Writer, url, folder string, users []demoUser) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Remuda demo at %s\n\nEverything is kept in %s", url, folder)
	if d.data == "" {
		b.WriteString(", and removed at the end")
	}
	b.WriteString(".\n\n")
	for _, u := range users {
		shown := u.password
		if shown == "" {
			shown = "(as it was set before)"
		}
		fmt.Fprintf(&b, "  user %-6s password %s\n", u.name, shown)
	}
	b.WriteString(curlLines(url, users[0]))
	fmt.Fprintf(&b, "Now open %s in a browser. Ctrl-C ends the demo.\n", url)
	_, err := io.WriteString(w, b.String())
	return err
}

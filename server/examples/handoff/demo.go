package handoff

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/web"
)

// Config is what the demo is made of. Events and AccessLog may be nil.
type Config struct {
	Store         store.Store // with items and a revocation log; the caller closes it
	Keys          *keyring.Ring
	Authenticator web.Authenticator
	App, Shop     net.Listener // on 127.0.0.1; served and closed
	Events        event.Sink
	AccessLog     *slog.Logger // receives every request
}

// site is one of the two.
type site struct {
	name   string
	origin string // as browsers name it
	other  string // the origin of the other one
	web    web.Config
}

// sites are the app, from which users are handed, and the shop, to which.
func sites(cfg Config) []site {
	app, shop := "http://127.0.0.1:"+port(cfg.App), "http://localhost:"+port(cfg.Shop)
	return []site{
		{name: "App", origin: app, other: shop, web: web.Config{WebProfiles: []string{"web"}, HandOff: web.HandOff{
			Targets: []string{shop + "/auth/hand-off/landing"}, SignIn: "/login",
		}}},
		{name: "Shop", origin: shop, other: app, web: web.Config{WebProfiles: []string{"shop"}, HandOff: web.HandOff{
			Source: app + "/auth/hand-off", EndsWithParent: true,
		}}},
	}
}

// profiles are known to both sites, so that each can end a session of the other.
func profiles() []remuda.Profile {
	shop := remuda.Web()
	shop.Name = "shop"
	return []remuda.Profile{remuda.Web(), remuda.API(), shop}
}

func port(ln net.Listener) string {
	_, p, _ := net.SplitHostPort(ln.Addr().String()) // a TCP address always has one
	return p
}

// Demo is the two sites, being served.
type Demo struct {
	App, Shop string // where they are: origins

	managers []*remuda.Manager
	servers  []*http.Server
}

// Start serves both sites until Close.
func Start(ctx context.Context, cfg Config) (*Demo, error) {
	d := &Demo{}
	both := sites(cfg)
	d.App, d.Shop = both[0].origin, both[1].origin
	for _, s := range both {
		handler, err := d.newSite(ctx, cfg, s)
		if err != nil {
			return nil, errors.Join(err, d.Close(ctx), cfg.App.Close(), cfg.Shop.Close())
		}
		d.servers = append(d.servers, &http.Server{Handler: logged(cfg.AccessLog, handler), ReadHeaderTimeout: 10 * time.Second})
	}
	for i, ln := range []net.Listener{cfg.App, cfg.Shop} {
		go func() { _ = d.servers[i].Serve(ln) }() // ends with Close
	}
	return d, nil
}

// logged writes down what a server or proxy usually does. No token is ever there.
func logged(log *slog.Logger, next http.Handler) http.Handler {
	if log == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.InfoContext(r.Context(), "request", "method", r.Method, "host", r.Host, "url", r.RequestURI, "referrer", r.Referer())
		next.ServeHTTP(w, r)
	})
}

// newSite puts a site together.
func (d *Demo) newSite(ctx context.Context, cfg Config, s site) (http.Handler, error) {
	m, err := remuda.New(ctx, remuda.Config{
		Store: cfg.Store, Keys: cfg.Keys, Issuer: s.origin, Profiles: profiles(), Events: cfg.Events,
	})
	if err != nil {
		return nil, err
	}
	d.managers = append(d.managers, m)
	s.web.Manager, s.web.Keys, s.web.Authenticator = m, cfg.Keys, cfg.Authenticator
	s.web.Origins, s.web.Events = []string{s.origin}, cfg.Events
	w, err := web.New(s.web)
	if err != nil {
		return nil, err
	}
	pages, err := newPages(s)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(w.Prefix()+"/", w)
	mux.Handle("/", pages)
	return w.CleanPaths(mux), nil
}

// Close stops serving.
func (d *Demo) Close(ctx context.Context) error {
	var problems []error
	for _, s := range d.servers {
		problems = append(problems, s.Close())
	}
	for _, m := range d.managers {
		m.Close(ctx)
	}
	return errors.Join(problems...)
}

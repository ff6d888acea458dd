package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

// mount puts the handlers together. From the outside in: what guards and logs
// every request, the headers of every answer, clean paths, the routes.
func (a *App) mount(more func(Parts) (http.Handler, error)) error {
	rest := a.problem(&web.Problem{Code: web.CodeNotFound})
	if more != nil {
		h, err := more(Parts{Web: a.web, Sessions: a.manager, Stopping: a.stopping})
		if err != nil {
			return err
		}
		rest = h
	}
	secure := strings.HasPrefix(a.cfg.Origins[0], "https://")
	routes := a.routes(rest)
	a.handler = a.count(watch(a.web, a.log, secureHeaders(secure, a.web.CleanPaths(routes))))
	return nil
}

// count knows which requests are under way, those too whose connection has been
// taken over, of which [http.Server] knows nothing any longer.
func (a *App) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.requests.Add(1)
		defer a.requests.Done()
		next.ServeHTTP(w, r)
	})
}

// routes sends a request to whoever has its path. It is no [http.ServeMux], which
// would redirect.
func (a *App) routes(rest http.Handler) http.Handler {
	prefix := a.web.Prefix()
	livez := a.getOnly(http.HandlerFunc(ok))
	readyz := a.getOnly(http.HandlerFunc(a.readyz))
	keySet := web.KeySet(a.ring)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p := r.URL.Path; {
		case p == "/livez":
			livez.ServeHTTP(w, r)
		case p == "/readyz":
			readyz.ServeHTTP(w, r)
		case p == "/.well-known/jwks.json":
			keySet.ServeHTTP(w, r)
		case p == prefix || strings.HasPrefix(p, prefix+"/"):
			a.web.ServeHTTP(w, r)
		default:
			rest.ServeHTTP(w, r)
		}
	})
}

func (a *App) problem(p *web.Problem) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.web.WriteProblem(w, r, p) })
}

func (a *App) getOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			a.web.WriteProblem(w, r, &web.Problem{Code: web.CodeMethodNotAllowed})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func ok(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "ok\n") // the client is gone: nobody is left to tell
}

// readyz says whether requests should come here: the store answers, the clocks
// agree, the keys can be read, and the server is not about to stop.
func (a *App) readyz(w http.ResponseWriter, r *http.Request) {
	err := a.manager.Ready(r.Context())
	if stale := a.ring.Staleness(time.Now()); stale > ringPatience {
		err = errors.Join(fmt.Errorf("%w: the keys were last read %v ago", remuda.ErrUnavailable, stale.Round(time.Second)), a.ring.Err())
	}
	select {
	case <-a.stopping:
		err = fmt.Errorf("%w: the server is stopping", remuda.ErrUnavailable)
	default:
	}
	if err != nil {
		a.web.WriteProblem(w, r, err)
		return
	}
	ok(w, r)
}

// secureHeaders sets what every answer has; a page loosens the policy as far as
// it needs.
func secureHeaders(secure bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if secure {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		next.ServeHTTP(w, r)
	})
}

var _ slog.LogValuer = path("")

// path is a request's path in the log. What might be a token is left out.
type path string

// More than any path of ours has; a segment of 32 bytes is shorter than any
// token.
const (
	longest = 32 // bytes of a segment
	deepest = 8  // segments
)

// LogValue implements [slog.LogValuer].
func (p path) LogValue() slog.Value {
	parts := strings.Split(string(p), "/")
	for i, part := range parts {
		if len(part) > longest {
			parts[i] = "..."
		}
	}
	if len(parts) > deepest {
		parts = append(parts[:deepest], "...")
	}
	return slog.StringValue(strings.Join(parts, "/"))
}

package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// The bounds of a connection.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// drainTimeout is how long requests under way may take once the server is told
// to stop.
const drainTimeout = 10 * time.Second

// Listen opens the port. Until [App.Serve] takes it, connections wait.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen: %s is taken by another program: stop it, or choose another port with --listen (port 0 takes any free one)", address)
	}
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return ln, nil
}

// URL is where a server that listens there is found.
func URL(ln net.Listener, secure bool) string {
	if secure {
		return "https://" + ln.Addr().String()
	}
	return "http://" + ln.Addr().String()
}

// Serve answers requests until the context ends; then it accepts no more, tells
// streams to end, waits for what is under way, at most ten seconds, and returns
// nil. It closes the listener. The app is closed by the caller, and served once.
func (a *App) Serve(ctx context.Context, ln net.Listener) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { a.sweep(background) })
	running.Go(func() { a.serveMetrics(background) })
	defer running.Wait()
	defer stop()

	srv := a.server(background)
	if a.tls != nil {
		ln = tls.NewListener(ln, a.tls)
	}
	failed := make(chan error, 1)
	running.Go(func() { failed <- srv.Serve(ln) })
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		a.drain(background, srv)
		return nil
	}
}

func (a *App) server(ctx context.Context) *http.Server {
	return &http.Server{
		Handler:           a.handler,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
}

// drain lets what is under way finish.
func (a *App) drain(ctx context.Context, srv *http.Server) {
	close(a.stopping)
	a.log.InfoContext(ctx, "stopping")
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	err := srv.Shutdown(ctx)
	if err == nil {
		err = a.idle(ctx)
	}
	if err != nil {
		a.log.WarnContext(ctx, "requests were cut off", "error", err)
		_ = srv.Close() // the listener is closed already, which is all it could tell
	}
}

// idle waits for requests whose connections have been taken over: a WebSocket
// says goodbye.
func (a *App) idle(ctx context.Context) error {
	done := make(chan struct{})
	go func() { a.requests.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

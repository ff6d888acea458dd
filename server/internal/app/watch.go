package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/remuda-go/remuda/web"
)

// errPanic is all that a client's answer is made of after a panic.
var errPanic = errors.New("app: a handler panicked")

// watch logs every request at level debug, without its query, headers and body,
// and makes an internal problem of a panic.
func watch(h *web.Handler, log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := &request{recorder: recorder{ResponseWriter: w}, r: r, start: time.Now()}
		defer func() { //nolint:contextcheck // the context is the request's
			if v := q.settle(h, log, recover()); v != nil {
				panic(v)
			}
		}()
		next.ServeHTTP(&q.recorder, r)
	})
}

// request is one that is watched.
type request struct {
	recorder
	r     *http.Request
	start time.Time
}

// settle answers for a handler that panicked with v, if v is not nil, and logs
// the request. It returns what net/http has to be told by a panic, or nil.
func (q *request) settle(h *web.Handler, log *slog.Logger, v any) any {
	if v != nil && v != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
		logPanic(log, q.r, v)
		v = http.ErrAbortHandler // half an answer is out: cut it off
		if q.status == 0 {
			h.WriteProblem(&q.recorder, q.r, errPanic)
			v = nil
		}
	}
	log.DebugContext(q.r.Context(), "request", "method", method(q.r), "path", path(q.r.URL.Path),
		"status", q.status, "bytes", q.bytes, "took", time.Since(q.start))
	return v
}

// logPanic tells where a panic came from. Its value may hold anything, a password
// too: only the runtime's own are shown.
func logPanic(log *slog.Logger, r *http.Request, v any) {
	what := fmt.Sprintf("a %T", v)
	if e, ok := v.(runtime.Error); ok {
		what = e.Error()
	}
	log.ErrorContext(r.Context(), "panic", "what", what, "method", method(r), "path", path(r.URL.Path), "stack", string(debug.Stack()))
}

// method is the request's method; what is none of the usual ones is the client's
// text and not logged.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

// recorder notes what is answered.
type recorder struct {
	http.ResponseWriter
	status int // 0: nothing yet
	bytes  int64
}

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) { // other 1xx are not the answer
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap is for [http.ResponseController].
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

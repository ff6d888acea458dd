package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/remuda-go/remuda"
)

// Code names a problem. It is part of the wire and never changes its meaning.
type Code string

// The problem codes.
const (
	CodeLoginFailed       Code = "login_failed"
	CodeTokenMissing      Code = "token_missing"
	CodeTokenInvalid      Code = "token_invalid"
	CodeTokenExpired      Code = "token_expired"
	CodeSessionExpired    Code = "session_expired"
	CodeSessionEnded      Code = "session_ended"
	CodeRefreshReused     Code = "refresh_reused"
	CodeRefreshSuperseded Code = "refresh_superseded"
	CodeRefreshTooEarly   Code = "refresh_too_early"
	CodeCSRFFailed        Code = "csrf_failed"
	CodeStepUpRequired    Code = "step_up_required"
	CodeContinuation      Code = "continuation_invalid"
	CodeContinuationUsed  Code = "continuation_used"
	CodeImpersonating     Code = "impersonating"
	CodeImpersonation     Code = "impersonation_refused"
	CodeSwitched          Code = "session_switched"
	CodeAccountsFull      Code = "accounts_full"
	CodeSessionLimit      Code = "session_limit"
	CodeSignedIn          Code = "already_signed_in"
	CodeRequestInvalid    Code = "request_invalid"
	CodeNotFound          Code = "not_found"
	CodeMethodNotAllowed  Code = "method_not_allowed"
	CodeRequestTooLarge   Code = "request_too_large"
	CodeUnsupportedMedia  Code = "unsupported_media_type"
	CodeRateLimited       Code = "rate_limited"
	CodeInternal          Code = "internal"
	CodeUnavailable       Code = "unavailable"
)

// Action tells a client what to do about a problem.
type Action string

// The actions.
const (
	ActionNone           Action = "none"
	ActionRetry          Action = "retry"          // later, keeping what it holds
	ActionRefresh        Action = "refresh"        // get a fresh access token
	ActionReauthenticate Action = "reauthenticate" // prove again who the user is
	ActionLogin          Action = "login"
)

// row is what is fixed for a code.
type row struct {
	status    int
	action    Action
	title     string
	challenge string // WWW-Authenticate (RFC 6750 section 3, RFC 9470 section 3)
}

const (
	challengePlain   = `Bearer`
	challengeInvalid = `Bearer error="invalid_token"`
)

// table is the one place that knows statuses.
var table = map[Code]row{
	CodeLoginFailed:       {http.StatusUnauthorized, ActionLogin, "Wrong name or password", challengePlain},
	CodeTokenMissing:      {http.StatusUnauthorized, ActionLogin, "Not signed in", challengePlain},
	CodeTokenInvalid:      {http.StatusUnauthorized, ActionLogin, "The token is not valid", challengeInvalid},
	CodeTokenExpired:      {http.StatusUnauthorized, ActionRefresh, "The access token has expired", challengeInvalid},
	CodeSessionExpired:    {http.StatusUnauthorized, ActionLogin, "The session has expired", challengeInvalid},
	CodeSessionEnded:      {http.StatusUnauthorized, ActionLogin, "The session has ended", challengeInvalid},
	CodeRefreshReused:     {http.StatusUnauthorized, ActionLogin, "The session was ended for its safety", challengeInvalid},
	CodeRefreshSuperseded: {http.StatusConflict, ActionRetry, "Another client has just refreshed", ""},
	CodeRefreshTooEarly:   {http.StatusConflict, ActionRetry, "Too early to refresh", ""},
	CodeCSRFFailed:        {http.StatusForbidden, ActionNone, "The request does not come from this site", ""},
	CodeStepUpRequired:    {http.StatusUnauthorized, ActionReauthenticate, "Please prove again who you are", ""},
	CodeContinuation:      {http.StatusConflict, ActionNone, "The request cannot be repeated like this", ""},
	CodeContinuationUsed:  {http.StatusConflict, ActionNone, "The request was let through already", ""},
	CodeImpersonating:     {http.StatusForbidden, ActionNone, "Not while somebody acts for the user", ""},
	CodeImpersonation:     {http.StatusForbidden, ActionNone, "You may not act for this user", ""},
	CodeSwitched:          {http.StatusConflict, ActionNone, "Another account is in use in this browser", ""},
	CodeAccountsFull:      {http.StatusForbidden, ActionNone, "Too many accounts in this browser", ""},
	CodeSessionLimit:      {http.StatusForbidden, ActionNone, "Too many sessions", ""},
	CodeSignedIn:          {http.StatusConflict, ActionNone, "Somebody else is signed in here", ""},
	CodeRequestInvalid:    {http.StatusBadRequest, ActionNone, "The request is not valid", ""},
	CodeNotFound:          {http.StatusNotFound, ActionNone, "Not found", ""},
	CodeMethodNotAllowed:  {http.StatusMethodNotAllowed, ActionNone, "Method not allowed", ""},
	CodeRequestTooLarge:   {http.StatusRequestEntityTooLarge, ActionNone, "The request is too large", ""},
	CodeUnsupportedMedia:  {http.StatusUnsupportedMediaType, ActionNone, "Send application/json", ""},
	CodeRateLimited:       {http.StatusTooManyRequests, ActionRetry, "Too many requests", ""},
	CodeInternal:          {http.StatusInternalServerError, ActionNone, "Internal error", ""},
	CodeUnavailable:       {http.StatusServiceUnavailable, ActionRetry, "Cannot answer now", ""},
}

// unavailableAfter is what Retry-After says when nobody knows.
const unavailableAfter = 2 * time.Second

// Problem is a refusal (RFC 9457). It is an error, so that a handler can return
// one and [Handler.WriteProblem] writes it. Headers that it wants besides, such
// as Allow or Retry-After, a handler sets before.
type Problem struct {
	Code   Code
	Detail string // for people; may be empty

	retryAfter time.Duration
	action     Action // instead of the table's
	allow      string // method_not_allowed

	// What step_up_required says besides.
	maxAge       time.Duration
	levels       []string
	continuation string

	why     remuda.Reason // why, where the code does not say it all
	facts   []slog.Attr
	because error // what this stands for; not unwrapped: it decides nothing
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return "web: " + string(p.Code)
	}
	return "web: " + string(p.Code) + ": " + p.Detail
}

// problem is one whose detail is a text of ours, which operators are shown too.
func problem(code Code, format string, args ...any) *Problem {
	detail := fmt.Sprintf(format, args...)
	return &Problem{Code: code, Detail: detail, facts: []slog.Attr{slog.String("detail", detail)}}
}

// codes maps what the manager and the authenticator answer.
var codes = []struct {
	err  error
	code Code
}{
	{remuda.ErrTokenInvalid, CodeTokenInvalid},
	{remuda.ErrTokenExpired, CodeTokenExpired},
	{remuda.ErrSessionExpired, CodeSessionExpired},
	{remuda.ErrSessionEnded, CodeSessionEnded},
	{remuda.ErrRefreshReused, CodeRefreshReused},
	{remuda.ErrRefreshSuperseded, CodeRefreshSuperseded},
	{remuda.ErrRefreshTooEarly, CodeRefreshTooEarly},
	{remuda.ErrThrottled, CodeRateLimited},
	{remuda.ErrSessionLimit, CodeSessionLimit},
	{remuda.ErrSignedIn, CodeSignedIn},
	{remuda.ErrActing, CodeImpersonating},
	{ErrImpersonationRefused, CodeImpersonation},
	{remuda.ErrContinuation, CodeContinuation},
	{remuda.ErrContinuationUsed, CodeContinuationUsed},
	{remuda.ErrRequest, CodeRequestInvalid},
	{remuda.ErrUnavailable, CodeUnavailable},
	{ErrLoginFailed, CodeLoginFailed},
}

// problemOf finds the problem in an error; what is none of ours is internal.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if throttled, ok := errors.AsType[*ThrottledError](err); ok {
		return &Problem{Code: CodeRateLimited, retryAfter: throttled.After}
	}
	p := &Problem{Code: CodeInternal}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			p.Code = c.code
			break
		}
	}
	if retry, ok := errors.AsType[*remuda.RetryError](err); ok {
		p.retryAfter = retry.After
	}
	if p.Code == CodeUnavailable {
		p.retryAfter = unavailableAfter
	}
	return p
}

// document is the body of a problem.
type document struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	Code      Code   `json:"code"`
	Action    Action `json:"action"`
	RequestID string `json:"request_id"`
	// Continuation is that of [Rule].Each: see [remuda.Manager.NewContinuation].
	Continuation string `json:"continuation,omitempty"`
}

// WriteProblem answers a request with what went wrong. It takes a [*Problem], an
// error of the manager's closed set, or any other error, which becomes internal
// and is told to the log alone.
func (h *Handler) WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	row, ok := table[p.Code]
	if !ok {
		p, row = &Problem{Code: CodeInternal}, table[CodeInternal]
	}
	id := RequestID(r.Context())
	if id == "" {
		id = newRequestID()
	}
	h.logProblem(r.Context(), p, row, id, err)
	if p.action != "" {
		row.action = p.action
	}
	if h.refused != nil {
		h.refused(r, &Refusal{RequestID: id, Time: h.manager.Now(), Code: p.Code, Status: row.status, Action: row.action, Steps: steps(err)})
	}
	header := w.Header()
	private(header)
	header.Set("Content-Type", "application/problem+json")
	if challenge := p.challenge(row); challenge != "" {
		header.Set("WWW-Authenticate", challenge)
	}
	if p.retryAfter > 0 {
		header.Set("Retry-After", strconv.FormatInt(seconds(p.retryAfter), 10))
	}
	if p.allow != "" {
		header.Set("Allow", p.allow)
	}
	w.WriteHeader(row.status)
	_ = json.NewEncoder(w).Encode(document{
		Type: "urn:remuda:problem:" + string(p.Code), Title: row.title, Status: row.status,
		Detail: p.Detail, Code: p.Code, Action: row.action, RequestID: id, Continuation: p.continuation,
	}) // the client is gone: nobody is left to tell
}

func (p *Problem) challenge(row row) string {
	if p.Code != CodeStepUpRequired {
		return row.challenge
	}
	challenge := `Bearer error="insufficient_user_authentication"`
	if len(p.levels) > 0 {
		challenge += fmt.Sprintf(`, acr_values="%s"`, strings.Join(p.levels, " "))
	}
	if p.maxAge > 0 {
		challenge += fmt.Sprintf(`, max_age="%d"`, int64(p.maxAge/time.Second))
	}
	return challenge
}

// logProblem tells operators what a client is not told.
func (h *Handler) logProblem(ctx context.Context, p *Problem, row row, id string, err error) {
	level := slog.LevelDebug
	if row.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	h.log.Log(ctx, level, "request refused", "code", string(p.Code), "request_id", id, "error", err, "reasons", reasons{err})
}

// seconds rounds up, so that who waits that long does not come too early.
func seconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}

// private keeps an answer out of caches and other contexts.
func private(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

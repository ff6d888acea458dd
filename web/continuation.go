package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"

	"github.com/remuda-go/remuda"
)

// continuationHeader names the continuation with which a request is repeated.
const continuationHeader = "Remuda-Continuation"

// demand keeps what a rule asks beyond a session: how old the proof of who the
// user is may be, at which level it was, and one of its own for each request. A
// request that names a continuation passes once.
func (h *Handler) demand(r *http.Request, s *remuda.Session, rule Rule) error {
	if rule.Recent == 0 && rule.Level == "" && !rule.Each {
		return nil
	}
	if s.Acting() {
		return remuda.ErrActing // whose proof it would have to be is not here
	}
	named := r.Header.Values(continuationHeader)
	now := h.manager.Now()
	switch {
	case rule.Recent > 0 && !s.Recent(now, rule.Recent):
		return h.refuseUntilStepUp(r, s, rule, ReasonNotRecent,
			slog.Duration("age", now.Sub(s.AuthenticatedAt)), slog.Duration("wanted", rule.Recent))
	case !h.reaches(s.ACR, rule.Level):
		return h.refuseUntilStepUp(r, s, rule, ReasonLevel, slog.String("acr", s.ACR), slog.String("wanted", rule.Level))
	case rule.Each && len(named) == 0:
		return h.refuseUntilStepUp(r, s, rule, ReasonNotConfirmed)
	case len(named) == 0:
		return nil
	}
	if len(named) > 1 {
		return problem(CodeRequestInvalid, "Send one continuation.")
	}
	sum, err := digest(r)
	if err != nil {
		return err
	}
	return h.manager.UseContinuation(r.Context(), named[0], s.ID, sum)
}

// refuseUntilStepUp refuses a request and says with which continuation the same
// one may be repeated. One whose body is too long for that gets none.
func (h *Handler) refuseUntilStepUp(r *http.Request, s *remuda.Session, rule Rule, why remuda.Reason, facts ...slog.Attr) error {
	facts = append([]slog.Attr{slog.String("session", s.ID.String()), slog.String("subject", s.Subject)}, facts...)
	p := (&Problem{Code: CodeStepUpRequired, maxAge: rule.Recent, levels: h.levelsFrom(rule.Level)}).refuse(why, facts...)
	sum, err := digest(r)
	if err == nil {
		p.continuation, err = h.manager.NewContinuation(s.ID, sum)
	}
	if err != nil {
		h.log.DebugContext(r.Context(), "no continuation", "request_id", RequestID(r.Context()), "error", err)
	}
	return p
}

// grantContinuation tells the manager of a step-up that was made for the sake of
// a request.
func (h *Handler) grantContinuation(ctx context.Context, continuation string, from, to remuda.SessionID) error {
	if continuation == "" {
		return nil
	}
	return h.manager.GrantContinuation(ctx, continuation, from, to)
}

// reaches reports whether an authentication was at the wanted level or above.
func (h *Handler) reaches(acr, level string) bool {
	return level == "" || acr != "" && slices.Contains(h.levelsFrom(level), acr)
}

// levelsFrom returns a level and those above it. One that is not configured stands
// for itself.
func (h *Handler) levelsFrom(level string) []string {
	if level == "" {
		return nil
	}
	if i := slices.Index(h.levels, level); i >= 0 {
		return h.levels[i:]
	}
	return []string{level}
}

// checkLevels checks the configured levels.
func checkLevels(levels []string) error {
	var problems []error
	for i, level := range levels {
		if !isLevel(level) || slices.Contains(levels[:i], level) {
			problems = append(problems, fmt.Errorf("web: Levels: %q is not 1 to 255 printable characters without spaces, quotes and backslashes, or is there twice", level))
		}
	}
	return errors.Join(problems...)
}

// isLevel reports whether an authentication context class can be named in a
// challenge (RFC 9470 section 3).
func isLevel(s string) bool { return s != "" && len(s) <= 255 && printable(s) }

// digest is a SHA-256 of all that makes up a request for whoever serves it, but
// for who sends it: method, path, query, type and body. It leaves the body to be
// read again.
func digest(r *http.Request) (sum [sha256.Size]byte, err error) {
	body, err := peekBody(r)
	if err != nil {
		return sum, err
	}
	hash := sha256.New()
	for _, part := range [][]byte{
		[]byte(r.Method), []byte(r.URL.EscapedPath()), []byte(r.URL.RawQuery), []byte(r.Header.Get("Content-Type")), body,
	} {
		_ = binary.Write(hash, binary.BigEndian, uint64(len(part))) // no two requests give the same bytes
		_, _ = hash.Write(part)
	}
	return [sha256.Size]byte(hash.Sum(nil)), nil
}

// peekBody returns the body of a request and leaves it to be read again. One of
// more than 64 KiB is an error, and stays whole too.
func peekBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > maxBody {
		return nil, &Problem{Code: CodeRequestTooLarge}
	}
	rest := r.Body
	body, err := io.ReadAll(io.LimitReader(rest, maxBody+1))
	r.Body = replay{io.MultiReader(bytes.NewReader(body), rest), rest}
	if err != nil {
		return nil, problem(CodeRequestInvalid, "The body could not be read.")
	}
	if len(body) > maxBody {
		return nil, &Problem{Code: CodeRequestTooLarge}
	}
	return body, nil
}

// replay is a body of which a part was read already.
type replay struct {
	io.Reader
	io.Closer
}

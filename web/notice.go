package web

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/event"
)

// Disowner takes back what is the application's when a user says of a notice that it
// was not them. Implementations are safe for concurrent use and never log the password.
type Disowner interface {
	// Disown makes the password of the notice's subject good for nothing, and takes back
	// what it can of what the notice is about. It may be called again. It returns
	// [remuda.ErrTokenInvalid] for a notice that went where nobody speaks for the user any
	// longer, such as an address that was taken back.
	Disown(ctx context.Context, n remuda.Notice) error
	// ResetPassword sets a new password for somebody whose password is good for nothing.
	// It returns a [*PasswordError] for one that it does not take, or another error if it
	// could not be stored.
	ResetPassword(ctx context.Context, n remuda.Notice, password string) error
}

//go:embed notice handoff/page.css
var noticeFiles embed.FS

// noticePage is the one page of a notice, in whatever state.
var (
	noticePage   = template.Must(template.ParseFS(noticeFiles, "notice/page.html"))
	noticeStyle  = mustRead("handoff/page.css")
	noticePolicy = fmt.Sprintf("default-src 'none'; style-src '%s'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'", integrity(noticeStyle))
)

func mustRead(name string) string {
	b, err := noticeFiles.ReadFile(name)
	if err != nil {
		panic(err) // it was built without its files
	}
	return string(b)
}

// noticeState is what the page shows.
type noticeState string

const (
	noticeAsk       noticeState = "ask"
	noticePassword  noticeState = "password"
	noticeDone      noticeState = "done"
	noticeConfirm   noticeState = "confirm"
	noticeConfirmed noticeState = "confirmed"
	noticeLater     noticeState = "later"
	noticeBad       noticeState = "bad"
)

// whatHappened says it to the user.
var whatHappened = map[event.Kind]string{
	event.SessionStarted:      "Somebody signed in to your account",
	event.RefreshReused:       "Two parties held the same session of your account, so that we ended it",
	event.PasswordChanged:     "The password of your account was changed",
	event.EmailChanged:        "The e-mail address of your account was changed",
	event.SessionImpersonated: "Our support looked at your account",
}

// askNotice shows what a notice is about, and asks. It changes nothing, whoever
// fetches it: a mail scanner, a preview, a browser that reads ahead.
func (h *Handler) askNotice(w http.ResponseWriter, r *http.Request) error {
	n, err := h.manager.ReadNotice(r.Context(), r.PathValue("token"))
	if err != nil {
		return h.answerNotice(w, r, noticeFailed(err), n, err)
	}
	switch {
	case n.Kind == event.EmailAsked:
		return h.answerNotice(w, r, noticeConfirm, n, nil)
	case n.Disowned:
		return h.answerNotice(w, r, noticePassword, n, nil)
	default:
		return h.answerNotice(w, r, noticeAsk, n, nil)
	}
}

// actOnNotice does what the form of the page says. Whose session the browser has does
// not matter: the link is what counts.
func (h *Handler) actOnNotice(w http.ResponseWriter, r *http.Request) error {
	if _, err := h.checkSameOrigin(r); err != nil {
		return err
	}
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	token := r.PathValue("token")
	n, err := h.manager.ReadNotice(r.Context(), token)
	if err != nil {
		return h.answerNotice(w, r, noticeFailed(err), n, err)
	}
	switch {
	case form.Get("answer") == "confirm" && h.emails != nil:
		if err = h.confirmEmail(r, token); err == nil {
			return h.answerNotice(w, r, noticeConfirmed, n, nil)
		}
	case form.Get("answer") == "not-me":
		err = h.manager.DisownNotice(r.Context(), token, h.client(r), h.disowner.Disown)
		if errors.Is(err, remuda.ErrNoticeDone) {
			err = nil // somebody else has said so: what comes next is the same
		}
		if err == nil {
			return h.answerNotice(w, r, noticePassword, n, nil)
		}
	case form.Get("password") != "":
		err = h.manager.SpendNotice(r.Context(), token, func(ctx context.Context, n remuda.Notice) error {
			if err := h.disowner.ResetPassword(ctx, n, form.Get("password")); err != nil {
				return err
			}
			// Whoever knew the old one may have more sessions than the one in question.
			_, err := h.manager.EndAll(ctx, remuda.EndAllRequest{
				Subject: n.Subject, Tenant: n.Tenant, Reason: remuda.EndPasswordChanged, Client: h.client(r),
			})
			return err
		})
		if err == nil {
			h.emit(event.Event{Kind: event.PasswordChanged, Subject: n.Subject, Tenant: n.Tenant}, h.client(r))
			return h.answerNotice(w, r, noticeDone, n, nil)
		}
		if _, refused := errors.AsType[*PasswordError](err); refused {
			return h.answerNotice(w, r, noticePassword, n, err)
		}
	default:
		return problem(CodeRequestInvalid, "The form says neither answer nor password.")
	}
	return h.answerNotice(w, r, noticeFailed(err), n, err)
}

// noticeFailed is what to show of an error: one thing of every link that is no good.
func noticeFailed(err error) noticeState {
	if errors.Is(err, remuda.ErrTokenInvalid) {
		return noticeBad
	}
	return noticeLater
}

func (h *Handler) answerNotice(w http.ResponseWriter, r *http.Request, state noticeState, n remuda.Notice, because error) error {
	show := struct {
		State                            noticeState
		Title, What, Device, At, Problem string
		Account, Address                 string
		Style                            template.CSS
	}{State: state, Title: "Was this you?", Style: template.CSS(noticeStyle)} //nolint:gosec // our own
	status := http.StatusOK
	switch state {
	case noticeAsk:
		show.What, show.Device = whatHappened[n.Kind], n.Device
		if show.What == "" {
			show.What = "Something happened in your account"
		}
		if !n.At.IsZero() {
			show.At = n.At.UTC().Format("2 January 2006 at 15:04 UTC")
		}
	case noticePassword:
		show.Title = "Set a new password"
		if refused, ok := errors.AsType[*PasswordError](because); ok {
			show.Problem, status = refused.Reason, table[CodeRequestInvalid].status
		}
	case noticeDone, noticeConfirmed:
		show.Title = "Done"
	case noticeConfirm:
		show.Title, show.Account, show.Address = "Is this your address?", n.Subject, n.Extra
	case noticeLater:
		show.Title, status = "Not now", table[CodeUnavailable].status
	case noticeBad:
		show.Title, status = "Too late", table[CodeNotFound].status
	}
	if because != nil {
		h.log.DebugContext(r.Context(), "notice refused", "request_id", RequestID(r.Context()), "error", because)
	}
	var page strings.Builder
	if err := noticePage.Execute(&page, show); err != nil {
		return err
	}
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Content-Security-Policy", noticePolicy)
	head.Set("X-Frame-Options", "DENY")
	head.Set("Referrer-Policy", "strict-origin") // without an origin the form could not be told from another site's
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("X-Robots-Tag", "noindex, nofollow")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, page.String()) // the client is gone: nobody is left to tell
	return nil
}

// readForm reads the form of a page of ours.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, &Problem{Code: CodeUnsupportedMedia}
	}
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form) != 1 {
		return nil, problem(CodeRequestInvalid, "The form is malformed.")
	}
	return form, nil
}

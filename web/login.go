package web

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/event"
)

// loginBody is what a login sends.
type loginBody struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Remember bool   `json:"remember"`
	Profile  string `json:"profile"`
}

// webLogin signs a browser in. There is no session yet whose CSRF token could be
// asked for, so the origin decides alone.
func (h *Handler) webLogin(w http.ResponseWriter, r *http.Request) error {
	if err := h.checkOrigin(r); err != nil {
		return err
	}
	// Who acts for another leaves their own session too, and with it the other.
	replaces, err := h.parkedID(r)
	if err != nil {
		replaces, err = h.cookieSession(r)
	}
	if err != nil {
		replaces = remuda.SessionID{}
	}
	return h.login(w, r, remuda.Cookie, replaces)
}

// tokenLogin signs any other client in. It reads and sets no cookie.
func (h *Handler) tokenLogin(w http.ResponseWriter, r *http.Request) error {
	return h.login(w, r, remuda.Bearer, remuda.SessionID{})
}

func (h *Handler) login(w http.ResponseWriter, r *http.Request, t remuda.Transport, replaces remuda.SessionID) error {
	var body loginBody
	if err := ReadJSON(w, r, &body); err != nil {
		return err
	}
	if body.Username == "" || body.Password == "" {
		return problem(CodeRequestInvalid, "username and password are required.")
	}
	profile := body.Profile
	if profile == "" {
		profile = h.profiles[t][0]
	}
	if !slices.Contains(h.profiles[t], profile) {
		return problem(CodeRequestInvalid, "This profile is not offered here.")
	}
	client, began := h.client(r), h.manager.Now()
	who, err := h.auth.Authenticate(r.Context(), Credentials{Username: body.Username, Password: body.Password, Address: client.Address})
	if err != nil {
		return h.refuseLogin(err, "", profile, client)
	}
	g, err := h.manager.Start(r.Context(), remuda.StartRequest{
		Profile: profile, Subject: who.Subject, Tenant: who.Tenant,
		ACR: who.ACR, AMR: who.AMR, Claims: who.Claims,
		Remember: body.Remember, Replaces: replaces, Began: began, Client: client,
	})
	if err != nil {
		return err
	}
	if t == remuda.Cookie {
		h.cookies.leave(w, r, &g)
		h.cookies.clearParked(w, r)
	}
	return h.answerGrant(w, &g, t)
}

// refuseLogin tells the events, and keeps what could not be found out apart from
// what was refused.
func (h *Handler) refuseLogin(err error, subject, profile string, client remuda.Client) error {
	kind := event.LoginFailed
	_, throttled := errors.AsType[*ThrottledError](err)
	switch {
	case throttled:
		kind = event.LoginThrottled
	case !errors.Is(err, ErrLoginFailed):
		return &remuda.RefusalError{Err: errors.Join(remuda.ErrUnavailable, err), Reason: ReasonAuthenticator}
	}
	h.emit(event.Event{Kind: kind, Subject: subject, Profile: profile}, client)
	return err
}

// emit tells the events what a client did.
func (h *Handler) emit(e event.Event, client remuda.Client) {
	if h.events == nil {
		return
	}
	e.Time, e.RequestID = h.manager.Now(), client.RequestID
	e.UserAgent, e.Network = client.Describe()
	h.events.Emit(e)
}

// authenticatedAgain keeps the session. One without a record cannot be kept: it
// is replaced by another.
func (h *Handler) authenticatedAgain(r *http.Request, s *remuda.Session, who *Identity, began time.Time, client remuda.Client) (remuda.Grant, error) {
	if p, _ := h.manager.Profile(s.Profile); p.Recordless {
		return h.manager.Start(r.Context(), remuda.StartRequest{
			Profile: s.Profile, Subject: who.Subject, Tenant: who.Tenant,
			ACR: who.ACR, AMR: who.AMR, Claims: who.Claims, Replaces: s.ID, Began: began, Client: client,
		})
	}
	return h.manager.StepUp(r.Context(), remuda.StepUpRequest{Session: s.ID, ACR: who.ACR, AMR: who.AMR, Client: client})
}

// stepUpBody is what a step-up sends.
type stepUpBody struct {
	Password string `json:"password"`
	// Continuation is that of the request for whose sake the user proves who they
	// are; may be empty.
	Continuation string `json:"continuation"`
}

// stepUp asks for the password again, keeps the session, and hands out its next
// generation.
func (h *Handler) stepUp(w http.ResponseWriter, r *http.Request) error {
	s, transport, err := h.signedInSelf(r)
	if err != nil {
		return err
	}
	var body stepUpBody
	if err := ReadJSON(w, r, &body); err != nil {
		return err
	}
	if body.Continuation != "" {
		if err := h.manager.CheckContinuation(body.Continuation, s.ID); err != nil {
			return err
		}
	}
	client, began := h.client(r), h.manager.Now()
	who, err := h.askAgain(r, s, body.Password, client)
	if err != nil {
		return err
	}
	g, err := h.authenticatedAgain(r, s, &who, began, client)
	if err != nil {
		return err
	}
	if err := h.grantContinuation(r.Context(), body.Continuation, s.ID, g.Session.ID); err != nil {
		return err
	}
	return h.answerGrant(w, &g, transport)
}

// signedIn returns the session of a request in which somebody has signed in.
func (h *Handler) signedIn(r *http.Request) (*remuda.Session, remuda.Transport, error) {
	s, transport, err := h.authenticate(r, Rule{})
	if err == nil && s.Anonymous() {
		err = anonymous(s)
	}
	return s, transport, err
}

// signedInSelf is signedIn where nobody acts for the user.
func (h *Handler) signedInSelf(r *http.Request) (*remuda.Session, remuda.Transport, error) {
	s, transport, err := h.signedIn(r)
	if err == nil && s.Acting() {
		err = remuda.ErrActing
	}
	return s, transport, err
}

// askAgain checks the password of a session's user.
func (h *Handler) askAgain(r *http.Request, s *remuda.Session, password string, client remuda.Client) (Identity, error) {
	if password == "" {
		return Identity{}, problem(CodeRequestInvalid, "password is required.")
	}
	who, err := h.auth.Authenticate(r.Context(), Credentials{Subject: s.Subject, Tenant: s.Tenant, Password: password, Address: client.Address})
	if err != nil {
		return Identity{}, h.refuseLogin(err, s.Subject, s.Profile, client)
	}
	if who.Subject != s.Subject || who.Tenant != s.Tenant {
		return Identity{}, &remuda.RefusalError{Err: ErrLoginFailed, Reason: ReasonOtherUser, Facts: []slog.Attr{slog.String("session", s.ID.String())}}
	}
	return who, nil
}

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
	// Add signs in beside the accounts that the browser is signed in to, instead of in
	// the place of the one in use.
	Add bool `json:"add"`
}

// webLogin signs a browser in. There is no session yet whose CSRF token could be
// asked for, so the origin decides alone.
func (h *Handler) webLogin(w http.ResponseWriter, r *http.Request) error {
	if err := h.checkOrigin(r); err != nil {
		return err
	}
	return h.login(w, r, remuda.Cookie)
}

// tokenLogin signs any other client in. It reads and sets no cookie.
func (h *Handler) tokenLogin(w http.ResponseWriter, r *http.Request) error {
	return h.login(w, r, remuda.Bearer)
}

func (h *Handler) login(w http.ResponseWriter, r *http.Request, t remuda.Transport) error {
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
	client, began := h.newClient(r), h.manager.Now()
	who, err := h.auth.Authenticate(r.Context(), Credentials{Username: body.Username, Password: body.Password, Address: client.Address})
	if err != nil {
		return h.refuseLogin(err, "", profile, client)
	}
	n, replaces, err := h.place(r, &who, &body, profile, t)
	if err != nil {
		return err
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
		if err := h.checkCookies(r, n, &g); err != nil {
			return errors.Join(err, h.end(r, g.Session.ID))
		}
		n.leave(w, r, &g)
		if !body.Add {
			n.clearParked(w, r)
		}
	}
	return h.answerGrant(w, n, &g, t)
}

// place says where the cookies of a login go, and which session it takes the place
// of.
func (h *Handler) place(r *http.Request, who *Identity, body *loginBody, profile string, t remuda.Transport) (cookieNames, remuda.SessionID, error) {
	switch {
	case t != remuda.Cookie && body.Add:
		return cookieNames{}, remuda.SessionID{}, problem(CodeRequestInvalid, "add is for browsers.")
	case t != remuda.Cookie:
		return cookieNames{}, remuda.SessionID{}, nil
	case body.Add:
		return h.beside(r, who, profile)
	default:
		return h.replacing(r)
	}
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
	return h.answerGrant(w, h.names(r), &g, transport)
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

package web

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/remuda-go/remuda"
)

// sessionJSON is a session on the wire. Times are RFC 3339 in UTC.
type sessionJSON struct {
	ID              string `json:"id"`
	Subject         string `json:"subject"`
	Profile         string `json:"profile"`
	StartedAt       string `json:"started_at"`
	LastSeenAt      string `json:"last_seen_at,omitempty"` // not of a session without a record
	AuthenticatedAt string `json:"authenticated_at"`
	ExpiresAt       string `json:"expires_at"`
	IdleExpiresAt   string `json:"idle_expires_at"`
	Device          string `json:"device"`
	Place           string `json:"place,omitempty"`
	Current         bool   `json:"current"`
	Actor           string `json:"actor,omitempty"` // who acts for subject; none if that does so itself
}

func newSessionJSON(s *remuda.Session, current remuda.SessionID) sessionJSON {
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	seen := ""
	if !s.LastSeenAt.IsZero() {
		seen = at(s.LastSeenAt)
	}
	return sessionJSON{
		ID: s.ID.String(), Subject: s.Subject, Profile: s.Profile,
		StartedAt: at(s.StartedAt), LastSeenAt: seen, AuthenticatedAt: at(s.AuthenticatedAt),
		ExpiresAt: at(s.Expires), IdleExpiresAt: at(s.IdleExpires),
		Device: s.Device, Place: s.Place, Current: s.ID == current, Actor: s.Actor,
	}
}

// webAnswer is what a cookie client receives: never a token that works alone.
type webAnswer struct {
	Session sessionJSON `json:"session"`
	CSRF    string      `json:"csrf_token"`
}

// tokenAnswer is what other clients receive (RFC 6749 section 5.1). Without a
// refresh token they keep the one they have.
type tokenAnswer struct {
	AccessToken      string      `json:"access_token"`
	TokenType        string      `json:"token_type"`
	ExpiresIn        int64       `json:"expires_in"`
	RefreshToken     string      `json:"refresh_token,omitempty"`
	RefreshExpiresIn int64       `json:"refresh_expires_in"`
	Session          sessionJSON `json:"session"`
}

// answerGrant hands a grant to its client, by cookies or in the body.
func (h *Handler) answerGrant(w http.ResponseWriter, n cookieNames, g *remuda.Grant, t remuda.Transport) error {
	now := h.manager.Now()
	s := newSessionJSON(&g.Session, g.Session.ID)
	if t == remuda.Cookie {
		csrf, err := h.keys.NewCSRF(g.Session.ID)
		if err != nil {
			return err
		}
		n.set(w, g, now)
		return writeJSON(w, webAnswer{Session: s, CSRF: csrf})
	}
	return writeJSON(w, tokenAnswer{
		AccessToken: g.Access.Reveal(), TokenType: "Bearer",
		ExpiresIn:    int64(max(0, g.AccessExpires.Sub(now)/time.Second)),
		RefreshToken: g.Refresh.Reveal(), RefreshExpiresIn: int64(max(0, g.RefreshExpires.Sub(now)/time.Second)),
		Session: s,
	})
}

// writeJSON answers 200. It fails only before anything was written.
func writeJSON(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // the client is gone: nobody is left to tell
	return nil
}

func noContent(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

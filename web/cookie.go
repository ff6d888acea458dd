package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/remuda-go/remuda"
)

// cookieNames are the names in use. The __Host- prefix (RFC 6265bis section
// 4.1.3.2) keeps other hosts and plain HTTP from setting them.
type cookieNames struct {
	session string // the access token
	refresh string // of the account in use
	first   string // of the first account; see slot
	// What a session is kept under whose user acts for another.
	actorSession, actorRefresh string
	handOff                    string // what names of the cookies with a hand-off's state begin with
	secure                     bool
}

// namesFor returns the names for https, or for plain HTTP on loopback, where
// some clients do not send Secure cookies.
func namesFor(secure bool) cookieNames {
	if secure {
		return cookieNames{
			session: "__Host-session", refresh: "__Host-refresh", first: "__Host-refresh",
			actorSession: "__Host-actor-session", actorRefresh: "__Host-actor-refresh", handOff: "__Host-handoff-", secure: true,
		}
	}
	return cookieNames{session: "session", refresh: "refresh", first: "refresh", actorSession: "actor-session", actorRefresh: "actor-refresh", handOff: "handoff-"}
}

// set writes the cookies of a grant. Both live as long as the session, not as
// the access token: an expired access token beside a live refresh cookie means
// refresh, not login.
func (n cookieNames) set(w http.ResponseWriter, g *remuda.Grant, now time.Time) {
	maxAge := 0 // until the browser closes
	if g.Session.Remembered {
		maxAge = int(max(1, g.RefreshExpires.Sub(now)/time.Second))
	}
	n.write(w, n.session, g.Access.Reveal(), maxAge)
	if !g.Refresh.IsZero() {
		n.write(w, n.refresh, g.Refresh.Reveal(), maxAge)
	}
}

// leave deletes the refresh cookie of the session that a new one takes the place
// of, if the new one has none: it would be shown in place of the only token.
func (n cookieNames) leave(w http.ResponseWriter, r *http.Request, g *remuda.Grant) {
	if g.Refresh.IsZero() && len(cookieValues(r.Header, n.refresh)) > 0 {
		n.write(w, n.refresh, "", -1)
	}
}

func (n cookieNames) write(w http.ResponseWriter, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // not Secure on plain loopback alone, see namesFor
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: n.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// maxSameName is how many different values of one cookie are looked at.
const maxSameName = 4

// cookieValues returns the different values of a cookie, as they were sent. It
// reads the header itself: net/http strips quotes, and returns no cookie at all
// where there are very many. A quoted value is returned with its quotes, and is
// then no token. A cookie without a name is none of ours.
func cookieValues(h http.Header, name string) []string {
	if name == "" {
		return nil
	}
	var values []string
	for _, line := range h["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			key, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if !ok || key != name {
				continue
			}
			values = addNew(values, value)
			if len(values) > maxSameName {
				return values
			}
		}
	}
	return values
}

func addNew(values []string, v string) []string {
	if slices.Contains(values, v) {
		return values
	}
	return append(values, v)
}

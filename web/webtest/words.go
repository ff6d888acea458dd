package webtest

import (
	"net/http"
	"slices"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

// profile has what scenarios say in many places: steps, and what a profile makes
// of them.
type profile struct{ remuda.Profile }

func (p profile) cookie() bool  { return p.Transport == remuda.Cookie }
func (p profile) rotates() bool { return p.Renewal == remuda.Rotate }
func (p profile) extends() bool { return p.Renewal == remuda.Extend }
func (p profile) opaque() bool  { return p.Credential == remuda.Opaque }

// told reports whether requests find out that a session was ended.
func (p profile) told() bool { return p.Liveness != remuda.LiveExpiry }

// ends reports whether ending a session means anything.
func (p profile) ends() bool { return p.told() || !p.Recordless }

// either is a choice between two values.
func either[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

// grant is what a login gives.
func (p profile) grant() string {
	return either(p.rotates() && !p.Rotation.ByAccess, "access refresh", "access")
}

// again is what a repeated refresh gives: the same refresh token, if there is one.
func (p profile) again() string {
	return either(p.Rotation.ByAccess, "access", "access =refresh")
}

// cleared is what a logout does to a client's cookies.
func (p profile) cleared() string { return either(p.cookie(), "cleared", "") }

// event is an event where there is a record.
func (p profile) event(name string) string { return either(p.Recordless, "", name) }

// ended is the event of an ending.
func (p profile) ended(reason string) string {
	return either(p.ends(), "session.ended:"+reason, "")
}

// life is for how long a client can show the token of a login.
func (p profile) life() time.Duration {
	switch {
	case p.rotates():
		return p.Access
	case p.extends():
		return p.Idle
	default:
		return p.Absolute
	}
}

// due is when a client comes to refresh.
func (p profile) due() time.Duration {
	return either(p.Rotation.Early == remuda.EarlyRefuse, p.Access, p.life()/3)
}

func (p profile) login(client string) Step {
	return Step{
		Client: client, Request: Request{Method: http.MethodPost, Path: "/auth/{way}/login", Body: loginBody("alice", false)},
		Status: 200, Gets: p.grant(), Events: "session.started", Has: []string{`"subject":"alice"`, `"profile":"` + p.Name + `"`},
	}
}

func (p profile) logout(client string) Step {
	st := post(client, "/auth/{way}/logout")
	st.Status, st.Gets, st.Events = 204, p.cleared(), p.ended("logout")
	return st
}

// refresh is one that gives what it can.
func (p profile) refresh(client string) Step {
	st := post(client, "/auth/{way}/refresh")
	switch {
	case p.rotates():
		st.Status, st.Gets, st.Events = 200, p.grant(), "session.refreshed"
	case p.extends():
		st.Status, st.Gets = 200, either(p.opaque(), "=access", "access")
	default:
		return st.refused(web.CodeRequestInvalid)
	}
	return st
}

func get(client, path string) Step {
	return Step{Client: client, Request: Request{Method: http.MethodGet, Path: path}, Status: 200}
}

func post(client, path string) Step {
	return Step{Client: client, Request: Request{Method: http.MethodPost, Path: path}, Status: 200}
}

// copied makes a client a copy of another.
func copied(client, of string) Step { return Step{Client: client, Copy: of} }

func (st Step) after(d time.Duration) Step { st.After = d; return st }
func (st Step) node(n int) Step            { st.Node = n; return st }
func (st Step) has(parts ...string) Step {
	st.Has = append(slices.Clip(st.Has), parts...)
	return st
}
func (st Step) gets(what string) Step    { st.Gets = what; return st }
func (st Step) events(names string) Step { st.Events = names; return st }
func (st Step) body(text string) Step    { st.Body = text; return st }

// action is what the client is to do next.
func (st Step) action(a web.Action) Step { st.Action = a; return st }

// with changes a step by hand.
func (st Step) with(change func(*Step)) Step { change(&st); return st }

// refused is the step with another outcome. Events are to be said afterwards.
func (st Step) refused(code web.Code) Step {
	st.Status, st.Code = statuses[code], code
	st.Gets, st.Events, st.Has = "", "", nil
	return st
}

// refusedIf is refused where it applies.
func (st Step) refusedIf(applies bool, code web.Code) Step {
	if applies {
		return st.refused(code)
	}
	return st
}

var statuses = map[web.Code]int{
	web.CodeLoginFailed: 401, web.CodeTokenMissing: 401, web.CodeTokenInvalid: 401, web.CodeTokenExpired: 401,
	web.CodeSessionExpired: 401, web.CodeSessionEnded: 401, web.CodeRefreshReused: 401, web.CodeStepUpRequired: 401,
	web.CodeCSRFFailed: 403, web.CodeRequestInvalid: 400, web.CodeNotFound: 404, web.CodeRefreshTooEarly: 409,
}

// overdue is what a request is told when the session has run out. A token that
// says itself when it ends has expired, if it can be exchanged at all; what a
// client then finds out at the refresh endpoint is that the session has.
func (p profile) overdue() web.Code {
	return either(p.opaque() || p.Renewal == remuda.Fixed, web.CodeSessionExpired, web.CodeTokenExpired)
}

// dead is a refresh of a session that was ended.
func (p profile) dead(client string) Step {
	return p.refresh(client).refusedIf(p.ends(), web.CodeSessionEnded)
}

// replaced are the events of a login over another session.
func (p profile) replaced() string {
	return either(p.cookie() && p.ends(), "session.started session.ended:replaced", "session.started")
}

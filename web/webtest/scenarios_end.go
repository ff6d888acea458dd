package webtest

import (
	"net/http"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/web"
)

// twoParties are the owner of a session and a thief of their tokens.
func twoParties(p profile) []Step {
	steps := []Step{
		p.login("a"),
		copied("thief", "a"),
		p.refresh("a").after(p.life() / 3),
		get("a", "/hello"),
	}
	if !p.rotates() {
		// The token is the session: who holds it holds it until it ends.
		return append(steps, p.refresh("thief").after(time.Minute), get("thief", "/hello"), p.logout("a"),
			get("thief", "/hello").refusedIf(p.told(), web.CodeSessionEnded))
	}
	return append(steps,
		// A parallel tab gets what the other got, for a while.
		copied("tab", "thief"),
		p.refresh("tab").after(time.Second).gets("access =refresh").events("session.replayed"),
		p.refresh("thief").after(p.Rotation.Grace).refused(web.CodeRefreshReused).action(web.ActionLogin).
			events("refresh.reused:previous session.ended:reuse"),
		get("a", "/hello").refusedIf(p.told(), web.CodeSessionEnded),
		p.refresh("a").refused(web.CodeSessionEnded),
		p.refresh("thief").refused(web.CodeSessionEnded),
	)
}

func logout(p profile) []Step {
	again := p.logout("a").events("")
	stale := p.logout("thief").events("")
	return []Step{
		p.logout("nobody").refusedIf(!p.cookie(), web.CodeTokenMissing).events(""),
		p.login("a"),
		copied("thief", "a"),
		p.logout("a"),
		get("thief", "/hello").refusedIf(p.told(), web.CodeSessionEnded), // on the same node at once
		p.dead("thief").after(time.Second),
		again,
		get("a", "/hello").refusedIf(p.cookie(), web.CodeTokenMissing).refusedIf(!p.cookie() && p.told(), web.CodeSessionEnded),
		stale, // idempotent
		p.login("a"),
		get("a", "/hello"),
	}
}

func logoutElsewhere(p profile) []Step {
	soon := revocation.DefaultMaxStaleness
	if p.Liveness == remuda.LiveStore {
		soon = 0
	}
	return []Step{
		p.login("a"),
		copied("thief", "a"),
		get("thief", "/hello").node(1).has("hello alice"),
		p.logout("a"),
		get("thief", "/hello").node(1).after(soon).refusedIf(p.told(), web.CodeSessionEnded),
		p.dead("thief").node(1).after(time.Second),
		get("thief", "/hello").node(0).refusedIf(p.told(), web.CodeSessionEnded),
	}
}

// lateLogout is one with a token that is good for nothing else any more.
func lateLogout(p profile) []Step {
	return []Step{
		p.login("a"),
		get("a", "/hello").after(p.life() + time.Second).refused(p.overdue()),
		p.logout("a").with(func(st *Step) { st.CSRF = "-" }).refusedIf(p.cookie(), web.CodeCSRFFailed),
		copied("thief", "a"),
		p.logout("thief").events(either(p.cookie(), p.ended("logout"), "")),
		p.refresh("a").refused(either(p.rotates() || p.opaque(), web.CodeSessionEnded, web.CodeSessionExpired)),
	}
}

// three is alice twice, and bob.
func three(p profile) []Step {
	bob := p.login("c").body(loginBody("bob", false)).after(time.Second)
	bob.Has = nil
	return []Step{p.login("a"), p.login("b").after(time.Second), bob}
}

func logoutOthers(p profile) []Step {
	wide := post("a", "/auth/{way}/logout?others=1").events(p.event("session.ended:logout_others"))
	wide.Status = 204
	if !p.ends() {
		return append(three(p), wide.refused(web.CodeRequestInvalid).events(""), get("a", "/hello"), get("b", "/hello"))
	}
	return append(three(p),
		wide,
		get("a", "/hello"),
		get("b", "/hello").refusedIf(p.told(), web.CodeSessionEnded),
		get("c", "/hello"),
		p.dead("b").after(time.Second),
		get("b", "/hello").node(1).after(revocation.DefaultMaxStaleness).refusedIf(p.told(), web.CodeSessionEnded),
		get("a", "/hello").node(1),
		wide.after(p.StepUp).refused(web.CodeStepUpRequired).action(web.ActionReauthenticate),
		p.login("b").events(either(p.Recordless, p.replaced(), "session.started")),
		get("b", "/hello"),
	)
}

func logoutEverywhere(p profile) []Step {
	wide := post("a", "/auth/{way}/logout?all=1").gets(p.cleared())
	wide.Status = 204
	if !p.ends() {
		wide = wide.refused(web.CodeRequestInvalid).gets("")
		return append(three(p), wide, get("a", "/hello"), get("b", "/hello"))
	}
	if !p.Recordless {
		wide.Events = "session.ended:logout session.ended:logout"
	}
	return append(three(p),
		copied("thief", "a"),
		wide,
		get("thief", "/hello").refusedIf(p.told(), web.CodeSessionEnded),
		get("b", "/hello").refusedIf(p.told(), web.CodeSessionEnded),
		get("c", "/hello"),
		p.dead("thief").after(time.Second),
		get("b", "/hello").node(1).after(revocation.DefaultMaxStaleness).refusedIf(p.told(), web.CodeSessionEnded),
		p.login("a"), // one that begins afterwards lives
		get("a", "/hello").node(1),
		get("a", "/hello").after(time.Minute),
	)
}

// devices is the list of one's sessions.
func devices(p profile) []Step {
	list := get("a", "/auth/sessions")
	end := Step{Client: "a", Request: Request{Method: http.MethodDelete, Path: "/auth/sessions/{b}"}}
	if p.Recordless {
		return append(three(p), list.has(`"sessions":[]`), end.refused(web.CodeNotFound), get("b", "/hello"))
	}
	list = list.with(func(st *Step) { st.Lacks = []string{`"id":"{c}"`} }).has(`"id":"{a}"`)
	foreign := end.with(func(st *Step) { st.Path = "/auth/sessions/{c}" }).refused(web.CodeNotFound)
	end.Status, end.Events = 204, "session.ended:logout"
	return append(three(p),
		list.has(`"id":"{b}"`),
		foreign,
		end,
		get("b", "/hello").refusedIf(p.told(), web.CodeSessionEnded),
		p.dead("b"),
		list.with(func(st *Step) { st.Lacks = append(st.Lacks, `"id":"{b}"`) }),
		end.refused(web.CodeNotFound),
		get("c", "/hello"),
		end.after(p.StepUp).refused(web.CodeStepUpRequired),
	)
}

// stepUp proves again who the user is: whoever holds the credential of before
// holds nothing of the new level.
func stepUp(p profile) []Step {
	up := post("a", "/auth/step-up").body(`{"password":"alice sesame"}`).gets(p.grant())
	up.Events = p.event("session.stepped_up")
	if p.Recordless { // it cannot be kept: another takes its place
		up.Events = either(p.told(), "session.started session.ended:replaced", "session.started")
	}
	steps := []Step{
		p.login("a"),
		get("a", "/important").has("hello alice"),
		get("a", "/important").after(p.StepUp + time.Second).refused(web.CodeStepUpRequired).action(web.ActionReauthenticate),
		up.body(`{"password":"wrong"}`).refused(web.CodeLoginFailed).events("login.failed"),
		copied("old", "a"),
		up,
		get("a", "/important").has("hello alice"),
		get("old", "/important").refused(web.CodeStepUpRequired).refusedIf(p.Recordless && p.told(), web.CodeSessionEnded),
		get("a", "/important").after(time.Second).has("hello alice"),
	}
	later := p.Rotation.Grace
	switch {
	case p.rotates():
		return append(steps,
			get("old", "/hello").after(later).has("hello alice"), // until it expires
			p.refresh("old").refused(web.CodeRefreshReused).events("refresh.reused:previous session.ended:reuse"))
	case p.opaque():
		return append(steps,
			get("old", "/hello").after(later-2*time.Second).has("hello alice"), // it may have been under way
			get("old", "/hello").after(2*time.Second).refused(web.CodeTokenInvalid),
			p.refresh("old").refused(either(p.cookie(), web.CodeTokenMissing, web.CodeTokenInvalid)),
			get("a", "/important"))
	case !p.Recordless:
		return append(steps,
			get("old", "/hello").after(2*time.Second).has("hello alice"), // until it expires
			p.refresh("old").refused(either(p.cookie(), web.CodeTokenMissing, web.CodeTokenInvalid)),
			get("a", "/important"))
	default:
		return append(steps,
			get("old", "/hello").refusedIf(p.told(), web.CodeSessionEnded),
			p.dead("old").after(time.Second),
			get("a", "/important"))
	}
}

// loginAgain is a login over a session: it has another id, and a browser's ends.
func loginAgain(p profile) []Step {
	bob := p.login("a").body(loginBody("bob", false)).after(time.Second).events(p.replaced())
	bob.Has, bob.Lacks = []string{`"subject":"bob"`}, []string{`"id":"{a}"`}
	return []Step{
		p.login("a"),
		copied("planted", "a"),
		bob,
		get("a", "/hello").has("hello bob"),
		get("planted", "/hello").has(either(p.cookie() && p.told(), "", "hello alice")).
			refusedIf(p.cookie() && p.told(), web.CodeSessionEnded),
		get("a", "/auth/session").has(`"subject":"bob"`, `"id":"{a}"`),
	}
}

func limit(p profile) []Step {
	const most = 16
	steps := []Step{p.login("a"), get("a", "/hello"), p.login("b").after(time.Second)}
	steps = append(steps, repeat(most-2, p.login("app").after(time.Second).with(func(st *Step) { st.Copy = "nobody" }))...)
	steps = append([]Step{{Client: "nobody"}}, steps...)
	return append(steps,
		get("a", "/hello"),
		p.login("last").after(time.Second).events(either(p.Recordless, "session.started", "session.limit session.ended:limit session.started")),
		get("last", "/hello"),
		get("b", "/hello"),
		get("a", "/hello").refusedIf(!p.Recordless && p.told(), web.CodeSessionEnded),
	)
}

// restart ends all processes; sessions, and what was ended, are as before.
func restart(p profile) []Step {
	again := func(st *Step) { st.Restart = true }
	return []Step{
		p.login("a"), p.login("b").after(time.Second),
		copied("thief", "b"),
		p.logout("b"),
		get("a", "/hello").with(again).has("hello alice"),
		post("a", "/hello").has("hello alice"),
		get("thief", "/hello").refusedIf(p.told(), web.CodeSessionEnded),
		p.refresh("a").after(p.due()),
		get("a", "/hello").with(again).has("hello alice"),
		either(p.due() < p.life(), get("thief", "/hello").refusedIf(p.told(), web.CodeSessionEnded), p.dead("thief")),
		p.logout("a").with(again),
	}
}

// secondNode shares store and ring with the first, and nothing else.
func secondNode(p profile) []Step {
	return []Step{
		p.login("a"),
		get("a", "/hello").node(1).has("hello alice"),
		post("a", "/hello").node(1).has("hello alice"),
		p.refresh("a").node(1).after(p.due()),
		get("a", "/hello").has("hello alice"),
		get("a", "/auth/session").node(1).has(`"id":"{a}"`),
		p.logout("a").node(1),
		p.login("a").after(time.Second),
		get("a", "/hello").node(1),
	}
}

// anonymous is a visitor who signs in.
func anonymous(p profile) []Step {
	if !p.cookie() {
		return []Step{
			p.login("a"), get("a", "/basket").has("hello alice"),
			p.logout("a"), get("a", "/basket").refusedIf(p.told(), web.CodeTokenInvalid), // it has shown a token
		}
	}
	basket := get("a", "/basket").has("hello ")
	steps := []Step{
		post("a", "/basket").refused(web.CodeTokenMissing),
		basket.gets(p.grant()).events("session.started"),
		basket,
		post("a", "/basket").refused(web.CodeCSRFFailed),
		get("a", "/auth/web/csrf").has(`"csrf_token":"`),
		post("a", "/basket").has("hello "),
		get("a", "/hello").refused(web.CodeTokenMissing),
		get("a", "/auth/sessions").refused(web.CodeTokenMissing),
		post("a", "/auth/step-up").body(`{"password":" sesame"}`).refused(web.CodeTokenMissing),
		post("a", "/auth/web/logout?all=1").refused(web.CodeTokenMissing),
		copied("planted", "a"),
		p.login("a").after(time.Second).events(p.replaced()),
		get("a", "/basket").has("hello alice"),
		get("planted", "/hello").refused(either(p.told(), web.CodeSessionEnded, web.CodeTokenMissing)),
		basket.with(func(st *Step) { st.Client = "visitor" }).gets(p.grant()).events("session.started"),
		get("visitor", "/auth/web/csrf"),
	}
	// Long after: what can be refreshed is, and else it is another visit.
	late := basket.with(func(st *Step) { st.Client = "visitor" }).after(p.life())
	if p.rotates() {
		return append(steps, late.refused(web.CodeTokenExpired).action(web.ActionRefresh), p.refresh("visitor"), late.after(0))
	}
	return append(steps, late.gets(p.grant()).events("session.started"))
}

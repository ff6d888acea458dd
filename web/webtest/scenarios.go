package webtest

import (
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

// scenarios are played for every profile.
var scenarios = []Scenario{
	{"login", with(login)},
	{"unsafe requests", with(unsafeRequests)},
	{"second window", with(secondWindow)},
	{"another transport", with(anotherTransport)},
	{"idle", with(idle)},
	{"polling", with(polling)},
	{"rolling expiry", with(rolling)},
	{"absolute end", with(absolute)},
	{"remember me", with(remember)},
	{"refresh, retry with a key", with(retryKey)},
	{"logout", with(logout)},
	{"logout on another node", with(logoutElsewhere)},
	{"logout with an expired token", with(lateLogout)},
	{"logout of others", with(logoutOthers)},
	{"logout everywhere", with(logoutEverywhere)},
	{"devices", with(devices)},
	{"login again", with(loginAgain)},
	{"cap on sessions", with(limit)},
	{"restart", with(restart)},
	{"second node", with(secondNode)},
	{"anonymous", with(anonymous)},
}

// anyTimeScenarios are for profiles in which a refresh may come at any time, or
// that have none.
var anyTimeScenarios = []Scenario{
	{"refresh", with(refresh)},
	{"refresh, answer lost", with(lostAnswer)},
	{"refresh, two parties", with(twoParties)},
	{"step-up", with(stepUp)},
}

// refreshScenarios are those about when a refresh comes.
func refreshScenarios(p remuda.Profile) []Scenario {
	return either(p.Rotation.Early == remuda.EarlyRefuse, earlyScenarios, anyTimeScenarios)
}

func with(steps func(p profile) []Step) func(remuda.Profile) []Step {
	return func(p remuda.Profile) []Step { return steps(profile{p}) }
}

func login(p profile) []Step {
	wrong := p.login("a").body(`{"username":"alice","password":"sesame"}`).refused(web.CodeLoginFailed).events("login.failed")
	return []Step{
		get("a", "/auth/session").refused(web.CodeTokenMissing),
		get("a", "/hello").refused(web.CodeTokenMissing),
		wrong,
		p.login("a"),
		get("a", "/auth/session").has(`"id":"{a}"`, `"subject":"alice"`, `"current":true`),
		get("a", "/hello").has("hello alice"),
		get("b", "/hello").refused(web.CodeTokenMissing),
		p.login("b").body(loginBody("bob", false)).after(time.Second).with(func(st *Step) { st.Has = []string{`"subject":"bob"`} }),
		get("b", "/hello").has("hello bob"),
		get("a", "/hello").has("hello alice"),
	}
}

func unsafeRequests(p profile) []Step {
	guarded := func(client string, change func(*Step)) []Step {
		var steps []Step
		for _, path := range []string{"/hello", "/auth/{way}/refresh", "/auth/{way}/logout", "/auth/{way}/logout?all=1", "/auth/step-up"} {
			steps = append(steps, post(client, path).with(change).refused(web.CodeCSRFFailed))
		}
		return steps
	}
	foreign := func(st *Step) { st.Origin = "https://evil.example" }
	none := func(st *Step) { st.Origin = "-" }
	noToken := func(st *Step) { st.CSRF = "-" }
	otherToken := func(st *Step) { st.CSRFOf = "b" }
	steps := []Step{
		p.login("a").with(foreign).refusedIf(p.cookie(), web.CodeCSRFFailed),
		p.login("a").after(time.Second), p.login("b"),
		post("a", "/hello").has("hello alice"),
		get("a", "/hello").with(foreign).has("hello alice"),
	}
	for _, change := range []func(*Step){foreign, none, noToken, otherToken} {
		if p.cookie() {
			steps = append(steps, guarded("a", change)...)
		} else {
			steps = append(steps, post("a", "/hello").with(change).has("hello alice"))
		}
	}
	return append(steps, post("a", "/hello").has("hello alice"))
}

// A second window has the cookies and no CSRF token.
func secondWindow(p profile) []Step {
	csrf := get("tab", "/auth/web/csrf").has(`"csrf_token":"`)
	if !p.cookie() {
		return []Step{p.login("a"), copied("tab", "a"), csrf.refused(web.CodeTokenMissing)}
	}
	steps := []Step{
		p.login("a"),
		copied("tab", "a"),
		post("tab", "/hello").with(func(st *Step) { st.CSRF = "-" }).refused(web.CodeCSRFFailed),
		csrf,
		post("tab", "/hello").has("hello alice"),
		post("a", "/hello").has("hello alice"),
	}
	if p.rotates() {
		steps = append(steps, csrf.after(p.Access)) // the refresh cookie is enough
	}
	return append(steps,
		p.logout("a"),
		csrf.refusedIf(p.ends(), web.CodeSessionEnded),
		csrf.after(p.life()).refused(either(p.Recordless, web.CodeSessionExpired, web.CodeSessionEnded)).action(web.ActionLogin))
}

func anotherTransport(p profile) []Step {
	swapped := func(st *Step) { st.Swapped = true }
	logout := post("copy", "/auth/{other}/logout").with(swapped)
	if p.cookie() {
		logout = logout.refused(web.CodeTokenInvalid)
	} else { // no cookie of ours: nothing to end, but to delete
		logout.Status, logout.Gets = 204, "cleared"
	}
	return []Step{
		p.login("a"),
		get("a", "/hello").with(swapped).refused(web.CodeTokenInvalid),
		post("a", "/hello").with(swapped).refused(web.CodeTokenInvalid),
		get("a", "/auth/session").with(swapped).refused(web.CodeTokenInvalid),
		post("a", "/auth/{other}/refresh").with(swapped).refused(web.CodeTokenInvalid),
		post("a", "/auth/step-up").with(swapped).body(`{"password":"alice sesame"}`).refused(web.CodeTokenInvalid),
		copied("copy", "a"),
		logout,
		get("a", "/hello").has("hello alice"),
	}
}

// idle is a session that is used until it is not.
func idle(p profile) []Step {
	if p.rotates() {
		return []Step{
			p.login("a"),
			get("a", "/hello").after(p.Access / 2),
			get("a", "/hello").after(p.Access).refused(web.CodeTokenExpired).action(web.ActionRefresh),
			p.refresh("a").after(p.Idle - p.Access - time.Minute), // the use has moved the deadline
			get("a", "/hello"),
			p.refresh("a").after(p.Idle + time.Minute).refused(web.CodeSessionExpired).events("session.ended:idle"),
			get("a", "/hello").refused(web.CodeTokenExpired),
			p.refresh("a").refused(web.CodeSessionExpired).action(web.ActionLogin),
			p.login("a"),
		}
	}
	return []Step{
		p.login("a"),
		get("a", "/hello").after(p.life()/2 - time.Minute).has("hello alice"),
		get("a", "/hello").after(p.life()).refused(p.overdue()),
		// What the client then finds out at the refresh endpoint.
		p.refresh("a").refused(web.CodeSessionExpired).action(web.ActionLogin),
		p.login("a").events(p.replaced()),
		get("a", "/hello").has("hello alice"),
	}
}

// polling is no sign of activity.
func polling(p profile) []Step {
	if p.rotates() {
		return []Step{
			p.login("a"),
			get("a", "/poll").after(p.Access * 9 / 10).has("hello alice"),
			get("a", "/auth/session").has(`"subject":"alice"`),
			p.refresh("a").after(p.Idle - p.Access*9/10).refused(web.CodeSessionExpired).events("session.ended:idle"),
		}
	}
	return []Step{
		p.login("a"),
		get("a", "/poll").after(p.life() * 2 / 3).has("hello alice"),
		get("a", "/auth/session").has(`"subject":"alice"`),
		get("a", "/poll").after(p.life() / 3).refused(p.overdue()),
	}
}

// rolling is how use prolongs a session.
func rolling(p profile) []Step {
	switch {
	case p.opaque():
		steps := []Step{p.login("a"), get("a", "/hello"), get("a", "/hello").after(time.Second).with(func(st *Step) { st.MaxTouches = 1 })}
		steps = append(steps, repeat(100, get("a", "/hello").after(time.Second))...)
		return append(steps,
			get("a", "/hello").after(19*time.Second).with(func(st *Step) { st.MaxTouches = 2 }),
			get("a", "/hello").after(p.Idle-2*time.Minute),
			get("a", "/hello").after(p.Idle-2*time.Minute),
			post("a", "/hello").after(p.Idle-2*time.Minute))
	case p.extends():
		renewed := either(p.cookie(), "access", "") // an app asks for it
		return []Step{
			p.login("a"),
			get("a", "/hello").after(p.Idle/2 - time.Minute),
			copied("old", "a"),
			get("a", "/hello").after(2 * time.Minute).gets(renewed),
			get("a", "/hello"),
			get("old", "/auth/session"),
			p.refresh("a").after(time.Second),
			post("a", "/hello").after(p.Idle - time.Minute).gets(renewed).has("hello alice"),
			get("old", "/hello").refused(p.overdue()),
		}
	case p.rotates():
		return []Step{
			p.login("a"),
			p.refresh("a").after(p.Idle * 9 / 10),
			p.refresh("a").after(p.Idle * 9 / 10),
			get("a", "/hello"),
		}
	default:
		return []Step{
			p.login("a"),
			get("a", "/hello").after(p.Absolute - time.Minute),
			p.refresh("a"),
			get("a", "/hello").after(time.Minute).refused(p.overdue()),
		}
	}
}

// absolute is a session that is used all the time.
func absolute(p profile) []Step {
	steps := []Step{p.login("a")}
	if !p.rotates() && !p.extends() {
		return append(steps, get("a", "/hello").after(p.Absolute-time.Second), get("a", "/hello").after(time.Second).refused(p.overdue()))
	}
	pause := p.Idle * 19 / 20
	n := int((p.Absolute - time.Second) / pause)
	use := p.refresh("a")
	if p.opaque() {
		use = get("a", "/hello")
	}
	steps = append(steps, repeat(n, use.after(pause))...)
	over := p.Absolute - time.Duration(n)*pause
	if p.rotates() {
		return append(steps, p.refresh("a").after(over).refused(web.CodeSessionExpired).events("session.ended:expired"), p.refresh("a").refused(web.CodeSessionExpired))
	}
	return append(steps, get("a", "/hello").after(over).refused(p.overdue()), p.refresh("a").refused(web.CodeSessionExpired))
}

func remember(p profile) []Step {
	in := p.login("a").body(loginBody("alice", true))
	if p.RememberAbsolute == 0 {
		return []Step{in.refused(web.CodeRequestInvalid), p.login("a")}
	}
	in.Remember = p.cookie()
	if !p.rotates() && !p.extends() {
		return []Step{in, get("a", "/hello").after(p.RememberAbsolute - time.Second), get("a", "/hello").after(time.Second).refused(p.overdue())}
	}
	use := p.refresh("a")
	if p.opaque() {
		use = get("a", "/hello")
	}
	pause := p.RememberIdle - time.Hour
	return []Step{
		in,
		use.after(pause),
		use.after(pause),
		get("a", "/hello"),
		p.refresh("a").after(p.RememberAbsolute - 2*pause - time.Minute),
		p.refresh("a").after(time.Minute).refused(web.CodeSessionExpired).events(either(p.rotates(), "session.ended:expired", "")),
	}
}

func refresh(p profile) []Step {
	steps := []Step{
		post("nobody", "/auth/{way}/refresh").refused(web.CodeTokenMissing),
		p.login("a"),
		copied("first", "a"),
		p.refresh("a").after(p.life() / 3),
		get("a", "/hello"),
	}
	switch {
	case p.rotates():
		return append(steps,
			// Younger than the floor it stays as it is.
			p.refresh("a").after(time.Second).gets("access").events(""),
			get("first", "/hello"),
			get("first", "/hello").after(p.Access).refused(web.CodeTokenExpired),
			p.refresh("a"))
	case p.extends():
		return append(steps, p.refresh("a").after(time.Second), get("first", "/hello"))
	default:
		return append(steps, p.refresh("a"))
	}
}

// lostAnswer is a client that never hears of its refresh.
func lostAnswer(p profile) []Step {
	again := p.refresh("a").after(p.life() / 3)
	if p.rotates() {
		again = again.gets("access =refresh").events("session.replayed")
	}
	return []Step{
		p.login("a"),
		copied("lost", "a"),
		p.refresh("lost").after(p.life() / 3),
		again,
		get("a", "/hello").has("hello alice"),
	}
}

func retryKey(p profile) []Step {
	key := func(st *Step) { st.Key = "b3f1c5a7d9e8402f" }
	short := p.refresh("old").with(func(st *Step) { st.Key = "short" }).refused(web.CodeRequestInvalid)
	first, again := p.refresh("a").with(key), p.refresh("old").with(key)
	if p.rotates() {
		again = again.gets(p.again()).events("session.replayed")
	}
	return []Step{
		p.login("a"),
		copied("old", "a"),
		short.after(time.Second),
		first.after(p.due()),
		get("a", "/hello"), // it has arrived
		again.after(2 * time.Minute),
	}
}

package webtest

import (
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

// earlyScenarios are for profiles in which a refresh before the access token has
// expired is refused.
var earlyScenarios = []Scenario{
	{"too early", with(tooEarly)},
	{"the owner refreshes first", with(ownerFirst)},
	{"the thief refreshes first", with(thiefFirst)},
	{"the answer is lost", with(strictLoss)},
	{"a young generation", with(young)},
	{"a token of before a step-up", with(strictStepUp)},
}

// oneToken reports whether each generation ends the access tokens before it.
func (p profile) oneToken() bool { return p.Rotation.OneAccessToken }

func tooEarly(p profile) []Step {
	expired := get("a", "/hello").refused(web.CodeTokenExpired).action(web.ActionRefresh)
	return []Step{
		p.login("a"),
		p.refresh("a").refused(web.CodeRefreshTooEarly).events("refresh.early").after(2 * time.Minute),
		get("a", "/hello"),
		expired.after(p.Access),
		p.refresh("a"),
		get("a", "/hello").has("hello alice"),
		p.refresh("a").refused(web.CodeRefreshTooEarly).events("refresh.early").after(p.Access - time.Minute),
		p.refresh("a").after(31 * time.Second), // within the leeway
	}
}

// collide is what happens when two parties go on from one token: whoever comes
// second is refused, and the session ends for both.
func collide(p profile, first, second string) []Step {
	return []Step{
		p.login("owner"),
		copied("thief", "owner"),
		get("thief", "/hello"), // until it expires they cannot be told apart
		p.refresh(first).after(p.Access),
		get(first, "/hello"),
		p.refresh(second).after(2 * time.Minute).refused(web.CodeRefreshReused).events("refresh.reused:previous session.ended:reuse"),
		get(first, "/hello").refused(web.CodeSessionEnded),
		p.refresh(first).refused(web.CodeSessionEnded),
	}
}

func ownerFirst(p profile) []Step { return collide(p, "owner", "thief") }
func thiefFirst(p profile) []Step { return collide(p, "thief", "owner") }

// strictLoss is what the theft rule costs without a tolerance: a client whose
// answer was lost looks like the second of two.
func strictLoss(p profile) []Step {
	again := p.refresh("a").after(time.Minute)
	if p.Rotation.Unseen == remuda.UnseenGrace {
		again = again.refused(web.CodeRefreshReused).events("refresh.reused:previous session.ended:reuse")
	} else {
		again = again.gets(p.again()).events("session.replayed")
	}
	return []Step{
		p.login("a"),
		copied("lost", "a"),
		p.refresh("lost").after(p.Access),
		again,
	}
}

// young is a refresh of a generation that was used a moment ago for the first
// time: it gives another access token, which says from then on what is early. For
// the refresh that comes then, both are one.
func young(p profile) []Step {
	steps := []Step{
		p.login("a"),
		get("a", "/hello").after(p.Access - 10*time.Second),
		copied("late", "a"),
	}
	if p.Rotation.Floor == 0 {
		return append(steps, p.refresh("a").after(10*time.Second))
	}
	early := p.refresh("late").refused(web.CodeRefreshTooEarly).events("refresh.early")
	return append(steps,
		p.refresh("a").after(10*time.Second).gets("access").events(""),
		get("a", "/hello"),
		get("late", "/hello").refused(web.CodeTokenExpired),
		early.after(2*time.Minute),
		p.refresh("late").after(p.Access-2*time.Minute),
		get("late", "/hello"),
		p.refresh("a").after(2*time.Minute).refused(web.CodeRefreshReused).events("refresh.reused:previous session.ended:reuse"),
	)
}

// strictStepUp: what was issued before does not refresh, nor, with one access
// token, do anything.
func strictStepUp(p profile) []Step {
	again := post("a", "/auth/step-up").body(`{"password":"alice sesame"}`).events("session.stepped_up").gets(p.grant())
	return []Step{
		p.login("a"),
		copied("old", "a"),
		again.after(2 * time.Minute),
		get("a", "/hello"),
		get("old", "/hello").after(2*time.Second).refusedIf(p.oneToken(), web.CodeTokenExpired), // now that the new one was seen
		p.refresh("old").refused(web.CodeRefreshReused).events("refresh.reused:previous session.ended:reuse").after(p.Access),
	}
}

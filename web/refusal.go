package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/remuda-go/remuda"
)

// Refusal is what an operator may know of a request that was refused, and its
// client is not told: find it by the request id, which the client has. It holds no
// token, password or address.
type Refusal struct {
	RequestID string
	Time      time.Time // in store time
	Code      Code
	Status    int // of HTTP
	Action    Action
	// Steps are what was looked at and refused, in that order. The last one that
	// fits the code has decided. There is at least one.
	Steps []Step
}

// Step is one thing that was looked at: a credential, an origin, a body. What led
// to it was good.
type Step struct {
	// Reason is one of [Reasons] or, of a problem that is an application's own,
	// its code.
	Reason remuda.Reason
	// Facts are those that the reason names, and of a credential where it was:
	// "credential" (a cookie's name, "bearer" or "body"), and "value" and "of" among
	// several of one name.
	Facts []slog.Attr
}

// The reasons of this package. Each names the code that it leads to, and its facts.
const (
	// CodeTokenMissing.
	ReasonNoCredential remuda.Reason = "no_credential" //nolint:gosec // the name of a reason. Fact: refresh_cookie
	ReasonAnonymous    remuda.Reason = "anonymous"     // session: of a visitor, where somebody has to be signed in

	// CodeTokenInvalid.
	ReasonBearerForm  remuda.Reason = "bearer_form"      // the header is malformed, or is there twice
	ReasonBearerDPoP  remuda.Reason = "bearer_dpop"      // a token bound to a key, which none here is
	ReasonCookiesMany remuda.Reason = "cookies_many"     // of: more different values of one cookie than are looked at
	ReasonCookiesGood remuda.Reason = "cookies_all_good" // of: several values of one cookie are good: one is planted

	// CodeCSRFFailed.
	ReasonOriginRepeated remuda.Reason = "origin_repeated" // Origin or Sec-Fetch-Site is there twice
	ReasonOriginMissing  remuda.Reason = "origin_missing"  // neither is there
	ReasonOriginUnlisted remuda.Reason = "origin_unlisted" // origin
	ReasonOriginOther    remuda.Reason = "origin_other"    // origin, site: a listed one, but not the very one that is asked
	ReasonSite           remuda.Reason = "site"            // site, origin: Sec-Fetch-Site says another site
	ReasonCSRFMissing    remuda.Reason = "csrf_missing"    // session
	ReasonCSRFRepeated   remuda.Reason = "csrf_repeated"   // session
	ReasonCSRFWrong      remuda.Reason = "csrf_wrong"      // session: another session's, an old key's, or changed

	// CodeStepUpRequired.
	ReasonNotRecent    remuda.Reason = "not_recent"    // session, subject, age, wanted
	ReasonLevel        remuda.Reason = "level"         // session, subject, acr, wanted
	ReasonNotConfirmed remuda.Reason = "not_confirmed" // session, subject: each request needs a proof of its own

	// CodeLoginFailed, CodeRateLimited, CodeUnavailable.
	ReasonOtherUser      remuda.Reason = "other_user"      // session: the password is somebody else's
	ReasonLoginThrottled remuda.Reason = "login_throttled" // after
	ReasonAuthenticator  remuda.Reason = "authenticator"   // it could not find out, or not store
)

// Reasons returns all reasons of this package and of package remuda, and the codes
// that say all there is to say.
func Reasons() []remuda.Reason {
	list := append(remuda.Reasons(),
		ReasonNoCredential, ReasonAnonymous, ReasonBearerForm, ReasonBearerDPoP, ReasonCookiesMany, ReasonCookiesGood,
		ReasonOriginRepeated, ReasonOriginMissing, ReasonOriginUnlisted, ReasonOriginOther, ReasonSite,
		ReasonCSRFMissing, ReasonCSRFRepeated, ReasonCSRFWrong,
		ReasonNotRecent, ReasonLevel, ReasonNotConfirmed, ReasonOtherUser, ReasonLoginThrottled, ReasonAuthenticator)
	for _, c := range []Code{
		CodeLoginFailed, CodeContinuationUsed, CodeImpersonating, CodeImpersonation, CodeSwitched, CodeAccountsFull, CodeSessionLimit, CodeSignedIn, CodeRequestInvalid, CodeNotFound,
		CodeMethodNotAllowed, CodeRequestTooLarge, CodeUnsupportedMedia, CodeInternal,
	} {
		list = append(list, remuda.Reason(c))
	}
	slices.Sort(list)
	return list
}

// refuse is a problem with its reason.
func (p *Problem) refuse(why remuda.Reason, facts ...slog.Attr) *Problem {
	p.why, p.facts = why, facts
	return p
}

// attempts is an error that several things led to. It is the one that decided: the
// others are for operators.
type attempts struct {
	error
	all []attempt
}

// attempt is one of them. Without a credential the error says of itself what it is.
type attempt struct {
	credential string
	value, of  int
	err        error
}

// Unwrap returns the error that decided.
func (a *attempts) Unwrap() error { return a.error }

// shown is an error about the one credential of a kind.
func shown(credential string, err error) error {
	if err == nil {
		return nil
	}
	return &attempts{err, []attempt{{credential, 1, 1, err}}}
}

// instead is an error that decides where others came first.
func instead(err error, first ...error) error {
	a := &attempts{error: err}
	for _, e := range append(first, err) {
		a.all = append(a.all, attempt{err: e})
	}
	return a
}

// inEitherWay is the error of a token that could neither be extended nor refreshed
// with. Of what it is not made for there is nothing to tell.
func inEitherWay(extend, refresh error) error {
	why := func(err error) remuda.Reason { return steps(err)[0].Reason }
	switch {
	case why(extend) == remuda.ReasonTokenType:
		return as(extend, refresh)
	case why(refresh) == remuda.ReasonTokenType, why(refresh) == why(extend):
		return extend
	default:
		return instead(extend, refresh)
	}
}

// as is an error that is told in place of another.
func as(err, because error) error { return &attempts{err, []attempt{{err: because}}} }

// steps are what led to an error.
func steps(err error) []Step {
	if a, ok := errors.AsType[*attempts](err); ok {
		var list []Step
		for i := range a.all {
			list = append(list, a.all[i].steps()...)
		}
		return list
	}
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.steps()
	}
	if r, ok := errors.AsType[*remuda.RefusalError](err); ok {
		return []Step{{r.Reason, r.Facts}}
	}
	if t, ok := errors.AsType[*ThrottledError](err); ok {
		return []Step{{ReasonLoginThrottled, []slog.Attr{slog.Duration("after", t.After)}}}
	}
	return []Step{{Reason: remuda.Reason(problemOf(err).Code)}}
}

func (a *attempt) steps() []Step {
	list := steps(a.err)
	if a.credential == "" {
		return list
	}
	where := []slog.Attr{slog.String("credential", a.credential)}
	if a.of > 1 {
		where = append(where, slog.Int("value", a.value), slog.Int("of", a.of))
	}
	for i := range list {
		list[i].Facts = slices.Concat(where, list[i].Facts)
	}
	return list
}

// steps says what led to a problem: what it was made of, if that is known.
func (p *Problem) steps() []Step {
	switch {
	case p.because != nil:
		return steps(p.because)
	case p.why != "":
		return []Step{{p.why, p.facts}}
	default:
		return []Step{{remuda.Reason(p.Code), p.facts}}
	}
}

// reasons is what led to an error, for the log.
type reasons struct{ err error }

// LogValue implements [slog.LogValuer].
func (r reasons) LogValue() slog.Value {
	var b strings.Builder
	for i, s := range steps(r.err) {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(string(s.Reason))
		for _, f := range s.Facts {
			fmt.Fprintf(&b, " %s=%v", f.Key, f.Value)
		}
	}
	return slog.StringValue(b.String())
}

// originFacts are those of a request's Origin and Sec-Fetch-Site.
func originFacts(r *http.Request) []slog.Attr {
	var facts []slog.Attr
	if o := r.Header.Get("Origin"); o != "" {
		facts = append(facts, slog.String("origin", plainOrigin(o)))
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "":
	case "same-origin", "same-site", "cross-site", "none":
		facts = append(facts, slog.String("site", site))
	default:
		facts = append(facts, slog.String("site", "other"))
	}
	return facts
}

// longestLabel is shorter than any token.
const longestLabel = 32

// plainOrigin is an origin as a browser sends it. Anything else is not repeated:
// whatever stands there may be a secret.
func plainOrigin(origin string) string {
	scheme, host, ok := strings.Cut(origin, "://")
	strange := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune(".:-[]", r)
	}
	long := func(label string) bool { return len(label) > longestLabel }
	switch {
	case origin == "null":
		return origin
	case !ok || scheme != "https" && scheme != "http" || len(host) > 255 || strings.ContainsFunc(host, strange),
		slices.ContainsFunc(strings.Split(host, "."), long):
		return "other"
	}
	return origin
}

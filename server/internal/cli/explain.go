package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/remuda-go/remuda/web"
	"github.com/spf13/cobra"
)

// explanations say of each code why it is answered, and what to look at.
var explanations = map[web.Code]string{
	web.CodeLoginFailed: `The name or the password is wrong, or there is no such user: nobody is told which.
Event: login.failed. Many from one network or for one user are an attack.`,
	web.CodeTokenMissing: `The request has no credential: no session cookie and no Authorization: Bearer header.
With the action "refresh" there is a refresh cookie: refresh and send it again.
If a browser should have sent one: is the page on the origin that the cookie is
of, and does it use https?`,
	web.CodeTokenInvalid: `This is no token of this server for this place: cut short, of another issuer,
audience or type, a cookie sent as Bearer or the other way round, signed with a key
that was retired or compromised, or of a session that is long swept. No reason is
given to the client: "remuda explain" has it, by the request id. "remuda token
inspect" explains a token that you have.
If many come at once: was a key lost, or the issuer changed?`,
	web.CodeTokenExpired: `The access token has run out, as it does every few minutes. Refresh, and send the
request again. If it comes right after a refresh: do the clocks agree?`,
	web.CodeSessionExpired: `The session was not used for too long (idle), or it is too old (absolute). The user
signs in again. The lifetimes are settings of its profile.`,
	web.CodeSessionEnded: `Somebody ended the session: a logout, here or everywhere, another login in its place,
a password change, the cap on sessions, an operator, or a stolen token. The event
session.ended has the reason.`,
	web.CodeRefreshReused: `A refresh token was used by two parties, so the session was ended for both. Either it
was stolen, or a client keeps an old one: a backup put back, two programs that share
a file, a client that goes on with the old token after an answer.
Event: refresh.reused, with the class (previous, stale, shadowed), network and
device. See docs/rotation.md.`,
	web.CodeRefreshSuperseded: `Another client of the same session has refreshed within the last seconds, and looks
different from this one. Nothing was given and nothing ended. Wait a moment and use
what the other one received.`,
	web.CodeRefreshTooEarly: `The profile refuses to refresh before the access token has expired ("early: refuse").
Retry-After says when it will.`,
	web.CodeCSRFFailed: `A request with cookies that changes something came from another site, or without the
session's CSRF token. Is the origin of the page in "origins", exactly as browsers
send it? Is X-CSRF-Token sent? After a reload, GET web/csrf has one.`,
	web.CodeStepUpRequired: `The action is important, and the user signed in too long ago. Ask for the password
(POST step-up), then send the request again, with the continuation of the answer if
it is to be done once. A refresh does not help: it proves nothing about the user.`,
	web.CodeContinuation: `The request names a continuation (Remuda-Continuation) that does not fit: of another
request or session, older than ten minutes, or one that no step-up has named.
Nothing was done. Send the request without it, and begin again.`,
	web.CodeContinuationUsed: `The request was let through with this continuation before: whatever it does, it has
been done once. A client whose first answer was lost is told this on its retry.`,
	web.CodeImpersonating: `Somebody acts for the user in this session (see "actor"), and asked for what only the
user may do: change credentials, step up, end other sessions, act for a third.`,
	web.CodeImpersonation: `The user may not act for that one: they are no support, the other must never be acted
for, or does not exist. The answer is the same for all three.`,
	web.CodeSwitched: `The page names a session (Remuda-Session) which is not the one in use: another tab has
switched accounts. Nothing was done. Load the page again, or switch back.`,
	web.CodeAccountsFull: `A browser is signed in to five accounts at most, and to fewer where their cookies would
be longer than 4,000 bytes together. Sign one out first.`,
	web.CodeSessionLimit: `The user has as many sessions as the profile allows ("max_sessions"), and it refuses
more ("at_limit: refuse"). End one on another device first.`,
	web.CodeSignedIn: `Somebody comes from another site by a hand-off, and somebody else is signed in here.
Nobody is switched silently: sign out here first.`,
	web.CodeRequestInvalid: `The request cannot be meant as it is; "detail" says why. Nothing has happened.`,
	web.CodeNotFound: `There is no such path here, or no such session of this user. A path that is not in its
one clean form (double slashes, dots, encoded slashes) is not found either.`,
	web.CodeMethodNotAllowed: `The path is there, and takes other methods: see Allow.`,
	web.CodeRequestTooLarge:  `The body is larger than this endpoint takes.`,
	web.CodeUnsupportedMedia: `Send JSON, and say so: Content-Type: application/json.`,
	web.CodeRateLimited: `Too many failed logins for this account or from this address (settings "login"), or too
many retries of one refresh. Retry-After says when to try again.
Event: login.throttled, or refresh.throttled.`,
	web.CodeInternal: `A fault of the server. The log has it at level error, under the request id.`,
	web.CodeUnavailable: `The server cannot find out whether the answer would be yes: the database does not
answer, the revocation log has not been heard from and the profile's "outage" is
deny, clocks differ by more than the leeway, or the keys cannot be read. Cookies
stay. The log has the cause at level error, under the request id; /readyz says
whether it lasts.`,
}

func newExplain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain [CODE | REQUEST-ID]",
		Short: "Explain a refusal by its request id, or a code, or list all codes",
		Long: `Explain why one request was refused, by the request_id of the answer: what was looked
at, what was found, and what has become of the session since. It is read from the
file "refusals" of this node, also while the server runs.

With a code, explain that: why it is answered, what a client does about it, and what
an operator looks at. Without either, list all codes.`,
		Args: cobra.MaximumNArgs(1),
	}
	fileFlags(cmd)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return listCodes(cmd.OutOrStdout(), *asJSON)
		}
		if id := strings.ToUpper(args[0]); requestID.MatchString(id) {
			return explainRequest(cmd, id, *asJSON)
		}
		return explain(cmd.OutOrStdout(), web.Code(args[0]), *asJSON)
	}
	return cmd
}

// longestWord is longer than any code and id, and shorter than any token.
const longestWord = 32

// codeJSON is a code as JSON.
type codeJSON struct {
	Code        string `json:"code"`
	Status      int    `json:"status"`
	Action      string `json:"action"`
	Title       string `json:"title"`
	Explanation string `json:"explanation"`
}

func newCodeJSON(c *web.CodeInfo) codeJSON {
	return codeJSON{string(c.Code), c.Status, string(c.Action), c.Title, explanations[c.Code]}
}

func listCodes(w io.Writer, asJSON bool) error {
	var rows [][]string
	var list []codeJSON
	for _, c := range web.Codes() {
		rows = append(rows, []string{string(c.Code), strconv.Itoa(c.Status), string(c.Action), c.Title})
		list = append(list, newCodeJSON(&c))
	}
	if asJSON {
		return printJSON(w, map[string]any{"codes": list})
	}
	return printTable(w, []string{"CODE", "STATUS", "ACTION", "TITLE"}, rows)
}

func explain(w io.Writer, code web.Code, asJSON bool) error {
	for _, c := range web.Codes() {
		if c.Code != code {
			continue
		}
		if asJSON {
			return printJSON(w, newCodeJSON(&c))
		}
		_, err := fmt.Fprintf(w, "%s (%d, action %s): %s.\n\n%s\n", c.Code, c.Status, c.Action, c.Title, explanations[code])
		return err
	}
	what := strconv.Quote(string(code))
	if len(code) > longestWord {
		what = "that" // it may be a token
	}
	return usage("%s is no code ('remuda explain' lists all) and no request id (26 of A-Z and 2-7)", what)
}

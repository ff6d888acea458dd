package cli

import (
	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

// reasonTexts say of each reason what was found, and what to look at. Where the
// code says it all, the reason is the code and its explanation is that.
var reasonTexts = map[remuda.Reason]string{
	remuda.ReasonMalformed:             "It has not the form of any token: cut short, pasted with something else, or of another system. Look at the client, and at proxies that shorten headers.",
	remuda.ReasonKeyUnknown:            "It names a key that this installation has not, and has not had for long. Is it of another installation, or was the key ring replaced?",
	remuda.ReasonKeyDead:               "It names a key that was retired or compromised. \"remuda keys list\" says when. Whoever holds nothing else signs in again.",
	remuda.ReasonSignature:             "It names a live key, and that did not make it: it was changed on its way, or somebody tries to forge one.",
	remuda.ReasonTokenType:             "It is genuine, and for something else: see token_type and wanted. The client mixes its tokens up.",
	remuda.ReasonNotRotating:           "An access token was shown where a refresh token is wanted: the profile does not refresh by access tokens (\"rotation.by_access\").",
	remuda.ReasonProfile:               "It is genuine, and of a profile that is not in the configuration any more. Did all nodes get the same one?",
	remuda.ReasonTransport:             "It is genuine, and came by the other way: a cookie's token as Bearer, or the other way round.",
	remuda.ReasonCredential:            "It is genuine, and in a format that its profile had before. It was issued before the change of \"credential\".",
	remuda.ReasonIssuer:                "It is genuine, and of another issuer: see issuer and wanted. Was \"issuer\" or the first of \"origins\" changed?",
	remuda.ReasonAudience:              "It is genuine, and for another audience: a refresh token at the endpoint of the other transport, or \"audience\" was changed.",
	remuda.ReasonIssuedAhead:           "It was issued in what is still the future here. A node's clock is ahead: see by and clock_offset.",
	remuda.ReasonSubject:               "It is genuine and of nobody, without being a visitor's. No version has issued such a token: who has the keys?",
	remuda.ReasonNotRenewed:            "It was shown to be renewed, and tokens of its profile are not: see renewal.",
	remuda.ReasonNoRecord:              "The database has no such session: it ended longer ago than \"retention\", the database was put back, or it is another one.",
	remuda.ReasonRecordDiffers:         "The session's record is of another user, tenant, profile or transport than the token. Two databases were mixed, or somebody has the keys.",
	remuda.ReasonNotDerived:            "It is signed by the ring and was not issued for this session: whoever made it has the keys, and not the database. Event: refresh.forged. Compromise the key.",
	remuda.ReasonLeftBehind:            "A newer token of the session was issued (at a step-up, or a refresh where each ends the last one) and has been used: this one is left over. Does the client store what it is given?",
	remuda.ReasonHandOffGone:           "The hand-off was redeemed already, or came after its minute. Event: hand_off.refused.",
	remuda.ReasonHandOffTarget:         "The hand-off was made for another site than the one it was shown at.",
	remuda.ReasonHandOffBrowser:        "The hand-off was begun in another browser: somebody was sent a link, or cookies of the site were lost in between.",
	remuda.ReasonHandOffParent:         "The session that was handed over has ended meanwhile.",
	remuda.ReasonTokenExpired:          "The access token has run out: by says how long ago, clock_offset how far this node's clock is from the database's. Only if it comes right after a refresh is anything wrong.",
	remuda.ReasonIdle:                  "The session was not used for too long: by says how long ago it would have had to be. See \"idle\" of its profile.",
	remuda.ReasonAbsolute:              "The session has reached its greatest age: by says how long ago. See \"absolute\" of its profile.",
	remuda.ReasonEnded:                 "The record says that the session was ended: end_reason says why, ended when.",
	remuda.ReasonLogEntry:              "The revocation log says that the session was ended: by an entry of that scope. begun_before says which sessions a wider one ends; staleness is how old this node's view of the log was.",
	remuda.ReasonWideEnding:            "All sessions of that scope were ended, which the database says; this node did not hear the revocation log at that moment.",
	remuda.ReasonSealedDead:            "The session's record was sealed with a key that is compromised: nothing in it is believed.",
	remuda.ReasonRolledBack:            "The client was ahead of the database, which has lost writes (a failover), and \"rotation.ahead\" ends such sessions. Event: store.rolled_back.",
	remuda.ReasonActorEnded:            "Somebody acted for the user in this session, and their own has ended: actor_session, because.",
	remuda.ReasonContinuationForm:      "The continuation is none that this installation has signed: cut short, changed, or of another one.",
	remuda.ReasonContinuationSession:   "The continuation is of another session, of the same user or of another.",
	remuda.ReasonContinuationRequest:   "The continuation is of another request: method, path, query, type or body differ from the one that was refused. Does the client send exactly the same again?",
	remuda.ReasonContinuationOld:       "The continuation is older than ten minutes: by says how long ago it ran out.",
	remuda.ReasonContinuationUngranted: "No step-up has named the continuation. The client has to send it with POST step-up, and the password has to be right.",
	remuda.ReasonOvertaken:             "All sessions of the user were ended while this login was under way. To sign in again is enough.",
	remuda.ReasonReusePrevious:         "The refresh token before the newest was used after the grace (window_age): two parties held it. Event: refresh.reused.",
	remuda.ReasonReuseStale:            "An old refresh token was used: see gen and newest. Event: refresh.reused.",
	remuda.ReasonReuseShadowed:         "The newest refresh token was recovered late too often in a row: somebody may run ahead of the owner. Event: refresh.reused.",
	remuda.ReasonSuperseded:            "Another client of the session has refreshed window_age ago, and looks different.",
	remuda.ReasonTooEarly:              "The access token is still good, and the profile says \"early: refuse\". after says until when.",
	remuda.ReasonReplays:               "One refresh was retried too often. after says until when it is refused.",
	remuda.ReasonStore:                 "The database could not be asked, or did not answer in time. The log has the cause at level error, under the request id.",
	remuda.ReasonLogStale:              "This node has not heard the revocation log for longer than \"max_staleness\", and the policy (outage) is not to decide without it.",
	remuda.ReasonClock:                 "This node's clock is further from the database's than the leeway: see clock_offset. Nothing is changed until one of them is right.",
	remuda.ReasonKeysUnread:            "The revocation log is not heard, and the key ring could not be read anew: a key may have been compromised since.",

	web.ReasonNoCredential:   "The request has neither a session cookie nor a Bearer token. refresh_cookie says whether there was the other one.",
	web.ReasonAnonymous:      "It has a visitor's session, and somebody has to be signed in.",
	web.ReasonBearerForm:     "The Authorization header is malformed, or is there twice.",
	web.ReasonBearerDPoP:     "The Authorization header has a DPoP token. Tokens here are bound to no key: send it as Bearer.",
	web.ReasonCookiesMany:    "There are more than four different values of one cookie: something sets it again and again, for another path or domain.",
	web.ReasonCookiesGood:    "Several values of one cookie are good, so one of them may be planted. Clear the cookies of the site.",
	web.ReasonOriginRepeated: "Origin or Sec-Fetch-Site is there twice, as no browser sends it. Does a proxy add one?",
	web.ReasonOriginMissing:  "Neither Origin nor Sec-Fetch-Site is there: no browser, or a proxy removes them.",
	web.ReasonOriginUnlisted: "The page's origin is not in \"origins\": see origin. One letter, the port or the scheme is enough to differ.",
	web.ReasonOriginOther:    "The page is of a listed origin, and this endpoint takes the very one that it is asked at.",
	web.ReasonSite:           "Sec-Fetch-Site says that the request comes from another site: see site and origin.",
	web.ReasonCSRFMissing:    "There is no X-CSRF-Token. GET web/csrf has one for the page.",
	web.ReasonCSRFRepeated:   "X-CSRF-Token is there twice.",
	web.ReasonCSRFWrong:      "The X-CSRF-Token is another session's (a tab from before the last login), of a key that is gone, or was changed. GET web/csrf has a fresh one.",
	web.ReasonNotRecent:      "The user last proved who they are age ago, and the action wants at most wanted.",
	web.ReasonLevel:          "The route asks for a higher level than the user's last proof has reached: acr and wanted.",
	web.ReasonNotConfirmed:   "The route asks for a proof of its own for every request, and this is the first time that it was sent.",
	web.ReasonOtherUser:      "The password is right, and of another user than the session's.",
	web.ReasonLoginThrottled: "Too many failed logins for the account or from the address. after says when the next one is heard. Event: login.throttled.",
	web.ReasonAuthenticator:  "The users' file could not be asked, or not written. The log has the cause at level error, under the request id.",
}

// textOf explains a reason.
func textOf(why string) string {
	if text, ok := reasonTexts[remuda.Reason(why)]; ok {
		return text
	}
	return explanations[web.Code(why)]
}

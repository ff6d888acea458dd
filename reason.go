package remuda

import (
	"errors"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/store"
)

// Reason says why something was refused, for operators: where clients are given
// one answer for many causes, this is the cause. The list is closed.
type Reason string

// The reasons. Each names the error that a client is told, and the facts that come
// with it besides those of a token that verified: its key, session, generation,
// subject and profile.
const (
	// [ErrTokenInvalid], of a token that did not verify. What such a token says of
	// itself is not repeated, but for the id of a key.
	ReasonMalformed   Reason = "malformed"    // it has not the form of any token of ours
	ReasonKeyUnknown  Reason = "key_unknown"  // key: it names one that is not in the ring
	ReasonKeyDead     Reason = "key_dead"     // key, key_state: it names one that verifies nothing any more
	ReasonSignature   Reason = "signature"    // key: it names a live one that did not make it
	ReasonTokenType   Reason = "token_type"   // token_type, wanted: it is genuine, and for something else
	ReasonNotRotating Reason = "not_rotating" // profile: an access token, and the profile refreshes by refresh tokens

	// [ErrTokenInvalid], of a genuine token.
	ReasonProfile        Reason = "profile"         // its profile is not in the configuration any more
	ReasonTransport      Reason = "transport"       // transport, wanted: a cookie shown as Bearer, or the other way round
	ReasonCredential     Reason = "credential"      // format, wanted: the profile has tokens of another one by now
	ReasonIssuer         Reason = "issuer"          // issuer, wanted
	ReasonAudience       Reason = "audience"        // audience, wanted; of a refresh token: of the other transport
	ReasonIssuedAhead    Reason = "issued_ahead"    // issued, by: later than the present by more than the leeway
	ReasonSubject        Reason = "subject"         // it is of nobody, and not of an anonymous session, or both
	ReasonNotRenewed     Reason = "not_renewed"     // renewal: the profile does not issue it anew
	ReasonNoRecord       Reason = "no_record"       // the store knows no such session: swept, lost, or of another store
	ReasonRecordDiffers  Reason = "record_differs"  // the record is of another subject, tenant, profile or transport
	ReasonNotDerived     Reason = "not_derived"     // signed by the ring, and not issued for the session: forged by who has the ring
	ReasonLeftBehind     Reason = "left_behind"     // newest: another generation was issued since, and has arrived; also [ErrTokenExpired]
	ReasonHandOffGone    Reason = "hand_off_gone"   // redeemed already, or too late
	ReasonHandOffTarget  Reason = "hand_off_target" // made for another origin
	ReasonHandOffBrowser Reason = "hand_off_state"  // shown by another browser than began it
	ReasonHandOffParent  Reason = "hand_off_parent" // the session that was handed over has ended

	// [ErrTokenExpired] or, where nothing renews the token, [ErrSessionExpired].
	ReasonTokenExpired Reason = "access_expired" // expired, by, clock_offset

	// [ErrSessionExpired].
	ReasonIdle     Reason = "idle"     // idle_expired, by, clock_offset, last_seen; or ended, by
	ReasonAbsolute Reason = "absolute" // expired, by, clock_offset; or ended, by

	// [ErrSessionEnded].
	ReasonEnded      Reason = "ended"       // end_reason, ended, by: so the record says
	ReasonLogEntry   Reason = "log_entry"   // scope, begun_before, staleness: so the revocation log says
	ReasonWideEnding Reason = "wide_ending" // scope, end_reason, begun_before, ended: told by the store, since the log is not heard
	ReasonSealedDead Reason = "sealed_dead" // the record was sealed with a key that is compromised
	ReasonRolledBack Reason = "rolled_back" // newest: the store has lost generations, and the profile ends such sessions
	ReasonActorEnded Reason = "actor_ended" // actor_session, because: the session of whoever acts in this one has ended, for that reason
	ReasonOvertaken  Reason = "overtaken"   // all sessions of the subject were ended during the login

	// [ErrContinuation].
	ReasonContinuationForm      Reason = "continuation_form"      // none that we have signed
	ReasonContinuationSession   Reason = "continuation_session"   // session: it is of another
	ReasonContinuationRequest   Reason = "continuation_request"   // of another one: method, path, query, type or body differ
	ReasonContinuationOld       Reason = "continuation_old"       // refused, by
	ReasonContinuationUngranted Reason = "continuation_ungranted" // no step-up has named it

	// [ErrRefreshReused], each with newest, window_age.
	ReasonReusePrevious Reason = "reuse_previous" // the generation before the newest, past the grace
	ReasonReuseStale    Reason = "reuse_stale"    // an older one
	ReasonReuseShadowed Reason = "reuse_shadowed" // the newest was recovered late too often in a row

	// Other errors of [Manager.Refresh].
	ReasonSuperseded Reason = "superseded" // [ErrRefreshSuperseded]: newest, window_age
	ReasonTooEarly   Reason = "too_early"  // [ErrRefreshTooEarly]: after
	ReasonReplays    Reason = "replays"    // [ErrThrottled]: after

	// [ErrUnavailable].
	ReasonStore      Reason = "store"       // the database could not be asked
	ReasonLogStale   Reason = "log_stale"   // staleness, max_staleness, outage: the log is not heard, and the policy is to deny
	ReasonClock      Reason = "clock"       // clock_offset, leeway: this node's clock is too far from the store's
	ReasonKeysUnread Reason = "keys_unread" // the log is not heard, and the key ring could not be read
)

// Reasons returns all reasons of this package, in no order.
func Reasons() []Reason {
	return []Reason{
		ReasonMalformed, ReasonKeyUnknown, ReasonKeyDead, ReasonSignature, ReasonTokenType, ReasonNotRotating,
		ReasonProfile, ReasonTransport, ReasonCredential, ReasonIssuer, ReasonAudience, ReasonIssuedAhead,
		ReasonSubject, ReasonNotRenewed, ReasonNoRecord, ReasonRecordDiffers, ReasonNotDerived, ReasonLeftBehind,
		ReasonHandOffGone, ReasonHandOffTarget, ReasonHandOffBrowser, ReasonHandOffParent,
		ReasonTokenExpired, ReasonIdle, ReasonAbsolute,
		ReasonEnded, ReasonLogEntry, ReasonWideEnding, ReasonSealedDead, ReasonRolledBack, ReasonActorEnded, ReasonOvertaken,
		ReasonContinuationForm, ReasonContinuationSession, ReasonContinuationRequest, ReasonContinuationOld, ReasonContinuationUngranted,
		ReasonReusePrevious, ReasonReuseStale, ReasonReuseShadowed,
		ReasonSuperseded, ReasonTooEarly, ReasonReplays,
		ReasonStore, ReasonLogStale, ReasonClock, ReasonKeysUnread,
	}
}

// RefusalError is an error of the closed set with its reason: find it with
// [errors.AsType]. Its text is that of the error alone, so that whoever shows it to
// a client gives nothing away. It is not to be changed: callers may share one.
type RefusalError struct {
	Err    error // one of the closed set, alone or wrapped
	Reason Reason
	// Facts are what was found. They hold no token, key, password or address; the
	// subject and the session are named as in events.
	Facts []slog.Attr
}

// Error implements error, without the reason.
func (e *RefusalError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *RefusalError) Unwrap() error { return e.Err }

func refuse(err error, why Reason, facts ...slog.Attr) error {
	return &RefusalError{Err: err, Reason: why, Facts: facts}
}

// about adds what a token that verified has said of itself to the reason of an
// error, if it has one. The claims are those of the last verification: they have no
// key if that failed.
func about(err error, c *codec.Claims) error {
	if c.Key == "" {
		return err
	}
	facts := []slog.Attr{slog.String("key", c.Key)}
	if c.Type != codec.HandOff { // what names a hand-off is no session
		facts = append(facts, slog.String("session", SessionID(c.Session).String()), slog.Int64("gen", int64(c.Gen)))
	}
	for _, text := range []struct {
		name string
		span codec.Span
	}{{"subject", c.Subject}, {"profile", c.Profile}} {
		if !text.span.IsZero() {
			facts = append(facts, slog.String(text.name, string(c.Text(text.span))))
		}
	}
	return also(err, facts...)
}

// also adds facts to an error, if it has a reason. Others may hold the error.
func also(err error, facts ...slog.Attr) error {
	e, ok := errors.AsType[*RefusalError](err)
	if !ok {
		return err
	}
	return &RefusalError{Err: err, Reason: e.Reason, Facts: slices.Concat(e.Facts, facts)}
}

// ofSession says which session an error is about that was asked for by its id.
func ofSession(err error, id SessionID) error { return also(err, slog.String("session", id.String())) }

// past says that a deadline has passed, by how much, and how far this node's clock
// was from the store's.
func (c *clock) past(name string, deadline, now time.Time) []slog.Attr {
	return []slog.Attr{
		slog.Time(name, deadline), slog.Duration("by", now.Sub(deadline)),
		slog.Duration("clock_offset", c.wrong()),
	}
}

// overdue says which deadline of a session has passed, of which expired has said
// that one has.
func (c *clock) overdue(s *state, reason EndReason, now time.Time) error {
	if reason == EndIdle {
		return refuse(ErrSessionExpired, ReasonIdle, append(c.past("idle_expired", s.IdleExpires, now), slog.Time("last_seen", s.LastSeen))...)
	}
	return refuse(ErrSessionExpired, ReasonAbsolute, c.past("expired", s.Expires, now)...)
}

// endedError tells a session that has run out from one that was ended.
func (s *state) endedError(now time.Time) error {
	facts := []slog.Attr{slog.Time("ended", s.EndedAt), slog.Duration("by", now.Sub(s.EndedAt))}
	switch s.EndReason {
	case EndIdle:
		return refuse(ErrSessionExpired, ReasonIdle, facts...)
	case EndExpired:
		return refuse(ErrSessionExpired, ReasonAbsolute, facts...)
	default:
		return refuse(ErrSessionEnded, ReasonEnded, append(facts, slog.String("end_reason", string(s.EndReason)))...)
	}
}

// logEntry says what the revocation log has ended a session by.
func (m *Manager) logEntry(t *revocation.Token, own time.Time) error {
	scope, before := m.revoked.horizon.By(t)
	facts := []slog.Attr{slog.String("scope", scope.String()), m.staleness(own)}
	if !before.IsZero() {
		facts = append(facts, slog.Time("begun_before", before))
	}
	return refuse(ErrSessionEnded, ReasonLogEntry, facts...)
}

// staleness is how old this node's view of the log is.
func (m *Manager) staleness(own time.Time) slog.Attr {
	age := m.revoked.horizon.Staleness(own)
	if age == math.MaxInt64 {
		return slog.String("staleness", "never read")
	}
	return slog.Duration("staleness", age)
}

// unheard says by which policy this node decides, and why by one.
func (m *Manager) unheard(outage OutagePolicy, own time.Time) []slog.Attr {
	return []slog.Attr{m.staleness(own), slog.Duration("max_staleness", m.revoked.staleness), slog.String("outage", outage.String())}
}

// coveredBy says which wide ending covers a session whose record does not say so.
func coveredBy(e *store.Entry) error {
	return refuse(ErrSessionEnded, ReasonWideEnding,
		slog.String("scope", e.Scope.String()), slog.String("end_reason", e.Reason),
		slog.Time("begun_before", e.Before), slog.Time("ended", e.At))
}

// misfit says why an access token whose claims do not fit is refused.
func (m *Manager) misfit(why Reason, c *codec.Claims, p *profile, kind Credential, t Transport, now time.Time) error {
	if why == ReasonProfile {
		return refuse(ErrTokenInvalid, why)
	}
	if why == ReasonIssuedAhead {
		return refuse(ErrTokenInvalid, why, m.ahead(c, now)...)
	}
	differs := map[Reason]struct{ name, is, wanted string }{
		ReasonTransport:  {"transport", t.String(), p.Transport.String()},
		ReasonCredential: {"format", kind.String(), p.Credential.String()},
		ReasonIssuer:     {"issuer", string(c.Text(c.Issuer)), m.issuer},
		ReasonAudience:   {"audience", string(c.Text(c.Audience)), p.audience},
	}
	d, ok := differs[why]
	if !ok {
		return refuse(ErrTokenInvalid, why)
	}
	return refuse(ErrTokenInvalid, why, slog.String(d.name, d.is), slog.String("wanted", d.wanted))
}

func (m *Manager) ahead(c *codec.Claims, now time.Time) []slog.Attr {
	issued := time.Unix(c.IssuedAt, 0).UTC()
	return []slog.Attr{slog.Time("issued", issued), slog.Duration("by", issued.Sub(now)), slog.Duration("clock_offset", m.clock.wrong())}
}

func newest(gen uint32) slog.Attr { return slog.Int64("newest", int64(gen)) }

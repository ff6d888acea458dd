package remuda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/remuda-go/remuda/codec"
)

// ClaimsSource says what an application claims of a session now, so that no
// access token carries claims that are older than itself. It is asked whenever an
// access token is about to be signed for a session that has a record: at every
// refresh that is answered with one, at a step-up, and by [Manager.Reissue]; not
// at login, where [StartRequest] has the claims.
//
// What it returns takes the place of the application's claims, in the record and
// in the token; as in StartRequest nil means none. [ErrKeepClaims] keeps those
// that are there. After any other error, and for claims that no token can carry
// or that do not fit a cookie, the caller gets [ErrUnavailable] and nothing has
// changed: the client keeps what it holds and tries again. To go on with the old
// claims instead would let a right that was taken away live on unseen.
//
// It is called once for each token, and again only if another node has changed
// the session meanwhile. It must be fast, since other requests of the session wait
// for it, and safe for concurrent use; it must not refresh, reissue, step up or
// end the session that it is asked about. It sees no token.
//
// Claims that differ every time (a time stamp) cost a write at every refresh; the
// same ones cost none.
type ClaimsSource interface {
	Claims(ctx context.Context, s Session, data *Data) (any, error)
}

// ErrKeepClaims is returned by a [ClaimsSource] that has nothing new to say.
var ErrKeepClaims = errors.New("remuda: keep the claims")

// ClaimsFromData returns a source that takes the named claims from the keys of
// the same names in the session's data, and only from there; other claims stay.
// It panics if a name is none that a claim may have. A name that does not begin
// with an underscore is one that the client may write: no right may come of it.
func ClaimsFromData(names ...string) ClaimsSource {
	for _, name := range names {
		if !codec.AppName([]byte(name)) {
			panic(fmt.Sprintf("remuda: no claim can be called %q", name))
		}
	}
	return claimsFromData(slices.Clone(names))
}

type claimsFromData []string

// Claims implements [ClaimsSource].
func (names claimsFromData) Claims(_ context.Context, s Session, data *Data) (any, error) {
	claims := map[string]json.RawMessage{}
	if s.Claims != "" {
		if err := json.Unmarshal([]byte(s.Claims), &claims); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		delete(claims, name)
		if v, ok := data.values[name]; ok {
			claims[name] = v
		}
	}
	return claims, nil
}

// renewClaims puts the claims that the application makes now into a record, and
// reports whether they are others than before. Whoever then signs a token from
// the record also stores it, even if there is nothing else to store: so the
// record is never behind a token, and a later refresh whose claims are kept does
// not bring back older ones.
func (m *Manager) renewClaims(ctx context.Context, p *profile, r *record, now, expires time.Time) (bool, error) {
	if m.source == nil {
		return false, nil
	}
	claims, err := m.askClaims(ctx, r)
	if err != nil || claims == r.Claims {
		return false, err
	}
	r.Claims = claims
	// Signed before it is stored, as at login.
	g, err := m.grant(p, r, now, expires, false)
	if err == nil {
		err = m.checkIssued(p, &g)
	}
	if err != nil {
		return false, claimsUnavailable(err)
	}
	return true, nil
}

// askClaims returns what the source claims, encoded.
func (m *Manager) askClaims(ctx context.Context, r *record) (string, error) {
	kept, err := m.readData(ctx, r.ID)
	if err != nil {
		return "", err
	}
	v, err := m.source.Claims(ctx, r.session(), &kept.Data)
	if errors.Is(err, ErrKeepClaims) {
		return r.Claims, nil
	}
	if err != nil {
		return "", claimsUnavailable(err)
	}
	claims, err := encodeClaims(v)
	if err != nil {
		return "", claimsUnavailable(err)
	}
	return claims, nil
}

// claimsUnavailable hides which error it was: one of ours in it would be taken
// for an answer about the session or the request.
func claimsUnavailable(err error) error {
	return fmt.Errorf("%w: the application's claims: %s", ErrUnavailable, err.Error())
}

// Package remuda keeps the sessions of web applications, mobile apps and
// services on tokens.
//
// # What a session is
//
// A session is what lasts from a login until a logout or a deadline. It is one
// record in a [github.com/remuda-go/remuda/store.Store]. Its client holds a short-lived access token, shown
// with every request and checked by its signature, and a refresh token,
// exchanged for the next pair. Each exchange makes a new generation; the old
// refresh token is then good only for retries, so that a stolen one is noticed
// (see rotation.go).
//
// A [Profile] is the policy for one kind of client, on four axes: what the
// client holds ([Credential]), how it travels ([Transport]), how it is renewed
// ([Renewal]) and who is asked whether it lives ([Liveness]). [Web], [API],
// [Classic], [Stateless] and [Local] are ready to use; some of them hold one token
// instead of a pair, or keep no record.
//
// A [Manager] does everything. It knows nothing of HTTP; package web does. It
// knows no users: the application proves who somebody is and calls
// [Manager.Start].
//
// # What is defended
//
//   - A token is either exactly what we issued, under a key that we hold, or it
//     is [ErrTokenInvalid]. No algorithm is negotiated, and nothing in a token
//     is read before its signature is checked.
//   - A stolen refresh token ends its session once both parties have used it.
//   - Tabs that refresh at once, lost answers and crashes sign nobody out.
//   - What is stored works as no token: seeds are sealed under the key ring.
//   - A session that has ended never comes back. With liveness log its tokens
//     are refused on every node within [Config].MaxStaleness, although no node
//     asks anybody; with liveness store at once.
//
// What is not: whoever runs code in the user's browser can act while the page is
// open, and whoever holds a stolen access token can use it until it expires or
// the session ends.
//
// # Lifetimes
//
// Every session has an absolute lifetime, which nothing extends, and an idle
// one, which use extends. An access token lives for minutes and never longer
// than its session. All are durations of a profile.
//
// # Compatibility
//
// Before version 1 anything may change; the changelog says what did. Tokens and
// stored records carry the version of their layout.
package remuda

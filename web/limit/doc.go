// Package limit slows down the guessing of passwords: it wraps a
// [web.Authenticator] and refuses attempts for which there is no budget, before
// any password is hashed.
//
// An attempt needs a token from each of these buckets, asked in this order:
//
//   - one for the address: against one client that tries many accounts;
//   - one for the account over all addresses, unless that account has logged in
//     from this very address in the last 30 days: against many clients that try
//     one account;
//   - one for the account from this address: against one client that tries one
//     account.
//
// Only a failed attempt uses a token up. One under way holds it, so that many at
// once gain nothing; a success gives it back, so that an honest user or a whole
// office behind one address may log in as often as they like; an attempt that
// was refused or met an outage costs nothing. A success does not fill up what
// failures before it have used: whoever has an account of their own must not
// buy guesses with it.
//
// # What it does not do
//
// Nobody is ever locked out for good: budgets come back with time, and what
// others do elsewhere does not count at an address from which the user has
// logged in. Somebody who keeps failing from several addresses at once can
// delay the user's login from a new address for as long as that goes on; the
// price of leaving that out would be unbounded guessing by a botnet. From the
// user's own address, say an office, one can exhaust the user's budget there.
//
// Known and unknown accounts are treated alike, with one exception that a
// client can provoke: where it shares the address with the user, and has
// exhausted the account's budget from elsewhere, being let through tells it
// that the account has logged in there.
//
// Budgets are kept in the memory of this process. Each of several nodes has its
// own, and a restart forgets them. Names and addresses are kept as keyed
// hashes only. There are at most Config.MaxKeys buckets of each sort; beyond
// that the least used are forgotten and would start full, so somebody with more
// addresses than that can wash out budgets. An IPv6 client is counted by its
// /64; somebody who holds a /48 has 65,536 of those.
package limit

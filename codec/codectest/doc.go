// Package codectest is what the tests of everything that takes tokens share: the
// hostile variants of a token, and published test vectors.
//
// Every path that a token can come by (a codec, a header, a cookie, the refresh
// endpoint) refuses all of [Malformed], with one answer.
package codectest

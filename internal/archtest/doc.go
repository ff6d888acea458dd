// Package archtest keeps the architecture: which package may import which,
// what the library may require, and a few habits that a compiler does not
// check. The rules are tests; see rules_test.go for the list.
//
// The tests read and parse the files of the repository themselves. A test that
// asked the go command would be served from the test cache after the answer had
// changed; files that a test opens are part of the cache's key.
//
// A directory that does not exist breaks no rule; once it does, the rules hold
// for it.
package archtest

// Package webtest plays whole sessions over HTTP, for every kind of profile, over
// any store. A scenario is data: who sends what, after how long, and what comes of
// it in status, problem, cookies, body and events. Where a profile cannot do
// something, its scenario says what a client is told instead.
//
// The clock is that of a [testing/synctest] bubble. Days are leapt over as a
// suspended machine leaps over them, so that stores that poll need not poll
// through them. Only tests import this package.
package webtest

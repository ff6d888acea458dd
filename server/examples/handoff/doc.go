// Package handoff is a demo of the hand-off: an app on one host and a shop on
// another, where a user of the app comes to the shop signed in, without a
// password and without a cookie that both could read.
//
// On loopback the app is http://127.0.0.1 and the shop http://localhost, each on
// a port of its own: to a browser these are two sites. Both have a manager and
// handlers of their own, over one store and one key ring, as two servers would.
// What makes them an app and a shop is [sites]; the rest is the same for both.
package handoff

// Package handoff is the second site of the demo: a shop on another host, to which
// a user of the ponies comes signed in, without a password and without a cookie
// that both could read.
//
// On loopback the ponies are at http://127.0.0.1 and the shop is at
// http://localhost, each on a port of its own: to a browser these are two sites.
// Each is a whole server, over one store and one key ring. What makes one the
// source and the other the target is [Source] and [Target].
package handoff

// Package storetest checks a driver against the contract of package store.
//
// A driver's own test is one call of [Run], which plays these tiers:
//
//   - basic: every promise in the prose of package store, one named test each;
//   - concurrent: many callers on one record, where a missing comparison, a
//     lost update or a resurrected record shows;
//   - history: concurrent callers whose invocations and answers are recorded
//     and checked for linearizability against a model of the contract;
//   - log: the revocation log, where a driver has one: order, completeness, and
//     that its marks tell the truth.
//
// [Bench] measures a driver. Instants are arguments of the contract, so nothing
// here waits for time to pass, but for the heartbeats of a log.
//
// [Cut] and [CutLog] put a store or a log behind a line that a test can cut.
//
// The package imports testing and a linearizability checker: import it from
// tests only.
package storetest

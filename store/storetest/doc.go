// Package storetest checks a driver against the contract of package store.
//
// A driver's own test is one call of [Run], which plays three tiers:
//
//   - basic: every promise in the prose of package store, one named test each;
//   - concurrent: many callers on one record, where a missing comparison, a
//     lost update or a resurrected record shows;
//   - history: concurrent callers whose invocations and answers are recorded
//     and checked for linearizability against a model of the contract.
//
// [Bench] measures a driver. Instants are arguments of the contract, so nothing
// here waits for time to pass.
//
// The package imports testing and a linearizability checker: import it from
// tests only.
package storetest

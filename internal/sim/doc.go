// Package sim plays honest clients and thieves against the rotation of refresh
// tokens, and against four other rules that products use.
//
// A [World] is a queue of events in virtual time. An owner is one user's device:
// tabs on one cookie jar, a lossy network, a lid that closes. A thief holds a
// copy of the jar. A [Server] answers them: the real manager over several nodes
// and one store (ours), or a small machine (rival). Every session draws from its
// own seeded source, so a run is the same every time, and all rules are played
// against the same users.
//
// It must run inside a bubble of testing/synctest, since the manager writes
// first uses from a goroutine of its own: hence a test prints the report.
package sim

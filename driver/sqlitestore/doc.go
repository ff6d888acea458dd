// Package sqlitestore keeps sessions in one SQLite file.
//
// The file is in WAL mode and every acknowledged change is synced. One
// connection writes, a few read; several processes of one machine may share the
// file (not over a network file system). Writes that wait at the same time
// share one transaction and one sync, and each is answered when that has
// happened.
//
// The revocation log is a table in the same file. Those who follow it ask
// whether any process has committed: every 10 ms while somebody writes, eight times
// a second while, on Linux, the system says that nobody does. An append through the
// same [Store] wakes them at once.
//
// All who share the file run on one machine and read one clock, so the store
// offers none of its own ([store.Clock]).
//
// The package knows rows, versions and blobs. It decides nothing about a
// session, and it opens no file that it did not make.
package sqlitestore

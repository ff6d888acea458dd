// Package memstore keeps sessions in the memory of one process.
//
// It is the reference driver: one lock, maps and a list, nothing clever, so that the
// contract of package store can be read off it. It serves tests, demos and
// single processes whose sessions may end with them. Nothing survives the
// process, and no other process sees what it holds.
package memstore

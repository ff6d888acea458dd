//go:build !linux

package sqlitestore

// watchWrites returns nil: followers poll.
func watchWrites(string, func()) (stop func()) { return nil }

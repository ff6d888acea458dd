//go:build !linux

package sqlitestore_test

// systemRoles are the roles of a child that need this system's calls: none.
var systemRoles map[string]role

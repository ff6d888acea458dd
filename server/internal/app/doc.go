// Package app puts the server together: it opens the files, makes the manager
// and the HTTP handlers from a configuration, serves, and takes everything down
// again in the opposite order.
//
// It is the only package that knows which drivers exist.
package app

// Package cli is the command line: one file a command. Commands read flags and
// configuration, call package app, and print what came of it: results to
// standard output, everything else to standard error.
package cli

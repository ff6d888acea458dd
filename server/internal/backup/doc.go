// Package backup copies the files of an installation into a folder while it runs, and
// puts them back.
package backup

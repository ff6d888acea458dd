// Package directory keeps users and their passwords in one SQLite file, for the
// demo and for small installations.
//
// Passwords are hashed with Argon2id (RFC 9106) and stored as PHC strings. A
// login costs one Argon2 run whether the user exists or not, and only so many
// run at once. How often somebody may try is not decided here: wrap the
// directory with [github.com/remuda-go/remuda/web/limit].
//
// The file is in WAL mode, every acknowledged change is synced, and several
// processes of one machine may share it (not over a network file system). The
// package knows no sessions; whoever sets a password ends the user's sessions
// as well.
package directory

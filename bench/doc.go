// Package bench measures Remuda beside other libraries, in one run and over the
// same tokens. It is a module of its own, so that no user of Remuda ever
// downloads what it is compared with.
package bench

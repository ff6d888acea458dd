// Package oracle holds Remuda's codecs against other implementations: each reads
// what the other writes.
package oracle

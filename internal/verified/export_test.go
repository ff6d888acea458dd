package verified

import (
	"unsafe"

	"github.com/remuda-go/remuda/codec"
)

// Overhead is what an entry is said to take beside its texts, and what it takes.
func Overhead() (said, is int) { return overhead, int(unsafe.Sizeof(entry{})) }

// Is reports whether the entry of one token is taken for another's, wherever the
// hash may lead.
func Is(stored, token string) bool { return newEntry(stored, &codec.Claims{}).is(token) }

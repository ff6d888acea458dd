package web

import (
	"maps"
	"slices"
)

// CodeInfo is what is fixed for a code.
type CodeInfo struct {
	Code   Code
	Status int    // of HTTP
	Action Action // unless the answer says another
	Title  string
}

// Codes returns all codes, in the order of their names.
func Codes() []CodeInfo {
	list := make([]CodeInfo, 0, len(table))
	for _, c := range slices.Sorted(maps.Keys(table)) {
		list = append(list, CodeInfo{Code: c, Status: table[c].status, Action: table[c].action, Title: table[c].title})
	}
	return list
}

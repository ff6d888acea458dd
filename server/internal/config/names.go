package config

import (
	"slices"
	"strings"
)

// names are the settings by name.
type names map[string]Setting

func newNames() names {
	n := names{}
	for _, s := range Settings() {
		n[s.Name] = s
	}
	return n
}

func (n names) setting(name string) bool {
	_, ok := n[name]
	return ok
}

// section reports whether there are settings under a name.
func (n names) section(name string) bool {
	for known := range n {
		if strings.HasPrefix(known, name+".") {
			return true
		}
	}
	return false
}

// suggest returns "; did you mean …?" for the nearest name in the same section
// or, failing that, for the same name in another one; or nothing.
func (n names) suggest(name string) string {
	section, last := cut(name)
	var siblings, elsewhere []string
	for known := range n {
		for full := known; full != ""; {
			in, l := cut(full)
			switch {
			case in == section:
				siblings = append(siblings, l)
			case l == last:
				elsewhere = append(elsewhere, full)
			}
			full = in
		}
	}
	near := nearest(last, siblings)
	switch {
	case near != "" && section != "":
		near = section + "." + near
	case near == "" && len(elsewhere) > 0:
		near = slices.Min(elsewhere)
	}
	if near == "" {
		return ""
	}
	return "; did you mean " + near + "?"
}

// cut splits a name after its section: "log.level" into "log" and "level".
func cut(name string) (section, last string) {
	i := strings.LastIndexByte(name, '.')
	return name[:max(i, 0)], name[i+1:]
}

// nearest returns the name with the least edits, if they are few: one for each
// three characters, at least two. Of several equally near the first in the
// alphabet wins.
func nearest(name string, all []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, other := range all {
		if d := edits(name, other); d < least || d == least && best != "" && other < best {
			best, least = other, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// nested makes {"log": {"level": v}} of {"log.level": v}, as koanf wants it.
func nested(flat map[string]any) map[string]any {
	root := map[string]any{}
	for name, v := range flat {
		parts := strings.Split(name, ".")
		m := root
		for _, part := range parts[:len(parts)-1] {
			next, ok := m[part].(map[string]any)
			if !ok {
				next = map[string]any{}
				m[part] = next
			}
			m = next
		}
		m[parts[len(parts)-1]] = v
	}
	return root
}

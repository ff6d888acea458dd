package config

import (
	"slices"
	"strings"
)

// names are the settings that there are: those of the profiles too that a file
// declares.
type names struct {
	settings map[string]Setting
	sections map[string]bool   // names under which there are settings
	file     []string          // the profiles that are in the file, in its order
	declared map[string]Origin // the same, and where they are
}

func newNames() *names {
	n := &names{settings: map[string]Setting{}, sections: map[string]bool{}, declared: map[string]Origin{}}
	n.add(fixedSettings())
	for _, name := range presetNames {
		n.add(profileSettings(name))
	}
	return n
}

func (n *names) add(list []Setting) {
	for _, s := range list {
		n.settings[s.Name] = s
		for in, _ := cut(s.Name); in != "" && !n.sections[in]; in, _ = cut(in) {
			n.sections[in] = true
		}
	}
}

// declare notes a profile of the file, and makes its settings known.
func (n *names) declare(name string, at Origin) {
	n.add(profileSettings(name))
	n.file, n.declared[name] = append(n.file, name), at
}

// profiles are all that there can be: web and api, those of the file in its order,
// and the other ready ones.
func (n *names) profiles() []string {
	list := []string{"web", "api"}
	for _, name := range slices.Concat(n.file, presetNames) {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

func (n *names) setting(name string) bool {
	_, ok := n.settings[name]
	return ok
}

// section reports whether there are settings under a name.
func (n *names) section(name string) bool { return n.sections[name] }

// suggest returns "; did you mean …?" for the nearest name in the same section
// or, failing that, for the same name in another one; or nothing.
func (n *names) suggest(name string) string {
	section, last := cut(name)
	var siblings, elsewhere []string
	for known := range n.settings {
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
	return didYouMean(near)
}

func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return "; did you mean " + name + "?"
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

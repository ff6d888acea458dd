package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Origin is where a value comes from.
type Origin struct {
	File         string // with Line and Column
	Line, Column int
	Variable     string // of the environment
	Flag         string // with its dashes
}

// String is for people: "remuda.yaml:3:9", "REMUDA_LISTEN", "--listen", or ""
// for a default.
func (o Origin) String() string {
	switch {
	case o.File != "" && o.Line > 0:
		return fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Column)
	case o.File != "":
		return o.File
	case o.Variable != "":
		return o.Variable
	default:
		return o.Flag
	}
}

// Problem is one thing that is wrong.
type Problem struct {
	Setting string // its name; may be empty
	Origin  Origin
	Reason  string
}

// String is one line for people.
func (p Problem) String() string {
	parts := make([]string, 0, 3)
	for _, s := range []string{p.Origin.String(), p.Setting, p.Reason} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// Error lists everything that is wrong.
type Error struct {
	Problems []Problem
}

// Error lists the problems, one a line.
func (e *Error) Error() string {
	if len(e.Problems) == 1 {
		return "configuration: " + e.Problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "configuration: %d problems:", len(e.Problems))
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// FlagsOnly reports whether flags alone are to blame.
func (e *Error) FlagsOnly() bool {
	return !slices.ContainsFunc(e.Problems, func(p Problem) bool { return p.Origin.Flag == "" })
}

// problems collects everything that is wrong.
type problems struct {
	list []Problem
}

func (p *problems) add(setting string, o Origin, format string, args ...any) {
	p.list = append(p.list, Problem{Setting: setting, Origin: o, Reason: fmt.Sprintf(format, args...)})
}

// err returns the problems in the order of the file, then of the other sources.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b Problem) int {
		return cmp.Or(
			-cmp.Compare(a.Origin.File, b.Origin.File), // those with a file first
			cmp.Compare(a.Origin.Line, b.Origin.Line),
			cmp.Compare(a.Origin.Column, b.Origin.Column),
		)
	})
	return &Error{Problems: p.list}
}

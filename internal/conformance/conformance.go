// Package conformance writes docs/conformance.md: which requirement is proved by which
// test. A test names what it proves with
//
//	t.Attr("requirement", "JWT-3.1")
//
// and CI runs every test without leaving one out. What no test proves is in
// open.txt, with the reason.
package conformance

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

//go:embed requirements.json
var requirementsFile []byte

//go:embed open.txt
var openFile string

// Requirement is one thing that is asked.
type Requirement struct {
	ID     string `json:"id"`
	Source string `json:"source"`
	Level  string `json:"level"`
	Text   string `json:"requirement"`
}

// open is a requirement that no test proves.
type open struct {
	status, reason string
}

// The states of what no test proves.
const (
	notYet        = "not yet"
	notApplicable = "not applicable"
)

// Document returns docs/conformance.md for the repository at root, or an error that
// lists all that does not add up: an identifier that is unknown, proved and open, or
// neither.
func Document(root string) (string, error) {
	var all []Requirement
	if err := json.Unmarshal(requirementsFile, &all); err != nil {
		return "", err
	}
	rest, problems := readOpen(openFile)
	proved, err := proofs(root)
	if err != nil {
		return "", err
	}
	known := map[string]bool{}
	for _, r := range all {
		known[r.ID] = true
		_, isOpen := rest[r.ID]
		switch tests := proved[r.ID]; {
		case len(tests) > 0 && isOpen:
			problems = append(problems, fmt.Sprintf("%s is proved by %s, and in open.txt", r.ID, tests[0]))
		case len(tests) == 0 && !isOpen:
			problems = append(problems, r.ID+" is named by no test, and not in open.txt")
		}
	}
	for _, id := range slices.Concat(slices.Collect(maps.Keys(proved)), slices.Collect(maps.Keys(rest))) {
		if !known[id] {
			problems = append(problems, strconv.Quote(id)+" is no requirement")
		}
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return "", fmt.Errorf("conformance:\n%s", strings.Join(problems, "\n"))
	}
	return write(all, proved, rest), nil
}

// readOpen reads lines "status | reason", each followed by the identifiers that it is
// about, a line each.
func readOpen(text string) (map[string]open, []string) {
	rest := map[string]open{}
	var problems []string
	var group open
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		status, reason, isGroup := strings.Cut(line, " | ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case isGroup && (status == notYet || status == notApplicable):
			group = open{status, reason}
		case group.reason == "" || isGroup:
			problems = append(problems, fmt.Sprintf("open.txt:%d: %q has no status", n+1, line))
		default:
			if _, twice := rest[line]; twice {
				problems = append(problems, fmt.Sprintf("open.txt:%d: %s is there twice", n+1, line))
			}
			rest[line] = group
		}
	}
	return rest, problems
}

// proofs finds the tests that name a requirement, by its identifier.
func proofs(root string) (map[string][]string, error) {
	found := map[string][]string{}
	files := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path) //nolint:gosec // our own sources
		if err != nil || !strings.Contains(string(text), `"requirement"`) {
			return err
		}
		file, err := parser.ParseFile(files, path, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		return proofsIn(file, filepath.ToSlash(dir), found)
	})
	return found, err
}

func proofsIn(file *ast.File, dir string, found map[string][]string) error {
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") {
			continue
		}
		var failed error
		ast.Inspect(f.Body, func(n ast.Node) bool {
			id, ok, err := attr(n)
			if err != nil {
				failed = fmt.Errorf("conformance: %s.%s: %w", dir, f.Name.Name, err)
			}
			if test := strings.TrimPrefix(dir+"."+f.Name.Name, "."); ok && !slices.Contains(found[id], test) {
				found[id] = append(found[id], strings.TrimPrefix(test, "."))
			}
			return true
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}

// attr returns the identifier of a call t.Attr("requirement", "…").
func attr(n ast.Node) (id string, ok bool, err error) {
	call, isCall := n.(*ast.CallExpr)
	if !isCall || len(call.Args) != 2 {
		return "", false, nil
	}
	fun, isMethod := call.Fun.(*ast.SelectorExpr)
	key, isText := call.Args[0].(*ast.BasicLit)
	if !isMethod || fun.Sel.Name != "Attr" || !isText || key.Value != `"requirement"` {
		return "", false, nil
	}
	value, isText := call.Args[1].(*ast.BasicLit)
	if !isText || value.Kind != token.STRING {
		return "", false, errors.New("a requirement is named by a literal")
	}
	id, err = strconv.Unquote(value.Value)
	return id, err == nil, err
}

const head = `# Conformance: what is asked, and which test proves it

Standards for sessions and tokens, and the mistakes that others have made, in our own
words. *Proved by* names a test that fails when it stops being true; CI runs all of them,
and leaves none out. *Not yet* is planned or wanted; *not applicable* is not ours to do, or
is about something that does not exist here. Made by ` + "`make conformance`" + ` from the tests
themselves.

| | |
| --- | --- |
`

func write(all []Requirement, proved map[string][]string, rest map[string]open) string {
	count := map[string]int{}
	for _, r := range all {
		if len(proved[r.ID]) > 0 {
			count["proved"]++
		} else {
			count[rest[r.ID].status]++
		}
	}
	var b strings.Builder
	b.WriteString(head)
	for _, status := range []string{"proved", notYet, notApplicable} {
		fmt.Fprintf(&b, "| %s | %d |\n", status, count[status])
	}
	section := ""
	for _, r := range all {
		if s := family(r.ID); s != section {
			section = s
			fmt.Fprintf(&b, "\n## %s\n\n| id | source, level | asks | status |\n| --- | --- | --- | --- |\n", s)
		}
		status := fmt.Sprintf("%s: %s", rest[r.ID].status, rest[r.ID].reason)
		if tests := proved[r.ID]; len(tests) > 0 {
			slices.Sort(tests)
			status = "proved by `" + strings.Join(tests, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| %s | %s, %s | %s | %s |\n", cell(r.ID), cell(r.Source), cell(r.Level), cell(r.Text), cell(status))
	}
	return b.String()
}

// family is the heading of an identifier.
func family(id string) string {
	for _, f := range []struct{ prefix, name string }{
		{"ASVS-", "OWASP ASVS 5.0"},
		{"BUG ", "Mistakes of others"},
		{"NIST-", "NIST SP 800-63B-4"},
		{"DPOP-", "DPoP"},
		{"DBSC-", "Device-bound sessions"},
		{"PAS-", "PASETO"},
		{"CK-", "Cookies"},
		{"SSF-", "Shared signals"},
		{"BCL-", "Back-channel logout"},
	} {
		if strings.HasPrefix(id, f.prefix) {
			return f.name
		}
	}
	return "Tokens, OAuth, and the rest"
}

func cell(s string) string { return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(s) }

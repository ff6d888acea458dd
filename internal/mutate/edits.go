package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
)

// machine is the file that is broken, table the one whose tests must notice.
const (
	machine = "rotation.go"
	table   = "rotation_test.go"
)

// equivalent are the changes that change nothing, with the reason. The key is
// what [editor.replace] makes.
var equivalent = map[string]string{
	"derive: 16 → 17":                    "the conversion to a mark takes the first 16 bytes of a longer slice",
	"later: b.After(a) → !b.Before(a)":   "of two equal instants either may be returned",
	"earlier: b.Before(a) → !b.After(a)": "likewise",
}

// edit replaces the bytes [from, to) of a source.
type edit struct {
	from, to int
	text     string
}

// editor collects the edits of one file.
type editor struct {
	source string
	fset   *token.FileSet
	where  string // the function
	edits  []edit
	names  []string
	keys   []string
}

// singleChanges returns every mutant of the state machine.
func singleChanges(root string) ([]mutant, error) {
	text, err := os.ReadFile(filepath.Join(root, machine))
	if err != nil {
		return nil, err
	}
	e := &editor{source: string(text), fset: token.NewFileSet()}
	file, err := parser.ParseFile(e.fset, machine, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, d := range file.Decls {
		e.where = "const"
		if f, ok := d.(*ast.FuncDecl); ok {
			e.where = f.Name.Name
		}
		ast.Inspect(d, func(n ast.Node) bool { e.visit(n); return true })
	}
	alone, err := otherTests(root)
	if err != nil {
		return nil, err
	}
	var mutants []mutant
	for i, ed := range e.edits {
		files := map[string]string{machine: e.source[:ed.from] + ed.text + e.source[ed.to:]}
		for _, path := range alone {
			files[path] = ""
		}
		mutants = append(mutants, mutant{name: e.names[i], files: files, run: ".", ok: equivalent[e.keys[i]]})
	}
	return mutants, nil
}

// otherTests are the test files that are put away, so that a mutant builds fast.
func otherTests(root string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(root, "*_test.go"))
	var names []string
	for _, p := range paths {
		if name := filepath.Base(p); name != table {
			names = append(names, name)
		}
	}
	return names, err
}

// swapped are the operators and names that are exchanged.
var swapped = map[string][]string{
	"==": {"!="}, "!=": {"=="},
	"<": {"<=", ">="}, "<=": {"<", ">"}, ">": {">=", "<="}, ">=": {">", "<"},
	"&&": {"||"}, "||": {"&&"}, "+": {"-"}, "-": {"+"},
	"true": {"false"}, "false": {"true"}, "min": {"max"}, "max": {"min"},
	"earlier": {"later"}, "later": {"earlier"},
}

func (e *editor) visit(n ast.Node) {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		for _, op := range swapped[n.Op.String()] {
			e.replace(n, n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), op)
		}
		if n.Op == token.LAND || n.Op == token.LOR {
			e.replace(n, n.Pos(), n.End(), e.text(n.X))
			e.replace(n, n.Pos(), n.End(), e.text(n.Y))
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT || n.Op == token.SUB {
			e.replace(n, n.Pos(), n.End(), e.text(n.X))
		}
	case *ast.Ident:
		for _, name := range swapped[n.Name] {
			e.replace(n, n.Pos(), n.End(), name)
		}
	case *ast.BasicLit:
		if v, err := strconv.Atoi(n.Value); err == nil {
			e.replace(n, n.Pos(), n.End(), strconv.Itoa(v+1))
			e.replace(n, n.Pos(), n.End(), strconv.Itoa(v-1))
		}
	case *ast.IncDecStmt:
		e.replace(n, n.Pos(), n.End(), "_ = "+e.text(n.X))
		e.replace(n, n.TokPos, n.End(), map[token.Token]string{token.INC: "--", token.DEC: "++"}[n.Tok])
	case *ast.AssignStmt:
		if n.Tok == token.ASSIGN {
			for _, to := range n.Lhs {
				e.replace(n, to.Pos(), to.End(), "_")
			}
		}
	case *ast.IfStmt:
		e.replace(n.Cond, n.Cond.Pos(), n.Cond.End(), "!("+e.text(n.Cond)+")")
	case *ast.CaseClause:
		for _, c := range n.List {
			e.replace(c, c.Pos(), c.End(), "!("+e.text(c)+")") // of a number: does not compile
		}
	case *ast.CallExpr:
		e.visitCall(n)
	}
}

// visitCall moves a comparison of instants by one instant.
func (e *editor) visitCall(n *ast.CallExpr) {
	s, ok := n.Fun.(*ast.SelectorExpr)
	if !ok || len(n.Args) != 1 {
		return
	}
	if other := map[string]string{"Before": "After", "After": "Before"}[s.Sel.Name]; other != "" {
		e.replace(n, n.Pos(), n.End(), fmt.Sprintf("!%s.%s(%s)", e.text(s.X), other, e.text(n.Args[0])))
	}
}

// replace notes an edit inside the node n, which names it.
func (e *editor) replace(n ast.Node, from, to token.Pos, text string) {
	ed := edit{e.offset(from), e.offset(to), text}
	start, end := e.offset(n.Pos()), e.offset(n.End())
	old := e.source[start:end]
	changed := e.source[start:ed.from] + text + e.source[ed.to:end]
	e.edits = append(e.edits, ed)
	e.names = append(e.names, fmt.Sprintf("%s:%d %s: %s → %s", machine, e.fset.Position(n.Pos()).Line, e.where, old, changed))
	e.keys = append(e.keys, fmt.Sprintf("%s: %s → %s", e.where, old, changed))
}

func (e *editor) text(n ast.Node) string { return e.source[e.offset(n.Pos()):e.offset(n.End())] }

func (e *editor) offset(p token.Pos) int { return e.fset.Position(p).Offset }

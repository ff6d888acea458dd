package archtest_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// library is the path of the library's module; the other modules' paths begin
// with it, and their directories with what follows it.
const library = "github.com/remuda-go/remuda"

// tree is a repository, parsed.
type tree struct {
	fsys  fs.FS
	files []*source
	mods  map[string]goMod // by path of the go.mod
}

// source is one Go file.
type source struct {
	path    string // in the repository, with slashes
	dir     string // "." for the root
	test    bool   // its name ends in _test.go
	ast     *ast.File
	fset    *token.FileSet
	imports []string
}

// goMod is what a go.mod says that is of interest here.
type goMod struct {
	requires []string // the direct ones
	replaced []string // the targets of replace directives
}

// load reads and parses the Go files and go.mods of a repository. As the go
// command does, it leaves out testdata and names that begin with a dot or an
// underscore.
func load(fsys fs.FS) (*tree, error) {
	t := &tree{fsys: fsys, mods: map[string]goMod{}}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		hidden := name != "." && strings.ContainsAny(base[:1], "._")
		switch {
		case d.IsDir():
			if hidden || base == "testdata" || base == "node_modules" || base == "vendor" {
				return fs.SkipDir
			}
		case base == "go.mod":
			return t.addMod(name)
		case path.Ext(name) == ".go" && !hidden:
			return t.addSource(name)
		}
		return nil
	})
	return t, err
}

func (t *tree) addSource(name string) error {
	text, err := fs.ReadFile(t.fsys, name)
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	s := &source{path: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), ast: file, fset: fset}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.imports = append(s.imports, imported)
	}
	t.files = append(t.files, s)
	return nil
}

func (t *tree) addMod(name string) error {
	text, err := fs.ReadFile(t.fsys, name)
	if err != nil {
		return err
	}
	t.mods[name] = parseMod(text)
	return nil
}

// parseMod reads the require and replace directives, in blocks or alone.
func parseMod(text []byte) goMod {
	var m goMod
	block := ""
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line, comment, _ := strings.Cut(lines.Text(), "//")
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
			continue
		case block != "" && words[0] == ")":
			block = ""
			continue
		case block == "" && words[len(words)-1] == "(":
			block = words[0]
			continue
		case block != "":
			words = append([]string{block}, words...)
		}
		switch words[0] {
		case "require":
			if len(words) > 1 && strings.TrimSpace(comment) != "indirect" {
				m.requires = append(m.requires, words[1])
			}
		case "replace":
			if _, target, ok := strings.Cut(strings.Join(words, " "), "=> "); ok {
				m.replaced = append(m.replaced, target)
			}
		}
	}
	return m
}

// lines counts the lines of a file; a file that is not there has none.
func (t *tree) lines(name string) (int, error) {
	text, err := fs.ReadFile(t.fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	n := bytes.Count(text, []byte("\n"))
	if len(text) > 0 && text[len(text)-1] != '\n' {
		n++
	}
	return n, err
}

// in reports whether the file lies in the directory or, if that ends in "/...",
// anywhere below it.
func (s *source) in(dir string) bool {
	base, deep := strings.CutSuffix(dir, "/...")
	return s.dir == base || deep && strings.HasPrefix(s.dir, base+"/")
}

func (s *source) inAny(dirs []string) bool {
	return slices.ContainsFunc(dirs, s.in)
}

// at returns where a node of the file is.
func (s *source) at(n ast.Node) string { return s.fset.Position(n.Pos()).String() }

// nameOf returns the name by which the file knows an imported package, "" if it
// does not import it.
func (s *source) nameOf(pkg string) string {
	for i, spec := range s.ast.Imports {
		if s.imports[i] != pkg {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(pkg)
	}
	return ""
}

// isStd reports whether an import is of the standard library: its first element
// has no dot.
func isStd(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".") && imported != "C"
}

// under reports whether an import is pkg or below it.
func under(imported, pkg string) bool {
	return imported == pkg || strings.HasPrefix(imported, pkg+"/")
}

// local returns the directory of an imported package of this project.
func local(imported string) (dir string, ok bool) {
	if imported == library {
		return ".", true
	}
	return strings.CutPrefix(imported, library+"/")
}

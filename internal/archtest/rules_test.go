package archtest_test

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

// rule is one thing that holds for the whole repository.
type rule struct {
	name  string
	check func(t *tree) (violations []string, err error)
}

// contracts are the packages that say what an implementation promises.
var contracts = []string{"store", "codec", "event"}

// implementations are the packages behind the contracts. What stands below one
// of them belongs to it.
var implementations = []string{
	"store/*", "codec/*", "event/*", "binding/*", "driver/*",
	"keyring", "revocation",
}

// sharedHelpers are what implementations may share: they know nobody.
var sharedHelpers = []string{"internal/jose", "internal/mac", "internal/payload", "internal/steady", "internal/verified", "driver/internal"}

// timeless are the packages that are told the time.
var timeless = []string{".", "keyring/...", "web/...", "revocation/...", "store", "store/memstore", "codec", "codec/jwt", "codec/paseto", "codec/opaque"}

// support are the packages of the library that are only ever linked into tests.
var support = []string{"store/storetest/...", "codec/codectest/...", "web/webtest/...", "internal/steady/steadytest/..."}

// libraryRequires are the direct requirements that the library may have: the
// first for everybody, the others for tests.
var (
	libraryRequires = []string{
		"golang.org/x/crypto",
		"golang.org/x/time",
		"github.com/go-jose/go-jose/v4",
		"github.com/go-json-experiment/json",
		"github.com/maypok86/otter/v2",
		"github.com/mileusna/useragent",
	}
	testRequires = []string{
		"github.com/anishathalye/porcupine",
		"pgregory.net/rapid",
		"github.com/google/go-cmp",
		"go.uber.org/goleak",
	}
)

// primitives are the cryptography that code may use: what NIST and BSI approve, and
// what PASETO and password hashing want. There is no MD5, SHA-1, DES or RC4 in it.
var primitives = []string{
	"crypto", "crypto/aes", "crypto/cipher", "crypto/ecdsa", "crypto/ed25519", "crypto/elliptic",
	"crypto/hkdf", "crypto/hmac", "crypto/rand", "crypto/sha256", "crypto/subtle", "crypto/tls", "crypto/x509",
	"crypto/rsa", // keys of others
	"golang.org/x/crypto/argon2", "golang.org/x/crypto/blake2b", "golang.org/x/crypto/chacha20",
}

// guessable are the files that draw from math/rand: pauses, jitter, and games. Nothing
// that somebody must not guess is made there.
var guessable = []string{
	"manager.go", "start.go", "keyring/rotate.go", "revocation/follow.go",
	"driver/sqlitestore/migrate.go", "server/internal/directory/migrate.go",
}

// weakModes are functions of crypto/cipher that encrypt without authenticating.
var weakModes = []string{"NewCBCEncrypter", "NewCBCDecrypter", "NewCFBEncrypter", "NewCFBDecrypter", "NewOFB"}

// lineLimits are the files that stay short.
var lineLimits = map[string]int{
	"ARCHITECTURE.md":           60,
	"server/cmd/remuda/main.go": 25,
}

var rules = []rule{
	{"contracts import only the standard library", imports(func(s *source, imported string) bool {
		return slices.Contains(contracts, s.dir) &&
			(!isStd(imported) || under(imported, "net/http") || under(imported, "database/sql"))
	})},
	{"the root package knows no transport, no backend and no store", imports(func(s *source, imported string) bool {
		dir, ok := local(imported)
		return s.dir == "." && (under(imported, "net/http") || under(imported, "database/sql") ||
			ok && (strings.HasPrefix(dir, "store/") || under(dir, "driver") || under(dir, "web")))
	})},
	{"an implementation imports contracts, and no other implementation", imports(func(s *source, imported string) bool {
		own := implementationOf(s.dir)
		dir, ok := local(imported)
		return own != "" && ok && !slices.Contains(contracts, dir) && implementationOf(dir) != own && !isHelper(dir)
	})},
	{"a shared helper imports nothing of the project but contracts and helpers", imports(func(s *source, imported string) bool {
		dir, ok := local(imported)
		return isHelper(s.dir) && ok && !slices.Contains(contracts, dir) && !isHelper(dir)
	})},
	{"only server/internal/app knows which drivers exist", imports(func(s *source, imported string) bool {
		dir, ok := local(imported)
		if !ok || s.in("server/internal/app") || s.in("driver/...") || s.in("bench/...") {
			return false
		}
		return under(dir, "driver") || s.in("server/...") && under(dir, "store/memstore")
	})},
	{"only internal/jose imports go-jose", imports(func(s *source, imported string) bool {
		return strings.HasPrefix(imported, "github.com/go-jose/") && !s.in("internal/jose/...") && !s.in("bench/...")
	})},
	{"what is for tests is imported by tests", imports(func(s *source, imported string) bool {
		for _, module := range testRequires {
			if under(imported, module) {
				return !s.in("bench/...") && !(s.in("store/storetest/...") && module == "github.com/anishathalye/porcupine")
			}
		}
		return false
	})},
	{"test support is imported by tests", imports(func(s *source, imported string) bool {
		dir, ok := local(imported)
		return ok && (&source{dir: dir}).inAny(support) && !s.inAny(support) && !s.in("bench/...")
	})},
	{"the library requires only what was chosen", checkRequires},
	{"replace directives lead to our own modules", checkReplaces},
	{"cryptography is what was chosen", imports(func(s *source, imported string) bool {
		return (under(imported, "crypto") || under(imported, "golang.org/x/crypto")) && !slices.Contains(primitives, imported)
	})},
	{"no mode encrypts without authenticating", calls(func(s *source, n ast.Node) bool {
		f, ok := n.(*ast.SelectorExpr)
		if !ok || !slices.Contains(weakModes, f.Sel.Name) {
			return false
		}
		pkg, ok := f.X.(*ast.Ident)
		return ok && pkg.Name == s.nameOf("crypto/cipher")
	})},
	{"what nobody must guess is not drawn from math/rand", imports(func(s *source, imported string) bool {
		return under(imported, "math/rand") && !slices.Contains(guessable, s.path) &&
			!s.in("internal/sim/...") && !s.in("store/storetest/...") && !s.in("bench/...")
	})},
	{"there is no init function", calls(func(_ *source, n ast.Node) bool {
		f, ok := n.(*ast.FuncDecl)
		return ok && f.Recv == nil && f.Name.Name == "init"
	})},
	{"who is told the time does not ask for it", calls(asksTime)},
	{"sinks have nothing to say", calls(func(s *source, n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		return ok && s.in("event") && spec.Name.Name == "Sink" && hasResults(spec.Type)
	})},
	{"main.go and ARCHITECTURE.md stay short", checkLines},
}

// imports makes a rule about each import of each file that is not a test.
func imports(forbidden func(s *source, imported string) bool) func(*tree) ([]string, error) {
	return func(t *tree) (violations []string, _ error) {
		for _, s := range t.files {
			for i, imported := range s.imports {
				if !s.test && forbidden(s, imported) {
					violations = append(violations, fmt.Sprintf("%s: import of %s", s.at(s.ast.Imports[i]), imported))
				}
			}
		}
		return violations, nil
	}
}

// calls makes a rule about each node of each file that is not a test.
func calls(forbidden func(s *source, n ast.Node) bool) func(*tree) ([]string, error) {
	return func(t *tree) (violations []string, _ error) {
		for _, s := range t.files {
			if s.test {
				continue
			}
			ast.Inspect(s.ast, func(n ast.Node) bool {
				if n != nil && forbidden(s, n) {
					violations = append(violations, s.at(n))
				}
				return true
			})
		}
		return violations, nil
	}
}

// implementationOf returns which implementation a directory belongs to: its
// topmost directory, or "".
func implementationOf(dir string) string {
	for _, pattern := range implementations {
		depth := strings.Count(pattern, "/") + 1
		elements := strings.Split(dir, "/")
		if len(elements) < depth {
			continue
		}
		top := strings.Join(elements[:depth], "/")
		if ok, err := path.Match(pattern, top); ok && err == nil && !isHelper(top) {
			return top
		}
	}
	return ""
}

func isHelper(dir string) bool {
	return slices.ContainsFunc(sharedHelpers, func(helper string) bool { return under(dir, helper) })
}

// asksTime reports whether a node calls time.Now, or what calls it. The function
// as a value, a documented default, is no call.
func asksTime(s *source, n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok || !s.inAny(timeless) || s.inAny(support) {
		return false
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"Now", "Since", "Until"}, f.Sel.Name) {
		return false
	}
	pkg, ok := f.X.(*ast.Ident)
	return ok && pkg.Name == s.nameOf("time")
}

func hasResults(typ ast.Expr) bool {
	iface, ok := typ.(*ast.InterfaceType)
	if !ok {
		return true // not the interface that it was
	}
	return slices.ContainsFunc(iface.Methods.List, func(m *ast.Field) bool {
		f, ok := m.Type.(*ast.FuncType)
		return !ok || f.Results != nil
	})
}

func checkRequires(t *tree) (violations []string, _ error) {
	for _, module := range t.mods["go.mod"].requires {
		if !slices.Contains(libraryRequires, module) && !slices.Contains(testRequires, module) {
			violations = append(violations, "go.mod: "+module)
		}
	}
	return violations, nil
}

func checkReplaces(t *tree) (violations []string, _ error) {
	for name, mod := range t.mods {
		for _, target := range mod.replaced {
			_, ours := t.mods[path.Join(path.Dir(name), target, "go.mod")]
			if !ours {
				violations = append(violations, name+": "+target)
			}
		}
	}
	return violations, nil
}

func checkLines(t *tree) (violations []string, _ error) {
	for name, limit := range lineLimits {
		n, err := t.lines(name)
		if err != nil {
			return nil, err
		}
		if n > limit {
			violations = append(violations, fmt.Sprintf("%s: %d lines are more than %d", name, n, limit))
		}
	}
	return violations, nil
}

package archtest_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestArchitecture holds the repository against every rule.
func TestArchitecture(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-15.2.3")
	t.Attr("requirement", "ASVS-6.5.3")
	t.Attr("requirement", "ASVS-11.3.1")
	t.Attr("requirement", "ASVS-11.3.2")
	t.Attr("requirement", "ASVS-11.4.1")
	t.Attr("requirement", "ASVS-11.4.3")
	t.Attr("requirement", "ASVS-11.5.1")
	t.Attr("requirement", "NIST-2")
	t.Attr("requirement", "BUG CVE-2024-52801")
	t.Attr("requirement", "BUG CVE-2025-66565")
	repo, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := repo.mods["go.mod"]; !ok || len(repo.files) == 0 {
		t.Fatal("nothing was read: is this the repository?")
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for _, v := range violations(t, r, repo) {
				t.Error(v)
			}
		})
	}
}

// planted are repositories that break, or nearly break, one rule each.
var planted = map[string][]struct {
	name  string
	files map[string]string
	want  []string // where violations are found; none: it is allowed
}{
	"contracts import only the standard library": {
		{"a module", src("store/store.go", `import "golang.org/x/crypto/hkdf"`), []string{"store/store.go:2"}},
		{"another contract", src("event/event.go", `import "github.com/remuda-go/remuda/store"`), []string{"event/event.go:2"}},
		{"net/http", src("codec/codec.go", `import "net/http/httptrace"`), []string{"codec/codec.go:2"}},
		{"database/sql", src("store/more.go", `import _ "database/sql"`), []string{"store/more.go:2"}},
		{"cgo", src("store/more.go", `import "C"`), []string{"store/more.go:2"}},
		{"the standard library", src("store/store.go", `import "net/netip"`), nil},
		{"its tests", src("store/store_test.go", `import "pgregory.net/rapid"`), nil},
		{"below it", src("store/x/x.go", `import "net/http"`), nil},
	},
	"the root package knows no transport, no backend and no store": {
		{"net/http", src("manager.go", `import "net/http"`), []string{"manager.go:2"}},
		{"database/sql", src("manager.go", `import "database/sql/driver"`), []string{"manager.go:2"}},
		{"a driver", src("manager.go", `import "github.com/remuda-go/remuda/driver/sqlitestore"`), []string{"manager.go:2"}},
		{"the reference driver", src("manager.go", `import "github.com/remuda-go/remuda/store/memstore"`), []string{"manager.go:2"}},
		{"the contract", src("manager.go", `import "github.com/remuda-go/remuda/store"`), nil},
		{"its tests", src("manager_test.go", `import "github.com/remuda-go/remuda/store/memstore"`), nil},
	},
	"an implementation imports contracts, and no other implementation": {
		{"another", src("store/memstore/memstore.go", `import "github.com/remuda-go/remuda/keyring"`), []string{"store/memstore/memstore.go:2"}},
		{"its sibling", src("driver/pgstore/x.go", `import "github.com/remuda-go/remuda/driver/sqlitestore"`), []string{"driver/pgstore/x.go:2"}},
		{"from below", src("codec/jwt/internal/x/x.go", `import "github.com/remuda-go/remuda/codec/paseto"`), []string{"codec/jwt/internal/x/x.go:2"}},
		{"the root", src("keyring/ring.go", `import "github.com/remuda-go/remuda"`), []string{"keyring/ring.go:2"}},
		{"web", src("binding/dpop/dpop.go", `import "github.com/remuda-go/remuda/web"`), []string{"binding/dpop/dpop.go:2"}},
		{"an unknown internal package", src("revocation/x.go", `import "github.com/remuda-go/remuda/internal/sim"`), []string{"revocation/x.go:2"}},
		{"its contract", src("keyring/ring.go", `import "github.com/remuda-go/remuda/codec"`), nil},
		{"its own parts", src("driver/pgstore/x.go", `import "github.com/remuda-go/remuda/driver/pgstore/internal/rows"`), nil},
		{"a helper", src("keyring/ring.go", `import "github.com/remuda-go/remuda/internal/mac"`), nil},
		{"web is none", src("web/web.go", `import "github.com/remuda-go/remuda"`), nil},
	},
	"a shared helper imports nothing of the project but contracts and helpers": {
		{"the root", src("internal/jose/jose.go", `import "github.com/remuda-go/remuda"`), []string{"internal/jose/jose.go:2"}},
		{"an implementation", src("driver/internal/x/x.go", `import "github.com/remuda-go/remuda/driver/pgstore"`), []string{"driver/internal/x/x.go:2"}},
		{"a contract", src("driver/internal/x/x.go", `import "github.com/remuda-go/remuda/store"`), nil},
	},
	"only server/internal/app knows which drivers exist": {
		{"the rest of the server", src("server/internal/cli/run.go", `import "github.com/remuda-go/remuda/driver/sqlitestore"`), []string{"server/internal/cli/run.go:2"}},
		{"below the app", src("server/internal/app/x/x.go", `import "github.com/remuda-go/remuda/driver/sqlitestore"`), []string{"server/internal/app/x/x.go:2"}},
		{"the library", src("web/web.go", `import "github.com/remuda-go/remuda/driver/sqlitestore"`), []string{"web/web.go:2"}},
		{"the reference driver in the server", src("server/internal/demo/x.go", `import "github.com/remuda-go/remuda/store/memstore"`), []string{"server/internal/demo/x.go:2"}},
		{"the app", src("server/internal/app/app.go", `import "github.com/remuda-go/remuda/driver/sqlitestore"`), nil},
		{"a test", src("server/internal/cli/run_test.go", `import "github.com/remuda-go/remuda/driver/sqlitestore"`), nil},
		{"the reference driver in the library", src("internal/sim/sim.go", `import "github.com/remuda-go/remuda/store/memstore"`), nil},
	},
	"only internal/jose imports go-jose": {
		{"another package", src("binding/dpop/dpop.go", `import "github.com/go-jose/go-jose/v4/jwt"`), []string{"binding/dpop/dpop.go:2"}},
		{"the server", src("server/admin/x.go", `import "github.com/go-jose/go-jose/v4"`), []string{"server/admin/x.go:2"}},
		{"internal/jose", src("internal/jose/jose.go", `import "github.com/go-jose/go-jose/v4"`), nil},
	},
	"what is for tests is imported by tests": {
		{"porcupine", src("store/memstore/x.go", `import "github.com/anishathalye/porcupine"`), []string{"store/memstore/x.go:2"}},
		{"rapid", src("store/storetest/x.go", `import "pgregory.net/rapid"`), []string{"store/storetest/x.go:2"}},
		{"go-cmp", src("web/webtest/x.go", `import "github.com/google/go-cmp/cmp"`), []string{"web/webtest/x.go:2"}},
		{"goleak", src("server/internal/app/x.go", `import "go.uber.org/goleak"`), []string{"server/internal/app/x.go:2"}},
		{"porcupine in storetest", src("store/storetest/x.go", `import "github.com/anishathalye/porcupine"`), nil},
		{"tests", src("store/memstore/x_test.go", `import "pgregory.net/rapid"`), nil},
	},
	"test support is imported by tests": {
		{"the server", src("server/internal/demo/x.go", `import "github.com/remuda-go/remuda/web/webtest"`), []string{"server/internal/demo/x.go:2"}},
		{"a driver", src("driver/pgstore/x.go", `import "github.com/remuda-go/remuda/store/storetest"`), []string{"driver/pgstore/x.go:2"}},
		{"tests", src("driver/pgstore/x_test.go", `import "github.com/remuda-go/remuda/store/storetest"`), nil},
		{"other test support", src("web/webtest/x.go", `import "github.com/remuda-go/remuda/codec/codectest"`), nil},
	},
	"the library requires only what was chosen": {
		{"in a block", text("go.mod", "module m\n\nrequire (\n\tgolang.org/x/crypto v0.58.0\n\tgithub.com/jackc/pgx/v5 v5.12.0\n)\n"), []string{"go.mod: github.com/jackc/pgx/v5"}},
		{"alone", text("go.mod", "module m\nrequire github.com/stretchr/testify v1.12.1 // for tests\n"), []string{"go.mod: github.com/stretchr/testify"}},
		{"another major version", text("go.mod", "module m\nrequire github.com/maypok86/otter v1.0.0\n"), []string{"go.mod: github.com/maypok86/otter"}},
		{"indirectly", text("go.mod", "module m\nrequire (\n\tgolang.org/x/sys v0.40.0 // indirect\n)\n"), nil},
		{"the drivers", text("driver/go.mod", "module m/driver\nrequire github.com/jackc/pgx/v5 v5.12.0\n"), nil},
	},
	"replace directives lead to our own modules": {
		{"a fork", text("driver/go.mod", "module m/driver\nreplace example.org/x => example.org/y v1.0.0\n"), []string{"driver/go.mod: example.org/y v1.0.0"}},
		{"a folder outside", text("go.mod", "module m\nreplace (\n\texample.org/x v1.0.0 => ../x\n)\n"), []string{"go.mod: ../x"}},
		{"a sibling", map[string]string{"go.mod": "module m\n", "driver/go.mod": "module m/driver\nreplace m => ../\n"}, nil},
	},
	"cryptography is what was chosen": {
		{"MD5", src("web/x.go", `import "crypto/md5"`), []string{"web/x.go:2"}},
		{"SHA-1", src("server/internal/app/x.go", `import "crypto/sha1"`), []string{"server/internal/app/x.go:2"}},
		{"bcrypt", src("server/internal/directory/x.go", `import "golang.org/x/crypto/bcrypt"`), []string{"server/internal/directory/x.go:2"}},
		{"SHA-256", src("web/x.go", `import "crypto/sha256"`), nil},
	},
	"no mode encrypts without authenticating": {
		{"CBC", src("keyring/x.go", "import \"crypto/cipher\"\nvar x = cipher.NewCBCEncrypter"), []string{"keyring/x.go:3"}},
		{"GCM", src("keyring/x.go", "import \"crypto/cipher\"\nvar x = cipher.NewGCM"), nil},
	},
	"what nobody must guess is not drawn from math/rand": {
		{"a token", src("token.go", `import "math/rand/v2"`), []string{"token.go:2"}},
		{"the first version", src("web/x.go", `import "math/rand"`), []string{"web/x.go:2"}},
		{"jitter", src("start.go", `import "math/rand/v2"`), nil},
	},
	"there is no init function": {
		{"in the library", src("profile.go", "func init() {}"), []string{"profile.go:2"}},
		{"in the server", src("server/internal/config/x.go", "func init() {}"), []string{"server/internal/config/x.go:2"}},
		{"a method", src("profile.go", "type t int\nfunc (t) init() {}"), nil},
		{"a test", src("profile_test.go", "func init() {}"), nil},
	},
	"who is told the time does not ask for it": {
		{"Now in the root", src("manager.go", "import \"time\"\nvar x = time.Now()"), []string{"manager.go:3"}},
		{"under another name", src("keyring/ring.go", "import clock \"time\"\nvar x = clock.Now().UTC()"), []string{"keyring/ring.go:3"}},
		{"Since", src("web/limit/limit.go", "import \"time\"\nfunc f(t time.Time) any { return time.Since(t) }"), []string{"web/limit/limit.go:3"}},
		{"a default", src("config.go", "import \"time\"\nvar c = Config{Now: time.Now}"), nil},
		{"another Now", src("config.go", "type c struct{ Now func() int }\nfunc (time c) f() { time.Now() }"), nil},
		{"the server", src("server/internal/app/x.go", "import \"time\"\nvar x = time.Now()"), nil},
		{"test support", src("web/webtest/x.go", "import \"time\"\nvar x = time.Now()"), nil},
		{"a test", src("manager_test.go", "import \"time\"\nvar x = time.Now()"), nil},
	},
	"sinks have nothing to say": {
		{"an error", src("event/event.go", "type Sink interface { Emit(e int) error }"), []string{"event/event.go:2"}},
		{"embedded", src("event/event.go", "type Sink interface { Emit(e int); Other }"), []string{"event/event.go:2"}},
		{"nothing", src("event/event.go", "type Sink interface { Emit(e int) }"), nil},
	},
	"main.go and ARCHITECTURE.md stay short": {
		{"main.go", text("server/cmd/remuda/main.go", "package main\n"+strings.Repeat("\n", 25)), []string{"server/cmd/remuda/main.go: 26"}},
		{"ARCHITECTURE.md", text("ARCHITECTURE.md", strings.Repeat("x\n", 60)+"x"), []string{"ARCHITECTURE.md: 61"}},
		{"as long as they may be", text("ARCHITECTURE.md", strings.Repeat("x\n", 60)), nil},
	},
}

// TestRules plants violations and sees each rule find its own, and nothing in
// what only looks like one.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, r := range rules {
		if len(planted[r.name]) == 0 {
			t.Errorf("nothing is planted for the rule that %s", r.name)
		}
		for _, c := range planted[r.name] {
			t.Run(r.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				fsys := fstest.MapFS{}
				for name, content := range c.files {
					fsys[name] = &fstest.MapFile{Data: []byte(content)}
				}
				repo, err := load(fsys)
				if err != nil {
					t.Fatal(err)
				}
				got := violations(t, r, repo)
				if len(got) != len(c.want) {
					t.Fatalf("got %q, want %q", got, c.want)
				}
				for i, want := range c.want {
					if !strings.HasPrefix(got[i], want) {
						t.Errorf("got %q, want %q", got[i], want)
					}
				}
			})
		}
	}
	if len(planted) != len(rules) {
		t.Errorf("%d rules are planted for, and there are %d: %q", len(planted), len(rules), slices.Sorted(maps.Keys(planted)))
	}
}

func violations(t *testing.T, r rule, repo *tree) []string {
	t.Helper()
	got, err := r.check(repo)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	return got
}

// src is a repository of one Go file.
func src(name, body string) map[string]string {
	return text(name, "package p\n"+body+"\n")
}

// text is a repository of one file.
func text(name, content string) map[string]string {
	return map[string]string{name: content}
}

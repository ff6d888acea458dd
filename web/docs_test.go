package web_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestHandOffRecipe: what the document shows is compiled, since it stands in an
// example.
func TestHandOffRecipe(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	unindented := func(s string) string { return strings.ReplaceAll(s, "\t", "") }
	code := unindented(read("example_handoff_test.go"))
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read("../docs/hand-off.md"), -1)
	if len(blocks) != 4 {
		t.Errorf("%d blocks of Go", len(blocks))
	}
	for _, b := range blocks {
		if !strings.Contains(code, unindented(b[1])) {
			t.Errorf("this is not in the example:\n%s", b[1])
		}
	}
}

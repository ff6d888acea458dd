package cli_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/remuda-go/remuda/server/internal/cli"
	"github.com/remuda-go/remuda/web"
)

// run runs a command line, and returns what it prints and its exit code.
func run(args ...string) (out, errs string, code int) {
	var stdout, stderr bytes.Buffer
	code = cli.Main(args, strings.NewReader(""), &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}

// Every code that a client can meet is explained, and listed.
func TestExplain(t *testing.T) {
	t.Parallel()
	list, _, code := run("explain")
	if code != 0 {
		t.Fatalf("exit %d", code)
	}
	for _, c := range web.Codes() {
		if !strings.Contains(list, string(c.Code)+" ") {
			t.Errorf("%s is not listed", c.Code)
		}
		out, errs, code := run("explain", string(c.Code))
		head, text, _ := strings.Cut(out, "\n\n")
		if code != 0 || !strings.HasPrefix(head, string(c.Code)+" (") || len(text) < 40 {
			t.Errorf("%s is not explained: exit %d, %q, %q", c.Code, code, out, errs)
		}
	}
	if _, errs, code := run("explain", "no_such_code"); code != 2 || !strings.Contains(errs, "no_such_code") {
		t.Errorf("an unknown code: exit %d, %q", code, errs)
	}
}

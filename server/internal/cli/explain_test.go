package cli_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/server/internal/cli"
	"github.com/remuda-go/remuda/server/internal/refusals"
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

// The document lists every reason that is not a code as well, and no other.
func TestReasonsInDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/explain.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| | reasons |")
	table, _, _ = strings.Cut(table, "\n\n")
	var listed, want []string
	for i, name := range strings.Split(table, "`") {
		if i%2 == 1 {
			listed = append(listed, name)
		}
	}
	for _, why := range web.Reasons() {
		if !slices.ContainsFunc(web.Codes(), func(c web.CodeInfo) bool { return string(c.Code) == string(why) }) {
			want = append(want, string(why))
		}
	}
	slices.Sort(listed)
	if !slices.Equal(listed, want) {
		t.Errorf("listed are\n%q, and there are\n%q", listed, want)
	}
}

// Every reason that a refusal can have is explained, as text and as JSON.
func TestExplainRequest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k, err := refusals.Open(t.Context(), refusals.Config{
		Path: filepath.Join(dir, "refusals.db"), Keep: time.Hour, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[remuda.Reason]string{}
	for i, why := range web.Reasons() {
		ids[why] = strings.Repeat("A", 24) + string([]rune{rune('A' + i/26), rune('A' + i%26)})
		k.Add(refusals.NewEntry(&web.Refusal{
			RequestID: ids[why], Time: time.Now(), Code: web.CodeTokenInvalid, Status: 401, Action: web.ActionLogin,
			Steps: []web.Step{{Reason: why, Facts: []slog.Attr{
				slog.Duration("by", time.Minute), slog.Int64("gen", 7), slog.Bool("refresh_cookie", true), slog.Time("expired", time.Unix(0, 0)),
			}}},
		}, "GET", "/x"))
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	for why, id := range ids {
		out, errs, code := run("explain", id, "--data", dir)
		_, text, _ := strings.Cut(out, "\n1. "+string(why)+"\n   by             1m0s\n   expired        1970-01-01T00:00:00Z\n   gen            7\n   refresh_cookie true\n   ")
		text, _, _ = strings.Cut(text, "\n")
		if code != 0 || len(text) < 20 {
			t.Errorf("%s is not explained: exit %d, %q, %q", why, code, out, errs)
		}
		out, _, code = run("explain", id, "--data", dir, "--json")
		if code != 0 || !strings.Contains(out, `"reason": "`+string(why)+`"`) || !strings.Contains(out, `"by": "1m0s"`) || !strings.Contains(out, `"gen": 7`) {
			t.Errorf("%s as JSON: exit %d, %q", why, code, out)
		}
	}
}

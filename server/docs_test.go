package server_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var fence = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

// blocks returns the fenced blocks of one language in a document.
func blocks(t *testing.T, file, language string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			list = append(list, m[2])
		}
	}
	return list
}

// Every command of the README does what it says.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	demo := serve(t, "demo", "--listen", "127.0.0.1:0", "--password", "correct horse")
	var curls strings.Builder
	var setUp, ask string
	for _, block := range blocks(t, "../README.md", "sh") {
		switch {
		case strings.HasPrefix(block, "make "):
			dryRun(t, strings.Fields(block)[1])
		case strings.Contains(block, "remuda serve"):
			setUp = block
		case strings.Contains(block, "a long password"):
			ask = block
		case strings.Contains(block, "curl "):
			curls.WriteString(block)
		default:
			t.Errorf("nobody tries this block:\n%s", block)
		}
	}
	serveBlock(t, path, setUp, ask)
	script := strings.ReplaceAll(curls.String(), "http://127.0.0.1:8080", demo.base)
	answers := jsonLines(t, bash(t, t.TempDir(), script))
	if len(answers) != 6 {
		t.Fatalf("%d answers to six requests", len(answers))
	}
	for i, member := range []string{"csrf_token", "csrf_token", "breed", "refresh_token", "access_token", "breed"} {
		if _, ok := answers[i][member]; !ok {
			t.Errorf("answer %d has no %s: %v", i+1, member, answers[i])
		}
	}
	if err := demo.stop(); err != nil {
		t.Error(err)
	}
}

// dryRun sees to it that make knows a target.
func dryRun(t *testing.T, target string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "make", "-C", "..", "-n", target).CombinedOutput(); err != nil {
		t.Errorf("make %s: %v: %s", target, err, out)
	}
}

// serveBlock types the lines that set a server up, but for the last, which would
// listen, then starts it for real and asks it.
func serveBlock(t *testing.T, binary, block, ask string) {
	t.Helper()
	dir := t.TempDir()
	lines := strings.Split(strings.TrimSpace(block), "\n")
	setUp := strings.ReplaceAll(strings.Join(lines[:len(lines)-1], "\n"), "remuda ", binary+" ")
	bash(t, dir, setUp)
	args := append(strings.Fields(lines[len(lines)-1])[1:], "--listen", "127.0.0.1:0")
	for i, a := range args {
		if a == "remuda.yaml" {
			args[i] = filepath.Join(dir, a)
		}
	}
	p := serve(t, args...)
	answers := jsonLines(t, bash(t, dir, strings.ReplaceAll(ask, "http://127.0.0.1:8080", p.base)))
	if len(answers) != 1 || answers[0]["access_token"] == nil {
		t.Errorf("a login beside the server: %v", answers)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
}

func bash(t *testing.T, dir, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = dir
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s%s", err, script, out, errs.String())
	}
	return string(out)
}

func jsonLines(t *testing.T, text string) []map[string]any {
	t.Helper()
	var list []map[string]any
	for line := range strings.Lines(text) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Errorf("not JSON: %s", line)
			continue
		}
		list = append(list, m)
	}
	return list
}

// Every Go snippet of a document stands, but for its indentation, in a program
// that is run as a test, or in an example that is compiled.
func TestSnippets(t *testing.T) {
	t.Parallel()
	programs := trimmed(readAll(t, "../*_test.go", "../web/*_test.go", "examples/*/*.go"))
	for _, file := range documents(t) {
		for _, block := range blocks(t, file, "go") {
			if !strings.Contains(programs, trimmed(block)) {
				t.Errorf("%s: in no program:\n%s", file, block)
			}
		}
	}
}

// Every command of a document but the README's, which are tried above, is run by
// a script.
func TestCommands(t *testing.T) {
	t.Parallel()
	scripts := readAll(t, "testdata/script/*.txtar")
	for _, file := range documents(t) {
		if file == "../README.md" || file == "../CONTRIBUTING.md" {
			continue
		}
		for _, block := range blocks(t, file, "sh") {
			for command := range strings.Lines(block) {
				if !strings.Contains(scripts, strings.TrimSpace(command)) {
					t.Errorf("%s: in no script: %s", file, command)
				}
			}
		}
	}
}

// documents are all that people read.
func documents(t *testing.T) []string {
	t.Helper()
	return glob(t, "../*.md", "../docs/*.md", "../docs/*/*.md")
}

func glob(t *testing.T, patterns ...string) (files []string) {
	t.Helper()
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

func readAll(t *testing.T, patterns ...string) string {
	t.Helper()
	var all strings.Builder
	for _, file := range glob(t, patterns...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// trimmed takes the indentation off.
func trimmed(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

var (
	link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	code = regexp.MustCompile("(?ms)^```.*?^```$|`[^`\n]*`") // where Go has what looks like a link
)

// No document points to a file that is not there.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

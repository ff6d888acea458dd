// Package examples_test drives pages of the demo as a visitor finds them.
package examples_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/remuda-go/remuda/server/examples/internal/browsertest"
)

var saysOpen = regexp.MustCompile(`^Now open (http://\S+) in a browser`)

// oneDemo keeps two browsers with a demo each from slowing each other down.
var oneDemo sync.Mutex

// demo builds the program, runs its demo, and returns where that is.
func demo(t *testing.T, flags ...string) string {
	t.Helper()
	oneDemo.Lock()
	t.Cleanup(oneDemo.Unlock) // when it has ended
	binary := filepath.Join(t.TempDir(), "remuda")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../cmd/remuda").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, append([]string{"demo", "--listen", "127.0.0.1:0"}, flags...)...)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait(); _ = w.Close() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		if err := <-ended; err != nil {
			t.Errorf("the demo: %v", err)
		}
	})
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if m := saysOpen.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, r) }() // what it says later
			return m[1]
		}
	}
	t.Fatal("the demo does not say where it is")
	return ""
}

// A visitor comes from the ponies, presses the one button by the keyboard, and sees
// all cells of all columns filled.
func TestComparisonPage(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	tab := b.Person(t, demo(t))
	tab.Click(`a[href="/compare"]`)
	tab.WaitFor(`document.querySelector("h1").textContent === "Five kinds of session"`)
	if n := browsertest.Eval[int](tab, `document.querySelectorAll("td.measured").length`); n < 50 {
		t.Fatalf("%d cells to measure", n)
	}
	if text := browsertest.Eval[string](tab, `Array.from(document.querySelectorAll("td.measured"), (c) => c.textContent).join("")`); text != "" {
		t.Errorf("something is claimed before it is measured: %q", text)
	}
	tab.Do(chromedp.Focus(chromedp.CSS("#measure")), chromedp.KeyEvent("\r"))
	tab.Until("all is measured", func() bool {
		return browsertest.Eval[string](tab, `document.getElementById("status").textContent`) == "All five are measured."
	})
	if empty := browsertest.Eval[string](tab, `Array.from(document.querySelectorAll("td.measured")).filter((c) => !c.textContent).map((c) => c.id).join(" ")`); empty != "" {
		t.Errorf("these cells are empty: %s", empty)
	}
	for id, want := range map[string]string{
		"web-lookups": "0 lookups in 300 requests", "classic-lookups": "300 lookups in 300 requests", "local-lookups": "0 lookups in 300 requests",
		"classic-on-b": "at once", "stateless-logout": "nothing", "local-login": "nothing",
	} {
		if got := browsertest.Eval[string](tab, fmt.Sprintf(`document.getElementById(%q).textContent`, id)); got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
	// Whoever does not see the page hears which column and row a cell belongs to.
	if bad := browsertest.Eval[int](tab, `document.querySelectorAll("table th:not([scope])").length`); bad != 0 {
		t.Errorf("%d heads say neither row nor column", bad)
	}
	if where := browsertest.Eval[string](tab, `document.activeElement.id`); where != "measure" {
		t.Errorf("the focus has gone to %q", where)
	}
}

// Command mutate checks the tests of rotation: it breaks the state machine in
// one place at a time and wants a test to go red each time. Run it by
// scripts/mutate.
//
//	mutate            every single change of rotation.go that edits.go knows,
//	                  against the tables in rotation_test.go
//	mutate -planted   the hand-written bugs in planted.go, each against the
//	                  tests that are named there
//
// The sources are not touched: the go command is given an overlay.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// mutant is one broken copy of some files.
type mutant struct {
	name  string            // what was changed, and where
	files map[string]string // path in the repository: text; empty: the file is away
	run   string            // the tests to run

	property bool   // the property tests are among them
	ok       string // why it need not be caught; empty: it must
}

// outcome is what the tests said of a mutant.
type outcome struct {
	caught bool
	tests  []string // the top-level tests that failed
	broken bool     // it does not compile, so it says nothing
	output string
}

func main() {
	planted := flag.Bool("planted", false, "run the hand-written bugs")
	only := flag.String("only", "", "run the mutants whose names contain this")
	verbose := flag.Bool("v", false, "list all mutants, not only those that survive")
	flag.Parse()
	if err := run(*planted, *verbose, *only); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(planted, verbose bool, only string) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	mutants, err := singleChanges(root)
	if planted {
		mutants, err = plantedBugs(root)
	}
	if err != nil {
		return err
	}
	mutants = slices.DeleteFunc(mutants, func(m mutant) bool { return !strings.Contains(m.name, only) })
	// What is red or does not compile unbroken would let every mutant pass for
	// caught.
	if o := runOne(root, mutant{run: "."}); o.caught {
		return fmt.Errorf("the tests fail before anything is broken:\n%s", o.output)
	}
	killed, excused, broken, survivors := 0, 0, 0, 0
	for i, o := range runAll(root, mutants) {
		m := mutants[i]
		switch {
		case o.broken && !planted:
			broken++
			if verbose {
				fmt.Printf("does not compile %s\n", m.name)
			}
		case o.broken:
			survivors++
			fmt.Printf("DOES NOT COMPILE %s\n%s", m.name, o.output)
		case o.caught:
			killed++
			if m.ok != "" {
				fmt.Printf("caught, though excused: %s\n", m.name)
			}
			if verbose || planted {
				fmt.Printf("caught %s: %s\n", m.name, strings.Join(o.tests, ", "))
			}
		case m.ok != "":
			excused++
			if verbose {
				fmt.Printf("excused %s: %s\n", m.name, m.ok)
			}
		default:
			survivors++
			fmt.Printf("SURVIVES %s\n", m.name)
		}
	}
	fmt.Printf("%d mutants: %d caught, %d equivalent, %d do not compile, %d survive\n", len(mutants), killed, excused, broken, survivors)
	if survivors > 0 {
		return fmt.Errorf("%d mutants survive", survivors)
	}
	return nil
}

// runAll runs the mutants, as many at once as there are processors.
func runAll(root string, mutants []mutant) []outcome {
	outcomes := make([]outcome, len(mutants))
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, m := range mutants {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			outcomes[i] = runOne(root, m)
		})
	}
	wg.Wait()
	return outcomes
}

func runOne(root string, m mutant) outcome {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return outcome{broken: true, output: err.Error()}
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := writeOverlay(root, dir, m.files)
	if err != nil {
		return outcome{broken: true, output: err.Error()}
	}
	args := []string{"test", "-overlay", overlay, "-vet=off", "-count=1", "-timeout=120s", "-run", m.run, "."}
	if m.property {
		args = append(args, "-rapid.nofailfile") // what a broken copy fails on is no regression
	}
	cmd := exec.Command("go", args...) //nolint:gosec,noctx // our own arguments; -timeout bounds it
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	o := outcome{caught: err != nil, output: string(out)}
	o.broken = bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]"))
	for line := range strings.Lines(o.output) {
		if name, ok := strings.CutPrefix(line, "--- FAIL: "); ok {
			o.tests = append(o.tests, strings.Fields(name)[0])
		}
	}
	return o
}

// writeOverlay writes the files and the overlay that names them.
func writeOverlay(root, dir string, files map[string]string) (string, error) {
	replace := map[string]string{}
	for path, text := range files {
		to := ""
		if text != "" {
			to = filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
			if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
				return "", err
			}
		}
		replace[filepath.Join(root, path)] = to
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, text, 0o600)
}

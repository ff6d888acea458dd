package sim_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda/internal/sim"
)

var (
	sessionsFlag = flag.Int("sim.sessions", 500, "sessions a case")
	seedFlag     = flag.Uint64("sim.seed", 1, "the seed")
	outFlag      = flag.String("sim.out", "", "the directory that the report goes to; none if empty")
)

// sessions is how many a case has: fewer where tests are to be fast, or are slow.
func sessions() int {
	if testing.Short() || raceEnabled {
		return min(*sessionsFlag, 15)
	}
	return *sessionsFlag
}

// playOurs plays a case against the real manager in a bubble of virtual time.
func playOurs(t *testing.T, c *sim.Case, seed uint64, n int) (r sim.Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		// What the managers do at an instant comes before the clients.
		if r, err = sim.PlayOurs(t.Context(), c, seed, n, synctest.Wait); err != nil {
			t.Fatal(err)
		}
	})
	return r
}

// TestSimulation holds our rule to its promises, and with -sim.out writes the
// report on all rules.
func TestSimulation(t *testing.T) {
	t.Parallel()
	n, cases := sessions(), sim.Cases()
	report := sim.Report{Seed: *seedFlag, Sessions: n, Rows: make([]sim.Row, len(cases))}
	t.Cleanup(func() {
		if *outFlag != "" {
			write(t, "rotation-simulation.md", report.Markdown)
			write(t, "rotation-simulation.svg", report.SVG)
		}
	})
	for i, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			ours := playOurs(t, &c, *seedFlag, c.Sessions(n))
			t.Logf("%d refreshes; %d of %d signed out; of %d thieves %d ended, %d refused",
				ours.Refreshes, ours.Out, ours.Sessions, ours.Thieves, ours.Ended, ours.Refused)
			if text := c.Broken(&ours); text != "" {
				t.Error(text)
			}
			report.Rows[i] = sim.Row{Case: c, Results: []sim.Result{ours}}
			if *outFlag != "" {
				report.Rows[i].Results = append(report.Rows[i].Results, rivals(&c, n)...)
			}
		})
	}
}

// rivals plays a case against the other rules.
func rivals(c *sim.Case, n int) (results []sim.Result) {
	for _, rule := range sim.Rules()[1:] {
		results = append(results, sim.PlayRule(rule, c, *seedFlag, c.RivalSessions(n)))
	}
	return results
}

func write(t *testing.T, name string, to func(io.Writer) error) {
	t.Helper()
	var b bytes.Buffer
	if err := to(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*outFlag, name), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestSameSeed plays every kind of case twice: the results are the same to the
// nanosecond.
func TestSameSeed(t *testing.T) {
	t.Parallel()
	for _, c := range sim.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			first, second := playOurs(t, &c, 7, 10), playOurs(t, &c, 7, 10)
			if !reflect.DeepEqual(first, second) {
				t.Errorf("%+v, then %+v", first, second)
			}
		})
	}
}

// TestRivals checks that the other rules are what they are said to be.
func TestRivals(t *testing.T) {
	t.Parallel()
	one := sim.Case{Name: "rivals", Rounds: 20, Tabs: [2]int{1, 1}, Flight: time.Second, Wait: 10 * time.Second}
	tabs, behind := one, one
	tabs.Tabs = [2]int{4, 4}
	behind.Thief = &sim.Plan{Move: sim.MoveBehind, From: 2 * time.Minute, To: 5 * time.Minute}
	for i, want := range []struct{ tabsOut, thiefOut bool }{{true, true}, {true, true}, {false, true}, {true, false}} {
		rule := sim.Rules()[1+i]
		t.Run(rule.Name, func(t *testing.T) {
			t.Parallel()
			const n = 200
			if r := sim.PlayRule(rule, &one, 1, n); r.Out != 0 {
				t.Errorf("one tab on a perfect network: %d signed out", r.Out)
			}
			if r := sim.PlayRule(rule, &tabs, 1, n); r.Out > 0 != want.tabsOut {
				t.Errorf("four tabs: %d signed out", r.Out)
			}
			if r := sim.PlayRule(rule, &behind, 1, n); r.Caught() == r.Thieves != want.thiefOut {
				t.Errorf("of %d thieves who are minutes behind %d are out", r.Thieves, r.Caught())
			}
		})
	}
}

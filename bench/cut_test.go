package bench_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/driver/sqlitestore"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/storetest"
)

var cutOut = flag.String("cut.out", "", "the directory that the picture of a cut goes to; a short cut and no picture if empty")

// cutPlan is when the log of node B falls silent and comes back, in a run of the
// whole length.
type cutPlan struct {
	bound, cut, mended, end time.Duration
}

// TestCut ends sessions on node A, one after the other, over one SQLite file, and
// measures until node B refuses each. In between B's line to the log falls silent.
// No session is accepted longer than the bound after it was ended, and B needs
// neither a restart nor help.
func TestCut(t *testing.T) {
	plan := cutPlan{bound: 500 * time.Millisecond, cut: 500 * time.Millisecond, mended: 2 * time.Second, end: 3 * time.Second}
	if *cutOut != "" {
		plan = cutPlan{bound: 2 * time.Second, cut: 4 * time.Second, mended: 10 * time.Second, end: 14 * time.Second}
	}
	a, b, line := cutNodes(t, plan.bound)
	r := playCut(t, plan, a, b, line)
	for _, e := range r.endings {
		// The poll may come a little late on a busy machine.
		if late := 250 * time.Millisecond; e.took > plan.bound+late {
			t.Errorf("ended at %v, refused after %v", e.at, e.took)
		}
	}
	t.Logf("%d endings; p50 %v outside of the cut, at most %v in it", len(r.endings), r.median(plan), r.worst())
	if *cutOut != "" {
		if err := os.WriteFile(filepath.Join(*cutOut, "revocation-cut.svg"), r.svg(plan), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// cutNodes are two nodes on one file, the second behind a line that can be cut.
func cutNodes(t *testing.T, bound time.Duration) (a, b *remuda.Manager, line *storetest.Cutter) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sessions.db")
	keys, err := keyring.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	open := func(wrap func(store.Store) store.Store) *remuda.Manager {
		s, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		p := remuda.API()
		p.MaxSessions = 0
		m, err := remuda.New(t.Context(), remuda.Config{
			Store: wrap(s), Keys: keys, Issuer: "https://app.example", Profiles: []remuda.Profile{p}, MaxStaleness: bound,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			m.Close(t.Context())
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return m
	}
	a = open(func(s store.Store) store.Store { return s })
	b = open(func(s store.Store) store.Store { line = storetest.Cut(s); return line })
	return a, b, line
}

// ending is one session that was ended: when, and until B refused it.
type ending struct{ at, took time.Duration }

type cutRun struct {
	endings  []ending
	degraded []span // when B judged by asking the store
}

type span struct{ from, to time.Duration }

// playCut ends a session every 40 ms.
func playCut(t *testing.T, plan cutPlan, a, b *remuda.Manager, line *storetest.Cutter) cutRun {
	t.Helper()
	var (
		r       cutRun
		waiting = map[string]time.Duration{} // by access token
		start   = time.Now()
		next    time.Duration
		cut     bool
	)
	now := func() time.Duration { return time.Since(start) }
	for now() < plan.end || len(waiting) > 0 {
		if due := now() >= plan.cut && now() < plan.mended; due != cut {
			cut = due
			if cut {
				line.Silence()
			} else {
				line.Restore()
			}
		}
		if now() >= next && now() < plan.end {
			next = now() + 40*time.Millisecond
			g, err := a.Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: "alice"})
			if err != nil {
				t.Fatal(err)
			}
			if err := a.End(t.Context(), remuda.EndRequest{Session: g.Session.ID}); err != nil {
				t.Fatal(err)
			}
			waiting[g.Access.Reveal()] = now()
		}
		r.note(b.Stats().Log.Degraded, now())
		for token, at := range waiting {
			_, err := b.Authenticate(t.Context(), remuda.AuthenticateRequest{Token: token, Transport: remuda.Bearer})
			switch {
			case errors.Is(err, remuda.ErrSessionEnded):
				r.endings = append(r.endings, ending{at, now() - at})
				delete(waiting, token)
			case err != nil:
				t.Fatal(err)
			case now()-at > 10*time.Second:
				t.Fatal("never refused")
			}
		}
	}
	return r
}

// note extends the last degraded span, or begins one.
func (r *cutRun) note(degraded bool, at time.Duration) {
	n := len(r.degraded)
	switch {
	case !degraded:
		if n > 0 && r.degraded[n-1].to == 0 {
			r.degraded[n-1].to = at
		}
	case n == 0 || r.degraded[n-1].to != 0:
		r.degraded = append(r.degraded, span{from: at})
	}
}

func (r *cutRun) worst() time.Duration {
	var worst time.Duration
	for _, e := range r.endings {
		worst = max(worst, e.took)
	}
	return worst
}

func (r *cutRun) median(plan cutPlan) time.Duration {
	var took []time.Duration
	for _, e := range r.endings {
		if e.at < plan.cut-50*time.Millisecond || e.at > plan.mended {
			took = append(took, e.took)
		}
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// Sizes of the picture.
const (
	cutWidth, cutHeight = 860, 360
	cutLeft, cutTop     = 70, 50
	cutRight, cutBottom = 20, 50
)

// svg draws each ending as a point: when it was, and how long B took. The scale
// of the latter is logarithmic, from 100 µs to 10 s.
func (r *cutRun) svg(plan cutPlan) []byte {
	var b bytes.Buffer
	x := func(at time.Duration) float64 {
		return cutLeft + at.Seconds()/plan.end.Seconds()*(cutWidth-cutLeft-cutRight)
	}
	y := func(took time.Duration) float64 {
		decades := math.Log10(max(took.Seconds(), 1e-4)/1e-4) / 5
		return cutHeight - cutBottom - decades*(cutHeight-cutTop-cutBottom)
	}
	text := func(px, py float64, anchor, s string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="#1f2328">%s</text>`+"\n", px, py, anchor, s)
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img" aria-label="How long after its end a session was accepted by another node, through a cut of the revocation log" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%%" height="100%%" fill="#ffffff"/>
`, cutWidth, cutHeight)
	band := func(s span, colour, label string) {
		fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", x(s.from), cutTop, x(s.to)-x(s.from), cutHeight-cutTop-cutBottom, colour)
		text(x(s.from)+4, cutTop+14, "start", label)
	}
	band(span{plan.cut, plan.mended}, "#fff1d6", "log silent")
	for _, s := range r.degraded {
		if s.to == 0 {
			s.to = plan.end
		}
		if s.to-s.from > 100*time.Millisecond {
			band(s, "#ffdcd2", "degraded: the store is asked")
		}
	}
	for _, took := range []time.Duration{100 * time.Microsecond, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second} {
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%[3]f" stroke="#d0d7de"/>`+"\n", cutLeft, cutWidth-cutRight, y(took))
		text(cutLeft-6, y(took)+4, "end", strings.ReplaceAll(took.String(), "µ", "&#181;"))
	}
	fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%[3]f" stroke="#cf222e" stroke-dasharray="5 3"/>`+"\n", cutLeft, cutWidth-cutRight, y(plan.bound))
	text(cutWidth-cutRight-4, y(plan.bound)-5, "end", fmt.Sprintf("the bound: %v", plan.bound))
	for _, e := range r.endings {
		fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="#0969da" fill-opacity="0.7"/>`+"\n", x(e.at), y(e.took))
	}
	for s := time.Duration(0); s <= plan.end; s += 2 * time.Second {
		text(x(s), cutHeight-cutBottom+18, "middle", s.String())
	}
	text(cutWidth/2, cutHeight-8, "middle", "when End returned on node A")
	text(cutLeft, 24, "start", "How long node B went on accepting a session that node A had ended, over one SQLite file")
	b.WriteString("</svg>\n")
	return b.Bytes()
}

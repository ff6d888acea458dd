package storetest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/storetest"
)

// TestCutKeepsTheContract plays the log's tier through a line that is whole.
func TestCutKeepsTheContract(t *testing.T) {
	t.Parallel()
	h := storetest.Harness{
		New:      func(testing.TB) store.Store { return storetest.Cut(newBroken("")) },
		Features: storetest.Features{Items: true, Erase: true, Log: true, Settles: true},
	}
	for _, c := range storetest.Checks(h) {
		if c.Tier == "log" {
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				c.Run(t)
			})
		}
	}
}

// heard is what a follower behind a line was given, and when.
type heard struct {
	entries int
	mark    time.Time
	err     error
	at      time.Time
}

// listen follows a log in the background until it fails.
func listen(ctx context.Context, l store.Log) <-chan heard {
	all := make(chan heard, 1000)
	go func() {
		defer close(all)
		for b, err := range l.Follow(ctx, "", time.Now) {
			all <- heard{len(b.Entries), b.AsOf, err, time.Now()}
		}
	}()
	return all
}

func drain(all <-chan heard) (got []heard) {
	synctest.Wait()
	for {
		select {
		case h, ok := <-all:
			if !ok {
				return got
			}
			got = append(got, h)
		default:
			return got
		}
	}
}

func entry() store.Entry { return store.Entry{ID: store.ID{1}, Scope: store.ScopeEverything} }

// onLine plays with a line in a bubble, whose follower has heard that the log is
// empty.
func onLine(t *testing.T, play func(t *testing.T, line *storetest.CutLog, all <-chan heard)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		line := storetest.NewCutLog(newBroken(""))
		ctx, cancel := context.WithCancel(t.Context())
		all := listen(ctx, line)
		if got := drain(all); len(got) != 1 || got[0].entries != 0 || got[0].err != nil {
			t.Fatalf("at first the follower heard %+v", got)
		}
		play(t, line, all)
		cancel()
		synctest.Wait()
		for range all { // until it has ended
		}
	})
}

func add(t *testing.T, l store.Log) {
	t.Helper()
	if err := l.Append(t.Context(), entry()); err != nil {
		t.Fatal(err)
	}
}

func TestCutFails(t *testing.T) {
	t.Parallel()
	onLine(t, func(t *testing.T, line *storetest.CutLog, all <-chan heard) {
		down := errors.New("down")
		line.Fail(down)
		add(t, line)
		got := drain(all)
		if len(got) != 1 || !errors.Is(got[0].err, down) {
			t.Fatalf("behind a cut line the follower heard %+v", got)
		}
		if got := drain(listen(t.Context(), line)); len(got) != 1 || !errors.Is(got[0].err, down) {
			t.Fatalf("behind a cut line a new follower heard %+v", got)
		}
		line.Restore()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if got := drain(listen(ctx, line)); len(got) != 1 || got[0].entries != 1 {
			t.Fatalf("behind a mended line the follower heard %+v", got)
		}
	})
}

func TestCutIsSilent(t *testing.T) {
	t.Parallel()
	onLine(t, func(t *testing.T, line *storetest.CutLog, all <-chan heard) {
		line.Silence()
		cut := time.Now()
		add(t, line)
		time.Sleep(time.Minute)
		if got := drain(all); len(got) != 0 {
			t.Fatalf("behind a silent line the follower heard %+v", got)
		}
		line.Restore()
		got := drain(all)
		if len(got) < 2 || got[0].entries != 1 || got[0].mark.Before(cut) || got[0].at.Sub(cut) != time.Minute {
			t.Fatalf("behind a mended line the follower heard %+v", got)
		}
	})
}

func TestCutLags(t *testing.T) {
	t.Parallel()
	onLine(t, func(t *testing.T, line *storetest.CutLog, all <-chan heard) {
		line.Lag(time.Second)
		time.Sleep(2 * time.Second)
		drain(all)
		begun := time.Now()
		add(t, line)
		time.Sleep(2 * time.Second)
		entries := 0
		for _, h := range drain(all) {
			entries += h.entries
			if late := h.at.Sub(h.mark); late < time.Second || late > time.Second+store.Heartbeat {
				t.Errorf("a mark came %v late", late)
			}
			if h.entries > 0 && h.at.Sub(begun) != time.Second {
				t.Errorf("the entry came after %v", h.at.Sub(begun))
			}
		}
		if entries != 1 {
			t.Errorf("%d entries came, want 1", entries)
		}
	})
}

func TestCutFailsAppends(t *testing.T) {
	t.Parallel()
	onLine(t, func(t *testing.T, line *storetest.CutLog, all <-chan heard) {
		full := errors.New("full")
		line.FailAppends(full)
		line.Restore()
		if err := line.Append(t.Context(), entry()); !errors.Is(err, full) {
			t.Fatalf("Append = %v, want %v", err, full)
		}
		line.FailAppends(nil)
		add(t, line)
		if got := drain(all); len(got) != 1 || got[0].entries != 1 {
			t.Fatalf("the follower heard %+v", got)
		}
	})
}

package event_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda/event"
)

func TestSlogWritesWhatIsSet(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-16.2.4")
	t.Attr("requirement", "ASVS-16.2.1")
	var out bytes.Buffer
	sink := event.NewSlog(slog.New(slog.NewTextHandler(&out, nil)))
	sink.Emit(event.Event{
		Kind: event.SessionEnded, Time: time.Unix(0, 0).UTC(), Subject: "alice", Session: "id", Gen: 3, Reason: "logout", Parent: "first", Target: "https://b.example",
	})
	sink.Emit(event.Event{Kind: event.RefreshReused, Class: "stale", Reported: true})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2:\n%s", len(lines), out.String())
	}
	for _, want := range []string{"level=INFO", "kind=session.ended", "at=1970-01-01T00:00:00.000Z", "subject=alice", "session=id", "gen=3", "reason=logout", "parent=first", "target=https://b.example"} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("no %q in %q", want, lines[0])
		}
	}
	for _, never := range []string{"tenant", "class", "reported", "network"} {
		if strings.Contains(lines[0], never) {
			t.Errorf("%q is empty and stands in %q", never, lines[0])
		}
	}
	for _, want := range []string{"level=WARN", "class=stale", "reported=true"} {
		if !strings.Contains(lines[1], want) {
			t.Errorf("no %q in %q", want, lines[1])
		}
	}
}

type named struct {
	name string
	to   *[]string
}

func (n named) Emit(e event.Event) { *n.to = append(*n.to, n.name+string(e.Kind)) }

func TestMultiKeepsTheOrderOfSinks(t *testing.T) {
	t.Parallel()
	var got []string
	sink := event.Multi(named{"a:", &got}, nil, named{"b:", &got})
	sink.Emit(event.Event{Kind: "1"})
	sink.Emit(event.Event{Kind: "2"})
	if want := "a:1 b:1 a:2 b:2"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestQueueDropsTheNewestAndCounts(t *testing.T) {
	t.Parallel()
	q := event.NewQueue(2)
	for gen := range uint32(5) {
		q.Emit(event.Event{Gen: gen})
	}
	q.Close()
	q.Close()
	q.Emit(event.Event{Gen: 5})
	for want := range uint32(2) {
		e, err := q.Next(t.Context())
		if err != nil || e.Gen != want {
			t.Fatalf("got %d, %v; want %d", e.Gen, err, want)
		}
	}
	if _, err := q.Next(t.Context()); !errors.Is(err, event.ErrQueueClosed) {
		t.Errorf("after the last one: %v", err)
	}
	if q.Dropped() != 4 {
		t.Errorf("%d dropped, want 4", q.Dropped())
	}
}

func TestQueueNextWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := event.NewQueue(0)
		got := make(chan event.Event)
		go func() {
			e, _ := q.Next(t.Context())
			got <- e
		}()
		synctest.Wait()
		q.Emit(event.Event{Gen: 7})
		if e := <-got; e.Gen != 7 {
			t.Errorf("got %d", e.Gen)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := q.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an empty queue: %v", err)
		}
	})
}

// Many emit at once and one reads: each emitter's events stay in order, and
// each is delivered once or counted.
func TestQueueConcurrent(t *testing.T) {
	t.Parallel()
	const emitters, each = 8, 500
	q := event.NewQueue(64)
	var emitting sync.WaitGroup
	for i := range emitters {
		emitting.Go(func() {
			for gen := range uint32(each) {
				q.Emit(event.Event{Subject: string(rune('a' + i)), Gen: gen + 1})
			}
		})
	}
	go func() {
		emitting.Wait()
		q.Close()
	}()
	last := map[string]uint32{}
	delivered := uint64(0)
	for {
		e, err := q.Next(t.Context())
		if errors.Is(err, event.ErrQueueClosed) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.Gen <= last[e.Subject] {
			t.Fatalf("%s: %d came after %d", e.Subject, e.Gen, last[e.Subject])
		}
		last[e.Subject] = e.Gen
		delivered++
	}
	if total := delivered + q.Dropped(); total != emitters*each {
		t.Errorf("%d delivered + %d dropped, want %d together", delivered, q.Dropped(), emitters*each)
	}
}

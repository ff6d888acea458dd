package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/remuda-go/remuda/store"
)

const (
	historyClients = 6
	historyRecords = 2  // a round plays on so few, so that callers meet
	historySteps   = 12 // of each client in a round; longer is slow to check
)

// historyChecks covers linearizability: that all operations on one record
// happen in some single order which respects real time.
func historyChecks() []check { return []check{{"linearizable", linearizable}} }

// linearizable plays rounds on fresh records until its time is over, and checks
// the history of each.
func linearizable(e *env) {
	over := time.Now().Add(e.h.historyTime(e.TB))
	unknown, rounds := 0, 0
	for ; rounds == 0 || time.Now().Before(over); rounds++ {
		history := e.playRound()
		switch porcupine.CheckOperationsTimeout(model(), history, patience) {
		case porcupine.Illegal:
			e.Fatalf("round %d is not linearizable:\n%s", rounds, transcript(history))
		case porcupine.Ok:
		case porcupine.Unknown:
			unknown++ // too tangled to decide in time: no verdict, and said so
		}
	}
	e.Logf("%d rounds of %d operations and more; %d undecided", rounds, historyClients*historySteps, unknown)
	if unknown*10 > rounds {
		e.Fatalf("%d of %d rounds could not be decided", unknown, rounds)
	}
}

// playRound lets all clients work at once on a few fresh records.
func (e *env) playRound() []porcupine.Operation {
	e.Helper()
	ids := make([]store.ID, historyRecords)
	for i := range ids {
		ids[i] = newID()
	}
	start := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	e.together(historyClients, func(ctx context.Context, i int) error {
		c := &client{number: i, s: e.s, ids: ids, start: start, known: map[store.ID]store.Record{}}
		err := c.work(ctx)
		mu.Lock()
		defer mu.Unlock()
		history = append(history, c.history...)
		return err
	})
	return history
}

// client is one caller, with what it has read last.
type client struct {
	number  int
	s       store.Store
	ids     []store.ID
	start   time.Time
	known   map[store.ID]store.Record
	history []porcupine.Operation
}

func (c *client) work(ctx context.Context) error {
	for range historySteps {
		if err := c.move(ctx, c.ids[rand.IntN(len(c.ids))]); err != nil {
			return err
		}
	}
	return nil
}

// move does one thing to a record. Swaps start from what was read last, often
// out of date: ends stand beside rotations on purpose, since a missing
// comparison shows where they meet.
func (c *client) move(ctx context.Context, id store.ID) error {
	r, known := c.known[id]
	n := rand.IntN(100)
	switch {
	case !known && n < 50:
		return c.create(ctx, id)
	case !known || n < 25:
		return c.get(ctx, id)
	case n < 50:
		return c.update(ctx, rotated(r), r.Version)
	case n < 65:
		return c.update(ctx, rewritten(r), r.Version)
	case n < 72:
		return c.update(ctx, ended(r), r.Version)
	case n < 76:
		return c.create(ctx, id)
	}
	return c.touch(ctx, r)
}

func rotated(r store.Record) store.Record {
	r = next(r)
	r.GenSeen, r.WindowAt = false, at(int(r.Gen))
	r.EndedAt, r.EndReason = time.Time{}, "" // also from a tombstone: it must not work
	return r
}

func rewritten(r store.Record) store.Record {
	r.Version = newVersion()
	r.Blob = fmt.Appendf(nil, "data %x", r.Version[:4])
	return r
}

func (c *client) create(ctx context.Context, id store.ID) error {
	r := newRecord()
	r.ID, r.IdleExpires = id, at(60)
	return c.record(ctx, input{kind: opCreate, id: id, row: rowOf(r)}, func(ctx context.Context) (output, error) {
		return output{}, c.s.Create(ctx, r)
	})
}

func (c *client) get(ctx context.Context, id store.ID) error {
	return c.record(ctx, input{kind: opGet, id: id}, func(ctx context.Context) (output, error) {
		r, err := c.s.Get(ctx, id)
		if err != nil {
			return output{}, err
		}
		c.known[id] = r
		return output{row: rowOf(r)}, nil
	})
}

// update swaps, and reads again if it must or, now and then, to look.
func (c *client) update(ctx context.Context, r store.Record, was store.Version) error {
	lost := false
	err := c.record(ctx, input{kind: opUpdate, id: r.ID, row: rowOf(r), was: was}, func(ctx context.Context) (output, error) {
		err := c.s.Update(ctx, r, was)
		if lost = err != nil; !lost {
			c.known[r.ID] = r
		}
		return output{}, err
	})
	if err == nil && (lost || rand.IntN(2) == 0) {
		return c.get(ctx, r.ID)
	}
	return err
}

// touch presents the generation last read, at one of a few instants of which
// the last lie beyond the idle deadline that the record began with.
func (c *client) touch(ctx context.Context, r store.Record) error {
	when := rand.IntN(80)
	t := sight(r, r.Gen, at(when))
	if when%3 != 0 {
		t.IdleExpires = at(when + 40)
	}
	in := input{kind: opTouch, id: r.ID, touch: touchRow{gen: t.Gen, at: number(t.At), idle: number(t.IdleExpires), version: t.Version}}
	return c.record(ctx, in, func(ctx context.Context) (output, error) {
		return output{}, c.s.Touch(ctx, []store.Touch{t})
	})
}

// record runs one operation and notes it with its two instants. A failure that
// is no verdict ends the client: nothing is known of its outcome.
func (c *client) record(ctx context.Context, in input, do func(ctx context.Context) (output, error)) error {
	op := porcupine.Operation{ClientId: c.number, Input: in, Call: int64(time.Since(c.start))}
	out, err := do(ctx)
	op.Return = int64(time.Since(c.start))
	for _, s := range sentinels {
		if errors.Is(err, s) {
			out.err, err = s, nil
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", in.kind, err)
	}
	op.Output = out
	c.history = append(c.history, op)
	return nil
}

// transcript shows the records whose history the model does not allow.
func transcript(history []porcupine.Operation) string {
	var b strings.Builder
	for _, part := range partition(history) {
		if porcupine.CheckOperations(model(), part) {
			continue
		}
		slices.SortFunc(part, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
		fmt.Fprintf(&b, "record %v, by time of call:\n", part[0].Input.(input).id)
		for _, op := range part {
			fmt.Fprintf(&b, "  client %d [%d, %d] %s\n", op.ClientId, op.Call, op.Return, describe(op.Input.(input), op.Output.(output)))
		}
	}
	return b.String()
}

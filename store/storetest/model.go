package storetest

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/remuda-go/remuda/store"
)

// opKind is what an operation of a history asks for.
type opKind string

const (
	opCreate opKind = "create"
	opGet    opKind = "get"
	opUpdate opKind = "update"
	opTouch  opKind = "touch"
)

// input is one invocation on one record.
type input struct {
	kind  opKind
	id    store.ID
	row   row           // create, update
	was   store.Version // update
	touch touchRow      // touch
}

// output is its answer: a sentinel or nil, and what a get has read.
type output struct {
	err error
	row row
}

// row is a record in a form that == compares. The model is written apart from
// every driver, in plain integers, so that it repeats none of their mistakes.
type row struct {
	there                                bool
	subject, tenant, profile             string
	gen                                  uint32
	seen                                 bool
	window, last, idle, expires, endedAt int64
	reason, blob                         string
	version                              store.Version
}

type touchRow struct {
	gen      uint32
	at, idle int64
	version  store.Version
}

func rowOf(r store.Record) row {
	return row{
		there: true, subject: r.Subject, tenant: r.Tenant, profile: r.Profile, gen: r.Gen, seen: r.GenSeen,
		window: number(r.WindowAt), last: number(r.LastSeen), idle: number(r.IdleExpires),
		expires: number(r.Expires), endedAt: number(r.EndedAt),
		reason: r.EndReason, blob: string(r.Blob), version: r.Version,
	}
}

func number(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// model is the contract for one record, as a sequential machine.
func model() porcupine.Model {
	return porcupine.Model{
		Partition: partition,
		Init:      func() any { return row{} },
		Step: func(state, in, out any) (bool, any) {
			return step(state.(row), in.(input), out.(output))
		},
		DescribeOperation: func(in, out any) string { return describe(in.(input), out.(output)) },
	}
}

// partition splits a history by record: they know nothing of each other.
func partition(history []porcupine.Operation) [][]porcupine.Operation {
	at := map[store.ID]int{}
	var parts [][]porcupine.Operation
	for _, op := range history {
		id := op.Input.(input).id
		i, ok := at[id]
		if !ok {
			i = len(parts)
			at[id] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], op)
	}
	return parts
}

// step says whether the contract allows the answer in the given state, and what
// the state is then.
func step(s row, in input, out output) (bool, row) {
	switch in.kind {
	case opCreate:
		if s.there {
			return out.err == store.ErrExists, s
		}
		return out.err == nil, in.row
	case opGet:
		if !s.there {
			return out.err == store.ErrNotFound, s
		}
		return out.err == nil && out.row == s, s
	case opUpdate:
		switch {
		case !s.there:
			return out.err == store.ErrNotFound, s
		case s.version != in.was || s.endedAt != 0:
			return out.err == store.ErrConflict, s
		}
		return out.err == nil, in.row
	case opTouch:
		return out.err == nil, touched(s, in.touch)
	}
	return false, s
}

func touched(s row, t touchRow) row {
	if !s.there || s.endedAt != 0 || t.at >= s.idle || t.at >= s.expires {
		return s
	}
	was := s
	if t.gen == s.gen && t.gen > 0 && !s.seen {
		s.seen = true
		s.window = max(s.window, t.at)
	}
	if t.idle != 0 {
		s.last = max(s.last, t.at)
		s.idle = max(s.idle, min(t.idle, s.expires))
	}
	if s != was {
		s.version = t.version
	}
	return s
}

func describe(in input, out output) string {
	text := string(in.kind)
	switch in.kind {
	case opUpdate:
		text += fmt.Sprintf(" %x to %x gen %d ended %v", in.was[:3], in.row.version[:3], in.row.gen, in.row.endedAt != 0)
	case opCreate:
		text += fmt.Sprintf(" %x", in.row.version[:3])
	case opTouch:
		text += fmt.Sprintf(" gen %d to %x", in.touch.gen, in.touch.version[:3])
	case opGet:
		text += fmt.Sprintf(" = %x gen %d seen %v ended %v", out.row.version[:3], out.row.gen, out.row.seen, out.row.endedAt != 0)
	}
	return fmt.Sprintf("%s: %v", text, out.err)
}

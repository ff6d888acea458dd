package sim

import (
	"container/heap"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// World is virtual time and what is due in it.
type World struct {
	now   time.Duration
	seq   uint64
	queue queue
	// pass lets time go by for a server that has timers of its own.
	pass func(time.Duration)
}

type item struct {
	at  time.Duration
	seq uint64
	do  func()
}

type queue []item

// Len implements [heap.Interface].
func (q queue) Len() int { return len(q) }

// Less implements [heap.Interface]: by time, then in the order of their making.
func (q queue) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].seq < q[j].seq
}

// Swap implements [heap.Interface].
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements [heap.Interface].
func (q *queue) Push(x any) { *q = append(*q, x.(item)) }

// Pop implements [heap.Interface].
func (q *queue) Pop() any {
	last := len(*q) - 1
	it := (*q)[last]
	(*q)[last] = item{}
	*q = (*q)[:last]
	return it
}

// after has something done d from now.
func (w *World) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.queue, item{at: w.now + max(0, d), seq: w.seq, do: do})
}

// run does what is due, in order, until the queue is empty or the time is up.
func (w *World) run(until time.Duration) {
	for len(w.queue) > 0 && w.queue[0].at <= until {
		it := heap.Pop(&w.queue).(item)
		if d := it.at - w.now; d > 0 && w.pass != nil {
			w.pass(d)
		}
		w.now = it.at
		it.do()
	}
}

// source is where one session of one case draws from. It does not depend on the
// rule that is played.
func source(seed uint64, name string, session int) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed^h.Sum64(), uint64(session))) //nolint:gosec // a simulation is repeatable, and a session is not negative
}

// between draws from [lo, hi).
func between(r *rand.Rand, lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return lo + time.Duration(r.Int64N(int64(hi-lo)))
}

func chance(r *rand.Rand, p float64) bool { return p > 0 && r.Float64() < p }

package sim

import (
	"slices"
	"time"
)

// Result is what one case came to under one rule.
type Result struct {
	Sessions  int
	Refreshes int
	Out       int // honest clients that were told to sign in
	Conflicts int // times that they were told that another client had refreshed
	Thieves   int // that presented something
	Ended     int // with the session
	Refused   int // got nothing in the end, though the session lives
	Notice    []time.Duration
}

// Caught is how many thieves are out.
func (r *Result) Caught() int { return r.Ended + r.Refused }

// PerMillion is false sign-outs per million refreshes.
func (r *Result) PerMillion() float64 {
	if r.Refreshes == 0 {
		return 0
	}
	return float64(r.Out) * 1e6 / float64(r.Refreshes)
}

// Median is how long half of the noticed thieves lasted.
func (r *Result) Median() time.Duration { return r.quantile(0.5) }

// Worst is how long the last one noticed lasted.
func (r *Result) Worst() time.Duration { return r.quantile(1) }

func (r *Result) quantile(q float64) time.Duration {
	if len(r.Notice) == 0 {
		return 0
	}
	return r.Notice[int(q*float64(len(r.Notice)-1))]
}

// horizon is later than anything that happens.
const horizon = 400 * 24 * time.Hour

// play runs the sessions of a case against a server.
func play(w *World, srv Server, c *Case, seed uint64, sessions int) Result {
	owners := make([]*owner, sessions)
	for i := range owners {
		rng := source(seed, c.Name, i)
		o := newOwner(w, srv, c, i, rng)
		if c.Thief != nil {
			o.thief = newThief(o, source(seed+1, c.Name, i))
		}
		owners[i] = o
		w.after(between(rng, 0, time.Hour), o.login)
	}
	w.run(horizon)
	srv.Close()
	return tally(owners)
}

func tally(owners []*owner) Result {
	r := Result{Sessions: len(owners)}
	for _, o := range owners {
		r.Refreshes += o.refreshes
		if o.thief != nil {
			r.addThief(o)
			continue
		}
		r.Conflicts += o.conflicts
		if o.out {
			r.Out++
		}
	}
	slices.Sort(r.Notice)
	return r
}

func (r *Result) addThief(o *owner) {
	t := o.thief
	if !t.began {
		return
	}
	r.Thieves++
	switch {
	case o.reused && (!o.c.lostEnd() || t.stopped):
		r.Ended++
		r.Notice = append(r.Notice, max(0, o.reusedAt-t.beganAt))
	case t.refused || !t.gained:
		r.Refused++
	}
}

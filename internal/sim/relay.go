package sim

import "time"

// page is a page rendered by a server that refreshes with the browser's cookie,
// with many requests at once, and uses what it got. The browser receives all of
// it with the page, or nothing.
func (o *owner) page() { o.render(1) }

// render is one attempt to load the page.
func (o *owner) render(try int) {
	if o.out {
		return
	}
	p := &rendering{o: o, token: o.jar.refresh, agent: o.c.SSRAgent, missing: o.c.Burst}
	if p.agent == "" {
		p.agent = o.c.Agent
	}
	p.done = func(got *Answer) { o.receive(got, try) }
	for range o.c.Burst {
		o.w.after(between(o.rng, 20*time.Millisecond, time.Second), p.refresh)
	}
}

// rendering is one page in the making.
type rendering struct {
	o       *owner
	token   string
	agent   string
	missing int
	got     *Answer
	done    func(*Answer)
}

// refresh is one of the server's parallel requests.
func (p *rendering) refresh() {
	o := p.o
	a, answered := o.serve(Request{Session: o.id, Node: o.node(), Token: p.token, Agent: p.agent})
	p.missing--
	if answered && a.Status == StatusOut {
		p.got = &a
	}
	if answered && a.Status == StatusOK && (p.got == nil || p.got.Status == StatusOK && a.Refresh != "") {
		p.got = &a
	}
	if p.missing > 0 {
		return
	}
	if p.got != nil && p.got.Status == StatusOK {
		o.srv.Use(o.node(), p.got.Access, !o.c.Unmarked)
	}
	o.w.after(between(o.rng, 50*time.Millisecond, 2*time.Second), func() { p.done(p.got) })
}

// receive is the page at the browser. One that does not come, or comes without
// tokens, is reloaded soon, or left for the next round.
func (o *owner) receive(got *Answer, try int) {
	switch {
	case o.out || o.awake > o.w.now:
	case got != nil && got.Status == StatusOut:
		o.out = true
	case got != nil && !chance(o.rng, o.c.PageLoss):
		o.keep(*got)
		o.use()
	case try < maxTries && chance(o.rng, 0.8):
		o.later(between(o.rng, 2*time.Second, 25*time.Second), func() { o.render(try + 1) })
	}
}

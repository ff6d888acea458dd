package sim

import "time"

// KeyMode is what an honest client sends as Idempotency-Key.
type KeyMode uint8

// The key modes.
const (
	KeyNone     KeyMode = iota
	KeyRandom           // one for each logical refresh, kept for its retries: as it should be
	KeyMixed            // half of the clients send one
	KeyConstant         // always the same: a mistake
	KeyDerived          // computed from the token: a mistake
)

// Case is a kind of client in a kind of world, and perhaps a thief.
type Case struct {
	Name string
	Note string // for the report, where the name does not say it all
	// Bound says that our rule promises something here: that nobody honest is
	// signed out, or that the thief is ended or refused.
	Bound bool
	Thief *Plan
	// Within is how soon our rule must have noticed the last thief; 0: no matter.
	Within time.Duration

	Rounds int    // how often the owner comes back with an expired access token
	Eager  bool   // it refreshes on every page, expired or not
	Tabs   [2]int // from, to
	Agent  string // of the browser
	Keys   KeyMode
	Loss   float64       // answers lost; a third as many requests are, too
	Late   float64       // requests or answers that take up to Flight
	Dup    float64       // requests that the network delivers twice
	Flight time.Duration // from send to last byte, at most
	Wait   time.Duration // until the client retries
	Sleep  float64       // rounds in which the lid closes at once

	Burst    int     // parallel refreshes by a server that renders a page
	SSRAgent string  // of that server; empty means that it forwards the browser's
	PageLoss float64 // pages that never arrive
	Unmarked bool    // the server does not mark its uses as a relay's

	Skews      []time.Duration // of the nodes' clocks
	StoreClock bool            // the store tells the time
	Failover   float64         // refreshes followed within a second by a failover
	Crash      float64         // refreshes after which the node crashes before it answers
}

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	node22  = "node"
	curl    = "curl/8.5.0"
)

// skews defaults to two nodes whose clocks are a second apart each way.
func (c *Case) skews() []time.Duration {
	if c.Skews == nil {
		return []time.Duration{-time.Second, time.Second}
	}
	return c.Skews
}

func (c *Case) lostEnd() bool { return c.Thief != nil && c.Thief.LostEnd }

// ready returns the case with what it leaves open filled in.
func (c Case) ready() Case {
	if c.Rounds == 0 {
		c.Rounds = 20
		if c.Thief != nil {
			c.Rounds = 330 // two weeks
		}
	}
	if c.Tabs == [2]int{} && c.Burst == 0 {
		c.Tabs = [2]int{1, 1}
	}
	if c.Flight == 0 {
		c.Flight = 28 * time.Second // Grace less the spread of the clocks
	}
	if c.Wait == 0 {
		c.Wait = 10 * time.Second
	}
	return c
}

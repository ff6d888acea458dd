package limit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// busyAfter is the advice where only attempts under way are in the way: they
// end in a moment.
const busyAfter = time.Second

// slack forgives the rounding of the limiter's floating-point tokens, so that
// whoever waits as told is let in.
const slack = 1e-6

// bucket is one budget. It is safe for concurrent use.
//
// The limiter's own reservations cannot be given back once their time has come;
// hence the count of attempts that may still use up a token.
type bucket struct {
	every time.Duration

	mu      sync.Mutex
	limiter *rate.Limiter // tokens not used up by failures
	pending int           // attempts under way, each of which holds a token
}

func newBucket(r Rate) *bucket { return &bucket{every: r.Every, limiter: r.limiter()} }

// hold takes a token for an attempt, to be settled when it has ended; or it
// returns how long to wait, which is then positive.
func (b *bucket) hold(now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	tokens := b.limiter.TokensAt(now)
	switch {
	case tokens+slack < 1:
		return max(time.Duration((1-tokens)*float64(b.every)), 1)
	case tokens-float64(b.pending)+slack < 1:
		return busyAfter
	}
	b.pending++
	return 0
}

// settle ends a hold, and uses its token up if the attempt failed.
func (b *bucket) settle(now time.Time, failed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending--
	if failed {
		b.limiter.ReserveN(now, 1) // taken even if the clock went back and the token is not there yet
	}
}

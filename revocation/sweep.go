package revocation

import (
	"context"
	"math"
	"time"

	"github.com/remuda-go/remuda/store"
)

const (
	// sweepEvery is how often one shard is swept, so that all are in 16 seconds.
	sweepEvery = 250 * time.Millisecond

	// margin is for how long after its end an entry is kept, for clocks that
	// differ between this node and those that judge the token otherwise.
	margin = 10 * time.Second

	// settledFor is for how many seconds after its new end it is remembered that
	// an entry was settled, so that the sweep gets there.
	settledFor = 60

	// believed is how long store time must be ahead of what has passed here until
	// entries fall off by it.
	believed = 10 * time.Minute

	// forever is an end that is never reached.
	forever = math.MaxUint32
)

// seconds returns an end as kept here: in whole Unix seconds, rounded up.
func seconds(t time.Time) uint32 {
	s := t.Unix()
	if t.Nanosecond() > 0 {
		s++
	}
	return uint32(min(max(s, 1), forever))
}

// expired reports whether an end lies before now.
func expired(until, now uint32) bool { return until < now && until != forever }

// expiry is the time by which entries fall off: store time, less the margin. But
// it does not believe a leap forward until that has lasted: a clock that is an hour
// ahead for some seconds would empty the set, and when it is right again tokens
// would be good again that were not. To begin with it believes nothing.
type expiry struct {
	now   uint32        // Unix seconds; ends before it are past
	at    time.Time     // store time, as far as it is believed
	seen  time.Time     // by Config.Now
	ahead time.Duration // for how long store time has been ahead of that
}

func (x *expiry) move(now, storeTime time.Time) {
	x.seen, x.at = now, storeTime
	x.now = uint32(min(max(storeTime.Add(-margin).Unix(), 0), forever))
}

// advance moves on to the store's time: at most a quarter faster than time passes
// here, so that small differences are made up for, unless it stays ahead.
func (x *expiry) advance(now, storeTime time.Time) {
	elapsed := max(0, now.Sub(x.seen))
	limit := x.at.Add(elapsed + elapsed/4)
	if !storeTime.After(limit) {
		x.ahead = 0
	} else if x.ahead += elapsed; x.ahead < believed {
		storeTime = limit
	}
	x.move(now, storeTime)
}

// Believed returns store time as far as it is believed: it may lag behind what a
// clock says that is ahead, or was when it was looked at first. It is zero until a
// clock has been believed at all, ten minutes after [Horizon.Run] was called.
func (h *Horizon) Believed() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.expiry.now == 0 {
		return time.Time{}
	}
	return h.expiry.at
}

// keepSweeping sweeps until ctx ends.
func (h *Horizon) keepSweeping(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			h.sweep()
		}
	}
}

// sweep drops what has expired from one shard of each set.
func (h *Horizon) sweep() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.expiry.advance(h.cfg.Now(), h.cfg.StoreTime())
	now := h.expiry.now
	shard := h.swept % shards
	h.swept++
	h.own.grow(h.swept)
	h.followed.grow(h.swept)
	h.sessions.sweep(shard, now)
	h.wide.sweep(shard, now)
	h.wide.settled.sweep(shard, now-min(now, settledFor))
}

// recentIDs is how many ids a generation of recent holds, and recentTicks for
// how many ticks of the sweep one lasts: ten seconds.
const (
	recentIDs   = 4096
	recentTicks = 40
)

// recent remembers the ids of entries for ten to twenty seconds, or fewer if
// they are many. An entry comes twice to the node that appended it; between the
// two there is seldom more. To forget one costs no safety: it may then be kept
// longer than need be, or be counted as another node's.
type recent struct {
	young, old map[store.ID]struct{}
	since      int
}

func (r *recent) has(id store.ID) bool {
	_, young := r.young[id]
	_, old := r.old[id]
	return young || old
}

// add remembers an id. The zero one names nothing.
func (r *recent) add(id store.ID) {
	if id.IsZero() {
		return
	}
	if r.young == nil || len(r.young) >= recentIDs {
		r.turn()
	}
	r.young[id] = struct{}{}
}

// grow ends the young generation if it is old.
func (r *recent) grow(tick int) {
	if tick-r.since < recentTicks {
		return
	}
	r.since = tick
	if len(r.young)+len(r.old) > 0 {
		r.turn()
	}
}

func (r *recent) turn() {
	r.young, r.old = make(map[store.ID]struct{}), r.young
}

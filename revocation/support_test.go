package revocation_test

import (
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

// page is how many entries are added at once.
const page = 1000

// idOf returns the i-th id of a seed: random enough, and found again at once.
func idOf(seed, i uint64) (id store.ID) {
	binary.LittleEndian.PutUint64(id[:], mix(seed<<32+2*i))
	binary.LittleEndian.PutUint64(id[8:], mix(seed<<32+2*i+1))
	return id
}

// mix is the last step of SplitMix64.
func mix(x uint64) uint64 {
	x *= 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// session returns an entry that ends a session.
func session(id store.ID, until time.Time) store.Entry {
	return store.Entry{ID: id, Scope: store.ScopeSession, Target: string(id[:]), Until: until, At: until}
}

// subject returns an entry that ends what the i-th subject of a seed began before
// Unix time 5 ms.
func subject(seed, i uint64, until time.Time) store.Entry {
	id := idOf(seed, i)
	return store.Entry{ID: id, Scope: store.ScopeSubject, Target: id.String(), Before: time.UnixMilli(5), Until: until, At: until}
}

// settled returns an entry that lets others end earlier.
func settled(id store.ID, until time.Time, ids ...store.ID) store.Entry {
	e := store.Entry{ID: id, Scope: store.ScopeSettled, Until: until, At: until}
	for _, id := range ids {
		e.Target += string(id[:])
	}
	return e
}

// aliceToken is of a session that began at Unix time 1 ms.
func aliceToken() *revocation.Token {
	return &revocation.Token{Subject: "alice", Profile: "web", Key: "k1", Started: 1}
}

func tokenOf(id store.ID) *revocation.Token {
	t := aliceToken()
	t.Session = id
	return t
}

func subjectToken(seed, i uint64) *revocation.Token {
	t := aliceToken()
	t.Subject = idOf(seed, i).String()
	return t
}

func config(l store.Log) revocation.Config {
	return revocation.Config{Log: l, Now: time.Now, StoreTime: time.Now}
}

// clock is a clock that only a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// clocked returns a horizon that is not run, by a clock that it believes: it has
// looked at it for a quarter of an hour.
func clocked(c *clock) *revocation.Horizon {
	h := revocation.New(revocation.Config{Log: memstore.New(), Now: c.Now, StoreTime: c.Now})
	for range 15 {
		c.Advance(time.Minute)
		h.Sweep()
	}
	return h
}

// filled returns a horizon that holds n sessions of this seed, for an hour.
func filled(n int, seed uint64) *revocation.Horizon {
	h := revocation.New(config(memstore.New()))
	add(h, n, func(i uint64) store.Entry { return session(idOf(seed, i), time.Now().Add(time.Hour)) })
	return h
}

func add(h *revocation.Horizon, n int, entry func(i uint64) store.Entry) {
	batch := make([]store.Entry, 0, page)
	for i := range n {
		batch = append(batch, entry(uint64(i)))
		if len(batch) == page || i == n-1 {
			h.Add(batch...)
			batch = batch[:0]
		}
	}
}

// run runs a horizon until it is stopped or the test ends.
func run(t testing.TB, h *revocation.Horizon) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

// start runs a horizon that catches up.
func start(t testing.TB, cfg revocation.Config) *revocation.Horizon {
	t.Helper()
	h := revocation.New(cfg)
	run(t, h)
	<-h.CaughtUp()
	return h
}

func appendTo(t testing.TB, l store.Log, entries ...store.Entry) {
	t.Helper()
	if err := l.Append(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
}

// Package verified remembers tokens whose signature has been verified, with the
// claims that they carry, for signatures that cost more than a lookup.
//
// A token is found by its whole text, compared byte by byte: a hash chooses where
// to look and never decides. What is remembered is only that the text verified
// under the key set that the cache belongs to. Whether the token is still good
// (its times, its session) is asked anew each time, by whoever asked before.
package verified

import (
	"hash/maphash"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remuda-go/remuda/codec"
)

const (
	ways     = 8   // places in a bucket
	spare    = 2   // places for each token that the bound allows, so that few buckets overflow
	swept    = 4   // places looked at for expired tokens with every Put
	patience = 64  // places looked at for an unused token before any gives way
	overhead = 384 // bytes of an entry beside its texts
)

// Cache is a bounded set of verified tokens. It is safe for concurrent use;
// readers take no lock and allocate nothing.
//
// It is a table of buckets. Where one is full, or a bound is reached, a token
// gives way that has not been asked for since it was last passed over. Expired
// ones go first, and also as others come: each Put looks at a few places further.
// The table itself (24 bytes for each token allowed) is made by the first Put.
type Cache struct {
	seed              maphash.Seed
	now               func() time.Time
	maxCount, maxSize int
	table             atomic.Pointer[[]bucket]

	mu          sync.Mutex // of those who write
	count, size int
	hand        int // the place that the sweep has come to
}

// bucket holds entries and a part of their hash, to save looking at the others.
// Tag and entry are not written together; the token that the entry has decides.
type bucket struct {
	tags    [ways]atomic.Uint32
	entries [ways]atomic.Pointer[entry]
}

// entry is immutable up to used.
type entry struct {
	texts  string       // the token and behind it the payload: in one piece, they come from memory faster
	token  int          // the length of the token
	claims codec.Claims // without the payload
	used   atomic.Bool  // since the sweep last came by
}

func newEntry(token string, claims *codec.Claims) *entry {
	var texts strings.Builder
	texts.Grow(len(token) + len(claims.Payload))
	texts.WriteString(token)
	texts.Write(claims.Payload)
	e := &entry{texts: texts.String(), token: len(token), claims: *claims}
	e.claims.Payload = nil
	return e
}

func (e *entry) is(token string) bool { return len(token) == e.token && e.texts[:e.token] == token }

func (e *entry) size() int { return overhead + len(e.texts) }

// New returns a cache of at most count tokens, 4 or more, that take at most size
// bytes with their claims. It asks now in Put only.
func New(count, size int, now func() time.Time) *Cache {
	return &Cache{seed: maphash.MakeSeed(), now: now, maxCount: count, maxSize: size}
}

// find returns the bucket of a token, and its tag.
func (c *Cache) find(table []bucket, token string) (*bucket, uint32) {
	h := maphash.String(c.seed, token)
	i, _ := bits.Mul64(h, uint64(len(table))) // the upper bits choose the bucket
	return &table[i], uint32(h) | 1           //nolint:gosec // the lower bits are meant
}

// get returns the entry of a token, or nil.
func (b *bucket) get(token string, tag uint32) *entry {
	for i := range b.tags {
		if b.tags[i].Load() != tag {
			continue
		}
		if e := b.entries[i].Load(); e != nil && e.is(token) {
			return e
		}
	}
	return nil
}

// Get fills dst with the claims of a token and reports true, if exactly this text
// has been put as a token of the type that is wanted. Otherwise dst is as before.
func (c *Cache) Get(dst *codec.Claims, want codec.Type, token string) bool {
	table := c.table.Load()
	if table == nil {
		return false
	}
	b, tag := c.find(*table, token)
	e := b.get(token, tag)
	if e == nil || e.claims.Type != want {
		return false
	}
	if !e.used.Load() { // written once, not by every reader
		e.used.Store(true)
	}
	payload := append(dst.Payload[:0], e.texts[e.token:]...)
	*dst = e.claims
	dst.Payload = payload
	return true
}

// Put remembers a token that has just been verified, and a copy of its claims. One
// that has expired is not worth it.
func (c *Cache) Put(token string, claims *codec.Claims) {
	now := c.now().Unix()
	if claims.Expires <= now {
		return
	}
	e := newEntry(token, claims)
	if e.size() > c.maxSize/ways {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	table := c.table.Load()
	if table == nil {
		made := make([]bucket, c.maxCount*spare/ways)
		table = &made
		c.table.Store(table)
	}
	b, tag := c.find(*table, token)
	if b.get(token, tag) != nil {
		return
	}
	for range swept {
		c.sweep(*table, now, expired)
	}
	for passed := 0; c.count >= c.maxCount || c.size+e.size() > c.maxSize; passed++ {
		if passed < patience {
			c.sweep(*table, now, unused)
		} else {
			c.sweep(*table, now, anyone)
		}
	}
	c.set(b, b.place(now), e, tag)
}

// Len returns how many tokens are remembered.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// place returns a free place, or that of the entry which gives way.
func (b *bucket) place(now int64) int {
	victim := -1
	for i := range b.entries {
		e := b.entries[i].Load()
		if e == nil || e.claims.Expires <= now {
			return i
		}
		if !e.used.Load() && victim < 0 {
			victim = i
		}
	}
	if victim >= 0 {
		return victim
	}
	for i := range b.entries {
		b.entries[i].Load().used.Store(false)
	}
	return int(now) & (ways - 1) // all were in use: any
}

// set puts an entry, or nil, in a place.
func (c *Cache) set(b *bucket, i int, e *entry, tag uint32) {
	if old := b.entries[i].Load(); old != nil {
		c.count--
		c.size -= old.size()
	}
	if e != nil {
		c.count++
		c.size += e.size()
	}
	b.tags[i].Store(tag)
	b.entries[i].Store(e)
}

// whom is what a sweep removes.
type whom int

const (
	expired whom = iota
	unused       // since the sweep last came by, too
	anyone
)

// sweep looks at the next place.
func (c *Cache) sweep(table []bucket, now int64, out whom) {
	b, i := &table[c.hand/ways], c.hand%ways
	c.hand = (c.hand + 1) % (len(table) * ways)
	e := b.entries[i].Load()
	if e == nil {
		return
	}
	if e.claims.Expires <= now || out == anyone || out == unused && !e.used.Swap(false) {
		c.set(b, i, nil, 0)
	}
}

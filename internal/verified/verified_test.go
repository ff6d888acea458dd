package verified_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/internal/verified"
)

// clock is a time that tests set.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(c.at.Load(), 0) }

const roomy = 64 << 20

func newCache(count, size int) (*verified.Cache, *clock) {
	c := &clock{}
	c.at.Store(1000)
	return verified.New(count, size, c.now), c
}

// claims returns those of a token that ends at a time.
func claims(subject string, expires int64) *codec.Claims {
	c := &codec.Claims{Type: codec.Access, Gen: 7, Expires: expires, Algorithm: codec.EdDSA, Key: "k"}
	c.Subject = c.Add(subject)
	return c
}

func TestGet(t *testing.T) {
	t.Parallel()
	cache, _ := newCache(8, roomy)
	var got codec.Claims
	got.Payload = []byte("before")
	if cache.Get(&got, codec.Access, "token") || string(got.Payload) != "before" {
		t.Error("the empty cache has a token, or has changed the claims")
	}
	put := claims("alice", 2000)
	cache.Put("token", put)
	put.Payload[0], put.Gen = 'X', 9 // the caller's own
	for range 2 {
		if !cache.Get(&got, codec.Access, "token") {
			t.Fatal("the token is not there")
		}
		if string(got.Text(got.Subject)) != "alice" || got.Gen != 7 || got.Expires != 2000 || got.Algorithm != codec.EdDSA || got.Key != "k" {
			t.Errorf("claims %+v", got)
		}
		got.Payload[0] = 'Y' // the caller's own
	}
	for _, other := range []string{"", "toke", "token2", "Token", "token\x00", strings.Repeat("token", 2)} {
		if cache.Get(&got, codec.Access, other) {
			t.Errorf("%q is there", other)
		}
	}
	if cache.Get(&got, codec.Refresh, "token") || cache.Get(&got, 0, "token") {
		t.Error("the token is taken for another type")
	}
	cache.Put("token", claims("mallory", 3000))
	if !cache.Get(&got, codec.Access, "token") || string(got.Text(got.Subject)) != "alice" || cache.Len() != 1 {
		t.Error("a second Put of the same text does something")
	}
}

// TestExact: a hash never decides.
func TestExact(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "BUG CVE-2026-33496, GO-2022-0406, CVE-2026-71326")
	stored := strings.Repeat("token", 90)
	if !verified.Is(stored, stored) || verified.Is(stored, stored+"x") || verified.Is(stored, stored[1:]) {
		t.Error("the length does not count")
	}
	for i := range len(stored) {
		other := []byte(stored)
		other[i] ^= 0x20
		if verified.Is(stored, string(other)) {
			t.Errorf("byte %d does not count", i)
		}
	}
}

// TestOwnCopy: the cache keeps no hold of the text that it was given, which may be
// a part of a whole request.
func TestOwnCopy(t *testing.T) {
	t.Parallel()
	cache, _ := newCache(8, roomy)
	request := []byte("Authorization: Bearer token")
	token := request[len("Authorization: Bearer "):]
	cache.Put(string(token), claims("alice", 2000))
	copy(token, "tokem")
	var got codec.Claims
	if !cache.Get(&got, codec.Access, "token") || cache.Get(&got, codec.Access, string(token)) {
		t.Error("the text has changed in the cache")
	}
}

// TestExpired: what has expired is not taken, and does not stay while others come.
func TestExpired(t *testing.T) {
	t.Parallel()
	cache, clock := newCache(64, roomy)
	for _, expires := range []int64{-1, 0, 999, 1000} {
		cache.Put(fmt.Sprint(expires), claims("alice", expires))
	}
	if cache.Len() != 0 {
		t.Errorf("%d expired tokens were taken", cache.Len())
	}
	for i := range 40 {
		cache.Put(fmt.Sprint("old ", i), claims("alice", 1001))
	}
	var got codec.Claims
	for i := range 40 { // used ones go all the same
		cache.Get(&got, codec.Access, fmt.Sprint("old ", i))
	}
	clock.at.Store(1001)
	for i := range 64 {
		cache.Put(fmt.Sprint("new ", i), claims("alice", 2000))
	}
	old := 0
	for i := range 40 {
		if cache.Get(&got, codec.Access, fmt.Sprint("old ", i)) {
			old++
		}
	}
	if old != 0 {
		t.Errorf("%d expired tokens are still there", old)
	}
}

// TestBounds: neither the count nor the bytes are exceeded, and what is small
// enough is there right after it was put.
func TestBounds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ count, size, token int }{
		"count": {100, roomy, 100}, "bytes": {1 << 10, 64 << 10, 1000}, "smallest": {4, roomy, 1},
	} {
		cache, _ := newCache(tt.count, tt.size)
		var got codec.Claims
		there := 0
		for i := range 5000 {
			token := fmt.Sprintf("%0*d", tt.token, i)
			cache.Put(token, claims("alice", 2000))
			if cache.Get(&got, codec.Access, token) {
				there++
			}
			if n := cache.Len(); n > tt.count || n*tt.token > tt.size {
				t.Fatalf("%s: %d tokens after %d", name, n, i)
			}
		}
		if there < 4900 {
			t.Errorf("%s: only %d of 5,000 were there right after", name, there)
		}
		if want := min(tt.count, tt.size/(tt.token+500)); cache.Len() < want/2 {
			t.Errorf("%s: %d tokens at the end, there is room for about %d", name, cache.Len(), want)
		}
	}
	cache, _ := newCache(100, 8<<10)
	cache.Put(strings.Repeat("a", 1<<10), claims("alice", 2000))
	if cache.Len() != 0 {
		t.Error("one token takes more than an eighth of the room")
	}
}

// TestUsedStay: tokens that are asked for outlive a stream of those that are not.
func TestUsedStay(t *testing.T) {
	t.Parallel()
	const count, used = 1024, 64
	cache, _ := newCache(count, roomy)
	var got codec.Claims
	kept := 0
	for i := range 20 * count {
		if i%8 == 0 {
			token := fmt.Sprint("used ", i/8%used)
			if cache.Get(&got, codec.Access, token) {
				kept++
			} else {
				cache.Put(token, claims("alice", 2000))
			}
			continue
		}
		cache.Put(fmt.Sprint("once ", i), claims("alice", 2000))
	}
	if all := 20 * count / 8; kept < all*7/10 { // one run in a hundred has less than eight in ten
		t.Errorf("%d of %d lookups of tokens in use were hits", kept, all)
	}
}

// TestConcurrent: readers and writers at once never see another token's claims.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	cache, clock := newCache(64, roomy)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			var got codec.Claims
			for i := range 5000 {
				name := fmt.Sprint((i*7 + g) % 200)
				if cache.Get(&got, codec.Access, "token "+name) && string(got.Text(got.Subject)) != name {
					t.Errorf("token %s says %s", name, got.Text(got.Subject))
					return
				}
				cache.Put("token "+name, claims(name, clock.at.Load()+2))
				if i%100 == 0 {
					clock.at.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if cache.Len() > 64 {
		t.Errorf("%d tokens", cache.Len())
	}
}

// TestOverhead: what is counted for an entry is not less than what it takes.
func TestOverhead(t *testing.T) {
	t.Parallel()
	if said, is := verified.Overhead(); said < is || said > 2*is {
		t.Errorf("an entry takes %d bytes, %d are counted", is, said)
	}
}

func TestAllocations(t *testing.T) {
	cache, _ := newCache(8, roomy)
	cache.Put("token", claims("alice", 2000))
	var got codec.Claims
	cache.Get(&got, codec.Access, "token")
	if n := testing.AllocsPerRun(1000, func() {
		cache.Get(&got, codec.Access, "token")
		cache.Get(&got, codec.Access, "other")
	}); n != 0 {
		t.Errorf("Get allocates %v times", n)
	}
}

// BenchmarkGet: a hit, among so many tokens in turn: with more of them, less is in
// the processor's caches.
func BenchmarkGet(b *testing.B) {
	for _, count := range []int{1, 1 << 10, 32 << 10} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			cache, _ := newCache(max(count, 8), roomy)
			for i := range count {
				cache.Put(fmt.Sprintf("%0420d", i), claims(strings.Repeat("a", 300), 2000))
			}
			token := []byte(strings.Repeat("0", 420))
			var got codec.Claims
			i, hits := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				for n, at := i*7919%count, len(token)-1; n > 0 || at > len(token)-8; n, at = n/10, at-1 {
					token[at] = byte('0' + n%10)
				}
				if cache.Get(&got, codec.Access, unsafe.String(&token[0], len(token))) { // as from a request: in the cache
					hits++
				}
				i++
			}
			b.ReportMetric(float64(hits)/float64(i), "hits/op")
		})
	}
}

func BenchmarkPut(b *testing.B) {
	cache, _ := newCache(32<<10, 32<<20)
	cl := claims(strings.Repeat("a", 300), 2000)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		cache.Put(fmt.Sprintf("%0420d", i), cl)
		i++
	}
}

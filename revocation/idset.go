package revocation

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
	"sync/atomic"

	"github.com/remuda-go/remuda/store"
)

// shards is how many tables a set has. One is built anew at a time, so that
// writers wait for each other for some milliseconds with ten million ids, and a
// small part of the memory is held twice.
const shards = 64

// idSet is a set of ids, each with its end. Readers take no lock: each table is
// published by one pointer, in a table a slot is written once, before its tag is
// published, and never again. What has expired goes when its table is built anew.
//
// There is one writer at a time.
type idSet struct {
	key    [2]uint64
	shards [shards]atomic.Pointer[idTable]
	_      [64]byte       // readers share no cache line with what the writer counts
	used   [shards]uint32 // slots in use
}

func (s *idSet) init() {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	s.key = [2]uint64{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])}
}

// hash mixes an id under the key: ids are random, but nothing here needs that.
func (s *idSet) hash(id *store.ID) uint64 {
	hi, lo := bits.Mul64(binary.LittleEndian.Uint64(id[:])^s.key[0], binary.LittleEndian.Uint64(id[8:])^s.key[1])
	return hi ^ lo
}

// shardOf returns the shard of a hash. Its table uses lower bits.
func shardOf(hash uint64) int { return int(hash >> 58) }

// has reports whether an id is in the set.
func (s *idSet) has(id *store.ID) bool {
	hash := s.hash(id)
	t := s.shards[shardOf(hash)].Load()
	return t != nil && t.may(hash) && t.find(hash, id) >= 0
}

// end returns the end of an id. It is for the writer.
func (s *idSet) end(id *store.ID) (until uint32, ok bool) {
	if p := s.slot(s.hash(id), id); p != nil {
		return *p, true
	}
	return 0, false
}

// slot returns where the end of an id is kept, or nil.
func (s *idSet) slot(hash uint64, id *store.ID) *uint32 {
	t := s.shards[shardOf(hash)].Load()
	if t == nil || !t.may(hash) {
		return nil
	}
	if i := t.find(hash, id); i >= 0 {
		return &t.until[i]
	}
	return nil
}

// put adds an id. If it is there already its end is made later, if that is asked
// for, and never earlier. What has expired by now may go.
func (s *idSet) put(id *store.ID, until uint32, longer bool, now uint32) {
	hash := s.hash(id)
	if p := s.slot(hash, id); p != nil {
		if longer {
			*p = max(*p, until)
		}
		return
	}
	shard := shardOf(hash)
	t := s.shards[shard].Load()
	if t == nil || int(s.used[shard]) >= t.limit() {
		t = s.rebuild(shard, 1, now)
	}
	group, tags := t.write(hash, id, until)
	atomic.StoreUint64(&t.tags[group], tags)
	word, set := t.filtered(hash)
	atomic.StoreUint64(word, *word|set)
	s.used[shard]++
}

// shorten makes the end of an id earlier, never later, and reports whether the
// set has it.
func (s *idSet) shorten(id *store.ID, until uint32) bool {
	p := s.slot(s.hash(id), id)
	if p != nil {
		*p = min(*p, until)
	}
	return p != nil
}

// sweep drops what has expired from a shard, once it is a sixteenth of what the
// shard holds: to copy all of it for less is not worth the while.
func (s *idSet) sweep(shard int, now uint32) {
	t := s.shards[shard].Load()
	if t == nil {
		return
	}
	if dead := int(s.used[shard]) - t.live(now); dead > 0 && dead*16 >= int(s.used[shard]) {
		s.rebuild(shard, 0, now)
	}
}

// rebuild replaces a table by one that holds what is live and has room for more.
func (s *idSet) rebuild(shard, more int, now uint32) *idTable {
	old := s.shards[shard].Load()
	live := 0
	if old != nil {
		live = old.live(now)
	}
	s.used[shard] = uint32(live)
	if live+more == 0 {
		s.shards[shard].Store(nil)
		return nil
	}
	t := newIDTable(live + more)
	for i := range old.slots() {
		if until := old.until[i]; until != 0 && !expired(until, now) {
			hash := s.hash(&old.ids[i])
			group, tags := t.write(hash, &old.ids[i], until)
			t.tags[group] = tags // nobody else sees it yet
			word, set := t.filtered(hash)
			*word |= set
		}
	}
	s.shards[shard].Store(t)
	return t
}

// size returns how many ids are held, with those that have expired but were not
// swept, and how many bytes they take.
func (s *idSet) size() (ids, bytes int) {
	bytes = len(s.shards)*8 + len(s.used)*4
	for i := range s.shards {
		ids += int(s.used[i])
		if t := s.shards[i].Load(); t != nil {
			bytes += t.bytes()
		}
	}
	return ids, bytes
}

// idTable is an open-addressed table of slots in groups of eight. A group has a
// word of tags: a byte for each slot, of its id's hash, or zero if it is free.
//
// Before the table stands a filter: each id has set four bits of one word. It
// says no to all but one in a hundred of the ids that are not here, so that the
// processor foresees the answer and does not wait for memory; the tags alone
// would leave it guessing whether a search goes on in the next group.
//
// There are no pointers in it, so that the garbage collector does not walk it.
type idTable struct {
	filter []uint64
	tags   []uint64
	ids    []store.ID
	until  []uint32 // zero if the slot is free; for the writer only
}

const (
	groupSlots = 8
	lowBits    = 0x0101010101010101
	allButHigh = 0x7f7f7f7f7f7f7f7f
)

// newIDTable returns a table for n ids and a tenth more: one of many is between 88
// and 97 % full while it grows, less what the allocator rounds up.
func newIDTable(n int) *idTable {
	groups := n*9/8/groupSlots + 1
	// What the allocator rounds up to is used.
	ids := append([]store.ID(nil), make([]store.ID, groups*groupSlots)...)
	groups = cap(ids) / groupSlots
	words := make([]uint64, groups+groups*4/3) // 10 bits and more of filter for a slot
	return &idTable{
		filter: words[groups:],
		tags:   words[:groups],
		ids:    ids[:groups*groupSlots],
		until:  make([]uint32, groups*groupSlots),
	}
}

// slots returns how many slots there are. A nil table has none.
func (t *idTable) slots() int {
	if t == nil {
		return 0
	}
	return len(t.until)
}

// limit is how many slots may be in use: not all, so that a search ends.
func (t *idTable) limit() int { return len(t.until) - max(len(t.until)/32, 1) }

func (t *idTable) bytes() int {
	const slices = 4 * 24 // their headers
	return slices + (len(t.filter)+len(t.tags))*8 + cap(t.ids)*16 + len(t.until)*4
}

// live counts the slots whose end is not past.
func (t *idTable) live(now uint32) (n int) {
	for _, until := range t.until {
		if until != 0 && !expired(until, now) {
			n++
		}
	}
	return n
}

// scale maps the middle of a hash evenly to a number below n.
func scale(hash uint64, n int) int {
	return int(hash >> 24 & 0xffffffff * uint64(n) >> 32) //nolint:gosec // below n
}

// filtered returns the word of the filter that a hash has, and its bits in there.
func (t *idTable) filtered(hash uint64) (word *uint64, set uint64) {
	set = 1<<(hash&63) | 1<<(hash>>6&63) | 1<<(hash>>12&63) | 1<<(hash>>18&63)
	return &t.filter[scale(hash, len(t.filter))], set
}

// may reports whether an id of this hash may be in the table.
func (t *idTable) may(hash uint64) bool {
	word, set := t.filtered(hash)
	return atomic.LoadUint64(word)&set == set
}

// tag returns the tag of a hash.
func tag(hash uint64) uint64 { return max(hash&0xff, 1) }

// zeroes returns the high bit of each byte that is zero. It is exact: a slot that
// is being written is never taken for another.
func zeroes(word uint64) uint64 {
	return ^(word&allButHigh + allButHigh | word | allButHigh)
}

// find returns the slot of an id, or -1.
func (t *idTable) find(hash uint64, id *store.ID) int {
	want := tag(hash) * lowBits
	for group := scale(hash, len(t.tags)); ; {
		tags := atomic.LoadUint64(&t.tags[group])
		for same := zeroes(tags ^ want); same != 0; same &= same - 1 {
			i := group*groupSlots + bits.TrailingZeros64(same)/8
			if t.ids[i] == *id {
				return i
			}
		}
		if zeroes(tags) != 0 {
			return -1
		}
		if group++; group == len(t.tags) {
			group = 0
		}
	}
}

// write writes an id that is not there into a free slot, and returns the tags that
// make it seen, of which group.
func (t *idTable) write(hash uint64, id *store.ID, until uint32) (group int, tags uint64) {
	group = scale(hash, len(t.tags))
	for zeroes(t.tags[group]) == 0 {
		if group++; group == len(t.tags) {
			group = 0
		}
	}
	shift := bits.TrailingZeros64(zeroes(t.tags[group])) &^ 7
	i := group*groupSlots + shift/8
	t.ids[i], t.until[i] = *id, until
	return group, t.tags[group] | tag(hash)<<shift
}

package revocation

import (
	"hash/maphash"
	"math"
	"math/bits"
	"strings"
	"sync/atomic"
	"time"

	"github.com/remuda-go/remuda/store"
)

// name is whom a wide entry concerns.
type name struct {
	scope          store.Scope
	tenant, target string
}

// hash places a name. The seed keeps others from choosing names that meet.
func (n *name) hash(seed maphash.Seed) uint64 {
	hash := maphash.String(seed, n.target)
	if n.tenant != "" {
		hash ^= bits.RotateLeft64(maphash.String(seed, n.tenant), 29)
	}
	return hash + uint64(n.scope)
}

// nameOf returns whom an entry concerns, as strings of its own.
func nameOf(e *store.Entry) name {
	n := name{scope: e.Scope, target: strings.Clone(e.Target)}
	if e.Scope == store.ScopeSubject {
		n.tenant = strings.Clone(e.Tenant)
	}
	return n
}

// rule ends the sessions that began in a span, all but one.
type rule struct {
	from, before int64    // in Unix milliseconds: dead if from <= started < before
	except       store.ID // survives if it began at or after exceptFrom; zero: none
	exceptFrom   int64

	id    store.ID // of the entry
	until uint32
	keep  uint32 // the end of what was merged into it, which settling does not shorten
}

// ruleOf reads an entry.
func ruleOf(e *store.Entry, until uint32) rule {
	r := rule{from: math.MinInt64, before: math.MaxInt64, exceptFrom: math.MinInt64, id: e.ID, until: until}
	if e.Scope == store.ScopeKey {
		return r
	}
	r.before, r.except = milliseconds(e.Before), e.Except
	if !e.From.IsZero() {
		r.from = milliseconds(e.From)
	}
	return r
}

// milliseconds rounds up: whole milliseconds compare with it as with the instant.
func milliseconds(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		ms++
	}
	return ms
}

// ends reports whether a session is dead by the rule.
func (r *rule) ends(id *store.ID, started int64) bool {
	return r.from <= started && started < r.before && !r.spares(id, started)
}

func (r *rule) spares(id *store.ID, started int64) bool {
	return r.except == *id && started >= r.exceptFrom && !r.except.IsZero()
}

// merged returns the one rule that ends what either of two ends that have the
// same from. It is kept as long as the longer of them.
func merged(a, b *rule) rule {
	if a.before < b.before {
		a, b = b, a
	}
	// a ends all that b does but the one that it spares; that one dies by b if it
	// began before b's span ends, unless b spares it as well.
	r := *a
	byB := b.before
	if a.except == b.except {
		byB = min(b.before, b.exceptFrom)
	}
	r.exceptFrom = max(a.exceptFrom, byB)
	later, earlier := a, b
	if a.until < b.until {
		later, earlier = b, a
	}
	r.id, r.until = later.id, later.until
	r.keep = max(a.keep, b.keep)
	if a.id != b.id {
		r.keep = max(r.keep, earlier.until)
	}
	return r
}

// node is a rule in a table. It is never changed once it is published.
type node struct {
	hash uint64
	name name
	rule rule
	next *node // of the same name, with another from
}

// wideSet holds the entries wider than a session. Readers take no lock; there is
// one writer at a time.
type wideSet struct {
	seed    maphash.Seed
	present atomic.Uint32 // a bit for each scope of which something is held
	shards  [shards]atomic.Pointer[wideTable]
	_       [64]byte

	count   [shards][store.ScopeEverything + 1]int // nodes, by scope
	settled idSet                                  // ids of entries, with their earlier ends
}

func (w *wideSet) init() {
	w.seed = maphash.MakeSeed()
	w.settled.init()
}

// any reports whether anything is held.
func (w *wideSet) any() bool { return w.present.Load() != 0 }

// ends reports whether a rule ends the token.
func (w *wideSet) ends(t *Token) bool {
	present := w.present.Load()
	on := func(n name) bool {
		return present&(1<<n.scope) != 0 && w.names(&n, &t.Session, t.Started)
	}
	return on(name{scope: store.ScopeEverything}) ||
		on(name{scope: store.ScopeKey, target: t.Key}) ||
		on(name{scope: store.ScopeProfile, target: t.Profile}) ||
		on(name{scope: store.ScopeTenant, target: t.Tenant}) ||
		on(name{scope: store.ScopeSubject, tenant: t.Tenant, target: t.Subject})
}

// names reports whether a rule of this name ends the session.
func (w *wideSet) names(n *name, id *store.ID, started int64) bool {
	hash := n.hash(w.seed)
	t := w.shards[shardOf(hash)].Load()
	if t == nil {
		return false
	}
	for _, at := t.find(hash, n); at != nil; at = at.next {
		if at.rule.ends(id, started) {
			return true
		}
	}
	return false
}

// put adds an entry's rule, or merges it with one that has the same from.
func (w *wideSet) put(e *store.Entry, until uint32) {
	n, r := nameOf(e), ruleOf(e, until)
	hash := n.hash(w.seed)
	shard := shardOf(hash)
	t := w.shards[shard].Load()
	if t == nil || t.nodes >= len(t.slots)/4*3 {
		t = w.rebuild(shard, 1, 0)
	}
	slot, head := t.find(hash, &n)
	rest, same := without(head, r.from)
	if same != nil {
		r = merged(&r, w.shortened(&same.rule))
		w.count[shard][n.scope]--
	}
	if head == nil {
		t.nodes++
	} else {
		n = head.name
	}
	slot.Store(&node{hash, n, r, rest})
	w.count[shard][n.scope]++
	w.present.Or(1 << n.scope)
}

// without returns a list without the node of this from, and that node. Readers
// may be in the list, so what lies before the node is copied.
func without(list *node, from int64) (rest, found *node) {
	if list == nil || list.rule.from == from {
		if list == nil {
			return nil, nil
		}
		return list.next, list
	}
	rest, found = without(list.next, from)
	if found == nil {
		return list, nil
	}
	return &node{list.hash, list.name, list.rule, rest}, found
}

// settle remembers that the entry of an id may end earlier. It takes effect with
// the next sweep: an index of the rules by id would cost as much as the rules.
func (w *wideSet) settle(id *store.ID, until uint32) {
	if !w.any() || w.settled.shorten(id, until) {
		return
	}
	w.settled.put(id, until, false, 0)
}

// shortened returns a rule with the end that settling has left it: itself, if that
// is the same.
func (w *wideSet) shortened(r *rule) *rule {
	end, ok := w.settled.end(&r.id)
	end = max(end, r.keep)
	if !ok || end >= r.until {
		return r
	}
	s := *r
	s.until = end
	return &s
}

// sweep drops what has expired from a shard, and notes what was settled.
func (w *wideSet) sweep(shard int, now uint32) {
	t := w.shards[shard].Load()
	if t == nil {
		return
	}
	for i := range t.slots {
		for at := t.slots[i].Load(); at != nil; at = at.next {
			if until := w.shortened(&at.rule).until; until != at.rule.until || expired(until, now) {
				w.rebuild(shard, 0, now)
				return
			}
		}
	}
}

// rebuild replaces a table by one that holds what is live and has room for more.
func (w *wideSet) rebuild(shard int, more int, now uint32) *wideTable {
	var heads []*node
	old := w.shards[shard].Load()
	clear(w.count[shard][:])
	for i := range old.size() {
		head := w.live(old.slots[i].Load(), now)
		if head == nil {
			continue
		}
		heads = append(heads, head)
		for at := head; at != nil; at = at.next {
			w.count[shard][at.name.scope]++
		}
	}
	var t *wideTable
	if len(heads)+more > 0 {
		t = newWideTable(heads, more)
	}
	w.shards[shard].Store(t)
	w.forget()
	return t
}

// live returns what of a list has not expired, with the ends that are left to it.
func (w *wideSet) live(list *node, now uint32) *node {
	if list == nil {
		return nil
	}
	rest, r := w.live(list.next, now), w.shortened(&list.rule)
	switch {
	case expired(r.until, now):
		return rest
	case rest == list.next && r == &list.rule:
		return list
	default:
		return &node{list.hash, list.name, *r, rest}
	}
}

// forget clears the bits of scopes of which nothing is held any more.
func (w *wideSet) forget() {
	var present uint32
	for scope, n := range w.byScope() {
		if n > 0 {
			present |= 1 << scope
		}
	}
	w.present.Store(present)
}

func (w *wideSet) byScope() (counts [store.ScopeEverything + 1]int) {
	for i := range w.count {
		for scope, n := range w.count[i] {
			counts[scope] += n
		}
	}
	return counts
}

// size returns how many rules are held.
func (w *wideSet) size() (rules int) {
	for _, n := range w.byScope() {
		rules += n
	}
	return rules
}

// wideTable is an open-addressed table of lists of nodes. Slots are filled and
// replaced, never emptied.
type wideTable struct {
	slots []atomic.Pointer[node] // a power of two
	nodes int                    // slots in use; for the writer only
}

// newWideTable returns a table of these lists, at most half full with more.
func newWideTable(heads []*node, more int) *wideTable {
	size := 4
	for size < 2*(len(heads)+more) {
		size *= 2
	}
	t := &wideTable{slots: make([]atomic.Pointer[node], size), nodes: len(heads)}
	for _, head := range heads {
		slot, _ := t.find(head.hash, &head.name)
		slot.Store(head)
	}
	return t
}

// size returns how many slots there are. A nil table has none.
func (t *wideTable) size() int {
	if t == nil {
		return 0
	}
	return len(t.slots)
}

// find returns the list of a name and its slot, or nil and the free slot in which
// it belongs. Readers use the list only: a free slot may be another's by now.
func (t *wideTable) find(hash uint64, n *name) (*atomic.Pointer[node], *node) {
	for i := int(hash & math.MaxUint32); ; i++ {
		slot := &t.slots[i&(len(t.slots)-1)]
		at := slot.Load()
		if at == nil || at.hash == hash && at.name == *n {
			return slot, at
		}
	}
}

// by returns the scope of a rule that ends the token, and before when those began
// that it ends: zero where it does not look at that. Without such a rule the scope
// is zero.
func (w *wideSet) by(t *Token) (store.Scope, int64) {
	for _, n := range []name{
		{scope: store.ScopeEverything},
		{scope: store.ScopeKey, target: t.Key},
		{scope: store.ScopeProfile, target: t.Profile},
		{scope: store.ScopeTenant, target: t.Tenant},
		{scope: store.ScopeSubject, tenant: t.Tenant, target: t.Subject},
	} {
		hash := n.hash(w.seed)
		table := w.shards[shardOf(hash)].Load()
		if table == nil {
			continue
		}
		for _, at := table.find(hash, &n); at != nil; at = at.next {
			if at.rule.ends(&t.Session, t.Started) {
				return n.scope, at.rule.before
			}
		}
	}
	return 0, 0
}

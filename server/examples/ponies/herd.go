package ponies

import (
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/remuda-go/remuda"
)

// maxHerd is how many ponies one user may have.
const maxHerd = 100

// errHerdFull says that a user has as many ponies as there may be.
var errHerdFull = errors.New("ponies: the herd is full")

// pony is a pony, in memory and on the wire.
type pony struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Breed   string    `json:"breed"`
	AddedAt time.Time `json:"added_at"` // in UTC
}

// owner is whose a herd is. A subject alone is not enough: tenants may have the
// same ones.
type owner struct {
	tenant, subject string
}

func ownerOf(s *remuda.Session) owner { return owner{tenant: s.Tenant, subject: s.Subject} }

// news is what happens to a herd.
type news struct {
	pony pony
	sold bool // it has left; otherwise it has joined
}

// herds keeps every user's ponies, and tells what happens to them. It is safe for
// concurrent use.
type herds struct {
	mu       sync.Mutex
	herd     map[owner][]pony
	watchers map[owner]map[chan news]struct{}
}

func newHerds() *herds {
	return &herds{herd: map[owner][]pony{}, watchers: map[owner]map[chan news]struct{}{}}
}

// list returns the ponies of o, the oldest first; never nil.
func (h *herds) list(o owner) []pony {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]pony{}, h.herd[o]...)
}

// add gives a pony an id and puts it into the herd of o, or returns
// [errHerdFull].
func (h *herds) add(o owner, p pony) (pony, error) {
	p.ID = rand.Text()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.herd[o]) >= maxHerd {
		return pony{}, errHerdFull
	}
	h.herd[o] = append(h.herd[o], p)
	h.tell(o, news{pony: p})
	return p, nil
}

// sell takes a pony out of the herd of o, and reports whether it was there.
func (h *herds) sell(o owner, id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.herd[o], func(p pony) bool { return p.ID == id })
	if i < 0 {
		return false
	}
	h.tell(o, news{pony: h.herd[o][i], sold: true})
	h.herd[o] = slices.Delete(h.herd[o], i, i+1)
	return true
}

// tell gives news to those who watch the herd of o. The caller holds the lock.
func (h *herds) tell(o owner, n news) {
	for w := range h.watchers[o] {
		select {
		case w <- n:
		default: // too slow: it comes back, and reads the whole herd
			h.drop(o, w)
		}
	}
}

// waiting is how much news may wait for one watcher.
const waiting = 16

// watch yields what happens to the herd of o from now on. The channel is closed on
// a watcher that is too slow. Call stop in the end.
func (h *herds) watch(o owner) (heard <-chan news, stop func()) {
	w := make(chan news, waiting)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers[o] == nil {
		h.watchers[o] = map[chan news]struct{}{}
	}
	h.watchers[o][w] = struct{}{}
	return w, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.drop(o, w)
	}
}

// drop ends one watcher, if it is still there. The caller holds the lock.
func (h *herds) drop(o owner, w chan news) {
	if _, ok := h.watchers[o][w]; !ok {
		return
	}
	close(w)
	delete(h.watchers[o], w)
	if len(h.watchers[o]) == 0 {
		delete(h.watchers, o)
	}
}

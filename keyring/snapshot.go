package keyring

import (
	"slices"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/internal/mac"
)

// snapshot is the ring at an instant, ready for use. It is immutable.
type snapshot struct {
	doc      *document
	external []External
	refused  map[string]time.Time // that of live: looked at by who holds its lock

	// The states are those of the instants from at up to next; a zero next
	// means for ever.
	at, next time.Time

	usable []usable
	ready
}

// usable is what decides whether two snapshots are good for the same: compared,
// not used.
type usable struct {
	id   string
	alg  codec.Algorithm
	sign bool
	from [secretSize]byte
}

// ready is what is made of the usable keys.
type ready struct {
	set   *codec.KeySet
	root  *root // the active one; nil if there is none
	roots map[keyID]*root
	jwks  []byte
	etag  string
}

// root holds what is derived from one key: a key for each purpose.
type root struct {
	id      keyID
	seal    *mac.MAC
	csrf    *mac.MAC
	address *mac.MAC
	cursor  *mac.MAC
	log     *mac.MAC
}

func newRoot(k *key) *root {
	return &root{
		id:      k.id,
		seal:    mac.New(k.derive("seal")),
		csrf:    mac.New(k.derive("csrf")),
		address: mac.New(k.derive("address")),
		cursor:  mac.New(k.derive("cursor")),
		log:     mac.New(k.derive("log")),
	}
}

// snapshot returns the ring as it is now. The caller holds l.mu.
func (l *live) snapshot(now time.Time) *snapshot {
	s := &snapshot{doc: l.doc.refusing(l.refused), external: l.cfg.External, refused: l.refused, at: now}
	s.next = s.doc.nextChange(now)
	s.usable = s.listUsable()
	return s
}

// refresh puts the ring as it is now in the place of what was. The caller holds
// l.mu.
func (l *live) refresh(now time.Time) {
	was, s := l.now.Load(), l.snapshot(now)
	if was != nil && slices.Equal(was.usable, s.usable) {
		s.ready = was.ready
	} else {
		s.ready = s.prepare()
	}
	l.now.Store(s)
}

// advance moves the states on to an instant.
func (l *live) advance(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.now.Load()
	// A clock that was set back counts as well: all nodes are to agree.
	if now.Before(s.at) || !s.next.IsZero() && !now.Before(s.next) {
		l.refresh(now)
	}
}

// externalSigner reports whether a key elsewhere signs with this algorithm; own
// ones then verify only.
func (s *snapshot) externalSigner(alg codec.Algorithm) bool {
	for i := range s.external {
		if e := &s.external[i]; e.Algorithm == alg && s.stateOfExternal(e) == Active {
			return true
		}
	}
	return false
}

// stateOf is the state of an own key, by the keys of the ring and those
// elsewhere.
func (s *snapshot) stateOf(k *key) State {
	state := k.state(s.at, s.doc.active(k.alg, s.at))
	if state == Active && s.externalSigner(k.alg) {
		return Retiring
	}
	return state
}

func (s *snapshot) stateOfExternal(e *External) State {
	_, refused := s.refused[e.ID]
	switch {
	case refused:
		return Compromised
	case e.Active:
		return Active
	}
	return Retiring
}

// listUsable returns what verifies, and which of it signs.
func (s *snapshot) listUsable() (list []usable) {
	for i := range s.doc.keys {
		k := &s.doc.keys[i]
		switch state := s.stateOf(k); state {
		case Pending, Active, Retiring:
			list = append(list, usable{k.id.String(), k.alg, state == Active, k.secret})
		case Retired, Compromised:
		}
	}
	for i := range s.external {
		e := &s.external[i]
		if state := s.stateOfExternal(e); state != Compromised {
			list = append(list, usable{id: e.ID, alg: e.Algorithm, sign: state == Active})
		}
	}
	return list
}

// prepare makes what is used of the usable keys.
func (s *snapshot) prepare() ready {
	out := ready{set: &codec.KeySet{}, roots: map[keyID]*root{}}
	for i := range s.usable {
		u := &s.usable[i]
		k := s.doc.find(u.id)
		switch {
		case k == nil:
			i := slices.IndexFunc(s.external, func(e External) bool { return e.ID == u.id })
			out.set.Keys = append(out.set.Keys, s.external[i].codecKey())
		case k.alg == Root:
			r := newRoot(k)
			out.roots[k.id] = r
			if u.sign {
				out.root = r
			}
			out.set.Keys = append(out.set.Keys,
				codec.Key{ID: u.id, Algorithm: codec.Opaque, Secret: k.derive("opaque"), Sign: u.sign})
		default:
			out.set.Keys = append(out.set.Keys, k.codecKey(u.sign))
		}
	}
	out.jwks, out.etag = jwks(out.set)
	return out
}

// infos lists the keys.
func (s *snapshot) infos() []Info {
	list := make([]Info, 0, len(s.doc.keys)+len(s.external))
	for i := range s.doc.keys {
		k := &s.doc.keys[i]
		info := Info{
			ID: k.id.String(), Algorithm: k.alg, State: s.stateOf(k),
			Created: k.created, Activates: k.activates, Retires: k.retires, Expires: k.expires, Compromised: k.compromised,
		}
		if k.alg != Root && !k.alg.Symmetric() && !k.dead(s.at) {
			info.Public = k.signer().Public()
		}
		list = append(list, info)
	}
	for i := range s.external {
		e := &s.external[i]
		list = append(list, Info{
			ID: e.ID, Algorithm: e.Algorithm, State: s.stateOfExternal(e), External: true, Public: e.Signer.Public(),
		})
	}
	return list
}

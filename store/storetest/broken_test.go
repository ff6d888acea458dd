package storetest_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/remuda-go/remuda/store"
)

// bug is one mistake that a driver may make.
type bug string

// brokenStore is a store with at most one bug. Without a bug it is correct,
// which shows that a check that fails does so because of the bug.
type brokenStore struct {
	bug     bug
	mu      sync.Mutex
	closed  bool
	records map[store.ID]store.Record
	before  map[store.ID]store.Record // the state before the last, for stale reads
	reads   int
	items   map[[2]string]store.Item
	log     brokenLog
}

func newBroken(b bug) *brokenStore {
	return &brokenStore{
		bug:     b,
		records: map[store.ID]store.Record{},
		before:  map[store.ID]store.Record{},
		items:   map[[2]string]store.Item{},
		log:     brokenLog{changed: make(chan struct{})},
	}
}

// gap lets others in between a read and the write that rests on it, if the
// store has the bug.
func (s *brokenStore) gap(b bug) {
	if s.bug == b {
		s.mu.Unlock()
		time.Sleep(50 * time.Microsecond)
		s.mu.Lock()
	}
}

func (s *brokenStore) enter(ctx context.Context) error {
	s.mu.Lock()
	if s.closed && s.bug != "works after close" {
		return errors.New("closed")
	}
	if s.bug == "ignores cancellation" {
		return nil
	}
	return ctx.Err()
}

func (s *brokenStore) put(r store.Record) {
	if old, ok := s.records[r.ID]; ok {
		s.before[r.ID] = old
	}
	unit := time.Microsecond
	if s.bug == "keeps milliseconds" {
		unit = time.Millisecond
	}
	for _, t := range []*time.Time{&r.WindowAt, &r.LastSeen, &r.IdleExpires, &r.Expires, &r.EndedAt} {
		if t.IsZero() && s.bug == "zero time becomes 1970" {
			*t = time.Unix(0, 0)
		}
		*t = t.Truncate(unit).UTC()
		if s.bug == "keeps nanoseconds" {
			*t = t.Add(1)
		}
		if s.bug == "returns local time" {
			*t = t.In(time.FixedZone("x", 3600))
		}
	}
	if s.bug != "keeps the caller's slice" {
		r.Blob = bytes.Clone(r.Blob)
	}
	if s.bug == "drops the profile on update" && s.before[r.ID].Profile != "" {
		r.Profile = s.before[r.ID].Profile
	}
	s.records[r.ID] = r
}

func (s *brokenStore) Create(ctx context.Context, r store.Record) error {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return err
	}
	old, taken := s.records[r.ID]
	s.gap("create checks, then writes")
	switch {
	case s.bug == "create overwrites":
	case s.bug == "create overwrites a tombstone" && old.Ended():
	case taken && s.bug == "create answers conflict":
		return store.ErrConflict
	case taken:
		return store.ErrExists
	}
	s.put(r)
	return nil
}

func (s *brokenStore) Get(ctx context.Context, id store.ID) (store.Record, error) {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return store.Record{}, err
	}
	r, ok := s.records[id]
	s.reads++
	if old, had := s.before[id]; had && s.bug == "stale reads" && s.reads%7 == 0 {
		r = old
	}
	switch {
	case !ok && s.bug == "missing is a failure":
		return r, errors.New("sql: no rows")
	case !ok && s.bug == "missing is empty":
		return r, nil
	case !ok, s.bug == "hides tombstones" && r.Ended():
		return store.Record{}, store.ErrNotFound
	}
	return s.out(r), nil
}

func (s *brokenStore) out(r store.Record) store.Record {
	if s.bug != "returns its own slice" {
		r.Blob = bytes.Clone(r.Blob)
	}
	return r
}

func (s *brokenStore) sameVersion(a, b store.Version) bool {
	if s.bug == "compares half the version" {
		return bytes.Equal(a[:8], b[:8])
	}
	return a == b
}

func (s *brokenStore) Update(ctx context.Context, r store.Record, was store.Version) error {
	defer s.mu.Unlock()
	if r.Version == was && s.bug != "accepts the old version" {
		s.mu.Lock()
		return errors.New("the new version is the old one")
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	old, ok := s.records[r.ID]
	s.gap("update reads, then writes")
	match := s.sameVersion(old.Version, was) || s.bug == "no compare-and-swap"
	switch {
	case !ok && s.bug == "update creates":
	case !ok && s.bug == "gone is a conflict":
		return store.ErrConflict
	case !ok:
		return store.ErrNotFound
	case !match && s.bug == "conflict is not found":
		return store.ErrNotFound
	case !match, old.Ended() && s.bug != "update over a tombstone":
		return store.ErrConflict
	}
	if s.bug == "versions come back" {
		r.Version = store.Version{r.Version[0] % 3}
	}
	s.put(r)
	return nil
}

func (s *brokenStore) Scan(ctx context.Context, after store.ID) iter.Seq2[store.Record, error] {
	first := true
	var only string
	return s.listing(ctx, "scan", after, func(r store.Record) bool {
		if first {
			first, only = false, r.Subject
		}
		return s.bug != "scan yields one owner" || r.Subject == only
	})
}

func (s *brokenStore) List(ctx context.Context, o store.Owner, after store.ID) iter.Seq2[store.Record, error] {
	return s.listing(ctx, "list", after, func(r store.Record) bool {
		return r.Subject == o.Subject && (r.Tenant == o.Tenant || s.bug == "list ignores the tenant")
	})
}

// listing is what List and Scan have in common, with its bugs.
func (s *brokenStore) listing(ctx context.Context, what bug, after store.ID, match func(r store.Record) bool) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		if s.bug == what+" locks while ranging" {
			s.mu.Lock()
			defer s.mu.Unlock()
		}
		offset := 0
		from := after // kept, so that it can be ranged again
		for {
			page, err := s.page(ctx, what, from, offset, match)
			if err != nil {
				yield(store.Record{}, err)
				if s.bug == what+" errs twice" {
					yield(store.Record{}, err)
				}
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
			if len(page) < 10 || s.bug == what+" yields one page" {
				return
			}
			if s.bug == what+" pages by offset" {
				offset += len(page)
			} else {
				from = page[len(page)-1].ID
			}
		}
	}
}

func (s *brokenStore) page(ctx context.Context, what bug, after store.ID, offset int, match func(r store.Record) bool) ([]store.Record, error) {
	if s.bug != what+" locks while ranging" {
		defer s.mu.Unlock()
		if err := s.enter(ctx); err != nil && s.bug != what+" swallows errors" {
			return nil, err
		}
	}
	var all []store.Record
	for _, r := range s.records {
		c := bytes.Compare(r.ID[:], after[:])
		if match(r) && (c > 0 || c == 0 && s.bug == what+" includes after") && !(r.Ended() && s.bug == what+" hides tombstones") {
			all = append(all, s.out(r))
		}
	}
	slices.SortFunc(all, func(a, b store.Record) int {
		if s.bug == what+" is out of order" {
			return cmp.Compare(a.Version[0], b.Version[0])
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	all = all[min(offset, len(all)):]
	return all[:min(len(all), 10)], nil
}

func (s *brokenStore) Touch(ctx context.Context, batch []store.Touch) error {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return err
	}
	for i, t := range batch {
		r, ok := s.records[t.ID]
		if !ok && s.bug == "touch creates" {
			r, ok = store.Record{ID: t.ID, IdleExpires: t.IdleExpires, Expires: t.IdleExpires}, true
		}
		if !ok {
			continue
		}
		changed := s.touch(&r, t)
		s.gap("touch reads, then writes")
		if changed {
			s.put(r)
		}
		if s.bug == "touch stops at the first that does nothing" && !changed {
			return nil
		}
		if s.bug == "touch changes the batch" {
			batch[i].ID = store.ID{}
		}
	}
	return nil
}

func (s *brokenStore) touch(r *store.Record, t store.Touch) bool {
	was := *r
	late := !t.At.Before(r.IdleExpires)
	if s.bug == "touch at the idle deadline" {
		late = t.At.After(r.IdleExpires)
	}
	over := !t.At.Before(r.Expires) && s.bug != "touch ignores the absolute end"
	if r.Ended() && s.bug != "touch of a tombstone" || late && s.bug != "touch of an idle record" || over {
		return false
	}
	sees := t.Gen == r.Gen && t.Gen != 0 || s.bug == "touch of any generation is seen" && t.Gen != 0 ||
		s.bug == "touch of generation 0 is seen" && t.Gen == r.Gen
	if sees && (!r.GenSeen || s.bug == "touch moves the window again") {
		r.GenSeen = true
		if t.At.After(r.WindowAt) || s.bug == "touch moves the window back" {
			r.WindowAt = t.At
		}
	}
	if s.bug == "touch marks seen and keeps the window" {
		r.WindowAt = was.WindowAt
	}
	if !t.IdleExpires.IsZero() {
		s.activity(r, t)
	} else if s.bug == "every touch is activity" && t.At.After(r.LastSeen) {
		r.LastSeen = t.At
	}
	changed := was.GenSeen != r.GenSeen || was.WindowAt != r.WindowAt || was.LastSeen != r.LastSeen || was.IdleExpires != r.IdleExpires
	if changed && s.bug != "touch keeps the version" || s.bug == "touch always changes the version" {
		r.Version = t.Version
		changed = true
	}
	return changed
}

func (s *brokenStore) activity(r *store.Record, t store.Touch) {
	idle := t.IdleExpires
	if idle.After(r.Expires) && s.bug != "touch passes the absolute end" {
		idle = r.Expires
	}
	if t.At.After(r.LastSeen) || s.bug == "touch moves last seen back" {
		r.LastSeen = t.At
	}
	if idle.After(r.IdleExpires) || s.bug == "touch moves the idle deadline back" {
		r.IdleExpires = idle
	}
}

func (s *brokenStore) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	n := 0
	for id, r := range s.records {
		if s.isDue(r, before) && (n < limit || s.bug == "sweep ignores limit") {
			delete(s.records, id)
			delete(s.before, id)
			n++
		}
	}
	items := 0
	for k, it := range s.items {
		expired := it.Expires.Before(before) && (!it.Expires.IsZero() || s.bug == "sweep takes eternal items")
		if expired && (items < limit || s.bug == "sweep ignores limit of items") && s.bug != "sweep leaves items" {
			delete(s.items, k)
			items++
		}
	}
	if s.bug == "sweep counts items" {
		n += items
	}
	return n, nil
}

func (s *brokenStore) Erase(ctx context.Context, o store.Owner) (int, error) {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	n := 0
	for id, r := range s.records {
		of := r.Subject == o.Subject && (r.Tenant == o.Tenant || s.bug == "erase ignores the tenant")
		if of && (r.Ended() || s.bug == "erase takes live ones") && s.bug != "erase does nothing" {
			delete(s.records, id)
			delete(s.before, id)
			n++
		}
	}
	return n, nil
}

func (s *brokenStore) isDue(r store.Record, before time.Time) bool {
	due := r.Expires
	if r.IdleExpires.Before(due) && s.bug != "sweep ignores the idle deadline" {
		due = r.IdleExpires
	}
	if r.Ended() && s.bug != "sweep ignores the end" {
		due = r.EndedAt
	}
	if s.bug == "sweep includes the instant" {
		return !due.After(before)
	}
	if s.bug == "sweep takes tombstones only" && !r.Ended() {
		return false
	}
	return due.Before(before)
}

func (s *brokenStore) Ping(ctx context.Context) error {
	defer s.mu.Unlock()
	return s.enter(ctx)
}

func (s *brokenStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.log.announce()
	return nil
}

// reopened returns a store on the same data.
func (s *brokenStore) reopened() *brokenStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	again := newBroken(s.bug)
	again.records, again.items, again.log = s.records, s.items, s.log
	again.log.reopen(s.bug)
	return again
}

func (s *brokenStore) live(kind, key string, now time.Time) (store.Item, bool) {
	it, ok := s.items[[2]string{kind, key}]
	expired := !it.Expires.IsZero() && !it.Expires.After(now)
	if s.bug == "item lives at its expiry" {
		expired = !it.Expires.IsZero() && it.Expires.Before(now)
	}
	if s.bug == "items never expire" {
		expired = false
	}
	return it, ok && !expired
}

func (s *brokenStore) putItem(kind, key string, it store.Item) {
	if s.bug != "keeps the caller's value" {
		it.Value = bytes.Clone(it.Value)
	}
	it.Expires = it.Expires.Truncate(time.Microsecond).UTC()
	s.items[[2]string{kind, key}] = it
}

func (s *brokenStore) CreateItem(ctx context.Context, kind, key string, it store.Item, now time.Time) error {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return err
	}
	_, taken := s.live(kind, key, now)
	if s.bug == "expired item blocks create" {
		_, taken = s.items[[2]string{kind, key}]
	}
	s.gap("create item checks, then writes")
	if taken {
		return store.ErrExists
	}
	s.putItem(kind, key, it)
	return nil
}

func (s *brokenStore) GetItem(ctx context.Context, kind, key string, now time.Time) (store.Item, error) {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return store.Item{}, err
	}
	it, ok := s.live(kind, key, now)
	if !ok {
		return store.Item{}, store.ErrNotFound
	}
	it.Value = bytes.Clone(it.Value)
	return it, nil
}

func (s *brokenStore) SwapItem(ctx context.Context, kind, key string, it store.Item, was store.Version, now time.Time) error {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return err
	}
	old, ok := s.live(kind, key, now)
	s.gap("swap item reads, then writes")
	switch {
	case it.Version == was:
		return errors.New("the new version is the old one")
	case !ok:
		return store.ErrNotFound
	case old.Version != was && s.bug != "swap item ignores the version":
		return store.ErrConflict
	}
	s.putItem(kind, key, it)
	return nil
}

func (s *brokenStore) DeleteItem(ctx context.Context, kind, key string, was store.Version, now time.Time) error {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return err
	}
	old, ok := s.live(kind, key, now)
	s.gap("delete item reads, then deletes")
	switch {
	case !ok && s.bug == "delete of nothing succeeds":
		return nil
	case !ok:
		return store.ErrNotFound
	case old.Version != was && s.bug != "delete item ignores the version":
		return store.ErrConflict
	}
	delete(s.items, [2]string{kind, key})
	return nil
}

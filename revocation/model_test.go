package revocation_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/store"
)

// model is the set as one would write it first: all entries that ever came, and
// every question asked of each.
type model map[store.ID]*store.Entry

func (m model) deliver(e store.Entry) {
	switch {
	case e.Scope == store.ScopeSettled:
		m.settle(e)
	case m[e.ID] == nil: // what comes again changes nothing
		m[e.ID] = &e
	}
}

func (m model) settle(s store.Entry) {
	for i := 0; i < len(s.Target); i += 16 {
		target := s.Target[i : i+16]
		for id, e := range m {
			about := string(id[:])
			if e.Scope == store.ScopeSession {
				about = e.Target
			}
			if about == target && s.Until.Before(e.Until) {
				e.Until = s.Until
			}
		}
	}
}

// judge reports whether an entry that is live ends the token, and whether one
// ever did.
func (m model) judge(t *revocation.Token, now time.Time) (dead, ever bool) {
	for _, e := range m {
		if ends(e, t) {
			ever = true
			dead = dead || !e.Until.Before(now)
		}
	}
	return dead, ever
}

func ends(e *store.Entry, t *revocation.Token) bool {
	started := time.UnixMilli(t.Started)
	wide := started.Before(e.Before) && !started.Before(e.From) && (e.Except.IsZero() || e.Except != t.Session)
	switch e.Scope {
	case store.ScopeSession:
		return e.Target == string(t.Session[:])
	case store.ScopeSubject:
		return wide && e.Target == t.Subject && e.Tenant == t.Tenant
	case store.ScopeTenant:
		return wide && e.Target == t.Tenant
	case store.ScopeProfile:
		return wide && e.Target == t.Profile
	case store.ScopeEverything:
		return wide
	case store.ScopeKey:
		return e.Target == t.Key
	default:
		return false
	}
}

// world draws entries and questions from few names, so that they meet.
type world struct {
	clock *clock
	epoch time.Time
	next  uint64
}

func (w *world) id() store.ID {
	w.next++
	return idOf(7, w.next)
}

func drawSession(t *rapid.T) store.ID { return idOf(8, rapid.Uint64Range(0, 3).Draw(t, "session")) }

func drawName(t *rapid.T) string { return rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "name") }

// instant is within 20 ms after the epoch, sometimes between two milliseconds.
func (w *world) instant(t *rapid.T) time.Time {
	return w.epoch.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "half ms")) * 500 * time.Microsecond)
}

func (w *world) entry(t *rapid.T) store.Entry {
	e := store.Entry{
		ID:    w.id(),
		Scope: rapid.SampledFrom([]store.Scope{1, 1, 2, 2, 2, 3, 4, 5, 6, 7}).Draw(t, "scope"),
		Until: w.clock.Now().Add(time.Duration(rapid.IntRange(-30, 300).Draw(t, "until")) * time.Second),
		At:    w.clock.Now(),
	}
	switch e.Scope {
	case store.ScopeSession:
		id := drawSession(t)
		e.Target = string(id[:])
		return e
	case store.ScopeEverything:
	default:
		e.Target = drawName(t)
	}
	e.Tenant = drawName(t)
	e.Before = w.instant(t)
	if rapid.IntRange(0, 3).Draw(t, "from") == 0 {
		e.From = w.instant(t)
	}
	if rapid.Bool().Draw(t, "except") {
		e.Except = drawSession(t)
	}
	return e
}

func (w *world) token(t *rapid.T) *revocation.Token {
	return &revocation.Token{
		Session: drawSession(t), Subject: drawName(t), Tenant: drawName(t), Profile: drawName(t), Key: drawName(t),
		Started: w.epoch.UnixMilli() + rapid.Int64Range(-1, 21).Draw(t, "started"),
	}
}

// TestModel compares the set with the model, while entries come through the log,
// from this node, or both, are settled, and expire.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		w := &world{clock: c, epoch: c.Now().Truncate(time.Millisecond)}
		h, m := clocked(c), model{}
		var known []store.Entry
		deliver := func(e store.Entry) {
			m.deliver(e)
			if rapid.Bool().Draw(t, "own") {
				h.Add(e)
			} else {
				h.Take(store.Batch{Entries: []store.Entry{e}})
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				for range 5 {
					q := w.token(t)
					dead, ever := m.judge(q, c.Now())
					if got := h.Revoked(q); got && !ever || !got && dead {
						t.Fatalf("%+v is revoked: %v, want dead %v, ever %v", q, got, dead, ever)
					}
				}
			},
			"entry": func(t *rapid.T) {
				e := w.entry(t)
				known = append(known, e)
				deliver(e)
			},
			"again": func(t *rapid.T) {
				if len(known) > 0 {
					deliver(rapid.SampledFrom(known).Draw(t, "which"))
				}
			},
			"settle": func(t *rapid.T) {
				if len(known) == 0 {
					return
				}
				e := rapid.SampledFrom(known).Draw(t, "which")
				about := e.ID
				if e.Scope == store.ScopeSession {
					about = store.ID([]byte(e.Target))
				}
				deliver(settled(w.id(), c.Now().Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "left"))*time.Second), about))
			},
			"time":  func(t *rapid.T) { c.Advance(time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second) },
			"sweep": func(*rapid.T) { h.Sweep() },
		})
		c.Advance(time.Hour)
		h.Sweep()
		if s := h.Stats(); s.Sessions != 0 || s.Wide != 0 || h.Revoked(w.token(t)) {
			t.Fatalf("%d sessions and %d wider entries are held when all have expired", s.Sessions, s.Wide)
		}
	})
}

// TestEdges holds single cases that the model draws too seldom.
func TestEdges(t *testing.T) {
	t.Parallel()
	until := time.Now().Add(time.Hour)
	ms := time.UnixMilli
	wide := store.Entry{Scope: store.ScopeEverything, From: ms(10), Before: ms(20), Until: until}
	bit := func(f func(e *store.Entry)) store.Entry {
		e := wide
		f(&e)
		return e
	}
	except := idOf(1, 1)
	long := string(make([]byte, 255))
	for name, c := range map[string]struct {
		entry store.Entry
		token revocation.Token
		want  bool
	}{
		"at From":                   {wide, revocation.Token{Started: 10}, true},
		"before From":               {wide, revocation.Token{Started: 9}, false},
		"before Before":             {wide, revocation.Token{Started: 19}, true},
		"at Before":                 {wide, revocation.Token{Started: 20}, false},
		"within Before's ms":        {bit(func(e *store.Entry) { e.Before = ms(20).Add(time.Microsecond) }), revocation.Token{Started: 20}, true},
		"within From's ms":          {bit(func(e *store.Entry) { e.From = ms(10).Add(time.Microsecond) }), revocation.Token{Started: 10}, false},
		"excepted":                  {bit(func(e *store.Entry) { e.Except = except }), revocation.Token{Session: except, Started: 10}, false},
		"no session, none excepted": {wide, revocation.Token{Started: 10}, true},
		"a key whenever":            {store.Entry{Scope: store.ScopeKey, Target: "k", Until: until, Except: except}, revocation.Token{Key: "k", Session: except, Started: 1 << 50}, true},
		"another key":               {store.Entry{Scope: store.ScopeKey, Target: "k", Until: until}, revocation.Token{Key: "l"}, false},
		"a long name":               {bit(func(e *store.Entry) { e.Scope, e.Target = store.ScopeTenant, long }), revocation.Token{Tenant: long, Started: 10}, true},
		"tenant of a subject":       {bit(func(e *store.Entry) { e.Scope, e.Target, e.Tenant = store.ScopeSubject, "b", "a" }), revocation.Token{Tenant: "a", Subject: "b", Started: 10}, true},
		"swapped names":             {bit(func(e *store.Entry) { e.Scope, e.Target, e.Tenant = store.ScopeSubject, "b", "a" }), revocation.Token{Tenant: "b", Subject: "a", Started: 10}, false},
		"changed":                   {bit(func(e *store.Entry) { e.Scope = store.ScopeChanged }), revocation.Token{Started: 10}, false},
		"after 2106":                {session(except, time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)), revocation.Token{Session: except}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := clocked(newClock())
			h.Add(c.entry)
			if got := h.Revoked(&c.token); got != c.want {
				t.Errorf("revoked: %v, want %v", got, c.want)
			}
		})
	}
}

// TestMerging wants many entries of one subject to stay few, whatever they spare.
func TestMerging(t *testing.T) {
	t.Parallel()
	h := clocked(newClock())
	for i := range uint64(10_000) {
		e := subject(1, 0, time.Now().Add(time.Hour))
		e.ID, e.Except, e.Before = idOf(2, i), idOf(3, i), time.UnixMilli(int64(i))
		h.Add(e)
	}
	if n := h.Stats().Wide; n != 1 {
		t.Errorf("%d rules for one subject, want 1", n)
	}
	last, other := subjectToken(1, 0), subjectToken(1, 0)
	last.Session, last.Started = idOf(3, 9999), 9998
	other.Session, other.Started = idOf(3, 9998), 9998
	if h.Revoked(last) || !h.Revoked(other) {
		t.Error("the session that the last entry spares is dead, or another alive")
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	var told []error
	cfg := config(nil)
	cfg.Log, cfg.OnError = history(nil), func(err error) { told = append(told, err) }
	h := revocation.New(cfg)
	until := time.Now().Add(time.Hour)
	h.Add(store.Entry{ID: idOf(1, 1), Scope: 99, Until: until}, store.Entry{ID: idOf(1, 2), Scope: store.ScopeSession, Target: "short", Until: until})
	h.Add(session(idOf(1, 3), until), store.Entry{ID: idOf(1, 4), Scope: store.ScopeChanged, Target: "alice", Until: until})
	if len(told) != 2 || !h.Revoked(tokenOf(idOf(1, 3))) {
		t.Errorf("told %v, want both, and the entry after them in effect", told)
	}
}

func TestRequired(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic without a log")
		}
	}()
	revocation.New(revocation.Config{Now: time.Now, StoreTime: time.Now})
}

func ExampleHorizon_Revoked() {
	h := revocation.New(revocation.Config{Log: history(nil), Now: time.Now, StoreTime: time.Now})
	alice := revocation.Token{Subject: "alice", Started: time.Now().UnixMilli()}
	h.Add(store.Entry{Scope: store.ScopeSubject, Target: "alice", Before: time.Now().Add(time.Second), Until: time.Now().Add(time.Hour)})
	fmt.Println(h.Revoked(&alice))
	// Output: true
}

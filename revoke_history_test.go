package remuda_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
)

// span is when something was going on, by one clock that all nodes of the test
// share.
type span struct{ began, done time.Duration }

// lifeHistory is what happened to one session.
type lifeHistory struct {
	mu      sync.Mutex
	grant   remuda.Grant
	started span
	ended   []span          // End or EndAll that meant it
	good    []time.Duration // when requests began that were accepted
	refused []span
}

func (l *lifeHistory) note(began, done time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.good = append(l.good, began)
	case errors.Is(err, remuda.ErrSessionEnded):
		l.refused = append(l.refused, span{began, done})
	}
}

// TestRevocationHistory plays sign-ins, requests, refreshes, logouts and logouts
// everywhere of one user on three nodes, one of which now and then does not hear
// the log, and judges what was observed by the promise: an ending that has
// returned is seen by every decision that begins MaxStaleness later, and nobody is
// ended who was not meant.
func TestRevocationHistory(t *testing.T) {
	t.Parallel()
	const bound = 300 * time.Millisecond
	m, s := nodes(t, 3, func(_ int, cfg *remuda.Config) {
		cfg.MaxStaleness = bound
		for i := range cfg.Profiles {
			cfg.Profiles[i].MaxSessions = 0
		}
	})
	h := &history{t: t, start: time.Now(), nodes: m}
	stop := time.After(3 * time.Second)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() { h.users(done, rand.New(rand.NewPCG(1, uint64(w)))) })
	}
	wg.Go(func() { h.enders(done, rand.New(rand.NewPCG(2, 2))) })
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(500 * time.Millisecond):
				s[2].cut.Store(!s[2].cut.Load())
			}
		}
	})
	<-stop
	close(done)
	wg.Wait()
	h.judge(bound)
}

type history struct {
	t     *testing.T
	start time.Time
	nodes []*remuda.Manager

	mu    sync.Mutex
	lives []*lifeHistory
	wide  []wideSpan // by the only one who ends
}

// wideSpan is an EndAll and who was left out.
type wideSpan struct {
	span
	except *lifeHistory
}

func (h *history) now() time.Duration { return time.Since(h.start) }

func (h *history) any(r *rand.Rand) *lifeHistory {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.lives) == 0 {
		return nil
	}
	// The newest ones mostly.
	n := len(h.lives)
	return h.lives[n-1-min(n-1, int(r.ExpFloat64()*8))]
}

func (h *history) users(done chan struct{}, r *rand.Rand) {
	for {
		select {
		case <-done:
			return
		default:
		}
		node := h.nodes[r.IntN(len(h.nodes))]
		l := h.any(r)
		began := h.now()
		switch {
		case l == nil || r.IntN(40) == 0:
			h.signIn(node, r)
		case r.IntN(4) == 0 && !l.grant.Refresh.IsZero():
			_, err := refresh(h.t, node, l.grant)
			l.note(began, h.now(), err)
		default:
			_, err := authenticate(h.t, node, l.grant)
			l.note(began, h.now(), err)
		}
	}
}

func (h *history) signIn(node *remuda.Manager, r *rand.Rand) {
	profile := "api"
	if r.IntN(2) == 0 {
		profile = "local"
	}
	began := h.now()
	g, err := node.Start(h.t.Context(), remuda.StartRequest{Profile: profile, Subject: "alice"})
	if errors.Is(err, remuda.ErrSessionEnded) {
		return // a wide ending came in between
	}
	if err != nil {
		h.t.Error(err)
		return
	}
	l := &lifeHistory{grant: g, started: span{began, h.now()}}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lives = append(h.lives, l)
}

func (h *history) enders(done chan struct{}, r *rand.Rand) {
	for {
		select {
		case <-done:
			return
		case <-time.After(time.Duration(r.IntN(60)) * time.Millisecond):
		}
		node := h.nodes[r.IntN(len(h.nodes))]
		l := h.any(r)
		began := h.now()
		switch {
		case l == nil:
		case r.IntN(3) > 0:
			if err := node.End(h.t.Context(), remuda.EndRequest{Session: l.grant.Session.ID}); err != nil {
				h.t.Error(err)
			}
			l.end(span{began, h.now()})
		default:
			if _, err := node.EndAll(h.t.Context(), remuda.EndAllRequest{Subject: "alice", Except: l.grant.Session.ID}); err != nil {
				h.t.Error(err)
			}
			h.wide = append(h.wide, wideSpan{span{began, h.now()}, l})
		}
	}
}

func (l *lifeHistory) end(e span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = append(l.ended, e)
}

func (h *history) judge(bound time.Duration) {
	accepted, refused := 0, 0
	for _, l := range h.lives {
		for _, e := range h.wide {
			if e.except != l {
				l.ended = append(l.ended, e.span)
			}
		}
		accepted, refused = accepted+len(l.good), refused+len(l.refused)
		for _, e := range l.ended {
			if l.started.done > e.began {
				continue // it began meanwhile: either is right
			}
			for _, at := range l.good {
				if at > e.done+bound {
					h.t.Errorf("%v (%s) was ended by %v and accepted at %v", l.grant.Session.ID, l.grant.Session.Profile, e, at)
				}
			}
		}
		for _, no := range l.refused {
			if !l.mayBeDead(no) {
				h.t.Errorf("%v (%s), begun %v, was refused at %v and nobody had ended it: %v", l.grant.Session.ID, l.grant.Session.Profile, l.started, no, l.ended)
			}
		}
	}
	h.t.Logf("%d sessions, %d requests accepted, %d refused", len(h.lives), accepted, refused)
	if accepted == 0 || refused == 0 {
		h.t.Error("nothing was observed")
	}
}

// mayBeDead reports whether an ending that could mean the session had begun when
// a refusal was given.
func (l *lifeHistory) mayBeDead(no span) bool {
	for _, e := range l.ended {
		if e.began <= no.done && l.started.began <= e.done {
			return true
		}
	}
	return false
}

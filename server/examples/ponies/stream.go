package ponies

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

const (
	// aliveEvery is how often a stream in which nothing happens says something:
	// proxies close silent ones, and a client that is gone is noticed.
	aliveEvery = 20 * time.Second
	// sendTimeout is how long a client may take to receive one message.
	sendTimeout = 10 * time.Second
)

// streams tell clients what happens, for as long as their sessions live. A stream
// outlives the check of the request that opened it and the access token that it
// came with: so it is bound to the session.
type streams struct {
	web      *web.Handler
	sessions *remuda.Manager
	herds    *herds
	origins  []string
	stopping <-chan struct{}
}

// outlet is the client's end of a stream.
type outlet interface {
	heard(n news) error
	alive() error
	// ended says that the session is over, and closes.
	ended(reason string)
	// leave closes a stream whose session may live on: the client may come back.
	leave()
}

// stream is one that is open.
type stream struct {
	session *remuda.Session
	bound   context.Context // ends with the session
	heard   <-chan news
	close   func()
}

// open ties the rest of a request to its session. It answers the request itself,
// and returns nil, if there is no session left to tie to. Once a client is told
// that the stream is open it misses nothing.
func (st *streams) open(w http.ResponseWriter, r *http.Request) *stream {
	s, ok := remuda.FromContext(r.Context())
	if !ok {
		st.web.WriteProblem(w, r, errNoSession)
		return nil
	}
	// What a page opens as a stream has no headers of its own to say whose it is, and
	// is opened again by the browser, whoever is in use by then.
	if q := r.URL.Query(); q.Has("session") && q.Get("session") != s.ID.String() {
		st.web.WriteProblem(w, r, &web.Problem{Code: web.CodeSwitched})
		return nil
	}
	bound, unbind, err := st.sessions.Bind(r.Context(), s)
	if err != nil {
		st.web.WriteProblem(w, r, err)
		return nil
	}
	heard, unwatch := st.herds.watch(ownerOf(s))
	return &stream{session: s, bound: bound, heard: heard, close: func() { unwatch(); unbind() }}
}

// run tells a client what happens until its session ends, it is gone, it is too
// slow, or the server stops.
func (st *streams) run(s *stream, gone <-chan struct{}, to outlet) {
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-s.bound.Done():
			over(context.Cause(s.bound), to)
			return
		case <-gone:
			return
		case <-st.stopping:
			to.leave()
			return
		case n, ok := <-s.heard:
			if !ok {
				to.leave()
				return
			}
			err = to.heard(n)
		case <-tick.C:
			err = to.alive()
		}
		if err != nil {
			return // the client is gone, or does not read
		}
	}
}

// over says why a bound context ended, if the session is what ended it.
func over(cause error, to outlet) {
	if ended, ok := errors.AsType[*remuda.EndedError](cause); ok {
		to.ended(string(ended.Reason))
		return
	}
	switch {
	case errors.Is(cause, remuda.ErrSessionExpired):
		to.ended(string(remuda.EndExpired))
	case errors.Is(cause, remuda.ErrSessionEnded):
		to.ended(string(remuda.EndRevoked))
	default: // the client is gone, or nothing is known of the session now
		to.leave()
	}
}

// ours reports whether a WebSocket may be opened by this request. A browser sends
// cookies with the handshake from whatever page opens it, without asking by CORS,
// and lets no script add a CSRF token: that its Origin is one of ours, exactly, is
// the defence. A client with a token of its own sends it from no page by itself,
// and needs no Origin.
func (st *streams) ours(r *http.Request, s *remuda.Session) bool {
	if p, ok := st.sessions.Profile(s.Profile); ok && p.Transport == remuda.Bearer {
		return true
	}
	origin := r.Header.Values("Origin")
	return len(origin) == 1 && slices.Contains(st.origins, origin[0])
}

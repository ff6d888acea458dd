package server_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// strictConfig rotates at every refresh, so that every crash can fall between a
// rotation and its answer.
const strictConfig = `
listen: 127.0.0.1:0
origins: [http://127.0.0.1:8080]
data: %s
profiles:
  api:
    max_sessions: 0
    rotation:
      grace: 0s
      floor: 0s
login:
  per_account: {every: 1ms, burst: 1000}
  across_addresses: {every: 1ms, burst: 1000}
  per_address: {every: 1ms, burst: 1000}
`

// crashes is how often the server is killed.
func crashes() int {
	if os.Getenv("REMUDA_SOAK") != "" {
		return 1000
	}
	return 50
}

// The server is killed in the middle of logins and refreshes, again and again.
// Every session that a client was told of is there afterwards, its refresh goes
// on, and nobody is signed out.
func TestKillUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("kills the server fifty times")
	}
	config := installed(t, strictConfig)

	ctx, stop := context.WithCancel(t.Context())
	where := newAddress()
	load := &crashLoad{where: where, work: make(chan struct{}, 1<<16)}
	var wg sync.WaitGroup
	const clients = 8
	for i := range clients {
		wg.Go(func() { load.run(ctx, i) })
	}
	for range crashes() {
		p := serve(t, "serve", "--config", config)
		where.set(p.base)
		for range 5 + mathrand.IntN(60) { // answers until the crash
			select {
			case <-load.work:
			case <-p.done:
				t.Fatalf("the server ended:\n%s", p.log)
			}
		}
		where.clear()
		p.kill()
	}
	p := serve(t, "serve", "--config", config)
	where.set(p.base)
	stop()
	wg.Wait()
	for _, err := range load.failures {
		t.Error(err)
	}
	for _, u := range load.users {
		if err := u.renew(t.Context(), ""); err != nil {
			t.Errorf("session %s after the last crash: %v", u.session, err)
		}
	}
	t.Logf("%d sessions, %d refreshes, %d sent again after a crash", len(load.users), load.refreshes.Load(), load.retries.Load())
	if load.retries.Load() == 0 {
		t.Error("no crash fell on a refresh: the test shows nothing")
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
}

// crashLoad is what the clients do and what they met.
type crashLoad struct {
	where     *address
	work      chan struct{} // one for each answer
	refreshes atomic.Int64
	retries   atomic.Int64

	mu       sync.Mutex
	users    []*user // one for each session that a client was told of
	failures []error
}

// run signs in now and then, and refreshes all the time.
func (l *crashLoad) run(ctx context.Context, n int) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	var u *user
	for round := 0; ctx.Err() == nil; round++ {
		if u == nil || round%40 == n {
			u = l.login(ctx, client)
			continue
		}
		l.refresh(ctx, u, n%2 == 0)
	}
}

// login repeats until a client is told of a session.
func (l *crashLoad) login(ctx context.Context, client *http.Client) *user {
	u := &user{name: "alice", password: "a long password", http: client, base: l.where.get}
	for ctx.Err() == nil {
		err := u.login(ctx)
		if err == nil {
			l.mu.Lock()
			l.users = append(l.users, u)
			l.mu.Unlock()
			l.work <- struct{}{}
			// From now on requests outlive the test's end: they are answered.
			return u
		}
		if l.fatal(err) {
			return nil
		}
	}
	return nil
}

// refresh repeats one logical refresh until it is answered, with one key.
func (l *crashLoad) refresh(ctx context.Context, u *user, keyed bool) {
	key := ""
	if keyed {
		key = rand.Text()
	}
	for first := true; ctx.Err() == nil; first = false {
		err := u.renew(ctx, key)
		if err == nil {
			l.refreshes.Add(1)
			if !first {
				l.retries.Add(1)
			}
			if u.gen%3 == 0 {
				_ = u.use(ctx)
			}
			l.work <- struct{}{}
			return
		}
		if l.fatal(err) {
			return
		}
	}
}

// fatal notes an answer that no honest client may get. A server that cannot
// answer, or is gone, is what the test is about.
func (l *crashLoad) fatal(err error) bool {
	var refused *refusedError
	if !errors.As(err, &refused) || refused.status == http.StatusServiceUnavailable {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, fmt.Errorf("an honest client was refused: %s", strings.TrimSpace(refused.body)))
	return true
}

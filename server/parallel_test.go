package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// tabsConfig has a window of tolerance, and a floor that is worth waiting for.
const tabsConfig = `
listen: 127.0.0.1:0
origins: [http://127.0.0.1:8080]
data: %s
profiles:
  api:
    rotation:
      grace: 500ms
      floor: 1s
`

// outcome counts the answers to many refreshes of one token.
type outcome struct {
	mu         sync.Mutex
	successors map[string]int
	throttled  int
	unable     int
	others     []error
}

func (o *outcome) add(u *user, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var refused *refusedError
	switch {
	case err == nil:
		o.successors[u.refresh]++
	case errors.As(err, &refused) && refused.status == http.StatusTooManyRequests:
		o.throttled++
	case errors.As(err, &refused) && refused.status == http.StatusServiceUnavailable:
		o.unable++
	default:
		o.others = append(o.others, err)
	}
}

// refreshTogether sends n refreshes of one token at once, spread over servers.
func refreshTogether(t *testing.T, token string, n int, bases ...string) *outcome {
	t.Helper()
	o := &outcome{successors: map[string]int{}}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, MaxConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			base := bases[i%len(bases)]
			u := &user{http: client, refresh: token, base: func(context.Context) (string, error) { return base, nil }}
			<-start
			o.add(u, u.renew(t.Context(), ""))
		})
	}
	close(start)
	wg.Wait()
	return o
}

// Many refreshes of one token at once make one generation, on one node and on
// two that share a file. A hundred are all answered; of ten thousand those
// beyond the cap are told to wait. The session lives, and its newest token works.
func TestParallelRefreshes(t *testing.T) {
	for _, nodes := range []int{1, 2} {
		for _, n := range []int{100, 10000} {
			t.Run(fmt.Sprintf("%d on %d", n, nodes), func(t *testing.T) {
				if testing.Short() && n > 100 {
					t.Skip("ten thousand requests")
				}
				parallelRefreshes(t, n, nodes)
			})
		}
	}
}

func parallelRefreshes(t *testing.T, n, nodes int) {
	config := installed(t, tabsConfig)
	var bases []string
	for range nodes {
		bases = append(bases, serve(t, "serve", "--config", config).base)
	}
	u := &user{name: "alice", password: "a long password", http: http.DefaultClient, base: func(context.Context) (string, error) { return bases[0], nil }}
	if err := u.login(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Until then a refresh gives only a fresh access token.
	<-time.After(1100 * time.Millisecond)
	o := refreshTogether(t, u.refresh, n, bases...)
	t.Logf("%d tokens issued, %d throttled, %d unavailable", len(o.successors), o.throttled, o.unable)
	for _, err := range o.others {
		t.Error(err)
	}
	if len(o.successors) != 1 {
		t.Fatalf("%d different successors", len(o.successors))
	}
	if n <= 100 && o.throttled > 0 {
		t.Errorf("%d of %d were throttled", o.throttled, n)
	}
	if o.unable*50 > n {
		t.Errorf("%d of %d were unavailable", o.unable, n)
	}
	for successor := range o.successors {
		u.refresh = successor
	}
	if err := u.renew(t.Context(), ""); err != nil {
		t.Errorf("the newest token: %v", err)
	}
}

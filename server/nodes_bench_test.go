package server_test

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	revocations = 10_000
	lanes       = 4                      // revocations that are measured at a time
	askEvery    = 500 * time.Microsecond // that a node is asked whether it knows: the grain of what is measured
)

// BenchmarkRevocationAcrossProcesses ends ten thousand sessions on one server and
// asks another one, over HTTP, until it refuses them: how long after the answer to
// the logout that is. Three servers share one SQLite file, on this one machine.
func BenchmarkRevocationAcrossProcesses(b *testing.B) {
	n := threeNodes(b)
	m := n.manager()
	transport := &http.Transport{MaxIdleConnsPerHost: 2 * lanes}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for b.Loop() {
		b.StopTimer()
		users := n.startMany(m, revocations)
		for _, u := range users {
			u.http = client
		}
		b.StartTimer()
		late := n.revoke(users)
		slices.Sort(late)
		for _, q := range []struct {
			unit string
			at   int
		}{{"p50-ms", len(late) / 2}, {"p99-ms", len(late) * 99 / 100}, {"p99.9-ms", len(late) * 999 / 1000}, {"max-ms", len(late) - 1}} {
			b.ReportMetric(float64(late[q.at])/float64(time.Millisecond), q.unit)
		}
	}
}

// revoke ends sessions on the first node, and returns how long after the answer
// one of the others refused each.
func (n *nodes) revoke(users []*user) []time.Duration {
	n.t.Helper()
	late := make([]time.Duration, len(users))
	var next atomic.Int64
	var running sync.WaitGroup
	for range lanes {
		running.Go(func() {
			for i := int(next.Add(1) - 1); i < len(users); i = int(next.Add(1) - 1) {
				late[i] = n.latency(users[i], 1+i%2)
			}
		})
	}
	running.Wait()
	return late
}

// latency ends one session on the first node and waits until another refuses it.
func (n *nodes) latency(u *user, node int) time.Duration {
	n.t.Helper()
	if err := n.at(0, u).logout(n.t.Context(), ""); err != nil {
		n.t.Error(err)
		return 0
	}
	begin, other := time.Now(), n.at(node, u)
	for !ended(other.ask(n.t.Context())) {
		if time.Since(begin) > maxStaleness+patience {
			n.t.Errorf("node %d never refuses", node)
			break
		}
		<-time.After(askEvery)
	}
	return time.Since(begin)
}

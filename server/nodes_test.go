package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/driver/sqlitestore"
	"github.com/remuda-go/remuda/keyring"
)

// maxStaleness is the default, which the demo has. A node that runs refuses an
// ended session after milliseconds; tests have patience on top before they call it
// late, since the machine that they run on may be busy.
const (
	maxStaleness = 2 * time.Second
	patience     = 10 * time.Second
)

// nodes are three servers on one folder. They are demos, since those have a route
// that asks the store for nothing: GET /ponies lets a session through on its token
// and what the node knows of the log, where GET /auth/session reads the record.
type nodes struct {
	t       testing.TB
	folder  string
	servers []*process
}

func threeNodes(t testing.TB) *nodes {
	t.Helper()
	n := &nodes{t: t, folder: t.TempDir()}
	for range 3 {
		n.servers = append(n.servers, n.serve())
	}
	return n
}

func (n *nodes) serve() *process {
	n.t.Helper()
	return serve(n.t, "demo", "--listen", "127.0.0.1:0", "--data", n.folder, "--password", "a long password")
}

// at is a client that talks to one node.
func (n *nodes) at(i int, u *user) *user {
	other := *u
	other.base = func(context.Context) (string, error) { return n.servers[i].base, nil }
	return &other
}

// login signs alice in on the first node.
func (n *nodes) login() *user {
	n.t.Helper()
	u := n.at(0, &user{name: "alice", password: "a long password", http: http.DefaultClient})
	if err := u.login(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	return u
}

// accept fails the test unless all these nodes take the session.
func (n *nodes) accept(u *user, which ...int) {
	n.t.Helper()
	for _, i := range which {
		if err := n.at(i, u).ask(n.t.Context()); err != nil {
			n.t.Errorf("node %d: %v", i, err)
		}
	}
}

// refuse waits until all these nodes refuse the session, says how long it took
// since begin, and sees that they go on refusing.
func (n *nodes) refuse(u *user, begin time.Time, which ...int) {
	n.t.Helper()
	for _, i := range which {
		asked := n.at(i, u)
		for err := asked.ask(n.t.Context()); !ended(err); err = asked.ask(n.t.Context()) {
			if time.Since(begin) > maxStaleness+patience {
				n.t.Fatalf("node %d has not refused after %v: %v\n%s", i, time.Since(begin), err, n.servers[i].log)
			}
		}
		n.t.Logf("node %d refuses within %v", i, time.Since(begin).Round(100*time.Microsecond))
		if err := asked.ask(n.t.Context()); !ended(err) {
			n.t.Errorf("node %d has refused, and then: %v", i, err)
		}
	}
}

// ended reports whether an answer says that the session has ended.
func ended(err error) bool {
	refused, ok := errors.AsType[*refusedError](err)
	return ok && refused.status == http.StatusUnauthorized && strings.Contains(refused.body, `"code":"session_ended"`)
}

// ask shows the access token where nothing but it and the log are looked at.
func (u *user) ask(ctx context.Context) error {
	return u.send(ctx, http.MethodGet, "/ponies", nil, http.Header{"Authorization": {"Bearer " + u.access}}, nil)
}

// logout ends the session, or with "?all=1" all sessions of its user.
func (u *user) logout(ctx context.Context, query string) error {
	return u.send(ctx, http.MethodPost, "/auth/token/logout"+query, nil, http.Header{"Authorization": {"Bearer " + u.access}}, nil)
}

// What ends on one node is refused by all, without a look into the store.
func TestLogoutReachesEveryNode(t *testing.T) {
	t.Parallel()
	n := threeNodes(t)
	one, two, three := n.login(), n.login(), n.login()
	n.accept(one, 0, 1, 2)
	n.accept(two, 0, 1, 2)
	begin := time.Now()
	if err := one.logout(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	n.refuse(one, begin, 0, 1, 2)
	n.accept(two, 0, 1, 2)

	begin = time.Now()
	if err := n.at(1, two).logout(t.Context(), "?all=1"); err != nil {
		t.Fatal(err)
	}
	n.refuse(two, begin, 0, 1, 2)
	n.refuse(three, begin, 0, 1, 2)
	n.accept(n.login(), 0, 1, 2)
	for _, p := range n.servers {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	}
}

// A node that was paused for longer than the bound, while a session ended
// elsewhere, lets nobody through on what it remembers: not even the requests that
// have waited for it, which it meets before it has read on in the log.
func TestPausedNodeRefusesAtOnce(t *testing.T) {
	t.Parallel()
	n := threeNodes(t)
	gone, other := n.login(), n.login()
	const waiting = 64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: waiting}}
	defer client.CloseIdleConnections()
	gone.http = client
	for _, err := range n.together(gone, 2, waiting) { // and so there are connections
		if err != nil {
			t.Fatal(err)
		}
	}
	paused := n.servers[2].cmd.Process
	if err := paused.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = paused.Signal(syscall.SIGCONT) }()
	if err := gone.logout(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(maxStaleness+500*time.Millisecond, func() {
		if err := paused.Signal(syscall.SIGCONT); err != nil {
			t.Error(err)
		}
	})
	for _, err := range n.together(gone, 2, waiting) {
		if !ended(err) {
			t.Errorf("after the pause: %v", err)
		}
	}
	n.accept(other, 0, 1, 2)
}

// together uses a session many times at once on one node.
func (n *nodes) together(u *user, node, times int) []error {
	n.t.Helper()
	answers := make([]error, times)
	var asking sync.WaitGroup
	for i := range answers {
		asking.Go(func() { answers[i] = n.at(node, u).ask(n.t.Context()) })
	}
	asking.Wait()
	return answers
}

// A node is killed in the middle of a logout everywhere. All sessions are dead on
// all nodes at once, on itself too after a restart; their records are ended later
// by whoever sweeps.
func TestKilledInTheMiddleOfLogoutEverywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for more than a minute")
	}
	t.Parallel()
	n := threeNodes(t)
	m := n.manager()
	const sessions = 1000
	users := n.startMany(m, sessions)
	var sample []*user
	for i := 0; i < sessions; i += sessions / 10 {
		sample = append(sample, users[i])
	}
	for _, u := range sample {
		n.accept(u, 0, 1, 2)
	}
	begin := time.Now()
	if err := n.at(1, sample[0]).logout(t.Context(), "?all=1"); err != nil {
		t.Fatal(err)
	}
	for n.count(m) == sessions { // the first record is about to end
	}
	n.servers[1].kill()
	left := n.count(m)
	if left == 0 {
		t.Error("no record was left: that was not in the middle")
	}
	for _, u := range sample {
		n.refuse(u, begin, 0, 2)
	}
	n.servers[1] = n.serve()
	for _, u := range sample {
		if err := n.at(1, u).ask(t.Context()); !ended(err) {
			t.Errorf("after the restart: %v", err)
		}
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for n.count(m) > 0 {
		if time.Since(begin) > 3*time.Minute {
			t.Fatalf("%d of %d records are left after %v", n.count(m), left, time.Since(begin))
		}
		<-tick.C
	}
	t.Logf("%d of %d records were left by the crash, and none after %v", left, sessions, time.Since(begin).Round(time.Second))
}

// manager is a node in the test's own process.
func (n *nodes) manager() *remuda.Manager {
	n.t.Helper()
	s, err := sqlitestore.Open(n.t.Context(), sqlitestore.Config{Path: filepath.Join(n.folder, "sessions.db")})
	if err != nil {
		n.t.Fatal(err)
	}
	ring, err := keyring.Load(filepath.Join(n.folder, "keys.json"))
	if err != nil {
		n.t.Fatal(err)
	}
	api := remuda.API()
	api.MaxSessions = 0
	m, err := remuda.New(n.t.Context(), remuda.Config{
		Store: s, Keys: ring, Issuer: "urn:remuda:demo", Profiles: []remuda.Profile{api}, MaxStaleness: maxStaleness,
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		m.Close(context.WithoutCancel(n.t.Context()))
		if err := s.Close(); err != nil {
			n.t.Error(err)
		}
	})
	return m
}

// startMany starts sessions of alice, many at a time.
func (n *nodes) startMany(m *remuda.Manager, sessions int) []*user {
	n.t.Helper()
	users := make([]*user, sessions)
	var next atomic.Int64
	var starting sync.WaitGroup
	for range 32 {
		starting.Go(func() {
			for i := next.Add(1) - 1; i < int64(sessions); i = next.Add(1) - 1 {
				g, err := m.Start(n.t.Context(), remuda.StartRequest{Profile: "api", Subject: "alice"})
				if err != nil {
					n.t.Error(err)
					return
				}
				users[i] = &user{http: http.DefaultClient, access: g.Access.Reveal()}
			}
		})
	}
	starting.Wait()
	if n.t.Failed() {
		n.t.FailNow()
	}
	return users
}

// count is how many of alice's records have not ended.
func (n *nodes) count(m *remuda.Manager) int {
	n.t.Helper()
	left, err := m.Count(n.t.Context(), remuda.Selection{Subject: "alice"})
	if err != nil {
		n.t.Fatal(fmt.Errorf("count: %w", err))
	}
	return left
}

package compare

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/remuda-go/remuda"
)

const (
	// requests are how many are measured.
	requests = 300
	// later is how much later a client comes again: less than any session may
	// be idle, and more than half of it.
	later = 16 * time.Minute
	// askEvery is how often a node is asked whether it has heard.
	askEvery = 200 * time.Microsecond
	// patience is for how long a node is asked: a node that hears the log at all
	// has heard by then.
	patience = 2500 * time.Millisecond
	// brief is the same once it is known that nobody is told.
	brief = 250 * time.Millisecond
)

// Result is what was measured of a profile.
type Result struct {
	Profile remuda.Profile

	Received int  // bytes of credentials that a client receives at login
	Sent     int  // bytes of credentials that it sends with each request
	Parts    int  // cookies or tokens
	Readable bool // the credential that is sent says in plain text whose it is

	Login, Logout Written

	Lookups  int64         // into the store, by Requests requests
	Requests int           // that were measured
	Median   time.Duration // of a request in its handler
	Loads    int64         // of the user, by as many requests that want to know who it is

	Renewal Renewal

	OnA, OnB   Ending // a copy, after a logout on A
	Everywhere Ending // another device on B, after a logout everywhere on A
	Others     Ending // the same, after a logout of all others on A
	OneGoesOn  bool   // who has logged out all others is still signed in
	Change     Change // of the user's name on A, as B says it
	// On B, while something is cut.
	StoreCut Outage // the store does not answer, the log is heard
	LogCut   Outage // the log is not heard, and the store answers
	BothCut  Outage
}

// Renewal is how a session goes on.
type Renewal struct {
	How     RenewalKind
	Lookups int64
	Written Written
	Took    time.Duration // of what is more than the request
	Bytes   int           // of credentials that the client receives
}

// RenewalKind is one of four ways.
type RenewalKind string

// The ways in which a session goes on.
const (
	RenewNot       RenewalKind = "not"       // it ends
	RenewByUse     RenewalKind = "use"       // the client keeps what it has
	RenewByRequest RenewalKind = "request"   // an answer brings a new credential
	RenewByRefresh RenewalKind = "a refresh" // the client asks for one
)

// Ending is what becomes of a credential whose session was ended.
type Ending struct {
	Refused bool
	Denied  bool          // the request to end it was refused
	AtOnce  bool          // the first request that began afterwards was refused
	After   time.Duration // when it was first refused
	Left    time.Duration // for how long it is good, if it is not refused and that is known
}

// Change is when a node tells of a change.
type Change struct {
	Seen    bool
	After   time.Duration
	Refresh bool // not before the client has got a fresh token
}

// Outage is what a request gets while something is cut.
type Outage struct {
	Status  int
	Lookups int64
}

// Measure measures a profile, on two nodes that it starts and takes down. It
// takes some seconds, and returns early with the context's error.
func Measure(ctx context.Context, cfg Config, p remuda.Profile) (*Result, error) {
	s, err := newSite(ctx, &cfg, p)
	defer s.close(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	m := &measurement{site: s, Result: Result{Profile: p, Requests: requests}}
	for _, step := range []func(context.Context) error{
		m.login, m.use, m.greet, m.goOn, m.logout, m.everywhere, m.others, m.change, m.outages,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return &m.Result, nil
}

// measurement is one under way.
type measurement struct {
	*site
	Result
	client *client // signed in first
}

// signIn returns another client that is signed in on node A.
func (m *measurement) signIn(ctx context.Context) (*client, error) {
	c := newClient(&m.site.profile)
	_, _, err := c.login(ctx, m.a, "alice")
	return c, err
}

// login measures what a login hands out and stores.
func (m *measurement) login(ctx context.Context) error {
	m.client = newClient(&m.site.profile)
	m.a.meter.take()
	a, _, err := m.client.login(ctx, m.a, "alice")
	if err != nil {
		return err
	}
	m.Login = m.a.meter.take()
	m.Received, m.Parts = received(a, m.client)
	for name, values := range m.client.headers() {
		m.Sent += len(name) + len(": \r\n") + len(values[0])
	}
	m.Readable = readable(m.client.token(), "alice")
	a, err = m.client.do(ctx, m.a, http.MethodPost, "/ponies", `{"name":"Juniper","breed":"Fjord"}`)
	if err == nil && a.status != http.StatusCreated {
		err = errRefused
	}
	return err
}

// received is what an answer brings of credentials: cookies with their
// attributes, or tokens.
func received(a *answer, c *client) (size, parts int) {
	if c.way == "web" {
		for _, line := range a.header["Set-Cookie"] {
			size += len("Set-Cookie: \r\n") + len(line)
		}
		return size, len(a.header["Set-Cookie"])
	}
	for _, token := range []string{c.access, c.refresh} {
		if token != "" && strings.Contains(a.body.String(), token) {
			size += len(token)
			parts++
		}
	}
	return size, parts
}

// readable reports whether a token tells a text to anybody who decodes it.
func readable(token, text string) bool {
	return slices.ContainsFunc(strings.Split(token, "."), func(part string) bool {
		plain, err := base64.RawURLEncoding.DecodeString(part)
		return err == nil && strings.Contains(string(plain), text)
	})
}

// use measures requests.
func (m *measurement) use(ctx context.Context) error {
	if _, err := m.repeat(ctx, "/ponies"); err != nil { // the first ones find nothing in any cache
		return err
	}
	before := m.a.meter.lookups.Load()
	times, err := m.repeat(ctx, "/ponies")
	if err != nil {
		return err
	}
	m.Lookups = m.a.meter.lookups.Load() - before
	slices.Sort(times)
	m.Median = times[len(times)/2]
	return nil
}

// greet counts how often a user has to be loaded whom a page calls by name.
func (m *measurement) greet(ctx context.Context) error {
	before := m.people.loads.Load()
	_, err := m.repeat(ctx, "/greeting")
	m.Loads = m.people.loads.Load() - before
	return err
}

func (m *measurement) repeat(ctx context.Context, target string) ([]time.Duration, error) {
	times := make([]time.Duration, 0, requests)
	for range requests {
		a, err := m.client.get(ctx, m.a, target)
		if err != nil {
			return nil, err
		}
		if a.status != http.StatusOK {
			return nil, errRefused
		}
		times = append(times, a.took)
	}
	return times, nil
}

// logout measures what becomes of a copy.
func (m *measurement) logout(ctx context.Context) error {
	c, err := m.signIn(ctx)
	if err != nil {
		return err
	}
	stolen := c.copy()
	m.a.meter.take()
	if _, _, err := c.post(ctx, m.a, "/logout", ""); err != nil {
		return err
	}
	began := time.Now()
	m.Logout = m.a.meter.take()
	if m.OnA, err = m.ask(ctx, stolen, m.a, began); err != nil {
		return err
	}
	m.OnB, err = m.ask(ctx, stolen, m.b, began)
	return err
}

// ask asks a node with a credential whose session has ended until it refuses.
func (m *measurement) ask(ctx context.Context, c *client, n *node, began time.Time) (Ending, error) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	bound := patience
	if m.OnA != (Ending{}) && !m.OnA.Refused {
		bound = brief
	}
	for first := true; time.Since(began) < bound || first; first = false {
		a, err := c.get(ctx, n, "/ponies")
		if err != nil {
			return Ending{}, err
		}
		if a.status == http.StatusUnauthorized {
			return Ending{Refused: true, AtOnce: first, After: time.Since(began)}, nil
		}
		<-tick.C
	}
	var info sessionInfo
	err := c.read(ctx, n, "/auth/session", &info)
	if errors.Is(err, errRefused) {
		return Ending{}, nil // this endpoint knows better than the ponies
	}
	return Ending{Left: info.Idle.Sub(m.now())}, err
}

// everywhere measures what a logout everywhere does to another device.
func (m *measurement) everywhere(ctx context.Context) (err error) {
	m.Everywhere, _, err = m.wide(ctx, "/logout?all=1")
	return err
}

// others measures what is done at a change of password.
func (m *measurement) others(ctx context.Context) (err error) {
	m.Others, m.OneGoesOn, err = m.wide(ctx, "/logout?others=1")
	return err
}

func (m *measurement) wide(ctx context.Context, target string) (other Ending, goesOn bool, err error) {
	here, err := m.signIn(ctx)
	if err != nil {
		return Ending{}, false, err
	}
	there, err := m.signIn(ctx)
	if err != nil {
		return Ending{}, false, err
	}
	held := here.copy()
	_, _, denied := here.post(ctx, m.a, target, "")
	if denied != nil && !errors.Is(denied, errRefused) {
		return Ending{}, false, denied
	}
	other, err = m.ask(ctx, there, m.b, time.Now())
	if err != nil {
		return Ending{}, false, err
	}
	other.Denied = denied != nil
	a, err := held.get(ctx, m.b, "/ponies")
	if err != nil {
		return Ending{}, false, err
	}
	return other, a.status == http.StatusOK, nil
}

// change renames the user on node A, and says so as an application can without
// the client: to all nodes, and in the session's record.
func (m *measurement) change(ctx context.Context) error {
	c := newClient(&m.site.profile)
	_, g, err := c.login(ctx, m.a, "alice")
	if err != nil {
		return err
	}
	if err := m.greets(ctx, c, "Alice"); err != nil { // whoever remembers has something to forget
		return err
	}
	m.people.rename("alice", "Alicia")
	if err := m.tell(ctx, g.Session.ID); err != nil {
		return err
	}
	began := time.Now()
	bound := brief
	if m.b.users != nil {
		bound = patience
	}
	if m.Change, err = m.hear(ctx, c, began, bound); err != nil || m.Change.Seen {
		return err
	}
	if _, err := c.renew(ctx, m.a); errors.Is(err, errRefused) {
		return nil
	} else if err != nil {
		return err
	}
	err = m.greets(ctx, c, "Alicia")
	m.Change.Refresh = err == nil
	if errors.Is(err, errRefused) {
		err = nil
	}
	return err
}

func (m *measurement) tell(ctx context.Context, session string) error {
	err := m.a.manager.UserChanged(ctx, "", "alice")
	if err != nil && !errors.Is(err, remuda.ErrRequest) { // nobody listens
		return err
	}
	if m.site.profile.Recordless {
		return nil
	}
	id, err := remuda.ParseSessionID(session)
	if err != nil {
		return err
	}
	s, err := m.a.manager.Session(ctx, id)
	if err != nil {
		return err
	}
	// The token is for the client, which is not here to receive it.
	_, err = m.a.manager.Reissue(ctx, remuda.ReissueRequest{Session: id, Gen: s.Gen})
	return err
}

// hear asks node B who a client is until it knows.
func (m *measurement) hear(ctx context.Context, c *client, began time.Time, bound time.Duration) (Change, error) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for time.Since(began) < bound {
		switch err := m.greets(ctx, c, "Alicia"); {
		case err == nil:
			return Change{Seen: true, After: time.Since(began)}, nil
		case !errors.Is(err, errRefused):
			return Change{}, err
		}
		<-tick.C
	}
	return Change{}, nil
}

// greets returns nil if node B calls a client by that name.
func (m *measurement) greets(ctx context.Context, c *client, name string) error {
	var got claims
	if err := c.read(ctx, m.b, "/greeting", &got); err != nil {
		return err
	}
	if got.Name != name {
		return errRefused
	}
	return nil
}

// goOn measures what becomes of a session that is used now and then.
func (m *measurement) goOn(ctx context.Context) error {
	if err := m.advance(ctx, later); err != nil {
		return err
	}
	m.a.meter.take()
	before := m.a.meter.lookups.Load()
	a, err := m.client.get(ctx, m.a, "/ponies")
	if err != nil {
		return err
	}
	r := &m.Renewal
	r.Lookups = m.a.meter.lookups.Load() - before
	switch {
	case a.status == http.StatusOK && len(a.header["Set-Cookie"]) > 0:
		r.How, r.Took = RenewByRequest, a.took
		r.Bytes, _ = received(a, m.client)
	case a.status == http.StatusOK:
		r.How, r.Took = RenewByUse, a.took
	default:
		err = m.renewal(ctx)
	}
	r.Written = m.a.meter.take()
	return err
}

// renewal measures a refresh, and that it has helped.
func (m *measurement) renewal(ctx context.Context) error {
	r := &m.Renewal
	before := m.a.meter.lookups.Load()
	a, err := m.client.renew(ctx, m.a)
	if errors.Is(err, errRefused) {
		r.How = RenewNot
		return nil
	}
	if err != nil {
		return err
	}
	r.How, r.Took, r.Lookups = RenewByRefresh, a.took, m.a.meter.lookups.Load()-before
	r.Bytes, _ = received(a, m.client)
	var herd struct{}
	return m.client.read(ctx, m.a, "/ponies", &herd)
}

// outages measures what a client gets from node B while something is cut.
func (m *measurement) outages(ctx context.Context) error {
	c, err := m.signIn(ctx)
	if err != nil {
		return err
	}
	if _, err := c.get(ctx, m.b, "/greeting"); err != nil { // whoever remembers users now does
		return err
	}
	m.b.meter.cutStore.Store(true)
	if m.StoreCut, err = m.outage(ctx, c); err != nil {
		return err
	}
	m.b.meter.cutLog.Store(true)
	// Where nobody follows the log nobody misses it.
	err = until(ctx, func() bool {
		log := m.b.manager.Stats().Log
		return log == nil || log.Degraded
	})
	if err != nil {
		return err
	}
	if m.BothCut, err = m.outage(ctx, c); err != nil {
		return err
	}
	m.b.meter.cutStore.Store(false)
	m.LogCut, err = m.outage(ctx, c)
	return err
}

func (m *measurement) outage(ctx context.Context, c *client) (Outage, error) {
	before := m.b.meter.lookups.Load()
	a, err := c.get(ctx, m.b, "/ponies")
	if err != nil {
		return Outage{}, err
	}
	return Outage{Status: a.status, Lookups: m.b.meter.lookups.Load() - before}, nil
}

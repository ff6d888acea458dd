package web_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
	"github.com/remuda-go/remuda/web/webtest"
)

func TestScenarios(t *testing.T) {
	t.Parallel()
	webtest.Run(t, webtest.Stores{New: newMemstore})
}

func newMemstore(tb testing.TB) store.Store {
	tb.Helper()
	s := memstore.New()
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// answers is what a tab is told: while the session lives, once it was ended, and
// once the cookies are gone.
type answers struct{ alive, ended, gone string }

// tabs says what a person expects who works in one tab and signs out in the other.
var tabs = []struct {
	profile          remuda.Profile
	after            time.Duration // since login and first use
	request, refresh answers
	events           string // of all, whatever the order
}{
	{
		remuda.Web(), 61 * time.Second,
		answers{"200", "session_ended", "token_missing"},
		answers{"200", "session_ended", "token_missing"},
		"session.refreshed session.ended:logout", // rotated once, and no thief was seen
	},
	{
		remuda.Classic(), 61 * time.Second,
		answers{"200", "session_ended", "token_missing"},
		answers{"200", "session_ended", "token_missing"},
		"session.ended:logout",
	},
	{
		remuda.Local(), 16 * time.Minute, // every request gets a new cookie
		answers{"200", "session_ended", "token_missing"},
		answers{"200", "session_ended", "token_missing"},
		"session.ended:logout",
	},
	{
		remuda.Stateless(), time.Minute,
		answers{"200", "200", "token_missing"},
		answers{"request_invalid", "request_invalid", "token_missing"},
		"",
	},
}

var (
	tabA = []string{"GET /hello", "POST /auth/web/refresh", "POST /auth/web/logout"}
	tabB = []string{"GET /hello", "POST /auth/web/refresh", "POST /hello"}
)

// TestTwoTabs plays two tabs of one browser in every order in which their requests
// can be sent and their answers come in. They share one jar, in which the last
// answer wins.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	for i := range tabs {
		row := &tabs[i]
		t.Run(row.profile.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := row.profile
				p.MaxSessions = 0 // for all browsers at once
				s := webtest.NewSite(t, webtest.Stores{New: newMemstore}, p)
				var all [][]bool
				interleave(2*len(tabA), 2*len(tabB), nil, func(order []bool) { all = append(all, order) })
				if len(all) != 924 { // 12 over 6
					t.Fatalf("%d orders", len(all))
				}
				browsers := make([]*browserTabs, len(all))
				for i := range browsers {
					browsers[i] = &browserTabs{t: t, jar: s.NewClient(), request: row.request, refresh: row.refresh}
					browsers[i].jar.Login("alice")
					browsers[i].send("both", "GET /hello")
				}
				s.Advance(row.after)
				s.Events.Take()
				for i, b := range browsers {
					b.play(all[i])
					if got := once(s.Events.Take(), "session.replayed"); got != row.events {
						t.Fatalf("%s: events %q, want %q", b.story, got, row.events)
					}
					b.afterwards()
					s.Events.Take()
				}
			})
		})
	}
}

// interleave calls f with every order of a steps of one and b of the other.
func interleave(a, b int, begun []bool, f func([]bool)) {
	if a == 0 && b == 0 {
		f(begun)
		return
	}
	begun = slices.Clip(begun)
	if a > 0 {
		interleave(a-1, b, append(begun, true), f)
	}
	if b > 0 {
		interleave(a, b-1, append(begun, false), f)
	}
}

// once leaves out what may happen or not, by the order.
func once(events, without string) string {
	var kept []string
	for e := range strings.FieldsSeq(events) {
		if e != without {
			kept = append(kept, e)
		}
	}
	return strings.Join(kept, " ")
}

// browserTabs are two tabs with one jar.
type browserTabs struct {
	t                *testing.T
	jar              *webtest.Client
	request, refresh answers
	ended            bool // the logout was sent, and done
	cleared          bool // its answer is here
	late             bool // an answer from before has put cookies back since
	story            string
}

// play sends and receives in turn: true is tab A's.
func (b *browserTabs) play(order []bool) {
	b.t.Helper()
	var under [2]*webtest.Answer
	var next [2]int
	for _, isA := range order {
		tab, requests := 0, tabA
		if !isA {
			tab, requests = 1, tabB
		}
		if under[tab] == nil {
			under[tab] = b.send(string("AB"[tab]), requests[next[tab]])
			continue
		}
		b.receive(string("AB"[tab]), requests[next[tab]], under[tab])
		under[tab] = nil
		next[tab]++
	}
}

func (b *browserTabs) send(tab, what string) *webtest.Answer {
	b.t.Helper()
	b.story += " " + tab + ":" + what
	method, path, _ := strings.Cut(what, " ")
	want := b.want(what)
	a := b.jar.Send(webtest.Request{Method: method, Path: path})
	got := strconv.Itoa(a.Status)
	if code := a.Text("code"); code != "" {
		got = code
	}
	if got != want {
		b.t.Fatalf("%s: %s, want %s; %s", b.story, got, want, a.Body)
	}
	b.ended = b.ended || strings.HasSuffix(path, "/logout")
	return a
}

// want is the answer by what has happened until now.
func (b *browserTabs) want(what string) string {
	w := b.request
	switch {
	case strings.HasSuffix(what, "/logout"):
		return "204"
	case strings.HasSuffix(what, "/refresh"):
		w = b.refresh
	}
	switch {
	case len(b.jar.Tokens) == 0:
		return w.gone
	case b.ended:
		return w.ended
	default:
		return w.alive
	}
}

func (b *browserTabs) receive(tab, what string, a *webtest.Answer) {
	b.story += " " + tab + "."
	b.jar.Receive(a)
	if strings.HasSuffix(what, "/logout") {
		b.cleared = true
	} else if b.cleared && len(a.Cookies) > 0 {
		b.late = true
	}
}

// afterwards is what the person sees then: signed out in both tabs, whatever came
// in last, and a login works.
func (b *browserTabs) afterwards() {
	b.t.Helper()
	if b.late != (len(b.jar.Tokens) > 0) {
		b.t.Fatalf("%s: the jar holds %d cookies", b.story, len(b.jar.Tokens))
	}
	b.send("both", "GET /hello")
	if a := b.jar.Login("alice"); a.Status != http.StatusOK || is(b.jar) != "alice" {
		b.t.Fatalf("%s: login: %d %s", b.story, a.Status, a.Body)
	}
	if a := b.jar.Do(webtest.Request{Method: http.MethodPost, Path: "/auth/web/logout"}); a.Status != http.StatusNoContent || len(b.jar.Tokens) > 0 {
		b.t.Fatalf("%s: logout: %d %s", b.story, a.Status, a.Body)
	}
}

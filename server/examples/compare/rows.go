package compare

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/remuda-go/remuda"
)

// column is one of the profiles that are compared.
type column struct {
	Holds  string // what a client holds
	Choose string // when to choose it

	profile remuda.Profile
}

// Name is the profile's.
func (c column) Name() string { return c.profile.Name }

var columns = []column{
	{
		Holds:   "JWT and refresh token, in cookies",
		Choose:  "A web application, on one server or many. If you do not know, take it.",
		profile: remuda.Web(),
	},
	{
		Holds:   "JWT and refresh token, kept by the client",
		Choose:  "An app or a service, which keeps its tokens itself.",
		profile: remuda.API(),
	},
	{
		Holds:   "An opaque id, in a cookie",
		Choose:  "A web application where a lookup a request is nothing, and simplicity everything.",
		profile: remuda.Classic(),
	},
	{
		Holds:   "A JWT that nobody keeps, in a cookie",
		Choose:  "What is good for minutes, and nobody ever needs to take back.",
		profile: remuda.Stateless(),
	},
	{
		Holds:   "An encrypted user id, in a cookie",
		Choose:  "Many nodes that share as little as possible, where each can load users.",
		profile: remuda.Local(),
	},
}

// group is rows under one heading.
type group struct {
	Head string
	Rows []line
}

// line is a row of the page: a question, and the answer in what was measured.
type line struct {
	ID   string
	Head string
	text func(r *Result) string
}

var groups = []group{
	{"What travels", []line{
		{"received", "At login, to the client", func(r *Result) string {
			return fmt.Sprintf("%s in %s", inBytes(r.Received), number(r.Parts, r.kept()))
		}},
		{"sent", "With each request, from the client", func(r *Result) string { return inBytes(r.Sent) }},
		{"readable", "What it tells to whoever finds it", func(r *Result) string {
			if r.Readable {
				return "whose it is"
			}
			return "nothing"
		}},
	}},
	{"What is stored", []line{
		{"login", "By a login", func(r *Result) string { return r.Login.String() }},
		{"logout", "By a logout", func(r *Result) string { return r.Logout.String() }},
	}},
	{"What it costs", []line{
		{"lookups", "Lookups into the store, for a request", func(r *Result) string {
			return fmt.Sprintf("%s in %d requests", number(int(r.Lookups), "lookup"), r.Requests)
		}},
		{"time", "Time in the handler, for a request", func(r *Result) string { return short(r.Median) + " (median)" }},
		{"user", "Knowing the user’s name", func(r *Result) string {
			if r.Loads == 0 {
				return "it comes with the session"
			}
			return fmt.Sprintf("%s of the user in %d requests", number(int(r.Loads), "load"), r.Requests)
		}},
		{"renewal", "A client that comes again after 16 minutes", func(r *Result) string { return r.Renewal.String() }},
	}},
	{"How it ends", []line{
		{"on-a", "After a logout on node A, A refuses a copy", func(r *Result) string { return r.OnA.String() }},
		{"on-b", "After a logout on node A, B refuses a copy", func(r *Result) string { return r.OnB.String() }},
		{"everywhere", "After “log out everywhere” on A, B refuses another device", func(r *Result) string { return r.Everywhere.String() }},
		{"others", "After “log out all others” on A, as a change of password does, B refuses another device", func(r *Result) string { return r.Others.String() }},
		{"change", "After the user was renamed on A, B says the new name", func(r *Result) string { return r.Change.String() }},
	}},
	{"What a request gets when something breaks", []line{
		{"store-cut", "The store does not answer", func(r *Result) string { return r.StoreCut.String() }},
		{"log-cut", "The log of what has ended is silent for 2 seconds", func(r *Result) string { return r.LogCut.String() }},
		{"both-cut", "Both", func(r *Result) string { return r.BothCut.String() }},
	}},
}

// kept is what a client keeps.
func (r *Result) kept() string {
	if r.Profile.Transport == remuda.Bearer {
		return "token"
	}
	return "cookie"
}

// cells are the answers of all rows, by their ids.
func (r *Result) cells() map[string]string {
	cells := map[string]string{}
	for _, g := range groups {
		for _, l := range g.Rows {
			cells[l.ID] = l.text(r)
		}
	}
	return cells
}

// String says it to people.
func (w Written) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		name string
	}{{w.Rows, "row"}, {w.Items, "item"}, {w.Entries, "log entry"}} {
		if p.n > 0 {
			parts = append(parts, number(p.n, p.name))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return fmt.Sprintf("%s, %s", strings.Join(parts, " and "), inBytes(w.Bytes))
}

// String says it to people.
func (r Renewal) String() string {
	switch r.How {
	case RenewByUse:
		return fmt.Sprintf("keeps what it has (%s, %s)", number(int(r.Lookups), "lookup"), short(r.Took))
	case RenewByRequest:
		return fmt.Sprintf("gets a new token with the answer (%s, %s, %s)", inBytes(r.Bytes), number(int(r.Lookups), "lookup"), short(r.Took))
	case RenewByRefresh:
		return fmt.Sprintf("refreshes (%s, %s, %s written, %s)",
			inBytes(r.Bytes), number(int(r.Lookups), "lookup"), number(r.Written.Rows, "row"), short(r.Took))
	default:
		return "has to sign in again"
	}
}

// String says it to people.
func (e Ending) String() string {
	switch {
	case e.Denied && !e.Refused:
		return "never: the request is refused"
	case !e.Refused && e.Left == 0:
		return "not within " + short(patience)
	case !e.Refused:
		return "never: it is good for another " + short(e.Left)
	case e.AtOnce:
		return "at once"
	default:
		return "after " + short(e.After)
	}
}

// String says it to people.
func (c Change) String() string {
	switch {
	case c.Seen:
		return "after " + short(c.After)
	case c.Refresh:
		return "when the client next refreshes"
	default:
		return "when the user next signs in"
	}
}

// String says it to people.
func (o Outage) String() string {
	switch {
	case o.Status == http.StatusOK && o.Lookups == 0:
		return "it is served, and asks nobody"
	case o.Status == http.StatusOK:
		return "it is served, after asking the store"
	case o.Status == http.StatusServiceUnavailable:
		return "503, come again"
	default:
		return fmt.Sprintf("status %d", o.Status)
	}
}

func inBytes(n int) string { return number(n, "byte") }

// number says how many there are of a thing.
func number(n int, name string) string {
	switch {
	case n == 1:
		return "1 " + name
	case strings.HasSuffix(name, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(name, "y"))
	default:
		return fmt.Sprintf("%d %ss", n, name)
	}
}

// short says how long something takes, as exactly as people care.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Microsecond:
		return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	default:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
}

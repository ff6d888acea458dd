package sim

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Report is everything that the documents show.
type Report struct {
	Seed     uint64
	Sessions int
	Rows     []Row
}

// section is a table: the rows of one kind.
type section struct {
	title string
	text  string
	has   func(c *Case) bool
}

var sections = []section{
	{
		"Honest clients, within the bounds",
		"False sign-outs per million refreshes. The promise: 0 in the first column, as long as a request is in flight, from send to last byte, for at most `Grace` less the spread of the nodes' clocks (28 s here; 8 s where no client facts are known).",
		func(c *Case) bool { return c.Thief == nil && c.Bound },
	},
	{
		"Honest clients, outside of them",
		"The same where nothing is promised.",
		func(c *Case) bool { return c.Thief == nil && !c.Bound },
	},
	{
		"Thieves",
		"How many were ended or refused, and after what time from their first attempt: half of them · the last one. The promise: 100 % in the first column. A rule may look quick because it ends honest sessions as quickly.",
		func(c *Case) bool { return c.Thief != nil && c.Bound },
	},
	{
		"Thieves that remain",
		"The same for thieves that rotation alone does not stop. Those of them who are found are found by accident.",
		func(c *Case) bool { return c.Thief != nil && !c.Bound },
	},
}

// Markdown writes the report.
func (r *Report) Markdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("<!-- Written by `make sim`. Do not edit. -->\n\n# Rotation, simulated\n\n")
	fmt.Fprintf(&b, "Seed %d; %s sessions a case for Remuda (a tenth of it for thieves that remain, and for the other rules). ", r.Seed, thousands(r.Sessions))
	b.WriteString("`make sim` writes this file and the picture again, byte for byte; `go test ./internal/sim` plays a smaller form and fails where the first column breaks a promise. ")
	b.WriteString("What the rules mean for your users is in [rotation.md](rotation.md).\n\n")
	b.WriteString("![The same tables as a picture](rotation-simulation.svg)\n\n")
	r.summary(&b)
	b.WriteString("## The rules\n\n")
	for _, rule := range Rules() {
		fmt.Fprintf(&b, "- **%s**: %s.\n", rule.Name, rule.Long)
	}
	for _, s := range sections {
		r.table(&b, s)
	}
	b.WriteString(howPlayed)
	_, err := io.WriteString(w, b.String())
	return err
}

const howPlayed = `
## How it is played

Access tokens live 10 minutes. An owner comes back when his has expired, 1 to 10
hours later in one round of seven, and all his tabs refresh within 1.5 seconds,
without a lock between them. They share one cookie jar in which the last answer
wins. A tab retries after 10 seconds with whatever is in the jar then. Of the
answers that are to be lost a third as many requests are lost as well. Late
requests or answers arrive at any time within the bound, in any order. There are
two nodes whose clocks are 2 seconds apart, and every request goes to a random
one. A thief begins between the second and the sixth round, knows when the owner
acts, and goes on for up to 14 days. Every session draws from a source seeded by
its number, so all rules meet the same users.
`

// summary says the most important figures in words.
func (r *Report) summary(b *strings.Builder) {
	honest, thieves := r.pool(sections[0].has, 0), r.pool(sections[2].has, 0)
	fmt.Fprintf(b, "Within the bounds Remuda signed out **%d** honest clients in %s refreshes", honest.Out, thousands(honest.Refreshes))
	if honest.Out == 0 && honest.Refreshes > 0 {
		fmt.Fprintf(b, " (with 95 %% confidence fewer than %.1f per million)", 3e6/float64(honest.Refreshes))
	}
	fmt.Fprintf(b, ", and ended or refused **%s of %s** thieves.\n\n", thousands(thieves.Caught()), thousands(thieves.Thieves))
}

// pool adds up the results of one rule.
func (r *Report) pool(has func(*Case) bool, rule int) (sum Result) {
	for _, row := range r.Rows {
		if has(&row.Case) && rule < len(row.Results) {
			one := row.Results[rule]
			sum.Refreshes += one.Refreshes
			sum.Out += one.Out
			sum.Thieves += one.Thieves
			sum.Ended += one.Ended
			sum.Refused += one.Refused
		}
	}
	return sum
}

func (r *Report) table(b *strings.Builder, s section) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n| case |", s.title, s.text)
	rules := Rules()
	for _, rule := range rules {
		fmt.Fprintf(b, " %s |", rule.Name)
	}
	fmt.Fprintf(b, "\n| --- |%s\n", strings.Repeat(" ---: |", len(rules)))
	for _, row := range r.Rows {
		if !s.has(&row.Case) {
			continue
		}
		fmt.Fprintf(b, "| %s |", row.Case.label())
		for _, result := range row.Results {
			fmt.Fprintf(b, " %s |", row.Case.cell(&result, true))
		}
		b.WriteString("\n")
	}
}

func (c *Case) label() string {
	if c.Note == "" {
		return c.Name
	}
	return c.Name + " (" + c.Note + ")"
}

// cell is one result in words; long ones also tell the worst.
func (c *Case) cell(r *Result, long bool) string {
	if c.Thief == nil {
		return perMillion(r.PerMillion())
	}
	text := percent(r.Caught(), r.Thieves)
	if len(r.Notice) == 0 {
		return text
	}
	text += " · " + span(r.Median())
	if long {
		text += " · " + span(r.Worst())
	}
	return text
}

// perMillion keeps two digits of what is not zero, so that nothing looks like it.
func perMillion(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return thousands(int(v + 0.5))
	}
}

// percent never rounds to a full 100.
func percent(n, of int) string {
	switch {
	case of == 0:
		return "–"
	case n == of:
		return "100 %"
	default:
		return fmt.Sprintf("%.1f %%", min(99.9, 100*float64(n)/float64(of)))
	}
}

func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return "at once"
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	default:
		return fmt.Sprintf("%.0f d", d.Hours()/24)
	}
}

// thousands separates them by commas.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

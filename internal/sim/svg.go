package sim

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
)

// Sizes of the picture.
const (
	labelWidth = 290
	cellWidth  = 128
	rowHeight  = 22
	margin     = 16
)

// SVG draws the tables as a picture: the better a cell, the greener.
func (r *Report) SVG(w io.Writer) error {
	d := &drawing{y: margin}
	for _, s := range sections {
		d.head(s.title)
		for _, row := range r.Rows {
			if s.has(&row.Case) {
				d.row(&row)
			}
		}
		d.y += rowHeight / 2
	}
	width := 2*margin + labelWidth + len(Rules())*cellWidth
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="False sign-outs and thieves stopped, by rule of rotation" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%%" height="100%%" fill="#ffffff"/>
%s</svg>
`, width, d.y+margin, width, d.y+margin, d.b.String())
	return err
}

type drawing struct {
	b strings.Builder
	y int
}

// head starts a section, with the names of the rules.
func (d *drawing) head(title string) {
	d.text(margin, title, `font-weight="bold"`)
	for i, rule := range Rules() {
		d.text(cellX(i)+cellWidth/2, rule.Name, `font-weight="bold" text-anchor="middle"`)
	}
	d.y += rowHeight
}

func (d *drawing) row(row *Row) {
	d.text(margin, row.Case.Name, "")
	for i, result := range row.Results {
		fmt.Fprintf(&d.b, `<rect x="%d" y="%d" width="%d" height="%d" rx="3" fill="%s"/>`+"\n",
			cellX(i)+1, d.y+1, cellWidth-2, rowHeight-2, color(row.Case.badness(&result)))
		d.text(cellX(i)+cellWidth/2, row.Case.cell(&result, false), `text-anchor="middle"`)
	}
	d.y += rowHeight
}

func (d *drawing) text(x int, s, attributes string) {
	fmt.Fprintf(&d.b, `<text x="%d" y="%d" fill="#1f2328" %s>%s</text>`+"\n", x, d.y+rowHeight-7, attributes, html.EscapeString(s))
}

func cellX(i int) int { return margin + labelWidth + i*cellWidth }

// badness is between 0 and 1: the logarithm of false sign-outs, up to 10 % of
// refreshes; or the part of the thieves that got away.
func (c *Case) badness(r *Result) float64 {
	if c.Thief == nil {
		if r.Out == 0 {
			return 0
		}
		return min(1, 0.3+0.7*math.Log10(1+r.PerMillion())/5)
	}
	if r.Thieves == 0 {
		return 0
	}
	away := 1 - float64(r.Caught())/float64(r.Thieves)
	if away == 0 {
		return 0
	}
	return 0.3 + 0.7*away
}

// color goes from a light green over yellow to a light red.
func color(bad float64) string {
	mix := func(a, b int, part float64) int { return a + int(float64(b-a)*part) }
	green, yellow, red := [3]int{183, 225, 176}, [3]int{250, 233, 160}, [3]int{240, 150, 140}
	from, to, part := green, yellow, 2*bad
	if bad > 0.5 {
		from, to, part = yellow, red, 2*bad-1
	}
	return fmt.Sprintf("#%02x%02x%02x", mix(from[0], to[0], part), mix(from[1], to[1], part), mix(from[2], to[2], part))
}

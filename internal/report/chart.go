package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"streamproof/internal/proof"
)

// The colours of the charts are variables of the page's style sheet, which follows the reader's light or dark mode.
const (
	deliveredColor template.CSS = "var(--delivered)"
	inFlightColor  template.CSS = "var(--flight)"
	failedColor    template.CSS = "var(--failed)"
	missingColor   template.CSS = "var(--bad)"
)

// A chart is drawn twice, for a wide and for a narrow window, since the text of an SVG shrinks with it.
type chart struct {
	Title, Note, Alt string
	Legend           []series
	Wide, Narrow     template.HTML
}

// A series is one colour of stacked bars.
type series struct {
	Name   string
	Color  template.CSS
	values []float64
}

// The space around the bars, in pixels at the drawing's full width.
const (
	spaceAbove, spaceBelow, spaceRight = 10, 24, 12
	digitWidth                         = 7 // of text that is 12 pixels high
	barShare                           = 0.8
)

// bars draws stacked bars, one for each name. It writes numbers and times only, no text of a row. Words beside it say
// what it shows.
func bars(width, height, labels int, names []string, all []series) template.HTML {
	top, step := scale(all)
	left := 12 + digitWidth*len(comma(int64(top)))
	slot := float64(width-left-spaceRight) / float64(len(names))
	bottom := float64(height - spaceBelow)
	unit := (bottom - spaceAbove) / top
	var b strings.Builder
	fmt.Fprintf(&b, `<svg aria-hidden="true" viewBox="0 0 %d %d">`, width, height)
	for v := 0.0; v <= top; v += step {
		y := bottom - v*unit
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="var(--line)"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`,
			left, y, width-spaceRight, left-6, y+4, comma(int64(v)))
	}
	for i := range names {
		y := bottom
		for _, s := range all {
			if h := s.values[i] * unit; h > 0 {
				y -= h
				fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`,
					float64(left)+(float64(i)+(1-barShare)/2)*slot, y, barShare*slot, h, s.Color)
			}
		}
	}
	every := (len(names) + labels - 1) / labels
	for i := 0; i < len(names); i += every {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`, float64(left)+(float64(i)+0.5)*slot, height-6, names[i])
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

// scale returns the end of the axis for the highest bar and the step between its labels, in whole numbers.
func scale(all []series) (top, step float64) {
	highest := 1.0
	for i := range all[0].values {
		sum := 0.0
		for _, s := range all {
			sum += s.values[i]
		}
		highest = max(highest, sum)
	}
	step = 1
	for i := 0; highest > 4*step; i++ {
		step *= []float64{2, 2.5, 2}[i%3] // 1, 2, 5, 10, 20, 50, …
	}
	return math.Ceil(highest/step) * step, step
}

// How many bars and labels fit into a wide and into a narrow window.
const (
	wideBars, wideLabels     = 96, 8
	narrowBars, narrowLabels = 40, 3
)

// draw draws the chart wide and narrow: group gives the labels and series for at most so many bars.
func (c *chart) draw(group func(bars int) ([]string, []series)) {
	names, all := group(wideBars)
	c.Legend, c.Wide = all, bars(840, 230, wideLabels, names, all)
	names, all = group(narrowBars)
	c.Narrow = bars(330, 200, narrowLabels, names, all)
}

// tickChart draws counts of the ticks, in at most so many bars. Series that are 0 throughout are left out.
func tickChart(c chart, ticks []Tick, want []series, count func(t *Tick) []int64) *chart {
	c.draw(func(bars int) ([]string, []series) {
		each := (len(ticks) + bars - 1) / bars
		layout := "15:04"
		if ticks[len(ticks)-1].Tick.Sub(ticks[0].Tick) > 24*time.Hour {
			layout = "01-02 15:04"
		}
		var names []string
		sums := make([][]float64, len(want))
		total := make([]float64, len(want))
		for i := range ticks {
			if i%each == 0 {
				names = append(names, ticks[i].Tick.UTC().Format(layout))
				for s := range sums {
					sums[s] = append(sums[s], 0)
				}
			}
			for s, n := range count(&ticks[i]) {
				sums[s][len(names)-1] += float64(n)
				total[s] += float64(n)
			}
		}
		var all []series
		for s := range want {
			if total[s] > 0 || s == len(want)-1 && len(all) == 0 {
				all = append(all, series{want[s].Name, want[s].Color, sums[s]})
			}
		}
		return names, all
	})
	return &c
}

func perBar(n, bars int, unit string) string {
	if each := (n + bars - 1) / bars; each > 1 {
		return fmt.Sprintf(" Each bar is up to %d %ss.", each, unit)
	}
	return ""
}

// tickCharts draws the outcome of the ticks and, if there are any, the rows that did not arrive.
func (r *Report) tickCharts() []*chart {
	if len(r.Ticks) == 0 {
		return nil
	}
	var delivered, missing, failed, inFlight, owed int64
	for i := range r.Ticks {
		t := &r.Ticks[i]
		owed += t.Owed
		delivered += t.Delivered + t.Rejects
		missing, failed, inFlight = missing+t.Missing, failed+t.Failed, inFlight+t.InFlight
	}
	span := fmt.Sprintf("%s from %s to %s", many(int64(len(r.Ticks)), r.Unit()), moment(r.Ticks[0].Tick), moment(r.Ticks[len(r.Ticks)-1].Tick))
	note := fmt.Sprintf("By %s, UTC.", map[string]string{"tick": "tick time", "minute": "minute of arrival"}[r.Unit()])
	if len(r.Ticks) < r.Covers.Ticks {
		note += fmt.Sprintf(" The last %s of %s ticks.", comma(int64(len(r.Ticks))), comma(int64(r.Covers.Ticks)))
	}
	note += perBar(len(r.Ticks), wideBars, r.Unit())
	absent := []series{
		{"missing", missingColor, nil},
		{"failed", failedColor, nil},
		{"in flight", inFlightColor, nil},
	}
	all := tickChart(chart{
		Title: "Owed rows, by " + r.Unit(),
		Note:  note,
		Alt: fmt.Sprintf("Stacked bars, %s. Of %s rows owed, %s were delivered, %s are missing, %s failed and %s are in flight.",
			span, comma(owed), comma(delivered), comma(missing), comma(failed), comma(inFlight)),
	}, r.Ticks, append([]series{{"delivered", deliveredColor, nil}}, absent...), func(t *Tick) []int64 {
		return []int64{t.Delivered + t.Rejects, t.Missing, t.Failed, t.InFlight}
	})
	if missing+failed+inFlight == 0 {
		return []*chart{all}
	}
	// On the scale of what is owed, a few rows cannot be seen.
	rest := tickChart(chart{
		Title: "Rows not delivered, by " + r.Unit(),
		Note:  fmt.Sprintf("The same %ss on their own scale.", r.Unit()),
		Alt:   fmt.Sprintf("Stacked bars, %s: %s rows are missing, %s failed and %s are in flight.", span, comma(missing), comma(failed), comma(inFlight)),
	}, r.Ticks, absent, func(t *Tick) []int64 { return []int64{t.Missing, t.Failed, t.InFlight} })
	return []*chart{all, rest}
}

// The lanes of the epochs' chart, in pixels.
const (
	laneHeight, laneSpace = 18, 8
	laneLabel             = 105
	least                 = 3 // so that a short epoch is seen
)

// epochChart draws the epochs one below the other, on one line of time. It is nil if no time of them is known.
func (r *Report) epochChart() *chart {
	var lanes []lane
	legend := map[template.CSS]string{}
	var order []series
	var words []string
	for i, e := range r.Epochs {
		l := lane{name: e.hash(), from: e.From, until: e.Until, color: deliveredColor}
		what := "as owed"
		switch {
		case e.Seen != nil:
			l.color, what = inFlightColor, "not judged"
		case e.Counts.Verdict(nil) == proof.NotProven:
			l.color, what = missingColor, "with findings"
		}
		if l.from.IsZero() {
			l.from = e.First
		}
		switch {
		case !l.until.IsZero() && !e.RolledBack:
		case e.Current:
			l.until = r.JudgedAt
		case i+1 < len(r.Epochs) && !r.Epochs[i+1].From.Before(e.Last):
			l.until = r.Epochs[i+1].From
		default:
			l.until = e.Last
		}
		if l.from.IsZero() {
			continue
		}
		if legend[l.color] == "" {
			legend[l.color] = what
			order = append(order, series{what, l.color, nil})
		}
		lanes = append(lanes, l)
		words = append(words, fmt.Sprintf("%s from %s, %s", l.name, moment(l.from), what))
	}
	if len(lanes) == 0 {
		return nil
	}
	return &chart{
		Title: "Epochs", Note: "One line for each period of a query, UTC.", Alt: "Bars on one line of time: " + strings.Join(words, "; ") + ".",
		Legend: order, Wide: drawLanes(840, 6, lanes), Narrow: drawLanes(330, 2, lanes),
	}
}

// A lane is one epoch of the chart.
type lane struct {
	name        string
	from, until time.Time
	color       template.CSS
}

// drawLanes writes hexadecimal names and times only.
func drawLanes(width, labels int, lanes []lane) template.HTML {
	first, last := lanes[0].from, lanes[0].until
	for _, l := range lanes {
		if l.from.Before(first) {
			first = l.from
		}
		if l.until.After(last) {
			last = l.until
		}
	}
	all := max(last.Sub(first), time.Second)
	room := float64(width - laneLabel - spaceRight)
	x := func(t time.Time) float64 { return laneLabel + room*float64(t.Sub(first))/float64(all) }
	bottom := spaceAbove + len(lanes)*(laneHeight+laneSpace)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg aria-hidden="true" viewBox="0 0 %d %d">`, width, bottom+spaceBelow)
	layout := "15:04"
	if all > 24*time.Hour {
		layout = "01-02 15:04"
	}
	for i := 0; i <= labels; i++ {
		at := first.Add(all * time.Duration(i) / time.Duration(labels))
		anchor := map[int]string{0: "start", labels: "end"}[i]
		if anchor == "" {
			anchor = "middle"
		}
		fmt.Fprintf(&b, `<path d="M%.1f %dV%d" stroke="var(--line)"/><text x="%.1f" y="%d" text-anchor="%s">%s</text>`,
			x(at), spaceAbove, bottom, x(at), bottom+18, anchor, at.UTC().Format(layout))
	}
	for i, l := range lanes {
		y := spaceAbove + i*(laneHeight+laneSpace)
		fmt.Fprintf(&b, `<text x="0" y="%d">%s</text><rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`,
			y+13, template.HTMLEscapeString(l.name), x(l.from), y, max(x(l.until)-x(l.from), least), laneHeight, l.color)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

// delayChart draws the histogram of delays.
func (r *Report) delayChart() *chart {
	buckets := r.Delay.Histogram
	for len(buckets) > 1 && buckets[0].Rows == 0 {
		buckets = buckets[1:]
	}
	if len(buckets) == 0 {
		return nil
	}
	words := make([]string, 0, len(buckets))
	for _, b := range buckets {
		if b.Rows > 0 && len(words) < 12 {
			words = append(words, fmt.Sprintf("%s within %s", comma(b.Rows), seconds(b.Seconds)))
		}
	}
	c := chart{
		Title: "Rows, by delay",
		Note:  r.delayNote(),
		Alt:   "Bars. Rows by delay, each count excluding the ones before: " + strings.Join(words, ", ") + ".",
	}
	c.draw(func(bars int) ([]string, []series) {
		each := (len(buckets) + bars - 1) / bars
		var names []string
		var rows []float64
		for i, b := range buckets {
			if i%each == 0 {
				names, rows = append(names, ""), append(rows, 0)
			}
			names[len(names)-1] = seconds(b.Seconds)
			rows[len(rows)-1] += float64(b.Rows)
		}
		return names, []series{{"rows", deliveredColor, rows}}
	})
	c.Legend = nil
	return &c
}

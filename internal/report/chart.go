package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/go-analyze/charts"
)

// The colours of the charts. The library takes numbers only, and a page that follows the reader's light or dark mode needs
// names: each number stands for a variable of the page's style sheet, and is replaced by it.
var (
	textColor      = charts.Color{R: 1, G: 2, B: 10, A: 255}
	lineColor      = charts.Color{R: 1, G: 2, B: 11, A: 255}
	deliveredColor = charts.Color{R: 1, G: 2, B: 12, A: 255}
	inFlightColor  = charts.Color{R: 1, G: 2, B: 13, A: 255}
	failedColor    = charts.Color{R: 1, G: 2, B: 14, A: 255}
	missingColor   = charts.Color{R: 1, G: 2, B: 15, A: 255}
)

var variables = strings.NewReplacer(
	textColor.String(), "var(--dim)",
	lineColor.String(), "var(--line)",
	deliveredColor.String(), "var(--delivered)",
	inFlightColor.String(), "var(--flight)",
	failedColor.String(), "var(--failed)",
	missingColor.String(), "var(--bad)",
	";font-family:'Roboto Medium',sans-serif", "",
)

// A chart is the same bars twice, for a wide and for a narrow window, since the text of an SVG shrinks with it.
type chart struct {
	Title, Note, Alt string
	Legend           []series
	Wide, Narrow     template.HTML
}

// A series is one colour of stacked bars.
type series struct {
	Name   string
	Color  charts.Color
	values []float64
}

// CSS is the series' colour, for the legend.
func (s series) CSS() template.CSS { return template.CSS(variables.Replace(s.Color.String())) }

// bars draws stacked bars, one for each name.
func bars(width, height, labels int, names []string, all []series) (template.HTML, error) {
	var values [][]float64
	var colors []charts.Color
	for _, s := range all {
		values = append(values, s.values)
		colors = append(colors, s.Color)
	}
	opt := charts.NewBarChartOptionWithData(values)
	opt.StackSeries = charts.Ptr(true)
	opt.BarSize = 0.8
	opt.Padding = charts.Box{Top: 10, Right: 12, Bottom: 4, Left: 2, IsSet: true}
	opt.Theme = charts.MakeTheme(charts.ThemeOption{
		AxisStrokeColor: lineColor, AxisSplitLineColor: lineColor, TextColor: textColor, SeriesColors: colors,
		BackgroundColor: charts.ColorTransparent,
	})
	font := charts.FontStyle{FontSize: 9}
	opt.Legend.Show = charts.Ptr(false)
	opt.CategoryAxis.Labels = names
	opt.CategoryAxis.LabelCount = min(labels, len(names))
	opt.CategoryAxis.LabelFontStyle = font
	top, count := scale(all)
	opt.ValueAxis[0].Min, opt.ValueAxis[0].Max = charts.Ptr(0.0), charts.Ptr(top)
	opt.ValueAxis[0].LabelCount = count
	opt.ValueAxis[0].LabelFontStyle = font
	opt.ValueAxis[0].ValueFormatter = func(v float64) string { return humanize.Comma(int64(math.Round(v))) }
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: width, Height: height})
	if err := p.BarChart(opt); err != nil {
		return "", fmt.Errorf("draw a chart: %w", err)
	}
	data, err := p.Bytes()
	if err != nil {
		return "", fmt.Errorf("draw a chart: %w", err)
	}
	// Inside of a page an SVG needs no namespaces. What it shows is said in words beside it.
	_, drawing, ok := strings.Cut(string(data), " viewBox=")
	if !ok {
		return "", fmt.Errorf("draw a chart: the drawing has no view box")
	}
	// The library writes these bytes from numbers and times only; no text of a row is among them.
	return template.HTML(`<svg aria-hidden="true" viewBox=` + variables.Replace(drawing)), nil
}

// scale is the end of the axis for the highest bar, and how many labels it has: rows are counted in whole numbers, which the
// library's own axis does not know.
func scale(all []series) (top float64, labels int) {
	highest := 1.0
	for i := range all[0].values {
		sum := 0.0
		for _, s := range all {
			sum += s.values[i]
		}
		highest = max(highest, sum)
	}
	step := 1.0
	for i := 0; highest > 4*step; i++ {
		step *= []float64{2, 2.5, 2}[i%3] // 1, 2, 5, 10, 20, 50, …
	}
	steps := math.Ceil(highest / step)
	return steps * step, int(steps) + 1
}

// Bars and labels that a wide and a narrow window have room for.
const (
	wideBars, wideLabels     = 96, 8
	narrowBars, narrowLabels = 40, 3
)

// draw draws the chart wide and narrow: group gives the labels and series for at most so many bars.
func (c *chart) draw(group func(bars int) ([]string, []series)) error {
	var err error
	names, all := group(wideBars)
	if c.Wide, err = bars(840, 230, wideLabels, names, all); err != nil {
		return err
	}
	c.Legend = all
	names, all = group(narrowBars)
	c.Narrow, err = bars(330, 200, narrowLabels, names, all)
	return err
}

// tickChart draws some counts of the ticks, as so many bars at most. Series that are 0 throughout are left out.
func tickChart(c chart, ticks []Tick, want []series, count func(t *Tick) []int64) (*chart, error) {
	err := c.draw(func(bars int) ([]string, []series) {
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
	return &c, err
}

func ticksPerBar(n, bars int) string {
	if each := (n + bars - 1) / bars; each > 1 {
		return fmt.Sprintf(" Each bar is up to %d ticks.", each)
	}
	return ""
}

// tickCharts draws what became of the ticks, and, where there are any, the rows that are not there.
func (r *Report) tickCharts() ([]*chart, error) {
	if len(r.Ticks) == 0 {
		return nil, nil
	}
	var delivered, missing, failed, inFlight, owed int64
	for i := range r.Ticks {
		t := &r.Ticks[i]
		owed += t.Owed
		delivered += t.Delivered + t.Rejects
		missing, failed, inFlight = missing+t.Missing, failed+t.Failed, inFlight+t.InFlight
	}
	span := fmt.Sprintf("%s from %s to %s", many(int64(len(r.Ticks)), "tick"), moment(r.Ticks[0].Tick), moment(r.Ticks[len(r.Ticks)-1].Tick))
	note := "By the time of the tick, UTC."
	if len(r.Ticks) < r.Covers.Ticks {
		note += fmt.Sprintf(" The last %s of %s ticks.", comma(int64(len(r.Ticks))), comma(int64(r.Covers.Ticks)))
	}
	note += ticksPerBar(len(r.Ticks), wideBars)
	absent := []series{
		{"missing", missingColor, nil},
		{"failed", failedColor, nil},
		{"in flight", inFlightColor, nil},
	}
	all, err := tickChart(chart{
		Title: "Owed rows, by tick",
		Note:  note,
		Alt: fmt.Sprintf("Stacked bars, %s. Of %s rows owed, %s were delivered, %s are missing, %s failed and %s are in flight.",
			span, comma(owed), comma(delivered), comma(missing), comma(failed), comma(inFlight)),
	}, r.Ticks, append([]series{{"delivered", deliveredColor, nil}}, absent...), func(t *Tick) []int64 {
		return []int64{t.Delivered + t.Rejects, t.Missing, t.Failed, t.InFlight}
	})
	if err != nil || missing+failed+inFlight == 0 {
		return []*chart{all}, err
	}
	// On the scale of what is owed, a few rows are not to be seen.
	rest, err := tickChart(chart{
		Title: "Rows that are not there, by tick",
		Note:  "The same ticks, on a scale of their own.",
		Alt:   fmt.Sprintf("Stacked bars, %s: %s rows are missing, %s failed and %s are in flight.", span, comma(missing), comma(failed), comma(inFlight)),
	}, r.Ticks, absent, func(t *Tick) []int64 { return []int64{t.Missing, t.Failed, t.InFlight} })
	return []*chart{all, rest}, err
}

// delayChart draws the histogram of delays.
func (r *Report) delayChart() (*chart, error) {
	buckets := r.Delay.Histogram
	for len(buckets) > 1 && buckets[0].Rows == 0 {
		buckets = buckets[1:]
	}
	if len(buckets) == 0 {
		return nil, nil
	}
	words := make([]string, 0, len(buckets))
	for _, b := range buckets {
		if b.Rows > 0 && len(words) < 12 {
			words = append(words, fmt.Sprintf("%s within %s", comma(b.Rows), seconds(b.Seconds)))
		}
	}
	c := chart{
		Title: "Rows, by delay",
		Note:  "From the claim of a tick to the object with the row. Each bar ends at the delay below it.",
		Alt:   "Bars. Rows by delay, each count beyond the one before: " + strings.Join(words, ", ") + ".",
	}
	err := c.draw(func(bars int) ([]string, []series) {
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
	return &c, err
}

package verifier

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-analyze/charts"

	"streamproof/internal/ledger"
)

var plot = flag.String("plot", "", "draw what an increment takes, by the age of the stack, into this SVG file")

// TestPlot measures one increment of five minutes at several ages of a stack, beside a full verification, and draws both.
// It is for `go test ./internal/verifier -run TestPlot -v -plot FILE`, and does nothing otherwise.
func TestPlot(t *testing.T) {
	if *plot == "" {
		t.Skip("it is asked for by -plot")
	}
	p := embeddedPipeline()
	ages := []int{1, 2, 4, 8, 16, 24, 32, 40, 48}
	l := newLife(p)
	const records = 500
	for i := range 48*60 + 6 {
		tick := l.tick(p, minute(i), records, 0, ledger.Range{Last: records - 1, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
		l.keep(tick, tick.Tick.Add(6*time.Second))
		rows, _ := output(p, tick)
		l.objects[key("data/", tick.Tick, i)] = lifeObject{data: strings.Join(rows, ""), written: tick.Tick.Add(10 * time.Second)}
	}
	measure := func(do func()) (ms, megabytes float64) {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		do()
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		return float64(took.Microseconds()) / 1000, float64(after.TotalAlloc-before.TotalAlloc) / (1 << 20)
	}
	var labels []string
	values := make([][]float64, 2)
	for _, age := range ages {
		_, base := judgeFrom(t.Context(), l.at(minute(age*60)), lifeOpts, nil, nil)
		l.now = minute(age*60 + 5)
		ms, megabytes := measure(func() { judgeFrom(t.Context(), l, lifeOpts, base, nil) })
		fullMs, fullMegabytes := measure(func() { judgeFrom(t.Context(), l, lifeOpts, nil, nil) })
		t.Logf("%2d hours: an increment takes %.0f ms and allocates %.0f MB, a full verification %.0f ms and %.0f MB", age, ms, megabytes, fullMs, fullMegabytes)
		labels = append(labels, fmt.Sprint(age, " h"))
		values[0], values[1] = append(values[0], ms), append(values[1], fullMs)
	}
	opt := charts.NewLineChartOptionWithData(values)
	opt.Title.Text = "Milliseconds of a verification, by the age of the stack"
	opt.Title.FontStyle.FontSize = 12
	opt.XAxis.Labels = labels
	opt.Legend.SeriesNames = []string{"an increment of 5 minutes", "in full"}
	opt.Legend.Offset = charts.OffsetStr{Top: "24"}
	painter := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: 720, Height: 360})
	if err := painter.LineChart(opt); err != nil {
		t.Fatal(err)
	}
	svg, err := painter.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*plot, svg, 0o600); err != nil {
		t.Fatal(err)
	}
}

package verifier

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/go-analyze/charts"

	"streamproof/internal/ledger"
)

var plot = flag.String("plot", "", "draw what an increment takes, by the age of the stack, into this SVG file")

// TestPlot measures one increment of five minutes at several ages of a stack, beside a full verification, and draws the
// time and the memory of both. It is for `go test ./internal/verifier -run TestPlot -v -plot FILE`, and does nothing
// otherwise.
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
		l.keep(tick, tick.Time.Add(6*time.Second))
		rows, _ := output(p, tick)
		l.objects[key("data/", tick.Time, i)] = lifeObject{data: strings.Join(rows, ""), written: tick.Time.Add(10 * time.Second)}
	}
	// Once for the time, and once, with little left uncollected, for how much the heap grows.
	measure := func(do func()) (ms, megabytes float64) {
		runtime.GC()
		start := time.Now()
		do()
		took := time.Since(start)
		defer debug.SetGCPercent(debug.SetGCPercent(10))
		runtime.GC()
		before, most, done, ended := heap(), uint64(0), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			for tick := time.Tick(time.Millisecond); ; {
				most = max(most, heap())
				select {
				case <-done:
					return
				case <-tick:
				}
			}
		}()
		do()
		close(done)
		<-ended
		return float64(took.Microseconds()) / 1000, float64(max(most, before)-before) / (1 << 20)
	}
	var labels []string
	times, memory := make([][]float64, 2), make([][]float64, 2)
	for _, age := range ages {
		_, base := judgeFrom(t.Context(), l.at(minute(age*60)), lifeOpts, nil, nil)
		l.now = minute(age*60 + 5)
		ms, megabytes := measure(func() { judgeFrom(t.Context(), l, lifeOpts, base, nil) })
		fullMs, fullMegabytes := measure(func() { judgeFrom(t.Context(), l, lifeOpts, nil, nil) })
		t.Logf("%2d hours: an increment takes %.0f ms and %.0f MB, a full verification %.0f ms and %.0f MB", age, ms, megabytes, fullMs, fullMegabytes)
		labels = append(labels, fmt.Sprint(age, " h"))
		times[0], times[1] = append(times[0], ms), append(times[1], fullMs)
		memory[0], memory[1] = append(memory[0], megabytes), append(memory[1], fullMegabytes)
	}
	const width, height = 720, 360
	painter := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: width, Height: 2 * height})
	for i, chart := range []struct {
		title  string
		values [][]float64
	}{
		{"Milliseconds of a verification, by the age of the stack", times},
		{"Its memory at most, in MB", memory},
	} {
		opt := charts.NewLineChartOptionWithData(chart.values)
		opt.Title.Text = chart.title
		opt.Title.FontStyle.FontSize = 12
		opt.XAxis.Labels = labels
		opt.Legend.SeriesNames = []string{"an increment of 5 minutes", "in full"}
		opt.Legend.Offset = charts.OffsetStr{Top: "24"}
		part := painter.Child(charts.PainterBoxOption(charts.NewBox(0, i*height, width, (i+1)*height)))
		if err := part.LineChart(opt); err != nil {
			t.Fatal(err)
		}
	}
	svg, err := painter.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*plot, svg, 0o600); err != nil {
		t.Fatal(err)
	}
}

// heap is how many bytes of objects there are, dead ones that are not collected yet among them.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

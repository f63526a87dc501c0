package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/jedib0t/go-pretty/v6/table"

	"streamproof/internal/generator"
	"streamproof/internal/pipeline"
	"streamproof/internal/query"
	"streamproof/internal/reshape"
	"streamproof/internal/row"
)

//go:embed blueprint.py
var blueprint string

// A transformCmd compares the Go function with a Python one in the shape of AWS's blueprint (blueprint.py), on the same
// events, in turns and on one core, from the bytes of the event to those of the answer. Both have to answer the same.
// Then the function itself, as Lambda runs it, answers events of 6 MB, for its memory.
type transformCmd struct {
	Python  string  `help:"A Python 3." default:".venv/bin/python"`
	Seconds float64 `help:"How long each answers the same event, in turns; the best time counts." default:"5"`
}

func (c *transformCmd) Run(ctx context.Context, dir tempDir) error {
	b, err := newBench(string(dir), c.Python, c.Seconds/turns)
	if err != nil {
		return err
	}
	all, err := b.compare(ctx)
	if err != nil {
		return err
	}
	out := table.NewWriter()
	out.SetOutputMirror(os.Stdout)
	out.SetTitle("0.2 MB of data in an event, one core, from event to answer as JSON")
	out.AppendHeader(table.Row{"data", "records", "rows", "Go MB/s", "Go rows/s", "Python MB/s", "times as fast"})
	for _, a := range all {
		out.AppendRow(table.Row{
			a.kind, a.records, a.rows,
			fmt.Sprintf("%.1f", float64(a.size)/1e6/a.ours.Seconds()), fmt.Sprintf("%.1f million", float64(a.rows)/1e6/a.ours.Seconds()),
			fmt.Sprintf("%.1f", float64(a.size)/1e6/a.theirs.Seconds()), fmt.Sprintf("%.1f", a.theirs.Seconds()/a.ours.Seconds()),
		})
	}
	out.Render()
	return b.memory(ctx)
}

// An answer is how long the two took for an event of a kind.
type answer struct {
	event
	kind         string
	ours, theirs time.Duration
}

// compare has both answer an event of each kind, on one core.
func (b *bench) compare(ctx context.Context) (all []answer, err error) {
	runtime.GOMAXPROCS(1)
	for _, kind := range []struct {
		name    string
		columns row.Schema
		rows    int // of one record
	}{
		{"rows, 100 a record", b.output, 100},
		{"rows, one a record", b.output, 1},
		{"trips, 10 a record", b.trips, 10},
		{"trips, one a record", b.trips, 1},
	} {
		e := b.event(kind.columns, kind.rows, 200_000)
		ours, theirs := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
		for range turns { // so that what else the machine does meets both
			took, err := b.answerInGo(ctx, e)
			if err != nil {
				return nil, err
			}
			ours = min(ours, took)
			if took, err = b.answerInPython(ctx, kind.columns, e); err != nil {
				return nil, err
			}
			theirs = min(theirs, took)
		}
		all = append(all, answer{e, kind.name, ours, theirs})
	}
	return all, nil
}

// turns is how often the two take turns at an event.
const turns = 10

// A bench makes events and has them answered.
type bench struct {
	dir, python   string
	seconds       float64 // of a turn
	pipeline      *pipeline.Pipeline
	generator     *generator.Generator
	output, trips row.Schema
}

func newBench(dir, python string, seconds float64) (*bench, error) {
	p, err := pipeline.Embedded()
	if err != nil {
		return nil, err
	}
	g, err := generator.New(p, 1)
	if err != nil {
		return nil, err
	}
	output, err := query.Destination(p)
	return &bench{dir, python, seconds, p, g, output, row.Of(p.Schema)}, err
}

// An event is its bytes, and how much is in it.
type event struct {
	text                []byte
	size, records, rows int
}

// event makes an event of about so many bytes of data, in records of so many rows. One record in a hundred has a bad
// row.
func (b *bench) event(columns row.Schema, perRecord, size int) event {
	var e event
	var all events.KinesisFirehoseEvent
	tick := generator.Tick{Time: time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC), Records: 1_000_000, Spread: time.Minute}
	for e.size < size {
		var data []byte
		for range perRecord {
			for _, c := range columns {
				data = append(b.generator.AppendColumn(data, tick, e.rows, b.pipeline.Schema.Index(c.Name)), ',')
			}
			data[len(data)-1] = '\n'
			e.rows++
		}
		if e.records%100 == 7 {
			data = append(data, "not a row\n"...)
		}
		all.Records = append(all.Records, events.KinesisFirehoseEventRecord{RecordID: fmt.Sprintf("%062d", e.records), Data: data})
		e.records++
		e.size += len(data)
	}
	// As Firehose sends it by Direct PUT: the type of package events writes members that are empty.
	var text bytes.Buffer
	text.WriteString(`{"invocationId":"i","deliveryStreamArn":"arn:aws:firehose:eu-west-1:123456789012:deliverystream/d","region":"eu-west-1","records":[`)
	for i, r := range all.Records {
		if i > 0 {
			text.WriteByte(',')
		}
		data, _ := json.Marshal(r.Data)
		fmt.Fprintf(&text, `{"recordId":%q,"approximateArrivalTimestamp":%d,"data":%s}`, r.RecordID, 1795464000000+i, data)
	}
	text.WriteString("]}")
	e.text = text.Bytes()
	return e
}

func (b *bench) answerInGo(ctx context.Context, e event) (time.Duration, error) {
	handler, err := reshape.New(reshape.Config{Output: reshape.JSON, Delimiter: ","}, b.pipeline, slog.New(slog.DiscardHandler), io.Discard)
	if err != nil {
		return 0, err
	}
	best := time.Duration(math.MaxInt64)
	var answer []byte
	for until := time.Now().Add(time.Duration(b.seconds * float64(time.Second))); time.Now().Before(until); {
		start := time.Now()
		if answer, err = handler.Invoke(ctx, e.text); err != nil {
			return 0, err
		}
		best = min(best, time.Since(start))
	}
	return best, os.WriteFile(filepath.Join(b.dir, "go.json"), answer, 0o600)
}

func (b *bench) answerInPython(ctx context.Context, columns row.Schema, e event) (time.Duration, error) {
	var named [][2]string
	for _, c := range columns {
		named = append(named, [2]string{c.Name, string(c.Type.Kind)})
	}
	argument, err := json.Marshal(named)
	if err != nil {
		return 0, err
	}
	path, answer := filepath.Join(b.dir, "event.json"), filepath.Join(b.dir, "python.json")
	if err := os.WriteFile(path, e.text, 0o600); err != nil {
		return 0, err
	}
	command := exec.CommandContext(ctx, b.python, "-c", blueprint, string(argument), path, answer, fmt.Sprint(b.seconds))
	command.Stderr = os.Stderr
	said, err := command.Output()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", b.python, err)
	}
	var best, peak float64
	if _, err := fmt.Sscan(string(said), &best, &peak); err != nil {
		return 0, fmt.Errorf("%s said %q: %w", b.python, said, err)
	}
	return time.Duration(best * float64(time.Second)), sameAnswers(filepath.Join(b.dir, "go.json"), answer)
}

// sameAnswers compares two answers: records by id and result, and their rows by the values of their JSON.
func sameAnswers(paths ...string) error {
	var answers [2]events.KinesisFirehoseResponse
	for i, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, &answers[i]); err != nil {
			return err
		}
	}
	if len(answers[0].Records) != len(answers[1].Records) {
		return fmt.Errorf("%d records in Go, and %d in Python", len(answers[0].Records), len(answers[1].Records))
	}
	for i, ours := range answers[0].Records {
		theirs := answers[1].Records[i]
		same := ours.RecordID == theirs.RecordID && ours.Result == theirs.Result
		if same && ours.Result == events.KinesisFirehoseTransformedStateOk {
			same = reflect.DeepEqual(values(ours.Data), values(theirs.Data))
		} else {
			same = same && bytes.Equal(ours.Data, theirs.Data)
		}
		if !same {
			return fmt.Errorf("record %d is %s %q in Go, and %s %q in Python", i, ours.Result, ours.Data, theirs.Result, theirs.Data)
		}
	}
	return nil
}

func values(lines []byte) (rows []map[string]any) {
	for line := range bytes.Lines(lines) {
		var row map[string]any
		if json.Unmarshal(line, &row) != nil {
			return nil
		}
		rows = append(rows, row)
	}
	return rows
}

// memory has the function itself, as Lambda runs it, answer events as large as Lambda takes them, and prints its peak.
func (b *bench) memory(ctx context.Context) error {
	const lambdaTakes = 6_291_556
	binary := filepath.Join(b.dir, "bootstrap")
	build := exec.CommandContext(ctx, "go", "build", "-tags=lambda.norpc", "-ldflags=-s -w", "-o", binary, "./functions/transform")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the function: %w", err)
	}
	for _, kind := range []struct {
		name string
		rows int
	}{{"one row a record", 1}, {"1,000 rows a record", 1000}, {"one record", 350_000}} {
		e := b.event(b.output, kind.rows, 1)
		if kind.rows < 10_000 { // sized by what a hundred records take
			e = b.event(b.output, kind.rows, 100*e.size)
			e = b.event(b.output, kind.rows, e.size*lambdaTakes/100*98/len(e.text))
		}
		if len(e.text) > lambdaTakes {
			return fmt.Errorf("an event of %d bytes is more than Lambda takes", len(e.text))
		}
		peak, err := peakAfter(ctx, binary, e.text, 20)
		if err != nil {
			return err
		}
		fmt.Printf("memory of the function after 20 events of %.1f MB, %s: %d MB at its peak\n", float64(len(e.text))/1e6, kind.name, peak>>20)
	}
	return nil
}

// peakAfter runs the function with a stand-in for Lambda's runtime API, and returns its largest resident set.
func peakAfter(ctx context.Context, binary string, payload []byte, times int) (bytes int64, err error) {
	done := make(chan error, times)
	sent := 0
	api := http.NewServeMux()
	api.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		if sent++; sent > times {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", fmt.Sprint(sent))
		w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
		_, _ = w.Write(payload)
	})
	api.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/{outcome}", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err == nil && (r.PathValue("outcome") != "response" || n > reshape.MaxAnswer) {
			err = fmt.Errorf("the function answered with an %s of %d bytes", r.PathValue("outcome"), n)
		}
		w.WriteHeader(http.StatusAccepted)
		done <- err
	})
	server := httptest.NewServer(api)
	defer server.Close()
	defer server.CloseClientConnections()

	command := exec.CommandContext(ctx, binary)
	command.Env = append(os.Environ(), "AWS_LAMBDA_RUNTIME_API="+server.Listener.Addr().String(), "OUTPUT=JSON", "GOMAXPROCS=2")
	if err := command.Start(); err != nil {
		return 0, err
	}
	for range times {
		err = errors.Join(err, <-done)
	}
	bytes, errPeak := peak(command.Process.Pid)
	_ = command.Process.Kill()
	_ = command.Wait()
	return bytes, errors.Join(err, errPeak)
}

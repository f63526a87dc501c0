//go:build e2e

package e2e_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/google/go-cmp/cmp"

	"streamproof/internal/bucket"
	"streamproof/internal/generator"
	"streamproof/internal/local"
	"streamproof/internal/local/firehose"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
)

// poison malforms records in every way there is, and checks that each bad line is stored with its reason, byte for
// byte, and that every good row is delivered.
func poison(t *testing.T, s *local.Stack) {
	before := rejects(t, s)
	tick := time.Now().Truncate(time.Millisecond)
	const records, poisoned = 600, 60
	producePoisoned(t, s, tick, records, poisoned)
	r := settle(t, s)
	t.Log(r.LastLine())
	c := r.Counts
	if r.Verdict != proof.Proven || !c.AllFound() || c.Rejects != poisoned || c.Foreign != 0 {
		t.Errorf("got %s %v", r.LastLine(), r.Reasons)
	}

	g := trips(t)
	want := map[string]int{}
	of := generator.Tick{Time: tick, Records: records, Poison: poisoned, Spread: 5 * time.Second} // local.yaml's spread
	for _, line := range g.Rejects(of, 0, records-1) {
		want[string(line)]++
	}
	got, reasons := map[string]int{}, map[string]int64{}
	for _, one := range rejects(t, s)[len(before):] {
		got[string(one.Data)]++
		reasons[one.Reason]++
		if one.Shard == "" || one.SequenceNumber == "" || one.ArrivalTime.IsZero() {
			t.Errorf("a reject without its place in the stream: %+v", one)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rejected lines (-want +got):\n%s", diff)
	}
	t.Log(reasons)
	for _, reason := range []string{
		"wrong number of columns", "not an integer", "not a number", "out of range", "wrong length", "unclosed quote",
		"invalid UTF-8", "empty record", "blank line", "misplaced quote", "carriage return", "not a timestamp",
	} {
		if reasons[reason] == 0 {
			t.Errorf("no line was rejected for %q", reason)
		}
	}
	counted := map[string]int64{}
	for _, one := range r.Rejects {
		if one.Prefix != s.Outputs.ErrorsPrefix {
			t.Errorf("the report has %d failed records under %s for %q, want none", one.Count, one.Prefix, one.Reason)
		}
		counted[one.Reason] = one.Count
	}
	if diff := cmp.Diff(reasons, counted); diff != "" {
		t.Errorf("the report's reasons (-found +counted):\n%s", diff)
	}
}

// trips returns the generator of the stack's records.
func trips(t *testing.T) *generator.Generator {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	g, err := generator.New(p, 1) // the template's seed
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// rejectLine is a line under the error prefix, decoded without the verifier's code.
type rejectLine struct {
	Reason         string    `json:"reason"`
	Data           []byte    `json:"data"`
	Shard          string    `json:"shard"`
	SequenceNumber string    `json:"sequence_number"`
	ArrivalTime    time.Time `json:"arrival_time"`
}

// rejects returns all rejects, in the order in which their objects were written.
func rejects(t *testing.T, s *local.Stack) (lines []rejectLine) {
	t.Helper()
	for line := range errorLines(t, s, s.Outputs.ErrorsPrefix) {
		var one rejectLine
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines = append(lines, one)
	}
	return lines
}

// errorLines returns the lines of all objects under a prefix.
func errorLines(t *testing.T, s *local.Stack, prefix string) func(yield func([]byte) bool) {
	t.Helper()
	return func(yield func([]byte) bool) {
		source := bucket.NewS3(s.S3, s.Outputs.BucketName)
		objects, _, err := source.List(t.Context(), prefix)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortStableFunc(objects, func(a, b bucket.Object) int { return a.LastModified.Compare(b.LastModified) })
		for _, object := range objects {
			data, err := source.Read(t.Context(), object)
			if err != nil {
				t.Fatal(err)
			}
			var in io.Reader = bytes.NewReader(data)
			if strings.HasSuffix(object.Key, ".gz") {
				if in, err = gzip.NewReader(in); err != nil {
					t.Fatal(err)
				}
			}
			scanner := bufio.NewScanner(in)
			scanner.Buffer(nil, 1<<21)
			for scanner.Scan() {
				if !yield(scanner.Bytes()) {
					return
				}
			}
			if err := scanner.Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var everyCombination = flag.Bool("every-shape", false, "run all combinations of what may be set, and not only enough for every pair")

// values lists each parameter's values; the first is the template's default.
var values = map[string][]string{
	"OutputFormat": {"CSV", "JSON"},
	"Compression":  {"none", "GZIP"},
	"Transform":    {"none", "JSON", "CSV"},
	"Aggregation":  {"none", "kpl"},
}

// shapes are combinations in which, together with the default, every two values of two parameters meet. The last one
// has a transform, for the tests that follow.
var shapes = []string{
	"JSON, GZIP, aggregates",
	"JSON, GZIP, transform JSON",
	"CSV, GZIP, transform CSV",
	"JSON, transform CSV, aggregates",
	"CSV, transform JSON, aggregates",
}

func TestEveryTwoValuesMeet(t *testing.T) {
	t.Parallel()
	all, standard := []map[string]string{}, map[string]string{}
	for _, shape := range shapes {
		all = append(all, parameters(t, shape))
	}
	for parameter, of := range values {
		standard[parameter] = of[0]
	}
	for one, ofOne := range values {
		for other, ofOther := range values {
			if one >= other {
				continue
			}
			for _, a := range ofOne {
				for _, b := range ofOther {
					if !slices.ContainsFunc(append(all, standard), func(s map[string]string) bool { return s[one] == a && s[other] == b }) {
						t.Errorf("no shape has %s %s with %s %s", one, a, other, b)
					}
				}
			}
		}
	}
}

// combinations returns all 24 combinations of values. The last one has a transform.
func combinations() []map[string]string {
	all := []map[string]string{{}}
	for _, parameter := range []string{"Transform", "Compression", "OutputFormat", "Aggregation"} {
		var more []map[string]string
		for _, shape := range all {
			for _, value := range values[parameter] {
				with := maps.Clone(shape)
				with[parameter] = value
				more = append(more, with)
			}
		}
		all = more
	}
	return all
}

// everyShape changes the running stack from one shape to the next. Objects of all shapes are under one prefix, and the
// verifier judges them together.
func everyShape(t *testing.T, s *local.Stack) {
	run := map[string]map[string]string{}
	order := shapes
	for _, shape := range shapes {
		run[shape] = parameters(t, shape)
	}
	if *everyCombination {
		order = nil
		for _, shape := range combinations() {
			name := fmt.Sprint(shape)
			run[name], order = shape, append(order, name)
		}
	}
	faults := len(trips(t).Faults(generator.Tick{Aggregates: true}))
	for _, name := range order {
		t.Run(name, func(t *testing.T) {
			shape := run[name]
			before := objectsOf(t, s)
			if err := s.Update(t.Context(), shape); err != nil {
				t.Fatal(err)
			}
			producePoisoned(t, s, time.Now(), 400, faults)
			r := settle(t, s)
			t.Log(r.LastLine())
			if r.Verdict != proof.Proven || !r.Counts.AllFound() || r.Counts.Foreign != 0 {
				t.Errorf("got %s %v", r.LastLine(), r.Reasons)
			}
			looksLike(t, s, shape, before)
		})
	}
}

func objectsOf(t *testing.T, s *local.Stack) map[string]bucket.Object {
	t.Helper()
	objects, _, err := bucket.NewS3(s.S3, s.Outputs.BucketName).List(t.Context(), s.Outputs.DataPrefix)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bucket.Object{}
	for _, object := range objects {
		keys[object.Key] = object
	}
	return keys
}

// looksLike checks that the newest object has the shape, so that this shape was judged.
func looksLike(t *testing.T, s *local.Stack, shape map[string]string, before map[string]bucket.Object) {
	t.Helper()
	now := objectsOf(t, s)
	maps.DeleteFunc(now, func(key string, _ bucket.Object) bool { return before[key].Key != "" })
	newest := slices.Max(slices.Collect(maps.Keys(now)))
	data, err := bucket.NewS3(s.S3, s.Outputs.BucketName).Read(t.Context(), now[newest])
	if err != nil {
		t.Fatal(err)
	}
	zipped := bytes.HasPrefix(data, []byte{0x1f, 0x8b})
	if zipped != (shape["Compression"] == "GZIP") || zipped != strings.HasSuffix(newest, ".gz") {
		t.Errorf("%s: gzip is %t, want Compression %s", newest, zipped, shape["Compression"])
	}
	if zipped {
		in, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if data, err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
	row, _, _ := strings.Cut(string(data), "\n")
	want := map[string]string{"JSON": `{"VendorID":`, "CSV": ";"}[shape["Transform"]]
	if shape["Transform"] == "none" {
		want = map[string]string{"JSON": `{"COL0":`, "CSV": ","}[shape["OutputFormat"]]
	}
	if !strings.Contains(row, want) {
		t.Errorf("the first row of %s is %q, want %s in it", newest, row, want)
	}
}

// transformFails makes every call of the transform fail. Its rows are failed and none is missing. Once they are sent
// again as Firehose kept them, everything is delivered.
func transformFails(t *testing.T, s *local.Stack) {
	var calls atomic.Int64
	s.Deliveries().SetHooks(firehose.Hooks{Invoke: func(string, int, []byte) error {
		calls.Add(1)
		return errors.New("made to fail")
	}})
	produce(t, s, time.Now(), 300)
	await(t, "the rows stand among the failed", func() bool {
		r, _, err := s.Verify(t.Context())
		return err == nil && r.Counts.Failed > 0 && r.Counts.InFlight == 0 && r.Counts.Owed == r.Counts.Delivered+r.Counts.Rejects+r.Counts.Failed
	})
	s.Deliveries().SetHooks(firehose.Hooks{})
	r, _, err := s.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r.LastLine())
	failed := r.Counts.Failed
	if r.Verdict != proof.NotProven || r.Counts.Missing != 0 || len(r.Samples[proof.Failed]) == 0 {
		t.Errorf("got %s %v, want failed rows and none missing", r.LastLine(), r.Samples)
	}
	if calls.Load()%4 != 0 {
		t.Errorf("%d calls of the transform, want each batch tried and repeated three times", calls.Load())
	}

	client := awsfirehose.NewFromConfig(s.AWS, func(o *awsfirehose.Options) { o.BaseEndpoint = aws.String(s.Deliveries().URL()) })
	put := func(data []byte) {
		t.Helper()
		_, err := client.PutRecord(t.Context(), &awsfirehose.PutRecordInput{
			DeliveryStreamName: &s.Outputs.DeliveryStreamName, Record: &types.Record{Data: data},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, one := range failures(t, s) {
		if one.ErrorCode != "Lambda.FunctionError" || one.AttemptsMade != 4 {
			t.Errorf("a record is kept with %s after %d attempts, want the function's error after 4", one.ErrorCode, one.AttemptsMade)
		}
		put(one.RawData)
	}
	r = settle(t, s)
	t.Log(r.LastLine())
	if r.Verdict != proof.Proven || !r.Counts.AllFound() || r.Counts.Foreign != failed {
		t.Errorf("got %s %v, want the %d failed rows delivered", r.LastLine(), r.Reasons, failed)
	}

	// The function returns a record with a bad row: the complete record is kept, and its good row is not delivered.
	mixed := []byte("1,1,1.0,1.0\nnot a row\n") // no trip costs less than 1.3
	kept := func(one failure) bool { return bytes.Equal(one.RawData, mixed) }
	put(mixed)
	await(t, "the record with a bad row is kept", func() bool { return slices.ContainsFunc(failures(t, s), kept) })
	if all := failures(t, s); !slices.ContainsFunc(all, func(one failure) bool {
		return kept(one) && one.ErrorCode == "Lambda.ProcessingFailedStatus" && one.AttemptsMade == 1
	}) {
		t.Errorf("the record with a bad row is not kept as ProcessingFailed after one attempt: %+v", all)
	}
	r = settle(t, s)
	t.Log(r.LastLine())
	if r.Verdict != proof.Proven || !r.Counts.AllFound() || r.Counts.Foreign != failed+2 {
		t.Errorf("got %s %v, want two foreign lines more, and no row", r.LastLine(), r.Reasons)
	}
}

// failure is a line under Firehose's processing-failed prefix, decoded without the verifier's code.
type failure struct {
	AttemptsMade int    `json:"attemptsMade"`
	ErrorCode    string `json:"errorCode"`
	RawData      []byte `json:"rawData"`
}

func failures(t *testing.T, s *local.Stack) (all []failure) {
	t.Helper()
	for line := range errorLines(t, s, s.Outputs.FailedPrefix) {
		var one failure
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, one)
	}
	return all
}

// writtenTwice writes an object twice, under two keys, so each of its rows is duplicated.
func writtenTwice(t *testing.T, s *local.Stack) {
	before := settle(t, s).Counts
	var once atomic.Bool
	s.Deliveries().SetHooks(firehose.Hooks{Write: func(_ context.Context, o firehose.Object, put func(firehose.Object) error) error {
		if err := put(o); err != nil || o.Stream != s.Outputs.DeliveryStreamName || once.Swap(true) {
			return err
		}
		o.Key += "-again"
		return put(o)
	}})
	produce(t, s, time.Now(), 200)
	r := settle(t, s)
	t.Log(r.LastLine())
	if !once.Load() || r.Verdict != proof.NotProven || r.Counts.Duplicated <= before.Duplicated || r.Counts.Missing != 0 || !r.Counts.AllFound() {
		t.Errorf("got %s after %+v, want doubles and nothing else", r.LastLine(), before)
	}
}

package e2e_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
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
	"streamproof/internal/proof"
	"streamproof/pipeline"
)

// poison has records malformed in every way there is, and sees that each bad line is delivered with its reason, byte for
// byte, while every good row is.
func poison(t *testing.T, s *local.Stack) {
	before := rejects(t, s)
	tick := time.Now().Truncate(time.Millisecond)
	const records, poisoned = 600, 60
	producePoisoned(t, s, tick, records, poisoned)
	r := settle(t, s)
	t.Log(r.LastLine())
	c := r.Counts
	if r.Verdict != proof.Proven || !c.AllFound() || c.Rejects < poisoned || c.Foreign != 0 {
		t.Errorf("got %s %v", r.LastLine(), r.Reasons)
	}

	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	g, err := generator.New(p, 1) // the template's seed
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	of := generator.Tick{Time: tick, Records: records, Poison: poisoned, Spread: 5 * time.Second} // local.yaml's spread
	for _, line := range g.Rejects(of, 0, records-1) {
		want[string(line)]++
	}
	got, reasons := map[string]int{}, map[string]int{}
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
		"wrong number of columns", "not an integer", "out of range", "unclosed quote", "invalid UTF-8", "empty record",
		"blank line", "misplaced quote", "carriage return", "not a timestamp",
	} {
		if reasons[reason] == 0 {
			t.Errorf("no line was rejected for %q", reason)
		}
	}
}

// rejectLine is a line of the errors' prefix, read here without the verifier's code.
type rejectLine struct {
	Reason         string    `json:"reason"`
	Data           []byte    `json:"data"`
	Shard          string    `json:"shard"`
	SequenceNumber string    `json:"sequence_number"`
	ArrivalTime    time.Time `json:"arrival_time"`
}

// rejects gives all rejects, in the order in which their objects were written.
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

// errorLines gives the lines of all objects under a prefix.
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

// shapes are combinations of what may be set, in which every two values of two parameters meet.
var shapes = []map[string]string{
	{"OutputFormat": "JSON", "Compression": "GZIP", "Transform": "JSON", "Aggregation": "kpl"},
	{"OutputFormat": "CSV", "Compression": "GZIP", "Transform": "CSV", "Aggregation": "none"},
	{"OutputFormat": "JSON", "Compression": "none", "Transform": "none", "Aggregation": "none"},
	{"OutputFormat": "CSV", "Compression": "none", "Transform": "JSON", "Aggregation": "kpl"},
}

// everyShape changes the running stack from one shape to the next: the objects of all of them stand under one prefix, and
// the verifier judges them together.
func everyShape(t *testing.T, s *local.Stack) {
	for _, shape := range shapes {
		t.Run(fmt.Sprint(shape), func(t *testing.T) {
			before := objectsOf(t, s)
			if err := s.Update(t.Context(), shape); err != nil {
				t.Fatal(err)
			}
			producePoisoned(t, s, time.Now(), 400, 13)
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

// looksLike sees that the newest object is of the shape, so that it is this shape that was judged.
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

// transformFails has every call of the transform fail: its rows are failed and none is missing, and once they are put
// again as Firehose has kept them, everything is delivered.
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
	for line := range errorLines(t, s, s.Outputs.FailedPrefix) {
		var envelope struct {
			RawData []byte `json:"rawData"`
		}
		if err := json.Unmarshal(line, &envelope); err != nil {
			t.Fatal(err)
		}
		_, err := client.PutRecord(t.Context(), &awsfirehose.PutRecordInput{
			DeliveryStreamName: &s.Outputs.DeliveryStreamName, Record: &types.Record{Data: envelope.RawData},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	r = settle(t, s)
	t.Log(r.LastLine())
	if r.Verdict != proof.Proven || !r.Counts.AllFound() || r.Counts.Foreign != failed {
		t.Errorf("got %s %v, want the %d failed rows delivered", r.LastLine(), r.Reasons, failed)
	}
}

// writtenTwice has an object written twice, under two keys: each of its rows is a double.
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

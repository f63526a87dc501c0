package audit_test

import (
	"bytes"
	"cmp"
	"context"
	b64 "encoding/base64"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"streamproof/internal/audit"
	"streamproof/internal/bucket"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// A fakeStream holds records in the order of arrival.
type fakeStream []audit.Record

func (fakeStream) Name() string { return "orders" }

func (fakeStream) Held(context.Context, time.Time) (time.Time, error) { return time.Time{}, nil }

func (s fakeStream) Records(_ context.Context, from, until time.Time) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range s {
			if !r.Arrival.Before(from) && r.Arrival.Before(until) && !yield(r, nil) {
				return
			}
		}
	}
}

type fakeObject struct {
	bucket.Object
	data       string
	listedLate time.Duration
}

// A fakeBucket is a bucket at a moment.
type fakeBucket struct {
	objects []fakeObject
	now     time.Time
	listed  int    // objects so far
	refuses error  // what reading an object answers
	opened  func() // if set, is called as each object is read
}

func (b *fakeBucket) Name() string { return "s3://lake" }

func (b *fakeBucket) List(_ context.Context, prefix string) (listed []bucket.Object, now time.Time, err error) {
	for _, o := range b.objects {
		if strings.HasPrefix(o.Key, prefix) && !o.LastModified.Add(o.listedLate).After(b.now) {
			listed = append(listed, o.Object)
		}
	}
	slices.SortFunc(listed, func(a, b bucket.Object) int { return cmp.Compare(a.Key, b.Key) })
	return listed, b.now, nil
}

func (b *fakeBucket) ListAfter(ctx context.Context, prefix, after string) ([]bucket.Object, time.Time, error) {
	listed, now, err := b.List(ctx, prefix)
	listed = slices.DeleteFunc(listed, func(o bucket.Object) bool { return o.Key <= after })
	b.listed += len(listed)
	return listed, now, err
}

func (b *fakeBucket) Read(_ context.Context, object bucket.Object) ([]byte, error) {
	if b.opened != nil {
		b.opened()
	}
	if b.refuses != nil {
		return nil, b.refuses
	}
	i := slices.IndexFunc(b.objects, func(o fakeObject) bool { return o.Key == object.Key })
	return []byte(b.objects[i].data), nil
}

func (b *fakeBucket) Open(ctx context.Context, object bucket.Object) (io.ReadCloser, error) {
	data, err := b.Read(ctx, object)
	return io.NopCloser(bytes.NewReader(data)), err
}

var start = time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)

// A history is a pipeline's: what arrived in the stream, what became of it, and an audit of a part of it.
type history struct {
	stream fakeStream
	bucket fakeBucket
	opts   audit.Options
	// After so many objects, reading is interrupted; 0 or less for never.
	interrupted int
}

func (h *history) put(key string, written time.Time, data string) {
	h.bucket.objects = append(h.bucket.objects, fakeObject{
		bucket.Object{Key: key, ETag: fmt.Sprint(len(h.bucket.objects)), Size: int64(len(data)), LastModified: written.Truncate(time.Second)}, data, 0,
	})
}

func (h *history) run(t *rapid.T) *report.Report {
	return audit.Run(context.Background(), h.stream, &h.bucket, h.opts)
}

// A fate is what a pipeline makes of a record.
type fate int

const (
	delivered fate = iota
	lost
	doubled
	failed
)

// The verdict on a window names each record of the window that was lost, doubled or failed, and nothing else, whatever
// the window's edges cut through and whatever happened outside.
func TestAudit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const deadline = 60 * time.Second
		h := &history{opts: audit.Options{
			From: start.Add(200 * time.Second), To: start.Add(400 * time.Second), Skew: audit.DefaultSkew, Form: audit.Verbatim{},
			Pipeline: audit.Pipeline{Prefix: "orders/", ErrorsPrefix: "errors/", Deadline: deadline},
		}}
		h.bucket.now = start.Add(time.Duration(rapid.IntRange(410, 800).Draw(t, "now")) * time.Second)
		faultsOutside := rapid.Bool().Draw(t, "faults outside")
		var want proof.Counts
		var missing []string
		n := rapid.IntRange(0, 60).Draw(t, "records")
		for i := range n {
			arrival := start.Add(time.Duration(rapid.IntRange(0, 700_000).Draw(t, "arrival")) * time.Millisecond)
			if arrival.After(h.bucket.now) {
				continue
			}
			row := fmt.Sprintf(`{"n":%d}`, i)
			if rapid.Bool().Draw(t, "long") {
				row = fmt.Sprintf(`{"n":%d,"text":"%s"}`, i, strings.Repeat("x", 300))
			}
			newline := rapid.SampledFrom([]string{"", "\n"}).Draw(t, "newline")
			shard := rapid.SampledFrom([]string{"shardId-000000000000", "shardId-000000000001"}).Draw(t, "shard")
			h.stream = append(h.stream, audit.Record{
				Shard: shard, SequenceNumber: fmt.Sprint(i), PartitionKey: "k", Arrival: arrival, Data: []byte(row + newline),
			})
			in := !arrival.Before(h.opts.From) && !arrival.After(h.opts.To)
			became := delivered
			if in || faultsOutside {
				became = fate(rapid.IntRange(0, 3).Draw(t, "fate"))
			}
			// From a little before its arrival, by S3's clock, until its deadline.
			written := arrival.Add(time.Duration(rapid.IntRange(-4000, 60_000).Draw(t, "delay")) * time.Millisecond)
			key := fmt.Sprintf("orders/%03d", i)
			settled := h.bucket.now.After(arrival.Truncate(time.Second).Add(deadline))
			arrived := !written.Truncate(time.Second).After(h.bucket.now)
			switch became {
			case lost:
			case failed:
				h.put("errors/"+key, written, fmt.Sprintf(`{"attemptsMade":4,"errorCode":"Lambda.FunctionError","errorMessage":"no","rawData":"%s"}`, base64(row)))
			case doubled:
				h.put(key, written, row+"\n"+row)
			default:
				h.put(key, written, row+newline)
			}
			if !in {
				continue
			}
			want.Owed++
			switch {
			case arrived && became == failed:
				want.Failed++
			case arrived && became != lost:
				want.Delivered++
				if became == doubled && !written.Truncate(time.Second).Before(h.opts.From.Add(deadline+audit.DefaultSkew)) {
					want.Duplicated++
				} else if became == doubled {
					want.Older++
				}
			case settled:
				want.Missing++
				missing = append(missing, fmt.Sprint(i))
			default:
				want.InFlight++
			}
		}
		slices.SortStableFunc(h.stream, func(a, b audit.Record) int { return a.Arrival.Compare(b.Arrival) })

		r := h.run(t)
		got := r.Counts
		if faultsOutside { // surplus of the edges is older than the window, or of a record after it
			got.Older, want.Older, got.Foreign, want.Foreign = 0, 0, 0, 0
			if got.Duplicated > want.Duplicated+int64(n) {
				t.Errorf("%d duplicated", got.Duplicated)
			}
			got.Duplicated, want.Duplicated = 0, 0
		}
		got.Late, got.Foreign = 0, 0
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		var named []string
		for _, f := range r.LastSeen {
			for _, record := range f.Records {
				named = append(named, record.Places[0].SequenceNumber)
			}
		}
		slices.Sort(named)
		slices.Sort(missing)
		if !slices.Equal(named, missing) {
			t.Errorf("missing are named as %q, want %q", named, missing)
		}
		wantVerdict := want.Verdict(nil)
		if !faultsOutside && r.Verdict != wantVerdict {
			t.Errorf("%s, want %s: %+v", r.Verdict, wantVerdict, r.Reasons)
		}
	})
}

func base64(text string) string { return b64.StdEncoding.EncodeToString([]byte(text)) }

// What is met in the stream and in the objects is told, with what to do about it, and accuses nobody.
func TestNotes(t *testing.T) {
	record := func(n int, data string) audit.Record {
		return audit.Record{Shard: "a", SequenceNumber: fmt.Sprint(n), PartitionKey: "k", Arrival: start.Add(time.Duration(n) * time.Second), Data: []byte(data)}
	}
	inner := record(1, "a\n")
	inner.Aggregate = &audit.Aggregate{OutOfRange: true}
	malformed := record(1, "a\n")
	malformed.Malformed = fmt.Errorf("malformed")
	for name, test := range map[string]struct {
		records []audit.Record
		object  string
		want    proof.Verdict
		says    string
	}{
		"glued JSON":         {[]audit.Record{record(1, `{"a":1}`), record(2, `{"a":2}`)}, `{"a":1}{"a":2}`, proof.Proven, "AppendDelimiterToRecord"},
		"blank lines":        {[]audit.Record{record(1, "a\n"), record(2, "b\n")}, "a\n\nb\n\n", proof.Proven, "2 lines of objects are blank"},
		"a newline is added": {[]audit.Record{record(1, "a"), record(2, "b")}, "a\nb\n", proof.Proven, ""},
		"never ended":        {[]audit.Record{record(1, "a"), record(2, "b")}, "ab", proof.Undecided, "cannot be taken apart again"},
		"lost, not glued":    {[]audit.Record{record(1, "a"), record(2, "b")}, "b\n", proof.NotProven, ""},
		"put twice":          {[]audit.Record{record(1, "a\n"), record(2, "a\n")}, "a\na\n", proof.Proven, "put them again"},
		"of another shard":   {[]audit.Record{inner}, "a\n", proof.Proven, "have a key of another shard"},
		"malformed":          {[]audit.Record{malformed}, "a\n", proof.Proven, "1 aggregates"},
		"nothing owed":       {nil, "a\n", proof.Undecided, "the stream holds no record"},
		"no lines":           {[]audit.Record{record(1, "a\n")}, strings.Repeat("x", 17<<20), proof.Undecided, "longer than 16 MiB"},
		"many lines":         {[]audit.Record{record(1, "a\nb\n\nc")}, "c\nb\na", proof.Proven, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := &history{stream: test.records, opts: audit.Options{
				From: start, To: start.Add(time.Minute), Skew: audit.DefaultSkew, Form: audit.Verbatim{}, Pipeline: audit.Pipeline{Prefix: "orders/", Deadline: time.Second},
			}}
			h.bucket.now = start.Add(time.Hour)
			h.put("orders/1", start.Add(20*time.Second), test.object)
			r := audit.Run(t.Context(), h.stream, &h.bucket, h.opts)
			told := strings.Join(append(r.Notes, r.Reasons...), "\n")
			if r.Verdict != test.want || !strings.Contains(told, test.says) || test.says == "" && told != "" && r.Verdict == proof.Proven {
				t.Errorf("%s: %s, want %s that says %q: %+v", r.Verdict, told, test.want, test.says, r.Counts)
			}
		})
	}
}

// A pipeline that cannot be judged is UNDECIDED, with one sentence, and never PROVEN.
func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		pipeline audit.Pipeline
		from, to time.Time
		says     string
	}{
		"Parquet":       {audit.Pipeline{Prefix: "p/", Faults: []string{"it converts records to Parquet or ORC, which are not read"}}, start, start.Add(time.Minute), "Parquet"},
		"a function":    {audit.Pipeline{Prefix: "p/", Functions: []string{"arn:f"}}, start, start.Add(time.Minute), "--sql"},
		"errors above":  {audit.Pipeline{Prefix: "p/q/", ErrorsPrefix: "p/"}, start, start.Add(time.Minute), "below that of the errors"},
		"no window":     {audit.Pipeline{Prefix: "p/"}, start.Add(time.Minute), start, "nothing arrived"},
		"not read yet":  {audit.Pipeline{Prefix: "p/", Since: start.Add(time.Hour), SinceWhy: "read only since then"}, start, start.Add(time.Minute), "only since then"},
		"in the future": {audit.Pipeline{Prefix: "p/"}, start.Add(3 * time.Hour), start.Add(4 * time.Hour), "nothing of the window"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &fakeBucket{now: start.Add(2 * time.Hour)}
			r := audit.Run(t.Context(), fakeStream{}, b, audit.Options{From: test.from, To: test.to, Form: audit.Verbatim{}, Pipeline: test.pipeline})
			if reasons := strings.Join(r.Reasons, "\n"); r.Verdict != proof.Undecided || !strings.Contains(reasons, test.says) {
				t.Errorf("%s: %s, want UNDECIDED that says %q", r.Verdict, reasons, test.says)
			}
		})
	}
}

// The report names as many missing rows as it can hold, and all of them are told one by one.
func TestManyMissing(t *testing.T) {
	const n = 12_000
	h := &history{}
	h.bucket.now = start.Add(time.Hour)
	for i := range n {
		h.stream = append(h.stream, audit.Record{
			Shard: "a", SequenceNumber: fmt.Sprint(i), PartitionKey: "k", Arrival: start.Add(time.Duration(i) * 20 * time.Millisecond), Data: fmt.Appendf(nil, "%d\n", i),
		})
	}
	h.put("orders/1", start.Add(time.Minute), "0\n")
	told := map[string]bool{}
	r := audit.Run(t.Context(), h.stream, &h.bucket, audit.Options{
		From: start, To: start.Add(30 * time.Minute), Skew: audit.DefaultSkew, Form: audit.Verbatim{}, Pipeline: audit.Pipeline{Prefix: "orders/", Deadline: time.Minute},
		Missing: func(m report.MissingRow) error {
			if told[m.SequenceNumber] || m.Missing != 1 || m.Row != m.SequenceNumber || m.Shard != "a" {
				t.Errorf("told of %+v", m)
			}
			told[m.SequenceNumber] = true
			return nil
		},
	})
	if r.Counts.Missing != n-1 || len(r.LastSeen) != 10_000 || len(told) != n-1 || told["0"] {
		t.Errorf("%d missing, %d in the report, %d told, want %d, 10000 and %[4]d", r.Counts.Missing, len(r.LastSeen), len(told), n-1)
	}
}

// Of keys that go by the hour, only those are listed that can hold something of the window: a prefix may have years of
// objects.
func TestHourlyKeys(t *testing.T) {
	h := &history{stream: fakeStream{{Shard: "a", SequenceNumber: "1", PartitionKey: "k", Arrival: start, Data: []byte("a\n")}}}
	h.bucket.now = start.Add(time.Hour)
	for hours := range 1000 {
		written := start.Add(-time.Duration(hours) * time.Hour)
		h.put(written.Format("orders/2006/01/02/15/")+"x", written.Add(time.Second), "a\n")
	}
	r := audit.Run(t.Context(), h.stream, &h.bucket, audit.Options{
		From: start, To: start.Add(time.Minute), Skew: audit.DefaultSkew, Form: audit.Verbatim{},
		Pipeline: audit.Pipeline{Prefix: "orders/", Deadline: time.Minute, Hourly: true},
	})
	if r.Verdict != proof.Proven || h.bucket.listed > 30 {
		t.Errorf("%s with %d objects listed: %q", r.Verdict, h.bucket.listed, r.Reasons)
	}
}

package operate

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"pgregory.net/rapid"

	"streamproof/internal/audit"
	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/ledger/s3test"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/query"
	"streamproof/internal/report"
	"streamproof/internal/verifier"
)

// A heldStream holds records in the order of arrival.
type heldStream []audit.Record

func (heldStream) Name() string { return "orders" }

func (heldStream) Held(context.Context, time.Time) (time.Time, error) { return time.Time{}, nil }

func (s heldStream) Records(_ context.Context, from, until time.Time) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range s {
			if !r.Arrival.Before(from) && r.Arrival.Before(until) && !yield(r, nil) {
				return
			}
		}
	}
}

// RecordsAfter is Records behind the shard's position.
func (s heldStream) RecordsAfter(_ context.Context, positions map[string]audit.Position, from, until time.Time) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range s {
			after, known := positions[r.Shard]
			counted := known && r.SequenceNumber <= after.SequenceNumber || !known && r.Arrival.Before(from)
			if !counted && r.Arrival.Before(until) && !yield(r, nil) {
				return
			}
		}
	}
}

var auditStart = time.Date(2026, 11, 29, 9, 58, 0, 0, time.UTC)

// A lake is a bucket that a pipeline writes the records of a stream to.
type lake struct {
	s3     *s3test.S3
	client *s3.Client
	read   bucket.Bucket // what audits and repairs read
	now    time.Time
	stream heldStream
	opts   audit.Options
	lost   []string // rows of which nothing was delivered
	// At the write of this number, from 1, what writes is killed; 0 for never. Lands is whether that write is made.
	dies, writes int
	lands        bool
	kill         func()
}

func newLake() *lake {
	l := &lake{s3: s3test.New(), now: auditStart.Add(3 * time.Hour), opts: audit.Options{
		From: auditStart, To: auditStart.Add(7 * time.Minute), Skew: audit.DefaultSkew, Form: audit.Verbatim{},
		Pipeline: audit.Pipeline{Stream: "orders", Bucket: "lake", Prefix: "orders/", ErrorsPrefix: "errors/", Deadline: time.Minute, Hourly: true},
	}}
	l.client = s3.New(l.s3.Client().Options(), func(o *s3.Options) { o.RetryMaxAttempts = 1 })
	l.read = bucket.NewS3(l.client, "lake")
	l.s3.Now = func() time.Time { return l.now }
	l.s3.Fault = func(_ int, method string) s3test.Fault {
		if method == http.MethodGet || method == http.MethodHead {
			return s3test.None
		}
		if l.writes++; l.writes != l.dies {
			return s3test.None
		}
		if l.kill(); l.lands {
			return s3test.DoneThenLost
		}
		return s3test.Lost
	}
	return l
}

// arrives has a record arrive in the stream.
func (l *lake) arrives(at time.Time, text string) {
	l.stream = append(l.stream, audit.Record{Shard: "a", PartitionKey: "k", Arrival: at, Data: []byte(text)})
	slices.SortStableFunc(l.stream, func(a, b audit.Record) int { return a.Arrival.Compare(b.Arrival) })
	for i := range l.stream {
		l.stream[i].SequenceNumber = fmt.Sprintf("%04d", i)
	}
}

// put has the pipeline write an object.
func (l *lake) put(key string, at time.Time, text string) {
	now := l.now
	l.now = at
	l.s3.Put("/lake/"+key, []byte(text))
	l.now = now
}

// delivers writes an object of rows in the folder of its hour.
func (l *lake) delivers(at time.Time, name, text string) {
	l.put("orders/"+at.Format("2006/01/02/15/")+name, at, text)
}

func failedRecord(text string) string {
	return fmt.Sprintf(`{"attemptsMade":4,"errorCode":"Lambda.FunctionError","errorMessage":"no","rawData":"%s"}`, base64.StdEncoding.EncodeToString([]byte(text)))
}

// A direct is a lake that is read without S3's protocol: a property reads some thousand objects with every draw.
type direct struct{ *lake }

func (direct) Name() string { return "s3://lake" }

func (d direct) List(ctx context.Context, prefix string) ([]bucket.Object, time.Time, error) {
	return d.ListAfter(ctx, prefix, "")
}

func (d direct) ListAfter(ctx context.Context, prefix, after string) (listed []bucket.Object, clock time.Time, err error) {
	for _, path := range d.s3.Paths() {
		key := strings.TrimPrefix(path, "/lake/")
		if o, _ := d.s3.Get(path); strings.HasPrefix(key, prefix) && key > after {
			listed = append(listed, bucket.Object{Key: key, ETag: o.ETag, Size: int64(len(o.Body)), LastModified: o.Modified})
		}
	}
	return listed, d.now.Truncate(time.Second), ctx.Err()
}

func (d direct) Read(ctx context.Context, object bucket.Object) ([]byte, error) {
	if o, _ := d.s3.Get("/lake/" + object.Key); o.ETag == object.ETag {
		return o.Body, ctx.Err()
	}
	return nil, bucket.ErrRewritten
}

func (d direct) Open(ctx context.Context, object bucket.Object) (io.ReadCloser, error) {
	data, err := d.Read(ctx, object)
	return io.NopCloser(bytes.NewReader(data)), err
}

// audited is the pipeline.
func (l *lake) audited() *Audited {
	return &Audited{
		Name: "orders", Client: l.client, Bucket: l.read, Options: l.opts,
		Judge: func(ctx context.Context, opts audit.Options) (*report.Report, error) {
			return audit.Run(ctx, l.stream, l.read, opts), nil
		},
	}
}

// audit audits the same window, and reads on to now.
func (l *lake) audit(ctx context.Context) *report.Report {
	opts := l.opts
	opts.Late = true
	return audit.Run(ctx, l.stream, l.read, opts)
}

func (l *lake) repair(ctx context.Context, classes ...proof.Class) (*RepairResult, error) {
	return (&Operator{}).RepairAudited(ctx, l.audited(), RepairOrder{Classes: classes, Write: true})
}

// keys are the objects below a prefix, with their ETags.
func (l *lake) keys(ctx context.Context, prefix string) map[string]string {
	all := map[string]string{}
	objects, _, _ := l.read.List(ctx, prefix)
	for _, o := range objects {
		all[o.Key] = o.ETag
	}
	return all
}

// drawLake draws a pipeline that loses, fails and delays records around the window's edges, too.
func drawLake(t *rapid.T, equal bool) *lake {
	l := newLake()
	l.read = direct{l}
	for i := range rapid.IntRange(1, 20).Draw(t, "records") {
		n := i
		if equal {
			n = rapid.IntRange(0, i).Draw(t, "n")
		}
		minute := time.Duration(rapid.SampledFrom([]int{-4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7}).Draw(t, "minute")) * time.Minute
		arrival := l.opts.From.Add(minute + time.Duration(rapid.IntRange(0, 59_999).Draw(t, "milliseconds"))*time.Millisecond)
		row := fmt.Sprintf(`{"n":%d,"text":"%s"}`, n, strings.Repeat("x", rapid.SampledFrom([]int{1, 300}).Draw(t, "length")))
		l.arrives(arrival, row)
		written := arrival.Add(time.Duration(rapid.IntRange(0, 60_000).Draw(t, "delay")) * time.Millisecond)
		name := fmt.Sprintf("part-%03d", i)
		switch rapid.SampledFrom([]string{"delivered", "lost", "failed", "late", "doubled", "doubled later", "glued"}).Draw(t, "fate") {
		case "lost":
			l.lost = append(l.lost, row)
		case "doubled":
			l.delivers(written, name, row+"\n"+row+"\n")
		case "doubled later":
			l.delivers(written, name, row+"\n")
			other := fmt.Sprintf(`{"n":%d}`, 1000+i)
			l.delivers(written.Add(10*time.Minute), name+"-again", row+"\n"+other+"\n")
			l.arrives(written.Add(9*time.Minute), other)
		case "glued":
			l.delivers(written, name, row+"\n"+row+" "+row+"\n")
		case "failed":
			l.put("errors/"+name, written, failedRecord(row))
		case "late":
			l.delivers(written.Add(time.Hour), name, row+"\n")
		default:
			l.delivers(written, name, row+"\n")
		}
	}
	return l
}

// TestRepairOfAnAuditIsExact: a repair makes what an audit finds missing and failed again, and changes nothing else of
// the verdict, whichever of its writes it is killed at before it runs again. A second repair writes nothing.
func TestRepairOfAnAuditIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := drawLake(t, rapid.Bool().Draw(t, "equal rows"))
		before := l.audit(t.Context())
		if before.Verdict == proof.Undecided {
			t.Skip("nothing is owed")
		}
		want := before.Counts
		wrong := want.Missing + want.Failed
		for kills := 0; ; kills++ {
			l.now = l.now.Add(time.Minute)
			ctx, cancel := context.WithCancel(t.Context())
			l.writes, l.dies, l.lands, l.kill = 0, rapid.IntRange(1, 12).Draw(t, "dies"), rapid.Bool().Draw(t, "lands"), cancel
			if kills == 5 {
				l.dies = 0
			}
			result, err := l.repair(ctx, proof.Missing, proof.Failed)
			cancel()
			killed := l.dies > 0 && l.writes >= l.dies
			l.dies = 0
			if c := l.audit(t.Context()).Counts; c.Repaired != wrong-c.Missing-c.Failed || c.Duplicated != want.Duplicated || c.Unexpected != want.Unexpected {
				t.Fatalf("half repaired: got %+v, had %+v", c, want)
			}
			if !killed {
				if err != nil {
					t.Fatal(err)
				}
				want.Missing, want.Failed, want.Repaired = 0, 0, wrong
				want.Foreign += before.Counts.Failed
				want.Delivered, want.Late = want.Delivered+wrong, want.Late+wrong
				if got := result.After.Counts; got != want || result.After.Verdict != verdictOf(want) {
					t.Fatalf("got %s %+v, want %+v: %v", result.After.Verdict, got, want, result.After.Reasons)
				}
				break
			}
		}
		if staged := l.keys(t.Context(), ledger.StagedPrefix); len(staged) > 0 {
			t.Fatalf("%v are left", staged)
		}
		stood := l.keys(t.Context(), "")
		l.now = l.now.Add(time.Minute)
		if _, err := l.repair(t.Context(), proof.Missing, proof.Failed); err != nil {
			t.Fatal(err)
		}
		if stands := l.keys(t.Context(), ""); !maps.Equal(stood, stands) {
			t.Fatalf("a second repair has written: %v, before %v", stands, stood)
		}
	})
}

// TestRepairOfAnAuditsDuplicates: taking surplus copies out loses no row, whatever the window cuts through, and leaves
// none that could be taken out.
func TestRepairOfAnAuditsDuplicates(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := drawLake(t, rapid.Bool().Draw(t, "equal rows"))
		window, life := l.opts, l.opts
		life.From, life.To = auditStart.Add(-2*time.Hour), auditStart.Add(2*time.Hour)
		l.opts = life
		before := l.audit(t.Context())
		l.opts = window
		if there := l.audit(t.Context()); there.Verdict == proof.Undecided {
			t.Skip("nothing is owed")
		}
		var result *RepairResult
		for kills := 0; ; kills++ {
			l.now = l.now.Add(time.Minute)
			ctx, cancel := context.WithCancel(t.Context())
			l.writes, l.dies, l.lands, l.kill = 0, rapid.IntRange(1, 8).Draw(t, "dies"), rapid.Bool().Draw(t, "lands"), cancel
			if kills == 3 {
				l.dies = 0
			}
			var err error
			result, err = l.repair(ctx, proof.Duplicated, proof.Corrupt)
			cancel()
			killed := l.dies > 0 && l.writes >= l.dies
			if l.dies = 0; killed {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		var left int64
		for _, one := range result.Left {
			left += one.Count
		}
		if got := result.After.Counts.Duplicated; got != left {
			t.Fatalf("%d are duplicated, and %+v left", got, result.Left)
		}
		l.opts = life
		after := l.audit(t.Context())
		want := before.Counts
		want.Duplicated = after.Counts.Duplicated
		if after.Counts != want || after.Counts.Duplicated > before.Counts.Duplicated {
			t.Fatalf("got %+v, had %+v", after.Counts, before.Counts)
		}
	})
}

// TestTheOriginalComesAfterAll: it is duplicated, the report says that a repair was the other copy, and that copy is
// taken back.
func TestTheOriginalComesAfterAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := drawLake(t, false)
		if l.audit(t.Context()).Verdict == proof.Undecided {
			t.Skip("nothing is owed")
		}
		r, err := l.repair(t.Context(), proof.Missing, proof.Failed)
		if err != nil {
			t.Fatal(err)
		}
		want := r.After.Counts
		l.now = l.now.Add(time.Hour)
		for i, row := range l.lost {
			l.delivers(l.now.Add(-30*time.Minute), fmt.Sprintf("original-%03d", i), row+"\n")
		}
		came := l.audit(t.Context())
		n := min(r.Before.Counts.Missing, int64(len(l.lost)))
		if came.Counts.Duplicated != want.Duplicated+n || came.RepairedTwice != n {
			t.Fatalf("got %+v and %d repaired twice, want %d more than %+v", came.Counts, came.RepairedTwice, n, want)
		}
		if r, err = l.repair(t.Context(), proof.Duplicated); err != nil {
			t.Fatal(err)
		}
		got := r.After.Counts
		if got.Missing != want.Missing || got.Repaired != want.Repaired-n || r.After.RepairedTwice != 0 {
			t.Fatalf("got %+v, want %+v with %d taken back; left %+v", got, want, n, r.Left)
		}
	})
}

// TestRepairBesideAContinuousAudit: what the repair of a window writes pays in an audit that is resumed, however long
// ago the rows were due, and is counted once. An object that a repair rewrites is not counted again.
func TestRepairBesideAContinuousAudit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := drawLake(t, rapid.Bool().Draw(t, "equal rows"))
		l.opts.From, l.opts.To = auditStart.Add(-2*time.Hour), auditStart.Add(2*time.Hour)
		continuous := l.opts
		continuous.Start = "then"
		resume := func(base *audit.State) (*report.Report, *audit.State) {
			return audit.Resume(t.Context(), l.stream, l.read, continuous, base)
		}
		before, state := resume(nil)
		if before.Verdict == proof.Undecided || state == nil {
			t.Skip("nothing is owed")
		}
		l.now = l.now.Add(time.Duration(rapid.SampledFrom([]int{1, 40}).Draw(t, "hours")) * time.Hour)
		if before, state = resume(state); before.Verdict == proof.Undecided {
			t.Fatalf("%v", before.Reasons)
		}
		if _, err := l.repair(t.Context(), proof.Missing, proof.Failed); err != nil {
			t.Fatal(err)
		}
		want := before.Counts
		wrong := want.Missing + want.Failed
		want.Missing, want.Failed, want.Repaired = 0, 0, wrong
		want.Delivered, want.Late, want.Foreign = want.Delivered+wrong, want.Late+wrong, want.Foreign+before.Counts.Failed
		for _, what := range []string{"after the repair", "again", "after duplicates"} {
			l.now = l.now.Add(10 * time.Minute)
			if what == "after duplicates" {
				if _, err := l.repair(t.Context(), proof.Duplicated); err != nil {
					t.Fatal(err)
				}
				l.now = l.now.Add(10 * time.Minute)
			}
			var r *report.Report
			if r, state = resume(state); r.Counts != want {
				t.Fatalf("%s: got %+v, want %+v: %v", what, r.Counts, want, r.Notes)
			}
			if wrong > 0 && what == "after the repair" {
				l.now = l.now.Add(3 * time.Hour)
			}
		}
	})
}

// TestRepairOfQueriedRows: the rows of a query are written as their neighbours are, and the lines that its schema
// refuses to the prefix of rejects, whatever they read like.
func TestRepairOfQueriedRows(t *testing.T) {
	t.Parallel()
	p, err := pipeline.Parse([]byte(`{"source": "S", "columns": [
		{"name": "id", "alias": "A", "type": "INTEGER", "fake": {}}, {"name": "amount", "alias": "B", "type": "REAL", "fake": {}}
	]}`), []byte("CREATE TABLE T (X INTEGER, Y FLOAT); INSERT INTO T SELECT A, B * 2 FROM S WHERE A > 0"))
	if err != nil {
		t.Fatal(err)
	}
	q, err := query.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	form, err := audit.NewQueried(q)
	if err != nil {
		t.Fatal(err)
	}
	form.Rejects = true
	l := newLake()
	l.opts.Form, l.opts.Pipeline.RejectsPrefix, l.opts.Pipeline.ErrorsPrefix = form, "rejects/", "errors/"
	at := l.opts.From.Add(3 * time.Minute)
	for _, line := range []string{"1,2", "2,3", "3,1e39", strings.Repeat("x", 700_000) + "1,2", "", "5,6", "7,8"} {
		l.arrives(at, line+"\n")
	}
	l.delivers(at, "part", "2;6.0\n")
	l.put("errors/part", at, failedRecord("7;16.0\n"))
	want := proof.Counts{Owed: 8, Delivered: 1, Missing: 6, Failed: 1}
	if got := l.audit(t.Context()).Counts; got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	r, err := l.repair(t.Context(), proof.Missing, proof.Failed)
	if err != nil {
		t.Fatal(err)
	}
	want = proof.Counts{Owed: 8, Delivered: 4, Rejects: 4, Late: 7, Repaired: 7, Foreign: 1}
	if r.After.Verdict != proof.Proven || r.After.Counts != want {
		t.Errorf("got %s %+v, want %+v", r.After.Verdict, r.After.Counts, want)
	}
	for _, w := range r.Writes {
		if body, _ := l.s3.Get("/lake/" + w.Key); strings.HasPrefix(w.Key, "orders/") && string(body.Body) != "1;4\n5;12\n7;16\n" {
			t.Errorf("%s holds %q", w.Key, body.Body)
		}
	}
}

// TestRepairLeavesWhatIsAccepted, and puts right the rest.
func TestRepairLeavesWhatIsAccepted(t *testing.T) {
	t.Parallel()
	l := newLake()
	at := l.opts.From.Add(3 * time.Minute)
	l.arrives(at, "a\n")
	l.arrives(at, "b\n")
	l.arrives(at.Add(time.Second), "c\n")
	l.delivers(at, "part", "b\n")
	l.put("errors/part", at.Add(time.Second), failedRecord("c\n"))
	folder := t.TempDir()
	audited := l.audited()
	opts := audited.Options
	opts.Settle = func(ctx context.Context, r *report.Report, result *proof.Result) (map[proof.Class]int64, error) {
		_, open, err := verifier.Accepted(ctx, bucket.Dir(folder), r, result)
		if err != nil {
			return nil, err
		}
		acceptance, findings, err := r.Choose(open, report.Choice{Class: proof.Missing, Count: 1, Reason: "a test", Who: "somebody"}, l.now)
		if err != nil {
			return nil, err
		}
		return nil, acceptance.WriteFolder(folder, findings)
	}
	audit.Run(t.Context(), l.stream, audited.Bucket, opts)
	audited.Accepted = bucket.Dir(folder)
	r, err := (&Operator{}).RepairAudited(t.Context(), audited, RepairOrder{Classes: []proof.Class{proof.Missing, proof.Failed}, Write: true})
	if err != nil {
		t.Fatal(err)
	}
	if c := r.After.Counts; c.Missing != 1 || c.Failed != 0 || c.Repaired != 1 || r.Before.Counts.Missing != 1 {
		t.Errorf("got %+v", c)
	}
}

// TestTwoPipelinesInABucket have the same rows, and a repair of one leaves the other alone.
func TestTwoPipelinesInABucket(t *testing.T) {
	t.Parallel()
	l := newLake()
	at := l.opts.From.Add(3 * time.Minute)
	l.arrives(at, "a\n")
	if r, err := l.repair(t.Context(), proof.Missing); err != nil || r.After.Counts.Repaired != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
	made := l.keys(t.Context(), "orders/")
	l.opts.Pipeline.Prefix = "others/"
	l.put("others/2026/11/29/10/part", at, "a\na\n")
	if r := l.audit(t.Context()); r.Counts.Duplicated != 1 || r.RepairedTwice != 0 {
		t.Errorf("got %+v, %d repaired twice", r.Counts, r.RepairedTwice)
	}
	r, err := l.repair(t.Context(), proof.Duplicated)
	if err != nil || r.After.Verdict != proof.Proven {
		t.Errorf("got %+v, %v", r, err)
	}
	if now := l.keys(t.Context(), "orders/"); !maps.Equal(made, now) {
		t.Errorf("the other pipeline has %v, and had %v", now, made)
	}
}

// TestRepairKeepsTags of an object, but not of its copy, which nothing may delete.
func TestRepairKeepsTags(t *testing.T) {
	t.Parallel()
	l := newLake()
	l.arrives(l.opts.From.Add(2*time.Minute), "a\n")
	const key = "orders/2026/11/29/10/part"
	l.put(key, l.opts.From.Add(2*time.Minute), "a\na\n")
	l.s3.Tag("/lake/"+key, "owner=the+lake&kind=1%262")
	r, err := l.repair(t.Context(), proof.Duplicated)
	if err != nil || r.After.Verdict != proof.Proven {
		t.Fatalf("got %+v, %v", r, err)
	}
	if o, _ := l.s3.Get("/lake/" + key); string(o.Body) != "a\n" || o.Tagging != "kind=1%262&owner=the+lake" {
		t.Errorf("got %q with tags %q", o.Body, o.Tagging)
	}
	for backup := range l.keys(t.Context(), ledger.BackupsPrefix) {
		if o, _ := l.s3.Get("/lake/" + backup); o.Tagging != "" {
			t.Errorf("%s has tags %q", backup, o.Tagging)
		}
	}
	l = newLake()
	l.arrives(l.opts.From.Add(2*time.Minute), "a\n")
	l.put(key, l.opts.From.Add(2*time.Minute), "a\na\n")
	denied := l.audited()
	denied.Client = s3.New(denied.Client.Options(), func(o *s3.Options) { o.HTTPClient = noTags{o.HTTPClient} })
	_, err = (&Operator{}).RepairAudited(t.Context(), denied, RepairOrder{Classes: []proof.Class{proof.Duplicated}, Write: true})
	if err == nil || !strings.Contains(err.Error(), "read its tags") {
		t.Errorf("got error %v, want that the tags cannot be read", err)
	}
	if o, _ := l.s3.Get("/lake/" + key); string(o.Body) != "a\na\n" {
		t.Errorf("rewritten without its tags: %q", o.Body)
	}
}

// noTags is S3 for somebody who may not read tags.
type noTags struct{ s3.HTTPClient }

func (n noTags) Do(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Has("tagging") {
		w := httptest.NewRecorder()
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.WriteString("<Error><Code>AccessDenied</Code></Error>")
		return w.Result(), nil
	}
	return n.HTTPClient.Do(r)
}

func verdictOf(c proof.Counts) proof.Verdict { return c.Verdict(nil) }

// TestRepairAndOtherWindows: an audit of another window, which shares some of the repaired rows, accuses nobody of the
// others. Rows are not equal: which of equal ones was lost depends on the window.
func TestRepairAndOtherWindows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := drawLake(t, false)
		if l.audit(t.Context()).Verdict == proof.Undecided {
			t.Skip("nothing is owed")
		}
		shift := time.Duration(rapid.SampledFrom([]int{-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5}).Draw(t, "shift")) * time.Minute
		shift += time.Duration(rapid.IntRange(0, 59).Draw(t, "seconds")) * time.Second
		there := l.opts
		other := there
		other.From, other.To = other.From.Add(shift), other.To.Add(shift)
		l.opts = other
		want := l.audit(t.Context()).Counts
		l.opts = there
		if _, err := l.repair(t.Context(), proof.Missing, proof.Failed); err != nil {
			t.Fatal(err)
		}
		l.opts = other
		got := l.audit(t.Context()).Counts
		if got.Duplicated != want.Duplicated || got.Unexpected != want.Unexpected || got.Missing > want.Missing {
			t.Fatalf("got %+v, without the repair %+v", got, want)
		}
	})
}

// TestRepairOfAnAuditIsRefused where it could not keep its claims, or would not know where a row belongs.
func TestRepairOfAnAuditIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*lake)
		says   string
	}{
		"below ledger/":      {func(l *lake) { l.opts.Pipeline.Prefix = "ledger/orders/" }, `overlaps the pipeline's prefix "ledger/orders/"`},
		"the whole bucket":   {func(l *lake) { l.opts.Pipeline.Prefix = "" }, `overlaps the pipeline's prefix ""`},
		"partitioned":        {func(l *lake) { l.opts.Pipeline.Partitioned = true }, "dynamic partitioning"},
		"a stack's bucket":   {func(l *lake) { l.put(ledger.StackKey, l.now, "{}") }, "--stack"},
		"a reader is broken": {func(l *lake) { l.delivers(auditStart, "a.parquet", "PAR1") }, "the verdict is UNDECIDED: read s3://lake/"},
		"claims are gone":    {func(l *lake) { l.put(ledger.RepairsPrefix+"000001.json", l.now, "{}") }, "ledger/repair.json is gone"},
	} {
		l := newLake()
		l.arrives(auditStart, "a\n")
		test.change(l)
		l.kill = func() {}
		l.dies = 1
		_, err := l.repair(t.Context(), proof.Missing)
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got error %v, want %q", name, err, test.says)
		}
		if l.writes > 0 {
			t.Errorf("%s: it has written", name)
		}
	}
}

// TestRepairOfAnAuditDry says what would be done, and leaves what is young.
func TestRepairOfAnAuditDry(t *testing.T) {
	t.Parallel()
	l := newLake()
	l.arrives(auditStart, "a\n")
	l.arrives(auditStart.Add(2*time.Minute), "b\n")
	l.delivers(auditStart.Add(time.Second), "c", "c\n")
	stood := l.keys(t.Context(), "")
	l.now = auditStart.Add(6 * time.Minute)
	r, err := (&Operator{}).RepairAudited(t.Context(), l.audited(), RepairOrder{Classes: []proof.Class{proof.Missing}, Margin: 4 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Writes) != 1 || r.Rows[proof.Missing] != 1 || len(r.Left) != 1 || r.Left[0].Count != 1 || !strings.HasPrefix(r.Writes[0].Key, "orders/2026/11/29/09/orders-repair-000001-") {
		t.Errorf("got %+v", r.Plan)
	}
	if stands := l.keys(t.Context(), ""); !maps.Equal(stood, stands) {
		t.Errorf("it has written %v", stands)
	}
}

// TestRepairsThatCannotBeRead are a note of an audit.
func TestRepairsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	l := newLake()
	l.arrives(auditStart, "a\n")
	l.delivers(auditStart, "a", "a\n")
	l.s3.Fault = func(request int, _ string) s3test.Fault {
		return map[int]s3test.Fault{0: s3test.Denied}[request]
	}
	r := l.audit(t.Context())
	if r.Verdict != proof.Proven || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "ledger/repair*") {
		t.Errorf("got %s %q %q", r.Verdict, r.Reasons, r.Notes)
	}
}

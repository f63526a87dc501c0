package flow

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/local"
	"streamproof/internal/local/flink"
	"streamproof/internal/local/runner"
	"streamproof/internal/operate"
	"streamproof/internal/report"
	"streamproof/internal/stack"
)

// How often a stack is looked at. Nothing is looked at more often than it changes: CloudWatch's metrics change once a
// minute, and on AWS a call costs money.
const (
	everyLocal   = 2 * time.Second
	everyAWS     = 15 * time.Second
	everyMetrics = time.Minute
)

// A Watcher looks at a stack again and again. It is not safe for concurrent use.
type Watcher struct {
	stack *stack.Stack
	here  *local.Stack // nil for a stack on AWS
	// Meter counts the records of a local stack's stream, if somebody adds them; nil otherwise.
	Meter *Meter

	read, rows counter
	measured   time.Time // when the metrics were read
	metrics    measures
	failing    string // why the job keeps failing
	listed     listing
	listedAt   time.Time
}

// NewWatcher makes a Watcher of a stack; here is the same stack if it runs on this machine.
func NewWatcher(s *stack.Stack, here *local.Stack) *Watcher { return &Watcher{stack: s, here: here} }

// Every is how often Look is worth calling.
func (w *Watcher) Every() time.Duration {
	if w.here != nil {
		return everyLocal
	}
	return everyAWS
}

// A Look is what was seen.
type Look struct {
	*Flow
	Status *stack.Status
	Job    *runner.Status // of a local stack
}

// Look asks every part of the stack. On AWS it needs what stack.Status needs, and for rates cloudwatch:GetMetricData
// and s3:ListBucket; a rate that may not be read is unknown.
func (w *Watcher) Look(ctx context.Context) (*Look, error) {
	status, err := w.stack.Status(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	look := &Look{Status: status}
	var job runner.Status
	var following bool
	if w.here != nil {
		if job, following, err = w.here.Job(); err != nil {
			return nil, err
		}
		look.Job = &job
	}
	f := w.flow(status, now)
	look.Flow = f
	problems := &problems{}
	w.list(ctx, f, problems, now)
	if w.here != nil {
		w.count(ctx, f, job, now)
		if following {
			if err := w.wait(f, now); err != nil {
				return nil, err
			}
		}
		problems.addJob(job, following, status.Application.Status)
	} else {
		w.measure(ctx, f, problems, now)
	}
	problems.addStatus(status)
	problems.addFlow(f)
	problems.addReport(status)
	f.conclude(status.Last, problems.sorted())
	return look, nil
}

// flow is what the status says.
func (w *Watcher) flow(s *stack.Status, now time.Time) *Flow {
	o := s.Outputs
	f := &Flow{
		At: now, Connected: true, Stack: s.Stack, Region: s.Region, State: s.State, Local: w.here != nil, Audits: o.Audits,
		EverySeconds: w.Every().Seconds(), RateSeconds: window.Seconds(),
		Stream: Stream{Name: o.StreamName, Status: s.Stream.Status, LimitRecords: ShardRecords, LimitBytes: ShardBytes, Shards: []Shard{}},
		Bucket: Bucket{Bucket: o.BucketName, Prefix: o.DataPrefix, Errors: []Errors{}},
	}
	if w.here == nil {
		f.RateSeconds = everyMetrics.Seconds()
	}
	for _, id := range s.Stream.Shards {
		shard := Shard{Shard: id}
		if s.Last != nil && s.Last.Shards != nil {
			n := s.Last.Shards[id]
			shard.Records = &n
		}
		f.Stream.Shards = append(f.Stream.Shards, shard)
	}
	if o.Produces() {
		p := &Producer{
			Function: o.ProducerFunction, Schedule: s.Schedule.Name, Expression: s.Schedule.Expression, ScheduleState: s.Schedule.State, PartitionKey: w.stack.Parameter("PartitionKey"),
			Ticks: s.Ledger.Ticks, Since: s.Ledger.Since,
		}
		if t := s.Ledger.Last; t != nil {
			p.LastTick = &Tick{Tick: t.Time.UTC(), State: string(t.State), Records: t.Records}
		}
		f.Producer = p
		f.Arrows = append(f.Arrows, Arrow{ID: "produced", From: PartProducer, To: PartStream})
	}
	if o.Audits != "" {
		return f
	}
	a := &Analytics{Application: o.ApplicationName, Status: s.Application.Status, Version: s.Application.Version}
	if q := s.Query; q != nil {
		a.Pipeline, a.By, a.Since = q.Pipeline, q.By, q.Since
	}
	parameter := w.stack.Parameter
	f.Analytics, f.Delivery = a, &Delivery{
		DeliveryStream: o.DeliveryStreamName, BufferSizeMB: parameter("BufferSizeMB"), BufferInterval: parameter("BufferIntervalSeconds"),
		Compression: parameter("Compression"), Transform: parameter("Transform"), OutputFormat: parameter("OutputFormat"),
		DeadlineSeconds: int(o.DeliveryDeadline.Seconds()), FailedPrefix: o.FailedPrefix, RejectsPrefix: o.ErrorsPrefix,
	}
	f.Arrows = append(f.Arrows,
		Arrow{ID: "read", From: PartStream, To: PartAnalytics},
		Arrow{ID: "rows", From: PartAnalytics, To: PartDelivery},
		Arrow{ID: "delivered", From: PartDelivery, To: PartBucket},
	)
	return f
}

func (f *Flow) arrow(id string) *Arrow {
	for i := range f.Arrows {
		if f.Arrows[i].ID == id {
			return &f.Arrows[i]
		}
	}
	return &Arrow{} // which nobody sees
}

// count measures a local stack.
func (w *Watcher) count(ctx context.Context, f *Flow, job runner.Status, now time.Time) {
	if w.Meter != nil {
		in := f.arrow("produced")
		in.Source = "a reader of the stream"
		for i := range f.Stream.Shards {
			s := &f.Stream.Shards[i]
			s.RecordsASecond, s.BytesASecond = w.Meter.Rate(s.Shard, now)
			in.Records, in.Bytes = add(in.Records, s.RecordsASecond), add(in.Bytes, s.BytesASecond)
		}
	}
	a := f.Analytics
	if a == nil {
		return
	}
	a.Job, a.Page, a.LastError, a.LastErrorAt = string(job.State), job.Address, job.LastError, job.LastErrorAt
	value := func(name string, unit float64) *float64 {
		v, ok := job.Metrics[name]
		if !ok {
			return nil
		}
		v *= unit
		return &v
	}
	const milliseconds = 1e-3
	a.Restarts, a.Uptime = value("fullRestarts", 1), value("uptime", milliseconds)
	a.Checkpoint, a.FailedCheckpoints = value("lastCheckpointDuration", milliseconds), value("numberOfFailedCheckpoints", 1)
	if job.Address == "" {
		a.Page = ""
		return
	}
	work, err := (&flink.Client{Address: job.Address}).Work(ctx)
	if err != nil || work == nil { // the status says how the job is
		return
	}
	if !work.Checkpointed.IsZero() {
		age := max(now.Sub(work.Checkpointed).Seconds(), 0)
		a.CheckpointAge = &age
	}
	if work.Behind >= 0 {
		lag := work.Behind.Seconds()
		a.Lag = &lag
	}
	read, rows := f.arrow("read"), f.arrow("rows")
	read.Records, read.Source = w.read.rate(now, work.Read), "Flink's count of records read"
	rows.Records, rows.Source = w.rows.rate(now, work.Rows), "Flink's count of rows"
}

// wait says what the delivery stream of a local stack holds.
func (w *Watcher) wait(f *Flow, now time.Time) error {
	if f.Delivery == nil {
		return nil
	}
	all, err := w.here.Waiting()
	if err != nil {
		return err
	}
	held := all[f.Delivery.DeliveryStream]
	f.Delivery.Waiting = &Waiting{Records: held.Records, Bytes: held.Bytes}
	if mb, err := strconv.ParseFloat(f.Delivery.BufferSizeMB, 64); err == nil && mb > 0 {
		f.Delivery.Waiting.Part = min(float64(held.Bytes)/(mb*(1<<20)), 1)
	}
	if held.Records > 0 {
		age := max(now.Sub(held.Since).Seconds(), 0)
		f.Delivery.Oldest = &age
	}
	return nil
}

// add adds rates, of which one that is not known counts nothing.
func add(a, b *float64) *float64 {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	sum := *a + *b
	return &sum
}

// listing is what was listed of the bucket.
type listing struct {
	since          time.Time
	objects, bytes int64
	recent         int64 // bytes written within the last minute
	errors         []Errors
	err            error
}

// list counts the objects of yesterday and today. A list of everything would grow with the life of the stack.
func (w *Watcher) list(ctx context.Context, f *Flow, p *problems, now time.Time) {
	o := w.stack.Outputs
	if o.Audits != "" {
		return // the bucket is another
	}
	if every := everyMetrics; w.here != nil || now.Sub(w.listedAt) >= every {
		w.listedAt = now
		w.listed = w.listNow(ctx, now)
	}
	l := w.listed
	if l.err != nil {
		p.add(Problem{ID: "bucket-unread", Severity: Note, Part: PartBucket, Text: l.err.Error()})
		return
	}
	f.Bucket.Since, f.Bucket.Objects, f.Bucket.Bytes, f.Bucket.Errors = l.since, &l.objects, &l.bytes, l.errors
	if w.here != nil {
		delivered := f.arrow("delivered")
		delivered.Bytes, delivered.Source = each(l.recent, time.Minute), "the objects of the last minute"
	}
}

func (w *Watcher) listNow(ctx context.Context, now time.Time) (l listing) {
	o := w.stack.Outputs
	l.since, l.errors = now.Truncate(24*time.Hour).AddDate(0, 0, -1), []Errors{}
	in := bucket.NewS3(w.stack.S3, o.BucketName)
	for _, prefix := range []string{o.DataPrefix, o.ErrorsPrefix, o.FailedPrefix} {
		objects, clock, err := in.ListAfter(ctx, prefix, prefix+l.since.Format("2006/01/02"))
		if err != nil {
			l.err = err
			return l
		}
		e := Errors{Prefix: prefix}
		for _, object := range objects {
			if bucket.IsMarker(object) {
				continue
			}
			e.Objects++
			e.Bytes += object.Size
			if prefix == o.DataPrefix && clock.Sub(object.LastModified) < time.Minute {
				l.recent += object.Size
			}
		}
		if prefix == o.DataPrefix {
			l.objects, l.bytes = e.Objects, e.Bytes
		} else {
			l.errors = append(l.errors, e)
		}
	}
	return l
}

// measures are what CloudWatch says, by name; those of shards by shard ID.
type measures struct {
	values map[string]*float64
	err    error
}

// measure reads CloudWatch once a minute.
func (w *Watcher) measure(ctx context.Context, f *Flow, p *problems, now time.Time) {
	if now.Sub(w.measured) >= everyMetrics {
		w.measured = now
		w.metrics = w.measureNow(ctx, f)
		w.failing = ""
		if f.Analytics != nil {
			w.failing, _ = (&operate.Operator{Stack: w.stack}).JobFailure(ctx) // it says more, and no more
		}
	}
	if w.failing != "" {
		p.jobFails(w.failing)
	}
	if w.metrics.err != nil {
		p.add(Problem{ID: "metrics-unread", Severity: Note, Part: PartStream, Text: w.metrics.err.Error()})
	}
	get := func(name string, unit float64) *float64 {
		v := w.metrics.values[name]
		if v == nil {
			return nil
		}
		scaled := *v * unit
		return &scaled
	}
	const minute, milliseconds = 1.0 / 60, 1e-3
	set := func(id, source, records, bytes string, unit float64) {
		a := f.arrow(id)
		a.Records, a.Bytes, a.Source = get(records, unit), get(bytes, unit), "CloudWatch: "+source
	}
	set("produced", "AWS/Kinesis IncomingRecords", "in records", "in bytes", minute)
	set("read", "AWS/Kinesis GetRecords.Records", "read records", "read bytes", minute)
	set("rows", "AWS/KinesisAnalytics numRecordsOutPerSecond", "rows", "", 1)
	set("delivered", "AWS/Firehose DeliveryToS3", "delivered records", "delivered bytes", minute)
	for i := range f.Stream.Shards {
		s := &f.Stream.Shards[i]
		s.RecordsASecond = get(s.Shard, minute)
	}
	if a := f.Analytics; a != nil {
		a.Restarts, a.Uptime, a.Checkpoint = get("restarts", 1), get("uptime", milliseconds), get("checkpoint", milliseconds)
		a.FailedCheckpoints, a.Lag = get("failed checkpoints", 1), get("lag", milliseconds)
		f.Delivery.Oldest, f.Delivery.Success, f.Delivery.Throttled = get("freshness", 1), get("success", 1), get("throttled", minute)
	}
}

// maxShards bounds the shards that CloudWatch is asked about: each is a metric that is billed.
const maxShards = 100

func (w *Watcher) measureNow(ctx context.Context, f *Flow) measures {
	o := w.stack.Outputs
	var names []string
	var metrics []stack.Metric
	ask := func(name, namespace, metric, stat string, dimensions ...string) {
		m := stack.Metric{Namespace: namespace, Name: metric, Stat: stat, Dimensions: map[string]string{}}
		for i := 0; i+1 < len(dimensions); i += 2 {
			m.Dimensions[dimensions[i]] = dimensions[i+1]
		}
		names, metrics = append(names, name), append(metrics, m)
	}
	const kinesis, analytics, firehose, sum = "AWS/Kinesis", "AWS/KinesisAnalytics", "AWS/Firehose", "Sum"
	ask("in records", kinesis, "IncomingRecords", sum, "StreamName", o.StreamName)
	ask("in bytes", kinesis, "IncomingBytes", sum, "StreamName", o.StreamName)
	if f.Producer != nil {
		for _, s := range f.Stream.Shards[:min(len(f.Stream.Shards), maxShards)] {
			ask(s.Shard, "Streamproof", "RecordsAcknowledged", sum, "Stack", w.stack.Name, "Shard", s.Shard)
		}
	}
	if f.Analytics != nil {
		ask("read records", kinesis, "GetRecords.Records", sum, "StreamName", o.StreamName)
		ask("read bytes", kinesis, "GetRecords.Bytes", sum, "StreamName", o.StreamName)
		ask("lag", kinesis, "GetRecords.IteratorAgeMilliseconds", "Maximum", "StreamName", o.StreamName)
		for name, metric := range map[string]string{
			"rows": "numRecordsOutPerSecond", "restarts": "fullRestarts", "uptime": "uptime", "checkpoint": "lastCheckpointDuration", "failed checkpoints": "numberOfFailedCheckpoints",
		} {
			ask(name, analytics, metric, "Maximum", "Application", o.ApplicationName)
		}
		for name, metric := range map[string]string{
			"delivered records": "DeliveryToS3.Records", "delivered bytes": "DeliveryToS3.Bytes", "throttled": "ThrottledRecords",
		} {
			ask(name, firehose, metric, sum, "DeliveryStreamName", o.DeliveryStreamName)
		}
		ask("freshness", firehose, "DeliveryToS3.DataFreshness", "Maximum", "DeliveryStreamName", o.DeliveryStreamName)
		ask("success", firehose, "DeliveryToS3.Success", "Average", "DeliveryStreamName", o.DeliveryStreamName)
	}
	values, err := w.stack.Measure(ctx, metrics)
	m := measures{values: map[string]*float64{}, err: err}
	for i, v := range values {
		m.values[names[i]] = v
	}
	return m
}

// conclude says what it all amounts to.
func (f *Flow) conclude(last *report.Report, problems []Problem) {
	f.Problems = problems
	f.Tone, f.Sentence = Open, "Nothing was judged yet."
	if last != nil {
		s := last.Summary()
		f.Verdict = &Verdict{
			Verdict: last.Verdict, JudgedAt: last.JudgedAt, Sentence: s.Sentence, LastLine: last.LastLine(), Key: last.Key,
			Counts: last.Counts, Reasons: last.Reasons, Next: s.Next,
		}
		f.Tone, f.Sentence = s.Tone, s.Sentence
	}
	if len(problems) == 0 {
		return
	}
	switch worst := problems[0]; {
	case worst.Severity == Wrong && f.Tone != Wrong, worst.Severity == Open && f.Tone == Good:
		f.Tone, f.Sentence = worst.Severity, worst.Text
	}
}

// Gone is the flow of a stack that does not answer, after what was known of it.
func (f *Flow) Gone(err error, now time.Time) *Flow {
	gone := Flow{Problems: []Problem{}, Arrows: []Arrow{}}
	if f != nil {
		gone = *f
	}
	gone.At, gone.Connected, gone.Error, gone.Tone = now.UTC(), false, err.Error(), Open
	gone.Sentence = fmt.Sprintf("The stack does not answer: %s.", strings.TrimSuffix(err.Error(), "."))
	return &gone
}

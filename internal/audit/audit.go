package audit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/reject"
	"streamproof/internal/replay"
	"streamproof/internal/report"
	"streamproof/internal/rewrite"
)

// DefaultSkew is by how much the clocks of Kinesis and S3 are taken to differ at most: both follow NTP, but neither
// promises the other anything.
const DefaultSkew = 5 * time.Second

// MaxHeld bounds the memory of surplus copies whose class is not known yet, in bytes.
const maxHeld = 64 << 20

// A Record is one record as its producer put it: one of the stream, or one out of an aggregate.
type Record struct {
	Shard          string
	SequenceNumber string
	PartitionKey   string
	Arrival        time.Time
	Data           []byte
	// Aggregate is where the record stands in its aggregate, nil where it is in none.
	Aggregate *Aggregate
	// Answer is what a function makes of it, nil where none is asked.
	Answer *Answer
	// Malformed is why an aggregate could not be taken apart. It is a record like any other then.
	Malformed error
}

// An Aggregate is where a record stands that was packed in the format of the Kinesis Producer Library.
type Aggregate struct {
	report.Aggregate
	// OutOfRange is whether the record's own key belongs to another shard. The Kinesis Client Library drops such a
	// record.
	OutOfRange bool
}

// A Stream gives what is owed.
type Stream interface {
	// Name is how people call the stream.
	Name() string
	// Held gives since when it holds everything that has arrived.
	Held(ctx context.Context, now time.Time) (time.Time, error)
	// Records gives the records that arrived from a time on until before another, in the order of arrival over all
	// shards. An error ends it.
	Records(ctx context.Context, from, until time.Time) iter.Seq2[Record, error]
}

// Options say what is audited.
type Options struct {
	// Pipeline says where the rows stand, and how long they may take.
	Pipeline Pipeline
	// From and To are the window: records that arrived between them are owed.
	From, To time.Time
	// Skew is by how much the clocks of Kinesis and S3 may differ.
	Skew time.Duration
	// Form says what a record owes.
	Form Form
	// Transform, if set, is asked what becomes of each record. Resume asks nobody.
	Transform *Transform
	// Missing, if set, is told of every record of a missing row, however many there are. Its error ends that.
	Missing func(report.MissingRow) error

	// Late has objects read however late they were written, and the stream for as long as they may hold its records. So a
	// row that came after the window's last deadline is late, and not missing.
	Late bool
	// Lost, if set, is given all missing and failed rows at the end, at a moment of the bucket's clock. Its error makes
	// the verdict UNDECIDED.
	Lost func(now time.Time, rows iter.Seq2[replay.Loss, error]) error
	// Watch, if set, is told of surplus copies and corrupt lines.
	Watch Watcher

	// The rest is for Resume.

	// Start names the moment that From is, so that another one begins a new audit. FormID names the form.
	Start, FormID string
	// Epochs are the forms that records owed one after the other, if not always Form: the last one is Form. Every row has
	// the same columns in all of them.
	Epochs []Epoch
	// SaveEvery is how long it takes at least from one state to the next while much is to be read, so that not everything
	// is read again if the time is over. 0 is a minute.
	SaveEvery time.Duration
	// Reasons are added to the report's. They change no verdict.
	Reasons []string
	// Settle, if set, is told of the balance before the verdict, and gives how many findings of each class are excused.
	Settle func(ctx context.Context, r *report.Report, result *proof.Result) (map[proof.Class]int64, error)
}

// Run judges what stands in the bucket by what the stream holds. What cannot be read is a reason to be UNDECIDED.
func Run(ctx context.Context, stream Stream, b bucket.Bucket, opts Options) *report.Report {
	a := newAudit(stream, b, opts)
	a.run(ctx)
	return a.report
}

func newAudit(stream Stream, b bucket.Bucket, opts Options) *audit {
	if opts.Transform != nil {
		stream = &askedStream{stream, opts.Transform}
	}
	return &audit{
		stream: stream, bucket: b, opts: opts, pipeline: opts.Pipeline, from: opts.From, to: opts.To, unread: map[string]*unread{},
		report: &report.Report{
			Version: report.Version, Bucket: b.Name(), Prefix: opts.Pipeline.Prefix, JudgedAt: time.Now().UTC().Truncate(time.Second),
			Covers: report.Coverage{DeliveryDeadlineSeconds: int(opts.Pipeline.Deadline / time.Second)},
			Audit:  &report.Audit{Stream: stream.Name(), SkewSeconds: opts.Skew.Seconds()},
		},
	}
}

type audit struct {
	stream Stream
	bucket bucket.Bucket
	opts   Options
	report *report.Report
	judge  *proof.Judge
	seen   *census

	pipeline Pipeline
	repairs  rewrite.History
	from, to time.Time // the window as it is judged
	now      time.Time // by the bucket's clock

	unread  map[string]*unread  // by cause
	surplus map[proof.Name]bool // rows with surplus copies, where somebody watches

	increments *increments // nil where all is judged at once
}

func (a *audit) undecided(format string, args ...any) {
	a.report.Verdict = proof.Undecided
	a.report.Reasons = append(a.report.Reasons, fmt.Sprintf(format, args...))
}

func (a *audit) note(format string, args ...any) {
	a.report.Notes = append(a.report.Notes, fmt.Sprintf(format, args...))
}

// edge is how far a record may be from the object that holds it.
func (a *audit) edge() time.Duration { return a.pipeline.Deadline + a.opts.Skew }

func (a *audit) run(ctx context.Context) {
	if a.refuse(); len(a.report.Reasons) > 0 || !a.readRepairs(ctx) {
		return
	}
	listed, ok := a.list(ctx)
	if !ok || !a.window(ctx) {
		return
	}
	objects := slices.DeleteFunc(listed, func(o bucket.Object) bool {
		if isMade, concerns, _ := a.concerns(o); isMade && a.increments == nil {
			return !concerns
		}
		// By S3's clock, a record may be in an object that is older than its arrival.
		return bucket.IsMarker(o) || a.increments.counts(o) || o.LastModified.Before(a.from.Add(-a.opts.Skew)) || o.LastModified.After(a.last())
	})
	if !a.prepare() {
		return
	}
	a.judge.Bound(maxHeld, func() { a.classify(ctx) })
	a.watch()

	claims, stop := ahead(ctx, a.counted)
	defer stop()
	next, err, more := claims()
	save := func(watermark time.Time) {
		if a.judge.HasUnmatched() {
			a.classify(ctx)
		}
		if len(a.report.Reasons) == 0 {
			a.takeState(watermark)
		}
	}
	// claim opens everything that a copy written then can pay for.
	claim := func(written time.Time) {
		for more && err == nil && !next.claimed.After(written) {
			// Every object that was written before the next claim is counted.
			if before := next.claimed.Add(-time.Second); a.increments.due(before, a.opts.SaveEvery) {
				save(before)
			}
			if err = a.owe(next); err == nil {
				next, err, more = claims()
			}
		}
	}
	watermark := a.increments.watermark(a)
	checkpoint := func() {
		if claim(watermark); err == nil {
			save(watermark)
		}
		watermark = time.Time{}
	}
	for object, content := range bucket.ReadAhead(ctx, a.bucket, objects) {
		if !watermark.IsZero() && object.LastModified.After(watermark) {
			checkpoint()
		}
		if claim(object.LastModified); err != nil {
			break
		}
		if fault := a.find(ctx, object, content); fault != nil {
			a.cannotRead(object, fault)
		}
	}
	if !watermark.IsZero() {
		checkpoint()
	}
	claim(a.now.Add(a.edge()))
	if err != nil {
		a.undecided("%s", a.streamFault(err))
		return
	}
	stop() // the census is complete
	if a.judge.HasUnmatched() {
		a.classify(ctx)
	}
	a.conclude(ctx)
}

// refuse says why nothing of this pipeline can be judged.
func (a *audit) refuse() {
	for _, fault := range a.pipeline.Faults {
		a.undecided("this pipeline cannot be audited: %s", fault)
	}
	if _, verbatim := a.opts.Form.(Verbatim); verbatim && len(a.pipeline.Functions) > 0 && a.opts.Transform == nil {
		a.undecided("the function %s transforms the records: say what it does as a query, with --sql and --schema, or have it asked, with --ask-transform", strings.Join(a.pipeline.Functions, ", "))
	}
	if p, e := a.pipeline.Prefix, a.pipeline.ErrorsPrefix; e != "" && strings.HasPrefix(p, e) {
		a.undecided("the prefix %q of the data is below that of the errors, %q", p, e)
	}
	if a.increments == nil && !a.from.Before(a.to) {
		a.undecided("the window starts at %s and ends at %s: nothing arrived in between", a.from.UTC().Format(time.RFC3339), a.to.UTC().Format(time.RFC3339))
	}
}

// list gives all objects, in the order in which they were written.
func (a *audit) list(ctx context.Context) (objects []bucket.Object, ok bool) {
	prefixes := []string{a.pipeline.Prefix}
	for _, p := range []string{a.pipeline.ErrorsPrefix, a.pipeline.RejectsPrefix} {
		if p != "" && !strings.HasPrefix(p, a.pipeline.Prefix) {
			prefixes = append(prefixes, p)
		}
	}
	for _, prefix := range prefixes {
		listed, now, err := a.bucket.ListAfter(ctx, prefix, a.after(prefix))
		var made []bucket.Object
		if err == nil {
			made, err = a.madeBefore(ctx, prefix, a.after(prefix))
		}
		if err != nil {
			a.undecided("list %s/%s: %s", a.bucket.Name(), prefix, plain(err, bucketPermissions))
			return nil, false
		}
		if a.now.IsZero() {
			a.now = now
		}
		objects = append(append(objects, listed...), made...)
	}
	a.repairs.See(objects)
	a.report.JudgedAt = a.now.UTC()
	slices.SortStableFunc(objects, func(x, y bucket.Object) int { return x.LastModified.Compare(y.LastModified) })
	return objects, true
}

// window narrows the window down to what can be judged, and says so.
func (a *audit) window(ctx context.Context) bool {
	if a.to.After(a.now) {
		a.to = a.now
	}
	held, err := a.stream.Held(ctx, a.now)
	if err != nil {
		a.undecided("%s", a.streamFault(err))
		return false
	}
	if a.increments != nil {
		return a.increments.window(a, held)
	}
	r, asked := a.report.Audit, a.from
	if a.pipeline.Since.After(a.from) {
		a.from = a.pipeline.Since
		a.note("the window starts at %s and not at %s: %s", a.from.UTC().Format(time.RFC3339), asked.UTC().Format(time.RFC3339), a.pipeline.SinceWhy)
	}
	// What arrived in the edge before the window is read, too.
	if earliest := held.Add(a.edge()); earliest.After(a.from) {
		gap := report.Gap{From: a.from.UTC(), To: earliest.UTC()}
		if gap.To.After(a.to) {
			a.undecided("%s", gap.Reason())
			return false
		}
		r.Gaps = append(r.Gaps, gap)
		a.from = earliest
	}
	if r.From, r.To = a.from.UTC(), a.to.UTC(); !asked.Equal(a.from) {
		r.Asked = asked.UTC()
	}
	if !a.from.Before(a.to) {
		a.undecided("nothing of the window can be judged: %s", strings.Join(a.report.Notes, "; "))
		return false
	}
	return true
}

// A claim is the records that arrived within one second, all of them inside the window or all outside.
type claim struct {
	arrived time.Time // the second
	claimed time.Time // when an object that holds them may have been written at the earliest
	owed    bool      // whether they are in the window
	records []Record
}

// claims gives the records of the window and of its edges, in the order of arrival.
func (a *audit) claims(ctx context.Context) iter.Seq2[claim, error] {
	return a.group(a.records(ctx, a.last().Add(a.opts.Skew+time.Second))) // S3's times are whole seconds
}

// last is when the last object was written that is read because of its time.
func (a *audit) last() time.Time {
	if last := a.to.Add(a.edge()); last.Before(a.now) && !a.opts.Late {
		return last
	}
	return a.now
}

// group makes claims of records.
func (a *audit) group(records iter.Seq2[Record, error]) iter.Seq2[claim, error] {
	return func(yield func(claim, error) bool) {
		var c claim
		for record, err := range records {
			if err != nil {
				yield(c, err)
				return
			}
			second, owed := record.Arrival.Truncate(time.Second), a.inWindow(record.Arrival)
			if len(c.records) > 0 && (!second.Equal(c.arrived) || owed != c.owed) {
				if !yield(c, nil) {
					return
				}
				c.records = make([]Record, 0, len(c.records))
			}
			c.arrived, c.claimed, c.owed = second, second.Add(-a.opts.Skew), owed
			c.records = append(c.records, record)
		}
		if len(c.records) > 0 {
			yield(c, nil)
		}
	}
}

// records gives the records up to an end that may be in the objects, and are not counted yet.
func (a *audit) records(ctx context.Context, end time.Time) iter.Seq2[Record, error] {
	if a.increments != nil {
		return a.increments.records(ctx, a, end)
	}
	return a.stream.Records(ctx, a.from.Add(-a.edge()), end)
}

// counted gives the claims, and takes a census of those in the window. In increments, owe does that: the census is of
// what the judge was given then.
func (a *audit) counted(ctx context.Context) iter.Seq2[claim, error] {
	return func(yield func(claim, error) bool) {
		for c, err := range a.claims(ctx) {
			if c.owed && err == nil && a.increments == nil {
				a.seen.take(c.records)
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// Claims are made before their turn, in batches of about so many records each.
const (
	batchRecords = 4096
	batchesAhead = 8
)

// ahead is iter.Pull2 with an iteration that runs in a goroutine of its own, some batches ahead. Stop ends it, and may
// be called again.
func ahead(ctx context.Context, claims func(context.Context) iter.Seq2[claim, error]) (next func() (claim, error, bool), stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	coming, ended := make(chan []claim, batchesAhead), make(chan struct{})
	var failed error // set before coming is closed
	go func() {
		defer close(ended)
		defer close(coming)
		var batch []claim
		records := 0
		send := func() bool {
			select {
			case coming <- batch:
				batch, records = nil, 0
				return true
			case <-ctx.Done():
				failed = ctx.Err()
				return false
			}
		}
		for c, err := range claims(ctx) {
			if err != nil {
				failed = err
				break
			}
			batch, records = append(batch, c), records+len(c.records)
			if records >= batchRecords && !send() {
				return
			}
		}
		send()
	}()
	var batch []claim
	next = func() (c claim, err error, more bool) {
		for len(batch) == 0 {
			if batch, more = <-coming; !more {
				return c, failed, failed != nil
			}
		}
		c, batch = batch[0], batch[1:]
		return c, nil, true
	}
	return next, func() {
		cancel()
		<-ended
	}
}

func (a *audit) inWindow(arrival time.Time) bool {
	return !arrival.Before(a.from) && !arrival.After(a.to) && !a.report.Audit.InGap(arrival)
}

// owe opens the rows of a claim: those of the window are owed once, and others may have come.
func (a *audit) owe(c claim) error {
	a.judge.Claim(proof.Tick{Time: c.arrived, Claimed: c.claimed, Settled: c.arrived.Add(a.pipeline.Deadline)})
	var lo int64
	certain := len(a.formsAt(c.arrived)) == 1
	if c.owed && certain {
		lo = 1
	}
	if c.owed {
		if a.increments != nil {
			a.seen.take(c.records)
		}
	}
	a.increments.passed(c)
	refused := a.refused()
	err := a.rows(c, true, func(key []byte) {
		if lo == 1 || !isReject(key) { // a reject that need not be there is foreign, and accuses nobody
			a.judge.Owe(key, lo, 1)
		}
	})
	if c.owed {
		a.report.Audit.Refused += a.refused() - refused
	}
	return err
}

// refused is how many lines the schema has refused so far, in each reading of the stream.
func (a *audit) refused() int64 {
	if q, ok := a.opts.Form.(*Queried); ok {
		return q.Refused
	}
	return 0
}

// rows gives the rows of a claim.
func (a *audit) rows(c claim, filtered bool, emit func(key []byte)) error {
	owing := make([][]byte, 0, len(c.records))
	for i := range c.records {
		r := &c.records[i]
		if data, ok := r.owes(); ok {
			owing = append(owing, data)
		} else if r.fails() && filtered {
			emit(appendReject(nil, r.Data))
		}
	}
	for _, form := range a.formsAt(c.arrived) {
		if err := form.Owed(owing, filtered, emit); err != nil {
			return err
		}
	}
	return nil
}

// find brings the rows of an object before the judge.
func (a *audit) find(ctx context.Context, object bucket.Object, in io.Reader) error {
	covers := &a.report.Covers
	a.judge.Object(object.Key, a.repairs.Original(object), object.LastModified)
	if isMade, _, wholly := a.concerns(object); isMade {
		if a.judge.ByRepair(); !wholly {
			a.judge.Excuse()
		}
	}
	a.increments.found(object)
	switch {
	case below(a.pipeline.RejectsPrefix, object.Key):
		covers.ErrorObjects++
		return a.findRejects(in)
	case below(a.pipeline.ErrorsPrefix, object.Key):
		covers.ErrorObjects++
		return a.findFailures(ctx, in)
	}
	covers.Objects++
	covers.Bytes += object.Size
	return a.findRows(object.Key, in)
}

// below reports whether a key is below a prefix, of which there may be none.
func below(prefix, key string) bool { return prefix != "" && strings.HasPrefix(key, prefix) }

// findRows brings the rows of an object of the data before the judge.
func (a *audit) findRows(object string, in io.Reader) error {
	var key []byte
	blank, glued, err := eachRow(object, in, func(row []byte, line int64) {
		a.report.Covers.Rows++
		var err error
		if key, err = a.opts.Form.Append(key[:0], row); err != nil {
			a.judge.Corrupt(row, line, err.Error())
			return
		}
		a.judge.Find(key, line)
	})
	a.report.Audit.Blank += blank
	if a.report.Audit.Glued += glued; glued > 0 && a.opts.Watch != nil {
		a.opts.Watch.Glued(object)
	}
	return err
}

// findFailures brings the records of an object below the error prefix before the judge: their rows failed.
func (a *audit) findFailures(ctx context.Context, in io.Reader) error {
	asked := asking{audit: a}
	_, _, err := eachRow("", in, func(line []byte, number int64) {
		f, err := reject.ParseFailure(line)
		switch {
		case err != nil:
			a.judge.Foreign(line, number, err.Error())
		case a.opts.Transform != nil:
			asked.add(ctx, f, number)
		default:
			if err := a.fail(f.RawData, number, reasonOf(f)); err != nil {
				a.judge.Foreign(line, number, err.Error())
			}
		}
	})
	asked.flush(ctx)
	return errors.Join(err, asked.err)
}

func reasonOf(f *reject.Failure) string { return f.ErrorCode + ": " + f.ErrorMessage }

// fail takes the rows of a record that stands below an error prefix.
func (a *audit) fail(data []byte, line int64, reason string) error {
	if a.pipeline.RejectsPrefix == "" {
		return a.opts.Form.Owed([][]byte{data}, true, func(key []byte) { a.judge.Fail(key, line, reason) })
	}
	var key []byte
	for text := range bytes.Lines(data) {
		var err error
		if key, err = a.opts.Form.Append(key[:0], bytes.TrimSuffix(text, []byte("\n"))); err != nil {
			a.judge.Foreign(text, line, reason)
			continue
		}
		a.judge.Fail(key, line, reason)
	}
	return nil
}

// findRejects brings the lines that the pipeline has refused before the judge. A line that it should not have refused
// makes the rows that it owes failed.
func (a *audit) findRejects(in io.Reader) error {
	form, queried := a.opts.Form.(*Queried)
	_, _, err := eachRow("", in, func(line []byte, number int64) {
		r, err := reject.Parse(line)
		if err != nil || !queried {
			a.judge.Corrupt(line, number, cmp.Or(err, errNoSchema).Error())
			return
		}
		reason := r.Reason
		if r.Column != "" {
			reason += ", column " + r.Column
		}
		owes := false
		err = form.Rejected(r, func(key []byte) {
			if owes = true; isReject(key) {
				a.judge.Reject(key, number, reason)
			} else {
				a.judge.Fail(key, number, reason)
			}
		})
		if err != nil {
			reason = err.Error()
		}
		if !owes {
			a.judge.Foreign(r.Data, number, reason)
		}
	})
	return err
}

var errNoSchema = errors.New("lines are refused by a schema, and none is given")

// classify reads the stream again, to tell which of the copies that matched nothing are of rows that the stream holds.
func (a *audit) classify(ctx context.Context) {
	for _, pass := range []struct {
		filtered bool
		tell     func(key []byte, claimed time.Time)
	}{{true, a.judge.Owned}, {false, a.judge.Leaked}} {
		for c, err := range a.allClaims(ctx) {
			if err == nil {
				err = a.rows(c, pass.filtered, func(key []byte) { pass.tell(key, c.claimed) })
			}
			if err != nil {
				a.undecided("%s", a.streamFault(err))
				return
			}
			if !a.judge.Unresolved() {
				return
			}
		}
	}
}

// allClaims gives the claims, and behind them those that were counted before and that the stream still holds.
func (a *audit) allClaims(ctx context.Context) iter.Seq2[claim, error] {
	return func(yield func(claim, error) bool) {
		for c, err := range a.claims(ctx) {
			if !yield(c, err) {
				return
			}
		}
		for c, err := range a.group(a.increments.older(ctx, a)) {
			if !yield(c, err) {
				return
			}
		}
	}
}

// conclude draws up the balance.
func (a *audit) conclude(ctx context.Context) {
	result := a.judge.Close(a.now)
	r := a.report
	r.Counts, r.Samples = result.Counts, result.Samples
	// No outcome is unknown to a stream: what may have come and need not is of the window's edges.
	r.Audit.Edge = r.Counts.Recovered
	r.Counts.Delivered -= r.Counts.Recovered
	r.Counts.Recovered, r.Counts.Unknown = 0, 0
	a.seen.report(r.Audit)
	r.Covers.Records = 0
	for _, s := range r.Audit.Shards {
		r.Covers.Records += s.Records - s.Aggregates + s.Inner
	}
	r.Covers.From, r.Covers.To = r.Audit.From, r.Audit.To
	r.Ticks = minutes(result.Ticks, a.inWindow)
	r.Delay = report.DelayOf(withoutSkew(result.Delays, int(a.opts.Skew/time.Second)), result.LateMax)
	a.tell()
	if a.neverEnded(); len(r.Reasons) > 0 {
		return // something could not be read
	}
	a.findTwice(ctx, result)
	if err := a.earlier(ctx); err != nil {
		a.undecided("%s", a.streamFault(err))
		return
	}
	excused := map[proof.Class]int64{}
	if a.opts.Settle != nil {
		var err error
		if excused, err = a.opts.Settle(ctx, r, result); err != nil {
			a.undecided("%v", err)
			return
		}
	}
	if r.Verdict = r.Counts.Verdict(excused); r.Verdict == proof.Undecided {
		a.undecided("the stream holds no record that arrived from %s to %s and owes a row", r.Audit.From.Format(time.RFC3339), r.Audit.To.Format(time.RFC3339))
		return
	}
	for _, class := range proof.Classes {
		if n := r.Counts.Of(class); n > excused[class] {
			reason := fmt.Sprintf("%s: %d %s", class, n, sentences[class])
			if excused[class] > 0 {
				reason += fmt.Sprintf(", of which %d are accepted or allowed", excused[class])
			}
			if class == proof.Duplicated {
				reason += report.TwiceText(r.RepairedTwice)
			}
			r.Reasons = append(r.Reasons, reason)
		}
	}
	a.locate(ctx, result)
	if a.opts.Lost != nil {
		if err := a.opts.Lost(a.now, a.lost(ctx, result)); err != nil {
			a.undecided("%v", err)
			return
		}
	}
	r.Reasons = append(r.Reasons, a.opts.Reasons...)
	for _, gap := range r.Audit.Gaps {
		if r.Verdict == proof.Proven {
			r.Verdict = proof.Undecided
		}
		r.Reasons = append(r.Reasons, gap.Reason())
	}
}

// tell notes what was met in the stream and in the objects that accuses nobody.
func (a *audit) tell() {
	c := a.report.Audit
	var malformed, outOfRange int64
	for _, s := range c.Shards {
		malformed += s.Malformed
		outOfRange += s.OutOfRange
	}
	if q, ok := a.opts.Form.(*Queried); ok && c.Refused > 0 && !q.Rejects {
		a.note("%d lines of records are no rows of the schema (the first: %s): they owe nothing", c.Refused, cmp.Or(q.Why, "see an earlier report"))
	}
	for _, n := range []struct {
		count int64
		text  string
	}{
		{c.Glued, "%d JSON objects stand behind another one in the same line: have Firehose end records with a newline (processor AppendDelimiterToRecord), or the producer"},
		{c.Blank, "%d lines of objects are blank: a newline is added to records that end with one"},
		{outOfRange, "%d records in aggregates have a key of another shard: the Kinesis Client Library, and all that is built on it, drops such records without a word"},
		{malformed, "%d aggregates of the Kinesis Producer Library cannot be taken apart, and were taken as they are"},
		{c.Repeated, "%d records have the bytes of an earlier one: their producer has put them again, and each is owed"},
		{c.Edge, "%d rows in objects of the window are of records from just outside of it"},
		{a.report.Counts.Older, "%d rows in objects at the start of the window may be of records from before it"},
	} {
		if n.count > 0 {
			a.note(n.text, n.count)
		}
	}
}

// neverEnded finds out that the rows of a pipeline cannot be told apart: its records have no newline, are no JSON, and
// nothing that it writes is one of them.
func (a *audit) neverEnded() {
	c := a.report.Counts
	if a.seen.endless > 0 && c.Delivered == 0 && c.Unexpected > 0 && c.Missing+c.InFlight >= a.seen.endless {
		a.undecided("%d records end with no newline and are no JSON objects, so the lines of the objects cannot be taken apart again: "+
			"have Firehose end records with a newline (processor AppendDelimiterToRecord), or the producer", a.seen.endless)
	}
}

var sentences = map[proof.Class]string{
	proof.Missing:    "rows of the stream are in no object",
	proof.Failed:     "rows are below the error prefix only",
	proof.Duplicated: "rows are there more often than the stream holds them",
	proof.Corrupt:    "lines are no rows of the query",
	proof.Leaked:     "rows should have been filtered out by the query",
	proof.Unexpected: "rows come from no record of the stream",
}

// minutes sums up the seconds in which records arrived.
func minutes(seconds []proof.TickBalance, inWindow func(time.Time) bool) (ticks []report.Tick) {
	for _, s := range seconds {
		if !inWindow(s.Time) {
			continue
		}
		minute := s.Time.UTC().Truncate(time.Minute)
		if len(ticks) == 0 || !ticks[len(ticks)-1].Tick.Equal(minute) {
			ticks = append(ticks, report.Tick{Tick: minute, State: ledger.Complete})
		}
		t := &ticks[len(ticks)-1]
		t.Owed += s.Owed
		t.Delivered += s.Delivered
		t.Rejects += s.Rejects
		t.Failed += s.Failed
		t.Missing += s.Missing
		t.InFlight += s.InFlight
		t.Late += s.Late
	}
	return ticks[max(0, len(ticks)-report.MaxTicks):]
}

// withoutSkew turns delays that begin at the earliest time of a copy into delays that begin at the record's arrival.
func withoutSkew(delays []int64, skew int) []int64 {
	if len(delays) <= skew {
		skew = len(delays) - 1
	}
	if skew <= 0 {
		return delays
	}
	shifted := slices.Clone(delays[skew:])
	for _, n := range delays[:skew] {
		shifted[0] += n
	}
	return shifted
}

package explain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/proof"
	"streamproof/internal/replay"
	"streamproof/internal/report"
	"streamproof/internal/stream"
)

// Version is the version of the JSON form.
const Version = 1

// MaxRecords is how many records of a tick a finding names.
const MaxRecords = 5

// An Explanation is what became of the missing and failed rows of a report.
type Explanation struct {
	Version  int              `json:"version"`
	Verdict  proof.Verdict    `json:"verdict"`
	JudgedAt time.Time        `json:"judgedAt"` // of the report
	Findings []report.Finding `json:"findings"`
	// Beyond is how many missing and failed rows the report counts and has no samples of.
	Beyond int64 `json:"beyond"`
}

// Of is the explanation of an audit's report by findings that were looked for while the stream still held the rows.
func Of(r *report.Report, found []report.Finding) *Explanation {
	out := &Explanation{Version: Version, Verdict: r.Verdict, JudgedAt: r.JudgedAt, Findings: found}
	out.Beyond = r.Counts.Missing + r.Counts.Failed
	for _, f := range found {
		if f.Class != proof.Duplicated {
			out.Beyond -= f.Count
		}
	}
	return out
}

// Undecided is the error of explaining a report whose counts mean nothing.
func Undecided(r *report.Report) error {
	return fmt.Errorf("cannot explain missing rows: the verdict is UNDECIDED: %s", strings.Join(r.Reasons, "; "))
}

// A suspect is a record of a tick that may be the lost one.
type suspect struct {
	report.Record
	data []byte
}

// Options say where things are, and how.
type Options struct {
	DataPrefix   string // where rows are delivered
	ErrorsPrefix string // where the application's rejects are
	FailedPrefix string // where Firehose's failed records are
	// Idle is the application's status if it is not running, such as READY; empty if it is. Unasked reports that the
	// application's status was not read.
	Idle    string
	Unasked bool
	// Failing is why the application's job fails again and again although it runs; empty where it does not.
	Failing string
	Now     time.Time
}

// A Stream is the source stream, as it can be read back.
type Stream interface {
	// Retention is for how long it holds a record.
	Retention(ctx context.Context) (time.Duration, error)
	// ReadRange hands on the records of a shard between two sequence numbers, both included, until take returns false. Its
	// error wraps stream.ErrTrimmed if the stream no longer holds the first of them.
	ReadRange(ctx context.Context, shard, first, last string, take func(stream.Record) (more bool)) error
}

var _ Stream = (*stream.Reader)(nil)

type explanation struct {
	bucket bucket.Bucket
	stream Stream
	opts   Options
	report *report.Report

	retention time.Duration // 0 until it was asked for
	ledger    *replay.Ledger
	losses    []*loss // in the order of the claims
}

// A loss is one sample of a report: equal rows that one tick owes and that are missing or failed.
type loss struct {
	proof.Sample
	class   proof.Class
	tick    *tick
	problem string // why nothing can be found out

	key     []byte // the row's, see package row; nil of a malformed line
	line    []byte // the malformed line; nil of a row
	records []*suspect
	trimmed bool // the stream does not hold all of them any more

	found []find // since the report
}

type find struct {
	hop    report.Hop
	object string
	line   int64
	reason string
	place  *report.Place // of its record, where that is known
}

// Explain says of each missing and each failed row that the report has a sample of where it was last. Its error is that
// of a stream or a bucket that cannot be read.
func Explain(ctx context.Context, b bucket.Bucket, s Stream, r *report.Report, opts Options) (*Explanation, error) {
	e := &explanation{bucket: b, stream: s, opts: opts, report: r}
	for _, class := range []proof.Class{proof.Missing, proof.Failed} {
		for _, sample := range r.Samples[class] {
			e.losses = append(e.losses, &loss{Sample: sample, class: class})
		}
	}
	if len(e.losses) == 0 {
		return e.draw(), nil
	}
	var err error
	if e.ledger, err = replay.Open(ctx, b); err != nil {
		return nil, err
	}
	ticks := map[time.Time]*tick{}
	for _, l := range e.losses {
		if l.Tick == nil {
			l.problem = "the report does not say which tick owes it"
			continue
		}
		t := ticks[l.Tick.UTC()]
		if t == nil {
			if t, err = e.readTick(ctx, *l.Tick); err != nil {
				return nil, err
			}
			ticks[l.Tick.UTC()] = t
		}
		if t.problem != "" {
			l.problem = t.problem
			continue
		}
		l.tick = t
		t.losses = append(t.losses, l)
	}
	// An older claim is paid first, and so it is found first.
	slices.SortStableFunc(e.losses, func(a, b *loss) int {
		if a.tick == nil || b.tick == nil {
			return 0
		}
		return a.tick.Claimed.Compare(b.tick.Claimed)
	})
	for _, t := range ticks {
		if err := e.findRecords(ctx, t); err != nil {
			return nil, err
		}
		if err := e.readBack(ctx, t); err != nil {
			return nil, err
		}
	}
	if err := e.search(ctx); err != nil {
		return nil, err
	}
	return e.draw(), nil
}

// draw makes findings of what was found.
func (e *explanation) draw() *Explanation {
	out := &Explanation{
		Version: Version, Verdict: e.report.Verdict, JudgedAt: e.report.JudgedAt, Findings: []report.Finding{},
		Beyond: e.report.Counts.Missing + e.report.Counts.Failed,
	}
	for _, l := range e.losses {
		out.Beyond -= l.Count
		out.Findings = append(out.Findings, e.findings(l)...)
	}
	out.Beyond = max(out.Beyond, 0) // where a person has accepted some
	slices.SortStableFunc(out.Findings, func(a, b report.Finding) int {
		return cmp.Or(a.Tick.Compare(b.Tick), cmp.Compare(b.Class, a.Class)) // missing before failed
	})
	return out
}

// findings splits a loss by where its rows were last: what was found since, what is known to be under an error prefix,
// what never reached the stream, and the rest.
func (e *explanation) findings(l *loss) (all []report.Finding) {
	finding := func(count int64, hop report.Hop, records []*suspect, text string) *report.Finding {
		f := report.Finding{Class: l.class, Row: l.Row, Count: count, Hop: hop, Text: text, Candidates: len(records)}
		if l.Tick != nil {
			f.Tick = l.Tick.UTC()
		}
		for _, r := range records[:min(len(records), MaxRecords)] {
			f.Records = append(f.Records, r.Record)
		}
		all = append(all, f)
		return &all[len(all)-1]
	}
	left := l.Count
	if l.problem != "" {
		finding(left, report.NotFound, nil, l.problem)
		return all
	}
	records := l.records
	for _, found := range l.found[:min(int64(len(l.found)), left)] {
		text := string(found.hop)
		if found.reason != "" {
			text += fmt.Sprintf(" (%s)", found.reason)
		}
		text += fmt.Sprintf(" by now: %s, line %d", found.object, found.line)
		of := records
		if found.place != nil {
			of = slices.DeleteFunc(slices.Clone(records), func(r *suspect) bool { return !r.at(*found.place) })
			if len(of) > 0 {
				of = of[:1]
				records = slices.DeleteFunc(slices.Clone(records), func(r *suspect) bool { return r == of[0] })
			}
		}
		f := finding(1, found.hop, of, text)
		f.Object, f.Line, f.Reason = found.object, found.line, found.reason
		left--
	}
	if left == 0 {
		return all
	}
	if l.class == proof.Failed {
		hop := report.ProcessingFailed
		if e.isReject(l.Object) {
			hop = report.Rejected
		}
		f := finding(left, hop, records, fmt.Sprintf("%s (%s): %s, line %d; it can be brought back from there", hop, l.Reason, l.Object, l.Line))
		f.Object, f.Line, f.Reason = l.Object, l.Line, l.Reason
		return all
	}
	if len(records) == 0 {
		finding(left, report.NotFound, nil, "no acknowledged record of the tick gives this row: the ledger was changed since the report, or the row is of another program's version")
		return all
	}
	if l.trimmed {
		why := fmt.Sprintf("its retention of %g hours is over for this tick", e.retention.Hours())
		if !l.tick.expired {
			why = "it no longer holds the first sequence number of this tick, although its retention is not over: the stream was deleted and created again"
		}
		finding(left, report.RetentionOver, records, "not among the rejects, not under processing-failed, not in the data; whether it was in the stream cannot be told: "+why)
		return all
	}
	var absent, present []*suspect
	for _, r := range records {
		if len(r.Places) == 0 {
			absent = append(absent, r)
		} else {
			present = append(present, r)
		}
	}
	if n := min(int64(len(absent)), left); n > 0 {
		finding(n, report.NotInStream, absent, "not in the stream although acknowledged"+oneOf(n, absent))
		left -= n
	}
	if left > 0 {
		finding(left, report.InStream, present, e.lostAfter(present)+oneOf(left, present))
	}
	return all
}

// lostAfter says what can be said of records that the stream holds.
func (e *explanation) lostAfter(records []*suspect) string {
	const nowhere = "in the stream, not among the rejects, not under processing-failed, not in the data: "
	switch {
	case e.opts.Idle != "":
		return nowhere + fmt.Sprintf("the application is %s and may not have read it yet; start it (streamproof resume) and verify again", e.opts.Idle)
	case e.opts.Failing != "":
		return nowhere + "the application fails and restarts again and again, and may not have read it yet: " + e.opts.Failing
	}
	text := nowhere + "lost in the application or after Firehose took it"
	if e.opts.Unasked {
		text = nowhere + "the application has not read it yet, or it was lost there or after Firehose took it"
	}
	if len(e.report.Covers.Pipelines) > 1 {
		text += "; or read by the query of another pipeline, where that was changed without a pause"
	}
	return text
}

func oneOf(n int64, records []*suspect) string {
	if int64(len(records)) <= n {
		return ""
	}
	return fmt.Sprintf("; %d of these %d records, which give equal rows", n, len(records))
}

// at tells whether the stream holds a copy of the record there.
func (r *suspect) at(p report.Place) bool {
	return slices.ContainsFunc(r.Places, func(own report.Place) bool { return own.Shard == p.Shard && own.SequenceNumber == p.SequenceNumber })
}

// quoted is how a report shows a malformed line.
func quoted(line []byte) string { return strconv.Quote(string(line)) }

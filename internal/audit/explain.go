package audit

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

const (
	// mostExplained is how many missing rows are explained.
	mostExplained = 20
	// mostSightings is how many copies of a row are named.
	mostSightings = 10
	// neighbourhood is how far before and behind a missing record its neighbours are looked for.
	neighbourhood = time.Minute
)

// Explain says where the missing rows of a report on a window were lost, by what became of the records before and
// behind them in their shard; where failed rows are; and which objects hold copies of duplicated ones.
func Explain(ctx context.Context, stream Stream, b bucket.Bucket, opts Options, r *report.Report) ([]report.Finding, error) {
	e := &explanation{
		audit: newAudit(stream, b, opts), missing: map[string]bool{}, runs: map[string]*run{}, sightings: map[string][]string{},
	}
	e.audit.from, e.audit.to = r.Audit.From, r.Audit.To
	var missing []report.Finding
	for _, f := range r.LastSeen {
		if f.Class != proof.Missing || len(f.Records) == 0 {
			continue
		}
		for _, record := range f.Records {
			e.missing[placeID(record.Places[0])] = true
		}
		missing = append(missing, f)
	}
	missing = missing[:min(len(missing), mostExplained)]
	if err := e.readStream(ctx, missing); err != nil {
		return nil, fmt.Errorf("read stream %s again: %s", stream.Name(), plain(err, streamPermissions))
	}
	for _, s := range r.Samples[proof.Duplicated] {
		e.sightings[s.Row] = nil
	}
	if len(e.sightings) > 0 {
		if err := e.readObjects(ctx); err != nil {
			return nil, err
		}
	}
	for i := range missing {
		missing[i].Text = e.missingText(&missing[i])
	}
	findings := missing
	for _, s := range r.Samples[proof.Failed] {
		findings = append(findings, report.Finding{
			Class: proof.Failed, Row: s.Row, Count: s.Count, Tick: *s.Tick, Hop: report.ProcessingFailed, Object: s.Object, Line: s.Line, Reason: s.Reason,
			Text: fmt.Sprintf("it is in %s:%d, below the error prefix: %s", s.Object, s.Line, s.Reason),
		})
	}
	for _, s := range r.Samples[proof.Duplicated] {
		findings = append(findings, report.Finding{
			Class: proof.Duplicated, Row: s.Row, Count: s.Count, Hop: report.Delivered, Object: s.Object, Line: s.Line,
			Text: "copies are in " + strings.Join(e.sightings[s.Row], ", "),
		})
	}
	return findings, nil
}

type explanation struct {
	audit     *audit
	missing   map[string]bool     // records that give a missing row, by place
	runs      map[string]*run     // by the place of a missing record
	sightings map[string][]string // where the rows are that are looked for
}

// A run is missing records of a shard that follow each other.
type run struct {
	records       int
	first, last   report.Place
	before, after string // rows of the records around it; empty where there is none
	outOfRange    bool
}

// placeID identifies a record of the stream.
func placeID(p report.Place) string {
	position := 0
	if p.Aggregate != nil {
		position = p.Aggregate.Position
	}
	return fmt.Sprintf("%s %s %d", p.Shard, p.SequenceNumber, position)
}

// readStream finds the runs of missing records, and the rows before and behind each.
func (e *explanation) readStream(ctx context.Context, missing []report.Finding) error {
	for len(missing) > 0 {
		n := 1
		for n < len(missing) && missing[n].Tick.Sub(missing[n-1].Tick) < 2*neighbourhood {
			n++
		}
		from, until := missing[0].Tick.Add(-neighbourhood), missing[n-1].Tick.Add(neighbourhood)
		last, open := map[string]string{}, map[string]*run{} // by shard
		for record, err := range e.audit.stream.Records(ctx, from, until) {
			if err != nil {
				return err
			}
			if err := e.follow(record, last, open); err != nil {
				return err
			}
		}
		missing = missing[n:]
	}
	for _, r := range e.runs {
		for _, row := range []string{r.before, r.after} {
			if row != "" {
				e.sightings[row] = nil
			}
		}
	}
	return nil
}

// follow takes the next record; last has the last row of each shard that is not missing, and open the run behind it.
func (e *explanation) follow(record Record, last map[string]string, open map[string]*run) error {
	place := placeOf(record)
	if id := placeID(place); e.missing[id] {
		r := open[record.Shard]
		if r == nil {
			r = &run{first: place, before: last[record.Shard]}
			open[record.Shard] = r
		}
		r.records, r.last = r.records+1, place
		r.outOfRange = r.outOfRange || record.Aggregate != nil && record.Aggregate.OutOfRange
		e.runs[id] = r
		return nil
	}
	row := ""
	if err := e.audit.rows(claim{records: []Record{record}}, true, func(key []byte) { row = e.audit.opts.Form.Format(key) }); err != nil {
		return err
	}
	if row == "" {
		return nil // it owes nothing
	}
	if r := open[record.Shard]; r != nil {
		r.after = row
		delete(open, record.Shard)
	}
	last[record.Shard] = row
	return nil
}

// readObjects looks for rows in the objects of the window.
func (e *explanation) readObjects(ctx context.Context) error {
	a := e.audit
	objects, ok := a.list(ctx)
	if !ok {
		return fmt.Errorf("%s", strings.Join(a.report.Reasons, "; "))
	}
	objects = slices.DeleteFunc(objects, func(o bucket.Object) bool {
		return bucket.IsMarker(o) || o.LastModified.Before(a.from.Add(-a.opts.Skew)) || o.LastModified.After(a.to.Add(a.edge()))
	})
	for object, content := range bucket.ReadAhead(ctx, a.bucket, objects) {
		if below(a.pipeline.ErrorsPrefix, object.Key) || below(a.pipeline.RejectsPrefix, object.Key) {
			continue
		}
		if err := e.search(object.Key, content); err != nil {
			return fmt.Errorf("read %s/%s: %s", a.bucket.Name(), object.Key, plain(err, bucketPermissions))
		}
	}
	return nil
}

func (e *explanation) search(object string, in io.Reader) error {
	var key []byte
	_, _, err := eachRow(object, in, func(row []byte, line int64) {
		var err error
		if key, err = e.audit.opts.Form.Append(key[:0], row); err != nil {
			return
		}
		text := e.audit.opts.Form.Format(key)
		if found, wanted := e.sightings[text]; wanted && len(found) < mostSightings {
			e.sightings[text] = append(found, fmt.Sprintf("%s:%d", object, line))
		}
	})
	return err
}

// missingText says where a missing row was lost.
func (e *explanation) missingText(f *report.Finding) string {
	var b strings.Builder
	b.WriteString("the stream holds it, and no object does")
	r := e.runs[placeID(f.Records[0].Places[0])]
	if r == nil {
		return b.String()
	}
	if r.outOfRange {
		b.WriteString("; its key is another shard's, and consumers built on the Kinesis Client Library drop such a record")
	}
	alone := r.records == 1
	if !alone {
		fmt.Fprintf(&b, "; with it, %d records of %s in a row are missing, sequence numbers %s to %s", r.records, r.first.Shard, r.first.SequenceNumber, r.last.SequenceNumber)
	}
	before, after := e.sightings[r.before], e.sightings[r.after]
	if len(before) > 0 {
		fmt.Fprintf(&b, "; the record before is in %s", before[0])
	}
	if len(after) > 0 {
		fmt.Fprintf(&b, "; the record behind is in %s", after[0])
	}
	if len(before) == 0 || len(after) == 0 {
		return b.String()
	}
	same := objectOf(before[0]) == objectOf(after[0])
	switch {
	case alone && same:
		b.WriteString(": so it was dropped by what made that object, such as a filter, or a failure to parse it")
	case alone:
		b.WriteString(": so it was dropped alone, at the end of an object")
	case !same:
		b.WriteString(": so a batch or an object is lost, such as one that was deleted, or a call that failed")
	}
	return b.String()
}

func objectOf(sighting string) string { return sighting[:strings.LastIndexByte(sighting, ':')] }

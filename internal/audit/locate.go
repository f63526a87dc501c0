package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"streamproof/internal/proof"
	"streamproof/internal/report"
)

const (
	// mostLocated is how many missing rows the report names. Options.Missing is told of all.
	mostLocated = 10_000
	// maxCandidates is how many records are named that give the same missing row.
	maxCandidates = 20
	// near is how far apart seconds are at most that are read at once.
	near = time.Minute
)

// A location finds the records of missing rows in the stream.
type location struct {
	audit *audit
	// missing is how many rows of a key are missing of those that arrived in a second.
	missing func(key []byte, second time.Time) int64
	found   map[lost]int // by place in the report's LastSeen
}

// lost is a row that is missing of a second.
type lost struct {
	second int64
	name   proof.Name
}

// locate reads the seconds again in which missing rows arrived, and says which records they are.
func (a *audit) locate(ctx context.Context, result *proof.Result) {
	l := location{audit: a, found: map[lost]int{}}
	var seconds []time.Time
	if a.increments != nil {
		missing := result.Findings(proof.Missing, a.inWindow)
		a.increments.recall(a, missing)
		for _, g := range missing.Sorted() {
			seconds = append(seconds, g.Tick)
		}
		l.missing = func(key []byte, second time.Time) int64 {
			if g := missing.Groups[proof.Place{Tick: second}]; g != nil {
				return g.Rows[proof.NameOf(a.opts.Form.Format(key))]
			}
			return 0
		}
	} else {
		for _, t := range result.Ticks {
			if t.Missing > 0 {
				seconds = append(seconds, t.Time)
			}
		}
		slices.SortFunc(seconds, time.Time.Compare)
		l.missing = result.Missing
	}
	for len(seconds) > 0 && (len(a.report.LastSeen) < mostLocated || a.opts.Missing != nil) {
		n := 1
		for n < len(seconds) && seconds[n].Sub(seconds[n-1]) < near {
			n++
		}
		if err := l.in(ctx, seconds[0], seconds[n-1].Add(time.Second)); err != nil {
			a.note("where the missing rows stand in the stream is not known: %v", err)
			return
		}
		seconds = seconds[n:]
	}
}

// in reads a span of the stream.
func (l *location) in(ctx context.Context, from, until time.Time) error {
	a := l.audit
	for record, err := range a.stream.Records(ctx, from, until) {
		if err != nil {
			return fmt.Errorf("read stream %s again: %s", a.stream.Name(), plain(err, streamPermissions))
		}
		if !a.inWindow(record.Arrival) {
			continue
		}
		var failed error
		one := claim{arrived: record.Arrival, records: []Record{record}}
		err := a.rows(one, true, func(key []byte) {
			if err := l.row(key, record); err != nil {
				failed = err
			}
		})
		if err != nil || failed != nil {
			return errors.Join(err, failed)
		}
	}
	return nil
}

// row takes a row that the record gives, which may be a missing one.
func (l *location) row(key []byte, record Record) error {
	a, second := l.audit, record.Arrival.UTC().Truncate(time.Second)
	n := l.missing(key, second)
	if n == 0 {
		return nil
	}
	text := a.opts.Form.Format(key)
	if a.opts.Missing != nil {
		if err := a.opts.Missing(report.MissingRow{Row: text, Missing: n, PartitionKey: record.PartitionKey, Place: placeOf(record)}); err != nil {
			return err
		}
	}
	this := lost{second.Unix(), proof.NameOf(text)}
	at, known := l.found[this]
	if !known {
		if len(a.report.LastSeen) >= mostLocated {
			return nil
		}
		at = len(a.report.LastSeen)
		l.found[this] = at
		a.report.LastSeen = append(a.report.LastSeen, report.Finding{Class: proof.Missing, Row: text, Count: n, Tick: second, Hop: report.InStream})
	}
	f := &a.report.LastSeen[at]
	if f.Candidates++; len(f.Records) < maxCandidates {
		f.Records = append(f.Records, report.Record{PartitionKey: record.PartitionKey, Places: []report.Place{placeOf(record)}})
	}
	return nil
}

func placeOf(r Record) report.Place {
	place := report.Place{Shard: r.Shard, SequenceNumber: r.SequenceNumber, Arrival: r.Arrival.UTC()}
	if r.Aggregate != nil {
		place.Aggregate = &r.Aggregate.Aggregate
	}
	return place
}

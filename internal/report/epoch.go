package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
)

// An Epoch is what a report says of the period of one query.
type Epoch struct {
	// Pipelines are the hashes of the queries. There are several where nothing tells their rows apart.
	Pipelines []string `json:"pipelines"`
	// From and Until bound the epoch, zero for a stack's first and for one that no clean change has ended. Clean reports
	// whether nothing of the epochs before was on its way when it began.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	Clean bool      `json:"clean"`
	// NotJudged says why the epoch is not judged, empty if it is. RolledBack reports whether its query failed: then its
	// records were read by the one before, and it has no ticks of its own.
	NotJudged  string `json:"notJudged,omitempty"`
	RolledBack bool   `json:"rolledBack,omitempty"`

	// Current reports whether its query is the current one.
	Current bool `json:"current,omitempty"`

	First          time.Time `json:"first,omitzero"` // tick
	Last           time.Time `json:"last,omitzero"`  // tick
	Ticks          int       `json:"ticks"`
	TicksUnsettled int       `json:"ticksUnsettled"`
	TicksCrashed   int       `json:"ticksCrashed"`
	Records        int64     `json:"records"`
	Acknowledged   int64     `json:"acknowledged"`

	// Counts is set if the epoch is judged, and Seen if it is not.
	Counts *proof.Counts `json:"counts,omitempty"`
	Seen   *Seen         `json:"seen,omitempty"`
}

// Seen is what can be said of the rows of an epoch that is not judged.
type Seen struct {
	Rows     int64 `json:"rows"`     // lines that are a row of its columns
	Broken   int64 `json:"broken"`   // lines that are not
	Rejects  int64 `json:"rejects"`  // lines that the application could not use
	Failures int64 `json:"failures"` // rows that could not be transformed
	// First is when the first object with a row was written, and InTime reports whether one was before the deadline of
	// some tick.
	First  time.Time `json:"firstRow,omitzero"`
	InTime bool      `json:"inTime"`
}

// Add adds a tick.
func (e *Epoch) Add(tick time.Time, records int, outcomes []ledger.Range, crashed bool) {
	if e.First.IsZero() || tick.Before(e.First) {
		e.First = tick
	}
	if tick.After(e.Last) {
		e.Last = tick
	}
	e.Ticks++
	e.Records += int64(records)
	if crashed {
		e.TicksCrashed++
	}
	for outcome, n := range ledger.Count(outcomes) {
		if outcome == ledger.Acknowledged || outcome == ledger.AcknowledgedAfterUnknown {
			e.Acknowledged += int64(n)
		}
	}
}

// Name is the epoch by its last pipeline, as "pipeline 3bdd0a1b2c3d".
func (e Epoch) Name() string { return "pipeline " + e.hash() }

func (e Epoch) hash() string { return plain(fmt.Sprintf("%.12s", e.Pipelines[len(e.Pipelines)-1])) }

// place is where a fault of the query is.
var place = regexp.MustCompile(`^.*?\.sql:\d+:\d+: `)

// Why says in a few words why the epoch is not judged.
func (e Epoch) Why() string {
	why, _, _ := strings.Cut(place.ReplaceAllString(e.NotJudged, ""), ", which ")
	return short(why)
}

// Sentence says what is known of an epoch that is not judged.
func (e Epoch) Sentence() string {
	s := e.Seen
	text := fmt.Sprintf("%s of %s acknowledged; %s found", many(e.Acknowledged, "record"), many(int64(e.Ticks), "tick"), many(s.Rows, "row"))
	if e.RolledBack {
		text = many(s.Rows, "row") + " found"
	}
	for _, also := range []struct {
		n    int64
		noun string
	}{{s.Broken, "broken line"}, {s.Rejects, "reject"}, {s.Failures, "failed row"}} {
		if also.n > 0 {
			text += ", " + many(also.n, also.noun)
		}
	}
	switch {
	case e.Ticks == 0:
	case s.InTime:
		text += "; some came within the deadline"
	case s.Rows > 0:
		text += "; none came within the deadline"
	case e.TicksUnsettled > 0:
		text += "; the deadline is not over"
	default:
		text += "; nothing came within the deadline"
	}
	return text
}

// Outcome says what became of the epoch's rows, or what is known of one that is not judged.
func (e Epoch) Outcome() string {
	if e.Counts == nil {
		return fmt.Sprintf("not judged (%s): %s", e.Why(), e.Sentence())
	}
	c := e.Counts
	var faults []string
	for _, class := range append(slices.Clone(proof.Classes), proof.Doubted) {
		if n := c.Of(class); n > 0 {
			faults = append(faults, fmt.Sprintf("%s %s", comma(n), class))
		}
	}
	if c.InFlight > 0 {
		faults = append(faults, comma(c.InFlight)+" in flight")
	}
	if len(faults) == 0 {
		faults = []string{"all as owed"}
	}
	return fmt.Sprintf("%s owed: %s", many(c.Owed, "row"), strings.Join(faults, ", "))
}

// Began is when the epoch began, or its first tick was; empty if neither is known.
func (e Epoch) Began() string {
	switch {
	case !e.From.IsZero():
		return moment(e.From)
	case !e.First.IsZero():
		return moment(e.First)
	}
	return ""
}

// notJudged is the end of the last line.
func (r *Report) notJudged() string {
	if what := r.NotJudged(); what != "" {
		return "; not judged: " + what
	}
	return ""
}

// NotJudged says what the counts do not cover, empty if they cover everything.
func (r *Report) NotJudged() string {
	var parts []string
	for _, e := range r.Epochs {
		switch {
		case e.Seen == nil, e.RolledBack && e.Seen.Rows == 0:
		case e.RolledBack:
			parts = append(parts, fmt.Sprintf("%s of %s (rolled back)", many(e.Seen.Rows, "row"), e.Name()))
		default:
			parts = append(parts, fmt.Sprintf("%s of %s (%s)", many(int64(e.Ticks), "tick"), e.Name(), e.Why()))
		}
	}
	return strings.Join(parts, ", ")
}

// Current is the epoch that has not ended, nil if there is but one and it is judged.
func (r *Report) Current() *Epoch {
	for i := len(r.Epochs) - 1; i >= 0; i-- {
		if e := &r.Epochs[i]; e.Current {
			return e
		}
	}
	return nil
}

package report

import (
	"fmt"
	"strings"
	"time"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
)

// Accept makes what records that a person accepts so many findings of a class, of those that the report has and nobody has
// accepted yet. With it stand the rows that the report has samples of: what the person has seen.
func (r *Report) Accept(class proof.Class, count int64, reason, who string, at time.Time) (*ledger.Acceptance, error) {
	left := r.Counts.Of(class)
	known := map[ledger.AcceptedRow]bool{}
	for _, a := range r.Accepted {
		if a.Class != class {
			continue
		}
		left -= a.Used
		for _, row := range a.Rows {
			known[row.Place()] = true
		}
	}
	if count > left {
		return nil, fmt.Errorf("cannot accept %d %s rows: there are %d that are not accepted yet", count, class, left)
	}
	a := &ledger.Acceptance{Class: string(class), Count: count, Until: r.JudgedAt, Reason: reason, Who: who, At: at.UTC().Truncate(time.Millisecond)}
	if class == proof.Missing {
		// Missing are rows of ticks that were settled, and so claimed before then. What was in flight is not accepted.
		a.Until = a.Until.Add(-time.Duration(r.Covers.DeliveryDeadlineSeconds) * time.Second)
	}
	for _, s := range r.Samples[class] {
		row := ledger.AcceptedRow{Row: s.Row, Count: s.Count, Object: s.Object, Line: s.Line}
		if s.Tick != nil {
			row.Tick = s.Tick.UTC()
		}
		if !known[row.Place()] {
			a.Rows = append(a.Rows, row)
		}
	}
	return a, nil
}

// shownRows of an acceptance are for a person; all of them are in the JSON.
const shownRows = 3

// Seen are the rows that the person has seen who accepted them, as "1,2,3; 4,5,6; and 7 others".
func (a Accepted) Seen() string {
	var rows []string
	for _, row := range a.Rows[:min(len(a.Rows), shownRows)] {
		rows = append(rows, short(row.Row))
	}
	if more := len(a.Rows) - shownRows; more > 0 {
		rows = append(rows, "and "+many(int64(more), "other"))
	}
	return strings.Join(rows, "; ")
}

package report

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
)

// Accept makes the acceptance of count findings of a class, which must be in the report and not accepted yet. It also
// returns the object that must be written before it, if any. With the findings go those of the report's samples that
// are among them: what the person has seen.
func (r *Report) Accept(
	class proof.Class, count int64, found []proof.Group, reason, who string, at time.Time,
) (a *ledger.Acceptance, object []byte, err error) {
	if !r.Balanced() {
		return nil, nil, fmt.Errorf("the verdict is UNDECIDED, so there is nothing to accept: %s", strings.Join(r.Reasons, "; "))
	}
	a = &ledger.Acceptance{
		Class: string(class), Until: r.JudgedAt, Reason: reason, Who: who, At: at.UTC().Truncate(time.Millisecond),
	}
	if object, err = a.Name(found); err != nil {
		return nil, nil, err
	}
	if a.Count != count {
		return nil, nil, fmt.Errorf("cannot accept %d %s rows: there are %d that are not accepted yet", count, class, a.Count)
	}
	for _, s := range r.Samples[class] {
		row := ledger.AcceptedRow{Row: s.Row, Count: s.Count, Object: s.Object, Line: s.Line}
		place := proof.Place{Object: s.Object}
		if s.Tick != nil {
			row.Tick = s.Tick.UTC()
			place = proof.Place{Tick: row.Tick}
		}
		for _, g := range found {
			if g.Place == place && (g.Rows == nil || g.Rows[proof.NameOf(s.Row)] > 0) {
				a.Rows = append(a.Rows, row)
			}
		}
	}
	return a, object, nil
}

// A Choice is what a person has chosen to accept of a report's findings.
type Choice struct {
	Class  proof.Class `json:"class"`
	Count  int64       `json:"count"`
	Tick   time.Time   `json:"tick,omitzero"`    // only rows that this tick owes
	Object string      `json:"object,omitempty"` // only findings in this object
	Reason string      `json:"reason"`
	Who    string      `json:"who,omitempty"`
}

// Check returns what is wrong with the choice, whatever the report says.
func (c Choice) Check() error {
	if !slices.Contains(proof.Classes, c.Class) {
		var known []string
		for _, class := range proof.Classes {
			known = append(known, string(class))
		}
		return fmt.Errorf("%q is not a class that fails a verdict: give one of %s", c.Class, strings.Join(known, ", "))
	}
	byTick := c.Class == proof.Missing || c.Class == proof.Failed
	switch {
	case byTick && c.Object != "":
		return fmt.Errorf("--object does not apply to %s rows, which are owed by ticks: narrow them down with --tick", c.Class)
	case !byTick && !c.Tick.IsZero():
		return fmt.Errorf("--tick does not apply to %s rows, which are in objects: narrow them down with --object", c.Class)
	case c.Count < 1:
		return fmt.Errorf("cannot accept %d: give a number above 0", c.Count)
	case strings.TrimSpace(c.Reason) == "":
		return errors.New("--reason is empty: say why the findings are accepted")
	}
	return nil
}

// Choose makes the acceptance of the findings that a person has chosen. It fails if there is another number of them,
// because then they are not the findings that the person has seen.
func (r *Report) Choose(found []proof.Group, c Choice, at time.Time) (*ledger.Acceptance, []byte, error) {
	found = slices.DeleteFunc(found, func(g proof.Group) bool { return g.Class != c.Class })
	if open := r.Open(c.Class); open > 0 && len(found) == 0 {
		return nil, nil, fmt.Errorf("cannot accept %d %s rows: %d are in too many places to be named", c.Count, c.Class, open)
	}
	found = slices.DeleteFunc(found, func(g proof.Group) bool {
		return c.Object != "" && g.Object != c.Object || !c.Tick.IsZero() && !g.Tick.Equal(c.Tick)
	})
	a, findings, err := r.Accept(c.Class, c.Count, found, c.Reason, c.Who, at)
	if err != nil && len(found) > 1 {
		err = fmt.Errorf("%w; give that number, or narrow them down with %s", err, places(found))
	}
	return a, findings, err
}

// shownPlaces is how many places of findings a person sees.
const shownPlaces = 5

// places lists where findings are, as flags of the command, those with the most findings first.
func places(found []proof.Group) string {
	found = slices.Clone(found)
	slices.SortStableFunc(found, func(a, b proof.Group) int { return cmp.Compare(b.Count, a.Count) })
	var flags []string
	for _, g := range found[:min(len(found), shownPlaces)] {
		flag := "--object " + strconv.Quote(g.Object)
		if g.Object == "" {
			flag = "--tick " + g.Tick.UTC().Format(time.RFC3339Nano)
		}
		flags = append(flags, fmt.Sprintf("%s (%d)", flag, g.Count))
	}
	if more := len(found) - shownPlaces; more > 0 {
		flags = append(flags, fmt.Sprintf("and %d others", more))
	}
	return strings.Join(flags, ", ")
}

// Open is how many findings of a class are not accepted yet.
func (r *Report) Open(class proof.Class) int64 {
	open := r.Counts.Of(class)
	for _, a := range r.Accepted {
		if a.Class == class {
			open -= a.Used
		}
	}
	return open
}

// shownRows is how many rows of an acceptance are shown; all of them are in the JSON.
const shownRows = 3

// Seen are the rows that the person saw when accepting them, as "1,2,3; 4,5,6; and 7 others".
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

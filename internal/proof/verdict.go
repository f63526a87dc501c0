package proof

import "time"

// A Verdict is what can be said of the rows that are owed and the rows that were found.
type Verdict string

// The verdicts. Undecided is never a kind of Proven: it says that nothing can be said, and why.
const (
	Proven    Verdict = "PROVEN"
	NotProven Verdict = "NOT PROVEN"
	Undecided Verdict = "UNDECIDED"
)

// A Class is what a row, owed or found, turned out to be.
type Class string

// The classes of which samples are kept; the others are only counted.
const (
	Missing    Class = "missing"    // owed by a settled tick and not found
	Failed     Class = "failed"     // owed, and found under an error prefix only, from where it can be brought back
	Duplicated Class = "duplicated" // found more often than owed, of a row that some tick claimed before owes
	Leaked     Class = "leaked"     // found, and given by the query only without its WHERE
	Unexpected Class = "unexpected" // found, and given by no record that was claimed before
	Corrupt    Class = "corrupt"    // a line that is not a row of the output schema, or not a reject
	Doubted    Class = "undecided"  // owed, and found where it may as well be a row of another query: it fails no verdict
	Foreign    Class = "foreign"    // under an error prefix and not owed: it fails no verdict
)

// InFlight is the class of rows that are owed by a tick that is not settled. It fails no verdict, and has no samples.
const InFlight Class = "in flight"

// Classes lists the classes that fail a verdict, worst first.
var Classes = []Class{Missing, Failed, Duplicated, Corrupt, Leaked, Unexpected}

// Counts are rows, by class. A line that is malformed on purpose is owed, too: as a reject. So
//
//	Owed = Delivered + Rejects - Recovered + Failed + Missing + InFlight + Undecided
type Counts struct {
	Owed       int64 `json:"owed"`      // lo of all ticks
	Delivered  int64 `json:"delivered"` // copies that paid for an owed row
	Rejects    int64 `json:"rejects"`   // rejects that paid for a line malformed on purpose
	Recovered  int64 `json:"recovered"` // those of both that paid for a record of unknown outcome
	Missing    int64 `json:"missing"`
	Failed     int64 `json:"failed"`
	Duplicated int64 `json:"duplicated"`
	Corrupt    int64 `json:"corrupt"`
	Leaked     int64 `json:"leaked"`
	Unexpected int64 `json:"unexpected"`
	InFlight   int64 `json:"inFlight"` // lo not yet paid of ticks that are not settled
	// Unknown is hi − lo of settled ticks that nothing paid; a crashed tick counts each record without an outcome once.
	Unknown int64 `json:"unknown"`
	Late    int64 `json:"late"` // those of Delivered and Rejects that came after the deadline
	Foreign int64 `json:"foreign"`
	// Repaired are those of Delivered and Rejects that a repair wrote.
	Repaired int64 `json:"repaired,omitempty"`
	// Undecided are owed rows that were found where they may as well be rows of another query.
	Undecided int64 `json:"undecided,omitempty"`
	// Older are copies that owed rows of before an audit's window may explain. They accuse nobody.
	Older int64 `json:"older,omitempty"`
}

// Add adds other counts.
func (c *Counts) Add(o Counts) {
	c.Owed += o.Owed
	c.Delivered += o.Delivered
	c.Rejects += o.Rejects
	c.Recovered += o.Recovered
	c.Missing += o.Missing
	c.Failed += o.Failed
	c.Duplicated += o.Duplicated
	c.Corrupt += o.Corrupt
	c.Leaked += o.Leaked
	c.Unexpected += o.Unexpected
	c.InFlight += o.InFlight
	c.Unknown += o.Unknown
	c.Late += o.Late
	c.Foreign += o.Foreign
	c.Repaired += o.Repaired
	c.Undecided += o.Undecided
	c.Older += o.Older
}

// AllFound reports whether everything owed has been delivered, or is among the rejects if it was malformed on purpose.
func (c Counts) AllFound() bool { return c.Owed == c.Delivered+c.Rejects-c.Recovered }

// Of returns the count of a class that fails a verdict, or of Doubted.
func (c Counts) Of(class Class) int64 {
	switch class {
	case Missing:
		return c.Missing
	case Failed:
		return c.Failed
	case Duplicated:
		return c.Duplicated
	case Corrupt:
		return c.Corrupt
	case Leaked:
		return c.Leaked
	case Doubted:
		return c.Undecided
	default:
		return c.Unexpected
	}
}

// Verdict judges the counts, less how many of each class are excused: UNDECIDED if nothing is owed, NOT PROVEN if
// anything is missing, duplicated or broken, else PROVEN.
func (c Counts) Verdict(excused map[Class]int64) Verdict {
	if c.Owed == 0 {
		return Undecided
	}
	for _, class := range Classes {
		if c.Of(class) > excused[class] {
			return NotProven
		}
	}
	return Proven
}

// A Sample is one row, or run of equal rows, of a class.
type Sample struct {
	// Row is the row as CSV, or the start of the line where it is corrupt.
	Row string `json:"row"`
	// Count is how many such rows stand at this place.
	Count int64 `json:"count"`
	// Tick is the tick that owes a missing or failed row.
	Tick *time.Time `json:"tick,omitempty"`
	// Object and Line (from 1) say where a row was found.
	Object string `json:"object,omitempty"`
	Line   int64  `json:"line,omitempty"`
	// Reason says what is wrong with a corrupt line, or why a row stands under an error prefix.
	Reason string `json:"reason,omitempty"`
}

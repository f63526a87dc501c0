package stream

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"streamproof/internal/ledger"
)

// A Result is the outcome of a tick's records so far. A record without an outcome is not settled yet.
type Result struct {
	// Outcomes are in the order of their records; neighbours differ.
	Outcomes []ledger.Range
	// Shards is what each shard acknowledged, by shard ID.
	Shards map[string]ledger.Shard
	// Attempts counts calls; Throttled counts entries that were refused because of a shard's limit.
	Attempts, Throttled int
}

// A tally builds up a Result.
type tally struct{ Result }

// add settles a run of records.
func (t *tally) add(r ledger.Range) {
	if r.Last < r.First {
		return
	}
	i, _ := slices.BinarySearchFunc(t.Outcomes, r.First, func(o ledger.Range, first int) int { return cmp.Compare(o.First, first) })
	after := i < len(t.Outcomes) && joins(r, t.Outcomes[i])
	switch {
	case i > 0 && joins(t.Outcomes[i-1], r):
		t.Outcomes[i-1].Last = r.Last
		if after {
			t.Outcomes[i-1].Last = t.Outcomes[i].Last
			t.Outcomes = slices.Delete(t.Outcomes, i, i+1)
		}
	case after:
		t.Outcomes[i].First = r.First
	default:
		t.Outcomes = slices.Insert(t.Outcomes, i, r)
	}
}

// joins reports whether b starts where a ends, with the same outcome.
func joins(a, b ledger.Range) bool {
	return a.Last+1 == b.First && a.Outcome == b.Outcome && a.Lo == b.Lo && a.Hi == b.Hi
}

// acknowledge counts the records of an entry that a shard has stored.
func (t *tally) acknowledge(shard, sequenceNumber string, records int) {
	s := t.Shards[shard]
	if s.Records == 0 || CompareSequenceNumbers(sequenceNumber, s.FirstSequenceNumber) < 0 {
		s.FirstSequenceNumber = sequenceNumber
	}
	if s.Records == 0 || CompareSequenceNumbers(sequenceNumber, s.LastSequenceNumber) > 0 {
		s.LastSequenceNumber = sequenceNumber
	}
	s.Records += records
	t.Shards[shard] = s
}

func (t *tally) snapshot() Result {
	r := t.Result
	r.Outcomes, r.Shards = slices.Clone(r.Outcomes), maps.Clone(r.Shards)
	return r
}

// CompareSequenceNumbers compares two sequence numbers as decimal integers of up to 128 digits.
func CompareSequenceNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// outcome is the outcome of the records, in the end acknowledged or not.
func (s sent) outcome(acknowledged bool) ledger.Range {
	r := ledger.Range{First: s.first, Last: s.last, Hi: s.maybe}
	switch {
	case acknowledged && s.maybe == 0:
		r.Outcome = ledger.Acknowledged
	case acknowledged:
		r.Outcome = ledger.AcknowledgedAfterUnknown
	case s.maybe > 0:
		r.Outcome = ledger.Unknown
	default:
		r.Outcome = ledger.Rejected
	}
	if acknowledged {
		r.Lo, r.Hi = 1, r.Hi+1
	}
	return r
}

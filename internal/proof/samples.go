package proof

import (
	"cmp"
	"slices"
)

// sample is a Sample and what tells where it comes among others.
type sample struct {
	Sample
	at  int    // the number of its object, or of its tick; below 0 in a restored state
	row string // the key of a row of which all copies in one place are one sample; else empty
}

// samples are the first ones of a class, whatever the order in which they are added.
type samples []sample

func (s *samples) add(one sample) {
	if one.row != "" {
		same := slices.IndexFunc(*s, func(o sample) bool { return o.at == one.at && o.row == one.row })
		if same >= 0 {
			(*s)[same].Count += one.Count
			return
		}
	}
	one.Reason = excerpt([]byte(one.Reason))
	*s = withFirst(*s, one, func(a, b sample) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.Line, b.Line), cmp.Compare(a.row, b.row),
			cmp.Compare(a.Row, b.Row), cmp.Compare(a.Reason, b.Reason))
	})
}

// withFirst adds one to at most MaxSamples that are sorted, behind its equals, if it is among the first.
func withFirst[T any](first []T, one T, compare func(a, b T) int) []T {
	at, _ := slices.BinarySearchFunc(first, one, func(a, b T) int { return cmp.Or(compare(a, b), -1) })
	if at == MaxSamples {
		return first
	}
	first = slices.Insert(first, at, one)
	return first[:min(len(first), MaxSamples)]
}

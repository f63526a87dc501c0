package proof

import "streamproof/internal/fingerprint"

// account is what is open of one distinct row. It fills a cache line, and most rows need no more.
type account struct {
	key   fingerprint.Print
	line  fingerprint.Print // of a line that the row was read from; zero if it is not known by any
	keyAt uint64            // where it is kept, see table.keep
	first due               // of lo
	read  bool              // whether the row was read from a line
	more  *more             // nil for none
}

// more is what else is open of a row, in the order of the claims.
type more struct {
	owed  []due // lo, behind account.first
	spare []due // hi − lo
}

// due is what one tick has open of one row.
type due struct {
	tick     int32
	open     int32
	infinite bool // always open
}

// is reports whether the account is that of a key or line.
func (a *account) is(p fingerprint.Print) bool { return a.key == p || a.line == p }

// payable reports whether a copy can pay for it.
func (d due) payable() bool { return d.open > 0 || d.infinite }

// open reports whether anything could be paid for.
func (a *account) open() bool {
	return a.first.open > 0 || a.more != nil && len(a.more.owed)+len(a.more.spare) > 0
}

func (a *account) add(lo bool, d due) {
	if lo && a.first.open == 0 && (a.more == nil || len(a.more.owed) == 0) {
		a.first = d
		return
	}
	if lo && a.first.tick == d.tick {
		a.first.open += d.open
		return
	}
	if a.more == nil {
		a.more = &more{}
	}
	list := &a.more.spare
	if lo {
		list = &a.more.owed
	}
	if last := len(*list) - 1; last >= 0 && (*list)[last].tick == d.tick && (*list)[last].infinite == d.infinite {
		(*list)[last].open += d.open
		return
	}
	*list = append(*list, d)
}

// payOwed takes one from the oldest due of lo and returns its tick.
func (a *account) payOwed() (tick int32, ok bool) {
	if a.first.open == 0 {
		if a.more == nil || len(a.more.owed) == 0 {
			return 0, false
		}
		a.first, a.more.owed = a.more.owed[0], a.more.owed[1:]
	}
	a.first.open--
	return a.first.tick, true
}

// paySpare takes one from the oldest due of hi − lo and returns its tick.
func (a *account) paySpare() (tick int32, ok bool) {
	if a.more == nil || len(a.more.spare) == 0 {
		return 0, false
	}
	d := &a.more.spare[0]
	if tick, d.open = d.tick, max(d.open-1, 0); d.open == 0 && !d.infinite {
		a.more.spare = a.more.spare[1:]
	}
	return tick, true
}

// owed yields the dues of lo; the first may be paid.
func (a *account) owed(yield func(due) bool) {
	if !yield(a.first) || a.more == nil {
		return
	}
	for _, d := range a.more.owed {
		if !yield(d) {
			return
		}
	}
}

// spare yields the dues of hi − lo.
func (a *account) spare(yield func(due) bool) {
	if a.more == nil {
		return
	}
	for _, d := range a.more.spare {
		if !yield(d) {
			return
		}
	}
}

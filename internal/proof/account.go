package proof

import "streamproof/internal/fingerprint"

// account is what is open of one distinct row. Most rows need no more. It fills a cache line, so that memory is waited
// for once.
type account struct {
	prints [kinds]fingerprint.Print // by kind; None if no line is known
	tick   int32                    // of the oldest due of lo
	open   int32                    // of that due; 0 if there is none
	more   *more                    // nil for none
	page   uint32                   // where its key is kept, see table.keep
	byte   uint16                   // in the page
	read   bool                     // whether the row was read from a line
	_      [8]byte
}

// more is what else is open of a row, in the order of the claims.
type more struct {
	owed  []due // lo, behind the oldest
	spare []due // hi − lo
}

// due is what one tick has open of one row.
type due struct {
	tick     int32
	open     int32
	infinite bool // always open
}

// payable reports whether a copy can pay for it.
func (d due) payable() bool { return d.open > 0 || d.infinite }

// isOpen reports whether anything could be paid for.
func (a *account) isOpen() bool {
	return a.open > 0 || a.more != nil && len(a.more.owed)+len(a.more.spare) > 0
}

func (a *account) add(lo bool, d due) {
	if lo && a.open == 0 && (a.more == nil || len(a.more.owed) == 0) {
		a.tick, a.open = d.tick, d.open
		return
	}
	if lo && a.tick == d.tick {
		a.open += d.open
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
	if a.open == 0 {
		if a.more == nil || len(a.more.owed) == 0 {
			return 0, false
		}
		oldest := a.more.owed[0]
		a.tick, a.open, a.more.owed = oldest.tick, oldest.open, a.more.owed[1:]
	}
	a.open--
	return a.tick, true
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
	if !yield(due{tick: a.tick, open: a.open}) || a.more == nil {
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

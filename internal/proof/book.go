package proof

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"
)

// A book has the accounts of one part of the rows, and what was counted of them. One goroutine keeps it at a time.
type book struct {
	judge *Judge // of which it changes nothing
	index int
	ticks []TickBalance
	table table
	place place

	read []entry // of lines that were not known
	keys []byte  // of their rows

	counts    Counts
	delays    []int64 // delivered rows, by the seconds from claim to object
	lateMax   time.Duration
	samples   map[Class]*samples
	findings  map[Class]*Findings  // of the classes that are found in objects
	failed    map[string][]failure // by row; what a copy under an error prefix has paid
	unmatched unmatched
}

// place is the object that rows are being found in.
type place struct {
	object   string
	etag     string
	written  time.Time
	repaired bool // see ByRepair
	excused  bool // see Excuse
	number   int  // from 1
	arrival  arrival
}

// arrival is how long it took to the current object from the claim of a tick, and by how much it is late.
type arrival struct {
	known   bool
	tick    int32
	seconds int
	late    time.Duration // 0 or less if it is not
}

// found is where surplus copies of a row stand.
type found struct {
	object  string
	etag    string
	line    int64
	written time.Time
	count   int64
	more    []int64 // the lines of the others, if somebody watches
	excused bool    // see Excuse
	number  int     // of the object
}

// failure is one owed row that a copy under an error prefix has paid.
type failure struct {
	tick    int32
	object  string
	line    int64
	written time.Time
	reason  string
}

func newBook(j *Judge, index int) *book {
	return &book{
		judge:     j,
		index:     index,
		table:     newTable(),
		samples:   map[Class]*samples{},
		findings:  map[Class]*Findings{},
		failed:    map[string][]failure{},
		unmatched: unmatched{index: map[string]int{}},
	}
}

// here is so many copies at a line of the current object.
func (b *book) here(line, count int64) found {
	p := &b.place
	return found{object: p.object, etag: p.etag, line: line, written: p.written, count: count, excused: p.excused, number: p.number}
}

func (b *book) account(key []byte) *account {
	return b.table.at(b.table.get(keyKind, b.judge.family.Of(keyKind, key)))
}

func (b *book) doubt(key []byte, line int64, reason string) {
	a := b.account(key)
	if a == nil {
		return
	}
	if tick, ok := b.payOwed(a); ok {
		b.counts.Undecided++
		b.ticks[tick].Undecided++
		b.keep(Doubted, sample{Sample{
			Row: b.judge.format(key), Count: 1, Tick: &b.ticks[tick].Time, Object: b.place.object, Line: line, Reason: reason,
		}, b.place.number, ""})
	} else {
		b.paySpare(a)
	}
}

func (b *book) foreign(text string, line int64, reason string) {
	b.counts.Foreign++
	b.keep(Foreign, sample{Sample{Row: text, Count: 1, Object: b.place.object, Line: line, Reason: reason}, b.place.number, ""})
}

// owe opens what is owed of a row that has an account.
func (b *book) owe(a *account, lo, hi int64) {
	if !a.isOpen() {
		b.table.closed--
	}
	b.open(a, lo, hi)
}

func (b *book) open(a *account, lo, hi int64) {
	tick := int32(len(b.ticks) - 1)
	if lo > 0 {
		a.add(true, due{tick: tick, open: int32(lo)})
		b.counts.Owed += lo
		b.ticks[tick].Owed += lo
	}
	if hi == Infinite {
		a.add(false, due{tick, 1, true})
	} else if hi > lo {
		a.add(false, due{tick: tick, open: int32(hi - lo)})
	}
}

// payOwed and paySpare take one from an account.
func (b *book) payOwed(a *account) (tick int32, ok bool) {
	tick, ok = a.payOwed()
	return tick, b.paid(a, ok)
}

func (b *book) paySpare(a *account) (tick int32, ok bool) {
	tick, ok = a.paySpare()
	return tick, b.paid(a, ok)
}

// paid counts an account that was paid and has nothing open any more.
func (b *book) paid(a *account, ok bool) bool {
	if ok && !a.isOpen() {
		b.table.closed++
	}
	return ok
}

// pay takes a copy that was found. The key may be nil if the row has an account.
func (b *book) pay(a *account, key []byte, line int64) {
	tick, ok := int32(0), false
	if a != nil {
		tick, ok = b.payOwed(a)
	}
	if !ok && key == nil {
		key = b.table.key(a)
	}
	if !ok && len(b.failed) > 0 {
		tick, ok = b.bringBack(key)
	}
	if !ok && a != nil {
		if tick, ok = b.paySpare(a); ok {
			b.counts.Recovered++
		}
	}
	switch {
	case ok:
		b.counts.Delivered++
		b.ticks[tick].Delivered++
		b.arrived(tick)
	case a != nil:
		b.surplus(Duplicated, key, b.here(line, 1))
	default:
		b.wonder(key, line)
	}
}

// arrived takes note of how long something of a tick took, whether it came too late, and whether a repair brought it.
func (b *book) arrived(tick int32) {
	t, now := &b.ticks[tick], &b.place.arrival
	if !now.known || now.tick != tick { // for most rows it is the same as for the one before
		seconds := max(0, min(maxDelay, int(b.place.written.Unix()-t.Claimed.Unix())))
		*now = arrival{true, tick, seconds, b.place.written.Sub(t.Settled)}
	}
	if b.place.repaired {
		b.counts.Repaired++
	}
	*b.delay(now.seconds)++
	if now.late > 0 {
		b.counts.Late++
		t.Late++
		b.lateMax = max(b.lateMax, now.late)
	}
}

// delay is how many rows were delivered after so many seconds.
func (b *book) delay(seconds int) *int64 {
	if missing := seconds + 1 - len(b.delays); missing > 0 {
		b.delays = append(b.delays, make([]int64, missing)...)
	}
	return &b.delays[seconds]
}

// bringBack takes a row from the failed, where there is one, and returns its tick. The copy that had paid for it is
// foreign from now on.
func (b *book) bringBack(key []byte) (tick int32, ok bool) {
	failures := b.failed[string(key)]
	if len(failures) == 0 {
		return 0, false
	}
	f := failures[0]
	if len(failures) == 1 {
		delete(b.failed, string(key))
	} else {
		b.failed[string(key)] = failures[1:]
	}
	b.counts.Failed--
	b.ticks[f.tick].Failed--
	b.counts.Foreign++
	return f.tick, true
}

// payFailed pays what is owed and nothing above it: a record of unknown outcome may never have been sent.
func (b *book) payFailed(a *account, e *entry) {
	if a != nil {
		if tick, ok := b.payOwed(a); ok {
			b.counts.Failed++
			b.ticks[tick].Failed++
			key := string(e.data)
			b.failed[key] = append(b.failed[key], failure{tick, b.place.object, e.line, b.place.written, e.remark.reason})
			return
		}
	}
	b.foreign(excerpt([]byte(b.judge.format(e.data))), e.line, e.remark.reason)
}

func (b *book) payReject(a *account, e *entry) {
	if a != nil {
		tick, ok := b.payOwed(a)
		if !ok {
			if tick, ok = b.paySpare(a); ok {
				b.counts.Recovered++
			}
		}
		if ok {
			b.counts.Rejects++
			b.ticks[tick].Rejects++
			b.arrived(tick)
			return
		}
	}
	b.foreign(excerpt([]byte(b.judge.format(e.data))), e.line, e.remark.reason)
}

// close adds what is missing, in flight and unknown at a moment.
func (b *book) close(now time.Time) {
	for _, key := range slices.Sorted(maps.Keys(b.failed)) {
		for _, f := range b.failed[key] {
			b.keep(Failed, sample{Sample{
				Row: b.judge.format([]byte(key)), Count: 1, Tick: &b.ticks[f.tick].Time, Object: f.object, Line: f.line, Reason: f.reason,
			}, int(f.tick), ""})
		}
	}

	type loss struct {
		key []byte
		due due
	}
	earlier := func(a, b loss) int { return cmp.Or(cmp.Compare(a.due.tick, b.due.tick), bytes.Compare(a.key, b.key)) }
	var losses []loss // the first ones
	for a := range b.table.all {
		for d := range a.owed {
			switch t := d.tick; {
			case d.open == 0:
			case b.settled(t, now):
				b.counts.Missing += int64(d.open)
				b.ticks[t].Missing += int64(d.open)
				losses = withFirst(losses, loss{b.table.key(a), d}, earlier)
			default:
				b.counts.InFlight += int64(d.open)
				b.ticks[t].InFlight += int64(d.open)
			}
		}
		for d := range a.spare {
			if d.open > 0 && b.settled(d.tick, now) {
				b.counts.Unknown += int64(d.open)
			}
		}
	}
	for _, l := range losses {
		missing := Sample{Row: b.judge.format(l.key), Count: int64(l.due.open), Tick: &b.ticks[l.due.tick].Time}
		b.keep(Missing, sample{missing, int(l.due.tick), string(l.key)})
	}
}

func (b *book) settled(tick int32, now time.Time) bool { return now.After(b.ticks[tick].Settled) }

func (b *book) keep(class Class, s sample) {
	if b.samples[class] == nil {
		b.samples[class] = &samples{}
	}
	b.samples[class].add(s)
}

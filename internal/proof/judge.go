package proof

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Infinite as the hi of Owe stands for no bound on the copies of a record.
const Infinite = -1

// MaxSamples is how many samples of a class are kept.
const MaxSamples = 20

// maxExcerpt is how much of a corrupt line a sample shows, in bytes.
const maxExcerpt = 200

// maxDelay is the longest delay that is told from longer ones, in seconds: a week.
const maxDelay = 7 * 24 * 3600

// A Tick is one claim.
type Tick struct {
	Time time.Time `json:"time"`
	// Claimed is when it was claimed, and Settled when its delivery deadline is over, both by the bucket's clock.
	Claimed time.Time `json:"claimed"`
	Settled time.Time `json:"settled"`
}

// A Judge holds the balance of every distinct row of which something is open. Make one with NewJudge.
type Judge struct {
	format func(key []byte) string

	ticks []TickBalance
	table table

	object   string
	etag     string
	written  time.Time
	repaired bool // see ByRepair
	excused  bool // see Excuse
	// What was owed and found and is not yet in the accounts, in the order in which it came; the keys stand in buffer.
	keys    [][]byte
	pending [batch]pending
	buffer  []byte

	counts   Counts
	delays   []int64 // delivered rows, by the seconds from claim to object
	lateMax  time.Duration
	samples  map[Class][]Sample
	findings map[Class]*Findings  // of the classes that are found in objects
	failed   map[string][]failure // by row; what a copy under an error prefix has paid

	judgedFrom time.Time // see JudgeFrom

	unmatched unmatched
	ask       func()            // searches the claims for unmatched copies, see Bound; may be nil
	watch     func(Class, Spot) // see Watch; may be nil
}

// A TickBalance is what became of the rows of one tick.
type TickBalance struct {
	Tick
	Owed      int64 `json:"owed"`
	Delivered int64 `json:"delivered"`
	Rejects   int64 `json:"rejects"`
	Failed    int64 `json:"failed"`
	Late      int64 `json:"late"`
	Undecided int64 `json:"undecided,omitempty"`
	// Missing and InFlight are drawn up by Close.
	Missing  int64 `json:"missing,omitempty"`
	InFlight int64 `json:"inFlight,omitempty"`
}

// due is what one tick has open of one row.
type due struct {
	tick     int32
	open     int32
	infinite bool
}

// payable reports whether a copy can pay for it. An infinite due is always open.
func (d due) payable() bool { return d.open > 0 || d.infinite }

// queue holds dues in the order of their claims. The first is kept in place, since most rows have no more.
type queue struct {
	first due
	rest  *[]due
}

func (q *queue) add(tick int32, n int64, infinite bool) {
	d, last := due{tick: tick, open: int32(n), infinite: infinite}, &q.first
	more := q.rest != nil && len(*q.rest) > 0
	if more {
		last = &(*q.rest)[len(*q.rest)-1]
	}
	switch {
	case !more && !q.first.payable():
		q.first = d
	case last.tick == tick && last.infinite == infinite:
		last.open += d.open
	case q.rest == nil:
		q.rest = &[]due{d}
	default:
		*q.rest = append(*q.rest, d)
	}
}

// open reports whether a copy can pay for anything in the queue.
func (q *queue) open() bool { return q.first.payable() || q.rest != nil && len(*q.rest) > 0 }

// pay takes one from the oldest due that can be paid for and returns its tick.
func (q *queue) pay() (tick int32, ok bool) {
	for !q.first.payable() {
		if q.rest == nil || len(*q.rest) == 0 {
			return 0, false
		}
		q.first, *q.rest = (*q.rest)[0], (*q.rest)[1:]
	}
	q.first.open = max(q.first.open-1, 0)
	return q.first.tick, true
}

// all gives the dues, paid ones too.
func (q *queue) all(yield func(due) bool) {
	if !yield(q.first) || q.rest == nil {
		return
	}
	for _, d := range *q.rest {
		if !yield(d) {
			return
		}
	}
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
}

// failure is one owed row that a copy under an error prefix has paid.
type failure struct {
	tick    int32
	object  string
	line    int64
	written time.Time
	reason  string
}

// pending is one row that is owed, or one copy that was found.
type pending struct {
	what   what
	line   int64 // of the copy
	reason string
	lo, hi int64 // of the row
}

type what uint8

const (
	owe what = iota
	find
	fail
	reject
)

// NewJudge makes a judge of nothing owed and nothing found; format writes a row's key for people.
func NewJudge(format func(key []byte) string) *Judge {
	return &Judge{
		format:   format,
		keys:     make([][]byte, 0, batch),
		table:    newTable(),
		samples:  map[Class][]Sample{},
		findings: map[Class]*Findings{},
		failed:   map[string][]failure{},

		unmatched: unmatched{index: map[string]int{}},
	}
}

// JudgeFrom excuses surplus copies in objects that were written before a time: rows that nothing explains there may be
// owed by records that are older than what this judge is given. They are counted as Older. The judge keeps this in no
// State.
func (j *Judge) JudgeFrom(written time.Time) { j.judgedFrom = written }

// Claim opens a tick; what is owed from now on is owed by it.
func (j *Judge) Claim(t Tick) {
	j.settle()
	j.ticks = append(j.ticks, TickBalance{Tick: t})
}

// Owe opens one record's row: the stream holds lo to hi copies of it.
func (j *Judge) Owe(key []byte, lo, hi int64) {
	if hi != 0 {
		j.add(key, pending{lo: lo, hi: hi})
	}
}

// Object says where, in which version and written when, the rows that follow are found.
func (j *Judge) Object(key, etag string, written time.Time) {
	j.settle()
	j.object, j.etag, j.written, j.repaired, j.excused = key, etag, written, false, false
}

// ByRepair says that a repair wrote the current object.
func (j *Judge) ByRepair() { j.repaired = true }

// Excuse excuses surplus copies in the current object, as JudgeFrom does.
func (j *Judge) Excuse() { j.excused = true }

// here is so many copies at a line of the current object.
func (j *Judge) here(line, count int64) found {
	return found{object: j.object, etag: j.etag, line: line, written: j.written, count: count, excused: j.excused}
}

// Find takes one copy of a row, found in the current object at this line (from 1).
func (j *Judge) Find(key []byte, line int64) { j.add(key, pending{what: find, line: line}) }

// Fail takes one copy of a row that stands under an error prefix, in the current object, for a reason: the row can be
// brought back, but was not delivered. What it pays is failed until a copy is found for which nothing else is open, so
// a failed row that is delivered later is no duplicate. A copy that is not owed is foreign.
func (j *Judge) Fail(key []byte, line int64, reason string) {
	j.add(key, pending{what: fail, line: line, reason: reason})
}

// Reject takes one rejected line, in the current object, for a reason. Where a record was malformed on purpose its key
// is owed, and this is how it is paid; else the line is foreign.
func (j *Judge) Reject(key []byte, line int64, reason string) {
	j.add(key, pending{what: reject, line: line, reason: reason})
}

// Open reports whether a copy of the row could pay for something.
func (j *Judge) Open(key []byte) bool {
	a := j.account(key)
	return a != nil && a.open() || len(j.failed[string(key)]) > 0
}

// Doubt takes one copy of a row, found in the current object at this line, that may as well be another epoch's. What is
// owed and open of the row becomes undecided: it is neither delivered nor missing.
func (j *Judge) Doubt(key []byte, line int64, reason string) {
	a := j.account(key)
	if a == nil {
		return
	}
	if tick, ok := j.payFrom(a, &a.owed); ok {
		j.counts.Undecided++
		j.ticks[tick].Undecided++
		j.keep(Doubted, Sample{Row: j.format(key), Count: 1, Tick: &j.ticks[tick].Time, Object: j.object, Line: line, Reason: reason})
	} else {
		j.payFrom(a, &a.spare)
	}
}

func (j *Judge) account(key []byte) *account {
	j.settle()
	return j.table.get(key, j.table.hash(key))
}

// Counts are what was counted so far. Before Close, nothing is missing or in flight.
func (j *Judge) Counts() Counts {
	j.settle()
	return j.counts
}

// Foreign takes anything under an error prefix that pays for nothing. It fails no verdict.
func (j *Judge) Foreign(text []byte, line int64, reason string) {
	j.counts.Foreign++
	j.keep(Foreign, Sample{Row: excerpt(text), Count: 1, Object: j.object, Line: line, Reason: reason})
}

// Corrupt takes a line that is not a row.
func (j *Judge) Corrupt(text []byte, line int64, reason string) {
	j.counts.Corrupt++
	j.note(Corrupt, excerpt(text), j.here(line, 1), reason)
}

func excerpt(text []byte) string { return string(text[:min(len(text), maxExcerpt)]) }

func (j *Judge) add(key []byte, p pending) {
	at := len(j.buffer)
	j.buffer = append(j.buffer, key...)
	j.pending[len(j.keys)] = p
	j.keys = append(j.keys, j.buffer[at:])
	if len(j.keys) == batch {
		j.settle()
	}
}

// settle opens what is owed and has the copies pay, in the order in which they came.
func (j *Judge) settle() {
	var hashes [batch]uint64
	j.table.fetch(j.keys, &hashes)
	for i, key := range j.keys {
		a, p := j.table.get(key, hashes[i]), &j.pending[i]
		switch {
		case p.what == find:
			j.pay(a, key, p.line)
		case p.what == fail:
			j.payFailed(a, key, p)
		case p.what == reject:
			j.payReject(a, key, p)
		case a == nil:
			j.open(j.table.add(key, hashes[i]), p.lo, p.hi)
		default:
			if !a.open() {
				j.table.closed--
			}
			j.open(a, p.lo, p.hi)
		}
	}
	j.keys, j.buffer = j.keys[:0], j.buffer[:0]
	j.table.shrink()
}

func (j *Judge) open(a *account, lo, hi int64) {
	tick := int32(len(j.ticks) - 1)
	if lo > 0 {
		a.owed.add(tick, lo, false)
		j.counts.Owed += lo
		j.ticks[tick].Owed += lo
	}
	if hi == Infinite {
		a.spare.add(tick, 1, true)
	} else if hi > lo {
		a.spare.add(tick, hi-lo, false)
	}
}

// payFrom takes one from a queue of an account.
func (j *Judge) payFrom(a *account, q *queue) (tick int32, ok bool) {
	if tick, ok = q.pay(); ok && !a.open() {
		j.table.closed++
	}
	return tick, ok
}

func (j *Judge) pay(a *account, key []byte, line int64) {
	if a == nil && len(j.failed) == 0 {
		j.wonder(key, line)
		return
	}
	tick, ok := int32(0), false
	if a != nil {
		tick, ok = j.payFrom(a, &a.owed)
	}
	if !ok {
		tick, ok = j.bringBack(key)
	}
	if !ok && a != nil {
		if tick, ok = j.payFrom(a, &a.spare); ok {
			j.counts.Recovered++
		}
	}
	switch {
	case ok:
		j.counts.Delivered++
		j.ticks[tick].Delivered++
		j.arrived(tick)
	case a != nil:
		j.surplus(Duplicated, key, j.here(line, 1))
	default:
		j.wonder(key, line)
	}
}

// arrived takes note of how long something of a tick took, whether it came too late, and whether a repair brought it.
func (j *Judge) arrived(tick int32) {
	t := &j.ticks[tick]
	if j.repaired {
		j.counts.Repaired++
	}
	seconds := max(0, min(maxDelay, int(j.written.Unix()-t.Claimed.Unix())))
	for len(j.delays) <= seconds {
		j.delays = append(j.delays, 0)
	}
	j.delays[seconds]++
	if late := j.written.Sub(t.Settled); late > 0 {
		j.counts.Late++
		t.Late++
		j.lateMax = max(j.lateMax, late)
	}
}

// bringBack takes a row from the failed, where there is one, and returns its tick. The copy that had paid for it is
// foreign from now on.
func (j *Judge) bringBack(key []byte) (tick int32, ok bool) {
	failures := j.failed[string(key)]
	if len(failures) == 0 {
		return 0, false
	}
	f := failures[0]
	if len(failures) == 1 {
		delete(j.failed, string(key))
	} else {
		j.failed[string(key)] = failures[1:]
	}
	j.counts.Failed--
	j.ticks[f.tick].Failed--
	j.counts.Foreign++
	return f.tick, true
}

// payFailed pays what is owed and nothing above it: a record of unknown outcome may never have been sent.
func (j *Judge) payFailed(a *account, key []byte, p *pending) {
	if a != nil {
		if tick, ok := j.payFrom(a, &a.owed); ok {
			j.counts.Failed++
			j.ticks[tick].Failed++
			j.failed[string(key)] = append(j.failed[string(key)], failure{tick, j.object, p.line, j.written, p.reason})
			return
		}
	}
	j.Foreign([]byte(j.format(key)), p.line, p.reason)
}

func (j *Judge) payReject(a *account, key []byte, p *pending) {
	if a != nil {
		tick, ok := j.payFrom(a, &a.owed)
		if !ok {
			if tick, ok = j.payFrom(a, &a.spare); ok {
				j.counts.Recovered++
			}
		}
		if ok {
			j.counts.Rejects++
			j.ticks[tick].Rejects++
			j.arrived(tick)
			return
		}
	}
	j.Foreign([]byte(j.format(key)), p.line, p.reason)
}

// A Result is the balance at one moment.
type Result struct {
	Counts  Counts
	Samples map[Class][]Sample
	Ticks   []TickBalance
	// Delays are delivered rows and rejects by the whole seconds from their tick's claim to their object.
	Delays []int64
	// LateMax is by how much the latest of the late ones missed its deadline.
	LateMax time.Duration

	judge *Judge
	at    time.Time
}

// Close draws up the balance at a moment of the bucket's clock. The judge is of no use after it.
func (j *Judge) Close(now time.Time) *Result {
	j.settle()
	j.explain()
	for _, key := range slices.Sorted(maps.Keys(j.failed)) {
		for _, f := range j.failed[key] {
			j.keep(Failed, Sample{
				Row: j.format([]byte(key)), Count: 1, Tick: &j.ticks[f.tick].Time, Object: f.object, Line: f.line, Reason: f.reason,
			})
		}
	}

	type loss struct {
		row *account
		due due
	}
	var losses []loss
	for i := range j.table.accounts {
		a := &j.table.accounts[i]
		for d := range a.owed.all {
			switch t := d.tick; {
			case d.open == 0:
			case j.settled(t, now):
				j.counts.Missing += int64(d.open)
				j.ticks[t].Missing += int64(d.open)
				losses = append(losses, loss{a, d})
			default:
				j.counts.InFlight += int64(d.open)
				j.ticks[t].InFlight += int64(d.open)
			}
		}
		for d := range a.spare.all {
			if d.open > 0 && j.settled(d.tick, now) {
				j.counts.Unknown += int64(d.open)
			}
		}
	}
	slices.SortStableFunc(losses, func(a, b loss) int { return cmp.Compare(a.due.tick, b.due.tick) })
	for _, l := range losses[:min(len(losses), MaxSamples)] {
		j.keep(Missing, Sample{Row: j.format(j.table.key(l.row)), Count: int64(l.due.open), Tick: &j.ticks[l.due.tick].Time})
	}
	return &Result{j.counts, j.samples, j.ticks, j.delays, j.lateMax, j, now}
}

func (j *Judge) settled(tick int32, now time.Time) bool { return now.After(j.ticks[tick].Settled) }

func (j *Judge) keep(class Class, s Sample) {
	if len(j.samples[class]) < MaxSamples {
		s.Reason = excerpt([]byte(s.Reason))
		j.samples[class] = append(j.samples[class], s)
	}
}

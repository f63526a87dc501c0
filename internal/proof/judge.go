package proof

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"streamproof/internal/fingerprint"
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

	ticks  []TickBalance
	family *fingerprint.Family
	table  table

	object   string
	etag     string
	written  time.Time
	repaired bool   // see ByRepair
	excused  bool   // see Excuse
	block    block  // what was owed and found and is not yet in the accounts
	keys     []byte // of lines
	reader   LineReader

	counts   Counts
	delays   []int64 // delivered rows, by the seconds from claim to object
	lateMax  time.Duration
	samples  map[Class][]Sample
	findings map[Class]*Findings  // of the classes that are found in objects
	failed   map[string][]failure // by row; what a copy under an error prefix has paid

	judgedFrom time.Time // see JudgeFrom
	part       Part      // see Only

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

// NewJudge makes a judge of nothing owed and nothing found; format writes a row's key for people.
func NewJudge(format func(key []byte) string) *Judge {
	return &Judge{
		format:   format,
		family:   fingerprint.NewFamily(),
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
		j.add(key, entry{lo: lo, hi: hi})
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
func (j *Judge) Find(key []byte, line int64) { j.add(key, entry{what: find, line: line}) }

// Fail takes one copy of a row that stands under an error prefix, in the current object, for a reason: the row can be
// brought back, but was not delivered. What it pays is failed until a copy is found for which nothing else is open, so
// a failed row that is delivered later is no duplicate. A copy that is not owed is foreign.
func (j *Judge) Fail(key []byte, line int64, reason string) {
	j.add(key, entry{what: fail, line: line, remark: &remark{reason: reason}})
}

// Reject takes one rejected line, in the current object, for a reason. Where a record was malformed on purpose its key
// is owed, and this is how it is paid; else the line is foreign.
func (j *Judge) Reject(key []byte, line int64, reason string) {
	j.add(key, entry{what: reject, line: line, remark: &remark{reason: reason}})
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
	if tick, ok := j.payOwed(a); ok {
		j.counts.Undecided++
		j.ticks[tick].Undecided++
		j.keep(Doubted, Sample{Row: j.format(key), Count: 1, Tick: &j.ticks[tick].Time, Object: j.object, Line: line, Reason: reason})
	} else {
		j.paySpare(a)
	}
}

func (j *Judge) account(key []byte) *account {
	j.settle()
	return j.table.at(j.table.get(j.family.Of(keyKind, key)))
}

// Counts are what was counted so far. Before Close, nothing is missing or in flight.
func (j *Judge) Counts() Counts {
	j.settle()
	return j.counts
}

// Foreign takes anything under an error prefix that pays for nothing. It fails no verdict.
func (j *Judge) Foreign(text []byte, line int64, reason string) {
	if j.part.Index == 0 {
		j.foreign(excerpt(text), line, reason)
	}
}

func (j *Judge) foreign(text string, line int64, reason string) {
	j.counts.Foreign++
	j.keep(Foreign, Sample{Row: text, Count: 1, Object: j.object, Line: line, Reason: reason})
}

// Corrupt takes a line that is not a row.
func (j *Judge) Corrupt(text []byte, line int64, reason string) {
	if j.part.Index > 0 {
		return
	}
	j.counts.Corrupt++
	j.note(Corrupt, excerpt(text), j.here(line, 1), reason)
}

func excerpt(text []byte) string { return string(text[:min(len(text), maxExcerpt)]) }

func (j *Judge) open(a *account, lo, hi int64) {
	tick := int32(len(j.ticks) - 1)
	if lo > 0 {
		a.add(true, due{tick: tick, open: int32(lo)})
		j.counts.Owed += lo
		j.ticks[tick].Owed += lo
	}
	if hi == Infinite {
		a.add(false, due{tick, 1, true})
	} else if hi > lo {
		a.add(false, due{tick: tick, open: int32(hi - lo)})
	}
}

// payOwed and paySpare take one from an account.
func (j *Judge) payOwed(a *account) (tick int32, ok bool) {
	tick, ok = a.payOwed()
	return tick, j.paid(a, ok)
}

func (j *Judge) paySpare(a *account) (tick int32, ok bool) {
	tick, ok = a.paySpare()
	return tick, j.paid(a, ok)
}

// paid counts an account that was paid and has nothing open any more.
func (j *Judge) paid(a *account, ok bool) bool {
	if ok && !a.open() {
		j.table.closed++
	}
	return ok
}

func (j *Judge) pay(a *account, e *entry) {
	tick, ok := int32(0), false
	if a != nil {
		tick, ok = j.payOwed(a)
	}
	if !ok && len(j.failed) > 0 {
		tick, ok = j.bringBack(j.keyOf(a, e))
	}
	if !ok && a != nil {
		if tick, ok = j.paySpare(a); ok {
			j.counts.Recovered++
		}
	}
	switch {
	case ok:
		j.counts.Delivered++
		j.ticks[tick].Delivered++
		j.arrived(tick)
	case a != nil:
		j.surplus(Duplicated, j.keyOf(a, e), j.here(e.line, 1))
	default:
		j.wonder(e.data, e.line)
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
func (j *Judge) payFailed(a *account, e *entry) {
	key := j.keyOf(a, e)
	if a != nil {
		if tick, ok := j.payOwed(a); ok {
			j.counts.Failed++
			j.ticks[tick].Failed++
			j.failed[string(key)] = append(j.failed[string(key)], failure{tick, j.object, e.line, j.written, e.remark.reason})
			return
		}
	}
	j.foreign(excerpt([]byte(j.format(key))), e.line, e.remark.reason)
}

func (j *Judge) payReject(a *account, e *entry) {
	if a != nil {
		tick, ok := j.payOwed(a)
		if !ok {
			if tick, ok = j.paySpare(a); ok {
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
	j.foreign(excerpt([]byte(j.format(j.keyOf(a, e)))), e.line, e.remark.reason)
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
	for a := range j.table.all {
		for d := range a.owed {
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
		for d := range a.spare {
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

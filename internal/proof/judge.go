package proof

import (
	"slices"
	"sync"
	"time"

	"streamproof/internal/fingerprint"
	"streamproof/internal/sieve"
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

// A Judge holds the balance of every distinct row of which something is open. Make one with NewJudge. It is for one
// goroutine, and has its books kept by others.
type Judge struct {
	format func(key []byte) string
	family *fingerprint.Family
	books  []*book // each of one part of the rows
	only   Part    // see Only

	blocks  sync.Pool // of *block, to be used again
	current *block    // what was owed and found and no book has been given yet
	steps   []step    // which the books take next
	waiting int       // about how many bytes they take
	taken   []step    // which they are taking now
	keeping sync.WaitGroup

	judgedFrom time.Time         // see JudgeFrom
	watch      func(Class, Spot) // see Watch; may be nil
	limit      int               // see Bound
	ask        func()            // searches the claims for unmatched copies, see Bound; may be nil
	sieve      *sieve.Sieve      // of the rows that any claim gives; nil until the limit was reached
	learning   bool              // whether the sieve is being filled
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

// add adds what became of the same tick's rows in another part.
func (t *TickBalance) add(o *TickBalance) {
	t.Owed += o.Owed
	t.Delivered += o.Delivered
	t.Rejects += o.Rejects
	t.Failed += o.Failed
	t.Late += o.Late
	t.Undecided += o.Undecided
	t.Missing += o.Missing
	t.InFlight += o.InFlight
}

// NewJudge makes a judge of nothing owed and nothing found. It divides the rows into so many parts, at least 1, and
// counts all of them at the same time: with one for each core it is fastest. Whatever the number, it says the same.
// The function format writes a row's key for people. It is called by several goroutines at once if there are several
// parts.
func NewJudge(format func(key []byte) string, parts int) *Judge {
	j := &Judge{format: format, family: fingerprint.NewFamily()}
	for i := range parts {
		j.books = append(j.books, newBook(j, i))
	}
	return j
}

// JudgeFrom excuses surplus copies in objects that were written before a time: rows that nothing explains there may be
// owed by records that are older than what this judge is given. They are counted as Older. The judge keeps this in no
// State.
func (j *Judge) JudgeFrom(written time.Time) {
	j.settle()
	j.judgedFrom = written
}

// Claim opens a tick; what is owed from now on is owed by it.
func (j *Judge) Claim(t Tick) {
	j.each(func(b *book) { b.ticks = append(b.ticks, TickBalance{Tick: t}) })
}

// Owe opens one record's row: the stream holds lo to hi copies of it.
func (j *Judge) Owe(key []byte, lo, hi int64) {
	if hi != 0 {
		j.add(key, entry{lo: lo, hi: hi})
	}
}

// Object says where, in which version and written when, the rows that follow are found.
func (j *Judge) Object(key, etag string, written time.Time) {
	j.each(func(b *book) { b.place = place{object: key, etag: etag, written: written, number: b.place.number + 1} })
}

// ByRepair says that a repair wrote the current object.
func (j *Judge) ByRepair() { j.each(func(b *book) { b.place.repaired = true }) }

// Excuse excuses surplus copies in the current object, as JudgeFrom does.
func (j *Judge) Excuse() { j.each(func(b *book) { b.place.excused = true }) }

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
	j.settle()
	b := j.bookOf(key)
	a := b.account(key)
	return a != nil && a.isOpen() || len(b.failed[string(key)]) > 0
}

// Doubt takes one copy of a row, found in the current object at this line, that may as well be another epoch's. What is
// owed and open of the row becomes undecided: it is neither delivered nor missing.
func (j *Judge) Doubt(key []byte, line int64, reason string) {
	j.settle()
	j.bookOf(key).doubt(key, line, reason)
}

// Counts are what was counted so far. Before Close, nothing is missing or in flight.
func (j *Judge) Counts() (all Counts) {
	j.settle()
	for _, b := range j.books {
		all.Add(b.counts)
	}
	return all
}

// Foreign takes anything under an error prefix that pays for nothing. It fails no verdict.
func (j *Judge) Foreign(text []byte, line int64, reason string) {
	if j.only.Index > 0 {
		return
	}
	shown := excerpt(text)
	j.first(func(b *book) { b.foreign(shown, line, reason) })
}

// Corrupt takes a line that is not a row.
func (j *Judge) Corrupt(text []byte, line int64, reason string) {
	if j.only.Index > 0 {
		return
	}
	shown := excerpt(text)
	j.first(func(b *book) {
		b.counts.Corrupt++
		b.note(Corrupt, nil, shown, b.here(line, 1), reason)
	})
}

func excerpt(text []byte) string { return string(text[:min(len(text), maxExcerpt)]) }

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
	j.explain()
	for _, b := range j.books {
		b.close(now)
	}
	r := &Result{Samples: j.samples(), Ticks: j.ticks(), Delays: j.delays(), judge: j, at: now}
	for _, b := range j.books {
		r.Counts.Add(b.counts)
		r.LateMax = max(r.LateMax, b.lateMax)
	}
	return r
}

// ticks are what became of the rows of each tick.
func (j *Judge) ticks() []TickBalance {
	all := slices.Clone(j.books[0].ticks)
	for _, b := range j.books[1:] {
		for i := range all {
			all[i].add(&b.ticks[i])
		}
	}
	return all
}

func (j *Judge) delays() (all []int64) {
	for _, b := range j.books {
		all = append(all, make([]int64, max(0, len(b.delays)-len(all)))...)
		for seconds, n := range b.delays {
			all[seconds] += n
		}
	}
	return all
}

// samples are the first ones of all books.
func (j *Judge) samples() map[Class][]Sample {
	first := map[Class]*samples{}
	for _, b := range j.books {
		for class, some := range b.samples {
			if first[class] == nil {
				first[class] = &samples{}
			}
			for _, s := range *some {
				first[class].add(s)
			}
		}
	}
	all := map[Class][]Sample{}
	for class, some := range first {
		for _, s := range *some {
			all[class] = append(all[class], s.Sample)
		}
	}
	return all
}

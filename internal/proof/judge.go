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

// A Tick is one claim.
type Tick struct {
	Time time.Time
	// Claimed is when the claim was written, Settled when its delivery deadline is over; both by the bucket's clock.
	Claimed, Settled time.Time
}

// A Judge holds the balance of every distinct row. Make one with NewJudge.
type Judge struct {
	format func(key []byte) string

	ticks    []Tick
	accounts []account
	index    map[string]int32 // key → accounts

	object  string
	written time.Time

	counts  Counts
	samples map[Class][]Sample
	strange map[string][]found
	leaks   map[string]time.Time
}

// account is what is open of one distinct row.
type account struct {
	owed   queue // lo
	spare  queue // hi − lo
	number int32 // of this account's key in order of first claim, for stable samples
}

// due is what one tick has open of one row.
type due struct {
	tick     int32
	infinite bool
	open     int64
}

// queue holds dues in the order of their claims. The first is kept in place, since most rows have no more.
type queue struct {
	first due
	used  bool
	rest  []due
}

func (q *queue) add(tick int32, n int64, infinite bool) {
	last := &q.first
	if len(q.rest) > 0 {
		last = &q.rest[len(q.rest)-1]
	}
	if q.used && last.tick == tick && last.infinite == infinite {
		last.open += n
		return
	}
	d := due{tick: tick, open: n, infinite: infinite}
	if !q.used {
		q.first, q.used = d, true
		return
	}
	q.rest = append(q.rest, d)
}

// pay takes one from the oldest due that is open and returns its tick. An infinite due is always open.
func (q *queue) pay() (tick int32, ok bool) {
	for q.used {
		if q.first.open > 0 || q.first.infinite {
			q.first.open = max(q.first.open-1, 0)
			return q.first.tick, true
		}
		if len(q.rest) == 0 {
			q.used = false
			break
		}
		q.first, q.rest = q.rest[0], q.rest[1:]
	}
	return 0, false
}

func (q *queue) all(yield func(due) bool) {
	if !q.used || !yield(q.first) {
		return
	}
	for _, d := range q.rest {
		if !yield(d) {
			return
		}
	}
}

// found is a surplus copy of a row that no tick owed when it was found.
type found struct {
	object  string
	line    int64
	written time.Time
	count   int64
}

// NewJudge makes a judge of nothing owed and nothing found; format writes a row's key for people.
func NewJudge(format func(key []byte) string) *Judge {
	return &Judge{
		format:  format,
		index:   map[string]int32{},
		samples: map[Class][]Sample{},
		strange: map[string][]found{},
		leaks:   map[string]time.Time{},
	}
}

// Claim opens a tick; what is owed from now on is owed by it.
func (j *Judge) Claim(t Tick) { j.ticks = append(j.ticks, t) }

// Owe opens one record's row: the stream holds lo to hi copies of it.
func (j *Judge) Owe(key []byte, lo, hi int64) {
	if hi == 0 {
		return
	}
	i, ok := j.index[string(key)]
	if !ok {
		i = int32(len(j.accounts))
		j.accounts = append(j.accounts, account{number: i})
		j.index[string(key)] = i
	}
	a, tick := &j.accounts[i], int32(len(j.ticks)-1)
	if lo > 0 {
		a.owed.add(tick, lo, false)
		j.counts.Owed += lo
	}
	if hi == Infinite {
		a.spare.add(tick, 1, true)
	} else if hi > lo {
		a.spare.add(tick, hi-lo, false)
	}
}

// Object says where, and written when, the rows that follow are found.
func (j *Judge) Object(key string, written time.Time) { j.object, j.written = key, written }

// Find takes one copy of a row, found in the current object at this line (from 1).
func (j *Judge) Find(key []byte, line int64) {
	i, ok := j.index[string(key)]
	if !ok {
		j.wonder(key, line)
		return
	}
	a := &j.accounts[i]
	if tick, ok := a.owed.pay(); ok {
		j.counts.Delivered++
		if j.written.After(j.ticks[tick].Settled) {
			j.counts.Late++
		}
	} else if tick, ok = a.spare.pay(); ok {
		j.counts.Delivered++
		j.counts.Recovered++
		if j.written.After(j.ticks[tick].Settled) {
			j.counts.Late++
		}
	} else {
		j.counts.Duplicated++
		j.sample(Duplicated, key, found{object: j.object, line: line, count: 1})
	}
}

func (j *Judge) wonder(key []byte, line int64) {
	places := j.strange[string(key)]
	if n := len(places); n > 0 && places[n-1].object == j.object {
		places[n-1].count++
		return
	}
	j.strange[string(key)] = append(places, found{object: j.object, line: line, written: j.written, count: 1})
}

// Corrupt takes a line that is not a row.
func (j *Judge) Corrupt(text []byte, line int64, reason string) {
	j.counts.Corrupt++
	if len(j.samples[Corrupt]) < MaxSamples {
		excerpt := string(text[:min(len(text), maxExcerpt)])
		j.samples[Corrupt] = append(j.samples[Corrupt], Sample{Row: excerpt, Count: 1, Object: j.object, Line: line, Reason: reason})
	}
}

// Strange says whether there are copies that no tick owed when they were found. If so, Leak should be told of every row
// that the query without its WHERE gives, before Close.
func (j *Judge) Strange() bool { return len(j.strange) > 0 }

// Leak says that a record of a tick that was claimed then gives this row once the query's WHERE is left out.
func (j *Judge) Leak(key []byte, claimed time.Time) {
	if _, ok := j.strange[string(key)]; !ok {
		return
	}
	if before, ok := j.leaks[string(key)]; !ok || claimed.Before(before) {
		j.leaks[string(key)] = claimed
	}
}

// Close draws up the balance at a moment of the bucket's clock. The judge is of no use after it.
func (j *Judge) Close(now time.Time) (Counts, map[Class][]Sample) {
	for _, key := range slices.Sorted(maps.Keys(j.strange)) {
		leaked, ok := j.leaks[key]
		for _, f := range j.strange[key] {
			if ok && !leaked.After(f.written) {
				j.counts.Leaked += f.count
				j.sample(Leaked, []byte(key), f)
			} else {
				j.counts.Unexpected += f.count
				j.sample(Unexpected, []byte(key), f)
			}
		}
	}

	type loss struct {
		key   string
		count int64
		tick  int32
	}
	var losses []loss
	for key, i := range j.index {
		for d := range j.accounts[i].owed.all {
			switch {
			case d.open == 0:
			case j.settled(d.tick, now):
				j.counts.Missing += d.open
				losses = append(losses, loss{key, d.open, d.tick})
			default:
				j.counts.InFlight += d.open
			}
		}
		for d := range j.accounts[i].spare.all {
			if j.settled(d.tick, now) {
				j.counts.Unknown += d.open
			}
		}
	}
	slices.SortFunc(losses, func(a, b loss) int {
		return cmp.Or(cmp.Compare(a.tick, b.tick), cmp.Compare(j.accounts[j.index[a.key]].number, j.accounts[j.index[b.key]].number))
	})
	for _, l := range losses[:min(len(losses), MaxSamples)] {
		j.samples[Missing] = append(j.samples[Missing],
			Sample{Row: j.format([]byte(l.key)), Count: l.count, Tick: &j.ticks[l.tick].Time})
	}
	return j.counts, j.samples
}

func (j *Judge) settled(tick int32, now time.Time) bool { return now.After(j.ticks[tick].Settled) }

func (j *Judge) sample(class Class, key []byte, f found) {
	if len(j.samples[class]) < MaxSamples {
		j.samples[class] = append(j.samples[class],
			Sample{Row: j.format(key), Count: f.count, Object: f.object, Line: f.line})
	}
}

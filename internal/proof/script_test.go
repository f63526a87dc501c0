package proof_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/proof"
)

// A script is claims and objects in the order of time, with every kind of finding.
type script struct {
	steps []func(*proof.Judge) // a claim or an object each
	owed  map[string]time.Time // by row, since when
	leaks map[string]time.Time
}

func drawScript(t *rapid.T) *script {
	s := &script{owed: map[string]time.Time{}, leaks: map[string]time.Time{}}
	distinct := rapid.SampledFrom([]int{4, 60}).Draw(t, "distinct rows")
	row := rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("b,%d", rapid.IntRange(0, distinct).Draw(t, "row")) })
	for at := range rapid.IntRange(2, 8).Draw(t, "steps") {
		at *= 20
		if at == 0 || rapid.Bool().Draw(t, "claim") {
			s.steps = append(s.steps, s.drawClaim(t, second(at), rapid.SliceOfN(row, 1, 30).Draw(t, "owed")))
		} else {
			s.steps = append(s.steps, drawObject(t, second(at), rapid.SliceOfN(row, 1, 50).Draw(t, "found")))
		}
	}
	return s
}

func (s *script) drawClaim(t *rapid.T, at time.Time, rows []string) func(*proof.Judge) {
	lo, hi := rapid.Int64Range(0, 1).Draw(t, "lo"), rapid.SampledFrom([]int64{1, 2, proof.Infinite}).Draw(t, "hi")
	batch := rapid.Bool().Draw(t, "in a batch")
	tick := proof.Tick{Time: at, Claimed: at, Settled: at.Add(60 * time.Second)}
	if leak := rows[0]; s.owed[leak].IsZero() && len(rows) > 1 {
		s.leaks[leak], rows = at, rows[1:]
	}
	for _, row := range rows {
		if s.owed[row].IsZero() {
			s.owed[row] = at
		}
	}
	return func(j *proof.Judge) {
		j.Claim(tick)
		owed := j.NewBatch()
		for _, row := range rows {
			if batch {
				owed.Owe([]byte(row), lo, hi)
			} else {
				j.Owe([]byte(row), lo, hi)
			}
		}
		j.OweBatch(owed)
	}
}

func drawObject(t *rapid.T, at time.Time, rows []string) func(*proof.Judge) {
	kinds := []string{"find", "find", "find", "fail", "reject", "foreign", "corrupt", "doubt"}
	kind := rapid.SliceOfN(rapid.SampledFrom(kinds), len(rows), len(rows)).Draw(t, "kinds")
	lines := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "A", "a", "b", "?", "!"}), 0, 30).Draw(t, "lines")
	for i := range lines {
		lines[i] += rows[i%len(rows)][1:]
	}
	repaired, excused := rapid.Bool().Draw(t, "repaired"), rapid.IntRange(0, 3).Draw(t, "excused") == 0
	return func(j *proof.Judge) {
		j.Object(at.Format(time.TimeOnly), "v1", at)
		if repaired {
			j.ByRepair()
		}
		if excused {
			j.Excuse()
		}
		j.FindLines(linesOf(lines), proof.LineReader{Read: readRow, Refuse: func(l proof.Line, err error) {
			j.Corrupt(l.Text, l.Number, err.Error())
		}})
		for i, row := range rows {
			row, line := []byte(row), int64(len(lines)+i/2) // two rows a line, as in a packed record
			switch kind[i] {
			case "find":
				j.Find(row, line)
			case "fail":
				j.Fail(row, line, "failed")
			case "reject":
				j.Reject(row, line, "rejected")
			case "foreign":
				j.Foreign(row, line, "foreign")
			case "corrupt":
				j.Corrupt(row, line, "corrupt")
			case "doubt":
				j.Doubt(row, line, "in doubt")
			}
		}
	}
}

// tell tells the judge which claims give the unmatched copies, as a verifier does.
func (s *script) tell(j *proof.Judge) {
	for row, at := range s.owed {
		j.Owned([]byte(row), at)
	}
	for row, at := range s.leaks {
		j.Leaked([]byte(row), at)
	}
}

// A way is how a script is judged.
type way struct {
	books int
	stop  int // after every so many steps the judge is restored from its state
	hold  int // bytes of unmatched copies; 0 for all
	part  proof.Part
}

func drawWay(t *rapid.T) way {
	return way{
		books: rapid.IntRange(1, 3).Draw(t, "books"),
		stop:  rapid.SampledFrom([]int{1, 2, 100}).Draw(t, "steps between states"),
		hold:  rapid.SampledFrom([]int{0, 1, 1000}).Draw(t, "hold"),
	}
}

func (s *script) judged(by way) *proof.Judge {
	start := func(j *proof.Judge) *proof.Judge {
		j.Only(by.part)
		if by.hold > 0 {
			j.Bound(by.hold, func() { s.tell(j) })
		}
		return j
	}
	j := start(judgeOf(by.books))
	for i, step := range s.steps {
		step(j)
		if (i+1)%by.stop > 0 {
			continue
		}
		s.tell(j.Settled())
		restored, err := proof.Restore(reread(j.State(math.MaxInt)), text, by.books)
		if err != nil {
			panic(err)
		}
		j = start(restored)
	}
	s.tell(j.Settled())
	return j
}

// reread passes a state through JSON.
func reread(s *proof.State) *proof.State {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	var again proof.State
	if err := json.Unmarshal(data, &again); err != nil {
		panic(err)
	}
	return &again
}

// A statement is all that a judge says.
type statement struct {
	State    *proof.State
	Counts   proof.Counts
	Samples  map[proof.Class][]proof.Sample
	Ticks    []proof.TickBalance
	Delays   []int64
	LateMax  time.Duration
	Findings map[proof.Class][]proof.Group
	Losses   []proof.Loss
}

func said(j *proof.Judge, now time.Time) *statement {
	state := j.State(math.MaxInt)
	r := j.Close(now)
	s := &statement{state, r.Counts, r.Samples, r.Ticks, r.Delays, r.LateMax, map[proof.Class][]proof.Group{}, nil}
	for _, class := range append([]proof.Class{proof.InFlight}, proof.Classes...) {
		s.Findings[class] = r.Findings(class, func(time.Time) bool { return true }).Sorted()
	}
	for l := range r.Losses() {
		l.Key = bytes.Clone(l.Key)
		s.Losses = append(s.Losses, l)
	}
	return s
}

// compare returns how two statements differ, if their bytes do.
func compare(got, want *statement) string {
	a, err := json.Marshal(got)
	if err != nil {
		panic(err)
	}
	b, err := json.Marshal(want)
	if err != nil {
		panic(err)
	}
	if bytes.Equal(a, b) {
		return ""
	}
	return cmp.Diff(got, want) + fmt.Sprintf("\ngot  %s\nwant %s", a, b)
}

// seeAll fails the test unless there was something of every class.
func seeAll(t *testing.T, seen proof.Counts) {
	t.Helper()
	for field, n := range reflect.ValueOf(seen).Fields() {
		if n.Int() == 0 {
			t.Errorf("nothing was %s in any history", field.Name)
		}
	}
}

// TestBooksAndStatesChangeNothing checks that a judge says the same, byte by byte, with any number of books, whether it
// is restored from states, and however little it holds of unmatched copies.
func TestBooksAndStatesChangeNothing(t *testing.T) {
	t.Parallel()
	var seen proof.Counts
	rapid.Check(t, func(t *rapid.T) {
		s, now := drawScript(t), second(rapid.IntRange(0, 400).Draw(t, "now"))
		by := drawWay(t)
		want := said(s.judged(way{books: 1, stop: 100}), now)
		if diff := compare(said(s.judged(by), now), want); diff != "" {
			t.Fatalf("%+v (-got +want):\n%s", by, diff)
		}
		seen.Add(want.Counts)
	})
	seeAll(t, seen)
}

// TestBooksOfManyRows checks the same of more rows than a judge keeps accounts of once they are paid, and than one
// goroutine takes at a time.
func TestBooksOfManyRows(t *testing.T) {
	t.Parallel()
	const rows = 70_000
	found := [...]int{rows, 10_000, 10_000} // by object
	key := func(i int) []byte { return fmt.Appendf(nil, "row %d", i) }
	judged := func(books int) *proof.Judge {
		j := judgeOf(books)
		tell := func() {
			for i := range rows {
				j.Owned(key(i), second(0))
			}
		}
		j.Bound(1<<20, tell)
		j.Claim(proof.Tick{Time: second(0), Claimed: second(0), Settled: second(60)})
		for i := range rows {
			j.Owe(key(i), 1, 2)
		}
		for at := range found {
			j.Object(fmt.Sprint("object ", at), "v1", second(at))
			for i := range found[at] {
				j.Find(key(i+at*100), int64(2*i+1))
				if i%900 == at {
					j.Find(key(i), int64(2*i+2))
					j.Corrupt(key(i), int64(2*i+2), "corrupt")
				}
			}
		}
		if j.HasUnmatched() {
			tell()
		}
		return j
	}
	if diff := compare(said(judged(3), never), said(judged(1), never)); diff != "" {
		t.Errorf("three books (-got), one (+want):\n%.3000s", diff)
	}
}

package verifier

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// fails is what both kinds of test have.
type fails interface {
	Context() context.Context
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// findings returns every finding that is not accepted, from a verification of everything.
func (l *life) findings(t fails) (r *report.Report, found []proof.Group) {
	opts := lifeOpts
	opts.Open = func(groups []proof.Group) { found = groups }
	return Judge(t.Context(), l, opts), found
}

// accept accepts all that is found of a class and gives its number.
func (l *life) accept(t fails, class proof.Class) int64 {
	r, found := l.findings(t)
	return l.record(t, r, class, found)
}

// record writes an acceptance of these of the findings that are of the class.
func (l *life) record(t fails, r *report.Report, class proof.Class, found []proof.Group) (n int64) {
	var these []proof.Group
	for _, g := range found {
		if g.Class == class {
			n += g.Count
			these = append(these, g)
		}
	}
	if n == 0 || r.Verdict == proof.Undecided {
		return 0
	}
	a, object, err := r.Accept(class, n, these, "known", "ada", l.now.Add(time.Duration(len(l.objects))*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	data, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if a.FindingsKey != "" {
		l.objects[a.FindingsKey] = lifeObject{data: string(object), written: l.now}
	}
	l.objects[a.Key()] = lifeObject{data: string(data), written: l.now}
	return n
}

// judged is a verification by the function, in full or not.
func (l *life) judged(t fails, order string) *report.Report {
	r, err := handle(t.Context(), l.handler(), json.RawMessage(order))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// both verifies in an increment and in full, at a moment, and wants the same verdict of both.
func (l *life) both(t *testing.T, at int, want proof.Verdict, why string) (r *report.Report) {
	t.Helper()
	l.now = minute(at)
	full := Judge(t.Context(), l, lifeOpts)
	for _, order := range []string{`{}`, `{"full": true}`} {
		if r = l.judged(t, order); r.Verdict != want {
			t.Errorf("%s, %s: got %s %v, want %s", why, order, r.LastLine(), r.Reasons, want)
		}
		if got, want := r.Accepted, full.Accepted; !gocmp.Equal(got, want) {
			t.Errorf("%s, %s: got acceptances %+v, want %+v", why, order, got, want)
		}
	}
	return r
}

// TestAcceptanceExcusesNoLaterLoss is the story of a person who deletes an object, accepts what is missing and puts
// the object back; then another object of an older tick is lost.
func TestAcceptanceExcusesNoLaterLoss(t *testing.T) {
	t.Parallel()
	l := hours(embeddedPipeline(), 30)
	first, second := key("data/", minute(10), 10), key("data/", minute(3), 3)
	lost, other := l.objects[first], l.objects[second]

	delete(l.objects, first)
	r := l.both(t, 60, proof.NotProven, "an object is deleted")
	n := l.accept(t, proof.Missing)
	if n == 0 || n != r.Counts.Missing {
		t.Fatalf("%d rows are accepted of %d missing", n, r.Counts.Missing)
	}
	if r := l.both(t, 61, proof.Proven, "accepted"); r.Counts.Missing != n || r.Accepted[0].Used != n || r.Accepted[0].UsedUp != 0 {
		t.Errorf("accepted: got %s %+v", r.LastLine(), r.Accepted)
	}

	lost.written = minute(62)
	l.objects[first] = lost
	if r := l.both(t, 63, proof.Proven, "put back"); r.Counts.Missing != 0 || r.Accepted[0].UsedUp != n {
		t.Errorf("put back: got %s %+v", r.LastLine(), r.Accepted)
	}
	delete(l.objects, second)
	l.now = minute(64)
	l.judged(t, `{"full": true}`) // an increment is UNDECIDED: it had counted the object
	if r := l.both(t, 65, proof.NotProven, "another one is deleted"); r.Counts.Missing == 0 || r.Accepted[0].Used != 0 {
		t.Errorf("another one is deleted: got %s %+v", r.LastLine(), r.Accepted)
	}
	other.written = minute(66)
	l.objects[second] = other
	l.both(t, 67, proof.Proven, "all is there")
	delete(l.objects, first) // the same rows once more: the person has accepted their first loss
	l.both(t, 68, proof.NotProven, "the first one is deleted again")
}

// TestAcceptedDuplicatesAreNamedByObject: rows that come twice in another object, or in another version of it,
// are others.
func TestAcceptedDuplicatesAreNamedByObject(t *testing.T) {
	t.Parallel()
	double := key("data/", minute(3), 1003)
	accepted := func(t *testing.T) (*life, lifeObject) {
		l := hours(embeddedPipeline(), 30)
		o := l.objects[key("data/", minute(3), 3)]
		o.written = minute(31)
		l.objects[double] = o
		l.both(t, 60, proof.NotProven, "an object is there twice")
		if l.accept(t, proof.Duplicated) == 0 {
			t.Fatal("nothing is accepted")
		}
		l.both(t, 61, proof.Proven, "accepted")
		return l, o
	}
	tests := map[string]struct {
		change func(l *life, o lifeObject)
		want   proof.Verdict
	}{
		"nothing":            {func(*life, lifeObject) {}, proof.Proven},
		"copied onto itself": {func(l *life, o lifeObject) { l.objects[double] = lifeObject{data: o.data, written: minute(69)} }, proof.Proven},
		"the first one copied onto itself, so that it comes last": {func(l *life, o lifeObject) {
			l.objects[key("data/", minute(3), 3)] = lifeObject{data: o.data, written: minute(69)}
		}, proof.NotProven},
		"as many rows in another object": {func(l *life, o lifeObject) {
			delete(l.objects, double)
			l.objects[key("data/", minute(3), 1004)] = lifeObject{data: o.data, written: minute(31)}
		}, proof.NotProven},
		"another version with the same rows and one more": {func(l *life, o lifeObject) {
			row, _, _ := strings.Cut(o.data, "\n")
			l.objects[double] = lifeObject{data: o.data + row + "\n", written: minute(69)}
		}, proof.NotProven},
		"a third copy": {func(l *life, o lifeObject) { l.objects[double+"3"] = lifeObject{data: o.data, written: minute(69)} }, proof.NotProven},
		"deleted and put back before any verification": {func(l *life, o lifeObject) {
			delete(l.objects, double)
			l.objects[double] = lifeObject{data: o.data, written: minute(69)}
		}, proof.Proven},
		"deleted, seen to be gone, and put back": {func(l *life, o lifeObject) {
			delete(l.objects, double)
			if r := l.at(minute(65)).judged(t, `{"full": true}`); r.Verdict != proof.Proven || r.Accepted[0].UsedUp != r.Accepted[0].Count {
				t.Errorf("the double is gone: got %s %+v", r.LastLine(), r.Accepted)
			}
			l.objects[double] = lifeObject{data: o.data, written: minute(69)}
		}, proof.NotProven},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, o := accepted(t)
			test.change(l, o)
			l.at(minute(70)).judged(t, `{"full": true}`) // where something is gone or changed that an increment had counted
			l.both(t, 71, test.want, name)
		})
	}
}

// TestAcceptedFindingsMayDisappear: of rows that are doubles of two rows, one loses its first copy, and the other stays
// accepted.
func TestAcceptedFindingsMayDisappear(t *testing.T) {
	t.Parallel()
	l := hours(embeddedPipeline(), 30)
	a, b := l.objects[key("data/", minute(3), 3)], l.objects[key("data/", minute(4), 4)]
	l.objects[key("data/", minute(4), 1000)] = lifeObject{data: a.data + b.data, written: minute(31)}
	l.both(t, 60, proof.NotProven, "two objects are there twice")
	n := l.accept(t, proof.Duplicated)
	delete(l.objects, key("data/", minute(3), 3))
	l.at(minute(61)).judged(t, `{"full": true}`)
	if r := l.both(t, 62, proof.Proven, "half of them pay"); r.Accepted[0].Used == 0 || r.Accepted[0].Used+r.Accepted[0].UsedUp != n {
		t.Errorf("got %+v of %d", r.Accepted, n)
	}
}

// TestInFlightRowsAreNotAccepted: a person accepts what is missing. What is on its way just then, and is lost later,
// is held against the verdict even where the accepted rows have come meanwhile.
func TestInFlightRowsAreNotAccepted(t *testing.T) {
	t.Parallel()
	l := hours(embeddedPipeline(), 30)
	lost := key("data/", minute(3), 3)
	object := l.objects[lost]
	delete(l.objects, lost)
	delete(l.objects, key("data/", minute(25), 25)) // of a tick that is in flight at minute 30
	first := l.both(t, 30, proof.NotProven, "lost")
	if first.Counts.InFlight == 0 || l.accept(t, proof.Missing) != first.Counts.Missing {
		t.Fatalf("got %s", first.LastLine())
	}
	if r := l.both(t, 31, proof.Proven, "accepted"); r.Accepted[0].Used != first.Counts.Missing || len(r.Accepted[0].Rows) == 0 {
		t.Errorf("accepted: got %s %+v", r.LastLine(), r.Accepted)
	}
	object.written = minute(32)
	l.objects[lost] = object
	if r := l.both(t, 60, proof.NotProven, "another loss"); r.Counts.Missing == 0 || r.Accepted[0].Used != 0 {
		t.Errorf("another loss: got %s %+v", r.LastLine(), r.Accepted)
	}
}

// TestMissingRowInFlightAgainIsNotUsedUp: a longer deadline has it in flight for a while.
func TestMissingRowInFlightAgainIsNotUsedUp(t *testing.T) {
	t.Parallel()
	l := hours(embeddedPipeline(), 30)
	delete(l.objects, key("data/", minute(20), 20))
	l.at(minute(40))
	n := l.accept(t, proof.Missing)
	longer := l.handler()
	longer.config.DeliveryDeadlineSeconds = 3600
	if r, err := handle(t.Context(), longer, []byte(`{}`)); err != nil || r.Counts.InFlight == 0 || r.Counts.Missing > 0 || r.Accepted[0].UsedUp > 0 {
		t.Errorf("with a longer deadline: got %v, %+v", r.LastLine(), r.Accepted)
	}
	if r := l.both(t, 41, proof.Proven, "missing again"); r.Counts.Missing != n {
		t.Errorf("got %s, want %d missing", r.LastLine(), n)
	}
}

// TestOlderListingUsesUpNothing: a verification that listed the objects before the person did has not seen
// what was accepted.
func TestOlderListingUsesUpNothing(t *testing.T) {
	t.Parallel()
	l := hours(embeddedPipeline(), 30)
	o := l.objects[key("data/", minute(3), 3)]
	l.now = minute(60)
	l.lists, l.betweenAt = 0, 7
	l.between = func() { // it has listed the data
		l.objects[key("data/", minute(3), 1003)] = lifeObject{data: o.data, written: minute(60)}
		l.accept(t, proof.Duplicated)
	}
	if r := l.judged(t, `{}`); r.Counts.Duplicated != 0 || len(r.Accepted) != 1 {
		t.Fatalf("got %s, %+v: the acceptance has not come in between", r.LastLine(), r.Accepted)
	}
	l.both(t, 61, proof.Proven, "accepted")
}

// TestOldAcceptancesCoverNamedFindings: until version 3 a number was accepted, with samples.
func TestOldAcceptancesCoverNamedFindings(t *testing.T) {
	t.Parallel()
	version3 := func(n int64, rows string) string { return fmt.Sprintf(`"version":3,"count":%d,"rows":%s`, n, rows) }
	for name, test := range map[string]struct {
		class  proof.Class
		change func(l *life)
		text   func(n int64, rows string) string
		want   proof.Verdict
	}{
		"version 2 names nothing": {
			proof.Missing, nil,
			func(n int64, _ string) string { return fmt.Sprintf(`"version":2,"count":%d`, n) }, proof.NotProven,
		},
		"version 3 names its rows": {
			proof.Missing, nil,
			version3, proof.Proven,
		},
		"version 3 with rows of which not all were accepted": {
			proof.Missing, nil,
			func(n int64, rows string) string { return version3(n-1, rows) }, proof.NotProven,
		},
		"version 3, and another row is lost": {
			proof.Missing, func(l *life) { delete(l.objects, key("data/", minute(4), 4)) },
			func(n int64, rows string) string { return version3(2*n, rows) }, proof.NotProven,
		},
		"version 3 of duplicates": {
			proof.Duplicated, nil,
			version3, proof.Proven,
		},
		"version 3 of duplicates, and they are in another object": {
			proof.Duplicated, func(l *life) {
				l.objects[key("data/", minute(3), 1004)] = l.objects[key("data/", minute(3), 1003)]
				delete(l.objects, key("data/", minute(3), 1003))
			},
			version3, proof.NotProven,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := hours(embeddedPipeline(), 30)
			if o := l.objects[key("data/", minute(3), 3)]; test.class == proof.Missing {
				delete(l.objects, key("data/", minute(3), 3))
			} else {
				o.written = minute(31)
				l.objects[key("data/", minute(3), 1003)] = o
			}
			r := Judge(t.Context(), l.at(minute(60)), lifeOpts)
			var rows []ledger.AcceptedRow
			for _, s := range r.Samples[test.class] {
				row := ledger.AcceptedRow{Row: s.Row, Count: s.Count, Object: s.Object, Line: s.Line}
				if s.Tick != nil {
					row.Tick = *s.Tick
				}
				rows = append(rows, row)
			}
			data, err := json.Marshal(rows)
			if err != nil {
				t.Fatal(err)
			}
			old := fmt.Sprintf(`{"class":"%s","until":"2026-11-22T01:00:00Z","reason":"known","who":"ada","at":"2026-11-22T01:00:00Z",%s}`,
				test.class, test.text(r.Counts.Of(test.class), string(data)))
			l.objects[ledger.AcceptancesPrefix+"old.json"] = lifeObject{data: old, written: minute(60)}
			if test.change != nil {
				test.change(l)
			}
			l.both(t, 61, test.want, name)
		})
	}
}

// TestManyFindingsGoIntoAnObject of their own, without which nothing is said.
func TestManyFindingsGoIntoAnObject(t *testing.T) {
	t.Parallel()
	l := hours(embeddedPipeline(), 60)
	for i := range 40 {
		delete(l.objects, key("data/", minute(i), i))
	}
	l.now = minute(90)
	l.accept(t, proof.Missing)
	var names string
	for key := range l.objects {
		if strings.HasPrefix(key, ledger.FindingsPrefix) {
			names = key
		}
	}
	if names == "" {
		t.Fatal("there is no object of findings")
	}
	l.both(t, 91, proof.Proven, "accepted")
	object := l.objects[names]
	delete(l.objects, names)
	if r := l.both(t, 92, proof.Undecided, "the findings are gone"); !strings.Contains(strings.Join(r.Reasons, ""), names+" is gone: restore it") {
		t.Errorf("got %v", r.Reasons)
	}
	l.objects[names] = lifeObject{data: string(zip(`{"version":1,"groups":[]}`)), written: minute(92)}
	if r := l.both(t, 93, proof.Undecided, "the findings are others"); !strings.Contains(strings.Join(r.Reasons, ""), names+" does not hold what it is named for") {
		t.Errorf("got %v", r.Reasons)
	}
	l.objects[names] = object
	l.both(t, 94, proof.Proven, "restored")
}

// TestHandlerWritesAllFindings, on demand, in an object beside its report.
func TestHandlerWritesAllFindings(t *testing.T) {
	t.Parallel()
	l := hours(embeddedPipeline(), 30)
	delete(l.objects, key("data/", minute(3), 3))
	l.now = minute(60)
	if r := l.judged(t, `{}`); r.Findings != "" {
		t.Errorf("got findings in %s without asking for them", r.Findings)
	}
	r := l.judged(t, `{"findings": true}`)
	found, err := ledger.DecodeFindings([]byte(l.objects[r.Findings].data))
	if err != nil {
		t.Fatal(err)
	}
	if _, want := l.findings(t); !gocmp.Equal(found, want) || len(found) != 1 || found[0].Count != r.Counts.Missing {
		t.Errorf("got %+v, want %+v", found, want)
	}
	l.record(t, r, proof.Missing, found)
	if r := l.at(minute(61)).judged(t, `{"findings": true}`); r.Findings != "" || r.Verdict != proof.Proven {
		t.Errorf("all is accepted: got %s and %s", r.LastLine(), r.Findings)
	}
}

// TestAcceptancesCoverOnlyNamedFindings compares with a book that is kept by hand: what was accepted, less
// what any verification since has not found.
func TestAcceptancesCoverOnlyNamedFindings(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	type finding struct {
		class proof.Class
		place proof.Place
		etag  string
		name  proof.Name
	}
	rapid.Check(t, func(t *rapid.T) {
		l := drawLife(t, p, 60, 8)
		deleted := map[string]lifeObject{}
		book := map[finding]int64{}
		for at := 100; at < 100+rapid.IntRange(1, 6).Draw(t, "verifications"); at++ {
			l.now = minute(at)
			for range rapid.IntRange(0, 2).Draw(t, "meddling") {
				l.meddle(t, deleted)
			}
			// Every finding, as if none had ever been accepted.
			bare := &life{now: l.now, objects: maps.Clone(l.objects)}
			maps.DeleteFunc(bare.objects, func(key string, _ lifeObject) bool { return strings.HasPrefix(key, "ledger/accept") })
			plain, found := bare.findings(t)
			if plain.Verdict == proof.Undecided {
				continue
			}
			there := map[finding]int64{}
			for _, g := range found {
				for name, n := range g.Rows {
					there[finding{g.Class, g.Place, g.ETag, name}] += n
				}
			}
			excused, left := map[proof.Class]int64{}, map[finding]int64{}
			for f, n := range book {
				if n = min(n, there[f]); n > 0 {
					excused[f.class] += n
					left[f] = n
				}
			}
			want := proof.Proven
			for _, class := range proof.Classes {
				if plain.Counts.Of(class) > excused[class] {
					want = proof.NotProven
				}
			}
			r := l.judged(t, `{"full": true}`)
			got := map[proof.Class]int64{}
			for _, a := range r.Accepted {
				if a.Used > 0 {
					got[a.Class] += a.Used
				}
			}
			if r.Verdict != want || !gocmp.Equal(got, excused) {
				t.Fatalf("at minute %d: got %s with %v accepted, want %s with %v", at, r.LastLine(), got, want, excused)
			}
			book = left
			if rapid.Bool().Draw(t, "accept") {
				class := rapid.SampledFrom(proof.Classes).Draw(t, "class")
				l.accept(t, class)
				for f, n := range there {
					if f.class == class {
						book[f] = n
					}
				}
				if r := l.judged(t, `{}`); r.Counts.Of(class) > 0 && r.Open(class) > 0 {
					t.Fatalf("at minute %d: all %s rows are accepted, and %d are not: %s", at, class, r.Open(class), r.LastLine())
				}
			}
		}
	})
}

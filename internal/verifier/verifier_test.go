package verifier_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/bucket"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/verifier"
)

// memory is a bucket whose clock stands still.
type memory struct {
	now     time.Time
	objects map[string]object
	// unreadable and unlistable are faults, by key and by prefix.
	unreadable, unlistable map[string]error
}

type object struct {
	data    []byte
	written time.Time
}

func (m *memory) Name() string { return "memory" }

func (m *memory) List(ctx context.Context, prefix string) ([]bucket.Object, time.Time, error) {
	return m.ListAfter(ctx, prefix, "")
}

func (m *memory) ListAfter(_ context.Context, prefix, after string) ([]bucket.Object, time.Time, error) {
	if err := m.unlistable[prefix]; err != nil {
		return nil, time.Time{}, err
	}
	var listed []bucket.Object
	for key, o := range m.objects {
		if strings.HasPrefix(key, prefix) && key > after {
			listed = append(listed, bucket.Object{
				Key: key, ETag: fmt.Sprintf("%x", sha256.Sum256(o.data)), Size: int64(len(o.data)), LastModified: o.written,
			})
		}
	}
	slices.SortFunc(listed, func(a, b bucket.Object) int { return cmp.Compare(a.Key, b.Key) })
	return listed, m.now, nil
}

func (m *memory) Read(_ context.Context, o bucket.Object) ([]byte, error) {
	return m.objects[o.Key].data, m.unreadable[o.Key]
}

func (m *memory) Open(ctx context.Context, o bucket.Object) (io.ReadCloser, error) {
	data, err := m.Read(ctx, o)
	if err != nil {
		return io.NopCloser(io.MultiReader(bytes.NewReader(data[:len(data)/2]), iotest.ErrReader(err))), nil
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// large is a bucket whose objects are listed as if they were too large to be held.
type large struct{ *memory }

func (l large) ListAfter(ctx context.Context, prefix, after string) ([]bucket.Object, time.Time, error) {
	listed, now, err := l.memory.ListAfter(ctx, prefix, after)
	for i := range listed {
		if !bucket.IsMarker(listed[i]) { // which is told by being empty
			listed[i].Size += 1 << 30
		}
	}
	return listed, now, err
}

const (
	prefix       = "data/"
	errorsPrefix = "rejects/"
	failedPrefix = "errors/data/processing-failed/"
	deadline     = time.Minute
)

var start = time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)

// history is two ticks of ten records, a minute apart, each delivered in an object ten seconds later, judged long
// after.
func history(t *testing.T) *memory {
	t.Helper()
	m := &memory{
		now:        start.Add(time.Hour),
		objects:    map[string]object{},
		unreadable: map[string]error{},
		unlistable: map[string]error{},
	}
	p := embedded(t)
	m.publish(t, p)
	for i := range 2 {
		tick := tickAt(p, i)
		m.keep(t, tick)
		m.deliver(i, rows(t, p, tick))
	}
	return m
}

func embedded(t testing.TB) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func tickAt(p *pipeline.Pipeline, i int) *ledger.Tick {
	at := start.Add(time.Duration(i) * time.Minute)
	return &ledger.Tick{
		State: ledger.Complete, Time: at, Owner: "a", LeaseEnd: at.Add(30 * time.Second), ClaimedAt: at.Add(time.Second),
		Seed: 1, Generator: generator.Version, Pipeline: p.Hash(), Records: 10, SpreadSeconds: 5, PartitionKey: "uniform",
		Outcomes: []ledger.Range{{First: 0, Last: 9, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}},
	}
}

func (m *memory) publish(t *testing.T, p *pipeline.Pipeline) {
	t.Helper()
	data, err := ledger.EncodePipeline(p)
	if err != nil {
		t.Fatal(err)
	}
	m.objects[ledger.PipelineKey(p.Hash())] = object{data, start}
}

// keep writes a tick as of five seconds after its claim.
func (m *memory) keep(t *testing.T, tick *ledger.Tick) {
	t.Helper()
	data, err := tick.Encode()
	if err != nil {
		t.Fatal(err)
	}
	m.objects[ledger.TickKey(tick.Time)] = object{data, tick.Time.Add(6 * time.Second)}
}

func objectKey(i int) string { return fmt.Sprintf("%s2026/11/23/20/object-%d", prefix, i) }

func (m *memory) deliver(i int, lines []string) {
	m.objects[objectKey(i)] = object{[]byte(strings.Join(lines, "")), start.Add(time.Duration(i)*time.Minute + 10*time.Second)}
}

func (m *memory) lines(i int) []string {
	return strings.SplitAfter(strings.TrimSuffix(string(m.objects[objectKey(i)].data), "\n"), "\n")
}

// rows is what the embedded pipeline makes of a tick, worked out here by hand: columns 0, 3, 4 and 18 of vendors below
// 3.
func rows(t *testing.T, p *pipeline.Pipeline, tick *ledger.Tick) []string {
	t.Helper()
	return project(t, p, tick, func(vendor string) bool { return vendor < "3" })
}

func project(t *testing.T, p *pipeline.Pipeline, tick *ledger.Tick, keep func(vendor string) bool) []string {
	t.Helper()
	g, err := generator.New(p, tick.Seed)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	records := generator.Tick{Time: tick.Time, Records: tick.Records, Spread: time.Duration(tick.SpreadSeconds) * time.Second}
	for i := range tick.Records {
		f := strings.Split(strings.TrimSuffix(string(g.Append(nil, records, i)), "\n"), ",")
		if keep(f[0]) {
			lines = append(lines, fmt.Sprintf("%s,%s,%s.0,%s\n", f[0], f[3], f[4], f[18]))
		}
	}
	return lines
}

// judge sees to it that the size of an object changes nothing, and that an object of which half can be read is one that
// cannot be read.
func judge(t *testing.T, m *memory) *report.Report {
	t.Helper()
	opts := verifier.Options{DataPrefix: prefix, ErrorsPrefix: errorsPrefix, DeliveryDeadline: deadline}
	r, streamed := verifier.Judge(t.Context(), m, opts), verifier.Judge(t.Context(), large{m}, opts)
	want, got := *r, *streamed
	if got.Covers.Bytes = want.Covers.Bytes; r.Partial {
		got.Covers, got.Counts = want.Covers, want.Counts
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-complete +streamed)\n%s", diff)
	}
	return r
}

// terminated makes sure that every line ends with a newline.
func terminated(lines []string) []string {
	var out []string
	for _, line := range lines {
		out = append(out, strings.TrimSuffix(line, "\n")+"\n")
	}
	return out
}

// bound gives every record of tick i these bounds.
func (m *memory) bound(t *testing.T, i, lo, hi int) {
	t.Helper()
	tick := tickAt(embedded(t), i)
	tick.Outcomes[0].Outcome, tick.Outcomes[0].Lo, tick.Outcomes[0].Hi = ledger.Unknown, lo, hi
	m.keep(t, tick)
}

func zipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestJudge(t *testing.T) {
	p := embedded(t)
	first, second := int64(len(rows(t, p, tickAt(p, 0)))), int64(len(rows(t, p, tickAt(p, 1))))
	if first < 3 || second < 3 {
		t.Fatalf("the two ticks owe %d and %d rows, too few to test with", first, second)
	}
	complete := first + second
	tests := map[string]struct {
		change  func(t *testing.T, m *memory)
		verdict proof.Verdict
		want    proof.Counts
	}{
		"as owed": {
			func(*testing.T, *memory) {},
			proof.Proven, proof.Counts{Owed: complete, Delivered: complete},
		},
		"rows in another order": {
			func(_ *testing.T, m *memory) { l := m.lines(0); slices.Reverse(l); m.deliver(0, terminated(l)) },
			proof.Proven, proof.Counts{Owed: complete, Delivered: complete},
		},
		"a row lost": {
			func(_ *testing.T, m *memory) { m.deliver(0, terminated(m.lines(0)[1:])) },
			proof.NotProven, proof.Counts{Owed: complete, Delivered: complete - 1, Missing: 1},
		},
		"a row twice": {
			func(_ *testing.T, m *memory) { m.deliver(0, terminated(append(m.lines(0), m.lines(0)[0]))) },
			proof.NotProven, proof.Counts{Owed: complete, Delivered: complete, Duplicated: 1},
		},
		"a row changed": {
			func(_ *testing.T, m *memory) { m.deliver(0, append(terminated(m.lines(0)[1:]), "1,1,1.5,1.0\n")) },
			proof.NotProven, proof.Counts{Owed: complete, Delivered: complete - 1, Missing: 1, Unexpected: 1},
		},
		"two rows glued": {
			func(_ *testing.T, m *memory) {
				l := terminated(m.lines(0))
				l[0] = strings.TrimSuffix(l[0], "\n")
				m.deliver(0, l)
			},
			proof.NotProven, proof.Counts{Owed: complete, Delivered: complete - 2, Missing: 2, Corrupt: 1},
		},
		"a last line cut": {
			func(_ *testing.T, m *memory) {
				l := terminated(m.lines(0))
				l[len(l)-1] = strings.TrimSuffix(l[len(l)-1], "\n")
				m.deliver(0, l)
			},
			proof.NotProven, proof.Counts{Owed: complete, Delivered: complete - 1, Missing: 1, Corrupt: 1},
		},
		"a line that is too long": {
			func(_ *testing.T, m *memory) {
				m.deliver(0, append([]string{strings.Repeat("1", 3<<20) + "\n"}, terminated(m.lines(0))...))
			},
			proof.NotProven, proof.Counts{Owed: complete, Delivered: complete, Corrupt: 1},
		},
		"a row that the filter should have kept back": {
			func(t *testing.T, m *memory) {
				others := project(t, p, tickAt(p, 0), func(vendor string) bool { return vendor >= "3" })
				m.deliver(0, append(terminated(m.lines(0)), others[0]))
			},
			proof.NotProven, proof.Counts{Owed: complete, Delivered: complete, Leaked: 1},
		},
		"a row before its claim": {
			func(_ *testing.T, m *memory) { m.deliver(0, append(terminated(m.lines(0)), m.lines(1)[0])) },
			proof.NotProven, proof.Counts{Owed: complete, Delivered: complete, Unexpected: 1},
		},
		"an object that comes late": {
			func(_ *testing.T, m *memory) {
				m.objects[objectKey(0)] = object{m.objects[objectKey(0)].data, start.Add(10 * time.Minute)}
			},
			proof.Proven, proof.Counts{Owed: complete, Delivered: complete, Late: first},
		},
		"an object that has not come yet": {
			func(_ *testing.T, m *memory) { m.deliver(1, nil); m.now = start.Add(90 * time.Second) },
			proof.Proven, proof.Counts{Owed: complete, Delivered: first, InFlight: second},
		},
		"gzip": {
			func(t *testing.T, m *memory) {
				m.objects[objectKey(1)] = object{zipped(t, m.objects[objectKey(1)].data), m.objects[objectKey(1)].written}
			},
			proof.Proven, proof.Counts{Owed: complete, Delivered: complete},
		},
		"JSON": {
			func(_ *testing.T, m *memory) {
				var lines []string
				for _, l := range m.lines(0) {
					f := strings.Split(strings.TrimSuffix(l, "\n"), ",")
					lines = append(lines, fmt.Sprintf(`{"COL18":%s,"COL0":%s,"COL3":%s,"COL4":%s}`+"\n", f[3], f[0], f[1], f[2]))
				}
				m.deliver(0, lines)
			},
			proof.Proven, proof.Counts{Owed: complete, Delivered: complete},
		},
		"a folder's marker": {
			func(_ *testing.T, m *memory) { m.objects[prefix] = object{nil, start} },
			proof.Proven, proof.Counts{Owed: complete, Delivered: complete},
		},
		"an unknown outcome, not stored": {
			func(t *testing.T, m *memory) { m.bound(t, 0, 0, 1); m.deliver(0, nil) },
			proof.Proven, proof.Counts{Owed: second, Delivered: second, Unknown: first},
		},
		"an unknown outcome, stored": {
			func(t *testing.T, m *memory) { m.bound(t, 0, 0, 1) },
			proof.Proven, proof.Counts{Owed: second, Delivered: complete, Recovered: first},
		},
		"acknowledged after an unknown, stored twice": {
			func(t *testing.T, m *memory) {
				m.bound(t, 0, 1, 2)
				m.deliver(0, terminated(append(m.lines(0), m.lines(0)...)))
			},
			proof.Proven, proof.Counts{Owed: complete, Delivered: complete + first, Recovered: first},
		},
		"a rejected tick, stored all the same": {
			func(t *testing.T, m *memory) { m.bound(t, 0, 0, 0) },
			proof.NotProven, proof.Counts{Owed: second, Delivered: second, Unexpected: first},
		},
		"a crashed tick, not stored": {
			func(t *testing.T, m *memory) {
				tick := tickAt(p, 0)
				tick.State, tick.ClaimedAt, tick.Outcomes = ledger.Claimed, time.Time{}, nil
				m.keep(t, tick)
				m.deliver(0, nil)
			},
			proof.Proven, proof.Counts{Owed: second, Delivered: second, Unknown: first},
		},
		"a crashed tick, stored three times": {
			func(t *testing.T, m *memory) {
				tick := tickAt(p, 0)
				tick.State, tick.Outcomes = ledger.InProgress, nil
				m.keep(t, tick)
				l := terminated(m.lines(0))
				m.deliver(0, slices.Concat(l, l, l))
			},
			proof.Proven, proof.Counts{Owed: second, Delivered: 3*first + second, Recovered: 3 * first},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := history(t)
			test.change(t, m)
			got := judge(t, m)
			if diff := gocmp.Diff(got.Counts, test.want); diff != "" || got.Verdict != test.verdict {
				t.Errorf("got %s %v, want %s; counts (-got +want):\n%s", got.LastLine(), got.Reasons, test.verdict, diff)
			}
		})
	}
}

// TestEveryShape: rows in any format that the template can set, compressed or not, are the same rows, whichever stand
// side by side. Nothing tells the verifier what to expect.
func TestEveryShape(t *testing.T) {
	t.Parallel()
	p := embedded(t)
	first, second := int64(len(rows(t, p, tickAt(p, 0)))), int64(len(rows(t, p, tickAt(p, 1))))
	want := proof.Counts{Owed: first + second, Delivered: first + second}
	formats := map[string]string{ // of a row, by its four values
		"CSV":                         "%s,%s,%s,%s\n",
		"CSV by semicolons":           "%s;%s;%s;%s\n",
		"CSV by bars":                 "%s|%s|%s|%s\n",
		"CSV by tabs":                 "%s\t%s\t%s\t%s\n",
		"JSON with the query's names": `{"COL0":%s,"COL3":%s,"COL4":%s,"COL18":%s}` + "\n",
		"JSON with the schema's":      `{"VendorID":%s,"passenger_count":%s,"trip_distance":%s,"total_amount":%s}` + "\n",
	}
	shaped := func(m *memory, i int, format string, zip bool) {
		var lines strings.Builder
		for _, l := range m.lines(i) {
			f := strings.Split(strings.TrimSuffix(l, "\n"), ",")
			fmt.Fprintf(&lines, format, f[0], f[1], f[2], f[3])
		}
		data := []byte(lines.String())
		if zip {
			data = zipped(t, data)
		}
		m.objects[objectKey(i)] = object{data, m.objects[objectKey(i)].written}
	}
	for one, format := range formats {
		for other, otherFormat := range formats {
			for _, zip := range []bool{false, true} {
				m := history(t)
				shaped(m, 0, format, zip)
				shaped(m, 1, otherFormat, false)
				got := judge(t, m)
				if diff := gocmp.Diff(got.Counts, want); diff != "" || got.Verdict != proof.Proven {
					t.Errorf("%s (gzip %t) beside %s: got %s %v; counts (-got +want):\n%s", one, zip, other, got.LastLine(), got.Reasons, diff)
				}
			}
		}
	}
}

// TestAnyDamageIsReported: whatever is done to one byte or one line of the objects, the verdict says exactly what it
// comes to. What is not the row of before is missing, and what stands in its place is surplus or corrupt.
func TestAnyDamageIsReported(t *testing.T) {
	t.Parallel()
	complete := history(t)
	owed := judge(t, complete).Counts.Owed
	// values are a row's numbers, so that "3.0" may become "3.00" and is the same.
	values := func(line string) (numbers [4]float32, ok bool) {
		fields := strings.Split(line, ",")
		for i, field := range fields {
			number, err := strconv.ParseFloat(field, 32)
			if err != nil || len(fields) != len(numbers) {
				return numbers, false
			}
			numbers[i] = float32(number)
		}
		return numbers, true
	}
	rapid.Check(t, func(rt *rapid.T) {
		m := history(t)
		i := rapid.IntRange(0, 1).Draw(rt, "object")
		data := slices.Clone(m.objects[objectKey(i)].data)
		lines := strings.SplitAfter(string(data), "\n")
		lines = lines[:len(lines)-1]
		at := rapid.IntRange(0, len(lines)-1).Draw(rt, "line")
		damage := rapid.SampledFrom([]string{"lost", "doubled", "moved", "a byte changed", "a byte lost", "a byte more"}).Draw(rt, "damage")
		begins := len(strings.Join(lines[:at], ""))
		place := begins + rapid.IntRange(0, len(lines[at])-1).Draw(rt, "byte")
		other := rapid.SampledFrom([]byte("0123456789,.-\n\x00 e{")).Draw(rt, "other byte")
		switch damage {
		case "lost":
			data = slices.Delete(data, begins, begins+len(lines[at]))
		case "doubled":
			data = append(data, lines[at]...)
		case "moved":
			data = append(slices.Delete(data, begins, begins+len(lines[at])), lines[at]...)
		case "a byte changed":
			data[place] = other
		case "a byte lost":
			data = slices.Delete(data, place, place+1)
		case "a byte more":
			data = slices.Insert(data, place, other)
		}
		m.objects[objectKey(i)] = object{data, m.objects[objectKey(i)].written}
		r := judge(t, m)
		c := r.Counts
		surplus := c.Duplicated + c.Leaked + c.Unexpected
		if c.Owed != owed || c.Owed != c.Delivered+c.Missing || c.Failed+c.InFlight+c.Late+c.Unknown+c.Foreign > 0 {
			rt.Fatalf("%s: %s", damage, r.LastLine())
		}
		line := strings.TrimSuffix(lines[at], "\n")
		whole, _ := values(line)
		same := false
		if after := strings.Split(string(data), "\n"); len(after) == len(lines)+1 {
			is, ok := values(after[at])
			same = ok && whole == is
		}
		cut, ok := values(line[:len(line)-1])
		zeroCut := ok && whole == cut // such as the last one of 93.30
		switch proven := r.Verdict == proof.Proven; {
		case damage == "moved":
			if !proven {
				rt.Fatalf("a line moved: %s", r.LastLine())
			}
		case damage == "lost":
			if proven || c.Missing != 1 || surplus+c.Corrupt != 0 {
				rt.Fatalf("a line lost: %s", r.LastLine())
			}
		case damage == "doubled":
			if proven || c.Missing != 0 || c.Duplicated != 1 || surplus+c.Corrupt != 1 {
				rt.Fatalf("a line doubled: %s", r.LastLine())
			}
		case damage == "a byte more" && other == '\n' && (place == begins || place == begins+len(lines[at])-1):
			if c.Missing != 0 || surplus != 0 || c.Corrupt != 1 {
				rt.Fatalf("a blank line: %s", r.LastLine())
			}
		case damage == "a byte changed" && other == '\n' && place == begins+len(line)-1 && zeroCut:
			if c.Missing != 0 || surplus != 0 || c.Corrupt != 1 {
				rt.Fatalf("a blank line for a zero: %s", r.LastLine())
			}
		case proven && !same:
			rt.Fatalf("%q at byte %d of %q went unseen", other, place-begins, lines[at])
		case !proven && !same && (c.Missing < 1 || c.Missing > 2 || surplus+c.Corrupt < 1 || surplus+c.Corrupt > 2),
			!proven && same && (c.Missing != 1 || surplus != 0 || c.Corrupt != 1): // numbers are written in one way only
			rt.Fatalf("%s (%q at byte %d of %q): %s", damage, other, place-begins, lines[at], r.LastLine())
		}
	})
}

func TestSamplesSayWhere(t *testing.T) {
	m := history(t)
	lines := terminated(m.lines(0))
	m.deliver(0, append([]string{lines[1], lines[1], "x\n"}, lines[2:]...))
	lost := strings.Replace(strings.TrimSpace(lines[0]), ".0,", ",", 1)
	got := judge(t, m)
	want := map[proof.Class][]proof.Sample{
		proof.Missing: {{
			Row: lost, Count: 1, Tick: &start,
			Reason: "the stream took it, and it is neither in the data, nor among the rejects, nor under processing-failed: see streamproof explain",
		}},
		proof.Duplicated: {{Row: strings.Replace(strings.TrimSpace(lines[1]), ".0,", ",", 1), Count: 1, Object: objectKey(0), Line: 2}},
		proof.Corrupt:    {{Row: "x", Count: 1, Object: objectKey(0), Line: 3, Reason: "the line does not have the output's 4 columns"}},
	}
	if diff := gocmp.Diff(got.Samples, want); diff != "" {
		t.Errorf("samples (-got +want):\n%s", diff)
	}
}

func TestUndecided(t *testing.T) {
	tests := map[string]struct {
		change func(t *testing.T, m *memory)
		want   string // in the reason
	}{
		"no ledger": {func(t *testing.T, m *memory) {
			for i := range 2 {
				delete(m.objects, ledger.TickKey(tickAt(embedded(t), i).Time))
			}
		}, "there is no ledger"},
		"a tick that is no JSON": {func(t *testing.T, m *memory) {
			m.objects[ledger.TickKey(start)] = object{[]byte("{"), start}
		}, "the ledger cannot be read: " + ledger.TickKey(start)},
		"a tick of a newer version": {func(t *testing.T, m *memory) {
			m.objects[ledger.TickKey(start)] = object{[]byte(`{"version": 99}`), start}
		}, "version 99 is newer"},
		"a tick under another's key": {func(t *testing.T, m *memory) {
			m.objects[ledger.TickKey(start)] = m.objects[ledger.TickKey(start.Add(time.Minute))]
		}, "holds the tick of"},
		"a tick of another generator": {func(t *testing.T, m *memory) {
			tick := tickAt(embedded(t), 0)
			tick.Generator++
			m.keep(t, tick)
		}, "version 3 of the generator"},
		"a pipeline that is not published": {func(t *testing.T, m *memory) {
			delete(m.objects, ledger.PipelineKey(embedded(t).Hash()))
		}, "it is not published"},
		"a pipeline changed after it was published": {func(t *testing.T, m *memory) {
			key := ledger.PipelineKey(embedded(t).Hash())
			m.objects[key] = object{bytes.Replace(m.objects[key].data, []byte("INSERT INTO"), []byte("INSERT  INTO"), 1), start}
		}, "it was changed after it was published"},
		"a query that the judge does not know": {func(t *testing.T, m *memory) {
			other := *embedded(t)
			other.SQL = bytes.Replace(other.SQL, []byte("COL0 < 3"), []byte("COL8 SIMILAR TO 'N'"), 1)
			m.publish(t, &other)
			tick := tickAt(&other, 1)
			m.keep(t, tick)
		}, "is not judged: the verifier cannot reproduce Flink's result"},
		"an object that cannot be read": {func(_ *testing.T, m *memory) {
			m.unreadable[objectKey(0)] = context.DeadlineExceeded
		}, "an object cannot be read: " + objectKey(0)},
		"gzip cut short": {func(t *testing.T, m *memory) {
			data := zipped(t, m.objects[objectKey(0)].data)
			m.objects[objectKey(0)] = object{data[:len(data)-4], m.objects[objectKey(0)].written}
		}, objectKey(0) + ": unexpected EOF"},
		"rejects that cannot be listed": {func(_ *testing.T, m *memory) {
			m.unlistable[errorsPrefix] = context.DeadlineExceeded
		}, "the error prefix rejects/ cannot be listed"},
		"rejects that cannot be read": {func(_ *testing.T, m *memory) {
			m.objects[errorsPrefix+"e"] = object{[]byte("{}\n"), start}
			m.unreadable[errorsPrefix+"e"] = context.DeadlineExceeded
		}, "an object cannot be read: rejects/e"},
		"a prefix that cannot be listed": {func(_ *testing.T, m *memory) {
			m.unlistable[prefix] = context.DeadlineExceeded
		}, "the data data/ cannot be listed"},
		"a ledger that cannot be listed": {func(_ *testing.T, m *memory) {
			m.unlistable[ledger.TicksPrefix] = context.DeadlineExceeded
		}, "the ledger ledger/ticks/ cannot be listed"},
		"nothing owed": {func(t *testing.T, m *memory) { m.bound(t, 0, 0, 0); m.bound(t, 1, 0, 1) }, "nothing is owed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := history(t)
			test.change(t, m)
			got := judge(t, m)
			if got.Verdict != proof.Undecided || !strings.Contains(strings.Join(got.Reasons, "; "), test.want) {
				t.Errorf("got %s %v, want %s because %q", got.Verdict, got.Reasons, proof.Undecided, test.want)
			}
			if status := got.ExitStatus(); status != 3 {
				t.Errorf("got exit status %d, want 3", status)
			}
		})
	}
}

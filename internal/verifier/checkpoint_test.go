package verifier

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/bucket"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/zipped"
)

// life is a bucket as it is at a moment: what is written later is not there yet.
type life struct {
	now     time.Time
	objects map[string]lifeObject
	reads   int

	mu     sync.Mutex // of what several goroutines use at once
	expire int        // the verifier's EXPIRE_AFTER_DAYS
	tags   map[string]bool
	lists  int
	// lives is how many writes it takes until the verifier is killed, 0 for never; the last one may still land.
	lives, writes int
	lands         bool
	// between is called once, in the middle of a verification, before this listing.
	between   func()
	betweenAt int
	tagged    func(key string)

	decoded map[string]decodedObject // the archive and the checkpoint as last decoded, by key
}

type lifeObject struct {
	data    string
	written time.Time
	// seen is from when on it is listed, where that is not when it was written.
	seen time.Time
}

func (o lifeObject) etag() string {
	hash := fnv.New64()
	hash.Write([]byte(o.data))
	return fmt.Sprint(hash.Sum64())
}

func (l *life) Name() string { return "life" }

func (l *life) List(ctx context.Context, prefix string) ([]bucket.Object, time.Time, error) {
	return l.ListAfter(ctx, prefix, "")
}

// write counts a write, and says whether it comes to pass and whether the verifier lives to see it.
func (l *life) write() (done, seen bool) {
	l.writes++
	return l.lives == 0 || l.writes < l.lives || l.writes == l.lives && l.lands, l.lives == 0 || l.writes < l.lives
}

func (l *life) ListAfter(_ context.Context, prefix, after string) ([]bucket.Object, time.Time, error) {
	if l.lists++; l.between != nil && l.lists >= l.betweenAt {
		between := l.between
		l.between = nil
		between()
	}
	var listed []bucket.Object
	for key, o := range l.objects {
		if strings.HasPrefix(key, prefix) && key > after && !o.written.After(l.now) && !o.seen.After(l.now) {
			listed = append(listed, bucket.Object{Key: key, ETag: o.etag(), Size: int64(len(o.data)), LastModified: o.written})
		}
	}
	slices.SortFunc(listed, func(a, b bucket.Object) int { return cmp.Compare(a.Key, b.Key) })
	return listed, l.now, nil
}

func (l *life) Read(_ context.Context, o bucket.Object) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	stands, there := l.objects[o.Key]
	switch {
	case !there:
		return nil, &smithy.GenericAPIError{Code: "NoSuchKey"}
	case stands.etag() != o.ETag:
		return nil, bucket.ErrRewritten
	}
	return []byte(stands.data), nil
}

func (l *life) Open(ctx context.Context, o bucket.Object) (io.ReadCloser, error) {
	data, err := l.Read(ctx, o)
	return io.NopCloser(bytes.NewReader(data)), err
}

var (
	birth    = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	lifeOpts = Options{DataPrefix: "data/", ErrorsPrefix: "data-errors/", DeliveryDeadline: 10 * time.Minute}
)

func minute(n int) time.Time { return birth.Add(time.Duration(n) * time.Minute) }

// claimed is how a tick's object is from its claim to its manifest; the bucket has the one of the moment.
func (l *life) tick(p *pipeline.Pipeline, at time.Time, records, poison int, outcome ledger.Range) *ledger.Tick {
	tick := &ledger.Tick{
		State: ledger.Complete, Time: at, Owner: "a", LeaseEnd: at.Add(2 * time.Minute), ClaimedAt: at.Add(time.Second),
		Seed: 1, Generator: generator.Version, Pipeline: p.Hash(), Records: records, Poison: poison, SpreadSeconds: 5, PartitionKey: "uniform",
		Outcomes: []ledger.Range{outcome}, Shards: map[string]ledger.Shard{"shard": {Records: records, FirstSequenceNumber: "1", LastSequenceNumber: "2"}},
	}
	return tick
}

func (l *life) keep(tick *ledger.Tick, written time.Time) {
	data, err := tick.Encode()
	if err != nil {
		panic(err)
	}
	l.objects[ledger.TickKey(tick.Time)] = lifeObject{data: string(data), written: written}
}

func newLife(p *pipeline.Pipeline) *life {
	l := &life{objects: map[string]lifeObject{}}
	data, err := ledger.EncodePipeline(p)
	if err != nil {
		panic(err)
	}
	l.objects[ledger.PipelineKey(p.Hash())] = lifeObject{data: string(data), written: birth}
	return l
}

// output is what a tick's records give: the rows of vendors below 3, as the exercise's query has them, and the bad
// lines.
func output(p *pipeline.Pipeline, tick *ledger.Tick) (rows, bad []string) {
	g, err := generator.New(p, tick.Seed)
	if err != nil {
		panic(err)
	}
	of := generator.Tick{Time: tick.Time, Records: tick.Records, Poison: tick.Poison, Spread: 5 * time.Second}
	for records := g.Records(of, 0, tick.Records-1); records.Next(); {
		field := func(i int) string {
			text, _ := records.Field(i)
			return string(text)
		}
		if field(0) < "3" {
			rows = append(rows, fmt.Sprintf("%s,%s,%s.0,%s\n", field(0), field(3), field(4), field(18)))
		}
	}
	for _, line := range g.Rejects(of, 0, tick.Records-1) {
		bad = append(bad, string(line))
	}
	return rows, bad
}

func embeddedPipeline() *pipeline.Pipeline {
	p, err := pipeline.Embedded()
	if err != nil {
		panic(err)
	}
	return p
}

func key(prefix string, at time.Time, n int) string {
	return fmt.Sprintf("%s%s/object-%06d", prefix, at.Format("2006/01/02/15"), n)
}

// same compares all of two reports but what may differ: the order in which samples were met.
func same(a, b *report.Report) string {
	strip := func(r *report.Report) report.Report {
		c := *r
		c.Samples = nil
		return c
	}
	return gocmp.Diff(strip(a), strip(b))
}

// drawLife draws some ticks in so many minutes, with every kind of fault, and what became of them.
func drawLife(t *rapid.T, p *pipeline.Pipeline, span, mostRecords int) *life {
	l := newLife(p)
	n := 0
	for range rapid.IntRange(1, 8).Draw(t, "ticks") {
		at := minute(rapid.IntRange(0, span).Draw(t, "tick"))
		// The producer's clock may be wrong: it names the tick and ends the lease, and the bucket's own says the rest.
		skew := time.Duration(rapid.IntRange(-10, 10).Draw(t, "skew")) * time.Minute
		if _, twice := l.objects[ledger.TickKey(at.Add(skew))]; twice {
			continue
		}
		records := rapid.IntRange(1, mostRecords).Draw(t, "records")
		outcome := rapid.SampledFrom([]ledger.Range{
			{Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}, {Outcome: ledger.Unknown, Hi: 1}, {Outcome: ledger.AcknowledgedAfterUnknown, Lo: 1, Hi: 2}, {Outcome: ledger.Rejected},
		}).Draw(t, "outcome")
		outcome.Last = records - 1
		tick := l.tick(p, at, records, rapid.IntRange(0, records).Draw(t, "poison"), outcome)
		tick.Time, tick.LeaseEnd = tick.Time.Add(skew), tick.LeaseEnd.Add(skew)
		written := at.Add(6 * time.Second)
		if rapid.IntRange(0, 5).Draw(t, "crash") == 0 {
			tick.State, tick.Outcomes = ledger.InProgress, nil
		}
		l.keep(tick, written)
		rows, bad := output(p, tick)
		for _, row := range rows {
			for range rapid.SampledFrom([]int{1, 1, 1, 1, 0, 2}).Draw(t, "copies") {
				if rapid.IntRange(0, 9).Draw(t, "change") == 0 {
					row = "1,1,1.5,1.0\n"
				}
				written := at.Add(time.Duration(rapid.IntRange(2, 1500).Draw(t, "delay")) * time.Second)
				n++
				if rapid.IntRange(0, 9).Draw(t, "fail") == 0 {
					l.objects[key("errors/data/processing-failed/", at, n)] = lifeObject{
						data: `{"errorCode":"Lambda.FunctionError","errorMessage":"m","rawData":"` + base64Of(row) + `"}` + "\n", written: written,
					}
				} else {
					l.objects[key("data/", at, n)] = lifeObject{data: row, written: written}
				}
			}
		}
		for _, line := range bad {
			for range rapid.SampledFrom([]int{1, 1, 1, 0, 2}).Draw(t, "rejects") {
				n++
				l.objects[key("data-errors/", at, n)] = lifeObject{
					data:    `{"reason":"r","column":null,"data":"` + base64Of(line) + `","shard":"s","sequence_number":"1","arrival_time":"2026-11-22T00:00:00.000Z"}` + "\n",
					written: at.Add(time.Duration(rapid.IntRange(2, 1500).Draw(t, "delay")) * time.Second),
				}
			}
		}
	}
	return l
}

// meddle has somebody do something to an object that stands there, or to one that was deleted before.
func (l *life) meddle(t *rapid.T, deleted map[string]lifeObject) {
	recent := func(key string) bool { // an increment lists it
		return key > windowAt("data/", hourLayout, l.now) && strings.HasPrefix(key, "data/") ||
			key > windowAt("errors/data/processing-failed/", hourLayout, l.now) && strings.HasPrefix(key, "errors/") ||
			key > windowAt(ledger.TicksPrefix, dayLayout, l.now) && strings.HasPrefix(key, ledger.TicksPrefix)
	}
	var keys []string
	for key, o := range l.objects {
		if recent(key) && !o.written.After(l.now) && !o.seen.After(l.now) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return
	}
	slices.Sort(keys)
	key := rapid.SampledFrom(keys).Draw(t, "key")
	o := l.objects[key]
	maps.DeleteFunc(deleted, func(key string, _ lifeObject) bool { return !recent(key) })
	switch rapid.SampledFrom([]string{"copied onto itself", "storage class changed", "tagged", "rewritten with its bytes", "written over", "deleted", "put back", "restored from a version"}).Draw(t, "what") {
	case "copied onto itself", "storage class changed", "rewritten with its bytes":
		o.written = l.now
		l.objects[key] = o
	case "written over":
		if strings.HasPrefix(key, "data/") {
			l.objects[key] = lifeObject{data: o.data + "1,1,1.5,1.0\n", written: l.now}
		}
	case "tagged": // which changes nothing of what is listed
	case "deleted":
		if !strings.HasPrefix(key, ledger.TicksPrefix) {
			deleted[key] = o
			delete(l.objects, key)
		}
	case "put back":
		for key, o := range deleted {
			o.written = l.now
			l.objects[key] = o
		}
		clear(deleted)
	case "restored from a version": // its delete marker is taken away, so that it is as old as it was
		maps.Copy(l.objects, deleted)
		clear(deleted)
	}
}

// writtenOver are the keys that the state has counted in another version than stands there now.
func (s *checkpoint) writtenOver(l *life) (keys []string) {
	if s == nil {
		return nil
	}
	for key, before := range s.Objects {
		if o, there := l.objects[key]; there && o.etag() != before.etag && (key > s.after("data/", hourLayout) || !strings.HasPrefix(key, "data/")) {
			keys = append(keys, key)
		}
	}
	return keys
}

// TestIncrementsAgreeWithAFullVerification has a stack live for hours, with every kind of fault, while somebody
// meddles with its objects and accepts findings, and verifies now and then: each time in an increment, and in full.
// Both say the same, unless an object that was counted was written over: that is UNDECIDED until a verification in
// full.
func TestIncrementsAgreeWithAFullVerification(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	rapid.Check(t, func(t *rapid.T) {
		span := rapid.SampledFrom([]int{30, 120, 40 * 60}).Draw(t, "minutes")
		l := drawLife(t, p, span, 12)
		if rapid.Bool().Draw(t, "belated") {
			// Within a day, as far back as an increment lists.
			seen := minute(rapid.IntRange(0, min(span, 24*60)).Draw(t, "seen"))
			l.objects[key("data/", birth, 0)] = lifeObject{data: "1,1,1.5,1.0\n", written: minute(1), seen: seen}
		}

		var base *checkpoint
		deleted := map[string]lifeObject{}
		moments := rapid.SliceOfN(rapid.IntRange(0, span+60), 1, 8).Draw(t, "verifications")
		slices.Sort(moments)
		for _, at := range moments {
			l.now = minute(at)
			for range rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "meddling") {
				l.meddle(t, deleted)
			}
			if rapid.IntRange(0, 2).Draw(t, "accept") == 0 {
				l.accept(t, rapid.SampledFrom(proof.Classes).Draw(t, "class"))
			}
			full := Judge(t.Context(), l, lifeOpts)
			opts := lifeOpts
			opts.useUp, opts.parts = l.handler().useUp, rapid.IntRange(1, 3).Draw(t, "parts")
			got, next := judgeFrom(t.Context(), l, opts, base, nil)
			if changed := base.writtenOver(l); (len(changed) > 0) != strings.Contains(strings.Join(got.Reasons, "; "), "was changed after it had been counted") {
				t.Fatalf("at minute %d, with %v written over: got %s %v", at, changed, got.Verdict, got.Reasons)
			} else if len(changed) > 0 {
				if _, base = judgeFrom(t.Context(), l, opts, nil, nil); base == nil && full.Verdict != proof.Undecided {
					t.Fatalf("at minute %d: no verification in full comes to an end", at)
				}
				continue
			}
			if diff := same(full, got); diff != "" {
				t.Fatalf("at minute %d (-full +increment):\n%s", at, diff)
			}
			if again := Judge(t.Context(), l, lifeOpts); same(full, again) != "" {
				t.Fatalf("at minute %d, judged once more (-full +again):\n%s", at, same(full, again))
			}
			if next != nil {
				data, err := next.encode()
				if err != nil {
					t.Fatal(err)
				}
				if base, err = decodeCheckpoint(data); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// hours is a life without faults of a tick a minute, each delivered ten seconds later.
func hours(p *pipeline.Pipeline, minutes int) *life { return sparse(p, minutes, 1) }

// sparse is one of a tick every so many minutes.
func sparse(p *pipeline.Pipeline, minutes, every int) *life {
	l := newLife(p)
	for i := 0; i < minutes; i += every {
		tick := l.tick(p, minute(i), 10, 0, ledger.Range{Last: 9, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
		l.keep(tick, tick.Time.Add(6*time.Second))
		rows, _ := output(p, tick)
		l.objects[key("data/", tick.Time, i)] = lifeObject{data: strings.Join(rows, ""), written: tick.Time.Add(10 * time.Second)}
	}
	return l
}

func TestIncrementReadsOnlyWhatIsNew(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	var reads, sizes []int
	for _, age := range []int{60, 600, 2400} {
		l := hours(p, age+5)
		var base *checkpoint
		for _, earlier := range []int{20, 10, 0} {
			l.reads = 0
			if _, base = judgeFrom(t.Context(), l.at(minute(age-earlier)), lifeOpts, base, nil); earlier < 20 && l.reads > 50 {
				t.Errorf("an increment of ten minutes reads %d objects", l.reads)
			}
		}
		l.now, l.reads = minute(age+5), 0
		r, next := judgeFrom(t.Context(), l, lifeOpts, base, nil)
		if r.Verdict != proof.Proven || r.Covers.Ticks < age || next == nil {
			t.Fatalf("after %d minutes: got %s over %d ticks", age, r.LastLine(), r.Covers.Ticks)
		}
		data, err := next.encode()
		if err != nil {
			t.Fatal(err)
		}
		reads, sizes = append(reads, l.reads), append(sizes, len(data))
	}
	t.Logf("after 1, 10 and 40 hours an increment reads %v objects, and its state has %v bytes", reads, sizes)
	if reads[0] != reads[1] || reads[1] != reads[2] {
		t.Errorf("an increment after 1, 10 and 40 hours reads %v objects, want the same", reads)
	}
}

func TestCountedObjectsMustNotChange(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	tests := map[string]struct {
		change func(l *life)
		want   string
		full   proof.Verdict
	}{
		"an object rewritten": {
			func(l *life) {
				o := l.objects[key("data/", minute(3), 3)]
				l.objects[key("data/", minute(3), 3)] = lifeObject{data: o.data + "1,1,1.5,1.0\n", written: minute(25)}
			}, "object-000003 was changed after it had been counted: verify --full", proof.NotProven,
		},
		"a tick changed": {
			func(l *life) {
				tick := l.tick(p, minute(3), 11, 0, ledger.Range{Last: 10, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
				l.keep(tick, minute(25))
			}, "20261122T000300.000Z.json was changed after it had been counted: verify --full", proof.Proven,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := hours(p, 20)
			l.now = minute(20)
			_, base := judgeFrom(t.Context(), l, lifeOpts, nil, nil)
			test.change(l)
			l.now = minute(30)
			r, next := judgeFrom(t.Context(), l, lifeOpts, base, nil)
			if r.Verdict != proof.Undecided || !strings.Contains(strings.Join(r.Reasons, "; "), test.want) || next != nil {
				t.Errorf("got %s %v, want %q", r.Verdict, r.Reasons, test.want)
			}
			if r, next := judgeFrom(t.Context(), l, lifeOpts, nil, nil); next == nil || r.Verdict == proof.Undecided {
				t.Errorf("in full: got %s %v", r.LastLine(), r.Reasons)
			}
		})
	}
}

// downgrade makes of a checkpoint with one epoch what versions before 5 had.
func (s *checkpoint) downgrade() {
	s.Output, s.Ticks, s.Judge = s.Epochs[0].Output, s.Epochs[0].Ticks, s.Epochs[0].Judge
	s.Epochs, s.Changes, s.Recorded = nil, nil, nil
}

// TestOlderCheckpointIsReadButNotResumedFrom: version 3 has neither its objects' times nor the names of its findings.
func TestOlderCheckpointIsReadButNotResumedFrom(t *testing.T) {
	t.Parallel()
	l := hours(embeddedPipeline(), 20)
	l.objects[key("data/", minute(3), 1003)] = l.objects[key("data/", minute(3), 3)]
	_, s := judgeFrom(t.Context(), l.at(minute(30)), lifeOpts, nil, nil)
	s.downgrade()
	complete, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var old map[string]any
	if err := json.Unmarshal(complete, &old); err != nil {
		t.Fatal(err)
	}
	old["version"] = 3
	for key, o := range old["objects"].(map[string]any) {
		old["objects"].(map[string]any)[key] = o.([]any)[0]
	}
	judge := old["judge"].(map[string]any)
	delete(judge, "named")
	judge["findings"] = map[string]any{"duplicated": map[string]any{"1795306000": s.Judge.Counts.Duplicated}}
	text, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	base, err := decodeCheckpoint(zip(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	l.objects[key("data/", minute(3), 3)] = lifeObject{data: l.objects[key("data/", minute(3), 3)].data, written: minute(31)} // its time moves
	full := Judge(t.Context(), l.at(minute(40)), lifeOpts)
	if r, next := judgeFrom(t.Context(), l, lifeOpts, base, nil); same(full, r) != "" || next == nil || next.Version != formatVersion {
		t.Errorf("(-full +increment):\n%s", same(full, r))
	}

	// What an archive has counted may be gone, so it is gone on from.
	text, err = json.Marshal(map[string]any{"version": 3, "base": old})
	if err != nil {
		t.Fatal(err)
	}
	a, err := decodeArchive(zip(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	l.objects[ArchiveKey] = lifeObject{data: string(zip(string(text))), written: minute(30)}
	r, next := judgeFrom(t.Context(), l, lifeOpts, nil, a)
	if r.Counts.Duplicated != s.Judge.Counts.Duplicated || next == nil {
		t.Fatalf("from the archive: got %s %v", r.LastLine(), r.Reasons)
	}
	delete(l.objects, ArchiveKey)
	n := l.accept(t, proof.Duplicated)
	if r, _ := judgeFrom(t.Context(), l, lifeOpts, nil, a); n != r.Counts.Duplicated || r.Verdict == proof.Undecided {
		t.Errorf("from the archive, accepted: got %s %+v %v", r.LastLine(), r.Accepted, r.Reasons)
	}
}

// TestLostObjectCausesAFullReading: an increment says of a deleted object what a verification in full says.
func TestLostObjectCausesAFullReading(t *testing.T) {
	t.Parallel()
	l := hours(embeddedPipeline(), 20)
	_, base := judgeFrom(t.Context(), l.at(minute(20)), lifeOpts, nil, nil)
	delete(l.objects, key("data/", minute(3), 3))
	full := Judge(t.Context(), l.at(minute(30)), lifeOpts)
	r, next := judgeFrom(t.Context(), l, lifeOpts, base, nil)
	if r.Verdict != proof.NotProven || r.Counts.Missing == 0 || next == nil || same(full, r) != "" {
		t.Errorf("got %s %v (-full +increment):\n%s", r.LastLine(), r.Reasons, same(full, r))
	}
	l.reads = 0
	if judgeFrom(t.Context(), l.at(minute(31)), lifeOpts, next, nil); l.reads > 50 {
		t.Errorf("the next increment reads %d objects", l.reads)
	}
}

func TestOtherOptionsStartOver(t *testing.T) {
	t.Parallel()
	l := hours(embeddedPipeline(), 20)
	l.now = minute(20)
	_, base := judgeFrom(t.Context(), l, lifeOpts, nil, nil)
	l.reads = 0
	other := lifeOpts
	other.DeliveryDeadline = time.Minute
	if r, _ := judgeFrom(t.Context(), l, other, base, nil); l.reads < 40 || r.Covers.DeliveryDeadlineSeconds != 60 {
		t.Errorf("another deadline read %d objects", l.reads)
	}
}

func TestRefusedCheckpoints(t *testing.T) {
	t.Parallel()
	l := hours(embeddedPipeline(), 20)
	l.now = minute(20)
	_, s := judgeFrom(t.Context(), l, lifeOpts, nil, nil)
	complete, err := s.encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeCheckpoint(complete); err != nil {
		t.Fatal(err)
	}
	for n := range complete {
		if _, err := decodeCheckpoint(complete[:n]); err == nil {
			t.Fatalf("a state cut after %d bytes of %d was taken", n, len(complete))
		}
	}
	flipped := bytes.Clone(complete)
	flipped[len(flipped)/2] ^= 1
	if _, err := decodeCheckpoint(flipped); err == nil {
		t.Error("a state with another bit was taken")
	}
	text, err := zipped.Text(complete)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeCheckpoint(zip(string(text) + "{}")); err == nil {
		t.Error("a checkpoint with something behind it is read")
	}
	if _, err := decodeCheckpoint(zip(`{"version": 6, "unknown": 1}`)); err == nil || !strings.Contains(err.Error(), "use a newer streamproof") {
		t.Errorf("a newer version: got %v", err)
	}
}

func TestDuplicatesAllowed(t *testing.T) {
	t.Parallel()
	allowed := lifeOpts
	allowed.DuplicatesAllowed = 3
	l := hours(embeddedPipeline(), 30)
	o := l.objects[key("data/", minute(3), 3)]
	for i, want := range []proof.Verdict{proof.Proven, proof.Proven, proof.Proven, proof.NotProven} {
		row, _, _ := strings.Cut(o.data, "\n")
		l.objects[key("data/", minute(3), 1000+i)] = lifeObject{data: row + "\n", written: minute(35)}
		if got := Judge(t.Context(), l.at(minute(60)), allowed); got.Verdict != want {
			t.Errorf("%d duplicates of 3 allowed: got %s", i+1, got.LastLine())
		}
	}
}

func (l *life) at(now time.Time) *life {
	l.now = now
	return l
}

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func zip(text string) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return out.Bytes()
}

// PutObject writes into the life, on condition as S3 does.
func (l *life) PutObject(_ context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	done, seen := l.write()
	if !done {
		return nil, errors.New("killed")
	}
	listed, _, _ := l.List(context.Background(), *in.Key)
	there := len(listed) == 1
	if in.IfNoneMatch != nil && there || in.IfMatch != nil && (!there || listed[0].ETag != *in.IfMatch) {
		return nil, refused(http.StatusPreconditionFailed, "PreconditionFailed")
	}
	data, err := io.ReadAll(in.Body)
	l.objects[*in.Key] = lifeObject{data: string(data), written: l.now}
	if !seen {
		return nil, errors.New("killed")
	}
	return &s3.PutObjectOutput{ETag: aws.String(l.objects[*in.Key].etag())}, err
}

// refused is an error of S3 with its HTTP status.
func refused(status int, code string) error {
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: &smithy.GenericAPIError{Code: code},
	}
}

// PutObjectTagging tags what stands there.
func (l *life) PutObjectTagging(_ context.Context, in *s3.PutObjectTaggingInput, _ ...func(*s3.Options)) (*s3.PutObjectTaggingOutput, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	done, seen := l.write()
	if !done {
		return nil, errors.New("killed")
	}
	if _, there := l.objects[*in.Key]; !there {
		return nil, &smithy.GenericAPIError{Code: "NoSuchKey"}
	}
	if l.tags == nil {
		l.tags = map[string]bool{}
	}
	if tag := in.Tagging.TagSet[0]; *tag.Key == "streamproof" && *tag.Value == "settled" {
		l.tags[*in.Key] = true
	}
	if l.tagged != nil {
		l.tagged(*in.Key)
	}
	if !seen {
		return nil, errors.New("killed")
	}
	return &s3.PutObjectTaggingOutput{}, nil
}

func (l *life) handler() *Handler {
	return &Handler{
		config: Config{
			Bucket: "life", DataPrefix: "data/", ErrorsPrefix: "data-errors/", DeliveryDeadlineSeconds: 600, StackName: "stack", ExpireAfterDays: l.expire,
		},
		bucket: l, put: l, tag: l, out: io.Discard, log: slog.New(slog.DiscardHandler), maxTags: maxTags,
	}
}

func (l *life) verify(t *testing.T, event string) *report.Report {
	t.Helper()
	r, err := handle(t.Context(), l.handler(), json.RawMessage(event))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHandlerResumesFromTheCheckpoint(t *testing.T) {
	t.Parallel()
	l := hours(embeddedPipeline(), 40)
	if r := l.at(minute(20)).verify(t, `{}`); r.Verdict != proof.Proven || l.objects[CheckpointKey].data == "" {
		t.Fatalf("got %s, and a state of %d bytes", r.LastLine(), len(l.objects[CheckpointKey].data))
	}
	first := l.objects[CheckpointKey].data
	l.reads = 0
	if r := l.at(minute(30)).verify(t, `{}`); r.Verdict != proof.Proven || r.Covers.Ticks != 30 || l.reads > 50 || l.objects[CheckpointKey].data == first {
		t.Errorf("got %s over %d ticks with %d reads", r.LastLine(), r.Covers.Ticks, l.reads)
	}
	l.reads = 0
	if r := l.verify(t, `{"full": true}`); r.Verdict != proof.Proven || r.Covers.Ticks != 30 || l.reads < 60 {
		t.Errorf("in full: got %s over %d ticks with %d reads", r.LastLine(), r.Covers.Ticks, l.reads)
	}
	delete(l.objects, CheckpointKey)
	if r := l.at(minute(35)).verify(t, `{}`); r.Verdict != proof.Proven || r.Covers.Ticks != 35 || l.objects[CheckpointKey].data == "" {
		t.Errorf("with the state lost: got %s over %d ticks", r.LastLine(), r.Covers.Ticks)
	}
	l.objects[CheckpointKey] = lifeObject{data: l.objects[CheckpointKey].data[:100], written: l.now}
	if r := l.verify(t, `{}`); r.Verdict != proof.Undecided || !strings.Contains(r.Reasons[0], "the checkpoint cannot be read") {
		t.Errorf("with the state cut: got %s %v", r.LastLine(), r.Reasons)
	}
	if r := l.verify(t, `{"full": true}`); r.Verdict != proof.Proven {
		t.Errorf("in full: got %s %v", r.LastLine(), r.Reasons)
	}
	if r := l.verify(t, `{}`); r.Verdict != proof.Proven {
		t.Errorf("after a full one: got %s %v", r.LastLine(), r.Reasons)
	}
}

func (h *Handler) saveState(t *testing.T, s *checkpoint, etag string) error {
	t.Helper()
	data, err := s.encode()
	if err != nil {
		t.Fatal(err)
	}
	return h.replace(t.Context(), CheckpointKey, data, etag)
}

func TestOneOfTwoVerifiersReplacesTheCheckpoint(t *testing.T) {
	t.Parallel()
	l := hours(embeddedPipeline(), 40)
	for _, at := range []time.Time{minute(20), minute(30)} { // without a state, and with one
		l.now = at
		a, b := l.handler(), l.handler()
		stateOfA, etagOfA, err := loadCheckpoint(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		stateOfB, etagOfB, err := loadCheckpoint(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		_, nextOfA := judgeFrom(t.Context(), l, lifeOpts, stateOfA, nil)
		_, nextOfB := judgeFrom(t.Context(), l.at(at.Add(time.Minute)), lifeOpts, stateOfB, nil)
		if err := b.saveState(t, nextOfB, etagOfB); err != nil {
			t.Fatal(err)
		}
		if err := a.saveState(t, nextOfA, etagOfA); err == nil {
			t.Error("the second replaced the state of the first")
		}
	}
	if r := l.at(minute(40)).verify(t, `{}`); r.Verdict != proof.Proven || r.Covers.Ticks != 40 || r.Counts.Duplicated > 0 {
		t.Errorf("got %s over %d ticks", r.LastLine(), r.Covers.Ticks)
	}
}

func FuzzState(f *testing.F) {
	l := hours(embeddedPipeline(), 10)
	_, s := judgeFrom(context.Background(), l.at(minute(30)), lifeOpts, nil, nil)
	data, err := s.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(zip(`{"version":1}`))
	f.Add(zip(`{"version":1,"horizon":"2026-11-22T00:00:00Z","judge":{"ticks":[],"rows":[{"key":"AQ==","owed":[{"tick":0,"open":1}]}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeCheckpoint(data)
		if err != nil {
			return
		}
		if _, _, err := s.restore(2); err != nil {
			return
		}
		for _, e := range s.Epochs {
			if e.Judge == nil {
				continue
			}
			j, err := proof.Restore(e.Judge, func([]byte) string { return "" }, 1)
			if err != nil {
				return
			}
			j.State(5)
			j.Close(birth)
		}
	})
}

func FuzzObject(f *testing.F) {
	f.Add([]byte("1,1,1.0,1.0\n2,2,2.0,2.0\n"))
	complete := zip("1,1,1.0,1.0\n")
	for _, n := range []int{2, 10, len(complete) - 4, len(complete)} {
		f.Add(complete[:n])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := bucket.Unzip(bytes.NewReader(data))
		if err != nil {
			return
		}
		newlines := 0
		lines, err := eachLine(in, 1<<10, func([]byte, int64) error { newlines++; return nil }, func([]byte, int64, string) { newlines++ })
		if err == nil && lines != int64(newlines) {
			t.Errorf("%d lines, and %d were handed on", lines, newlines)
		}
	})
}

// TestWrongClockFailsNoRow: the producer's clock is ten minutes behind, so that its lease was over before it began.
func TestWrongClockFailsNoRow(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	l := newLife(p)
	tick := l.tick(p, minute(20), 10, 0, ledger.Range{Last: 9, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
	tick.Time, tick.LeaseEnd, tick.State = tick.Time.Add(-10*time.Minute), tick.LeaseEnd.Add(-10*time.Minute), ledger.InProgress
	l.keep(tick, minute(21)) // its last progress
	rows, _ := output(p, tick)
	l.objects[key("data/", minute(20), 1)] = lifeObject{data: strings.Join(rows, ""), written: minute(28)}
	if r := Judge(t.Context(), l.at(minute(27)), lifeOpts); r.Verdict != proof.Proven || r.Counts.InFlight != int64(len(rows)) {
		t.Errorf("on the way: got %s", r.LastLine())
	}
	_, base := judgeFrom(t.Context(), l.at(minute(30)), lifeOpts, nil, nil)
	tick.State = ledger.Complete
	l.keep(tick, minute(31)) // its manifest: it was not checkpointed, because it may still run
	if r, _ := judgeFrom(t.Context(), l.at(minute(50)), lifeOpts, base, nil); r.Verdict != proof.Proven || r.Counts.Delivered != int64(len(rows)) || r.Counts.Late != 0 {
		t.Errorf("in the end: got %s %v", r.LastLine(), r.Reasons)
	}
}

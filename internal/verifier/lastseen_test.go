package verifier

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"streamproof/internal/explain"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/stream"
)

// river is a stream of one shard.
type river struct {
	records []stream.Record
	reads   int
	err     error
	stuck   bool // it never answers
}

func (r *river) Retention(context.Context) (time.Duration, error) { return 24 * time.Hour, r.err }

func (r *river) ReadRange(ctx context.Context, _, _, _ string, take func(stream.Record) bool) error {
	r.reads++
	if r.stuck {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, one := range r.records {
		if !take(one) {
			break
		}
	}
	return nil
}

// streamOf holds all records of a tick.
func streamOf(t *testing.T, tick *ledger.Tick) *river {
	t.Helper()
	g, err := generator.New(embeddedPipeline(), tick.Seed)
	if err != nil {
		t.Fatal(err)
	}
	of := generator.Tick{Time: tick.Time, Records: tick.Records, Spread: time.Duration(tick.SpreadSeconds) * time.Second}
	key, err := g.KeyOf(tick.PartitionKey)
	if err != nil {
		t.Fatal(err)
	}
	r := &river{}
	for i := range tick.Records {
		r.records = append(r.records, stream.Record{
			SequenceNumber: fmt.Sprint(4965 + i), PartitionKey: string(g.AppendKey(nil, of, i, key)), Data: g.Append(nil, of, i),
		})
	}
	return r
}

// lossy is a life of half an hour in which the rows of one tick are lost, and its stream.
func lossy(t *testing.T) (*life, *river, int64) {
	t.Helper()
	p := embeddedPipeline()
	l := hours(p, 30)
	tick := l.tick(p, minute(3), 10, 0, ledger.Range{Last: 9, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
	delete(l.objects, key("data/", minute(3), 3))
	rows, _ := output(p, tick)
	return l, streamOf(t, tick), int64(len(rows))
}

func (l *life) lookedAt(t *testing.T, stream explain.Stream, event string) *report.Report {
	t.Helper()
	h := l.handler()
	h.stream = stream
	r, err := handle(t.Context(), h, []byte(event))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReportSaysWhereMissingRowsWereLast(t *testing.T) {
	t.Parallel()
	l, stream, lost := lossy(t)
	r := l.at(minute(40)).lookedAt(t, stream, `{}`)
	if r.Counts.Missing != lost || len(r.LastSeen) == 0 {
		t.Fatalf("got %s and %+v", r.LastLine(), r.LastSeen)
	}
	var seen int64
	for _, f := range r.LastSeen {
		if seen += f.Count; f.Hop != report.InStream || f.Class != proof.Missing || !f.Tick.Equal(minute(3)) || len(f.Records) == 0 {
			t.Errorf("got %+v", f)
		}
		if !strings.Contains(f.Text, "the application has not read it yet, or it was lost there or after Firehose took it") {
			t.Errorf("got %q", f.Text)
		}
		for _, record := range f.Records {
			want := []report.Place{{Shard: "shard", SequenceNumber: stream.records[record.Index].SequenceNumber}}
			if diff := gocmp.Diff(want, record.Places); diff != "" || record.PartitionKey != stream.records[record.Index].PartitionKey {
				t.Errorf("record %d with key %s (-want +got):\n%s", record.Index, record.PartitionKey, diff)
			}
		}
	}
	if seen != lost {
		t.Errorf("of %d missing rows, %d are looked for", lost, seen)
	}
	for _, written := range []string{l.objects[LatestReport].data, l.objects[LatestPage].data} {
		if !strings.Contains(written, r.LastSeen[0].Records[0].PartitionKey) || !strings.Contains(written, r.LastSeen[0].Records[0].Places[0].SequenceNumber) {
			t.Error("the report as written does not say where a row was last")
		}
	}

	// It is looked for once, even where the stream does not keep it any more, and in full.
	for i, event := range []string{`{}`, `{"full": true}`} {
		reads := stream.reads
		again := l.at(minute(41+i)).lookedAt(t, stream, event)
		if diff := gocmp.Diff(r.LastSeen, again.LastSeen); diff != "" || stream.reads != reads {
			t.Errorf("%s: the stream is read %d times more (-before +now):\n%s", event, stream.reads-reads, diff)
		}
	}
	tick := l.objects[ledger.TickKey(minute(4))]
	l.objects[ledger.TickKey(minute(4))] = lifeObject{data: "{", written: tick.written}
	if r := l.at(minute(60)).lookedAt(t, stream, `{"full": true}`); r.Verdict != proof.Undecided {
		t.Fatalf("got %s", r.LastLine())
	}
	l.objects[ledger.TickKey(minute(4))] = tick
	if later := l.at(minute(40+25*60)).lookedAt(t, stream, `{}`); later.LastSeen[0].Hop != report.InStream {
		t.Errorf("a day later: got %+v", later.LastSeen[0])
	}
}

// TestNewLossesAreLookedFor: other losses of the same tick are, and what has come since is told no more.
func TestNewLossesAreLookedFor(t *testing.T) {
	t.Parallel()
	l, stream, _ := lossy(t)
	first := l.at(minute(40)).lookedAt(t, stream, `{}`)
	reads, p := stream.reads, embeddedPipeline()
	tick := l.tick(p, minute(5), 10, 0, ledger.Range{Last: 9, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
	rows, _ := output(p, l.tick(p, minute(3), 10, 0, ledger.Range{Last: 9}))
	l.objects[key("data/", minute(40), 1000)] = lifeObject{data: strings.Join(rows, ""), written: minute(40).Add(time.Second)}
	delete(l.objects, key("data/", minute(5), 5))
	second := l.at(minute(42)).lookedAt(t, streamOf(t, tick), `{"full": true}`)
	if second.Counts.Missing == first.Counts.Missing || len(second.LastSeen) == 0 || !second.LastSeen[0].Tick.Equal(minute(5)) || second.LastSeen[0].Hop != report.InStream {
		t.Errorf("got %s and %+v, after %s", second.LastLine(), second.LastSeen, first.LastLine())
	}
	if stream.reads != reads {
		t.Error("the stream was read for what has come")
	}
}

// TestLossIsReportedWhateverTheStreamDoes: a stream that cannot be read, or takes too long, keeps no verdict back.
func TestLossIsReportedWhateverTheStreamDoes(t *testing.T) {
	t.Parallel()
	for name, stream := range map[string]*river{
		"denied": {err: errors.New("AccessDenied")}, "stuck": {stuck: true}, "empty": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, _, lost := lossy(t)
			h := l.at(minute(40)).handler()
			h.stream = stream
			ctx, cancel := context.WithTimeout(t.Context(), reportReserve+3*time.Second)
			defer cancel()
			r, err := handle(ctx, h, []byte(`{}`))
			if err != nil || r.Verdict != proof.NotProven || r.Counts.Missing != lost || l.objects[LatestReport].data == "" {
				t.Fatalf("got %v, %v", r, err)
			}
			if name == "empty" {
				if len(r.LastSeen) == 0 || r.LastSeen[0].Hop != report.NotInStream {
					t.Errorf("got %+v", r.LastSeen)
				}
			} else if len(r.LastSeen) > 0 || !strings.Contains(r.Samples[proof.Missing][0].Reason, "see streamproof explain") {
				t.Errorf("got %+v", r.LastSeen)
			}
		})
	}
}

// TestUnreadablePreviousReportIsIgnored: a report before that is of another version, or no report, is as good as none.
func TestUnreadablePreviousReportIsIgnored(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"{", `{"version": 99, "lastSeen": [{"class": "missing"}]}`, `[]`} {
		l, stream, _ := lossy(t)
		l.objects[LatestReport] = lifeObject{data: before, written: minute(1)}
		if r := l.at(minute(40)).lookedAt(t, stream, `{}`); len(r.LastSeen) == 0 || stream.reads == 0 {
			t.Errorf("%s: got %+v", before, r.LastSeen)
		}
	}
}

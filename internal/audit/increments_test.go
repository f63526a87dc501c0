package audit_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"streamproof/internal/audit"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// A kept stream forgets what is older than its retention.
type kept struct {
	fakeStream
	bucket    *fakeBucket // for the time
	retention time.Duration
}

func (s *kept) Held(context.Context, time.Time) (time.Time, error) {
	return s.bucket.now.Add(-s.retention), nil
}

func (s *kept) Records(ctx context.Context, from, until time.Time) iter.Seq2[audit.Record, error] {
	return s.RecordsAfter(ctx, nil, from, until)
}

func (s *kept) RecordsAfter(ctx context.Context, positions map[string]audit.Position, from, until time.Time) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range s.fakeStream {
			if err := ctx.Err(); err != nil {
				yield(audit.Record{}, err)
				return
			}
			at, known := positions[r.Shard]
			wanted := known && r.SequenceNumber > at.SequenceNumber || !known && !r.Arrival.Before(from)
			gone := r.Arrival.Before(s.bucket.now.Add(-s.retention))
			if wanted && !gone && r.Arrival.Before(until) && !yield(r, nil) {
				return
			}
		}
	}
}

// resume audits as the bucket is now, and carries the state over as a function does.
func (h *history) resume(t fatal, s audit.Resumable, state []byte) (*report.Report, []byte) {
	var base *audit.State
	if state != nil {
		var err error
		if base, err = audit.DecodeState(state); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	left := atomic.Int64{} // objects are read ahead
	left.Store(int64(h.interrupted))
	h.bucket.opened = func() {
		if left.Add(-1) == 0 {
			cancel()
		}
	}
	r, next := audit.Resume(ctx, s, &h.bucket, h.opts, base)
	if next == nil {
		return r, state
	}
	state, err := next.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return r, state
}

type fatal interface{ Fatal(args ...any) }

// Increments, cut anywhere and repeated at will, come to the verdict of one audit of everything.
func TestIncrements(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const deadline = 60 * time.Second
		h := &history{opts: audit.Options{
			From: start.Add(100 * time.Second), Skew: audit.DefaultSkew, Form: audit.Verbatim{},
			Pipeline: audit.Pipeline{Prefix: "orders/", ErrorsPrefix: "errors/", Deadline: deadline},
		}}
		seconds := func(from, to int, label string) time.Duration {
			return time.Duration(rapid.IntRange(from*1000, to*1000).Draw(t, label)) * time.Millisecond
		}
		for range rapid.IntRange(0, 40).Draw(t, "records") {
			h.stream = append(h.stream, audit.Record{
				Shard: rapid.SampledFrom([]string{"shardId-000000000000", "shardId-000000000001"}).Draw(t, "shard"), PartitionKey: "k",
				Arrival: start.Add(seconds(0, 3600, "arrival")), Data: fmt.Appendf(nil, "%d\n", rapid.IntRange(0, 30).Draw(t, "row")),
			})
		}
		slices.SortStableFunc(h.stream, func(a, b audit.Record) int { return a.Arrival.Compare(b.Arrival) })
		for i := range h.stream {
			r := &h.stream[i]
			r.SequenceNumber = fmt.Sprintf("%04d", i)
			for copied := range rapid.SampledFrom([]int{1, 1, 1, 0, 2}).Draw(t, "copies") {
				written := r.Arrival.Add(seconds(-4, 1200, "delay"))
				key := fmt.Sprintf("orders/%s-%d", r.SequenceNumber, copied)
				data := string(r.Data)
				if rapid.IntRange(0, 9).Draw(t, "failed") == 0 {
					key = "errors/" + key
					data = fmt.Sprintf(`{"attemptsMade":4,"errorCode":"E","errorMessage":"no","rawData":"%s"}`, base64(data))
				}
				h.put(key, written, data)
				h.bucket.objects[len(h.bucket.objects)-1].listedLate = seconds(0, 240, "listed late")
			}
		}
		for range rapid.IntRange(0, 2).Draw(t, "strangers") {
			h.put(fmt.Sprintf("orders/stranger-%d", len(h.bucket.objects)), start.Add(seconds(0, 3600, "stranger")), "stranger\nstranger\n")
		}
		s := &kept{fakeStream: h.stream, bucket: &h.bucket, retention: 24 * time.Hour}
		end := start.Add(90 * time.Minute)

		h.bucket.now = end
		all, _ := h.resume(t, s, nil)

		var state []byte
		h.bucket.now = start.Add(110 * time.Second)
		for h.bucket.now.Before(end) {
			h.opts.SaveEvery = rapid.SampledFrom([]time.Duration{0, 1}).Draw(t, "save every")
			h.interrupted = rapid.IntRange(-10, 20).Draw(t, "interrupted")
			_, next := h.resume(t, s, state)
			if rapid.IntRange(0, 4).Draw(t, "state is lost") > 0 {
				state = next
			}
			h.bucket.now = h.bucket.now.Add(seconds(1, 900, "until the next")).Truncate(time.Second)
		}
		h.bucket.now, h.interrupted = end, 0
		got, _ := h.resume(t, s, state)
		ignored := cmpopts.IgnoreFields(report.Report{}, "JudgedAt", "Samples", "Ticks", "Notes")
		// Which records came before is remembered only as long as an audit runs.
		notRemembered := cmpopts.IgnoreFields(report.Audit{}, "Repeated")
		named := cmp.Transformer("sorted", func(f []report.Finding) []string {
			var rows []string
			for _, one := range f {
				rows = append(rows, fmt.Sprint(one.Tick, one.Row, one.Count, one.Records))
			}
			slices.Sort(rows)
			return rows
		})
		if diff := cmp.Diff(all, got, ignored, notRemembered, named); diff != "" {
			t.Errorf("(-all at once +in increments):\n%s", diff)
		}
	})
}

// hourAudit is an audit of a stream that gets a record a minute and keeps it for an hour. Each is delivered after
// ten seconds but those of some minutes.
func hourAudit(minutes int, lost ...int) (*history, *kept) {
	h := &history{opts: audit.Options{
		From: start, Skew: audit.DefaultSkew, Form: audit.Verbatim{}, Start: "10:00",
		Pipeline: audit.Pipeline{Prefix: "orders/", Deadline: time.Minute},
	}}
	for i := range minutes {
		row := fmt.Sprintf("%d\n", i)
		h.stream = append(h.stream, audit.Record{
			Shard: "a", SequenceNumber: fmt.Sprintf("%04d", i), PartitionKey: "k", Arrival: start.Add(time.Duration(i) * time.Minute), Data: []byte(row),
		})
		if !slices.Contains(lost, i) {
			h.put("orders/"+fmt.Sprint(i), h.stream[i].Arrival.Add(10*time.Second), row)
		}
	}
	return h, &kept{fakeStream: h.stream, bucket: &h.bucket, retention: time.Hour}
}

// What was read before its retention ended stays counted, and a missing row stays named.
func TestRetentionEnds(t *testing.T) {
	h, s := hourAudit(300, 7)
	var r *report.Report
	var state []byte
	for minute := 0; minute <= 300; minute += 30 {
		h.bucket.now = start.Add(time.Duration(minute) * time.Minute)
		r, state = h.resume(t, s, state)
	}
	if want := (proof.Counts{Owed: 300, Delivered: 299, Missing: 1}); r.Counts != want || r.Verdict != proof.NotProven {
		t.Errorf("%s %+v, want NOT PROVEN %+v", r.Verdict, r.Counts, want)
	}
	if len(r.LastSeen) != 1 || r.LastSeen[0].Records[0].Places[0].SequenceNumber != "0007" {
		t.Errorf("named are %+v, want record 0007", r.LastSeen)
	}
	if len(r.Audit.Gaps) > 0 || !r.Audit.From.Equal(start) {
		t.Errorf("gaps %v since %s, want none since %s", r.Audit.Gaps, r.Audit.From, start)
	}
	const most = 4000
	if len(state) > most {
		t.Errorf("the state has %d bytes after five hours, want at most %d", len(state), most)
	}
}

// What the stream has forgotten unread is a gap, for good: nothing is PROVEN. What is outside of it is still judged.
func TestGap(t *testing.T) {
	h, s := hourAudit(600)
	at := func(minute int, state []byte) (*report.Report, []byte) {
		h.bucket.now = start.Add(time.Duration(minute) * time.Minute)
		return h.resume(t, s, state)
	}
	_, state := at(0, nil)
	r, state := at(30, state)
	if r.Verdict != proof.Proven {
		t.Fatalf("%s %s", r.Verdict, r.Reasons)
	}
	r, state = at(200, state)
	gap := report.Gap{From: start.Add(25 * time.Minute), To: start.Add(140*time.Minute + time.Minute + audit.DefaultSkew)}
	check := func(r *report.Report, want proof.Verdict) {
		t.Helper()
		if r.Verdict != want || !strings.Contains(strings.Join(r.Reasons, "\n"), "never read") || len(r.Audit.Gaps) != 1 {
			t.Errorf("%s %s %v, want %s that says that records were never read", r.Verdict, r.Reasons, r.Audit.Gaps, want)
		}
	}
	check(r, proof.Undecided)
	if got := r.Audit.Gaps[0]; got != gap {
		t.Errorf("the gap is %v, want %v", got, gap)
	}
	if r.Counts.Unexpected+r.Counts.Duplicated+r.Counts.Missing > 0 {
		t.Errorf("rows of the gap accuse: %+v", r.Counts)
	}
	r, state = at(250, state)
	check(r, proof.Undecided)
	h.put("orders/stranger", start.Add(260*time.Minute), "stranger\n")
	r, state = at(270, state)
	check(r, proof.NotProven)
	// Another start begins a new audit.
	h.opts.Start, h.opts.From = "14:25", start.Add(265*time.Minute)
	if r, _ = at(280, state); r.Verdict != proof.Proven || len(r.Audit.Gaps) > 0 {
		t.Errorf("%s %s, want PROVEN of a new audit", r.Verdict, r.Reasons)
	}
}

// An audit that begins now owes nothing from before, whenever its first checkpoint is.
func TestBeginsNow(t *testing.T) {
	h, s := hourAudit(30, 5)
	h.opts.From = time.Time{}
	var r *report.Report
	var state []byte
	for _, second := range []int{610, 620, 700, 1200, 1900} {
		h.bucket.now = start.Add(time.Duration(second) * time.Second)
		r, state = h.resume(t, s, state)
	}
	if want := (proof.Counts{Owed: 19, Delivered: 19}); r.Counts != want || r.Verdict != proof.Proven {
		t.Errorf("%s %+v, want PROVEN %+v", r.Verdict, r.Counts, want)
	}
}

// A state of another prefix, or of another query, is not gone on from.
func TestStateOfAnother(t *testing.T) {
	for name, change := range map[string]func(*audit.Options){
		"prefix": func(o *audit.Options) { o.Pipeline.Prefix = "others/" },
		"query":  func(o *audit.Options) { o.FormID = "abc" },
	} {
		t.Run(name, func(t *testing.T) {
			h, s := hourAudit(30)
			h.bucket.now = start.Add(20 * time.Minute)
			_, state := h.resume(t, s, nil)
			change(&h.opts)
			r, again := h.resume(t, s, state)
			if r.Verdict != proof.Undecided || !strings.Contains(r.Reasons[0], name+" was") || string(again) != string(state) {
				t.Errorf("%s %s", r.Verdict, r.Reasons)
			}
		})
	}
	for _, broken := range []string{"", "{}", "\x1f\x8b"} {
		if s, err := audit.DecodeState([]byte(broken)); err == nil {
			t.Errorf("%q is read as %v", broken, s)
		}
	}
}

package verifier

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"strings"
	"testing"
	"time"

	"streamproof/internal/audit"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// lifeStream is a stream that somebody else puts records into. It keeps them for a day.
type lifeStream struct {
	life    *life
	records []audit.Record
}

func (s *lifeStream) Name() string { return "orders" }

func (s *lifeStream) Held(context.Context, time.Time) (time.Time, error) {
	return s.life.now.Add(-24 * time.Hour), nil
}

func (s *lifeStream) Records(ctx context.Context, from, until time.Time) iter.Seq2[audit.Record, error] {
	return s.RecordsAfter(ctx, nil, from, until)
}

func (s *lifeStream) RecordsAfter(_ context.Context, positions map[string]audit.Position, from, until time.Time) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range s.records {
			at, known := positions[r.Shard]
			wanted := known && r.SequenceNumber > at.SequenceNumber || !known && !r.Arrival.Before(from)
			if wanted && r.Arrival.Before(until) && !r.Arrival.After(s.life.now) && !yield(r, nil) {
				return
			}
		}
	}
}

// audited is a life of so many minutes without a producer of its own: each minute brings ten records of which two are
// malformed, and the application delivers their rows and rejects.
func audited(p *pipeline.Pipeline, minutes int) (*life, *lifeStream) {
	l := newLife(p)
	current := &ledger.Current{Pipeline: p.Hash(), Since: birth, By: ledger.ByDeploy, Deployed: p.Hash()}
	data, err := current.Encode()
	if err != nil {
		panic(err)
	}
	l.objects[ledger.CurrentKey] = lifeObject{data: string(data), written: birth}
	s := &lifeStream{life: l}
	g, err := generator.New(p, 1)
	if err != nil {
		panic(err)
	}
	for i := range minutes {
		tick := l.tick(p, minute(i), 10, 2, ledger.Range{})
		arrival := tick.Time.Add(time.Second)
		of := generator.Tick{Time: tick.Time, Records: tick.Records, Poison: tick.Poison, Spread: 5 * time.Second}
		for n := range tick.Records {
			s.records = append(s.records, audit.Record{
				Shard: "a", SequenceNumber: fmt.Sprintf("%06d", len(s.records)), PartitionKey: "k", Arrival: arrival, Data: g.Append(nil, of, n),
			})
		}
		rows, bad := output(p, tick)
		l.objects[key("data/", tick.Time, i)] = lifeObject{data: strings.Join(rows, ""), written: arrival.Add(10 * time.Second)}
		var rejects strings.Builder
		for _, line := range bad {
			fmt.Fprintf(&rejects, `{"reason":"r","column":null,"data":"%s","shard":"a","sequence_number":"1","arrival_time":null}`+"\n", base64.StdEncoding.EncodeToString([]byte(line)))
		}
		if rejects.Len() > 0 {
			l.objects[key("data-errors/", tick.Time, i)] = lifeObject{data: rejects.String(), written: arrival.Add(20 * time.Second)}
		}
	}
	return l, s
}

func (s *lifeStream) handler() *Handler {
	h := s.life.handler()
	h.config.StreamName, h.config.AuditFrom, h.config.AuditRows, h.config.HourlyKeys = "orders", birth.Format(time.RFC3339), RowsApplication, true
	h.source, h.rows = s, s.life
	return h
}

func (s *lifeStream) verify(t *testing.T, event string) *report.Report {
	t.Helper()
	r, err := handle(t.Context(), s.handler(), json.RawMessage(event))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The application's rows are proven by the stream that it reads, in increments, and the lines that it refuses too.
func TestAuditOfAnApplication(t *testing.T) {
	t.Parallel()
	l, s := audited(embeddedPipeline(), 90)
	var r *report.Report
	for _, at := range []int{0, 20, 40, 41, 100} {
		l.at(minute(at))
		r = s.verify(t, `{}`)
	}
	if r.Verdict != proof.Proven || r.Counts.Rejects == 0 || r.Counts.Delivered == 0 || r.Counts.Rejects+r.Counts.Delivered != r.Counts.Owed || r.Counts.Foreign > 0 {
		t.Fatalf("%s %s %s", r.LastLine(), r.Reasons, r.Notes)
	}
	if got := r.Covers.Records; got != 900 {
		t.Errorf("%d records are covered, want 900", got)
	}

	// A reject that is lost is missing, and named.
	l.at(minute(105))
	for at := range 90 {
		if o, ok := l.objects[key("data-errors/", minute(at), at)]; ok && at > 85 {
			lines := strings.Count(o.data, "\n")
			delete(l.objects, key("data-errors/", minute(at), at))
			delete(l.objects, AuditKey)
			r = s.verify(t, `{}`)
			if r.Verdict != proof.NotProven || r.Counts.Missing != int64(lines) || len(r.LastSeen) != lines {
				t.Errorf("%s of %d lost rejects, %d named", r.LastLine(), lines, len(r.LastSeen))
			}
			return
		}
	}
	t.Error("nothing was refused")
}

// A change of the query changes what is owed from then on, and the audit goes on: only of records that either query may
// have read, nothing is said.
func TestAuditOverAChangeOfTheQuery(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	narrow, err := pipeline.ParseWithSamples(p.SchemaJSON, bytes.ReplaceAll(p.SQL, []byte("< 3"), []byte("< 2")), p.Samples)
	if err != nil || narrow.Hash() == p.Hash() {
		t.Fatalf("the query is not another: %v", err)
	}
	l, s := audited(p, 90)
	data, err := ledger.EncodePipeline(narrow)
	if err != nil {
		t.Fatal(err)
	}
	l.objects[ledger.PipelineKey(narrow.Hash())] = lifeObject{data: string(data), written: minute(40)}
	current := &ledger.Current{
		Pipeline: narrow.Hash(), Since: minute(41), By: ledger.BySQLRun, Deployed: p.Hash(),
		Epochs: []ledger.Epoch{{Pipeline: p.Hash()}, {Pipeline: narrow.Hash(), From: minute(41)}},
	}
	if data, err = current.Encode(); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{20, 40} {
		if r := s.at(at).verify(t, `{}`); r.Verdict != proof.Proven {
			t.Fatalf("minute %d: %s %s", at, r.LastLine(), r.Reasons)
		}
	}
	l.objects[ledger.CurrentKey] = lifeObject{data: string(data), written: minute(41)}
	for i := 39; i < 90; i++ { // the change came when two minutes were not read yet
		k := key("data/", minute(i), i)
		var rows []string
		for row := range strings.Lines(l.objects[k].data) {
			if row < "2" {
				rows = append(rows, row)
			}
		}
		l.objects[k] = lifeObject{data: strings.Join(rows, ""), written: l.objects[k].written}
	}
	for _, at := range []int{60, 80, 110} {
		r := s.at(at).verify(t, `{}`)
		if r.Verdict != proof.Proven || !strings.Contains(strings.Join(r.Notes, "\n"), "the query was changed") {
			t.Errorf("minute %d: %s %s %s", at, r.LastLine(), r.Reasons, r.Notes)
		}
	}
	// After the change, a loss is a loss.
	delete(l.objects, key("data/", minute(85), 85))
	delete(l.objects, AuditKey)
	if r := s.verify(t, `{}`); r.Verdict != proof.NotProven || r.Counts.Missing == 0 || r.Counts.Unexpected+r.Counts.Duplicated > 0 {
		t.Errorf("%s", r.LastLine())
	}
}

// What is missing can be accepted, and stays accepted while the audit goes on.
func TestAuditAccepts(t *testing.T) {
	t.Parallel()
	l, s := audited(embeddedPipeline(), 90)
	delete(l.objects, key("data/", minute(3), 3))
	r := s.at(60).verify(t, `{"findings": true}`)
	if r.Verdict != proof.NotProven || r.Findings == "" {
		t.Fatalf("%s", r.LastLine())
	}
	found, err := ledger.DecodeFindings([]byte(l.objects[r.Findings].data))
	if err != nil {
		t.Fatal(err)
	}
	a, findings, err := r.Accept(proof.Missing, r.Counts.Missing, found, "a test", "somebody", l.now)
	if err != nil {
		t.Fatal(err)
	}
	data, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if a.FindingsKey != "" {
		l.objects[a.FindingsKey] = lifeObject{data: string(findings), written: l.now}
	}
	l.objects[a.Key()] = lifeObject{data: string(data), written: l.now}
	for _, at := range []int{61, 80, 100} {
		if r = s.at(at).verify(t, `{}`); r.Verdict != proof.Proven || len(r.Accepted) != 1 || r.Accepted[0].Used != a.Count {
			t.Errorf("minute %d: %s %+v", at, r.LastLine(), r.Accepted)
		}
	}
}

func (s *lifeStream) at(n int) *lifeStream {
	s.life.at(minute(n))
	return s
}

// A verifier that is killed at any of its writes leaves nothing wrong: the next one says what it would have said.
func TestAuditKilledAnywhere(t *testing.T) {
	t.Parallel()
	_, whole := audited(embeddedPipeline(), 60)
	whole.at(20).verify(t, `{}`)
	whole.at(40).verify(t, `{}`)
	want := whole.at(70).verify(t, `{}`)
	for _, lands := range []bool{false, true} {
		for lives := 1; lives <= 12; lives++ {
			l, s := audited(embeddedPipeline(), 60)
			l.lives, l.lands = lives, lands
			for _, at := range []int{20, 40} {
				_, _ = handle(context.Background(), s.at(at).handler(), json.RawMessage(`{}`))
			}
			l.lives = 0
			if got := s.at(70).verify(t, `{}`); same(want, got) != "" {
				t.Errorf("killed at write %d (%v): %s", lives, lands, same(want, got))
			}
		}
	}
}

// Of two verifications at once, the state of the first stays, and either way nothing is counted twice.
func TestTwoAuditsAtOnce(t *testing.T) {
	t.Parallel()
	l, s := audited(embeddedPipeline(), 60)
	s.at(20).verify(t, `{}`)
	l.at(minute(40))
	l.betweenAt, l.between, l.lists = 4, func() { s.at(45).verify(t, `{}`) }, 0
	s.verify(t, `{}`)
	if l.between != nil {
		t.Fatal("nothing ran in between")
	}
	if r := s.at(70).verify(t, `{}`); r.Verdict != proof.Proven || r.Covers.Records != 600 {
		t.Errorf("%s over %d records", r.LastLine(), r.Covers.Records)
	}
}

// A state that cannot be read is not written over.
func TestAuditStateIsKept(t *testing.T) {
	t.Parallel()
	l, s := audited(embeddedPipeline(), 10)
	l.objects[AuditKey] = lifeObject{data: "of a newer version", written: birth}
	r := s.at(9).verify(t, `{}`)
	if r.Verdict != proof.Undecided || !strings.Contains(r.Reasons[0], AuditKey) || l.objects[AuditKey].data != "of a newer version" {
		t.Errorf("%s %s", r.LastLine(), r.Reasons)
	}
}

func TestReadConfigOfAnAudit(t *testing.T) {
	t.Parallel()
	valid := map[string]string{
		"BUCKET": "b", "SOURCE_BUCKET": "lake", "DATA_PREFIX": "orders/", "ERRORS_PREFIX": "", "STACK_NAME": "stack", "STREAM_NAME": "orders",
		"DELIVERY_DEADLINE_SECONDS": "600", "AUDIT_FROM": "NOW",
	}
	for name, test := range map[string]struct{ variable, value, want string }{
		"valid":            {"AUDIT_FROM", "2026-11-29T10:00:00Z", ""},
		"a short deadline": {"DELIVERY_DEADLINE_SECONDS", "10", ""},
		"no time":          {"AUDIT_FROM", "yesterday", "AUDIT_FROM is"},
		"no such rows":     {"AUDIT_ROWS", "lines", "AUDIT_ROWS is"},
		"no rejects":       {"AUDIT_ROWS", "application", "ERRORS_PREFIX is empty"},
		"no audit at all":  {"AUDIT_FROM", "", "ERRORS_PREFIX is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			variables := maps.Clone(valid)
			variables[test.variable] = test.value
			c, err := ReadConfig(variables)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
			if err == nil && c.SourceBucket != "lake" {
				t.Errorf("the rows are in %q", c.SourceBucket)
			}
		})
	}
}

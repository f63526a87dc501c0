package audit_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"streamproof/internal/audit"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/query"
	"streamproof/internal/stream/kpl"
)

// queried makes the form of a query over records of an id and an amount.
func queried(t testing.TB) *audit.Queried {
	t.Helper()
	p, err := pipeline.Parse([]byte(`{"source": "S", "columns": [
		{"name": "id", "alias": "A", "type": "INTEGER", "fake": {}}, {"name": "amount", "alias": "B", "type": "REAL", "fake": {}}
	]}`), []byte("CREATE TABLE T (X INTEGER, Y FLOAT); INSERT INTO T SELECT A, B * 2 FROM S WHERE A > 0"))
	if err != nil {
		t.Fatal(err)
	}
	q, err := query.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	form, err := audit.NewQueried(q)
	if err != nil {
		t.Fatal(err)
	}
	return form
}

// rejectLine makes a line of the rejects' prefix. What begins with a tilde is a row, which has lost its shard.
func rejectLine(t *testing.T, data string) string {
	t.Helper()
	shard := "a"
	data, isRow := strings.CutPrefix(data, "~")
	if isRow {
		shard = ""
	}
	line, err := json.Marshal(map[string]any{"reason": "no", "column": "", "data": []byte(data), "shard": shard, "sequence_number": "1", "arrival_time": start})
	if err != nil {
		t.Fatal(err)
	}
	return string(line) + "\n"
}

// A line that the schema refuses owes a reject with its bytes where the pipeline keeps rejects, and nothing elsewhere.
func TestRefusedLines(t *testing.T) {
	malformed := string(kpl.Pack([]byte{0x1a, 5, 0x08, 7, 0x1a, 1, 'A'}))
	long := strings.Repeat("x", 700_001)
	for name, test := range map[string]struct {
		record  string
		data    string
		rejects []string
		foreign bool // whether the pipeline is another one, which keeps no rejects
		want    proof.Counts
		verdict proof.Verdict
	}{
		"no line is refused": {record: "1,2\n", data: "1,4.0\n", want: proof.Counts{Owed: 1, Delivered: 1}, verdict: proof.Proven},
		"a reject":           {record: "1,2\nno\n", data: "1,4\n", rejects: []string{"no"}, want: proof.Counts{Owed: 2, Delivered: 1, Rejects: 1}, verdict: proof.Proven},
		"a blank line":       {record: "1,2\n\n", data: "1,4\n", rejects: []string{""}, want: proof.Counts{Owed: 2, Delivered: 1, Rejects: 1}, verdict: proof.Proven},
		"a reject is lost":   {record: "1,2\nno\n", data: "1,4\n", want: proof.Counts{Owed: 2, Delivered: 1, Missing: 1}, verdict: proof.NotProven},
		"another pipeline":   {record: "1,2\nno\n", data: "1,4\n", foreign: true, want: proof.Counts{Owed: 1, Delivered: 1}, verdict: proof.Proven},
		"other bytes": {
			record: "1,2\nno\n", data: "1,4\n", rejects: []string{"No"}, want: proof.Counts{Owed: 2, Delivered: 1, Missing: 1, Foreign: 1}, verdict: proof.NotProven,
		},
		"a good line is refused": {record: "1,2\n", rejects: []string{"1,2"}, want: proof.Counts{Owed: 1, Failed: 1}, verdict: proof.NotProven},
		"a good line is refused that is left out": {
			record: "1,2\n0,2\n", data: "1,4\n", rejects: []string{"0,2"}, want: proof.Counts{Owed: 1, Delivered: 1, Foreign: 1}, verdict: proof.Proven,
		},
		"a row is refused that does not fit": {record: "1,2\n", rejects: []string{"~1,4.0"}, want: proof.Counts{Owed: 1, Failed: 1}, verdict: proof.NotProven},
		"a malformed aggregate":              {record: malformed, rejects: []string{malformed}, want: proof.Counts{Owed: 1, Rejects: 1}, verdict: proof.Proven},
		"a long line in parts": {
			record: "1,2\n" + long, data: "1,4\n", rejects: []string{long[:1], long[:700_000]}, want: proof.Counts{Owed: 3, Delivered: 1, Rejects: 2}, verdict: proof.Proven,
		},
		"a part of a long line is lost": {
			record: "1,2\n" + long, data: "1,4\n", rejects: []string{long[:700_000]}, want: proof.Counts{Owed: 3, Delivered: 1, Rejects: 1, Missing: 1}, verdict: proof.NotProven,
		},
	} {
		t.Run(name, func(t *testing.T) {
			form := queried(t)
			p := audit.Pipeline{Prefix: "rows/", ErrorsPrefix: "errors/rows/", RejectsPrefix: "rejects/", Deadline: time.Minute}
			if test.foreign {
				p.RejectsPrefix = ""
			}
			form.Rejects = !test.foreign
			h := &history{stream: fakeStream{{Shard: "a", SequenceNumber: "1", PartitionKey: "k", Arrival: start, Data: []byte(test.record)}}}
			h.bucket.now = start.Add(2 * time.Hour)
			h.put("rows/1", start.Add(time.Second), test.data)
			for i, data := range test.rejects {
				h.put(fmt.Sprintf("rejects/%d", i), start.Add(time.Second), rejectLine(t, data))
			}
			r := audit.Run(t.Context(), h.stream, &h.bucket, audit.Options{
				From: start, To: start.Add(10 * time.Minute), Skew: audit.DefaultSkew, Form: form, Pipeline: p,
			})
			if r.Counts != test.want || r.Verdict != test.verdict {
				t.Errorf("%s: %+v, want %s with %+v: %q", r.Verdict, r.Counts, test.verdict, test.want, r.Reasons)
			}
			if told := strings.Contains(strings.Join(r.Notes, "\n"), "they owe nothing"); told != test.foreign {
				t.Errorf("notes %q", r.Notes)
			}
		})
	}
}

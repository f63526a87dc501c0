package audit_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"streamproof/internal/audit"
	"streamproof/internal/proof"
)

// A missing row is explained by what became of its neighbours, a duplicated one by the objects that hold it.
func TestExplain(t *testing.T) {
	for name, test := range map[string]struct {
		objects    []string // lines of each
		outOfRange bool
		says       []string
		not        string
	}{
		"dropped alone": {
			objects: []string{"0 1 2 4 5 6 7 8 9"},
			says:    []string{"the record before is in orders/0:3; the record behind is in orders/0:4", "dropped by what made that object"}, not: "in a row",
		},
		"dropped at the end of an object": {objects: []string{"0 1 2", "4 5 6 7 8 9"}, says: []string{"orders/0:3", "orders/1:1", "at the end of an object"}},
		"a batch": {
			objects: []string{"0 1 2", "7 8 9"}, says: []string{"4 records of a in a row are missing, sequence numbers 103 to 106", "orders/1:1", "a batch or an object is lost"},
		},
		"the last ones":    {objects: []string{"0 1 2"}, says: []string{"7 records of a in a row", "the record before is in orders/0:3"}, not: "so "},
		"of another shard": {objects: []string{"0 1 2 4 5 6 7 8 9"}, outOfRange: true, says: []string{"its key is another shard's"}},
		"doubled":          {objects: []string{"0 1 2 3 3 4", "5 6 7 8 9 3"}, says: []string{"copies are in orders/0:4, orders/0:5, orders/1:6"}},
		"failed":           {objects: []string{"0 1 2 4 5 6 7 8 9", "!3"}, says: []string{"it is in errors/1:1, below the error prefix: Lambda.X: no"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := &history{opts: audit.Options{
				From: start, To: start.Add(10 * time.Minute), Skew: audit.DefaultSkew, Form: audit.Verbatim{},
				Pipeline: audit.Pipeline{Prefix: "orders/", ErrorsPrefix: "errors/", Deadline: time.Minute},
			}}
			h.bucket.now = start.Add(time.Hour)
			for i := range 10 {
				r := audit.Record{
					Shard: "a", SequenceNumber: fmt.Sprint(100 + i), PartitionKey: "k", Arrival: start.Add(time.Duration(100+i) * time.Second), Data: fmt.Appendf(nil, "%d\n", i),
				}
				if test.outOfRange && i == 3 {
					r.Aggregate = &audit.Aggregate{OutOfRange: true}
				}
				h.stream = append(h.stream, r)
			}
			for i, lines := range test.objects {
				written := start.Add(time.Duration(115+i) * time.Second)
				if data, failed := strings.CutPrefix(lines, "!"); failed {
					h.put(fmt.Sprintf("errors/%d", i), written, fmt.Sprintf(`{"attemptsMade":4,"errorCode":"Lambda.X","errorMessage":"no","rawData":"%s"}`, base64(data)))
					continue
				}
				h.put(fmt.Sprintf("orders/%d", i), written, strings.ReplaceAll(lines, " ", "\n")+"\n")
			}
			r := audit.Run(t.Context(), h.stream, &h.bucket, h.opts)
			found, err := audit.Explain(t.Context(), h.stream, &h.bucket, h.opts, r)
			if err != nil || len(found) == 0 || r.Verdict != proof.NotProven {
				t.Fatalf("%s %+v: %v", r.Verdict, found, err)
			}
			for _, says := range test.says {
				if !strings.Contains(found[0].Text, says) {
					t.Errorf("%q does not say %q", found[0].Text, says)
				}
			}
			if test.not != "" && strings.Contains(found[0].Text, test.not) {
				t.Errorf("%q says %q", found[0].Text, test.not)
			}
		})
	}
}

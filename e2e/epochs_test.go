//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"streamproof/internal/cli"
	"streamproof/internal/local"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/stack"
)

const (
	perTenSeconds = `CREATE OR REPLACE STREAM "PER_VENDOR" (COL0 integer, N bigint);
CREATE OR REPLACE PUMP "P" AS INSERT INTO "PER_VENDOR"
SELECT STREAM COL0, COUNT(*) AS N FROM "SOURCE_SQL_STREAM_001" GROUP BY COL0, STEP(ROWTIME BY INTERVAL '10' SECOND);
`
	threeColumns = `CREATE TABLE T (COL0 INTEGER, COL3 INTEGER, COL7 INTEGER);
INSERT INTO T SELECT COL0, COL3, COL7 FROM SOURCE_SQL_STREAM_001;
`
)

// TestEpochs changes the query to a window and back, to other columns, and to yet others by force. Each epoch has the
// verdict that it would have alone.
func TestEpochs(t *testing.T) {
	t.Parallel()
	s := startWith(t, "default")
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	opened, err := stack.Open(t.Context(), s.AWS, s.Name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := opened.EnableSchedule(t.Context(), false); err != nil { // only the ticks of this test
		t.Fatal(err)
	}
	produce(t, s, time.Now(), 300)
	first := provenSoFar(t, s)
	if len(first.Epochs) > 0 {
		t.Errorf("one epoch that is judged, and the report lists %+v", first.Epochs)
	}

	if c := sqlRun(t, s, perTenSeconds, 0); c.Judged {
		t.Errorf("a window is judged: %+v", c)
	}
	produce(t, s, time.Now(), 300)
	r := verified(t, s)
	if current := r.Current(); r.Verdict != proof.Undecided || current == nil || current.Ticks != 2 || r.Counts != first.Counts || !strings.Contains(r.Reasons[0], "a window (TUMBLE)") {
		t.Errorf("while the window runs: got %s %v, %+v", r.LastLine(), r.Reasons, r.Epochs)
	}

	if c := sqlRun(t, s, string(p.SQL), 0); !c.Judged {
		t.Errorf("got %+v", c)
	}
	r = provenSoFar(t, s)
	if !strings.Contains(r.LastLine(), "; not judged: 2 ticks of pipeline ") || len(r.Epochs) != 3 {
		t.Fatalf("back again: got %s, %+v", r.LastLine(), r.Epochs)
	}
	window := r.Epochs[1]
	if *r.Epochs[0].Counts != first.Counts || !r.Epochs[1].Clean || !r.Epochs[2].Clean || window.Seen.Rows == 0 || !window.Seen.InTime || window.Acknowledged != 500 {
		t.Errorf("back again: got %+v with %+v", r.Epochs, window.Seen)
	}

	sqlRun(t, s, threeColumns, 0)
	produce(t, s, time.Now(), 300)
	r = provenSoFar(t, s)
	if last := r.Current(); len(r.Epochs) != 4 || last.Counts == nil || last.Counts.Owed != 500 || !last.Clean {
		t.Errorf("other columns: got %+v", r.Epochs)
	}

	// By force, over records in the stream, which the new query reads: what the old one owes of them is missing.
	operate(t, s, "pause", "DISABLED", "READY")
	produce(t, s, time.Now(), 300)
	forced(t, s, string(p.SQL))
	produce(t, s, time.Now(), 300)
	time.Sleep(s.Outputs.DeliveryDeadline + time.Second)
	r = verified(t, s)
	full, _, err := s.VerifyFull(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*report.Report{"in an increment": r, "in full": full} {
		c := r.Counts
		last := r.Current()
		if c.Duplicated+c.Unexpected+c.Leaked+c.Corrupt > 0 || c.Missing != 300 || last.Counts.Missing+last.Counts.InFlight > 0 || last.Clean || len(r.Epochs) != 5 {
			t.Errorf("forced, %s: got %s %v, %+v", name, r.LastLine(), r.Reasons, r.Epochs)
		}
	}
	t.Log(full.LastLine())
	var text bytes.Buffer
	_ = cli.Run(t.Context(), []string{"verify", "--state-dir", s.StateDir()}, &text, &text)
	t.Log(text.String())
}

// verified is the next verdict.
func verified(t *testing.T, s *local.Stack) *report.Report {
	t.Helper()
	r, _, err := s.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r.LastLine())
	return r
}

// forced runs a query by force.
func forced(t *testing.T, s *local.Stack, sql string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "query.sql")
	if err := os.WriteFile(file, []byte(sql), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	status := cli.Run(t.Context(), []string{"sql", "run", file, "--force", "--records", "0", "--state-dir", s.StateDir(), "--json"}, &stdout, &stderr)
	t.Logf("%s%s", stderr.String(), stdout.String())
	var c queryChange
	if err := json.Unmarshal(stdout.Bytes(), &c); err != nil || status != 0 {
		t.Fatalf("sql run --force: exit status %d, %v", status, err)
	}
}

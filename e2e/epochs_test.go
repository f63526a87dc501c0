//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"streamproof/internal/cli"
	"streamproof/internal/ledger"
	"streamproof/internal/local"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/verifier"
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
	inTurn(t, 250*time.Second)
	s := startWith(t, "no schedule, short deadline") // only the ticks of this test, and short waits
	p, err := pipeline.Embedded()
	if err != nil {
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
	t.Run("expired", func(t *testing.T) { expired(t, s, full) })
	var text bytes.Buffer
	_ = cli.Run(t.Context(), []string{"verify", "--state-dir", s.StateDir()}, &text, &text)
	t.Log(text.String())
}

// ahead moves the clock of S3, which is the verifier's, by a time.
type ahead struct{ by time.Duration }

func (a *ahead) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	at, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return nil, errors.Join(err, answer.Body.Close())
	}
	answer.Header.Set("Date", at.Add(a.by).Format(http.TimeFormat))
	return answer, nil
}

// expired verifies for four days by the verifier's own handler, deletes what it has tagged as settled, as the bucket's
// lifecycle would, and wants the counts of each epoch from before.
func expired(t *testing.T, s *local.Stack, want *report.Report) {
	clock := &ahead{}
	shifted := s3.NewFromConfig(s.AWS, func(o *s3.Options) { o.UsePathStyle, o.HTTPClient = true, &http.Client{Transport: clock} })
	handler := verifier.NewHandler(verifier.Config{
		Bucket: s.Outputs.BucketName, DataPrefix: s.Outputs.DataPrefix, ErrorsPrefix: s.Outputs.ErrorsPrefix, StackName: s.Name,
		StreamName: s.Outputs.StreamName, DeliveryDeadlineSeconds: int(s.Outputs.DeliveryDeadline.Seconds()), ExpireAfterDays: 2,
	}, shifted, kinesis.NewFromConfig(s.AWS), io.Discard)
	for clock.by = 0; clock.by <= 96*time.Hour; clock.by += 8 * time.Hour {
		if _, err := handler.Handle(t.Context(), json.RawMessage(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	deleted := 0
	for _, prefix := range []string{s.Outputs.DataPrefix, ledger.TicksPrefix} {
		objects, err := shifted.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &s.Outputs.BucketName, Prefix: &prefix})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects.Contents {
			tags, err := shifted.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &s.Outputs.BucketName, Key: o.Key})
			if err != nil {
				t.Fatal(err)
			}
			if len(tags.TagSet) != 1 || aws.ToString(tags.TagSet[0].Key) != verifier.SettledTag {
				t.Errorf("%s is not tagged: %v", *o.Key, tags.TagSet)
				continue
			}
			if _, err := shifted.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &s.Outputs.BucketName, Key: o.Key}); err != nil {
				t.Fatal(err)
			}
			deleted++
		}
	}
	if deleted < 10 {
		t.Errorf("%d objects have expired", deleted)
	}
	answer, err := handler.Handle(t.Context(), json.RawMessage(`{"full": true}`))
	if err != nil {
		t.Fatal(err)
	}
	got := answer.(*report.Report)
	t.Logf("after %d objects expired: %s %v", deleted, got.LastLine(), got.Reasons)
	if got.Verdict != want.Verdict || got.Counts != want.Counts || len(got.Epochs) != len(want.Epochs) || got.Covers.ArchivedUntil.IsZero() {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for i, e := range want.Epochs {
		if diff := cmp.Diff(e, got.Epochs[i]); diff != "" {
			t.Errorf("epoch %d (-before it expired +after):\n%s", i+1, diff)
		}
	}
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

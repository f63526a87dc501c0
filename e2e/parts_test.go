//go:build e2e

package e2e_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"streamproof/internal/bucket"
	"streamproof/internal/local"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/verifier"
)

// old is older than what a verifier still expects to change.
const old = 5*time.Minute + 10*time.Second

// inParts has a run of the state machine judge all that has happened, and again once the oldest object is gone. Each
// time it says what a verification in full says.
func inParts(t *testing.T, s *local.Stack) {
	rows := bucket.NewS3(s.S3, s.Outputs.BucketName)
	objects, now, err := rows.List(t.Context(), s.Outputs.DataPrefix)
	if err != nil || len(objects) == 0 {
		t.Fatalf("%d objects, error %v", len(objects), err)
	}
	oldest := objects[0]
	for _, o := range objects {
		if o.LastModified.Before(oldest.LastModified) {
			oldest = o
		}
	}
	time.Sleep(old - now.Sub(oldest.LastModified))
	before := agree(t, s)

	if _, err := s.S3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &s.Outputs.BucketName, Key: &oldest.Key}); err != nil {
		t.Fatal(err)
	}
	after := agree(t, s)
	if after.Verdict != proof.NotProven || after.Counts.Missing <= before.Counts.Missing {
		t.Errorf("without %s: got %s", oldest.Key, after.LastLine())
	}
}

// agree judges in parts and in full, until nothing has arrived in between.
func agree(t *testing.T, s *local.Stack) *report.Report {
	t.Helper()
	const parts = 3
	full := func() *report.Report {
		r, _, err := s.VerifyFull(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	var got *report.Report
	began := time.Now()
	await(t, "nothing arrives while a run judges", func() bool {
		before := full()
		var err error
		if got, _, err = s.VerifyInParts(t.Context(), parts, func(int) {}); err != nil {
			t.Fatal(err)
		}
		after := full()
		if before.Counts != after.Counts || cmp.Diff(before.Ticks, after.Ticks) != "" {
			return false
		}
		t.Logf("in parts: %s", got.LastLine())
		if diff := cmp.Diff(got.Counts, after.Counts); diff != "" || got.Verdict != after.Verdict {
			t.Errorf("got %s %v, in full %s %v:\n%s", got.Verdict, got.Reasons, after.Verdict, after.Reasons, diff)
		}
		if diff := cmp.Diff(got.Ticks, after.Ticks); diff != "" {
			t.Errorf("ticks (-parts +full):\n%s", diff)
		}
		return true
	})
	counted, _, err := bucket.NewS3(s.S3, s.Outputs.BucketName).List(t.Context(), verifier.PartsPrefix)
	if err != nil || len(counted) != parts || counted[0].LastModified.Before(began.Truncate(time.Second)) {
		t.Errorf("the parts have kept %v, error %v", counted, err)
	}
	return got
}

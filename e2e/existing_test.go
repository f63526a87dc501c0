//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"streamproof/internal/bucket"
	"streamproof/internal/local"
	"streamproof/internal/local/emulator"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/stack"
)

const (
	foreignTrips = 1000
	foreignBad   = 7 // one in so many of the foreign producer's trips is malformed
)

// TestExistingStream has the application read a stream that a Python program makes and fills. The verifier has no
// ledger there: the stream says what is owed.
func TestExistingStream(t *testing.T) {
	inTurn(t, 170*time.Second)
	dir := filepath.Join(t.TempDir(), "stack")
	var f existing
	s, err := start(t, local.Options{
		Root: "..", StateDir: dir, Port: local.AnyPort, Prebuilt: true, Parameters: parameters(t, "existing stream"),
		Step: func(name string) func(error) {
			return func(error) {
				if t.Log(name); name != "start the emulator" {
					return
				}
				var record struct{ Port int }
				data, err := os.ReadFile(filepath.Join(dir, "stack.json"))
				if err == nil {
					err = json.Unmarshal(data, &record)
				}
				if err != nil {
					t.Fatal(err)
				}
				f.endpoint = emulator.Endpoint(record.Port)
				f.python(t, "make", "taxis")
				f.python(t, "trips", "taxis", "300", "10") // from before, which the deploy does not ask for
				time.Sleep(6 * time.Second)                // NOW is some seconds before the deploy's own clock
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if s.Outputs.Produces() || s.Outputs.StreamName != "taxis" {
		t.Errorf("outputs %+v, want those of a stack without a producer", s.Outputs)
	}
	if status, err := s.Status(t.Context()); err != nil || status.Schedule != (stack.Schedule{}) {
		t.Errorf("status %+v %v", status, err)
	}
	if _, _, err := s.Produce(t.Context(), time.Now(), 1, 0); err == nil || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("produce: %v, want that there is no producer", err)
	}
	if r, _, err := s.Verify(t.Context()); err != nil || r.Verdict != proof.Undecided {
		t.Fatalf("before the first record: %v %v", r, err)
	}

	f.python(t, "trips", "taxis", fmt.Sprint(foreignTrips), fmt.Sprint(foreignBad))
	r := f.settle(t, s)
	rejects := int64(foreignTrips / foreignBad)
	if r.Verdict != proof.Proven || r.Counts.Rejects != rejects || r.Counts.Delivered == 0 || r.Covers.Records != foreignTrips {
		t.Fatalf("%s of %d records, want PROVEN with %d rejects: %s %s", r.LastLine(), r.Covers.Records, rejects, r.Reasons, r.Notes)
	}
	t.Log(r.LastLine())

	// The application stops and starts again, and its records wait in the stream.
	operate(t, s, "pause", "", "READY", "is somebody else's", "is stopped, with a snapshot")
	f.python(t, "trips", "taxis", "500", "10")
	operate(t, s, "resume", "", "RUNNING", "runs, from its latest snapshot")
	if r = f.settle(t, s); r.Verdict != proof.Proven || r.Covers.Records != foreignTrips+500 {
		t.Fatalf("after a pause: %s %s", r.LastLine(), r.Reasons)
	}

	// An object is lost: the report names each of its rows by its record.
	lost := f.lose(t, s)
	time.Sleep(s.Outputs.DeliveryDeadline)
	r, _, err = s.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var named int64
	for _, found := range r.LastSeen {
		named += found.Count
		for _, record := range found.Records {
			if record.Places[0].SequenceNumber == "" {
				t.Errorf("%+v has no sequence number", found)
			}
		}
	}
	if r.Verdict != proof.NotProven || r.Counts.Missing != lost || named != lost {
		t.Errorf("%s after %d rows were lost, %d named: %s", r.LastLine(), lost, named, r.Reasons)
	}
}

// existing is a stream that a Python program fills.
type existing struct{ endpoint string }

func (f *existing) python(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), absolute("../.venv/bin/python"), append([]string{"testdata/foreign.py"}, args...)...)
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+f.endpoint, "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1",
		"AWS_ACCESS_KEY_ID="+emulator.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+emulator.SecretAccessKey)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("foreign.py %s: %v\n%s", args, err, out)
	}
}

// settle verifies until nothing is in flight.
func (f *existing) settle(t *testing.T, s *local.Stack) *report.Report {
	t.Helper()
	deadline := time.Now().Add(4 * time.Minute)
	for {
		r, _, err := s.Verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict != proof.Undecided && r.Counts.InFlight == 0 || time.Now().After(deadline) {
			return r
		}
		time.Sleep(time.Second)
	}
}

// lose deletes the last object of the rows, and gives how many it held.
func (f *existing) lose(t *testing.T, s *local.Stack) int64 {
	t.Helper()
	listed, err := s.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
		Bucket: &s.Outputs.BucketName, Prefix: &s.Outputs.DataPrefix, EncodingType: s3types.EncodingTypeUrl,
	})
	if err != nil || len(listed.Contents) == 0 {
		t.Fatalf("nothing is delivered: %v", err)
	}
	key := listed.Contents[len(listed.Contents)-1].Key
	_, data, err := bucket.Get(t.Context(), bucket.NewS3(s.S3, s.Outputs.BucketName), *key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.S3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &s.Outputs.BucketName, Key: key}); err != nil {
		t.Fatal(err)
	}
	return int64(bytes.Count(data, []byte("\n")))
}

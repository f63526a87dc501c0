package verifier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"streamproof/internal/bucket"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// emptyBucket holds nothing, so that every verdict over it is UNDECIDED.
type emptyBucket struct{}

func (emptyBucket) Name() string { return "s3://empty" }

func (emptyBucket) List(context.Context, string) ([]bucket.Object, time.Time, error) {
	return nil, time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC), nil
}

func (b emptyBucket) ListAfter(ctx context.Context, prefix, _ string) ([]bucket.Object, time.Time, error) {
	return b.List(ctx, prefix)
}

func (emptyBucket) Read(context.Context, bucket.Object) ([]byte, error) { panic("nothing is listed") }

func (emptyBucket) Open(context.Context, bucket.Object) (io.ReadCloser, error) {
	panic("nothing is listed")
}

type putFunc func(*s3.PutObjectInput) error

func (f putFunc) PutObject(_ context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	return &s3.PutObjectOutput{}, f(in)
}

func newTestHandler(put putFunc) *Handler {
	return &Handler{
		config: Config{Bucket: "empty", DataPrefix: "data/", ErrorsPrefix: "rejects/", DeliveryDeadlineSeconds: 60, StackName: "stack"},
		bucket: emptyBucket{},
		put:    put,
		out:    io.Discard,
		log:    slog.New(slog.DiscardHandler),
	}
}

func TestHandleWritesTheReportThatItAnswers(t *testing.T) {
	events, err := filepath.Glob("../../functions/verify/events/*.json")
	if err != nil || len(events) < 2 {
		t.Fatalf("the sample events are %v (%v)", events, err)
	}
	for _, path := range events {
		event, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		written, pages := map[string]report.Report{}, map[string]string{}
		handler := newTestHandler(func(in *s3.PutObjectInput) error {
			data, err := io.ReadAll(in.Body)
			if err != nil {
				return err
			}
			var r report.Report
			if strings.HasSuffix(*in.Key, ".html") {
				pages[*in.Key] = string(data)
				return nil
			}
			err = json.Unmarshal(data, &r)
			written[*in.Bucket+"/"+*in.Key] = r
			return err
		})
		var log bytes.Buffer
		handler.out = &log
		answer, err := handler.Handle(t.Context(), event)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if answer.Verdict != proof.Undecided || answer.Key != "reports/2026/11/23/20261123T200000Z.json" {
			t.Errorf("%s: got %s at %s", path, answer.Verdict, answer.Key)
		}
		for _, key := range []string{"empty/" + answer.Key, "empty/" + LatestReport} {
			if got := written[key]; got.Verdict != answer.Verdict || !got.JudgedAt.Equal(answer.JudgedAt) {
				t.Errorf("%s: %s holds %+v", path, key, got)
			}
		}
		for _, key := range []string{strings.TrimSuffix(answer.Key, "json") + "html", LatestPage} {
			if !strings.Contains(pages[key], "UNDECIDED") {
				t.Errorf("%s: the page %s holds %q", path, key, pages[key])
			}
		}
		if !strings.Contains(log.String(), `"_aws"`) || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("%s: the metrics are %q, want one line", path, log.String())
		}
	}
}

func TestHandleRefuses(t *testing.T) {
	for _, event := range []string{`{"record": 1}`, `[]`, `"x"`, ``} {
		handler := newTestHandler(func(in *s3.PutObjectInput) error {
			t.Errorf("%s: a report was written to %s", event, *in.Key)
			return nil
		})
		if _, err := handler.Handle(t.Context(), json.RawMessage(event)); err == nil || !strings.Contains(err.Error(), "event of the verifier") {
			t.Errorf("%s: got error %v", event, err)
		}
	}
}

func TestAReportThatCannotBeWrittenIsAnError(t *testing.T) {
	handler := newTestHandler(func(*s3.PutObjectInput) error { return errors.New("denied") })
	_, err := handler.Handle(t.Context(), json.RawMessage(`{}`))
	if err == nil || !strings.Contains(err.Error(), "write the report to s3://empty/"+LatestReport+": denied") || !strings.Contains(err.Error(), "UNDECIDED") {
		t.Errorf("got error %v, want one with the key, the cause and the verdict", err)
	}
}

func TestReadConfig(t *testing.T) {
	_, err := ReadConfig()
	for _, name := range []string{"BUCKET", "DATA_PREFIX", "ERRORS_PREFIX", "STACK_NAME", "STREAM_NAME", "DELIVERY_DEADLINE_SECONDS"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("nothing is set: got error %v, want one that names %s", err, name)
		}
	}
	t.Setenv("BUCKET", "b")
	t.Setenv("DATA_PREFIX", "data/")
	t.Setenv("ERRORS_PREFIX", "rejects/")
	t.Setenv("STACK_NAME", "stack")
	t.Setenv("STREAM_NAME", "stream")
	t.Setenv("DELIVERY_DEADLINE_SECONDS", "0")
	if _, err := ReadConfig(); err == nil || !strings.Contains(err.Error(), "has to be above 0") {
		t.Errorf("a deadline of 0: got error %v", err)
	}
	t.Setenv("DELIVERY_DEADLINE_SECONDS", "60")
	for _, days := range []string{"-1", "1"} {
		t.Setenv("EXPIRE_AFTER_DAYS", days)
		if _, err := ReadConfig(); err == nil || !strings.Contains(err.Error(), "EXPIRE_AFTER_DAYS is "+days+" and has to be 0, for never, or at least 2") {
			t.Errorf("expiring after %s days: got error %v", days, err)
		}
	}
	t.Setenv("EXPIRE_AFTER_DAYS", "2")
	t.Setenv("PACK_DELAY_SECONDS", "1")
	t.Setenv("CHECKPOINT_INTERVAL_SECONDS", "5")
	t.Setenv("BUFFER_INTERVAL_SECONDS", "17")
	t.Setenv("BUFFERS", "2")
	if got, err := ReadConfig(); err != nil || got != (Config{"b", "data/", "rejects/", 60, 0, 2, 1, 5, 17, 2, "stack", "stream"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	t.Setenv("BUFFER_INTERVAL_SECONDS", "18")
	if _, err := ReadConfig(); err == nil || !strings.Contains(err.Error(), "DELIVERY_DEADLINE_SECONDS is 60, and a row may take 62: 2 x BUFFER_INTERVAL_SECONDS 18 +") {
		t.Errorf("a deadline that is too short: got error %v", err)
	}
}

package verifier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
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

func TestHandleWritesTheReportItReturns(t *testing.T) {
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
		answer, err := handle(t.Context(), handler, event)
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
		if _, err := handle(t.Context(), handler, json.RawMessage(event)); err == nil || !strings.Contains(err.Error(), "event of the verifier") {
			t.Errorf("%s: got error %v", event, err)
		}
	}
}

func TestUnwritableReportIsAnError(t *testing.T) {
	handler := newTestHandler(func(*s3.PutObjectInput) error { return errors.New("denied") })
	_, err := handle(t.Context(), handler, json.RawMessage(`{}`))
	if err == nil || !strings.Contains(err.Error(), "write the report to s3://empty/"+LatestReport+": denied") || !strings.Contains(err.Error(), "UNDECIDED") {
		t.Errorf("got error %v, want one with the key, the cause and the verdict", err)
	}
}

func TestReadConfig(t *testing.T) {
	t.Parallel()
	valid := map[string]string{
		"BUCKET": "b", "DATA_PREFIX": "data/", "ERRORS_PREFIX": "rejects/", "STACK_NAME": "stack", "STREAM_NAME": "stream",
		"DELIVERY_DEADLINE_SECONDS": "60", "EXPIRE_AFTER_DAYS": "2", "PACK_DELAY_SECONDS": "1", "CHECKPOINT_INTERVAL_SECONDS": "5",
		"BUFFER_INTERVAL_SECONDS": "17", "BUFFERS": "2",
	}
	tests := map[string]struct {
		set  map[string]string
		want []string // each in the error
	}{
		"valid":                        {},
		"a deadline of 0":              {map[string]string{"DELIVERY_DEADLINE_SECONDS": "0"}, []string{"DELIVERY_DEADLINE_SECONDS is 0, want more than 0"}},
		"expiring after less than 0":   {map[string]string{"EXPIRE_AFTER_DAYS": "-1"}, []string{"EXPIRE_AFTER_DAYS is -1, want 0, for never, or at least 2"}},
		"expiring after one day":       {map[string]string{"EXPIRE_AFTER_DAYS": "1"}, []string{"EXPIRE_AFTER_DAYS is 1, want 0, for never, or at least 2"}},
		"a deadline that is too short": {map[string]string{"BUFFER_INTERVAL_SECONDS": "18"}, []string{"DELIVERY_DEADLINE_SECONDS is 60, but a row may take 62: 2 x BUFFER_INTERVAL_SECONDS 18 +"}},
		"every fault at once": {
			map[string]string{"BUCKET": "", "DELIVERY_DEADLINE_SECONDS": "0", "EXPIRE_AFTER_DAYS": "1", "DUPLICATES_ALLOWED": "-1", "BUFFERS": "x"},
			[]string{"BUCKET", "DELIVERY_DEADLINE_SECONDS is 0", "EXPIRE_AFTER_DAYS is 1", "DUPLICATES_ALLOWED is -1", "BUFFERS: "},
		},
		"every fault of an audit at once": {
			map[string]string{"AUDIT_FROM": "yesterday", "AUDIT_ROWS": "lines", "HOURLY_KEYS": "perhaps", "DELIVERY_DEADLINE_SECONDS": "0"},
			[]string{"AUDIT_FROM is", "AUDIT_ROWS is", "HOURLY_KEYS: ", "DELIVERY_DEADLINE_SECONDS is 0"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			variables := maps.Clone(valid)
			maps.Copy(variables, test.set)
			_, err := ReadConfig(variables)
			if (err == nil) != (len(test.want) == 0) {
				t.Fatalf("got error %v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got error %v, want one with %q", err, want)
				}
			}
		})
	}
	if got, err := ReadConfig(valid); err != nil || got != (Config{"b", "data/", "rejects/", 60, 0, 2, 1, 5, 17, 2, "stack", "stream", "", RowsRecords, "b", false}) {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err := ReadConfig(nil)
	for _, name := range []string{"BUCKET", "DATA_PREFIX", "ERRORS_PREFIX", "STACK_NAME", "STREAM_NAME", "DELIVERY_DEADLINE_SECONDS"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("nothing is set: got error %v, want one that names %s", err, name)
		}
	}
}

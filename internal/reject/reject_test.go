package reject_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/reject"
)

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := reject.Parse([]byte(`{"reason":"not an integer","column":"VendorID","data":"eA==","shard":"shardId-000000000001",` +
		`"sequence_number":"49","arrival_time":"2026-11-23T20:00:00.123Z"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &reject.Reject{
		Reason: "not an integer", Column: "VendorID", Data: []byte("x"), Shard: "shardId-000000000001", SequenceNumber: "49",
		ArrivalTime: time.Date(2026, 11, 23, 20, 0, 0, 123_000_000, time.UTC),
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	got, err = reject.Parse([]byte(`{"reason":"empty record","column":null,"data":"","shard":null,"sequence_number":null,"arrival_time":null}`))
	if err != nil || got.Data == nil || len(got.Data) != 0 {
		t.Errorf("an empty record: got %+v, %v", got, err)
	}
	got, err = reject.Parse([]byte(`{"reason":"r","column":null,"data":"","shard":null,"sequence_number":null,"arrival_time":null,"part":2,"parts":3}`))
	if err != nil || got.Part != 2 || got.Parts != 3 {
		t.Errorf("a part: got %+v, %v", got, err)
	}
}

func TestParseFailure(t *testing.T) {
	t.Parallel()
	got, err := reject.ParseFailure([]byte(`{"attemptsMade":4,"arrivalTimestamp":1475012000,"errorCode":"Lambda.FunctionError",` +
		`"errorMessage":"it failed","attemptEndingTimestamp":1475012001,"rawData":"MSwyCjMsNAo=","lambdaArn":"arn"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &reject.Failure{AttemptsMade: 4, ErrorCode: "Lambda.FunctionError", ErrorMessage: "it failed", RawData: []byte("1,2\n3,4\n")}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		``:                         "EOF",
		`{`:                        "unexpected EOF",
		`[]`:                       "cannot unmarshal",
		`{} {}`:                    "text after",
		`{"data":"eA=="}`:          "missing",
		`{"reason":"r"}`:           "missing",
		`{"errorCode":"e"}`:        "missing",
		`{"rawData":"eA"}`:         "base64",
		`{"data":"e?=="}`:          "base64",
		`{"reason":5,"rawData":5}`: "cannot unmarshal",
	} {
		_, err := reject.Parse([]byte(line))
		_, failureErr := reject.ParseFailure([]byte(line))
		if err == nil || failureErr == nil {
			t.Errorf("%s: got %v and %v, want errors", line, err, failureErr)
		} else if !strings.Contains(err.Error()+failureErr.Error(), want) {
			t.Errorf("%s: got %v and %v, want %q in one of them", line, err, failureErr, want)
		}
	}
}

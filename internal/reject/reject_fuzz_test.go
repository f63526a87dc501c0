package reject_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/reject"
)

// FuzzParse checks that a line is a reject with a reason and data, or an error, and that a reject that is read, written
// and read again stays the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"reason":"not an integer","column":"VendorID","data":"eA==","shard":"shardId-000000000001","sequence_number":"49","arrival_time":"2026-11-23T20:00:00.123Z"}`))
	f.Add([]byte(`{"reason":"empty record","column":null,"data":"","shard":null,"sequence_number":null,"arrival_time":null}`))
	f.Add([]byte(`{"reason":"r","column":null,"data":"","shard":null,"sequence_number":null,"arrival_time":null,"part":2,"parts":3}`))
	f.Add([]byte(`{"reason":"r","data":"eA==","other":1}`))
	f.Add([]byte(`{"reason":"r","data":"eA=="} {}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		got, err := reject.Parse(line)
		if err != nil {
			return
		}
		if got.Reason == "" || got.Data == nil {
			t.Fatalf("%q is a reject without reason or data: %+v", line, got)
		}
		written, err := json.Marshal(got)
		if err != nil {
			t.Fatalf("%q was read and cannot be written: %v", line, err)
		}
		again, err := reject.Parse(written)
		if err != nil {
			t.Fatalf("%s was written and cannot be read: %v", written, err)
		}
		if diff := cmp.Diff(got, again); diff != "" {
			t.Fatalf("%s (-read +read again):\n%s", written, diff)
		}
	})
}

// FuzzParseFailure is FuzzParse for Firehose's failures.
func FuzzParseFailure(f *testing.F) {
	f.Add([]byte(`{"attemptsMade":4,"arrivalTimestamp":1475012000,"errorCode":"Lambda.FunctionError","errorMessage":"it failed","attemptEndingTimestamp":1475012001,"rawData":"MSwyCjMsNAo=","lambdaArn":"arn"}`))
	f.Add([]byte(`{"errorCode":"e","rawData":""}`))
	f.Add([]byte(`{"errorCode":"e","rawData":"eA"}`))
	// Answers of the transform, which are JSON with rows in base64.
	events, err := filepath.Glob("../reshape/testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range events {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		got, err := reject.ParseFailure(line)
		if err != nil {
			return
		}
		if got.ErrorCode == "" || got.RawData == nil {
			t.Fatalf("%q is a failed record without code or data: %+v", line, got)
		}
		written, err := json.Marshal(got)
		if err != nil {
			t.Fatalf("%q was read and cannot be written: %v", line, err)
		}
		again, err := reject.ParseFailure(written)
		if err != nil {
			t.Fatalf("%s was written and cannot be read: %v", written, err)
		}
		if diff := cmp.Diff(got, again); diff != "" {
			t.Fatalf("%s (-read +read again):\n%s", written, diff)
		}
	})
}

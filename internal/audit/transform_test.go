package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"streamproof/internal/audit"
	"streamproof/internal/proof"
)

// A fakeFunction answers events for a transform; answer may change what it would say.
type fakeFunction struct {
	answer func(*events.KinesisFirehoseResponse) *lambda.InvokeOutput
	calls  []int // records of each
}

// Invoke makes upper case of each record, drops those with a d and cannot process those with an f.
func (f *fakeFunction) Invoke(_ context.Context, in *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	var event events.KinesisFirehoseEvent
	if err := json.Unmarshal(in.Payload, &event); err != nil || *in.FunctionName != "arn:f" || event.DeliveryStreamArn != "arn:d" || event.SourceKinesisStreamArn != "arn:s" {
		return nil, fmt.Errorf("event %s for %s: %w", in.Payload, *in.FunctionName, err)
	}
	f.calls = append(f.calls, len(event.Records))
	var out events.KinesisFirehoseResponse
	for _, r := range event.Records {
		one := events.KinesisFirehoseResponseRecord{RecordID: r.RecordID, Result: events.KinesisFirehoseTransformedStateOk, Data: bytes.ToUpper(r.Data)}
		switch {
		case bytes.ContainsRune(r.Data, 'd'):
			one.Result, one.Data = events.KinesisFirehoseTransformedStateDropped, nil
		case bytes.ContainsRune(r.Data, 'f'):
			one.Result = events.KinesisFirehoseTransformedStateProcessingFailed
		}
		out.Records = append(out.Records, one)
	}
	if f.answer != nil {
		if answer := f.answer(&out); answer != nil {
			return answer, nil
		}
	}
	payload, err := json.Marshal(out)
	return &lambda.InvokeOutput{Payload: payload}, err
}

// What the function answers is owed: rows, nothing, or a record below the error prefix. Where it gives no answer, the
// audit is UNDECIDED.
func TestTransform(t *testing.T) {
	all := "a\n b\n d\n f\n"
	for name, test := range map[string]struct {
		data   string
		failed []string
		answer func(*events.KinesisFirehoseResponse) *lambda.InvokeOutput
		want   proof.Counts
		says   string
	}{
		"as it answers":       {data: "A\nB\n", failed: []string{"f\n"}, want: proof.Counts{Owed: 3, Delivered: 2, Rejects: 1}},
		"a row is lost":       {data: "A\n", failed: []string{"f\n"}, want: proof.Counts{Owed: 3, Delivered: 1, Rejects: 1, Missing: 1}, says: "missing: 1"},
		"a failure is lost":   {data: "A\nB\n", want: proof.Counts{Owed: 3, Delivered: 2, Missing: 1}, says: "missing: 1"},
		"one failed then":     {data: "A\n", failed: []string{"b\n", "f\n"}, want: proof.Counts{Owed: 3, Delivered: 1, Failed: 1, Rejects: 1}, says: "failed: 1"},
		"a dropped one is in": {data: "A\nB\nD\n", failed: []string{"f\n"}, want: proof.Counts{Owed: 3, Delivered: 2, Rejects: 1, Unexpected: 1}, says: "unexpected: 1"},
		"it fails": {answer: func(*events.KinesisFirehoseResponse) *lambda.InvokeOutput {
			return &lambda.InvokeOutput{FunctionError: aws.String("Unhandled"), Payload: []byte("no memory")}
		}, says: "it failed: Unhandled: no memory"},
		"it answers nonsense": {answer: func(*events.KinesisFirehoseResponse) *lambda.InvokeOutput {
			return &lambda.InvokeOutput{Payload: []byte(`"ok"`)}
		}, says: "is not that of a transform"},
		"it forgets a record": {answer: func(r *events.KinesisFirehoseResponse) *lambda.InvokeOutput {
			r.Records = r.Records[1:]
			return nil
		}, says: "does not answer record"},
		"it answers twice": {answer: func(r *events.KinesisFirehoseResponse) *lambda.InvokeOutput {
			r.Records = append(r.Records, r.Records[0])
			return nil
		}, says: "twice"},
		"it answers otherwise": {answer: func(r *events.KinesisFirehoseResponse) *lambda.InvokeOutput {
			r.Records[0].Result = "Fine"
			return nil
		}, says: `with the result "Fine"`},
	} {
		t.Run(name, func(t *testing.T) {
			p := audit.Pipeline{
				Prefix: "orders/", ErrorsPrefix: "errors/", Deadline: time.Minute, Functions: []string{"arn:f"}, BatchBytes: 5, BatchTime: time.Minute,
				ARN: "arn:d", StreamARN: "arn:s",
			}
			f := &fakeFunction{answer: test.answer}
			h := &history{opts: audit.Options{
				From: start, To: start.Add(10 * time.Minute), Skew: audit.DefaultSkew, Form: audit.Verbatim{}, Pipeline: p,
				Transform: &audit.Transform{Client: f, Pipeline: &p, Region: "eu-west-1"},
			}}
			h.bucket.now = start.Add(time.Hour)
			for i, data := range strings.Split(all, " ") {
				h.stream = append(h.stream, audit.Record{Shard: "a", SequenceNumber: fmt.Sprint(i), PartitionKey: "k", Arrival: start.Add(time.Minute), Data: []byte(data)})
			}
			h.put("orders/1", start.Add(80*time.Second), test.data)
			for i, raw := range test.failed {
				h.put(fmt.Sprintf("errors/%d", i), start.Add(80*time.Second), fmt.Sprintf(`{"attemptsMade":4,"errorCode":"Lambda.X","errorMessage":"no","rawData":"%s"}`, base64(raw)))
			}
			r := audit.Run(t.Context(), h.stream, &h.bucket, h.opts)
			if test.answer != nil {
				if r.Verdict != proof.Undecided || len(r.Reasons) != 1 || !strings.Contains(r.Reasons[0], test.says) || !strings.Contains(r.Reasons[0], "arn:f") || len(f.calls) != 4 {
					t.Errorf("%s after %d calls: %q, want UNDECIDED after 4 with one reason that says %q", r.Verdict, len(f.calls), r.Reasons, test.says)
				}
				return
			}
			if got := strings.Join(r.Reasons, "; "); r.Counts != test.want || !strings.HasPrefix(got, test.says) || (test.says == "") != (r.Verdict == proof.Proven) {
				t.Errorf("%s: %+v %q, want %+v and %q", r.Verdict, r.Counts, got, test.want, test.says)
			}
			if f.calls[0] != 2 {
				t.Errorf("the first batch has %d records, want 2: no more than 5 bytes", f.calls[0])
			}
		})
	}
}

package stream

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
)

type answers func(*http.Request) (*http.Response, error)

func (a answers) Do(r *http.Request) (*http.Response, error) { return a(r) }

// FuzzAnswer: for any answer of Kinesis, or of a proxy, to a call of two records, each of them has one outcome,
// and no record is acknowledged or refused but by an answer that says so.
func FuzzAnswer(f *testing.F) {
	p, err := pipeline.Embedded()
	if err != nil {
		f.Fatal(err)
	}
	g, err := generator.New(p, 1)
	if err != nil {
		f.Fatal(err)
	}
	uniform, err := g.KeyOf(generator.Uniform)
	if err != nil {
		f.Fatal(err)
	}
	const (
		stored  = `{"SequenceNumber":"49","ShardId":"shardId-000000000000"}`
		refused = `{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"slow down"}`
		failed  = `{"ErrorCode":"InternalFailure","ErrorMessage":"Internal Service Failure"}`
	)
	f.Add(200, []byte(`{"FailedRecordCount":0,"Records":[`+stored+`,`+stored+`]}`))
	f.Add(200, []byte(`{"FailedRecordCount":1,"Records":[`+stored+`,`+refused+`]}`))
	f.Add(200, []byte(`{"FailedRecordCount":2,"Records":[`+failed+`,`+failed+`]}`))
	f.Add(200, []byte(`{"FailedRecordCount":0,"Records":[`+stored+`]}`))
	f.Add(200, []byte(`{"FailedRecordCount":0,"Records":[`+stored+`,`+stored))
	f.Add(200, []byte(`{"Records":[null,{"SequenceNumber":"1","ErrorCode":"InternalFailure"}]}`))
	f.Add(200, []byte(`{"Records":[{},{"SequenceNumber":""}]}`))
	f.Add(200, []byte(`null`))
	f.Add(302, []byte(``))
	f.Add(400, []byte(`{"__type":"ProvisionedThroughputExceededException","message":"slow down"}`))
	f.Add(400, []byte(`{"__type":"com.amazonaws.kinesis#ResourceNotFoundException"}`))
	f.Add(400, []byte(`{"__type":"InternalFailure"}`))
	f.Add(429, []byte(`<html>`))
	f.Add(500, []byte(`{"__type":"InternalFailure"}`))
	f.Add(503, []byte(`{"__type":"ProvisionedThroughputExceededException"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			return // net/http returns no other
		}
		client := kinesis.New(kinesis.Options{
			Region: "eu-west-1", BaseEndpoint: aws.String("http://127.0.0.1:1"), Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
			HTTPClient: answers(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
			}),
		})
		// So close that one attempt is made.
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(lastAttempt+3*time.Millisecond))
		defer cancel()
		d := NewDelivery(client, "stream", g, generator.Tick{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Records: 2}, uniform, "")
		_ = d.Run(ctx) // a refusal for good is in the result, too
		result := d.Result()
		count := ledger.Count(result.Outcomes)
		if count[ledger.Acknowledged]+count[ledger.AcknowledgedAfterUnknown]+count[ledger.Rejected]+count[ledger.Unknown] != 2 {
			t.Fatalf("two records have the outcomes %+v", result.Outcomes)
		}
		if result.Attempts == 0 {
			return
		}
		if count[ledger.Acknowledged]+count[ledger.AcknowledgedAfterUnknown] > 0 && (status > 299 || !bytes.Contains(body, []byte(`"`))) {
			t.Fatalf("status %d and %q acknowledge: %+v", status, body, result.Outcomes)
		}
		if status >= 500 && count[ledger.Unknown] != 2 {
			t.Fatalf("status %d and %q: %+v, want unknown", status, body, result.Outcomes)
		}
		refusal := bytes.Contains(body, []byte("ProvisionedThroughputExceededException")) || bytes.Contains(body, []byte(`\`)) || bytes.Contains(bytes.ToLower(body), []byte("errorcode"))
		if status < 300 && count[ledger.Rejected] > 0 && !refusal {
			t.Fatalf("status %d and %q: %+v, and nothing in it refuses", status, body, result.Outcomes)
		}
	})
}

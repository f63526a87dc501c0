package fault_test

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"streamproof/e2e/fault"
	"streamproof/internal/stream/kinesistest"
)

// TestProxy checks, for one call with eight records, what the caller is answered and what is stored.
func TestProxy(t *testing.T) {
	t.Parallel()
	const throttled, internal = "ProvisionedThroughputExceededException", "InternalFailure"
	for name, tc := range map[string]struct {
		kind   fault.Kind
		code   string         // of the call's error
		failed map[string]int // entries by code
		stored int
	}{
		"held":              {kind: fault.Held, stored: 8},
		"answer lost":       {kind: fault.LostAnswer, code: "reset", stored: 8},
		"fails after":       {kind: fault.FailsAfter, code: internal, stored: 8},
		"entries throttled": {kind: fault.ThrottledEntries, failed: map[string]int{throttled: 4}, stored: 4},
		"entries fail":      {kind: fault.FailedEntries, failed: map[string]int{internal: 4}, stored: 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			upstream := kinesistest.New()
			defer upstream.Close()
			p, err := fault.StartProxy(upstream.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Stop()
			p.Set(fault.Order{Fault: name, Kind: tc.kind, Operation: "PutRecords", Times: 1})
			client := kinesis.New(kinesis.Options{
				Region: "eu-west-1", BaseEndpoint: &p.URL, Retryer: aws.NopRetryer{}, Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
			})
			in := &kinesis.PutRecordsInput{StreamName: aws.String("s")}
			for i := range 8 {
				in.Records = append(in.Records, types.PutRecordsRequestEntry{Data: fmt.Appendf(nil, "record %d", i), PartitionKey: aws.String("k")})
			}
			out, err := client.PutRecords(t.Context(), in)
			code := ""
			if api := smithy.APIError(nil); errors.As(err, &api) {
				code = api.ErrorCode()
			} else if err != nil {
				code = "reset"
			}
			if code != tc.code {
				t.Errorf("got the error %v, want %q", err, tc.code)
			}
			failed := map[string]int{}
			if err == nil {
				for _, r := range out.Records {
					if r.ErrorCode != nil {
						failed[*r.ErrorCode]++
					}
				}
				if len(out.Records) != 8 || aws.ToInt32(out.FailedRecordCount) != int32(total(failed)) {
					t.Errorf("got %d entries, %d of them failed, want 8 and %v", len(out.Records), aws.ToInt32(out.FailedRecordCount), tc.failed)
				}
			}
			if !maps.Equal(failed, tc.failed) {
				t.Errorf("got failed entries %v, want %v", failed, tc.failed)
			}
			if got := upstream.Records(); got != tc.stored {
				t.Errorf("got %d records in the stream, want %d", got, tc.stored)
			}
			if got, want := p.Fired(), map[string]int{name: 1}; !maps.Equal(got, want) {
				t.Errorf("got faults %v, want %v", got, want)
			}
		})
	}
}

// TestUnorderedBreak checks that the log names a call that broke without an order.
func TestUnorderedBreak(t *testing.T) {
	var out bytes.Buffer
	log.SetOutput(&out)
	defer log.SetOutput(os.Stderr)
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer upstream.Close()
	p, err := fault.StartProxy(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	answer, err := http.Post(p.URL+"/a", "text/plain", strings.NewReader("data"))
	if err == nil {
		_ = answer.Body.Close()
		t.Errorf("got %s, want no answer", answer.Status)
	}
	if want := "did not answer POST /a"; !strings.Contains(out.String(), want) {
		t.Errorf("the log says %q, want %q", out.String(), want)
	}
}

func total(counts map[string]int) (n int) {
	for _, count := range counts {
		n += count
	}
	return n
}

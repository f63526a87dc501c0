package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/ledger"
)

// answered wraps an error as the SDK does for a response. The SDK uses status 0 if there was none.
func answered(status int, err error) error {
	response := &smithyhttp.Response{Response: &http.Response{StatusCode: status}}
	return &smithy.OperationError{ServiceID: "Kinesis", OperationName: "PutRecords", Err: &smithyhttp.ResponseError{Response: response, Err: err}}
}

func sendError(err error) error {
	return answered(0, &smithyhttp.RequestSendError{Err: &url.Error{Op: "Post", URL: "https://kinesis", Err: err}})
}

func code(c string) error { return &smithy.GenericAPIError{Code: c} }

func TestClassifyCall(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		err  error
		want fate
	}{
		{"throttled stream", answered(400, &types.ProvisionedThroughputExceededException{}), throttled},
		{"throttled stream, no response", &types.ProvisionedThroughputExceededException{}, throttled},
		{"throttled account", answered(400, code("LimitExceededException")), throttled},
		{"throttled key", answered(400, &types.KMSThrottlingException{}), throttled},
		{"429", answered(429, code("UnknownError")), throttled},
		{"no stream", answered(400, &types.ResourceNotFoundException{}), denied},
		{"no stream, no response", &types.ResourceNotFoundException{}, denied},
		{"no permission", answered(400, code("AccessDeniedException")), denied},
		{"validation", answered(400, code("ValidationException")), denied},
		{"unreadable 4xx", answered(403, &smithy.DeserializationError{Err: errors.New("<html>")}), denied},
		{"refused by the SDK", fmt.Errorf("operation: %w", smithy.InvalidParamsError{}), denied},
		{"not serialized", &smithy.SerializationError{Err: errors.New("x")}, denied},
		{"408", answered(408, code("RequestTimeout")), maybeStored},
		{"500", answered(500, &types.InternalFailureException{}), maybeStored},
		{"server fault with a 4xx", answered(400, &types.InternalFailureException{}), maybeStored},
		{"503", answered(503, code("ServiceUnavailable")), maybeStored},
		{"503 that says throttled", answered(503, code("ThrottlingException")), maybeStored},
		{"unreadable 502", answered(502, &smithy.DeserializationError{Err: errors.New("<html>")}), maybeStored},
		{"200 cut off", answered(200, &smithy.DeserializationError{Err: io.ErrUnexpectedEOF}), maybeStored},
		{"302", answered(302, code("UnknownError")), maybeStored},
		{"short answer", errShortAnswer, maybeStored},
		{"time-out", answered(0, &smithy.CanceledError{Err: context.DeadlineExceeded}), maybeStored},
		{"canceled", answered(0, &smithy.CanceledError{Err: context.Canceled}), maybeStored},
		{"reset", sendError(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), maybeStored},
		{"broken pipe", sendError(&net.OpError{Op: "write", Err: syscall.EPIPE}), maybeStored},
		{"EOF", sendError(io.EOF), maybeStored},
		{"connection refused", sendError(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), refused},
		{"no such host", sendError(&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}), refused},
		{"anything else", errors.New("x"), maybeStored},
	} {
		if got := classify(tc.err, nil); got != tc.want {
			t.Errorf("%s: classify = %d, want %d", tc.name, got, tc.want)
		}
	}
}

func TestClassifyEntry(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		entry types.PutRecordsResultEntry
		want  fate
	}{
		{"stored", types.PutRecordsResultEntry{ShardId: aws.String("s"), SequenceNumber: aws.String("1")}, acknowledged},
		{"throttled", types.PutRecordsResultEntry{ErrorCode: aws.String("ProvisionedThroughputExceededException")}, throttled},
		{"failed", types.PutRecordsResultEntry{ErrorCode: aws.String("InternalFailure")}, maybeStored},
		{"unheard of", types.PutRecordsResultEntry{ErrorCode: aws.String("Novelty")}, maybeStored},
		{"both", types.PutRecordsResultEntry{ErrorCode: aws.String("InternalFailure"), SequenceNumber: aws.String("1")}, maybeStored},
		{"nothing", types.PutRecordsResultEntry{}, maybeStored},
		{"empty", types.PutRecordsResultEntry{SequenceNumber: aws.String("")}, maybeStored},
	} {
		if got := classify(nil, &tc.entry); got != tc.want {
			t.Errorf("%s: classify = %d, want %d", tc.name, got, tc.want)
		}
	}
}

// TestTally: the runs do not depend on the order and pieces in which records are settled, and are as few as possible.
func TestTally(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "records")
		var each []ledger.Range
		var want []ledger.Range
		for i := range n {
			o := sent{i, i, rapid.IntRange(0, 2).Draw(t, "maybe")}.outcome(rapid.Bool().Draw(t, "acknowledged"))
			each = append(each, o)
			if last := len(want) - 1; last >= 0 && want[last].Outcome == o.Outcome && want[last].Lo == o.Lo && want[last].Hi == o.Hi {
				want[last].Last = i
			} else {
				want = append(want, o)
			}
		}
		// Pieces: neighbours with the same outcome, joined or not.
		var pieces []ledger.Range
		for _, o := range each {
			if last := len(pieces) - 1; last >= 0 && joins(pieces[last], o) && rapid.Bool().Draw(t, "join") {
				pieces[last].Last = o.Last
			} else {
				pieces = append(pieces, o)
			}
		}
		var got tally
		for _, p := range rapid.Permutation(pieces).Draw(t, "order") {
			got.add(p)
		}
		if diff := gocmp.Diff(want, got.Outcomes); diff != "" {
			t.Fatalf("outcomes (-want +got):\n%s", diff)
		}
	})
}

func TestShards(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfN(rapid.StringMatching(`[0-9]{1,3}|4965[0-9]{52}`), 1, 20).Draw(t, "numbers")
		got := tally{Result{Shards: map[string]ledger.Shard{}}}
		for _, n := range numbers {
			got.acknowledge("shardId-000000000000", n, 3)
		}
		value := func(s string) *big.Int { v, _ := new(big.Int).SetString(s, 10); return v }
		byValue := func(a, b string) int { return value(a).Cmp(value(b)) }
		s := got.Shards["shardId-000000000000"]
		if s.Records != 3*len(numbers) ||
			byValue(s.FirstSequenceNumber, slices.MinFunc(numbers, byValue)) != 0 ||
			byValue(s.LastSequenceNumber, slices.MaxFunc(numbers, byValue)) != 0 {
			t.Fatalf("shard is %+v of %s", s, strings.Join(numbers, " "))
		}
		for _, a := range numbers {
			if got, want := CompareSequenceNumbers(a, numbers[0]), byValue(a, numbers[0]); cmp.Compare(got, 0) != want {
				t.Fatalf("CompareSequenceNumbers(%s, %s) = %d, want %d", a, numbers[0], got, want)
			}
		}
	})
}

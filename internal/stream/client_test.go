package stream_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"streamproof/internal/stream"
)

// slowWriter is a connection that comes back late from a write that is already on its way.
type slowWriter struct{ net.Conn }

func (c slowWriter) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	time.Sleep(50 * time.Millisecond)
	return n, err
}

// TestEarlyAnswer: an answer that begins before the client's side has noticed that its request is out is read to its
// end. Without NewClient's care it is cut off, which makes records unknown that Kinesis has acknowledged.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		time.Sleep(200 * time.Millisecond)
		_, _ = io.WriteString(w, `{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1","ShardId":"shardId-000000000000"}]}`)
	}))
	defer server.Close()
	client := stream.NewClient(aws.Config{
		Region:       "eu-west-1",
		Credentials:  credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
		BaseEndpoint: aws.String(server.URL),
		HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(transport *http.Transport) {
			transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				return slowWriter{conn}, err
			}
		}),
	})
	out, err := client.PutRecords(t.Context(), &kinesis.PutRecordsInput{
		StreamName: aws.String("s"),
		// More than net/http's write buffer, so that the end of the request is not held back until it is known to be one.
		Records: []types.PutRecordsRequestEntry{{Data: make([]byte, 100_000), PartitionKey: aws.String("k")}},
	}, func(o *kinesis.Options) { o.Retryer = aws.NopRetryer{} })
	if err != nil || len(out.Records) != 1 {
		t.Errorf("answer is %+v (%v), want one record", out, err)
	}
}

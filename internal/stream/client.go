package stream

import (
	"context"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// Putter is the only call that a Delivery makes.
type Putter interface {
	PutRecords(context.Context, *kinesis.PutRecordsInput, ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
}

var _ Putter = (*kinesis.Client)(nil)

// NewClient makes a Kinesis client whose connections suit a Delivery. An HTTP client in cfg that is not the SDK's own
// stays as it is.
func NewClient(cfg aws.Config) *kinesis.Client {
	return kinesis.NewFromConfig(cfg, func(o *kinesis.Options) {
		client, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
		if cfg.HTTPClient == nil {
			client, ok = awshttp.NewBuildableClient(), true
		}
		if ok {
			// Keep a connection for each concurrent call. The SDK keeps 10; every call above that would cost a TLS
			// handshake.
			o.HTTPClient = readerBodies{client.WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = maxWorkers })}
		}
	})
}

// readerBodies hides the WriteTo method of request bodies, which can cut off the answer.
//
// The SDK closes a request's body as soon as the answer starts. net/http may still be checking that the body ends where
// it should. It calls the body's WriteTo, which after Close returns io.EOF, an error that no WriteTo may return
// (smithy-go 1.28.9, transport/http/internal/io/safe.go; probably aws/aws-sdk-go-v2#2737). net/http then considers the
// request broken and closes the connection while the answer is being read. 500 records that are stored and acknowledged
// become unknown and are sent twice. This happened in three of some 150,000 calls on a busy machine.
type readerBodies struct{ client *awshttp.BuildableClient }

// Do makes a call for the SDK.
func (w readerBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return w.client.Do(r)
}

// withoutRetries turns off the SDK's retries: an attempt inside the SDK would go uncounted. (net/http by itself repeats
// a POST only if no byte of it was written.)
func withoutRetries(o *kinesis.Options) { o.Retryer = aws.NopRetryer{} }

package stream

import (
	"context"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// putter is the one call that is made.
type putter interface {
	PutRecords(context.Context, *kinesis.PutRecordsInput, ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
}

var _ putter = (*kinesis.Client)(nil)

// NewClient makes a Kinesis client whose connections suit a Delivery. An HTTP client in cfg that is not the SDK's own is
// left as it is.
func NewClient(cfg aws.Config) *kinesis.Client {
	return kinesis.NewFromConfig(cfg, func(o *kinesis.Options) {
		client, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
		if cfg.HTTPClient == nil {
			client, ok = awshttp.NewBuildableClient(), true
		}
		if ok {
			// As many connections are kept as there are calls at a time: the SDK keeps 10, and each call above these
			// would cost a TLS handshake.
			o.HTTPClient = wholeAnswers{client.WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = workers })}
		}
	})
}

// wholeAnswers keeps answers from being cut off by their own request's end.
//
// The SDK closes a request's body as soon as an answer begins. By then net/http may still have to look whether the body
// ends where it should; it does so with the body's WriteTo, which, once closed, returns io.EOF, an error that no WriteTo
// may return (smithy-go 1.28.9, transport/http/internal/io/safe.go; aws/aws-sdk-go-v2#2737 is most likely this). net/http takes the
// request for broken and closes the connection while the answer is being read, so that 500 records that are stored and
// acknowledged become unknown, and are sent twice. Seen here in three of some 150,000 calls on a busy machine. A body
// that is only a Reader does not have the fault.
type wholeAnswers struct{ client *awshttp.BuildableClient }

// Do is called by the SDK.
func (w wholeAnswers) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return w.client.Do(r)
}

// withoutRetries switches the SDK's own retries off: a retry inside the SDK is an attempt that nobody has seen.
// (net/http by itself repeats a POST only where not a byte of it was written.)
func withoutRetries(o *kinesis.Options) { o.Retryer = aws.NopRetryer{} }

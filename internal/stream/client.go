package stream

import (
	"context"
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

// NewClient makes a Kinesis client whose connections suit a Delivery: as many are kept open as there are calls at a
// time (the SDK's default keeps 10, and each one above costs a TLS handshake a call), and a whole batch takes a few
// writes. An HTTP client of another kind in cfg is left as it is.
func NewClient(cfg aws.Config) *kinesis.Client {
	return kinesis.NewFromConfig(cfg, func(o *kinesis.Options) {
		client, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
		if cfg.HTTPClient == nil {
			client, ok = awshttp.NewBuildableClient(), true
		}
		if ok {
			o.HTTPClient = client.WithTransportOptions(func(t *http.Transport) {
				t.MaxIdleConnsPerHost = workers
				t.WriteBufferSize = 64 << 10
				t.ReadBufferSize = 32 << 10
			})
		}
	})
}

// withoutRetries switches the SDK's own retries off: a retry inside the SDK is an attempt that nobody has seen.
// (net/http by itself repeats a POST only where not a byte of it was written.)
func withoutRetries(o *kinesis.Options) { o.Retryer = aws.NopRetryer{} }

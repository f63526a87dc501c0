package deployer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"streamproof/internal/application"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
)

// The types of the custom resources in the template.
const (
	ContentsType = "Custom::BucketContents"
	RolesType    = "Custom::KnownRoles"
	CodeType     = "Custom::AnalyticsCode"
	GateType     = "Custom::AnalyticsGate"
	RunType      = "Custom::AnalyticsRun"
)

// answerMargin is the part of the function's time that is reserved for the answer to CloudFormation.
const answerMargin = 20 * time.Second

// A Deployer answers the requests of the custom resources.
type Deployer struct {
	// JAR is the path of the analytics application's JAR.
	JAR string
	// Pipeline is published once the application runs.
	Pipeline *pipeline.Pipeline

	Uploader uploader
	Objects  objects
	// Ledger is the ledger in a bucket.
	Ledger       func(bucket string) Ledger
	Applications application.API
	Metrics      application.Metrics
	// MetricPeriod is how often the application's metrics arrive; 0 for the service's own minute.
	MetricPeriod time.Duration
	Logs         application.Logs
	Stacks       stacks
	Log          *slog.Logger
}

type objects interface {
	HeadBucket(ctx context.Context, in *s3.HeadBucketInput, opts ...func(*s3.Options)) (*s3.HeadBucketOutput, error)
	ListObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput, opts ...func(*s3.Options)) (*s3.ListObjectVersionsOutput, error)
	DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput, opts ...func(*s3.Options)) (*s3.DeleteObjectsOutput, error)
	DeleteBucket(ctx context.Context, in *s3.DeleteBucketInput, opts ...func(*s3.Options)) (*s3.DeleteBucketOutput, error)
}

// A Ledger is what the deployer uses of a ledger.
type Ledger interface {
	// PublishPipeline writes the pipeline under its hash, unless it is already there.
	PublishPipeline(ctx context.Context, p *pipeline.Pipeline) error
	// Current returns the current pipeline, nil if none was set yet.
	Current(ctx context.Context) (*ledger.Current, error)
	// SetCurrent replaces the current pipeline, unless it was changed since it was read.
	SetCurrent(ctx context.Context, next, over *ledger.Current) (time.Time, error)
	// ClaimFor claims the bucket for a stack. It succeeds if the bucket is already claimed for the same stack.
	ClaimFor(ctx context.Context, stack ledger.Stack) error
	// ClaimedFor returns the stack that the bucket is claimed for, nil if there is none.
	ClaimedFor(ctx context.Context) (*ledger.Stack, error)
}

var (
	_ objects = (*s3.Client)(nil)
	_ Ledger  = (*ledger.Store)(nil)
)

// Handle answers one request; cfn.LambdaWrap wraps it. The answer is the resource's physical id and the attributes
// that the template can read. On an error CloudFormation rolls back, with the error as its reason.
func (d *Deployer) Handle(ctx context.Context, event cfn.Event) (string, map[string]any, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-answerMargin))
		defer cancel()
	}
	log := d.Log.With("request", event.RequestType, "resource", event.LogicalResourceID)
	log.InfoContext(ctx, "received", "physicalId", event.PhysicalResourceID, "properties", event.ResourceProperties)

	var id string
	var data map[string]any
	var err error
	switch event.ResourceType {
	case ContentsType:
		id, data, err = d.contents(ctx, log, event)
	case RolesType:
		id, err = d.roles(ctx, event)
	case PositionType:
		id, data, err = d.position(ctx, event)
	case CodeType:
		id, data, err = d.code(ctx, log, event)
	case GateType:
		id, err = d.gate(ctx, log, event)
	case RunType:
		id, data, err = d.run(ctx, log, event)
	default:
		err = fmt.Errorf("the deployer supports %s, %s, %s, %s, %s and %s, not %s", ContentsType, RolesType, PositionType, CodeType, GateType, RunType, event.ResourceType)
	}
	if id == "" || (err != nil && event.PhysicalResourceID != "") {
		// A different id would mean to CloudFormation that the resource was replaced.
		id = event.PhysicalResourceID
	}
	if err != nil {
		return id, nil, fmt.Errorf("%s: %w", event.LogicalResourceID, err)
	}
	return id, data, nil
}

// properties reads the properties of a request, which must all be strings. Its error names every one that is missing.
func properties(event cfn.Event, names ...string) (map[string]string, error) {
	values := make(map[string]string, len(names))
	var faults []error
	for _, name := range names {
		value, ok := event.ResourceProperties[name].(string)
		if !ok || value == "" {
			faults = append(faults, fmt.Errorf("property %s is missing or not a string", name))
		}
		values[name] = value
	}
	return values, errors.Join(faults...)
}

// sleep waits, unless the context ends first.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

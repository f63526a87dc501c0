package deployer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"streamproof/internal/application"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
)

// The types of the custom resources, as the template names them.
const (
	ContentsType = "Custom::BucketContents"
	RolesType    = "Custom::KnownRoles"
	CodeType     = "Custom::AnalyticsCode"
	GateType     = "Custom::AnalyticsGate"
	RunType      = "Custom::AnalyticsRun"
)

// answerMargin is what is kept of the function's time for the answer to CloudFormation.
const answerMargin = 20 * time.Second

// reasonLimit bounds the part of a reason whose length is not ours to choose.
const reasonLimit = 1500

// A Deployer answers the requests of the custom resources.
type Deployer struct {
	// JAR is the path of the analytics application's JAR.
	JAR string
	// Pipeline is what is published once the application runs.
	Pipeline *pipeline.Pipeline

	Uploader uploader
	Objects  objects
	// Ledger is the ledger in a bucket.
	Ledger       func(bucket string) Ledger
	Applications application.API
	Metrics      application.Metrics
	// MetricPeriod is how often the application's metrics come; 0 as the service publishes them.
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

// A Ledger is what the deployer needs of one.
type Ledger interface {
	// PublishPipeline writes the pipeline under its hash, and succeeds where it stands already.
	PublishPipeline(ctx context.Context, p *pipeline.Pipeline) error
	// Current says which pipeline is current, nil where nobody has said.
	Current(ctx context.Context) (*ledger.Current, error)
	// SetCurrent says it anew, unless somebody else has since it was read.
	SetCurrent(ctx context.Context, next, over *ledger.Current) (time.Time, error)
	// ClaimFor claims the bucket for a stack, and succeeds where it is claimed for the same one already.
	ClaimFor(ctx context.Context, stack ledger.Stack) error
	// ClaimedFor is the stack that the bucket is claimed for; nil where it is for none.
	ClaimedFor(ctx context.Context) (*ledger.Stack, error)
}

var (
	_ objects = (*s3.Client)(nil)
	_ Ledger  = (*ledger.Store)(nil)
)

// Handle answers one request; it is to be wrapped in cfn.LambdaWrap. The answer is the resource's physical id and the
// attributes that the template can read from it. An error makes CloudFormation roll back with the error as its reason.
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
	case CodeType:
		id, data, err = d.code(ctx, log, event)
	case GateType:
		id, err = d.gate(ctx, log, event)
	case RunType:
		id, data, err = d.run(ctx, log, event)
	default:
		err = fmt.Errorf("the deployer knows %s, %s, %s, %s and %s, not %s", ContentsType, RolesType, CodeType, GateType, RunType, event.ResourceType)
	}
	if id == "" || (err != nil && event.PhysicalResourceID != "") {
		// Another id than before would tell CloudFormation that the resource was replaced.
		id = event.PhysicalResourceID
	}
	if err != nil {
		return id, nil, fmt.Errorf("%s: %w", event.LogicalResourceID, err)
	}
	return id, data, nil
}

// properties reads the properties of a request, all of them required strings; the error names every one that is missing.
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

// shorten keeps a part of an error inside the 4 KB that an answer to CloudFormation may have.
func shorten(text string) string {
	if len(text) <= reasonLimit {
		return text
	}
	return strings.ToValidUTF8(text[:reasonLimit], "") + "…"
}

// sleep waits, unless the time is over before.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

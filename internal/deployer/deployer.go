package deployer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"streamproof/pipeline"
)

// The types of the custom resources, as the template names them.
const (
	CodeType = "Custom::AnalyticsCode"
	RunType  = "Custom::AnalyticsRun"
)

// answerMargin is what is kept of the function's time for the answer to CloudFormation.
const answerMargin = 20 * time.Second

// A Deployer answers the requests of the custom resources.
type Deployer struct {
	// JAR is the path of the analytics application's JAR.
	JAR string
	// Pipeline is what is published once the application runs.
	Pipeline *pipeline.Pipeline

	Uploader uploader
	Objects  deleter
	// Ledger is the ledger in a bucket.
	Ledger       func(bucket string) Publisher
	Applications applications
	Log          *slog.Logger
}

// A Publisher is what the deployer needs of a ledger.
type Publisher interface {
	// PublishPipeline writes the pipeline under its hash, and succeeds where it stands already.
	PublishPipeline(ctx context.Context, p *pipeline.Pipeline) error
}

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
	case CodeType:
		id, data, err = d.code(ctx, event)
	case RunType:
		id, err = d.run(ctx, log, event)
	default:
		err = fmt.Errorf("the deployer knows %s and %s, not %s", CodeType, RunType, event.ResourceType)
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

// Package stack calls a deployed stack, on AWS or on the local emulator alike: it finds the resources by the stack's
// outputs, has the producer produce and the verifier judge, and reads and changes the state of each part. Each method
// is one call, or waits for one to end; package operate puts them in order.
package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go"

	"streamproof/internal/application"
	"streamproof/internal/producer"
	"streamproof/internal/sample"
	"streamproof/internal/stream"
)

const (
	callTimeout = 30 * time.Second
	// invokeTimeout is longer than a function may run on Lambda.
	invokeTimeout = 16 * time.Minute
)

// ErrNotUsable reports that there is no such stack, or that it is not one of streamproof's.
var ErrNotUsable = errors.New("not usable")

// Outputs are the outputs of the stack.
type Outputs struct {
	BucketName         string        `json:"bucketName"`
	StreamName         string        `json:"streamName"`
	DeliveryStreamName string        `json:"deliveryStreamName"`
	ApplicationName    string        `json:"applicationName"`
	ProducerFunction   string        `json:"producerFunction"`
	ProducerSchedule   string        `json:"producerSchedule"`
	VerifierFunction   string        `json:"verifierFunction"`
	VerifyInParts      string        `json:"verifyInParts,omitempty"` // a state machine; stacks of older versions have none
	DataPrefix         string        `json:"dataPrefix"`
	ErrorsPrefix       string        `json:"errorsPrefix"`
	FailedPrefix       string        `json:"failedPrefix"`
	DeliveryDeadline   time.Duration `json:"-"`
	// StartPosition is since when the records of an existing stream are owed: a stack that reads one has no producer.
	// It is empty for every other stack.
	StartPosition string `json:"startPosition,omitempty"`
	// Audits is where the rows are of a pipeline that the stack only watches, as s3://bucket/prefix. Such a stack has a
	// verifier and nothing else. It is empty for every other stack.
	Audits string `json:"audits,omitempty"`
	// Query says which query the last deploy has left running. Stacks of older versions do not have this output.
	Query string `json:"query,omitempty"`
}

// Produces reports whether the stack has a producer, and does not read a stream of somebody else.
func (o Outputs) Produces() bool { return o.StartPosition == "" && o.Audits == "" }

// A Stack is a deployed stack.
type Stack struct {
	Name    string
	Region  string
	State   string // CloudFormation's: CREATE_COMPLETE, UPDATE_COMPLETE, …
	Outputs Outputs
	// S3 reads and writes the stack's bucket.
	S3 *s3.Client

	cloudformation *cloudformation.Client
	logs           *cloudwatchlogs.Client
	lambda         *lambda.Client
	kinesis        *kinesis.Client
	application    *application.Application
	scheduler      *scheduler.Client
	states         *sfn.Client
	parameters     map[string]string // what it was deployed with
}

// Open finds the stack. Its error wraps ErrNotUsable if there is no such stack, or it lacks an output.
func Open(ctx context.Context, config aws.Config, name string) (*Stack, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	client := cloudformation.NewFromConfig(config)
	out, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "ValidationError" {
		return nil, fmt.Errorf("%w: %s: deploy it first, or name another", ErrNotUsable, strings.TrimSuffix(api.ErrorMessage(), "."))
	}
	if err != nil {
		return nil, fmt.Errorf("describe stack %s in %s: %w", name, config.Region, err)
	}
	if len(out.Stacks) == 0 {
		return nil, fmt.Errorf("%w: there is no stack %s in %s: deploy it first, or name another", ErrNotUsable, name, config.Region)
	}
	s := &Stack{
		Name:           name,
		Region:         config.Region,
		State:          string(out.Stacks[0].StackStatus),
		cloudformation: client,
		logs:           cloudwatchlogs.NewFromConfig(config),
		lambda:         lambda.NewFromConfig(config),
		kinesis:        kinesis.NewFromConfig(config),
		scheduler:      scheduler.NewFromConfig(config),
		states:         sfn.NewFromConfig(config),
		parameters:     map[string]string{},
		S3:             s3.NewFromConfig(config),
	}
	for _, p := range out.Stacks[0].Parameters {
		s.parameters[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
	}
	if s.Outputs, err = parseOutputs(outputsOf(out.Stacks[0])); err != nil {
		return nil, fmt.Errorf("%w: stack %s in %s is %s and %w: deploy this version of the template", ErrNotUsable, name, config.Region, s.State, err)
	}
	s.application = &application.Application{
		Name: s.Outputs.ApplicationName, API: kinesisanalyticsv2.NewFromConfig(config),
		Metrics: cloudwatch.NewFromConfig(config), Logs: s.logs,
	}
	if s.parameters["Emulator"] == "true" {
		s.application.MetricPeriod = time.Second
	}
	return s, nil
}

// Names are the names of the account's stacks that Open takes.
func Names(ctx context.Context, config aws.Config) ([]string, error) {
	var names []string
	pages := cloudformation.NewDescribeStacksPaginator(cloudformation.NewFromConfig(config), &cloudformation.DescribeStacksInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return names, fmt.Errorf("list the stacks in %s: %w", config.Region, err)
		}
		for _, s := range page.Stacks {
			if _, err := parseOutputs(outputsOf(s)); err == nil {
				names = append(names, aws.ToString(s.StackName))
			}
		}
	}
	return names, nil
}

func outputsOf(s types.Stack) map[string]string {
	values := map[string]string{}
	for _, o := range s.Outputs {
		values[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return values
}

// parseOutputs names all missing outputs at once.
func parseOutputs(values map[string]string) (Outputs, error) {
	var o Outputs
	var missing []string
	var deadline string
	o.StartPosition, o.Audits = values["StartPosition"], values["Audits"]
	type output struct {
		key  string
		into *string
	}
	outputs := []output{
		{"BucketName", &o.BucketName},
		{"StreamName", &o.StreamName},
		{"VerifierFunction", &o.VerifierFunction},
		{"DeliveryDeadlineSeconds", &deadline},
	}
	if o.Audits == "" {
		outputs = append(outputs,
			output{"DeliveryStreamName", &o.DeliveryStreamName},
			output{"ApplicationName", &o.ApplicationName},
			output{"DataPrefix", &o.DataPrefix},
			output{"ErrorsPrefix", &o.ErrorsPrefix},
			output{"FailedPrefix", &o.FailedPrefix})
	}
	if o.Produces() {
		outputs = append(outputs, output{"ProducerFunction", &o.ProducerFunction}, output{"ProducerSchedule", &o.ProducerSchedule})
	}
	for _, output := range outputs {
		if *output.into = values[output.key]; *output.into == "" {
			missing = append(missing, output.key)
		}
	}
	if len(missing) > 0 {
		return o, fmt.Errorf("lacks the outputs %s", strings.Join(missing, ", "))
	}
	o.Query, o.VerifyInParts = values["Query"], values["VerifyInParts"]
	seconds, err := strconv.Atoi(deadline)
	if err != nil {
		return o, fmt.Errorf("its output DeliveryDeadlineSeconds is %q", deadline)
	}
	o.DeliveryDeadline = time.Duration(seconds) * time.Second
	return o, nil
}

// Produce has the producer send a tick of that many records, of which poison are malformed on purpose. The same tick
// again sends nothing. It also returns the producer's answer as it came.
func (s *Stack) Produce(ctx context.Context, tick time.Time, records, poison int) (*producer.Answer, json.RawMessage, error) {
	return s.ProduceBy(ctx, tick, records, poison, "")
}

// ProduceBy is Produce with this partition key in place of the stack's: "uniform" or the name of a column. An empty one
// is the stack's.
func (s *Stack) ProduceBy(ctx context.Context, tick time.Time, records, poison int, key string) (*producer.Answer, json.RawMessage, error) {
	if !s.Outputs.Produces() {
		return nil, nil, fmt.Errorf("%w: stack %s reads stream %s, which somebody else puts records into: it has no producer", ErrNotUsable, s.Name, s.Outputs.StreamName)
	}
	event := map[string]any{"records": records, "poison": poison, "tick": tick.UTC().Format("2006-01-02T15:04:05.000Z")}
	if key != "" { // a producer of an older version does not know it
		event["partitionKey"] = key
	}
	var answer producer.Answer
	raw, err := s.invoke(ctx, s.Outputs.ProducerFunction, event, &answer)
	return &answer, raw, err
}

// Reader reads the stack's stream, with the caller's own credentials.
func (s *Stack) Reader() *stream.Reader { return stream.NewReader(s.kinesis, s.Outputs.StreamName) }

// Sample reads part of the stack's stream, with the caller's own credentials.
func (s *Stack) Sample(ctx context.Context, o sample.Options) (*sample.Sample, error) {
	return sample.Stream(ctx, s.kinesis, s.Outputs.StreamName, o)
}

// invoke calls a function and reads its answer. The SDK may repeat the call, because neither function does anything
// twice.
func (s *Stack) invoke(ctx context.Context, function string, event, answer any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, invokeTimeout)
	defer cancel()
	payload, err := json.Marshal(event)
	if err != nil {
		return nil, err
	}
	out, err := s.lambda.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: &function,
		Payload:      payload,
		LogType:      lambdatypes.LogTypeNone,
	})
	if err != nil {
		return nil, fmt.Errorf("invoke %s: %w", function, err)
	}
	if out.FunctionError != nil {
		var failure struct {
			Message string `json:"errorMessage"`
		}
		if json.Unmarshal(out.Payload, &failure) != nil || failure.Message == "" {
			failure.Message = string(out.Payload)
		}
		return nil, fmt.Errorf("%s failed: %s", function, failure.Message)
	}
	if err := json.Unmarshal(out.Payload, answer); err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", function, err)
	}
	return out.Payload, nil
}

// Failure returns the first resource that failed in the stack's last operation, and why. It is empty if none did, or
// if that is unknown.
func Failure(ctx context.Context, config aws.Config, name string) string {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := cloudformation.NewFromConfig(config).DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &name})
	if err != nil {
		return ""
	}
	failure := ""
	for _, event := range out.StackEvents { // the newest first
		status := string(event.ResourceStatus)
		ofStack := aws.ToString(event.PhysicalResourceId) == aws.ToString(event.StackId)
		switch {
		case ofStack && (status == "CREATE_IN_PROGRESS" || status == "UPDATE_IN_PROGRESS"):
			return failure
		case !ofStack && strings.HasSuffix(status, "_FAILED"):
			failure = fmt.Sprintf("%s: %s", aws.ToString(event.LogicalResourceId), aws.ToString(event.ResourceStatusReason))
		}
	}
	return failure
}

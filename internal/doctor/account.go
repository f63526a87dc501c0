package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	analyticstypes "github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// callTimeout is for one call with its retries.
const callTimeout = 20 * time.Second

// The quotas of Managed Flink that AWS documents, in case Service Quotas does not list them:
// https://docs.aws.amazon.com/managed-flink/latest/java/limits.html
const (
	documentedApplications = 100
	documentedKPUs         = 64
	flinkServiceCode       = "kinesisanalytics"
)

// The stack runs two or three functions at once, and one or more for a transform. New accounts may have only
// newAccount.
const (
	wantConcurrency = 3
	newAccount      = 10
)

// Needs is what a stack needs of an account.
type Needs struct {
	Stack          string // its name
	OnDemand       bool
	Shards         int // of a provisioned stream
	Parallelism    int
	Transformed    bool
	ExistingBucket string // empty if the stack creates one
}

// Clients call the account's services. Their interfaces have only calls that change nothing.
type Clients struct {
	Credentials    aws.CredentialsProvider
	STS            identities
	IAM            policies
	CloudFormation stacks
	Kinesis        streams
	Applications   applications
	Lambda         functions
	Quotas         quotas
	S3             buckets
	// Services has a call for each service, to see whether the region has it.
	Services map[string]func(context.Context) error
}

type identities interface {
	GetCallerIdentity(context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error)
}

type stacks interface {
	DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
}

type streams interface {
	DescribeLimits(context.Context, *kinesis.DescribeLimitsInput, ...func(*kinesis.Options)) (*kinesis.DescribeLimitsOutput, error)
}

type applications interface {
	kinesisanalyticsv2.ListApplicationsAPIClient
	DescribeApplication(context.Context, *kinesisanalyticsv2.DescribeApplicationInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.DescribeApplicationOutput, error)
}

type functions interface {
	GetAccountSettings(context.Context, *lambda.GetAccountSettingsInput, ...func(*lambda.Options)) (*lambda.GetAccountSettingsOutput, error)
}

type quotas = servicequotas.ListServiceQuotasAPIClient

type buckets interface {
	HeadBucket(context.Context, *s3.HeadBucketInput, ...func(*s3.Options)) (*s3.HeadBucketOutput, error)
}

var (
	_ identities   = (*sts.Client)(nil)
	_ policies     = (*iam.Client)(nil)
	_ stacks       = (*cloudformation.Client)(nil)
	_ streams      = (*kinesis.Client)(nil)
	_ applications = (*kinesisanalyticsv2.Client)(nil)
	_ functions    = (*lambda.Client)(nil)
	_ quotas       = (*servicequotas.Client)(nil)
	_ buckets      = (*s3.Client)(nil)
)

// NewClients makes clients for a configuration.
func NewClients(config aws.Config) Clients {
	c := Clients{
		Credentials:    config.Credentials,
		STS:            sts.NewFromConfig(config),
		IAM:            iam.NewFromConfig(config),
		CloudFormation: cloudformation.NewFromConfig(config),
		Kinesis:        kinesis.NewFromConfig(config),
		Applications:   kinesisanalyticsv2.NewFromConfig(config),
		Lambda:         lambda.NewFromConfig(config),
		Quotas:         servicequotas.NewFromConfig(config),
		S3:             s3.NewFromConfig(config),
	}
	one := aws.Int32(1)
	c.Services = map[string]func(context.Context) error{
		"Firehose":              call(firehose.NewFromConfig(config).ListDeliveryStreams, firehose.ListDeliveryStreamsInput{Limit: one}),
		"EventBridge Scheduler": call(scheduler.NewFromConfig(config).ListSchedules, scheduler.ListSchedulesInput{MaxResults: one}),
		"CloudWatch Logs":       call(cloudwatchlogs.NewFromConfig(config).DescribeLogGroups, cloudwatchlogs.DescribeLogGroupsInput{Limit: one}),
		"SQS":                   call(sqs.NewFromConfig(config).ListQueues, sqs.ListQueuesInput{MaxResults: one}),
		"SNS":                   call(sns.NewFromConfig(config).ListTopics, sns.ListTopicsInput{}),
		"Kinesis":               call(c.Kinesis.DescribeLimits, kinesis.DescribeLimitsInput{}),
		"Lambda":                call(c.Lambda.GetAccountSettings, lambda.GetAccountSettingsInput{}),
		"Managed Flink":         call(c.Applications.ListApplications, kinesisanalyticsv2.ListApplicationsInput{Limit: one}),
		"CloudFormation":        call(c.CloudFormation.DescribeStacks, cloudformation.DescribeStacksInput{}),
	}
	return c
}

// call binds the input of a call whose answer does not matter.
func call[Input, Output, Option any](
	do func(context.Context, *Input, ...Option) (Output, error), in Input,
) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := do(ctx, &in)
		return err
	}
}

// An Account is an AWS account in one region.
type Account struct {
	Region string
	Needs  Needs
	Clients
}

// Checks checks the account. Without working credentials nothing else can be checked.
func (a Account) Checks(ctx context.Context) []Check {
	caller, first := a.credentials(ctx)
	if first.Result == Fault {
		return []Check{first}
	}
	return append([]Check{first}, together(ctx, bounded(a.services), bounded(a.names), bounded(a.bucket), bounded(a.concurrency),
		bounded(a.streams), bounded(a.applications),
		func(ctx context.Context) Check { return a.permissions(ctx, caller) })...) // it bounds each of its calls
}

func bounded(check func(context.Context) Check) func(context.Context) Check {
	return func(ctx context.Context) Check {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		return check(ctx)
	}
}

func (a Account) credentials(ctx context.Context) (arn.ARN, Check) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c := Check{Name: "credentials", Result: Fault, Means: "nothing can be deployed, nor looked at"}
	if _, err := a.Credentials.Retrieve(ctx); err != nil {
		c.Found = "none"
		c.Means += ": " + err.Error()
		c.Do = "sign in (aws sso login, aws configure), or set AWS_PROFILE"
		return arn.ARN{}, c
	}
	out, err := a.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	var caller arn.ARN
	if err == nil {
		caller, err = arn.Parse(aws.ToString(out.Arn))
	}
	if err != nil {
		c.Found = "they are refused, or not heard"
		c.Means += ": " + reason(err)
		c.Do = fmt.Sprintf("sign in again; see that %s is a region that the account has enabled, and that this machine reaches AWS", a.Region)
		if noSuchHost(err) {
			c.Found = fmt.Sprintf("AWS has no address for %s", a.Region)
			c.Do = "name a region as eu-west-1; see that this machine reaches AWS"
		}
		return caller, c
	}
	return caller, Check{Name: "credentials", Result: OK, Found: fmt.Sprintf("account %s as %s", aws.ToString(out.Account), aws.ToString(out.Arn))}
}

// services checks that the region has every service.
func (a Account) services(ctx context.Context) Check {
	c := Check{Name: "services", Result: OK}
	names := slices.Sorted(maps.Keys(a.Services))
	answers := make([]func(context.Context) Check, len(names))
	for i, name := range names {
		answers[i] = func(ctx context.Context) Check {
			err := a.Services[name](ctx)
			var api smithy.APIError
			switch {
			case err == nil:
				return Check{Result: OK}
			case noSuchHost(err):
				return Check{Result: Fault, Found: name + " is not in this region"}
			case errors.As(err, &api) && slices.Contains([]string{"SubscriptionRequiredException", "OptInRequired", "UnrecognizedClientException", "InvalidClientTokenId"}, api.ErrorCode()):
				return Check{Result: Fault, Found: name + ": " + reason(err)}
			case errors.As(err, &api) && api.ErrorFault() == smithy.FaultClient || denied(err):
				return Check{Result: OK} // it refuses the call, so it is there
			default:
				return Check{Result: Warning, Found: name + ": " + reason(err)}
			}
		}
	}
	var troubles []string
	results := together(ctx, answers...)
	for _, r := range results {
		if r.Result != OK {
			troubles = append(troubles, r.Found)
		}
	}
	switch c.Result = Worst(results); c.Result {
	case OK:
		c.Found = strings.Join(names, ", ") + " answer in " + a.Region
	case Warning:
		c.Found = strings.Join(troubles, "; ")
		c.Means = "it cannot be known whether " + a.Region + " has all that the stack needs"
		c.Do = "try again; see that this machine reaches AWS"
	default:
		c.Found = strings.Join(troubles, "; ")
		c.Means = "the stack cannot be deployed to " + a.Region
		c.Do = "enable the region or the service in the account, or take another region"
	}
	return c
}

// names checks that nothing else has the names that the stack would use.
func (a Account) names(ctx context.Context) Check {
	name := a.Needs.Stack
	c := Check{Name: "names", Result: OK}
	out, err := a.CloudFormation.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	var api smithy.APIError
	absent := errors.As(err, &api) && api.ErrorCode() == "ValidationError"
	if err != nil && !absent {
		return a.unknown(c, err, "cloudformation:DescribeStacks")
	}
	application := name + applicationSuffix
	if err == nil && len(out.Stacks) > 0 {
		stack := out.Stacks[0]
		state := string(stack.StackStatus)
		c.Found = fmt.Sprintf("there is a stack %s, %s", name, state)
		ours := state == "ROLLBACK_COMPLETE" || state == "CREATE_FAILED" // it has no outputs
		for _, output := range stack.Outputs {
			ours = ours || aws.ToString(output.OutputKey) == "ApplicationName" && aws.ToString(output.OutputValue) == application
		}
		switch {
		case strings.HasSuffix(state, "_IN_PROGRESS"):
			c.Result, c.Means, c.Do = Warning, "a deploy would be refused until that is over", "wait"
		case !ours:
			c.Result, c.Means, c.Do = Fault, "it is not one of streamproof's, and a deploy would replace what is in it", "deploy under another name (stack_name in samconfig.toml)"
		case state == "ROLLBACK_COMPLETE" || strings.HasSuffix(state, "_FAILED"):
			c.Result, c.Means, c.Do = Fault, "a deploy is refused in this state", "see docs/operations/deploy.md, \"If a deploy fails\"; after a first deploy `sam delete`, and deploy again"
		default:
			c.Found += ": a deploy updates it"
		}
		return c
	}
	_, err = a.Applications.DescribeApplication(ctx, &kinesisanalyticsv2.DescribeApplicationInput{ApplicationName: &application})
	switch {
	case err == nil:
		c.Result, c.Found = Fault, fmt.Sprintf("there is an application %s, and no stack %s", application, name)
		c.Means = "the deploy would fail when it makes its application"
		c.Do = "delete the application, or deploy under another name (stack_name in samconfig.toml)"
	case errors.As(err, new(*analyticstypes.ResourceNotFoundException)):
		c.Found = fmt.Sprintf("neither a stack %s nor an application %s is there yet", name, application)
	default:
		return a.unknown(c, err, "kinesisanalytics:DescribeApplication")
	}
	return c
}

func (a Account) bucket(ctx context.Context) Check {
	c := Check{Name: "bucket", Result: OK, Found: "a new one, with a name that CloudFormation chooses"}
	name := a.Needs.ExistingBucket
	if name == "" {
		return c
	}
	_, err := a.S3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name})
	status := 0
	if response := (*awshttp.ResponseError)(nil); errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	c.Result, c.Means, c.Do = Fault, "the stack could not write to it", "name another ExistingBucket, or leave it out"
	switch {
	case err == nil:
		return Check{Name: c.Name, Result: OK, Found: fmt.Sprintf("%s is there", name)}
	case status == http.StatusNotFound:
		c.Found = fmt.Sprintf("there is no bucket %s", name)
	case status == http.StatusMovedPermanently:
		c.Found = fmt.Sprintf("the bucket %s is in another region", name)
	default:
		return a.unknown(Check{Name: c.Name, Found: c.Found}, err, "s3:ListBucket")
	}
	return c
}

func (a Account) concurrency(ctx context.Context) Check {
	c := Check{Name: "Lambda concurrency", Result: OK}
	out, err := a.Lambda.GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	if err != nil || out.AccountLimit == nil {
		return a.unknown(c, err, "lambda:GetAccountSettings")
	}
	want := int32(wantConcurrency)
	if a.Needs.Transformed {
		want++
	}
	free := aws.ToInt32(out.AccountLimit.UnreservedConcurrentExecutions)
	c.Found = fmt.Sprintf("%d for the account, %d of them not reserved; the stack takes %d or more", out.AccountLimit.ConcurrentExecutions, free, want)
	c.Do = "ask for more: Service Quotas, AWS Lambda, Concurrent executions"
	switch {
	case free < want:
		c.Result, c.Means = Fault, "ticks and verdicts would be throttled and given up"
	case free <= newAccount:
		c.Result, c.Means = Warning, "all functions of the account share it, and a few others at work would throttle the stack"
	default:
		c.Do = ""
	}
	return c
}

func (a Account) streams(ctx context.Context) Check {
	c := Check{Name: "Kinesis quota", Result: OK}
	out, err := a.Kinesis.DescribeLimits(ctx, &kinesis.DescribeLimitsInput{})
	if err != nil {
		return a.unknown(c, err, "kinesis:DescribeLimits")
	}
	what, used, limit, want := "shards", out.OpenShardCount, out.ShardLimit, a.Needs.Shards
	if a.Needs.OnDemand {
		what, used, limit, want = "on-demand streams", out.OnDemandStreamCount, out.OnDemandStreamCountLimit, 1
	}
	if limit == nil {
		return a.unknown(c, errors.New("the answer has no limit"), "")
	}
	c.Found = fmt.Sprintf("%d of %d %s are in use; a new stack takes %d", aws.ToInt32(used), *limit, what, want)
	if int(aws.ToInt32(used))+want > int(*limit) {
		c.Result, c.Means, c.Do = Fault, "a new stack could not make its stream", "ask for more in Service Quotas, Amazon Kinesis Data Streams; or take fewer: ShardCount"
	}
	return c
}

func (a Account) applications(ctx context.Context) Check {
	c := Check{Name: "Managed Flink quota", Result: OK}
	count := 0
	for pages := kinesisanalyticsv2.NewListApplicationsPaginator(a.Applications, &kinesisanalyticsv2.ListApplicationsInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return a.unknown(c, err, "kinesisanalytics:ListApplications")
		}
		count += len(page.ApplicationSummaries)
	}
	limit, units, source := documentedApplications, documentedKPUs, "as AWS documents; this account's own are not known"
	in := &servicequotas.ListServiceQuotasInput{ServiceCode: aws.String(flinkServiceCode)}
	for pages := servicequotas.NewListServiceQuotasPaginator(a.Quotas, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			source += ": " + reason(err)
			break
		}
		for _, q := range page.Quotas {
			name, value := strings.ToLower(aws.ToString(q.QuotaName)), int(aws.ToFloat64(q.Value))
			switch {
			case strings.Contains(name, "kpu"), strings.Contains(name, "processing unit"):
				units, source = value, "by Service Quotas"
			case strings.Contains(name, "applications"), strings.Contains(name, "application count"):
				limit, source = value, "by Service Quotas"
			}
		}
	}
	want := a.Needs.Parallelism + 1 // AWS adds one to each application
	c.Found = fmt.Sprintf("%d of %d applications are there; this one takes %d of %d processing units (%s)", count, limit, want, units, source)
	c.Do = "ask for more in Service Quotas, Amazon Managed Service for Apache Flink"
	switch {
	case count >= limit:
		c.Result, c.Means = Fault, "a new stack could not make its application"
	case want > units:
		c.Result, c.Means, c.Do = Fault, "the application would not start", c.Do+"; or take fewer: Parallelism"
	default:
		c.Do = ""
	}
	return c
}

// unknown returns the check with an unknown result; action is the permission that its call needs.
func (a Account) unknown(c Check, err error, action string) Check {
	if err == nil {
		err = errors.New("the answer is empty")
	}
	if denied(err) {
		c.Do = fmt.Sprintf("have %s allowed, or look in the console", action)
	}
	return unknown(c, errors.New(reason(err)))
}

// reason is an error in few words, the service's own if it has answered.
func reason(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}

func denied(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && (strings.HasPrefix(api.ErrorCode(), "AccessDenied") || strings.HasPrefix(api.ErrorCode(), "UnauthorizedOperation") || api.ErrorCode() == "Forbidden")
}

// noSuchHost reports whether the endpoint does not exist, for example because the region lacks the service.
func noSuchHost(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

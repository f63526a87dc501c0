package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

type policies interface {
	iam.SimulatePrincipalPolicyAPIClient
	GetRole(context.Context, *iam.GetRoleInput, ...func(*iam.Options)) (*iam.GetRoleOutput, error)
}

// applicationSuffix is what the template appends to the stack's name for its application.
const applicationSuffix = "-analytics"

// A request is what a deploy asks of a service: actions on a resource. STACK, REGION, ACCOUNT and PARTITION stand for
// the deploy's own.
type request struct {
	resource string
	actions  []string
}

// requests are the requests of a first deploy, by the type of the template's resource; SAM's own have no type. They
// create each resource, but are not everything that its life needs.
var requests = map[string]request{
	"": {"arn:PARTITION:cloudformation:REGION:ACCOUNT:stack/STACK/*", []string{
		"cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet", "cloudformation:ExecuteChangeSet", "cloudformation:DescribeStacks", "cloudformation:DescribeStackEvents",
	}},
	"AWS::S3::Bucket": {"arn:PARTITION:s3:::STACK-bucket-x", []string{
		"s3:CreateBucket", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration", "s3:PutBucketPublicAccessBlock", "s3:PutBucketOwnershipControls", "s3:PutLifecycleConfiguration",
	}},
	"AWS::S3::BucketPolicy":          {"arn:PARTITION:s3:::STACK-bucket-x", []string{"s3:PutBucketPolicy"}},
	"AWS::IAM::Role":                 {"arn:PARTITION:iam::ACCOUNT:role/STACK-Role-x", []string{"iam:CreateRole", "iam:PutRolePolicy", "iam:PassRole"}},
	"AWS::IAM::Policy":               {"arn:PARTITION:iam::ACCOUNT:role/STACK-Role-x", []string{"iam:PutRolePolicy"}},
	"AWS::Serverless::Function":      {"arn:PARTITION:lambda:REGION:ACCOUNT:function:STACK-Function-x", []string{"lambda:CreateFunction", "lambda:GetFunction", "lambda:InvokeFunction", "lambda:PutFunctionEventInvokeConfig"}},
	"AWS::Lambda::EventInvokeConfig": {"arn:PARTITION:lambda:REGION:ACCOUNT:function:STACK-Function-x", []string{"lambda:PutFunctionEventInvokeConfig"}},
	"AWS::Kinesis::Stream":           {"arn:PARTITION:kinesis:REGION:ACCOUNT:stream/STACK-Stream-x", []string{"kinesis:CreateStream", "kinesis:DescribeStreamSummary"}},
	"AWS::KinesisAnalyticsV2::Application": {"arn:PARTITION:kinesisanalytics:REGION:ACCOUNT:application/STACK" + applicationSuffix, []string{
		"kinesisanalytics:CreateApplication", "kinesisanalytics:DescribeApplication",
	}},
	"AWS::KinesisAnalyticsV2::ApplicationCloudWatchLoggingOption": {"arn:PARTITION:kinesisanalytics:REGION:ACCOUNT:application/STACK" + applicationSuffix, []string{
		"kinesisanalytics:AddApplicationCloudWatchLoggingOption",
	}},
	"AWS::KinesisFirehose::DeliveryStream": {"arn:PARTITION:firehose:REGION:ACCOUNT:deliverystream/STACK-Delivery-x", []string{"firehose:CreateDeliveryStream", "firehose:DescribeDeliveryStream"}},
	"AWS::Scheduler::Schedule":             {"arn:PARTITION:scheduler:REGION:ACCOUNT:schedule/default/STACK-Schedule-x", []string{"scheduler:CreateSchedule", "scheduler:GetSchedule"}},
	"AWS::StepFunctions::StateMachine":     {"arn:PARTITION:states:REGION:ACCOUNT:stateMachine:STACK-StateMachine-x", []string{"states:CreateStateMachine", "states:DescribeStateMachine"}},
	"AWS::Logs::LogGroup":                  {"arn:PARTITION:logs:REGION:ACCOUNT:log-group:STACK-Logs-x:*", []string{"logs:CreateLogGroup", "logs:PutRetentionPolicy"}},
	"AWS::Logs::LogStream":                 {"arn:PARTITION:logs:REGION:ACCOUNT:log-group:STACK-Logs-x:log-stream:x", []string{"logs:CreateLogStream"}},
	"AWS::CloudWatch::Alarm":               {"arn:PARTITION:cloudwatch:REGION:ACCOUNT:alarm:STACK-Alarm-x", []string{"cloudwatch:PutMetricAlarm"}},
	"AWS::CloudWatch::Dashboard":           {"arn:PARTITION:cloudwatch::ACCOUNT:dashboard/Dashboard-x", []string{"cloudwatch:PutDashboard"}},
	"AWS::SQS::Queue":                      {"arn:PARTITION:sqs:REGION:ACCOUNT:STACK-Queue-x", []string{"sqs:CreateQueue"}},
	"AWS::SNS::Topic":                      {"arn:PARTITION:sns:REGION:ACCOUNT:STACK-Topic-x", []string{"sns:CreateTopic"}},
	"AWS::SNS::TopicPolicy":                {"arn:PARTITION:sns:REGION:ACCOUNT:STACK-Topic-x", []string{"sns:SetTopicAttributes"}},
	"AWS::SNS::Subscription":               {"arn:PARTITION:sns:REGION:ACCOUNT:STACK-Topic-x", []string{"sns:Subscribe"}},
}

// permissions asks IAM whether the caller's policies allow a deploy's requests. IAM's simulation does not include the
// policies of resources.
func (a Account) permissions(ctx context.Context, caller arn.ARN) Check {
	c := Check{Name: "permissions", Result: OK}
	source, err := a.principal(ctx, caller)
	if err != nil {
		return a.unknown(c, err, "iam:GetRole")
	}
	if source == "" {
		c.Found = "the root user may do everything"
		c.Result = Warning
		c.Means = "whoever has its keys has the account"
		c.Do = "deploy as a role or user with the permissions for it"
		return c
	}
	var lacks, depends []string
	asked := 0
	expand := strings.NewReplacer("STACK", a.Needs.Stack, "REGION", a.Region, "ACCOUNT", caller.AccountID, "PARTITION", caller.Partition)
	for _, kind := range slices.Sorted(maps.Keys(requests)) {
		r := requests[kind]
		in := &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &source, ActionNames: r.actions, ResourceArns: []string{expand.Replace(r.resource)}}
		for pages := iam.NewSimulatePrincipalPolicyPaginator(a.IAM, in); pages.HasMorePages(); {
			page, err := a.simulate(ctx, pages)
			if err != nil {
				return a.unknown(c, err, "iam:SimulatePrincipalPolicy")
			}
			for _, result := range page.EvaluationResults {
				asked++
				switch {
				case result.EvalDecision == types.PolicyEvaluationDecisionTypeAllowed:
				case len(result.MissingContextValues) > 0: // a condition whose values the simulation does not have
					depends = append(depends, aws.ToString(result.EvalActionName))
				default:
					lacks = append(lacks, aws.ToString(result.EvalActionName))
				}
			}
		}
	}
	switch {
	case asked == 0:
		return a.unknown(c, errors.New("IAM's simulation has no results"), "")
	case len(lacks) > 0:
		c.Result, c.Found = Fault, "lacks "+strings.Join(lacks, ", ")
		c.Means = "a deploy by this caller fails where CloudFormation makes these resources"
		c.Do = "have them allowed for " + source + ", or deploy with a service role of CloudFormation (sam deploy --role-arn)"
	case len(depends) > 0:
		c.Result, c.Found = Warning, "under conditions: "+strings.Join(depends, ", ")
		c.Means = "it cannot be known whether a deploy meets them"
		c.Do = "see the conditions in the policies of " + source
	default:
		c.Found = fmt.Sprintf("%s may do all %d actions that a first deploy begins with", source, asked)
	}
	return c
}

func (a Account) simulate(ctx context.Context, pages *iam.SimulatePrincipalPolicyPaginator) (*iam.SimulatePrincipalPolicyOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return pages.NextPage(ctx)
}

// principal returns the user or role whose policies the caller has, empty for the root user, who has and needs none.
func (a Account) principal(ctx context.Context, caller arn.ARN) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	kind, name, _ := strings.Cut(caller.Resource, "/")
	switch kind {
	case "root":
		return "", nil
	case "user":
		return caller.String(), nil
	case "assumed-role":
		role, _, _ := strings.Cut(name, "/")
		out, err := a.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: &role}) // whose path the session's name leaves out
		if err != nil {
			return "", err
		}
		return aws.ToString(out.Role.Arn), nil
	default:
		return "", fmt.Errorf("IAM simulates users and roles only, and the caller is a %s", kind)
	}
}

package doctor_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	analyticstypes "github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	quotatypes "github.com/aws/aws-sdk-go-v2/service/servicequotas/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"streamproof/internal/doctor"
)

// fake is an account in which all is well, but for what a test says of it.
type fake struct {
	caller         string
	callerErr      error
	stack          *cfntypes.Stack
	stackErr       error
	applications   int
	application    bool
	applicationErr error
	limits         kinesis.DescribeLimitsOutput
	limitsErr      error
	concurrency    int32
	quotas         []quotatypes.ServiceQuota
	quotasErr      error
	bucketErr      error
	decide         func(action, resource string) iamtypes.EvaluationResult
	policyErr      error
	service        error
	simulated      []string
}

func (f *fake) GetCallerIdentity(context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error) {
	return &sts.GetCallerIdentityOutput{Account: aws.String("123456789012"), Arn: &f.caller}, f.callerErr
}

func (f *fake) DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	if f.stackErr == nil && f.stack == nil {
		return nil, refusal("ValidationError")
	}
	return &cloudformation.DescribeStacksOutput{Stacks: stacksOf(f.stack)}, f.stackErr
}

func (f *fake) ListApplications(context.Context, *kinesisanalyticsv2.ListApplicationsInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.ListApplicationsOutput, error) {
	return &kinesisanalyticsv2.ListApplicationsOutput{ApplicationSummaries: make([]analyticstypes.ApplicationSummary, f.applications)}, f.applicationErr
}

func (f *fake) DescribeApplication(context.Context, *kinesisanalyticsv2.DescribeApplicationInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.DescribeApplicationOutput, error) {
	if f.applicationErr != nil {
		return nil, f.applicationErr
	}
	if !f.application {
		return nil, &analyticstypes.ResourceNotFoundException{}
	}
	return &kinesisanalyticsv2.DescribeApplicationOutput{}, nil
}

func (f *fake) DescribeLimits(context.Context, *kinesis.DescribeLimitsInput, ...func(*kinesis.Options)) (*kinesis.DescribeLimitsOutput, error) {
	return &f.limits, f.limitsErr
}

func (f *fake) GetAccountSettings(context.Context, *lambda.GetAccountSettingsInput, ...func(*lambda.Options)) (*lambda.GetAccountSettingsOutput, error) {
	return &lambda.GetAccountSettingsOutput{AccountLimit: &lambdatypes.AccountLimit{ConcurrentExecutions: f.concurrency, UnreservedConcurrentExecutions: &f.concurrency}}, nil
}

func (f *fake) ListServiceQuotas(context.Context, *servicequotas.ListServiceQuotasInput, ...func(*servicequotas.Options)) (*servicequotas.ListServiceQuotasOutput, error) {
	return &servicequotas.ListServiceQuotasOutput{Quotas: f.quotas}, f.quotasErr
}

func (f *fake) HeadBucket(context.Context, *s3.HeadBucketInput, ...func(*s3.Options)) (*s3.HeadBucketOutput, error) {
	return &s3.HeadBucketOutput{}, f.bucketErr
}

func (f *fake) GetRole(_ context.Context, in *iam.GetRoleInput, _ ...func(*iam.Options)) (*iam.GetRoleOutput, error) {
	return &iam.GetRoleOutput{Role: &iamtypes.Role{Arn: aws.String("arn:aws:iam::123456789012:role/path/" + *in.RoleName)}}, f.policyErr
}

func (f *fake) SimulatePrincipalPolicy(_ context.Context, in *iam.SimulatePrincipalPolicyInput, _ ...func(*iam.Options)) (*iam.SimulatePrincipalPolicyOutput, error) {
	f.simulated = append(f.simulated, *in.PolicySourceArn)
	out := &iam.SimulatePrincipalPolicyOutput{}
	for _, action := range in.ActionNames {
		result := f.decide(action, in.ResourceArns[0])
		result.EvalActionName = &action
		out.EvaluationResults = append(out.EvaluationResults, result)
	}
	return out, f.policyErr
}

func refusal(code string) error {
	return &smithy.GenericAPIError{Code: code, Message: "no", Fault: smithy.FaultClient}
}

func answered(status int) error {
	return &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: errors.New("no"),
	}}
}

var noHost = &smithy.OperationError{ServiceID: "x", OperationName: "y", Err: &net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}}

func TestAccount(t *testing.T) {
	t.Parallel()
	allowed := func(string, string) iamtypes.EvaluationResult {
		return iamtypes.EvaluationResult{EvalDecision: iamtypes.PolicyEvaluationDecisionTypeAllowed}
	}
	stackOf := func(state cfntypes.StackStatus, application string) *cfntypes.Stack {
		return &cfntypes.Stack{StackStatus: state, Outputs: []cfntypes.Output{{OutputKey: aws.String("ApplicationName"), OutputValue: &application}}}
	}
	quota := func(name string, value float64) quotatypes.ServiceQuota {
		return quotatypes.ServiceQuota{QuotaName: &name, Value: &value}
	}
	for name, test := range map[string]struct {
		change func(f *fake, n *doctor.Needs)
		check  string
		want   doctor.Result
		parts  []string // of what it says
	}{
		"all is well":      {func(*fake, *doctor.Needs) {}, "names", doctor.OK, []string{"neither a stack s nor an application s-analytics"}},
		"no identity":      {func(f *fake, _ *doctor.Needs) { f.callerErr = refusal("ExpiredToken") }, "credentials", doctor.Fault, []string{"ExpiredToken", "sign in again"}},
		"no such region":   {func(f *fake, _ *doctor.Needs) { f.callerErr = noHost }, "credentials", doctor.Fault, []string{"AWS has no address for mars-1"}},
		"no service":       {func(f *fake, _ *doctor.Needs) { f.service = noHost }, "services", doctor.Fault, []string{"Thing is not in this region", "another region"}},
		"not subscribed":   {func(f *fake, _ *doctor.Needs) { f.service = refusal("SubscriptionRequiredException") }, "services", doctor.Fault, []string{"Thing: SubscriptionRequired"}},
		"may not ask":      {func(f *fake, _ *doctor.Needs) { f.service = refusal("AccessDeniedException") }, "services", doctor.OK, []string{"Thing answer in mars-1"}},
		"no answer":        {func(f *fake, _ *doctor.Needs) { f.service = context.DeadlineExceeded }, "services", doctor.Warning, []string{"Thing: no answer in time"}},
		"a stack of ours":  {func(f *fake, _ *doctor.Needs) { f.stack = stackOf("UPDATE_COMPLETE", "s-analytics") }, "names", doctor.OK, []string{"a deploy updates it"}},
		"another's stack":  {func(f *fake, _ *doctor.Needs) { f.stack = stackOf("UPDATE_COMPLETE", "else") }, "names", doctor.Fault, []string{"not one of streamproof's"}},
		"a failed stack":   {func(f *fake, _ *doctor.Needs) { f.stack = &cfntypes.Stack{StackStatus: "ROLLBACK_COMPLETE"} }, "names", doctor.Fault, []string{"sam delete"}},
		"a stack at work":  {func(f *fake, _ *doctor.Needs) { f.stack = stackOf("UPDATE_IN_PROGRESS", "s-analytics") }, "names", doctor.Warning, []string{"wait"}},
		"may not describe": {func(f *fake, _ *doctor.Needs) { f.stackErr = refusal("AccessDenied") }, "names", doctor.Warning, []string{"cannot be known", "cloudformation:DescribeStacks"}},
		"an application":   {func(f *fake, _ *doctor.Needs) { f.application = true }, "names", doctor.Fault, []string{"an application s-analytics, and no stack s"}},
		"concurrency":      {func(f *fake, _ *doctor.Needs) { f.concurrency = 2 }, "Lambda concurrency", doctor.Fault, []string{"takes 3 or more", "throttled"}},
		"with a transform": {func(f *fake, n *doctor.Needs) { f.concurrency, n.Transformed = 3, true }, "Lambda concurrency", doctor.Fault, []string{"takes 4 or more"}},
		"a new account":    {func(f *fake, _ *doctor.Needs) { f.concurrency = 10 }, "Lambda concurrency", doctor.Warning, []string{"share it"}},
		"shards": {func(f *fake, _ *doctor.Needs) { f.limits.OpenShardCount = aws.Int32(499) }, "Kinesis quota", doctor.Fault,
			[]string{"499 of 500 shards", "takes 2"}},
		"just enough shards": {func(f *fake, _ *doctor.Needs) { f.limits.OpenShardCount = aws.Int32(498) }, "Kinesis quota", doctor.OK, nil},
		"on-demand": {func(f *fake, n *doctor.Needs) { n.OnDemand, f.limits.OnDemandStreamCount = true, aws.Int32(50) }, "Kinesis quota", doctor.Fault,
			[]string{"50 of 50 on-demand streams"}},
		"may not see limits": {func(f *fake, _ *doctor.Needs) { f.limitsErr = refusal("AccessDeniedException") }, "Kinesis quota", doctor.Warning, []string{"kinesis:DescribeLimits"}},
		"applications":       {func(f *fake, _ *doctor.Needs) { f.applications = 100 }, "Managed Flink quota", doctor.Fault, []string{"100 of 100 applications"}},
		"more by Service Quotas": {func(f *fake, _ *doctor.Needs) {
			f.applications, f.quotas = 100, []quotatypes.ServiceQuota{quota("Applications", 200)}
		}, "Managed Flink quota", doctor.OK, []string{"100 of 200", "by Service Quotas"}},
		"processing units": {func(f *fake, n *doctor.Needs) {
			n.Parallelism, f.quotas = 32, []quotatypes.ServiceQuota{quota("Apache Flink KPUs", 32)}
		}, "Managed Flink quota", doctor.Fault,
			[]string{"takes 33 of 32 processing units"}},
		"no quotas":        {func(f *fake, _ *doctor.Needs) { f.quotasErr = refusal("AccessDeniedException") }, "Managed Flink quota", doctor.OK, []string{"as AWS documents", "AccessDenied"}},
		"a bucket":         {func(_ *fake, n *doctor.Needs) { n.ExistingBucket = "b" }, "bucket", doctor.OK, []string{"b is there"}},
		"no bucket":        {func(f *fake, n *doctor.Needs) { n.ExistingBucket, f.bucketErr = "b", answered(404) }, "bucket", doctor.Fault, []string{"there is no bucket b"}},
		"elsewhere":        {func(f *fake, n *doctor.Needs) { n.ExistingBucket, f.bucketErr = "b", answered(301) }, "bucket", doctor.Fault, []string{"another region"}},
		"a closed bucket":  {func(f *fake, n *doctor.Needs) { n.ExistingBucket, f.bucketErr = "b", answered(403) }, "bucket", doctor.Warning, []string{"cannot be known"}},
		"may do all":       {func(*fake, *doctor.Needs) {}, "permissions", doctor.OK, []string{"arn:aws:iam::123456789012:role/path/dev may do all"}},
		"root":             {func(f *fake, _ *doctor.Needs) { f.caller = "arn:aws:iam::123456789012:root" }, "permissions", doctor.Warning, []string{"may do everything"}},
		"a federated user": {func(f *fake, _ *doctor.Needs) { f.caller = "arn:aws:sts::123456789012:federated-user/x" }, "permissions", doctor.Warning, []string{"cannot be known", "federated-user"}},
		"may not simulate": {func(f *fake, _ *doctor.Needs) {
			f.policyErr, f.caller = refusal("AccessDenied"), "arn:aws:iam::123456789012:user/u"
		}, "permissions", doctor.Warning, []string{"iam:SimulatePrincipalPolicy"}},
		"lacks one": {func(f *fake, _ *doctor.Needs) {
			f.decide = func(action, resource string) iamtypes.EvaluationResult {
				if action == "kinesis:CreateStream" && strings.HasPrefix(resource, "arn:aws:kinesis:mars-1:123456789012:stream/s-") {
					return iamtypes.EvaluationResult{EvalDecision: iamtypes.PolicyEvaluationDecisionTypeImplicitDeny}
				}
				return allowed("", "")
			}
		}, "permissions", doctor.Fault, []string{"lacks kinesis:CreateStream", "service role"}},
		"under a condition": {func(f *fake, _ *doctor.Needs) {
			f.decide = func(action, _ string) iamtypes.EvaluationResult {
				if action == "iam:PassRole" {
					return iamtypes.EvaluationResult{EvalDecision: iamtypes.PolicyEvaluationDecisionTypeImplicitDeny, MissingContextValues: []string{"iam:PassedToService"}}
				}
				return allowed("", "")
			}
		}, "permissions", doctor.Warning, []string{"under conditions: iam:PassRole"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fake{
				caller: "arn:aws:sts::123456789012:assumed-role/dev/me", concurrency: 1000, decide: allowed,
				limits: kinesis.DescribeLimitsOutput{OpenShardCount: aws.Int32(0), ShardLimit: aws.Int32(500), OnDemandStreamCount: aws.Int32(0), OnDemandStreamCountLimit: aws.Int32(50)},
			}
			n := doctor.Needs{Stack: "s", Shards: 2, Parallelism: 1}
			test.change(f, &n)
			checks := doctor.Account{Region: "mars-1", Needs: n, Clients: doctor.Clients{
				Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""), STS: f, IAM: f, CloudFormation: f, Kinesis: f,
				Applications: f, Lambda: f, Quotas: f, S3: f,
				Services: map[string]func(context.Context) error{"Thing": func(context.Context) error { return f.service }},
			}}.Checks(t.Context())
			got := result(t, checks, test.check)
			if got.Result != test.want {
				t.Errorf("got %+v, want %s", got, test.want)
			}
			for _, part := range test.parts {
				if text := got.Found + "\n" + got.Means + "\n" + got.Do; !strings.Contains(text, part) {
					t.Errorf("got %q, want %q in it", text, part)
				}
			}
			if (got.Result == doctor.OK) != (got.Means == "") {
				t.Errorf("want what it means of all that is not well, got %+v", got)
			}
		})
	}
}

func TestNoCredentials(t *testing.T) {
	t.Parallel()
	none := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("no profile") })
	checks := doctor.Account{Region: "eu-west-1", Clients: doctor.Clients{Credentials: none}}.Checks(t.Context())
	if len(checks) != 1 || checks[0].Result != doctor.Fault || !strings.Contains(checks[0].Means, "no profile") {
		t.Errorf("got %+v, want that there are none, and nothing else", checks)
	}
}

func stacksOf(stack *cfntypes.Stack) []cfntypes.Stack {
	if stack == nil {
		return nil
	}
	return []cfntypes.Stack{*stack}
}

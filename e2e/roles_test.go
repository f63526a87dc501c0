//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"streamproof/internal/bucket"
	"streamproof/internal/deployer"
	"streamproof/internal/ledger"
	"streamproof/internal/local"
	"streamproof/internal/verifier"
)

// The template's roles.
const (
	producerRole  = "ProducerRole"
	scheduleRole  = "ScheduleRole"
	analyticsRole = "AnalyticsRole"
	deployerRole  = "DeployerRole"
	deliveryRole  = "DeliveryRole"
	rejectsRole   = "RejectsDeliveryRole"
	transformRole = "TransformRole"
	verifierRole  = "VerifierRole"
	inPartsRole   = "VerifyInPartsRole"
)

var everyRole = []string{producerRole, scheduleRole, analyticsRole, deployerRole, deliveryRole, rejectsRole, transformRole, verifierRole, inPartsRole}

// A call is an AWS call, with the roles that may make it; every other role is refused. An allowed call does no harm: it
// writes what exists on condition that it does not, or lacks something that AWS checks only after the permission.
type call struct {
	name    string
	allowed []string
	do      func(context.Context, aws.Config) error
	// real says that an allowed call would take effect. Then only the other roles make it; other tests show that the
	// allowed role can.
	real bool
}

// roles makes every call with every role: each role can make its own calls, and no others. This also shows that the
// emulator enforces IAM, without which the other tests would prove nothing about permissions.
func roles(t *testing.T, s *local.Stack) {
	calls := callsOf(t, s)
	defer func() { // it is empty, so no later verification could read it
		if _, err := s.S3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &s.Outputs.BucketName, Key: aws.String(ledger.UsedKey)}); err != nil {
			t.Error(err)
		}
	}()
	for _, role := range everyRole {
		t.Run(role, func(t *testing.T) {
			config := assume(t, s, role)
			for _, c := range calls {
				allowed := slices.Contains(c.allowed, role)
				if allowed && c.real {
					continue
				}
				err := c.do(t.Context(), config)
				var api smithy.APIError
				for range 4 { // an answer can be cut off: see docs/decisions/0006-faults-of-libraries.md
					if err == nil || errors.As(err, &api) {
						break
					}
					err = c.do(t.Context(), config)
				}
				denied := errors.As(err, &api) && (strings.Contains(api.ErrorCode(), "AccessDenied") || api.ErrorCode() == "AuthorizationError")
				switch {
				case err != nil && api == nil:
					t.Errorf("%s: the call could not be made: %v", c.name, err)
				case allowed && denied:
					t.Errorf("%s: refused, and should be allowed: %v", c.name, err)
				case !allowed && !denied:
					t.Errorf("%s: allowed, and should be refused (%v)", c.name, err)
				}
			}
			decided(t, s, role, resources(t, s, s.Name))
		})
	}
	for _, c := range calls {
		for _, role := range c.allowed {
			if !slices.Contains(everyRole, role) {
				t.Errorf("%s is allowed to %s, which is no role", c.name, role)
			}
		}
	}
}

// decided evaluates a role's policies for calls that the emulator does not check as AWS does: it lets everybody call
// Managed Flink, and checks a log stream's events against the log group.
func decided(t *testing.T, s *local.Stack, role string, id map[string]string) {
	t.Helper()
	application := "arn:aws:kinesisanalytics:" + s.Region + ":000000000000:application/"
	logGroup := "arn:aws:logs:" + s.Region + ":000000000000:log-group:"
	for _, question := range []struct {
		resource string
		allowed  string // role
		actions  []string
		refused  []string
	}{
		{application + s.Outputs.ApplicationName, deployerRole,
			[]string{"kinesisanalytics:DescribeApplication", "kinesisanalytics:ListApplicationOperations", "kinesisanalytics:ListApplicationSnapshots", "kinesisanalytics:StartApplication", "kinesisanalytics:StopApplication", "kinesisanalytics:UpdateApplication"},
			[]string{"kinesisanalytics:DeleteApplication", "kinesisanalytics:CreateApplicationPresignedUrl"}},
		{application + "of-somebody-else", "", nil, []string{"kinesisanalytics:DescribeApplication", "kinesisanalytics:StopApplication", "kinesisanalytics:UpdateApplication"}},
		{logGroup + id["ProducerLogs"] + ":log-stream:any", producerRole, []string{"logs:PutLogEvents", "logs:CreateLogStream"}, []string{"logs:DeleteLogStream"}},
		{logGroup + id["VerifierLogs"] + ":log-stream:any", verifierRole, []string{"logs:PutLogEvents", "logs:CreateLogStream"}, []string{"logs:DeleteLogStream"}},
		{logGroup + id["TransformLogs"] + ":log-stream:any", transformRole, []string{"logs:PutLogEvents", "logs:CreateLogStream"}, []string{"logs:DeleteLogStream"}},
		{logGroup + id["DeployerLogs"] + ":log-stream:any", deployerRole, []string{"logs:PutLogEvents", "logs:CreateLogStream"}, []string{"logs:DeleteLogStream"}},
		{logGroup + "of-somebody-else:log-stream:any", "", nil, []string{"logs:PutLogEvents", "logs:CreateLogStream"}},
	} {
		out, err := iam.NewFromConfig(s.AWS).SimulatePrincipalPolicy(t.Context(), &iam.SimulatePrincipalPolicyInput{
			PolicySourceArn: aws.String("arn:aws:iam::000000000000:role/" + id[role]),
			ResourceArns:    []string{question.resource},
			ActionNames:     slices.Concat(question.actions, question.refused),
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := len(out.EvaluationResults), len(question.actions)+len(question.refused); got != want {
			t.Errorf("%s: %d of %d decisions", question.resource, got, want)
		}
		for _, result := range out.EvaluationResults {
			want := role == question.allowed && slices.Contains(question.actions, *result.EvalActionName)
			if got := result.EvalDecision == iamtypes.PolicyEvaluationDecisionTypeAllowed; got != want {
				t.Errorf("%s on %s: allowed is %t, want %t", *result.EvalActionName, question.resource, got, want)
			}
		}
	}
}

// assume returns the credentials of a role. The role's trust policy names a service that acts for a resource, so the
// test takes the service's place.
func assume(t *testing.T, s *local.Stack, role string) aws.Config {
	t.Helper()
	name := physicalID(t, s, role)
	client := iam.NewFromConfig(s.AWS)
	got, err := client.GetRole(t.Context(), &iam.GetRoleInput{RoleName: &name})
	if err != nil {
		t.Fatal(err)
	}
	if role == scheduleRole || role == inPartsRole {
		trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`
		if _, err := client.UpdateAssumeRolePolicy(t.Context(), &iam.UpdateAssumeRolePolicyInput{RoleName: &name, PolicyDocument: &trust}); err != nil {
			t.Fatal(err)
		}
	}
	config := s.AWS.Copy()
	config.RetryMaxAttempts = 1
	config.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(s.AWS), *got.Role.Arn, func(o *stscreds.AssumeRoleOptions) {
		if strings.Contains(aws.ToString(got.Role.AssumeRolePolicyDocument), "ExternalId") {
			o.ExternalID = aws.String("000000000000")
		}
	}))
	if _, err := config.Credentials.Retrieve(t.Context()); err != nil {
		t.Fatalf("assume %s: %v", role, err)
	}
	return config
}

// oneUnder returns the key of an object under a prefix.
func oneUnder(t *testing.T, s *local.Stack, prefix string) string {
	t.Helper()
	objects, _, err := bucket.NewS3(s.S3, s.Outputs.BucketName).List(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) == 0 {
		t.Fatalf("no object is under %s", prefix)
	}
	return objects[0].Key
}

func callsOf(t *testing.T, s *local.Stack) (calls []call) {
	t.Helper()
	o := s.Outputs
	id := resources(t, s, s.Name)
	add := func(name string, do func(context.Context, aws.Config) error, allowed ...string) {
		calls = append(calls, call{name: name, do: do, allowed: allowed})
	}
	addReal := func(name string, do func(context.Context, aws.Config) error, allowed ...string) {
		calls = append(calls, call{name: name, do: do, allowed: allowed, real: true})
	}

	// The stream.
	add("kinesis:PutRecords", func(ctx context.Context, c aws.Config) error {
		_, err := kinesis.NewFromConfig(c).PutRecords(ctx, &kinesis.PutRecordsInput{
			StreamName: &o.StreamName, Records: []kinesistypes.PutRecordsRequestEntry{{Data: []byte("x"), PartitionKey: aws.String("x"), ExplicitHashKey: aws.String("none")}},
		})
		return err
	}, producerRole)
	add("kinesis:PutRecord", func(ctx context.Context, c aws.Config) error {
		_, err := kinesis.NewFromConfig(c).PutRecord(ctx, &kinesis.PutRecordInput{
			StreamName: &o.StreamName, Data: []byte("x"), PartitionKey: aws.String("x"), ExplicitHashKey: aws.String("none"),
		})
		return err
	})
	add("kinesis:ListShards", func(ctx context.Context, c aws.Config) error {
		_, err := kinesis.NewFromConfig(c).ListShards(ctx, &kinesis.ListShardsInput{StreamName: &o.StreamName})
		return err
	}, analyticsRole, verifierRole)
	add("kinesis:DescribeStreamSummary", func(ctx context.Context, c aws.Config) error {
		_, err := kinesis.NewFromConfig(c).DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &o.StreamName})
		return err
	}, analyticsRole, verifierRole)
	add("kinesis:GetShardIterator", func(ctx context.Context, c aws.Config) error {
		_, err := kinesis.NewFromConfig(c).GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
			StreamName: &o.StreamName, ShardId: aws.String("shardId-000000000000"), ShardIteratorType: kinesistypes.ShardIteratorTypeLatest,
		})
		return err
	}, analyticsRole, verifierRole)
	add("kinesis:GetRecords", func(ctx context.Context, c aws.Config) error {
		_, err := kinesis.NewFromConfig(c).GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: aws.String("none")})
		return err
	}, analyticsRole, verifierRole)
	addReal("kinesis:UpdateShardCount", func(ctx context.Context, c aws.Config) error {
		_, err := kinesis.NewFromConfig(c).UpdateShardCount(ctx, &kinesis.UpdateShardCountInput{
			StreamName: &o.StreamName, TargetShardCount: aws.Int32(1), ScalingType: kinesistypes.ScalingTypeUniformScaling,
		})
		return err
	})
	addReal("kinesis:DeleteStream", func(ctx context.Context, c aws.Config) error {
		_, err := kinesis.NewFromConfig(c).DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: &o.StreamName})
		return err
	})

	// The delivery streams.
	for _, logicalID := range []string{"Delivery", "RejectsDelivery"} {
		name := id[logicalID]
		add("firehose:PutRecordBatch "+logicalID, func(ctx context.Context, c aws.Config) error {
			_, err := awsfirehose.NewFromConfig(c).PutRecordBatch(ctx, &awsfirehose.PutRecordBatchInput{DeliveryStreamName: &name, Records: []firehosetypes.Record{}})
			return err
		}, analyticsRole)
		addReal("firehose:PutRecord "+logicalID, func(ctx context.Context, c aws.Config) error {
			_, err := awsfirehose.NewFromConfig(c).PutRecord(ctx, &awsfirehose.PutRecordInput{DeliveryStreamName: &name, Record: &firehosetypes.Record{Data: []byte("x")}})
			return err
		})
		addReal("firehose:DeleteDeliveryStream "+logicalID, func(ctx context.Context, c aws.Config) error {
			_, err := awsfirehose.NewFromConfig(c).DeleteDeliveryStream(ctx, &awsfirehose.DeleteDeliveryStreamInput{DeliveryStreamName: &name})
			return err
		})
	}

	// The bucket.
	row, tick, reject := oneUnder(t, s, o.DataPrefix), oneUnder(t, s, ledger.TicksPrefix), oneUnder(t, s, o.ErrorsPrefix)
	code, query := oneUnder(t, s, deployer.CodePrefix), oneUnder(t, s, "ledger/pipelines/")
	get := func(what, key string, allowed ...string) {
		add("s3:GetObject "+what, func(ctx context.Context, c aws.Config) error {
			out, err := s3.NewFromConfig(c).GetObject(ctx, &s3.GetObjectInput{Bucket: &o.BucketName, Key: &key})
			if err == nil {
				err = out.Body.Close()
			}
			return err
		}, allowed...)
	}
	get("of a row", row, deliveryRole, verifierRole)
	get("of a reject", reject, rejectsRole, verifierRole)
	get("of a tick", tick, producerRole, verifierRole)
	get("of a pipeline", query, producerRole, verifierRole)
	get("of what is current", ledger.CurrentKey, deployerRole, producerRole, verifierRole)
	get("of the JAR", code, analyticsRole)
	get("of a report", verifier.LatestReport, verifierRole)
	put := func(what, key string, allowed ...string) {
		add("s3:PutObject "+what, func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).PutObject(ctx, &s3.PutObjectInput{Bucket: &o.BucketName, Key: &key, Body: bytes.NewReader(nil), IfNoneMatch: aws.String("*")})
			return err
		}, allowed...)
	}
	put("of a row", row, deliveryRole)
	put("of a reject", reject, rejectsRole)
	put("of what failed", o.FailedPrefix+"2000/01/01/00/empty", deliveryRole)
	put("of what failed among the rejects", "errors/"+o.ErrorsPrefix+"empty", rejectsRole)
	put("of a tick", tick, producerRole)
	put("of a pipeline", query, producerRole, deployerRole)
	put("of the ledger's owner", ledger.StackKey, deployerRole)
	put("of what is current", ledger.CurrentKey, deployerRole)
	put("of the state", verifier.CheckpointKey, verifierRole)
	put("of what a part has counted", verifier.PartsPrefix+"none", verifierRole)
	put("of the archive", "ledger/archive.json.gz")
	put("of an acceptance", "ledger/acceptances/2000/01/01/none.json")
	put("of an acceptance's findings", ledger.FindingsPrefix+"none.json.gz")
	put("of what is used up", ledger.UsedKey, verifierRole)
	put("of a repair", ledger.RepairKey)
	put("of a closed repair", ledger.RepairsPrefix+"000001.json")
	put("of an original that a repair keeps", ledger.BackupsPrefix+"none")
	put("of what a repair stages", ledger.StagedPrefix+"none")
	put("of a report", verifier.LatestReport, verifierRole)
	put("of the JAR", code, deployerRole)
	put("elsewhere", "elsewhere/none")
	for what, key := range map[string]string{"of a row": row, "of a reject": reject, "of a tick": tick, "of a report": verifier.LatestReport} {
		addReal("s3:DeleteObject "+what, func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &o.BucketName, Key: &key})
			return err
		})
		addReal("s3:PutObjectTagging "+what, func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: &o.BucketName, Key: &key, Tagging: &s3types.Tagging{TagSet: []s3types.Tag{}}})
			return err
		})
	}
	list := func(what, prefix string, allowed ...string) {
		add("s3:ListBucket "+what, func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).ListObjectsV2(ctx, &s3.ListObjectsV2Input{
				Bucket: &o.BucketName, Prefix: &prefix, MaxKeys: aws.Int32(1), EncodingType: s3types.EncodingTypeUrl,
			})
			return err
		}, allowed...)
	}
	list("of the rows", o.DataPrefix, deliveryRole, deployerRole, rejectsRole, verifierRole)
	list("of the ledger", ledger.TicksPrefix, deliveryRole, deployerRole, rejectsRole, verifierRole)
	list("of the code", deployer.CodePrefix, deliveryRole, deployerRole, rejectsRole)
	addReal("s3:DeleteBucket", func(ctx context.Context, c aws.Config) error {
		_, err := s3.NewFromConfig(c).DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &o.BucketName})
		return err
	})
	addReal("s3:PutBucketVersioning", func(ctx context.Context, c aws.Config) error {
		_, err := s3.NewFromConfig(c).PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
			Bucket: &o.BucketName, VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusSuspended},
		})
		return err
	})

	// The functions.
	for logicalID, allowed := range map[string][]string{
		"ProducerFunction": {scheduleRole}, "VerifierFunction": {scheduleRole, inPartsRole}, "TransformFunction": {deliveryRole}, "DeployerFunction": nil,
	} {
		name := id[logicalID]
		add("lambda:InvokeFunction "+logicalID, func(ctx context.Context, c aws.Config) error {
			_, err := lambda.NewFromConfig(c).Invoke(ctx, &lambda.InvokeInput{FunctionName: &name, Payload: []byte(`"no event of it"`)})
			return err
		}, allowed...)
		addReal("lambda:UpdateFunctionConfiguration "+logicalID, func(ctx context.Context, c aws.Config) error {
			_, err := lambda.NewFromConfig(c).UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &name, Description: aws.String("mine")})
			return err
		})
	}

	addReal("states:StartExecution", func(ctx context.Context, c aws.Config) error {
		_, err := sfn.NewFromConfig(c).StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &o.VerifyInParts, Input: aws.String("{}")})
		return err
	}, inPartsRole)

	// Logs, queues, topic, schedules, and the stack itself.
	addReal("logs:CreateLogGroup", func(ctx context.Context, c aws.Config) error {
		_, err := cloudwatchlogs.NewFromConfig(c).CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("mine")})
		return err
	})
	for logicalID, allowed := range map[string][]string{"ScheduleFailures": {scheduleRole}, "FunctionFailures": {producerRole, verifierRole}} {
		queue := id[logicalID]
		add("sqs:SendMessage "+logicalID, func(ctx context.Context, c aws.Config) error {
			_, err := sqs.NewFromConfig(c).SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &queue, MessageBody: aws.String("")})
			return err
		}, allowed...)
		addReal("sqs:ReceiveMessage "+logicalID, func(ctx context.Context, c aws.Config) error {
			_, err := sqs.NewFromConfig(c).ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &queue})
			return err
		})
	}
	addReal("sns:Publish", func(ctx context.Context, c aws.Config) error {
		_, err := sns.NewFromConfig(c).Publish(ctx, &sns.PublishInput{TopicArn: aws.String(id["AlarmTopic"]), Message: aws.String("x")})
		return err
	})
	addReal("scheduler:GetSchedule", func(ctx context.Context, c aws.Config) error {
		_, err := scheduler.NewFromConfig(c).GetSchedule(ctx, &scheduler.GetScheduleInput{Name: &o.ProducerSchedule})
		return err
	})
	addReal("iam:PutRolePolicy", func(ctx context.Context, c aws.Config) error {
		_, err := iam.NewFromConfig(c).PutRolePolicy(ctx, &iam.PutRolePolicyInput{
			RoleName: aws.String(id[verifierRole]), PolicyName: aws.String("mine"), PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[]}`),
		})
		return err
	})
	addReal("sts:AssumeRole", func(ctx context.Context, c aws.Config) error {
		_, err := sts.NewFromConfig(c).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::000000000000:role/" + id[deployerRole]), RoleSessionName: aws.String("mine")})
		return err
	})
	addReal("cloudformation:DeleteStack", func(ctx context.Context, c aws.Config) error {
		_, err := cloudformation.NewFromConfig(c).DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &s.Name})
		return err
	})
	return calls
}

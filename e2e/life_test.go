//go:build e2e

package e2e_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	analyticstypes "github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/local"
	"streamproof/internal/local/runner"
	"streamproof/internal/local/sam"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/stack"
	"streamproof/internal/verifier"
)

// TestLife creates, updates and deletes a stack, with trips on their way all the time. The verdict over its complete
// life is PROVEN. Other stacks beside it are created, fail and are deleted.
func TestLife(t *testing.T) {
	inTurn(t, 270*time.Second)
	const quiet = "quiet"
	s := startWith(t, quiet)
	built := filepath.Join("..", ".aws-sam", "local")
	produce(t, s, time.Now(), 500)
	provenSoFar(t, s)

	t.Run("change sets", func(t *testing.T) { changeSets(t, s) })
	t.Run("deployed twice", func(t *testing.T) { deployedTwice(t, s, quiet) })
	t.Run("new JAR", func(t *testing.T) {
		before := job(t, s)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			produce(t, s, time.Now(), 1000) // over five seconds
		}()
		other := copied(t, built)
		// Java ignores bytes after a JAR's last entry, but they make it another JAR.
		appendTo(t, filepath.Join(other, "DeployerFunction", "streamproof-analytics.jar"), "\n")
		deploy(t, s, other, s.Name, quiet)
		await(t, "the job runs from the new JAR", func() bool { now := job(t, s); return now.State == runner.Running && now.Version > before.Version })
		if job(t, s).RestoredFrom == "" {
			t.Error("the job was started without its savepoint")
		}
		<-sent
		provenSoFar(t, s)
	})
	updated := func(name, set string) {
		t.Run(name, func(t *testing.T) {
			produce(t, s, time.Now(), 500) // in Firehose's buffer when the update begins
			update(t, s, set)
			provenSoFar(t, s)
			produce(t, s, time.Now(), 300)
			provenSoFar(t, s)
		})
	}
	updated("transform on, another format, compressed, keyed as in the exercise", "quiet, every format changed")
	t.Run("one shard stays empty", func(t *testing.T) {
		answer, raw, err := s.Produce(t.Context(), time.Now(), 100, 0)
		if err != nil {
			t.Fatal(err)
		}
		if shard := answer.Shards["shardId-000000000001"]; len(answer.Shards) != 1 || shard.Records != 100 {
			t.Errorf("all four keys hash into the second shard, and got %s", raw)
		}
	})
	updated("transform off, logs on, wider", "quiet, logs, wider")

	t.Run("an update that fails", func(t *testing.T) {
		before := job(t, s)
		err := tryDeploy(t, s, without(t, built, "streamproof-analytics.jar"), s.Name, quiet)
		if err == nil {
			t.Fatal("a deployer without a JAR was deployed")
		}
		if state := stateOf(t, s, s.Name); state != "UPDATE_ROLLBACK_COMPLETE" {
			t.Errorf("the stack is %s", state)
		}
		produce(t, s, time.Now(), 300)
		provenSoFar(t, s)
		if now := job(t, s); now.State != runner.Running || now.Failures != before.Failures {
			t.Errorf("the job is %+v after the roll back", now)
		}
	})
	t.Run("a first deploy that fails", func(t *testing.T) {
		if err := tryDeploy(t, s, without(t, built, "streamproof-analytics.jar"), "never", quiet); err == nil {
			t.Fatal("a deployer without a JAR was deployed")
		}
		if left := named(t, s, "never"); len(left) > 0 {
			t.Errorf("left of a stack that never was: %s", left)
		}
	})
	t.Run("side by side", func(t *testing.T) { sideBySide(t, s, built) })
	t.Run("as in production", func(t *testing.T) { asInProduction(t, s, built) })
	t.Run("in a bucket of one's own", func(t *testing.T) { inExistingBucket(t, s, built) })

	r := provenSoFar(t, s)
	t.Run("deleted", func(t *testing.T) {
		if err := samOf(s, built, s.Name, nil).Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
		await(t, "the job stops", func() bool { return job(t, s).State == runner.Stopped })
		if left := named(t, s, s.Name); !slices.Equal(left, []string{"bucket " + s.Outputs.BucketName}) {
			t.Errorf("want the bucket left and nothing else, got %s", left)
		}
		after := verifier.Judge(t.Context(), bucket.NewS3(s.S3, s.Outputs.BucketName), verifier.Options{
			DataPrefix: s.Outputs.DataPrefix, ErrorsPrefix: s.Outputs.ErrorsPrefix, DeliveryDeadline: s.Outputs.DeliveryDeadline,
		})
		t.Log(after.LastLine())
		if after.Verdict != proof.Proven || after.Counts.Owed != r.Counts.Owed || !after.Counts.AllFound() {
			t.Errorf("got %s %v, and before it was deleted %s", after.LastLine(), after.Reasons, r.LastLine())
		}
	})
}

// changeSets asks CloudFormation what it would do: it must refuse what makes no sense, and replace nothing that holds
// records.
func changeSets(t *testing.T, s *local.Stack) {
	client := cloudformation.NewFromConfig(s.AWS)
	described, err := client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &s.Name})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(name string, change map[string]string) (*cloudformation.DescribeChangeSetOutput, error) {
		var parameters []cfntypes.Parameter
		for _, p := range described.Stacks[0].Parameters {
			if value, ok := change[*p.ParameterKey]; ok {
				parameters = append(parameters, cfntypes.Parameter{ParameterKey: p.ParameterKey, ParameterValue: &value})
			} else {
				parameters = append(parameters, cfntypes.Parameter{ParameterKey: p.ParameterKey, UsePreviousValue: aws.Bool(true)})
			}
		}
		_, err := client.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
			StackName: &s.Name, ChangeSetName: &name, UsePreviousTemplate: aws.Bool(true), Parameters: parameters,
			Capabilities: []cfntypes.Capability{cfntypes.CapabilityCapabilityIam},
		})
		if err != nil {
			return nil, err
		}
		set := &cloudformation.DescribeChangeSetInput{StackName: &s.Name, ChangeSetName: &name}
		if err := cloudformation.NewChangeSetCreateCompleteWaiter(client).Wait(t.Context(), set, time.Minute); err != nil {
			return nil, err
		}
		return client.DescribeChangeSet(t.Context(), set)
	}
	for want, change := range map[string]map[string]string{
		"DataOnDelete must be retain":           {"ExistingBucket": "a-bucket-of-mine", "DataOnDelete": "delete"},
		"ExpireAfterDays must be 0 with":        {"ExistingBucket": "a-bucket-of-mine", "ExpireAfterDays": "30"},
		"ExpireAfterDays must be 0 or at":       {"ExpireAfterDays": "1"},
		"requires SnapshotState ENABLED":        {"AutoScalingState": "ENABLED", "SnapshotState": "DISABLED"},
		"at most 100 with a Transform":          {"Transform": "JSON", "PackKiB": "1000"},
		"must be folders":                       {"Prefix": "ledger/x/"},
		"must be a rate of up to":               {"VerifySchedule": "rate(1 minutes)"},
		"must be the ARN of a key":              {"KmsKeyArn": "alias/mine"},
		"AllowedValues":                         {"Parallelism": "3"},
		"must be an e-mail address":             {"AlarmEmail": "nobody"},
		"must be 1 to 200 shards":               {"ShardCount": "201"},
		"must be the name of a general purpose": {"ExistingBucket": "my.-bucket"},
	} {
		if _, err := ask("refused", change); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got error %v, want one with %q", change, err, want)
		}
	}
	for name, change := range map[string]map[string]string{
		"shards": {"ShardCount": "4"}, "on-demand": {"StreamMode": "ON_DEMAND"}, "retention": {"RetentionHours": "48"},
		"buffering": {"BufferSizeMB": "64", "Compression": "GZIP", "Transform": "CSV"}, "wider": {"Parallelism": "4"},
	} {
		set, err := ask(name, change)
		if err != nil {
			t.Errorf("%v: %v", change, err)
			continue
		}
		for _, c := range set.Changes {
			id, holds := aws.ToString(c.ResourceChange.LogicalResourceId), []string{"Bucket", "Stream", "Analytics", "Delivery", "RejectsDelivery"}
			if slices.Contains(holds, id) && (c.ResourceChange.Action != cfntypes.ChangeActionModify || c.ResourceChange.Replacement == cfntypes.ReplacementTrue) {
				t.Errorf("%v would %s %s, replacement %s", change, c.ResourceChange.Action, id, c.ResourceChange.Replacement)
			}
		}
		if len(set.Changes) == 0 {
			t.Errorf("%v would change nothing", change)
		}
	}
}

// deployedTwice deploys the same again: nothing changes.
func deployedTwice(t *testing.T, s *local.Stack, set string) {
	changed := func() time.Time {
		got, err := cloudformation.NewFromConfig(s.AWS).DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &s.Name})
		if err != nil {
			t.Fatal(err)
		}
		return aws.ToTime(got.Stacks[0].LastUpdatedTime)
	}
	wasChanged, was := changed(), job(t, s)
	update(t, s, set)
	if now := changed(); !now.Equal(wasChanged) {
		t.Errorf("the stack was changed at %s", now)
	}
	if now := job(t, s); now.Starts != was.Starts || now.Version != was.Version {
		t.Errorf("the job was %+v and is %+v", was, now)
	}
}

// sideBySide deploys a second stack, and a third one into the first one's bucket: none touches the first.
func sideBySide(t *testing.T, s *local.Stack, built string) {
	before := provenSoFar(t, s)
	deploy(t, s, built, "beside", "quiet, deleted with the stack")
	for _, kind := range []string{"bucket", "function", "stream", "delivery stream", "application", "schedule", "role", "log group", "queue", "topic", "alarm", "dashboard"} {
		if there := named(t, s, "beside"); !slices.ContainsFunc(there, func(name string) bool { return strings.HasPrefix(name, kind+" ") }) {
			t.Errorf("no %s of the stack is seen, so one that was left would not be: %s", kind, there)
		}
	}
	mine, other := resources(t, s, s.Name), resources(t, s, "beside")
	delete(mine, "AnalyticsCode")    // a key, in a bucket of its own
	delete(mine, "AnalyticsLogging") // a number, of an application of its own
	for id, name := range other {
		if mine[id] == name {
			t.Errorf("both stacks have %s %s", id, name)
		}
	}
	function := other["ProducerFunction"]
	out, err := lambda.NewFromConfig(s.AWS).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &function, Payload: []byte(`{"records": 100}`)})
	if err != nil || out.FunctionError != nil {
		t.Fatal(err, string(out.Payload))
	}
	if after := provenSoFar(t, s); after.Counts != before.Counts {
		t.Errorf("the stack beside it has produced, and the first one's verdict went from %s to %s", before.LastLine(), after.LastLine())
	}

	thief := parameters(t, "quiet, existing bucket")
	thief["ExistingBucket"] = s.Outputs.BucketName
	if err := samOf(s, built, "thief", thief).Deploy(t.Context()); err == nil {
		t.Error("a stack was deployed into another one's bucket")
	} else if why := stack.Failure(t.Context(), s.AWS, "thief"); !strings.Contains(why, s.Name) || !strings.Contains(why, "thief") {
		t.Errorf("the error does not name both stacks: %s", why)
	}
	if left := named(t, s, "thief"); len(left) > 0 {
		t.Errorf("left of the stack that was refused: %s", left)
	}

	end := deleteStack(t, s, built, "beside")
	if left := named(t, s, "beside"); len(left) > 0 {
		t.Errorf("left of a stack that was deleted with its data: %s", left)
	}
	if after := provenSoFar(t, s); after.Counts != before.Counts {
		t.Errorf("the stack beside it was deleted, and the first one's verdict went from %s to %s", before.LastLine(), after.LastLine())
	}
	end()
}

// asInProduction deploys a stack with samconfig.toml's production parameters and a key. Its roles have the permissions
// that these parameters need and no more, and its functions work. The emulator leaves out a bucket's encryption and
// lifecycle, and a stream's encryption: see internal/local/sam/template_test.go.
func asInProduction(t *testing.T, s *local.Stack, built string) {
	const set = "production with a key"
	want := parameters(t, set)
	if len(want) < 10 || want["StreamMode"] != "ON_DEMAND" || want["ExpireAfterDays"] == "" {
		t.Fatalf("production is %v", want)
	}
	deploy(t, s, built, "production", set)
	id, ctx := resources(t, s, "production"), t.Context()

	stream := id["Stream"]
	described, err := kinesis.NewFromConfig(s.AWS).DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &stream})
	if err != nil {
		t.Fatal(err)
	}
	if d := described.StreamDescriptionSummary; d.StreamModeDetails.StreamMode != kinesistypes.StreamModeOnDemand || aws.ToInt32(d.RetentionPeriodHours) != 72 {
		t.Errorf("the stream is %+v", d)
	}
	subscribed, err := sns.NewFromConfig(s.AWS).ListSubscriptionsByTopic(ctx, &sns.ListSubscriptionsByTopicInput{TopicArn: aws.String(id["AlarmTopic"])})
	if err != nil {
		t.Fatal(err)
	}
	if all := subscribed.Subscriptions; len(all) != 1 || aws.ToString(all[0].Endpoint) != want["AlarmEmail"] {
		t.Errorf("the alarms are sent to %+v", all)
	}
	// Permissions that a role has only with these parameters, and those on the key, which work only through Kinesis and
	// S3.
	name := id["Bucket"]
	object, logGroup := "arn:aws:s3:::"+name+"/", "arn:aws:logs:"+s.Region+":000000000000:log-group:"
	for _, question := range []struct{ action, resource, allowed string }{
		{"s3:PutObjectTagging", object + want["Prefix"] + "2026/11/28/00/rows", verifierRole},
		{"s3:PutObjectTagging", object + ledger.TicksPrefix + "any", verifierRole},
		{"s3:PutObjectTagging", object + verifier.CheckpointKey, ""},
		{"s3:PutObject", object + verifier.ArchiveKey, verifierRole},
		{"s3:DeleteObject", object + ledger.TicksPrefix + "any", deployerRole},
		{"s3:DeleteBucket", "arn:aws:s3:::" + name, deployerRole},
		{"logs:PutLogEvents", logGroup + id["AnalyticsLogs"] + ":log-stream:" + id["AnalyticsLogStream"], analyticsRole},
		{"logs:PutLogEvents", logGroup + id["DeliveryLogs"] + ":log-stream:" + id["DeliveryLogStream"], deliveryRole},
		{"logs:PutLogEvents", logGroup + id["DeliveryLogs"] + ":log-stream:" + id["RejectsDeliveryLogStream"], rejectsRole},
		{"kms:Decrypt", want["KmsKeyArn"], ""},
		{"kms:CreateGrant", want["KmsKeyArn"], ""},
	} {
		for _, role := range everyRole {
			out, err := iam.NewFromConfig(s.AWS).SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{
				PolicySourceArn: aws.String("arn:aws:iam::000000000000:role/" + id[role]),
				ActionNames:     []string{question.action}, ResourceArns: []string{question.resource},
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := out.EvaluationResults[0].EvalDecision == iamtypes.PolicyEvaluationDecisionTypeAllowed, role == question.allowed; got != want {
				t.Errorf("%s: %s on %s is allowed: %t, want %t", role, question.action, question.resource, got, want)
			}
		}
	}

	other, err := stack.Open(ctx, s.AWS, "production")
	if err != nil {
		t.Fatal(err)
	}
	produceInto(t, other)
	if _, raw, err := other.Verify(ctx); err != nil {
		t.Errorf("the verifier: %v: %s", err, raw)
	}
	end := deleteStack(t, s, built, "production")
	if left := named(t, s, "production"); len(left) > 0 {
		t.Errorf("left of a stack that was deleted with its data: %s", left)
	}
	end()
}

// inExistingBucket deploys a stack into an existing bucket, and deletes it. Other objects stay as they are, and so do
// the rows and the ledger.
func inExistingBucket(t *testing.T, s *local.Stack, built string) {
	ctx, name := t.Context(), parameters(t, "quiet, existing bucket")["ExistingBucket"]
	if _, err := s.S3.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket: &name, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(s.Region)},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: &name, Key: aws.String("mine/photo"), Body: strings.NewReader("x")}); err != nil {
		t.Fatal(err)
	}
	deploy(t, s, built, "guest", "quiet, existing bucket")
	if id := resources(t, s, "guest"); id["Bucket"] != "" || id["BucketPolicy"] != "" || id["DataBucket"] != name {
		t.Errorf("the stack has made a bucket or a policy beside the one that it was given: %v", id)
	}
	guest, err := stack.Open(ctx, s.AWS, "guest")
	if err != nil {
		t.Fatal(err)
	}
	produceInto(t, guest)
	end := deleteStack(t, s, built, "guest")
	if left := named(t, s, "guest"); len(left) > 0 {
		t.Errorf("left of a stack that was a guest in a bucket: %s", left)
	}
	objects, _, err := bucket.NewS3(s.S3, name).List(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	tops := map[string]int{}
	for _, object := range objects {
		top, _, _ := strings.Cut(object.Key, "/")
		tops[top]++
	}
	if tops["mine"] != 1 || tops["ledger"] < 3 || tops["code"] != 0 { // the owner, the pipeline and the tick
		t.Errorf("left in the bucket by folder: %v", tops)
	}
	end()
}

// produceInto sends a tick on a stack that has no local job.
func produceInto(t *testing.T, s *stack.Stack) {
	t.Helper()
	if answer, raw, err := s.Produce(t.Context(), time.Now(), 100, 0); err != nil || answer.Acknowledged != 100 {
		t.Errorf("the producer of %s: %v: %s", s.Name, err, raw)
	}
}

func provenSoFar(t *testing.T, s *local.Stack) *report.Report {
	t.Helper()
	r := settle(t, s)
	t.Log(r.LastLine())
	if r.Verdict != proof.Proven || !r.Counts.AllFound() {
		t.Errorf("got %s %v", r.LastLine(), r.Reasons)
	}
	return r
}

// samOf deploys a directory as a user would.
func samOf(s *local.Stack, built, name string, parameters map[string]string) sam.Config {
	return sam.Config{
		Program: absolute("..", ".venv", "bin", "sam"), Root: absolute(".."), BuildDir: absolute(built), LogFile: filepath.Join(s.StateDir(), "life.log"),
		Stack: name, Region: s.Region, Endpoint: s.Endpoint(), Parameters: parameters,
	}
}

// deleteStack deletes a stack as a user would, and returns when it is gone. SAM sees that up to 30 seconds later, and
// has to succeed: end, the last call of a subtest, waits for it while the next subtest runs.
func deleteStack(t *testing.T, s *local.Stack, built, name string) (end func()) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- samOf(s, built, name, nil).Delete(t.Context()) }()
	gone := cloudformation.NewStackDeleteCompleteWaiter(cloudformation.NewFromConfig(s.AWS), func(o *cloudformation.StackDeleteCompleteWaiterOptions) {
		o.MinDelay, o.MaxDelay = 200*time.Millisecond, time.Second
	})
	if err := gone.Wait(t.Context(), &cloudformation.DescribeStacksInput{StackName: &name}, 4*time.Minute); err != nil {
		t.Fatalf("delete the stack %s: %v", name, err)
	}
	return func() {
		t.Helper()
		t.Parallel()
		if err := <-ended; err != nil {
			t.Errorf("delete the stack %s: %v", name, err)
		}
	}
}

func absolute(elements ...string) string {
	path, err := filepath.Abs(filepath.Join(elements...))
	if err != nil {
		panic(err)
	}
	return path
}

// tryDeploy deploys a stack with a set of lint/parameters.yaml.
func tryDeploy(t *testing.T, s *local.Stack, built, name, set string) error {
	t.Helper()
	if err := samOf(s, built, name, parameters(t, set)).Deploy(t.Context()); err != nil {
		return fmt.Errorf("%w: %s", err, stack.Failure(t.Context(), s.AWS, name))
	}
	return nil
}

func deploy(t *testing.T, s *local.Stack, built, name, set string) {
	t.Helper()
	if err := tryDeploy(t, s, built, name, set); err != nil {
		log, _ := os.ReadFile(samOf(s, built, name, nil).LogFile)
		t.Fatalf("%v\n%s", err, log[max(0, len(log)-5000):])
	}
}

// copied copies what was built, and leaves one file out, as if the build were incomplete.
func copied(t *testing.T, built string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(built)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func without(t *testing.T, built, file string) string {
	t.Helper()
	dir := copied(t, built)
	if err := os.Remove(filepath.Join(dir, "DeployerFunction", file)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteString(text)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func stateOf(t *testing.T, s *local.Stack, name string) string {
	t.Helper()
	got, err := cloudformation.NewFromConfig(s.AWS).DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return string(got.Stacks[0].StackStatus)
}

// resources maps a stack's logical ids to its physical ones.
func resources(t *testing.T, s *local.Stack, name string) map[string]string {
	t.Helper()
	got, err := cloudformation.NewFromConfig(s.AWS).DescribeStackResources(t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: &name})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, r := range got.StackResources {
		all[aws.ToString(r.LogicalResourceId)] = aws.ToString(r.PhysicalResourceId)
	}
	return all
}

// named lists the account's resources with a stack's name: everything that runs or costs money.
func named(t *testing.T, s *local.Stack, name string) (found []string) {
	t.Helper()
	ctx, c := t.Context(), s.AWS
	list := func(kind string, names func(context.Context) ([]string, error)) {
		t.Helper()
		all, err := names(ctx)
		if err != nil {
			t.Fatalf("list %ss: %v", kind, err)
		}
		for _, n := range all {
			if regexp.MustCompile(`\b` + name + `[-_/]`).MatchString(n) {
				found = append(found, kind+" "+n)
			}
		}
	}
	list("bucket", func(ctx context.Context) (names []string, err error) {
		out, err := s3.NewFromConfig(c).ListBuckets(ctx, &s3.ListBucketsInput{})
		if err != nil {
			return nil, err
		}
		for _, b := range out.Buckets {
			names = append(names, *b.Name)
		}
		return names, nil
	})
	list("function", func(ctx context.Context) (names []string, err error) {
		out, err := lambda.NewFromConfig(c).ListFunctions(ctx, &lambda.ListFunctionsInput{})
		if err != nil {
			return nil, err
		}
		for _, f := range out.Functions {
			names = append(names, *f.FunctionName)
		}
		return names, nil
	})
	list("stream", func(ctx context.Context) ([]string, error) {
		out, err := kinesis.NewFromConfig(c).ListStreams(ctx, &kinesis.ListStreamsInput{})
		if err != nil {
			return nil, err
		}
		return out.StreamNames, nil
	})
	list("delivery stream", func(ctx context.Context) ([]string, error) {
		out, err := firehose.NewFromConfig(c).ListDeliveryStreams(ctx, &firehose.ListDeliveryStreamsInput{Limit: aws.Int32(100)})
		if err != nil {
			return nil, err
		}
		return out.DeliveryStreamNames, nil
	})
	list("application", func(ctx context.Context) ([]string, error) {
		// By its name, since the emulator lists none.
		application := name + "-analytics"
		_, err := kinesisanalyticsv2.NewFromConfig(c).DescribeApplication(ctx, &kinesisanalyticsv2.DescribeApplicationInput{ApplicationName: &application})
		var none *analyticstypes.ResourceNotFoundException
		if errors.As(err, &none) {
			return nil, nil
		}
		return []string{application}, err
	})
	list("schedule", func(ctx context.Context) (names []string, err error) {
		out, err := scheduler.NewFromConfig(c).ListSchedules(ctx, &scheduler.ListSchedulesInput{})
		if err != nil {
			return nil, err
		}
		for _, s := range out.Schedules {
			names = append(names, *s.Name)
		}
		return names, nil
	})
	list("role", func(ctx context.Context) (names []string, err error) {
		out, err := iam.NewFromConfig(c).ListRoles(ctx, &iam.ListRolesInput{})
		if err != nil {
			return nil, err
		}
		for _, r := range out.Roles {
			names = append(names, *r.RoleName)
		}
		return names, nil
	})
	list("log group", func(ctx context.Context) (names []string, err error) {
		out, err := cloudwatchlogs.NewFromConfig(c).DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{})
		if err != nil {
			return nil, err
		}
		for _, g := range out.LogGroups {
			names = append(names, *g.LogGroupName)
		}
		return names, nil
	})
	list("queue", func(ctx context.Context) ([]string, error) {
		out, err := sqs.NewFromConfig(c).ListQueues(ctx, &sqs.ListQueuesInput{})
		if err != nil {
			return nil, err
		}
		return out.QueueUrls, nil
	})
	list("topic", func(ctx context.Context) (names []string, err error) {
		out, err := sns.NewFromConfig(c).ListTopics(ctx, &sns.ListTopicsInput{})
		if err != nil {
			return nil, err
		}
		for _, topic := range out.Topics {
			names = append(names, *topic.TopicArn)
		}
		return names, nil
	})
	list("alarm", func(ctx context.Context) ([]string, error) { return cloudWatch(ctx, s, "DescribeAlarms", "AlarmName") })
	list("dashboard", func(ctx context.Context) ([]string, error) {
		return cloudWatch(ctx, s, "ListDashboards", "DashboardName")
	})
	return found
}

// cloudWatch makes a call by the query protocol, and returns the texts of one element of the answer. The emulator does
// not support the protocol that the SDK uses for CloudWatch.
func cloudWatch(ctx context.Context, s *local.Stack, action, element string) (texts []string, err error) {
	body := url.Values{"Action": {action}, "Version": {"2010-08-01"}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Endpoint()+"/", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	credentials, err := s.AWS.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), "monitoring", s.Region, time.Now()); err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, errors.Join(err, fmt.Errorf("%s: %s: %s", action, response.Status, answer))
	}
	for _, found := range regexp.MustCompile("<"+element+">([^<]*)<").FindAllSubmatch(answer, -1) {
		texts = append(texts, string(found[1]))
	}
	return texts, nil
}

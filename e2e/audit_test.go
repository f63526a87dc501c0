//go:build e2e

package e2e_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"streamproof/internal/bucket"
	"streamproof/internal/explain"
	"streamproof/internal/local"
	"streamproof/internal/local/emulator"
	standin "streamproof/internal/local/firehose"
	operating "streamproof/internal/operate" // operate is a function of these tests
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// TestAudit audits pipelines without Streamproof: a Python producer with a Python consumer, and a delivery stream that
// reads a Kinesis stream.
func TestAudit(t *testing.T) {
	t.Parallel()
	f := startForeign(t)
	for name, audited := range map[string]func(*foreign, *testing.T){
		"a delivery stream that reads a stream":      func(f *foreign, t *testing.T) { f.deliveryStream(t, "lines") },
		"glued JSON":                                 func(f *foreign, t *testing.T) { f.deliveryStream(t, "glued") },
		"aggregates of the Kinesis Producer Library": func(f *foreign, t *testing.T) { f.deliveryStream(t, "kpl") },
		"a function that is asked":                   (*foreign).transformed,
		"enhanced fan-out":                           (*foreign).fanOut,
		"a consumer that drops and doubles":          (*foreign).consumer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			audited(f.withBucket(t, strings.ReplaceAll(strings.ToLower(name), " ", "-")), t)
		})
	}
}

const foreignRecords = 5000

// A foreign is an emulator with delivery streams and a bucket, and without a stack of Streamproof.
type foreign struct {
	root   aws.Config
	bucket string
}

func startForeign(t *testing.T) *foreign {
	dir := t.TempDir()
	e, err := emulator.Start(t.Context(), emulator.Config{
		Program: absolute("../.venv/bin/ministack"), Dir: dir, PIDFile: filepath.Join(dir, "pid"), LogFile: filepath.Join(dir, "log"),
		Region: "eu-west-1", Tied: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.End(context.Background()) })
	f := &foreign{root: aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(emulator.Endpoint(e.Port)),
		Credentials: credentials.NewStaticCredentialsProvider(emulator.AccessKeyID, emulator.SecretAccessKey, ""),
	}}
	server, err := standin.Start(standin.Config{AWS: f.root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close(context.Background()) })
	return f.withBucket(t, "lake")
}

// withBucket makes another bucket in the same emulator.
func (f *foreign) withBucket(t *testing.T, name string) *foreign {
	t.Helper()
	if _, err := f.s3().CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:                    &name,
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraintEuWest1},
	}); err != nil {
		t.Fatal(err)
	}
	return &foreign{root: f.root, bucket: name}
}

func (f *foreign) s3() *s3.Client {
	return s3.NewFromConfig(f.root, func(o *s3.Options) { o.UsePathStyle = true })
}

// stream makes a stream of two shards.
func (f *foreign) stream(t *testing.T, name string) (arn string) {
	t.Helper()
	client := kinesis.NewFromConfig(f.root)
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	in := &kinesis.DescribeStreamInput{StreamName: &name}
	out, err := kinesis.NewStreamExistsWaiter(client, func(o *kinesis.StreamExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 100*time.Millisecond, time.Second
	}).WaitForOutput(t.Context(), in, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return *out.StreamDescription.StreamARN
}

// environment returns the variables that point any AWS program at the emulator.
func (f *foreign) environment() []string {
	return append(os.Environ(), "AWS_ENDPOINT_URL="+*f.root.BaseEndpoint, "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1",
		"AWS_ACCESS_KEY_ID="+emulator.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+emulator.SecretAccessKey)
}

func (f *foreign) python(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), absolute("../.venv/bin/python"), append([]string{"testdata/foreign.py"}, args...)...)
	cmd.Env, cmd.Stderr = f.environment(), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("foreign.py %s: %v", args, err)
	}
	return out
}

// audit runs the command as a user of AWS would.
func (f *foreign) audit(t *testing.T, args ...string) *report.Report {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), absolute("../bin/streamproof"), append([]string{"audit", "--json", "--from", "-10m"}, args...)...)
	var stderr bytes.Buffer
	cmd.Env, cmd.Stderr = f.environment(), &stderr
	out, err := cmd.Output()
	var r report.Report
	if json.Unmarshal(out, &r) != nil {
		t.Fatalf("audit %s: %v\n%s", args, err, stderr.String())
	}
	if got, want := cmd.ProcessState.ExitCode(), r.ExitStatus(); got != want {
		t.Errorf("audit %s: exit status %d of %s, want %d", args, got, r.Verdict, want)
	}
	return &r
}

// create makes a stream, a prefix and the delivery stream between them, all with the same name.
func (f *foreign) create(t *testing.T, name string, processing *types.ProcessingConfiguration) {
	t.Helper()
	source := f.stream(t, name)
	role := f.role(t, name, "firehose")
	if _, err := firehose.NewFromConfig(f.root).CreateDeliveryStream(t.Context(), &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: aws.String(name + "-to-s3"), DeliveryStreamType: types.DeliveryStreamTypeKinesisStreamAsSource,
		KinesisStreamSourceConfiguration: &types.KinesisStreamSourceConfiguration{KinesisStreamARN: &source, RoleARN: &role},
		ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			BucketARN: aws.String("arn:aws:s3:::" + f.bucket), RoleARN: &role, Prefix: aws.String(name + "/"), CompressionFormat: types.CompressionFormatGzip,
			ErrorOutputPrefix: aws.String("errors/" + name + "/!{firehose:error-output-type}/"),
			BufferingHints:    &types.BufferingHints{SizeInMBs: aws.Int32(1), IntervalInSeconds: aws.Int32(1)}, ProcessingConfiguration: processing,
		},
	}); err != nil {
		t.Fatal(err)
	}
}

// role makes a role that a service may assume, with a pipeline's permissions.
func (f *foreign) role(t *testing.T, name, service string) (arn string) {
	t.Helper()
	roles := iam.NewFromConfig(f.root)
	role, err := roles.CreateRole(t.Context(), &iam.CreateRoleInput{
		RoleName: &name,
		AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service +
			`.amazonaws.com"},"Action":"sts:AssumeRole"}]}`),
	})
	if err == nil {
		_, err = roles.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{
			RoleName: &name, PolicyName: aws.String("all"),
			PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kinesis:*","s3:*","lambda:*"],"Resource":"*"}]}`),
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return *role.Role.Arn
}

// transformer drops every tenth order, fails the one after it, and doubles the amount of all others.
const transformer = `
import base64, json

def handler(event, context):
    out = []
    for r in event["records"]:
        row = json.loads(base64.b64decode(r["data"]))
        result = {0: "Dropped", 1: "ProcessingFailed"}.get(row["order"] % 10, "Ok")
        row["amount"] *= 2
        data = base64.b64encode((json.dumps(row) + "\n").encode()).decode()
        out.append({"recordId": r["recordId"], "result": result, "data": data})
    return {"records": out}
`

// transformed audits a delivery stream by what its function answers, then loses an object.
func (f *foreign) transformed(t *testing.T) {
	var code bytes.Buffer
	files := zip.NewWriter(&code)
	file, err := files.Create("index.py")
	if err == nil {
		_, err = file.Write([]byte(transformer))
	}
	if err = errors.Join(err, files.Close()); err != nil {
		t.Fatal(err)
	}
	function, err := lambda.NewFromConfig(f.root).CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("doubles"), Runtime: lambdatypes.RuntimePython312, Handler: aws.String("index.handler"), Timeout: aws.Int32(60),
		Role: aws.String(f.role(t, "function", "lambda")), Code: &lambdatypes.FunctionCode{ZipFile: code.Bytes()},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.create(t, "transformed", &types.ProcessingConfiguration{Enabled: aws.Bool(true), Processors: []types.Processor{{
		Type: types.ProcessorTypeLambda, Parameters: []types.ProcessorParameter{
			{ParameterName: types.ProcessorParameterNameLambdaArn, ParameterValue: function.FunctionArn},
			{ParameterName: types.ProcessorParameterNameBufferSizeInMb, ParameterValue: aws.String("0.2")},
			{ParameterName: types.ProcessorParameterNameBufferIntervalInSeconds, ParameterValue: aws.String("1")},
		},
	}}})
	f.python(t, "put", "transformed", fmt.Sprint(foreignRecords), "lines")
	if r := f.audit(t, "--delivery-stream", "transformed-to-s3"); r.Verdict != proof.Undecided || !strings.Contains(strings.Join(r.Reasons, ""), "--ask-transform") {
		t.Errorf("%s without --ask-transform: %q", r.Verdict, r.Reasons)
	}
	var r *report.Report
	for deadline := time.Now().Add(time.Minute); ; {
		r = f.audit(t, "--delivery-stream", "transformed-to-s3", "--ask-transform")
		if r.Counts.Owed > 0 && r.Counts.InFlight == 0 || time.Now().After(deadline) {
			break
		}
	}
	want := proof.Counts{Owed: foreignRecords * 9 / 10, Delivered: foreignRecords * 8 / 10, Rejects: foreignRecords / 10}
	if r.Verdict != proof.Proven || r.Counts != want {
		t.Errorf("%s: %+v, want %+v: %q", r.Verdict, r.Counts, want, r.Reasons)
	}
	f.lose(t, "transformed/")
	r = f.audit(t, "--delivery-stream", "transformed-to-s3", "--ask-transform", "--deadline", "1s")
	f.repair(t, r.Counts.Missing, 0, "--delivery-stream", "transformed-to-s3", "--ask-transform")
}

// deliveryStream audits Firehose between a stream and S3, then loses an object.
func (f *foreign) deliveryStream(t *testing.T, how string) {
	f.create(t, how, nil)
	f.python(t, "put", how, fmt.Sprint(foreignRecords), how)

	var r *report.Report
	for deadline := time.Now().Add(time.Minute); ; {
		r = f.audit(t, "--delivery-stream", how+"-to-s3")
		if r.Counts.Owed > 0 && r.Counts.InFlight == 0 || time.Now().After(deadline) {
			break
		}
	}
	if want := (proof.Counts{Owed: foreignRecords, Delivered: foreignRecords}); r.Verdict != proof.Proven || r.Counts != want {
		t.Errorf("%s: %+v, want all delivered: %s %s", r.Verdict, r.Counts, r.Reasons, r.Notes)
	}
	if glued := r.Audit.Glued > 0; glued != (how == "glued") {
		t.Errorf("%d objects are glued", r.Audit.Glued)
	}
	var aggregates int64
	for _, shard := range r.Audit.Shards {
		aggregates += shard.Aggregates
	}
	if (aggregates > 0) != (how == "kpl") {
		t.Errorf("%d aggregates: %+v", aggregates, r.Audit.Shards)
	}

	f.lose(t, how+"/")
	r = f.audit(t, "--delivery-stream", how+"-to-s3", "--deadline", "1s")
	if lost := r.Counts.Missing; r.Verdict != proof.NotProven || lost == 0 || lost+r.Counts.Delivered != foreignRecords {
		t.Errorf("%s: %+v after a loss", r.Verdict, r.Counts)
	}
	f.repair(t, r.Counts.Missing, 0, "--delivery-stream", how+"-to-s3")
}

// lose deletes the first object below a prefix.
func (f *foreign) lose(t *testing.T, prefix string) {
	t.Helper()
	listed, err := f.s3().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &f.bucket, Prefix: &prefix, EncodingType: s3types.EncodingTypeUrl})
	if err == nil {
		_, err = f.s3().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &f.bucket, Key: listed.Contents[0].Key})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// etags are all objects of the bucket, with their ETags.
func (f *foreign) etags(t *testing.T) map[string]string {
	t.Helper()
	objects, _, err := bucket.NewS3(f.s3(), f.bucket).List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, o := range objects {
		all[o.Key] = o.ETag
	}
	return all
}

// repair repairs so many missing and duplicated rows of a pipeline, as a user of AWS would. It says first what it would
// do, and a second repair does nothing. Then the audit is PROVEN.
func (f *foreign) repair(t *testing.T, missing, duplicated int64, flags ...string) {
	t.Helper()
	flags = append(slices.Clone(flags), "--deadline", "1s", "--from", "-20m")
	for what, n := range map[string]int64{"": missing, "--duplicates": duplicated} {
		if n == 0 {
			continue
		}
		command := append([]string{"repair", "--margin", "0s"}, flags...)
		if what != "" {
			command = append(command, what)
		}
		before := f.etags(t)
		var dry, done operating.RepairResult
		f.run(t, &dry, command...)
		if rows := dry.Rows[proof.Missing] + dry.Removed[proof.Duplicated]; rows != n || dry.Written || !maps.Equal(before, f.etags(t)) {
			t.Errorf("a dry run: %d rows of %d, written %t", rows, n, dry.Written)
		}
		command = append(command, "--yes")
		f.run(t, &done, command...)
		if c := done.After.Counts; what == "" && (c.Missing > 0 || c.Repaired != n) || what != "" && c.Duplicated > 0 {
			t.Errorf("repaired: %s %q", done.After.LastLine(), done.After.Reasons)
		}
		after := f.etags(t)
		if f.run(t, &done, command...); !maps.Equal(after, f.etags(t)) {
			t.Error("a second repair has written")
		}
	}
	var r report.Report
	if f.run(t, &r, append([]string{"audit"}, flags...)...); r.Verdict != proof.Proven || r.Counts.Repaired != missing {
		t.Errorf("after the repair: %s %q", r.LastLine(), r.Reasons)
	}
}

// carried is what a consumer has done wrong.
type carried struct {
	Dropped []string // sequence numbers
	Doubled int64
}

// lossy fills a stream of this name, and has a consumer carry its records below the same name in the bucket.
func (f *foreign) lossy(t *testing.T, name string) (did carried) {
	t.Helper()
	f.stream(t, name)
	f.python(t, "put", name, fmt.Sprint(foreignRecords), "lines")
	if err := json.Unmarshal(f.python(t, "carry", name, f.bucket, name+"/part-0.jsonl"), &did); err != nil {
		t.Fatal(err)
	}
	return did
}

// consumer checks that an audit names exactly what a consumer dropped, by sequence number, and counts what it doubled.
func (f *foreign) consumer(t *testing.T) {
	did := f.lossy(t, "orders")
	time.Sleep(3 * time.Second) // until the deadline is over
	r := f.audit(t, "--stream", "orders", "--bucket", f.bucket, "--prefix", "orders", "--deadline", "1s")
	var missing []string
	for _, found := range r.LastSeen {
		for _, record := range found.Records {
			missing = append(missing, record.Places[0].SequenceNumber)
		}
	}
	slices.Sort(missing)
	slices.Sort(did.Dropped)
	if !slices.Equal(missing, did.Dropped) || r.Counts.Missing != int64(len(did.Dropped)) {
		t.Errorf("missing are %d: %s; dropped were %s", r.Counts.Missing, missing, did.Dropped)
	}
	if r.Counts.Duplicated != did.Doubled || r.Counts.Unexpected != 0 {
		t.Errorf("%+v, want %d duplicated", r.Counts, did.Doubled)
	}
	f.afterwards(t, did.Dropped, did.Doubled, "--stream", "orders", "--bucket", f.bucket, "--prefix", "orders", "--deadline", "1s", "--from", "-10m")
	f.repair(t, int64(len(did.Dropped)), did.Doubled, "--stream", "orders", "--bucket", f.bucket, "--prefix", "orders")
	if keys := r.Audit.HotKeys; len(keys) != 7 || !strings.HasPrefix(keys[0].Key, "customer-") {
		t.Errorf("got %+v, want the seven customers", keys)
	}
}

// run runs the program as a user of AWS would, and decodes the JSON that it prints.
func (f *foreign) run(t *testing.T, into any, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), absolute("../bin/streamproof"), append(args, "--json")...)
	var stderr bytes.Buffer
	cmd.Env, cmd.Stderr = f.environment(), &stderr
	out, err := cmd.Output()
	if json.Unmarshal(out, into) != nil {
		t.Fatalf("%s: %v\n%s", args, err, stderr.String())
	}
}

// afterwards lists every missing row in a file, then explains and accepts what the consumer did. The next audit is
// PROVEN.
func (f *foreign) afterwards(t *testing.T, dropped []string, doubled int64, flags ...string) {
	file, accepted := filepath.Join(t.TempDir(), "missing.jsonl"), filepath.Join(t.TempDir(), "accepted")
	f.run(t, &report.Report{}, append([]string{"audit", "--missing", file}, flags...)...)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for lines := json.NewDecoder(bytes.NewReader(data)); ; {
		var m report.MissingRow
		if lines.Decode(&m) != nil {
			break
		}
		named = append(named, m.SequenceNumber)
	}
	slices.Sort(named)
	if !slices.Equal(named, dropped) {
		t.Errorf("the file names %s, dropped were %s", named, dropped)
	}

	var explained explain.Explanation
	f.run(t, &explained, append([]string{"explain"}, flags...)...)
	for _, finding := range explained.Findings {
		want := "the record before is in orders/part-0.jsonl:"
		if finding.Class == proof.Duplicated {
			want = "copies are in orders/part-0.jsonl:"
		}
		if !strings.Contains(finding.Text, want) {
			t.Errorf("%s: %q, want that it says %q", finding.Class, finding.Text, want)
		}
	}
	if len(explained.Findings) < len(dropped) || explained.Beyond != 0 {
		t.Errorf("%d findings and %d beyond, want %d dropped and those doubled", len(explained.Findings), explained.Beyond, len(dropped))
	}

	var r report.Report
	accept := func(class proof.Class, n int64) {
		f.run(t, &r, append([]string{"accept", string(class), fmt.Sprint(n), "--reason", "it is a test", "--accepted", accepted}, flags...)...)
	}
	if accept(proof.Missing, int64(len(dropped))); r.Verdict != proof.NotProven {
		t.Errorf("%s after the dropped are accepted", r.Verdict)
	}
	if accept(proof.Duplicated, doubled); r.Verdict != proof.Proven {
		t.Errorf("%s after all is accepted: %q", r.Verdict, r.Reasons)
	}
	r = report.Report{}
	if f.run(t, &r, append([]string{"audit", "--accepted", accepted}, flags...)...); r.Verdict != proof.Proven || len(r.Accepted) != 2 {
		t.Errorf("%s by %+v: %q", r.Verdict, r.Accepted, r.Reasons)
	}
	if f.run(t, &r, append([]string{"audit"}, flags...)...); r.Verdict != proof.NotProven {
		t.Errorf("%s without the acceptances", r.Verdict)
	}
}

// fanOut reads with enhanced fan-out, and checks that the consumer is removed even if the audit is interrupted.
func (f *foreign) fanOut(t *testing.T) {
	arn := f.stream(t, "fans")
	f.python(t, "put", "fans", "100", "lines")
	f.python(t, "carry", "fans", f.bucket, "fans/part-0.jsonl")
	time.Sleep(time.Second) // the window ends by S3's clock, which has whole seconds
	flags := []string{"--stream", "fans", "--bucket", f.bucket, "--prefix", "fans", "--fan-out"}
	client := kinesis.NewFromConfig(f.root)
	consumers := func() int {
		out, err := client.ListStreamConsumers(t.Context(), &kinesis.ListStreamConsumersInput{StreamARN: &arn})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.Consumers)
	}
	if r := f.audit(t, flags...); r.Counts.Delivered != 100 || consumers() != 0 {
		t.Errorf("%s: %+v with %d consumers left: %q", r.Verdict, r.Counts, consumers(), r.Reasons)
	}

	cmd := exec.CommandContext(t.Context(), absolute("../bin/streamproof"), append([]string{"audit"}, flags...)...)
	var stderr bytes.Buffer
	cmd.Env, cmd.Stderr = f.environment(), &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); consumers() == 0 && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its exit status is checked
	if status := cmd.ProcessState.ExitCode(); status != 3 || !strings.Contains(stderr.String(), "interrupted") || consumers() != 0 {
		t.Errorf("exit status %d with %d consumers left, want 3 with none: %s", status, consumers(), stderr.String())
	}
}

// audited audits the stack by what its stream holds, and compares the result with the verifier's, which is by the
// ledger.
func audited(t *testing.T, s *local.Stack) {
	want := settle(t, s)
	cmd := exec.CommandContext(t.Context(), absolute("../bin/streamproof"), "audit", "--json", "--state-dir", s.StateDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var got report.Report
	if json.Unmarshal(out, &got) != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	if got.Verdict != proof.Proven || got.Counts.Owed != want.Counts.Owed || got.Counts.Delivered != want.Counts.Delivered ||
		got.Counts.Rejects != want.Counts.Rejects || want.Counts.Rejects == 0 {
		t.Errorf("the audit says %s %q, the verifier %s", got.LastLine(), got.Reasons, want.LastLine())
	}
}

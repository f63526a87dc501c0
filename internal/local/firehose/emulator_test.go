package firehose_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"streamproof/internal/local/emulator"
	"streamproof/internal/local/firehose"
	"streamproof/internal/stream/kpl"
)

// template has what the project's own uses, with the numbers as references, which the emulator makes strings of.
const template = `
Parameters:
  Interval: {Type: Number, Default: 900}
Resources:
  Bucket: {Type: AWS::S3::Bucket}
  DeliveryRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: firehose.amazonaws.com}
            Action: sts:AssumeRole
            Condition: {StringEquals: {"sts:ExternalId": !Ref AWS::AccountId}}
      Policies:
        - PolicyName: delivery
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - {Effect: Allow, Action: s3:PutObject, Resource: !Sub "${Bucket.Arn}/*"}
              - {Effect: Allow, Action: lambda:InvokeFunction, Resource: !GetAtt Function.Arn}
  Stream:
    Type: AWS::Kinesis::Stream
    Properties: {ShardCount: 2}
  SourcedRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: firehose.amazonaws.com}, Action: sts:AssumeRole}]
      Policies:
        - PolicyName: sourced
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - {Effect: Allow, Action: s3:PutObject, Resource: !Sub "${Bucket.Arn}/*"}
              - Effect: Allow
                Action: [kinesis:DescribeStream, kinesis:GetShardIterator, kinesis:ListShards]
                Resource: !GetAtt Stream.Arn
              - {Effect: Allow, Action: kinesis:GetRecords, Resource: "*"} # the emulator does not know which stream is read
  Sourced:
    Type: AWS::KinesisFirehose::DeliveryStream
    Properties:
      DeliveryStreamType: KinesisStreamAsSource
      KinesisStreamSourceConfiguration: {KinesisStreamARN: !GetAtt Stream.Arn, RoleARN: !GetAtt SourcedRole.Arn}
      ExtendedS3DestinationConfiguration:
        BucketARN: !GetAtt Bucket.Arn
        RoleARN: !GetAtt SourcedRole.Arn
        Prefix: sourced/
        BufferingHints: {SizeInMBs: 1, IntervalInSeconds: 900}
        ProcessingConfiguration:
          Enabled: true
          Processors: [{Type: AppendDelimiterToRecord, Parameters: [{ParameterName: Delimiter, ParameterValue: "\\n"}]}]
  PutterRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]}
      Policies:
        - PolicyName: putter
          PolicyDocument:
            Version: "2012-10-17"
            Statement: [{Effect: Allow, Action: firehose:PutRecordBatch, Resource: !GetAtt Delivery.Arn}]
  FunctionRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Role: !GetAtt FunctionRole.Arn
      Code:
        ZipFile: |
          import base64
          def handler(event, context):
              results = []
              for r in event["records"]:
                  data = base64.b64decode(r["data"])
                  result = "ProcessingFailed" if data == b"bad" else "Ok"
                  results.append({"recordId": r["recordId"], "result": result, "data": base64.b64encode(data.upper()).decode()})
              return {"records": results}
  Delivery:
    Type: AWS::KinesisFirehose::DeliveryStream
    Properties:
      DeliveryStreamType: DirectPut
      DeliveryStreamEncryptionConfigurationInput: {KeyType: AWS_OWNED_CMK}
      ExtendedS3DestinationConfiguration:
        BucketARN: !GetAtt Bucket.Arn
        RoleARN: !GetAtt DeliveryRole.Arn
        Prefix: !Sub "data/${Interval}/!{timestamp:yyyy/MM/dd/HH}/"
        ErrorOutputPrefix: errors/!{firehose:error-output-type}/
        BufferingHints: {SizeInMBs: 1, IntervalInSeconds: !Ref Interval}
        CompressionFormat: UNCOMPRESSED
        CloudWatchLoggingOptions: {Enabled: false}
        ProcessingConfiguration:
          Enabled: true
          Processors:
            - Type: Lambda
              Parameters:
                - {ParameterName: LambdaArn, ParameterValue: !GetAtt Function.Arn}
                - {ParameterName: BufferIntervalInSeconds, ParameterValue: !Ref Interval}
                - {ParameterName: NumberOfRetries, ParameterValue: 1}
Outputs:
  Bucket: {Value: !Ref Bucket}
  Delivery: {Value: !Ref Delivery}
  Putter: {Value: !GetAtt PutterRole.Arn}
  Sourced: {Value: !Ref Sourced}
  Stream: {Value: !Ref Stream}
`

// TestEmulator runs the real one, which enforces IAM.
func TestEmulator(t *testing.T) {
	t.Parallel()
	program, err := filepath.Abs("../../../.venv/bin/ministack")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("the emulator is not installed: make .venv")
	}
	dir := t.TempDir()
	e, err := emulator.Start(t.Context(), emulator.Config{
		Program: program, Dir: dir, PIDFile: filepath.Join(dir, "pid"), LogFile: filepath.Join(dir, "log"), Region: "eu-west-1", Tied: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.End(context.Background()) }()
	root := aws.Config{
		Region:       "eu-west-1",
		BaseEndpoint: aws.String(emulator.Endpoint(e.Port)),
		Credentials:  credentials.NewStaticCredentialsProvider(emulator.AccessKeyID, emulator.SecretAccessKey, ""),
	}
	formation := cloudformation.NewFromConfig(root)
	stack := aws.String("stack")
	capabilities := []types.Capability{types.CapabilityCapabilityIam}
	if _, err := formation.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: stack, TemplateBody: aws.String(template), Capabilities: capabilities}); err != nil {
		t.Fatal(err)
	}
	described, err := cloudformation.NewStackCreateCompleteWaiter(formation, func(o *cloudformation.StackCreateCompleteWaiterOptions) {
		o.MinDelay, o.MaxDelay = 200*time.Millisecond, time.Second
	}).WaitForOutput(t.Context(), &cloudformation.DescribeStacksInput{StackName: stack}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	outputs := map[string]string{}
	for _, o := range described.Stacks[0].Outputs {
		outputs[*o.OutputKey] = *o.OutputValue
	}

	s, err := firehose.Start(firehose.Config{AWS: root})
	if err != nil {
		t.Fatal(err)
	}
	source := kinesis.NewFromConfig(root)
	aggregate := kpl.Pack(slices.Concat([]byte{0x0a, 1, 'k'}, []byte{0x1a, 5, 0x08, 0, 0x1a, 1, 'X'}, []byte{0x1a, 5, 0x08, 0, 0x1a, 1, 'Y'}))
	for _, data := range [][]byte{[]byte("W"), aggregate, []byte("Z")} {
		if _, err := source.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String(outputs["Stream"]), PartitionKey: aws.String("k"), Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	putter, err := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(root), outputs["Putter"]).Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	forger := putter
	forger.SecretAccessKey = "guessed"
	one := `{"Data":"Zm9yYmlkZGVu"}`
	for _, c := range []struct {
		name        string
		credentials aws.Credentials
		stream      string
		operation   string
		records     string
		status      int
		want        string
	}{
		{"root", aws.Credentials{AccessKeyID: emulator.AccessKeyID, SecretAccessKey: emulator.SecretAccessKey}, outputs["Delivery"], "PutRecordBatch", `"Records":[{"Data":"YQ=="}]`, 200, `"FailedPutCount":0`},
		{"who may", putter, outputs["Delivery"], "PutRecordBatch", `"Records":[{"Data":"Yg=="},{"Data":"YmFk"},{"Data":"Yw=="}]`, 200, `"Encrypted":true`},
		{"another operation", putter, outputs["Delivery"], "PutRecord", `"Record":` + one, 403, "AccessDeniedException"},
		{"another stream", putter, "other", "PutRecordBatch", `"Records":[` + one + `]`, 403, "AccessDeniedException"},
		{"a forger", forger, outputs["Delivery"], "PutRecordBatch", `"Records":[` + one + `]`, 400, "InvalidSignatureException"},
		{"nobody", aws.Credentials{AccessKeyID: "AKIANOBODY", SecretAccessKey: "s"}, outputs["Delivery"], "PutRecordBatch", `"Records":[` + one + `]`, 400, "UnrecognizedClientException"},
		{"one that reads a stream", aws.Credentials{AccessKeyID: emulator.AccessKeyID, SecretAccessKey: emulator.SecretAccessKey}, outputs["Sourced"], "PutRecord", `"Record":` + one, 400, "KinesisStreamAsSource"},
		{"no stream", aws.Credentials{AccessKeyID: emulator.AccessKeyID, SecretAccessKey: emulator.SecretAccessKey}, "none", "PutRecord", `"Record":` + one, 400, "ResourceNotFoundException"},
	} {
		body := []byte(fmt.Sprintf(`{"DeliveryStreamName":%q,%s}`, c.stream, c.records))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(), bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", "Firehose_20150804."+c.operation)
		sum := sha256.Sum256(body)
		if err := v4.NewSigner().SignHTTP(t.Context(), c.credentials, r, hex.EncodeToString(sum[:]), "firehose", root.Region, time.Now()); err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != c.status || !strings.Contains(string(answer), c.want) {
			t.Errorf("%s: got %d %s, want %d %s", c.name, response.StatusCode, answer, c.status, c.want)
		}
	}

	// The update counts for what was taken and is not written.
	if _, err := formation.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{
		StackName: stack, TemplateBody: aws.String(template), Capabilities: capabilities,
		Parameters: []types.Parameter{{ParameterKey: aws.String("Interval"), ParameterValue: aws.String("800")}},
	}); err != nil {
		t.Fatal(err)
	}
	if err := cloudformation.NewStackUpdateCompleteWaiter(formation, func(o *cloudformation.StackUpdateCompleteWaiterOptions) {
		o.MinDelay, o.MaxDelay = 200*time.Millisecond, time.Second
	}).Wait(t.Context(), &cloudformation.DescribeStacksInput{StackName: stack}, time.Minute); err != nil {
		t.Fatal(err)
	}
	sourced := strings.ReplaceAll(held(t, source, outputs["Stream"]), string(aggregate), "X\nY")
	for deadline := time.Now().Add(time.Minute); s.Stats()[outputs["Sourced"]].Records < int64(strings.Count(sourced, "\n")) && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(time.Second)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	// Nothing but this is in the bucket: the emulator took no record itself.
	bucket := s3.NewFromConfig(root)
	listed, err := bucket.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(outputs["Bucket"])})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, o := range listed.Contents {
		got, err := bucket.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(outputs["Bucket"]), Key: o.Key})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(got.Body)
		_ = got.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		found[*o.Key] = string(body)
	}
	if len(found) != 3 {
		t.Errorf("got %q, want three objects", found)
	}
	day := time.Now().UTC().Format("2006/01/02/")
	for key, body := range found {
		switch {
		case strings.HasPrefix(key, "data/800/"+day):
			if body != "ABC" || !strings.Contains(key, outputs["Delivery"]+"-2-") {
				t.Errorf("got %q in %s, want ABC of version 2", body, key)
			}
		case strings.HasPrefix(key, "sourced/"+day):
			if body != sourced {
				t.Errorf("got %q in %s, want the stream's records, each on a line: %q", body, key, sourced)
			}
		case strings.HasPrefix(key, "errors/processing-failed/"):
			var line struct {
				ErrorCode string
				RawData   []byte
			}
			if err := json.Unmarshal([]byte(body), &line); err != nil || line.ErrorCode != "Lambda.ProcessingFailedStatus" || string(line.RawData) != "bad" {
				t.Errorf("got %s: %v", body, err)
			}
		default:
			t.Errorf("got %s", key)
		}
	}
	want := firehose.Stats{Records: 4, Bytes: 6, BilledBytes: 4 * 5120, Objects: 2, FailedRecords: 1}
	if got := s.Stats()[outputs["Delivery"]]; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// held is what a stream holds, each record on a line. A record may be there twice: the SDK puts it again if the
// emulator does not answer.
func held(t *testing.T, client *kinesis.Client, stream string) string {
	t.Helper()
	shards, err := client.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: &stream})
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, shard := range shards.Shards {
		from, err := client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
			StreamName: &stream, ShardId: shard.ShardId, ShardIteratorType: kinesistypes.ShardIteratorTypeTrimHorizon,
		})
		if err != nil {
			t.Fatal(err)
		}
		page, err := client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: from.ShardIterator})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			all.Write(append(r.Data, '\n'))
		}
	}
	return all.String()
}

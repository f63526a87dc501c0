package firehose

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDefinition(t *testing.T) {
	t.Parallel()
	parse := func(change func(stream, destination map[string]any)) (*definition, error) {
		destination := newFake().description
		stream := map[string]any{
			"DeliveryStreamName": "d", "DeliveryStreamARN": "arn:aws:firehose:eu-west-1:123456789012:deliverystream/d", "DeliveryStreamType": "DirectPut", "VersionId": "7",
			"Destinations": []any{map[string]any{"ExtendedS3DestinationDescription": destination}},
		}
		change(stream, destination)
		data, err := json.Marshal(map[string]any{"DeliveryStreamDescription": stream})
		if err != nil {
			t.Fatal(err)
		}
		return parseDefinition(data)
	}

	d, err := parse(func(_, destination map[string]any) {
		delete(destination, "BufferingHints")
		delete(destination, "CompressionFormat")
		destination["CloudWatchLoggingOptions"] = map[string]any{"Enabled": "false"}
		destination["ProcessingConfiguration"] = processing()
	})
	if err != nil {
		t.Fatal(err)
	}
	role := "arn:aws:iam::000000000000:role/delivery"
	want := definition{
		arn: "arn:aws:firehose:eu-west-1:123456789012:deliverystream/d", region: "eu-west-1", account: "123456789012", version: "7",
		bucket: "bucket", role: role, size: 5 * mebibyte, interval: 5 * time.Minute,
		processor: &processor{"arn:aws:lambda:eu-west-1:000000000000:function:f", role, mebibyte, time.Minute, 3},
	}
	d.ok, d.failed = prefix{}, prefix{}
	if diff := cmp.Diff(want, *d, cmp.AllowUnexported(definition{}, processor{}, prefix{})); diff != "" {
		t.Errorf("the defaults (-want +got)\n%s", diff)
	}
	d, err = parse(func(_, destination map[string]any) {
		destination["ProcessingConfiguration"] = processing("RoleArn", "other", "BufferSizeInMBs", "3", "BufferIntervalInSeconds", 900, "NumberOfRetries", 5)
	})
	if want := (processor{"arn:aws:lambda:eu-west-1:000000000000:function:f", "other", 3 * mebibyte, 15 * time.Minute, 5}); err != nil || *d.processor != want {
		t.Errorf("got %+v, %v, want %+v", d, err, want)
	}

	for _, c := range []struct {
		want   string
		change func(stream, destination map[string]any)
	}{
		{"DeliveryStreamType KinesisStreamAsSource", func(s, _ map[string]any) { s["DeliveryStreamType"] = "KinesisStreamAsSource" }},
		{`"MSKSourceDescription"`, func(s, _ map[string]any) {
			s["Source"] = map[string]any{"MSKSourceDescription": map[string]any{}}
		}},
		{"not one ExtendedS3DestinationConfiguration", func(s, _ map[string]any) { s["Destinations"] = []any{} }},
		{`"RedshiftDestinationDescription"`, func(s, _ map[string]any) {
			s["Destinations"] = []any{map[string]any{"RedshiftDestinationDescription": map[string]any{}}}
		}},
		{"S3BackupMode Enabled", func(_, d map[string]any) { d["S3BackupMode"] = "Enabled" }},
		{`"DynamicPartitioningConfiguration"`, func(_, d map[string]any) { d["DynamicPartitioningConfiguration"] = map[string]any{"Enabled": true} }},
		{`"DataFormatConversionConfiguration"`, func(_, d map[string]any) { d["DataFormatConversionConfiguration"] = map[string]any{} }},
		{`"KMSEncryptionConfig"`, func(_, d map[string]any) {
			d["EncryptionConfiguration"] = map[string]any{"KMSEncryptionConfig": map[string]any{}}
		}},
		{"CloudWatchLoggingOptions without LogGroupName or LogStreamName", func(_, d map[string]any) { d["CloudWatchLoggingOptions"] = map[string]any{"Enabled": true} }},
		{"CompressionFormat Snappy", func(_, d map[string]any) { d["CompressionFormat"] = "Snappy" }},
		{"SizeInMBs 129", func(_, d map[string]any) {
			d["BufferingHints"] = map[string]any{"SizeInMBs": 129, "IntervalInSeconds": 60}
		}},
		{"IntervalInSeconds soon", func(_, d map[string]any) {
			d["BufferingHints"] = map[string]any{"SizeInMBs": 1, "IntervalInSeconds": "soon"}
		}},
		{"the processor Decompression", func(_, d map[string]any) {
			d["ProcessingConfiguration"] = map[string]any{"Enabled": true, "Processors": []any{map[string]any{"Type": "Decompression"}}}
		}},
		{"the processor's parameter JsonParsingEngine; ", func(_, d map[string]any) {
			d["ProcessingConfiguration"] = processing("JsonParsingEngine", "JQ-1.6", "BufferSizeInMBs", 4)
		}},
		{"BufferSizeInMBs 4", func(_, d map[string]any) {
			d["ProcessingConfiguration"] = processing("JsonParsingEngine", "JQ-1.6", "BufferSizeInMBs", 4)
		}},
		{"BucketARN elsewhere; no RoleARN", func(_, d map[string]any) { d["BucketARN"] = "elsewhere"; d["RoleARN"] = "" }},
		{"!{partitionKeyFromQuery:x} is not supported", func(_, d map[string]any) { d["Prefix"] = "!{partitionKeyFromQuery:x}" }},
	} {
		if _, err := parse(c.change); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want that it names %s", err, c.want)
		}
	}
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	at := time.Date(2018, 8, 27, 12, 30, 5, 0, time.FixedZone("", 2*3600)) // 10:30:05 UTC
	for _, c := range []struct {
		data, failed         string
		want, wantFailed, no string // no is the error
	}{
		{data: "", failed: "f/!{firehose:error-output-type}/", want: "2018/08/27/10/", wantFailed: "f/processing-failed/"},
		{data: "p", want: "p2018/08/27/10/", wantFailed: "pprocessing-failed/2018/08/27/10/"},
		{data: "p/!{timestamp:yyyy/MM/dd/HH}/", failed: "e/!{firehose:error-output-type}/!{timestamp:yyyy}/", want: "p/2018/08/27/10/", wantFailed: "e/processing-failed/2018/"},
		{data: "y=!{timestamp:yyyy}/m=!{timestamp:MM}/", failed: "!{timestamp:'year='yyyy'/hour='HH}/!{firehose:error-output-type}", want: "y=2018/m=08/", wantFailed: "year=2018/hour=10/processing-failed"},
		{data: "!{timestamp:HH-mm.ss''}", failed: "!{firehose:error-output-type}", want: "10-30.05'", wantFailed: "processing-failed"},
		{data: "!{firehose:random-string}/", failed: "!{firehose:error-output-type}", want: "RANDOM/2018/08/27/10/", wantFailed: "processing-failed"},
		{data: strings.Repeat("é", 498), no: "the ErrorOutputPrefix: it evaluates to 530 characters"},

		{data: "!{timestamp:yyyy}", no: "the ErrorOutputPrefix: required"},
		{data: "a", failed: "e/", no: "!{firehose:error-output-type} is missing"},
		{data: "!{firehose:error-output-type}", failed: "!{firehose:error-output-type}", no: "for ErrorOutputPrefix only"},
		{data: "!{timestamp:yyyy", failed: "!{firehose:error-output-type}", no: "has no closing }"},
		{data: "!{timestamp:}", failed: "!{firehose:error-output-type}", no: "empty"},
		{data: "!{timestamp:'yyyy}", failed: "!{firehose:error-output-type}", no: "a quote is not closed"},
		{data: "!{timestamp:YYYY}", failed: "!{firehose:error-output-type}", no: "YYYY is not supported"},
		{data: "!{timestamp:ddd}", failed: "!{firehose:error-output-type}", no: "ddd is not supported"},
		{data: "!{timestamp:[HH]}", failed: "!{firehose:error-output-type}", no: "[ is reserved"},
		{data: "!{partitionKeyFromLambda:a}", failed: "!{firehose:error-output-type}", no: "the Prefix: !{partitionKeyFromLambda:a} is not supported"},
		{data: strings.Repeat("x", 499), failed: "!{firehose:error-output-type}", no: "513 characters"},
	} {
		ok, failed, err := parsePrefixes(c.data, c.failed)
		if c.no != "" {
			if err == nil || !strings.Contains(err.Error(), c.no) {
				t.Errorf("%s, %s: got %v, want %s", c.data, c.failed, err, c.no)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s, %s: %v", c.data, c.failed, err)
			continue
		}
		got := ok.evaluate(at)
		if ok.rand {
			got = regexp.MustCompile("^[a-z0-9]{11}/").ReplaceAllString(got, "RANDOM/")
		}
		if got != c.want || failed.evaluate(at) != c.wantFailed {
			t.Errorf("%s, %s: got %s and %s, want %s and %s", c.data, c.failed, got, failed.evaluate(at), c.want, c.wantFailed)
		}
	}
	p, err := parsePrefix("!{firehose:random-string}-!{firehose:random-string}")
	if err != nil {
		t.Fatal(err)
	}
	if a, b, _ := strings.Cut(p.evaluate(at), "-"); a == b {
		t.Errorf("got %s twice", a)
	}
	if got := fmt.Sprint(on("True"), on("false"), on("")); got != "true false false" {
		t.Errorf("got %s", got)
	}
}

package audit_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"streamproof/internal/audit"
)

// A described is a delivery stream as DescribeDeliveryStream answers.
type described types.DeliveryStreamDescription

func (d *described) DescribeDeliveryStream(context.Context, *firehose.DescribeDeliveryStreamInput, ...func(*firehose.Options)) (*firehose.DescribeDeliveryStreamOutput, error) {
	return &firehose.DescribeDeliveryStreamOutput{DeliveryStreamDescription: (*types.DeliveryStreamDescription)(d)}, nil
}

// deliveryStream is one that reads a stream, with something changed.
func deliveryStream(change func(*types.DeliveryStreamDescription, *types.ExtendedS3DestinationDescription)) *described {
	s3 := &types.ExtendedS3DestinationDescription{
		BucketARN: aws.String("arn:aws:s3:::lake"), Prefix: aws.String("orders/dt=!{timestamp:yyyy-MM-dd}/"),
		ErrorOutputPrefix: aws.String("errors/!{firehose:error-output-type}/"), CompressionFormat: types.CompressionFormatGzip,
		BufferingHints: &types.BufferingHints{IntervalInSeconds: aws.Int32(60)},
	}
	d := &types.DeliveryStreamDescription{
		Source: &types.SourceDescription{KinesisStreamSourceDescription: &types.KinesisStreamSourceDescription{
			KinesisStreamARN: aws.String("arn:aws:kinesis:eu-west-1:123456789012:stream/orders"), DeliveryStartTimestamp: &start,
		}},
		Destinations: []types.DestinationDescription{{ExtendedS3DestinationDescription: s3}},
	}
	if change != nil {
		change(d, s3)
	}
	return (*described)(d)
}

func processors(s3 *types.ExtendedS3DestinationDescription, processors ...types.Processor) {
	s3.ProcessingConfiguration = &types.ProcessingConfiguration{Enabled: aws.Bool(true), Processors: processors}
}

func TestDescribe(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*types.DeliveryStreamDescription, *types.ExtendedS3DestinationDescription)
		want   func(*audit.Pipeline)
		fails  string
	}{
		"as it comes": {},
		"no error prefix": {
			change: func(_ *types.DeliveryStreamDescription, s3 *types.ExtendedS3DestinationDescription) {
				s3.Prefix, s3.ErrorOutputPrefix = aws.String("orders/"), nil
			},
			want: func(p *audit.Pipeline) {
				p.Prefix, p.ErrorsPrefix, p.Hourly = "orders/", "orders/processing-failed/", true
			},
		},
		"keys by the hour": {
			change: func(_ *types.DeliveryStreamDescription, s3 *types.ExtendedS3DestinationDescription) {
				s3.Prefix = aws.String("orders/!{timestamp:yyyy/MM/dd/HH}/")
			},
			want: func(p *audit.Pipeline) { p.Prefix, p.Hourly = "orders/", true },
		},
		"keys by a value of the records": {
			change: func(_ *types.DeliveryStreamDescription, s3 *types.ExtendedS3DestinationDescription) {
				s3.Prefix = aws.String("orders/!{partitionKeyFromQuery:customer}/")
			},
			want: func(p *audit.Pipeline) { p.Prefix, p.Partitioned = "orders/", true },
		},
		"keys by the hour of another place": {
			change: func(_ *types.DeliveryStreamDescription, s3 *types.ExtendedS3DestinationDescription) {
				s3.Prefix, s3.CustomTimeZone = aws.String("orders/"), aws.String("Asia/Tokyo")
			},
			want: func(p *audit.Pipeline) { p.Prefix = "orders/" },
		},
		"a function": {
			change: func(_ *types.DeliveryStreamDescription, s3 *types.ExtendedS3DestinationDescription) {
				processors(s3, types.Processor{Type: types.ProcessorTypeLambda, Parameters: []types.ProcessorParameter{
					{ParameterName: types.ProcessorParameterNameLambdaArn, ParameterValue: aws.String("arn:f")},
					{ParameterName: types.ProcessorParameterNameBufferIntervalInSeconds, ParameterValue: aws.String("90")},
				}})
			},
			want: func(p *audit.Pipeline) {
				p.Functions, p.Deadline, p.BatchTime, p.BatchBytes = []string{"arn:f"}, p.Deadline+90*time.Second, 90*time.Second, 1<<20
			},
		},
		"a newline is added": {
			change: func(_ *types.DeliveryStreamDescription, s3 *types.ExtendedS3DestinationDescription) {
				processors(s3, types.Processor{Type: types.ProcessorTypeAppendDelimiterToRecord})
			},
			want: func(p *audit.Pipeline) { p.AddsNewline = true },
		},
		"Parquet": {
			change: func(_ *types.DeliveryStreamDescription, s3 *types.ExtendedS3DestinationDescription) {
				s3.DataFormatConversionConfiguration = &types.DataFormatConversionConfiguration{}
			},
			want: func(p *audit.Pipeline) { p.Faults = []string{"Parquet"} },
		},
		"Snappy": {
			change: func(_ *types.DeliveryStreamDescription, s3 *types.ExtendedS3DestinationDescription) {
				s3.CompressionFormat = types.CompressionFormatSnappy
			},
			want: func(p *audit.Pipeline) { p.Gzip, p.Faults = false, []string{"Snappy"} },
		},
		"a backup among the data": {
			change: func(_ *types.DeliveryStreamDescription, s3 *types.ExtendedS3DestinationDescription) {
				s3.S3BackupMode = types.S3BackupModeEnabled
				s3.S3BackupDescription = &types.S3DestinationDescription{BucketARN: s3.BucketARN, Prefix: aws.String("orders/raw/")}
				s3.Prefix = aws.String("orders/")
			},
			want: func(p *audit.Pipeline) { p.Prefix, p.Hourly, p.Faults = "orders/", true, []string{"backup"} },
		},
		"Direct PUT": {
			change: func(d *types.DeliveryStreamDescription, _ *types.ExtendedS3DestinationDescription) { d.Source = nil },
			fails:  "reads no Kinesis stream",
		},
		"another destination": {
			change: func(d *types.DeliveryStreamDescription, _ *types.ExtendedS3DestinationDescription) {
				d.Destinations[0].ExtendedS3DestinationDescription = nil
			},
			fails: "does not deliver to S3",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := audit.Describe(t.Context(), deliveryStream(test.change), "orders-to-s3")
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Errorf("got %v, want an error that says %q", err, test.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := &audit.Pipeline{
				Gzip:      true,
				StreamARN: "arn:aws:kinesis:eu-west-1:123456789012:stream/orders",
				Stream:    "orders", Bucket: "lake", Prefix: "orders/dt=", ErrorsPrefix: "errors/", Deadline: 6 * time.Minute, Since: start, SinceWhy: "the delivery stream has read the stream only since then",
			}
			if test.want != nil {
				test.want(want)
			}
			if !slices.EqualFunc(got.Faults, want.Faults, strings.Contains) {
				t.Errorf("faults %q, want %q", got.Faults, want.Faults)
			}
			got.Faults, want.Faults = nil, nil
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}
